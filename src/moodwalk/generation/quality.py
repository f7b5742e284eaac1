"""Could a body have walked like this: physical figures of one gait.

Lengths are in body heights, so that size does not matter. Nor do facing, mirror images and travel,
save where a figure says so. Everything that depends on time is read at 30 frames a second.

The real gaits have lost their lean, and their level ground with it: in most it slopes by more than ten
degrees along the walk, up or down (docs/conventions.md). So figures of the feet first find the ground
of each gait.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk import body
from moodwalk.errors import QualityError, ShapeError
from moodwalk.gait import Gait
from moodwalk.harmonics import compute_bone_vectors
from moodwalk.preprocess import FPS, resample
from moodwalk.skeleton import Joint

__all__ = [
    "QUALITIES",
    "Quality",
    "compute_body_height",
    "compute_bone_variation",
    "compute_foot_lift",
    "compute_ground_deviation",
    "compute_jerk",
    "compute_qualities",
    "compute_skate",
    "compute_slip",
]

FloatArray = NDArray[np.float64]

CHANGEOVER = 0.25
"""Share of the steps between frames in which the feet are nearest in height; support changes there."""

_FEET = (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
_KNEES = (Joint.RIGHT_KNEE, Joint.LEFT_KNEE)
_HIPS = (Joint.RIGHT_HIP, Joint.LEFT_HIP)
_MEDIAN_STEPS = 200
_NEAREST = 1e-9  # body heights a second: a point this near to the median keeps a finite weight


class Quality(NamedTuple):
    """One physical figure.

    Parameters
    ----------
    compute
        Function from a gait to the figure.
    unit
        Its unit.
    meaning
        What it says.
    aim
        What is best: 0 (``low``), or what real gaits have (``real``).
    """

    compute: Callable[[Gait], float]
    unit: str
    meaning: str
    aim: Literal["low", "real"] = "real"


@dataclass(frozen=True, eq=False, slots=True)
class _Walk:
    """The feet over their ground, in body heights, right and left.

    Parameters
    ----------
    along, across, up
        (T, 2) position along the walk, across it and away from the ground, as stored.
    lift
        (T, 2) height over the ground that each foot itself walks on, seen from the root.
    support
        (T - 1, 2) whether a foot carries the body between two frames; never both.
    """

    along: FloatArray
    across: FloatArray
    up: FloatArray
    lift: FloatArray
    support: NDArray[np.bool_]

    def compute_velocity(self) -> FloatArray:
        """Compute (T - 1, 2, 2) velocities on the ground: steps, feet, coordinates."""
        return np.diff(np.stack([self.along, self.across], axis=2), axis=0) * FPS


def compute_body_height(gait: Gait) -> float:
    """Compute the length of the body from foot to head, along its bones.

    Parameters
    ----------
    gait
        One walk.

    Returns
    -------
    float
        Mean length over frames of trunk, neck and head, and of a leg (mean of both); in the unit of
        the gait. Neither pose nor bounce changes it.

    Raises
    ------
    QualityError
        If joints are missing, or the body has no length.
    """
    _refuse_missing(gait)
    height = body.compute_body_height(gait.positions)
    if not height > 0:
        raise QualityError(
            f"{_name(gait)}: the body has no length; expected joints that lie apart. "
            f"Are positions in the order (T, 16, 3)?"
        )
    return height


def compute_bone_variation(gait: Gait) -> float:
    """Compute how much bones change their length.

    Parameters
    ----------
    gait
        One walk.

    Returns
    -------
    float
        Standard deviation over frames divided by the mean, averaged over the 15 bones; 0 for a rigid
        body. Independent of travel, rotation, size and frame rate.

    Raises
    ------
    QualityError
        If joints are missing.
    """
    lengths = _compute_bone_lengths(gait)
    mean = lengths.mean(axis=0)
    # a bone that is a point in every frame does not vary
    shares = np.divide(lengths.std(axis=0), mean, out=np.zeros_like(mean), where=mean > 0)
    return float(shares.mean())


def compute_skate(gait: Gait) -> float:
    """Compute how fast the feet slide while they carry the body.

    A foot that carries the body stands still on the ground. If the root is pinned, the ground moves
    backwards under it, at the speed of the walker; if the root travels, the ground rests. Either way
    the ground has one velocity in the whole gait, and that velocity is found from the feet.

    Parameters
    ----------
    gait
        One straight walk, with or without travel.

    Returns
    -------
    float
        Mean speed of the supporting feet relative to the ground, in body heights per second.

    Raises
    ------
    QualityError
        If joints are missing, or fewer than four frames remain at 30 fps.

    Notes
    -----
    Between two frames the lower foot carries the body, over a ground that may slope along the walk
    and lie at another height for each foot. The slope is fitted to the feet while they move
    backwards relative to the root. The quarter of the steps in which the feet are nearest in height
    is left out: there one heel has risen while the other foot still swings.

    The velocity of the ground is the geometric median of the velocities of the supporting feet. No
    other constant velocity gives a lower figure, so this is the least sliding that any steady ground
    could explain. A constant slide cannot be told from walking, and counts as none.

    A pinned root hides its own sway and surges, which count as sliding of the feet: about 0.03 in
    simulated walks that do not slide. Compare gaits of one form only.
    """
    walk = _find_walk(gait)
    return float(np.mean(_compute_slide(walk)[walk.support]))


def compute_slip(gait: Gait) -> float:
    """Compute how fast the feet slide under load, as a share of how fast they move at all.

    Parameters
    ----------
    gait
        One straight walk, with or without travel.

    Returns
    -------
    float
        `compute_skate` over the mean speed of both feet relative to the same ground: 0 where nothing
        slides, about 1 where feet on the ground are as fast as lifted ones. 0 where no foot moves.

    Raises
    ------
    QualityError
        If joints are missing, or fewer than four frames remain at 30 fps.

    Notes
    -----
    Independent of the tempo. Feet that swing to and fro on the spot slide slowly, as walkers who
    hurry do; this figure tells them apart.
    """
    walk = _find_walk(gait)
    slide = _compute_slide(walk)
    mean = float(slide.mean())
    return float(slide[walk.support].mean()) / mean if mean > 0 else 0.0


def compute_ground_deviation(gait: Gait) -> float:
    """Compute how far the supporting feet stand above or below an even ground.

    Parameters
    ----------
    gait
        One straight walk, with or without travel.

    Returns
    -------
    float
        Mean distance of the supporting feet from the ground, in body heights. The ground is the
        plane, level across the walk, that comes nearest to them in the sense of least squares. One
        foot that always treads d below the other gives nearly d / 2.

    Raises
    ------
    QualityError
        If joints are missing, or fewer than four frames remain at 30 fps.

    Notes
    -----
    Feet that sink and feet that hover count alike: without a scene, nobody knows where the ground is.
    Legs that drag may have a smaller deviation than real ones; see `compute_foot_lift`.

    Where the root is pinned, the pelvis cannot rise and fall, so the ground does: about 0.004 in
    simulated walks that tread on even ground. Compare gaits of one form only.
    """
    walk = _find_walk(gait)
    along = ((walk.along[1:] + walk.along[:-1]) / 2)[walk.support]
    up = ((walk.up[1:] + walk.up[:-1]) / 2)[walk.support]
    return float(np.abs(_leave_line(along, up)).mean())


def compute_foot_lift(gait: Gait) -> float:
    """Compute how far the feet rise from the ground; legs that drag do not.

    Parameters
    ----------
    gait
        One walk, of about a cycle or more.

    Returns
    -------
    float
        Greatest less least height of each foot over the slope of its ground, seen from the root, mean
        of both, in body heights.

    Raises
    ------
    QualityError
        If joints are missing, or fewer than four frames remain at 30 fps.

    Notes
    -----
    The foot joint lies at the ankle, so the rise of the heel is part of it.
    """
    return float(np.ptp(_find_walk(gait).lift, axis=0).mean())


def compute_jerk(gait: Gait) -> float:
    """Compute how little smooth the movement of the joints is.

    Parameters
    ----------
    gait
        One walk.

    Returns
    -------
    float
        Common logarithm of the root mean square, over frames and the 15 joints other than the root,
        of the jerk relative to the root, in body heights per second cubed. One more is ten times the
        jerk; minus infinity where nothing moves.

    Raises
    ------
    QualityError
        If joints are missing, or fewer than four frames remain at 30 fps.

    Notes
    -----
    Per second, not per duration: the duration says how much was recorded, and cubed it would hide
    everything else in gaits of 18 to 75 frames. So quick walks have more of it than slow ones;
    compare gaits of one emotion.

    Third differences amplify noise with the cube of the frame rate. All gaits are therefore brought to
    30 fps, with a low-pass where that goes down.
    """
    height = compute_body_height(gait)
    positions = _pin(_to_rate(gait))[:, 1:] / height
    jerk = np.diff(positions, n=3, axis=0) * FPS**3
    square = float((jerk**2).sum(axis=2).mean())
    return float(np.log10(square)) / 2 if square > 0 else float("-inf")


def compute_qualities(gaits: Sequence[Gait]) -> FloatArray:
    """Compute every figure of every gait.

    Parameters
    ----------
    gaits
        n walks.

    Returns
    -------
    ndarray
        (n, figures) float64, columns in the order of `QUALITIES`.

    Raises
    ------
    ShapeError
        If `gaits` is a single gait.
    QualityError
        If joints are missing in a gait, or it is too short.
    """
    if isinstance(gaits, Gait):
        raise ShapeError("found one Gait where several are expected; pass a list: [gait].")
    table = np.empty((len(gaits), len(QUALITIES)))
    for row, gait in zip(table, gaits, strict=True):
        row[:] = [quality.compute(gait) for quality in QUALITIES.values()]
    return table


QUALITIES = MappingProxyType(
    {
        "bone_variation": Quality(
            compute_bone_variation,
            "share of length",
            "how much bones change their length; 0 for a body",
            "low",
        ),
        "skate": Quality(
            compute_skate,
            "body heights/s",
            "how fast feet slide while they carry the body",
        ),
        "slip": Quality(
            compute_slip,
            "share of foot speed",
            "skate over the speed of the feet; 0 for feet that stand, about 1 for feet on ice",
        ),
        "ground_deviation": Quality(
            compute_ground_deviation,
            "body heights",
            "how far supporting feet are from an even ground, above or below",
        ),
        "foot_lift": Quality(
            compute_foot_lift,
            "body heights",
            "how far feet rise from the ground; far below real gaits, legs drag",
        ),
        "jerk": Quality(
            compute_jerk,
            "log10(body heights/s³)",
            "how little smooth joints move; near real gaits is best",
        ),
    }
)
"""Every figure by its name, in the order of the columns of `compute_qualities`."""


def _name(gait: Gait) -> str:
    return f"gait {gait.name!r}" if gait.name else "gait"


def _refuse_missing(gait: Gait) -> None:
    if gait.n_missing:
        raise QualityError(
            f"{_name(gait)}: {gait.n_missing} joint positions are missing (NaN); expected none. "
            f"Fill the gaps or leave the gait out."
        )


def _compute_bone_lengths(gait: Gait) -> FloatArray:
    """Return (T, 15) lengths, in the order of `BONES`."""
    _refuse_missing(gait)
    return np.linalg.norm(compute_bone_vectors(gait.positions.astype(np.float64)), axis=2)


def _to_rate(gait: Gait) -> FloatArray:
    """Return the positions at the rate at which figures are read."""
    wide = gait.with_positions(gait.positions.astype(np.float64))
    return resample(wide, FPS).positions.astype(np.float64)


def _pin(positions: FloatArray) -> FloatArray:
    """Return positions relative to the root."""
    return positions - positions[:, :1]


def _find_walk(gait: Gait) -> _Walk:
    """Find the direction of the walk, its ground, and which foot carries the body."""
    height = compute_body_height(gait)
    stored = _to_rate(gait) / height
    pinned = _pin(stored)
    feet = pinned[:, _FEET]
    ahead = _find_ahead(pinned)
    along, across = feet[:, :, [0, 2]] @ ahead, np.array([-ahead[1], ahead[0]])
    slope, offset = _find_slope(along, feet[:, :, 1])
    cosine = 1 / np.sqrt(1 + slope**2)
    sine = slope * cosine
    lift = (feet[:, :, 1] - slope * along + np.array([0.5, -0.5]) * offset) * cosine
    level = stored[:, _FEET][:, :, [0, 2]]
    forward, upward = level @ ahead, stored[:, _FEET, 1]
    return _Walk(
        along=forward * cosine + upward * sine,
        across=level @ across,
        up=upward * cosine - forward * sine,
        lift=lift,
        support=_find_support(lift),
    )


def _find_ahead(pinned: FloatArray) -> FloatArray:
    """Return (2,) the direction of the walk in the plane of x and z, of length 1.

    The line is that on which the feet pass each other; knees bend towards its front.
    """
    hips, knees, feet = (pinned[:, joints] for joints in (_HIPS, _KNEES, _FEET))
    apart = (feet[:, 0] - feet[:, 1])[:, [0, 2]]
    ahead = np.linalg.svd(apart - apart.mean(axis=0), full_matrices=False)[2][0]
    leg = feet - hips
    length = np.maximum((leg * leg).sum(axis=2, keepdims=True), np.finfo(np.float64).tiny)
    reached = ((knees - hips) * leg).sum(axis=2, keepdims=True) / length
    bend = (knees - hips - reached * leg)[:, :, [0, 2]].mean(axis=(0, 1))
    return -ahead if bend @ ahead < 0 else ahead


def _find_slope(along: FloatArray, heights: FloatArray) -> tuple[float, float]:
    """Return the slope of the ground, and how much higher it is under the left foot.

    Least squares over all steps between frames in which a foot moves backwards relative to the root.
    Motion tells a foot that carries the body without knowing the slope, and height does not. In half
    a cycle nothing tells the slope from the left foot's height, so as many steps again are added
    that say that both feet tread on one level.
    """
    middle, height = (along[1:] + along[:-1]) / 2, (heights[1:] + heights[:-1]) / 2
    back = np.diff(along, axis=0) < 0
    n = int(back.sum())
    if not n:
        return 0.0, 0.0
    left = np.broadcast_to([-0.5, 0.5], back.shape)[back]
    design = np.zeros((n + 1, 3))
    design[:n] = np.stack([np.ones(n), middle[back] - middle[back].mean(), left], axis=1)
    design[n, 2] = 0.5 * np.sqrt(n)
    _, slope, offset = np.linalg.lstsq(design, np.append(height[back], 0.0), rcond=None)[0]
    return float(slope), float(offset)


def _find_support(lift: FloatArray) -> NDArray[np.bool_]:
    """Return (T - 1, 2) whether a foot carries the body; where it changes, neither does."""
    height = (lift[1:] + lift[:-1]) / 2
    lower = height[:, 0] - height[:, 1]
    clear = np.abs(lower) >= np.quantile(np.abs(lower), CHANGEOVER)
    return np.stack([clear & (lower <= 0), clear & (lower > 0)], axis=1)


def _compute_slide(walk: _Walk) -> FloatArray:
    """Return (T - 1, 2) speeds of the feet relative to the ground, in body heights per second."""
    velocity = walk.compute_velocity()
    return np.linalg.norm(velocity - _find_median(velocity[walk.support]), axis=2)


def _find_median(points: FloatArray) -> FloatArray:
    """Return the geometric median of (n, d) points, by Weiszfeld's iteration."""
    median = np.median(points, axis=0)
    for _ in range(_MEDIAN_STEPS):
        weights = 1 / np.maximum(np.linalg.norm(points - median, axis=1), _NEAREST)
        nearer = weights @ points / weights.sum()
        if np.linalg.norm(nearer - median) < _NEAREST:
            break
        median = nearer
    return median


def _leave_line(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return what a line fitted by least squares leaves of y."""
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    return y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
