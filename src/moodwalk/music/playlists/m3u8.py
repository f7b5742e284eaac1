"""Extended M3U in UTF-8, which nearly every player reads.

There is no standard. What is written here is what readers agree on: the first line ``#EXTM3U``, a line
``#EXTINF:seconds,Artist - Title`` before each location, other lines that begin with ``#`` are comments, and
a relative path starts at the playlist's own folder.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from moodwalk.music.playlists.entries import clean_text, find_name, to_ms
from moodwalk.music.playlists.locations import find_path, is_nowhere, to_uri
from moodwalk.music.track import Track

__all__ = ["format_m3u8"]

# Readers split lines in several ways, trim them, and decode them as UTF-8.
_NOT_ON_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]|^\s|\s$")
_NEEDS_DOT = re.compile(r"#|\s|[^/]*:")


def format_m3u8(
    tracks: Sequence[tuple[Track, str]], title: str, relative_to: Path | None = None
) -> str:
    """Return a playlist in extended M3U.

    Parameters
    ----------
    tracks
        Each with the reason why it is there, which becomes a comment.
    title
        Of the playlist.
    relative_to
        The folder that the playlist will lie in, to write paths relative to it; by default they are absolute.

    Returns
    -------
    str
        The text. Tracks that are in no file are named in comments. A path that one line of UTF-8 cannot hold
        is written as a ``file:`` URI.

    Raises
    ------
    DataFormatError
        If a location is no absolute path and no URI.
    """
    return "\n".join(_list_lines(tracks, title, relative_to)) + "\n"


def _list_lines(
    tracks: Sequence[tuple[Track, str]], title: str, relative_to: Path | None
) -> Iterator[str]:
    yield "#EXTM3U"
    if title := clean_text(title):
        yield f"#PLAYLIST:{title}"
    for track, why in tracks:
        if is_nowhere(track.location):
            yield f"# in no file: {find_name(track)} ({clean_text(track.location)})"
            continue
        if why := clean_text(why):
            yield f"# {why}"
        ms = to_ms(track.duration_s)
        # whole seconds; 0 would mean unknown, as -1 does
        seconds = -1 if ms is None else max(1, round(ms / 1000))
        yield f"#EXTINF:{seconds},{find_name(track)}"
        yield _find_line(track.location, relative_to)


def _find_line(location: str, relative_to: Path | None) -> str:
    path = find_path(location)
    if path is None:
        return to_uri(location)
    line = str(path)
    if relative_to is not None:
        try:
            # from real folder to real folder: `..` does not lead back through a symbolic link
            line = os.path.relpath(
                os.path.join(os.path.realpath(path.parent), path.name),  # noqa: PTH118
                os.path.realpath(relative_to),
            )
        except ValueError:  # on another drive
            line = str(path)
        if _NEEDS_DOT.match(line) and not Path(line).is_absolute():
            line = f"./{line}"
    return path.as_uri() if _NOT_ON_A_LINE.search(line) else line
