"""The rhythm of a walk."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.gait import Gait
from moodwalk.skeleton import Joint

__all__ = ["CADENCE_RANGE_SPM", "Rhythm", "compute_cadence", "fit_rhythm"]

CADENCE_RANGE_SPM = (40.0, 220.0)
"""From a stroll with pauses to a sprint."""

_N_CADENCES = 700  # 0.25 % apart
_LONGEST_S = 60.0
_ENOUGH_FPS = 30.0  # the fastest cycle has 1.8 Hz
_LEAST_CYCLES = 0.75
_LEAST_EXPLAINED = 0.8


class Rhythm(NamedTuple):
    """The sine that comes nearest to a swing.

    Parameters
    ----------
    cadence_spm
        Steps per minute: two a period.
    explained
        Share of the swing's variance that the sine explains.
    n_cycles
        How many periods of it were seen.
    """

    cadence_spm: float
    explained: float
    n_cycles: float


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
    rhythm = fit_rhythm(along, gait.fps)
    if rhythm.explained < _LEAST_EXPLAINED or rhythm.n_cycles < _LEAST_CYCLES:
        return None
    return rhythm.cadence_spm


def fit_rhythm(along: NDArray[np.float64], fps: float) -> Rhythm:
    """Fit a sine to the distance from one foot to the other.

    Parameters
    ----------
    along
        (T,) distance along the walk, without NaN.
    fps
        Frames per second. What is faster than 30 is averaged down to about 30, which a sine of at
        most 1.8 Hz does not notice.

    Returns
    -------
    Rhythm
        With a cadence within `CADENCE_RANGE_SPM`; nothing is explained where nothing moves, or in fewer
        than four frames or a fifth of a cycle.
    """
    width = max(1, int(fps / _ENOUGH_FPS))
    n_seen = len(along) / fps
    if len(along) >= 8 * width > 8:
        along = along[: len(along) // width * width].reshape(-1, width).mean(axis=1)
        fps = fps / width
    along = along - along.mean()
    swing = float(along @ along)
    cadences = np.geomspace(*CADENCE_RANGE_SPM, _N_CADENCES)
    # what moves too slowly or too fast for these frames looks like no sine, or like any
    cadences = cadences[(cadences * n_seen > 24) & (cadences < 54 * fps)]
    if not (swing > 0 and len(cadences) and len(along) > 3):
        return Rhythm(CADENCE_RANGE_SPM[0], 0.0, CADENCE_RANGE_SPM[0] / 120 * n_seen)
    frames = np.arange(len(along))
    step = 2 * np.pi / (120 * fps) * cadences
    angle = step[:, None] * frames
    cosine, sine = np.cos(angle), np.sin(angle)
    # sums over all frames of cos 2a and sin 2a: a geometric series
    double = (np.exp(2j * step * len(along)) - 1) / (np.exp(2j * step) - 1)
    n, c, s = np.full_like(step, len(along)), cosine.sum(axis=1), sine.sum(axis=1)
    cc, ss, cs = (n + double.real) / 2, (n - double.real) / 2, double.imag / 2
    products = np.stack([n, c, s, c, cc, cs, s, cs, ss], axis=1).reshape(-1, 3, 3)
    towards = np.stack([np.full_like(step, along.sum()), cosine @ along, sine @ along], axis=1)
    weights = np.linalg.solve(products, towards[..., None])[..., 0]
    explained = (weights * towards).sum(axis=1) / swing
    best = int(explained.argmax())
    cadence = float(cadences[best])
    return Rhythm(cadence, float(explained[best]), cadence / 120 * n_seen)
