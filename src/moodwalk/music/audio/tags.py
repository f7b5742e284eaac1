"""What a file says of itself: its tags."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodwalk.errors import ConfigError

__all__ = ["Tags", "load_tinytag", "read_tags"]

_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of an audio file, in one line each; empty where there are none.

    Parameters
    ----------
    title, artist, album, genre
        As written there, without control characters, cut at 500.
    duration_s
        Length, as the file claims; None where it claims none.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    duration_s: float | None = None


def read_tags(path: Path) -> Tags | None:
    """Read the tags of an audio file; its content says of which format it is.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Tags or None
        None where the file is of no known format, or too damaged to be read so.

    Raises
    ------
    ConfigError
        If tinytag is not installed.
    """
    tinytag = load_tinytag(path)
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found: Any = tinytag.TinyTag.get(file_obj=file)
            except tinytag.UnsupportedFormatError:  # MP3 after something else: the name decides
                found = tinytag.TinyTag.get(filename=path.name, file_obj=file)
    except Exception:  # whatever a damaged file leads its reader to: its sound may still be whole
        return None
    length = found.duration
    return Tags(
        _clean(found.title),
        _clean(found.artist or found.albumartist),
        _clean(found.album),
        _clean(found.genre),
        float(length) if isinstance(length, int | float) and 0 < length < 1e9 else None,
    )


def load_tinytag(path: Path) -> Any:
    """Return the module tinytag.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import tinytag
    except ImportError:
        raise ConfigError(
            f"tinytag is not installed; expected it for {path.name}. "
            f"Install it: pip install 'moodwalk[music]'."
        ) from None
    return tinytag


def _clean(text: Any) -> str:
    """Return text in one line that can be stored and shown anywhere."""
    if not isinstance(text, str):
        return ""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    shown = "".join(character if character.isprintable() else " " for character in whole)
    return " ".join(shown.split())[:_LONGEST].rstrip()
