"""Files are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moodwalk.errors import DataFormatError

__all__ = ["check_writable", "write_whole", "write_whole_text"]


def check_writable(path: str | Path) -> Path:
    """Check, before long work, that a file can be written there.

    Parameters
    ----------
    path
        The file to come. Missing folders are made when it is written, not here.

    Raises
    ------
    DataFormatError
        If the path is a folder, or its nearest existing folder does not allow writing.
    """
    path = Path(path)
    if path.is_dir():
        raise DataFormatError(f"{path} is a folder; expected the name of a file to write.")
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise DataFormatError(
            f"{path} cannot be written: no permission in {folder}. Choose another place."
        )
    return path


@contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary file beside `path` that takes its place when the block ends well.

    Parameters
    ----------
    path
        The file to write; missing folders are made.

    Yields
    ------
    Path
        The temporary file to fill. If the block raises, it is removed and `path` stays as it was.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    path = check_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
    except OSError as error:
        raise DataFormatError(
            f"{path} cannot be written: {error.strerror}. Choose another place."
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files
        temporary.replace(path)
    except OSError as error:
        raise DataFormatError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_whole_text(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
