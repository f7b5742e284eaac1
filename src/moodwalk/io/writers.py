"""Writing gaits piece by piece, so that no more than one piece lies in memory.

The suffix of the file picks the format; `moodwalk.io.read` reads every one of them back.
"""

import shutil
import unicodedata
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.gait import Gait
from moodwalk.io.atomic import cannot_write, check_writable, write_whole
from moodwalk.io.emotion_gait import EmotionGaitSink
from moodwalk.io.npz import NpzSink
from moodwalk.io.tables import CsvSink, ParquetSink, load_pyarrow

__all__ = [
    "FORMATS",
    "GaitWriter",
    "check_space",
    "check_texts",
    "estimate_size",
    "open_writer",
    "to_float32",
]

FORMATS = (".h5", ".hdf5", ".parquet", ".csv", ".npz")
"""The suffixes that can be written."""


class GaitWriter(Protocol):
    """What `open_writer` gives: takes gaits, a piece at a time."""

    def write(self, gaits: Iterable[Gait]) -> None:
        """Write more gaits; all of them or, where one is refused, none.

        Parameters
        ----------
        gaits
            The next gaits. They lie in memory together while they are written, and not after.

        Raises
        ------
        DataFormatError
            If the format cannot hold a gait, or the file cannot be written.
        LabelError
            If the format needs a label and a gait has none.
        """
        ...


class _Sink(Protocol):
    """One format: what turns gaits into bytes of a temporary file."""

    def __init__(self, path: Path, temporary: Path) -> None: ...

    def write(self, gaits: Sequence[Gait]) -> None:
        """Refuse gaits (MoodwalkError) before the first is written, or write all of them."""
        ...

    def finish(self) -> None:
        """Complete the file and let go of it."""
        ...

    def abandon(self) -> None:
        """Let go of a file that nobody will read."""
        ...


_SINKS: MappingProxyType[str, type[_Sink]] = MappingProxyType(
    {
        ".h5": EmotionGaitSink,
        ".hdf5": EmotionGaitSink,
        ".parquet": ParquetSink,
        ".csv": CsvSink,
        ".npz": NpzSink,
    }
)

_TEXT_FRAME_BYTES = 48 * 14 + 80
"""A frame of CSV: nine digits, sign, point and comma a number; name and labels in every row."""

_FRAME_BYTES = 48 * 4 + 8
_GAIT_BYTES = 1500
"""Beside its frames: HDF5's own notes on every dataset and its attributes take most."""

_FILE_BYTES = 64 * 1024


def open_writer(path: str | Path) -> AbstractContextManager[GaitWriter]:
    """Open a file to write gaits into, piece by piece.

    Parameters
    ----------
    path
        The file: ``.h5`` or ``.hdf5`` (Emotion-Gait), ``.parquet``, ``.csv`` or ``.npz``. Missing
        folders are made. See ``docs/formats.md``.

    Returns
    -------
    context manager of GaitWriter
        The file appears, whole, when the block ends well. If the block raises, nothing is left,
        and a file that was there stays as it was.

    Raises
    ------
    DataFormatError
        At once, if the suffix is another or nothing can be written there; in the block, if it
        ends without a gait or the disk is full.
    ConfigError
        If the format is Parquet and pyarrow is not installed.

    Notes
    -----
    Positions are written as float32. `source` and `published_features` are not written. Memory
    holds one piece, and the names of all gaits.

    Examples
    --------
    >>> with open_writer("walks.parquet") as writer:  # doctest: +SKIP
    ...     for piece in pieces:
    ...         writer.write(piece)
    """
    path = Path(path)
    sink = _SINKS[_find_format(path)]
    check_writable(path)
    if sink is ParquetSink:
        load_pyarrow(path)
    return _open(path, sink)


def estimate_size(path: str | Path, n_gaits: int, n_frames: int) -> int:
    """Estimate how long a file of gaits becomes.

    Parameters
    ----------
    path
        The file to come; its suffix says the format.
    n_gaits
        Number of gaits.
    n_frames
        Frames of each.

    Returns
    -------
    int
        Bytes, rather too many than too few.

    Raises
    ------
    DataFormatError
        If the suffix is of no format that can be written.
    """
    frame = _TEXT_FRAME_BYTES if _find_format(Path(path)) == ".csv" else _FRAME_BYTES
    return _FILE_BYTES + n_gaits * (_GAIT_BYTES + n_frames * frame)


