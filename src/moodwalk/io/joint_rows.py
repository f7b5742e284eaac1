"""Rows of text and Parquet as blocks of numbers, checked on the way."""

import csv
import io
import math
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from moodwalk.errors import DataFormatError
from moodwalk.io.joint_columns import (
    HEADER_ROWS,
    LAYOUTS,
    METRES,
    TEXTS,
    UNITS,
    HeaderError,
    Layout,
    find_layout,
    find_text_layout,
)
from moodwalk.io.joint_groups import Block, Table
from moodwalk.io.joint_times import MAX_JOINTS, check_size
from moodwalk.io.opening import check_claim
from moodwalk.io.tables import load_pyarrow
from moodwalk.recording import Recording

__all__ = ["EXPECTED", "read_parquet", "read_text"]

EXPECTED = "a table of joints (CSV, TSV, Parquet, NPZ or NPY)"

_BLOCK_ROWS = 4096

_MAX_LINE = 2**17

_MAX_LINES = 2**24

_NOTHING = ("", "nan", "na", "n/a", "#n/a", "null", "none", "-", "--")


def read_text(
    path: Path, file: io.BufferedReader, fps: float | None, joint_names: Sequence[str] | None
) -> list[Recording]:
    """Read text, its columns separated by commas, semicolons or tabs."""
    encoding = "utf-16" if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    end = file.seek(0, io.SEEK_END)
    file.seek(max(end - 2, 0))
    whole = not set(file.read(2)).isdisjoint(b"\r\n")
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        lines = _read_lines(path, text)
        first = list(islice(lines, HEADER_ROWS))
        mark, layout = _find_header(path, lambda: find_text_layout(first), "".join(first[:1]))
        reader = csv.reader(chain(first, lines), delimiter=mark, skipinitialspace=True, strict=True)
        deque(islice(reader, layout.n_rows), maxlen=0)
        rows = ((reader.line_num, row) for row in reader if any(row))
        layout, rows = _read_units(layout, rows)
        table = Table(path, "TSV" if mark == "\t" else "CSV", layout, fps, joint_names)
        if not whole:
            table.note("end of file", "no line break", 0.5, "is the file whole?")
        cells = _Cells(path, layout, mark)
        for n, block in enumerate(_read_rows(path, layout, rows, cells)):
            if not n:  # a guess by the first rows saves minutes where a file is far too large
                check_size(path, int(block.numbers.size * end / file.tell() / 2))
            table.add(block)
        if cells.commas:
            table.note("decimal mark", "comma", 0.9, "numbers such as 1,5")
        return table.finish()
    except UnicodeError as error:
        raise DataFormatError(
            f"{path} is not text in UTF-8 or UTF-16. Save it as UTF-8, or is it another format?"
        ) from error
    except csv.Error as error:
        raise DataFormatError(f"{path}: {error}. Is the file damaged or truncated?") from error
    finally:
        text.detach()  # who opened the file closes it


def _read_lines(path: Path, text: io.TextIOWrapper) -> Iterator[str]:
    n = 0
    while line := text.readline(_MAX_LINE):
        n += 1
        if len(line) == _MAX_LINE or n > _MAX_LINES:
            many = f"more than {_MAX_LINES:,} lines"
            if n <= _MAX_LINES:
                many = f"a line of more than {_MAX_LINE:,} characters"
            raise DataFormatError(f"{path} has {many}; expected {EXPECTED}. Is it one?")
        yield line


def _find_header(
    path: Path, find: Callable[[], tuple[str, Layout] | None], start: str
) -> tuple[str, Layout]:
    try:
        found = find()
    except HeaderError as error:
        raise DataFormatError(f"{path} {error}.") from None
    if found is None:
        raise DataFormatError(
            f"{path} has no columns of joints; found {start.strip()[:60]!r}. Expected {LAYOUTS}."
        )
    n_joints = len(found[1].joints)
    if n_joints > MAX_JOINTS:
        raise DataFormatError(f"{path} has {n_joints:,} joints; expected at most {MAX_JOINTS:,}.")
    return found


def _read_units(
    layout: Layout, rows: Iterator[tuple[int, list[str]]]
) -> tuple[Layout, Iterator[tuple[int, list[str]]]]:
    """Take the row of units below the header away, if there is one."""
    for line, row in rows:
        cells = [cell.strip().lower() for cell in row]
        if all(UNITS.fullmatch(cell) for cell in cells) and any(cell in METRES for cell in cells):
            unit = "".join(cells[layout.coordinates[0] : layout.coordinates[0] + 1])
            return replace(layout, unit_m=METRES.get(unit, layout.unit_m)), rows
        return layout, chain([(line, row)], rows)
    return layout, rows


def _read_rows(
    path: Path, layout: Layout, rows: Iterator[tuple[int, list[str]]], cells: "_Cells"
) -> Iterator[Block]:
    numbers = layout.numbers
    texts = [layout.texts[name] for name in TEXTS if name in layout.texts]
    joint = layout.texts.get("joint")
    n_columns = len(layout.columns)
    width = max(i for i, name in enumerate(layout.columns, start=1) if name)
    while some := list(islice(rows, _BLOCK_ROWS)):
        for line, row in some:
            if len(row) < width or any(row[n_columns:]):
                commas = (
                    " Are numbers written with decimal commas? Separate columns with semicolons."
                )
                raise DataFormatError(
                    f"{path}: line {line} has {len(row)} cells; expected {width}, as the header has."
                    f"{commas if len(row) > n_columns else ' Is the file truncated?'}"
                )
        columns = list(zip(*[row for _, row in some], strict=False))
        lines = [line for line, _ in some]
        yield Block(
            lines,
            np.array([cells.parse(lines, i, columns[at]) for i, at in enumerate(numbers)]).T,
            list(zip(*[map(str.strip, columns[i]) for i in texts], strict=True))
            or [()] * len(some),
            [] if joint is None else [name.strip() for name in columns[joint]],
        )


