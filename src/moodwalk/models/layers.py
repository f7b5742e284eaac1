"""The layers of ST-GCN, on (T, N, V, C) arrays: frames, gaits, joints, channels.

In that order every layer is a matrix product over contiguous memory; nothing is ever permuted.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from moodwalk.errors import ShapeError
from moodwalk.models.convolution import Form, convolve_time

__all__ = ["ChannelNorm", "GraphConvolution", "NodeWeights", "StgcnBlock", "TemporalConvolution"]


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of the last axis over all others."""

    def forward(self, input: Tensor, bias: Tensor | None = None, *, relu: bool = False) -> Tensor:
        """Normalise (..., C).

        Parameters
        ----------
        input
            (..., C).
        bias
            (C,) bias of the layer before, which then need not add it: normalisation takes it away
            again in training, and evaluation adds it to the offset.
        """
        rows = input.reshape(-1, input.shape[-1])
        mean, var = self.running_mean, self.running_var
        assert mean is not None  # BatchNorm1d's buffers are optional; ours are not
        assert var is not None
        if not self.training:
            offset = self.bias
            if bias is not None:  # on the way out: the library wants no gradient of the mean
                offset = offset + bias * self.weight * torch.rsqrt(var + self.eps)
            y = F.batch_norm(rows, mean, var, self.weight, offset, eps=self.eps)
            return (F.relu(y, inplace=not torch.is_grad_enabled()) if relu else y).view(input.shape)
        if len(rows) < 2:
            raise ShapeError(
                "Batch normalisation needs at least 2 gaits a batch in training; found 1."
            )
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = 0.0 if self.momentum is None else self.momentum
        y = cast(
            "Tensor",
            _NormaliseRows.apply(rows, self.weight, self.bias, mean, var, momentum, self.eps, relu),
        )
        if bias is not None:
            mean.add_(bias.detach(), alpha=momentum)
        return y.view(input.shape)


class _NormaliseRows(torch.autograd.Function):
    """Batch normalisation of (R, C) over rows, and ReLU where wanted.

    The library's own backward takes twice as long.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor,
        running_mean: Tensor, running_var: Tensor, momentum: float, eps: float, relu: bool,
    ) -> Tensor:  # fmt: skip
        y, mean, scale = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps
        )
        if relu:
            y.relu_()
        ctx.save_for_backward(x, weight, mean, scale, y if relu else None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight, mean, scale, y = cast(
            "tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]", ctx.saved_tensors
        )
        centred = x - mean  # in the wider type, where mixed precision gave a narrow x
        dy = grad_outputs[0].contiguous()
        if y is not None:
            dy = torch.ops.aten.threshold_backward(dy, y, 0)
        dy = dy.to(centred.dtype)
        dbias = dy.sum(dim=0)
        dweight = torch.linalg.vecdot(dy, centred, dim=0) * scale
        dx = None
        if ctx.needs_input_grad[0]:
            # weight * scale * (dy - mean of dy - normalised x * mean of (dy * normalised x))
            factor = weight * scale
            centred *= -factor * scale * dweight / len(x)
            dx = centred.addcmul_(dy, factor).sub_(factor * dbias / len(x)).to(x.dtype)
        return dx, dweight, dbias, None, None, None, None, None


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
        return _add(mixed.view(n_frames, n_gaits, n_joints, n_out), bias)


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
        """Turn (T, N, V, C) into (1 + (T - 1) // stride, N, V, C), the bias not yet added."""
        return convolve_time(x, self.weight, stride=self.stride, form=self.form)


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
        y = self.graph_norm(self.graph(x), relu=True)
        y = self.dropout(self.temporal_norm(self.temporal(y), bias=self.temporal.bias))
        if self.shortcut is not None and self.shortcut_norm is not None:
            shortcut = F.linear(x[:: self.stride], self.shortcut.weight)
            y = _add(y, self.shortcut_norm(shortcut, bias=self.shortcut.bias))
        elif self.residual:
            y = _add(y, x)
        return F.relu(y, inplace=not torch.is_grad_enabled())


def _add(y: Tensor, other: Tensor) -> Tensor:
    """Add to a tensor that nobody else holds: in place, where no gradient forbids it."""
    return y + other if torch.is_grad_enabled() else y.add_(other)
