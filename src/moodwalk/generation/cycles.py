"""moodwalk's own generator at work: gaits as gait cycles, see `moodwalk.models.cycle_mixture`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moodwalk.cycles import CADENCE_RANGE_SPM
from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.harmonics import (
    MOST_CYCLES,
    GaitCycle,
    add_waves,
    compute_bone_vectors,
    fit_cycle,
    join_bones,
)
from moodwalk.models.cycle_mixture import CycleMixture, CycleMixtureConfig
from moodwalk.preprocess import resample_positions

__all__ = ["CycleGenerator"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class CycleGenerator:
    """Draw and restyle gaits as gait cycles.

    Parameters
    ----------
    mixture
        The distribution of cycles.
    """

    mixture: CycleMixture

    @classmethod
    def fit(
        cls,
        gaits: Sequence[Gait],
        shares: NDArray[np.floating],
        config: CycleMixtureConfig,
        *,
        seed: int,
    ) -> Self:
        """Train on gaits; those in which no cycle is found are left out.

        Parameters
        ----------
        gaits, shares
            Training gaits, and their emotions (N, classes), one-hot or several shares.
        config, seed
            See `CycleMixture.fit`.

        Raises
        ------
        ConfigError
            If too few gaits have a cycle.
        """
        cycles: list[GaitCycle] = []
        kept: list[int] = []
        for i, gait in enumerate(gaits):
            try:
                cycles.append(fit_cycle(gait))
            except QualityError:
                continue
            kept.append(i)
        mixture = CycleMixture.fit(cycles, shares[kept], config, seed)
        return cls(CycleMixture.from_arrays(mixture.to_arrays()))  # as it will be read from a file

    @classmethod
    def from_tensors(
        cls, options: Mapping[str, Any], tensors: Mapping[str, Tensor], n_classes: int
    ) -> Self:
        """Return what `to_tensors` described."""
        mixture = CycleMixture.from_arrays({k: tensor.numpy() for k, tensor in tensors.items()})
        if mixture.n_classes != n_classes:
            raise ConfigError(f"{mixture.n_classes} emotions in the weights; expected {n_classes}.")
        return cls(mixture)

    def to_tensors(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return options as JSON can hold them, and tensors."""
        return {}, {k: torch.from_numpy(array) for k, array in self.mixture.to_arrays().items()}

    def draw(
        self,
        shares: NDArray[np.floating],
        rng: np.random.Generator,
        *,
        n_frames: int,
        fps: float,
        cadence_spm: float | None = None,
        like_data: bool = False,
        published_latent: bool = False,
    ) -> Iterator[FloatArray]:
        """Draw gaits, each from a phase of its own.

        Parameters
        ----------
        shares
            (N, classes) emotion of each, or a mixture.
        rng
            Where the draws come from.
        n_frames, fps
            Length and frame rate.
        cadence_spm
            Steps a minute of all of them; None draws each one's own.
        like_data
            Whether as many face -z as in the training data, rather than none, and each is one cycle
            long, whatever `n_frames`.
        published_latent
            Not possible here.

        Yields
        ------
        ndarray
            (T, 16, 3), the root at the origin.

        Raises
        ------
        ConfigError
            If latent points are asked for.
        """
        if published_latent:
            raise ConfigError("this generator has no latent points; expected STEP-Gen's weights.")
        slowest, fastest = CADENCE_RANGE_SPM
        for cycle in self.mixture.draw(shares, rng, turn=like_data):
            period_s = float(np.clip(cycle.period_s, 120 / fastest, 120 / slowest))
            if cadence_spm is not None:
                period_s = 120 / cadence_spm
            length = max(MIN_FRAMES, round(fps * period_s)) if like_data else n_frames
            yield replace(cycle, period_s=period_s).render(length, fps)

    def restyle(
        self,
        gait: Gait,
        before: NDArray[np.floating],
        after: NDArray[np.floating],
        strength: float,
    ) -> Gait:
        """Give a walk another emotion, and leave all else as the walker has it.

        Bones keep their lengths, the root its path, the walk its first phase, and every frame what
        sets it apart from the walker's own average cycle. Cadence changes with the emotion, so the
        number of frames does.

        Parameters
        ----------
        gait
            The walk.
        before, after
            (classes,) its emotion, and the one wanted.
        strength
            0 leaves the walk as it is, 1 goes to the emotion; beyond 1 exaggerates.

        Raises
        ------
        QualityError
            If no gait cycle is found in the walk.
        """
        cycle = fit_cycle(gait)
        n_cycles = gait.duration_s / cycle.period_s
        if n_cycles > MOST_CYCLES + 1:  # the phase of the middle ones says nothing of the others
            raise QualityError(
                f"gait {gait.name!r}: {n_cycles:.0f} gait cycles; expected at most {MOST_CYCLES}, for "
                f"nobody keeps one cadence for long. Cut it into pieces."
            )
        waves, period_s = self.mixture.change(cycle, strength * (after - before))
        side = np.array([1.0, 1.0, -1.0 if cycle.turned else 1.0])
        positions = gait.positions.astype(np.float64) * side
        vectors = compute_bone_vectors(positions)
        lengths = np.linalg.norm(vectors, axis=2, keepdims=True)
        if not lengths.all():
            raise QualityError(f"gait {gait.name!r}: a bone has no length; expected none such.")
        phases = cycle.phase + np.arange(len(gait)) / (gait.fps * cycle.period_s)
        directions = vectors / lengths + add_waves(waves - cycle.waves, phases)
        restyled = positions[:, :1] + join_bones(directions, lengths[..., 0])
        ratio = period_s / cycle.period_s
        if round((len(gait) - 1) * ratio) != len(gait) - 1:
            restyled = resample_positions(restyled, ratio)
        return gait.with_positions((restyled * side).astype(gait.positions.dtype))
