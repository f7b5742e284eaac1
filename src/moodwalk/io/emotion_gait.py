"""Emotion-Gait's HDF5 files: gaits, labels, subjects, and the label order of each file.

    features.h5            labels.h5            342 gaits at 30 fps, codes
    features_ELMD.h5       labels_ELMD.h5       1,835 gaits of one actor, 240 frames at 60 fps, codes
    featuresCVAEGCN*.h5                         synthetic gaits, the label is in the key
    affectiveFeatures*.h5                       optional: 27 normalised features under the same keys

Every dataset of a feature file is one gait: its key is the gait's name, its value (T, 48), frame by
frame 16 joints x (x, y, z). Label files hold an integer code under the same keys.
"""

import io
import os
import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import (
    EMOTIONS,
    LABEL_ORDERS,
    Emotion,
    LabelOrder,
    parse_emotion,
    parse_label_order,
)
from moodwalk.errors import DataFormatError, LabelError, ShapeError
from moodwalk.gait import MAX_FRAMES, Gait, GaitSet
from moodwalk.io.atomic import write_whole
from moodwalk.io.hdf5 import check_claims, get_dataset, open_hdf5, read_attribute, read_numbers
from moodwalk.skeleton import N_JOINTS

__all__ = [
    "EmotionGaitPart",
    "EmotionGaitSink",
    "load_emotion_gait",
    "parse_subject",
    "read_emotion_gait_parts",
    "write_coded_emotion_gait",
    "write_emotion_gait",
]

N_COLUMNS = 3 * N_JOINTS
N_PUBLISHED = 27
KEY_NAMES: LabelOrder = LABEL_ORDERS["published"]
"""What the names in keys such as ``00003_Happy`` call the codes 0 to 3 (inferred)."""


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

    Subject, name, acted emotion and whether a gait is synthetic are kept as attributes, so that
    reading gives the same gaits again (`source` and `published_features` apart).

    Parameters
    ----------
    path
        The feature file to write, whole or not at all.
    gaits
        Labelled gaits of one frame rate, without missing joints.

    Raises
    ------
    LabelError
        If a gait has no label.
    DataFormatError
        If there is no gait, frame rates differ (the format holds one a file), a joint is missing
        (the format cannot say so), or the file cannot be written.
    """
    fps = _check_to_write(path, gaits)
    labels = GaitSet(gaits).labels
    width = max(5, len(str(len(gaits))))
    keys = [f"{i:0{width}d}_{label.capitalize()}" for i, label in enumerate(labels, start=1)]
    with write_whole(path) as temporary:
        _write_features(temporary, dict(zip(keys, gaits, strict=True)), fps)


def write_coded_emotion_gait(
    folder: str | Path, gaits: Sequence[Gait], labels: str | Sequence[str] = "emotion-gait"
) -> tuple[Path, Path]:
    """Write gaits as the published set has them: ``features.h5``, and ``labels.h5`` with codes.

    Keys are the gaits' names. Reading gives the same gaits again, as `write_emotion_gait` does, if
    it is told the same order.

    Parameters
    ----------
    folder
        Where to write both files, each whole or not at all; made where it is missing.
    gaits
        Labelled gaits of one frame rate, without missing joints, each of another name.
    labels
        The emotions that codes 0 to 3 stand for; the default is what `load_emotion_gait` takes
        ``labels.h5`` to have.

    Returns
    -------
    tuple of Path
        The feature file and the label file.

    Raises
    ------
    LabelError
        If a gait has no label, or `labels` is no order.
    DataFormatError
        As for `write_emotion_gait`; also if a gait has no name, one with a slash, or that of another.
    """
    features, codes = Path(folder) / "features.h5", Path(folder) / "labels.h5"
    order = parse_label_order(labels)
    fps = _check_to_write(features, gaits)
    emotions = [Emotion(label) for label in GaitSet(gaits).labels]
    by_key = {gait.name: gait for gait in gaits}
    if strange := [key for key in by_key if not key.strip(".") or "/" in key or "\0" in key]:
        raise DataFormatError(
            f"{features}: {strange[0]!r} cannot be a key of this format; expected a name without "
            f"slashes. Name the gaits before."
        )
    if len(by_key) < len(gaits):
        raise DataFormatError(
            f"{features}: {len(gaits)} gaits have {len(by_key)} different names; expected one each, "
            f"for names are the keys."
        )
    with write_whole(codes) as temporary_codes, write_whole(features) as temporary:
        _write_features(temporary, by_key, fps)
        with _create_hdf5(temporary_codes) as file:
            for key, emotion in zip(by_key, emotions, strict=True):
                file.create_dataset(key, data=np.int64(order.index(emotion)))
    return features, codes


def _check_to_write(path: str | Path, gaits: Sequence[Gait]) -> float:
    """Return the frame rate of gaits that one file can hold."""
    rates = {gait.fps for gait in gaits}
    if not rates:
        raise DataFormatError(f"{path}: no gaits to write; expected at least one.")
    if len(rates) > 1:
        found = ", ".join(f"{rate:g}" for rate in sorted(rates))
        raise DataFormatError(
            f"{path}: one file holds gaits of one frame rate; found {found} fps. Resample first."
        )
    for gait in gaits:
        if gait.n_missing:
            raise DataFormatError(
                f"{path}: gait {gait.name!r} misses {gait.n_missing} joint positions; "
                f"expected none. Fill or cut the gap before."
            )
    return rates.pop()


def _write_features(path: Path, gaits: Mapping[str, Gait], fps: float) -> None:
    with _create_hdf5(path) as file:
        file.attrs["fps"] = fps
        file.attrs["key_names"] = "true"
        for key, gait in gaits.items():
            _write_gait(file, key, gait)


class EmotionGaitSink:
    """Writes one feature file piece by piece, as `write_emotion_gait` does at once.

    A gait whose name is a key of this format with its own label keeps it as its key; the others are
    numbered in the order in which they come.

    Parameters
    ----------
    path
        How messages name the file.
    temporary
        The file to write.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self._path = path
        self._number = 0
        self._fps: float | None = None
        self._output = _SteadyFile(temporary)
        # in the order of their making, for keys may be names in any order
        self._file = h5py.File(self._output, "w", track_order=True)
        self._file.attrs["key_names"] = "true"

    def write(self, gaits: Sequence[Gait]) -> None:
        """Write labelled gaits of one frame rate without missing joints, or refuse all of them.

        Raises
        ------
        LabelError
            If a gait has no label.
        DataFormatError
            If a frame rate is another, or a joint is missing.
        """
        if not gaits:
            return
        labels = GaitSet(gaits).labels.tolist()
        fps = _check_to_write(self._path, gaits)
        if self._fps is None:
            self._file.attrs["fps"] = self._fps = fps
        elif fps != self._fps:
            raise DataFormatError(
                f"{self._path}: one file holds gaits of one frame rate; found {self._fps:g}, then "
                f"{fps:g} fps. Resample first."
            )
        try:
            for gait, label in zip(gaits, labels, strict=True):
                self._number += 1
                _write_gait(self._file, self._find_key(gait, label), gait)
            self._file.flush()
        finally:
            self._output.check()

    def finish(self) -> None:
        """Close the file."""
        try:
            self.abandon()
        finally:
            self._output.check()

    def abandon(self) -> None:
        """Close the file."""
        self._file.close()
        self._output.close()

    def _find_key(self, gait: Gait, label: str) -> str:
        if _parse_key_name(gait.name) == label and gait.name not in self._file:
            return gait.name
        while (key := f"{self._number:05d}_{label.capitalize()}") in self._file:
            self._number += 1
        return key


