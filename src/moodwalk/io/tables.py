"""Gaits as tables, CSV and Parquet: a row a frame, the frames of a gait together and in order.

gait, frame, fps                       name, 0 ..., frames per second
subject, label, acted, synthetic       empty where there is none; the columns may be missing
root_x, root_y, ... left_foot_z        48 coordinates, empty where the joint is missing
"""

import csv
import io
import math
import re
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import Emotion, parse_emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError, ShapeError
from moodwalk.gait import MAX_FRAMES, Gait, GaitSet
from moodwalk.io.opening import check_claim, explain_damage, open_checked
from moodwalk.skeleton import Joint

__all__ = [
    "COLUMNS",
    "CsvSink",
    "ParquetSink",
    "begins_table",
    "load_pyarrow",
    "read_table",
    "stream_parquet",
]

COORDINATES = tuple(f"{joint.name.lower()}_{axis}" for joint in Joint for axis in "xyz")
NEEDED = ("gait", "frame", "fps")
OPTIONAL = ("subject", "label", "acted", "synthetic")
COLUMNS = (*NEEDED, *OPTIONAL, *COORDINATES)

PARQUET_SIGNATURE = b"PAR1"

_TEXTS = ("gait", "subject", "label", "acted")
_TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}
_BLOCK_ROWS = 4096
_MAX_LINE = 2**16
_BUFFER_BYTES = 2**16


class _Facts(NamedTuple):
    """What every row of a gait says alike."""

    gait: str
    fps: float
    subject: str | None
    label: Emotion | None
    acted: Emotion | None
    synthetic: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows of a table.

    Parameters
    ----------
    rows
        Their numbers, for messages.
    facts, frames
        One a row.
    positions
        (n, 48).
    """

    rows: Sequence[int]
    facts: Sequence[_Facts]
    frames: Sequence[int]
    positions: NDArray[np.floating]


def read_table(path: str | Path) -> GaitSet:
    """Read the gaits of a CSV or Parquet file; its content says which of the two it is.

    Parameters
    ----------
    path
        The file, with the columns ``gait``, ``frame``, ``fps`` and 48 coordinates such as
        ``right_knee_y``, in any order; ``subject``, ``label``, ``acted`` and ``synthetic`` may be
        missing. CSV is UTF-8 with commas and a header line.

    Returns
    -------
    GaitSet
        The gaits in the order of the file; `problems` names columns that are not read. Positions
        are float32, or float64 where a Parquet file has them so.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, damaged, claims more than it can hold, or holds something
        else. The message names row and column; row 1 of a CSV file is its header.
    LabelError
        If a label or acted emotion is no emotion.
    ConfigError
        If the file is Parquet and pyarrow is not installed.
    """
    path = Path(path)
    with open_checked(path, "a CSV or Parquet file") as file:
        if file.peek(4).startswith(PARQUET_SIGNATURE):
            return _read_parquet(path, file)
        return _read_csv(path, file)


def stream_parquet(path: Path, problems: list[str]) -> Generator[Gait]:
    """Yield the gaits of a Parquet file one by one; no more than a block of rows lies in memory.

    Parameters
    ----------
    path
        The file, as of `read_table`.
    problems
        Gets a line about columns that are not read, before the first gait.

    Raises
    ------
    DataFormatError, LabelError, ConfigError
        As of `read_table`, as soon as the rows at fault are reached.
    """
    with open_checked(path, "a Parquet file") as file:
        yield from _stream_parquet(path, file, problems, buffer_size=_BUFFER_BYTES)


def begins_table(start: bytes) -> bool:
    """Return whether a file that begins so is text whose first line names columns of a table."""
    line = start.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    cells = {cell.strip(' "\r') for mark in ",;\t" for cell in line.split(mark)}
    return len(cells & set(COLUMNS)) >= 2


def load_pyarrow(path: Path) -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(
            f"pyarrow is not installed; expected it for {path.name}. Install 'moodwalk[data]'."
        ) from None
    return pyarrow, pyarrow.parquet


class CsvSink:
    """Writes one CSV file.

    Parameters
    ----------
    path
        How messages name the file.
    temporary
        The file to write.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self._names = _Names(path)
        self._file = temporary.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(COLUMNS)

    def write(self, gaits: Sequence[Gait]) -> None:
        """Write gaits, or refuse one whose name is taken."""
        for name, gait in zip(self._names.take(gaits), gaits, strict=True):
            facts = (gait.subject, gait.label, gait.acted, "true" if gait.synthetic else "false")
            for frame, row in enumerate(gait.positions.reshape(len(gait), -1)):
                # nine digits tell any two float32 apart, also if read as float64 first
                cells = ("" if value != value else f"{value:.9g}" for value in row.tolist())
                self._rows.writerow((name, frame, gait.fps, *facts, *cells))
        self._file.flush()

    def finish(self) -> None:
        """Close the file."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file."""
        self._file.close()


