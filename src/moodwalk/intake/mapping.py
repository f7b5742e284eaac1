"""From recorded joints to the 16, by their names."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
_EXTRAS = ("right_toe", "left_toe", "right_heel", "left_heel")
_N_SHOWN = 12

_PREFIX = re.compile(
    r"^(mixamorig\d*|bip\d*|character\d+|skeleton\d*|armature|joint|jnt)(?=[ _.\-A-Z]|$)", re.I
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SIDES = MappingProxyType(
    {"l": "left", "left": "left", "lft": "left", "r": "right", "right": "right", "rgt": "right"}
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
        (T, 3) each: ``right_toe`` and ``left_toe``, where the recording has them.
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
    if len(words) > 1 and words[0] in ("skel", "subject"):
        words = words[1:]
    sides = [i for i, word in enumerate(words) if word in _SIDES]
    if sides:
        # of two, the one at either end of the name says the side
        i = next((i for i in sides if i in (0, len(words) - 1)), sides[0])
        side = _SIDES[words[i]]
        return f"{side} {''.join(words[:i] + words[i + 1 :])}"
    joined = "".join(words)
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
    held = {normalise_name(name) for name in joints}
    scores: list[tuple[int, float, SkeletonMap]] = []
    nearest: tuple[int, SkeletonMap, list[Joint]] | None = None
    for one in SKELETON_MAPS:
        missing = [
            joint
            for joint, place in one.joints.items()
            if any(_find_name(name, held) is None for name, _ in place.parts)
        ]
        n_known = sum(_find_name(name, held) is not None for name in one.order)
        if not missing:
            scores.append((n_known, n_known / len(one.order), one))
        elif nearest is None or len(missing) < nearest[0]:
            nearest = len(missing), one, missing
    if scores:
        return max(scores, key=lambda score: score[:2])[2]
    assert nearest is not None
    _, one, missing = nearest
    raise DataFormatError(
        f"unknown skeleton with {len(joints)} joints ({_list(joints)}); nearest is {one.name}, but "
        f"{_list([joint.name.lower() for joint in missing])} could not be placed. Say which joint is which "
        f"with --joint-map FILE (docs/skeletons.md)."
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
        If the skeleton is unknown, or joints that `joint_map` names are not there.
    """
    names = tuple(recording.joints)
    one = joint_map
    if one is None:
        one = find_map(names)
    elif one.order and len(one.order) == len(names) and all(name.isdigit() for name in names):
        names = tuple(name.split("|")[0] for name in one.order)
    index: dict[str, int] = {}
    for i, name in enumerate(names):
        index.setdefault(normalise_name(name), i)
    for i, name in enumerate(names):  # as the file writes it goes before any other style
        index[name] = i
    positions = np.zeros((len(recording), len(Joint), 3))
    sources: dict[str, str] = {}
    derived: list[str] = []
    for joint in Joint:
        place = one.joints[joint]
        used: list[str] = []
        for name, weight in place.parts:
            found = _find_name(name, index)
            if found is None:
                raise DataFormatError(
                    f"the joint {name!r}, needed for {joint.name.lower()}, is not in the recording; it has "
                    f"{_list(names)}. Correct the joint map."
                )
            positions[:, joint] += weight * recording.positions[:, index[found]]
            used.append(recording.joints[index[found]])
        label = joint.name.lower()
        sources[label] = used[0] if len(used) == 1 else place.words or " and ".join(used)
        if len(used) == 2 and place.words.startswith("middle of"):
            sources[label] = f"middle of {used[0]} and {used[1]}"
        if place.is_derived:
            derived.append(label)
    extras = {
        name: recording.positions[:, index[found]]
        for name, source in one.extras.items()
        if (found := _find_name(source, index)) is not None
    }
    sure = round(1 - 0.02 * len(derived), 2) if joint_map is None else 1.0
    evidence = f"{len(derived)} of 16 joints derived" if derived else "all 16 joints have twins"
    finding = Finding("skeleton", one.name, sure, evidence)
    return MappedJoints(positions, extras, one.name, sources, tuple(derived), (finding,))