class _SteadyFile(io.FileIO):
    """A new file that HDF5 can go on writing to when the disk is full.

    HDF5 crashes Python when it cannot write what it holds. Here the first failure, an interruption
    too, is kept for `check`, and what comes after it is lost.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._failure: BaseException | None = None

    def check(self) -> None:
        """Raise what writing met, if it met anything: it says more than what HDF5 made of it."""
        if self._failure is not None:
            raise self._failure

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        n_bytes = rest.nbytes
        try:
            while self._failure is None and rest.nbytes:
                rest = rest[super().write(rest) :]
        except BaseException as error:
            self._failure = error
        return n_bytes

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except BaseException as error:
            self._failure = self._failure or error
            return size or 0


@contextmanager
def _create_hdf5(path: Path) -> Generator[h5py.File]:
    with _SteadyFile(path) as output:
        try:
            with h5py.File(output, "w") as file:
                yield file
        finally:
            output.check()


def _write_gait(file: h5py.File, key: str, gait: Gait) -> None:
    dataset = file.create_dataset(key, data=gait.positions.reshape(len(gait), N_COLUMNS))
    dataset.attrs["synthetic"] = int(gait.synthetic)
    for field in ("name", "subject", "acted"):
        if value := getattr(gait, field):
            dataset.attrs[field] = str(value)


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
    except OSError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise DataFormatError(f"{path} cannot be read: no permission. Make the folder readable.")
    if not files:
        raise DataFormatError(f"{path} holds no features*.h5; expected an Emotion-Gait folder.")
    return files


def _read_part(path: Path, order: LabelOrder | None) -> EmotionGaitPart:
    # only names that begin with "features" have label and feature files that belong to them
    suffix = path.stem.removeprefix("features") if path.stem.startswith("features") else None
    elmd = suffix is not None and suffix.startswith("_ELMD")
    label_path = None if suffix is None else path.with_name(f"labels{suffix}.h5")
    with open_hdf5(path) as file:
        if not len(file):
            raise DataFormatError(f"{path} holds no gaits; expected one dataset a gait.")
        keys = list(file)
        fps = _read_fps(path, file, 60.0 if elmd else 30.0)
        true_names = read_attribute(file, "key_names") == "true"
        arrays = _read_positions(path, file, keys)
        facts = {key: _read_facts(path, file, key) for key in keys} if true_names else {}
    names = {key: name for key in keys if (name := _parse_key_name(key))}
    named = len(names) == len(keys)
    if label_path is not None and _exists(label_path):
        labels = _read_labels(label_path, path, keys, order, elmd)
    elif named and true_names:
        labels = _take_names(path, names, order)
    elif named:
        labels = _translate_names(path, names, order)
    else:
        beside = f"no {label_path.name} beside it" if label_path else "its keys name no emotion"
        problem = f"{path.name}: {beside}, so its gaits have no labels."
        labels = _Labels(dict.fromkeys(keys), order or LABEL_ORDERS["emotion-gait"], False, problem)
    features = {} if suffix is None else _read_published_features(path, suffix, keys)
    gaits: list[Gait] = []
    for key in keys:
        fact = facts.get(key) or _Facts(
            name=key,
            subject="step-gen" if named else "elmd" if elmd else parse_subject(key),
            acted=None if named or elmd else _parse_acted(key),
            synthetic=named,
        )
        try:
            gait = Gait(
                arrays[key],
                fps,
                name=fact.name or key,
                subject=fact.subject,
                label=labels.emotions[key],
                acted=fact.acted,
                source=path.name,
                synthetic=fact.synthetic,
                published_features=features.get(key),
            )
        except ShapeError as error:
            raise DataFormatError(f"{path}: {error}") from None
        gaits.append(gait)
    problems = [labels.problem] if labels.problem else []
    return EmotionGaitPart(path, labels.path, labels.order, labels.coded, GaitSet(gaits, problems))


@dataclass(frozen=True, slots=True)
class _Labels:
    """The labels of one feature file, and how they were come by."""

    emotions: Mapping[str, Emotion | None]
    order: LabelOrder
    coded: bool
    problem: str | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    """What `write_emotion_gait` keeps beside the positions of a gait."""

    name: str | None
    subject: str | None
    acted: Emotion | None
    synthetic: bool


def _read_labels(
    path: Path, features: Path, keys: list[str], order: LabelOrder | None, elmd: bool
) -> _Labels:
    order = order or LABEL_ORDERS["elmd" if elmd else "emotion-gait"]
    codes = _read_codes(path, keys, features)
    problem = None
    if elmd:
        problem = (
            f"{path.name}: its label order ({','.join(order)}) is not verified; "
            f"`moodwalk data audit` shows the kinematics of every code."
        )
    return _Labels({key: order[code] for key, code in codes.items()}, order, True, problem, path)


def _take_names(path: Path, names: Mapping[str, Emotion], order: LabelOrder | None) -> _Labels:
    problem = None
    if order is not None:
        problem = f"{path.name}: its keys hold true names, so the label order given is not used."
    return _Labels(names, order or LABEL_ORDERS["emotion-gait"], False, problem)


def _translate_names(path: Path, names: Mapping[str, Emotion], order: LabelOrder | None) -> _Labels:
    # STEP-Gen was conditioned on the codes of labels.h5 and named its gaits by the published
    # order, so a published name stands for a code, and the code for another emotion.
    order = order or LABEL_ORDERS["emotion-gait"]
    meaning = dict(zip(KEY_NAMES, order, strict=True))
    problem = None
    if order != KEY_NAMES:
        said = ", ".join(f"{name} -> {meaning[name]}" for name in EMOTIONS)
        problem = (
            f"{path.name}: the names in its keys follow the published label order, which is wrong "
            f"(inferred); read as codes of labels.h5 ({said}). "
            f"To take the names as they are: --labels {','.join(KEY_NAMES)}."
        )
    return _Labels({key: meaning[name] for key, name in names.items()}, order, True, problem)


def _parse_key_name(key: str) -> Emotion | None:
    match = re.fullmatch(r"\d+_(Angry|Happy|Sad|Neutral)", key)
    return Emotion(match[1].lower()) if match else None


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError as error:
        raise DataFormatError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_fps(path: Path, file: h5py.File, default: float) -> float:
    fps = read_attribute(file, "fps")
    if fps is None:
        return default
    if not (isinstance(fps, int | float) and np.isfinite(fps) and fps > 0):
        raise DataFormatError(f"{path}: its fps is {fps!r}; expected a positive number.")
    return float(fps)


def _read_facts(path: Path, file: h5py.File, key: str) -> _Facts:
    dataset = get_dataset(file, key, f"{path}: gait {key!r}")
    texts: dict[str, str | None] = {}
    for field in ("name", "subject", "acted"):
        value = read_attribute(dataset, field)
        if value is not None and not isinstance(value, str):
            raise DataFormatError(
                f"{path}: attribute '{field}' of gait {key!r} is {value!r}; expected text."
            )
        texts[field] = value
    acted = texts["acted"]
    return _Facts(
        name=texts["name"],
        subject=texts["subject"],
        acted=None if acted is None else parse_emotion(acted),
        synthetic=bool(read_attribute(dataset, "synthetic")),
    )


def _read_positions(
    path: Path, file: h5py.File, keys: list[str]
) -> dict[str, NDArray[np.floating]]:
    datasets = {key: get_dataset(file, key, f"{path}: gait {key!r}") for key in keys}
    for key, dataset in datasets.items():
        shape = dataset.shape
        if shape is not None and (len(shape) != 2 or shape[1] != N_COLUMNS):
            raise DataFormatError(
                f"{path}: gait {key!r} has shape {shape}; expected (T, {N_COLUMNS}): "
                f"{N_JOINTS} joints x 3. Is this another skeleton?"
            )
        if shape is not None and shape[0] > MAX_FRAMES:
            raise DataFormatError(
                f"{path}: gait {key!r} claims {shape[0]:,} frames; expected at most {MAX_FRAMES:,}. "
                f"Is the file damaged?"
            )
    check_claims(path, datasets.values())
    return {
        key: read_numbers(dataset, f"{path}: gait {key!r}").reshape(-1, N_JOINTS, 3)
        for key, dataset in datasets.items()
    }


def _read_codes(path: Path, keys: list[str], features: Path) -> dict[str, int]:
    with open_hdf5(path) as file:
        found = set(file)
        missing = sorted(set(keys) - found)
        strays = sorted(found - set(keys))
        if missing:
            raise LabelError(
                f"{path} has no label for gait {missing[0]!r} of {features.name} "
                f"({_count(missing)}); expected one for every gait."
            )
        if strays:
            raise LabelError(
                f"{path} labels {strays[0]!r}, which {features.name} does not hold "
                f"({_count(strays)}); expected the same keys in both files."
            )
        datasets = {key: get_dataset(file, key, f"{path}: the label of {key!r}") for key in keys}
        check_claims(path, datasets.values())
        return {key: _read_code(path, key, dataset) for key, dataset in datasets.items()}


def _read_code(path: Path, key: str, dataset: h5py.Dataset) -> int:
    if dataset.size != 1:
        found = f"of shape {dataset.shape}"
    elif dataset.dtype.kind not in "iuf":
        found = "text or something else"
    else:
        value = np.asarray(dataset[()]).reshape(-1)[0].item()
        if value in (0, 1, 2, 3):
            return int(value)
        found = repr(value)
    raise LabelError(
        f"{path}: the label of {key!r} is {found}; expected a code 0, 1, 2 or 3. "
        f"Is this another label file?"
    )


def _read_published_features(
    path: Path, suffix: str, keys: list[str]
) -> dict[str, NDArray[np.floating]]:
    path = path.with_name(f"affectiveFeatures{suffix}.h5")
    if not _exists(path):
        return {}
    with open_hdf5(path) as file:
        if missing := sorted(set(keys) - set(file)):
            raise DataFormatError(
                f"{path} has no features of gait {missing[0]!r} ({_count(missing)}); "
                f"expected {N_PUBLISHED} numbers for every gait."
            )
        datasets = {key: get_dataset(file, key, f"{path}: gait {key!r}") for key in keys}
        for key, dataset in datasets.items():
            if dataset.size != N_PUBLISHED:
                raise DataFormatError(
                    f"{path}: gait {key!r} has shape {dataset.shape}; "
                    f"expected {N_PUBLISHED} affective features."
                )
        check_claims(path, datasets.values())
        return {
            key: read_numbers(dataset, f"{path}: gait {key!r}").astype(np.float64).reshape(-1)
            for key, dataset in datasets.items()
        }


def _count(keys: list[str]) -> str:
    return "1 such gait" if len(keys) == 1 else f"{len(keys)} such gaits"
