"""From what was seen of one person to joints that travel: even times, left and right, smoothing, place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.people import find_whole
from moodwalk.pose.sides import find_swapped_legs, swap_legs
from moodwalk.pose.smoothing import MAX_GAP_S, resample, smooth
from moodwalk.pose.tracking import Track
from moodwalk.pose.travel import compute_travel

__all__ = ["LEAST_RUN_S", "Motion", "find_longest_s", "find_whole_frames", "recover_motion"]

FloatArray = NDArray[np.float64]

LEAST_RUN_S = 0.3
"""A shorter piece at either end, apart from the rest, is cut off."""


@dataclass(frozen=True, eq=False, slots=True)
class Motion:
    """Landmarks of one person at even times; NaN where they were not seen.

    Parameters
    ----------
    positions
        (T, 33, 3), metres, smoothed and with their travel.
    world, smoothed
        (T, 33, 3), metres around the hips: as seen, and smoothed.
    root
        (T, 3), metres from where the person was first.
    visibility
        (T, 33), 0 to 1; 0 where not seen.
    swapped
        Of the pictures: where the model took one leg for the other.
    start_s, end_s
        First and last picture.
    """

    positions: FloatArray
    world: FloatArray
    smoothed: FloatArray
    root: FloatArray
    visibility: FloatArray
    swapped: NDArray[np.bool_]
    start_s: float
    end_s: float


def find_whole_frames(track: Track, size: tuple[int, int]) -> NDArray[np.intp]:
    """Find the pictures that show the whole body, without short pieces at both ends that stand apart.

    Parameters
    ----------
    track
        The person.
    size
        (width, height) of the picture in pixels.

    Returns
    -------
    ndarray
        Places in the track; none where the body is never whole for `LEAST_RUN_S` at a time.
    """
    runs, spans = _find_runs(track, size)
    long = [place for place, span in enumerate(spans) if span >= LEAST_RUN_S]
    return np.concatenate(runs[long[0] : long[-1] + 1]) if long else np.empty(0, np.intp)


def find_longest_s(track: Track, size: tuple[int, int]) -> float:
    """Find for how long the body is whole at a time, at most, in seconds.

    Parameters
    ----------
    track, size
        As of `find_whole_frames`.
    """
    return max(_find_runs(track, size)[1], default=0.0)


def _find_runs(track: Track, size: tuple[int, int]) -> tuple[list[NDArray[np.intp]], list[float]]:
    whole, times = np.flatnonzero(find_whole(track, size)), np.array(track.times_s)
    runs = np.split(whole, np.flatnonzero(np.diff(times[whole]) > MAX_GAP_S) + 1)
    runs = [run for run in runs if len(run)]
    return runs, [float(times[run[-1]] - times[run[0]]) for run in runs]


def recover_motion(
    track: Track, kept: NDArray[np.intp], size: tuple[int, int], fps: float
) -> Motion:
    """Put the landmarks of a person at equal intervals, smooth them and let them travel.

    Parameters
    ----------
    track
        The person.
    kept
        Which pictures, as `find_whole_frames` says; two or more.
    size
        (width, height) of the picture in pixels.
    fps
        Frames per second to put them at.
    """
    times, pixels = np.array(track.times_s)[kept], track.pixels[kept]
    n_frames = 1 + round((times[-1] - times[0]) * fps)
    seen = np.concatenate([track.world[kept], pixels, track.visibility[kept][:, :, None]], axis=2)
    swapped = find_swapped_legs(pixels)
    even = resample(swap_legs(seen, swapped), times, fps, n_frames)
    world, pixels, visibility = even[..., :3], even[..., 3:5], even[..., 5]
    smoothed = smooth(world, fps)
    root = smooth(compute_travel(pixels, world, visibility, size, fps), fps)
    root = root - root[0]
    return Motion(
        smoothed + root[:, None],
        world,
        smoothed,
        root,
        np.nan_to_num(visibility),
        swapped,
        float(times[0]),
        float(times[-1]),
    )
