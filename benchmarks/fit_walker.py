"""Measure the 342 real gaits and print the tables of `moodwalk.walker`.

    python benchmarks/fit_walker.py PATH            the rows that stand in walker/population.py,
                                                    then those in walker/parameters.py
    python benchmarks/fit_walker.py PATH --markdown the same for docs/simulated-walks.md
    python benchmarks/fit_walker.py PATH --check    how well the measures find known parameters,
                                                    and how separable real and simulated walks are

PATH is the folder of Emotion-Gait's `features.h5` and `labels.h5`.

Every measure is taken in a frame of the gait's own, because absolute lean, heading and size of these
gaits are lost: across = mean line of hips and shoulders, up = from the mean of both feet to the root,
forward = the side to which knees bend. (In 220 gaits that is -z; there the sides are exchanged, which
leaves every measure but the sign of the asymmetries as it is.) Lengths are shares of the leg.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk import walker
from moodwalk.emotion import EMOTIONS
from moodwalk.gait import Gait, GaitSet
from moodwalk.io import load_emotion_gait
from moodwalk.skeleton import BONES, MIRROR, Joint
from moodwalk.walker.parameters import LEG_TO_HEIGHT

FloatArray = NDArray[np.float64]
REFERENCE_LEG_M = LEG_TO_HEIGHT * walker.REFERENCE_HEIGHT_M
ZERO_MEAN = ("asymmetry", "arm_asymmetry")
"""Sides are not reliable in this data, so only the size of these is used."""

ARMS = (
    (-1, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
    (1, Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_HAND),
)
LEGS = (
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)
FEET = (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the 342 real gaits.")
    parser.add_argument("path", type=Path, help="folder with features.h5 and labels.h5")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    parser.add_argument("--check", action="store_true", help="recovery and separability")
    options = parser.parse_args()
    gaits = load_emotion_gait(options.path)
    if options.check:
        print_recovery()
        print_separability(gaits)
    elif options.markdown:
        found = fit(gaits)
        print("\n".join(format_markdown(found.spreads, found.shares)))
    else:
        print("\n".join((*format_rows(fit(gaits)), "", *format_proportions(gaits))))


def unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def to_body_frame(gait: Gait) -> FloatArray:
    """Root-relative positions as (across, up, forward) in units of the leg, sides as they walk."""
    positions = np.asarray(gait.positions, dtype=np.float64)
    positions = positions - positions[:, : Joint.ROOT + 1]
    sides = (positions[:, Joint.LEFT_SHOULDER] - positions[:, Joint.RIGHT_SHOULDER]) + (
        positions[:, Joint.LEFT_HIP] - positions[:, Joint.RIGHT_HIP]
    )
    across = unit(sides.mean(axis=0))
    up = -positions[:, FEET].mean(axis=(0, 1))
    up = unit(up - (up @ across) * across)
    forward = np.cross(across, up)
    bend = np.zeros(3)
    for hip, knee, foot in LEGS:
        line = unit(positions[:, foot] - positions[:, hip])
        thigh = positions[:, knee] - positions[:, hip]
        bend += (thigh - (thigh * line).sum(axis=1, keepdims=True) * line).mean(axis=0)
    if bend @ forward < 0:
        positions, across, forward = positions[:, list(MIRROR)], -across, -forward
    body = positions @ np.stack([across, up, forward], axis=1)
    return body / compute_leg(body)


def compute_length(body: FloatArray, a: Joint, b: Joint) -> float:
    return float(np.linalg.norm(body[:, a] - body[:, b], axis=1).mean())


def compute_leg(body: FloatArray) -> float:
    return sum(compute_length(body, *pair) for leg in LEGS for pair in (leg[:2], leg[1:])) / 2.0


def compute_wave(signal: FloatArray, harmonic: int = 1, n_harmonics: int = 3) -> complex:
    """Complex amplitude of one harmonic of a signal over one cycle, by least squares."""
    turns = 2.0 * np.pi * np.arange(len(signal)) / len(signal)
    columns = [np.ones(len(signal))]
    for k in range(1, n_harmonics + 1):
        columns += [np.cos(k * turns), np.sin(k * turns)]
    weights = np.linalg.lstsq(np.stack(columns, axis=1), signal, rcond=None)[0]
    return complex(weights[2 * harmonic - 1], -weights[2 * harmonic])


def compute_tilt_deg(vectors: FloatArray) -> FloatArray:
    """Angle against up in the sagittal plane, forward positive."""
    return np.degrees(np.arctan2(vectors[..., 2], vectors[..., 1]))


def compute_turn_deg(body: FloatArray, right: Joint, left: Joint) -> float:
    line = body[:, left] - body[:, right]
    return 2.0 * abs(compute_wave(np.degrees(np.arctan2(line[:, 2], line[:, 0])), n_harmonics=1))


def measure(gait: Gait) -> dict[str, float]:
    """Measure the walker's parameters on a gait of one cycle, at the reference height."""
    body = to_body_frame(gait)
    feet = body[:, FEET]
    separation = feet[:, 0, 2] - feet[:, 1, 2]
    above = (
        feet[:, 0, 1] - feet[:, 1, 1]
    )  # the foot in the air over the planted one: no bounce in it
    strikes = [compute_wave(feet[:, side, 2]) for side in (0, 1)]
    lag = np.angle(-strikes[1] / strikes[0]) / np.pi
    lean = float(compute_tilt_deg(body[:, Joint.NECK].mean(axis=0)))
    lower, upper, head = (
        (body[:, b] - body[:, a]).mean(axis=0)
        for a, b in (
            (Joint.ROOT, Joint.SPINE),
            (Joint.SPINE, Joint.NECK),
            (Joint.NECK, Joint.HEAD),
        )
    )
    shoulders = (body[:, Joint.RIGHT_SHOULDER] + body[:, Joint.LEFT_SHOULDER]) / 2.0
    below = -(shoulders - body[:, Joint.NECK]) @ unit(body[:, Joint.NECK].mean(axis=0))
    girdle = np.mean([compute_length(body, Joint.NECK, shoulder) for _, shoulder, _, _ in ARMS])
    # a fourth difference leaves next to nothing of slow joints; white noise grows by sqrt(70)
    rough = np.diff(body[:, [Joint.NECK, Joint.HEAD]], n=4, axis=0) / np.sqrt(70.0)
    return {
        "cadence_spm": 120.0 * gait.fps / len(gait),
        "step_length_m": REFERENCE_LEG_M * float(np.ptp(separation)) / 2.0,
        "step_width_m": REFERENCE_LEG_M * abs(float((feet[:, 1, 0] - feet[:, 0, 0]).mean())),
        "foot_lift_m": REFERENCE_LEG_M * float(np.ptp(above)) / 2.0,
        "bounce_m": REFERENCE_LEG_M * 2.0 * abs(compute_wave(feet[:, :, 1].min(axis=1), 2)),
        "trunk_lean_deg": lean,
        "slouch_deg": float(compute_tilt_deg(upper) - compute_tilt_deg(lower)),
        "head_drop_deg": float(compute_tilt_deg(head)) - lean,
        "shoulder_drop_deg": float(np.degrees(np.arcsin(np.clip(below.mean() / girdle, -1, 1)))),
        "shoulder_turn_deg": compute_turn_deg(body, Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER),
        "pelvis_turn_deg": compute_turn_deg(body, Joint.RIGHT_HIP, Joint.LEFT_HIP),
        **measure_arms(body),
        "asymmetry": lag,
        "noise_m": REFERENCE_LEG_M * float(np.sqrt((rough**2).mean())),
    }


