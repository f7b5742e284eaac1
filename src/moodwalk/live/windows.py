"""The latest seconds of one walker as a recording, just as a file would give them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.landmarks import LANDMARKS
from moodwalk.pose.motion import find_whole_frames, recover_motion
from moodwalk.pose.smoothing import MAX_GAP_S
from moodwalk.pose.tracking import Track
from moodwalk.recording import Recording

__all__ = ["LEAST_FPS", "Sight", "find_rate", "record_person"]

FloatArray = NDArray[np.float64]

LEAST_FPS = 1 / MAX_GAP_S
"""With fewer pictures a second there is a gap between every two."""

_STEADY = 0.1  # share of the usual interval that intervals may differ from it


class Sight(NamedTuple):
    """Who is there to be read, and how long they have been seen.

    Parameters
    ----------
    person
        The number of whoever is read; None where nobody is.
    n_people
        In the latest picture.
    unseen_s, unwhole_s
        Since they were seen at all, and with the whole body.
    span_s
        From the first sight of the whole body in the window to the last.
    """

    person: int | None
    n_people: int
    unseen_s: float
    unwhole_s: float
    span_s: float


def find_rate(times_s: FloatArray) -> float:
    """Find the frame rate to put bodies at: the usual one, though some pictures were dropped.

    Parameters
    ----------
    times_s
        (n,) of two or more pictures, growing.
    """
    steps = np.diff(times_s)
    usual = float(np.median(steps))
    near = steps[np.abs(steps - usual) <= _STEADY * usual]
    return 1 / (float(near.mean()) if len(near) else usual)


def record_person(track: Track, size: tuple[int, int], fps: float) -> Recording | None:
    """Make a recording of what a track holds, in the same way as `moodwalk.io.video.read_video`.

    Parameters
    ----------
    track
        The walker.
    size
        (width, height) of the picture in pixels.
    fps
        Frames per second to put the landmarks at.

    Returns
    -------
    Recording or None
        None where the whole body is never seen for long enough at a time.
    """
    kept = find_whole_frames(track, size)
    if not len(kept):
        return None
    motion = recover_motion(track, kept, size, fps)
    return Recording(
        motion.positions,
        LANDMARKS,
        fps,
        "video",
        unit_m=1.0,
        up="+y",
        confidence=motion.visibility,
        source="live",
    )
