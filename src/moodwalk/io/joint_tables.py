"""Tables of joints of any skeleton, under the names of their source: CSV, TSV, Parquet, NPZ, NPY.

wide    a row a frame; LeftHip_x, LeftHip_y, LeftHip_z, ... or joint names above x, y, z
long    a row a joint and frame; frame (or time), joint, x, y, z
arrays  positions (T, J, 3), joints, fps

`moodwalk.io.tables` and `moodwalk.io.npz` read the tables that moodwalk itself writes.
"""

import csv
import io
import math
import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, DataFormatError, LabelError, MoodwalkError, ShapeError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.opening import check_claim, open_checked, peek
from moodwalk.io.tables import (
    COORDINATES,
    NEEDED,
    PARQUET_SIGNATURE,
    begins_table,
    load_pyarrow,
)
from moodwalk.recording import Finding, Recording

__all__ = [
    "MAX_JOINTS",
    "MAX_NUMBERS",
    "MAX_RECORDINGS",
    "begins_joint_table",
    "is_joint_table",
    "read_joint_table",
]

MAX_JOINTS = 1000
"""Marker sets have up to 300."""

MAX_NUMBERS = 2**25
"""What one table may hold, 256 MiB: more than three hours of 25 joints at 30 frames a second."""

MAX_RECORDINGS = 20_000
"""In one table; more is a corpus."""

Numbers = NDArray[np.float64]

_EXPECTED = "a table of joints (CSV, TSV, Parquet, NPZ or NPY)"
_LAYOUTS = (
    "LeftHip_x, LeftHip_y, LeftHip_z and so on for every joint; joint names in a row above x, y, z; "
    "or frame, joint, x, y, z"
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_NPY = b"\x93NUMPY"

# What zipfile, zlib, NumPy and pyarrow raise for bytes that make no sense. RuntimeError: encrypted.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    MemoryError,
)


def read_joint_table(
    path: str | Path,
    fps: float | None = None,
    *,
    joint_names: Sequence[str] | None = None,
) -> list[Recording]:
    """Read what a table of joints recorded; its content says which format it is.

    Parameters
    ----------
    path
        A CSV file (commas, semicolons or tabs), a Parquet, NPZ or NPY file. See
        ``docs/formats.md`` for the layouts.
    fps
        Frames per second where the file has neither a rate nor times.
    joint_names
        Names in the order of the file, where the file has none: of the arrays, or of joints that
        are called 0, 1, 2 and so on.

    Returns
    -------
    list of Recording
        One for each name in the column ``gait`` (or ``subject``), in the order of the file; one
        where there is no such column. Missing points are NaN, all three coordinates at once.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, damaged, too large, has no depth, or holds something else.
        The message names line and column.
    LabelError
        If a label or acted emotion is no emotion.
    ConfigError
        If nobody says the frame rate or the names of the joints, or the file is Parquet and
        pyarrow is not installed.

    Notes
    -----
    Times decide the rate where there is no column ``fps``. Irregular times are resampled linearly
    to the median rate; frames that are left out become NaN. Findings say so, and so of everything
    else that was decided here.
    """
    path = Path(path)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ConfigError(f"fps is {fps}; expected a positive number.")
    # numbers at the end of what floats can hold: what comes of them is checked
    with open_checked(path, _EXPECTED) as file, np.errstate(all="ignore"):
        start = file.peek(8)
        try:
            if start.startswith(_ZIP) or start.startswith(_NPY):
                return [_read_arrays(path, file, fps, joint_names)]
            if start.startswith(PARQUET_SIGNATURE):
                return _read_parquet(path, file, fps, joint_names)
        except (MoodwalkError, PermissionError):
            raise
        except (*_DAMAGE, OSError) as error:  # pyarrow's own are among these, or of OSError
            said = getattr(error, "strerror", None) or str(error)
            reason = " ".join(said.split())[:200] or type(error).__name__
            raise DataFormatError(
                f"{path} is damaged or truncated: {reason.rstrip('.')}. Fetch it again."
            ) from error
        return _read_text(path, file, fps, joint_names)


def begins_joint_table(start: bytes) -> bool:
    """Return whether a file that begins so is text with columns of joints, or an NPY file.

    Never true where `moodwalk.io.tables.begins_table` is, and that is true of some tables of
    joints too (those with columns ``gait`` and ``frame``): `is_joint_table` tells these apart.

    Parameters
    ----------
    start
        The first bytes of the file, some 64 KiB.
    """
    return start.startswith(_NPY) or (not begins_table(start) and _begins_text(start))


def is_joint_table(path: str | Path) -> bool:
    """Return whether a file looks like a table of joints, and not like moodwalk's own.

    Parameters
    ----------
    path
        Any path. Only the header is read, and of Parquet and NPZ the index at the end.
    """
    path = Path(path)
    start = peek(path, 2**16)
    if start.startswith(_ZIP):
        try:
            with zipfile.ZipFile(path) as archive:
                held = {name.removesuffix(".npy") for name in archive.namelist()}
        except (*_DAMAGE, OSError):
            return False
        return "n_frames" not in held and bool(held & {"positions", "arr_0"})
    if start.startswith(PARQUET_SIGNATURE):
        try:
            names = load_pyarrow(path)[1].read_schema(path).names
            return not _is_own(names) and _find_layout([names]) is not None
        except _HeaderError as error:
            return error.sure
        except (ConfigError, *_DAMAGE, OSError):
            return False
    return start.startswith(_NPY) or _begins_text(start)


def _begins_text(start: bytes) -> bool:
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    lines = start.decode(encoding, errors="replace").splitlines(keepends=True)
    try:
        found = _find_text_layout(lines[:_HEADER_ROWS])
    except _HeaderError as error:
        return error.sure
    if found is None:
        return False
    layout = found[1]
    return not _is_own(layout.columns) and (not layout.joints or len(layout.joints) >= _MIN_CLAIMED)


def _is_own(names: Sequence[str]) -> bool:
    """Whether `read_table` would read it, or say best what is wrong with it."""
    held = {name.strip() for name in names}
    return held.issuperset(NEEDED) and len(held.intersection(COORDINATES)) >= len(COORDINATES) / 2


# Columns


_MIN_CLAIMED = 4
"""Joints that a table needs so that it is taken for one unasked."""

_HEADER_ROWS = 24
_MAX_NAME = 200

_ROLES: Mapping[str, tuple[str, ...]] = {
    "gait": ("gait", "recording", "trial", "name"),
    "subject": ("subject",),
    "label": ("label",),
    "acted": ("acted",),
    "frame": ("frame", "frames", "frame_number", "frame_no", "frame_id", "frame_index"),
    "fps": ("fps", "frame_rate", "framerate", "frames_per_second", "sampling_rate"),
    "confidence": ("confidence", "visibility", "likelihood", "score"),
}
_TEXTS = ("gait", "subject", "label", "acted")
_JOINT_COLUMN = ("joint", "joint_name", "marker", "keypoint", "landmark", "bodypart", "body_part")
_CONFIDENCE = r"confidence|visibility|likelihood|score|conf|c"

