"""Show how far the explanation of an answer can be trusted: the deletion test, and what was chosen by it.

    python benchmarks/explanation.py PATH [--weights FILE] [--every N]
    python benchmarks/explanation.py PATH --write src/moodwalk/weights/gait-words.json

PATH is the folder of Emotion-Gait's `features.h5` and `labels.h5`. Prints the tables of docs/explain.md:

1. The deletion test of `moodwalk explain` over all walks: how far the probability of the predicted emotion
   falls when the joints that contribute most are replaced, and when as many random ones are.
2. The same for other ways to attribute, over every N-th walk: other baselines, and gradients that do
   not pass through the affective features.
3. What walks of each emotion measure beside neutral ones, and how much of each measure is the source's.

With --write it only makes the population that `moodwalk explain` compares with.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.explain import (
    MEASURES,
    Attribution,
    attribute,
    deletion_test,
    measure_walk,
    write_population,
)
from moodwalk.explain.attribution import Piece, cut_pieces, find_class
from moodwalk.explain.network import WalkNetwork, compute_odds, compute_posture_and_movement
from moodwalk.explain.population import Population
from moodwalk.gait import Gait, GaitSet
from moodwalk.io import load_emotion_gait
from moodwalk.predict import Predictor

FloatArray = NDArray[np.float64]
N_STEPS = 24
CARD = {
    "data": "the 342 real gaits of Emotion-Gait (Bhattacharya et al., AAAI 2020), label order as "
    "`moodwalk data audit` finds it",
    "protocol": "every gait measured as a whole, one gait cycle mostly; gaits without a cadence are left "
    "out; mean and standard deviation (n - 1) over gaits; cycles are means of 8 harmonics",
    "made_by": "python benchmarks/explanation.py PATH --write FILE",
    "limits": "perceived emotion; walkers and raters are not documented; several gaits come from one "
    "walker; sources differ in where they put joints, so most measures are compared within a source only",
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How far explanations can be trusted.")
    parser.add_argument("path", type=Path, help="folder with features.h5 and labels.h5")
    parser.add_argument("--weights", type=Path, help="by default those that moodwalk ships")
    parser.add_argument("--every", type=int, default=4, help="for the second table")
    parser.add_argument("--write", type=Path, metavar="FILE", help="only write the population")
    options = parser.parse_args()
    torch.set_num_threads(1)
    gaits = load_emotion_gait(options.path).only_labelled()
    if options.write is not None:
        write_population(options.write, gaits, CARD)
        return
    predictor = Predictor.load(options.weights)
    show_measures(gaits)
    show_methods(predictor, gaits[:: options.every])
    show_test(predictor, gaits)


def show_test(predictor: Predictor, gaits: GaitSet) -> None:
    known = [attribute(predictor, gait, n_steps=N_STEPS) for gait in gaits]
    errors = np.array([attribution.error for attribution in known])
    print(
        f"\ncompleteness at {N_STEPS} steps: median error {np.median(errors):.4f}, largest "
        f"{errors.max():.4f}; median difference of log-odds {np.median([a.total for a in known]):.2f}"
    )
    for how in ("reference", "still"):
        test = deletion_test(predictor, gaits, replacement=how, attributions=known)
        print(
            f"\nreplaced by: {how}; {test.n_walks} walks of {test.n_subjects} walkers, "
            f"mean confidence {100 * test.confidence:.1f} %"
        )
        print(f"{'deleted':22}{'named':>24}{'random':>24}{'difference':>24}")
        for row in test.rows:
            cells = (
                (row.named, row.named_ci95),
                (row.random, row.random_ci95),
                (row.difference, row.difference_ci95),
            )
            print(f"{row.what:22}" + "".join(f"{show_points(*cell):>24}" for cell in cells))


def show_points(value: float, ends: tuple[float, float]) -> str:
    return f"{100 * value:.1f} ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})"


def show_methods(predictor: Predictor, gaits: GaitSet) -> None:
    neutral = Population.load()
    neutral = replace(neutral, waves=dict.fromkeys(EMOTIONS, neutral.waves[Emotion.NEUTRAL]))
    usual = [attribute(predictor, gait, n_steps=N_STEPS) for gait in gaits]
    methods: dict[str, list[Attribution]] = {
        "average walk (used)": usual,
        "neutral walk": [
            attribute(predictor, gait, baseline=neutral, n_steps=N_STEPS) for gait in gaits
        ],
        "own pose, still": vary(predictor, gaits, usual, integrate_from_still),
        "average walk, joints only": vary(predictor, gaits, usual, integrate_joints_only),
        "how far joints move": vary(predictor, gaits, usual, measure_motion),
    }
    print(f"\nfall of the probability, points; {len(gaits)} walks; 1, 3 and 5 joints")
    print(f"{'attribution':28}{'replaced by reference':>26}{'held still':>26}")
    for name, attributions in methods.items():
        line = f"{name:28}"
        for how in ("reference", "still"):
            test = deletion_test(predictor, gaits, replacement=how, attributions=attributions)
            line += f"{'  '.join(f'{100 * row.named:5.1f}' for row in test.rows[:3]):>26}"
        print(line, flush=True)
    line = f"{'random joints':28}"
    for how in ("reference", "still"):
        test = deletion_test(predictor, gaits, replacement=how, attributions=usual)
        line += f"{'  '.join(f'{100 * row.random:5.1f}' for row in test.rows[:3]):>26}"
    print(line)


Integrate = Callable[[WalkNetwork, Piece, int], FloatArray]


def vary(
    predictor: Predictor, gaits: GaitSet, usual: Sequence[Attribution], integrate: Integrate
) -> list[Attribution]:
    """Return attributions of one window with other contributions."""
    network = WalkNetwork(predictor.checkpoint)
    varied: list[Attribution] = []
    for gait, known in zip(gaits, usual, strict=True):
        pieces, _ = cut_pieces(predictor, gait)
        target = find_class(predictor, known.emotion)
        shares = integrate(network, pieces[0], target)
        varied.append(replace(known, contributions=shares, joints=shares.sum(axis=0)))
    return varied


def integrate_from_still(network: WalkNetwork, piece: Piece, target: int) -> FloatArray:
    walk = to_tensor(piece.walk)
    still = walk.mean(dim=1, keepdim=True).expand_as(walk).contiguous()
    method = IntegratedGradients(lambda x: compute_odds(network(x), target))
    shares = method.attribute(walk, baselines=still, n_steps=N_STEPS, method="gausslegendre")
    return shares[0].sum(dim=-1).numpy()


def integrate_joints_only(network: WalkNetwork, piece: Piece, target: int) -> FloatArray:
    """Take the affective features for an input of their own, which belongs to no joint."""
    walk, reference = to_tensor(piece.walk), to_tensor(piece.reference)
    fps = network.encoder.fps
    features = [compute_posture_and_movement(x, fps) for x in (walk, reference)]

    def answer(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        index = torch.arange(network.encoder.n_frames) % x.shape[1]
        scaled = ((table - network.middle) / network.reach).float()
        return compute_odds(network.network(x.float()[:, index], scaled), target)

    shares = IntegratedGradients(answer).attribute(
        (walk, features[0]), baselines=(reference, features[1]), n_steps=N_STEPS, method="gausslegendre"
    )  # fmt: skip
    return shares[0][0].sum(dim=-1).numpy()


def measure_motion(network: WalkNetwork, piece: Piece, target: int) -> FloatArray:
    """Ask no network: the distance of every joint from its own mean place."""
    x = piece.walk.positions.astype(np.float64)
    return np.linalg.norm(x - x.mean(axis=0), axis=2)


def to_tensor(gait: Gait) -> torch.Tensor:
    return torch.from_numpy(gait.positions.astype(np.float64))[None]


def show_measures(gaits: GaitSet) -> None:
    labels = gaits.labels
    sources = np.array([find_source(gait.name) for gait in gaits])
    walks = [measure_walk(gait) for gait in gaits]
    print(
        "differences from neutral walks in standard deviations of neutral walks; shares of variance"
    )
    print(f"{'measure':16}{'neutral':>10}{'SD':>8}{'happy':>8}{'angry':>8}{'sad':>8}"
          f"{'emotion':>10}{'source':>8}  bound")  # fmt: skip
    for measure in MEASURES:
        values = np.array([walk.values.get(measure.name, np.nan) for walk in walks])
        known = ~np.isnan(values)
        v, label, source = values[known], labels[known], sources[known]
        neutral = v[label == "neutral"]
        mean, sd = neutral.mean(), neutral.std(ddof=1)
        shifts = [(v[label == e].mean() - mean) / sd for e in ("happy", "angry", "sad")]
        within = v - np.array([v[label == e].mean() for e in label])
        shares = (compute_share(v, label), compute_share(within, source))
        print(
            f"{measure.name:16}{mean:10.3f}{sd:8.3f}" + "".join(f"{s:+8.2f}" for s in shifts)
            + f"{shares[0]:10.2f}{shares[1]:8.2f}  {'yes' if measure.bound else ''}"
        )  # fmt: skip


def compute_share(values: FloatArray, groups: NDArray[np.str_]) -> float:
    """Return the share of variance that lies between groups."""
    middle = values.mean()
    between = sum(
        (groups == g).sum() * (values[groups == g].mean() - middle) ** 2 for g in set(groups)
    )
    return float(between / ((values - middle) ** 2).sum())


def find_source(name: str) -> str:
    """Return the recording that a gait of Emotion-Gait belongs to, by its key."""
    for pattern, source in (
        ("_walk_", "walk"), (r"^File\d", "file"), (r"^S\d+_", "session"), ("Scene", "scene"),
        (r"^\d+_[A-Z][a-z]+_", "acted"), (r"^\d+_\d+_\d+_", "group"),
    ):  # fmt: skip
        if re.search(pattern, name):
            return source
    return "cmu"


if __name__ == "__main__":
    sys.exit(main())
