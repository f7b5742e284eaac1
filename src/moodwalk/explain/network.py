"""A network's answer as one differentiable function of where the joints are."""

import copy
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moodwalk.features import FEATURES, N_PUBLISHED, compute_affective_features
from moodwalk.gait import Gait
from moodwalk.models.checkpoint import Checkpoint
from moodwalk.skeleton import Joint

__all__ = ["WalkNetwork", "compute_odds", "compute_posture_and_movement"]

_TINY = 1e-24  # a length has no gradient at 0
_UP = (0.0, 1.0, 0.0)
_DISTANCES = (Joint.RIGHT_HAND, Joint.LEFT_HAND, Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
_MOVING = (Joint.RIGHT_HAND, Joint.LEFT_HAND, Joint.HEAD, Joint.RIGHT_FOOT, Joint.LEFT_FOOT)


class WalkNetwork(nn.Module):
    """From the joints of a walk to logits, the affective features included.

    A network of the STEP family has two inputs, the joints and the affective features, but the second is
    computed from the first. Here it is computed with gradients, so that what a joint does to a
    feature is counted as the joint's.

    Parameters
    ----------
    checkpoint
        Weights; copied, never changed.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.network = copy.deepcopy(checkpoint.network).eval().requires_grad_(False)
        self.encoder = checkpoint.encoder
        scaler = checkpoint.encoder.scaler
        self.n_affective = checkpoint.encoder.n_affective
        self.reach = self.middle = torch.zeros(0, dtype=torch.float64)
        if scaler is not None:
            self.reach = torch.from_numpy(scaler.maximum / 2 - scaler.minimum / 2)
            self.middle = torch.from_numpy(scaler.maximum / 2 + scaler.minimum / 2)

    @property
    def n_rhythm(self) -> int:
        """How many features count strikes: they have no gradient and are an input of their own."""
        return max(0, self.n_affective - N_PUBLISHED)

    def compute_rhythm(self, gait: Gait) -> NDArray[np.float64]:
        """Return the (R,) features that count strikes, of a walk in the encoder's form."""
        table = compute_affective_features([gait])[0]
        return table[N_PUBLISHED : N_PUBLISHED + self.n_rhythm]

    def forward(self, positions: Tensor, rhythm: Tensor | None = None) -> Tensor:
        """Return logits.

        Parameters
        ----------
        positions
            (N, T, 16, 3) of walks in the encoder's form, float64, T at most the network's input: shorter
            ones are repeated here.
        rhythm
            (N, R) features that count strikes, where the network wants them.

        Returns
        -------
        Tensor
            (N, classes), not divided by the temperature.
        """
        affective = None
        if self.n_affective:
            features = compute_posture_and_movement(positions, self.encoder.fps)
            features = features[:, : self.n_affective]
            if rhythm is not None:
                features = torch.cat([features, rhythm], dim=1)
            constant = self.reach == 0
            scaled = (features - self.middle) / torch.where(constant, 1.0, self.reach)
            affective = torch.where(constant, 0.0, scaled).float()
        index = torch.arange(self.encoder.n_frames) % positions.shape[1]
        return cast("Tensor", self.network(positions.float()[:, index], affective))


def compute_odds(logits: Tensor, target: int) -> Tensor:
    """Compute the log-odds of one class against all others.

    Parameters
    ----------
    logits
        (N, classes), two or more.
    target
        Which class.

    Returns
    -------
    Tensor
        (N,) natural logarithms.
    """
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - torch.logsumexp(others, dim=1)


def compute_posture_and_movement(positions: Tensor, fps: float) -> Tensor:
    """Compute the 27 published affective features with gradients.

    Parameters
    ----------
    positions
        (N, T, 16, 3), T >= 4, without NaN.
    fps
        Frames per second.

    Returns
    -------
    Tensor
        (N, 27) float64, as `moodwalk.features.compute_affective_features` gives them, unnormalised.

    Notes
    -----
    Angles come from the arc tangent, whose gradient is finite where the arc cosine's is not. What has no
    length has the gradient 0.
    """
    x = positions.double()
    up = torch.tensor(_UP, dtype=torch.float64).expand(x.shape[0], x.shape[1], 3)

    def angle(at: Joint, one: Joint, other: Joint) -> Tensor:
        return _angle_deg(x[:, :, one] - x[:, :, at], x[:, :, other] - x[:, :, at])

    def area(at: Joint, one: Joint, other: Joint) -> Tensor:
        u, v = x[:, :, one] - x[:, :, at], x[:, :, other] - x[:, :, at]
        return _norm(torch.linalg.cross(u, v)) / 200

    right, left = Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER
    frames = [
        (x.amax(dim=2) - x.amin(dim=2)).prod(dim=-1) / 1000,
        angle(Joint.NECK, right, left),
        angle(right, Joint.NECK, left),
        angle(left, Joint.NECK, right),
        _angle_deg(x[:, :, Joint.HEAD] - x[:, :, Joint.ROOT], up),
        angle(Joint.NECK, Joint.HEAD, Joint.SPINE),
        *(_norm(x[:, :, joint] - x[:, :, Joint.ROOT]) / 10 for joint in _DISTANCES),
        area(Joint.NECK, Joint.LEFT_HAND, Joint.RIGHT_HAND),
        area(Joint.ROOT, Joint.LEFT_FOOT, Joint.RIGHT_FOOT),
    ]
    motions = [
        _norm(torch.diff(x[:, :, joint], n=order, dim=1)).mean(dim=1) * fps**order / 10
        for order in (1, 2, 3)
        for joint in _MOVING
    ]
    features = torch.stack([*(values.mean(dim=1) for values in frames), *motions], dim=1)
    assert features.shape[1] == N_PUBLISHED <= len(FEATURES)
    return features


def _norm(u: Tensor) -> Tensor:
    return (u.square().sum(dim=-1) + _TINY).sqrt()


def _angle_deg(u: Tensor, v: Tensor) -> Tensor:
    return torch.rad2deg(torch.atan2(_norm(torch.linalg.cross(u, v)), (u * v).sum(dim=-1)))
