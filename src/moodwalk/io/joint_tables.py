"""Tables of joints of any skeleton, under the names of their source: CSV, TSV, Parquet, NPZ, NPY.

wide    a row a frame; LeftHip_x, LeftHip_y, LeftHip_z, ... or joint names above x, y, z
long    a row a joint and frame; frame (or time), joint, x, y, z
arrays  positions (T, J, 3), joints, fps

`moodwalk.io.tables` and `moodwalk.io.npz` read the tables that moodwalk itself writes.
"""

import io
import math
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.io.joint_columns import (
    HEADER_ROWS,
    METRES,
    MIN_CLAIMED,
    NO_DEPTH,
    HeaderError,
    find_layout,
    find_text_layout,
)
from moodwalk.io.joint_groups import rename
from moodwalk.io.joint_rows import EXPECTED, read_parquet, read_text
from moodwalk.io.joint_times import (
    MAX_JOINTS,
    Points,
    Source,
    check_shape,
    check_size,
    make_recording,
    shorten,
)
from moodwalk.io.opening import DAMAGE, check_claim, explain_damage, open_checked, peek
from moodwalk.io.tables import COORDINATES, NEEDED, PARQUET_SIGNATURE, begins_table, load_pyarrow
from moodwalk.recording import Recording

__all__ = ["begins_joint_table", "is_joint_table", "read_joint_table"]

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

_NPY = b"\x93NUMPY"


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
        Names in the order of the file, where it has none: of arrays, or of joints that are called
        0, 1, 2 and so on. Names that a file has stand.

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
    with open_checked(path, EXPECTED) as file, np.errstate(all="ignore"):
        start = file.peek(8)
        with explain_damage(path):
            if start.startswith(_ZIP) or start.startswith(_NPY):
                return [_read_arrays(path, file, fps, joint_names)]
            if start.startswith(PARQUET_SIGNATURE):
                return read_parquet(path, file, fps, joint_names)
        return read_text(path, file, fps, joint_names)


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
        except (*DAMAGE, OSError):
            return False
        return "n_frames" not in held and bool(held & {"positions", "arr_0"})
    if start.startswith(PARQUET_SIGNATURE):
        try:
            names = load_pyarrow(path)[1].read_schema(path).names
            return not _is_own(names) and find_layout([names]) is not None
        except HeaderError as error:
            return error.sure
        except (ConfigError, *DAMAGE, OSError):
            return False
    return start.startswith(_NPY) or _begins_text(start)


def _begins_text(start: bytes) -> bool:
    encoding = "utf-16" if start.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    lines = start.decode(encoding, errors="replace").splitlines(keepends=True)
    try:
        found = find_text_layout(lines[:HEADER_ROWS])
    except HeaderError as error:
        return error.sure
    if found is None:
        return False
    layout = found[1]
    return not _is_own(layout.columns) and (not layout.joints or len(layout.joints) >= MIN_CLAIMED)


def _is_own(names: Sequence[str]) -> bool:
    """Whether `read_table` would read it, or say best what is wrong with it."""
    held = {name.strip() for name in names}
    return held.issuperset(NEEDED) and len(held.intersection(COORDINATES)) >= len(COORDINATES) / 2


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
    source = Source(path, kind, None, None, _get_number(path, arrays, "fps"), fps)
    unit = _get_text(path, arrays, "unit").lower()
    if unit and unit not in METRES:
        raise DataFormatError(f"{path}: unit is {unit[:40]!r}; expected m, cm or mm.")
    facts = {name: _get_text(path, arrays, name) for name in ("subject", "label", "acted")}
    name = _get_text(path, arrays, "name") or path.stem
    source = replace(source, unit_m=METRES.get(unit), name=name)
    joints = _get_joints(path, arrays, joint_names)
    if positions.ndim == 2 and positions.shape[1] == 3 * len(joints):
        positions = positions.reshape(len(positions), -1, 3)
    if positions.ndim == 3 and positions.shape[1:] == (len(joints), 2):
        raise DataFormatError(f"{path} {NO_DEPTH}.")
    if positions.shape[1:] != (len(joints), 3) or not len(positions):
        raise DataFormatError(
            f"{path}: positions have shape {positions.shape} and there are {len(joints)} names; "
            f"expected (T, {len(joints)}, 3): frames, joints, coordinates."
        )
    n_frames = len(positions)
    check_shape(source, n_frames, len(joints))
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
    points = Points(positions, floats.get("confidence"), None, floats.get("time"))
    return make_recording(source, points, joints, facts)


def _read_archive(path: Path, file: io.BufferedReader) -> dict[str, NDArray[Any]]:
    wanted = ("positions", "joints", "joint_names", "fps", "time", "confidence",
              "name", "subject", "label", "acted", "unit")  # fmt: skip
    with zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if "arr_0" in members and len(members) == 1:  # what numpy.savez calls a lone array
            members = {"positions": members["arr_0"]}
        if "positions" not in members:
            raise DataFormatError(
                f"{path} has no array 'positions'; found {shorten(list(members)) or 'none'}. "
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
        check_size(path, math.prod(shape))
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
        source = Source(path, "", None, None, None, None)
        return rename(source, [str(name).strip() for name in held.tolist()], given)
    if given is None:
        shape = arrays["positions"].shape
        raise ConfigError(
            f"{path} has positions of shape {shape} and no names of joints; expected an array joints "
            f"with a name for each. Say which skeleton it is."
        )
    if not given:
        raise ConfigError(f"{path}: no names of joints given; expected at least one.")
    return tuple(given)
