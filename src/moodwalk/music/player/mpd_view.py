"""What a Music Player Daemon says of itself, read with care."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from moodwalk.errors import LibraryError

__all__ = ["Place", "View", "find_run", "read_places", "read_uptime", "read_view"]


@dataclass(frozen=True, slots=True)
class Place:
    """A song in the daemon's queue: where it stands, and what the daemon calls it."""

    position: int
    file: str


@dataclass(frozen=True, slots=True)
class View:
    """The daemon at one moment.

    Parameters
    ----------
    state
        Whether it plays.
    version
        Grows with every change of the queue; begins anew when the daemon does.
    current_id
        Of the current song; None where there is none.
    elapsed_s, duration_s
        How far it is, and how long.
    crossfade_s
        As it is set.
    is_updating
        Whether the daemon is reading its music folder.
    """

    state: Literal["play", "pause", "stop"]
    version: int
    current_id: int | None
    elapsed_s: float | None
    duration_s: float | None
    crossfade_s: int
    is_updating: bool


def read_view(status: Any) -> View:
    """Read the answer to ``status``.

    Raises
    ------
    LibraryError
        If it is not what a daemon answers.
    """
    try:
        state = status["state"]
        if state not in ("play", "pause", "stop"):
            raise ValueError(state)
        return View(
            state=state,
            version=int(status["playlist"]),
            current_id=int(status["songid"]) if "songid" in status else None,
            elapsed_s=_read_seconds(status.get("elapsed")),
            duration_s=_read_seconds(status.get("duration")),
            crossfade_s=int(status.get("xfade", 0)),
            is_updating="updating_db" in status,
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise LibraryError(_STRANGE.format("its status")) from None


def read_places(songs: Any) -> dict[int, Place]:
    """Read the answer to ``playlistinfo``: each song's place in the queue, by its id.

    Raises
    ------
    LibraryError
        If it is not what a daemon answers.
    """
    try:
        return {int(song["id"]): Place(int(song["pos"]), str(song["file"])) for song in songs}
    except (KeyError, TypeError, ValueError):
        raise LibraryError(_STRANGE.format("its queue")) from None


def read_uptime(stats: Any) -> float:
    """Return from the answer to ``stats`` for how many seconds the daemon runs.

    Raises
    ------
    LibraryError
        If it is not what a daemon answers.
    """
    try:
        return float(stats["uptime"])
    except (KeyError, TypeError, ValueError):
        raise LibraryError(_STRANGE.format("its age")) from None


def find_run(places: dict[int, Place], files: list[str | None]) -> list[int] | None:
    """Return the ids of the first songs that stand in the queue one behind the other, as in a list of files.

    Returns
    -------
    list of int or None
        None where they are not there, whole and in this order.
    """
    ids = sorted(places, key=lambda id_: places[id_].position)
    found = [places[id_].file for id_ in ids]
    for start in range(len(ids) - len(files) + 1):
        if found[start : start + len(files)] == files:
            return ids[start : start + len(files)]
    return None


_STRANGE = (
    "the player says something else of {} than expected of a Music Player Daemon; found at this address "
    "is perhaps another program. Check the address."
)


def _read_seconds(text: Any) -> float | None:
    seconds = math.nan if text is None else float(text)
    return seconds if math.isfinite(seconds) else None