def measure_arms(body: FloatArray) -> dict[str, float]:
    swings: list[float] = []
    carries: list[float] = []
    abductions: list[float] = []
    flexions: list[float] = []
    for side, shoulder, elbow, hand in ARMS:
        upper = unit(body[:, elbow] - body[:, shoulder])
        lower = unit(body[:, hand] - body[:, elbow])
        angle = np.degrees(np.arctan2(upper[:, 2], -upper[:, 1]))
        swings.append(2.0 * abs(compute_wave(angle, n_harmonics=1)))
        carries.append(float(angle.mean()))
        abductions.append(float(np.degrees(np.arcsin(side * upper[:, 0])).mean()))
        cosine = np.clip((upper * lower).sum(axis=1), -1.0, 1.0)
        flexions.append(float(np.degrees(np.arccos(cosine)).mean()))
    right, left = swings
    return {
        "arm_swing_deg": (right + left) / 2.0,
        "arm_carry_deg": float(np.mean(carries)),
        "arm_abduction_deg": float(np.mean(abductions)),
        "elbow_flexion_deg": float(np.mean(flexions)),
        "arm_asymmetry": (right - left) / (right + left),
    }


@dataclass(frozen=True)
class Fit:
    """What the gaits show, one entry a parameter."""

    spreads: Mapping[str, Sequence[walker.Spread]]
    shares: Mapping[str, float]
    loadings: Mapping[str, Sequence[float]]


