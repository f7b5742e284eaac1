"""Is it a body? Bones, twins and the order of joints, and points that move as one."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint

__all__ = ["find_faults", "name_faults"]

FloatArray = NDArray[np.float64]

_MOST_FRAMES = 2000  # in the middle, of which bones are measured
_RIGID = 0.06  # nine in ten distances between points vary by less, as shares of the body's radius
_FLAT = 0.01  # thinner than this share of their length are points in a plane
_FLAT_FAULT = "all points lie in one plane, as in 2-D data"

# In legs (thigh and shank), least and greatest. The 342 real gaits, the simulated bodies and motion
# capture lie well within.
_LENGTHS: tuple[tuple[str, tuple[int, int], tuple[float, float]], ...] = (
    ("trunk", (Joint.ROOT, Joint.NECK), (0.27, 0.95)),
    ("neck to head", (Joint.NECK, Joint.HEAD), (0.04, 0.5)),
    ("right thigh", (Joint.RIGHT_HIP, Joint.RIGHT_KNEE), (0.37, 0.65)),
    ("left thigh", (Joint.LEFT_HIP, Joint.LEFT_KNEE), (0.37, 0.65)),
    ("right shank", (Joint.RIGHT_KNEE, Joint.RIGHT_FOOT), (0.35, 0.63)),
    ("left shank", (Joint.LEFT_KNEE, Joint.LEFT_FOOT), (0.35, 0.63)),
    ("right upper arm", (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW), (0.2, 0.5)),
    ("left upper arm", (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW), (0.2, 0.5)),
    ("right forearm", (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND), (0.12, 0.5)),
    ("left forearm", (Joint.LEFT_ELBOW, Joint.LEFT_HAND), (0.12, 0.5)),
    ("hips", (Joint.RIGHT_HIP, Joint.LEFT_HIP), (0.08, 0.5)),
    ("shoulders", (Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER), (0.18, 0.8)),
)
_TWINS: tuple[tuple[str, tuple[int, int], tuple[int, int], float], ...] = (
    ("thighs", (Joint.RIGHT_HIP, Joint.RIGHT_KNEE), (Joint.LEFT_HIP, Joint.LEFT_KNEE), 1.3),
    ("shanks", (Joint.RIGHT_KNEE, Joint.RIGHT_FOOT), (Joint.LEFT_KNEE, Joint.LEFT_FOOT), 1.3),
    (
        "upper arms",
        (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
        (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
        1.35,
    ),
    (
        "forearms",
        (Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
        (Joint.LEFT_ELBOW, Joint.LEFT_HAND),
        1.5,
    ),
    ("hips", (Joint.ROOT, Joint.RIGHT_HIP), (Joint.ROOT, Joint.LEFT_HIP), 1.7),
    ("shoulders", (Joint.NECK, Joint.RIGHT_SHOULDER), (Joint.NECK, Joint.LEFT_SHOULDER), 1.8),
)


def find_faults(gait: Gait, leg: float) -> Iterator[str]:
    """Say where a recording is no body.

    Parameters
    ----------
    gait
        Any 16 points over time; joints that are missing are no fault.
    leg
        Length of thigh and shank.

    Yields
    ------
    str
        A phrase for each length that no body has, twins of different length, joints that do not lie
        between or beside those that they should, bones that change their length.
    """
    x = _sample(gait)
    if _is_flat(x):
        yield _FLAT_FAULT
    ends = [pair for _, pair, _ in _LENGTHS]
    ends += [pair for _, one, two, _ in _TWINS for pair in (one, two)]
    lengths = _measure_lengths(x, ends)
    medians = iter([_median(length) / leg for length in lengths.T])
    for name, _, (least, most) in _LENGTHS:
        length = next(medians)
        if length < least or length > most:  # NaN, a joint that is missing throughout, is no fault
            yield f"{name} {length:.2f} legs long, of a body {least:g} to {most:g}"
    for name, _, _, most in _TWINS:
        pair = (next(medians), next(medians))
        ratio = max(pair) / max(min(pair), 1e-12)
        if ratio > most:
            yield f"one of the {name} {ratio:.1f} times as long as the other"
    yield from _find_disorder(x, leg)
    for (a, b), bone in zip(BONES, _measure_lengths(x, BONES).T, strict=True):
        length = _smooth(bone, round(0.2 * gait.fps))
        spread = 1.4826 * _median(np.abs(length - _median(length))) / leg
        if spread > 0.08:
            name = f"{a.name.lower()}-{b.name.lower()}".replace("_", " ")
            yield f"bone {name} changes its length by {spread:.2f} legs"


def _measure_lengths(x: FloatArray, pairs: Sequence[tuple[int, int]]) -> FloatArray:
    """Return (T, pairs) distances."""
    one, two = np.array(pairs).T
    return np.linalg.norm(x[:, one] - x[:, two], axis=2)


def _find_disorder(x: FloatArray, leg: float) -> Iterator[str]:
    """Say which joints do not lie between or beside those that they should."""
    trunk = x[:, Joint.NECK] - x[:, Joint.ROOT]
    size = np.maximum((trunk * trunk).sum(axis=1), 1e-24)
    spine = _median(((x[:, Joint.SPINE] - x[:, Joint.ROOT]) * trunk).sum(axis=1) / size)
    along = ((x[:, Joint.SPINE] - x[:, Joint.ROOT]) * trunk).sum(axis=1, keepdims=True)
    off = x[:, Joint.SPINE] - x[:, Joint.ROOT] - along / size[:, None] * trunk
    aside = _median(np.linalg.norm(off, axis=1)) / leg
    if aside > 0.2:
        yield f"spine {aside:.2f} legs beside the line from root to neck"
    head = _median(((x[:, Joint.HEAD] - x[:, Joint.ROOT]) * trunk).sum(axis=1) / size)
    if not 0.1 <= spine <= 0.9 and not np.isnan(spine):
        yield f"spine at {spine:.1f} of the way from root to neck"
    if head < 1.02:
        yield f"head at {head:.1f} of the way from root to neck"
    hips = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    shoulders = x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER]
    for name, one, two, across, least in (
        ("shoulders", Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER, hips, 0.1),
        ("knees", Joint.RIGHT_KNEE, Joint.LEFT_KNEE, hips, 0.0),
        ("feet", Joint.RIGHT_FOOT, Joint.LEFT_FOOT, hips, -0.35),
        ("elbows", Joint.RIGHT_ELBOW, Joint.LEFT_ELBOW, shoulders, 0.1),
    ):
        square = np.maximum((across * across).sum(axis=1), 1e-24)
        order = _median(((x[:, two] - x[:, one]) * across).sum(axis=1) / square)
        if order < least:
            yield f"{name} on the other side than {'hips' if across is hips else 'shoulders'}"
    for name, joint, one, two, rival in (
        ("root", Joint.ROOT, Joint.RIGHT_HIP, Joint.LEFT_HIP, Joint.SPINE),
        ("neck", Joint.NECK, Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER, Joint.HEAD),
    ):
        middle = (x[:, one] + x[:, two]) / 2
        own = _median(np.linalg.norm(x[:, joint] - middle, axis=1))
        other = _median(np.linalg.norm(x[:, rival] - middle, axis=1))
        line = x[:, two] - x[:, one]
        square = np.maximum((line * line).sum(axis=1), 1e-24)
        aside = _median(np.abs(((x[:, joint] - middle) * line).sum(axis=1)) / square)
        if own > 0.3 * leg or own > 1.1 * other or aside > 0.3:
            twins = "hips" if joint == Joint.ROOT else "shoulders"
            yield f"{name} {own / leg:.2f} legs from the middle between {twins}"
        tilt = _median(np.abs((line * trunk).sum(axis=1)) / np.sqrt(square * size))
        if tilt > 0.5:
            yield f"line of {'hips' if joint == Joint.ROOT else 'shoulders'} along the trunk"
    up = x[:, Joint.ROOT] - (x[:, Joint.RIGHT_FOOT] + x[:, Joint.LEFT_FOOT]) / 2
    if _median((up * trunk).sum(axis=1)) < 0:
        yield "the head points to the feet"


def name_faults(gait: Gait, faults: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Tell points that move as one, or lie in a plane, from joints that are mixed up.

    Parameters
    ----------
    gait
        What has the faults.
    faults
        Of `find_faults`, at least one.

    Returns
    -------
    kind
        ``not a body`` or ``scrambled``.
    reasons
        The faults, after what tells the kind.
    """
    if _FLAT_FAULT in faults:
        return "not a body", faults
    x = _sample(gait)
    x = x[~np.isnan(x).any(axis=(1, 2))]
    if len(x) >= 2:
        x = x - x.mean(axis=1, keepdims=True)
        radius = float(np.sqrt((x**2).sum(axis=2).mean()))
        one, two = np.triu_indices(x.shape[1], 1)
        few = x[:: max(1, len(x) // 300)]
        spread = np.linalg.norm(few[:, one] - few[:, two], axis=2).std(axis=0) / max(radius, 1e-300)
        stiff = float(np.percentile(spread, 90))
        if stiff < _RIGID:
            still = f"points keep their distances within {stiff:.1%}, as a face does"
            return "not a body", (still, *faults)
    return "scrambled", faults


def _is_flat(x: FloatArray) -> bool:
    """Return whether all points of all frames lie in one plane."""
    points = (x - x[:, :1]).reshape(-1, 3)
    points = points[~np.isnan(points).any(axis=1)]
    size = float(np.abs(points).max(initial=0.0))
    if not size > 0:
        return False
    thin, _, long = np.linalg.eigvalsh((points / size).T @ (points / size)).tolist()
    return max(thin, 0.0) < _FLAT**2 * long


def _sample(gait: Gait) -> FloatArray:
    first = max(0, (len(gait) - _MOST_FRAMES) // 2)
    return gait.positions[first : first + _MOST_FRAMES].astype(np.float64)


def _smooth(values: FloatArray, width: int) -> FloatArray:
    """Return what is not missing as moving means: noise is fast, a joint in the wrong place is not."""
    seen = values[~np.isnan(values)]
    width = max(1, min(width, len(seen) // 2))
    sums = np.cumsum(np.concatenate([[0.0], seen]))
    return (sums[width:] - sums[:-width]) / width


def _median(values: FloatArray) -> float:
    """Return the median of what is not missing, NaN where all is."""
    ordered = np.sort(values)  # NaN last
    n = int(np.searchsorted(ordered, np.nan))
    return float(ordered[(n - 1) // 2] + ordered[n // 2]) / 2 if n else float("nan")
