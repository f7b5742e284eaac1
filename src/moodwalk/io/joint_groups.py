"""From rows, in whatever order they come, to one set of points a recording."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.joint_columns import TEXTS, Layout
from moodwalk.io.joint_times import (
    MAX_JOINTS,
    Numbers,
    Points,
    Source,
    check_shape,
    check_size,
    make_recording,
    shorten,
    too_long,
)
from moodwalk.recording import Finding, Recording

__all__ = ["MAX_RECORDINGS", "Block", "Table", "rename"]

MAX_RECORDINGS = 20_000
"""In one table; more is a corpus."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a table.

    Parameters
    ----------
    lines
        Their numbers, for messages.
    numbers
        (n, columns), in the order of `Layout.numbers`.
    texts
        For each the cells of those of `TEXTS` that the table has.
    joints
        For each the joint, in a long table.
    """

    lines: Sequence[int]
    numbers: Numbers
    texts: Sequence[tuple[str, ...]]
    joints: Sequence[str]


@dataclass(slots=True)
class _Group:
    """The rows of one recording."""

    cells: tuple[str, ...]
    pieces: list[Numbers] = field(default_factory=list["Numbers"])
    n_rows: int = 0


class Table:
    """Collects rows by recording, in whatever order they come."""

    def __init__(
        self,
        path: Path,
        kind: str,
        layout: Layout,
        fps: float | None,
        joint_names: Sequence[str] | None,
    ) -> None:
        self._path = path
        self._layout = layout
        self._texts = [name for name in TEXTS if name in layout.texts]
        self._key = next(
            (self._texts.index(n) for n in ("gait", "subject") if n in self._texts), None
        )
        self._groups: list[_Group] = []
        self._codes: dict[tuple[str, ...], int] = {}
        self._names: dict[str, int] = {}
        self._joints: dict[str, int] = {}
        self._joint_names = joint_names
        self._n_numbers = 0
        self._source = Source(path, kind, layout.unit_m, layout.second, layout.fps, fps)
        shape = "wide" if layout.joints else "long"
        self.note(
            "layout", shape, 1.0, "a row a frame" if layout.joints else "a row a joint and frame"
        )
        if unread := layout.unread:
            self.note("columns that are not read", shorten(unread), 1.0)

    def note(self, what: str, value: str, confidence: float, evidence: str = "") -> None:
        """Remember what was found out about the whole table."""
        finding = Finding(what, value, confidence, evidence)
        self._source = replace(self._source, findings=(*self._source.findings, finding))

    def add(self, block: Block) -> None:
        """Take more rows."""
        numbers = block.numbers
        self._n_numbers += numbers.size
        check_size(self._path, self._n_numbers)
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
                raise too_long(f"{self._path}: line {block.lines[-1]}", group.n_rows)

    def _check(self, block: Block) -> None:
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

    def _refuse(self, block: Block, wrong: NDArray[np.bool_], saying: str, place: int = 0) -> None:
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
        joints = rename(self._source, layout.joints or tuple(self._joints), self._joint_names)
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
            recordings.append(make_recording(source, points, named, facts))
        return recordings


def _arrange_wide(source: Source, layout: Layout, rows: Numbers) -> Points:
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
    return Points(
        positions,
        confidence,
        rows[:, place["frame"]] if "frame" in place else None,
        rows[:, place["time"]] if "time" in place else None,
        findings,
        _find_fps(source, layout, rows),
    )


def _arrange_long(source: Source, layout: Layout, rows: Numbers) -> tuple[Points, list[int]]:
    """Return the points, and which joints they are of."""
    place = layout.place
    key = "frame" if "frame" in place else "time"
    frames, frame_at = np.unique(rows[:, place[key]], return_inverse=True)
    codes, joint_at = np.unique(rows[:, -1], return_inverse=True)
    shape = (len(frames), len(codes))
    check_shape(source, *shape)
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
    points = Points(
        positions,
        confidence,
        frames if key == "frame" else None,
        times,
        fps=_find_fps(source, layout, rows),
    )
    return points, [int(code) for code in codes]


def _find_fps(source: Source, layout: Layout, rows: Numbers) -> float | None:
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


def rename(source: Source, joints: Sequence[str], names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the joints, under names that were given where the file has numbers only."""
    if names is None or not all(re.fullmatch(r"[0-9]{1,6}", joint) for joint in joints):
        return tuple(joints)
    numbers = [int(joint) for joint in joints]
    if max(numbers) >= len(names):
        raise ConfigError(
            f"{source.path} has a joint {max(numbers)}; expected joints 0 to {len(names) - 1}, as many as "
            f"names were given. Is it another skeleton?"
        )
    return tuple(names[number] for number in numbers)
