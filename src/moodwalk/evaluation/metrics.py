"""What is said of answers to gaits whose label is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from moodwalk.errors import LabelError, ShapeError

__all__ = [
    "ClassScore",
    "Reliability",
    "Scores",
    "compute_brier_score",
    "compute_calibration_error",
    "compute_log_loss",
    "compute_reliability",
    "compute_scores",
]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Precision, recall and F1 of one class; 0 where undefined. Support counts true members."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False, slots=True)
class Scores:
    """What predicted classes are worth.

    Parameters
    ----------
    accuracy
        Share of right answers.
    balanced_accuracy
        Mean recall over the classes that the labels hold.
    macro_f1
        Mean F1 over the classes that the labels hold.
    per_class
        One `ClassScore` a class, in the order of the classes.
    confusion
        (k, k) counts; rows are the true classes, columns the predicted ones.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, ClassScore]
    confusion: NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Reliability:
    """Confidence against accuracy, in bins of equal width over confidences from 0 to 1.

    Parameters
    ----------
    confidence
        (n_bins,) mean probability of the predicted class; NaN in an empty bin.
    accuracy
        (n_bins,) share of right answers; NaN in an empty bin.
    count
        (n_bins,) answers.
    """

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.int64]


def compute_scores(labels: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> Scores:
    """Compute accuracy, balanced accuracy, macro-F1, per-class figures and the confusion.

    Parameters
    ----------
    labels, predicted
        (n,) true and predicted class names.
    classes
        Names in the order of rows and columns.

    Returns
    -------
    Scores
        See there.

    Raises
    ------
    ShapeError
        If the arrays are empty or differ in length.
    LabelError
        If a label or a prediction is none of the classes.

    Notes
    -----
    A class that the labels do not hold has no recall, so it counts in neither mean: a test fold
    without angry gaits is averaged over the other classes.
    """
    true = _to_columns(labels, classes, "labels")
    answer = _to_columns(predicted, classes, "predictions")
    if true.shape != answer.shape:
        raise ShapeError(f"{len(true)} labels and {len(answer)} predictions; expected as many.")
    columns = np.arange(len(classes))
    undefined: Any = 0.0  # scikit-learn's own annotation leaves numbers out
    precision, recall, f1, support = (
        np.asarray(figure)
        for figure in precision_recall_fscore_support(
            true, answer, labels=columns, average=None, zero_division=undefined
        )
    )
    present = support > 0
    return Scores(
        accuracy=float(accuracy_score(true, answer)),
        balanced_accuracy=float(recall[present].mean()),
        macro_f1=float(f1[present].mean()),
        per_class={
            str(name): ClassScore(
                float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])
            )
            for i, name in enumerate(classes)
        },
        confusion=np.asarray(confusion_matrix(true, answer, labels=columns), dtype=np.int64),
    )


def compute_log_loss(labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]) -> float:
    """Compute the mean negative log-likelihood, in nats.

    Parameters
    ----------
    labels
        (n,) true class names.
    probabilities
        (n, k), columns in the order of the classes, rows summing to 1.
    classes
        k names.

    Raises
    ------
    ShapeError
        If the arrays do not fit, are empty, or rows are no probabilities.
    LabelError
        If a label is none of the classes.
    """
    true, table = _check_probabilities(labels, probabilities, classes)
    # columns as integers: scikit-learn takes names in alphabetical order, whatever their columns
    return float(log_loss(true, table, labels=np.arange(len(classes))))


def compute_brier_score(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]
) -> float:
    """Compute the Brier score: the squared error over all classes, from 0 (best) to 2.

    Parameters and errors are those of `compute_log_loss`.

    References
    ----------
    .. [1] Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    true, table = _check_probabilities(labels, probabilities, classes)
    return float(((table - np.eye(len(classes))[true]) ** 2).sum(axis=1).mean())


def compute_reliability(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str], n_bins: int = 15
) -> Reliability:
    """Compare the confidence of the predicted class with the share of right answers.

    Parameters and errors are those of `compute_log_loss`, with the number of bins.
    """
    true, table = _check_probabilities(labels, probabilities, classes)
    confidence = table.max(axis=1)
    right = table.argmax(axis=1) == true
    # bins are (low, high]: a confidence of exactly 1 belongs to the last
    chosen = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    count = np.bincount(chosen, minlength=n_bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            confidence=np.bincount(chosen, weights=confidence, minlength=n_bins) / count,
            accuracy=np.bincount(chosen, weights=right, minlength=n_bins) / count,
            count=count,
        )


def compute_calibration_error(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str], n_bins: int = 15
) -> float:
    """Compute the expected calibration error of the predicted class, from 0 (best) to 1.

    Parameters and errors are those of `compute_reliability`: the mean over its bins of
    the gap between confidence and accuracy, weighted by the answers in each.

    References
    ----------
    .. [1] Guo et al. (2017), arXiv:1706.04599.
    """
    bins = compute_reliability(labels, probabilities, classes, n_bins)
    gap = np.nan_to_num(np.abs(bins.confidence - bins.accuracy))
    return float((gap * bins.count).sum() / bins.count.sum())


def _to_columns(names: ArrayLike, classes: Sequence[str], what: str) -> NDArray[np.int64]:
    column = {str(name): i for i, name in enumerate(classes)}
    array = np.asarray(names)
    if array.ndim != 1 or not len(array):
        raise ShapeError(f"{what} have shape {array.shape}; expected (n,) with n > 0.")
    unknown = sorted({str(name) for name in array} - column.keys())
    if unknown:
        raise LabelError(f"{what} hold '{unknown[0]}'; expected one of {', '.join(column)}.")
    return np.array([column[str(name)] for name in array], dtype=np.int64)


def _check_probabilities(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    true = _to_columns(labels, classes, "labels")
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (len(true), len(classes)):
        raise ShapeError(
            f"probabilities have shape {table.shape}; expected ({len(true)}, {len(classes)})."
        )
    if not ((table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=1e-4)):
        raise ShapeError("probabilities are not all from 0 to 1 with rows summing to 1.")
    # networks answer in float32, whose rows sum to 1 only nearly
    return true, table / table.sum(axis=1, keepdims=True)
