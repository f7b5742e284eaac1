"""Temporal convolution of long kernels, in a direct form and an exact one in the frequency domain.

STEP convolves over time with 75 taps. The library's convolution pays for every tap of every output;
a circular convolution pays once for a change of basis, once for a product at every frequency, and
once for the change back. Here all three are plain matrix products in real arithmetic, so that
they run at the speed of the matrix library and inside automatic differentiation:

* a stride of s makes it a sum of s convolutions, each of every s-th frame with every s-th tap, and
  every change of basis s times cheaper;
* three real products make one complex product (Gauss);
* the spectrum is laid out (frequency, gait and joint, channel), so that no array is ever permuted.

Both forms take (T, N, V, C) arrays, time first and channels last, and pad with zeros to "same".
"""

from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from moodwalk.errors import ConfigError

__all__ = ["FORMS", "Form", "choose_form", "convolve_time"]

Form = Literal["auto", "direct", "frequency"]
FORMS: tuple[Form, ...] = get_args(Form)


def convolve_time(x: Tensor, weight: Tensor, *, stride: int = 1, form: Form = "auto") -> Tensor:
    """Convolve over time (cross-correlate, as networks do) with zero padding to "same".

    Parameters
    ----------
    x
        (T, N, V, C_in): frames, gaits, joints, channels.
    weight
        (K, C_in, C_out), K odd.
    stride
        Take every stride-th output.
    form
        ``direct``, ``frequency``, or ``auto``: the one that `choose_form` expects to be faster.

    Returns
    -------
    Tensor
        (1 + (T - 1) // stride, N, V, C_out).

    Raises
    ------
    ConfigError
        If K is even or the form unknown.
    """
    if weight.shape[0] % 2 == 0:
        raise ConfigError(f"A temporal kernel has an odd number of taps; found {weight.shape[0]}.")
    if form not in FORMS:
        raise ConfigError(
            f"'{form}' is no form of convolution; expected one of {', '.join(FORMS)}."
        )
    n_frames, n_gaits, n_joints, n_in = x.shape
    n_columns = n_gaits * n_joints
    if form == "auto":
        form = choose_form(n_frames, n_columns, tuple(weight.shape), stride, x.device.type)
    if form == "direct":
        return _convolve_direct(x, weight, stride)
    flat = x.reshape(n_frames, n_columns, n_in)
    if torch.is_autocast_enabled(x.device.type):
        # A spectrum in half precision would drown what it adds up; stay in the weights' type.
        with torch.autocast(x.device.type, enabled=False):
            y = cast("Tensor", _FrequencyConvolution.apply(flat.to(weight.dtype), weight, stride))
    else:
        y = cast("Tensor", _FrequencyConvolution.apply(flat, weight, stride))
    return y.view(len(y), n_gaits, n_joints, -1)


def choose_form(
    n_frames: int, n_columns: int, kernel_shape: tuple[int, ...], stride: int, device: str = "cpu"
) -> Form:
    """Choose the form that needs less arithmetic; accelerators keep their library's convolution.

    The factor 2 is what `benchmarks/` measures: a product in the frequency domain costs about twice
    as much as one in the library's convolution, because it passes more often through memory.
    """
    if device != "cpu":
        return "direct"
    n_taps, n_in, n_out = kernel_shape
    plan = _make_plan(n_frames, n_taps, stride)
    direct = plan.n_out * n_taps * n_columns * n_in * n_out
    changes = plan.period * (n_frames * n_in + plan.n_out * n_out) * n_columns
    kernel = plan.n_products * sum(phase.n_taps for phase in plan.phases) * n_in * n_out
    products = plan.n_products * len(plan.phases) * n_columns * n_in * n_out
    return "frequency" if 2 * (changes + kernel + products) < direct else "direct"


