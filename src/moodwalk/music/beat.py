"""Which music one can step to: cadence in steps per minute, tempo in beats per minute.

A beat a step (1x), two beats a step (2x) or two steps a beat (0.5x). People who are asked to do step to
music of 50 to 190 BPM, with a resonance as in tapping [1]_; left to themselves many do not lock to it
[2]_, so a small difference is allowed: an average listener notices one of about 4 %, and runners follow
changes of 1 to 3 % that they do not notice [3]_. A pulse on every step holds a walker's rhythm better than
one on every second [4]_, so 1x goes before the others.

References
----------
.. [1] Styns, van Noorden, Moelants and Leman (2007), Walking on music, Human Movement Science 26(5),
   769-785, doi:10.1016/j.humov.2007.07.007.
.. [2] Franěk, van Noorden and Režný (2014), Tempo and walking speed with music in the urban context,
   Frontiers in Psychology 5:1361, doi:10.3389/fpsyg.2014.01361.
.. [3] Van Dyck, Moens, Buhmann, Demey, Coorevits, Dalla Bella and Leman (2015), Spontaneous entrainment
   of running cadence to music tempo, Sports Medicine - Open 1:15, doi:10.1186/s40798-015-0025-9.
.. [4] Nijs, Roerdink and Beek (2020), Cadence modulation in walking and running: pacing steps or strides?
   Brain Sciences 10(5):273, doi:10.3390/brainsci10050273.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "RATIOS",
    "TOLERANCE",
    "StepFit",
    "compute_step_fit",
    "describe_steps",
    "find_ratio",
    "keeps_step",
]

RATIOS = (1.0, 2.0, 0.5)
"""Beats a step."""

TOLERANCE = 0.07
"""Largest difference of a tempo from the cadence, or its half or double, as a share of it."""

_HALF_FIT = 0.05
"""At this difference a track fits half as well as at none."""

_WEIGHTS = {0.5: 0.9, 1.0: 1.0, 2.0: 0.9}


class StepFit(NamedTuple):
    """How tracks fit a cadence, arrays of shape (n,).

    Parameters
    ----------
    fit
        0 to 1; 0 where the tempo is unknown.
    deviation
        Tempo over cadence times ratio, minus 1; NaN where the tempo is unknown.
    ratio
        0.5, 1 or 2, whichever is nearest; NaN where the tempo is unknown.
    """

    fit: NDArray[np.float32]
    deviation: NDArray[np.float32]
    ratio: NDArray[np.float32]


def find_ratio(
    tempo_bpm: float | None, cadence_spm: float | None, tolerance: float = TOLERANCE
) -> float | None:
    """Find how many beats of a track go with a step.

    Parameters
    ----------
    tempo_bpm, cadence_spm
        Of the track and of the walk; None or NaN where unknown.
    tolerance
        Largest difference, as a share.

    Returns
    -------
    float or None
        0.5, 1 or 2; None where it fits none of them, or something is unknown.
    """
    if tempo_bpm is None or cadence_spm is None or not (tempo_bpm > 0 and cadence_spm > 0):
        return None
    deviations = {ratio: abs(tempo_bpm / (ratio * cadence_spm) - 1) for ratio in RATIOS}
    nearest = min(RATIOS, key=lambda ratio: deviations[ratio])
    return nearest if deviations[nearest] <= tolerance else None


def keeps_step(
    tempo_bpm: NDArray[np.float32], cadence_spm: float, tolerance: float = TOLERANCE
) -> NDArray[np.bool_]:
    """Say which tracks keep the step: 1x, 2x or 0.5x the cadence, within the tolerance.

    Parameters
    ----------
    tempo_bpm
        (n,) beats per minute; NaN where unknown, which keeps no step.
    cadence_spm
        Steps per minute.
    tolerance
        Largest difference, as a share.
    """
    kept = np.zeros(len(tempo_bpm), bool)
    for ratio in RATIOS:
        beats = ratio * cadence_spm
        inside = tempo_bpm >= np.float32(beats * (1 - tolerance))
        inside &= tempo_bpm <= np.float32(beats * (1 + tolerance))
        kept |= inside
    return kept


def compute_step_fit(tempo_bpm: NDArray[np.floating[Any]], cadence_spm: float) -> StepFit:
    """Compute how well tempos fit a cadence.

    Parameters
    ----------
    tempo_bpm
        (n,) beats per minute; NaN where unknown.
    cadence_spm
        Steps per minute.

    Returns
    -------
    StepFit
        The fit is w / (1 + (d / 0.05)^2) for a deviation d; w is 1 for a beat a step and 0.9 for half or
        double. It falls slowly, so that far tempos still have an order.
    """
    tempo = np.where(tempo_bpm > 0, tempo_bpm, np.nan).astype(np.float32)
    octaves = np.clip(np.rint(np.log2(tempo / np.float32(cadence_spm))), -1, 1)
    ratio = np.exp2(octaves)
    deviation = tempo / (ratio * np.float32(cadence_spm)) - 1
    weight = np.where(
        octaves == 0, _WEIGHTS[1.0], np.where(octaves < 0, _WEIGHTS[0.5], _WEIGHTS[2.0])
    )
    fit = np.nan_to_num(weight / (1 + (deviation / _HALF_FIT) ** 2), nan=0.0)
    return StepFit(fit.astype(np.float32), deviation, ratio)


def describe_steps(tempo_bpm: float | None, cadence_spm: float | None, ratio: float | None) -> str:
    """Say in words and numbers how a tempo goes with a cadence.

    Parameters
    ----------
    tempo_bpm, cadence_spm
        Of the track and of the walk; None where unknown.
    ratio
        Beats a step; None where the tempo does not keep the step.

    Returns
    -------
    str
        Such as "112 BPM is a beat a step less 1 %"; empty where there is no cadence.
    """
    if cadence_spm is None:
        return ""
    if tempo_bpm is None or not tempo_bpm > 0:
        return f"its tempo is unknown, your steps are {cadence_spm:.0f} a minute"
    if ratio is None:
        return f"{tempo_bpm:.0f} BPM does not keep to your {cadence_spm:.0f} steps a minute"
    percent = round(100 * (tempo_bpm / (ratio * cadence_spm) - 1))
    manner = {0.5: "two steps a beat", 1.0: "a beat a step", 2.0: "two beats a step"}[ratio]
    off = f" {'plus' if percent > 0 else 'less'} {abs(percent)} %" if percent else ""
    return f"{tempo_bpm:.0f} BPM is {manner}{off}"
