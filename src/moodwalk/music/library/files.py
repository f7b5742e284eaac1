"""What a library remembers of the files that it has seen, and how it writes down where they are."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

__all__ = ["FileState", "ScannedFile", "to_location", "to_path"]

_FILE_URI = "file://"


@dataclass(frozen=True, slots=True)
class FileState:
    """What a library knows of a file.

    Parameters
    ----------
    size
        Bytes.
    mtime_ns
        When it was changed last, nanoseconds since 1970.
    digest
        Of its whole content; empty where it could not be read at all.
    failure
        One line that says why the library knows nothing of its sound; None where it does.
    """

    size: int
    mtime_ns: int
    digest: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """What a scan found of a file, for the library to keep.

    It comes with a track or without:

    - with a track: the library keeps both, in place of what it had for this location. There may be a failure
      too: then the track has its tags alone, as its sound cannot be decoded.
    - without a track and without a failure: the content is what it was. The track of this location stays as
      it is; only size, time and digest are new.
    - without a track, with a failure: the file cannot be read. A track of this location leaves the library.

    Parameters
    ----------
    location
        Where the file is, see `to_location`. Unique.
    size, mtime_ns, digest, failure
        As of `FileState`.
    """

    location: str
    size: int
    mtime_ns: int
    digest: str
    failure: str | None = None

    @property
    def state(self) -> FileState:
        """The same without the location."""
        return FileState(self.size, self.mtime_ns, self.digest, self.failure)


def to_location(path: str | Path) -> str:
    """Return a file's absolute path as text that a database, a playlist and a terminal can hold.

    Parameters
    ----------
    path
        The file. A relative path is taken from the current folder; links are not followed.

    Returns
    -------
    str
        The path itself where it is UTF-8 in one line. Else a ``file://`` URI, whose percent signs spell its
        bytes: of a name in another encoding, or with a line break in it.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - Path.absolute() keeps ".."
    if any(unicodedata.category(character) in _UNWRITABLE for character in absolute):
        return _FILE_URI + quote_from_bytes(os.fsencode(absolute))
    return absolute


def to_path(location: str) -> Path:
    """Return the path that `to_location` wrote down.

    Parameters
    ----------
    location
        An absolute path, or a ``file://`` URI.
    """
    if location.startswith(_FILE_URI):
        return Path(os.fsdecode(unquote_to_bytes(location.removeprefix(_FILE_URI))))
    return Path(location)


_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories: control characters, bytes that are not UTF-8, separators of lines and paragraphs."""