class ParquetSink:
    """Writes one Parquet file, a row group a piece.

    Parameters
    ----------
    path
        How messages name the file.
    temporary
        The file to write.
    leave_out
        Columns that are not written, for instance because the folder says what they hold.

    Raises
    ------
    ConfigError
        If pyarrow is not installed.
    """

    def __init__(self, path: Path, temporary: Path, leave_out: Collection[str] = ()) -> None:
        self._arrow, parquet = load_pyarrow(path)
        self._names = _Names(path)
        arrow = self._arrow
        types = {"frame": arrow.int32(), "fps": arrow.float64(), "synthetic": arrow.bool_()}
        types |= dict.fromkeys(_TEXTS, arrow.string()) | dict.fromkeys(COORDINATES, arrow.float32())
        self._schema = arrow.schema(
            [(name, types[name]) for name in COLUMNS if name not in leave_out]
        )
        # Python's own file, so that a full disk is Python's own error
        self._file = temporary.open("wb")
        self._writer = parquet.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in (*_TEXTS, "fps") if name not in leave_out],
            use_byte_stream_split=list(COORDINATES),
        )

    def write(self, gaits: Sequence[Gait]) -> None:
        """Write gaits as one row group, or refuse one whose name is taken."""
        names = self._names.take(gaits)
        if not gaits:
            return
        lengths = [len(gait) for gait in gaits]

        def repeat(values: Sequence[object]) -> list[object]:
            return [
                value for value, n in zip(values, lengths, strict=True) for value in [value] * n
            ]

        columns: list[Any] = [
            repeat(names),
            np.concatenate([np.arange(n, dtype=np.int32) for n in lengths]),
            np.repeat([gait.fps for gait in gaits], lengths),
            repeat([gait.subject or None for gait in gaits]),
            repeat([None if gait.label is None else str(gait.label) for gait in gaits]),
            repeat([None if gait.acted is None else str(gait.acted) for gait in gaits]),
            np.repeat([gait.synthetic for gait in gaits], lengths),
        ]
        rows = np.concatenate([gait.positions.reshape(len(gait), -1) for gait in gaits])
        columns.extend(np.ascontiguousarray(rows.T, dtype=np.float32))
        held = dict(zip(COLUMNS, columns, strict=True))
        arrays = [
            self._arrow.array(
                held[field.name], type=field.type, from_pandas=True
            )  # NaN becomes null
            for field in self._schema
        ]
        table = self._arrow.Table.from_arrays(arrays, schema=self._schema)
        self._writer.write_table(table, row_group_size=len(rows))
        self._file.flush()

    def finish(self) -> None:
        """Write the footer and close the file."""
        self._writer.close()
        self._file.close()

    def abandon(self) -> None:
        """Close the file."""
        try:
            self._writer.close()
        finally:
            self._file.close()


