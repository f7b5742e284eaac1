"""How a live reading follows the walk."""

import math
from dataclasses import dataclass

from moodwalk.errors import ConfigError

__all__ = ["LiveOptions"]

LONGEST_WINDOW_S = 30.0
_LEAST_FIRST_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """How a live reading follows the walk.

    The defaults come from what a walk is, a gait cycle of about a second, and not from scores.

    Parameters
    ----------
    window_s
        Seconds of the past that an answer is read from: three or four gait cycles.
    first_s
        So much of a walk in one piece is needed at least: two gait cycles.
    step_s
        Time from one answer to the next.
    smoothing_s
        Time constant of the exponential smoothing of the probabilities: a change has come through by 63 %
        after so long. 0: none.
    margin
        An emotion takes over the name when its smoothed probability leads by so much,
    hold_s
        for so long without a break.
    absence_s
        Who is not seen for longer is not there.

    Raises
    ------
    ConfigError
        If a number makes no sense.
    """

    window_s: float = 4.0
    first_s: float = 2.0
    step_s: float = 1.0
    smoothing_s: float = 2.0
    margin: float = 0.1
    hold_s: float = 2.0
    absence_s: float = 0.5

    def __post_init__(self) -> None:
        if not _LEAST_FIRST_S <= self.first_s <= self.window_s <= LONGEST_WINDOW_S:
            raise ConfigError(
                f"first_s is {self.first_s} and window_s is {self.window_s}; expected "
                f"{_LEAST_FIRST_S:g} <= first_s <= window_s <= {LONGEST_WINDOW_S:g} seconds."
            )
        for name, least in (("step_s", 0.1), ("absence_s", 0.1), ("smoothing_s", 0), ("hold_s", 0)):
            value = getattr(self, name)
            if not least <= value <= 60:
                raise ConfigError(f"{name} is {value}; expected {least:g} to 60 seconds.")
        if not 0 <= self.margin < 1:
            raise ConfigError(f"margin is {self.margin}; expected 0 or more, below 1.")

    @property
    def delay_s(self) -> float:
        """The mean age of what the probabilities rest on, once the walk goes on for a while.

        Half the window, and what the smoothing adds; the time of computing not counted. A new name comes
        `hold_s` later still.
        """
        if self.smoothing_s <= 0:
            return self.window_s / 2
        return self.window_s / 2 + self.step_s / math.expm1(self.step_s / self.smoothing_s)
