"""The latest seconds of one walker whose joints come from somewhere else, a motion capture suit for instance."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ShapeError
from moodwalk.intake.mapping import read_joint_map
from moodwalk.intake.maps import SkeletonMap
from moodwalk.live.windows import Sight, find_rate
from moodwalk.pose.smoothing import resample
from moodwalk.pose.tracking import PATIENCE_S
from moodwalk.recording import Recording

__all__ = ["JointSource", "JointsInView"]

FloatArray = NDArray[np.float64]

MAX_JOINTS = 500
_ON_TIME = 0.02  # of an interval: frames that lie no further off even times are taken as they are


@dataclass(frozen=True, slots=True)
class JointSource:
    """What sends joints.

    Parameters
    ----------
    joints
        Their names, each once, in the order in which they come.
    unit_m
        Metres in its unit of length; None to tell by the body.
    up
        The axis that points up, ``+y`` for instance; None to tell by the body.
    joint_map
        Which joint is which of the 16, or a file that says so; None to tell by their names.

    Raises
    ------
    ShapeError
        If a name comes twice, or there are none or more than 500.
    """

    joints: Sequence[str]
    unit_m: float | None = None
    up: str | None = None
    joint_map: SkeletonMap | Path | None = None

    def __post_init__(self) -> None:
        joints = tuple(self.joints)
        if not 0 < len(joints) <= MAX_JOINTS or len(set(joints)) < len(joints):
            raise ShapeError(
                f"{len(joints)} names of joints, {len(set(joints))} different ones; expected 1 to "
                f"{MAX_JOINTS}, each once."
            )
        object.__setattr__(self, "joints", joints)

    def load_map(self) -> SkeletonMap | None:
        """Return the map, read from its file if it is one."""
        if self.joint_map is None or isinstance(self.joint_map, SkeletonMap):
            return self.joint_map
        return read_joint_map(self.joint_map)


class JointsInView:
    """Keeps the latest seconds of one walker.

    Parameters
    ----------
    window_s
        Seconds to keep.
    source
        What sends the joints.
    """

    def __init__(self, window_s: float, source: JointSource) -> None:
        self.source = source
        self.joint_map = source.load_map()
        self._window_s = window_s
        self._frames: deque[tuple[float, NDArray[np.float32]]] = deque()
        self._number = 0
        self._is_there = False

    def add(self, now_s: float, positions: NDArray[np.floating] | None) -> None:
        """Take in the next frame: (J, 3), NaN for joints that are not seen; None where nobody is."""
        if self._frames and now_s - self._frames[-1][0] > PATIENCE_S:
            self._frames.clear()
        while self._frames and self._frames[0][0] < now_s - self._window_s:
            self._frames.popleft()
        self._is_there = positions is not None and not bool(np.isnan(positions).any(axis=1).all())
        if positions is not None and self._is_there:
            self._number += not self._frames
            self._frames.append((now_s, np.asarray(positions, dtype=np.float32)))

    def look(self, now_s: float) -> Sight:
        """Say who is read now."""
        if not self._frames or now_s - self._frames[-1][0] > PATIENCE_S:
            return Sight(None, 0, math.inf, math.inf, 0.0)
        first_s, last_s = self._frames[0][0], self._frames[-1][0]
        return Sight(
            self._number, int(self._is_there), now_s - last_s, now_s - last_s, last_s - first_s
        )

    def measure_rate(self) -> float:
        """Return the frames a second, 0 where there are fewer than two."""
        if len(self._frames) < 2:
            return 0.0
        return find_rate(np.array([time_s for time_s, _ in self._frames]))

    def record(self, fps: float) -> Recording | None:
        """Return the latest seconds."""
        if not self._frames:
            return None
        times = np.array([time_s for time_s, _ in self._frames])
        positions = np.stack([part for _, part in self._frames]).astype(np.float64)
        grid = times[0] + np.arange(len(times)) / fps
        if np.abs(times - grid).max() > _ON_TIME / fps:
            n_frames = 1 + round((times[-1] - times[0]) * fps)
            positions = resample(positions, times, fps, n_frames)
        return Recording(
            positions,
            self.source.joints,
            fps,
            "joints",
            unit_m=self.source.unit_m,
            up=self.source.up,
            source="live",
        )
