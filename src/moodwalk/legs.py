"""How the legs of a body move: relative to the pelvis, along the way, low-passed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodwalk.body import compute_bend
from moodwalk.cycles import fit_rhythm
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.signals import low_pass
from moodwalk.skeleton import Joint

__all__ = ["LegMotion", "measure_legs"]

FloatArray = NDArray[np.float64]


LONGEST_GAP_S = 0.2

_TURN_WINDOW_S = 1.2
_TURN_DEG = 25.0  # a heading that varies by less is sway, not a turn
_TRAVEL_SHARE = 0.2  # of the feet's speed relative to the pelvis; 0.5 over ground, 0 in place
_LEAST_UPRIGHT = 0.8  # cosine; a line from the feet that leans more is a sitting body's
_LEGS = (
    Joint.ROOT,
    Joint.RIGHT_HIP,
    Joint.LEFT_HIP,
    Joint.RIGHT_KNEE,
    Joint.LEFT_KNEE,
    Joint.RIGHT_FOOT,
    Joint.LEFT_FOOT,
)
_FEET = (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
_KNEES = (
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)


@dataclass(frozen=True, eq=False, slots=True)
class LegMotion:
    """How the legs move, in axes that turn with the body.

    Parameters
    ----------
    first
        The frame of the gait that is frame 0 here: joints may be missing before.
    fps
        Frames per second.
    feet
        (T, 2, 3) right and left foot relative to the pelvis, low-passed: to the left, up, ahead.
        Ahead is what it is if the sides are what their names say.
    raw
        The same, not low-passed.
    ground
        (T, 2, 3) right and left foot in the axes of the gait, not low-passed.
    pelvis
        (T, 3) the pelvis in the axes of the gait, low-passed.
    heading
        (T,) direction of the body about the vertical, radians, 0 is +z.
    way
        (2,) unit vector, left and ahead: where the walk goes, in the turning axes.
    along
        (T, 2) right and left foot relative to the pelvis along the way, low-passed.
    speed
        Of the pelvis along the way, units a second; 0 in place.
    leg
        Length of thigh and shank, median.
    bend
        How far the knees lie ahead of the line from hip to foot, mean, as a share of the leg.
    lifted
        Correlation of a foot's height over the other one with its movement ahead: 1 forwards, -1
        backwards.
    rhythm_spm, explained, n_cycles
        The sine that comes nearest to the feet passing each other (`moodwalk.cycles.Rhythm`).
    travels
        Whether the pelvis moves over the ground.
    fixed
        Whether the root stays at one point in every frame, as no body does.
    """

    first: int
    fps: float
    feet: FloatArray
    raw: FloatArray
    ground: FloatArray
    pelvis: FloatArray
    heading: FloatArray
    way: FloatArray
    along: FloatArray
    speed: float
    leg: float
    bend: float
    lifted: float
    rhythm_spm: float
    explained: float
    n_cycles: float
    travels: bool
    fixed: bool

    @property
    def swing(self) -> float:
        """How far the feet pass each other, 5th to 95th percentile, as a share of the leg."""
        low, high = np.percentile(self.along[:, 0] - self.along[:, 1], (5, 95))
        return float(high - low) / self.leg

    @property
    def cycle_frames(self) -> float:
        """Frames of a cycle by the rhythm."""
        return 120.0 / self.rhythm_spm * self.fps


def measure_legs(gait: Gait) -> LegMotion | None:
    """Measure how the legs move relative to the pelvis.

    Parameters
    ----------
    gait
        Any recording of a body; +y is up where it travels. Gaps up to 0.2 s are bridged; of the
        stretches without longer ones the longest counts. Other joints than root, hips, knees and
        feet may be missing.

    Returns
    -------
    LegMotion or None
        None where fewer than four frames are complete, or the legs have no length.

    Notes
    -----
    Ahead is square to the mean of hip and shoulder lines, smoothed where it turns by more than 25
    degrees. A body whose root stays in place has no vertical of its own in Emotion-Gait: there, up
    is the line from the mean of both feet to the pelvis. The way is the mean travel in these axes,
    so that walking backwards or sideways and curves are followed; in place it is the line along
    which the feet pass each other, towards where the foot that is lifted goes.
    """
    found = _take_complete(gait)
    if found is None:
        return None
    first, x = found
    fps = gait.fps
    feet, pelvis = x[:, _FEET], x[:, _LEGS[:3]].mean(axis=1)
    thighs = np.linalg.norm(x[:, _LEGS[3:5]] - x[:, _LEGS[1:3]], axis=2)
    shanks = np.linalg.norm(x[:, _LEGS[5:7]] - x[:, _LEGS[3:5]], axis=2)
    leg = float(np.median(thighs) + np.median(shanks))
    if not leg > 0:
        return None
    fixed = float(np.ptp(x[:, Joint.ROOT], axis=0).max()) < 0.01 * leg
    up = np.array([0.0, 1.0, 0.0])
    if fixed:
        line = (pelvis - feet.mean(axis=1)).mean(axis=0)
        line = line / max(float(np.linalg.norm(line)), 1e-12)
        up = line if line[1] > _LEAST_UPRIGHT else up
    axes, heading = _find_axes(x, up, fps)
    raw = np.einsum("tfc,tac->tfa", feet - pelvis[:, None], axes)
    both = low_pass(np.concatenate([raw, pelvis[:, None]], axis=1), fps)
    smooth, pelvis = both[:, :2], both[:, 2]
    velocity = np.einsum("tac,tc->ta", axes, np.gradient(pelvis, axis=0))[:, [0, 2]] * fps
    course = velocity.mean(axis=0)
    apart = smooth[:, 0] - smooth[:, 1]
    rate = np.gradient(apart[:, [0, 2]], axis=0) * fps
    travels = not fixed and float(np.linalg.norm(course)) > max(
        _TRAVEL_SHARE * float(np.linalg.norm(rate, axis=1).mean()) / 2, 0.02 * leg
    )
    if travels:
        way = course / np.linalg.norm(course)
    else:
        level = apart[:, [0, 2]] - apart[:, [0, 2]].mean(axis=0)
        way = np.linalg.svd(level, full_matrices=False)[2][0]
    lifted = _correlate(apart[:, 1], rate @ way)
    if not travels and lifted < 0:
        way, lifted = -way, -lifted
    along = smooth[:, :, [0, 2]] @ way
    rhythm = fit_rhythm(along[:, 0] - along[:, 1], fps)
    bends = np.einsum("tlc,tc->tl", compute_bend(x, _KNEES), axes[:, 2])
    return LegMotion(
        first=first,
        fps=fps,
        feet=smooth,
        raw=raw,
        ground=feet,
        pelvis=pelvis,
        heading=heading,
        way=way,
        along=along,
        speed=float(course @ way) if travels else 0.0,
        leg=leg,
        bend=float(bends.mean()) / leg,
        lifted=lifted,
        rhythm_spm=rhythm.cadence_spm,
        explained=rhythm.explained,
        n_cycles=rhythm.n_cycles,
        travels=travels,
        fixed=fixed,
    )


def _take_complete(gait: Gait) -> tuple[int, FloatArray] | None:
    """Return the longest stretch in which the legs are complete, and its first frame."""
    x = gait.positions.astype(np.float64)
    missing = np.isnan(x[:, _LEGS]).any(axis=(1, 2))
    if not missing.any():
        return 0, x
    frames = np.arange(len(x))
    for joint in _LEGS:
        gone = np.isnan(x[:, joint]).any(axis=1)
        if gone.any() and not gone.all():
            seen = frames[~gone]
            after = np.searchsorted(seen, frames)
            inner = gone & (after > 0) & (after < len(seen))
            gap = seen[np.minimum(after, len(seen) - 1)] - seen[np.maximum(after - 1, 0)] - 1
            fill = inner & (gap <= LONGEST_GAP_S * gait.fps)
            for axis in range(3):
                x[fill, joint, axis] = np.interp(frames[fill], seen, x[seen, joint, axis])
    missing = np.isnan(x[:, _LEGS]).any(axis=(1, 2))
    edges = np.flatnonzero(np.diff(np.concatenate([[True], missing, [True]]).astype(np.int8)))
    runs = [(int(b - a), int(a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    length, first = max(runs, default=(0, 0))
    return (first, x[first : first + length]) if length >= MIN_FRAMES else None


def _find_axes(x: FloatArray, up: FloatArray, fps: float) -> tuple[FloatArray, FloatArray]:
    """Return (T, 3, 3), rows to the left, up and ahead, and (T,) the heading in radians."""
    across = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    across = across + np.nan_to_num(x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER])
    across = across - (across @ up)[:, None] * up
    left = _average(across, round(_TURN_WINDOW_S * fps))
    mean = across.mean(axis=0)
    if float(np.linalg.norm(mean)) < 1e-9 * float(np.abs(x).max() + 1e-300):
        mean = np.array([1.0, 0.0, 0.0])
    angle = np.unwrap(np.arctan2(left @ np.cross(up, mean), left @ mean * np.linalg.norm(up)))
    turned = float(np.degrees(np.ptp(angle))) > _TURN_DEG
    lengths = np.linalg.norm(left, axis=1)
    if not turned or not (lengths > 1e-9 * float(lengths.max())).all():
        left = np.broadcast_to(mean, left.shape)
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    ahead = np.cross(left, up)
    axes = np.stack([left, np.broadcast_to(up, left.shape), ahead], axis=1)
    return axes, np.unwrap(np.arctan2(ahead[:, 0], ahead[:, 2]))


def _average(values: FloatArray, width: int) -> FloatArray:
    """Return moving means over about `width` frames, fewer towards the ends."""
    half = max(1, min(width, len(values)) // 2)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    start, end = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (sums[end] - sums[start]) / (end - start)[:, None]


def _correlate(a: FloatArray, b: FloatArray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else 0.0
