"""The frame of a recording, found from the motion itself: up, unit, facing, sides, course.

A source may lie on any axes, in any unit. The body says which: the head is above the feet, people
are between a child's and a giant's height, knees bend forwards, elbows backwards, toes point ahead, and
the foot that carries the body moves back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodwalk.body import compute_body_height, find_body_axes
from moodwalk.errors import QualityError
from moodwalk.recording import Finding
from moodwalk.skeleton import Joint

__all__ = ["UNITS", "WalkFrame", "find_frame"]

FloatArray = NDArray[np.float64]

UNITS: tuple[tuple[str, float], ...] = (
    ("m", 1.0),
    ("cm", 0.01),
    ("mm", 0.001),
    ("dm", 0.1),
    ("ft", 0.3048),
    ("in", 0.0254),
    ("CMU unit (1/0.45 in)", 0.0254 / 0.45),
)
"""(name, metres), the likely ones first."""

TYPICAL_HEIGHT_M = 1.5
"""From ankle to head joint along the bones, for somebody 1.7 m tall."""

PLAUSIBLE_HEIGHT_M = (0.75, 2.1)
"""Of the same length: from a child of three to a giant."""

LARGEST_LEAN_DEG = 30.0
"""A body that leans more off every axis stands on none of them, or the camera is tilted."""

TURNING_DEG = 60.0
"""A walk whose heading changes by more turns."""

_LEAST_SPEED = 0.15  # body heights a second; who is slower walks in place
_HEADING_S = 1.0  # about a gait cycle, over which the sway of hips and shoulders evens out
_LEAST_VOTE = 1e-9
_LEAST_WIDTH = 0.03  # of hips and shoulders together, in body heights; people have about 0.3


@dataclass(frozen=True, eq=False, slots=True)
class WalkFrame:
    """From the axes and unit of a source to metres, +y up, +z ahead.

    Parameters
    ----------
    rotation
        (3, 3); ``points @ rotation.T`` lies on the new axes. Never a reflection.
    unit_m
        Metres in a unit of the source.
    swapped
        Whether what is called right is left, or the axes are left-handed: the two look the same.
    course
        ``forward``, ``backward``, ``sideways``, ``in place`` or ``turning``.
    findings
        All of it, with evidence and confidence.
    """

    rotation: FloatArray
    unit_m: float
    swapped: bool
    course: str
    findings: tuple[Finding, ...]

    def apply(self, points: FloatArray) -> FloatArray:
        """Bring (..., 3) points of the source to metres on the axes of a `Gait`."""
        return self.unit_m * points @ self.rotation.T


def find_frame(
    positions: FloatArray,
    fps: float,
    *,
    extras: Mapping[str, FloatArray] | None = None,
    unit_m: float | None = None,
    up: str | None = None,
) -> WalkFrame:
    """Find the frame of a walk.

    Parameters
    ----------
    positions
        (T, 16, 3) on the axes and in the unit of the source, without NaN.
    fps
        Frames per second.
    extras
        (T, 3) each: ``right_toe`` and ``left_toe``, where the source has them.
    unit_m, up
        What the source says of itself, or None. It is believed unless the body contradicts it.

    Raises
    ------
    QualityError
        If the joints form no body that stands.
    """
    up_vector, up_finding = _find_up(positions, up)
    unit, unit_finding = _find_unit(positions, unit_m)
    first, heading = _find_heading(positions, up_vector, fps)
    root = positions[:, :1]
    straight = _turn_about(positions - root, up_vector, -heading)
    toes = {
        name: _turn_about(points[:, None] - root, up_vector, -heading)[:, 0]
        for name, points in (extras or {}).items()
        if name.endswith("_toe")
    }
    swapped, side_finding = _find_sides(straight, toes, up_vector)
    # all frames' directions ahead; a swapped body faces where its names say is behind
    facing = _turn_about(
        np.broadcast_to(-first if swapped else first, (len(positions), 1, 3)), up_vector, heading
    )[:, 0]
    course, course_finding = _find_course(positions, fps, up_vector, facing, heading)
    ahead = facing.mean(axis=0)
    size = float(np.linalg.norm(ahead))
    ahead = (
        ahead / size if size > 0.1 else facing[0]
    )  # who walks in circles faces no way on average
    rotation = np.stack([np.cross(up_vector, ahead).astype(np.float64), up_vector, ahead])
    findings = (up_finding, unit_finding, side_finding, course_finding)
    return WalkFrame(rotation, unit, swapped, course, findings)


def _find_up(x: FloatArray, declared: str | None) -> tuple[FloatArray, Finding]:
    """Return the direction up: an axis, or where the body leans off all of them, the body's own."""
    feet = x[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT]].mean(axis=1)
    mean = (_unit(x[:, Joint.HEAD] - feet) + _unit(x[:, Joint.ROOT] - feet)).mean(axis=0) / 2
    length = float(np.linalg.norm(mean))
    if not length > 0.5:
        raise QualityError(
            "the head is not on one side of the feet; expected a body that stands. "
            "Are the joints where they should be?"
        )
    mean = mean / length
    best = int(np.abs(mean).argmax())
    vector = np.zeros(3)
    vector[best] = np.sign(mean[best])
    name = ("+" if vector[best] > 0 else "-") + "xyz"[best]
    lean = float(np.degrees(np.arccos(np.clip(mean @ vector, -1.0, 1.0))))
    evidence = f"the body leans {lean:.0f} degrees off it on average"
    if declared is not None:
        said = np.zeros(3)
        said["xyz".index(declared[1])] = 1.0 if declared[0] == "+" else -1.0
        off = float(np.degrees(np.arccos(np.clip(mean @ said, -1.0, 1.0))))
        if off <= 2 * LARGEST_LEAN_DEG:
            evidence = f"the source says so; the body leans {off:.0f} degrees off it on average"
            return said, Finding("up axis", declared, 1.0, evidence)
        evidence += f", though the source says {declared}"
    if lean > LARGEST_LEAN_DEG:
        value = f"the line of the body, {lean:.0f} degrees off {name}"
        return mean, Finding("up axis", value, 0.3, evidence)
    return vector, Finding("up axis", name, round(1 - lean / (2 * LARGEST_LEAN_DEG), 2), evidence)


