"""Writing a gait as BVH: rigid bones and rotations for everybody, exact positions for those who read them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.gait import MAX_FRAMES, Gait
from moodwalk.io.atomic import write_whole
from moodwalk.io.bvh import FPS_LIMITS, Axes, turn_axes
from moodwalk.skeleton import BONES, Joint

__all__ = ["write_bvh"]

FloatArray = NDArray[np.float64]

_MAX_M = 1e6  # from parent to child, in centimetres, that is less than a reader takes
_CM_PER_M = 100.0
_DECIMALS = 6

_REST = {
    Joint.SPINE: (0.0, 1.0, 0.0),
    Joint.NECK: (0.0, 1.0, 0.0),
    Joint.HEAD: (0.0, 1.0, 0.0),
    Joint.RIGHT_SHOULDER: (-1.0, 0.0, 0.0),
    Joint.RIGHT_ELBOW: (-1.0, 0.0, 0.0),
    Joint.RIGHT_HAND: (-1.0, 0.0, 0.0),
    Joint.LEFT_SHOULDER: (1.0, 0.0, 0.0),
    Joint.LEFT_ELBOW: (1.0, 0.0, 0.0),
    Joint.LEFT_HAND: (1.0, 0.0, 0.0),
    Joint.RIGHT_HIP: (-1.0, 0.0, 0.0),
    Joint.RIGHT_KNEE: (0.0, -1.0, 0.0),
    Joint.RIGHT_FOOT: (0.0, -1.0, 0.0),
    Joint.LEFT_HIP: (1.0, 0.0, 0.0),
    Joint.LEFT_KNEE: (0.0, -1.0, 0.0),
    Joint.LEFT_FOOT: (0.0, -1.0, 0.0),
}
"""Directions from parents in the T-pose, which tools take for the rest."""

_PARENT = {child: parent for parent, child in BONES}
_CHILDREN = {joint: [child for parent, child in BONES if parent == joint] for joint in Joint}
_WRITTEN = "Xposition Yposition Zposition Zrotation Xrotation Yrotation"


def write_bvh(path: str | Path, gait: Gait) -> None:
    """Write one gait as BVH, in centimetres, whole or not at all.

    Parameters
    ----------
    path
        The file; missing folders are made. One that was there is replaced.
    gait
        The walk; no joint may be missing. Joints are called ``root``, ``right_hip`` and so on.

    Raises
    ------
    DataFormatError
        If a joint is missing in a frame, BVH cannot hold the gait, or the file cannot be written.

    Notes
    -----
    Centimetres, 100 to a metre, are what most programs take BVH to be in. Every joint has position
    channels beside its rotations, so that programs that honour them (moodwalk, Blender, bvhio) get
    the very positions, to 1e-7 m. Those that do not get rigid bones of mean length, turned in every
    frame as fits best: a joint with several children so that the squared distances of the children are
    least (Kabsch), one with a single child by the smallest rotation. Label and subject are not
    written.

    References
    ----------
    .. [1] Kabsch (1976), A solution for the best rotation to relate two sets of vectors,
       10.1107/S0567739476001873.
    """
    path = Path(path)
    positions = _check_gait(path, gait)
    offsets, rotations = _fit_bones(positions)
    rows = _find_channels(positions, rotations)
    row = " ".join([f"%.{_DECIMALS}f"] * rows.shape[1]) + "\n"
    with write_whole(path) as temporary, temporary.open("w", encoding="ascii", newline="") as file:
        file.write("HIERARCHY\n")
        file.writelines(f"{line}\n" for line in _format_joint(Joint.ROOT, offsets))
        file.write(f"MOTION\nFrames: {len(rows)}\nFrame Time: {1 / gait.fps!r}\n")
        for values in rows:
            file.write(row % tuple(values.tolist()))


def _check_gait(path: Path, gait: Gait) -> FloatArray:
    """Return the positions in centimetres."""
    positions = gait.positions.astype(np.float64)
    missing = np.isnan(positions).any(axis=2)
    name = f" {gait.name!r}" if gait.name else ""
    if missing.any():
        frame, joint = np.argwhere(missing)[0].tolist()
        raise DataFormatError(
            f"{path}: gait{name} misses {Joint(joint).name.lower()} in frame {frame}; expected every "
            f"joint, since BVH cannot leave one out. Fill the gaps, or write CSV, NPZ or Parquet."
        )
    if len(positions) > MAX_FRAMES:
        raise DataFormatError(
            f"{path}: gait{name} has {len(positions):,} frames; expected at most {MAX_FRAMES:,}. Cut it."
        )
    low, high = FPS_LIMITS
    if not low <= gait.fps <= high:
        raise DataFormatError(
            f"{path}: gait{name} has {gait.fps:g} frames a second; expected {low:g} to {high:g}."
        )
    if (farthest := np.abs(positions).max()) > _MAX_M:
        raise DataFormatError(
            f"{path}: gait{name} has a joint at {farthest:g} m; expected at most {_MAX_M:g}. Is it in "
            f"metres?"
        )
    return positions * _CM_PER_M


def _fit_bones(positions: FloatArray) -> tuple[dict[Joint, FloatArray], FloatArray]:
    """Return mean bones in the T-pose, and the rotations (T, 16, 3, 3) that fit them best."""
    bones = {child: positions[:, child] - positions[:, parent] for parent, child in BONES}
    lengths = {joint: np.linalg.norm(bone, axis=1).mean() for joint, bone in bones.items()}
    offsets = {joint: length * np.array(_REST[joint]) for joint, length in lengths.items()}
    rotations = np.tile(np.eye(3), (len(positions), len(Joint), 1, 1))
    for joint in Joint:
        children = _CHILDREN[joint]
        above = rotations[:, _PARENT.get(joint, joint)]
        if len(children) > 1:
            found = np.stack([bones[child] for child in children], axis=1)
            rest = np.stack([offsets[child] for child in children])
            for _ in range(3):  # to the arrangement of the children in this body
                turns = _fit_rotations(rest, found)
                rest = np.einsum("tji,tcj->ci", turns, found) / len(found)
                rest *= [
                    [lengths[child] / max(float(np.linalg.norm(bone)), 1e-12)]
                    for child, bone in zip(children, rest, strict=True)
                ]
            rotations[:, joint] = _fit_rotations(rest, found)
            offsets.update(zip(children, rest, strict=True))
        elif children:
            seen = np.einsum("tji,tj->ti", above, bones[children[0]])
            rotations[:, joint] = above @ _turn_least(np.array(_REST[children[0]]), seen)
        else:
            rotations[:, joint] = above
    return offsets, rotations


def _fit_rotations(rest: FloatArray, found: FloatArray) -> FloatArray:
    """Return (T, 3, 3) that turn vectors (C, 3) into (T, C, 3) with the least squared error."""
    left, _, right = np.linalg.svd(np.einsum("tci,cj->tij", found, rest))
    mirrored = np.linalg.det(left @ right) < 0
    left[mirrored, :, 2] *= -1
    return left @ right


def _turn_least(rest: FloatArray, found: FloatArray) -> FloatArray:
    """Return (T, 3, 3) that turn a unit vector (3,) into the directions of (T, 3), by least angles."""
    length = np.linalg.norm(found, axis=1, keepdims=True)
    goal = np.divide(found, length, out=np.tile(rest, (len(found), 1)), where=length > 1e-9)
    # half a turn about the first, then half a turn about the middle of both
    half = rest + goal
    size = np.linalg.norm(half, axis=1, keepdims=True)
    side = np.roll(rest, 1)  # at right angles, since vectors at rest lie along axes
    half = np.where(size > 1e-9, half / np.maximum(size, 1e-9), side)
    about_half = 2 * np.einsum("ti,tj->tij", half, half) - np.eye(3)
    return about_half @ (2 * np.outer(rest, rest) - np.eye(3))


def _find_channels(positions: FloatArray, rotations: FloatArray) -> FloatArray:
    """Return rows (T, 96) of positions and angles, rounded as they will be written."""
    rows = np.empty((len(positions), len(Joint), 6))
    above = np.tile(np.eye(3), (len(positions), 1, 1))
    turned: dict[Joint, FloatArray] = {}
    for joint in Joint:
        local = positions[:, joint]
        if joint in _PARENT:
            # as a reader will find it, so that rounded angles move nothing
            above = turned[_PARENT[joint]]
            local = np.einsum("tji,tj->ti", above, local - positions[:, _PARENT[joint]])
        angles = _find_angles(above.transpose(0, 2, 1) @ rotations[:, joint])
        angles = np.round(np.unwrap(angles, period=360, axis=0), _DECIMALS)
        rows[:, joint] = np.concatenate([local, angles], axis=1)
        axes: Axes = above[:, :, 0].T, above[:, :, 1].T, above[:, :, 2].T
        for axis, degrees in zip((2, 0, 1), angles.T, strict=True):
            axes = turn_axes(axes, axis, degrees)
        turned[joint] = np.stack(axes, axis=1).transpose(2, 0, 1)
    return np.round(rows.reshape(len(rows), -1), _DECIMALS) + 0.0  # no -0


def _find_angles(rotations: FloatArray) -> FloatArray:
    """Return degrees (T, 3) about z, x and y, in this order, each about the axes as turned before."""
    r = rotations
    sine = np.clip(r[:, 2, 1], -1.0, 1.0)
    x = np.arcsin(sine)
    # where x is a right angle, z and y turn about one line: all of it is z's
    locked = np.abs(sine) > 1 - 1e-12
    z = np.arctan2(
        np.where(locked, r[:, 1, 0], -r[:, 0, 1]), np.where(locked, r[:, 0, 0], r[:, 1, 1])
    )
    y = np.where(locked, 0.0, np.arctan2(-r[:, 2, 0], r[:, 2, 2]))
    return np.degrees(np.stack([z, x, y], axis=1))


def _format_joint(joint: Joint, offsets: Mapping[Joint, FloatArray]) -> list[str]:
    """Return the lines of a joint and all below it; a limb ends where its last joint lies."""
    values = np.round(offsets.get(joint, np.zeros(3)), _DECIMALS) + 0.0  # no -0
    offset = " ".join(f"{value:.{_DECIMALS}f}" for value in values)
    children = [
        f"  {line}" for child in _CHILDREN[joint] for line in _format_joint(child, offsets)
    ] or ["  End Site", "  {", "    OFFSET 0 0 0", "  }"]
    return [
        f"{'JOINT' if joint in _PARENT else 'ROOT'} {joint.name.lower()}",
        "{",
        f"  OFFSET {offset}",
        f"  CHANNELS 6 {_WRITTEN}",
        *children,
        "}",
    ]
