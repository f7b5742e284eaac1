import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from moodwalk.errors import ConfigError
from moodwalk.evaluation import (
    compute_gaits_needed,
    compute_mcnemar,
    compute_power,
)


def make_pairs(both, only_a, only_b, neither):
    n = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], n), np.repeat([True, False, True, False], n)


def test_power_agrees_with_published_worked_examples():
    # pwrss 1.3, documentation and tests of power.exact.mcnemar, checked there against PASS
    assert compute_power(0.20, 0.10, 100) == pytest.approx(0.373077084, abs=1e-8)
    assert compute_power(0.20, 0.10, 249) == pytest.approx(0.801446921, abs=1e-8)
    # G*Power 3.1 manual, after O'Brien (2002): one-sided at 0.05, so two-sided at 0.10; it sums
    # to 0.839343, and the other side adds next to nothing
    assert compute_power(0.08, 0.32, 50, alpha=0.10) == pytest.approx(0.839343, abs=3e-5)


def test_gaits_needed_agree_with_a_published_worked_example():
    # pwrss 1.3: prob10 = 0.20, prob01 = 0.10, exact, two-sided
    assert compute_gaits_needed(0.20, 0.10) == 249


def test_few_gaits_need_more_than_the_normal_approximation_says():
    # Connor's formula: 23 pairs for 0.45 against 0.05
    assert 23 <= compute_gaits_needed(0.45, 0.05) <= 28


def test_the_five_gaits_of_the_published_gain_are_far_too_few():
    # 159 and 164 right of 184: were 10 and 15 of them named by one model only
    assert compute_gaits_needed(10 / 184, 15 / 184) > 1400


@pytest.mark.parametrize(
    ("p_only_a", "p_only_b"), [(0.2, 0.1), (0.05, 0.3), (0.6, 0.4), (0.0, 0.1)]
)
def test_power_is_what_the_test_does(p_only_a, p_only_b):
    # by hand: every table of 12 gaits, its chance, and whether McNemar's test rejects it
    n, power = 12, 0.0
    for d in range(n + 1):
        for only_b in range(d + 1):
            chance = math.comb(n, d) * math.comb(d, only_b)
            chance *= p_only_b**only_b * p_only_a ** (d - only_b)
            chance *= max(1 - p_only_a - p_only_b, 0) ** (n - d)
            p_value = compute_mcnemar(*make_pairs(0, d - only_b, only_b, n - d)).p_value
            power += chance * (p_value <= 0.05)
    assert compute_power(p_only_a, p_only_b, n) == pytest.approx(power, abs=1e-9)


@given(st.floats(0, 0.5), st.floats(0, 0.5), st.integers(1, 400), st.floats(0.001, 0.3))
def test_power_is_symmetric_a_chance_and_at_most_alpha_without_a_difference(a, b, n, alpha):
    power = compute_power(a, b, n, alpha)
    assert 0 <= power <= 1
    assert power == pytest.approx(compute_power(b, a, n, alpha), abs=1e-9)
    assert power <= compute_power(a, b, n, min(2 * alpha, 0.9)) + 1e-9
    assert compute_power(a, a, n, alpha) <= alpha + 1e-9


@settings(max_examples=40)
@given(
    st.floats(0, 0.45), st.floats(0, 0.45), st.sampled_from([0.5, 0.8, 0.9]), st.floats(0.01, 0.2)
)
def test_gaits_needed_reach_the_power_and_one_fewer_do_not(a, b, power, alpha):
    if abs(a - b) < 0.03:
        b = a + 0.03
    n = compute_gaits_needed(a, b, power, alpha)
    assert n == int(n)
    assert n == compute_gaits_needed(b, a, power, alpha)
    assert compute_power(a, b, int(n), alpha) >= power
    assert n == 1 or compute_power(a, b, int(n) - 1, alpha) < power


@settings(max_examples=30)
@given(st.floats(0.01, 0.2), st.floats(0.04, 0.2))
def test_more_power_and_smaller_differences_need_more_gaits(a, difference):
    n = compute_gaits_needed(a, a + difference)
    assert n <= compute_gaits_needed(a, a + difference, power=0.9)
    assert n <= compute_gaits_needed(a, a + difference, alpha=0.01)
    assert n <= compute_gaits_needed(a + 0.1, a + difference + 0.1)


def test_all_but_certainty_needs_many_gaits_and_not_endless_ones():
    n = compute_gaits_needed(0.1, 0.3, power=np.nextafter(1, 0))
    assert compute_gaits_needed(0.1, 0.3, power=0.9999) < n < 2000


def test_no_difference_needs_endless_gaits():
    assert compute_gaits_needed(0.1, 0.1) == math.inf
    assert compute_gaits_needed(0, 0) == math.inf
    assert compute_power(0, 0, 1000) == 0


def test_every_gait_discordant_leaves_a_sign_test():
    assert compute_power(0, 1, 5) == 0
    assert compute_power(0, 1, 6) == 1
    assert compute_gaits_needed(0, 1) == 6
    assert compute_power(0.3, 0.7, 40) == pytest.approx(
        binom.cdf(13, 40, 0.3) + binom.cdf(13, 40, 0.7)
    )


def test_tiny_differences_are_answered_by_connors_formula():
    z = norm.isf(0.025) * math.sqrt(0.2001) + norm.isf(0.2) * math.sqrt(0.2001 - 1e-8)
    assert compute_gaits_needed(0.1001, 0.1) == pytest.approx((z / 1e-4) ** 2, rel=1e-6)


def test_the_formula_takes_over_without_a_jump():
    # the last exact answers, just below 100,000 gaits that only one model names right
    a, b = 0.1018, 0.1
    z = norm.isf(0.025) * math.sqrt(a + b) + norm.isf(0.2) * math.sqrt(a + b - (a - b) ** 2)
    formula = (z / (a - b)) ** 2
    assert 9e4 < formula * (a + b) < 1e5
    assert 1 < compute_gaits_needed(a, b) / formula < 1.003


def test_shares_below_all_counting_are_none():
    assert compute_power(0, 1e-308, 100) == 0
    assert compute_gaits_needed(0, 1e-308) == math.inf


@pytest.mark.parametrize(
    ("p_only_a", "p_only_b"),
    [(-0.1, 0.2), (0.2, -0.1), (0.7, 0.4), (math.nan, 0.1), (0.1, math.nan)],
)
def test_impossible_shares_are_refused(p_only_a, p_only_b):
    with pytest.raises(ConfigError, match="shares"):
        compute_gaits_needed(p_only_a, p_only_b)
    with pytest.raises(ConfigError, match="shares"):
        compute_power(p_only_a, p_only_b, 100)


@pytest.mark.parametrize("value", [0, 1, 80, math.nan])
def test_power_refuses_impossible_levels(value):
    with pytest.raises(ConfigError, match="power"):
        compute_gaits_needed(0.1, 0.2, power=value)
    with pytest.raises(ConfigError, match="alpha"):
        compute_gaits_needed(0.1, 0.2, alpha=value)
    with pytest.raises(ConfigError, match="alpha"):
        compute_power(0.1, 0.2, 100, alpha=value)


def test_power_without_gaits_is_refused():
    with pytest.raises(ConfigError, match="n_gaits"):
        compute_power(0.1, 0.2, 0)
