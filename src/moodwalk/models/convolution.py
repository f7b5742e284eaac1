"""Temporal convolution of long kernels, in a direct form and an exact one in the frequency domain.

STEP convolves over time with 75 taps. The library's convolution pays for every tap of every output;
a circular convolution pays once for a change of basis, once for a product at every frequency, and
once for the change back. Here all three are plain matrix products in real arithmetic, so that
they run at the speed of the matrix library and inside automatic differentiation:

* even and odd parts about the centre of the walk meet only cosines and only sines, which halves
  the matrices of both changes of basis;
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
    plan = _Plan.of(n_frames, n_taps, stride)
    direct = plan.n_out * n_taps * n_columns * n_in * n_out
    changes = plan.n_bins * (n_frames * n_in + plan.n_out * n_out) * n_columns
    kernel = plan.n_bins * plan.n_taps * n_in * n_out
    products = plan.n_products * n_columns * n_in * n_out
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


class _Plan(NamedTuple):
    """The sizes of one convolution in the frequency domain."""

    n_frames: int  # of the input
    n_out: int  # frames of the output
    stride: int
    n_lead: int  # zero frames that centre the input on the output
    n_taps: int  # of the kernel that can meet the input at all
    n_cut: int  # taps cut from each end of the kernel
    period: int  # of the circular convolution: odd, and long enough that nothing wraps around

    @classmethod
    def of(cls, n_frames: int, n_taps: int, stride: int) -> "_Plan":
        reach = min(n_taps // 2, n_frames - 1)
        period = n_frames + reach
        return cls(
            n_frames=n_frames,
            n_out=1 + (n_frames - 1) // stride,
            stride=stride,
            n_lead=(n_frames - 1) % stride,
            n_taps=2 * reach + 1,
            n_cut=n_taps // 2 - reach,
            period=period + 1 - period % 2,
        )

    @property
    def n_bins(self) -> int:
        """Frequencies from zero up; an odd period has no Nyquist frequency."""
        return (self.period + 1) // 2

    @property
    def n_products(self) -> int:
        """Real products: one at frequency zero, three at every other."""
        return 3 * self.n_bins - 2


class _Bases(NamedTuple):
    """Cosines (bins, positions of the even part) and sines (bins above zero, of the odd part)."""

    cos_in: Tensor
    sin_in: Tensor
    cos_kernel: Tensor
    sin_kernel: Tensor
    cos_out: Tensor  # frequency zero last
    sin_out: Tensor


@lru_cache(maxsize=64)
def _make_bases(plan: _Plan, dtype: torch.dtype, device: torch.device) -> _Bases:
    bins = torch.arange(plan.n_bins, dtype=torch.float64)

    def basis(n_positions: int, step: int) -> tuple[Tensor, Tensor]:
        # Distance of the first half of the positions from the centre of all of them.
        away = step * (torch.arange((n_positions + 1) // 2) - (n_positions - 1) / 2)
        angle = 2 * torch.pi / plan.period * bins[:, None] * away[None, :]
        return torch.cos(angle), torch.sin(angle[1:, : n_positions // 2])

    cos_in, sin_in = basis(plan.n_frames + plan.n_lead, 1)
    cos_kernel, sin_kernel = basis(plan.n_taps, 1)
    cos_out, sin_out = basis(plan.n_out, plan.stride)
    cos_out = torch.cat([2 * cos_out[1:], cos_out[:1]]) / plan.period
    matrices = (cos_in, -sin_in, cos_kernel, sin_kernel, cos_out, -2 * sin_out / plan.period)
    return _Bases(*(matrix.to(device, dtype).contiguous() for matrix in matrices))


def _fold(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the even and the odd part of (n, m) about the middle row, once each pair."""
    half = len(x) // 2
    first, last = x[:half], x[len(x) - half :].flip(0)
    even = x.new_empty(len(x) - half, x.shape[1])
    torch.add(first, last, out=even[:half])
    even[half:] = x[half : len(x) - half]
    return even, torch.sub(first, last, out=last)


def _unfold(even: Tensor, odd: Tensor) -> Tensor:
    """Return the transpose of `_fold`."""
    half = len(odd)
    x = even.new_empty(len(even) + half, even.shape[1])
    torch.add(even[:half], odd, out=x[:half])
    x[half : len(even)] = even[half:]
    x[len(even) :] = (even[:half] - odd).flip(0)
    return x


