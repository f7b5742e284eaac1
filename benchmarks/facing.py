"""Show which way the 342 real gaits face, and whether they are mirror images.

    python benchmarks/facing.py PATH

PATH is the folder of Emotion-Gait's `features.h5` and `labels.h5`. Prints the tables of
docs/conventions.md, section "Which way the 342 gaits face".

"Ahead" is the way a gait should face if joints 4-6 and 10-12 are its right side: +z for a walker whose
right side lies at -x. Five signs, taken from different joints, say whether it really does:

    knees     bend ahead of the line from hip to foot
    elbows    bend behind the line from shoulder to hand
    head      lies ahead of the line from root to neck
    lifted    a foot moves ahead while it is higher than the other
    quick     a foot moves ahead faster than back, since a swing takes less time than a stance

The first three say how the body faces, the last two which way it walks; a walk played backwards
makes them disagree. All are measured in the body's own frame, so tilt and size do not matter.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS
from moodwalk.gait import Gait
from moodwalk.io import load_emotion_gait
from moodwalk.skeleton import Joint
from moodwalk.walker import simulate_walks

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
SIGNS = ("knees", "elbows", "head", "lifted", "quick")
KNEES, LIFTED, QUICK = (SIGNS.index(name) for name in ("knees", "lifted", "quick"))
FEET = (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
ARMS = (
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_HAND),
)
LEGS = (
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)
CMU_RATIOS = {
    "07": (5.21859 / 4.96755, 3.36504 / 3.35751, 7.15484 / 6.92464),
    "10": (5.65950 / 5.19964, 3.37604 / 3.32189, 7.47419 / 7.14565),
}
"""Right over left length of upper arm, forearm and thigh in the skeletons of two subjects of the CMU
Graphics Lab Motion Capture Database (BVH conversion by B. Hahne)."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Which way the 342 real gaits face.")
    parser.add_argument("path", type=Path, help="folder with features.h5 and labels.h5")
    gaits = load_emotion_gait(parser.parse_args().path)
    rows = [np.asarray(gait.positions, dtype=np.float64) for gait in gaits]
    sources = np.array([get_source(gait) for gait in gaits])
    back = print_facing(rows, sources)
    print_start(rows, sources, back)
    print_emotions(gaits.labels, back)
    print_sides(rows, gaits.subjects, sources, back)
    print_cmu([gait.name for gait in gaits], rows)
    print_fit(rows, back)


def get_source(gait: Gait) -> str:
    return "File" if gait.name.startswith("File") else str(gait.subject).split("-")[0]


def unit(vectors: FloatArray) -> FloatArray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def to_body_frame(positions: FloatArray) -> FloatArray:
    """Positions as (left, up, ahead), root at the origin."""
    x = positions - positions[:, : Joint.ROOT + 1]
    hips = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    shoulders = x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER]
    left = unit((hips + shoulders).mean(axis=0))
    up = -x[:, FEET].mean(axis=(0, 1))
    up = unit(up - (up @ left) * left)
    return x @ np.stack([left, up, np.cross(left, up)], axis=1)


def compute_bend(x: FloatArray, limb: tuple[Joint, Joint, Joint]) -> float:
    """How far ahead of the line between its ends a limb bends."""
    first, middle, last = (x[:, joint] for joint in limb)
    line = unit(last - first)
    offset = middle - first
    return float((offset - (offset * line).sum(axis=1, keepdims=True) * line)[:, 2].mean())


def compute_signs(positions: FloatArray) -> FloatArray:
    """Five numbers in the order of `SIGNS`; positive means ahead."""
    x = to_body_frame(positions)
    feet = x[:, FEET]
    speed = np.gradient(feet[:, :, 2], axis=0)
    height = feet[:, 0, 1] - feet[:, 1, 1]
    lead = np.gradient(feet[:, 0, 2] - feet[:, 1, 2])
    centred = speed - speed.mean(axis=0)
    return np.array(
        [
            sum(compute_bend(x, leg) for leg in LEGS),
            -sum(compute_bend(x, arm) for arm in ARMS),
            -compute_bend(x, (Joint.ROOT, Joint.NECK, Joint.HEAD)),
            ((height - height.mean()) * lead).mean(),
            (centred**3).mean(),
        ]
    )


