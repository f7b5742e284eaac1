"""The rhythm of a walk."""

import numpy as np

from moodwalk.gait import Gait
from moodwalk.skeleton import Joint

__all__ = ["compute_cadence"]

CADENCE_RANGE_SPM = (40.0, 220.0)
"""From a stroll with pauses to a sprint."""

_N_CADENCES = 700  # 0.25 % apart
_LONGEST_S = 60.0
_LEAST_CYCLES = 0.75
_LEAST_EXPLAINED = 0.8


def compute_cadence(gait: Gait) -> float | None:
    """Compute the step rate from the feet passing each other.

    Along the walk, the distance from one foot to the other swings once a gait cycle, that is once
    every two steps. The frequency of the sine that comes nearest to it, in the sense of least
    squares, is the rate of cycles; unlike a count of strikes it needs no more than a cycle.

    Parameters
    ----------
    gait
        A walk; which way it faces, its scale and its travel do not matter. Of one longer than a
        minute, the middle minute counts.

    Returns
    -------
    float or None
        Steps per minute, within `CADENCE_RANGE_SPM`. None where joints are missing, the walk is
        shorter than three quarters of a cycle, or a sine explains less than 80 % of the swing.

    Notes
    -----
    Rough where the walk is a single cycle.
    """
    n_longest = round(_LONGEST_S * gait.fps)
    first = max(0, (len(gait) - n_longest) // 2)
    positions = gait.positions[first : first + n_longest].astype(np.float64)
    apart = positions[:, Joint.RIGHT_FOOT] - positions[:, Joint.LEFT_FOOT]
    level = apart[:, [0, 2]]
    if np.isnan(level).any():
        return None
    level = level - level.mean(axis=0)
    along = level @ np.linalg.svd(level, full_matrices=False)[2][0]
    swing = float(along @ along)
    if swing <= 1e-12 * float((positions**2).sum()):
        return None
    cadences = np.geomspace(*CADENCE_RANGE_SPM, _N_CADENCES)
    angle = 2 * np.pi / (120 * gait.fps) * cadences[:, None] * np.arange(len(along))
    waves = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=2)
    products = waves.mT @ waves
    towards = waves.mT @ along
    weights = np.linalg.solve(products, towards[..., None])[..., 0]
    explained = (weights * towards).sum(axis=1) / swing
    best = int(explained.argmax())
    n_cycles = cadences[best] / 120 * gait.duration_s
    if explained[best] < _LEAST_EXPLAINED or n_cycles < _LEAST_CYCLES:
        return None
    return float(cadences[best])
