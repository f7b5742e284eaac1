"""Landmarks at equal intervals, without short gaps and without tremble; how much they trembled."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUTOFF_HZ", "MAX_GAP_S", "fill_gaps", "measure_jitter", "resample", "smooth"]

FloatArray = NDArray[np.float64]

CUTOFF_HZ = 6.0
"""A walk has next to nothing above it (Winter 2009)."""

MAX_GAP_S = 0.2
"""Drop-outs up to here are bridged, longer ones stay."""

_LEAST = 4  # frames that smoothing can begin with


def fill_gaps(values: FloatArray, longest: int) -> FloatArray:
    """Bridge short runs of missing frames by straight lines.

    Parameters
    ----------
    values
        (T, ...); a frame with NaN in it is missing.
    longest
        Frames of the longest gap to bridge.

    Returns
    -------
    ndarray
        A copy. Gaps at both ends take the nearest frame if they are short enough.
    """
    values = np.array(values, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    seen = ~np.isnan(flat).any(axis=1)
    places = np.flatnonzero(seen)
    if len(places) in (0, len(flat)):
        return values
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start <= longest:
            before, after = start - 1, stop
            if before < 0:
                flat[start:stop] = flat[after]
            elif after == len(flat):
                flat[start:stop] = flat[before]
            else:
                share = np.arange(1, stop - start + 1)[:, None] / (stop - before)
                flat[start:stop] = flat[before] + share * (flat[after] - flat[before])
    return values


def resample(values: FloatArray, times_s: FloatArray, fps: float, n_frames: int) -> FloatArray:
    """Put frames taken at any times at equal intervals, by straight lines.

    Parameters
    ----------
    values
        (n, ...) without NaN.
    times_s
        (n,) when each was taken, growing.
    fps
        Frames per second of the result.
    n_frames
        Frames of the result, from `times_s[0]` on.

    Returns
    -------
    ndarray
        (n_frames, ...), NaN between two frames that are more than `MAX_GAP_S` apart, unless one of
        them is within half an interval.
    """
    values = np.asarray(values, dtype=np.float64)
    grid = times_s[0] + np.arange(n_frames) / fps
    after = np.clip(np.searchsorted(times_s, grid), 1, max(1, len(times_s) - 1))
    before = after - 1
    if len(times_s) == 1:
        after = before
    gap = times_s[after] - times_s[before]
    share = np.where(gap > 0, (grid - times_s[before]) / np.where(gap > 0, gap, 1.0), 0.0)
    nearest = np.minimum(np.abs(grid - times_s[before]), np.abs(grid - times_s[after]))
    wide = gap > MAX_GAP_S
    share = np.where(wide, np.round(share), share)
    share = np.clip(share, 0.0, 1.0).reshape(-1, *[1] * (values.ndim - 1))
    result = (1 - share) * values[before] + share * values[after]
    result[wide & (nearest > 0.5 / fps)] = np.nan
    return result


def smooth(values: FloatArray, fps: float, cutoff_hz: float = CUTOFF_HZ) -> FloatArray:
    """Take away what is faster than a cutoff, without delay.

    A Butterworth filter of the second order, forwards and backwards, so that the lag is 0 and the
    order 4; every run of frames without NaN on its own.

    Parameters
    ----------
    values
        (T, ...); a frame with NaN in it is missing, and stays as it is.
    fps
        Frames per second.
    cutoff_hz
        Where each of the two passes takes 3 dB. At most half of `fps` there is nothing to take.

    Returns
    -------
    ndarray
        A copy. Runs of fewer than 4 frames stay as they are.

    References
    ----------
    .. [1] Winter (2009), Biomechanics and motor control of human movement, 4th edition, section 3.4,
       doi:10.1002/9780470549148.
    """
    from scipy.signal import butter, sosfiltfilt

    values = np.array(values, dtype=np.float64)
    if cutoff_hz >= fps / 2:
        return values
    sections = butter(2, cutoff_hz, fs=fps, output="sos")
    flat = values.reshape(len(values), -1)
    seen = ~np.isnan(flat).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        if stop - start >= _LEAST:
            padding = min(stop - start - 1, round(fps / cutoff_hz) * 3)
            flat[start:stop] = sosfiltfilt(sections, flat[start:stop], axis=0, padlen=padding)
    return values


def measure_jitter(raw: FloatArray, smoothed: FloatArray) -> float:
    """Measure how much points tremble: what smoothing took away.

    Parameters
    ----------
    raw, smoothed
        (T, J, 3).

    Returns
    -------
    float
        The median over points of the root mean square distance between the two, in their unit; NaN
        where nothing is seen.
    """
    apart = ((raw - smoothed) ** 2).sum(axis=2)
    apart = apart[~np.isnan(apart).any(axis=1)]
    return float(np.median(np.sqrt(apart.mean(axis=0)))) if len(apart) else float("nan")