def print_facing(rows: Sequence[FloatArray], sources: NDArray[np.str_]) -> Mask:
    """Print how many gaits show each sign behind; return who faces back."""
    walks = [np.asarray(gait.positions, np.float64) for gait in simulate_walks(24, 4, seed=0)]
    signs = np.array([compute_signs(row) for row in rows])
    sets = [(source, signs[sources == source]) for source in sorted(set(sources.tolist()))]
    sets += [
        ("all", signs),
        ("simulated walks", np.array([compute_signs(w) for w in walks])),
        ("the same, z negated", np.array([compute_signs(w * (1, 1, -1)) for w in walks])),
        ("the same, backwards", np.array([compute_signs(w[::-1]) for w in walks])),
    ]
    print("Gaits whose sign lies behind\n")
    print("| source | gaits | " + " | ".join(SIGNS) + " | knees against both feet signs |")
    print("|---" * (len(SIGNS) + 3) + "|")
    for name, some in sets:
        behind = some < 0
        walks_back = behind[:, LIFTED] & behind[:, QUICK]
        walks_ahead = ~behind[:, LIFTED] & ~behind[:, QUICK]
        backwards = np.where(behind[:, KNEES], walks_ahead, walks_back).sum()
        counts = " | ".join(map(str, [*behind.sum(axis=0), backwards]))
        print(f"| {name} | {len(some)} | {counts} |")
    return signs[:, KNEES] < 0


def print_start(rows: Sequence[FloatArray], sources: NDArray[np.str_], back: Mask) -> None:
    """Print which foot leads in the first frame, and how the trunk leans in the file's own axes."""
    way = np.where(back, -1.0, 1.0)
    lead = np.array([row[0, Joint.RIGHT_FOOT, 2] - row[0, Joint.LEFT_FOOT, 2] for row in rows])
    leads = way * lead > 0
    necks = np.array([(row[:, Joint.NECK] - row[:, Joint.ROOT]).mean(axis=0) for row in rows])
    lean_deg = np.degrees(np.arctan2(way * necks[:, 2], necks[:, 1]))
    print("\nFoot that leads in the first frame, and median lean of the trunk (forward positive)\n")
    print("| source | faces | gaits | foot 12 leads | foot 15 leads | lean |")
    print("|---" * 6 + "|")
    for source in [*sorted(set(sources.tolist())), "all"]:
        for name, facing in (("+z", ~back), ("-z", back)):
            own = facing & ((sources == source) | (source == "all"))
            if own.any():
                feet = f"{leads[own].sum()} | {(~leads[own]).sum()}"
                print(
                    f"| {source} | {name} | {own.sum()} | {feet} | {np.median(lean_deg[own]):.0f}° |"
                )


def print_emotions(labels: NDArray[np.str_], back: Mask) -> None:
    """Print how many gaits of each emotion face -z."""
    counts = [
        f"{back[labels == str(emotion)].sum()} of {(labels == str(emotion)).sum()} {emotion}"
        for emotion in EMOTIONS
    ]
    print(f"\nFacing -z: {', '.join(counts)}")


def measure_sides(positions: FloatArray) -> FloatArray:
    """Joints 4-6 against 7-9: log ratio of arm length and of hand swing, elbow flexion (degrees)."""
    x = to_body_frame(positions)
    lengths: list[float] = []
    swings: list[float] = []
    flexions: list[float] = []
    for shoulder, elbow, hand in ARMS:
        upper, lower = x[:, elbow] - x[:, shoulder], x[:, hand] - x[:, elbow]
        cosine = np.clip((unit(upper) * unit(lower)).sum(axis=1), -1.0, 1.0)
        lengths.append(float(np.linalg.norm([upper, lower], axis=2).sum(axis=0).mean()))
        swings.append(float(np.ptp(x[:, hand, 2] - x[:, shoulder, 2])))
        flexions.append(float(np.degrees(np.arccos(cosine)).mean()))
    return np.array(
        [np.log(lengths[0] / lengths[1]), np.log(swings[0] / swings[1]), flexions[0] - flexions[1]]
    )


