"""C3D, the file format of motion capture laboratories: points over time, read with NumPy alone.

block 1          header: counts, scale, frame rate, where the rest begins
a few blocks     parameters in groups, such as POINT:LABELS; the fourth byte names the processor
the rest         frame by frame: x, y, z and residual of every point, then analog samples

Own code, because the common library crashes or hangs on damaged files; here everything is checked
against the length of the file before memory is taken. https://www.c3d.org describes the format.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.opening import open_checked
from moodwalk.recording import Finding, Recording

__all__ = ["begins_c3d", "read_c3d"]

FloatArray = NDArray[np.float64]

UNITS_M: MappingProxyType[str, float] = MappingProxyType(
    {"mm": 0.001, "cm": 0.01, "dm": 0.1, "m": 1.0, "in": 0.0254, "inch": 0.0254, "ft": 0.3048}
    | {"millimeters": 0.001, "centimeters": 0.01, "meters": 1.0, "inches": 0.0254, "feet": 0.3048}
)
"""Metres in the units that POINT:UNITS names."""

NO_POSITIONS = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "REACTIONS", "SCALARS")
"""Parameters of the group POINT that list points which are results of a model, not places."""

LEAST_BODY = 10
"""A name before the colon with fewer points than this is a prop, not a person."""

_BLOCK = 512
_KEY = 0x50
_MAX_PARAMETERS = 256 * _BLOCK  # their length is one byte, in blocks
_MAX_DIMENSIONS = 7
_MAX_POSITIONS = 2**25  # 768 MiB as float64
_FARTHEST = 1e7  # 10 km in millimetres; numbers read from the wrong place are larger at once
_CHUNK_BYTES = 2**22
_FPS_LIMITS = (1.0, 10_000.0)
_FULL = 0xFFFF  # what a 16-bit count says where there are more


class _Coding(NamedTuple):
    """How a processor lays out numbers."""

    order: str
    dec: bool

    def read_floats(self, raw: bytes) -> FloatArray:
        """Return 32-bit floats as float64; DEC's have their halves exchanged and four times the value."""
        with np.errstate(all="ignore"):  # damaged files have numbers that signal
            if self.dec:
                halves = np.frombuffer(raw, "<u2").reshape(-1, 2)[:, ::-1]
                return np.ascontiguousarray(halves).view("<f4")[:, 0].astype(np.float64) / 4.0
            return np.frombuffer(raw, f"{self.order}f4").astype(np.float64)

    def read_words(self, raw: bytes) -> NDArray[np.int64]:
        """Return 16-bit integers, without sign."""
        return np.frombuffer(raw, f"{self.order}u2").astype(np.int64)


_CODINGS: MappingProxyType[int, _Coding] = MappingProxyType(
    {84: _Coding("<", False), 85: _Coding("<", True), 86: _Coding(">", False)}
)
"""Intel, DEC and SGI (MIPS), by the fourth byte of the parameters."""

_Parameters = Mapping[str, list[str] | NDArray[Any]]
"""``POINT:LABELS`` and the like: text or numbers."""


class _Layout(NamedTuple):
    """What must be known to find the points in the file."""

    n_points: int
    n_analog: int
    n_frames: int
    start: int
    scale: float

    @property
    def frame_bytes(self) -> int:
        """Length of a frame; words are floats where the scale is negative."""
        return (4 * self.n_points + self.n_analog) * (4 if self.scale < 0 else 2)

    @property
    def end(self) -> int:
        """Where the data end."""
        return self.start + self.n_frames * self.frame_bytes


def begins_c3d(start: bytes) -> bool:
    """Return whether a file that begins so looks like C3D: a small block number, then 0x50."""
    return len(start) >= 2 and start[1] == _KEY and 2 <= start[0] < 32 and start[0] not in b"\t\n\r"


