"""The authors' checkpoints: their parameter names and array layouts, turned into moodwalk's."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from moodwalk.emotion import LABEL_ORDERS, LabelOrder
from moodwalk.errors import CheckpointError
from moodwalk.io.atomic import check_writable
from moodwalk.models.checkpoint import Checkpoint, write_checkpoint
from moodwalk.models.config import StgcnConfig
from moodwalk.models.cvae import Cvae, CvaeConfig
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn

__all__ = ["convert_published_state", "import_published_classifier", "read_published_checkpoint"]

_MODULES = {
    "data_bn": "input_norm",
    "data_bn1": "input_norm",
    "data_bn2": "head_norm",
    "fcn": "classes",
    "combined_networks.0": "hidden",
    "combined_networks.1": "classes",
}
_GENERATOR_MODULES = {
    "encoder.data_bn": "input_norm",
    "encoder.z_mean": "mean",
    "encoder.z_lsig": "log_variance",
    "decoder.fcn": "start",
    "decoder.data_bn": "output_norm",
}
_BLOCK_MODULES = {
    "gcn.conv": "graph",
    "gctn.conv": "graph",
    "tcn.0": "graph_norm",
    "tcn.2": "temporal",
    "tcn.3": "temporal_norm",
    "residual.0": "shortcut",
    "residual.1": "shortcut_norm",
}


def read_published_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a ``.pth.tar`` file without running any code from it.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or holds anything but named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(
            f"{path} is no file; expected a checkpoint that STEP's authors published."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of, the error below says
            # Old pickles keep the strides of their storages; weights_only refuses all but tensors.
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in whatever instruction it happens to hold
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise CheckpointError(
            f"{path} cannot be read as a PyTorch checkpoint of plain tensors ({reason})."
        ) from None
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path} holds no named tensors; expected a checkpoint of STEP.")
    return {str(name).removeprefix("module."): tensor for name, tensor in state.items()}


def convert_published_state(state: Mapping[str, Tensor]) -> tuple[Stgcn, LabelOrder]:
    """Turn a published STEP classifier into a network of this package.

    Parameters
    ----------
    state
        Parameters by their published names.

    Returns
    -------
    Stgcn
        The network with these weights, in evaluation mode.
    LabelOrder
        The emotions of its outputs: the codes it was trained on are those of ``labels.h5``.

    Raises
    ------
    CheckpointError
        If names or shapes are not those of a published classifier.
    """
    if any(name.startswith(("encoder.", "decoder.")) for name in state):
        raise CheckpointError(
            "this is STEP-Gen's generator, not a classifier; expected STEP's classifier, "
            "for instance classifier_real_only.pth.tar."
        )
    try:
        network = Stgcn(_infer_config(state), n_classes=4)
        converted = dict(
            _convert(name, _flush(tensor)) for name, tensor in state.items() if name != "A"
        )
        network.load_state_dict(converted)
    except (KeyError, RuntimeError, IndexError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"these are not the weights of a published STEP classifier ({reason})."
        ) from None
    _check_adjacency(state.get("A"), network.blocks[0].get_buffer("graph.adjacency"))
    return network.eval(), LABEL_ORDERS["emotion-gait"]


def is_published_generator(state: Mapping[str, Tensor]) -> bool:
    """Say whether parameters are, by their names, those of STEP-Gen."""
    return any(name.startswith(("encoder.", "decoder.")) for name in state)


def convert_published_generator(state: Mapping[str, Tensor]) -> tuple[Cvae, LabelOrder]:
    """Turn the published STEP-Gen into a network of this package.

    Parameters
    ----------
    state
        Parameters by their published names.

    Returns
    -------
    Cvae
        The network with these weights, in evaluation mode.
    LabelOrder
        The emotions that it is told.

    Raises
    ------
    CheckpointError
        If names or shapes are not those of the published generator.
    """
    if not is_published_generator(state):
        raise CheckpointError(
            "this is no generator; expected STEP-Gen's, for instance generator_cvae.pth.tar."
        )
    try:
        network = Cvae(_infer_generator(state), n_classes=4)
        converted = dict(
            _convert_generator(name, _flush(tensor))
            for name, tensor in state.items()
            if name not in ("encoder.A", "decoder.A")
        )
        network.load_state_dict(converted)
    except (KeyError, RuntimeError, IndexError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"these are not the weights of the published STEP-Gen ({reason})."
        ) from None
    for half, block in (("encoder", network.encoder[0]), ("decoder", network.decoder[0])):
        _check_adjacency(state.get(f"{half}.A"), block.get_buffer("graph.adjacency"))
    return network.eval(), LABEL_ORDERS["emotion-gait"]


def _check_adjacency(found: Tensor | None, ours: Tensor) -> None:
    if found is not None and not (found.shape == ours.shape and torch.allclose(found, ours)):
        raise CheckpointError(
            f"its adjacency {tuple(found.shape)} is not that of the 16 joints with the 'spatial' "
            f"partition {tuple(ours.shape)}; expected a network for Emotion-Gait."
        )


def _infer_config(state: Mapping[str, Tensor]) -> StgcnConfig:
    n_blocks = 1 + max(int(m[1]) for n in state if (m := re.match(r"st_gcn_networks\.(\d+)\.", n)))
    weights = [state[f"st_gcn_networks.{i}.tcn.2.weight"] for i in range(n_blocks)]
    widths = [len(weight) for weight in weights]
    # Strides leave no trace in the weights, except that a stride or a change of width needs a
    # projected shortcut. As published, only the real-only baseline has one in its first block.
    first_residual = "st_gcn_networks.0.residual.0.weight" in state
    projected = [f"st_gcn_networks.{i}.residual.0.weight" in state for i in range(n_blocks)]
    strides = [2 if i and projected[i] else 1 for i in range(n_blocks)]
    hybrid = "data_bn2.weight" in state
    return StgcnConfig(
        blocks=tuple(zip(widths, strides, strict=True)),
        first_residual=first_residual,
        n_affective=len(state["data_bn2.weight"]) - widths[-1] if hybrid else 0,
        n_hidden=len(state["combined_networks.0.weight"]) if hybrid else 0,
        kernel=weights[0].shape[2],
        root_relative=hybrid,
    )


def _infer_generator(state: Mapping[str, Tensor]) -> CvaeConfig:
    def find_widths(half: str) -> list[int]:
        name = f"{half}.{half}.{{}}.tcn.0.weight"
        n_blocks = sum(1 for n in state if re.fullmatch(rf"{half}\.{half}\.\d+\.tcn\.0\.weight", n))
        return [len(state[name.format(i)]) for i in range(n_blocks)]

    return CvaeConfig(
        encoder=tuple(find_widths("encoder")),
        decoder=tuple(find_widths("decoder"))[:-1],
        n_latent=len(state["encoder.z_mean.weight"]),
        kernel=state["encoder.encoder.0.tcn.2.weight"].shape[2],
    )


def _flush(tensor: Tensor) -> Tensor:
    """Set to zero what weight decay has left of dead channels.

    Most published weights are too small for normal floats, which makes processors more than ten times
    slower and changes no answer.
    """
    return tensor.masked_fill(tensor.abs() < 1e-30, 0)


def _convert(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    if match := re.fullmatch(r"edge_importance\.(\d+)", name):
        return f"blocks.{match[1]}.graph.importance", tensor
    if match := re.fullmatch(r"st_gcn_networks\.(\d+)\.(.+)", name):
        ours, tensor = _convert_in_block(match[2], tensor)
        return f"blocks.{match[1]}.{ours}", tensor
    module, _, parameter = name.rpartition(".")
    return f"{_MODULES[module]}.{parameter}", tensor.flatten(1) if tensor.ndim == 4 else tensor


def _convert_generator(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    if name.startswith("decoder.") and tensor.ndim == 4:
        # transposed convolutions of stride 1: convolutions with inputs and outputs exchanged, and
        # the taps in reverse
        tensor = tensor.transpose(0, 1).flip(2)
    if match := re.fullmatch(r"(encoder|decoder)\.\1\.(\d+)\.(.+)", name):
        ours, tensor = _convert_in_block(match[3], tensor)
        return f"{match[1]}.{match[2]}.{ours}", tensor
    module, _, parameter = name.rpartition(".")
    ours = f"{_GENERATOR_MODULES[module]}.{parameter}"
    return ours, tensor.flatten(1) if tensor.ndim == 4 else tensor


def _convert_in_block(name: str, tensor: Tensor) -> tuple[str, Tensor]:
    module, _, parameter = name.rpartition(".")
    ours = _BLOCK_MODULES[module]
    if ours == "graph" and parameter == "weight":  # (3 out, in, 1, 1) -> (3, in, out)
        tensor = tensor.flatten(1).unflatten(0, (3, -1)).transpose(1, 2).contiguous()
    elif ours == "graph":
        tensor = tensor.unflatten(0, (3, -1))
    elif ours == "temporal" and parameter == "weight":  # (out, in, taps, 1) -> (taps, in, out)
        tensor = tensor.squeeze(3).permute(2, 1, 0).contiguous()
    elif ours == "shortcut" and parameter == "weight":
        tensor = tensor.flatten(1)
    return f"{ours}.{parameter}", tensor


def import_published_classifier(source: str | Path, output: str | Path) -> Checkpoint:
    """Turn a published STEP classifier into this package's weights, whole or not at all.

    Parameters
    ----------
    source
        The authors' ``.pth.tar`` file.
    output
        The ``.safetensors`` file to write.

    Returns
    -------
    Checkpoint
        What was written. Gaits are repeated to 75 frames at 30 fps and not centred, as the authors'
        real-only classifier was trained; nothing is calibrated.

    Raises
    ------
    CheckpointError
        If the source is not such a classifier, or is the hybrid one, whose file does not hold the
        normalisation of its affective features.
    DataFormatError
        If the output cannot be written.
    """
    check_writable(output)
    network, order = convert_published_state(read_published_checkpoint(source))
    if network.config.n_affective:
        raise CheckpointError(
            f"{source} is a classifier with {network.config.n_affective} affective features, and does "
            f"not say how they were normalised; expected the real-only classifier."
        )
    encoder = GaitEncoder(n_frames=75, fps=30.0, root_relative=False)
    card = {
        "source": Path(source).name,
        "training": "by the authors of STEP, on about nine tenths of the 342 gaits of Emotion-Gait",
        "limits": "not calibrated; agreement with those 342 gaits is no accuracy",
    }
    checkpoint = Checkpoint.from_network(network, order, encoder, "step-real-only", card=card)
    write_checkpoint(output, checkpoint)
    return checkpoint
