"""STEP-Gen at work: gaits as 75 painted frames, see `moodwalk.models.cvae`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moodwalk.errors import ConfigError
from moodwalk.gait import Gait
from moodwalk.generation.fitting import GeneratorEpoch, GeneratorTraining, fit_network
from moodwalk.models.cvae import Cvae, CvaeConfig
from moodwalk.preprocess import FPS, stack, standardise

__all__ = ["StepGenerator"]

PUBLISHED_LATENT = (3.0, -1.5)
"""The authors' program draws 3 n - 1.5 with normal n, where the network was trained with n."""


@dataclass(frozen=True, eq=False, slots=True)
class StepGenerator:
    """Draw and restyle gaits with STEP-Gen.

    Parameters
    ----------
    network
        The network.
    """

    network: Cvae

    @classmethod
    def fit(
        cls,
        gaits: Sequence[Gait],
        shares: NDArray[np.floating],
        config: CvaeConfig,
        training: GeneratorTraining,
        *,
        seed: int,
        validation: tuple[Sequence[Gait], NDArray[np.floating]] | None = None,
        on_epoch: Callable[[GeneratorEpoch], None] | None = None,
    ) -> Self:
        """Train on gaits, repeated until they fill the frames.

        Parameters
        ----------
        gaits, shares
            Training gaits, and their emotions (N, classes), one-hot or several shares.
        config, training, seed
            What and how.
        validation
            Gaits and shares of other subjects.
        on_epoch
            Called after every epoch.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Cvae(config, shares.shape[1])
        fit_network(
            network,
            network.compute_loss,
            _encode(gaits, shares, config),
            training,
            seed=seed,
            validation=None if validation is None else _encode(*validation, config),
            on_epoch=on_epoch,
        )
        return cls(network)

    @classmethod
    def from_tensors(
        cls, options: Mapping[str, Any], tensors: Mapping[str, Tensor], n_classes: int
    ) -> Self:
        """Return what `to_tensors` described."""
        network = Cvae(CvaeConfig(**options["network"]), n_classes)
        network.load_state_dict(tensors)
        if not all(torch.isfinite(tensor).all() for tensor in network.state_dict().values()):
            raise ConfigError("weights hold NaN or infinity; expected finite numbers.")
        return cls(network.eval())

    def to_tensors(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return options as JSON can hold them, and tensors."""
        return {"network": self.network.config.to_dict()}, self.network.state_dict()

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
    ) -> Iterator[NDArray[np.float64]]:
        """Draw gaits; see `CycleGenerator.draw`.

        Parameters
        ----------
        shares, rng
            What, and where the draws come from.
        n_frames, fps
            The network paints its own number of frames at 30 fps; fewer cut them.
        cadence_spm
            Not possible here.
        like_data
            Whichever way they face, gaits come out as the network paints them.
        published_latent
            Draw 3 n - 1.5, as the authors' program does, rather than n, the prior.

        Raises
        ------
        ConfigError
            If more frames, another frame rate or a cadence are asked for.
        """
        most = self.network.config.n_frames
        if n_frames > most or fps != FPS:
            raise ConfigError(
                f"{n_frames} frames at {fps:g} fps asked of a network that paints {most} at {FPS:g}; "
                f"expected no more."
            )
        if cadence_spm is not None:
            raise ConfigError("this network gives no choice of cadence; expected none.")
        size = (len(shares), self.network.config.n_latent)
        latent = torch.from_numpy(rng.standard_normal(size, dtype=np.float32))
        if published_latent:
            scale, shift = PUBLISHED_LATENT
            latent = scale * latent + shift
        with torch.no_grad():
            positions = self.network.decode(latent, torch.from_numpy(shares).float())
        yield from positions[:, :n_frames].double().numpy()

    def restyle(
        self,
        gait: Gait,
        before: NDArray[np.floating],
        after: NDArray[np.floating],
        strength: float,
    ) -> Gait:
        """Encode a walk under its own emotion and decode it under another, as published.

        What the network does not keep of the walker is lost, also at strength 0; what comes out has
        the network's frames at 30 fps, and its root at the origin.
        """
        shares = before + strength * (after - before)
        arrays = _encode([gait], before[None], self.network.config)
        with torch.no_grad():
            latent, _ = self.network.encode(*arrays)
            positions = self.network.decode(latent, torch.from_numpy(shares[None]).float())
        return gait.with_positions(positions[0].numpy(), fps=FPS)


def _encode(
    gaits: Sequence[Gait], shares: NDArray[np.floating], config: CvaeConfig
) -> tuple[Tensor, Tensor]:
    positions = stack([standardise(gait) for gait in gaits], config.n_frames)
    return torch.from_numpy(positions), torch.from_numpy(shares).float()
