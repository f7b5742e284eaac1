"""A trained network of the STEP family with all that is needed to use it, without PyTorch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import Emotion
from moodwalk.errors import CheckpointError, MoodwalkError
from moodwalk.gait import MAX_FRAMES, Gait
from moodwalk.models.arrays import FORMAT, Array, check_format, read_arrays, write_arrays
from moodwalk.models.config import StgcnConfig
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.forward import StgcnForward

if TYPE_CHECKING:
    from moodwalk.models.stgcn import Stgcn

__all__ = ["Checkpoint", "read_checkpoint", "write_checkpoint"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained network and all that is needed to use and to judge it.

    Parameters
    ----------
    config
        Which network.
    arrays
        What it learned, as `StgcnConfig.list_shapes` lists it.
    classes
        The emotion of every output.
    encoder
        What the network sees of a gait.
    model
        The model's name.
    temperature
        What logits are divided by before the softmax; 1 where nothing was calibrated.
    card
        What else the weights should say: training data, protocol, figures, limits.

    Raises
    ------
    CheckpointError
        If these do not fit one another.
    """

    config: StgcnConfig
    arrays: Mapping[str, Array]
    classes: tuple[Emotion, ...]
    encoder: GaitEncoder
    model: str
    temperature: float = 1.0
    card: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        classes = self.classes
        if len(set(classes)) != len(classes) or len(classes) < 2:
            raise CheckpointError(
                f"classes are {', '.join(classes)}; expected two or more, each once."
            )
        _check_encoder(self.encoder, self.config)
        _check_arrays(self.arrays, self.config.list_shapes(len(classes)))
        if not self.temperature > 0:
            raise CheckpointError(f"temperature is {self.temperature}; expected a positive number.")

    @classmethod
    def from_network(
        cls,
        network: "Stgcn",
        classes: Sequence[Emotion],
        encoder: GaitEncoder,
        model: str,
        temperature: float = 1.0,
        card: Mapping[str, Any] | None = None,
    ) -> Self:
        """Take what a network of PyTorch has learned so far; it may go on learning."""
        state = network.state_dict()
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in state.items()}
        return cls(
            network.config, arrays, tuple(classes), encoder, model, temperature, dict(card or {})
        )

    @cached_property
    def network(self) -> "Stgcn":
        """The network in PyTorch, in evaluation mode: for gradients, or to go on training."""
        import torch

        from moodwalk.models.stgcn import Stgcn

        network = Stgcn(self.config, n_classes=len(self.classes))
        tensors = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        network.load_state_dict(tensors)  # copies
        return network.eval()

    @cached_property
    def _forward(self) -> StgcnForward:
        return StgcnForward(self.config, self.arrays, self.encoder.n_frames)

    def score(
        self, gaits: Sequence[Gait]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Score gaits, on the CPU and without PyTorch.

        Parameters
        ----------
        gaits
            Of any length and frame rate; none influences another.

        Returns
        -------
        logits
            (n, classes), before the temperature and the softmax.
        affective
            (n, F) scaled affective features, or None where the network wants none.
        """
        positions, affective = self.encoder.encode(gaits)
        return self._forward(positions, affective), affective

    def compute_logits(self, gaits: Sequence[Gait]) -> NDArray[np.float32]:
        """Return the logits of `score`."""
        return self.score(gaits)[0]


def write_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write weights and header, whole or not at all.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    """
    header = {
        "format": FORMAT,
        "model": checkpoint.model,
        "classes": list(checkpoint.classes),
        "skeleton": "emotion-gait-16",
        "network": checkpoint.config.to_dict(),
        "encoder": checkpoint.encoder.to_dict(),
        "temperature": checkpoint.temperature,
        "card": dict(checkpoint.card),
    }
    write_arrays(path, checkpoint.arrays, header)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read weights and header.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or no classifier of this package.
    """
    arrays, header = read_arrays(path)
    check_format(path, header, FORMAT)
    try:
        return Checkpoint(
            config=StgcnConfig(**header["network"]),
            arrays=arrays,
            classes=tuple(Emotion(name) for name in header["classes"]),
            encoder=GaitEncoder.from_dict(header["encoder"]),
            model=str(header["model"]),
            temperature=float(header["temperature"]),
            card=dict(header["card"]),
        )
    except (KeyError, TypeError, ValueError, MoodwalkError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: its header and weights do not fit ({reason}).") from None


def _check_arrays(arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    if other := sorted(set(arrays) ^ set(shapes)):
        said = "is missing" if other[0] in shapes else "is none of the network's"
        raise CheckpointError(f"array {other[0]} {said}.")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise CheckpointError(f"array {name} has shape {arrays[name].shape}; expected {shape}.")


def _check_encoder(encoder: GaitEncoder, config: StgcnConfig) -> None:
    """Refuse an encoder that does not serve the network, or that asks for absurd sizes."""
    if encoder.n_affective != config.n_affective:
        raise CheckpointError(
            f"the encoder gives {encoder.n_affective} affective features; "
            f"the network expects {config.n_affective}."
        )
    if encoder.root_relative != config.root_relative:
        raise CheckpointError("the encoder and the network disagree on where the root is.")
    if encoder.body_form != config.body_form:
        raise CheckpointError("the encoder and the network disagree on the form of gaits.")
    if encoder.n_frames > MAX_FRAMES or not 1 <= encoder.fps <= 1000:
        raise CheckpointError(
            f"the encoder asks for {encoder.n_frames} frames at {encoder.fps:g} fps."
        )
