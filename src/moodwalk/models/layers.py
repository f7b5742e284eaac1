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

    def forward(
        self,
        input: Tensor,
        bias: Tensor | None = None,
        *,
        other: Tensor | None = None,
        relu: bool = False,
    ) -> Tensor:
        """Normalise (..., C), then add, then rectify.

        Parameters
        ----------
        input
            (..., C).
        bias
            (C,) bias of the layer before, which then need not add it: normalisation takes it away
            again in training, and evaluation adds it to the offset.
        other
            (..., C), added to what is normalised.
        relu
            Whether to rectify the sum.
        """
        rows = input.reshape(-1, input.shape[-1])
        mean, var = self.running_mean, self.running_var
        assert mean is not None  # BatchNorm1d's buffers are optional; ours are not
        assert var is not None
        if not self.training:
            offset = self.bias
            if bias is not None:  # on the way out: the library wants no gradient of the mean
                offset = offset + bias * self.weight * torch.rsqrt(var + self.eps)
            y = F.batch_norm(rows, mean, var, self.weight, offset, eps=self.eps).view(input.shape)
            alone = not torch.is_grad_enabled()
            if other is not None:
                y = y.add_(other) if alone else y + other
            return F.relu(y, inplace=alone) if relu else y
        if len(rows) < 2:
            raise ShapeError(
                "Batch normalisation needs at least 2 gaits a batch in training; found 1."
            )
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = 0.0 if self.momentum is None else self.momentum
        added = None if other is None else other.reshape(rows.shape)
        y = cast(
            "Tensor",
            _NormaliseRows.apply(
                rows, self.weight, self.bias, added, mean, var, momentum, self.eps, relu
            ),
        )
        if bias is not None:
            mean.add_(bias.detach(), alpha=momentum)
        return y.view(input.shape)


class _NormaliseRows(torch.autograd.Function):
    """Batch normalisation of (R, C) over rows, then a sum and ReLU where wanted, in one new array.

    The library's backward wants contiguous rows: on others it is several times slower.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, other: Tensor | None,
        running_mean: Tensor, running_var: Tensor, momentum: float, eps: float, relu: bool,
    ) -> Tensor:  # fmt: skip
        x = x.contiguous()
        y, mean, scale = torch.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps
        )
        if other is not None:
            y = y.add_(other) if other.dtype == y.dtype else y + other
        if relu:
            y.relu_()
        ctx.save_for_backward(x, weight, mean, scale, y if relu else None)
        ctx.eps = eps
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, weight, mean, scale, y = cast(
            "tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]", ctx.saved_tensors
        )
        dy = grad_outputs[0].contiguous()
        if y is not None:
            dy = torch.ops.aten.threshold_backward(dy, y, 0)
        dx, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
            dy.to(x.dtype), x, weight, None, None, mean, scale, True, ctx.eps,
            [ctx.needs_input_grad[0], True, True],
        )  # fmt: skip
        dother = dy if ctx.needs_input_grad[3] else None
        return dx, dweight, dbias, dother, None, None, None, None, None


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
        # The bias comes before the gathering, so a joint's share of it depends on its neighbours.
        bias = shares.sum(dim=1).mT @ self.bias
        # Rows (joint i, partition k): the neighbours' channels of all partitions lie side by side.
        gather = shares.permute(2, 0, 1).reshape(n_joints * n_partitions, n_joints)
        skeletons = x.reshape(n_frames * n_gaits, n_joints, n_in)
        weight = self.weight.view(-1, n_out)
        if torch.is_autocast_enabled(x.device.type):
            gathered = torch.matmul(gather, skeletons)
            y = gathered.view(-1, n_partitions * n_in) @ weight
            y = y.view(-1, n_joints, n_out) + bias
        else:
            y = cast("Tensor", _GatherAndMix.apply(skeletons, gather, weight, bias))
        return y.view(n_frames, n_gaits, n_joints, n_out)


class _GatherAndMix(torch.autograd.Function):
    """(S, V, C_in), (V K, V), (K C_in, C_out) and (V, C_out) to (S, V, C_out), S skeletons."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gather: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        gathered = torch.bmm(gather.expand(len(x), -1, -1), x)
        ctx.save_for_backward(x, gather, weight, gathered)
        y = torch.mm(gathered.view(-1, len(weight)), weight)
        return y.view(len(x), *bias.shape).add_(bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        x, gather, weight, gathered = cast(
            "tuple[Tensor, Tensor, Tensor, Tensor]", ctx.saved_tensors
        )
        (dy,) = grad_outputs
        rows = dy.reshape(-1, weight.shape[1])
        dx = dgather = None
        dweight = gathered.view(len(rows), -1).mT @ rows
        dgathered = (rows @ weight.mT).view(gathered.shape)
        if ctx.needs_input_grad[1]:
            dgather = torch.bmm(dgathered, x.mT).sum(dim=0)
        if ctx.needs_input_grad[0]:
            dx = torch.bmm(gather.mT.expand(len(x), -1, -1), dgathered)
        return dx, dgather, dweight, dy.sum(dim=0)


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
        y = self.temporal(y)
        other = x if self.residual else None
        if self.shortcut is not None and self.shortcut_norm is not None:
            shortcut = F.linear(x[:: self.stride], self.shortcut.weight)
            other = self.shortcut_norm(shortcut, bias=self.shortcut.bias)
        if self.training and self.dropout.p:
            y = self.dropout(self.temporal_norm(y, bias=self.temporal.bias))
            return F.relu(y if other is None else y + other)
        return self.temporal_norm(y, bias=self.temporal.bias, other=other, relu=True)