def fit(gaits: GaitSet) -> Fit:
    """Mean and sd by emotion, subject shares and loadings of every parameter."""
    rows = [measure(gait) for gait in gaits]
    labels, subjects = gaits.labels, gaits.subjects
    centred: dict[str, FloatArray] = {}
    spreads: dict[str, list[walker.Spread]] = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        centred[name] = np.empty_like(values)
        spreads[name] = []
        for emotion in EMOTIONS:
            own = labels == str(emotion)
            mean = 0.0 if name in ZERO_MEAN else float(values[own].mean())
            sd = float(np.sqrt(((values[own] - mean) ** 2).mean()))
            spreads[name].append(walker.Spread(mean, sd))
            centred[name][own] = (values[own] - mean) / sd
    shares = {name: compute_subject_share(column, subjects) for name, column in centred.items()}
    return Fit(spreads, shares, compute_loadings(centred))


def compute_loadings(centred: Mapping[str, FloatArray]) -> dict[str, list[float]]:
    """Compute loadings on the three main components of the correlations within emotions."""
    names = [name for name in centred if name not in ZERO_MEAN]  # their sign means nothing here
    values, vectors = np.linalg.eigh(np.corrcoef([centred[name] for name in names]))
    main = vectors[:, :-4:-1] * np.sqrt(values[:-4:-1])
    main *= np.sign(main[np.abs(main).argmax(axis=0), range(3)])  # the largest is positive
    loadings = {name: [0.0, 0.0, 0.0] for name in centred}
    loadings.update(zip(names, main.tolist(), strict=True))
    return loadings


def compute_subject_share(values: FloatArray, subjects: NDArray[np.str_]) -> float:
    """Share of the variance between subjects: one less the variance within those of many gaits."""
    residuals: list[float] = []
    freedom = 0
    for subject in np.unique(subjects):
        own = values[subjects == subject]
        residuals.append(float(((own - own.mean()) ** 2).sum()))
        freedom += len(own) - 1
    within = sum(residuals) / freedom
    return float(np.clip(1.0 - within / values.var(), 0.0, 1.0))


def format_rows(found: Fit) -> list[str]:
    """Rows as they stand in walker/population.py."""
    rows: list[str] = []
    for name, spreads in found.spreads.items():
        digits = get_digits(name)
        cells = ", ".join(f"Spread({m:.{digits}f}, {sd:.{digits}f})" for m, sd in spreads)
        loadings = ", ".join(f"{loading + 0.0:.2f}" for loading in found.loadings[name])
        rows.append(
            f'    ("{name}",\n     ({cells}),\n     {found.shares[name]:.2f}, ({loadings})),'
        )
    return rows