def _convolve_direct(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolve with the library's convolution.

    The padding is written out. Left to the library, the gradient of a kernel longer than what it
    covers is wrong on CPUs with AVX-512 (75 frames) or corrupts memory (38 frames and fewer).
    """
    half = weight.shape[0] // 2
    image = F.pad(x.permute(1, 3, 0, 2), (0, 0, half, half)).contiguous()  # (N, C_in, T, V)
    kernel = weight.permute(2, 1, 0)[..., None].contiguous()
    return F.conv2d(image, kernel, stride=(stride, 1)).permute(2, 0, 3, 1).contiguous()


class _Phase(NamedTuple):
    """Every stride-th frame from one on, and every stride-th tap: those that meet these frames."""

    first_frame: int
    n_frames: int
    first_tap: int
    n_taps: int
    lag: int  # the first tap brings frame u + lag of these to output u


class _Plan(NamedTuple):
    """The sizes of one convolution in the frequency domain."""

    n_out: int  # frames of the output
    stride: int
    phases: tuple[_Phase, ...]
    period: int  # of the circular convolutions: odd, and long enough that nothing wraps around

    @property
    def n_bins(self) -> int:
        """Frequencies above zero; an odd period has no Nyquist frequency."""
        return self.period // 2

    @property
    def n_products(self) -> int:
        """Real products of a phase: one at frequency zero, three at every other."""
        return 3 * self.n_bins + 1


@lru_cache(maxsize=64)
def _make_plan(n_frames: int, n_taps: int, stride: int) -> _Plan:
    n_out, half = 1 + (n_frames - 1) // stride, n_taps // 2
    phases: list[_Phase] = []
    period = 1
    for first in range(min(stride, n_frames)):
        n_kept = len(range(first, n_frames, stride))
        # Lags that are within the kernel, and between some frame of these and some output.
        low = max(-((half + first) // stride), 1 - n_out)
        high = min((half - first) // stride, n_kept - 1)
        if low <= high:
            first_tap = half + first + low * stride
            phases.append(_Phase(first, n_kept, first_tap, high - low + 1, low))
            period = max(period, n_out + high, n_kept - low)
    return _Plan(n_out, stride, tuple(phases), period + 1 - period % 2)


class _Bases(NamedTuple):
    """Matrices (rows of a spectrum, positions in time); the spectra are `_FrequencyConvolution`'s."""

    frames: tuple[Tensor, ...]  # one a phase; without the rows a + b
    taps: tuple[Tensor, ...]
    output: Tensor  # without the rows p


@lru_cache(maxsize=64)
def _make_bases(plan: _Plan, dtype: torch.dtype, device: torch.device) -> _Bases:
    bins = torch.arange(plan.n_bins + 1, dtype=torch.float64)

    def basis(first: int, n_positions: int) -> tuple[Tensor, Tensor, Tensor]:
        positions = torch.arange(first, first + n_positions)
        angle = 2 * torch.pi / plan.period * bins[:, None] * positions[None, :]
        return torch.cos(angle[1:]), torch.sin(angle[1:]), torch.ones_like(angle[:1])

    def finish(*rows: Tensor) -> Tensor:
        return torch.cat(rows).to(device, dtype)

    frames: list[Tensor] = []
    taps: list[Tensor] = []
    for phase in plan.phases:
        cos, sin, one = basis(0, phase.n_frames)
        frames.append(finish(-sin, one, cos))
        cos, sin, one = basis(phase.lag, phase.n_taps)
        taps.append(finish(cos, -(cos + sin), one, sin - cos))
    cos, sin, one = (matrix / plan.period for matrix in basis(0, plan.n_out))
    return _Bases(tuple(frames), tuple(taps), finish(2 * cos, one, -2 * sin))


class _FrequencyConvolution(torch.autograd.Function):
    """(T, M, C_in) and (K, C_in, C_out) to (T_out, M, C_out).

    With X = a + ib the spectrum of a phase's frames and W = c + id that of its taps, the rows of
    every spectrum are four blocks, of which the product is taken row by row:

        frames    a + b    b          a(0)    a
        taps      c        -(c + d)   c(0)    d - c
        product   p        q          r       s         with ac - bd = p + q, ad + bc = p + s

    The output needs [p + q, r] beside cosines and p + s beside sines: as the block a + b is made
    from the others, so is p added to the others. Products of all phases add up.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        plan = _make_plan(len(x), len(weight), stride)
        bases = _make_bases(plan, x.dtype, x.device)
        flat, n_columns = x.reshape(len(x), -1), x.shape[1]
        spectra = x.new_empty(len(plan.phases), plan.n_products, n_columns, weight.shape[1])
        kernels = x.new_empty(len(plan.phases), plan.n_products, *weight.shape[1:])
        product = x.new_empty(plan.n_products, n_columns, weight.shape[2])
        for i, phase in enumerate(plan.phases):
            _analyse(bases.frames[i], flat[phase.first_frame :: stride], spectra[i].flatten(1))
            torch.mm(bases.taps[i], _take(weight, phase, stride), out=kernels[i].flatten(1))
            torch.baddbmm(product, spectra[i], kernels[i], beta=min(i, 1), out=product)
        ctx.save_for_backward(spectra, kernels)
        ctx.plan, ctx.x_shape, ctx.weight_shape = plan, x.shape, weight.shape
        y = x.new_empty(plan.n_out, *product.shape[1:])
        _synthesise(bases.output, product.flatten(1), y.flatten(1))
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        plan: _Plan = ctx.plan
        spectra, kernels = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        (dy,) = grad_outputs
        bases = _make_bases(plan, dy.dtype, dy.device)
        dproduct = dy.new_empty(plan.n_products, *dy.shape[1:])
        _analyse(bases.output, dy.reshape(len(dy), -1), dproduct.flatten(1))
        dx = dweight = None
        if ctx.needs_input_grad[1]:
            all_meet = sum(phase.n_taps for phase in plan.phases) == ctx.weight_shape[0]
            dweight = (dy.new_empty if all_meet else dy.new_zeros)(ctx.weight_shape)
            for i, phase in enumerate(plan.phases):
                dkernel = torch.bmm(spectra[i].mT, dproduct).flatten(1)
                torch.mm(bases.taps[i].mT, dkernel, out=_take(dweight, phase, plan.stride))
        if ctx.needs_input_grad[0]:
            all_meet = sum(phase.n_frames for phase in plan.phases) == ctx.x_shape[0]
            dx = (dy.new_empty if all_meet else dy.new_zeros)(ctx.x_shape)
            dspectrum = torch.empty_like(spectra[0])
            for i, phase in enumerate(plan.phases):
                torch.bmm(dproduct, kernels[i].mT, out=dspectrum)
                kept = dx.flatten(1)[phase.first_frame :: plan.stride]
                _synthesise(bases.frames[i], dspectrum.flatten(1), kept)
        return dx, dweight, None


def _take(weight: Tensor, phase: _Phase, stride: int) -> Tensor:
    """Return the taps of a phase as rows, a view."""
    end = phase.first_tap + (phase.n_taps - 1) * stride + 1
    return weight.flatten(1)[phase.first_tap : end : stride]


def _analyse(basis: Tensor, x: Tensor, spectrum: Tensor) -> None:
    """Change rows of time to frequency."""
    n = len(basis) // 2
    torch.mm(basis, x, out=spectrum[n:])
    torch.add(spectrum[n : 2 * n], spectrum[2 * n + 1 :], out=spectrum[:n])


def _synthesise(basis: Tensor, spectrum: Tensor, x: Tensor) -> None:
    """Do the transpose of `_analyse`; overwrites the spectrum."""
    n = len(basis) // 2
    spectrum[n : 2 * n] += spectrum[:n]
    spectrum[2 * n + 1 :] += spectrum[:n]
    torch.mm(basis.mT, spectrum[n:], out=x)
