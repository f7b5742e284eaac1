"""Legs that a pose model takes for each other while they pass, put right by how they move."""

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.landmarks import Landmark

__all__ = ["find_swapped_legs", "swap_legs"]

FloatArray = NDArray[np.float64]

_LEFT = [
    Landmark.LEFT_KNEE,
    Landmark.LEFT_ANKLE,
    Landmark.LEFT_HEEL,
    Landmark.LEFT_FOOT_INDEX,
]
_RIGHT = [
    Landmark.RIGHT_KNEE,
    Landmark.RIGHT_ANKLE,
    Landmark.RIGHT_HEEL,
    Landmark.RIGHT_FOOT_INDEX,
]

_DOUBT = 0.02
_TURN = 0.05
"""Costs, in sizes of the body, of a frame in which the model is not believed, and of a change between
belief and disbelief: so much must the legs gain in smoothness. Where feet pass they can be taken for
each other either way, and the model is believed."""


def find_swapped_legs(pixels: FloatArray) -> NDArray[np.bool_]:
    """Find the frames in which left and right leg, knee to toe, are exchanged.

    Of all ways to exchange the legs in some frames, the one in which they move least and change their
    velocity least (Viterbi over pairs of frames).

    Parameters
    ----------
    pixels
        (n, 33, 2), as of a `Pose`, frame after frame.

    Returns
    -------
    ndarray
        (n,)
    """
    n = len(pixels)
    if n < 3:
        return np.zeros(n, dtype=bool)
    sizes = np.maximum(np.linalg.norm(np.ptp(pixels, axis=1), axis=1), 1.0)
    hips = pixels[:, [Landmark.LEFT_HIP, Landmark.RIGHT_HIP]].mean(axis=1, keepdims=True)
    scaled = (pixels - hips) / np.median(sizes)
    plain = scaled[:, _LEFT + _RIGHT]
    legs = np.stack([plain, scaled[:, _RIGHT + _LEFT]])  # as the model says, and exchanged
    costs = np.empty((2, 2, 2, n - 2))  # of states a, b, c in three frames that follow each other
    for a, b, c in np.ndindex(2, 2, 2):
        move = legs[c, 2:] - legs[b, 1:-1]
        change = move - legs[b, 1:-1] + legs[a, :-2]
        costs[a, b, c] = (np.linalg.norm(move, axis=-1) + np.linalg.norm(change, axis=-1)).mean(-1)
    costs[:, 0, 1] += _TURN
    costs[:, 1, 0] += _TURN
    costs[:, :, 1] += _DOUBT
    best = np.array([[0.0, _TURN + _DOUBT], [_TURN + _DOUBT, 2 * _DOUBT]])  # of states before, now
    choices = np.empty((n - 2, 2, 2), dtype=np.int8)
    for t in range(n - 2):
        ways = best[:, :, None] + costs[..., t]
        choices[t] = ways.argmin(axis=0)
        best = ways.min(axis=0)
    states = np.empty(n, dtype=np.int8)
    states[-2], states[-1] = np.unravel_index(int(best.argmin()), (2, 2))
    for t in range(n - 3, -1, -1):
        states[t] = choices[t, states[t + 1], states[t + 2]]
    return states == 1


def swap_legs(landmarks: FloatArray, frames: NDArray[np.bool_]) -> FloatArray:
    """Exchange left and right leg, knee to toe, in some frames.

    Parameters
    ----------
    landmarks
        (n, 33, ...).
    frames
        (n,) where.

    Returns
    -------
    ndarray
        A copy.
    """
    landmarks = landmarks.copy()
    exchanged = landmarks[frames]
    exchanged[:, _LEFT + _RIGHT] = exchanged[:, _RIGHT + _LEFT]
    landmarks[frames] = exchanged
    return landmarks
