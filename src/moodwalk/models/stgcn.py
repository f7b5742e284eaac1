"""STEP's classifier and its published variants: one network, described by data."""

from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.models.convolution import FORMS, Form
from moodwalk.models.layers import ChannelNorm, NodeWeights, StgcnBlock
from moodwalk.skeleton import N_JOINTS, PARTITIONS, Partition, compute_adjacency

__all__ = ["STGCN_MODELS", "Stgcn", "StgcnConfig"]


@dataclass(frozen=True, slots=True)
class StgcnConfig:
    """What distinguishes one network of the STEP family from another.

    Parameters
    ----------
    blocks
        (channels, stride) of every block.
    first_residual
        Whether the first block has a shortcut.
    n_affective
        Affective features beside the pooled channels; 0 for none.
    n_hidden
        Width of the layer before the classes; 0 for none. There is no activation between them.
    node_weights
        Whether a learned softmax weights the joints between blocks.
    concatenate
        Whether the head sees the pooled output of every block, or of the last one only.
    partition
        How the adjacency is divided, see `moodwalk.skeleton.compute_adjacency`.
    kernel
        Taps of the temporal convolutions.
    dropout
        Inside the blocks.
    root_relative
        Whether the network wants gaits with the root at the origin.
    body_form
        Whether it wants them turned and scaled by their own body, see `moodwalk.body.to_body_form`.

    Raises
    ------
    ConfigError
        If a value makes no network.
    """

    blocks: tuple[tuple[int, int], ...]
    first_residual: bool = False
    n_affective: int = 27
    n_hidden: int = 96
    node_weights: bool = False
    concatenate: bool = False
    partition: Partition = "spatial"
    kernel: int = 75
    dropout: float = 0.0
    root_relative: bool = True
    body_form: bool = False

    def __post_init__(self) -> None:
        try:
            blocks = tuple((int(channels), int(stride)) for channels, stride in self.blocks)
        except (TypeError, ValueError):  # no pairs
            blocks = ()
        if not blocks or any(channels < 1 or stride < 1 for channels, stride in blocks):
            raise ConfigError(
                f"blocks are {self.blocks}; expected one or more (channels, stride), both positive."
            )
        object.__setattr__(self, "blocks", blocks)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ConfigError(f"kernel is {self.kernel}; expected an odd number of taps.")
        if self.partition not in PARTITIONS:
            raise ConfigError(
                f"partition is '{self.partition}'; expected one of {', '.join(PARTITIONS)}."
            )
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout}; expected a share from 0 up to 1.")
        if self.n_affective < 0 or self.n_hidden < 0:
            raise ConfigError("n_affective and n_hidden cannot be negative.")
        if self.body_form and not self.root_relative:
            raise ConfigError("body_form puts the root at the origin; root_relative cannot be off.")

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON can hold it."""
        settings = asdict(self)
        if not self.body_form:  # as files and digests said before there was a choice
            del settings["body_form"]
        return settings


_STEP = StgcnConfig(blocks=((32, 1), (64, 2), (64, 2)))

STGCN_MODELS: MappingProxyType[str, StgcnConfig] = MappingProxyType(
    {
        "step": _STEP,
        "step-layer-1": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (64, 1))),
        "step-layer-1-1": replace(_STEP, blocks=((32, 1), (32, 1), (64, 2), (64, 2))),
        "step-layer-2": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (64, 1), (64, 1))),
        "step-channel-1": replace(_STEP, blocks=((32, 1), (64, 2), (128, 2))),
        "step-channel-2": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (256, 1))),
        "step-channel-3": replace(_STEP, blocks=((32, 1), (64, 2), (64, 2), (128, 1))),
        "step-node-concat": replace(_STEP, node_weights=True, concatenate=True),
        "step-node-weights": replace(_STEP, node_weights=True),
        "step-concat": replace(_STEP, concatenate=True),
        "step-body": replace(_STEP, body_form=True),
        "step-real-only": StgcnConfig(
            blocks=((32, 1), (64, 2), (64, 1)),
            first_residual=True,
            n_affective=0,
            n_hidden=0,
            root_relative=False,
        ),
    }
)
"""STEP, the seven changes of STEP by STEP (two of them also alone), STEP's real-only baseline, and STEP
on walks of any source."""


class Stgcn(nn.Module):
    """A network of the STEP family.

    Parameters
    ----------
    config
        Which one.
    n_classes
        Classes to tell apart.
    form
        How temporal convolutions are computed; it does not change what they compute.

    References
    ----------
    .. [1] Bhattacharya et al. (2020), STEP: Spatial temporal graph convolutional networks for
       emotion perception from gaits, AAAI, section 4.
    """

    def __init__(self, config: StgcnConfig, n_classes: int = 4, *, form: Form = "auto") -> None:
        super().__init__()
        if form not in FORMS:
            raise ConfigError(f"'{form}' is no form of convolution; expected one of {FORMS}.")
        self.config = config
        self.n_classes = n_classes
        adjacency = torch.from_numpy(compute_adjacency(config.partition))
        self.input_norm = ChannelNorm(3 * N_JOINTS)
        widths = [3, *(channels for channels, _ in config.blocks)]
        self.blocks = nn.ModuleList(
            StgcnBlock(
                widths[i],
                channels,
                adjacency,
                kernel=config.kernel,
                stride=stride,
                residual=i > 0 or config.first_residual,
                dropout=config.dropout,
                form=form,
            )
            for i, (channels, stride) in enumerate(config.blocks)
        )
        n_between = len(config.blocks) - 1 if config.node_weights else 0
        self.node_weights = nn.ModuleList(NodeWeights(N_JOINTS) for _ in range(n_between))
        n_pooled = sum(widths[1:]) if config.concatenate else widths[-1]
        n_head = n_pooled + config.n_affective
        self.head_norm = ChannelNorm(n_head) if config.n_affective else None
        self.hidden = nn.Linear(n_head, config.n_hidden) if config.n_hidden else None
        self.classes = nn.Linear(config.n_hidden or n_head, n_classes)
        for norm in (self.input_norm, self.head_norm):
            if norm is not None:
                nn.init.normal_(norm.weight, 1.0, 0.02)
        for linear in (self.hidden, self.classes):
            if linear is not None:
                nn.init.normal_(linear.weight, 0.0, 0.02)
                nn.init.zeros_(linear.bias)

    def embed(self, positions: Tensor) -> Tensor:
        """Return the pooled channels before the head.

        Parameters
        ----------
        positions
            (N, T, 16, 3); any N and T of one or more.

        Returns
        -------
        Tensor
            (N, channels of the last block, or of all blocks).
        """
        shape = positions.shape
        if len(shape) != 4 or shape[2:] != (N_JOINTS, 3) or 0 in shape:
            raise ShapeError(
                f"positions have shape {tuple(shape)}; expected (N, T, {N_JOINTS}, 3), none of them 0."
            )
        x = self.input_norm(positions.transpose(0, 1).flatten(2)).unflatten(2, (N_JOINTS, 3))
        pooled: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            if i and self.config.node_weights:
                x = self.node_weights[i - 1](x)
            x = block(x)
            if self.config.concatenate or i == len(self.blocks) - 1:
                # In two steps: the library is slow where it sums over two separate axes at once.
                pooled.append(x.mean(dim=0).mean(dim=1))
        return torch.cat(pooled, dim=1)

    def forward(self, positions: Tensor, affective: Tensor | None = None) -> Tensor:
        """Return logits.

        Parameters
        ----------
        positions
            (N, T, 16, 3); any N and T of one or more.
        affective
            (N, F) normalised affective features, for networks that want them.

        Returns
        -------
        Tensor
            (N, classes), before the softmax.

        Raises
        ------
        ShapeError
            If an array has another shape than the network expects.
        """
        x = self.embed(positions)
        if self.head_norm is not None:
            expected = (len(positions), self.config.n_affective)
            if affective is None or tuple(affective.shape) != expected:
                found = "none" if affective is None else tuple(affective.shape)
                raise ShapeError(f"affective features: expected shape {expected}; found {found}.")
            x = self.head_norm(torch.cat([x, affective], dim=1))
        if self.hidden is not None:
            x = self.hidden(x)
        return self.classes(x)
