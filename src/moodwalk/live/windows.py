"""The latest seconds of one walker as a recording, just as a file would give them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.landmarks import LANDMARKS
from moodwalk.pose.people import find_whole
from moodwalk.pose.sides import find_swapped_legs, swap_legs
from moodwalk.pose.smoothing import MAX_GAP_S, resample, smooth
from moodwalk.pose.tracking import Track
from moodwalk.pose.travel import compute_travel
from moodwalk.recording import Recording

__all__ = ["LEAST_FPS", "LEAST_RUN_S", "Sight", "find_rate", "record_person"]

FloatArray = NDArray[np.float64]

LEAST_FPS = 1 / MAX_GAP_S
"""With fewer pictures a second there is a gap between every two."""

LEAST_RUN_S = 0.3
"""A shorter piece at either end, apart from the rest, is left out, as it is of a video file."""

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
        None where the whole body is never seen for `LEAST_RUN_S` at a time.
    """
    whole = np.flatnonzero(find_whole(track, size))
    times = np.array(track.times_s)
    runs = np.split(whole, np.flatnonzero(np.diff(times[whole]) > MAX_GAP_S) + 1)
    long = [
        i
        for i, run in enumerate(runs)
        if len(run) and times[run[-1]] - times[run[0]] >= LEAST_RUN_S
    ]
    if not long:
        return None
    kept = np.concatenate(runs[long[0] : long[-1] + 1])
    times, pixels = times[kept], track.pixels[kept]
    n_frames = 1 + round((times[-1] - times[0]) * fps)
    seen = np.concatenate([track.world[kept], pixels, track.visibility[kept][:, :, None]], axis=2)
    even = resample(swap_legs(seen, find_swapped_legs(pixels)), times, fps, n_frames)
    world, pixels, visibility = even[..., :3], even[..., 3:5], even[..., 5]
    root = smooth(compute_travel(pixels, world, visibility, size, fps), fps)
    return Recording(
        smooth(world, fps) + (root - root[0])[:, None],
        LANDMARKS,
        fps,
        "video",
        unit_m=1.0,
        up="+y",
        confidence=np.nan_to_num(visibility),
        source="live",
    )
