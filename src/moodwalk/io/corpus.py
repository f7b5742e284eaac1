"""Corpora: folders of Parquet files for more gaits than memory holds.

corpus/subject=ada/part-00000.parquet      the columns of `moodwalk.io.tables`; who walks is said by
corpus/subject=ben/part-00000.parquet      the folder, as other engines expect it, not by a column
"""

import os
import secrets
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args
from urllib.parse import quote, unquote

from moodwalk.emotion import Emotion, parse_emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError, MoodwalkError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.atomic import cannot_write, check_writable
from moodwalk.io.tables import ParquetSink, load_pyarrow, stream_parquet
from moodwalk.io.writers import check_texts, to_float32

__all__ = [
    "CorpusWriter",
    "is_corpus",
    "iterate_corpus",
    "list_corpus_parts",
    "write_corpus",
]

PartitionBy = Literal["subject", "label", "acted"]

_PARTITIONS: tuple[PartitionBy, ...] = get_args(PartitionBy)
_SUFFIXES = (".parquet", ".pq")
_NOBODY = "__HIVE_DEFAULT_PARTITION__"

_ROWS_PER_FILE = 500_000
"""About 100 MB."""

_GROUP_ROWS = 16_384
"""Rows of a row group; a reader holds one column of one group at a time."""

_WAITING_ROWS = 262_144
"""Rows that wait for a row group to fill, over all folders: 50 MB."""

_MAX_OPEN = 32
"""Files that are written at a time."""

_BATCH_FRAMES = 2**19
"""Frames of a batch, about 100 MB, however many gaits were asked for."""

_MAX_LOOKS = 100_000
"""Entries that `is_corpus` looks at."""


def is_corpus(path: str | Path) -> bool:
    """Return whether a path is a folder with a Parquet file in it, at any depth.

    Parameters
    ----------
    path
        Any path. Of a folder with very many other files only the first 100,000 are looked at.
    """
    path = Path(path)
    try:
        if not path.is_dir():
            return False
        return any(name is not None for name in islice(_find_parts(path), _MAX_LOOKS))
    except OSError:
        return False


def list_corpus_parts(path: str | Path) -> list[Path]:
    """List the files of a corpus, for instance to give each to another worker.

    Parameters
    ----------
    path
        The folder. A Parquet file is a corpus of one part.

    Returns
    -------
    list of Path
        Every ``.parquet`` or ``.pq`` file below the folder, sorted; not those whose name, or the
        name of a folder on the way, begins with ``.`` or ``_``. Links to folders are not followed.

    Raises
    ------
    DataFormatError
        If there is no such folder, or no such file in it.
    """
    path = Path(path)
    try:
        if path.is_file():
            return [path]
        if not path.is_dir():
            kind = "is no folder" if path.exists() else "does not exist"
            raise DataFormatError(f"{path} {kind}; expected a corpus, a folder of Parquet files.")
        parts = sorted(part for part in _find_parts(path) if part is not None)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataFormatError(f"{path} cannot be read: {reason}. Make it readable.") from error
    if not parts:
        raise DataFormatError(f"{path} holds no Parquet files; expected a corpus of at least one.")
    return parts


def iterate_corpus(path: str | Path, batch_gaits: int = 256) -> Iterator[GaitSet]:
    """Read a corpus batch by batch, whatever its size.

    Parameters
    ----------
    path
        The folder, or one of its parts: iterating over all of `list_corpus_parts` gives the same
        gaits.
    batch_gaits
        Gaits of a batch; fewer in the last, and where gaits are so long that a batch would have
        more than 524,288 frames.

    Yields
    ------
    GaitSet
        The gaits in the order of the parts and of their rows. `Gait.source` is the part, below
        `path`. Folders called ``subject=...``, ``label=...`` or ``acted=...`` fill in what columns
        leave out.

    Raises
    ------
    DataFormatError
        If there are no parts; or, when it is reached, if a part is damaged or holds something else.
        The message names the part.
    LabelError
        If a label or acted emotion, of a column or a folder, is no emotion.
    ConfigError
        If `batch_gaits` is less than 1, or pyarrow is not installed.

    Notes
    -----
    The rows of a gait stand together in one part; row groups do not matter. Names are checked to be
    different within a part only.
    """
    if batch_gaits < 1:
        raise ConfigError(f"batch_gaits is {batch_gaits}; expected at least 1.")
    path = Path(path)
    parts = list_corpus_parts(path)
    load_pyarrow(path)
    return _iterate(path, parts, batch_gaits)


