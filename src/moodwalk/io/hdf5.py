"""HDF5 files that nobody vouches for: open, check before reading, say in one line what is wrong."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import DataFormatError, MoodwalkError

__all__ = ["check_claims", "get_dataset", "open_hdf5", "read_attribute", "read_numbers"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_EXPANSION = 100
"""Recorded walks compress ten times at most; what claims more than this is empty or hostile."""

FREE_BYTES = 64 * 2**20
"""A claim below this is read whatever the file's size."""


@contextmanager
def open_hdf5(path: Path) -> Generator[h5py.File]:
    """Open an HDF5 file for reading; inside the block, what HDF5 raises becomes one line.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, not HDF5, damaged, truncated, or may not be read.
    """
    try:
        if not path.exists():
            raise DataFormatError(f"{path} does not exist; expected an HDF5 file.")
        if not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise DataFormatError(f"{path} is {kind}; expected an HDF5 file.")
        with path.open("rb") as raw:
            start = raw.read(len(SIGNATURE))
        if not start:
            raise DataFormatError(f"{path} is empty; expected an HDF5 file.")
        if start != SIGNATURE:
            raise DataFormatError(
                f"{path} is not HDF5: it begins with {start!r}; expected {SIGNATURE!r}. "
                f"Is it another format, or an unfinished download?"
            )
        with h5py.File(path, "r") as file:
            yield file
    except MoodwalkError:
        raise
    except PermissionError as error:
        raise DataFormatError(
            f"{path} cannot be read: no permission. Make the file readable."
        ) from error
    # h5py maps the errors of the C library to all of these
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFormatError(
            f"{path} is damaged or truncated: {reason.rstrip('.')}. Fetch it again."
        ) from error


def get_dataset(file: h5py.File, key: str, where: str) -> h5py.Dataset:
    """Return the dataset of that key, if its numbers lie in this very file.

    Parameters
    ----------
    file
        The open file.
    key
        Its key at the top level.
    where
        How a message names it.

    Raises
    ------
    DataFormatError
        If it is a group, a link, or keeps its numbers in other files.
    """
    if not isinstance(file.get(key, getlink=True), h5py.HardLink):
        raise DataFormatError(
            f"{where} is a link to elsewhere; expected the numbers themselves, links are not followed."
        )
    dataset = file[key]
    if not isinstance(dataset, h5py.Dataset):
        raise DataFormatError(f"{where} is a group; expected a dataset of numbers.")
    if dataset.is_virtual or dataset.external:
        raise DataFormatError(
            f"{where} keeps its numbers in other files; expected them in this file."
        )
    return dataset


def check_claims(path: Path, datasets: Iterable[h5py.Dataset]) -> None:
    """Check, before memory is taken, that a file is large enough for what its datasets claim.

    Raises
    ------
    DataFormatError
        If together they claim more than 64 MiB and more than 100 times the size of the file.
    """
    claimed = sum(
        max(dataset.nbytes, int(np.prod(dataset.chunks or (0,))) * dataset.dtype.itemsize)
        for dataset in datasets
    )
    size = path.stat().st_size
    if claimed > max(FREE_BYTES, MAX_EXPANSION * size):
        raise DataFormatError(
            f"{path} claims {claimed / 2**20:,.0f} MiB of numbers but is {size / 2**20:,.3f} MiB long; "
            f"expected at most {MAX_EXPANSION} times its length. Is the file damaged?"
        )


def read_numbers(dataset: h5py.Dataset, where: str) -> NDArray[np.floating]:
    """Read a dataset of finite numbers as float32 or float64 in the machine's byte order.

    Parameters
    ----------
    dataset
        The dataset; float32 stays float32, all else becomes float64.
    where
        How a message names it.

    Raises
    ------
    DataFormatError
        If it holds anything but finite numbers, or cannot be read.
    """
    if dataset.shape is None or dataset.dtype.kind not in "fiu":
        found = "text or other objects" if dataset.dtype.kind in "OSU" else str(dataset.dtype)
        raise DataFormatError(f"{where} holds {found}; expected numbers.")
    if dataset.size and dataset.id.get_storage_size() == 0:
        raise DataFormatError(
            f"{where} claims shape {dataset.shape} but holds no data. Is the file damaged?"
        )
    try:
        values = np.asarray(dataset[()])
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataFormatError(
            f"{where} cannot be read: {reason}. Is the file truncated?"
        ) from error
    values = values.astype(
        np.float32 if values.dtype.itemsize == 4 and values.dtype.kind == "f" else np.float64
    )
    finite = np.isfinite(values)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise DataFormatError(
            f"{where} has {values[place]} at index {place}; expected finite numbers. "
            f"Fill or cut the gap before."
        )
    return values


def read_attribute(owner: h5py.File | h5py.Dataset, name: str) -> object:
    """Return a scalar attribute, or None where there is none.

    Raises
    ------
    DataFormatError
        If the attribute is no scalar.
    """
    if name not in owner.attrs:
        return None
    shape = owner.attrs.get_id(name).shape
    if shape not in ((), (1,)):
        raise DataFormatError(
            f"{owner.file.filename}: attribute '{name}' of {owner.name!r} has shape {shape}; "
            f"expected one value."
        )
    value = np.asarray(owner.attrs[name]).reshape(-1)[0]
    return value.item() if isinstance(value, np.generic) else value
