"""Reading and writing walks: one module a format; `read` and `open_writer` pick it."""

import os
from dataclasses import replace
from pathlib import Path

from moodwalk.errors import ConfigError, DataFormatError, MoodwalkError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.corpus import is_corpus, iterate_corpus
from moodwalk.io.emotion_gait import load_emotion_gait, write_emotion_gait
from moodwalk.io.hdf5 import SIGNATURE
from moodwalk.io.npz import read_npz
from moodwalk.io.opening import open_checked, peek
from moodwalk.io.recordings import ReadOptions, is_recording, read_recordings, read_walks
from moodwalk.io.tables import begins_table, read_table
from moodwalk.io.writers import GaitWriter, check_space, estimate_size, open_writer

__all__ = [
    "GaitWriter",
    "ReadOptions",
    "check_space",
    "estimate_size",
    "iterate_corpus",
    "list_walks",
    "load_emotion_gait",
    "open_writer",
    "read",
    "read_gait",
    "read_npz",
    "read_recordings",
    "read_table",
    "set_rate",
    "write_emotion_gait",
]

MAX_FILES = 100_000
"""Of a folder; more is a corpus, which is streamed."""

EXPECTED = "motion capture (BVH, C3D), video, a table (CSV, TSV, Parquet, NPZ), Emotion-Gait HDF5, or a folder of them"
"""What `read` takes, for messages."""


def read(
    path: str | Path, labels: str | None = None, options: ReadOptions | None = None
) -> GaitSet:
    """Read every walk of a file or folder.

    Parameters
    ----------
    path
        An Emotion-Gait folder or one of its feature files; a Parquet, CSV, TSV, NPZ or NPY table; a BVH,
        C3D or video file; a folder of such files, or of Parquet parts. What is in a file says which
        it is, not its name.
    labels
        The emotions that label codes 0 to 3 of Emotion-Gait stand for; by default each file's own
        order.
    options
        What a recording does not say of itself.

    Returns
    -------
    GaitSet
        Recordings come on the 16 joints, in metres, +y up and facing +z (`moodwalk.intake`). Of a
        folder, `problems` names the files that could not be read.

    Raises
    ------
    DataFormatError, MediaError
        If the file is missing, damaged, or of no format that moodwalk reads.
    LabelError
        If a label is no emotion, or gaits and labels do not fit.
    QualityError
        If a recording shows no body that stands.
    ConfigError
        If `labels` is given for another format, or a package for the format is not installed.
    """
    path = Path(path)
    files = list_walks(path)
    if files == [path]:
        return set_rate(_read_file(path, labels, options), options)
    gaits: list[Gait] = []
    problems: list[str] = []
    first: MoodwalkError | None = None
    for file in files:
        try:
            found = set_rate(_read_file(file, None, options), options)
        except MoodwalkError as error:
            first = first or error
            problems.append(str(error))
        else:
            gaits += found
            problems += found.problems
    if first is not None and not gaits:
        raise first
    return GaitSet(gaits, problems)


def set_rate(gaits: GaitSet, options: ReadOptions | None) -> GaitSet:
    """Give gaits the frame rate of the options, if there is one; recordings have it already.

    Parameters
    ----------
    gaits
        As they were read.
    options
        What the user says of them.
    """
    if options is None or options.fps is None:
        return gaits
    fps = options.fps
    return GaitSet(
        (gait if gait.reading is not None else replace(gait, fps=fps) for gait in gaits),
        gaits.problems,
    )


def list_walks(path: str | Path) -> list[Path]:
    """List the files of a folder of recordings; anything else is a list of itself.

    Parameters
    ----------
    path
        A file; or a folder, searched for recordings to any depth, hidden files left out.

    Raises
    ------
    DataFormatError
        If the folder holds nothing that moodwalk reads, or more than 100,000 files.
    """
    path = Path(path)
    if not path.is_dir() or is_corpus(path) or any(path.glob("features*.h5")):
        return [path]
    if not os.access(path, os.R_OK | os.X_OK):
        raise DataFormatError(f"{path} cannot be read: no permission. Make the folder readable.")
    files = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if len(files) > MAX_FILES:
        raise DataFormatError(
            f"{path} holds {len(files):,} files; expected at most {MAX_FILES:,}. Convert them to "
            f"Parquet parts, which are streamed: moodwalk data convert."
        )
    walks = [file for file in files if is_recording(file) or begins_table(peek(file, 2**16))]
    if not walks:
        raise DataFormatError(
            f"{path} holds no walks; expected an Emotion-Gait folder (features*.h5), or files of "
            f"motion capture, video or tables."
        )
    return walks


def read_gait(
    path: str | Path, name: str | None = None, options: ReadOptions | None = None
) -> Gait:
    """Read one walk.

    Parameters
    ----------
    path
        A file.
    name
        Which walk of the file; needed where it holds several.
    options
        What a recording does not say of itself.

    Raises
    ------
    DataFormatError
        If the file cannot be read, holds several walks and no name is given, or no walk of that name.
    """
    gaits = read(path, options=options)
    chosen = [gait for gait in gaits if name is None or gait.name == name]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise DataFormatError(
            f"{path} holds {len(chosen)} such walks, {chosen[0].name!r} first; expected one. "
            f"Say which with name=..., or read all with moodwalk.io.read."
        )
    raise DataFormatError(
        f"{path} holds no walk called {name!r}; {gaits[0].name!r} is the first of {len(gaits)}."
    )


def _read_file(path: Path, labels: str | None, options: ReadOptions | None) -> GaitSet:
    if path.is_dir() and is_corpus(path):
        parts = list(iterate_corpus(path))
        gaits = GaitSet(
            [g for part in parts for g in part], [p for part in parts for p in part.problems]
        )
        return _refuse_labels(path, labels, gaits)
    start = peek(path, 2**16)  # more than the header line of a table takes
    if is_recording(path):
        return _refuse_labels(path, labels, read_walks(path, options))
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # with members, and without
        return _refuse_labels(path, labels, read_npz(path))
    if start.startswith(b"PAR1") or begins_table(start):
        return _refuse_labels(path, labels, read_table(path))
    if not path.is_dir():
        with open_checked(path, EXPECTED):  # says what is wrong with a path that is no file
            pass
        if all(start[at : at + 8] != SIGNATURE for at in (0, 512, 1024, 2048)):
            hint = (
                "The first line of a table names its columns (docs/formats.md)."
                if start[:40].isascii() and b"\0" not in start[:40]
                else "Is it an unfinished download?"
            )
            raise DataFormatError(
                f"{path} is of no format that moodwalk reads: it begins with {start[:8]!r}; expected "
                f"{EXPECTED}. {hint}"
            )
    return load_emotion_gait(path, labels)


def _refuse_labels(path: Path, labels: str | None, gaits: GaitSet) -> GaitSet:
    if labels is not None:
        raise ConfigError(
            f"{path} names the emotions of its gaits; expected a label order for the codes of "
            f"Emotion-Gait files only. Leave it out."
        )
    return gaits
