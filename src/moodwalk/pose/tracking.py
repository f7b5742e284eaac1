"""Who is who from picture to picture: poses become tracks, one of each person."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.pose.landmarks import Pose, measure_distance

__all__ = ["PersonTracker", "Track", "track_people"]

FloatArray = NDArray[np.float64]

PATIENCE_S = 1.5
"""Who is not seen for longer, and then again, gets a track of their own."""

_SAME = 0.08  # sizes of a body between two poses that are one person found twice
_REACH = 0.3  # sizes of a body that a person may be from where they were expected
_REACH_PER_S = 0.8  # and more for every second unseen
_MAX_REACH = 1.0
_MAX_RATIO = 1.6  # of sizes, from one sight to the next
_VELOCITY_S = 0.25  # over which velocity is averaged
_COAST_S = 0.7  # in which the velocity of somebody unseen falls to 37 %


class Track:
    """One person over time; grows with every picture that shows them.

    Parameters
    ----------
    number
        From 1, in order of appearance.

    Attributes
    ----------
    frames, times_s
        Of the pictures that show the person.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.frames: list[int] = []
        self.times_s: list[float] = []
        self._parts: list[NDArray[np.float32]] = []
        self._velocity = np.zeros(2)
        self._last: Pose | None = None

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def pixels(self) -> FloatArray:
        """(n, 33, 2), as of a `Pose`."""
        return self._stack(0, 2)

    @property
    def world(self) -> FloatArray:
        """(n, 33, 3), as of a `Pose`."""
        return self._stack(2, 5)

    @property
    def visibility(self) -> FloatArray:
        """(n, 33), as of a `Pose`."""
        return self._stack(5, 6)[:, :, 0]

    def _stack(self, start: int, stop: int) -> FloatArray:
        return np.stack([part[:, start:stop] for part in self._parts]).astype(np.float64)

    def add(self, frame: int, time_s: float, pose: Pose) -> None:
        """Add a picture that shows the person."""
        if self._last is not None:
            gap_s = max(time_s - self.times_s[-1], 1e-6)
            velocity = (pose.centre - self._last.centre) / gap_s
            weight = 1.0 if len(self) == 1 else 1 - math.exp(-gap_s / _VELOCITY_S)
            self._velocity = self._velocity + weight * (velocity - self._velocity)
        self._last = pose
        self.frames.append(frame)
        self.times_s.append(time_s)
        # 800 bytes; an hour at 30 frames a second is 86 MB
        parts = (pose.pixels, pose.world, pose.visibility[:, None])
        self._parts.append(np.hstack(parts).astype(np.float32))

    def forget(self, before_s: float) -> None:
        """Let go of pictures taken before a time, for those who watch without end."""
        n = sum(time_s < before_s for time_s in self.times_s)
        del self.frames[:n], self.times_s[:n], self._parts[:n]

    def measure_cost(self, time_s: float, pose: Pose) -> float:
        """Measure how unlike the person a pose is; infinity where it cannot be them.

        Returns
        -------
        float
            How far the pose is from where the person should be by now, plus how much its form
            differs, plus how much its size does; the first two in sizes of the body.
        """
        if self._last is None or not self.times_s:
            return math.inf
        gap_s = max(time_s - self.times_s[-1], 0.0)
        size = max(pose.size, self._last.size)
        if size > _MAX_RATIO * min(pose.size, self._last.size):
            return math.inf
        drift = self._velocity * _COAST_S * (1 - math.exp(-gap_s / _COAST_S))
        astray = float(np.linalg.norm(pose.centre - self._last.centre - drift)) / size
        if astray > min(_REACH + _REACH_PER_S * gap_s, _MAX_REACH):
            return math.inf
        one = (pose.pixels - pose.centre) / pose.size
        other = (self._last.pixels - self._last.centre) / self._last.size
        form = float(np.linalg.norm(one - other, axis=1).mean())
        return astray + form + abs(math.log(pose.size / self._last.size))


class _Sight(NamedTuple):
    cost: float
    track: int
    pose: int


class PersonTracker:
    """Gives every pose to the track of its person, picture by picture.

    A person is expected where their velocity takes them; of all ways to give the poses of a picture
    to the tracks, the one is taken in which place, form and size fit best altogether. Somebody who is
    hidden keeps the track for `PATIENCE_S`.

    Parameters
    ----------
    memory_s
        Seconds of the past to keep, for live use; None for all.
    """

    def __init__(self, memory_s: float | None = None) -> None:
        self.tracks: list[Track] = []
        self._memory_s = memory_s
        self._n_tracks = 0
        self._n_frames = 0

    def update(self, time_s: float, poses: Sequence[Pose]) -> list[int]:
        """Take in the poses of the next picture.

        Parameters
        ----------
        time_s
            When it was taken.
        poses
            Of the people in it; one person found twice counts once.

        Returns
        -------
        list of int
            For each pose the number of its track, 0 for one that was there already.
        """
        numbers = [0] * len(poses)
        kept = _drop_doubles(poses)
        active = [
            track
            for track in self.tracks
            if track.times_s and time_s - track.times_s[-1] <= PATIENCE_S
        ]
        for sight in _match(active, time_s, [poses[place] for place in kept]):
            place = kept[sight.pose]
            track = active[sight.track]
            track.add(self._n_frames, time_s, poses[place])
            numbers[place] = track.number
        for place in kept:
            if not numbers[place]:
                self._n_tracks += 1
                track = Track(self._n_tracks)
                track.add(self._n_frames, time_s, poses[place])
                self.tracks.append(track)
                numbers[place] = track.number
        self._n_frames += 1
        if self._memory_s is not None:
            for track in self.tracks:
                track.forget(time_s - self._memory_s)
            self.tracks = [track for track in self.tracks if len(track)]
        return numbers


def track_people(frames: Iterable[tuple[float, Sequence[Pose]]]) -> list[Track]:
    """Put the poses of a whole video together to tracks.

    Parameters
    ----------
    frames
        The time in seconds of each picture and the poses in it.

    Returns
    -------
    list of Track
        In order of appearance.
    """
    tracker = PersonTracker()
    for time_s, poses in frames:
        tracker.update(time_s, poses)
    return tracker.tracks


def _drop_doubles(poses: Sequence[Pose]) -> list[int]:
    """Return the places of the poses, without those of a person who is there, better seen."""
    order = sorted(range(len(poses)), key=lambda i: -float(poses[i].visibility.mean()))
    kept: list[int] = []
    for place in order:
        if all(measure_distance(poses[place], poses[other]) >= _SAME for other in kept):
            kept.append(place)
    return sorted(kept)


def _match(tracks: Sequence[Track], time_s: float, poses: Sequence[Pose]) -> list[_Sight]:
    from scipy.optimize import linear_sum_assignment

    if not tracks or not poses:
        return []
    costs = np.array([[track.measure_cost(time_s, pose) for pose in poses] for track in tracks])
    possible = np.isfinite(costs)
    filled = np.where(possible, costs, 1e6)
    rows, columns = linear_sum_assignment(filled)
    return [
        _Sight(float(costs[i, j]), int(i), int(j))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if possible[i, j]
    ]
