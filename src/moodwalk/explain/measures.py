"""What a person can see in a walk, in numbers that neither size, facing nor tilt changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from moodwalk.body import REFERENCE_HEIGHT_M, compute_body_height, to_body_form
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.preprocess import FPS, resample
from moodwalk.skeleton import Joint
from moodwalk.strides import compute_gait_parameters, find_cycles

__all__ = ["MEASURES", "Measure", "WalkMeasures", "measure_walk"]

FloatArray = NDArray[np.float64]

_SHOULDERS = (Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER)
_ELBOWS = (Joint.RIGHT_ELBOW, Joint.LEFT_ELBOW)
_HANDS = (Joint.RIGHT_HAND, Joint.LEFT_HAND)
_HIPS = (Joint.RIGHT_HIP, Joint.LEFT_HIP)
_KNEES = (Joint.RIGHT_KNEE, Joint.LEFT_KNEE)
_FEET = (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
_OUTWARDS = np.array([-1.0, 1.0])  # the right side lies at -x
_TURN_RAD = np.radians(25.0)  # a heading that varies by less is sway, not a turn
_TURN_WINDOW_S = 1.2
_MOST_CYCLES = 60


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that can be seen in a walk.

    Parameters
    ----------
    name
        For tables and JSON.
    unit
        ``steps/min``, ``body heights``, ``deg`` or ``body heights/s``. A body height reaches from the
        foot joint to the head joint along the bones.
    description
        What is measured.
    subject, more, less
        Words: "arms swing", "more", "less".
    change
        Whether a difference is told in percent or in the unit itself, as for angles, whose zero is
        arbitrary.
    bound
        Whether the value depends on where a source puts its joints as much as on the walker. It is then
        compared with the walker's own walk only, never with a population.
    compute
        From (T, 16, 3) positions in the body form over body height, at `moodwalk.preprocess.FPS`. None
        for what comes from the steps.
    """

    name: str
    unit: str
    description: str
    subject: str
    more: str
    less: str
    change: Literal["percent", "difference"]
    bound: bool
    compute: Callable[[FloatArray], float] | None


@dataclass(frozen=True, slots=True)
class WalkMeasures:
    """The measures of one walk.

    Parameters
    ----------
    values
        By name, in the order of `MEASURES`; a measure that the walk does not show is left out.
    spreads
        Standard deviation from cycle to cycle, where three cycles or more were seen.
    n_cycles
        How many cycles were measured one by one; 0 where the walk was taken as a whole.
    """

    values: Mapping[str, float]
    spreads: Mapping[str, float]
    n_cycles: int


def measure_walk(gait: Gait) -> WalkMeasures:
    """Measure a walk.

    Parameters
    ----------
    gait
        A walk of about a cycle or more; any size, facing, tilt, travel and frame rate.

    Returns
    -------
    WalkMeasures
        Empty where no cadence can be found: whoever does not walk has no gait words.

    Raises
    ------
    QualityError
        If joints are missing, or the joints are no body.

    Notes
    -----
    Cycles that are seen whole are measured one by one and averaged, 60 at most; a walk of about one cycle
    is measured as a whole, which makes ranges of a walk shorter than a cycle too small. Ranges reach
    from the 5th to the 95th percentile over frames. Joint positions are relative to the root, in
    axes taken from the body itself; curves are straightened.
    """
    parameters = compute_gait_parameters(gait)
    if parameters.cadence_spm is None:
        return WalkMeasures({}, {}, 0)
    height = compute_body_height(gait.positions)
    steps = {
        "cadence": parameters.cadence_spm,
        "step_length": _over(parameters.step_length_m, height),
        "step_width": _over(parameters.step_width_m, height),
    }
    body = to_body_form(resample(_straighten(gait), FPS))
    x = body.positions.astype(np.float64) / REFERENCE_HEIGHT_M
    ratio = FPS / gait.fps
    bounds = [
        (round(start * ratio), round(end * ratio))
        for start, end in find_cycles(gait)[:_MOST_CYCLES]
    ]
    bounds = [(a, b) for a, b in bounds if b - a >= MIN_FRAMES and b <= len(x)]
    whole = len(bounds) < 2
    pieces = [x] if whole else [x[a:b] for a, b in bounds]
    columns: dict[str, FloatArray] = {
        measure.name: np.array([measure.compute(piece) for piece in pieces])
        for measure in MEASURES
        if measure.compute is not None
    }
    values = {**steps, **{name: float(column.mean()) for name, column in columns.items()}}
    spreads: dict[str, float] = {}
    if len(pieces) >= 3:
        columns["cadence"] = np.array([120 * FPS / (b - a) for a, b in bounds])
        spreads = {name: float(column.std(ddof=1)) for name, column in columns.items()}
    return WalkMeasures(
        {m.name: v for m in MEASURES if (v := values[m.name]) is not None and np.isfinite(v)},
        spreads,
        0 if whole else len(pieces),
    )