class _FrequencyConvolution(torch.autograd.Function):
    """(T, M, C_in) and (K, C_in, C_out) to (T_out, M, C_out).

    With X = a + ib the spectrum of the input and W = c + id that of the kernel, the rows of every
    spectrum are four blocks, of which the product is taken row by row:

        input     a + b    b          a(0)    a
        kernel    c        -(c + d)   c(0)    d - c
        product   p        q          r       s         with ac - bd = p + q, ad + bc = p + s

    The output needs [p + q, r] beside cosines and p + s beside sines, which stand next to each other.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        plan = _Plan.of(len(x), len(weight), stride)
        bases = _make_bases(plan, x.dtype, x.device)
        spectrum = _analyse_input(x, plan, bases)
        kernel = _analyse_kernel(weight, plan, bases)
        ctx.save_for_backward(spectrum, kernel)
        ctx.plan = plan
        return _synthesise_output(torch.bmm(spectrum, kernel), plan, bases)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None]:
        plan: _Plan = ctx.plan
        spectrum, kernel = cast("tuple[Tensor, Tensor]", ctx.saved_tensors)
        (dy,) = grad_outputs
        bases = _make_bases(plan, dy.dtype, dy.device)
        dproduct = _analyse_output(dy, plan, bases)
        dx = dweight = None
        if ctx.needs_input_grad[1]:
            dweight = _synthesise_kernel(torch.bmm(spectrum.mT, dproduct), plan, bases)
        if ctx.needs_input_grad[0]:
            dx = _synthesise_input(torch.bmm(dproduct, kernel.mT), plan, bases)
        return dx, dweight, None


def _analyse_input(x: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    n = plan.n_bins - 1
    flat = x.reshape(len(x), -1)
    even, odd = _fold(F.pad(flat, (0, 0, plan.n_lead, 0)) if plan.n_lead else flat)
    spectrum = x.new_empty(plan.n_products, even.shape[1])
    torch.mm(bases.cos_in, even, out=spectrum[2 * n :])
    torch.mm(bases.sin_in, odd, out=spectrum[n : 2 * n])
    torch.add(spectrum[2 * n + 1 :], spectrum[n : 2 * n], out=spectrum[:n])
    return spectrum.view(-1, *x.shape[1:])


def _synthesise_input(spectrum: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    """Return the transpose of `_analyse_input`; overwrites the spectrum."""
    n = plan.n_bins - 1
    flat = spectrum.view(len(spectrum), -1)
    flat[2 * n + 1 :] += flat[:n]
    flat[n : 2 * n] += flat[:n]
    x = _unfold(bases.cos_in.mT @ flat[2 * n :], bases.sin_in.mT @ flat[n : 2 * n])
    return x[plan.n_lead :].view(-1, *spectrum.shape[1:])


def _synthesise_output(product: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    """Change back to time; overwrites the product."""
    n = plan.n_bins - 1
    flat = product.view(len(product), -1)
    flat[n : 2 * n] += flat[:n]
    flat[2 * n + 1 :] += flat[:n]
    even = bases.cos_out.mT @ flat[n : 2 * n + 1]
    return _unfold(even, bases.sin_out.mT @ flat[2 * n + 1 :]).view(-1, *product.shape[1:])


def _analyse_output(dy: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    """Return the transpose of `_synthesise_output`."""
    n = plan.n_bins - 1
    even, odd = _fold(dy.reshape(len(dy), -1))
    product = dy.new_empty(plan.n_products, even.shape[1])
    torch.mm(bases.cos_out, even, out=product[n : 2 * n + 1])
    torch.mm(bases.sin_out, odd, out=product[2 * n + 1 :])
    torch.add(product[n : 2 * n], product[2 * n + 1 :], out=product[:n])
    return product.view(-1, *dy.shape[1:])


def _analyse_kernel(weight: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    n = plan.n_bins - 1
    taps = weight[plan.n_cut : len(weight) - plan.n_cut]
    even, odd = _fold(taps.reshape(len(taps), -1))
    real, imaginary = bases.cos_kernel @ even, bases.sin_kernel @ odd
    kernel = weight.new_empty(plan.n_products, even.shape[1])
    kernel[:n] = real[1:]
    torch.add(real[1:], imaginary, out=kernel[n : 2 * n]).neg_()
    kernel[2 * n] = real[0]
    torch.sub(imaginary, real[1:], out=kernel[2 * n + 1 :])
    return kernel.view(-1, *weight.shape[1:])


def _synthesise_kernel(dkernel: Tensor, plan: _Plan, bases: _Bases) -> Tensor:
    """Return the transpose of `_analyse_kernel`; taps that meet no input get zero."""
    n = plan.n_bins - 1
    flat = dkernel.view(len(dkernel), -1)
    real = flat.new_empty(plan.n_bins, flat.shape[1])
    real[0] = flat[2 * n]
    torch.sub(flat[:n], flat[n : 2 * n], out=real[1:]).sub_(flat[2 * n + 1 :])
    imaginary = flat[2 * n + 1 :] - flat[n : 2 * n]
    taps = _unfold(bases.cos_kernel.mT @ real, bases.sin_kernel.mT @ imaginary)
    return F.pad(taps, (0, 0, plan.n_cut, plan.n_cut)).view(-1, *dkernel.shape[1:])