_METRES: Mapping[str, float] = {
    "mm": 1e-3, "millimeters": 1e-3, "millimetres": 1e-3, "cm": 1e-2, "centimeters": 1e-2,
    "centimetres": 1e-2, "m": 1.0, "meters": 1.0, "metres": 1.0,
}  # fmt: skip
_LENGTH = "|".join(sorted(_METRES, key=len, reverse=True))
_SECONDS: Mapping[str, float] = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3,
    "milliseconds": 1e-3, "us": 1e-6, "microseconds": 1e-6, "ns": 1e-9, "nanoseconds": 1e-9,
}  # fmt: skip
_TIME = re.compile(rf"(?:elapsed_)?(?:time|timestamp|t)(?:_({'|'.join(_SECONDS)}))?|seconds")

_PART = re.compile(  # LeftHip_x, Left Hip:X, LeftHip.x (mm), nose_confidence
    rf"(.*[^ ._:\-])[ ._:\-]+([xyz]|{_CONFIDENCE})(?:[ _]*[(\[ _]({_LENGTH})[)\]]?)?", re.IGNORECASE
)
_CAPITAL = re.compile(r"(.*[a-z0-9])([XYZ])")  # LeftHipX
_BEFORE = re.compile(r"([xyz])[ ._:]+(.+)", re.IGNORECASE)  # x_LeftHip
_LEVELS = re.compile(r"\(.*'([^']+)', '([^']+)'\)")  # a column with two names, as pandas writes it
_PLACE = re.compile(r"(.+)[ ._:](?:pos|position|translation)", re.IGNORECASE)
_NO_PLACE = re.compile(
    r"(?:.*[ ._:])?(?:rot|rotation|quat|orientation|euler|angles?|vel|velocity|acc|acceleration)",
    re.IGNORECASE,
)
_AXIS = re.compile(r"([xyz])\d*", re.IGNORECASE)
_NO_NAMES = ("scorer", "type", "id", "parent", "individuals")
_UNITS = re.compile(rf"{_LENGTH}|{'|'.join(_SECONDS)}|px|deg|-|#|", re.IGNORECASE)
_RATES = ("export_frame_rate", "frame_rate", "framerate", "fps", "datarate", "sampling_rate",
          "trajectories")  # fmt: skip
"""Words above a table with the rate beside or below them; the last as Vicon writes it."""


class _HeaderError(Exception):
    """A header of joints that cannot be read, and whether it is surely one of joints."""

    def __init__(self, message: str, sure: bool = True) -> None:
        super().__init__(message)
        self.sure = sure