def _find_unit(x: FloatArray, declared: float | None) -> tuple[float, Finding]:
    """Return metres in a unit of the source; where none fits, so that the body has a usual height."""
    height = compute_body_height(x)
    if not height > 0:
        raise QualityError("the body has no length; expected joints that lie apart.")
    low, high = PLAUSIBLE_HEIGHT_M
    doubt = ""
    if declared is not None:
        said = next((name for name, m in UNITS if np.isclose(m, declared)), f"{declared:g} m")
        if low <= height * declared <= high:
            evidence = f"the source says so; ankle to head measures {height * declared:.2f} m"
            return declared, Finding("unit", said, 1.0, evidence)
        doubt = f", though the source says {said}"
    off = [abs(float(np.log(height * metres / TYPICAL_HEIGHT_M))) for _, metres in UNITS]
    best = int(np.argmin(off))
    name, metres = UNITS[best]
    if low <= height * metres <= high:
        confidence = max(0.1, 0.95 - 1.5 * off[best]) * (0.5 if doubt else 1.0)
        evidence = f"so ankle to head measures {height * metres:.2f} m{doubt}"
        return metres, Finding("unit", name, round(confidence, 2), evidence)
    evidence = f"in no usual unit is this body as high as a person; scaled to one of 1.7 m{doubt}"
    return TYPICAL_HEIGHT_M / height, Finding("unit", "unknown", 0.0, evidence)


def _find_heading(x: FloatArray, up: FloatArray, fps: float) -> tuple[FloatArray, FloatArray]:
    """Return the direction ahead in frame 0, by the names of the sides, and (T,) its turns since, in radians."""
    across = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    across = across + x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER]
    left = _smooth(across - (across @ up)[:, None] * up, round(_HEADING_S * fps))
    if not (np.linalg.norm(left, axis=1) > _LEAST_WIDTH * compute_body_height(x)).all():
        raise QualityError(
            "hips and shoulders show no left and right; expected a body in three dimensions. "
            "Is the recording flat (2-D), or are joints mixed up?"
        )
    ahead = np.cross(_unit(left), up)
    first = ahead[0]
    return first, np.unwrap(np.arctan2(ahead @ np.cross(up, first), ahead @ first))