def write_corpus(
    path: str | Path,
    gaits: Iterable[Gait],
    *,
    rows_per_file: int = _ROWS_PER_FILE,
    partition_by: PartitionBy | None = "subject",
) -> int:
    """Write gaits as a corpus, whole or not at all.

    Parameters
    ----------
    path
        The folder to make; nothing, or an empty folder, may be there.
    gaits
        Any number of them; they are not held in memory.
    rows_per_file
        A new file begins when one has so many rows, that is frames.
    partition_by
        ``subject``, ``label`` or ``acted`` makes a folder for each; None puts all files into one.

    Returns
    -------
    int
        Number of gaits.

    Raises
    ------
    DataFormatError
        As of `CorpusWriter`.
    ConfigError
        As of `CorpusWriter`.
    """
    with CorpusWriter(path, rows_per_file=rows_per_file, partition_by=partition_by) as writer:
        for gait in gaits:
            writer.write([gait])
    return writer.n_gaits


@dataclass(slots=True)
class _Folder:
    """One folder that is being filled: gaits that wait, and the file that is open."""

    path: Path
    waiting: list[Gait] = field(default_factory=list["Gait"])
    n_waiting: int = 0
    sink: ParquetSink | None = None
    file: Path | None = None
    n_rows: int = 0
    n_files: int = 0


