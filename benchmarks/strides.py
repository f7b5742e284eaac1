"""How near cadence, strides and support come to the truth of the simulated walker.

    python benchmarks/strides.py [--walks N] [--seconds S] [--noise M]

Walkers drawn evenly over `PARAMETER_LIMITS` of every parameter, at several frame rates, over ground and in
place, with white noise of 1 cm on every coordinate. Prints for each parameter the relative error
in percent: median of its size, 95th percentile, greatest; and how often there was no answer.

"every step": steps from 5 cm, cadences from 40 to 200. "usual": what `simulate_walks` may draw,
60 to 150 steps a minute of 15 to 95 cm. Rows "one cycle" have one cycle only, as Emotion-Gait.

Double support is held against the path of the walker's own ankles, in points of percent: their extremes
lie 18.4 % of the cycle more than half of it apart (the ankles stand for half of the cycle, the
soles for about 0.6: see docs/simulated-walks.md).
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
from collections.abc import Iterator

import numpy as np

from moodwalk.errors import ConfigError
from moodwalk.strides import compute_gait_parameters
from moodwalk.walker import PARAMETER_LIMITS, WalkerParameters, simulate_gait

FPS = (15.0, 30.0, 60.0, 120.0, 240.0)
USUAL = {
    "cadence_spm": (60.0, 150.0),
    "step_length_m": (0.15, 0.95),
    "foot_lift_m": (0.03, 0.25),
    "step_width_m": (0.05, 0.25),
    "sway_m": (0.0, 0.06),
    "bounce_m": (0.0, 0.08),
    "pelvis_turn_deg": (0.0, 30.0),
    "shoulder_turn_deg": (0.0, 50.0),
    "asymmetry": (-0.12, 0.12),
}
NAMES = ("cadence", "stride length", "speed", "step time", "double support")
SWEEP_SHARE = 2 * (0.5 + 0.5 * (1 - (2 / 3) ** 0.5)) - 1
"""Both feet's shares between their extremes, less one: the swing 3 s^2 - 2 s^3 of the walker stands out
from the pelvis's own speed between the roots of s (1 - s) = 1/12."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Accuracy of gait parameters on simulated walks.")
    parser.add_argument("--walks", type=int, default=200, help="walks in each row")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each walk")
    parser.add_argument("--noise", type=float, default=0.01, help="metres")
    options = parser.parse_args()
    print(f"{'':32}" + "".join(f"{name:>24}" for name in NAMES) + "   no answer")
    print(f"{'':32}" + f"{'median   95 %    max':>24}" * len(NAMES))
    for name, limits in (("every step", {}), ("usual", USUAL)):
        for travel in (True, False):
            for fps in FPS:
                row = measure(options.walks, options.seconds, options.noise, limits, fps, travel)
                print_row(f"{name}, {'over ground' if travel else 'in place'}, {fps:g} fps", *row)
    for travel in (True, False):
        row = measure(options.walks, None, options.noise, USUAL, 30.0, travel)
        print_row(f"one cycle, {'over ground' if travel else 'in place'}, 30 fps", *row)


def draw(
    limits: dict[str, tuple[float, float]], noise_m: float, n: int, seed: int
) -> Iterator[WalkerParameters]:
    """Draw walkers that can walk so."""
    rng = np.random.default_rng(seed)
    while n:
        drawn = {
            name: float(rng.uniform(*limits.get(name, span)))
            for name, span in PARAMETER_LIMITS.items()
        }
        drawn |= {"noise_m": noise_m, "height_m": float(rng.uniform(1.5, 1.95))}
        parameters = WalkerParameters(**drawn)
        try:
            simulate_gait(parameters, n_frames=4)
        except ConfigError:
            continue
        n -= 1
        yield parameters


def measure(
    n: int,
    seconds: float | None,
    noise_m: float,
    limits: dict[str, tuple[float, float]],
    fps: float,
    travel: bool,
) -> tuple[np.ndarray, int]:
    """Return (n, 5) errors in percent and the number of walks without an answer."""
    errors: list[list[float]] = []
    for i, p in enumerate(draw(limits, noise_m, n, seed=1)):
        n_frames = None if seconds is None else round(seconds * fps)
        phase = float(np.random.default_rng(i).random())
        gait = simulate_gait(p, n_frames=n_frames, fps=fps, phase=phase, seed=i, travel=travel)
        found = compute_gait_parameters(gait)
        pairs = (
            (found.cadence_spm, p.cadence_spm),
            (found.stride_length_m, p.stride_m),
            (found.speed_mps, p.speed_m_s),
            (found.step_time_s, p.cycle_s / 2),
        )
        row = [100 * (value / truth - 1) if value else np.nan for value, truth in pairs]
        support = found.double_support
        errors.append([*row, np.nan if support is None else 100 * (support - SWEEP_SHARE)])
    table = np.array(errors)
    return table, int(np.isnan(table[:, :4]).any(axis=1).sum())


def print_row(name: str, errors: np.ndarray, n_missing: int) -> None:
    """Print median, 95th percentile and maximum of the size of every error."""
    cells: list[str] = []
    for column in np.abs(errors).T:
        seen = column[~np.isnan(column)]
        figures = [float("nan")] * 3
        if len(seen):
            figures = [float(np.median(seen)), float(np.percentile(seen, 95)), float(seen.max())]
        cells.append("".join(f"{figure:8.2f}" for figure in figures))
    print(f"{name:32}" + "".join(cells) + f"{n_missing:8d} of {len(errors)}", flush=True)


if __name__ == "__main__":
    main()