def read_c3d(path: str | Path, *, subject: str | None = None) -> Recording:
    """Read the points of a C3D file.

    Parameters
    ----------
    path
        The file; integers or floats, of Intel, DEC or SGI processors.
    subject
        Whose points to read where labels say so (``Anna:LASI``); needed where several people are in
        the file.

    Returns
    -------
    Recording
        Points under their labels, without the name before the colon; NaN where the file has a
        negative residual, no number, or exactly zero in all three coordinates. Angles, forces and
        the like that a model stored as points are left out. `unit_m` is None where POINT:UNITS is
        missing or unknown. `up` is POINT:Y_SCREEN, the axis shown upright, if the points are spread
        most along it; else None. Findings say what was chosen or left out.

    Raises
    ------
    DataFormatError
        If the file is missing, damaged, truncated or no C3D; holds no points, no frames, no frame
        rate, more than `MAX_FRAMES` frames, or several people and `subject` does not say whom.
    """
    path = Path(path)
    findings: list[Finding] = []
    with open_checked(path, "a C3D file") as file:
        header = file.read(_BLOCK)
        if not begins_c3d(header):
            raise DataFormatError(
                f"{path} is not C3D: it begins with {header[:4]!r}; expected a block number and 0x50."
            )
        if len(header) < _BLOCK:
            raise DataFormatError(
                f"{path} is truncated: {len(header)} bytes; expected a header of 512. Fetch it again."
            )
        size = path.stat().st_size
        coding, parameters = _read_parameters(path, file, header[0])
        layout = _find_layout(path, header, coding, parameters, size, findings)
        fps = _find_fps(path, header, coding, parameters)
        labels = _find_labels(parameters, layout.n_points, findings)
        kept = _choose_points(path, labels, parameters, subject, findings)
        positions = _read_points(path, file, layout, coding, list(kept))
    if np.isnan(positions).all():
        raise DataFormatError(f"{path}: no point is visible in any frame; expected markers.")
    prefixes = {labels[i].partition(":")[0] for i in kept if ":" in labels[i]}
    named = _get_texts(parameters, "SUBJECTS:NAMES")
    who = prefixes.pop() if len(prefixes) == 1 else named[0] if len(named) == 1 else ""
    return Recording(
        positions,
        _name_once(list(kept.values()), findings),
        fps,
        "C3D",
        unit_m=_find_unit(parameters, findings),
        up=_find_up(parameters, positions, findings),
        name=path.stem,
        subject=who or None,
        source=path.name,
        findings=tuple(findings),
    )


def _read_parameters(
    path: Path, file: BufferedReader, first_block: int
) -> tuple[_Coding, _Parameters]:
    file.seek((first_block - 1) * _BLOCK)
    section = file.read(_MAX_PARAMETERS)
    if len(section) < 4:
        raise DataFormatError(
            f"{path} is truncated: {path.stat().st_size:,} bytes; expected parameters from block "
            f"{first_block} on. Fetch it again."
        )
    coding = _CODINGS.get(section[3])
    if coding is None:
        raise DataFormatError(
            f"{path}: the parameters name processor {section[3]}; expected 84 (Intel), 85 (DEC) or "
            f"86 (SGI). Is the file damaged?"
        )
    groups: dict[int, str] = {}
    found: list[tuple[int, str, list[str] | NDArray[Any]]] = []
    try:
        for group, name, body in _split_records(section, coding):
            if group < 0:
                groups.setdefault(-group, name)
            else:
                found.append((group, name, _parse_value(body, coding)))
    except (IndexError, ValueError):  # the record goes on after the end, or makes no sense
        raise DataFormatError(
            f"{path}: the parameters are damaged after {len(found)} entries. Fetch it again."
        ) from None
    parameters: dict[str, list[str] | NDArray[Any]] = {}
    for group, name, value in found:
        parameters.setdefault(f"{groups.get(group, '')}:{name}", value)
    return coding, parameters


def _split_records(section: bytes, coding: _Coding) -> Iterator[tuple[int, str, bytes]]:
    """Yield number (negative for a group), name and the rest of every record."""
    at = 4
    while at + 1 < len(section) and section[at] != 0:
        length, group = np.frombuffer(section[at : at + 2], np.int8).tolist()
        name_end = at + 2 + abs(length)  # negative marks a locked record
        name = _clean(section[at + 2 : name_end]).upper()
        step = int(coding.read_words(section[name_end : name_end + 2])[0])
        yield group, name, section[name_end + 2 : name_end + step if step else None]
        if step == 0 or group == 0:
            return
        at = name_end + step


