"""Files are written whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from moodwalk.errors import DataFormatError

__all__ = ["cannot_write", "check_writable", "write_whole", "write_whole_text"]


def check_writable(path: str | Path) -> Path:
    """Check, before long work, that a file can be written there.

    Parameters
    ----------
    path
        The file to come. Missing folders are made when it is written, not here.

    Returns
    -------
    Path
        The file that will be written: `path`, or what it points to if it is a symbolic link.

    Raises
    ------
    DataFormatError
        If the path is a folder or a device, or its nearest existing folder does not allow writing.
    """
    path = Path(path)
    try:
        if "\0" in str(path):
            raise ValueError("its name holds a null byte")
        if path.is_dir():
            raise DataFormatError(f"{path} is a folder; expected the name of a file to write.")
        if path.exists() and not path.is_file():
            raise DataFormatError(
                f"{path} is a device or pipe; expected the name of a file, which is written whole "
                f"or not at all."
            )
        target = Path(os.path.realpath(path)) if path.is_symlink() else path
        folder = target.absolute().parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise DataFormatError(f"{path} cannot be written: {folder} is not a folder.")
    except DataFormatError:
        raise
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataFormatError(
            f"{path} cannot be written: no permission in {folder}. Choose another place."
        )
    return target


@contextmanager
def write_whole(path: str | Path) -> Generator[Path]:
    """Give a temporary file beside `path` that takes its place when the block ends well.

    Parameters
    ----------
    path
        The file to write; missing folders are made. A file that was there keeps its permissions.

    Yields
    ------
    Path
        The temporary file to fill. If the block raises, it is removed, with the folders made for
        it, and `path` stays as it was.

    Raises
    ------
    DataFormatError
        If the file cannot be written there; also for any OSError inside the block.
    """
    target = check_writable(path)
    made = _missing_folders(target.parent)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # not mkstemp: its files are private, and the umask cannot be asked for without changing it
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
        made.clear()
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # not made after all, or someone else wrote there meanwhile
                folder.rmdir()


def write_whole_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all, its line ends as they are.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def _missing_folders(folder: Path) -> list[Path]:
    """Return the folders that do not exist yet, deepest first."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    return missing


def cannot_write(path: str | Path, error: Exception) -> DataFormatError:
    """Return the one line that says why a file cannot be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return DataFormatError(
        f"{path} cannot be written: {' '.join(reason.split()).rstrip('.')}. Choose another place."
    )
