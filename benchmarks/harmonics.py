"""How many harmonics tell a gait: what is left of a walk when its cycle is told again.

    python benchmarks/harmonics.py [--data FOLDER]

Without the real gaits it takes simulated walks, and says so. The error is the root mean square distance
of the 15 joints other than the root, over all frames, as a share of the walker's height; the jerk of
`moodwalk.generation.quality` is a common logarithm, so -0.30 is half of it.
"""

import argparse
from pathlib import Path

import numpy as np

from moodwalk import harmonics
from moodwalk.errors import QualityError
from moodwalk.gait import Gait, GaitSet
from moodwalk.generation.quality import compute_body_height, compute_jerk
from moodwalk.io import load_emotion_gait
from moodwalk.walker import simulate_walks

HERE = Path(__file__).parent
COUNTS = (2, 4, 6, 8, 12)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared/data/emotion-gait")
    folder = parser.parse_args().data
    gaits = load_emotion_gait(folder) if folder.exists() else simulate_walks(86, 4, seed=0)
    source = "real gaits" if folder.exists() else "simulated walks"
    cyclic = keep_cyclic(gaits)
    lengths = [len(gait) for gait in cyclic]
    print(
        f"{len(cyclic)} of {len(gaits)} {source} have a cycle; median {np.median(lengths):.0f} frames"
    )
    print("Medians, and the middle 80 % of gaits\n")
    print(f"{'harmonics':>9} {'error, % of height':>25} {'jerk, against the gait':>28}")
    for n in COUNTS:
        figures = np.array([measure(gait, n) for gait in cyclic])
        error, jerk = (describe(column) for column in figures.T)
        print(f"{n:>9} {error:>25} {jerk:>28}")


def keep_cyclic(gaits: GaitSet) -> list[Gait]:
    kept: list[Gait] = []
    for gait in gaits:
        try:
            harmonics.fit_cycle(gait)
        except QualityError:
            continue
        kept.append(gait)
    return kept


def measure(gait: Gait, n_harmonics: int) -> tuple[float, float]:
    """Return error in per cent of the height, and the difference in jerk."""
    before = harmonics.N_HARMONICS, harmonics.N_WAVES
    harmonics.N_HARMONICS, harmonics.N_WAVES = n_harmonics, 1 + 2 * n_harmonics
    try:
        told = harmonics.fit_cycle(gait).render(len(gait), gait.fps)
    finally:
        harmonics.N_HARMONICS, harmonics.N_WAVES = before
    pinned = gait.positions.astype(np.float64)
    pinned -= pinned[:, :1]
    square = ((told - pinned)[:, 1:] ** 2).sum(axis=2).mean()
    error = 100 * float(np.sqrt(square)) / compute_body_height(gait)
    return error, compute_jerk(gait.with_positions(told)) - compute_jerk(gait)


def describe(values: np.ndarray) -> str:
    low, middle, high = (f"{v:.2f}" for v in np.quantile(values, [0.1, 0.5, 0.9]))
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    main()
