"""Which of two or more models is better, and whether the gaits at hand can tell.

``a`` is the baseline and ``b`` the challenger: a difference is b minus a, positive where b is better.
Accuracies are paired: both models answer the same gaits, on the same splits.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, binomtest, chi2, f, norm, rankdata, studentized_range, t

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.statistics import compute_proportion_interval, compute_subject_interval

__all__ = [
    "CorrectedInterval",
    "CorrectedTTest",
    "FriedmanTest",
    "McNemarTest",
    "PooledAnswers",
    "SubjectDifference",
    "compute_corrected_interval",
    "compute_corrected_t_test",
    "compute_friedman",
    "compute_gaits_needed",
    "compute_holm",
    "compute_mcnemar",
    "compute_power",
    "compute_subject_difference",
    "pool_answers",
]

_NOISE = 1e-12  # of the greatest value: what rounding adds to equal scores
_MANY_DISCORDANT = 100_000  # from here on the normal approximation is within 0.3 % of the exact n


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


@dataclass(frozen=True, slots=True)
class FriedmanTest:
    """Several models, ranked within each block.

    Parameters
    ----------
    n_blocks
        Blocks, such as folds.
    mean_ranks
        One a model, in the order of the columns; 1 is best.
    chi_square, p_value
        Friedman's statistic and its p value.
    f, f_p_value
        Iman and Davenport's, which is less conservative. Where all blocks rank alike, ``f`` is
        infinite and the p value exact; with one block ``f`` is NaN and the p value 1.
    critical_difference
        Nemenyi's: mean ranks at least this far apart differ.
    alpha
        Level of the critical difference, over all pairs together.
    groups
        Largest sets of at least two models, as columns from best to worst, within which no pair
        differs: the bars of a critical-difference diagram.
    """

    n_blocks: int
    mean_ranks: tuple[float, ...]
    chi_square: float
    p_value: float
    f: float
    f_p_value: float
    critical_difference: float
    alpha: float
    groups: tuple[tuple[int, ...], ...]


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
    values = _check_finite(scores, "scores", 1)
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
    values = _check_finite(differences, "differences", 1)
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
        _check_share("confidence", confidence)
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
    table = _check_finite(probabilities, "probabilities", 2)
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


def compute_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust the p values of a family of tests by Holm's step-down method.

    Parameters
    ----------
    p_values
        (m,) one a test; NaN where a test could not be made. May be empty.

    Returns
    -------
    NDArray[np.float64]
        (m,) adjusted p values in the same order. NaN stays NaN and does not count as a test.

    Raises
    ------
    ShapeError
        If p values are not (m,).
    ConfigError
        If one is not between 0 and 1, or statsmodels is not installed.

    References
    ----------
    .. [1] Holm (1979), jstor:4615733.
    """
    adjusted = _to_array(p_values, "p values").copy()
    if adjusted.ndim != 1:
        raise ShapeError(f"p values have shape {adjusted.shape}; expected (m,).")
    made = ~np.isnan(adjusted)
    if ((adjusted[made] < 0) | (adjusted[made] > 1)).any():
        raise ConfigError("p values are not all between 0 and 1; expected probabilities or NaN.")
    try:
        from statsmodels.stats.multitest import multipletests
    except ImportError as error:
        raise ConfigError(
            "Holm's correction needs statsmodels, which is not installed; "
            "install it with: pip install 'moodwalk[lab]'."
        ) from error
    if made.any():
        adjusted[made] = multipletests(adjusted[made], method="holm")[1]
    return adjusted