def _parse_value(body: bytes, coding: _Coding) -> list[str] | NDArray[Any]:
    """Return what a parameter holds."""
    kind, n_dimensions = body[0], body[1]
    dimensions = list(body[2 : 2 + n_dimensions])
    width = {0xFF: 1, 1: 1, 2: 2, 4: 4}[kind] if kind in (0xFF, 1, 2, 4) else 0
    raw = body[2 + n_dimensions :][: width * math.prod(dimensions)]
    if not width or n_dimensions > _MAX_DIMENSIONS or len(raw) < width * math.prod(dimensions):
        raise ValueError
    if kind == 0xFF:
        length = dimensions[0] if dimensions else 1
        n_texts = math.prod(dimensions[1:])
        return [_clean(raw[i * length : (i + 1) * length]) for i in range(n_texts)]
    if kind == 1:
        return np.frombuffer(raw, np.uint8).astype(np.int64)
    return coding.read_words(raw) if kind == 2 else coding.read_floats(raw)


def _clean(raw: bytes) -> str:
    text = raw.decode("utf-8", errors="replace")
    return "".join(letter for letter in text if letter.isprintable()).strip()


def _get_texts(parameters: _Parameters, name: str) -> list[str]:
    value = parameters.get(name)
    return [text for text in value if text] if isinstance(value, list) else []


def _get_number(parameters: _Parameters, name: str) -> float | None:
    """Return the first number of a parameter; a pair of words is one of 32 bits."""
    value = parameters.get(name)
    if value is None or isinstance(value, list) or not len(value):
        return None
    numbers = [float(number) for number in value[:2]]
    if value.dtype.kind == "i" and len(numbers) == 2:
        return numbers[0] + numbers[1] * 2**16
    return numbers[0] if math.isfinite(numbers[0]) else None


def _find_layout(
    path: Path,
    header: bytes,
    coding: _Coding,
    parameters: _Parameters,
    size: int,
    findings: list[Finding],
) -> _Layout:
    """Find where the points are; what header and parameters say differently, the length decides."""
    words = coding.read_words(header[:20]).tolist()
    n_points, n_analog, samples = words[1], words[2], words[9]
    used = _get_number(parameters, "POINT:USED")
    channels = _get_number(parameters, "ANALOG:USED")
    start = _get_number(parameters, "POINT:DATA_START")
    scale = _get_number(parameters, "POINT:SCALE")
    choices: list[list[Any]] = [
        [n_points if used is None else int(used), n_points],
        [n_analog, n_analog if channels is None else int(channels) * samples],
        _list_frame_counts(parameters, words),
        [words[8] if start is None else int(start), words[8]],
        [scale, float(coding.read_floats(header[12:16])[0])],
    ]
    # of a negative scale only the sign counts
    choices[4] = [s if s > 0 else -1.0 for s in choices[4] if s and math.isfinite(s)]
    names = ("number of points", "analog samples", "number of frames", "start of the data", "scale")
    if not any(choices[0]):
        what = "only analog channels" if any(choices[1]) else "nothing"
        raise DataFormatError(f"{path} holds no points, {what}; expected markers or joint centres.")
    if not choices[2]:
        raise DataFormatError(f"{path} holds no frames; expected a walk. Is the file damaged?")
    if not choices[4]:
        raise DataFormatError(f"{path} has no scale (POINT:SCALE is 0). Is the file damaged?")
    layouts = [
        _Layout(points, analog, frames, (block - 1) * _BLOCK, scale)
        for points, analog, frames, block, scale in product(*(dict.fromkeys(c) for c in choices))
        if points > 0 and analog >= 0 and block > header[0]
    ]
    fitting = [layout for layout in layouts if layout.end <= size]
    if not fitting:
        least = min((layout.end for layout in layouts), default=0)
        if not least:
            raise DataFormatError(
                f"{path}: the data begin before the parameters end. Is the file damaged?"
            )
        raise DataFormatError(
            f"{path} is truncated: {size:,} bytes; expected {least:,} for the frames it claims. "
            f"Fetch it again."
        )
    layout = fitting[0]
    if odd := [name for name, c in zip(names, choices, strict=True) if len(set(c)) > 1]:
        exact = [each for each in fitting if size - each.end < _BLOCK]
        # frames may be settled by rank: those past the end of the data would be empty
        if len({(each.n_points, each.n_analog, each.start, each.scale) for each in exact}) != 1:
            raise DataFormatError(
                f"{path}: header and parameters disagree on the {' and '.join(odd)}, and the length "
                f"of the file, {size:,} bytes, does not settle it. Is it damaged?"
            )
        layout = exact[0]
        evidence = "header and parameters disagree; this fits the length of the file"
        value = f"{layout.n_frames} frames of {layout.n_points} points"
        findings.append(Finding(" and ".join(odd), value, 0.7, evidence))
    if layout.n_frames > MAX_FRAMES:
        raise DataFormatError(
            f"{path} claims {layout.n_frames:,} frames; expected at most {MAX_FRAMES:,}. "
            f"Is the file damaged?"
        )
    return layout


