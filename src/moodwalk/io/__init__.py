"""Reading and writing walks: one module a format; `read` and `open_writer` pick it."""

from pathlib import Path

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.emotion_gait import load_emotion_gait, write_emotion_gait
from moodwalk.io.npz import read_npz
from moodwalk.io.opening import peek
from moodwalk.io.tables import begins_table, read_table
from moodwalk.io.writers import GaitWriter, check_space, estimate_size, open_writer

__all__ = [
    "GaitWriter",
    "check_space",
    "estimate_size",
    "load_emotion_gait",
    "open_writer",
    "read",
    "read_gait",
    "read_npz",
    "read_table",
    "write_emotion_gait",
]


def read(path: str | Path, labels: str | None = None) -> GaitSet:
    """Read every walk of a file or folder.

    Parameters
    ----------
    path
        An Emotion-Gait folder or one of its feature files, or a Parquet, CSV or NPZ file. What is in
        a file says which it is, not its name.
    labels
        The emotions that label codes 0 to 3 of Emotion-Gait stand for; by default each file's own
        order.

    Raises
    ------
    DataFormatError
        If the file is missing, damaged, or of no format that moodwalk reads.
    LabelError
        If a label is no emotion, or gaits and labels do not fit.
    ConfigError
        If `labels` is given for another format, or a Parquet file meets no pyarrow.
    """
    start = peek(Path(path), _N_PEEKED)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # with members, and without
        read_named = read_npz
    elif start.startswith(b"PAR1") or begins_table(start):
        read_named = read_table
    else:
        return load_emotion_gait(path, labels)
    if labels is not None:
        raise ConfigError(
            f"{path} names the emotions of its gaits; expected a label order for the codes of "
            f"Emotion-Gait files only. Leave it out."
        )
    return read_named(path)


_N_PEEKED = 2**16
"""More than the header line of a table takes."""


def read_gait(path: str | Path, name: str | None = None) -> Gait:
    """Read one walk.

    Parameters
    ----------
    path
        A file.
    name
        Which walk of the file; needed where it holds several.

    Raises
    ------
    DataFormatError
        If the file cannot be read, holds several walks and no name is given, or no walk of that name.
    """
    gaits = read(path)
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
