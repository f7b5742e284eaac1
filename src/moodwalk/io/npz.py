"""Gaits in NumPy's own archive: a few arrays, no Python objects.

positions   (sum of T, 16, 3) float32, one gait after the other
n_frames    (n,) how many frames each gait has
fps         (n,) frames per second
names, subjects, labels, acted      (n,) text, '' where there is none
synthetic   (n,) bool
"""

import tempfile
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from moodwalk.emotion import Emotion, parse_emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError, ShapeError
from moodwalk.gait import MAX_FRAMES, Gait, GaitSet
from moodwalk.io.opening import check_claim, explain_damage, open_checked
from moodwalk.skeleton import N_JOINTS, Joint

__all__ = ["NpzSink", "read_npz"]

NEEDED = ("positions", "n_frames", "fps")
TEXTS = ("names", "subjects", "labels", "acted")
OPTIONAL = (*TEXTS, "synthetic")

_KINDS = {"positions": "fiu", "n_frames": "iu", "fps": "fiu", "synthetic": "b"}
"""The NumPy kinds that an array may have; the others are text."""

_SAYING = {"fiu": "numbers", "iu": "whole numbers", "b": "true or false", "U": "text"}

_MAX_HEADER = 10_000

_PIECE_BYTES = 2**20


def read_npz(path: str | Path) -> GaitSet:
    """Read the gaits of an NPZ file.

    Parameters
    ----------
    path
        The file, with the arrays ``positions``, ``n_frames`` and ``fps``; ``names``, ``subjects``,
        ``labels``, ``acted`` and ``synthetic`` may be missing. Pickled objects are never read.

    Returns
    -------
    GaitSet
        The gaits in the order of the file, positions as float32 or float64 as the file has them.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, damaged, claims more than it can hold, or holds something
        else.
    LabelError
        If a label or acted emotion is no emotion.
    """
    path = Path(path)
    with (
        open_checked(path, "an NPZ file") as file,
        explain_damage(path),
        zipfile.ZipFile(file) as archive,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of NumPy, about headers of Python 2
        arrays = _read_arrays(path, archive)
    _check_arrays(path, arrays)
    return GaitSet(_cut(path, arrays))


class NpzSink:
    """Writes one NPZ file; positions lie in a nameless file beside it until the end.

    Parameters
    ----------
    path
        How messages name the file.
    temporary
        The file to write.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self._temporary = temporary
        self._positions = tempfile.TemporaryFile(dir=temporary.parent)  # noqa: SIM115 - outlives this
        self._texts: dict[str, list[str]] = {name: [] for name in TEXTS}
        self._n_frames: list[int] = []
        self._fps: list[float] = []
        self._synthetic: list[bool] = []

    def write(self, gaits: Sequence[Gait]) -> None:
        """Write gaits."""
        for gait in gaits:
            self._positions.write(np.ascontiguousarray(gait.positions, dtype="<f4").data)
            self._n_frames.append(len(gait))
            self._fps.append(gait.fps)
            self._synthetic.append(gait.synthetic)
            texts = gait.name, gait.subject, gait.label, gait.acted
            for name, text in zip(TEXTS, texts, strict=True):
                self._texts[name].append(str(text or ""))
        self._positions.flush()

    def finish(self) -> None:
        """Put every array into the archive."""
        n = len(self._n_frames)
        with zipfile.ZipFile(self._temporary, "w") as archive:
            self._positions.seek(0)
            shape = (sum(self._n_frames), N_JOINTS, 3)
            with _open_array(archive, "positions", "<f4", shape) as array:
                while piece := self._positions.read(_PIECE_BYTES):
                    array.write(piece)
            for name, dtype, values in (
                ("n_frames", "<i8", self._n_frames),
                ("fps", "<f8", self._fps),
                ("synthetic", "|b1", self._synthetic),
            ):
                with _open_array(archive, name, dtype, (n,)) as array:
                    array.write(np.array(values, dtype=dtype).data)
            for name, texts in self._texts.items():
                dtype = f"<U{max(1, max(map(len, texts)))}"
                with _open_array(archive, name, dtype, (n,)) as array:
                    for start in range(0, n, 4096):  # every entry takes as much as the longest
                        array.write(np.array(texts[start : start + 4096], dtype=dtype).tobytes())
        self._positions.close()

    def abandon(self) -> None:
        """Let go of the positions."""
        self._positions.close()


@contextmanager
def _open_array(
    archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]
) -> Generator[IO[bytes]]:
    # ZipInfo's own date, 1980: the same gaits give the same bytes
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(member, header)
        yield member


def _read_arrays(path: Path, archive: zipfile.ZipFile) -> dict[str, NDArray[Any]]:
    found = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    if missing := [name for name in NEEDED if name not in found]:
        held = ", ".join(repr(name) for name in list(found)[:8]) or "nothing"
        raise DataFormatError(
            f"{path} has no array '{missing[0]}'; found {held}; expected {', '.join(NEEDED)}."
        )
    members = {name: found[name] for name in (*NEEDED, *OPTIONAL) if name in found}
    for name, info in members.items():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataFormatError(
                f"{path}: array '{name}' is compressed in a way that NumPy does not use; expected "
                f"what numpy.savez or numpy.savez_compressed write."
            )
    check_claim(path, sum(info.file_size for info in members.values()))
    for name, info in members.items():
        with archive.open(info) as member:
            _check_header(path, name, info, member)
    arrays: dict[str, NDArray[Any]] = {}
    for name, info in members.items():
        with archive.open(info) as member:
            arrays[name] = npy.read_array(member, allow_pickle=False)
            member.read(1)  # the end of a member is where its checksum is compared
    return arrays


def _check_header(path: Path, name: str, info: zipfile.ZipInfo, member: IO[bytes]) -> None:
    """Check what an array claims to be before memory is taken for it."""
    version = npy.read_magic(member)
    if version == (1, 0):
        header = npy.read_array_header_1_0(member, max_header_size=_MAX_HEADER)
    elif version == (2, 0):
        header = npy.read_array_header_2_0(member, max_header_size=_MAX_HEADER)
    else:
        raise DataFormatError(
            f"{path}: array '{name}' is of .npy version {version[0]}.{version[1]}; expected 1.0 or 2.0."
        )
    shape, _, dtype = header
    if dtype.hasobject:
        raise DataFormatError(
            f"{path}: array '{name}' holds Python objects (pickle), which are never read; expected "
            f"plain numbers or text. Save it with allow_pickle=False."
        )
    kinds = _KINDS.get(name, "U")
    if dtype.kind not in kinds:
        raise DataFormatError(f"{path}: array '{name}' holds {dtype}; expected {_SAYING[kinds]}.")
    n_bytes = dtype.itemsize
    for length in shape:
        n_bytes *= length
    held = info.file_size - member.tell()
    if n_bytes != held:
        raise DataFormatError(
            f"{path}: array '{name}' claims shape {shape}, {n_bytes:,} bytes, but has {held:,}. "
            f"Is the file damaged?"
        )
    expected = (shape[0] if shape else 0, N_JOINTS, 3) if name == "positions" else shape[:1]
    if shape != expected or not shape:
        wanted = f"(frames, {N_JOINTS}, 3)" if name == "positions" else "(gaits,)"
        raise DataFormatError(f"{path}: array '{name}' has shape {shape}; expected {wanted}.")


def _check_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    lengths = [int(n) for n in arrays["n_frames"].tolist()]
    if not lengths:
        raise DataFormatError(f"{path} holds no gaits; expected at least one.")
    for name, array in arrays.items():
        if name != "positions" and len(array) != len(lengths):
            raise DataFormatError(
                f"{path}: array '{name}' has {len(array)} entries; expected {len(lengths)}, as "
                f"many as 'n_frames'."
            )
    for i, length in enumerate(lengths):
        if not 0 <= length <= MAX_FRAMES:
            raise DataFormatError(
                f"{path}: gait {i} claims {length:,} frames; expected at most {MAX_FRAMES:,}. "
                f"Is the file damaged?"
            )
    positions = arrays["positions"]
    if sum(lengths) != len(positions):
        raise DataFormatError(
            f"{path}: 'n_frames' add up to {sum(lengths):,}, 'positions' has {len(positions):,} "
            f"frames; expected as many of each."
        )


def _cut(path: Path, arrays: dict[str, NDArray[Any]]) -> Iterator[Gait]:
    positions = arrays["positions"]
    n_frames, fps = arrays["n_frames"].tolist(), arrays["fps"].tolist()
    n = len(n_frames)
    texts = {name: arrays[name].tolist() if name in arrays else [""] * n for name in TEXTS}
    synthetic = arrays["synthetic"].tolist() if "synthetic" in arrays else [False] * n
    start = 0
    for i in range(n):
        where = f"{path}: gait {i} ({texts['names'][i]!r})"
        piece = positions[start : start + n_frames[i]]
        start += n_frames[i]
        _check_whole_joints(where, piece)
        try:
            yield Gait(
                piece,
                fps[i],
                name=texts["names"][i],
                subject=texts["subjects"][i] or None,
                label=_parse_emotion(where, texts["labels"][i]),
                acted=_parse_emotion(where, texts["acted"][i]),
                source=path.name,
                synthetic=synthetic[i],
            )
        except (ShapeError, ConfigError) as error:
            raise DataFormatError(f"{where}: {error}") from None


def _check_whole_joints(where: str, positions: NDArray[Any]) -> None:
    missing = np.isnan(positions)
    partly = missing.any(axis=2) & ~missing.all(axis=2)
    if partly.any():
        frame, joint = (int(index) for index in np.argwhere(partly)[0])
        raise DataFormatError(
            f"{where}, frame {frame}: {Joint(joint).name.lower()} misses some coordinates; expected "
            f"all three or none. Make all three NaN where the joint is missing."
        )


def _parse_emotion(where: str, text: str) -> Emotion | None:
    try:
        return parse_emotion(text) if text else None
    except LabelError as error:
        raise LabelError(f"{where}: {error}") from None
