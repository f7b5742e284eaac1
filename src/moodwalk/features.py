"""The affective features of a walk: posture and movement in 29 numbers.

`FEATURES` is the whole catalogue, in the order of the published files. Each entry carries the
function that computes it over the frames of many gaits at once; a new feature is one new entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ShapeError
from moodwalk.gait import Gait
from moodwalk.skeleton import Joint

__all__ = [
    "FEATURES",
    "N_PUBLISHED",
    "Feature",
    "Frames",
    "Invariance",
    "compute_affective_features",
    "find_foot_strikes",
]

FloatArray = NDArray[np.float64]

Invariance = Literal["translation", "turn", "scale"]
"""What leaves a feature as it is: moving the walk, turning it about +y, another body size."""

N_PUBLISHED = 27
"""Number of features in the published files; the features of the stride follow them."""

# Gaits computed at a time: bounds the memory that a large corpus takes.
_BLOCK = 1024


@dataclass(frozen=True, eq=False, slots=True)
class Frames:
    """The frames of many gaits, end to end, in the layout that features compute on.

    Parameters
    ----------
    xyz
        (16, 3, N) float64: joints, coordinates, frames of all gaits.
    first
        (n,) index of every gait's first frame.
    n_frames
        (n,) number of frames of every gait.
    fps
        (n,) frames per second of every gait.
    """

    xyz: FloatArray
    first: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    fps: FloatArray

    @classmethod
    def from_gaits(cls, gaits: Sequence[Gait]) -> Self:
        """Lay one or more gaits end to end.

        Raises
        ------
        ShapeError
            If something in the sequence is no Gait.
        """
        for i, gait in enumerate(gaits):
            if not isinstance(gait, Gait):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ShapeError(
                    f"gait {i} is of type {type(gait).__name__}; expected Gait. "
                    f"Make gaits from arrays with GaitSet.from_arrays(positions, fps=...)."
                )
        n_frames = np.array([len(gait) for gait in gaits], dtype=np.int64)
        joined = np.concatenate([gait.positions for gait in gaits], dtype=np.float64)
        return cls(
            xyz=np.ascontiguousarray(joined.transpose(1, 2, 0)),
            first=np.cumsum(n_frames) - n_frames,
            n_frames=n_frames,
            fps=np.array([gait.fps for gait in gaits], dtype=np.float64),
        )

    def __getitem__(self, joint: Joint) -> FloatArray:
        """Return the (3, N) positions of one joint."""
        return self.xyz[joint]

    def compute_mean(self, values: FloatArray, order: int = 0) -> FloatArray:
        """Compute every gait's mean of a value a frame.

        Parameters
        ----------
        values
            (N - order,) one value a frame, NaN where a joint is missing; of a difference between
            successive frames, `order` fewer.
        order
            Order of the difference; differences that reach into the next gait are left out.

        Returns
        -------
        ndarray
            (n,) means over the frames that have a value; NaN for a gait that has none.
        """
        last = self.first + self.n_frames
        present = np.zeros(self.xyz.shape[2], dtype=np.bool_)
        present[: len(values)] = ~np.isnan(values)
        for back in range(1, order + 1):
            present[last - back] = False
        kept = np.zeros(len(present))
        kept[: len(values)] = values
        kept[~present] = 0.0
        return _divide(
            np.add.reduceat(kept, self.first),
            np.add.reduceat(present, self.first, dtype=np.float64),
        )


@dataclass(frozen=True, slots=True)
class Feature:
    """One number that describes a walk.

    Parameters
    ----------
    name
        Column name: body part first, then what is measured.
    unit
        Unit as published, scaling included: ``m / 10`` means metres divided by ten. Metres are
        the length unit of the source where that has no scale of its own.
    description
        What is measured.
    source
        Where the feature was published.
    invariances
        What leaves the feature as it is; nothing else of `Invariance` does.
    compute
        Function from the `Frames` of n gaits to (n,) values.
    """

    name: str
    unit: str
    description: str
    source: str
    invariances: frozenset[Invariance]
    compute: Callable[[Frames], FloatArray]


def compute_affective_features(gaits: Sequence[Gait]) -> FloatArray:
    """Compute the affective features of every gait, unnormalised.

    Parameters
    ----------
    gaits
        n walks of any length and frame rate.

    Returns
    -------
    ndarray
        (n, 29) float64, columns in the order of `FEATURES`, in the units given there.

    Raises
    ------
    ShapeError
        If `gaits` is a single gait or holds something else than gaits.

    Notes
    -----
    Computed in float64. A frame in which a joint that a feature needs is missing (NaN) is left out
    of that feature's mean; of a speed, acceleration or jerk, every difference that touches it.
    A feature for which no frame remains is NaN. Intervals between foot strikes that span a missing
    frame are left out too; where none remains and a foot height is missing, stride length and gait
    cycle time are NaN.

    References
    ----------
    .. [1] Bhattacharya et al. (2020), STEP: Spatial temporal graph convolutional networks for
       emotion perception from gaits, AAAI, affective features.
    """
    if isinstance(gaits, Gait):
        raise ShapeError("found one Gait where several are expected; pass a list: [gait].")
    table = np.empty((len(gaits), len(FEATURES)))
    for start in range(0, len(gaits), _BLOCK):
        frames = Frames.from_gaits(gaits[start : start + _BLOCK])
        for column, feature in enumerate(FEATURES):
            table[start : start + _BLOCK, column] = feature.compute(frames)
    return table


def find_foot_strikes(foot_height: ArrayLike) -> NDArray[np.int64]:
    """Find the frames in which a foot strikes the ground: local minima of its height.

    Parameters
    ----------
    foot_height
        (T,) height of one foot, any unit.

    Returns
    -------
    ndarray
        Increasing frame numbers. A frame counts if the one before is at least as high and the one
        after too; a run of equal heights counts once, at the first frame that fulfils this. The
        first and the last frame never count. NaN frames and their neighbours never count.

    Raises
    ------
    ShapeError
        If the heights are not one row of numbers.

    Notes
    -----
    The published rule, without smoothing: every small dip counts, so recordings with noise yield
    more strikes than steps.
    """
    height = np.asarray(foot_height, dtype=np.float64)
    if height.ndim != 1:
        raise ShapeError(
            f"foot_height has shape {height.shape}; expected (T,), the height of one foot."
        )
    ends = np.array([0, len(height) - 1]) if len(height) else np.array([], dtype=np.int64)
    return _find_minima(height, ends)


def _divide(total: FloatArray, count: FloatArray) -> FloatArray:
    """Divide; NaN where there is nothing to divide by."""
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def _dot(u: FloatArray, v: FloatArray) -> FloatArray:
    """Compute the scalar product of (3, N) vectors, (N,)."""
    return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]


def _norm(u: FloatArray) -> FloatArray:
    return np.sqrt(_dot(u, u))


def _angle_deg(u: FloatArray, v: FloatArray) -> FloatArray:
    """Compute the angle between (3, N) vectors; NaN where one has no length."""
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = _dot(u, v) / (_norm(u) * _norm(v))
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def _compute_volume(frames: Frames) -> FloatArray:
    width, height, depth = frames.xyz.max(axis=0) - frames.xyz.min(axis=0)
    return frames.compute_mean(width * height * depth) / 1000


def _compute_angle(frames: Frames, at: Joint, ends: tuple[Joint, Joint]) -> FloatArray:
    corner = frames[at]
    return frames.compute_mean(_angle_deg(frames[ends[0]] - corner, frames[ends[1]] - corner))


def _compute_lean(frames: Frames) -> FloatArray:
    upward = np.array([[0.0], [1.0], [0.0]])
    return frames.compute_mean(_angle_deg(frames[Joint.HEAD] - frames[Joint.ROOT], upward))


def _compute_distance(frames: Frames, joint: Joint) -> FloatArray:
    return frames.compute_mean(_norm(frames[joint] - frames[Joint.ROOT])) / 10


def _compute_area(frames: Frames, at: Joint, ends: tuple[Joint, Joint]) -> FloatArray:
    u, v = frames[ends[0]] - frames[at], frames[ends[1]] - frames[at]
    x = u[1] * v[2] - u[2] * v[1]
    y = u[2] * v[0] - u[0] * v[2]
    z = u[0] * v[1] - u[1] * v[0]
    return frames.compute_mean(np.sqrt(x * x + y * y + z * z) / 2) / 100


def _compute_motion(frames: Frames, joint: Joint, order: int) -> FloatArray:
    """Compute the mean magnitude of the order-th derivative by successive differences."""
    difference = _norm(np.diff(frames[joint], n=order, axis=1))
    return frames.compute_mean(difference, order) * frames.fps**order / 10


def _find_minima(height: FloatArray, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find the local minima in one or more walks end to end; `ends` never count."""
    low = np.zeros(len(height), dtype=np.bool_)
    low[1:-1] = (height[:-2] >= height[1:-1]) & (height[1:-1] <= height[2:])
    low[ends] = False
    # Two neighbours can both be minima only if they are equal: one flat run.
    low[1:] &= ~low[:-1].copy()
    return np.flatnonzero(low)


