"""A clock that only grows, made of whatever times come with the pictures."""

import math
from typing import NamedTuple

from moodwalk.errors import ConfigError
from moodwalk.pose.frames import MAX_FPS

__all__ = ["FrameClock", "Tick"]

LEAST_S = 0.9 / MAX_FPS
"""Pictures that follow sooner are passed over."""

JUMP_S = 0.5
"""A time that lies further back is a clock set back; less is a picture that comes too late."""

_LONGEST_S = 3600.0  # a longer pause counts as this, so that small differences keep their digits
_LARGEST_S = 1e12


class Tick(NamedTuple):
    """A picture's time.

    Parameters
    ----------
    now_s
        Since the first picture; it grows.
    jumped_s
        By how much the source's clock was set back just before, 0 where it was not.
    """

    now_s: float
    jumped_s: float


class FrameClock:
    """Turns times that may stand still, jump or go backwards into times that grow."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._now_s = 0.0

    def tick(self, time_s: float) -> Tick | None:
        """Take in the time of the next picture.

        Parameters
        ----------
        time_s
            When it was taken, on any clock.

        Returns
        -------
        Tick or None
            None where the picture is to be passed over: it is older than the one before, or follows too soon.

        Raises
        ------
        ConfigError
            If the time is no number of seconds.
        """
        if not (math.isfinite(time_s) and abs(time_s) <= _LARGEST_S):
            raise ConfigError(f"a picture's time is {time_s}; expected seconds on any clock.")
        if self._last_s is None:
            self._last_s = time_s
            return Tick(self._now_s, 0.0)
        passed_s = time_s - self._last_s
        if passed_s <= -JUMP_S:
            self._last_s = time_s
            self._now_s += LEAST_S
            return Tick(self._now_s, -passed_s)
        if passed_s < LEAST_S:
            return None
        self._last_s = time_s
        self._now_s += min(passed_s, _LONGEST_S)
        return Tick(self._now_s, 0.0)
