"""The 33 landmarks of a body in a picture, as MediaPipe names them, and how like two bodies are."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANDMARKS", "Landmark", "Pose", "measure_distance"]

FloatArray = NDArray[np.float64]


class Landmark(IntEnum):
    """The landmarks in MediaPipe's order; left and right are the person's own."""

    NOSE = 0
    LEFT_EYE_INNER = 1
    LEFT_EYE = 2
    LEFT_EYE_OUTER = 3
    RIGHT_EYE_INNER = 4
    RIGHT_EYE = 5
    RIGHT_EYE_OUTER = 6
    LEFT_EAR = 7
    RIGHT_EAR = 8
    MOUTH_LEFT = 9
    MOUTH_RIGHT = 10
    LEFT_SHOULDER = 11
    RIGHT_SHOULDER = 12
    LEFT_ELBOW = 13
    RIGHT_ELBOW = 14
    LEFT_WRIST = 15
    RIGHT_WRIST = 16
    LEFT_PINKY = 17
    RIGHT_PINKY = 18
    LEFT_INDEX = 19
    RIGHT_INDEX = 20
    LEFT_THUMB = 21
    RIGHT_THUMB = 22
    LEFT_HIP = 23
    RIGHT_HIP = 24
    LEFT_KNEE = 25
    RIGHT_KNEE = 26
    LEFT_ANKLE = 27
    RIGHT_ANKLE = 28
    LEFT_HEEL = 29
    RIGHT_HEEL = 30
    LEFT_FOOT_INDEX = 31
    RIGHT_FOOT_INDEX = 32


LANDMARKS: tuple[str, ...] = tuple(landmark.name.lower() for landmark in Landmark)
"""``nose`` to ``right_foot_index``."""


class Pose(NamedTuple):
    """One person in one picture.

    Parameters
    ----------
    pixels
        (33, 2) across and down from the upper left corner, in pixels of the picture that was given;
        outside of it where the model thinks so.
    world
        (33, 3) metres from the middle of the hips: x to the right of the picture, y up, z towards the
        camera. MediaPipe's y (down) and z (away) are both turned round, which is half a turn about
        x, so that the axes stay right-handed.
    visibility
        (33,) 0 to 1: whether the landmark is in the picture and not hidden.
    """

    pixels: FloatArray
    world: FloatArray
    visibility: FloatArray

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge of the body, in pixels."""
        left, upper = self.pixels.min(axis=0).tolist()
        right, lower = self.pixels.max(axis=0).tolist()
        return left, upper, right, lower

    @property
    def size(self) -> float:
        """Pixels from corner to corner of the box, at least 1."""
        left, upper, right, lower = self.box
        return max(1.0, float(np.hypot(right - left, lower - upper)))

    @property
    def centre(self) -> FloatArray:
        """(2,) the middle of shoulders and hips, which swings less than the limbs."""
        return self.pixels[list(_TRUNK)].mean(axis=0)


_TRUNK = (
    Landmark.LEFT_SHOULDER,
    Landmark.RIGHT_SHOULDER,
    Landmark.LEFT_HIP,
    Landmark.RIGHT_HIP,
)


def measure_distance(one: Pose, other: Pose) -> float:
    """Measure how far two bodies lie apart: the mean of their landmarks, in sizes of the larger."""
    apart = np.linalg.norm(one.pixels - other.pixels, axis=1).mean()
    return float(apart) / max(one.size, other.size)
