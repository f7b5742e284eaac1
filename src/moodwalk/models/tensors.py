"""Files of arrays as tensors, for what goes on computing with them in PyTorch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from moodwalk.models.arrays import read_arrays, write_arrays

__all__ = ["read_tensors", "write_tensors"]


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
) -> None:
    """Write tensors of any device; see `moodwalk.models.arrays.write_arrays`."""
    write_arrays(path, {name: t.detach().cpu().numpy() for name, t in tensors.items()}, header)


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read tensors onto the CPU; see `moodwalk.models.arrays.read_arrays`."""
    arrays, header = read_arrays(path)
    return {name: torch.from_numpy(array) for name, array in arrays.items()}, header
