"""Models of one's own: a network and a scikit-learn classifier, both ready for a sweep.

Run them beside STEP:

    moodwalk experiment run examples/own_models.toml --data PATH -o results/own
    moodwalk experiment report results/own
"""

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor, nn

from moodwalk.preprocess import stack, standardise


class SmallConvNet(nn.Module):
    """Short convolutions over all joints at once, and the affective features beside them.

    Parameters
    ----------
    n_classes
        How many emotions to tell apart; moodwalk gives it.
    n_channels, kernel
        From ``params`` in the experiment's file.
    """

    n_affective = 27  # how many of the affective features `forward` is given

    def __init__(self, n_classes: int, n_channels: int = 32, kernel: int = 9) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(48),
            nn.Conv1d(48, n_channels, kernel, padding=kernel // 2),
            nn.BatchNorm1d(n_channels),
            nn.ReLU(),
            nn.Conv1d(n_channels, n_channels, kernel, padding=kernel // 2, stride=2),
            nn.BatchNorm1d(n_channels),
            nn.ReLU(),
        )
        self.classes = nn.Linear(n_channels + self.n_affective, n_classes)

    def forward(self, positions: Tensor, affective: Tensor) -> Tensor:
        """Turn (N, T, 16, 3) positions and (N, 27) features into (N, classes) logits."""
        pooled = self.layers(positions.flatten(2).transpose(1, 2)).mean(dim=2)
        return self.classes(torch.cat([pooled, affective], dim=1))


class MeanPose(ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis of the mean and the spread of every joint over time."""

    def __init__(self, shrinkage: str = "auto") -> None:
        self.shrinkage = shrinkage

    def fit(self, gaits, y):
        """Fit on a sequence of `moodwalk.Gait` and their emotions."""
        self.learner_ = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage)
        self.learner_.fit(self._describe(gaits), y)
        self.classes_ = self.learner_.classes_
        return self

    def predict_proba(self, gaits):
        """Return (n, classes) probabilities."""
        return self.learner_.predict_proba(self._describe(gaits))

    @staticmethod
    def _describe(gaits):
        walks = stack([standardise(gait) for gait in gaits], 75)
        return np.concatenate([walks.mean(axis=1), walks.std(axis=1)], axis=1).reshape(
            len(walks), -1
        )
