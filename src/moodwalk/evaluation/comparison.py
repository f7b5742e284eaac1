"""Which of two models is better, and whether the gaits at hand can tell.

``a`` is the baseline and ``b`` the challenger: a difference is b minus a, positive where b is better.
Accuracies are paired: both models answer the same gaits, on the same splits.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest, t

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.checks import NOISE, check_finite, check_share
from moodwalk.evaluation.statistics import (
    check_subjects,
    compute_proportion_interval,
    find_percentiles,
    resample_accuracy,
)

__all__ = [
    "CorrectedInterval",
    "CorrectedTTest",
    "McNemarTest",
    "PooledAnswers",
    "SubjectDifference",
    "compute_corrected_interval",
    "compute_corrected_t_test",
    "compute_mcnemar",
    "compute_subject_difference",
    "pool_answers",
]


@dataclass(frozen=True, slots=True)
class CorrectedInterval:
    """A mean over folds and repeats, and an interval that knows that training sets overlap.

    Parameters
    ----------
    mean
        Of the scores.
    interval
        Lower and upper end, in the unit of the scores; infinite with one score.
    standard_error
        Corrected; NaN with one score.
    dof
        Degrees of freedom: scores less one.
    """

    mean: float
    interval: tuple[float, float]
    standard_error: float
    dof: int


@dataclass(frozen=True, slots=True)
class CorrectedTTest:
    """A paired comparison over folds and repeats that knows that training sets overlap.

    Parameters
    ----------
    mean
        Mean difference, b minus a, in the unit of the scores.
    interval
        Of that mean; infinite where no variance can be estimated.
    t
        Test statistic.
    p_value
        Two-sided; NaN where no variance can be estimated.
    dof
        Degrees of freedom: differences less one.
    cohens_dz
        Effect size: mean over standard deviation of the differences, uncorrected.
    """

    mean: float
    interval: tuple[float, float]
    t: float
    p_value: float
    dof: int
    cohens_dz: float


@dataclass(frozen=True, slots=True)
class McNemarTest:
    """Two models on the same gaits.

    Parameters
    ----------
    n_gaits
        Gaits that both answered.
    n_only_a, n_only_b
        Gaits that only a, or only b, named right.
    p_value
        Exact, two-sided; 1 where they never differ.
    odds_ratio
        ``n_only_b / n_only_a``: above 1 where b is better; NaN where they never differ.
    odds_ratio_interval
        Exact; (0, inf) where they never differ. It leaves out 1 when the test rejects.
    cohens_g
        Effect size: share of b among the gaits that only one named right, less a half. From -0.5
        to 0.5; Cohen calls 0.05 small, 0.15 medium, 0.25 large. NaN where they never differ.
    """

    n_gaits: int
    n_only_a: int
    n_only_b: int
    p_value: float
    odds_ratio: float
    odds_ratio_interval: tuple[float, float]
    cohens_g: float


@dataclass(frozen=True, eq=False, slots=True)
class PooledAnswers:
    """One answer a gait, from several repeats.

    Parameters
    ----------
    indices
        (n,) which gait, ascending.
    probabilities
        (n, k) mean over its repeats.
    n_answers
        (n,) how many repeats answered it.
    """

    indices: NDArray[np.int64]
    probabilities: NDArray[np.float64] = field(repr=False)
    n_answers: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SubjectDifference:
    """A difference of accuracies, and an interval over subjects.

    Parameters
    ----------
    points
        Accuracy of b minus that of a, in percentage points.
    interval_points
        Percentile bootstrap interval, in percentage points.
    """

    points: float
    interval_points: tuple[float, float]


def compute_corrected_interval(
    scores: ArrayLike, n_train: float, n_test: float, confidence: float = 0.95
) -> CorrectedInterval:
    """Compute the mean of cross-validated scores and its interval.

    Parameters
    ----------
    scores
        (k,) one a fold and repeat, such as accuracies.
    n_train, n_test
        Gaits in a training set and in a test set; averages over folds will do.
    confidence
        Coverage, between 0 and 1.

    Returns
    -------
    CorrectedInterval
        Not clipped to what the score can reach. Equal scores give an interval of no width, which
        says only that they show no variance.

    Raises
    ------
    ShapeError
        If scores are not (k,), none, or not finite.
    ConfigError
        If a count is not positive, or confidence is not between 0 and 1.

    Notes
    -----
    Training sets overlap, so scores are not independent, and their variance over k is far too
    small for that of the mean. Corrected it is (1/k + n_test/n_train) times theirs. No unbiased
    estimate exists; with the folds of k-fold cross-validation this one leans to caution.

    References
    ----------
    .. [1] Nadeau and Bengio (2003), doi:10.1023/A:1024068626366.
    .. [2] Bouckaert and Frank (2004), doi:10.1007/978-3-540-24775-3_3, on repeated folds.
    """
    values = check_finite(scores, "scores", 1)
    error, half_width = _compute_corrected_error(values, n_train, n_test, confidence)
    mean = float(values.mean())
    return CorrectedInterval(mean, (mean - half_width, mean + half_width), error, len(values) - 1)


def compute_corrected_t_test(
    differences: ArrayLike, n_train: float, n_test: float, confidence: float = 0.95
) -> CorrectedTTest:
    """Compare two models by the corrected resampled t test.

    Parameters
    ----------
    differences
        (k,) score of b minus score of a on the same fold and repeat.
    n_train, n_test, confidence
        See `compute_corrected_interval`, whose errors are raised too.

    Returns
    -------
    CorrectedTTest
        Where all differences are 0, the models do not differ: t = 0, p = 1. Where they are equal
        but not 0, or there is but one, no variance can be estimated and nothing is claimed: p is
        NaN and the interval infinite.

    References
    ----------
    .. [1] Nadeau and Bengio (2003), doi:10.1023/A:1024068626366.
    .. [2] Lakens (2013), doi:10.3389/fpsyg.2013.00863, on Cohen's d_z.
    """
    values = check_finite(differences, "differences", 1)
    error, half_width = _compute_corrected_error(values, n_train, n_test, confidence)
    mean, dof = float(values.mean()), len(values) - 1
    if not values.any():
        return CorrectedTTest(0.0, (-half_width, half_width), 0.0, 1.0, dof, 0.0)
    if not error > 0:
        endless = math.copysign(math.inf, mean) if dof else math.nan
        return CorrectedTTest(mean, (-math.inf, math.inf), endless, math.nan, dof, endless)
    statistic = mean / error
    return CorrectedTTest(
        mean=mean,
        interval=(mean - half_width, mean + half_width),
        t=statistic,
        p_value=float(2 * t.sf(abs(statistic), dof)),
        dof=dof,
        cohens_dz=mean / float(values.std(ddof=1)),
    )


def compute_mcnemar(
    correct_a: ArrayLike, correct_b: ArrayLike, confidence: float = 0.95
) -> McNemarTest:
    """Compare two models by McNemar's exact test on the same gaits.

    Parameters
    ----------
    correct_a, correct_b
        (n,) whether each gait was named right, one verdict a gait in the same order. Repeats do
        not make gaits: pool them first, with `pool_answers`.
    confidence
        Coverage of the interval of the odds ratio, between 0 and 1.

    Raises
    ------
    ShapeError
        If the arrays are empty, differ in length, or hold anything but right and wrong.
    ConfigError
        If confidence is not between 0 and 1.

    Notes
    -----
    The test takes gaits as independent. Where subjects walk more than once it claims too much; see
    `compute_subject_difference`.

    References
    ----------
    .. [1] McNemar (1947), doi:10.1007/BF02295996.
    .. [2] Fay (2010), doi:10.32614/RJ-2010-008, on the interval that fits the test.
    """
    right_a, right_b = _check_pairs(correct_a, correct_b)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n_discordant = only_a + only_b
    if not n_discordant:
        check_share("confidence", confidence)
        nothing = (math.nan, (0.0, math.inf), math.nan)
        return McNemarTest(len(right_a), 0, 0, 1.0, *nothing)
    low, high = compute_proportion_interval(only_b, n_discordant, confidence)
    return McNemarTest(
        n_gaits=len(right_a),
        n_only_a=only_a,
        n_only_b=only_b,
        p_value=float(binomtest(only_b, n_discordant).pvalue),
        odds_ratio=only_b / only_a if only_a else math.inf,
        odds_ratio_interval=(low / (1 - low), high / (1 - high) if only_a else math.inf),
        cohens_g=only_b / n_discordant - 0.5,
    )


def pool_answers(probabilities: ArrayLike, indices: ArrayLike) -> PooledAnswers:
    """Average the probabilities of each gait over repeats, so that it is answered once.

    Parameters
    ----------
    probabilities
        (m, k) one row an answer.
    indices
        (m,) which gait each answer is about.

    Raises
    ------
    ShapeError
        If the arrays do not fit, are empty, or rows hold no probabilities.

    Notes
    -----
    The mean of all repeats answers as an ensemble, mostly a little better than one of its models:
    a test on pooled answers compares ensembles. Unlike a vote it leaves hardly any ties to break.
    """
    table = check_finite(probabilities, "probabilities", 2)
    gaits = np.asarray(indices)
    if gaits.shape != table.shape[:1] or not np.issubdtype(gaits.dtype, np.integer):
        raise ShapeError(
            f"indices have shape {gaits.shape} and type {gaits.dtype}; expected {len(table)} "
            "integers, one a row of probabilities."
        )
    if not ((table >= 0).all() and np.allclose(table.sum(axis=1), 1, atol=1e-4)):
        raise ShapeError("probabilities are not all from 0 to 1 with rows summing to 1.")
    answered, gait, n_answers = np.unique(gaits, return_inverse=True, return_counts=True)
    total = np.zeros((len(answered), table.shape[1]))
    np.add.at(total, gait, table)
    return PooledAnswers(answered.astype(np.int64), total / n_answers[:, None], n_answers)


def compute_subject_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    subjects: ArrayLike,
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> SubjectDifference:
    """Compute the difference of two accuracies with a paired bootstrap that resamples subjects.

    Parameters
    ----------
    correct_a, correct_b
        (n,) whether each answer was right, in the same order; NaN where a model left a gait out.
        Answers to one gait in several repeats may all be there: they stay with its subject.
    subjects, confidence, n_resamples, seed
        See `moodwalk.evaluation.compute_subject_interval`, whose notes hold and whose errors are
        raised too.

    Returns
    -------
    SubjectDifference
        In percentage points. With one subject nothing is known of others: -100 to 100.

    Raises
    ------
    ShapeError
        If the arrays are empty, differ in length, or hold anything but right and wrong, or only
        gaits that were left out.

    References
    ----------
    .. [1] Field and Welsh (2007), doi:10.1111/j.1467-9868.2007.00593.x.
    """
    check_share("confidence", confidence)
    a, b = (
        _check_answers(answers, name)
        for answers, name in ((correct_a, "correct_a"), (correct_b, "correct_b"))
    )
    check_subjects(a, subjects, "correct_a")
    check_subjects(b, subjects, "correct_b")
    before = resample_accuracy(a, subjects, n_resamples, seed)
    after = resample_accuracy(b, subjects, n_resamples, seed)
    low, high = -1.0, 1.0
    if before is not None and after is not None:
        low, high = find_percentiles(after - before, confidence)
    return SubjectDifference(100 * float(np.nanmean(b) - np.nanmean(a)), (100 * low, 100 * high))


def _compute_corrected_error(
    values: NDArray[np.float64], n_train: float, n_test: float, confidence: float
) -> tuple[float, float]:
    """Return the standard error of the mean and half the width of its interval."""
    check_share("confidence", confidence)
    if not (0 < n_train < math.inf and 0 < n_test < math.inf):
        raise ConfigError(
            f"n_train is {n_train} and n_test {n_test}; expected a positive number of gaits in each."
        )
    k = len(values)
    if k == 1:
        return math.nan, math.inf
    if np.ptp(values) <= NOISE * np.abs(values).max():
        return 0.0, 0.0
    error = math.sqrt((1 / k + n_test / n_train) * values.var(ddof=1))
    return error, float(t.ppf((1 + confidence) / 2, k - 1)) * error


def _check_pairs(
    correct_a: ArrayLike, correct_b: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a = _check_answers(check_finite(correct_a, "correct_a", 1), "correct_a")
    b = _check_answers(check_finite(correct_b, "correct_b", 1), "correct_b")
    if len(a) != len(b):
        raise ShapeError(f"correct_a has {len(a)} verdicts, correct_b {len(b)}; expected as many.")
    return a == 1, b == 1


def _check_answers(answers: ArrayLike, name: str) -> NDArray[np.float64]:
    values = np.asarray(answers, dtype=np.float64)
    given = values[~np.isnan(values)]
    if not np.isin(given, (0, 1)).all():
        raise ShapeError(f"{name} holds other numbers than 0 and 1; expected right or wrong.")
    if not len(given):
        raise ShapeError(f"{name} holds no answer; expected right or wrong.")
    return values
