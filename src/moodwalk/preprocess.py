"""From walks as they were recorded to walks as networks and comparisons want them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, QualityError, ShapeError
from moodwalk.gait import MAX_FRAMES, MIN_FRAMES, Gait
from moodwalk.skeleton import N_JOINTS, Joint
from moodwalk.splines import fit_spline

__all__ = [
    "FPS",
    "align_to_pose",
    "centre",
    "resample",
    "resample_positions",
    "stack",
    "standardise",
    "tile",
]

Positions = NDArray[np.floating]

FPS = 30.0
"""The frame rate of Emotion-Gait, to which models bring every walk."""

# Knots for each old frame when the frame rate goes down. With nearly as many knots as frames the
# least-squares spline swings between them.
_MOST_KNOTS = 0.8


def centre(positions: Positions) -> Positions:
    """Move the root to the origin in every frame.

    Parameters
    ----------
    positions
        (..., 16, 3).

    Returns
    -------
    ndarray
        The same shape and type. Joints that are missing (NaN) stay missing.

    Raises
    ------
    ShapeError
        If the last two axes are not joints and coordinates.
    QualityError
        If the root itself is missing in a frame.
    """
    _check_shape(positions, "centre")
    root = positions[..., Joint.ROOT : Joint.ROOT + 1, :]
    _refuse_missing(root, "centre needs the root in every frame")
    return positions - root


def tile(positions: Positions, n_frames: int) -> Positions:
    """Repeat a walk from its first frame until it has that many frames; cut what is longer.

    Parameters
    ----------
    positions
        (T, ...), T >= 1.
    n_frames
        Number of frames wanted.

    Returns
    -------
    ndarray
        (n_frames, ...), a copy of the same type.

    Raises
    ------
    ConfigError
        If `n_frames` is below one.
    ShapeError
        If there is no frame to repeat.

    Notes
    -----
    As published. Where the first and last frame of the source are no neighbours in the gait cycle,
    every seam is a jump.
    """
    if n_frames < 1:
        raise ConfigError(f"n_frames is {n_frames}; expected at least 1.")
    if positions.ndim == 0 or not len(positions):
        raise ShapeError(
            f"Nothing to tile: positions have shape {positions.shape}; expected (T, ...), T >= 1."
        )
    return positions[np.arange(n_frames) % len(positions)]


def stack(gaits: Sequence[Gait], n_frames: int) -> NDArray[np.float32]:
    """Bring gaits to one length and into one array, as networks take them.

    Parameters
    ----------
    gaits
        n walks; shorter ones are repeated from frame 0, longer ones cut, as published.
    n_frames
        Number of frames of all of them.

    Returns
    -------
    ndarray
        (n, n_frames, 16, 3) float32, not centred.

    Raises
    ------
    ConfigError
        If `n_frames` is below one.
    QualityError
        If a joint is missing (NaN) among the frames that are used: networks would answer NaN.
    """
    if n_frames < 1:
        raise ConfigError(f"n_frames is {n_frames}; expected at least 1.")
    batch = np.empty((len(gaits), n_frames, N_JOINTS, 3), dtype=np.float32)
    for i, gait in enumerate(gaits):
        used = gait.positions[:n_frames]
        _refuse_missing(used, f"gait '{gait.name or i}': a network needs every joint")
        batch[i] = tile(used, n_frames)
    return batch


def standardise(gait: Gait, fps: float = FPS) -> Gait:
    """Bring a walk to the form of Emotion-Gait: root at the origin in every frame, 30 fps.

    Affective features of walks are comparable only in one form: travel adds to the speed of every
    joint, and differences of higher order depend on the frame rate.

    Parameters
    ----------
    gait
        The walk.
    fps
        Frames per second wanted.

    Raises
    ------
    QualityError
        If a joint is missing where it is needed, or the walk is too short at that rate.
    """
    gait = resample(gait, fps)
    return gait.with_positions(centre(gait.positions))


def resample(gait: Gait, fps: float) -> Gait:
    """Bring a walk to another frame rate.

    Parameters
    ----------
    gait
        The walk.
    fps
        Frames per second wanted. The gait's own rate gives the same positions, exactly.

    Returns
    -------
    Gait
        Frames at i / fps seconds from the first frame, none past the last one. All else as it was.

    Raises
    ------
    ConfigError
        If `fps` is not a positive number.
    QualityError
        If a joint is missing (NaN), or fewer than four frames would remain.

    See Also
    --------
    resample_positions : how it is done.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps is {fps}; expected a positive number.")
    where = f"gait '{gait.name}'" if gait.name else "gait"
    _refuse_missing(gait.positions, f"{where}: resampling needs every joint")
    if fps == gait.fps:
        return gait
    n_frames = len(gait) * fps / gait.fps
    if n_frames > MAX_FRAMES:
        raise QualityError(
            f"{where}: {len(gait)} frames at {gait.fps:g} fps would become {n_frames:.3g} at {fps:g} fps; "
            f"expected at most {MAX_FRAMES:,}. Is the frame rate right?"
        )
    positions = resample_positions(gait.positions, fps / gait.fps)
    if len(positions) < MIN_FRAMES:
        raise QualityError(
            f"{where}: {len(gait)} frames at {gait.fps:g} fps leave {len(positions)} at {fps:g} fps; "
            f"expected at least {MIN_FRAMES}. Take a longer walk or a higher frame rate."
        )
    return gait.with_positions(positions, fps=fps)


