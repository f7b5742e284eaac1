"""A library's columns, kept in a file beside the database so that a million tracks are there at once.

The file is named after the state of the library that it holds. Every change of a track gives the library a new
random state in the same transaction; so a file is right or is not found, also if a database was copied, put back
from an older copy, or changed by another program.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.io.atomic import write_whole
from moodwalk.music.track import TrackColumns

__all__ = ["make_columns", "read_cached", "write_cached"]

_FLOATS = ("valence", "arousal", "energy", "tempo_bpm", "duration_s", "popularity")
_UNFINISHED_S = 3600.0


def make_columns(pieces: Iterable[Sequence[Sequence[Any]]]) -> TrackColumns:
    """Make columns of rows that are ordered by id.

    Parameters
    ----------
    pieces
        Of each piece of the rows, eight sequences: ids; keys of artists, whole numbers of 64 bits, None where
        unknown; valence, arousal, energy, tempo, duration and popularity, None where unknown.
    """
    ids: list[NDArray[np.int64]] = []
    keys: list[NDArray[np.int64]] = []
    known: list[NDArray[np.bool_]] = []
    figures: list[NDArray[np.float32]] = []
    for number, artist, *others in pieces:
        ids.append(np.array(number, np.int64))
        known.append(np.array([key is not None for key in artist], bool))
        keys.append(np.array([key or 0 for key in artist], np.int64))
        figures.append(np.array(others, np.float32))  # None becomes NaN
    if not ids:
        return TrackColumns.from_tracks(())
    floats = [
        np.concatenate([piece[i] for piece in figures]).astype(np.float32)
        for i in range(len(_FLOATS))
    ]
    artists = np.unique(np.concatenate(keys), return_inverse=True)[1].astype(np.int32)
    artists[~np.concatenate(known)] = -1
    return TrackColumns(np.concatenate(ids), artists, *floats)


def read_cached(folder: Path, state: str) -> TrackColumns | None:
    """Return the columns of a state as arrays that lie in a file; None where there is no whole one.

    Parameters
    ----------
    folder
        Of the library's files.
    state
        Of the library.
    """
    path = folder / f"{state}.npy"
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        n = loaded.dtype["id"].shape[0]
        if loaded.dtype != _make_dtype(n) or loaded.shape != (1,):
            return None
    except (OSError, ValueError, KeyError, EOFError, IndexError, TypeError):
        return None
    row = np.asarray(loaded)[0]
    return TrackColumns(row["id"], row["artist"], *(row[name] for name in _FLOATS))


def write_cached(folder: Path, state: str, columns: TrackColumns) -> None:
    """Keep the columns of a state, in place of those of earlier ones; where nothing can be kept, do nothing.

    Parameters
    ----------
    folder
        Of the library's files; made, private, where it is missing.
    state
        Of the library.
    columns
        What to keep.
    """
    if not len(columns):
        return
    record = np.zeros(1, _make_dtype(len(columns)))
    for name in ("id", "artist", *_FLOATS):
        record[name][0] = getattr(columns, name)
    path = folder / f"{state}.npy"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with write_whole(path) as temporary:
            np.save(temporary, record, allow_pickle=False)
    except (OSError, DataFormatError):
        return
    _remove_others(path)


def _make_dtype(n: int) -> np.dtype[Any]:
    """Return a record of all columns: one array after the other, and the file says which is which."""
    floats = [(name, "<f4", (n,)) for name in _FLOATS]
    return np.dtype([("id", "<i8", (n,)), ("artist", "<i4", (n,)), *floats])


def _remove_others(kept: Path) -> None:
    """Remove what other states left, and what was never finished."""
    now = time.time()
    with suppress(OSError):
        for other in kept.parent.glob("*.npy"):
            if other == kept:
                continue
            with suppress(OSError):  # another process was faster
                unfinished = other.name.startswith(".")
                if not unfinished or now - other.stat().st_mtime > _UNFINISHED_S:
                    other.unlink()
