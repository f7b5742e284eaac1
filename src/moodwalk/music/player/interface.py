"""What moodwalk asks of a player."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from moodwalk.music.track import Track

__all__ = ["Player", "PlayerStatus", "Unplayable"]


@dataclass(frozen=True, slots=True)
class PlayerStatus:
    """What a player is doing.

    Parameters
    ----------
    state
        Whether it plays.
    location
        Of the current song: as `Track.location` if it was queued here, else as the player names it. None where
        there is no current song.
    elapsed_s, duration_s
        How far it is, and how long; None where unknown.
    is_own
        Whether the current song was queued here.
    n_left
        How many of the songs queued here are still to come, without the current one.
    """

    state: Literal["play", "pause", "stop"]
    location: str | None
    elapsed_s: float | None
    duration_s: float | None
    is_own: bool
    n_left: int


@dataclass(frozen=True, slots=True)
class Unplayable:
    """A track that a player cannot play.

    Parameters
    ----------
    track
        The track.
    reason
        Why, in one line.
    """

    track: Track
    reason: str


class Player(Protocol):
    """Plays tracks one after the other; every method raises `LibraryError` where it cannot."""

    def connect(self) -> None:
        """Reach the player; every other method does so where needed."""
        ...

    def queue(self, tracks: Sequence[Track]) -> tuple[Unplayable, ...]:
        """Make these what follows the current song, in place of what was queued here before.

        Returns
        -------
        tuple of Unplayable
            Those left out.
        """
        ...

    def play(self) -> None:
        """Play what was queued, unless something plays."""
        ...

    def pause(self) -> None:
        """Hold the music."""
        ...

    def resume(self) -> None:
        """Go on, if `pause` held the music."""
        ...

    def skip(self) -> None:
        """Go to the next song."""
        ...

    def status(self) -> PlayerStatus:
        """Say what the player does."""
        ...

    def set_crossfade(self, seconds: float) -> None:
        """Let songs overlap for so long where one ends."""
        ...

    def close(self) -> None:
        """Leave the player; the music goes on."""
        ...