def _sum_intervals(frames: Frames, foot: Joint) -> tuple[FloatArray, FloatArray]:
    """Compute sum and number of every gait's intervals between successive strikes, (n,) each."""
    height = frames[foot][1]
    ends = np.concatenate([frames.first, frames.first + frames.n_frames - 1])
    strikes = _find_minima(height, ends)
    gait = np.searchsorted(frames.first, strikes, side="right") - 1
    n_missing = np.cumsum(np.isnan(height))[strikes]
    intervals = np.diff(strikes).astype(np.float64)
    kept = (np.diff(gait) == 0) & (np.diff(n_missing) == 0)
    owner, n = gait[1:][kept], len(frames.first)
    total = np.bincount(owner, weights=intervals[kept], minlength=n).astype(np.float64)
    return total, np.bincount(owner, minlength=n).astype(np.float64)


def _compute_stride(frames: Frames) -> FloatArray:
    """Compute the mean number of frames between strikes, with the published fallbacks."""
    right_sum, n_right = _sum_intervals(frames, Joint.RIGHT_FOOT)
    left_sum, n_left = _sum_intervals(frames, Joint.LEFT_FOOT)
    stride = _divide(right_sum + left_sum, n_right + n_left)
    stride += (n_right > 0) != (n_left > 0)  # as published, where one foot alone is counted
    seen = ~np.isnan(frames.xyz[[Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 1]).any(axis=0)
    complete = np.logical_and.reduceat(seen, frames.first)
    nowhere = np.isnan(stride) & complete
    stride[nowhere] = frames.n_frames[nowhere]
    return stride


def _compute_cycle(frames: Frames) -> FloatArray:
    return _compute_stride(frames) / frames.fps


_POSTURE = "Bhattacharya et al. (2020), STEP, posture features"
_MOVEMENT = "Bhattacharya et al. (2020), STEP, movement features"
_MOVED = frozenset[Invariance]({"translation"})
_RIGID = frozenset[Invariance]({"translation", "turn"})
_SIMILAR = frozenset[Invariance]({"translation", "turn", "scale"})
_SHOULDERS = (Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER)

# fmt: off
FEATURES: tuple[Feature, ...] = (
    Feature("bounding_box_volume", "m³ / 1000", "volume of the box along the axes around all joints",
            _POSTURE, _MOVED, _compute_volume),
    Feature("neck_angle", "deg", "angle at the neck between the shoulders",
            _POSTURE, _SIMILAR, partial(_compute_angle, at=Joint.NECK, ends=_SHOULDERS)),
    Feature("shoulder_right_angle", "deg", "angle at the right shoulder between neck and left shoulder",
            _POSTURE, _SIMILAR,
            partial(_compute_angle, at=Joint.RIGHT_SHOULDER, ends=(Joint.NECK, Joint.LEFT_SHOULDER))),
    Feature("shoulder_left_angle", "deg", "angle at the left shoulder between neck and right shoulder",
            _POSTURE, _SIMILAR,
            partial(_compute_angle, at=Joint.LEFT_SHOULDER, ends=(Joint.NECK, Joint.RIGHT_SHOULDER))),
    Feature("body_lean_angle", "deg", "angle between the line from root to head and the vertical",
            _POSTURE, _SIMILAR, _compute_lean),
    Feature("head_angle", "deg", "angle at the neck between head and spine",
            _POSTURE, _SIMILAR, partial(_compute_angle, at=Joint.NECK, ends=(Joint.HEAD, Joint.SPINE))),
    Feature("hand_right_distance", "m / 10", "distance of the right hand from the root",
            _POSTURE, _RIGID, partial(_compute_distance, joint=Joint.RIGHT_HAND)),
    Feature("hand_left_distance", "m / 10", "distance of the left hand from the root",
            _POSTURE, _RIGID, partial(_compute_distance, joint=Joint.LEFT_HAND)),
    Feature("foot_right_distance", "m / 10", "distance of the right foot from the root",
            _POSTURE, _RIGID, partial(_compute_distance, joint=Joint.RIGHT_FOOT)),
    Feature("foot_left_distance", "m / 10", "distance of the left foot from the root",
            _POSTURE, _RIGID, partial(_compute_distance, joint=Joint.LEFT_FOOT)),
    Feature("hands_neck_area", "m² / 100", "area of the triangle of both hands and the neck",
            _POSTURE, _RIGID, partial(_compute_area, at=Joint.NECK, ends=(Joint.LEFT_HAND, Joint.RIGHT_HAND))),
    Feature("feet_root_area", "m² / 100", "area of the triangle of both feet and the root",
            _POSTURE, _RIGID, partial(_compute_area, at=Joint.ROOT, ends=(Joint.LEFT_FOOT, Joint.RIGHT_FOOT))),
    Feature("hand_right_speed", "m/s / 10", "mean speed of the right hand",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_HAND, order=1)),
    Feature("hand_left_speed", "m/s / 10", "mean speed of the left hand",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_HAND, order=1)),
    Feature("head_speed", "m/s / 10", "mean speed of the head",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.HEAD, order=1)),
    Feature("foot_right_speed", "m/s / 10", "mean speed of the right foot",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_FOOT, order=1)),
    Feature("foot_left_speed", "m/s / 10", "mean speed of the left foot",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_FOOT, order=1)),
    Feature("hand_right_acceleration", "m/s² / 10", "mean magnitude of the right hand's acceleration",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_HAND, order=2)),
    Feature("hand_left_acceleration", "m/s² / 10", "mean magnitude of the left hand's acceleration",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_HAND, order=2)),
    Feature("head_acceleration", "m/s² / 10", "mean magnitude of the head's acceleration",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.HEAD, order=2)),
    Feature("foot_right_acceleration", "m/s² / 10", "mean magnitude of the right foot's acceleration",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_FOOT, order=2)),
    Feature("foot_left_acceleration", "m/s² / 10", "mean magnitude of the left foot's acceleration",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_FOOT, order=2)),
    Feature("hand_right_jerk", "m/s³ / 10", "mean magnitude of the right hand's jerk",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_HAND, order=3)),
    Feature("hand_left_jerk", "m/s³ / 10", "mean magnitude of the left hand's jerk",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_HAND, order=3)),
    Feature("head_jerk", "m/s³ / 10", "mean magnitude of the head's jerk",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.HEAD, order=3)),
    Feature("foot_right_jerk", "m/s³ / 10", "mean magnitude of the right foot's jerk",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.RIGHT_FOOT, order=3)),
    Feature("foot_left_jerk", "m/s³ / 10", "mean magnitude of the left foot's jerk",
            _MOVEMENT, _RIGID, partial(_compute_motion, joint=Joint.LEFT_FOOT, order=3)),
    Feature("stride_length", "frames", "mean interval between successive strikes of the same foot",
            _MOVEMENT, _SIMILAR, _compute_stride),
    Feature("gait_cycle_time", "s", "the stride length over the frame rate",
            _MOVEMENT, _SIMILAR, _compute_cycle),
)
# fmt: on
"""The catalogue, in the order of the published files; the last two are not in those files."""
