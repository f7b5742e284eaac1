"""Emotion-Gait's HDF5 files: gaits, labels, subjects, and the label order of each file.

    features.h5            labels.h5            342 gaits at 30 fps, codes
    features_ELMD.h5       labels_ELMD.h5       1,835 gaits of one actor, 240 frames at 60 fps, codes
    featuresCVAEGCN*.h5                         synthetic gaits, the label is in the key
    affectiveFeatures*.h5                       optional: 27 normalised features under the same keys

Every dataset of a feature file is one gait: its key is the gait's name, its value (T, 48), frame by
frame 16 joints x (x, y, z). Label files hold an integer code under the same keys.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, LABEL_ORDERS, Emotion, LabelOrder, parse_label_order
from moodwalk.errors import DataFormatError, LabelError, MoodwalkError, ShapeError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.atomic import write_whole
from moodwalk.skeleton import N_JOINTS

__all__ = [
    "EmotionGaitPart",
    "load_emotion_gait",
    "parse_subject",
    "read_emotion_gait_parts",
    "write_emotion_gait",
]

N_COLUMNS = 3 * N_JOINTS
MAX_FRAMES = 200_000
"""Nearly two hours at 30 fps; a larger claim is a damaged or hostile file."""

KEY_NAMES: LabelOrder = LABEL_ORDERS["published"]
"""What the names in keys such as ``00003_Happy`` call the codes 0 to 3 (inferred, see `_read_part`)."""


@dataclass(frozen=True, slots=True)
class EmotionGaitPart:
    """One feature file of the set, read with the label order in use.

    Parameters
    ----------
    features, labels
        The files; ``labels`` is None where the label is in the key, or missing.
    order
        The emotion that codes 0 to 3 stand for in this part.
    coded
        Whether the labels come from codes (or names that stand for codes), so that `order` matters.
    gaits
        The gaits, in the order of their keys.
    """

    features: Path
    labels: Path | None
    order: LabelOrder
    coded: bool
    gaits: GaitSet

    @property
    def codes(self) -> NDArray[np.int64]:
        """(n,) the code of every labelled gait, as the file has it."""
        return np.array(
            [self.order.index(Emotion(label)) for label in self.gaits.labels], dtype=np.int64
        )


def load_emotion_gait(folder: str | Path, labels: str | Sequence[str] | None = None) -> GaitSet:
    """Load every file of an Emotion-Gait folder.

    Parameters
    ----------
    folder
        The folder with ``features*.h5`` and ``labels*.h5``, or one feature file.
    labels
        The emotions that codes 0 to 3 stand for, for instance ``"happy,angry,sad,neutral"``, or a
        name of `moodwalk.emotion.LABEL_ORDERS`. By default each file has its own, see
        ``docs/conventions.md``.

    Returns
    -------
    GaitSet
        All gaits, with labels, subjects, acted emotion where the key holds one, fps and source.
        `problems` says what the reader decided.

    Raises
    ------
    DataFormatError
        If a file is missing, empty, damaged or holds something else.
    LabelError
        If gaits and labels do not fit, a code is unknown, or `labels` is no order.
    """
    gaits = GaitSet([])
    for part in read_emotion_gait_parts(folder, labels):
        gaits = gaits + part.gaits
    return gaits


def read_emotion_gait_parts(
    folder: str | Path, labels: str | Sequence[str] | None = None
) -> list[EmotionGaitPart]:
    """Read the files of an Emotion-Gait folder one by one; see `load_emotion_gait`."""
    order = None if labels is None else parse_label_order(labels)
    return [_read_part(path, order) for path in _find_feature_files(Path(folder))]


def write_emotion_gait(path: str | Path, gaits: Sequence[Gait]) -> None:
    """Write gaits as one HDF5 file with the label in the key: ``00001_Happy``, and true names.

    Parameters
    ----------
    path
        The feature file to write, whole or not at all.
    gaits
        Gaits of one frame rate.

    Raises
    ------
    LabelError
        If a gait has no label.
    DataFormatError
        If frame rates differ (the format holds one a file) or the file cannot be written.
    """
    rates = {gait.fps for gait in gaits}
    if len(rates) != 1:
        found = ", ".join(f"{rate:g}" for rate in sorted(rates)) or "none"
        raise DataFormatError(
            f"{path}: one file holds gaits of one frame rate; found {found}. Resample first."
        )
    labels = GaitSet(gaits).labels
    with write_whole(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["fps"] = rates.pop()
        file.attrs["key_names"] = "true"
        for number, (gait, label) in enumerate(zip(gaits, labels, strict=True), start=1):
            key = f"{number:05d}_{label.capitalize()}"
            file.create_dataset(key, data=gait.positions.reshape(len(gait), N_COLUMNS))


def parse_subject(key: str) -> str:
    """Return who walks, from a key of the 342 gaits.

    Keys come from several sources with their own ways to name a walker: ``001_Angry_...`` and
    ``ali_walk_nu_1_fin_...`` name the actor, ``S7_1_...``, ``21_Scene_17_...`` and CMU's
    ``10_04_...`` begin with the subject, ``1_3_11_...`` with the group. Any other walker is a
    subject of its own.
    """
    rules = (
        (r"(\d+)_(?:Angry|Happy|Sad|Neutral)", "acted"),
        (r"([a-z]+)_walk_", "walk"),
        (r"(S\d+)_\d+", "session"),
        (r"(\d+)_Scene", "scene"),
        (r"(\d+)_\d+_\d+", "group"),
        (r"(\d+)_\d+", "cmu"),
    )
    for pattern, kind in rules:
        if match := re.match(pattern, key):
            return f"{kind}-{match[1]}"
    return key.removesuffix("_positions.csv")


def _parse_acted(key: str) -> Emotion | None:
    """Return the emotion that the walker was asked to act, where the key says so."""
    if match := re.match(r"\d+_(Angry|Happy|Sad|Neutral)_", key):
        return Emotion(match[1].lower())
    if match := re.match(r"[a-z]+_walk_(an|ha|sa|nu)_", key):
        short = {"an": Emotion.ANGRY, "ha": Emotion.HAPPY, "sa": Emotion.SAD, "nu": Emotion.NEUTRAL}
        return short[match[1]]
    return None


def _find_feature_files(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        if not path.exists():
            raise DataFormatError(
                f"{path} does not exist; expected the folder with features*.h5 and labels*.h5."
            )
        files = sorted(path.glob("features*.h5"))
    except PermissionError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror}.") from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise DataFormatError(f"{path} cannot be read: no permission. Make the folder readable.")
    if not files:
        raise DataFormatError(f"{path} holds no features*.h5; expected an Emotion-Gait folder.")
    return files


def _read_part(path: Path, order: LabelOrder | None) -> EmotionGaitPart:
    suffix = path.stem.removeprefix("features") if path.stem.startswith("features") else ""
    label_path = path.with_name(f"labels{suffix}.h5")
    has_labels = label_path.exists() and path.stem.startswith("features")
    elmd = suffix.startswith("_ELMD")
    with _open(path) as file:
        keys = list(file)
        if not keys:
            raise DataFormatError(f"{path} holds no gaits; expected one dataset a gait.")
        fps = _read_fps(path, file, 60.0 if elmd else 30.0)
        true_names = file.attrs.get("key_names") == "true"
        arrays = {key: _read_positions(path, key, file[key]) for key in keys}
    problems: list[str] = []
    named = not has_labels and all(_key_name(key) for key in keys)
    coded = has_labels
    if has_labels:
        order = order or LABEL_ORDERS["elmd" if elmd else "emotion-gait"]
        codes = _read_codes(label_path, keys, path)
        emotions: dict[str, Emotion | None] = {key: order[code] for key, code in codes.items()}
        if elmd:
            problems.append(
                f"{label_path.name}: its label order ({','.join(order)}) was read from the authors' later "
                f"work and is not verified; `moodwalk data audit` shows the kinematics of every code."
            )
    elif named:
        # STEP-Gen was conditioned on the codes of labels.h5 and named its gaits by the published
        # order, so a published name stands for a code, and the code for another emotion.
        coded = not true_names
        order = order or LABEL_ORDERS["emotion-gait"]
        named_emotion = {key: Emotion((_key_name(key) or "").lower()) for key in keys}
        emotions = dict(named_emotion)
        if coded:
            emotions = {key: order[KEY_NAMES.index(name)] for key, name in named_emotion.items()}
            said = ", ".join(f"{name} -> {order[KEY_NAMES.index(name)]}" for name in EMOTIONS)
            problems.append(
                f"{path.name}: the names in its keys follow the published label order, which is wrong; "
                f"read as codes of labels.h5 ({said}). "
                f"To take the names as they are: --labels {','.join(KEY_NAMES)}."
            )
    else:
        order = order or LABEL_ORDERS["emotion-gait"]
        emotions = dict.fromkeys(keys)
        problems.append(
            f"{path.name}: no {label_path.name} beside it, so its gaits have no labels."
        )
    features = _read_published_features(path.with_name(f"affectiveFeatures{suffix}.h5"), keys)
    gaits: list[Gait] = []
    for key in keys:
        try:
            gaits.append(
                Gait(
                    arrays[key],
                    fps,
                    name=key,
                    subject="step-gen" if named else "elmd" if elmd else parse_subject(key),
                    label=emotions[key],
                    acted=None if named or elmd else _parse_acted(key),
                    source=path.name,
                    synthetic=named,
                    published_features=features.get(key),
                )
            )
        except ShapeError as error:
            raise DataFormatError(f"{path}: {error}") from None
    labels = label_path if has_labels else None
    return EmotionGaitPart(path, labels, order, coded, GaitSet(gaits, problems))


def _key_name(key: str) -> str | None:
    match = re.fullmatch(r"\d+_(Angry|Happy|Sad|Neutral)", key)
    return match[1] if match else None


def _read_fps(path: Path, file: h5py.File, default: float) -> float:
    fps = file.attrs.get("fps", default)
    if not (np.isscalar(fps) and np.isreal(fps) and np.isfinite(fps) and fps > 0):
        raise DataFormatError(f"{path}: its fps is {fps!r}; expected a positive number.")
    return float(fps)


def _read_positions(path: Path, key: str, dataset: object) -> NDArray[np.floating]:
    where = f"{path}: gait '{key}'"
    if not isinstance(dataset, h5py.Dataset):
        raise DataFormatError(
            f"{where} is a group; expected a dataset of (T, {N_COLUMNS}) numbers."
        )
    shape = dataset.shape
    if dataset.dtype.kind not in "fiu" or shape is None:
        raise DataFormatError(f"{where} holds {dataset.dtype}; expected numbers.")
    if len(shape) != 2 or shape[1] != N_COLUMNS:
        raise DataFormatError(
            f"{where} has shape {shape}; expected (T, {N_COLUMNS}): {N_JOINTS} joints x 3. "
            f"Is this another skeleton?"
        )
    if shape[0] > MAX_FRAMES:
        raise DataFormatError(
            f"{where} claims {shape[0]:,} frames; expected at most {MAX_FRAMES:,}. Is the file damaged?"
        )
    if shape[0] and dataset.id.get_storage_size() == 0:
        raise DataFormatError(
            f"{where} claims {shape[0]:,} frames but holds no data. Is the file damaged?"
        )
    try:
        values = dataset[()]
    except OSError as error:
        raise DataFormatError(
            f"{where} cannot be read ({error}). Is the file truncated?"
        ) from error
    if values.dtype.kind != "f" or values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    if not np.isfinite(values).all():
        frame, column = np.argwhere(~np.isfinite(values))[0]
        raise DataFormatError(
            f"{where} has {values[frame, column]} in frame {frame}, column {column}; expected finite numbers. "
            f"Fill or cut the gap before."
        )
    return values.reshape(len(values), N_JOINTS, 3)


def _read_codes(path: Path, keys: list[str], features: Path) -> dict[str, int]:
    with _open(path) as file:
        strays = sorted(set(file) - set(keys))
        missing = sorted(set(keys) - set(file))
        if missing:
            raise LabelError(
                f"{path} has no label for gait '{missing[0]}' of {features.name} ({_n(missing)})."
            )
        if strays:
            raise LabelError(
                f"{path} labels '{strays[0]}', which {features.name} does not hold ({_n(strays)})."
            )
        codes: dict[str, int] = {}
        for key in keys:
            dataset = file[key]
            value = dataset[()] if isinstance(dataset, h5py.Dataset) and dataset.size == 1 else None
            number = np.asarray(value).reshape(-1)[0] if value is not None else None
            if (
                number is None
                or np.asarray(number).dtype.kind not in "iuf"
                or number not in (0, 1, 2, 3)
            ):
                raise LabelError(
                    f"{path}: the label of '{key}' is {value!r}; expected a code 0, 1, 2 or 3."
                )
            codes[key] = int(number)
    return codes


def _read_published_features(path: Path, keys: list[str]) -> dict[str, NDArray[np.floating]]:
    if not path.exists():
        return {}
    with _open(path) as file:
        found: dict[str, NDArray[np.floating]] = {}
        for key in keys:
            if key not in file:
                raise DataFormatError(f"{path} has no features of gait '{key}'.")
            dataset = file[key]
            values = (
                dataset[()]
                if isinstance(dataset, h5py.Dataset) and dataset.dtype.kind in "fiu"
                else None
            )
            if values is None or np.size(values) != 27 or not np.isfinite(values).all():
                raise DataFormatError(
                    f"{path}: gait '{key}': expected 27 finite numbers; found {_describe(values)}."
                )
            found[key] = np.asarray(values, dtype=np.float64).reshape(-1)
    return found


def _describe(values: object) -> str:
    if values is None:
        return "something else"
    return f"shape {np.shape(values)}, {int((~np.isfinite(values)).sum())} not finite"  # pyright: ignore


def _n(keys: list[str]) -> str:
    return "1 such gait" if len(keys) == 1 else f"{len(keys)} such gaits"


@contextmanager
def _open(path: Path) -> Iterator[h5py.File]:
    try:
        if not path.exists():
            raise DataFormatError(f"{path} does not exist; expected an HDF5 file.")
        if path.is_dir():
            raise DataFormatError(f"{path} is a folder; expected an HDF5 file.")
        if path.stat().st_size == 0:
            raise DataFormatError(f"{path} is empty; expected an HDF5 file.")
        with path.open("rb") as raw:
            signature = raw.read(8)
        if signature != b"\x89HDF\r\n\x1a\n":
            raise DataFormatError(f"{path} is not HDF5 (it begins with {signature!r}).")
        with h5py.File(path, "r") as file:
            yield file
    except MoodwalkError:
        raise
    except PermissionError as error:
        raise DataFormatError(
            f"{path} cannot be read: no permission. Make the file readable."
        ) from error
    except (OSError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise DataFormatError(f"{path} is damaged or truncated HDF5 ({reason}).") from error
