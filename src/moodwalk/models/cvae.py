"""STEP-Gen: a conditional variational autoencoder of gaits on ST-GCN."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.models.convolution import Form
from moodwalk.models.layers import ChannelNorm, StgcnBlock
from moodwalk.skeleton import N_JOINTS, PARTITIONS, Partition, compute_adjacency

__all__ = [
    "Cvae",
    "CvaeConfig",
    "compute_displacement_loss",
    "compute_divergence",
    "compute_movement_loss",
]


_MOST = 10_000
"""Of anything: more is a damaged or hostile file."""


@dataclass(frozen=True, slots=True)
class CvaeConfig:
    """What describes a generator of STEP-Gen's family.

    Parameters
    ----------
    encoder
        Channels of the encoder's blocks.
    decoder
        Channels of the decoder's blocks before the last, which has the three coordinates.
    n_latent
        Dimensions of the latent space.
    n_frames
        Frames of a gait.
    partition, kernel
        See `moodwalk.models.config.StgcnConfig`.

    Raises
    ------
    ConfigError
        If a value makes no network.
    """

    encoder: tuple[int, ...] = (64, 32, 32)
    decoder: tuple[int, ...] = (32, 64)
    n_latent: int = 32
    n_frames: int = 75
    partition: Partition = "spatial"
    kernel: int = 75

    def __post_init__(self) -> None:
        for name in ("encoder", "decoder"):
            object.__setattr__(self, name, tuple(int(width) for width in getattr(self, name)))
        sizes = (*self.encoder, *self.decoder, self.n_latent, self.n_frames)
        if max(sizes, default=0) > _MOST or self.kernel > _MOST:
            raise ConfigError(f"a size of {max(*sizes, self.kernel)}; expected at most {_MOST:,}.")
        if not self.encoder or not self.decoder or min(sizes) < 1:
            raise ConfigError(
                f"encoder {self.encoder}, decoder {self.decoder}, {self.n_latent} latent dimensions, "
                f"{self.n_frames} frames; expected positive numbers."
            )
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise ConfigError(f"kernel is {self.kernel}; expected an odd number of taps.")
        if self.partition not in PARTITIONS:
            raise ConfigError(
                f"partition is '{self.partition}'; expected one of {', '.join(PARTITIONS)}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON can hold it."""
        return asdict(self)


class Cvae(nn.Module):
    """Encoder and decoder of gaits, both told the emotion.

    Parameters
    ----------
    config
        Which one.
    n_classes
        Emotions.
    form
        How temporal convolutions are computed; it does not change what they compute.

    References
    ----------
    .. [1] Bhattacharya et al. (2020), STEP: Spatial temporal graph convolutional networks for
       emotion perception from gaits, AAAI, section 5.
    """

    def __init__(self, config: CvaeConfig, n_classes: int = 4, *, form: Form = "auto") -> None:
        super().__init__()
        self.config = config
        self.n_classes = n_classes
        adjacency = torch.from_numpy(compute_adjacency(config.partition))

        def stack(widths: tuple[int, ...]) -> nn.ModuleList:
            return nn.ModuleList(
                StgcnBlock(
                    n_in, n_out, adjacency, kernel=config.kernel, learn_importance=False, form=form
                )
                for n_in, n_out in pairwise(widths)
            )

        self.input_norm = ChannelNorm((3 + n_classes) * N_JOINTS)
        self.encoder = stack((3 + n_classes, *config.encoder))
        self.mean = nn.Linear(config.encoder[-1], config.n_latent)
        self.log_variance = nn.Linear(config.encoder[-1], config.n_latent)
        self.start = nn.Linear(config.n_latent + n_classes, config.decoder[0])
        self.decoder = stack((config.decoder[0], *config.decoder, 3))
        # blocks end with a ReLU: this gives coordinates their sign and size
        self.output_norm = ChannelNorm(3 * N_JOINTS)
        for linear in (self.mean, self.log_variance, self.start):
            nn.init.normal_(linear.weight, 0.0, 0.02)
            nn.init.zeros_(linear.bias)

    def encode(self, positions: Tensor, emotions: Tensor) -> tuple[Tensor, Tensor]:
        """Return where in the latent space gaits lie.

        Parameters
        ----------
        positions
            (N, T, 16, 3).
        emotions
            (N, classes), one-hot or shares of several.

        Returns
        -------
        mean, log_variance
            (N, latent) each.

        Raises
        ------
        ShapeError
            If an array has another shape.
        """
        shape = positions.shape
        if len(shape) != 4 or shape[2:] != (N_JOINTS, 3) or 0 in shape:
            raise ShapeError(
                f"positions have shape {tuple(shape)}; expected (N, T, {N_JOINTS}, 3), none of them 0."
            )
        self._check_emotions(emotions, shape[0])
        told = emotions[None, :, None].expand(shape[1], -1, N_JOINTS, -1)
        x = torch.cat([positions.transpose(0, 1), told], dim=3)
        x = self.input_norm(x.flatten(2)).view(x.shape)
        for block in self.encoder:
            x = block(x)
        pooled = x.mean(dim=0).mean(dim=1)
        return self.mean(pooled), self.log_variance(pooled)

    def decode(self, latent: Tensor, emotions: Tensor) -> Tensor:
        """Return the gaits of points in the latent space.

        Parameters
        ----------
        latent
            (N, latent).
        emotions
            (N, classes).

        Returns
        -------
        Tensor
            (N, frames, 16, 3).

        Raises
        ------
        ShapeError
            If an array has another shape.
        """
        if latent.ndim != 2 or latent.shape[1] != self.config.n_latent:
            raise ShapeError(
                f"latent points have shape {tuple(latent.shape)}; "
                f"expected (N, {self.config.n_latent})."
            )
        self._check_emotions(emotions, len(latent))
        x = self.start(torch.cat([latent, emotions], dim=1))
        x = x[None, :, None].expand(self.config.n_frames, -1, N_JOINTS, -1)
        for block in self.decoder:
            x = block(x)
        return self.output_norm(x.flatten(2)).view(x.shape).transpose(0, 1)

    def compute_loss(
        self, positions: Tensor, emotions: Tensor, *, divergence_weight: float = 1.0
    ) -> Tensor:
        """Return the published loss, one draw a gait, averaged over gaits.

        Parameters
        ----------
        positions, emotions
            (N, frames, 16, 3) and (N, classes).
        divergence_weight
            Of the distance to the prior; 1 as published.
        """
        mean, log_variance = self.encode(positions, emotions)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        movement = compute_movement_loss(positions, self.decode(latent, emotions))
        divergence = compute_divergence(mean, log_variance)
        return movement / len(positions) + divergence_weight * divergence

    def _check_emotions(self, emotions: Tensor, n: int) -> None:
        if tuple(emotions.shape) != (n, self.n_classes):
            raise ShapeError(
                f"emotions have shape {tuple(emotions.shape)}; expected ({n}, {self.n_classes})."
            )


