"""Withholding answers: how many are left, and how many of them are right."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.statistics import compute_proportion_interval

__all__ = [
    "LEAST_ANSWERS",
    "Abstention",
    "RiskCoverage",
    "choose_threshold",
    "compute_risk_coverage",
    "cross_validate_threshold",
]

LEAST_ANSWERS = 20
"""A share right of fewer answers says nothing about the next one."""


class RiskCoverage(NamedTuple):
    """What is left, and how much of it is wrong, above every possible threshold.

    Parameters
    ----------
    threshold
        (m,) confidences that occur, descending.
    coverage
        (m,) share of gaits with at least that confidence.
    risk
        (m,) share of wrong answers among them.
    """

    threshold: NDArray[np.float64]
    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Abstention:
    """A threshold of confidence, and what it did to gaits that it was not chosen on.

    Parameters
    ----------
    share_wanted
        Of answers that should be right.
    min_confidence
        The threshold, chosen on all gaits; 1 if none reaches the share.
    n_gaits, n_answered, n_right
        Counts over folds, each with the threshold that the other folds chose.
    coverage
        Share of gaits answered.
    share_right, share_right_ci95
        Of these answers, with an exact interval; None where there is no answer.
    """

    share_wanted: float
    min_confidence: float
    n_gaits: int
    n_answered: int
    n_right: int
    coverage: float
    share_right: float | None
    share_right_ci95: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


def compute_risk_coverage(confidence: ArrayLike, right: ArrayLike) -> RiskCoverage:
    """Compute the risk-coverage curve.

    Parameters
    ----------
    confidence
        (n,) probability of each answer.
    right
        (n,) whether it is right.

    Raises
    ------
    ShapeError
        If the arrays do not fit, are empty, or confidence holds NaN.

    References
    ----------
    .. [1] Geifman and El-Yaniv (2017), Selective classification for deep neural networks, NeurIPS,
       section 2.
    """
    sure, correct = _check(confidence, right)
    order = np.argsort(-sure, kind="stable")
    sure, correct = sure[order], correct[order]
    counts = np.arange(1, len(sure) + 1)
    wrong = counts - np.cumsum(correct)
    last = np.append(sure[1:] != sure[:-1], True)  # gaits of one confidence stand or fall together
    return RiskCoverage(sure[last], counts[last] / len(sure), wrong[last] / counts[last])


def choose_threshold(confidence: ArrayLike, right: ArrayLike, share_right: float) -> float:
    """Choose the least confidence above which at least a share of answers is right.

    Parameters
    ----------
    confidence, right
        (n,) as for `compute_risk_coverage`, of gaits that the model was not trained on.
    share_right
        The share wanted, above 0 and at most 1.

    Returns
    -------
    float
        The threshold with the greatest coverage among those with `LEAST_ANSWERS` or more answers; 1
        where none is good enough.

    Raises
    ------
    ConfigError
        If the share is none.
    ShapeError
        If the arrays do not fit.
    """
    if not 0 < share_right <= 1:
        raise ConfigError(f"share_right is {share_right}; expected more than 0 and at most 1.")
    curve = compute_risk_coverage(confidence, right)
    n = np.round(curve.coverage * len(np.asarray(confidence)))
    good = np.flatnonzero((1 - curve.risk >= share_right - 1e-12) & (n >= LEAST_ANSWERS))
    return float(curve.threshold[good[-1]]) if len(good) else 1.0


def cross_validate_threshold(
    confidence: ArrayLike, right: ArrayLike, fold: ArrayLike, share_right: float
) -> Abstention:
    """Choose a threshold, and say what it is worth on gaits that had no part in the choice.

    Parameters
    ----------
    confidence, right
        (n,) out-of-fold answers.
    fold
        (n,) the fold of each.
    share_right
        The share of answers wanted right.

    Raises
    ------
    ConfigError, ShapeError
        As `choose_threshold`.
    """
    sure, correct = _check(confidence, right)
    folds = np.asarray(fold)
    if folds.shape != sure.shape:
        raise ShapeError(f"fold has shape {folds.shape}; expected {sure.shape}.")
    answered = np.zeros(len(sure), dtype=np.bool_)
    for number in np.unique(folds):
        here = folds == number
        if here.all():
            raise ConfigError("there is one fold; expected two or more.")
        answered[here] = sure[here] >= choose_threshold(sure[~here], correct[~here], share_right)
    n_answered, n_right = int(answered.sum()), int(correct[answered].sum())
    return Abstention(
        share_right,
        choose_threshold(sure, correct, share_right),
        len(sure),
        n_answered,
        n_right,
        n_answered / len(sure),
        n_right / n_answered if n_answered else None,
        compute_proportion_interval(n_right, n_answered) if n_answered else None,
    )


def _check(
    confidence: ArrayLike, right: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    sure = np.asarray(confidence, dtype=np.float64)
    correct = np.asarray(right)
    if sure.ndim != 1 or not len(sure) or correct.shape != sure.shape:
        raise ShapeError(
            f"confidence has shape {sure.shape} and right {correct.shape}; expected (n,) twice, n >= 1."
        )
    if np.isnan(sure).any():
        raise ShapeError("confidence holds NaN; expected probabilities.")
    return sure, correct.astype(np.bool_)