class CorpusWriter:
    """Writes a corpus piece by piece: a context manager, whole or not at all.

    Parameters
    ----------
    path, rows_per_file, partition_by
        As of `write_corpus`.

    Raises
    ------
    DataFormatError
        At once, if something is there or nothing can be written there; later, if a gait cannot be
        written, two gaits of a file have one name, there were no gaits, or the disk is full.
    ConfigError
        If an option makes no sense, or pyarrow is not installed.

    Notes
    -----
    The folder appears when the block ends well. If it raises, nothing is left. Gaits that come
    sorted by subject give few, large files; any order is allowed. Memory holds some 260,000 frames
    and the names in the files that are open. Gaits without a name are numbered.

    Examples
    --------
    >>> with CorpusWriter("corpus") as writer:  # doctest: +SKIP
    ...     for piece in pieces:
    ...         writer.write(piece)
    """

    def __init__(
        self,
        path: str | Path,
        *,
        rows_per_file: int = _ROWS_PER_FILE,
        partition_by: PartitionBy | None = "subject",
    ) -> None:
        self._path = Path(path)
        if rows_per_file < 1:
            raise ConfigError(f"rows_per_file is {rows_per_file}; expected at least 1.")
        if partition_by is not None and partition_by not in _PARTITIONS:
            raise ConfigError(
                f"'{partition_by}' divides no corpus; expected one of {', '.join(_PARTITIONS)}, or None."
            )
        load_pyarrow(self._path)
        self._rows_per_file = rows_per_file
        self._partition_by: PartitionBy | None = partition_by
        self._check_free()
        self._target = Path(os.path.realpath(self._path))
        self._temporary = self._target.with_name(f".{secrets.token_hex(8)}.part")
        self._folders: dict[str, _Folder] = {}
        self._open: list[_Folder] = []
        self._made: list[Path] = []
        self._n_waiting = 0
        self._writing = False
        self.n_gaits = 0

    def __enter__(self) -> Self:
        parents = (self._target.parent, *self._target.parent.parents)
        self._made = [folder for folder in parents if not folder.exists()]
        try:
            self._temporary.mkdir(parents=True)
        except OSError as error:
            self._remove()
            raise cannot_write(self._path, error) from error
        self._writing = True
        return self

    def write(self, gaits: Iterable[Gait]) -> None:
        """Write more gaits.

        Parameters
        ----------
        gaits
            The next gaits, any number.

        Raises
        ------
        DataFormatError
            If a gait cannot be written, or the disk is full. The corpus cannot be completed then.
        """
        if not self._writing:
            raise DataFormatError(f"{self._path} is closed; expected `write` in its block.")
        for gait in gaits:
            gait = to_float32(self._path, gait)
            check_texts(self._path, gait)
            self.n_gaits += 1
            if not gait.name:
                gait = replace(gait, name=f"{self.n_gaits:08d}")
            self._put(gait)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        was_writing, self._writing = self._writing, False
        try:
            if kind is None:
                if not was_writing:
                    raise DataFormatError(f"{self._path} is not written: a piece failed before.")
                self._finish()
        finally:
            for folder in self._open:
                if folder.sink is not None:
                    with suppress(Exception):  # what went wrong is on its way already
                        folder.sink.abandon()
            self._remove()

    def _check_free(self) -> None:
        check_writable(self._path / "part.parquet")
        if self._path.is_dir() and any(self._path.iterdir()):
            raise DataFormatError(
                f"{self._path} is a folder with something in it; expected nothing there, so that no "
                f"corpus is mixed with another. Choose another place."
            )

    def _put(self, gait: Gait) -> None:
        name = "" if self._partition_by is None else getattr(gait, self._partition_by) or _NOBODY
        if (folder := self._folders.get(name)) is None:
            place = self._temporary
            if self._partition_by is not None:
                place = place / f"{self._partition_by}={quote(name, safe=' ')}"
            folder = self._folders[name] = _Folder(place)
        folder.waiting.append(gait)
        folder.n_waiting += len(gait)
        self._n_waiting += len(gait)
        if folder.n_waiting >= min(_GROUP_ROWS, self._rows_per_file):
            self._flush(folder)
        if self._n_waiting > _WAITING_ROWS:
            fullest = sorted(self._folders.values(), key=lambda each: each.n_waiting)
            while self._n_waiting > _WAITING_ROWS // 2:
                self._flush(fullest.pop())

    def _flush(self, folder: _Folder) -> None:
        """Write what waits as one row group."""
        self._writing = False  # until it is done: half a row group is none
        try:
            if folder.sink is None:
                if len(self._open) == _MAX_OPEN:
                    self._close(self._open[0])
                folder.path.mkdir(exist_ok=True)
                folder.file = folder.path / f"part-{folder.n_files:05d}.parquet"
                leave_out = () if self._partition_by is None else (self._partition_by,)
                folder.sink = ParquetSink(self._path, folder.file, leave_out)
                folder.n_files += 1
                self._open.append(folder)
            folder.sink.write(folder.waiting)
            folder.n_rows += folder.n_waiting
            self._n_waiting -= folder.n_waiting
            folder.waiting, folder.n_waiting = [], 0
            if folder.n_rows >= self._rows_per_file:
                self._close(folder)
        except MoodwalkError:
            raise
        except (OSError, RuntimeError) as error:  # pyarrow raises either where a disk is full
            raise cannot_write(self._path, error) from error
        self._writing = True

    def _close(self, folder: _Folder) -> None:
        if folder.sink is None or folder.file is None:
            return
        folder.sink.finish()
        with folder.file.open("r+b") as file:
            os.fsync(file.fileno())
        self._open.remove(folder)
        folder.sink, folder.file, folder.n_rows = None, None, 0

    def _finish(self) -> None:
        if not self.n_gaits:
            raise DataFormatError(f"{self._path}: no gaits to write; expected at least one.")
        try:
            for folder in self._folders.values():
                if folder.waiting:
                    self._flush(folder)
            self._writing = False
            for folder in list(self._open):
                self._close(folder)
            self._check_free()  # again: it may have taken hours
            if self._target.is_dir():
                self._target.rmdir()
            self._temporary.rename(self._target)
            self._made.clear()
        except (OSError, RuntimeError) as error:
            raise cannot_write(self._path, error) from error

    def _remove(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in self._made:
            with suppress(OSError):  # not made after all, or someone else wrote there meanwhile
                folder.rmdir()


def _find_parts(folder: Path) -> Generator[Path | None]:
    """Yield every part, and None for everything else that was looked at."""

    def refuse(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        yield None
        for name in sorted(files):
            hidden = name.startswith((".", "_"))
            is_part = not hidden and name.lower().endswith(_SUFFIXES)
            yield Path(place, name) if is_part else None


def _iterate(path: Path, parts: list[Path], batch_gaits: int) -> Generator[GaitSet]:
    batch: list[Gait] = []
    problems: list[str] = []
    n_frames = 0
    for part in parts:
        source = part.name if part == path else part.relative_to(path).as_posix()
        subject, label, acted = _read_folder_names(part)
        for gait in stream_parquet(part, problems):
            if batch and (len(batch) == batch_gaits or n_frames + len(gait) > _BATCH_FRAMES):
                yield GaitSet(batch, problems)
                batch, problems, n_frames = [], [], 0
            batch.append(
                replace(
                    gait,
                    subject=_fill(part, gait, "subject", subject),
                    label=_fill(part, gait, "label", label),
                    acted=_fill(part, gait, "acted", acted),
                    source=source,
                )
            )
            n_frames += len(gait)
    if batch:
        yield GaitSet(batch, problems)


def _read_folder_names(part: Path) -> tuple[str | None, Emotion | None, Emotion | None]:
    """Return subject, label and acted emotion as the names of the folders above a part have them."""
    pairs = [name.partition("=") for name in part.absolute().parent.parts]
    held = {key: unquote(value) for key, _, value in pairs if value and value != _NOBODY}
    try:
        label, acted = (
            parse_emotion(held[key]) if key in held else None for key in ("label", "acted")
        )
    except LabelError as error:
        raise LabelError(f"{part}: folder: {error}") from None
    return held.get("subject"), label, acted


def _fill(part: Path, gait: Gait, name: str, said: Any) -> Any:
    """Return what the column or else the folder says; they must not say different things."""
    held = getattr(gait, name)
    if held is not None and said is not None and held != said:
        raise DataFormatError(
            f"{part}: gait {gait.name[:40]!r}: {name} is {str(held)[:40]!r} in its column and "
            f"{str(said)[:40]!r} in the name of its folder; expected the same."
        )
    return said if held is None else held