def format_markdown(
    spreads: Mapping[str, Sequence[walker.Spread]], shares: Mapping[str, float]
) -> list[str]:
    """Rows as they stand in docs/simulated-walks.md."""
    rows = [
        "| parameter | " + " | ".join(EMOTIONS) + " | subject share |",
        "|---" * (len(EMOTIONS) + 2) + "|",
    ]
    for name, share in shares.items():
        digits = get_digits(name)
        cells = " | ".join(f"{m:.{digits}f} ± {sd:.{digits}f}" for m, sd in spreads[name])
        rows.append(f"| `{name}` | {cells} | {share:.2f} |")
    return rows


def get_digits(name: str) -> int:
    if name == "noise_m":
        return 4
    return 3 if name.endswith("_m") or name in ZERO_MEAN else 1


def format_proportions(gaits: Sequence[Gait]) -> list[str]:
    """Rows as they stand in walker/parameters.py: bone lengths over the leg, both sides together."""
    bodies = [to_body_frame(gait) for gait in gaits]
    named: dict[str, tuple[tuple[Joint, Joint], ...]] = {
        "lower_trunk": BONES[0:1],
        "upper_trunk": BONES[1:2],
        "head": BONES[2:3],
        "shoulder": (BONES[3], BONES[6]),
        "upper_arm": (BONES[4], BONES[7]),
        "forearm": (BONES[5], BONES[8]),
        "hip": (BONES[9], BONES[12]),
        "thigh": (BONES[10], BONES[13]),
    }
    rows: list[str] = []
    for name, bones in named.items():
        lengths = [np.mean([compute_length(body, *bone) for bone in bones]) for body in bodies]
        rows.append(f'    "{name}": Spread({np.mean(lengths):.3f}, {np.std(lengths):.3f}),')
    return rows


def print_recovery() -> None:
    """Print the error of `measure` on simulated walks whose parameters are known."""
    truth = {
        emotion: {name: spread.mean for name, spread in spreads.items()}
        for emotion, spreads in walker.EMOTION_PARAMETERS.items()
    }
    print("measured on a walk with the mean parameters of each emotion (truth in brackets)")
    for name in walker.SUBJECT_SHARE:
        cells: list[str] = []
        for emotion in EMOTIONS:
            parameters = walker.WalkerParameters(**truth[emotion])
            found = measure(walker.simulate_gait(parameters, fps=30.0))[name]
            cells.append(f"{emotion} {found:8.3f} ({truth[emotion][name]:8.3f})")
        print(f"  {name:18s}", "  ".join(cells))


def print_separability(gaits: GaitSet) -> None:
    """Print how well extra trees tell the emotions apart, subjects kept together."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

    def score(some: GaitSet, table: Callable[[Sequence[Gait]], FloatArray]) -> str:
        folds = StratifiedGroupKFold(10, shuffle=True, random_state=0)
        trees = ExtraTreesClassifier(300, random_state=0)
        scores = cross_val_score(trees, table(some), some.labels, groups=some.subjects, cv=folds)
        return f"{100 * scores.mean():.1f} %"

    def measured(some: Sequence[Gait]) -> FloatArray:
        return np.array([list(measure(gait).values()) for gait in some])

    from moodwalk.features import compute_affective_features

    print("extra trees, subject-disjoint 10-fold: on 29 affective features, on the measures above")
    sets = [("342 real gaits", gaits)]
    for n_subjects, seed in ((24, 0), (24, 1), (85, 0)):
        walks = walker.simulate_walks(n_subjects, 4, seed)
        sets.append((f"{len(walks)} simulated walks, seed {seed}", walks))
    for name, some in sets:
        print(f"  {name}: {score(some, compute_affective_features)}, {score(some, measured)}")


if __name__ == "__main__":
    main()
