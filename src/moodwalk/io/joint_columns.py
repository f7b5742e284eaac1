"""Which column of a table of joints holds what: found from the names alone."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

__all__ = [
    "HEADER_ROWS",
    "LAYOUTS",
    "METRES",
    "MIN_CLAIMED",
    "NO_DEPTH",
    "TEXTS",
    "UNITS",
    "HeaderError",
    "Layout",
    "find_layout",
    "find_text_layout",
]

LAYOUTS = (
    "LeftHip_x, LeftHip_y, LeftHip_z and so on for every joint; joint names in a row above x, y, z; "
    "or frame, joint, x, y, z"
)

MIN_CLAIMED = 4
"""Joints that a table needs so that it is taken for one unasked."""

HEADER_ROWS = 24

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

TEXTS = ("gait", "subject", "label", "acted")

_JOINT_COLUMN = ("joint", "joint_name", "marker", "keypoint", "landmark", "bodypart", "body_part")

_CONFIDENCE = r"confidence|visibility|likelihood|score|conf|c"

METRES: Mapping[str, float] = {
    "mm": 1e-3, "millimeters": 1e-3, "millimetres": 1e-3, "cm": 1e-2, "centimeters": 1e-2,
    "centimetres": 1e-2, "m": 1.0, "meters": 1.0, "metres": 1.0,
}  # fmt: skip

_LENGTH = "|".join(sorted(METRES, key=len, reverse=True))

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

UNITS = re.compile(rf"{_LENGTH}|{'|'.join(_SECONDS)}|px|deg|-|#|", re.IGNORECASE)

_RATES = ("export_frame_rate", "frame_rate", "framerate", "fps", "datarate", "sampling_rate",
          "trajectories")  # fmt: skip
"""Words above a table with the rate beside or below them; the last as Vicon writes it."""


class HeaderError(Exception):
    """A header of joints that cannot be read, and whether it is surely one of joints."""

    def __init__(self, message: str, sure: bool = True) -> None:
        super().__init__(message)
        self.sure = sure


NO_DEPTH = (
    "has x and y and no z: depth is missing. Expected points in space; lift them to 3-D before, or "
    "give the video itself"
)


@dataclass(frozen=True, slots=True)
class Layout:
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
        """The columns with numbers, in the order of a `Block`."""
        return (*self.coordinates, *self.confidences.values(), *self.others.values())

    @property
    def place(self) -> dict[str, int]:
        """Where the `others` stand in a `Block`."""
        first = len(self.coordinates) + len(self.confidences)
        return {name: first + i for i, name in enumerate(self.others)}

    @property
    def unread(self) -> list[str]:
        """Names of the columns that nobody reads."""
        read = {*self.numbers, *self.texts.values()}
        return [name for i, name in enumerate(self.columns) if name and i not in read]


def _normalise(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name[:_MAX_NAME].lower()).strip("_")


def find_layout(rows: Sequence[Sequence[str]]) -> Layout | None:
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
) -> Layout:
    taken = {*coordinates, *confidences.values()}
    if joint_column is not None:
        taken.add(joint_column)
    roles, second = _find_roles(names, taken)
    if confidences:
        roles.pop("confidence", None)
    texts = {role: column for role, column in roles.items() if role in TEXTS}
    if joint_column is not None:
        texts["joint"] = joint_column
    others = {role: column for role, column in roles.items() if role not in TEXTS}
    return Layout(
        names, tuple(joints), tuple(coordinates), confidences, others, texts, unit_m, second
    )


def _find_long(names: Sequence[str]) -> Layout | None:
    clean = [re.sub(rf"_(?:{_LENGTH})$", "", _normalise(name)) for name in names]
    joint = next((clean.index(name) for name in _JOINT_COLUMN if name in clean), None)
    if joint is None and "name" in clean and "gait" in clean:
        joint = clean.index("name")
    if joint is None or "x" not in clean or "y" not in clean:
        return None
    if "z" not in clean:
        raise HeaderError(NO_DEPTH)
    coordinates = [clean.index(axis) for axis in "xyz"]
    roles, _ = _find_roles(names, ())
    if not roles.keys() & {"frame", "time"}:
        raise HeaderError("has no column frame or time; expected frame, joint, x, y, z", False)
    unit = _normalise(names[coordinates[0]]).removeprefix("x").strip("_")
    return _make_layout(names, (), coordinates, {}, joint, METRES.get(unit))


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


def _find_wide(names: Sequence[str]) -> Layout | None:
    parts: dict[str, dict[str, int]] = {}
    units: set[str] = set()
    for i, name in enumerate(names):
        if (split := _split_name(name)) is None:
            continue
        joint, part, unit = split
        if part in parts.setdefault(joint, {}):
            if part in "xyz":
                raise HeaderError(f"has {part} of joint {joint!r} twice; expected it once", False)
            continue
        parts[joint][part] = i
        units.add(unit)
    joints = [name for name, held in parts.items() if held.keys() >= set("xyz")]
    flat = [name for name, held in parts.items() if held.keys() & set("xyz") == set("xy")]
    if not joints:
        if len(flat) >= MIN_CLAIMED:
            raise HeaderError(NO_DEPTH)
        return None
    sure = len(joints) >= MIN_CLAIMED
    for name, held in parts.items():
        if len(held.keys() & set("xyz")) == 2:
            axis = next(axis for axis in "xyz" if axis not in held)
            raise HeaderError(
                f"has no {axis} of joint {name!r}; expected x, y and z of every joint", sure
            )
    coordinates = [parts[name][axis] for name in joints for axis in "xyz"]
    confidences = _find_confidences([parts[name] for name in joints])
    unit = units.pop() if len(units) == 1 else ""
    return _make_layout(names, joints, coordinates, confidences, unit_m=METRES.get(unit))


def _find_confidences(parts: Sequence[dict[str, int]]) -> dict[int, int]:
    confidences: dict[int, int] = {}
    for i, held in enumerate(parts):
        for part in _CONFIDENCE.split("|"):
            if part in held:
                confidences.setdefault(i, held[part])
    return confidences


def _name_from_above(above: Sequence[Sequence[str]], axes: Sequence[str]) -> Layout | None:
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
            raise HeaderError(NO_DEPTH)
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
                if _normalise(cell) in METRES or cell[:1].isdigit():
                    return cell.strip()
    return ""


def find_text_layout(lines: Sequence[str]) -> tuple[str, Layout] | None:
    """Find what separates the columns, and the layout."""
    for mark in ",;\t":
        rows: list[list[str]] = []
        with suppress(csv.Error):  # of a line that is no header
            rows.extend(csv.reader(lines, delimiter=mark, skipinitialspace=True))
        if not any(len(row) > 3 for row in rows):
            continue
        layout = find_layout(rows)
        if layout is None:
            continue
        above = rows[: layout.n_rows - 1]
        unit, rate = _look_beside(above, ("length_units", "units")), _look_beside(above, _RATES)
        if layout.unit_m is None:
            layout = replace(layout, unit_m=METRES.get(unit.lower()))
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]*)?", rate) and float(rate) > 0:
            layout = replace(layout, fps=float(rate))
        return mark, layout
    return None