def _list_frame_counts(parameters: _Parameters, words: Sequence[int]) -> list[int]:
    """Return the numbers of frames that the file claims, the most trusted first."""
    first, last = (_get_number(parameters, f"TRIAL:ACTUAL_{w}_FIELD") for w in ("START", "END"))
    counts = [
        _get_number(parameters, "POINT:LONG_FRAMES"),
        None if first is None or last is None else last - first + 1,
    ]
    long = any(count is not None and count > 0 for count in counts)
    frames = _get_number(parameters, "POINT:FRAMES")
    if not (long and frames == _FULL):
        counts.append(frames)
    if not (long and words[4] == _FULL):
        counts.append(words[4] - words[3] + 1)
    return [int(count) for count in counts if count is not None and 0 < count < 2**40]


def _find_fps(path: Path, header: bytes, coding: _Coding, parameters: _Parameters) -> float:
    low, high = _FPS_LIMITS
    stated = (_get_number(parameters, "POINT:RATE"), float(coding.read_floats(header[20:24])[0]))
    for fps in stated:
        if fps is not None and low <= fps <= high:
            return fps
    raise DataFormatError(
        f"{path}: the frame rate (POINT:RATE) is {stated[0]}; expected {low:g} to {high:,.0f} frames "
        f"a second."
    )


def _find_labels(parameters: _Parameters, n_points: int, findings: list[Finding]) -> list[str]:
    """Return a label for every point; more than 255 of them take several parameters."""
    labels: list[str] = []
    for number in ("", *map(str, range(2, 258))):
        value = parameters.get(f"POINT:LABELS{number}")
        if not isinstance(value, list):
            break
        labels += value
    labels = labels[:n_points] + [""] * (n_points - len(labels))
    if n_nameless := labels.count(""):
        value = f"{n_nameless} of {n_points}"
        findings.append(Finding("points without a label", value, 1.0, "POINT:LABELS"))
    return [label or f"point {i + 1}" for i, label in enumerate(labels)]


def _name_once(names: Sequence[str], findings: list[Finding]) -> list[str]:
    """Return the names, with a number behind those that were given before."""
    n_again: Counter[str] = Counter()
    unique: dict[str, None] = {}
    for name in names:
        once = name
        while once in unique:
            n_again[name] += 1
            once = f"{name} ({n_again[name] + 1})"
        unique[once] = None
    again = [name for name, n in Counter(names).items() if n > 1]
    if again:
        value = ", ".join(again[:8])
        findings.append(Finding("labels given twice", value, 0.5, "the first is taken as meant"))
    return list(unique)


def _choose_points(
    path: Path,
    labels: Sequence[str],
    parameters: _Parameters,
    subject: str | None,
    findings: list[Finding],
) -> dict[int, str]:
    """Return which points to read, and the name of each without that of the person."""
    results = {
        text.rpartition(":")[2]
        for name in parameters
        if name.rstrip("0123456789") in {f"POINT:{kind}" for kind in NO_POSITIONS}
        for text in _get_texts(parameters, name)
    }
    places = [i for i, label in enumerate(labels) if label.rpartition(":")[2] not in results]
    if len(places) < len(labels):
        value = f"{len(labels) - len(places)} points left out"
        findings.append(Finding("results of a model", value, 1.0, "angles, forces and the like"))
    if not places:
        raise DataFormatError(f"{path} holds angles and forces only; expected points.")
    people = Counter(labels[i].partition(":")[0] for i in places if ":" in labels[i])
    bodies = [name for name, n in people.items() if n >= LEAST_BODY]
    listed = ", ".join(f"'{name}' ({n} points)" for name, n in people.most_common(8))
    if subject is not None and subject not in people:
        raise DataFormatError(
            f"{path} has no subject '{subject}'; found {listed or 'none named before a colon'}."
        )
    if subject is None and len(bodies) > 1:
        raise DataFormatError(
            f"{path} holds {len(bodies)} subjects: {listed}; expected one. Name one with subject=..."
        )
    who = subject if subject is not None else bodies[0] if bodies else None
    if who is None and len(people) == 1:
        who = next(iter(people))
    if who is None:
        return {i: labels[i] for i in places}
    if len(people) > 1:
        evidence = "named by the caller" if subject else f"of {listed} the only body"
        findings.append(Finding("subject", who, 1.0, evidence))
    chosen = {
        i: labels[i].partition(":")[2].strip() for i in places if labels[i].startswith(f"{who}:")
    }
    others = {i: labels[i] for i in places if ":" not in labels[i]}
    names = set(chosen.values())
    return chosen | {i: name for i, name in others.items() if name not in names}