def print_sides(
    rows: Sequence[FloatArray],
    subjects: NDArray[np.str_],
    sources: NDArray[np.str_],
    back: Mask,
) -> None:
    """Print by how much joints 4-6 differ from 7-9, subject by subject, for both ways of facing."""
    sides = np.array([measure_sides(row) for row in rows])
    mixed = {s for s in subjects[back].tolist() if not back[subjects == s].all()}
    both = np.array([subject in mixed for subject in subjects.tolist()])
    print(
        "\nSubjects in whom joints 4-6 are the longer arm, and hand 9 swings farther than hand 6;"
    )
    print("mean elbow flexion of 4-6 less that of 7-9\n")
    print("| source | faces | subjects | longer 4-6 | hand 9 farther | elbows |")
    print("|---" * 6 + "|")
    sets = [(source, sources == source) for source in sorted(set(sources.tolist()))]
    sets.append(("acted, actors who face both ways", (sources == "acted") & both))
    for source, those in sets:
        for name, facing in (("+z", ~back), ("-z", back)):
            people = sorted(set(subjects[those & facing].tolist()))
            if people:
                means = np.array(
                    [sides[those & facing & (subjects == s)].mean(axis=0) for s in people]
                )
                length, swing, flexion = means.T
                print(
                    f"| {source} | {name} | {len(people)} | {(length > 0).sum()} | "
                    f"{(swing < 0).sum()} | {flexion.mean():.1f}° ± {flexion.std():.1f}° |"
                )


def print_cmu(names: Sequence[str], rows: Sequence[FloatArray]) -> None:
    """Print bone lengths of joints 4-6, 10-12 over 7-9, 13-15 beside right over left in CMU."""
    bones = (ARMS[0][:2], ARMS[0][1:], LEGS[0][:2]), (ARMS[1][:2], ARMS[1][1:], LEGS[1][:2])
    print(
        "\nUpper arm, forearm, thigh: joints called right over joints called left, and CMU's own\n"
    )
    for name, row in zip(names, rows, strict=True):
        truth = CMU_RATIOS.get(name[:2]) if name[2:].count("_") == 2 else None
        if truth is None or not name[3:5].isdigit():
            continue
        right, left = (
            [np.linalg.norm(row[:, b] - row[:, a], axis=1).mean() for a, b in side]
            for side in bones
        )
        found = ", ".join(f"{a / b:.4f}" for a, b in zip(right, left, strict=True))
        print(f"{name}: {found}; CMU right over left {', '.join(f'{r:.4f}' for r in truth)}")


def print_fit(rows: Sequence[FloatArray], back: Mask) -> None:
    """Print whether turning or reflecting a gait would lay its first pose nearer to the first gait's."""
    target = rows[0][0] - rows[0][0].mean(axis=0)
    angles: list[float] = []
    least: list[float] = []
    for row in rows:
        u, stretch, vh = np.linalg.svd((row[0] - row[0].mean(axis=0)).T @ target)
        sign = np.sign(np.linalg.det(u @ vh))
        turn = (u * (1.0, 1.0, sign)) @ vh
        angles.append(
            float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))))
        )
        least.append(float(sign * stretch[2] / stretch[0]))
    near = np.array(least) < 0.01
    print(
        "\nFirst poses against that of the first gait, by least squares over turns and reflections\n"
    )
    print(f"largest turn left to make: {max(angles):.6f} degrees")
    print(f"a reflection would fit better: {np.sum(np.array(least) < 0)} of {len(least)}")
    print(
        f"signed third singular value over the first: at least {min(least):.4f}; below 0.01 in "
        f"{near.sum()}, of which {(near & ~back).sum()} face +z"
    )


if __name__ == "__main__":
    main()
