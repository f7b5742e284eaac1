"""Weights as safetensors with a JSON header that says what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from moodwalk.emotion import Emotion
from moodwalk.errors import CheckpointError, MoodwalkError
from moodwalk.gait import MAX_FRAMES
from moodwalk.io.atomic import write_whole
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn, StgcnConfig

__all__ = [
    "FORMAT",
    "GENERATOR_FORMAT",
    "Checkpoint",
    "check_format",
    "read_checkpoint",
    "read_tensors",
    "write_checkpoint",
    "write_tensors",
]

FORMAT = "moodwalk-classifier-1"
GENERATOR_FORMAT = "moodwalk-generator-1"
_WORDS = {FORMAT: "a classifier", GENERATOR_FORMAT: "a generator"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained network and all that is needed to use and to judge it.

    Parameters
    ----------
    network
        The network.
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
    """

    network: Stgcn
    classes: tuple[Emotion, ...]
    encoder: GaitEncoder
    model: str
    temperature: float = 1.0
    card: Mapping[str, Any] = field(default_factory=dict)


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
        "network": checkpoint.network.config.to_dict(),
        "encoder": checkpoint.encoder.to_dict(),
        "temperature": checkpoint.temperature,
        "card": dict(checkpoint.card),
    }
    write_tensors(path, checkpoint.network.state_dict(), header)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read weights and header; the network comes back in evaluation mode.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or no classifier of this package.
    """
    tensors, header = read_tensors(path)
    check_format(path, header, FORMAT)
    try:
        classes = tuple(Emotion(name) for name in header["classes"])
        if len(set(classes)) != len(classes) or len(classes) < 2:
            raise CheckpointError(
                f"classes are {', '.join(classes)}; expected two or more, each once."
            )
        config = StgcnConfig(**header["network"])
        encoder = GaitEncoder.from_dict(header["encoder"])
        _check_encoder(encoder, config)
        network = Stgcn(config, n_classes=len(classes))
        network.load_state_dict(tensors)
        temperature = float(header["temperature"])
        if not temperature > 0:
            raise CheckpointError(f"temperature is {temperature}; expected a positive number.")
        model, card = str(header["model"]), dict(header["card"])
    except (KeyError, TypeError, ValueError, RuntimeError, MoodwalkError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: its header and weights do not fit ({reason}).") from None
    return Checkpoint(network.eval(), classes, encoder, model, temperature, card)


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


def write_tensors(
    path: str | Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any]
) -> None:
    """Write tensors with a JSON header as safetensors, whole or not at all."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with write_whole(path) as temporary:
        # Not save_file: it makes private files, whatever the umask says.
        temporary.write_bytes(save(contiguous, metadata={"moodwalk": json.dumps(header)}))


def read_tensors(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read tensors and JSON header.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or without a header of moodwalk.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} is no file; expected moodwalk weights (.safetensors).")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(metadata["moodwalk"])
    except KeyError:
        raise CheckpointError(
            f"{path} has no moodwalk header; expected weights of this package."
        ) from None
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise CheckpointError(
            f"{path} cannot be read as moodwalk weights ({reason}). Weights of PyTorch (.pth.tar) go "
            f"through `moodwalk import-checkpoint`."
        ) from None
    if not isinstance(header, dict):
        raise CheckpointError(f"{path} has a damaged header; expected weights of this package.")
    return tensors, header


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