class _Cells:
    """Makes numbers of cells; finds decimal commas on the way."""

    def __init__(self, path: Path, layout: Layout, mark: str) -> None:
        self._path = path
        self._layout = layout
        self._mark = mark
        self.commas = self._points = False

    def parse(self, lines: Sequence[int], i: int, cells: Sequence[str]) -> Sequence[float]:
        """Return a number for every cell of the `i`-th column, NaN where there is nothing."""
        together = "\n".join(cells)
        if "." in together:
            self._points = True
        if self.commas:
            cells = [cell.replace(",", ".") for cell in cells]
        try:
            values = [float(cell) if cell else math.nan for cell in cells]
        except ValueError:
            values = []
        if not values or "_" in together:  # Python takes 1_0 for a number, nobody else does
            values = [
                self._parse_cell(line, i, cell.strip())
                for line, cell in zip(lines, cells, strict=True)
            ]
        if self.commas and self._points:
            raise DataFormatError(
                f"{self._path}: some numbers have decimal commas and some points; expected one of the "
                f"two. Are there thousands separators? Write numbers plainly."
            )
        return values

    def _parse_cell(self, line: int, i: int, cell: str) -> float:
        if cell.lower() in _NOTHING:
            return math.nan
        if "," in cell and self._mark != ",":
            self.commas = True
            cell = cell.replace(",", ".")
        try:
            if "_" not in cell:
                return float(cell)
        except ValueError:
            pass
        column = self._layout.columns[self._layout.numbers[i]]
        comma = re.fullmatch(r"-?\d*,\d+", cell) is not None
        advice = " Write it with a point, or separate columns with semicolons." if comma else ""
        raise DataFormatError(
            f"{self._path}: line {line}, column {column!r} is {cell[:40]!r}; expected a number, or "
            f"nothing where the joint is missing.{advice}"
        )


def _find_names_layout(names: Sequence[str]) -> tuple[str, Layout] | None:
    layout = find_layout([names])
    return None if layout is None else ("", layout)


def read_parquet(
    path: Path, file: io.BufferedReader, fps: float | None, joint_names: Sequence[str] | None
) -> list[Recording]:
    """Read Parquet, a block of rows at a time."""
    arrow, parquet = load_pyarrow(path)
    table = parquet.ParquetFile(file)
    schema, metadata = table.schema_arrow, table.metadata
    names: list[str] = schema.names
    if len(set(names)) < len(names):
        raise DataFormatError(f"{path} has two columns of one name; expected each name once.")
    found = _find_header(path, lambda: _find_names_layout(names), ", ".join(names))
    layout = found[1]
    texts = [name for name in (*TEXTS, "joint") if name in layout.texts]
    types = arrow.types
    for column in layout.numbers:
        kind = schema.types[column]
        moment = types.is_timestamp(kind) or types.is_duration(kind)
        if moment and column == layout.others.get("time"):
            layout = replace(layout, second=1e-9)
        elif not (types.is_floating(kind) or types.is_integer(kind) or types.is_null(kind)):
            raise DataFormatError(
                f"{path}: column {names[column]!r} holds {str(kind)[:60]}; expected numbers."
            )
    for column in layout.texts.values():
        kind = schema.types[column]
        kind = kind.value_type if types.is_dictionary(kind) else kind
        if not (types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind)):
            raise DataFormatError(
                f"{path}: column {names[column]!r} holds {str(kind)[:60]}; expected text."
            )
    unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    check_claim(path, max(unpacked, metadata.num_rows * 4 * len(layout.numbers)))
    check_size(path, metadata.num_rows * len(layout.numbers))
    said = [names[layout.texts[name]] for name in texts]
    # so that a text which all rows share comes once, whatever its length
    table = parquet.ParquetFile(file, metadata=metadata, read_dictionary=said)
    read = [names[column] for column in (*layout.numbers, *layout.texts.values())]
    result = Table(path, "Parquet", layout, fps, joint_names)
    line = 1
    for batch in table.iter_batches(_BLOCK_ROWS, columns=read, use_threads=False):
        n = len(batch)
        numbers = np.empty((n, len(layout.numbers)))
        for i, column in enumerate(layout.numbers):
            values = batch.column(names[column])
            if i == layout.place.get("time") and layout.second == 1e-9:
                values = _count_nanoseconds(arrow, values)
            numbers[:, i] = values.to_numpy(zero_copy_only=False)
        words = [_unpack(batch.column(name)) for name in said]
        joints = words.pop() if "joint" in texts else []
        pairs = list(zip(*words, strict=True)) if words else [()] * n
        result.add(Block(range(line, line + n), numbers, pairs, joints))
        line += n
    return result.finish()


def _count_nanoseconds(arrow: Any, values: Any) -> Any:
    kind = values.type
    if arrow.types.is_timestamp(kind):
        values = values.cast(arrow.timestamp("ns", tz=kind.tz))
    elif arrow.types.is_duration(kind):
        values = values.cast(arrow.duration("ns"))
    return values.cast(arrow.int64())


def _unpack(column: Any) -> list[str]:
    if hasattr(column, "dictionary"):
        words = [str(word).strip() for word in column.dictionary.to_pylist()]
        return ["" if code is None else words[code] for code in column.indices.to_pylist()]
    return ["" if word is None else str(word).strip() for word in column.to_pylist()]
