"""How generators are trained: the same loop for every network."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from moodwalk.errors import ConfigError

__all__ = ["GeneratorEpoch", "GeneratorTraining", "fit_network"]


@dataclass(frozen=True, slots=True)
class GeneratorTraining:
    """How a generator is trained.

    Parameters
    ----------
    epochs
        Passes over the training gaits, at most.
    batch_size
        Gaits a step.
    optimizer
        ``adam``, whose weight decay is part of the gradient, or ``adamw``, whose is not.
    learning_rate, weight_decay
        Of the optimizer.
    divergence_weight
        Of the distance to the prior, beside the reconstruction.
    warm_up
        Epochs over which that weight rises from 0; 0 begins with all of it.
    patience
        Keep the epoch with the lowest loss on validation gaits, and stop after so many epochs
        without a lower one; None trains to the end. Without validation gaits the last epoch is kept.

    Raises
    ------
    ConfigError
        If a number makes no training.
    """

    epochs: int
    batch_size: int = 8
    optimizer: Literal["adam", "adamw"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-3
    divergence_weight: float = 1.0
    warm_up: int = 0
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ConfigError(f"{name} is {value}; expected at least 1.")
        if self.optimizer not in _OPTIMIZERS:
            raise ConfigError(
                f"optimizer is '{self.optimizer}'; expected one of {', '.join(_OPTIMIZERS)}."
            )
        others = (self.weight_decay, self.divergence_weight, self.warm_up)
        if not (0 < self.learning_rate < math.inf and all(0 <= n < math.inf for n in others)):
            raise ConfigError(
                f"learning rate {self.learning_rate}, weight decay {self.weight_decay}, weight of the "
                f"prior {self.divergence_weight}, warm-up {self.warm_up}; expected a positive rate, and "
                f"nothing negative."
            )


@dataclass(frozen=True, slots=True)
class GeneratorEpoch:
    """What one epoch gave.

    Parameters
    ----------
    epoch
        From 1.
    train_loss
        With the weight that the prior had in this epoch.
    validation_loss
        With all its weight, over the same draws in every epoch; NaN without validation gaits.
    """

    epoch: int
    train_loss: float
    validation_loss: float


_OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}

_N_DRAWS = 8
"""Latent points a validation gait: the loss of a single one is noisy."""


def fit_network(
    network: torch.nn.Module,
    compute_loss: Callable[..., Tensor],
    arrays: tuple[Tensor, ...],
    training: GeneratorTraining,
    *,
    seed: int,
    validation: tuple[Tensor, ...] | None = None,
    on_epoch: Callable[[GeneratorEpoch], None] | None = None,
) -> None:
    """Train a network in place, and leave it in evaluation mode.

    Parameters
    ----------
    network
        What is trained.
    compute_loss
        Its ``compute_loss(*arrays, divergence_weight=...)``, a mean over gaits.
    arrays
        What it takes, gaits along the first axis.
    training
        How.
    seed
        Order and latent draws.
    validation
        The same arrays of other subjects.
    on_epoch
        Called after every epoch.
    """
    optimizer = _OPTIMIZERS[training.optimizer](
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    chosen, lowest, kept = 0, float("inf"), None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(1, training.epochs + 1):
            network.train()
            share = min(1.0, epoch / training.warm_up) if training.warm_up else 1.0
            total = 0.0
            for batch in torch.randperm(len(arrays[0])).split(training.batch_size):
                loss = compute_loss(
                    *(array[batch] for array in arrays),
                    divergence_weight=share * training.divergence_weight,
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += float(loss.detach()) * len(batch)
            if not math.isfinite(total):
                raise ConfigError(
                    f"training diverged in epoch {epoch}; expected a finite loss. Lower the learning "
                    f"rate ({training.learning_rate:g})."
                )
            network.eval()
            held = float("nan")
            if validation is not None:
                held = _validate(compute_loss, validation, training.divergence_weight, seed)
            if on_epoch is not None:
                on_epoch(GeneratorEpoch(epoch, total / len(arrays[0]), held))
            if training.patience is None or validation is None:
                continue
            if held < lowest and share == 1:
                chosen, lowest, kept = epoch, held, deepcopy(network.state_dict())
            if epoch >= max(chosen, training.warm_up) + training.patience:
                break
    if kept is not None:
        network.load_state_dict(kept)
    network.eval()


def _validate(
    compute_loss: Callable[..., Tensor], arrays: tuple[Tensor, ...], weight: float, seed: int
) -> float:
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        draws = [float(compute_loss(*arrays, divergence_weight=weight)) for _ in range(_N_DRAWS)]
    return sum(draws) / len(draws)