def compute_friedman(
    scores: ArrayLike, alpha: float = 0.05, *, correct_ties: bool = True
) -> FriedmanTest:
    """Compare several models by their ranks within blocks.

    Parameters
    ----------
    scores
        (n, k) of n blocks and k models, higher is better. Scores that differ by less than rounding
        are ties.
    alpha
        Level of the critical difference.
    correct_ties
        Whether ties shrink the variance of ranks, as they do. Demšar's paper, and much of what
        follows it, leaves this out, which makes the test too cautious.

    Raises
    ------
    ShapeError
        If scores are not (n, k) with at least one block and two models, or not finite.
    ConfigError
        If alpha is not between 0 and 1.

    Notes
    -----
    Blocks count as independent. Folds of one data set share training gaits, so the test claims too
    much there; repeats of a fold are no new block: average them first. Groups mean something only
    where the test rejects, and depend on which other models take part.

    References
    ----------
    .. [1] Friedman (1937), doi:10.1080/01621459.1937.10503522.
    .. [2] Iman and Davenport (1980), doi:10.1080/03610928008827904.
    .. [3] Demšar (2006), https://jmlr.org/papers/v7/demsar06a.html.
    .. [4] Conover (1999), Practical Nonparametric Statistics, section 5.8, on ties.
    """
    table = _check_finite(scores, "scores", 2)
    n, k = table.shape
    if k < 2:
        raise ShapeError(
            f"scores have shape {table.shape}; expected a column for 2 or more models."
        )
    _check_share("alpha", alpha)
    greatest = np.abs(table).max() or 1.0
    ranks = np.asarray(rankdata(-np.round(table / greatest / _NOISE), axis=1))
    middle, mean_ranks = (k + 1) / 2, ranks.mean(axis=0)
    total = ((ranks - middle) ** 2).sum() if correct_ties else n * k * (k**2 - 1) / 12
    between = n * ((mean_ranks - middle) ** 2).sum()
    chi_square = float(n * (k - 1) * between / total) if total else 0.0
    statistic, f_p_value = _compute_iman_davenport(chi_square, ranks)
    distance = float(studentized_range.ppf(1 - alpha, k, np.inf) * math.sqrt(k * (k + 1) / 12 / n))
    return FriedmanTest(
        n_blocks=n,
        mean_ranks=tuple(mean_ranks.tolist()),
        chi_square=chi_square,
        p_value=float(chi2.sf(chi_square, k - 1)),
        f=statistic,
        f_p_value=f_p_value,
        critical_difference=distance,
        alpha=alpha,
        groups=_find_groups(mean_ranks, distance),
    )


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
        (n,) whether each answer was right, in the same order. Answers to one gait in several
        repeats may all be there: they stay with its subject.
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
        If the arrays are empty, differ in length, or hold anything but right and wrong.

    References
    ----------
    .. [1] Field and Welsh (2007), doi:10.1111/j.1467-9868.2007.00593.x.
    """
    right_a, right_b = _check_pairs(correct_a, correct_b)
    gain = right_b.astype(np.float64) - right_a
    # the interval of a mean of 0 and 1 is, as computed, that of a mean of -1, 0 and 1 too
    low, high = compute_subject_interval(
        gain, subjects, confidence=confidence, n_resamples=n_resamples, seed=seed
    )
    if len(np.unique(np.asarray(subjects))) == 1:
        low, high = -1.0, 1.0
    return SubjectDifference(100 * float(gain.mean()), (100 * low, 100 * high))


def compute_power(p_only_a: float, p_only_b: float, n_gaits: int, alpha: float = 0.05) -> float:
    """Compute how often McNemar's exact test sees a difference.

    Parameters
    ----------
    p_only_a, p_only_b
        Shares of all gaits that only a, or only b, names right.
    n_gaits
        Test gaits.
    alpha
        Level of the two-sided test.

    Returns
    -------
    float
        Chance of p <= alpha, over the number of gaits that only one names right too.

    Raises
    ------
    ConfigError
        If shares are negative or sum to more than 1, n_gaits is less than 1, or alpha is not
        between 0 and 1.

    Notes
    -----
    Gaits count as independent; where subjects walk more than once, the power is less.

    References
    ----------
    .. [1] Duffy (1984), doi:10.2307/2531151.
    """
    p_discordant = _check_discordant(p_only_a, p_only_b)
    _check_share("alpha", alpha)
    if n_gaits < 1:
        raise ConfigError(f"n_gaits is {n_gaits}; expected at least 1.")
    if n_gaits * p_discordant < _NOISE:  # also what would overflow below
        return 0.0
    tail = 1e-13  # numbers of discordant gaits beyond it change nothing that can be seen
    least, most = binom.ppf([tail, 1 - tail], n_gaits, p_discordant).astype(np.int64)
    n_discordant = np.arange(least, most + 1)
    # the test rejects where either model is right alone at most so often
    critical = binom.ppf(alpha / 2, n_discordant, 0.5)
    critical -= binom.cdf(critical, n_discordant, 0.5) > alpha / 2
    share_a = p_only_a / p_discordant
    rejects = binom.cdf(critical, n_discordant, share_a)
    rejects += binom.cdf(critical, n_discordant, 1 - share_a)
    chance = binom.pmf(n_discordant, n_gaits, p_discordant)
    return min(float((chance * rejects).sum()), 1.0)


def compute_gaits_needed(
    p_only_a: float, p_only_b: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Compute how many test gaits McNemar's exact test needs to see a difference.

    Parameters
    ----------
    p_only_a, p_only_b
        Shares of all gaits that only a, or only b, names right.
    power
        Chance to see the difference, between 0 and 1.
    alpha
        Level of the two-sided test.

    Returns
    -------
    float
        A whole number n, at which `compute_power` reaches the power while at n - 1 it does not;
        infinite where the shares are equal. Past 100,000 gaits that only one model names right,
        the normal approximation.

    Raises
    ------
    ConfigError
        If shares are negative or sum to more than 1, or power or alpha is not between 0 and 1.

    Notes
    -----
    From shares that were observed, this plans the next study; it adds nothing to what this one has
    shown. Observed shares are uncertain, and gaits of one subject tell less than as many of
    several: take it as the least.

    References
    ----------
    .. [1] Duffy (1984), doi:10.2307/2531151, exact.
    .. [2] Connor (1987), doi:10.2307/2531961, approximate; for small differences.
    """
    p_discordant = _check_discordant(p_only_a, p_only_b)
    _check_share("power", power)
    _check_share("alpha", alpha)
    difference = abs(p_only_b - p_only_a)
    if difference <= _NOISE:
        return math.inf
    root = (norm.ppf(power) - norm.ppf(alpha / 2)) * math.sqrt(p_discordant) / difference
    about = math.ceil(max(root, 1.0) ** 2)
    if about * p_discordant > _MANY_DISCORDANT:
        return float(about)
    power = min(power, 1 - 1e-9)  # `compute_power` leaves out the last of its tails
    too_few, enough = 0, about
    while compute_power(p_only_a, p_only_b, enough, alpha) < power:
        too_few, enough = enough, 2 * enough
    while enough - too_few > 1:
        half = (too_few + enough) // 2
        if compute_power(p_only_a, p_only_b, half, alpha) < power:
            too_few = half
        else:
            enough = half
    return float(enough)