def _read_points(
    path: Path, file: BufferedReader, layout: _Layout, coding: _Coding, kept: list[int]
) -> FloatArray:
    """Return (T, len(kept), 3) in the file's unit, a few frames at a time."""
    if layout.n_frames * len(kept) > _MAX_POSITIONS:
        raise DataFormatError(
            f"{path} holds {layout.n_frames:,} frames of {len(kept):,} points; expected at most "
            f"{_MAX_POSITIONS:,} positions. Cut it, or leave out points."
        )
    positions = np.empty((layout.n_frames, len(kept), 3))
    n_at_once = max(1, _CHUNK_BYTES // layout.frame_bytes)
    file.seek(layout.start)
    for first in range(0, layout.n_frames, n_at_once):
        n = min(n_at_once, layout.n_frames - first)
        raw = file.read(n * layout.frame_bytes)
        if len(raw) < n * layout.frame_bytes:
            raise DataFormatError(f"{path} became shorter while it was read. Try again.")
        if layout.scale < 0:
            words = coding.read_floats(raw)
        else:
            words = np.frombuffer(raw, f"{coding.order}i2").astype(np.float64)
        frames = words.reshape(n, -1)[:, : 4 * layout.n_points].reshape(n, layout.n_points, 4)[
            :, kept
        ]
        xyz, residual = frames[..., :3], frames[..., 3]
        seen = np.isfinite(frames).all(axis=2) & (residual >= 0) & (xyz != 0).any(axis=2)
        xyz = xyz if layout.scale < 0 else xyz * layout.scale
        positions[first : first + n] = np.where(seen[..., None], xyz, np.nan)
        if (np.abs(positions[first : first + n]) > _FARTHEST).any():
            raise DataFormatError(
                f"{path}: coordinates beyond {_FARTHEST:,.0f} units; expected those of a laboratory. "
                f"Is the file damaged?"
            )
    return positions


def _find_unit(parameters: _Parameters, findings: list[Finding]) -> float | None:
    texts = _get_texts(parameters, "POINT:UNITS")
    unit = UNITS_M.get(texts[0].lower()) if texts else None
    if unit is None:
        said = f"POINT:UNITS is '{texts[0]}'" if texts else "POINT:UNITS is missing"
        findings.append(Finding("unit in the file", "unknown", 0.0, said))
    return unit


def _find_up(parameters: _Parameters, positions: FloatArray, findings: list[Finding]) -> str | None:
    """Return the axis that the file shows upright, if people could be higher than wide along it."""
    across, upright = (
        (_get_texts(parameters, f"POINT:{axis}_SCREEN") or [""])[0].lower() for axis in "XY"
    )
    axes = [sign + axis for sign in "+-" for axis in "xyz"]
    if across not in axes or upright not in axes[:3] or across[1] == upright[1]:
        return None
    some = positions[:: max(1, len(positions) // 200)]
    missing = np.isnan(some)
    highest = np.where(missing, -np.inf, some).max(axis=1)
    lowest = np.where(missing, np.inf, some).min(axis=1)
    seen = np.isfinite(highest).all(axis=1)
    spread = (highest - lowest)[seen].mean(axis=0) if seen.any() else np.zeros(3)
    if int(spread.argmax()) != "xyz".index(upright[1]):
        evidence = f"POINT:Y_SCREEN is {upright}, but the points are spread more along another axis"
        findings.append(Finding("up axis in the file", "not believed", 0.0, evidence))
        return None
    return upright
