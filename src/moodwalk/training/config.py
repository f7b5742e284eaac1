"""How to train, and what every epoch did."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from moodwalk.augment import Augmentation
from moodwalk.errors import ConfigError

__all__ = ["EpochRecord", "Select", "TrainingConfig"]

Select = Literal["last", "loss", "accuracy"]


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How to train.

    Parameters
    ----------
    epochs
        Passes over the training gaits.
    batch_size
        Gaits a step; the batches of an epoch are as equal as they can be. Only where a lone gait
        would be left does a batch take one more.
    optimizer
        ``adam``, or ``sgd`` with Nesterov momentum 0.9.
    learning_rate, weight_decay
        Of the optimizer.
    decay_at
        Shares of the epochs after which the learning rate is divided by ten.
    epoch_size
        Gaits of an epoch, drawn anew for each from all training gaits, so that trainings on few and on
        many gaits take as many steps; None takes all.
    class_weight
        ``balanced`` weights classes by the inverse of their number; None does not.
    label_smoothing
        Share of the target that is spread over all classes.
    augmentation
        Random changes to every training gait in every epoch, or None.
    select
        Which epoch's weights are kept: the ``last``, the one of the lowest validation ``loss``, or
        of the highest validation ``accuracy``. The last two need validation gaits.
    patience
        Stop after so many epochs without a lower validation loss; None never stops early.
    device
        ``auto``, or a name that PyTorch knows.
    precision
        ``float32``, or mixed precision in ``bfloat16`` or ``float16`` (the latter on CUDA only).
    seed
        Order of gaits, augmentation and dropout.

    Raises
    ------
    ConfigError
        If a value makes no training.
    """

    epochs: int = 60
    batch_size: int = 8
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    decay_at: tuple[float, ...] = (0.5, 0.75, 0.875)
    epoch_size: int | None = None
    class_weight: Literal["balanced"] | None = None
    label_smoothing: float = 0.0
    augmentation: Augmentation | None = None
    select: Select = "last"
    patience: int | None = None
    device: str = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs is {self.epochs}; expected at least 1.")
        if self.batch_size < 2:
            raise ConfigError(
                f"batch_size is {self.batch_size}; batch normalisation needs at least 2."
            )
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate is {self.learning_rate}; expected a positive number.")
        if not self.weight_decay >= 0:
            raise ConfigError(f"weight_decay is {self.weight_decay}; expected 0 or more.")
        if not 0 <= self.label_smoothing < 1:
            raise ConfigError(
                f"label_smoothing is {self.label_smoothing}; expected a share from 0 up to 1."
            )
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed is {self.seed}; expected 0 to {2**32 - 1}.")
        if not all(0 <= share <= 1 for share in self.decay_at):
            raise ConfigError(
                f"decay_at is {self.decay_at}; expected shares of the epochs, 0 to 1."
            )
        if self.optimizer not in ("adam", "sgd"):
            raise ConfigError(f"optimizer is '{self.optimizer}'; expected adam or sgd.")
        if self.select not in get_args(Select):
            raise ConfigError(
                f"select is '{self.select}'; expected one of {', '.join(get_args(Select))}."
            )
        if self.class_weight not in (None, "balanced"):
            raise ConfigError(f"class_weight is '{self.class_weight}'; expected balanced or none.")
        if self.precision not in ("float32", "bfloat16", "float16"):
            raise ConfigError(
                f"precision is '{self.precision}'; expected float32, bfloat16 or float16."
            )
        if self.epoch_size is not None and self.epoch_size < 2 * self.batch_size:
            raise ConfigError(
                f"epoch_size is {self.epoch_size}; expected two batches of {self.batch_size} or more."
            )
        if self.patience is not None and self.patience < 1:
            raise ConfigError(f"patience is {self.patience}; expected at least 1, or none.")

    def to_dict(self) -> dict[str, Any]:
        """Return the options as JSON gives them back."""
        return {**asdict(self), "decay_at": list(self.decay_at)}


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What one epoch did. Accuracies are shares; validation figures are NaN without such gaits."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
