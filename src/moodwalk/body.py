"""The body's own frame and size, found from the body alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint

__all__ = [
    "ARMS",
    "LEGS",
    "REFERENCE_HEIGHT_M",
    "BodyAxes",
    "compute_bend",
    "compute_body_height",
    "find_body_axes",
    "to_body_form",
]

FloatArray = NDArray[np.float64]

REFERENCE_HEIGHT_M = 1.6
"""From foot to head joint along the bones, of everybody in the body form: a grown person's."""

LEGS = (
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)
ARMS = (
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_HAND),
)
_LEAST_WIDTH = 0.03  # hips and shoulders together, of the height; people have about 0.3
_FEET = [Joint.RIGHT_FOOT, Joint.LEFT_FOOT]


class BodyAxes(NamedTuple):
    """Directions of a body, as unit vectors in the axes of its positions.

    Parameters
    ----------
    left
        From the right side to the left one, mean of hips and shoulders.
    up
        From the middle of the feet to the root, across `left`.
    ahead
        Left x up: the way the body faces if its sides are what their names say.
    votes
        How far ahead, in body heights, knees bend, how far behind elbows do, and how fast, in body
        heights a frame, the lower foot moves back. Of a walker whose sides and axes are right all
        three are positive, or zero where nothing bends or moves.
    """

    left: FloatArray
    up: FloatArray
    ahead: FloatArray
    votes: tuple[float, float, float]

    @property
    def swapped(self) -> bool:
        """Whether the body moves as a mirror image, or with exchanged sides, would: two votes of three."""
        return sum(vote < -1e-9 for vote in self.votes) >= 2


def compute_body_height(positions: NDArray[np.floating]) -> float:
    """Compute the length of the body from foot to head, along its bones.

    Parameters
    ----------
    positions
        (T, 16, 3).

    Returns
    -------
    float
        Mean length over frames of trunk, neck and head, and of a leg (mean of both), in the unit of the
        positions; NaN if a joint is missing in every frame. Neither pose nor bounce changes it.
    """
    parents = [parent for parent, _ in BONES]
    children = [child for _, child in BONES]
    wide = positions.astype(np.float64)
    lengths = np.linalg.norm(wide[:, children] - wide[:, parents], axis=2)
    present = ~np.isnan(lengths)
    n_present = present.sum(axis=0)
    sums = np.where(present, lengths, 0.0).sum(axis=0)
    means = np.divide(sums, n_present, out=np.full(len(BONES), np.nan), where=n_present > 0)
    length = dict(zip(children, means.tolist(), strict=True))
    trunk = length[Joint.SPINE] + length[Joint.NECK] + length[Joint.HEAD]
    return trunk + sum(length[joint] for leg in LEGS for joint in leg[1:]) / 2


def find_body_axes(positions: NDArray[np.floating]) -> BodyAxes:
    """Find which way a body is up, left and ahead, whatever axes its positions have.

    Parameters
    ----------
    positions
        (T, 16, 3) of a straight walk; frames with missing joints are left out.

    Raises
    ------
    QualityError
        If no frame is complete, or hips, shoulders and feet lie so that they give no two directions.

    Notes
    -----
    Up is the line of the legs, averaged over the walk, not the vertical: lean of the whole body is
    not part of the frame, lean of the trunk against the legs is. It needs no ground, no travel and
    no scale, and is the same for motion capture, for video, and for data that have lost their lean.
    """
    x = positions.astype(np.float64)
    x = x[~np.isnan(x).any(axis=(1, 2))]
    if not len(x):
        raise QualityError(
            "no frame has all 16 joints; expected some in which the whole body is seen. "
            "Fill the gaps or take another recording."
        )
    x = x - x[:, : Joint.ROOT + 1]
    across = x[:, Joint.LEFT_HIP] - x[:, Joint.RIGHT_HIP]
    across = (across + x[:, Joint.LEFT_SHOULDER] - x[:, Joint.RIGHT_SHOULDER]).mean(axis=0)
    legs = -x[:, _FEET].mean(axis=(0, 1))
    height = compute_body_height(x)
    left_length = float(np.linalg.norm(across))
    left = across / left_length if left_length > _LEAST_WIDTH * height else np.zeros(3)
    legs = legs - (legs @ left) * left
    legs_length = float(np.linalg.norm(legs))
    if not (height > 0 and left.any() and legs_length > 1e-6 * height):
        raise QualityError(
            "hips, shoulders and feet show no left and no up; expected a body. "
            "Are the joints where they should be?"
        )
    up = legs / legs_length
    ahead = np.cross(left, up).astype(np.float64)
    feet = x[:, _FEET]
    lower = (feet[:-1] @ up).argmin(axis=1)
    step = np.diff(feet, axis=0)[np.arange(len(lower)), lower]
    votes = (
        float((compute_bend(x, LEGS) @ ahead).mean()) / height,
        -float((compute_bend(x, ARMS) @ ahead).mean()) / height,
        -float((step @ ahead).mean()) / height if len(step) else 0.0,
    )
    return BodyAxes(left, up, ahead, votes)


def compute_bend(x: FloatArray, limbs: tuple[tuple[Joint, Joint, Joint], ...]) -> FloatArray:
    """Compute how far the middle joint of limbs lies from the line between their ends.

    Parameters
    ----------
    x
        (T, 16, 3).
    limbs
        First, middle and last joint of each.

    Returns
    -------
    ndarray
        (T, limbs, 3), from the line to the joint.
    """
    first, middle, last = (x[:, list(joints)] for joints in zip(*limbs, strict=True))
    line = last - first
    length = np.maximum((line * line).sum(axis=2, keepdims=True), 1e-12)
    along = ((middle - first) * line).sum(axis=2, keepdims=True) / length
    return middle - first - along * line


def to_body_form(gait: Gait) -> Gait:
    """Bring a straight walk to the form in which walks of any source are alike.

    The root lies at the origin of every frame, the line of the legs is +y, the left side is at +x,
    the body faces +z and is `REFERENCE_HEIGHT_M` high. A mirror image is mirrored back: what is called right
    stays so, and lies at -x.

    Parameters
    ----------
    gait
        A straight walk, or a part of one, with all its joints; any axes, unit, travel and frame rate.

    Raises
    ------
    QualityError
        If joints are missing, or it is no body.
    """
    where = f"gait {gait.name!r}" if gait.name else "gait"
    if gait.n_missing:
        raise QualityError(
            f"{where}: {gait.n_missing} joint positions are missing (NaN); expected none. "
            f"Fill the gaps or cut these frames."
        )
    try:
        axes = find_body_axes(gait.positions)
    except QualityError as error:
        raise QualityError(f"{where}: {error}") from None
    ahead = -axes.ahead if axes.swapped else axes.ahead
    x = gait.positions.astype(np.float64)
    x = x - x[:, : Joint.ROOT + 1]
    scale = REFERENCE_HEIGHT_M / compute_body_height(x)
    turned = scale * x @ np.stack([axes.left, axes.up, ahead], axis=1)
    return gait.with_positions(turned.astype(gait.positions.dtype))
