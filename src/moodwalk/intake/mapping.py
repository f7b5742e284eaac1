"""From recorded joints to the 16, by their names."""

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError
from moodwalk.intake.maps import SKELETON_MAPS, Place, SkeletonMap, at, between, middle
from moodwalk.recording import Finding, Recording
from moodwalk.skeleton import Joint

__all__ = ["MappedJoints", "find_map", "map_joints", "normalise_name", "read_joint_map"]

_MAX_MAP_BYTES = 64 * 1024
_EXTRAS = ("right_toe", "left_toe", "right_heel", "left_heel", "nose")
_N_SHOWN = 12

_PREFIX = re.compile(
    r"^(?i:mixamorig\d*|(?:valvebiped[ _.])?bip\d*|character\d+|skeleton\d*|armature|jointtype|joint|jnt|"
    r"[mf]_avg)(?=[ _.\-]|[A-Z][a-z]|[A-Z]_|$)"
)
_NUMBERED = re.compile(r"(?:joint|keypoint|kpt?|point|j|p)?[ _.\-]?([0-9]{1,3})", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = MappingProxyType(
    {"l": "left", "left": "left", "lft": "left", "r": "right", "right": "right", "rgt": "right"}
)
_SIDED = re.compile(
    r"(?P<before>left|right)(?P<rest>.*[a-z].*)|(?P<rest2>.*[a-z].*)(?P<after>left|right)"
)
_AFTER_SIDE = re.compile(
    r"^([lr])(hip|knee|ankle|foot|toe|heel|shoulder|elbow|wrist|hand|eye|ear|collar|clavicle|thigh|calf|"
    r"arm|forearm|leg|upleg|upperarm|lowerarm|upperleg|lowerleg|bigtoe|smalltoe)"
)


@dataclass(frozen=True, eq=False, slots=True)
class MappedJoints:
    """The 16 joints of a recording, on its own axes and in its unit.

    Parameters
    ----------
    positions
        (T, 16, 3); NaN where a joint that is needed was not seen.
    extras
        (T, 3) each: ``right_toe``, ``left_toe``, ``right_heel``, ``left_heel``, ``nose``, those
        that the recording has.
    skeleton
        Name of the map.
    sources
        For each of the 16, by name, what it was made of.
    derived
        Those of the 16 that have no twin in the recording.
    findings
        What else is worth knowing.
    """

    positions: NDArray[np.float64]
    extras: dict[str, NDArray[np.float64]]
    skeleton: str
    sources: dict[str, str]
    derived: tuple[str, ...]
    findings: tuple[Finding, ...] = ()


@lru_cache(maxsize=4096)
def normalise_name(name: str) -> str:
    """Return a joint's name without namespace, prefix and style, the side in front.

    ``mixamorig:LeftUpLeg``, ``Character1_LeftUpLeg`` and ``left.up.leg`` become ``left upleg``;
    ``Bip01 L Thigh`` becomes ``left thigh``, ``LBigToe`` ``left bigtoe``.
    """
    bare = re.split(r"[:|]", name)[-1].strip()
    shorter = _PREFIX.sub("", bare).strip(" _.-")
    words = [word.lower() for word in _WORD.findall(shorter or bare)]
    if not words or not bare.isascii():  # of other alphabets no style is known
        return bare.casefold()
    if len(words) > 1 and words[0] in ("skel", "subject"):
        words = words[1:]
    sides = [i for i, word in enumerate(words) if word in _SIDES]
    if sides and not all(word.isdigit() for i, word in enumerate(words) if i != sides[0]):
        # of two, the one at either end of the name says the side
        i = next((i for i in sides if i in (0, len(words) - 1)), sides[0])
        side = _SIDES[words[i]]
        return f"{side} {''.join(words[:i] + words[i + 1 :])}"
    joined = "".join(words)
    if found := _SIDED.fullmatch(joined):  # a name in one case does not say where its words end
        side, rest = found["before"] or found["after"], found["rest"] or found["rest2"]
        return f"{side} {rest}"
    if found := _AFTER_SIDE.match(joined):
        return f"{_SIDES[found[1]]} {joined[1:]}"
    return joined


def find_map(joints: Sequence[str]) -> SkeletonMap:
    """Find the skeleton that a recording's joints belong to.

    Parameters
    ----------
    joints
        Their names, in any style.

    Returns
    -------
    SkeletonMap
        Of those that find every joint they need, the one that knows most of the names.

    Raises
    ------
    DataFormatError
        If none does; the message names what the nearest map lacks.
    """
    if fitting := _rank_maps(tuple(joints)):
        return fitting[0][0]
    what = f"unknown skeleton with {len(joints)} joints"
    say = "Say which joint is which with --joint-map FILE (docs/skeletons.md)."
    if _read_numbers(joints) is not None:
        orders = [one.name for one in SKELETON_MAPS if len(one.order) == len(joints)]
        could = f"they could be {' or '.join(orders)}" if orders else "no known order has so many"
        raise DataFormatError(f"{what} that are only numbered; {could}, but nothing says so. {say}")
    held = _Names(joints)
    nearest = min(SKELETON_MAPS, key=lambda one: len(_find_missing(one, held)))
    missing = [joint.name.lower() for joint in _find_missing(nearest, held)]
    if len(missing) == len(Joint):
        raise DataFormatError(f"{what} ({_list(joints)}); none of the names is known. {say}")
    raise DataFormatError(
        f"{what} ({_list(joints)}); nearest is {nearest.name}, but {_list(missing, len(Joint))} could not be "
        f"placed. {say}"
    )


def map_joints(recording: Recording, joint_map: SkeletonMap | None = None) -> MappedJoints:
    """Bring a recording to the 16 joints.

    Parameters
    ----------
    recording
        Points under the names of their source.
    joint_map
        Which is which; None to tell by the names.

    Raises
    ------
    DataFormatError
        If the skeleton is unknown, joints that `joint_map` names are not there, two recorded joints
        have what is the same name in another style, or joints are only numbered and their count
        is that of several known orders.

    Notes
    -----
    A point of which one coordinate is missing is missing, and so is what is made of it.
    """
    names = tuple(recording.joints)
    one = joint_map if joint_map is not None else find_map(names)
    numbers = _read_numbers(names) if one.order else None
    if numbers is not None:
        names = _name_numbers(one, numbers)
    held = _Names(names)
    labels = [
        name if name == recorded else f"{name} ({recorded})"
        for name, recorded in zip(names, recording.joints, strict=True)
    ]
    positions = np.zeros((len(recording), len(Joint), 3))
    sources: dict[str, str] = {}
    derived: list[str] = []
    for joint in Joint:
        place, label = one.joints[joint], joint.name.lower()
        used: list[str] = []
        for name, weight in place.parts:
            i = held.find(name, label)
            positions[:, joint] += weight * recording.positions[:, i]
            used.append(labels[i])
        sources[label] = place.words.format(*used) if place.is_derived else used[0]
        if place.is_derived:
            derived.append(label)
    positions[np.isnan(positions).any(axis=2)] = np.nan
    extras: dict[str, NDArray[np.float64]] = {}
    own = not any(one is known for known in SKELETON_MAPS)
    for name, source in one.extras.items():
        if own or held.count(source) == 1:
            extras[name] = recording.positions[:, held.find(source, name)].copy()
            extras[name][np.isnan(extras[name]).any(axis=1)] = np.nan
    evidence = f"{len(derived)} of 16 joints derived" if derived else "all 16 joints have twins"
    sure = 1.0
    if joint_map is None:
        sure = round(1 - 0.02 * len(derived), 2)
        (_, best), *others = _rank_maps(names)
        if rivals := [other.name for other, fit in others if fit == best]:
            sure = round(sure / (1 + len(rivals)), 2)
            evidence += f"; the names are as much those of {', '.join(rivals)}"
    finding = Finding("skeleton", one.name, sure, evidence)
    return MappedJoints(positions, extras, one.name, sources, tuple(derived), (finding,))


def read_joint_map(path: str | Path) -> SkeletonMap:
    """Read a user's own map from a TOML or JSON file.

    Parameters
    ----------
    path
        The file, with a table ``joints``: for each of the 16, in lower case, a recorded joint's name,
        two names for the point in the middle, or ``{from = "a", to = "b", share = 0.3}``. A table
        ``extras`` may name ``right_toe``, ``left_toe``, ``right_heel``, ``left_heel`` and ``nose``.

    Raises
    ------
    DataFormatError
        If the file is missing, too large, no TOML or JSON, does not name all 16 joints, or has one
        place for two of them.
    """
    path = Path(path)
    text = _read_text(path)
    try:
        found: Any = (
            json.loads(text, object_pairs_hook=_refuse_doubles)
            if text.lstrip().startswith("{")
            else tomllib.loads(text)
        )
    except (ValueError, RecursionError) as error:
        reason = ascii(" ".join(str(error).split())[:200])[1:-1].rstrip(".")
        raise DataFormatError(f"{path} is neither TOML nor JSON: {reason}.") from None
    tables = {name: _get_table(path, found, name) for name in ("joints", "extras")}
    if strange := sorted(set(found) - set(tables)):
        raise DataFormatError(
            f"{path}: there is no table {_quote(strange[0])}; expected 'joints', and 'extras' if you like."
        )
    known = {joint.name.lower(): joint for joint in Joint}
    if strange := sorted(set(tables["joints"]) - set(known)):
        raise DataFormatError(
            f"{path}: there is no joint {_quote(strange[0])}; expected {', '.join(known)}."
        )
    if missing := [name for name in known if name not in tables["joints"]]:
        raise DataFormatError(
            f"{path} does not say which joint is {_list(missing, len(known))}; expected all 16."
        )
    if strange := sorted(set(tables["extras"]) - set(_EXTRAS)):
        raise DataFormatError(
            f"{path}: no extra {_quote(strange[0])}; expected {', '.join(_EXTRAS)}."
        )
    joints = {
        joint: _parse_place(path, name, tables["joints"][name]) for name, joint in known.items()
    }
    taken: dict[tuple[tuple[str, float], ...], Joint] = {}
    for joint, place in joints.items():
        if (twin := taken.setdefault(place.parts, joint)) is not joint:
            raise DataFormatError(
                f"{path}: {twin.name.lower()} and {joint.name.lower()} are both "
                f"{_quote(tables['joints'][joint.name.lower()])}; expected a place of its own for each joint."
            )
    extras: dict[str, str] = {}
    for name, source in tables["extras"].items():
        if not isinstance(source, str) or not source:
            raise DataFormatError(
                f"{path}: {name} is {_quote(source)}; expected the name of a joint."
            )
        extras[name] = source
    return SkeletonMap(path.name, MappingProxyType(joints), MappingProxyType(extras))


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            what = "is no ordinary file" if path.exists() else "does not exist"
            raise DataFormatError(f"{path} {what}; expected a joint map in TOML or JSON.")
        with path.open("rb") as file:
            content = file.read(_MAX_MAP_BYTES + 1)
    except OSError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > _MAX_MAP_BYTES:
        raise DataFormatError(f"{path} is larger than 64 KiB; expected a joint map of 16 lines.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataFormatError(f"{path} is neither TOML nor JSON: it is no UTF-8 text.") from None


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} comes twice")
    return found


def _get_table(path: Path, found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise DataFormatError(f"{path} holds no tables; expected 'joints' with 16 names.")
    table = cast("dict[str, Any]", found).get(name, {})
    if not isinstance(table, dict):
        raise DataFormatError(f"{path}: {name!r} is {_quote(table)}; expected a table.")
    return cast("dict[str, Any]", table)


def _parse_place(path: Path, joint: str, said: Any) -> Place:
    if isinstance(said, str) and said:
        return at(said)
    if isinstance(said, list):
        names = cast("list[Any]", said)
        if len(set(map(str, names))) == 2 == len(names) and all(
            isinstance(name, str) and name for name in names
        ):
            return middle(names[0], names[1])
    if isinstance(said, dict):
        entry = cast("dict[str, Any]", said)
        start, end, share = (entry.get(key) for key in ("from", "to", "share"))
        if (
            isinstance(start, str)
            and isinstance(end, str)
            and "" != start != end != ""
            and isinstance(share, int | float)
            and not isinstance(share, bool)
            and abs(share) <= 3  # NaN is not
            and len(entry) == 3
        ):
            return between(at(start), at(end), float(share))
    raise DataFormatError(
        f"{path}: {joint} is {_quote(said)}; expected a name, two names, or {{from, to, share}} with a share "
        f"of -3 to 3."
    )


class _Names:
    """Names of recorded joints, found as they are written or in any other style."""

    def __init__(self, names: Sequence[str]) -> None:
        self._written = {name: i for i, name in reversed(list(enumerate(names)))}
        self._names = names
        self._bare: dict[str, list[int]] = {}
        prefix = _find_prefix(names)
        for i, name in enumerate(names):
            self._bare.setdefault(normalise_name(name.removeprefix(prefix)), []).append(i)

    def count(self, wanted: str) -> int:
        """Return how many joints have a name, or the first of its alternatives that any has."""
        return len(self._look_up(wanted))

    def find(self, wanted: str, label: str) -> int:
        """Return the index of the one joint that has a name; none and several are refused."""
        found = self._look_up(wanted)
        if not found:
            raise DataFormatError(
                f"the joint {_quote(wanted)}, needed for {label}, is not in the recording; it has "
                f"{_list(self._names)}. Correct the joint map."
            )
        if len(found) > 1:
            a, b = (_quote(self._names[i]) for i in found[:2])
            raise DataFormatError(
                f"both {a} and {b} could be {label}; expected one person, and each joint once. Keep "
                f"one of them, or say which joint is which with --joint-map FILE."
            )
        return found[0]

    def _look_up(self, wanted: str) -> list[int]:
        for name in (wanted, *wanted.split("|")):
            if name in self._written:
                return [self._written[name]]
            if "|" not in name and (found := self._bare.get(normalise_name(name))):
                return found
        return []


def _find_prefix(names: Sequence[str]) -> str:
    """Return what all names begin with, up to a separator: ``Model_`` of Model_Hips, Model_Spine."""
    if len(names) < 2:
        return ""
    pairs = zip(min(names), max(names), strict=False)  # what these two share, all do
    shared = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    found = re.match(r".*[ _.:\-]", shared, re.DOTALL)
    return found[0] if found else ""


def _find_missing(one: SkeletonMap, held: _Names) -> list[Joint]:
    return [
        joint
        for joint, place in one.joints.items()
        if not all(held.count(name) for name, _ in place.parts)
    ]


@lru_cache(maxsize=256)  # a folder's files mostly have the same joints
def _rank_maps(joints: tuple[str, ...]) -> tuple[tuple[SkeletonMap, tuple[int, float, bool]], ...]:
    """Return the skeletons that find every joint they need and how well they fit, the best first.

    How many of a skeleton's names are there, which share of them, and whether the recorded names
    mention the skeleton, as those of ``mixamorig:`` do.
    """
    held = _Names(joints)
    fitting: list[tuple[SkeletonMap, tuple[int, float, bool]]] = []
    for one in SKELETON_MAPS:
        if not _find_missing(one, held):
            names = one.names or one.order
            n_known = sum(held.count(name) > 0 for name in names)
            mentioned = any(one.name.lower() in name.lower() for name in joints)
            fitting.append((one, (n_known, n_known / len(names), mentioned)))
    return tuple(sorted(fitting, key=lambda fit: fit[1], reverse=True))


def _read_numbers(names: Sequence[str]) -> list[int] | None:
    """Return the numbers of joints that have no other names, from 0 on; None where they have."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(match[1]) for match in found if match]
    first = min(numbers, default=0)
    if first > 1 or sorted(numbers) != list(range(first, first + len(names))):
        return None
    return [number - first for number in numbers]


def _name_numbers(one: SkeletonMap, numbers: list[int]) -> tuple[str, ...]:
    n = len(numbers)
    if len(one.order) != n:
        raise DataFormatError(
            f"{n} joints that are only numbered, but {one.name} has {len(one.order)}. Name the joints, or "
            f"say which is which with --joint-map FILE."
        )
    rivals = [other.name for other in SKELETON_MAPS if len(other.order) == n and other is not one]
    if rivals and any(one is known for known in SKELETON_MAPS):
        raise DataFormatError(
            f"{n} joints that are only numbered could be {one.name} or {', '.join(rivals)}. Name the joints, "
            f"or say which is which with --joint-map FILE."
        )
    return tuple(one.order[number] for number in numbers)


def _quote(value: Any) -> str:
    """Return a value for a message: short, on one line, in ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _list(names: Sequence[str], n_shown: int = _N_SHOWN) -> str:
    shown = ", ".join(ascii(name)[1:-1][:40] for name in names[:n_shown])
    return shown + (f" and {len(names) - n_shown} more" if len(names) > n_shown else "")