def resample_positions(positions: Positions, ratio: float) -> Positions:
    """Resample a walk along time.

    Parameters
    ----------
    positions
        (T, ...), T >= 4, without NaN.
    ratio
        New frame rate over the old one.

    Returns
    -------
    ndarray
        (floor((T - 1) ratio) + 1, ...), the same type: new frame i lies at old frame i / ratio.

    Raises
    ------
    ConfigError
        If the ratio is not a positive number.
    ShapeError
        If there are fewer than four frames.
    QualityError
        If a position is missing (NaN).

    Notes
    -----
    Up, a cubic spline through the frames (not-a-knot ends): joints move smoothly, and straight
    lines would flatten the extremes of a swing. Down, the cubic spline that comes nearest to the
    frames in the sense of least squares, with about one knot a new frame: what the new rate cannot
    hold has no place in it, so this is interpolation and low-pass in one. Polyphase and Fourier
    resampling suppose zeros, a line or a seamless cycle past the ends and err there, which touches a
    good part of a walk of 18 to 75 frames; the spline supposes nothing, and passes constant
    position, velocity, acceleration and jerk unchanged to the last frame. From 60 to 30 fps motion
    up to 5 Hz comes out within 0.5 %, ends included (polyphase: 9 % at the ends); of motion above
    20 Hz less than 7 % remains as an alias, save in the outermost few frames. Knots lie at least 1.25
    old frames apart, where the fit is well-conditioned.
    """
    if not (np.isfinite(ratio) and ratio > 0):
        raise ConfigError(f"ratio is {ratio}; expected a positive number.")
    if positions.ndim == 0 or len(positions) < MIN_FRAMES:
        raise ShapeError(
            f"positions have shape {positions.shape}; resampling needs at least {MIN_FRAMES} frames "
            f"along the first axis."
        )
    _refuse_missing(positions, "resampling needs every joint")
    if ratio == 1:
        return positions.copy()
    last = len(positions) - 1
    # The slack keeps the last frame when the product falls a rounding error short of whole.
    n_new = int(last * ratio + 1e-9) + 1
    at = np.minimum(np.arange(n_new) / ratio, last)
    if ratio > 1:  # through every frame; not-a-knot: the outermost pieces are two frames long
        knots = np.array([0, *range(2, last - 1), last], dtype=np.float64)
    else:
        n_pieces = max(1, min(int(last * min(ratio, _MOST_KNOTS) + 1e-9), last - 2))
        knots = np.linspace(0.0, last, n_pieces + 1)
    source = positions.astype(np.float64).reshape(last + 1, -1)
    curve = fit_spline(source, knots, at)
    return curve.reshape(n_new, *positions.shape[1:]).astype(positions.dtype)


def align_to_pose(positions: Positions, pose: Positions) -> Positions:
    """Lay a walk's first frame on a pose, and move the other frames along.

    Parameters
    ----------
    positions
        (T, 16, 3). Only the first frame must be complete.
    pose
        (16, 3).

    Returns
    -------
    ndarray
        (T, 16, 3), the type of `positions`, after the rotation, uniform scale and translation
        that bring the first frame nearest to the pose in the sense of least squares. Never a
        reflection: right stays right.

    Raises
    ------
    ShapeError
        If the shapes are others.
    QualityError
        If a joint is missing (NaN) in the first frame or the pose, or one of them is a point or a
        line, which fixes no rotation.

    References
    ----------
    .. [1] Umeyama (1991), Least-squares estimation of transformation parameters between two point
       patterns, IEEE TPAMI 13(4), 376-380.
    """
    _check_shape(positions, "align_to_pose")
    if positions.ndim != 3 or not len(positions) or pose.shape != (N_JOINTS, 3):
        raise ShapeError(
            f"align_to_pose found positions of shape {positions.shape} and a pose of shape "
            f"{pose.shape}; expected (T, {N_JOINTS}, 3) and ({N_JOINTS}, 3)."
        )
    source, target = positions[0].astype(np.float64), pose.astype(np.float64)
    _refuse_missing(source, "align_to_pose needs every joint of the first frame")
    _refuse_missing(target, "align_to_pose needs every joint of the pose")
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    source, target = source - source_middle, target - target_middle
    for points, name in ((source, "first frame"), (target, "pose")):
        extent = np.linalg.svd(points, compute_uv=False)
        if extent[1] <= 1e-6 * extent[0]:
            raise QualityError(
                f"align_to_pose: the {name} is a point or a line; expected a body. "
                f"Are the joints where they should be?"
            )
    u, stretch, vh = np.linalg.svd(target.T @ source)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vh))])
    rotation = (u * sign) @ vh
    scale = (stretch * sign).sum() / (source**2).sum()
    moved = scale * (positions - source_middle) @ rotation.T + target_middle
    return moved.astype(positions.dtype)


def _check_shape(positions: Positions, what: str) -> None:
    if positions.ndim < 2 or positions.shape[-2:] != (N_JOINTS, 3):
        raise ShapeError(
            f"{what} found positions of shape {positions.shape}; expected (..., {N_JOINTS}, 3): "
            f"frames, joints, coordinates."
        )


def _refuse_missing(positions: Positions, need: str) -> None:
    """Refuse NaN with the number of frames that have it and the first of them."""
    missing = np.asarray(np.isnan(positions))
    if missing.any():
        where = ""
        if missing.ndim == 3:
            frames = np.flatnonzero(missing.any(axis=(1, 2)))
            where = f" in {len(frames)} of {len(missing)} frames, first in frame {frames[0]}"
        raise QualityError(
            f"{need}; found missing positions (NaN){where}. Fill the gaps or cut these frames."
        )
