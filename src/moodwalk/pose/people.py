"""The people in a video, and which of them walks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, MediaError
from moodwalk.pose.landmarks import Landmark
from moodwalk.pose.smoothing import resample
from moodwalk.pose.tracking import Track
from moodwalk.pose.travel import compute_travel

__all__ = ["LEAST_SEEN_S", "Person", "choose_walker", "find_whole", "measure_person"]

LEAST_SEEN_S = 0.5
"""Whoever is seen for less is not listed; half a second is one step."""

_FPS = 10.0  # enough to say where somebody goes
_NO_TRAVEL_M = 0.5  # so much travel is as good as none: on a treadmill nobody gets anywhere
_MUCH_TRAVEL_M = 3.0  # and who gets so far gets no more points for going on
_LEAST_VISIBLE = 0.5
_LEAST_INSIDE = 0.8
_LEGS = [
    (Landmark.LEFT_HIP, Landmark.RIGHT_HIP),
    (Landmark.LEFT_KNEE, Landmark.RIGHT_KNEE),
    (Landmark.LEFT_ANKLE, Landmark.RIGHT_ANKLE),
]
_BODY = [
    Landmark.NOSE,
    Landmark.LEFT_SHOULDER,
    Landmark.RIGHT_SHOULDER,
    *(side for pair in _LEGS for side in pair),
]


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of one person of a video.

    Parameters
    ----------
    number
        From 1, in order of appearance.
    start_s, stop_s
        First and last time that the whole body is seen, or any of it where it never is.
    seen_s
        Seconds in which the whole body is seen.
    size
        Height in the picture, as a share of the picture's; the median.
    travel_m
        From the first place to the last, over the ground.
    score
        The walker has the highest.
    """

    number: int
    start_s: float
    stop_s: float
    seen_s: float
    size: float
    travel_m: float
    score: float

    def describe(self) -> str:
        """Return it in words."""
        return (
            f"whole body for {self.seen_s:.1f} s between {self.start_s:.1f} and {self.stop_s:.1f} s, "
            f"{self.size:.0%} of the picture's height, travels {self.travel_m:.1f} m"
        )


def find_whole(track: Track, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Find the frames of a track that show the whole body.

    Parameters
    ----------
    track
        A person.
    size
        (width, height) of the picture in pixels.

    Returns
    -------
    ndarray
        (n,) whether hips, knees and ankles of at least one side are visible on the mean by half or
        more, and four fifths of nose, shoulders and legs lie within the picture.
    """
    pairs = track.visibility[:, np.array(_LEGS)]
    visible = pairs.max(axis=2).mean(axis=1) >= _LEAST_VISIBLE
    body = track.pixels[:, _BODY]
    inside = ((body >= 0) & (body <= np.array(size))).all(axis=2).mean(axis=1) >= _LEAST_INSIDE
    return visible & inside


def measure_person(track: Track, size: tuple[int, int], number: int | None = None) -> Person:
    """Measure duration, size and travel of a person.

    Parameters
    ----------
    track
        The person.
    size
        (width, height) of the picture in pixels.
    number
        Of the person; None for the track's.
    """
    whole = find_whole(track, size)
    used = whole if whole.any() else np.ones(len(track), dtype=bool)
    times = np.array(track.times_s)
    steps = np.diff(times, append=times[-1])
    if len(times) > 1:
        steps = np.minimum(steps, 3 * np.median(steps[:-1]))  # a gap is not seen
        steps[-1] = np.median(steps[:-1])
    seen_s = float(steps[whole].sum())
    pixels = track.pixels[used]
    height = float(np.median(np.ptp(pixels[:, :, 1], axis=1))) / size[1]
    travel_m = _measure_travel(track, used, size) if whole.any() else 0.0
    going = (_NO_TRAVEL_M + min(travel_m, _MUCH_TRAVEL_M)) / (_NO_TRAVEL_M + _MUCH_TRAVEL_M)
    return Person(
        number=track.number if number is None else number,
        start_s=float(times[used][0]),
        stop_s=float(times[used][-1]),
        seen_s=seen_s,
        size=height,
        travel_m=travel_m,
        score=seen_s * height * going,
    )


def _measure_travel(track: Track, used: NDArray[np.bool_], size: tuple[int, int]) -> float:
    times = np.array(track.times_s)[used]
    n = 1 + int((times[-1] - times[0]) * _FPS)
    parts = [track.pixels[used], track.world[used], track.visibility[used][:, :, None]]
    even = resample(np.concatenate(parts, axis=2), times, _FPS, n)
    places = compute_travel(even[..., :2], even[..., 2:5], even[..., 5], size, _FPS)
    places = places[~np.isnan(places).any(axis=1)][:, [0, 2]]
    if not len(places):
        return 0.0
    ends = max(1, len(places) // 5)
    first, last = np.median(places[:ends], axis=0), np.median(places[-ends:], axis=0)
    # the middles of the first and the last fifth are four fifths of the way apart
    whole = (len(places) - 1) / max(1, len(places) - ends)
    return float(np.linalg.norm(last - first) * whole)


def choose_walker(people: Sequence[Person], person: int | None = None) -> Person:
    """Choose the person to read.

    Parameters
    ----------
    people
        All who are seen.
    person
        The number of the one to take; None for the one with the highest score, which is the product
        of the seconds in which the whole body is seen, the height in the picture and the travel.

    Raises
    ------
    MediaError
        If nobody's whole body is seen.
    ConfigError
        If nobody has that number.
    """
    if not people:
        raise MediaError(
            "shows no person; expected one walking, whole body in the picture, for a second or more."
        )
    if person is None:
        best = max(people, key=lambda one: one.score)
        if best.score <= 0:
            raise MediaError(
                f"shows {len(people)} {'person' if len(people) == 1 else 'people'} but nobody's whole "
                f"body; expected a walker from head to feet. Film from farther away."
            )
        return best
    chosen = next((one for one in people if one.number == person), None)
    if chosen is None:
        numbers = ", ".join(str(one.number) for one in people)
        raise ConfigError(f"has no person {person}; found {numbers}. Choose one of them.")
    if chosen.seen_s <= 0:
        raise MediaError(f"never shows the whole body of person {person}; expected head to feet.")
    return chosen