def _compute_corrected_error(
    values: NDArray[np.float64], n_train: float, n_test: float, confidence: float
) -> tuple[float, float]:
    """Return the standard error of the mean and half the width of its interval."""
    _check_share("confidence", confidence)
    if not (0 < n_train < math.inf and 0 < n_test < math.inf):
        raise ConfigError(
            f"n_train is {n_train} and n_test {n_test}; expected a positive number of gaits in each."
        )
    k = len(values)
    if k == 1:
        return math.nan, math.inf
    if np.ptp(values) <= _NOISE * np.abs(values).max():
        return 0.0, 0.0
    error = math.sqrt((1 / k + n_test / n_train) * values.var(ddof=1))
    return error, float(t.ppf((1 + confidence) / 2, k - 1)) * error


def _compute_iman_davenport(chi_square: float, ranks: NDArray[np.float64]) -> tuple[float, float]:
    n, k = ranks.shape
    if n == 1:
        return math.nan, 1.0
    left = n * (k - 1) - chi_square
    if left > _NOISE * n * k:
        statistic = (n - 1) * chi_square / left
        return statistic, float(f.sf(statistic, k - 1, (k - 1) * (n - 1)))
    # all blocks rank alike: the chance that all others fall in with the first (Conover)
    _, n_tied = np.unique(ranks[0], return_counts=True)
    n_orders = math.factorial(k) // math.prod(math.factorial(int(tied)) for tied in n_tied)
    return math.inf, float(n_orders) ** (1 - n)


def _find_groups(mean_ranks: NDArray[np.float64], distance: float) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(mean_ranks, kind="stable")
    ranks = mean_ranks[order]
    groups: list[tuple[int, ...]] = []
    last = 0
    for first in range(len(order)):
        end = int(np.searchsorted(ranks, ranks[first] + distance))
        if end > max(last, first + 1):
            groups.append(tuple(order[first:end].tolist()))
            last = end
    return tuple(groups)


def _to_array(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{what} are not an array of numbers: {error}.") from error


def _check_finite(values: ArrayLike, what: str, n_axes: int) -> NDArray[np.float64]:
    array = _to_array(values, what)
    if array.ndim != n_axes or not array.size:
        expected = {1: "(k,) with k > 0", 2: "(n, k) with n, k > 0"}[n_axes]
        raise ShapeError(f"{what} have shape {array.shape}; expected {expected}.")
    if n_bad := int((~np.isfinite(array)).sum()):
        raise ShapeError(
            f"{what}: {n_bad} of {array.size} are not finite; expected all to be, so leave out "
            "what failed, for every model alike."
        )
    return array


def _check_pairs(
    correct_a: ArrayLike, correct_b: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    a, b = _check_finite(correct_a, "correct_a", 1), _check_finite(correct_b, "correct_b", 1)
    if len(a) != len(b):
        raise ShapeError(f"correct_a has {len(a)} verdicts, correct_b {len(b)}; expected as many.")
    for what, verdicts in (("correct_a", a), ("correct_b", b)):
        if not np.isin(verdicts, (0, 1)).all():
            raise ShapeError(f"{what} holds other numbers than 0 and 1; expected right or wrong.")
    return a == 1, b == 1


def _check_discordant(p_only_a: float, p_only_b: float) -> float:
    total = p_only_a + p_only_b
    if not (p_only_a >= 0 and p_only_b >= 0 and total <= 1 + _NOISE):
        raise ConfigError(
            f"p_only_a is {p_only_a} and p_only_b {p_only_b}; expected shares of all gaits, "
            "none negative, that sum to at most 1."
        )
    return min(total, 1.0)


def _check_share(what: str, value: float) -> None:
    if not 0 < value < 1:
        raise ConfigError(f"{what} is {value}; expected between 0 and 1.")
