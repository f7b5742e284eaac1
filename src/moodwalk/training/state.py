"""A training as it stands: kept in a run's folder, so that an interrupted one goes on."""

import csv
import io
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

import torch
from torch import Tensor, nn

from moodwalk.errors import CheckpointError
from moodwalk.io.atomic import write_whole_text
from moodwalk.models.stgcn import Stgcn
from moodwalk.models.tensors import read_tensors, write_tensors
from moodwalk.training.config import EpochRecord, TrainingConfig

__all__ = ["TrainingState"]

_FORMAT = "moodwalk-training-1"


@dataclass(slots=True)
class TrainingState:
    """Network, optimizer and all epochs so far.

    Parameters
    ----------
    network, optimizer, config
        As `train` uses them.
    history
        One record an epoch.
    best
        The weights of the epoch that would be kept now; empty where the last one is kept.
    data
        A digest of the gaits, labels and classes.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    config: TrainingConfig
    history: list[EpochRecord] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    data: str = ""

    def save(self, run: Path) -> None:
        """Write ``metrics.csv`` and ``state.safetensors``, each whole or not at all."""
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(field.name for field in fields(EpochRecord))
        rows.writerows(astuple(record) for record in self.history)
        write_whole_text(run / "metrics.csv", table.getvalue())
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for i, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in values.items() if v is not None}
        header = {
            "format": _FORMAT,
            "options": self._options(),
            "history": [astuple(record) for record in self.history],
        }
        write_tensors(run / "state.safetensors", tensors, header)

    def load(self, run: Path) -> None:
        """Take up what `save` wrote, if there is any.

        Raises
        ------
        CheckpointError
            If it belongs to a training with other options, other gaits or another network.
        """
        path = run / "state.safetensors"
        if not path.exists():
            return
        tensors, header = read_tensors(path)
        if header.get("format") != _FORMAT or header.get("options") != self._options():
            found = header.get("options") or {}
            other = [k for k, v in self._options().items() if found.get(k) != v]
            raise CheckpointError(
                f"{path} belongs to a training with other options ({', '.join(other) or 'format'}); "
                f"give the same options to resume it, or choose another folder."
            )
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        try:
            self.network.load_state_dict(parts["network"])
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:120]
            raise CheckpointError(f"{path} belongs to another network ({reason}).") from None
        values: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, key = name.partition(".")
            values.setdefault(int(number), {})[key] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": values})
        device = next(self.network.parameters()).device
        self.best = {name: tensor.to(device) for name, tensor in parts["best"].items()}
        self.history = [EpochRecord(*row) for row in header["history"]]

    def _options(self) -> dict[str, object]:
        """Return the options that decide what the weights become."""
        options = {k: v for k, v in self.config.to_dict().items() if k != "device"}
        return {
            **options,
            "network": _describe(self.network),
            "training and validation gaits": self.data,
        }


def _describe(network: nn.Module) -> dict[str, object]:
    """Return what tells a network from another, as JSON gives it back: lists for tuples."""
    if not isinstance(network, Stgcn):
        shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
        return {"class": type(network).__name__, "shapes": shapes}
    options = network.config.to_dict()
    return {**options, "blocks": [list(block) for block in options["blocks"]]}
