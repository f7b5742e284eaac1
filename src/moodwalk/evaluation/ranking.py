"""Several models: which of them differ, and what to make of many p values."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, f, rankdata, studentized_range

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.checks import NOISE, check_finite, check_share, to_array

__all__ = [
    "FriedmanTest",
    "compute_friedman",
    "compute_holm",
]


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
    adjusted = to_array(p_values, "p values").copy()
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
    table = check_finite(scores, "scores", 2)
    n, k = table.shape
    if k < 2:
        raise ShapeError(
            f"scores have shape {table.shape}; expected a column for 2 or more models."
        )
    check_share("alpha", alpha)
    greatest = np.abs(table).max() or 1.0
    ranks = np.asarray(rankdata(-np.round(table / greatest / NOISE), axis=1))
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


def _compute_iman_davenport(chi_square: float, ranks: NDArray[np.float64]) -> tuple[float, float]:
    n, k = ranks.shape
    if n == 1:
        return math.nan, 1.0
    left = n * (k - 1) - chi_square
    if left > NOISE * n * k:
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
