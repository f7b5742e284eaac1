"""Joints that were not seen: short gaps are interpolated, longer ones cut."""

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import QualityError
from moodwalk.gait import MIN_FRAMES
from moodwalk.recording import Finding

__all__ = ["LONGEST_GAP_S", "bridge_gaps"]

LONGEST_GAP_S = 0.2
"""A fifth of a gait cycle: what a smooth curve can bridge without inventing a step."""


def bridge_gaps(
    points: NDArray[np.float64], fps: float
) -> tuple[NDArray[np.float64], slice, tuple[Finding, ...]]:
    """Fill short gaps, and keep the longest stretch in which nothing is missing.

    Parameters
    ----------
    points
        (T, J, 3), NaN where a point was not seen.
    fps
        Frames per second.

    Returns
    -------
    points
        (t, J, 3) without NaN.
    kept
        The frames that they are, of the T.
    findings
        What was filled and what was cut; empty where nothing was.

    Raises
    ------
    QualityError
        If a point is missing throughout, or no stretch of four frames is left.

    Notes
    -----
    Each coordinate follows a monotone cubic (PCHIP) between the frames around a gap, which does not
    overshoot. Nothing is extrapolated: frames before a point is first seen, or after it is last
    seen, are cut.

    References
    ----------
    .. [1] Fritsch and Carlson (1980), Monotone piecewise cubic interpolation, SIAM Journal on
       Numerical Analysis 17(2), 238-246, doi:10.1137/0717021.
    """
    missing: NDArray[np.bool_] = np.asarray(np.isnan(points).any(axis=2))
    if not missing.any():
        return points, slice(0, len(points)), ()
    if missing.all(axis=0).any():
        raise QualityError(
            f"{int(missing.all(axis=0).sum())} of {points.shape[1]} joints are missing in every frame; "
            f"expected each of them somewhere. Take a recording that shows the whole body."
        )
    filled, missing_still = _fill(points, missing, round(LONGEST_GAP_S * fps))
    runs = _find_runs(np.asarray(~missing_still.any(axis=1)))
    start, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    if end - start < MIN_FRAMES:
        raise QualityError(
            f"the longest stretch without missing joints has {end - start} of {len(points)} frames; "
            f"expected at least {MIN_FRAMES}. Take a recording that shows the whole body."
        )
    n_filled = int((missing & ~missing_still)[start:end].any(axis=1).sum())
    findings: list[Finding] = []
    if n_filled:
        findings.append(
            Finding(
                "gaps",
                f"joints interpolated in {n_filled} of {end - start} frames",
                round(1 - n_filled / (end - start), 3),
                f"no gap longer than {LONGEST_GAP_S:g} s",
            )
        )
    if end - start < len(points):
        findings.append(
            Finding(
                "cut",
                f"{(end - start) / fps:.2f} s of {len(points) / fps:.2f} s used",
                round((end - start) / len(points), 3),
                f"frames {start} to {end - 1} are the longest stretch without a longer gap",
            )
        )
    return filled[start:end], slice(start, end), tuple(findings)


def _fill(
    points: NDArray[np.float64], missing: NDArray[np.bool_], longest: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return points with their short gaps filled, and what is missing still."""
    from scipy.interpolate import PchipInterpolator

    filled, still = points.copy(), missing.copy()
    frames = np.arange(len(points))
    for joint in np.flatnonzero(missing.any(axis=0)):
        gaps = [
            (start, end)
            for start, end in _find_runs(missing[:, joint])
            if start > 0 and end < len(points) and end - start <= longest
        ]
        seen = np.flatnonzero(~missing[:, joint])
        if not gaps or len(seen) < 2:
            continue
        curve = PchipInterpolator(frames[seen], points[seen, joint])
        for start, end in gaps:
            filled[start:end, joint] = curve(frames[start:end])
            still[start:end, joint] = False
    return filled, still


def _find_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (start, end) of every run of true values, end exclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
