"""What a listener did with a track."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError

__all__ = ["Feedback", "Kind"]

Kind = Literal["play", "skip", "like", "dislike"]
"""Played to the end; left before; said to be good; said to be bad."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a listener did with a track, and when.

    Parameters
    ----------
    track_id
        The track's number in its library.
    kind
        ``play``, ``skip``, ``like`` or ``dislike``.
    at
        When, with its time zone; kept as UTC.
    emotion
        The one that the track was chosen for; None where it was not known.
    mode
        The mode that it was chosen in, such as ``match``.
    cadence_spm
        Steps per minute of the walk.
    position_s
        How far into the track.

    Raises
    ------
    ConfigError
        If there is no such kind, the time has no zone, or a figure is negative or not finite.
    """

    track_id: int
    kind: Kind
    at: datetime
    emotion: Emotion | None = None
    mode: str | None = None
    cadence_spm: float | None = None
    position_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise ConfigError(f"feedback is {self.kind!r}; expected one of {known}.")
        if self.at.utcoffset() is None:
            raise ConfigError(
                f"the time of feedback, {self.at}, has no time zone; expected one, such as UTC."
            )
        object.__setattr__(self, "at", self.at.astimezone(UTC))
        for name in ("cadence_spm", "position_s"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ConfigError(
                    f"{name} of feedback is {value}; expected a number of 0 or more, or None."
                )
