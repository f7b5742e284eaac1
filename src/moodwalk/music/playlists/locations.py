"""Where a track is: as a path, as a URI, or nowhere."""

import os
import re
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from moodwalk.errors import DataFormatError

__all__ = ["find_path", "is_nowhere", "is_uri", "to_uri"]

# Two letters at least: `C:` is a drive.
_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//[^/?#]*)?([^?#]*)", re.DOTALL)
_AUTHORITY = re.compile(r"^//[^/?]*")
_NOT_AN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SUB_DELIMS = "!$&'()*+,;="
_NOWHERE = ("simulated",)
"""Schemes of tracks that no player can find: the demo's."""


def is_uri(location: str) -> bool:
    """Return whether a location is a URI, not a path."""
    return _URI.match(location) is not None


def is_nowhere(location: str) -> bool:
    """Return whether a location is of a track that is in no file: ``simulated:3``."""
    found = _URI.match(location)
    return found is not None and found[1].lower() in _NOWHERE


def find_path(location: str) -> Path | None:
    """Return the path of a local file.

    Parameters
    ----------
    location
        As `Track.location`. Percent-encoded bytes of a ``file:`` URI become the file's name byte for byte,
        also where they are not UTF-8.

    Returns
    -------
    Path or None
        None where the location is a URI of something else, or a file of another machine.

    Raises
    ------
    DataFormatError
        If the location is no absolute path and no URI.
    """
    found = _URI.match(location)
    if found is None:
        path = Path(location)
    elif found[1].lower() == "file" and (found[2] or "//").lower() in ("//", "//localhost"):
        path = Path(os.fsdecode(unquote_to_bytes(found[3])))
        if os.name == "nt":  # file:///C:/music
            path = Path(str(path).lstrip("\\/"))
    else:
        return None
    try:
        usable = path.is_absolute() and b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:  # half of a surrogate pair: no file's name
        usable = False
    if not usable:
        raise DataFormatError(
            f"{location!r} is no place of a track; expected an absolute path or a URI."
        )
    return path


def to_uri(location: str) -> str:
    """Return a location as a URI that holds only what RFC 3986 allows.

    Parameters
    ----------
    location
        As `Track.location`. What a URI may not hold is percent-encoded; what is encoded stays as it is.

    Returns
    -------
    str
        ASCII.

    Raises
    ------
    DataFormatError
        If the location is no absolute path and no URI.
    """
    path = find_path(location)
    if path is not None:
        return path.as_uri()
    scheme, _, rest = location.partition(":")
    rest, mark, fragment = rest.partition("#")
    n_authority = len(rest) - len(_AUTHORITY.sub("", rest))
    authority, rest = rest[:n_authority], rest[n_authority:]
    uri = f"{scheme}:{_encode(authority, '/[]:@')}{_encode(rest, '/?:@')}"
    return f"{uri}#{_encode(fragment, '/?:@')}" if mark else uri


def _encode(text: str, allowed: str) -> str:
    data = _NOT_AN_ESCAPE.sub("%25", text).encode("utf-8", "surrogatepass")
    return quote(data, safe="%" + _SUB_DELIMS + allowed)
