"""Reading and writing walks: one module a format; `read` picks it."""

from pathlib import Path

from moodwalk.errors import DataFormatError
from moodwalk.gait import Gait, GaitSet
from moodwalk.io.emotion_gait import load_emotion_gait, write_emotion_gait

__all__ = ["load_emotion_gait", "read", "read_gait", "write_emotion_gait"]


def read(path: str | Path, labels: str | None = None) -> GaitSet:
    """Read every walk of a file or folder.

    Parameters
    ----------
    path
        An Emotion-Gait folder or one of its feature files.
    labels
        The emotions that label codes 0 to 3 stand for; by default each file's own order.

    Raises
    ------
    DataFormatError
        If the file is missing, damaged, or of no format that moodwalk reads.
    """
    return load_emotion_gait(path, labels)


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
