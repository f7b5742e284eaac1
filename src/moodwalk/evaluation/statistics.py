"""How sure an accuracy is."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from moodwalk.errors import ConfigError, ShapeError

__all__ = ["compute_proportion_interval", "compute_subject_interval"]


def compute_proportion_interval(
    n_correct: int, n: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute the exact (Clopper-Pearson) interval of a proportion.

    Parameters
    ----------
    n_correct
        Successes.
    n
        Trials.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    tuple[float, float]
        Lower and upper end.

    Raises
    ------
    ConfigError
        If not 0 <= n_correct <= n with n > 0, or confidence is not between 0 and 1.

    Notes
    -----
    The interval is exact for independent trials. Gaits of one subject resemble each other, so for
    an accuracy it is too narrow; see `compute_subject_interval`.

    For 164 of 184 it is 83.7 to 93.2 %; 83.8 to 92.9 %, quoted too, is Wilson's approximation.

    References
    ----------
    .. [1] Clopper and Pearson (1934), doi:10.1093/biomet/26.4.404.
    """
    if not (n > 0 and 0 <= n_correct <= n):
        raise ConfigError(f"{n_correct} correct of {n}; expected 0 <= correct <= n and n > 0.")
    _check_confidence(confidence)
    interval = binomtest(int(n_correct), int(n)).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)


def compute_subject_interval(
    correct: ArrayLike,
    subjects: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Compute a bootstrap interval of the accuracy that resamples subjects, not gaits.

    Parameters
    ----------
    correct
        (n,) whether each answer was right.
    subjects
        (n,) whose gait it was. Answers to one gait in several repeats stay with its subject.
    confidence
        Coverage, between 0 and 1.
    n_resamples
        Bootstrap samples.
    seed
        Seed of the bootstrap.

    Returns
    -------
    tuple[float, float]
        Percentile interval. With one subject nothing is known of others: (0, 1).

    Raises
    ------
    ShapeError
        If the arrays are empty or differ in length.
    ConfigError
        If confidence is not between 0 and 1, or n_resamples is not positive.

    Notes
    -----
    A percentile interval is too narrow with fewer than some 20 subjects, and a point where all
    answers, or none, are right.

    References
    ----------
    .. [1] Field and Welsh (2007), doi:10.1111/j.1467-9868.2007.00593.x.
    """
    right = np.asarray(correct, dtype=np.float64)
    check_subjects(right, subjects, "correct")
    _check_confidence(confidence)
    accuracies = resample_accuracy(right, subjects, n_resamples, seed)
    if accuracies is None:
        return 0.0, 1.0
    return find_percentiles(accuracies, confidence)


def check_subjects(answers: NDArray[np.float64], subjects: ArrayLike, name: str) -> None:
    """Refuse answers that are none, or that have no subject each."""
    if answers.ndim != 1 or answers.shape != np.shape(subjects) or not len(answers):
        raise ShapeError(
            f"{name} has shape {answers.shape}, subjects {np.shape(subjects)}; expected one of each "
            f"a gait."
        )


def resample_accuracy(
    right: NDArray[np.float64], subjects: ArrayLike, n_resamples: int, seed: int
) -> NDArray[np.float64] | None:
    """Return the accuracy in bootstrap samples of subjects, the same samples for the same subjects.

    Answers that are NaN were not given. None where there is but one subject; NaN for a sample without
    answers.
    """
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}; expected at least 1.")
    _, subject = np.unique(np.asarray(subjects), return_inverse=True)
    given = ~np.isnan(right)
    n_subjects = int(subject.max()) + 1
    if n_subjects == 1:
        return None
    n_answers = np.bincount(subject, weights=given)
    n_right = np.bincount(subject, weights=np.where(given, right, 0))
    # how often each subject is drawn: the same as drawing subjects with replacement
    drawn = np.random.default_rng(seed).multinomial(
        n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_resamples
    )
    with np.errstate(invalid="ignore"):
        return (drawn @ n_right) / (drawn @ n_answers)


def find_percentiles(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Return the ends of a percentile interval."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence}; expected between 0 and 1, such as 0.95.")