def compute_movement_loss(positions: Tensor, others: Tensor) -> Tensor:
    """Compute STEP-Gen's reconstruction loss "between frames": how differently two gaits move.

    The sum of the mean squared error of all positions; of the mean squared error of every frame's
    displacement from the first, the middle (``T // 2 - 1``) and the last frame, summed over gaits and
    frames; and of the squared errors of velocity and of acceleration, summed over everything.

    Parameters
    ----------
    positions, others
        (N, T, 16, 3), two frames or more.

    Returns
    -------
    Tensor
        A number.

    Raises
    ------
    ShapeError
        If shapes differ, or there are fewer than two frames.

    References
    ----------
    .. [1] Bhattacharya et al. (2020), STEP, AAAI, section 5; as the authors' program computes it.
    """
    error = _subtract(positions, others)
    velocity = error.diff(dim=1)
    moved = velocity.square().sum() + velocity.diff(dim=1).square().sum()
    return error.square().mean() + _add_displacements(error, torch.square) + moved


def compute_displacement_loss(positions: Tensor, others: Tensor) -> Tensor:
    """Compute the published program's other reconstruction loss, there called affective.

    As `compute_movement_loss`, of absolute instead of squared errors, and without velocity and
    acceleration. What its name promises, affective features, the program leaves out.

    Parameters
    ----------
    positions, others
        (N, T, 16, 3), two frames or more.

    Returns
    -------
    Tensor
        A number.

    Raises
    ------
    ShapeError
        If shapes differ, or there are fewer than two frames.
    """
    error = _subtract(positions, others)
    return error.abs().mean() + _add_displacements(error, torch.abs)


def _subtract(positions: Tensor, others: Tensor) -> Tensor:
    """Return the error, of which all terms of the losses are made: they are linear before the norm."""
    if positions.shape != others.shape or positions.ndim != 4 or positions.shape[1] < 2:
        raise ShapeError(
            f"shapes {tuple(positions.shape)} and {tuple(others.shape)}; expected the same "
            f"(N, T, {N_JOINTS}, 3), T of at least 2."
        )
    return others - positions


def _add_displacements(error: Tensor, norm: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the norm of displacements from three frames: mean over joints, sum over the rest."""
    n_frames = error.shape[1]
    total = error.new_zeros(())
    for origin in (0, n_frames // 2 - 1, n_frames - 1):
        total = total + norm(error - error[:, origin : origin + 1]).sum()
    return total / error[0, 0].numel()


def compute_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute the Kullback-Leibler divergence of latent distributions from the prior.

    Parameters
    ----------
    mean, log_variance
        (N, latent) of normal distributions.

    Returns
    -------
    Tensor
        A number: the sum over dimensions, the mean over gaits.

    References
    ----------
    .. [1] Kingma and Welling (2014), Auto-encoding variational Bayes, ICLR, appendix B.
    """
    each = mean.square() + log_variance.exp() - 1 - log_variance
    return 0.5 * each.sum(dim=1).mean()
