"""BVH, the text format of motion capture: a tree of joints, then a row of numbers a frame.

HIERARCHY    ROOT and JOINT with OFFSET and CHANNELS, nested in braces; End Site where a limb ends
MOTION       Frames, Frame Time, then the channels of all joints, in the order of the tree

Own code: the common readers take a frame apart number by number, and answer damaged files with a
traceback or wrong figures. Meredith and Maddock (2001), Motion capture file formats explained,
University of Sheffield, CS-01-11, describes the format.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from itertools import takewhile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.opening import check_claim, open_checked
from moodwalk.recording import Finding, Recording

__all__ = [
    "FPS_LIMITS",
    "MAX_BYTES",
    "MAX_JOINTS",
    "MAX_NUMBERS",
    "Axes",
    "begins_bvh",
    "read_bvh",
    "turn_axes",
]

FloatArray = NDArray[np.float64]

MAX_BYTES = 2**29
"""A longer file is refused; an hour of 60 joints at 30 frames a second takes a third of it."""

MAX_JOINTS = 1000
"""End sites included; skeletons with fingers and face have up to 300."""

MAX_NUMBERS = 2**26
"""Coordinates, or values of channels, in one file: 512 MiB of coordinates."""

FPS_LIMITS = (1.0, 10_000.0)
"""Of what is read and written."""

_EXPECTED = "a BVH file"
_BLOCK_BYTES = 2**20  # read at once; longest hierarchy and longest row too
_MAX_NAME = 200
_MAX_VALUE = 1e9  # degrees, or whatever unit of length; keeps every product far from infinity
_NTSC = tuple(whole / 1.001 for whole in (24, 30, 60, 120))

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FRAMES = re.compile(r"frames ?:? ?(\S+)", re.IGNORECASE)
_FRAME_TIME = re.compile(r"frame ?time ?:? ?(\S+)", re.IGNORECASE)
_OF_NUMBERS = b"0123456789+-.eE \t\n"

_CHANNELS = {
    f"{axis}{kind}".lower(): (kind, i)
    for kind in ("position", "rotation")
    for i, axis in enumerate("XYZ")
}

Axes = tuple[FloatArray, FloatArray, FloatArray]
"""What a rotation makes of x, y and z: three (3, T)."""


@dataclass(slots=True)
class _Node:
    """A joint or end site of the tree.

    Parameters
    ----------
    name, parent
        As in a `Recording`.
    end
        Whether it is an end site.
    offset
        Where it lies, seen from its parent, unless channels say otherwise; None until read.
    channels
        Names in lower case.
    """

    name: str
    parent: int
    end: bool
    offset: tuple[float, float, float] | None = None
    channels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Moves:
    """Which columns of a row move a joint.

    Parameters
    ----------
    positions
        (axis, column).
    rotations
        (axis, column), in the order of the file.
    """

    positions: tuple[tuple[int, int], ...]
    rotations: tuple[tuple[int, int], ...]


class _Lines:
    """The lines of the first block, one by one, with the number of the last one taken."""

    def __init__(self, path: Path, block: bytes, whole: bool) -> None:
        self.number = 0
        self._path = path
        self._lines = block.split(b"\n")
        self._whole = whole

    def take(self) -> list[str]:
        """Return the words of the next line that is not blank; a brace is a word."""
        while self.number < len(self._lines):
            # names in other encodings stay apart from one another, whatever they mean
            line = self._lines[self.number].decode("utf-8", "backslashreplace")
            self.number += 1
            if words := line.replace("{", " { ").replace("}", " } ").split():
                return words
        if self._whole:
            raise DataFormatError(
                f"{self._path} is truncated: it ends before its motion begins. Fetch it again."
            )
        raise DataFormatError(
            f"{self._path}: its motion does not begin within {_BLOCK_BYTES / 2**20:g} MiB; expected a "
            f"hierarchy of at most {MAX_JOINTS:,} joints. Is it damaged?"
        )

    def rest(self) -> bytes:
        """Return the lines that are left."""
        return b"\n".join(self._lines[self.number :])

    def fail(self, reason: str) -> DataFormatError:
        """Return the error that names the last line taken."""
        return DataFormatError(f"{self._path}: line {self.number}: {reason}")


def begins_bvh(start: bytes) -> bool:
    """Return whether a file that begins so is BVH: HIERARCHY is its first word."""
    words = start.removeprefix(b"\xef\xbb\xbf").split(maxsplit=1)
    return bool(words) and words[0].upper() == b"HIERARCHY"


def read_bvh(path: str | Path) -> Recording:
    """Read the joints of a BVH file as positions.

    Parameters
    ----------
    path
        The file: one skeleton, channels in any order. Position channels of any joint take the place
        of its OFFSET, as in Blender; only where those of the joints below the root stay near zero,
        and OFFSET does not, are they added to it.

    Returns
    -------
    Recording
        Joints in the order of the file, with their parents; axes and unit are those of the file. An
        end site is called after its joint, ``Toes_L_end``. A name that comes again gets a number,
        ``Leg_2``. `fps` is a whole number, or one of NTSC such as 29.97, where the frame time is
        one but for its rounding (0.1 %). Findings say what was decided.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, damaged, truncated, or no BVH; has several roots, more than
        `MAX_JOINTS` joints, `MAX_FRAMES` frames, `MAX_NUMBERS` numbers or `MAX_BYTES`; or has more
        or fewer frames than it says. The message names the line.
    """
    path = Path(path)
    with open_checked(path, _EXPECTED) as file:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DataFormatError(
                f"{path} is {size / 2**20:,.0f} MiB long; expected at most {MAX_BYTES / 2**20:,.0f} MiB. "
                f"Cut it into shorter takes."
            )
        if not begins_bvh(start := file.peek(64)):
            raise DataFormatError(_say_what_else(path, start[:8]))
        blocks = _read_blocks(path, file)
        block = next(blocks, b"").removeprefix(b"\xef\xbb\xbf")
        lines = _Lines(path, block, whole=size <= _BLOCK_BYTES)
        nodes = _parse_hierarchy(lines)
        n_frames, fps, evidence = _parse_motion_header(lines)
        moves, n_channels = _assign_columns(nodes)
        _check_claims(path, n_frames, len(nodes), n_channels)
        rows = _read_rows(path, lines, blocks, n_channels)
        if n_frames * 2 * n_channels > size:  # a digit and a space each
            raise _too_few(path, sum(len(values) for values in rows), n_frames)
        check_claim(path, 24 * n_frames * len(nodes))
        findings = [Finding("frame rate", f"{fps:g}", 1.0, evidence)]
        positions = np.empty((n_frames, len(nodes), 3))
        done = 0
        adds = False
        for values in rows:
            end = done + len(values)
            if end > n_frames:
                raise DataFormatError(
                    f"{path} has more rows of motion than the {n_frames:,} frames that it claims. "
                    f"Correct the number behind Frames."
                )
            if not done:
                adds = _find_adding(nodes, moves, values, findings)
            _place(nodes, moves, values, adds, positions[done:end])
            done = end
    if done < n_frames:
        raise _too_few(path, done, n_frames)
    return Recording(
        positions,
        _name_once(nodes, findings),
        fps,
        "BVH",
        parents=[node.parent for node in nodes],
        name=path.stem,
        source=path.name,
        findings=tuple(findings),
    )


def _say_what_else(path: Path, start: bytes) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{path} is text in UTF-16; expected UTF-8. Save it as UTF-8."
    return f"{path} is not BVH: it begins with {start!r}; expected the word HIERARCHY."


def _too_few(path: Path, found: int, expected: int) -> DataFormatError:
    return DataFormatError(
        f"{path} has {found:,} rows of motion; expected {expected:,}, as it claims. Is it truncated? "
        f"Fetch it again, or correct the number behind Frames."
    )


def _read_blocks(path: Path, file: BufferedReader) -> Iterator[bytes]:
    """Yield whole lines, about `_BLOCK_BYTES` at once, with line ends of one kind."""
    rest = b""
    while piece := file.read(_BLOCK_BYTES):
        piece = rest + piece
        # \r in the last place may be half of \r\n
        cut = max(piece.rfind(b"\n"), piece.rfind(b"\r", 0, len(piece) - 1)) + 1
        rest = piece[cut:]
        if len(rest) > _BLOCK_BYTES:
            raise DataFormatError(
                f"{path} has a line of more than {_BLOCK_BYTES / 2**20:g} MiB; expected a frame a "
                f"line. Is it damaged?"
            )
        if cut:
            yield _unify_line_ends(piece[:cut])
    if rest:
        yield _unify_line_ends(rest)


def _unify_line_ends(block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in block else block


def _parse_hierarchy(lines: _Lines) -> list[_Node]:
    """Read the tree, up to and with the line MOTION."""
    nodes: list[_Node] = []
    stack: list[int] = []
    waiting = False  # for the brace of the last node
    words = lines.take()
    at = 1  # behind HIERARCHY
    while True:
        while at < len(words):
            word = words[at].lower()
            taken = 1
            if waiting and word != "{":
                raise lines.fail(f"{_quote(words[at])} behind a name; expected '{{'.")
            if word in ("root", "joint", "end"):
                named = list(takewhile(lambda word: word != "{", words[at : at + _MAX_NAME]))
                taken = len(named)
                nodes.append(_parse_node(lines, nodes, stack, named))
                waiting = True
            elif word == "{":
                if not waiting:
                    raise lines.fail("'{' without a joint before it; expected JOINT or End Site.")
                stack.append(len(nodes) - 1)
                waiting = False
            elif word == "}":
                _close_node(lines, nodes, stack)
            elif word == "motion":
                _check_closed(lines, nodes, stack, words[at + 1 :])
                return nodes
            elif word == "offset" and stack:
                taken = 4
                _parse_offset(lines, nodes[stack[-1]], words[at + 1 : at + 4])
            elif word == "channels" and stack:
                taken = _parse_channels(lines, nodes[stack[-1]], words[at : at + 8])
            else:
                raise lines.fail(
                    f"{_quote(words[at])} in the hierarchy; expected JOINT, End Site, OFFSET, CHANNELS, "
                    f"a brace or MOTION."
                )
            at += taken
        words = lines.take()
        at = 0


def _parse_node(
    lines: _Lines, nodes: Sequence[_Node], stack: Sequence[int], words: Sequence[str]
) -> _Node:
    """Return a new node: ROOT, JOINT or End, and its name."""
    kind = words[0].lower()
    if kind == "root" and nodes:
        raise lines.fail(
            f"a second ROOT; {_quote(nodes[0].name)} is the first. Expected one skeleton: save every "
            f"person to a file."
        )
    if kind != "root" and not stack:
        raise lines.fail(f"{words[0]} outside of all braces; expected it inside of ROOT's.")
    if stack and nodes[stack[-1]].end:
        raise lines.fail(f"{words[0]} inside of an End Site; expected OFFSET only.")
    if len(nodes) == MAX_JOINTS:
        raise lines.fail(f"more than {MAX_JOINTS:,} joints; expected a person. Is it damaged?")
    parent = stack[-1] if stack else -1
    if kind == "end":
        return _Node(f"{nodes[parent].name}_end", parent, end=True)
    name = " ".join(words[1:])  # of 3ds Max: Bip01 L Thigh
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise lines.fail(f"{words[0]} is called {_quote(name)}; expected a name.")
    return _Node(name, parent, end=False)


def _close_node(lines: _Lines, nodes: Sequence[_Node], stack: list[int]) -> None:
    if not stack:
        raise lines.fail("'}' closes more than was opened; expected MOTION.")
    node = nodes[stack.pop()]
    if node.offset is None:
        raise lines.fail(f"{_quote(node.name)} has no OFFSET; expected three numbers.")


def _check_closed(
    lines: _Lines, nodes: Sequence[_Node], stack: Sequence[int], behind: Sequence[str]
) -> None:
    if not nodes:
        raise lines.fail("MOTION before any joint; expected ROOT.")
    if stack:
        raise lines.fail(f"MOTION inside of {_quote(nodes[stack[-1]].name)}; is a '}}' missing?")
    if behind:
        raise lines.fail(f"{_quote(behind[0])} behind MOTION; expected a new line.")


def _parse_offset(lines: _Lines, node: _Node, words: Sequence[str]) -> None:
    if node.offset is not None:
        raise lines.fail(f"a second OFFSET of {_quote(node.name)}; expected one.")
    if len(words) < 3:
        raise lines.fail(f"OFFSET of {_quote(node.name)} has {len(words)} numbers; expected three.")
    x, y, z = (_parse_number(lines, word) for word in words)
    node.offset = x, y, z


def _parse_channels(lines: _Lines, node: _Node, words: Sequence[str]) -> int:
    """Read CHANNELS, how many, and which; return how many words that takes."""
    if node.channels is not None:
        raise lines.fail(f"a second CHANNELS of {_quote(node.name)}; expected one.")
    count = words[1] if len(words) > 1 else ""
    if not re.fullmatch("[0-6]", count):
        raise lines.fail(
            f"CHANNELS of {_quote(node.name)} are {_quote(count)} in number; expected 0 to 6."
        )
    names = words[2 : 2 + int(count)]
    channels = tuple(name.lower() for name in names)
    if len(names) < int(count):
        raise lines.fail(
            f"CHANNELS of {_quote(node.name)} names {len(names)}; expected {count} on this line."
        )
    for i, (name, channel) in enumerate(zip(names, channels, strict=True)):
        if channel not in _CHANNELS:
            raise lines.fail(
                f"{_quote(name)} is no channel; expected Xposition, Yposition, Zposition, Xrotation, "
                f"Yrotation or Zrotation."
            )
        if channel in channels[:i]:
            raise lines.fail(
                f"{name} is twice among the channels of {_quote(node.name)}; expected it once."
            )
    node.channels = channels
    return 2 + int(count)


def _parse_number(lines: _Lines, word: str) -> float:
    if (fault := _find_number_fault(word)) is not None:
        raise lines.fail(fault)
    return float(word)


def _find_number_fault(word: str) -> str | None:
    """Return what is wrong with a word as a number, None if nothing."""
    if _NUMBER.fullmatch(word):
        if abs(float(word)) <= _MAX_VALUE:
            return None
        return f"{_quote(word)} is no length or angle; expected at most {_MAX_VALUE:g}."
    if re.fullmatch("[0-9+-]+,[0-9eE+-]+", word):
        return f"{_quote(word)} has a decimal comma; expected a point. Save it with points."
    return f"{_quote(word)} is no number; expected one such as -12.5."


def _quote(word: str) -> str:
    return repr(word) if len(word) <= 40 else f"{word[:40]!r}..."


def _parse_motion_header(lines: _Lines) -> tuple[int, float, str]:
    """Return number of frames, frames per second, and what says the latter."""
    line = " ".join(lines.take())
    found = _FRAMES.fullmatch(line)
    if not found or not re.fullmatch("[0-9]+", found[1]):
        raise lines.fail(f"{_quote(line)}; expected 'Frames:' and a whole number.")
    digits = found[1].lstrip("0")
    if not digits:
        raise lines.fail("0 frames; expected at least one.")
    if len(digits) > 9 or int(digits) > MAX_FRAMES:
        raise lines.fail(
            f"{_quote(found[1])} frames are claimed; expected at most {MAX_FRAMES:,}. Cut it into "
            f"shorter takes."
        )
    line = " ".join(lines.take())
    found = _FRAME_TIME.fullmatch(line)
    if not found:
        raise lines.fail(f"{_quote(line)}; expected 'Frame Time:' and seconds.")
    time_s = _parse_number(lines, found[1])
    low, high = FPS_LIMITS
    if not 1 / high <= time_s <= 1 / low:
        raise lines.fail(
            f"a frame takes {_quote(found[1])} seconds; expected {1 / high:g} to {1 / low:g}, 0.033333 "
            f"for 30 frames a second."
        )
    return int(digits), _find_fps(found[1], time_s), f"Frame Time {found[1][:40]}"


def _find_fps(text: str, time_s: float) -> float:
    """Return the rate that was meant by a frame time, which is often rounded to few digits."""
    fps = 1 / time_s
    digits = re.sub("[eE].*|[+.-]", "", text).strip("0")
    # nine digits are no rounding: a rate was measured, or is a float32
    loose, tight = (1.1e-3, 1e-4) if len(digits) < 9 else (2e-6, 2e-6)
    for meant, tolerance in (*((ntsc, tight) for ntsc in _NTSC), (float(round(fps)), loose)):
        if abs(meant * time_s - 1) <= tolerance:
            return meant
    return fps


def _assign_columns(nodes: Sequence[_Node]) -> tuple[list[_Moves], int]:
    """Return which columns move each node, and how many there are."""
    moves: list[_Moves] = []
    column = 0
    for node in nodes:
        found: dict[str, list[tuple[int, int]]] = {"position": [], "rotation": []}
        for channel in node.channels or ():
            kind, axis = _CHANNELS[channel]
            found[kind].append((axis, column))
            column += 1
        moves.append(_Moves(tuple(found["position"]), tuple(found["rotation"])))
    return moves, column


def _check_claims(path: Path, n_frames: int, n_nodes: int, n_channels: int) -> None:
    if not n_channels:
        raise DataFormatError(f"{path}: no joint has channels; expected a skeleton that moves.")
    n_numbers = n_frames * max(3 * n_nodes, n_channels)
    if n_numbers > MAX_NUMBERS:
        raise DataFormatError(
            f"{path} claims {n_frames:,} frames of {n_nodes} joints, {n_numbers:,} numbers; expected at "
            f"most {MAX_NUMBERS:,}. Cut it into shorter takes."
        )


def _read_rows(
    path: Path, lines: _Lines, blocks: Iterator[bytes], n_channels: int
) -> Iterator[FloatArray]:
    """Yield the rows of motion, many at once: (n, n_channels) with n >= 1."""
    number = lines.number
    block = lines.rest()
    while True:
        if not block.isspace() and block:
            yield _parse_rows(path, number, block, n_channels)
        number += block.count(b"\n")
        try:
            block = next(blocks)
        except StopIteration:
            return


def _parse_rows(path: Path, number: int, block: bytes, n_channels: int) -> FloatArray:
    """Return the rows of a block; `number` lines lie before it."""
    # what is no number but would be read as one: nan, inf, 1_0, what follows a #
    if not block.translate(None, _OF_NUMBERS):
        try:
            values = np.loadtxt(BytesIO(block), ndmin=2)
        except ValueError:
            pass
        else:
            if values.shape[1] == n_channels and (np.abs(values) <= _MAX_VALUE).all():
                return values
    raise _find_row_fault(path, number, block, n_channels)


def _find_row_fault(path: Path, number: int, block: bytes, n_channels: int) -> DataFormatError:
    for line in block.split(b"\n"):
        number += 1
        cells = [cell for cell in line.replace(b"\t", b" ").split(b" ") if cell]
        words = [cell.decode("utf-8", "backslashreplace") for cell in cells]
        for i, word in enumerate(words, start=1):
            if (fault := _find_number_fault(word)) is not None:
                return DataFormatError(f"{path}: line {number}, value {i}: {fault}")
        if words and len(words) != n_channels:
            return DataFormatError(
                f"{path}: line {number} has {len(words)} values; expected {n_channels}, one for every "
                f"channel. Is it truncated or damaged?"
            )
    return DataFormatError(f"{path}: line {number} or before it is no row of numbers.")


def _find_adding(
    nodes: Sequence[_Node],
    moves: Sequence[_Moves],
    values: FloatArray,
    findings: list[Finding],
) -> bool:
    """Return whether position channels below the root are to be added to OFFSET.

    Most programs write positions in place of OFFSET, some write what comes on top of it. The ones
    stay near OFFSET, the others near zero, where they would draw the skeleton into a point.
    """
    asked = [
        (node.offset, [column for _, column in sorted(move.positions)])
        for node, move in zip(nodes, moves, strict=True)
        if node.parent >= 0 and len(move.positions) == 3 and node.offset != (0.0, 0.0, 0.0)
    ]
    if not asked:
        return False
    offsets = np.array([offset for offset, _ in asked])
    some = values[:: max(1, len(values) // 32)]
    given = some[:, np.array([columns for _, columns in asked])]
    length = np.linalg.norm(offsets, axis=1)
    instead = int((np.median(np.linalg.norm(given - offsets, axis=2), axis=0) <= length / 2).sum())
    on_top = int((np.median(np.linalg.norm(given, axis=2), axis=0) <= length / 2).sum())
    n = len(asked)
    adds = not instead and on_top > n / 2
    votes = on_top if adds else instead
    findings.append(
        Finding(
            "position channels",
            f"{'on top' if adds else 'in place'} of OFFSET",
            0.5 + 0.5 * votes / n,
            f"below the root, {votes} of {n} joints say so",
        )
    )
    return adds


def _place(
    nodes: Sequence[_Node],
    moves: Sequence[_Moves],
    values: FloatArray,
    adds: bool,
    positions: FloatArray,
) -> None:
    """Fill in positions (T, J, 3) from rows (T, n_channels), joint after joint, all frames at once."""
    columns = np.ascontiguousarray(values.T)
    places: list[FloatArray] = []
    turned: list[Axes | None] = []  # None: not at all
    for i, (node, move) in enumerate(zip(nodes, moves, strict=True)):
        local = np.empty((3, len(values)))
        local[:] = np.array(node.offset)[:, None]
        for axis, column in move.positions:
            if adds and node.parent >= 0:
                local[axis] += columns[column]
            else:
                local[axis] = columns[column]
        axes = None
        if node.parent >= 0:
            axes = turned[node.parent]
            local = places[node.parent] + (local if axes is None else _turn(axes, local))
        for axis, column in move.rotations:
            axes = turn_axes(axes, axis, columns[column])
        places.append(local)
        turned.append(axes)
        positions[:, i] = local.T


def _turn(axes: Axes, vectors: FloatArray) -> FloatArray:
    """Turn vectors (3, T)."""
    return axes[0] * vectors[0] + axes[1] * vectors[1] + axes[2] * vectors[2]


def turn_axes(axes: Axes | None, axis: int, degrees: FloatArray) -> Axes:
    """Turn about one of the axes, as they are after the rotations before."""
    radians = np.radians(degrees)
    cosine, sine = np.cos(radians), np.sin(radians)
    if axes is None:
        still = np.zeros((3, 3, len(degrees)))
        still[0, 0] = still[1, 1] = still[2, 2] = 1.0
        axes = still[0], still[1], still[2]
    i, j = (axis + 1) % 3, (axis + 2) % 3
    new = list(axes)
    new[i] = cosine * axes[i] + sine * axes[j]
    new[j] = cosine * axes[j] - sine * axes[i]
    return new[0], new[1], new[2]


def _name_once(nodes: Sequence[_Node], findings: list[Finding]) -> list[str]:
    """Return names, each once: the first keeps its own, others get a number."""
    taken = {node.name for node in nodes}
    seen: set[str] = set()
    names: list[str] = []
    for node in nodes:
        name, number = node.name, 1
        while name in seen or (number > 1 and name in taken):
            number += 1
            name = f"{node.name}_{number}"
        seen.add(name)
        names.append(name)
    if renamed := [name for name, node in zip(names, nodes, strict=True) if name != node.name]:
        findings.append(
            Finding("names", ", ".join(renamed[:8]), 1.0, f"{len(renamed)} names came again")
        )
    return names
