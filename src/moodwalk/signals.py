"""Filtering and peaks of what is measured frame by frame.

`scipy.signal` has both, but loading it takes longer than reading a walk.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUTOFF_HZ", "find_prominent", "low_pass"]

FloatArray = NDArray[np.float64]

CUTOFF_HZ = 6.0
"""Low-pass of the joints' paths, the usual one of gait analysis [1]_.

.. [1] Winter (2009), Biomechanics and motor control of human movement, 4th edition, chapter 3,
   doi:10.1002/9780470549148.
"""


def low_pass(values: FloatArray, fps: float, cutoff_hz: float = CUTOFF_HZ) -> FloatArray:
    """Take out what is faster than a cutoff, without lag.

    Parameters
    ----------
    values
        (T, ...), without NaN.
    fps
        Frames per second; at less than 2.5 times the cutoff nothing is taken out.
    cutoff_hz
        Where the amplitude has fallen by 3 dB.

    Returns
    -------
    ndarray
        (T, ...), by a Butterworth filter of order 2 that runs forth and back.
    """
    if fps <= 2.5 * cutoff_hz:
        return values
    n = len(values)
    # turned about either end, so that the walk goes on beyond it
    pad = min(n - 1, int(2 * fps / cutoff_hz) + 3)
    before, after = 2 * values[0] - values[pad:0:-1], 2 * values[-1] - values[-2 : -pad - 2 : -1]
    longer = np.concatenate([before, values, after])
    gain = _compute_gain(len(longer), fps, cutoff_hz).reshape(-1, *[1] * (values.ndim - 1))
    smooth = np.fft.irfft(np.fft.rfft(longer, axis=0) * gain, len(longer), axis=0)
    return smooth[pad : pad + n]


def _compute_gain(n: int, fps: float, cutoff_hz: float) -> FloatArray:
    """Return what both passes leave of the amplitude at every frequency of n frames."""
    angles = np.pi * np.fft.rfftfreq(n)
    steepness = np.tan(np.pi * cutoff_hz * _TWO_PASSES / fps)
    return 1.0 / (1.0 + (np.tan(angles) / steepness) ** 4)


_TWO_PASSES = (2**0.5 - 1) ** -0.25
"""A filter of order 2 that runs forth and back has a lower cutoff than either pass."""


def find_prominent(values: FloatArray, distance: float, prominence: float) -> NDArray[np.int64]:
    """Find the peaks that are no closer than a distance to a higher one, and stand out.

    Parameters
    ----------
    values
        (T,), without NaN.
    distance
        In frames.
    prominence
        Least height above the higher of two valleys: the lowest values between the peak and something
        higher, or the end, on either side.

    Returns
    -------
    ndarray
        Their frames, in order; of equal neighbours the first.
    """
    runs = np.flatnonzero(np.diff(values, prepend=np.inf))  # where equal values begin
    heights = values[runs]
    tops = runs[1:-1][(heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:])]
    kept: list[int] = []
    for top in tops[np.argsort(-values[tops], kind="stable")].tolist():
        if all(abs(top - other) >= distance for other in kept):
            kept.append(top)
    clear = [top for top in sorted(kept) if _measure_prominence(values, top) >= prominence]
    return np.array(clear, dtype=np.int64)


def _measure_prominence(values: FloatArray, top: int) -> float:
    higher = np.flatnonzero(values > values[top])
    before, after = higher[higher < top], higher[higher > top]
    start = before[-1] + 1 if len(before) else 0
    end = after[0] if len(after) else len(values)
    return float(values[top] - max(values[start : top + 1].min(), values[top:end].min()))
