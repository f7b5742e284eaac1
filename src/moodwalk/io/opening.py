"""Files that nobody vouches for: opened for reading, with one line for what is wrong."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.io.hdf5 import FREE_BYTES, MAX_EXPANSION

__all__ = ["DAMAGE", "check_claim", "explain_damage", "open_checked", "peek"]

# what zipfile, zlib, NumPy and pyarrow raise for bytes that make no sense; RuntimeError: encrypted
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    OverflowError,
    MemoryError,
)


@contextmanager
def open_checked(path: Path, expected: str) -> Generator[BufferedReader]:
    """Open a file for reading; inside the block, an OSError becomes one line.

    Parameters
    ----------
    path
        The file.
    expected
        What the file should be, for messages: ``a CSV or Parquet file``.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, no ordinary file, or may not be read.
    """
    try:
        if not path.exists():
            raise DataFormatError(f"{path} does not exist; expected {expected}.")
        if not path.is_file():  # opening a pipe would wait for ever
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise DataFormatError(f"{path} is {kind}; expected {expected}.")
        with path.open("rb") as file:
            if not file.peek(1):
                raise DataFormatError(f"{path} is empty; expected {expected}.")
            yield file
    except PermissionError as error:
        raise DataFormatError(
            f"{path} cannot be read: no permission. Make the file readable."
        ) from error
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise DataFormatError(f"{path} cannot be read: {reason.rstrip('.')}.") from error


def peek(path: Path, n_bytes: int) -> bytes:
    """Return the first bytes of an ordinary file, none where there is no such file to read."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(n_bytes)
    except OSError:
        return b""


def check_claim(path: Path, n_bytes: int) -> None:
    """Check, before memory is taken, that a file is large enough for the numbers it claims.

    Parameters
    ----------
    path
        The file.
    n_bytes
        What its contents would take in memory.

    Raises
    ------
    DataFormatError
        If that is more than 64 MiB and more than 100 times the size of the file.
    """
    size = path.stat().st_size
    if n_bytes > max(FREE_BYTES, MAX_EXPANSION * size):
        raise DataFormatError(
            f"{path} claims {n_bytes / 2**20:,.0f} MiB of numbers but is {size / 2**20:,.3f} MiB "
            f"long; expected at most {MAX_EXPANSION} times its length. Is the file damaged?"
        )


@contextmanager
def explain_damage(path: Path) -> Generator[None]:
    """Turn what readers raise for damaged bytes into one line.

    Raises
    ------
    DataFormatError
        If something of `DAMAGE`, or an OSError, is raised in the block. What moodwalk itself raises, and a
        PermissionError, pass.
    """
    try:
        yield
    except (MoodwalkError, PermissionError):
        raise
    except (*DAMAGE, OSError) as error:  # pyarrow's own are among these, or of OSError
        said = getattr(error, "strerror", None) or str(error)
        reason = " ".join(said.split())[:200] or type(error).__name__
        raise DataFormatError(
            f"{path} is damaged or truncated: {reason.rstrip('.')}. Fetch it again."
        ) from error
