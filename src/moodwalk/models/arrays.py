"""The file of weights: safetensors with a JSON header that says what they are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from moodwalk.errors import CheckpointError
from moodwalk.io.atomic import write_whole

__all__ = ["FORMAT", "GENERATOR_FORMAT", "Array", "check_format", "read_arrays", "write_arrays"]

Array = NDArray[Any]

FORMAT = "moodwalk-classifier-1"
GENERATOR_FORMAT = "moodwalk-generator-1"
_WORDS = {FORMAT: "a classifier", GENERATOR_FORMAT: "a generator"}


def write_arrays(path: str | Path, arrays: Mapping[str, Array], header: Mapping[str, Any]) -> None:
    """Write arrays with a JSON header as safetensors, whole or not at all.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    whole = {name: whole[name].reshape(arrays[name].shape) for name in whole}  # keep () as ()
    with write_whole(path) as temporary:
        # Not save_file: it makes private files, whatever the umask says.
        temporary.write_bytes(save(whole, metadata={"moodwalk": json.dumps(header)}))


def read_arrays(path: str | Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read arrays and JSON header.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or without a header of moodwalk.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is no file; expected moodwalk weights (.safetensors).")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(metadata["moodwalk"])
    except KeyError:
        raise CheckpointError(
            f"{path} has no moodwalk header; expected weights of this package."
        ) from None
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CheckpointError(
            f"{path} cannot be read as moodwalk weights ({reason}). Weights of PyTorch (.pth.tar) go "
            f"through `moodwalk import-checkpoint`."
        ) from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header; expected weights of this package.")
    return arrays, header


def check_format(path: str | Path, header: Mapping[str, Any], expected: str) -> None:
    """Refuse weights of another kind, such as a generator's where a classifier's are expected.

    Raises
    ------
    CheckpointError
        If the header is of another format than `expected`, `FORMAT` or `GENERATOR_FORMAT`.
    """
    found = str(header.get("format"))
    if found != expected:
        raise CheckpointError(
            f"{path} is {_WORDS.get(found, f'of format {found!r}')}; expected {_WORDS[expected]} "
            f"({expected!r}). Turn published weights into it with `moodwalk import-checkpoint`."
        )