def _find_sides(
    straight: FloatArray, toes: Mapping[str, FloatArray], up: FloatArray
) -> tuple[bool, Finding]:
    """Return whether sides seem swapped, from knees, elbows, feet and toes of the straightened walk."""
    axes = find_body_axes(straight)
    votes: dict[str, float] = dict(zip(("knees", "elbows", "feet"), axes.votes, strict=True))
    if toes:
        ahead = np.cross(axes.left, up)
        pointing = [
            float(
                np.nanmean((tip - straight[:, Joint[f"{name.split('_')[0].upper()}_FOOT"]]) @ ahead)
            )
            for name, tip in toes.items()
            if not np.isnan(tip).all()
        ]
        votes["toes"] = sum(pointing)
    names_right = [name for name, vote in votes.items() if vote > _LEAST_VOTE]
    names_wrong = [name for name, vote in votes.items() if vote < -_LEAST_VOTE]
    # toes point ahead whatever the walk; a person may walk backwards, or keep the arms straight
    right = len(names_right) + ("toes" in names_right)
    wrong = len(names_wrong) + ("toes" in names_wrong)
    swapped = wrong > right
    if not right + wrong:
        return False, Finding("sides", "as named", 0.0, "nothing tells")
    value = "swapped, or the axes are left-handed" if swapped else "as named"
    agreeing, others = (names_wrong, names_right) if swapped else (names_right, names_wrong)
    evidence = f"by {', '.join(agreeing)}" + (f", against {', '.join(others)}" if others else "")
    return swapped, Finding(
        "sides", value, round(abs(right - wrong) / (right + wrong), 2), evidence
    )


def _find_course(
    x: FloatArray, fps: float, up: FloatArray, facing: FloatArray, heading: FloatArray
) -> tuple[str, Finding]:
    """Return how the walker goes, relative to the way the body faces."""
    height = compute_body_height(x)
    root = x[:, Joint.ROOT]
    steps = np.diff(_smooth(root - (root @ up)[:, None] * up, round(_HEADING_S * fps)), axis=0)
    speed = float(np.linalg.norm(steps, axis=1).mean()) * fps / height
    turn = float(np.degrees(np.ptp(heading)))
    turning = f", turning by {turn:.0f} degrees" if turn > TURNING_DEG else ""
    if speed < _LEAST_SPEED:
        evidence = f"{speed:.2f} body heights a second"
        finding = Finding("course", f"in place{turning}", 0.9, evidence)
        return "turning" if turning else "in place", finding
    along = float((steps * facing[1:]).sum())
    across = float((steps * np.cross(up, facing[1:])).sum())
    off = abs(float(np.degrees(np.arctan2(across, along))))
    going = "forward" if off < 45 else "backward" if off > 135 else "sideways"
    nearest = {"forward": 0, "sideways": 90, "backward": 180}[going]
    confidence = round(1 - abs(off - nearest) / 45, 2)
    evidence = f"travel is {off:.0f} degrees off the way the body faces"
    return "turning" if turning else going, Finding(
        "course", f"{going}{turning}", confidence, evidence
    )


def _turn_about(points: FloatArray, axis: FloatArray, angles: FloatArray) -> FloatArray:
    """Turn (T, J, 3) points about an axis, frame t by angles[t] (Rodrigues' formula)."""
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    along = (points @ axis)[..., None] * axis
    return points * cosine + np.cross(axis, points) * sine + along * (1 - cosine)


def _smooth(values: FloatArray, width: int) -> FloatArray:
    """Return moving means over about `width` frames, fewer towards the ends."""
    half = min(width, len(values)) // 2
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    frames = np.arange(len(values))
    start, end = np.maximum(frames - half, 0), np.minimum(frames + half + 1, len(values))
    return (sums[end] - sums[start]) / (end - start)[:, None]


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