def read_joint_map(path: str | Path) -> SkeletonMap:
    """Read a user's own map from a TOML or JSON file.

    Parameters
    ----------
    path
        The file, with a table ``joints``: for each of the 16, in lower case, a recorded joint's name,
        two names for the point in the middle, or ``{from = "a", to = "b", share = 0.3}``. A table
        ``extras`` may name ``right_toe`` and ``left_toe``.

    Raises
    ------
    DataFormatError
        If the file is missing, too large, no TOML or JSON, or does not name all 16 joints.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise DataFormatError(f"{path} does not exist; expected a joint map in TOML or JSON.")
        with path.open("rb") as file:
            content = file.read(_MAX_MAP_BYTES + 1)
    except OSError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(content) > _MAX_MAP_BYTES:
        raise DataFormatError(f"{path} is larger than 64 KiB; expected a joint map of 16 lines.")
    try:
        text = content.decode("utf-8-sig")
        found: Any = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataFormatError(f"{path} is neither TOML nor JSON: {reason}.") from None
    tables = {name: _get_table(path, found, name) for name in ("joints", "extras")}
    known = {joint.name.lower(): joint for joint in Joint}
    if strange := sorted(set(tables["joints"]) - set(known)):
        raise DataFormatError(
            f"{path}: there is no joint {strange[0]!r}; expected {', '.join(known)}."
        )
    if missing := [name for name in known if name not in tables["joints"]]:
        raise DataFormatError(
            f"{path} does not say which joint is {_list(missing)}; expected all 16."
        )
    if strange := sorted(set(tables["extras"]) - set(_EXTRAS)):
        raise DataFormatError(f"{path}: no extra {strange[0]!r}; expected {', '.join(_EXTRAS)}.")
    joints = {
        joint: _parse_place(path, name, tables["joints"][name]) for name, joint in known.items()
    }
    extras: dict[str, str] = {}
    for name, source in tables["extras"].items():
        if not isinstance(source, str) or not source:
            raise DataFormatError(f"{path}: {name} is {source!r}; expected the name of a joint.")
        extras[name] = source
    return SkeletonMap(path.name, MappingProxyType(joints), MappingProxyType(extras))


def _get_table(path: Path, found: Any, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise DataFormatError(f"{path} holds no tables; expected 'joints' with 16 names.")
    table = cast("dict[str, Any]", found).get(name, {})
    if not isinstance(table, dict):
        raise DataFormatError(f"{path}: {name!r} is {table!r}; expected a table.")
    return cast("dict[str, Any]", table)


def _parse_place(path: Path, joint: str, said: Any) -> Place:
    if isinstance(said, str) and said:
        return at(said)
    if isinstance(said, list):
        names = cast("list[Any]", said)
        if len(names) == 2 and all(isinstance(name, str) and name for name in names):
            return middle(names[0], names[1])
    if isinstance(said, dict):
        entry = cast("dict[str, Any]", said)
        start, end, share = (entry.get(key) for key in ("from", "to", "share"))
        if (
            isinstance(start, str)
            and isinstance(end, str)
            and isinstance(share, int | float)
            and abs(share) <= 3  # NaN is not
            and len(entry) == 3
        ):
            return between(
                at(start), at(end), float(share), f"{share:g} of the way from {start} to {end}"
            )
    raise DataFormatError(
        f"{path}: {joint} is {said!r}; expected a name, two names, or {{from, to, share}}."
    )


def _find_name(wanted: str, held: Mapping[str, int] | set[str]) -> str | None:
    """Return the first of the alternatives that is there, as written or normalised."""
    for name in wanted.split("|"):
        if name in held:
            return name
        if (bare := normalise_name(name)) in held:
            return bare
    return None


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name)[1:-1][:40] for name in names[:_N_SHOWN])
    return shown + (f" and {len(names) - _N_SHOWN} more" if len(names) > _N_SHOWN else "")
