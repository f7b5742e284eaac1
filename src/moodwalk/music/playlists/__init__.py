"""Playlists as files: M3U8, XSPF and JSPF."""

from collections.abc import Sequence
from pathlib import Path

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.io.atomic import write_whole_text
from moodwalk.music.playlists.jspf import format_jspf
from moodwalk.music.playlists.locations import find_path, is_nowhere, is_uri, to_uri
from moodwalk.music.playlists.m3u8 import format_m3u8
from moodwalk.music.playlists.xspf import format_xspf
from moodwalk.music.track import Track

__all__ = [
    "FORMATS",
    "find_path",
    "format_jspf",
    "format_m3u8",
    "format_xspf",
    "is_nowhere",
    "is_uri",
    "to_uri",
    "write_playlist",
]

FORMATS = (".m3u8", ".xspf", ".jspf")
"""The suffixes that can be written."""


def write_playlist(
    path: str | Path,
    tracks: Sequence[tuple[Track, str]],
    title: str,
    *,
    relative: bool = False,
) -> tuple[Track, ...]:
    """Write a playlist, whole or not at all.

    Parameters
    ----------
    path
        The file; its suffix says the format.
    tracks
        In the order of playing, each with the reason why it is there.
    title
        Of the playlist.
    relative
        M3U8 only: paths relative to the playlist's folder, so that both can be moved together.

    Returns
    -------
    tuple of Track
        Those that no player will find, because they are in no file (``simulated:3``). M3U8 names them in
        comments, XSPF and JSPF as tracks with an identifier and no location.

    Raises
    ------
    DataFormatError
        If the suffix is another, the file cannot be written, or a location is no absolute path and no URI.
    ConfigError
        If relative paths are asked for in another format.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataFormatError(
            f"{path} ends in {path.suffix!r}; expected one of {', '.join(FORMATS)} "
            f"(M3U in UTF-8, XSPF, JSPF). Give the file another ending."
        )
    if relative and suffix != ".m3u8":
        raise ConfigError(
            f"{path}: relative paths are for .m3u8; expected none of them in {suffix}, whose locations "
            f"are whole URIs. Leave the option out, or write .m3u8."
        )
    if suffix == ".m3u8":
        text = format_m3u8(tracks, title, path.absolute().parent if relative else None)
    elif suffix == ".xspf":
        text = format_xspf(tracks, title)
    else:
        text = format_jspf(tracks, title)
    write_whole_text(path, text)
    return tuple(track for track, _ in tracks if is_nowhere(track.location))
