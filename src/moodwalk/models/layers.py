"""The layers of ST-GCN, on (T, N, V, C) arrays: frames, gaits, joints, channels.

In that order every layer is a matrix product over contiguous memory; nothing is ever permuted.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodwalk.models.convolution import Form, convolve_time

__all__ = ["ChannelNorm", "GraphConvolution", "NodeWeights", "StgcnBlock", "TemporalConvolution"]


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis over all others."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (..., C)."""
        return super().forward(input.reshape(-1, input.shape[-1])).view(input.shape)


class GraphConvolution(nn.Module):
    """Gather each joint's neighbours by partition, then mix channels.

    Parameters
    ----------
    n_in, n_out
        Channels.
    adjacency
        (K, V, V) normalised adjacency; element [k, j, i] is what joint j gives to joint i.
    learn_importance
        Whether every element of the adjacency has a learned factor, initially 1.

    References
    ----------
    .. [1] Yan, Xiong and Lin (2018), Spatial temporal graph convolutional networks for
       skeleton-based action recognition, AAAI, equation 10.
    """

    def __init__(
        self, n_in: int, n_out: int, adjacency: Tensor, *, learn_importance: bool = True
    ) -> None:
        super().__init__()
        n_partitions = len(adjacency)
        self.adjacency: Tensor
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(adjacency)) if learn_importance else None
        self.weight = nn.Parameter(torch.empty(n_partitions, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_partitions, n_out))
        nn.init.normal_(self.weight, 0.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (T, N, V, C_in) into (T, N, V, C_out)."""
        n_frames, n_gaits, n_joints, n_in = x.shape
        n_partitions, _, n_out = self.weight.shape
        shares = self.adjacency if self.importance is None else self.adjacency * self.importance
        # Rows (joint i, partition k): the neighbours' channels of all partitions lie side by side.
        gather = shares.permute(2, 0, 1).reshape(1, n_joints * n_partitions, n_joints)
        skeletons = x.reshape(n_frames * n_gaits, n_joints, n_in)
        gathered = torch.bmm(gather.expand(len(skeletons), -1, -1), skeletons)
        mixed = gathered.view(-1, n_partitions * n_in) @ self.weight.view(-1, n_out)
        # The bias comes before the gathering, so a joint's share of it depends on its neighbours.
        bias = shares.sum(dim=1).mT @ self.bias
        return mixed.view(n_frames, n_gaits, n_joints, n_out) + bias


class TemporalConvolution(nn.Module):
    """Convolve every joint over time.

    Parameters
    ----------
    n_channels
        Channels in and out.
    kernel
        Taps; odd. Frames beyond the walk count as zero.
    stride
        Keep every stride-th frame.
    form
        How to compute it, see `moodwalk.models.convolution.convolve_time`.
    """

    def __init__(
        self, n_channels: int, kernel: int, stride: int = 1, *, form: Form = "auto"
    ) -> None:
        super().__init__()
        self.stride = stride
        self.form: Form = form
        self.weight = nn.Parameter(torch.empty(kernel, n_channels, n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        nn.init.normal_(self.weight, 0.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (T, N, V, C) into (1 + (T - 1) // stride, N, V, C)."""
        return convolve_time(x, self.weight, stride=self.stride, form=self.form) + self.bias


class NodeWeights(nn.Module):
    """Weight the joints by a learned softmax over all of them.

    The weights are multiplied by the number of joints, so that they start at 1 and average 1.
    """

    def __init__(self, n_joints: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(n_joints))

    def forward(self, x: Tensor) -> Tensor:
        """Scale the joints of (T, N, V, C)."""
        return x * (len(self.logits) * F.softmax(self.logits, dim=0))[:, None]


class StgcnBlock(nn.Module):
    """Graph convolution, temporal convolution and a shortcut around both.

    Parameters
    ----------
    n_in, n_out
        Channels.
    adjacency
        (K, V, V).
    kernel, stride
        Of the temporal convolution.
    residual
        Whether there is a shortcut: the identity where shapes agree, else a 1x1 convolution and
        batch normalisation.
    dropout
        Share of values dropped before the shortcut is added.
    learn_importance, form
        See `GraphConvolution` and `TemporalConvolution`.

    References
    ----------
    .. [1] Yan, Xiong and Lin (2018), section 3.5. [2] Bhattacharya et al. (2020), STEP, AAAI.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        adjacency: Tensor,
        *,
        kernel: int,
        stride: int = 1,
        residual: bool = True,
        dropout: float = 0.0,
        learn_importance: bool = True,
        form: Form = "auto",
    ) -> None:
        super().__init__()
        self.stride = stride
        self.graph = GraphConvolution(n_in, n_out, adjacency, learn_importance=learn_importance)
        self.graph_norm = ChannelNorm(n_out)
        self.temporal = TemporalConvolution(n_out, kernel, stride, form=form)
        self.temporal_norm = ChannelNorm(n_out)
        self.dropout = nn.Dropout(dropout)
        self.residual = residual
        self.shortcut = None
        self.shortcut_norm = None
        if residual and (n_in != n_out or stride != 1):
            self.shortcut = nn.Linear(n_in, n_out)  # a 1x1 convolution
            self.shortcut_norm = ChannelNorm(n_out)
            nn.init.normal_(self.shortcut.weight, 0.0, 0.02)
            nn.init.zeros_(self.shortcut.bias)
        for module in self.modules():
            if isinstance(module, ChannelNorm):
                nn.init.normal_(module.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Turn (T, N, V, C_in) into (1 + (T - 1) // stride, N, V, C_out)."""
        y = F.relu(self.graph_norm(self.graph(x)))
        y = self.dropout(self.temporal_norm(self.temporal(y)))
        if self.shortcut is not None and self.shortcut_norm is not None:
            y = y + self.shortcut_norm(self.shortcut(x[:: self.stride]))
        elif self.residual:
            y = y + x
        return F.relu(y)
