"""STEP's classifier and its published variants: one network, described by data."""

import torch
from torch import Tensor, nn

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.models.config import StgcnConfig
from moodwalk.models.convolution import FORMS, Form
from moodwalk.models.layers import ChannelNorm, NodeWeights, StgcnBlock
from moodwalk.skeleton import N_JOINTS, compute_adjacency

__all__ = ["Stgcn"]


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
                residual=config.has_shortcut(i),
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
