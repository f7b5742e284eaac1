"""The trained network's answer in NumPy: the same as `Stgcn` in evaluation mode, ready at once.

Loading PyTorch takes longer than reading a walk. Every normalisation is folded into the layer beside it, and
the temporal convolutions, whose length is known, are products with fixed matrices: to frequencies,
times the kernel's spectrum, and back (see `moodwalk.models.convolution`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.models.config import StgcnConfig
from moodwalk.skeleton import N_JOINTS, compute_adjacency

__all__ = ["StgcnForward"]

FloatArray = NDArray[np.float32]

_EPS = 1e-5  # of `torch.nn.BatchNorm1d`
_N_TOGETHER = 16
"""Gaits that go through together: more are no faster, and take more memory."""


class StgcnForward:
    """From what `GaitEncoder.encode` returns to logits.

    Parameters
    ----------
    config
        Which network.
    arrays
        What it learned, as `StgcnConfig.list_shapes` lists it.
    n_frames
        Frames of its input.
    """

    def __init__(
        self, config: StgcnConfig, arrays: Mapping[str, NDArray[Any]], n_frames: int
    ) -> None:
        get = _Arrays(arrays)
        self._input = get.norm("input_norm")
        self._blocks: list[_Block] = []
        self._node_weights: list[FloatArray] = []
        self._concatenate = config.concatenate
        adjacency = compute_adjacency(config.partition).astype(np.float64)
        for i, (_, stride) in enumerate(config.blocks):
            block = _Block.fold(
                get, f"blocks.{i}", adjacency, stride, n_frames, config.has_shortcut(i)
            )
            self._blocks.append(block)
            n_frames = 1 + (n_frames - 1) // stride
            if config.node_weights:
                shares = np.ones(N_JOINTS)
                if i:
                    logits = get(f"node_weights.{i - 1}.logits")
                    shares = np.exp(logits - logits.max())
                    shares *= N_JOINTS / shares.sum()
                self._node_weights.append(shares[:, None].astype(np.float32))
        self._head = get.norm("head_norm") if config.n_affective else None
        layers = ["hidden", "classes"] if config.n_hidden else ["classes"]
        self._layers = [
            (get(f"{name}.weight").T.astype(np.float32), get(f"{name}.bias").astype(np.float32))
            for name in layers
        ]

    def __call__(self, positions: FloatArray, affective: FloatArray | None) -> FloatArray:
        """Return (N, classes) logits of (N, T, 16, 3) positions and (N, F) affective features."""
        rows = [
            self._score(
                positions[i : i + _N_TOGETHER],
                None if affective is None else affective[i : i + _N_TOGETHER],
            )
            for i in range(0, len(positions), _N_TOGETHER)
        ]
        return np.concatenate(rows)

    def _score(self, positions: FloatArray, affective: FloatArray | None) -> FloatArray:
        n_gaits, n_frames = positions.shape[:2]
        scale, offset = self._input
        x = positions.reshape(n_gaits, n_frames, -1) * scale + offset
        x = x.reshape(n_gaits, n_frames, N_JOINTS, 3).swapaxes(0, 1)
        pooled: list[FloatArray] = []
        for i, block in enumerate(self._blocks):
            if self._node_weights:
                x = x * self._node_weights[i]
            x = block(np.ascontiguousarray(x))
            if self._concatenate or i == len(self._blocks) - 1:
                pooled.append(x.mean(axis=(0, 2)))
        y = np.concatenate(pooled, axis=1)
        if self._head is not None and affective is not None:
            scale, offset = self._head
            y = np.concatenate([y, affective], axis=1) * scale + offset
        for weight, bias in self._layers:
            y = y @ weight + bias
        return y


class _Arrays:
    """Learned arrays by name, in double precision so that folding loses nothing."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = arrays

    def __call__(self, name: str) -> NDArray[np.float64]:
        return self._arrays[name].astype(np.float64)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def norm(self, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scale and offset of a batch normalisation."""
        scale = self(f"{name}.weight") / np.sqrt(self(f"{name}.running_var") + _EPS)
        offset = self(f"{name}.bias") - self(f"{name}.running_mean") * scale
        return scale.astype(np.float32), offset.astype(np.float32)


@dataclass(frozen=True, eq=False, slots=True)
class _Block:
    """Graph convolution, temporal convolution, shortcut; normalisations folded in."""

    gather: FloatArray  # (V K, V)
    mix: FloatArray  # (K C_in, C_out)
    graph_offset: FloatArray  # (V, C_out)
    temporal: "_Temporal"
    offset: FloatArray  # (C_out,)
    shortcut: FloatArray | None  # (C_in, C_out)
    has_shortcut: bool
    stride: int

    @classmethod
    def fold(
        cls,
        get: _Arrays,
        name: str,
        adjacency: NDArray[np.float64],
        stride: int,
        n_frames: int,
        has_shortcut: bool,
    ) -> "_Block":
        shares = adjacency * get(f"{name}.graph.importance")
        weight, bias = get(f"{name}.graph.weight"), get(f"{name}.graph.bias")
        scale, offset = get.norm(f"{name}.graph_norm")
        n_partitions, n_joints = shares.shape[:2]
        gather = shares.transpose(2, 0, 1).reshape(n_joints * n_partitions, n_joints)
        graph_offset = shares.sum(axis=1).T @ bias * scale + offset
        after, total = get.norm(f"{name}.temporal_norm")
        kernel = get(f"{name}.temporal.weight") * after
        total = total + get(f"{name}.temporal.bias") * after
        shortcut = None
        if f"{name}.shortcut.weight" in get:  # else none, or the identity
            beside, more = get.norm(f"{name}.shortcut_norm")
            shortcut = (get(f"{name}.shortcut.weight").T * beside).astype(np.float32)
            total = total + get(f"{name}.shortcut.bias") * beside + more
        return cls(
            gather.astype(np.float32),
            (weight.reshape(-1, weight.shape[-1]) * scale).astype(np.float32),
            graph_offset.astype(np.float32),
            _Temporal.plan(kernel, n_frames, stride),
            total.astype(np.float32),
            shortcut,
            has_shortcut,
            stride,
        )

    def __call__(self, x: FloatArray) -> FloatArray:
        """Turn (T, N, V, C_in) into (T_out, N, V, C_out)."""
        n_frames, n_gaits, n_joints, _ = x.shape
        gathered = np.matmul(self.gather, x).reshape(-1, len(self.mix))
        y = (gathered @ self.mix).reshape(n_frames, n_gaits, n_joints, -1)
        y += self.graph_offset
        np.maximum(y, 0, out=y)
        y = self.temporal(y)
        y += self.offset
        if self.has_shortcut:
            kept = x[:: self.stride]
            y += kept if self.shortcut is None else kept @ self.shortcut
        return np.maximum(y, 0, out=y)


@dataclass(frozen=True, eq=False, slots=True)
class _Temporal:
    """A convolution over the time of walks of one length, by way of frequencies.

    Of B frequencies, the real parts come first, then the imaginary ones.
    """

    analysis: FloatArray  # (2 B, T)
    kernel: FloatArray  # (B, C_in, 2 C_out): the kernel's spectrum, real beside imaginary part
    synthesis: FloatArray  # (T_out, 2 B)

    @classmethod
    def plan(cls, kernel: NDArray[np.float64], n_frames: int, stride: int) -> "_Temporal":
        half = len(kernel) // 2
        reach = min(half, n_frames - 1)  # no tap further away meets a frame
        taps = kernel[half - reach : half + reach + 1]
        period = n_frames + reach
        period += 1 - period % 2  # odd: no frequency stands alone at the upper end
        turn = 2 * np.pi / period * np.arange(period // 2 + 1)[:, None]

        def wave(first: int, n: int, step: int = 1) -> NDArray[np.complex128]:
            return np.exp(1j * turn * np.arange(first, n, step))

        frames = wave(0, n_frames).conj()
        spectrum = np.tensordot(wave(-reach, reach + 1), taps, axes=1)
        back = wave(0, n_frames, stride).T * np.where(turn.ravel() == 0, 1, 2) / period
        return cls(
            np.concatenate([frames.real, frames.imag]).astype(np.float32),
            np.concatenate([spectrum.real, spectrum.imag], axis=2).astype(np.float32),
            np.concatenate([back.real, -back.imag], axis=1).astype(np.float32),
        )

    def __call__(self, x: FloatArray) -> FloatArray:
        """Turn (T, N, V, C_in) into (T_out, N, V, C_out)."""
        n_frames, n_gaits, n_joints, n_in = x.shape
        n_bins, _, width = self.kernel.shape
        n_out = width // 2
        spectrum = (self.analysis @ x.reshape(n_frames, -1)).reshape(2, n_bins, -1, n_in)
        real, imaginary = np.matmul(spectrum, self.kernel)
        product = np.empty((2, *real.shape[:2], n_out), dtype=np.float32)
        np.subtract(real[..., :n_out], imaginary[..., n_out:], out=product[0])
        np.add(real[..., n_out:], imaginary[..., :n_out], out=product[1])
        y = self.synthesis @ product.reshape(2 * n_bins, -1)
        return y.reshape(-1, n_gaits, n_joints, n_out)
