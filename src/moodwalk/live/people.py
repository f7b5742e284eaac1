"""The people in front of a camera over the latest seconds, and which of them is read."""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from moodwalk.live.windows import Sight, find_rate, record_person
from moodwalk.pose.finder import MAX_PEOPLE
from moodwalk.pose.landmarks import Pose
from moodwalk.pose.people import find_whole, measure_person
from moodwalk.pose.tracking import PATIENCE_S, PersonTracker, Track
from moodwalk.recording import Recording

__all__ = ["PeopleInView"]

_BETTER = 1.5
"""Somebody else is read when their score, seconds x height x travel, is so many times as high"""
_BETTER_S = 1.0
"""twice, so long apart."""


class PeopleInView:
    """Keeps the latest seconds of everybody in the picture, and stays with one walker.

    The walker is chosen as in a video file. Whoever is read stays so until they are gone for `PATIENCE_S`, or
    somebody else is by far the better choice for some seconds. As everybody's latest seconds are kept, somebody
    else is read without waiting.

    Parameters
    ----------
    window_s
        Seconds to keep.
    """

    joint_map = None
    """The landmarks are known by their names."""

    def __init__(self, window_s: float) -> None:
        self._tracker = PersonTracker(memory_s=window_s)
        self._window_s = window_s
        self._size = (1, 1)
        self._chosen: Track | None = None
        self._rival: int | None = None
        self._weighed_s = -math.inf
        self._whole: dict[int, deque[float]] = {}  # when each was seen with the whole body
        self._n_people = 0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture in pixels."""
        return self._size

    def add(self, now_s: float, poses: Sequence[Pose], size: tuple[int, int]) -> None:
        """Take in the people of the next picture; beyond `MAX_PEOPLE` the smallest are passed over."""
        self._size = size
        kept = sorted(poses, key=lambda pose: -pose.size)[:MAX_PEOPLE]
        self._n_people = len(kept)
        numbers = self._tracker.update(now_s, kept)
        for number, pose in zip(numbers, kept, strict=True):
            one = Track(number)
            one.add(0, now_s, pose)
            if number and find_whole(one, size)[0]:
                self._whole.setdefault(number, deque()).append(now_s)
        there = {track.number for track in self._tracker.tracks}
        self._whole = {number: times for number, times in self._whole.items() if number in there}
        for times in self._whole.values():
            while times and times[0] < now_s - self._window_s:
                times.popleft()

    def look(self, now_s: float) -> Sight:
        """Say who is read now."""
        track = self._choose(now_s)
        if track is None:
            return Sight(None, self._n_people, math.inf, math.inf, 0.0)
        whole = self._whole.get(track.number)
        return Sight(
            track.number,
            self._n_people,
            now_s - track.times_s[-1],
            now_s - whole[-1] if whole else math.inf,
            whole[-1] - whole[0] if whole else 0.0,
        )

    def measure_rate(self) -> float:
        """Return the pictures a second of the one who is read, 0 where there are fewer than two."""
        if self._chosen is None or len(self._chosen) < 2:
            return 0.0
        return find_rate(np.array(self._chosen.times_s))

    def record(self, fps: float) -> Recording | None:
        """Return the latest seconds of the one who is read."""
        return None if self._chosen is None else record_person(self._chosen, self._size, fps)

    def _choose(self, now_s: float) -> Track | None:
        there = [t for t in self._tracker.tracks if now_s - t.times_s[-1] <= PATIENCE_S]
        if self._chosen not in there:
            self._chosen = self._rival = None
        if len(there) < 2:
            self._chosen = there[0] if there else None
            return self._chosen
        if self._chosen is not None and now_s - self._weighed_s < _BETTER_S:
            return self._chosen
        self._weighed_s = now_s
        scores = {track.number: measure_person(track, self._size).score for track in there}
        # where nobody is seen whole yet, the largest
        best = max(there, key=lambda track: (scores[track.number], _measure_height(track)))
        own = 0.0 if self._chosen is None else scores[self._chosen.number]
        if self._chosen is None or (not own and scores[best.number]):
            self._chosen, self._rival = best, None
        elif scores[best.number] <= _BETTER * own:
            self._rival = None
        elif best.number == self._rival:
            self._chosen, self._rival = best, None
        else:
            self._rival = best.number
        return self._chosen


def _measure_height(track: Track) -> float:
    return float(np.ptp(track.pixels[-1][:, 1]))