_NO_DEPTH = (
    "has x and y and no z: depth is missing. Expected points in space; lift them to 3-D before, or "
    "give the video itself"
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which column holds what.

    Parameters
    ----------
    columns
        A name for every column, for messages.
    joints
        The joints of a wide table; none where a column names them.
    coordinates
        Three columns a joint; three where a column names the joint.
    confidences
        For a joint, by its place, the column.
    others
        ``frame``, ``time``, ``fps`` and ``confidence`` (one for all joints) to their columns.
    texts
        ``gait``, ``subject``, ``label``, ``acted`` and ``joint`` to their columns.
    unit_m, second
        Metres in the unit of the coordinates, seconds in that of time, where the names say so.
    fps
        Where lines above the table say so.
    n_rows
        How many rows the header takes.
    """

    columns: Sequence[str]
    joints: tuple[str, ...]
    coordinates: tuple[int, ...]
    confidences: dict[int, int]
    others: dict[str, int]
    texts: dict[str, int]
    unit_m: float | None = None
    second: float | None = None
    fps: float | None = None
    n_rows: int = 1

    @property
    def numbers(self) -> tuple[int, ...]:
        """The columns with numbers, in the order of a `_Block`."""
        return (*self.coordinates, *self.confidences.values(), *self.others.values())

    @property
    def place(self) -> dict[str, int]:
        """Where the `others` stand in a `_Block`."""
        first = len(self.coordinates) + len(self.confidences)
        return {name: first + i for i, name in enumerate(self.others)}

    @property
    def unread(self) -> list[str]:
        """Names of the columns that nobody reads."""
        read = {*self.numbers, *self.texts.values()}
        return [name for i, name in enumerate(self.columns) if name and i not in read]


def _normalise(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name[:_MAX_NAME].lower()).strip("_")


def _find_layout(rows: Sequence[Sequence[str]]) -> _Layout | None:
    """Find the header among the first rows of a table."""
    for i, row in enumerate(rows):
        names = [cell.strip() for cell in row]
        if layout := _find_long(names):
            return replace(layout, n_rows=i + 1)
        if i and sum(_AXIS.fullmatch(name) is not None for name in names) >= 2:
            above = [[cell.strip() for cell in before] for before in rows[:i]]
            layout = _name_from_above(above, names)
            if layout is not None:
                return replace(layout, n_rows=i + 1)
        layout = _find_wide(names)
        if layout is not None:
            return replace(layout, n_rows=i + 1)
    return None


def _find_roles(names: Sequence[str], taken: Iterable[int]) -> tuple[dict[str, int], float | None]:
    """Find the columns beside the joints, and the unit of time."""
    free = [name if i not in set(taken) else "" for i, name in enumerate(map(_normalise, names))]
    roles: dict[str, int] = {}
    for role, known in _ROLES.items():
        column = next((free.index(name) for name in known if name in free), None)
        if column is not None:
            roles[role] = column
    for i, name in enumerate(free):
        match = _TIME.fullmatch(name)
        if match and name:
            unit = "seconds" if name == "seconds" else match[1]
            return roles | {"time": i}, _SECONDS.get(unit or "")
    return roles, None


def _make_layout(
    names: Sequence[str],
    joints: Iterable[str],
    coordinates: Sequence[int],
    confidences: dict[int, int],
    joint_column: int | None = None,
    unit_m: float | None = None,
) -> _Layout:
    taken = {*coordinates, *confidences.values()}
    if joint_column is not None:
        taken.add(joint_column)
    roles, second = _find_roles(names, taken)
    if confidences:
        roles.pop("confidence", None)
    texts = {role: column for role, column in roles.items() if role in _TEXTS}
    if joint_column is not None:
        texts["joint"] = joint_column
    others = {role: column for role, column in roles.items() if role not in _TEXTS}
    return _Layout(
        names, tuple(joints), tuple(coordinates), confidences, others, texts, unit_m, second
    )


def _find_long(names: Sequence[str]) -> _Layout | None:
    clean = [re.sub(rf"_(?:{_LENGTH})$", "", _normalise(name)) for name in names]
    joint = next((clean.index(name) for name in _JOINT_COLUMN if name in clean), None)
    if joint is None and "name" in clean and "gait" in clean:
        joint = clean.index("name")
    if joint is None or "x" not in clean or "y" not in clean:
        return None
    if "z" not in clean:
        raise _HeaderError(_NO_DEPTH)
    coordinates = [clean.index(axis) for axis in "xyz"]
    roles, _ = _find_roles(names, ())
    if not roles.keys() & {"frame", "time"}:
        raise _HeaderError("has no column frame or time; expected frame, joint, x, y, z", False)
    unit = _normalise(names[coordinates[0]]).removeprefix("x").strip("_")
    return _make_layout(names, (), coordinates, {}, joint, _METRES.get(unit))


def _split_name(name: str) -> tuple[str, str, str] | None:
    """Return joint, part and unit of a column such as ``LeftHip_x``."""
    if not 2 <= len(name) <= _MAX_NAME:
        return None
    if levels := _LEVELS.fullmatch(name):
        name = f"{levels[1]}_{levels[2]}"
    if match := _PART.fullmatch(name):
        joint, part, unit = match[1], match[2].lower(), (match[3] or "").lower()
    elif match := _CAPITAL.fullmatch(name):
        joint, part, unit = match[1], match[2].lower(), ""
    elif match := _BEFORE.fullmatch(name):
        joint, part, unit = match[2], match[1].lower(), ""
    else:
        return None
    if _NO_PLACE.fullmatch(joint):
        return None
    place = _PLACE.fullmatch(joint)
    return (place[1] if place else joint), part, unit


def _find_wide(names: Sequence[str]) -> _Layout | None:
    parts: dict[str, dict[str, int]] = {}
    units: set[str] = set()
    for i, name in enumerate(names):
        if (split := _split_name(name)) is None:
            continue
        joint, part, unit = split
        if part in parts.setdefault(joint, {}):
            if part in "xyz":
                raise _HeaderError(f"has {part} of joint {joint!r} twice; expected it once", False)
            continue
        parts[joint][part] = i
        units.add(unit)
    joints = [name for name, held in parts.items() if held.keys() >= set("xyz")]
    flat = [name for name, held in parts.items() if held.keys() & set("xyz") == set("xy")]
    if not joints:
        if len(flat) >= _MIN_CLAIMED:
            raise _HeaderError(_NO_DEPTH)
        return None
    sure = len(joints) >= _MIN_CLAIMED
    for name, held in parts.items():
        if len(held.keys() & set("xyz")) == 2:
            axis = next(axis for axis in "xyz" if axis not in held)
            raise _HeaderError(
                f"has no {axis} of joint {name!r}; expected x, y and z of every joint", sure
            )
    coordinates = [parts[name][axis] for name in joints for axis in "xyz"]
    confidences = _find_confidences([parts[name] for name in joints])
    unit = units.pop() if len(units) == 1 else ""
    return _make_layout(names, joints, coordinates, confidences, unit_m=_METRES.get(unit))


def _find_confidences(parts: Sequence[dict[str, int]]) -> dict[int, int]:
    confidences: dict[int, int] = {}
    for i, held in enumerate(parts):
        for part in _CONFIDENCE.split("|"):
            if part in held:
                confidences.setdefault(i, held[part])
    return confidences


def _name_from_above(above: Sequence[Sequence[str]], axes: Sequence[str]) -> _Layout | None:
    """Find joints whose names stand in a row above that of x, y and z."""
    starts: list[int] = []
    flat = False
    for i in range(len(axes)):
        following = [cell.lower()[:1] if _AXIS.fullmatch(cell) else "" for cell in axes[i : i + 3]]
        if following[:2] != ["x", "y"]:
            continue
        if any(_NO_PLACE.fullmatch(row[i]) for row in above if i < len(row) and row[i]):
            continue
        if following == ["x", "y", "z"]:
            starts.append(i)
        else:
            flat = True
    for row in reversed(above):
        label = _normalise(next((cell for cell in row if cell), ""))
        if label in _NO_NAMES or not any(row):
            continue
        joints = ["".join(row[start : start + 1]) for start in starts]
        if all(joints) and len(set(joints)) == len(joints) and joints:
            break
    else:
        if flat and not starts:
            raise _HeaderError(_NO_DEPTH)
        return None
    parts: list[dict[str, int]] = []
    for i, start in enumerate(starts):
        end = starts[i + 1] if i + 1 < len(starts) else start + 5
        extra = axes[start + 3 : min(end, start + 5)]
        parts.append({cell.lower(): start + 3 + j for j, cell in enumerate(extra)})
    coordinates = [start + i for start in starts for i in range(3)]
    names = list(axes)
    if names and names[0].lower() == "coords":  # DeepLabCut numbers the frames below this word
        names[0] = "frame"
    for i in range(len(names)):  # Frame and Time may stand beside the names of the joints
        if not names[i] and i < len(row) and i < starts[0]:
            names[i] = row[i]
    for joint, start in zip(joints, starts, strict=True):
        for i, axis in enumerate("xyz"):
            names[start + i] = f"{joint}_{axis}"
    return _make_layout(names, joints, coordinates, _find_confidences(parts))


def _look_beside(rows: Sequence[Sequence[str]], words: Sequence[str]) -> str:
    """Return what stands right of, or below, the first of some words."""
    for word in words:
        for row, below in zip(rows, [*rows[1:], []], strict=False):
            names = [_normalise(cell) for cell in row]
            if word not in names:
                continue
            i = names.index(word)
            for cell in (*row[i + 1 : i + 2], *below[i : i + 1]):
                if _normalise(cell) in _METRES or cell[:1].isdigit():
                    return cell.strip()
    return ""


def _find_text_layout(lines: Sequence[str]) -> tuple[str, _Layout] | None:
    """Find what separates the columns, and the layout."""
    for mark in ",;\t":
        rows: list[list[str]] = []
        with suppress(csv.Error):  # of a line that is no header
            rows.extend(csv.reader(lines, delimiter=mark, skipinitialspace=True))
        if not any(len(row) > 3 for row in rows):
            continue
        layout = _find_layout(rows)
        if layout is None:
            continue
        above = rows[: layout.n_rows - 1]
        unit, rate = _look_beside(above, ("length_units", "units")), _look_beside(above, _RATES)
        if layout.unit_m is None:
            layout = replace(layout, unit_m=_METRES.get(unit.lower()))
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]*)?", rate) and float(rate) > 0:
            layout = replace(layout, fps=float(rate))
        return mark, layout
    return None


# Rows


_BLOCK_ROWS = 4096
_MAX_LINE = 2**17
_MAX_LINES = 2**24
_NOTHING = ("", "nan", "na", "n/a", "#n/a", "null", "none", "-", "--")


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows of a table.

    Parameters
    ----------
    lines
        Their numbers, for messages.
    numbers
        (n, columns), in the order of `_Layout.numbers`.
    texts
        For each the cells of those of `_TEXTS` that the table has.
    joints
        For each the joint, in a long table.
    """

    lines: Sequence[int]
    numbers: Numbers
    texts: Sequence[tuple[str, ...]]
    joints: Sequence[str]


def _read_text(
    path: Path, file: io.BufferedReader, fps: float | None, joint_names: Sequence[str] | None
) -> list[Recording]:
    encoding = "utf-16" if file.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    end = file.seek(0, io.SEEK_END)
    file.seek(max(end - 2, 0))
    whole = not set(file.read(2)).isdisjoint(b"\r\n")
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        lines = _read_lines(path, text)
        first = list(islice(lines, _HEADER_ROWS))
        mark, layout = _find_header(path, lambda: _find_text_layout(first), "".join(first[:1]))
        reader = csv.reader(chain(first, lines), delimiter=mark, skipinitialspace=True, strict=True)
        deque(islice(reader, layout.n_rows), maxlen=0)
        rows = ((reader.line_num, row) for row in reader if any(row))
        layout, rows = _read_units(layout, rows)
        table = _Table(path, "TSV" if mark == "\t" else "CSV", layout, fps, joint_names)
        if not whole:
            table.note("end of file", "no line break", 0.5, "is the file whole?")
        cells = _Cells(path, layout, mark)
        for block in _read_rows(path, layout, rows, cells):
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
            many = (
                f"{_MAX_LINES:,} lines" if n > _MAX_LINES else f"a line of {_MAX_LINE:,} characters"
            )
            raise DataFormatError(f"{path} has more than {many}; expected {_EXPECTED}. Cut it up?")
        yield line


def _find_header(
    path: Path, find: Callable[[], tuple[str, _Layout] | None], start: str
) -> tuple[str, _Layout]:
    try:
        found = find()
    except _HeaderError as error:
        raise DataFormatError(f"{path} {error}.") from None
    if found is None:
        raise DataFormatError(
            f"{path} has no columns of joints; found {start.strip()[:60]!r}. Expected {_LAYOUTS}."
        )
    n_joints = len(found[1].joints)
    if n_joints > MAX_JOINTS:
        raise DataFormatError(f"{path} has {n_joints:,} joints; expected at most {MAX_JOINTS:,}.")
    return found


def _read_units(
    layout: _Layout, rows: Iterator[tuple[int, list[str]]]
) -> tuple[_Layout, Iterator[tuple[int, list[str]]]]:
    """Take the row of units below the header away, if there is one."""
    for line, row in rows:
        cells = [cell.strip().lower() for cell in row]
        if all(_UNITS.fullmatch(cell) for cell in cells) and any(cell in _METRES for cell in cells):
            unit = "".join(cells[layout.coordinates[0] : layout.coordinates[0] + 1])
            return replace(layout, unit_m=_METRES.get(unit, layout.unit_m)), rows
        return layout, chain([(line, row)], rows)
    return layout, rows


def _read_rows(
    path: Path, layout: _Layout, rows: Iterator[tuple[int, list[str]]], cells: "_Cells"
) -> Iterator[_Block]:
    numbers = layout.numbers
    texts = [layout.texts[name] for name in _TEXTS if name in layout.texts]
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
        yield _Block(
            lines,
            np.array([cells.parse(lines, i, columns[at]) for i, at in enumerate(numbers)]).T,
            list(zip(*[map(str.strip, columns[i]) for i in texts], strict=True))
            or [()] * len(some),
            [] if joint is None else [name.strip() for name in columns[joint]],
        )


class _Cells:
    """Makes numbers of cells; finds decimal commas on the way."""

    def __init__(self, path: Path, layout: _Layout, mark: str) -> None:
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


def _find_names_layout(names: Sequence[str]) -> tuple[str, _Layout] | None:
    layout = _find_layout([names])
    return None if layout is None else ("", layout)


def _read_parquet(
    path: Path, file: io.BufferedReader, fps: float | None, joint_names: Sequence[str] | None
) -> list[Recording]:
    arrow, parquet = load_pyarrow(path)
    table = parquet.ParquetFile(file)
    schema, metadata = table.schema_arrow, table.metadata
    names: list[str] = schema.names
    if len(set(names)) < len(names):
        raise DataFormatError(f"{path} has two columns of one name; expected each name once.")
    found = _find_header(path, lambda: _find_names_layout(names), ", ".join(names))
    layout = found[1]
    texts = [name for name in (*_TEXTS, "joint") if name in layout.texts]
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
    _check_size(path, metadata.num_rows * len(layout.numbers))
    said = [names[layout.texts[name]] for name in texts]
    # so that a text which all rows share comes once, whatever its length
    table = parquet.ParquetFile(file, metadata=metadata, read_dictionary=said)
    read = [names[column] for column in (*layout.numbers, *layout.texts.values())]
    result = _Table(path, "Parquet", layout, fps, joint_names)
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
        result.add(_Block(range(line, line + n), numbers, pairs, joints))
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


def _check_size(path: Path, n_numbers: int) -> None:
    if n_numbers > MAX_NUMBERS:
        raise DataFormatError(
            f"{path} holds more than {MAX_NUMBERS:,} numbers; expected at most so many in a table. "
            f"Cut it up, or write it as a corpus."
        )


# From rows to recordings


@dataclass(slots=True)
class _Group:
    """The rows of one recording."""

    cells: tuple[str, ...]
    pieces: list[Numbers] = field(default_factory=list["Numbers"])
    n_rows: int = 0


class _Table:
    """Collects rows by recording, in whatever order they come."""

    def __init__(
        self,
        path: Path,
        kind: str,
        layout: _Layout,
        fps: float | None,
        joint_names: Sequence[str] | None,
    ) -> None:
        self._path = path
        self._layout = layout
        self._texts = [name for name in _TEXTS if name in layout.texts]
        self._key = next(
            (self._texts.index(n) for n in ("gait", "subject") if n in self._texts), None
        )
        self._groups: list[_Group] = []
        self._codes: dict[tuple[str, ...], int] = {}
        self._names: dict[str, int] = {}
        self._joints: dict[str, int] = {}
        self._joint_names = joint_names
        self._n_numbers = 0
        self._source = _Source(path, kind, layout.unit_m, layout.second, layout.fps, fps)
        shape = "wide" if layout.joints else "long"
        self.note(
            "layout", shape, 1.0, "a row a frame" if layout.joints else "a row a joint and frame"
        )
        if unread := layout.unread:
            self.note("columns that are not read", _shorten(unread), 1.0)

    def note(self, what: str, value: str, confidence: float, evidence: str = "") -> None:
        """Remember what was found out about the whole table."""
        finding = Finding(what, value, confidence, evidence)
        self._source = replace(self._source, findings=(*self._source.findings, finding))

    def add(self, block: _Block) -> None:
        """Take more rows."""
        numbers = block.numbers
        self._n_numbers += numbers.size
        _check_size(self._path, self._n_numbers)
        self._check(block)
        if not self._layout.joints:
            known = self._joints
            joints = [
                known[name] if name in known else self._add_joint(line, name)
                for line, name in zip(block.lines, block.joints, strict=True)
            ]
            numbers = np.column_stack([numbers, joints])
        known = self._codes
        codes = np.array(
            [
                known[cells] if cells in known else self._add_group(line, cells)
                for line, cells in zip(block.lines, block.texts, strict=True)
            ]
        )
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order])) + 1
        for part in np.split(order, starts):
            group = self._groups[codes[part[0]]]
            group.pieces.append(numbers if len(part) == len(numbers) else numbers[part])
            group.n_rows += len(part)
            if self._layout.joints and group.n_rows > MAX_FRAMES:
                raise _too_long(f"{self._path}: line {block.lines[-1]}", group.n_rows)

    def _check(self, block: _Block) -> None:
        wrong = np.isinf(block.numbers)
        if wrong.any():
            self._refuse(block, wrong, "is infinite; expected a number, or nothing")
        for name in ("frame", "time"):
            if name in self._layout.others:
                place = self._layout.place[name]
                values = block.numbers[:, [place]]
                wrong = np.isnan(values)
                if name == "frame":
                    wrong |= (np.rint(values) != values) | (np.abs(values) > 2**53)
                if wrong.any():
                    expected = "expected a whole number" if name == "frame" else "expected a number"
                    self._refuse(block, wrong, f"is no {name}; {expected}", place)

    def _refuse(self, block: _Block, wrong: NDArray[np.bool_], saying: str, place: int = 0) -> None:
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        name = self._layout.columns[self._layout.numbers[column + place]]
        value = block.numbers[row, column + place]
        raise DataFormatError(
            f"{self._path}: line {block.lines[row]}, column {name!r}: {value:g} {saying}."
        )

    def _add_joint(self, line: int, name: str) -> int:
        if not name:
            raise DataFormatError(
                f"{self._path}: line {line}: expected the name of a joint; found none."
            )
        if len(self._joints) == MAX_JOINTS:
            raise DataFormatError(
                f"{self._path}: line {line}: {name[:40]!r} is joint {MAX_JOINTS + 1:,}; expected at most "
                f"{MAX_JOINTS:,}. Does the column name joints?"
            )
        self._joints[name] = len(self._joints)
        return self._joints[name]

    def _add_group(self, line: int, cells: tuple[str, ...]) -> int:
        where = f"{self._path}: line {line}"
        name = "" if self._key is None else cells[self._key]
        if not name and "gait" in self._texts:
            raise DataFormatError(f"{where}: expected the name of the gait; found none.")
        if name in self._names:
            before = self._groups[self._names[name]].cells
            i = next(i for i in range(len(cells)) if cells[i] != before[i])
            raise DataFormatError(
                f"{where}: {self._texts[i]} is {cells[i][:40]!r} here and {before[i][:40]!r} before; "
                f"expected one for all rows of a recording. Give every walk a name in a column gait."
            )
        if len(self._groups) == MAX_RECORDINGS:
            raise DataFormatError(
                f"{where}: more than {MAX_RECORDINGS:,} recordings; expected at most so many in a table. "
                f"Cut it up, or write it as a corpus."
            )
        self._names[name] = self._codes[cells] = len(self._groups)
        self._groups.append(_Group(cells))
        return len(self._groups) - 1

    def finish(self) -> list[Recording]:
        """Return the recordings; the rows are let go on the way."""
        if not self._groups:
            raise DataFormatError(f"{self._path} has a header and no rows; expected a row a frame.")
        layout = self._layout
        joints = _rename(self._source, layout.joints or tuple(self._joints), self._joint_names)
        recordings: list[Recording] = []
        for group in self._groups:
            facts = dict(zip(self._texts, group.cells, strict=True))
            name = facts.get("gait") or facts.get("subject") or self._path.stem
            rows = np.concatenate(group.pieces)
            group.pieces.clear()
            source = replace(self._source, name=name)
            if layout.joints:
                points, named = _arrange_wide(source, layout, rows), joints
            else:
                points, codes = _arrange_long(source, layout, rows)
                named = [joints[code] for code in codes]
            del rows
            recordings.append(_make_recording(source, points, named, facts))
        return recordings