class _Names:
    """The names in one table, each of one gait; gaits without one are numbered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken: set[str] = set()
        self._number = 0

    def take(self, gaits: Sequence[Gait]) -> list[str]:
        """Return a name for each gait, or refuse all of them."""
        given = [gait.name for gait in gaits if gait.name]
        new = set(given)
        if len(new) < len(given) or new & self._taken:
            seen = set(self._taken)
            double = next(name for name in given if name in seen or seen.add(name))
            raise DataFormatError(
                f"{self._path}: two gaits are called {double!r}; expected a name of its own for each "
                f"gait of a table. Name them before."
            )
        self._taken |= new
        return [gait.name or self._next_number() for gait in gaits]

    def _next_number(self) -> str:
        while True:
            self._number += 1
            name = f"{self._number:05d}"
            if name not in self._taken:
                self._taken.add(name)
                return name


def _read_csv(path: Path, file: io.BufferedReader) -> GaitSet:
    file.seek(-1, io.SEEK_END)
    whole = file.read(1) == b"\n"
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    rows = csv.reader(_read_lines(path, text), strict=True)
    try:
        header = next(rows)
        others = _check_columns(path, header)
        if not whole:  # half a number is a number too
            raise DataFormatError(
                f"{path}: its last row does not end with a line break. Is the file truncated? If it "
                f"is not, add one."
            )
        gaits = list(_assemble(path, _read_csv_blocks(path, header, rows)))
    except UnicodeDecodeError as error:
        raise DataFormatError(
            f"{path} is not text in UTF-8 ({error.reason}). Save it as UTF-8, or is it another format?"
        ) from error
    except csv.Error as error:
        raise DataFormatError(
            f"{path}: line {rows.line_num}: {error}. Is the file damaged or truncated?"
        ) from error
    finally:
        text.detach()  # who opened the file closes it
    return GaitSet(gaits, others)


def _read_lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise DataFormatError(
                f"{path} has a line of more than {_MAX_LINE:,} characters; expected a frame a line. "
                f"Is it another format?"
            )
        yield line


def _check_columns(path: Path, found: Sequence[str]) -> list[str]:
    """Return a line about columns that are not read, if there are any."""
    missing = [name for name in (*NEEDED, *COORDINATES) if name not in found]
    if missing:
        separated = " Separate the columns with commas." if len(found) == 1 else ""
        raise DataFormatError(
            f"{path} has no column '{missing[0]}' ({len(missing)} missing); found {_shorten(found)}; "
            f"expected gait, frame, fps and {len(COORDINATES)} coordinates such as "
            f"right_knee_y.{separated}"
        )
    for name in COLUMNS:
        if found.count(name) > 1:
            raise DataFormatError(f"{path} has column '{name}' twice; expected it once.")
    others = [name for name in found if name not in COLUMNS]
    return [f"{path.name}: columns that are not read: {_shorten(others)}."] if others else []


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(repr(name[:40]) for name in names[:6]) + more


def _read_csv_blocks(
    path: Path, header: Sequence[str], rows: Iterator[list[str]]
) -> Iterator[_Block]:
    columns = [name for name in ("gait", "fps", *OPTIONAL) if name in header]
    pick_facts = itemgetter(*(header.index(name) for name in columns))
    pick_positions = itemgetter(*(header.index(name) for name in COORDINATES))
    frame_at = header.index("frame")
    block: list[tuple[int, _Facts, int, list[float]]] = []
    said: tuple[str, ...] | None = None
    facts: _Facts | None = None
    for number, row in enumerate(rows, start=2):
        if not row:  # a blank line
            continue
        if len(row) != len(header):
            raise DataFormatError(
                f"{path}: row {number} has {len(row)} cells; expected {len(header)}, as the header "
                f"has. Is the file truncated?"
            )
        cells = pick_facts(row)
        if facts is None or cells != said:
            facts = _parse_facts(f"{path}: row {number}", dict(zip(columns, cells, strict=True)))
            said = cells
        frame = _parse_frame(f"{path}: row {number}", row[frame_at])
        values = _parse_coordinates(f"{path}: row {number}", pick_positions(row))
        block.append((number, facts, frame, values))
        if len(block) == _BLOCK_ROWS:
            yield _make_block(block)
            block = []
    if block:
        yield _make_block(block)


def _make_block(rows: Sequence[tuple[int, _Facts, int, list[float]]]) -> _Block:
    numbers, facts, frames, values = zip(*rows, strict=True)
    with np.errstate(over="ignore"):  # infinity is refused with its row and column
        return _Block(numbers, facts, frames, np.array(values).astype(np.float32))


def _parse_facts(where: str, cells: dict[str, str]) -> _Facts:
    synthetic = cells.get("synthetic", "")
    if synthetic.lower() not in _TRUTH:
        raise DataFormatError(
            f"{where}, column synthetic is {_quote(synthetic)}; expected true or false."
        )
    fps = _parse_number(cells["fps"])
    if fps is None:
        raise DataFormatError(
            f"{where}, column fps is {_quote(cells['fps'])}; expected a positive number."
        )
    texts = [cells.get(name) for name in _TEXTS]
    return _make_facts(where, texts, fps, _TRUTH[synthetic.lower()])


def _make_facts(
    where: str, texts: Sequence[str | None], fps: float | None, synthetic: bool
) -> _Facts:
    name, subject, label, acted = texts
    if not name:
        raise DataFormatError(f"{where}, column gait is empty; expected the name of the gait.")
    if fps is None or not (math.isfinite(fps) and fps > 0):
        raise DataFormatError(f"{where}, column fps is {fps}; expected a positive number.")
    return _Facts(
        name,
        float(fps),
        subject or None,
        _parse_emotion(f"{where}, column label", label),
        _parse_emotion(f"{where}, column acted", acted),
        synthetic,
    )


def _parse_emotion(where: str, text: str | None) -> Emotion | None:
    try:
        return parse_emotion(text) if text else None
    except LabelError as error:
        raise LabelError(f"{where}: {error}") from None


def _parse_frame(where: str, cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", cell):
        raise DataFormatError(
            f"{where}, column frame is {_quote(cell)}; expected a whole number from 0."
        )
    return int(cell)


def _parse_coordinates(where: str, cells: Sequence[str]) -> list[float]:
    try:
        values = [float(cell) if cell else math.nan for cell in cells]
    except ValueError:
        values = []
    if not values or "_" in "".join(cells):  # Python takes 1_0 for a number, nobody else does
        for name, cell in zip(COORDINATES, cells, strict=True):
            if cell and _parse_number(cell) is None:
                raise DataFormatError(
                    f"{where}, column {name} is {_quote(cell)}; expected a number, or nothing where "
                    f"the joint is missing."
                )
    return values


def _parse_number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _quote(cell: str) -> str:
    return repr(cell) if len(cell) <= 40 else f"{cell[:40]!r}..."


def _read_parquet(path: Path, file: io.BufferedReader) -> GaitSet:
    problems: list[str] = []
    gaits = list(_stream_parquet(path, file, problems))
    return GaitSet(gaits, problems)


def _stream_parquet(
    path: Path, file: io.BufferedReader, problems: list[str], **how: Any
) -> Generator[Gait]:
    arrow, parquet = load_pyarrow(path)
    with explain_damage(path):
        table = parquet.ParquetFile(file)
        schema = table.schema_arrow
        problems.extend(_check_columns(path, schema.names))
        _check_types(path, arrow.types, schema)
        _check_parquet_claim(path, table.metadata)
        # so that a text which all rows share comes once, whatever its length
        texts = [name for name in _TEXTS if name in schema.names]
        table = parquet.ParquetFile(file, metadata=table.metadata, read_dictionary=texts, **how)
        yield from _assemble(path, _read_parquet_blocks(path, table, schema))


def _check_parquet_claim(path: Path, metadata: Any) -> None:
    unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    check_claim(path, max(unpacked, metadata.num_rows * 4 * len(COORDINATES)))


def _check_types(path: Path, types: Any, schema: Any) -> None:
    def is_text(kind: Any) -> bool:
        if types.is_dictionary(kind):
            kind = kind.value_type
        return types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind)

    def is_number(kind: Any) -> bool:
        return types.is_floating(kind) or types.is_integer(kind)

    def is_truth(kind: Any) -> bool:
        return types.is_boolean(kind) or types.is_null(kind)

    checks = dict.fromkeys(COLUMNS, (is_number, "numbers"))
    checks |= dict.fromkeys(_TEXTS, (is_text, "text"))
    checks |= {
        "frame": (types.is_integer, "whole numbers"),
        "synthetic": (is_truth, "true or false"),
    }
    for name, (is_right, expected) in checks.items():
        if name in schema.names and not is_right(schema.field(name).type):
            raise DataFormatError(
                f"{path}: column {name} holds {schema.field(name).type}; expected {expected}."
            )


def _read_parquet_blocks(path: Path, table: Any, schema: Any) -> Iterator[_Block]:
    present = [name for name in COLUMNS if name in schema.names]
    single = all(schema.field(name).type.bit_width <= 32 for name in COORDINATES)
    start = 1
    for batch in table.iter_batches(_BLOCK_ROWS, columns=present, use_threads=False):
        n = len(batch)
        nothing: list[Any] = [None] * n
        columns = {name: batch.column(name) for name in present}
        texts = [_unpack(columns[name]) if name in columns else nothing for name in _TEXTS]
        synthetic = columns["synthetic"].to_pylist() if "synthetic" in columns else nothing
        facts: list[_Facts] = []
        said: object = None
        rows = zip(*texts, columns["fps"].to_pylist(), synthetic, strict=True)
        for number, row in enumerate(rows, start):
            if row == said:
                facts.append(facts[-1])
            else:
                *words, fps, truth = row
                facts.append(_make_facts(f"{path}: row {number}", words, fps, bool(truth)))
                said = row
        frames = [-1 if frame is None else frame for frame in columns["frame"].to_pylist()]
        positions = np.stack(
            [columns[name].to_numpy(zero_copy_only=False) for name in COORDINATES], axis=1
        )
        yield _Block(
            range(start, start + n),
            facts,
            frames,
            positions.astype(np.float32 if single else np.float64),
        )
        start += n


def _unpack(column: Any) -> list[str | None]:
    if not hasattr(column, "dictionary"):
        return column.to_pylist()
    words = column.dictionary.to_pylist()
    return [None if code is None else words[code] for code in column.indices.to_pylist()]


def _assemble(path: Path, blocks: Iterator[_Block]) -> Generator[Gait]:
    """Put the rows of every gait together."""
    done: set[str] = set()
    pieces: list[NDArray[np.floating]] = []
    current: _Facts | None = None
    first = n_frames = 0
    for block in blocks:
        _check_positions(path, block)
        start = 0
        for i, (facts, frame) in enumerate(zip(block.facts, block.frames, strict=True)):
            if facts is not current and facts != current:
                where = f"{path}: row {block.rows[i]}"
                if current is not None:
                    if facts.gait == current.gait:
                        raise _differing(where, current, facts)
                    if facts.gait in done:
                        raise DataFormatError(
                            f"{where}: gait {_quote(facts.gait)} goes on after another; expected the "
                            f"rows of a gait together. Sort the table by gait and frame."
                        )
                    pieces.append(block.positions[start:i])
                    yield _make_gait(path, first, current, pieces)
                    done.add(current.gait)
                current, pieces, start, first, n_frames = facts, [], i, block.rows[i], 0
            if frame != n_frames:
                raise DataFormatError(
                    f"{path}: row {block.rows[i]}, column frame: gait {_quote(facts.gait)} has frame "
                    f"{frame}; expected {n_frames}: 0, 1, 2 and so on, none twice and none left out."
                )
            n_frames += 1
            if n_frames > MAX_FRAMES:
                raise DataFormatError(
                    f"{path}: row {block.rows[i]}: gait {_quote(facts.gait)} has more than "
                    f"{MAX_FRAMES:,} frames; expected at most so many. Is the frame rate right?"
                )
        pieces.append(block.positions[start:])
    if current is None:
        raise DataFormatError(f"{path} holds no gaits; expected a row a frame.")
    yield _make_gait(path, first, current, pieces)


def _make_gait(path: Path, row: int, facts: _Facts, pieces: Sequence[NDArray[np.floating]]) -> Gait:
    positions = np.concatenate(pieces)
    try:
        return Gait(
            positions.reshape(len(positions), -1, 3),
            facts.fps,
            name=facts.gait,
            subject=facts.subject,
            label=facts.label,
            acted=facts.acted,
            source=path.name,
            synthetic=facts.synthetic,
        )
    except ShapeError as error:
        raise DataFormatError(f"{path}: row {row}: {error}") from None


def _differing(where: str, before: _Facts, now: _Facts) -> DataFormatError:
    column = next(name for name in before._fields if getattr(before, name) != getattr(now, name))
    old, new = getattr(before, column), getattr(now, column)
    return DataFormatError(
        f"{where}, column {column}: gait {_quote(now.gait)} has {_quote(str(new))} here and "
        f"{_quote(str(old))} before; expected one value for all rows of a gait."
    )


def _check_positions(path: Path, block: _Block) -> None:
    infinite = np.isinf(block.positions)
    if infinite.any():
        row, column = (int(index) for index in np.argwhere(infinite)[0])
        raise DataFormatError(
            f"{path}: row {block.rows[row]}, column {COORDINATES[column]} is infinite or beyond "
            f"float32; expected a finite number, or nothing where the joint is missing."
        )
    missing = np.isnan(block.positions).reshape(len(block.rows), -1, 3)
    partly = missing.any(axis=2) & ~missing.all(axis=2)
    if partly.any():
        row, joint = (int(index) for index in np.argwhere(partly)[0])
        axis = int(missing[row, joint].argmax())
        raise DataFormatError(
            f"{path}: row {block.rows[row]}, column {COORDINATES[3 * joint + axis]} is empty, others "
            f"of this joint are not; expected all three or none. Leave out all three where the joint "
            f"is missing."
        )