def check_space(path: str | Path, n_bytes: int) -> None:
    """Check, before long work, that a disk has room for a file.

    Parameters
    ----------
    path
        The file to come; its folder need not exist yet.
    n_bytes
        How long it becomes. A file that ends in ``.npz`` needs twice as much while it is written.

    Raises
    ------
    DataFormatError
        If there is less room, or nothing can be written there.
    """
    path = Path(path)
    folder = check_writable(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    needed = 2 * n_bytes if path.suffix.lower() == ".npz" else n_bytes
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise cannot_write(path, error) from error
    if needed > free:
        raise DataFormatError(
            f"{path} needs {_in_words(needed)} while it is written, and {folder} has "
            f"{_in_words(free)} free. Make room, choose another disk, or write fewer gaits."
        )


class _OutsideError(Exception):
    """Carries an OSError of the caller's own past `write_whole`, which would claim it."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


@contextmanager
def _open(path: Path, make: type[_Sink]) -> Generator[GaitWriter]:
    outside: OSError | None = None
    try:
        with write_whole(path) as temporary:
            sink = make(path, temporary)
            writer = _Writer(path, sink)
            try:
                try:
                    yield writer
                except OSError as error:
                    raise _OutsideError(error) from error
                writer.finish()
            except BaseException:
                with suppress(Exception):  # what went wrong is on its way already
                    sink.abandon()
                raise
            finally:
                writer.failure = DataFormatError(
                    f"{path} is closed; expected `write` in its block."
                )
    except _OutsideError as caught:
        outside = caught.error
    if outside is not None:
        raise outside


class _Writer:
    """Checks what every format asks of a gait, and remembers that a piece was written by halves."""

    def __init__(self, path: Path, sink: _Sink) -> None:
        self._path = path
        self._sink = sink
        self._n_gaits = 0
        self.failure: DataFormatError | None = None

    def write(self, gaits: Iterable[Gait]) -> None:
        if self.failure is not None:
            raise self.failure
        piece = [to_float32(self._path, gait) for gait in gaits]
        for gait in piece:
            check_texts(self._path, gait)
        try:
            self._sink.write(piece)
        except MoodwalkError:  # refused before anything was written
            raise
        except (OSError, RuntimeError) as error:  # libraries raise either where a disk is full
            self.failure = cannot_write(self._path, error)
            raise self.failure from error
        except BaseException:
            self.failure = DataFormatError(
                f"{self._path} is not written: a piece was interrupted. Write it again."
            )
            raise
        self._n_gaits += len(piece)

    def finish(self) -> None:
        """Complete the file, if all of it could be written."""
        if self.failure is not None:
            raise self.failure
        if not self._n_gaits:
            raise DataFormatError(f"{self._path}: no gaits to write; expected at least one.")
        try:
            self._sink.finish()
        except (OSError, RuntimeError) as error:
            raise cannot_write(self._path, error) from error


def _find_format(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataFormatError(
            f"{path} ends in {path.suffix!r}; expected one of {', '.join(FORMATS)} "
            f"(Emotion-Gait HDF5, Parquet, CSV, NPZ). Give the file another ending."
        )
    return suffix


def to_float32(path: Path, gait: Gait) -> Gait:
    """Return a gait as files hold it, or refuse one that no format can hold.

    Parameters
    ----------
    path
        How messages name the file.
    gait
        The gait.

    Raises
    ------
    DataFormatError
        If a joint misses some of its coordinates, or a position is beyond float32.
    """
    missing = np.isnan(gait.positions)
    if (missing.any(axis=2) != missing.all(axis=2)).any():
        frame, joint = np.argwhere(missing.any(axis=2) & ~missing.all(axis=2))[0]
        raise DataFormatError(
            f"{path}: gait {gait.name!r}, frame {frame}: joint {joint} misses some coordinates; "
            f"expected all three or none. Make all three NaN."
        )
    if gait.positions.dtype == np.float32:
        return gait
    with np.errstate(over="ignore"):
        positions = gait.positions.astype(np.float32)
    if np.isinf(positions).any():
        frame = int(np.isinf(positions).any(axis=(1, 2)).argmax())
        raise DataFormatError(
            f"{path}: gait {gait.name!r}, frame {frame}: a position is beyond float32; expected "
            f"metres. Scale the gait before."
        )
    return gait.with_positions(positions)


def check_texts(path: Path, gait: Gait) -> None:
    """Check that name and subject are text of one line.

    Parameters
    ----------
    path
        How messages name the file.
    gait
        The gait.

    Raises
    ------
    DataFormatError
        If one holds a control character.
    """
    # formats differ in what they do to control characters and halves of characters: none to all
    for field, text in (("name", gait.name), ("subject", gait.subject or "")):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise DataFormatError(
                f"{path}: the {field} {text!r} holds a control character; expected text of one "
                f"line. Name the gait before."
            )


def _in_words(n_bytes: float) -> str:
    for unit in ("kB", "MB"):
        n_bytes /= 1000
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}"
    return f"{n_bytes / 1000:,.1f} GB"
