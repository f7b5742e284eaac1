"""The audio files below a folder."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from moodwalk.errors import MediaError

__all__ = ["SUFFIXES", "Listing", "list_audio", "list_folder"]

SUFFIXES = (".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".wav")
"""Names of audio files end so, in any case."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder.

    Parameters
    ----------
    files
        Real paths of audio files, sorted.
    roots
        Real paths of the folder, and of folders elsewhere that links in it lead to.
    unread
        Folders that cannot be read, and why.
    """

    files: list[str] = field(default_factory=list[str])
    roots: list[str] = field(default_factory=list[str])
    unread: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def list_audio(folder: str | Path) -> Iterator[Path]:
    """List the audio files below a folder, sorted.

    Parameters
    ----------
    folder
        Where to look. Links to folders are followed, each real folder once, so a loop of links ends. Folders
        that cannot be read are passed over.

    Yields
    ------
    Path
        Real path of a file whose name ends in one of `SUFFIXES`. A link to a file is listed as itself, unless
        the file is listed too. Bytes of a name that are not UTF-8 are kept as surrogates, as everywhere in
        Python.

    Raises
    ------
    MediaError
        If there is no such folder.
    """
    yield from map(Path, list_folder(folder).files)


def list_folder(folder: str | Path) -> Listing:
    """List what lies below a folder, see `list_audio`; nothing is opened.

    Parameters
    ----------
    folder
        Where to look.

    Raises
    ------
    MediaError
        If there is no such folder.
    """
    try:
        if not Path(folder).is_dir():
            found = "is a file" if Path(folder).exists() else "does not exist"
            raise MediaError(f"{folder} {found}; expected a folder of music.")
        root = os.path.realpath(folder)
    except MediaError:
        raise
    except (OSError, ValueError) as error:
        raise MediaError(f"{folder} cannot be read: {error}.") from error
    listing = Listing(roots=[root])
    links: list[str] = []
    waiting, seen = [root], {root}
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    _place(entry, listing, links, waiting, seen)
        except OSError as error:
            listing.unread.append((current, error.strerror or str(error)))
    own = set(listing.files)
    listing.files.extend(link for link in links if os.path.realpath(link) not in own)
    listing.files.sort()
    return listing


def _place(
    entry: os.DirEntry[str],
    listing: Listing,
    links: list[str],
    waiting: list[str],
    seen: set[str],
) -> None:
    """Put an entry of a folder where it belongs."""
    try:
        if entry.is_dir():
            real = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if real not in seen:
                seen.add(real)
                waiting.append(real)
                if entry.is_symlink():
                    listing.roots.append(real)
        elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():  # a pipe would block
            (links if entry.is_symlink() else listing.files).append(entry.path)
    except OSError as error:  # a link in a circle of links, for instance
        if entry.name.lower().endswith(SUFFIXES):
            listing.unread.append((entry.path, error.strerror or str(error)))
