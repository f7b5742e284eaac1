"""How many gaits it takes to see that two models differ."""

import math

import numpy as np
from scipy.stats import binom, norm

from moodwalk.errors import ConfigError
from moodwalk.evaluation.checks import NOISE, check_share

__all__ = [
    "compute_gaits_needed",
    "compute_power",
]

_MANY_DISCORDANT = 100_000  # from here on the normal approximation is within 0.3 % of the exact n


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
    check_share("alpha", alpha)
    if n_gaits < 1:
        raise ConfigError(f"n_gaits is {n_gaits}; expected at least 1.")
    if n_gaits * p_discordant < NOISE:  # also what would overflow below
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
    check_share("power", power)
    check_share("alpha", alpha)
    difference = abs(p_only_b - p_only_a)
    if difference <= NOISE:
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


def _check_discordant(p_only_a: float, p_only_b: float) -> float:
    total = p_only_a + p_only_b
    if not (p_only_a >= 0 and p_only_b >= 0 and total <= 1 + NOISE):
        raise ConfigError(
            f"p_only_a is {p_only_a} and p_only_b {p_only_b}; expected shares of all gaits, "
            "none negative, that sum to at most 1."
        )
    return min(total, 1.0)