@dataclass(frozen=True, slots=True)
class _Source:
    """What is known of a file beside its points; `said_fps` is the file's, `given_fps` the user's."""

    path: Path
    kind: str
    unit_m: float | None
    second: float | None
    said_fps: float | None
    given_fps: float | None
    findings: tuple[Finding, ...] = ()
    name: str = ""

    @property
    def where(self) -> str:
        """How messages name the recording."""
        return f"{self.path}: {self.name[:60]!r}" if self.name else f"{self.path}"


@dataclass(frozen=True, slots=True)
class _Points:
    """Points in the order of time: (T, J, 3), with confidences, frame numbers and times as given."""

    positions: Numbers
    confidence: Numbers | None = None
    frames: Numbers | None = None
    times: Numbers | None = None
    findings: tuple[Finding, ...] = ()
    fps: float | None = None


def _arrange_wide(source: _Source, layout: _Layout, rows: Numbers) -> _Points:
    place = layout.place
    findings: tuple[Finding, ...] = ()
    if key := next((name for name in ("frame", "time") if name in place), None):
        values = rows[:, place[key]]
        if (np.diff(values) < 0).any():
            rows = rows[np.argsort(values, kind="stable")]
            findings = (Finding("order of rows", f"sorted by {key}", 1.0, "they were shuffled"),)
        values = rows[:, place[key]]
        if (double := np.flatnonzero(np.diff(values) == 0)).size:
            raise DataFormatError(
                f"{source.where}: {key} {values[double[0]]:.15g} is there twice; expected it once. Are "
                f"these several walks or people? Name them in a column gait."
            )
    n_joints = len(layout.joints)
    positions = np.ascontiguousarray(rows[:, : 3 * n_joints]).reshape(-1, n_joints, 3)
    confidence = None
    if layout.confidences:
        confidence = np.full(positions.shape[:2], np.nan)
        for i, joint in enumerate(layout.confidences):
            confidence[:, joint] = rows[:, 3 * n_joints + i]
    elif "confidence" in place:
        confidence = np.repeat(rows[:, [place["confidence"]]], n_joints, axis=1)
    return _Points(
        positions,
        confidence,
        rows[:, place["frame"]] if "frame" in place else None,
        rows[:, place["time"]] if "time" in place else None,
        findings,
        _find_fps(source, layout, rows),
    )


