"""Where training runs: one device and process, or as many as ``torchrun`` started."""

import os
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moodwalk.errors import ConfigError
from moodwalk.training.config import TrainingConfig

__all__ = ["Team", "pick_device"]


def pick_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises
    ------
    ConfigError
        If this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (
        RuntimeError,
        AssertionError,
        NotImplementedError,
    ) as error:  # torch says it in three ways
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device '{name}' cannot be used here ({reason}). Try cpu.") from None
    return device


@dataclass(frozen=True, slots=True)
class Team:
    """The processes that train together: one, or as many as ``torchrun`` started."""

    rank: int
    size: int
    device: torch.device
    started: bool

    @classmethod
    def join(cls, config: TrainingConfig) -> "Team":
        """Join the processes that ``torchrun`` started, or work alone.

        Raises
        ------
        ConfigError
            If batches are too small to be shared, or the precision does not fit the device.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        device = pick_device(config.device)
        if config.precision == "float16" and device.type != "cuda":
            raise ConfigError("precision float16 needs a CUDA device; use bfloat16 or float32.")
        if size == 1:
            return cls(0, 1, device, started=False)
        if config.batch_size < 2 * size:
            raise ConfigError(
                f"batch_size is {config.batch_size} for {size} processes; "
                f"batch normalisation needs at least 2 gaits in each."
            )
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        started = not torch.distributed.is_initialized()
        if started:
            torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(torch.distributed.get_rank(), size, device, started)

    @property
    def least(self) -> int:
        """Fewest gaits of a batch: batch normalisation needs two in every process."""
        return 2 * self.size

    def wrap(self, network: nn.Module) -> nn.Module:
        """Return the network, made to average its gradients over all processes."""
        if self.size == 1:
            return network
        ids = [self.device.index] if self.device.type == "cuda" else None
        # Biases in front of a batch normalisation get no gradient (see ChannelNorm).
        return nn.parallel.DistributedDataParallel(
            network, device_ids=ids, find_unused_parameters=True
        )

    def share(self, batch: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this process's share of a batch."""
        return batch[self.rank :: self.size]

    def total(self, value: Tensor) -> float:
        """Return the sum over all processes."""
        if self.size > 1:
            torch.distributed.all_reduce(value)
        return value.item()

    def agree(self, value: Tensor) -> Tensor:
        """Return the first process's value, so that all take the same decisions."""
        if self.size > 1:
            torch.distributed.broadcast(value, src=0)
        return value

    def leave(self) -> None:
        """End what `join` began."""
        if self.started:
            torch.distributed.destroy_process_group()
