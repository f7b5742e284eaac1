"""Where a body goes, from where it is in the picture and how large."""

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.landmarks import Landmark
from moodwalk.pose.smoothing import fill_gaps

__all__ = ["FIELD_OF_VIEW_DEG", "compute_scale", "compute_travel"]

FloatArray = NDArray[np.float64]

FIELD_OF_VIEW_DEG = 60.0
"""Of the longer side of the picture: what most phones see when they film. Only travel towards the
camera or away from it depends on it."""

_SCALE_S = 1.5  # the size of a walker who does not come nearer changes with the step
_HIPS = [Landmark.LEFT_HIP, Landmark.RIGHT_HIP]
_MEASURED = [
    Landmark.LEFT_SHOULDER,
    Landmark.RIGHT_SHOULDER,
    Landmark.LEFT_HIP,
    Landmark.RIGHT_HIP,
    Landmark.LEFT_KNEE,
    Landmark.RIGHT_KNEE,
    Landmark.LEFT_ANKLE,
    Landmark.RIGHT_ANKLE,
]


def compute_scale(pixels: FloatArray, world: FloatArray, visibility: FloatArray) -> FloatArray:
    """Compute how many pixels a metre of a body is, by least squares over trunk and legs.

    Parameters
    ----------
    pixels, world, visibility
        (T, 33, 2), (T, 33, 3) and (T, 33), as of a `Pose`.

    Returns
    -------
    ndarray
        (T,), NaN where there is no body or no size to it.
    """
    flat = pixels[:, _MEASURED] * (1.0, -1.0)
    metres = world[:, _MEASURED, :2]
    weights = visibility[:, _MEASURED, None] + 1e-3
    whole = weights.sum(axis=1, keepdims=True)
    flat = flat - (weights * flat).sum(axis=1, keepdims=True) / whole
    metres = metres - (weights * metres).sum(axis=1, keepdims=True) / whole
    shared = (weights * flat * metres).sum(axis=(1, 2))
    spread = (weights * metres**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = shared / spread
        return np.where(scale > 0, scale, np.nan)


def compute_travel(
    pixels: FloatArray,
    world: FloatArray,
    visibility: FloatArray,
    size: tuple[int, int],
    fps: float,
) -> FloatArray:
    """Compute where the middle of the hips is, seen by a camera that stands still.

    A pinhole camera: a body of `compute_scale` pixels a metre is as far away as the focal length is
    long in these pixels. The scale is smoothed over 1.5 s, for it swings with the step.

    Parameters
    ----------
    pixels, world, visibility
        (T, 33, 2), (T, 33, 3) and (T, 33), as of a `Pose`, at equal intervals.
    size
        (width, height) of the picture in pixels.
    fps
        Frames per second.

    Returns
    -------
    ndarray
        (T, 3) metres from the camera: x to the right of the picture, y up, z towards the camera. NaN
        where there is no body.

    Notes
    -----
    Travel across the picture rests on the metres of the pose model, travel along the line of sight on
    `FIELD_OF_VIEW_DEG` besides. A camera that pans or is carried takes the travel away.
    """
    from scipy.signal import savgol_filter

    hips = pixels[:, _HIPS].mean(axis=1)
    raw = compute_scale(pixels, world, visibility)
    if np.isnan(raw).all():
        return np.full((len(raw), 3), np.nan)
    scale = np.log(fill_gaps(raw[:, None], len(raw))[:, 0])
    length = min(len(scale), round(_SCALE_S * fps) | 1)
    length -= 1 - length % 2
    if length >= 3:
        scale = np.asarray(savgol_filter(scale, length, 1), dtype=np.float64)
    scale = np.exp(scale)
    width, height = size
    focal = max(size) / 2 / np.tan(np.radians(FIELD_OF_VIEW_DEG) / 2)
    return np.stack(
        [
            (hips[:, 0] - width / 2) / scale,
            -(hips[:, 1] - height / 2) / scale,
            -focal / scale,
        ],
        axis=1,
    )