def _over(length: float | None, height: float) -> float | None:
    return None if length is None else length / height


def _straighten(gait: Gait) -> Gait:
    """Turn every frame of a curved walk about the vertical, so that the body faces one way."""
    x = gait.positions.astype(np.float64)
    across = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    across = across + x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER]
    # over about a cycle, in which hips and shoulders swing to and fro
    width = min(max(1, round(_TURN_WINDOW_S * gait.fps)), len(x))
    padded = np.pad(across, ((width // 2, width - 1 - width // 2), (0, 0)), mode="edge")
    sums = np.concatenate([np.zeros((1, 3)), np.cumsum(padded, axis=0)])
    left = sums[width:] - sums[:-width]
    heading = np.unwrap(np.arctan2(-left[:, 2], left[:, 0]))
    if float(np.ptp(heading)) < _TURN_RAD:
        return gait
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    x = x - x[:, : Joint.ROOT + 1]
    turned = np.stack(
        [x[..., 0] * cos - x[..., 2] * sin, x[..., 1], x[..., 0] * sin + x[..., 2] * cos], axis=-1
    )
    return gait.with_positions(turned)


def _range(values: FloatArray) -> float:
    """Return the range from the 5th to the 95th percentile along time, mean over the rest."""
    low, high = np.percentile(values, (5, 95), axis=0)
    return float(np.mean(high - low))


def _angle_deg(u: FloatArray, v: FloatArray) -> FloatArray:
    size = np.linalg.norm(np.cross(u, v), axis=-1)
    return np.degrees(np.arctan2(size, (u * v).sum(axis=-1)))


def _forward_deg(u: FloatArray) -> FloatArray:
    """Return how far vectors point ahead of upright."""
    return np.degrees(np.arctan2(u[..., 2], u[..., 1]))


def _compute_arm_swing(x: FloatArray) -> float:
    return _range((x[:, _HANDS] - x[:, _SHOULDERS])[..., 2])


def _compute_hand_speed(x: FloatArray) -> float:
    # over two frames, which takes the edge off the noise of video
    hands = x[:, _HANDS] - x[:, _SHOULDERS]
    return float(np.linalg.norm(hands[2:] - hands[:-2], axis=-1).mean()) * FPS / 2


def _compute_shoulder_turn(x: FloatArray) -> float:
    across = [x[:, left] - x[:, right] for right, left in (_SHOULDERS, _HIPS)]
    shoulders, hips = (np.unwrap(np.arctan2(u[:, 2], u[:, 0])) for u in across)
    return float(np.degrees(_range(shoulders - hips)))


def _compute_sway(x: FloatArray) -> float:
    trunk = x[:, Joint.NECK] - x[:, Joint.ROOT]
    return _range(np.degrees(np.arctan2(trunk[:, 0], trunk[:, 1])))


def _compute_bounce(x: FloatArray) -> float:
    return _range(x[:, Joint.ROOT, 1] - x[:, _FEET, 1].min(axis=1))


def _compute_foot_lift(x: FloatArray) -> float:
    return _range(x[:, _FEET, 1])


def _compute_knee_bend(x: FloatArray) -> float:
    bend = _angle_deg(x[:, _KNEES] - x[:, _HIPS], x[:, _FEET] - x[:, _KNEES])
    return float(np.percentile(bend, 95, axis=0).mean())


def _compute_head_nod(x: FloatArray) -> float:
    return _range(_head_bow(x))


def _compute_elbow_bend(x: FloatArray) -> float:
    bend = _angle_deg(x[:, _ELBOWS] - x[:, _SHOULDERS], x[:, _HANDS] - x[:, _ELBOWS])
    return float(bend.mean())


def _compute_hands_out(x: FloatArray) -> float:
    return float(((x[:, _HANDS] - x[:, _SHOULDERS])[..., 0] * _OUTWARDS).mean())


def _compute_hands_up(x: FloatArray) -> float:
    return float((x[:, _HANDS] - x[:, _SHOULDERS])[..., 1].mean())


def _compute_head_bow(x: FloatArray) -> float:
    return float(_head_bow(x).mean())


def _compute_trunk_lean(x: FloatArray) -> float:
    return float(_forward_deg(x[:, Joint.NECK] - x[:, Joint.ROOT]).mean())


def _head_bow(x: FloatArray) -> FloatArray:
    trunk, head = x[:, Joint.NECK] - x[:, Joint.ROOT], x[:, Joint.HEAD] - x[:, Joint.NECK]
    return np.degrees(np.unwrap(np.radians(_forward_deg(head) - _forward_deg(trunk))))


# fmt: off
MEASURES: tuple[Measure, ...] = (
    Measure("cadence", "steps/min", "steps a minute",
            "steps", "quicker", "slower", "percent", False, None),
    Measure("step_length", "body heights", "length of a step",
            "steps", "longer", "shorter", "percent", False, None),
    Measure("step_width", "body heights", "distance of the feet across the way",
            "feet", "wider apart", "closer together", "percent", True, None),
    Measure("arm_swing", "body heights", "range of the hands forwards and back, relative to the shoulders",
            "arms swing", "more", "less", "percent", False, _compute_arm_swing),
    Measure("hand_speed", "body heights/s", "speed of the hands relative to the shoulders",
            "hands move", "faster", "slower", "percent", False, _compute_hand_speed),
    Measure("shoulder_turn", "deg", "range of the turn of the shoulders against the hips",
            "shoulders turn", "more", "less", "percent", False, _compute_shoulder_turn),
    Measure("trunk_sway", "deg", "range of the trunk's lean from side to side",
            "trunk sways", "more", "less", "percent", True, _compute_sway),
    Measure("bounce", "body heights", "range of the root's height over the lower foot",
            "body bounces", "more", "less", "percent", True, _compute_bounce),
    Measure("foot_lift", "body heights", "range of the feet's height",
            "feet rise", "higher", "less high", "percent", True, _compute_foot_lift),
    Measure("knee_bend", "deg", "bend of the knees where it is greatest",
            "knees bend", "more", "less", "difference", True, _compute_knee_bend),
    Measure("head_nod", "deg", "range of the head's bow",
            "head nods", "more", "less", "percent", True, _compute_head_nod),
    Measure("elbow_bend", "deg", "mean bend of the elbows",
            "elbows bent", "more", "less", "difference", True, _compute_elbow_bend),
    Measure("hands_out", "body heights", "distance of the hands outwards from the shoulders",
            "hands held", "farther out", "closer in", "difference", True, _compute_hands_out),
    Measure("hands_up", "body heights", "height of the hands relative to the shoulders",
            "hands held", "higher", "lower", "difference", True, _compute_hands_up),
    Measure("head_bow", "deg", "angle of the head ahead of the trunk's line",
            "head bowed", "more", "less", "difference", True, _compute_head_bow),
    Measure("trunk_lean", "deg", "angle of the trunk ahead of the line of the legs",
            "trunk leans", "farther ahead", "farther back", "difference", True, _compute_trunk_lean),
)
# fmt: on
"""All that is compared.

Bound is a measure of which, in the 342 real gaits, the recording's source explains more than four times as
much variance (within emotions) as emotion does (``benchmarks/explanation.py``).
"""