def _arrange_long(source: _Source, layout: _Layout, rows: Numbers) -> tuple[_Points, list[int]]:
    """Return the points, and which joints they are of."""
    place = layout.place
    key = "frame" if "frame" in place else "time"
    frames, frame_at = np.unique(rows[:, place[key]], return_inverse=True)
    codes, joint_at = np.unique(rows[:, -1], return_inverse=True)
    shape = (len(frames), len(codes))
    _check_shape(source, *shape)
    cell = frame_at * len(codes) + joint_at
    found, counts = np.unique(cell, return_counts=True)
    if (counts > 1).any():
        frame = frames[found[counts.argmax()] // len(codes)]
        raise DataFormatError(
            f"{source.where}: {key} {frame:.15g} has a joint twice; expected it once. Are these "
            f"several walks or people? Name them in a column gait."
        )
    positions = np.full((*shape, 3), np.nan)
    positions[frame_at, joint_at] = rows[:, :3]
    confidence = None
    if "confidence" in place:
        confidence = np.full(shape, np.nan)
        confidence[frame_at, joint_at] = rows[:, place["confidence"]]
    times = None
    if "time" in place:
        times = np.empty(len(frames))
        times[frame_at] = rows[:, place["time"]]
    points = _Points(
        positions,
        confidence,
        frames if key == "frame" else None,
        times,
        fps=_find_fps(source, layout, rows),
    )
    return points, [int(code) for code in codes]


def _find_fps(source: _Source, layout: _Layout, rows: Numbers) -> float | None:
    if "fps" not in layout.place:
        return None
    values = np.unique(rows[:, layout.place["fps"]])
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    if len(values) > 1 or values[0] <= 0:
        raise DataFormatError(
            f"{source.where}: column fps has {', '.join(f'{value:g}' for value in values[:3])}; "
            f"expected one positive number for all rows of a recording."
        )
    return float(values[0])


def _rename(source: _Source, joints: Sequence[str], names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the joints, under names that were given where the file has numbers only."""
    if names is None:
        return tuple(joints)
    numbers = [int(joint) if re.fullmatch(r"[0-9]{1,6}", joint) else -1 for joint in joints]
    if min(numbers) < 0 or max(numbers) >= len(names):
        raise ConfigError(
            f"{source.path} names its joints, {_shorten(joints)}; expected names for "
            f"joints 0 to {len(names) - 1}. Leave the names out."
        )
    return tuple(names[number] for number in numbers)


def _shorten(names: Sequence[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(name[:40] for name in names[:6]) + more


def _too_long(where: str, n_frames: int) -> DataFormatError:
    return DataFormatError(
        f"{where} has {n_frames:,} frames; expected at most {MAX_FRAMES:,}. Are frame numbers and "
        f"times right?"
    )


def _check_shape(source: _Source, n_frames: int, n_joints: int) -> None:
    if n_frames > MAX_FRAMES:
        raise _too_long(source.where, n_frames)
    _check_size(source.path, n_frames * n_joints * 3)


# Time


@dataclass(frozen=True, slots=True)
class _Timing:
    """What times say: the step in seconds, the number of every frame, whether they are regular."""

    step_s: float
    index: NDArray[np.int64]
    regular: bool


_UNIT_NAMES: Mapping[float, str] = {
    1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds",
}  # fmt: skip
_LIKELY_STEP_S = (0.002, 0.2)
"""500 to 5 frames a second: what times of unknown unit must come to."""

_STEP_S = (1e-5, 100.0)
"""What times of known unit must come to."""

_JITTER = 0.25
"""Of a step: times so near to regular ones are regular."""

_GAP = 2.5
"""Steps between two irregular times beyond which the points between are missing."""


def _make_recording(
    source: _Source, points: _Points, joints: Sequence[str], facts: Mapping[str, str]
) -> Recording:
    points = _clean(source, points)
    points = _place_in_time(source, points)
    try:
        return Recording(
            points.positions,
            joints,
            points.fps or 0.0,
            source.kind,
            unit_m=source.unit_m,
            confidence=points.confidence,
            name=source.name,
            subject=facts.get("subject") or None,
            label=facts.get("label") or None,  # pyright: ignore[reportArgumentType] - parsed there
            acted=facts.get("acted") or None,  # pyright: ignore[reportArgumentType]
            source=source.path.name,
            findings=(*source.findings, *points.findings),
        )
    except LabelError as error:
        raise LabelError(f"{source.where}: {error}") from None
    except ShapeError as error:
        raise DataFormatError(f"{source.path}: {error}") from None


def _clean(source: _Source, points: _Points) -> _Points:
    """Make points wholly missing or wholly there, and confidences numbers from 0 to 1."""
    positions, confidence, findings = points.positions, points.confidence, list(points.findings)
    missing = np.isnan(positions)
    partly = missing.any(axis=2) & ~missing.all(axis=2)
    if n := int(partly.sum()):
        positions[partly] = np.nan
        findings.append(Finding("points without all three coordinates", f"{n} left out", 1.0))
    if confidence is not None:
        low, high = _find_range(confidence)
        if low < 0 or high > 100:
            findings.append(Finding("confidence", "not read", 1.0, f"{low:g} to {high:g}"))
            confidence = None
        else:
            if high > 1:
                confidence = confidence / 100
                findings.append(Finding("confidence", "percent", 0.8, f"up to {high:g}"))
            unseen = (confidence == 0) & (positions == 0).all(axis=2)
            if n := int(unseen.sum()):
                positions[unseen] = np.nan
                findings.append(
                    Finding("points at 0, 0, 0 with confidence 0", f"{n} left out", 0.9)
                )
            there = ~np.isnan(positions).any(axis=2)
            confidence = np.where(there, np.nan_to_num(confidence, nan=1.0), 0.0)
    if np.isnan(positions).all():
        raise DataFormatError(f"{source.where} has no point in any frame; expected positions.")
    return replace(points, positions=positions, confidence=confidence, findings=tuple(findings))


def _find_range(values: Numbers) -> tuple[float, float]:
    held = values[~np.isnan(values)]
    return (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)


def _place_in_time(source: _Source, points: _Points) -> _Points:
    """Put the points on a regular grid of time, and find its rate."""
    findings = list(points.findings)
    said, evidence = points.fps, "column fps"
    if said is None and source.said_fps is not None:
        said, evidence = source.said_fps, "above the table"
    index, step = _number_frames(points, findings)
    timing = _measure_times(source, points, index, findings)
    if timing is not None and said is not None:
        agrees = abs(said / step * timing.step_s - 1) <= 0.05
        if not agrees:
            finding = f"{1 / timing.step_s:.4g} frames/s, not used"
            findings.append(Finding("rate of the times", finding, 0.5, f"{evidence} says {said:g}"))
        if not agrees or points.frames is not None:
            timing = None
    if said is not None:
        fps = said / step
    elif timing is not None:
        fps, evidence = 1 / timing.step_s, "times"
        if abs(fps - round(fps)) < 1e-3 * fps and round(fps):  # of times that are rounded
            fps = float(round(fps))
    elif source.given_fps is not None:
        fps, evidence = source.given_fps / step, "given"
    else:
        raise ConfigError(
            f"{source.where} does not say how many frames a second it has: no column fps, and no "
            f"times that can be. Give --fps NUMBER."
        )
    if (
        source.given_fps is not None
        and evidence != "given"
        and abs(fps / source.given_fps - 1) > 1e-3
    ):
        given = f"{source.given_fps:g} frames/s, not used"
        findings.append(Finding("frame rate that was given", given, 1.0, "the file says its own"))
    findings.append(Finding("frame rate", f"{fps:.6g} frames/s", 1.0, evidence))
    points = replace(points, fps=fps, findings=tuple(findings))
    if timing is not None and points.times is not None and not timing.regular:
        return _resample(source, points, points.times, timing.step_s)
    if timing is not None and index is None:
        index = timing.index
    if index is None:
        _check_shape(source, *points.positions.shape[:2])
        return points
    return _spread(source, points, index)


def _number_frames(
    points: _Points, findings: list[Finding]
) -> tuple[NDArray[np.int64] | None, int]:
    """Return the numbers of the frames from 0, and the step that they were numbered in."""
    if points.frames is None:
        return None, 1
    numbers = (points.frames - points.frames[0]).astype(np.int64)
    step = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) > 2 else 1
    if step > 1:
        value = f"in steps of {step}"
        evidence = f"taken for every {step}th frame of a faster recording"
        findings.append(Finding("frame numbers", value, 0.6, evidence))
    return numbers // step, step


def _measure_times(
    source: _Source,
    points: _Points,
    index: NDArray[np.int64] | None,
    findings: list[Finding],
) -> _Timing | None:
    times = points.times
    if times is None or len(times) < 2:
        return None
    steps = np.diff(times)
    if not (steps > 0).all() or not np.isfinite(steps).all():
        frame = int(np.argmin(steps > 0)) + 1
        raise DataFormatError(
            f"{source.where}: time goes from {times[frame - 1]:.15g} to {times[frame]:.15g} in row "
            f"{frame + 1} of this walk; expected it to grow. Are these several walks? Name them in a column gait."
        )
    counts = np.ones(len(steps)) if index is None else np.diff(index).astype(np.float64)
    typical = float(np.median(steps / counts))
    second = source.second
    if second is None:
        low, high = _LIKELY_STEP_S
        second = next((unit for unit in _UNIT_NAMES if low <= typical * unit <= high), None)
        if second is None:
            value = "not used"
            evidence = f"steps of {typical:g} are no frame rate in any unit"
            findings.append(Finding("times", value, 0.8, evidence))
            return None
    elif not _STEP_S[0] <= typical * second <= _STEP_S[1]:
        evidence = f"steps of {typical:g} {_UNIT_NAMES[second]} are no frame rate"
        findings.append(Finding("times", "not used", 0.8, evidence))
        return None
    if second != 1.0:
        sure = 1.0 if source.second is not None else 0.8
        evidence = "name of the column" if source.second is not None else f"steps of {typical:g}"
        findings.append(Finding("unit of time", _UNIT_NAMES[second], sure, evidence))
    if index is None:
        counts = np.maximum(np.rint(steps / typical), 1.0)
    if not counts.sum() <= MAX_FRAMES:
        raise _too_long(source.where, int(min(counts.sum(), 1e15)))
    index = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    step = float(steps.sum() / counts.sum())
    off = np.abs(times - times[0] - index * step).max() / step
    if off <= _JITTER:
        return _Timing(step * second, index, True)
    return _Timing(typical * second, index, False)


def _spread(source: _Source, points: _Points, index: NDArray[np.int64]) -> _Points:
    """Leave room for the frames that are not there."""
    n_frames = int(index[-1]) + 1
    n_missing = n_frames - len(index)
    _check_shape(source, n_frames, points.positions.shape[1])
    if not n_missing:
        return points
    positions = np.full((n_frames, *points.positions.shape[1:]), np.nan)
    positions[index] = points.positions
    confidence = points.confidence
    if confidence is not None:
        confidence = np.zeros(positions.shape[:2])
        confidence[index] = points.confidence
    finding = Finding(
        "frames left out", f"{n_missing} of {n_frames}", 1.0, "they are missing points"
    )
    return replace(
        points, positions=positions, confidence=confidence, findings=(*points.findings, finding)
    )


def _resample(source: _Source, points: _Points, times: Numbers, step_s: float) -> _Points:
    """Interpolate points at irregular times to the median rate."""
    steps = np.diff(times)
    counts = steps if points.frames is None else steps / np.diff(points.frames)
    step = float(np.median(counts))
    n_frames = int(min((times[-1] - times[0]) / step + 1e-9, 1e15)) + 1
    _check_shape(source, n_frames, points.positions.shape[1])
    new = times[0] + np.arange(n_frames) * step
    left = np.clip(np.searchsorted(times, new, side="right") - 1, 0, len(times) - 2)
    weight = np.clip((new - times[left]) / steps[left], 0.0, 1.0)
    inside = (weight > 0) & (weight < 1)

    def mix(values: Numbers) -> Numbers:
        at = weight.reshape(-1, *[1] * (values.ndim - 1))
        mixed = np.where(at < 1, values[left], values[left + 1])
        mixed[inside] += at[inside] * (values[left + 1] - values[left])[inside]
        return mixed

    positions = mix(points.positions)
    positions[inside & (steps[left] > _GAP * step)] = np.nan
    confidence = None if points.confidence is None else mix(points.confidence)
    if confidence is not None:
        confidence[np.isnan(positions).any(axis=2)] = 0.0
    low, high = (step_s / step) * steps.min(), (step_s / step) * steps.max()
    evidence = f"times are {1000 * low:.4g} to {1000 * high:.4g} ms apart"
    finding = Finding(
        "frame rate", f"variable; resampled to {1 / step_s:.4g} frames/s", 0.8, evidence
    )
    return replace(
        points, positions=positions, confidence=confidence, findings=(*points.findings, finding)
    )


# Arrays


_MAX_HEADER = 10_000


def _read_arrays(
    path: Path, file: io.BufferedReader, fps: float | None, joint_names: Sequence[str] | None
) -> Recording:
    if file.peek(6).startswith(_NPY):
        size = file.seek(0, io.SEEK_END)
        arrays = {"positions": _read_array(path, "positions", file, size)}
        kind = "NPY"
    else:
        arrays = _read_archive(path, file)
        kind = "NPZ"
    positions = arrays["positions"]
    source = _Source(path, kind, None, None, _get_number(path, arrays, "fps"), fps)
    unit = _get_text(path, arrays, "unit").lower()
    if unit and unit not in _METRES:
        raise DataFormatError(f"{path}: unit is {unit[:40]!r}; expected m, cm or mm.")
    facts = {name: _get_text(path, arrays, name) for name in ("subject", "label", "acted")}
    name = _get_text(path, arrays, "name") or path.stem
    source = replace(source, unit_m=_METRES.get(unit), name=name)
    joints = _get_joints(path, arrays, joint_names)
    if positions.ndim == 2 and positions.shape[1] == 3 * len(joints):
        positions = positions.reshape(len(positions), -1, 3)
    if positions.ndim == 3 and positions.shape[1:] == (len(joints), 2):
        raise DataFormatError(f"{path} {_NO_DEPTH}.")
    if positions.shape[1:] != (len(joints), 3) or not len(positions):
        raise DataFormatError(
            f"{path}: positions have shape {positions.shape} and there are {len(joints)} names; "
            f"expected (T, {len(joints)}, 3): frames, joints, coordinates."
        )
    n_frames = len(positions)
    _check_shape(source, n_frames, len(joints))
    for name, shape in (("confidence", positions.shape[:2]), ("time", (n_frames,))):
        if name in arrays and (arrays[name].shape != shape or arrays[name].dtype.kind not in "fiu"):
            raise DataFormatError(
                f"{path}: array {name!r} is {arrays[name].dtype} of shape {arrays[name].shape}; "
                f"expected numbers of shape {shape}."
            )
    floats = {
        name: arrays[name].astype(np.float64) for name in ("confidence", "time") if name in arrays
    }
    positions = positions.astype(np.float64)
    if np.isinf(positions).any() or not all(
        np.isfinite(a).all() for n, a in floats.items() if n == "time"
    ):
        raise DataFormatError(f"{path}: a position or time is infinite; expected numbers.")
    points = _Points(positions, floats.get("confidence"), None, floats.get("time"))
    return _make_recording(source, points, joints, facts)


def _read_archive(path: Path, file: io.BufferedReader) -> dict[str, NDArray[Any]]:
    wanted = ("positions", "joints", "joint_names", "fps", "time", "confidence",
              "name", "subject", "label", "acted", "unit")  # fmt: skip
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if "arr_0" in members and len(members) == 1:  # what numpy.savez calls a lone array
            members = {"positions": members["arr_0"]}
        if "positions" not in members:
            raise DataFormatError(
                f"{path} has no array 'positions'; found {_shorten(list(members)) or 'none'}. "
                f"Expected positions (frames, joints, 3), joints and fps."
            )
        if "n_frames" in members and "joints" not in members:
            raise DataFormatError(
                f"{path} holds gaits of moodwalk itself; expected positions and joints. Read it with "
                f"moodwalk.io.read."
            )
        members = {name: members[name] for name in wanted if name in members}
        check_claim(path, sum(info.file_size for info in members.values()))
        arrays: dict[str, NDArray[Any]] = {}
        for name, info in members.items():
            with archive.open(info) as member:
                arrays[name] = _read_array(path, name, member, info.file_size)
                member.read(1)  # the end of a member is where its checksum is compared
    return arrays


def _read_array(path: Path, name: str, file: IO[bytes], size: int) -> NDArray[Any]:
    """Read one array, after what it claims to be was compared with what is there."""
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about headers of Python 2
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file, max_header_size=_MAX_HEADER)
        if dtype.hasobject:
            raise DataFormatError(
                f"{path}: array {name!r} holds Python objects (pickle), which are never read; expected "
                f"plain numbers or text. Save it with allow_pickle=False."
            )
        if dtype.kind not in ("fiu" if name in ("positions", "fps", "time", "confidence") else "U"):
            raise DataFormatError(
                f"{path}: array {name!r} holds {str(dtype)[:40]}; expected "
                f"{'numbers' if name in ('positions', 'fps', 'time', 'confidence') else 'text'}."
            )
        if math.prod(shape) * dtype.itemsize != size - file.tell():
            raise DataFormatError(
                f"{path}: array {name!r} claims shape {shape}, {math.prod(shape) * dtype.itemsize:,} "
                f"bytes, but has {size - file.tell():,}. Is the file damaged?"
            )
        _check_size(path, math.prod(shape))
        file.seek(0)
        return npy.read_array(file, allow_pickle=False)


def _get_number(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> float | None:
    if name not in arrays:
        return None
    values = np.unique(arrays[name])
    if len(values) != 1 or not (np.isfinite(values[0]) and values[0] > 0):
        raise DataFormatError(
            f"{path}: {name} is {values[:3].tolist()}; expected one positive number."
        )
    return float(values[0])


def _get_text(path: Path, arrays: Mapping[str, NDArray[Any]], name: str) -> str:
    if name not in arrays:
        return ""
    if arrays[name].size != 1:
        raise DataFormatError(f"{path}: {name} has {arrays[name].size} entries; expected one text.")
    return str(arrays[name].item()).strip()


def _get_joints(
    path: Path, arrays: Mapping[str, NDArray[Any]], given: Sequence[str] | None
) -> tuple[str, ...]:
    held = next((arrays[name] for name in ("joints", "joint_names") if name in arrays), None)
    if held is not None:
        if held.ndim != 1 or not 0 < len(held) <= MAX_JOINTS:
            raise DataFormatError(
                f"{path}: joints have shape {held.shape}; expected a name for each, at most {MAX_JOINTS:,}."
            )
        source = _Source(path, "", None, None, None, None)
        return _rename(source, [str(name).strip() for name in held.tolist()], given)
    if given is None:
        shape = arrays["positions"].shape
        raise ConfigError(
            f"{path} has positions of shape {shape} and no names of joints; expected an array joints "
            f"with a name for each. Say which skeleton it is."
        )
    if not given:
        raise ConfigError(f"{path}: no names of joints given; expected at least one.")
    return tuple(given)
