import gc
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import f, friedmanchisquare, norm, studentized_range
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation import (
    compute_friedman,
    compute_holm,
)

p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


# Holm


def test_holm_by_hand():
    # 0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 raised to the one before
    np.testing.assert_allclose(compute_holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


@pytest.fixture(scope="module")
def _quick_collection():
    # statsmodels collects garbage on every call; what the session has loaded need not be searched
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_quick_collection")
@given(p_values)
def test_holm_is_the_greatest_of_what_the_steps_before_give(family):
    adjusted = compute_holm(family)
    m, ordered = len(family), sorted(family)
    for before, after in zip(family, adjusted, strict=True):
        steps = [(m - i) * p for i, p in enumerate(ordered) if p <= before]
        assert after == pytest.approx(min(1, max(steps)))
    assert (adjusted >= family).all()
    assert (adjusted <= np.minimum(1, np.array(family) * m) + 1e-12).all()


def test_holm_agrees_with_statsmodels():
    family = np.random.default_rng(0).random(9) ** 4
    expected = multipletests(family, method="holm")[1]
    np.testing.assert_allclose(compute_holm(family), expected)


@pytest.mark.usefixtures("_quick_collection")
@given(p_values, st.integers(0, 12), st.randoms(use_true_random=False))
def test_holm_keeps_order_and_leaves_out_tests_that_were_not_made(family, n_missing, random):
    adjusted = dict(zip(family, compute_holm(family), strict=True))
    mixed = random.sample(family + [math.nan] * n_missing, len(family) + n_missing)
    for before, after in zip(mixed, compute_holm(mixed), strict=True):
        if math.isnan(before):
            assert math.isnan(after)
        else:
            assert after == pytest.approx(adjusted[before])


def test_an_empty_family_stays_empty():
    assert compute_holm([]).shape == (0,)
    assert np.isnan(compute_holm([math.nan])).all()


def test_holm_leaves_its_input_as_it_was():
    family = np.array([0.01, 0.02])
    compute_holm(family)
    np.testing.assert_array_equal(family, [0.01, 0.02])


@pytest.mark.parametrize("family", [[0.5, 1.1], [-0.1], [math.inf]])
def test_impossible_p_values_are_refused(family):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        compute_holm(family)


def test_p_values_in_a_table_are_refused():
    with pytest.raises(ShapeError, match=r"expected \(m,\)"):
        compute_holm([[0.1, 0.2]])


def test_without_statsmodels_one_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels.stats.multitest", None)
    with pytest.raises(ConfigError, match=r"moodwalk\[lab\]") as caught:
        compute_holm([0.1])
    assert "\n" not in str(caught.value)


# Friedman


# Demšar (2006), table 6: AUC of C4.5, +m, +cf and +m+cf on 14 data sets. The third value of
# "voting" is raised by 0.0002: it is ranked above the fourth by digits that are not printed.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9752, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)

# Conover (1999), section 5.8, example 1: ranks of four grasses by 12 homeowners, 4 is best
CONOVER = np.array(
    [
        [4, 3, 2, 1],
        [4, 2, 3, 1],
        [3, 1.5, 1.5, 4],
        [3, 1, 2, 4],
        [4, 2, 1, 3],
        [2, 2, 2, 4],
        [1, 3, 2, 4],
        [2, 4, 1, 3],
        [3.5, 1, 2, 3.5],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [3.5, 1, 2, 3.5],
    ]
)

# few different scores, so that there are ties
tables = st.tuples(st.integers(2, 8), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 5).map(lambda i: i / 10))
)


def test_friedman_agrees_with_the_worked_example_of_demsar():
    result = compute_friedman(DEMSAR, correct_ties=False)
    assert np.round(result.mean_ranks, 3).tolist() == [3.143, 2.000, 2.893, 1.964]
    assert result.chi_square == pytest.approx(9.28, abs=5e-3)
    assert result.f == pytest.approx(3.69, abs=5e-3)
    assert result.critical_difference == pytest.approx(1.25, abs=5e-3)
    assert result.n_blocks == 14
    # the critical value of F(3, 39) at 0.05 is 2.85
    assert result.f_p_value == pytest.approx(f.sf(3.69, 3, 39), rel=0.01)
    assert f.isf(0.05, 3, 39) == pytest.approx(2.85, abs=5e-3)


def test_nemenyi_groups_agree_with_the_worked_example_of_demsar():
    # at 0.05 no pair differs; at 0.10 the difference is 1.12 and C4.5 is worse than both with m
    assert compute_friedman(DEMSAR).groups == ((3, 1, 2, 0),)
    result = compute_friedman(DEMSAR, alpha=0.10)
    assert result.critical_difference == pytest.approx(1.12, abs=5e-3)
    assert result.groups == ((3, 1, 2), (2, 0))


def test_friedman_with_ties_agrees_with_the_worked_example_of_conover():
    result = compute_friedman(CONOVER)
    assert result.chi_square == pytest.approx(8.0973, abs=5e-5)
    assert result.f == pytest.approx(3.1922, abs=5e-5)
    rank_sums = 12 * (5 - np.array(result.mean_ranks))
    np.testing.assert_allclose(rank_sums, [38, 23.5, 24.5, 34])


@pytest.mark.parametrize("table", [DEMSAR, CONOVER])
def test_friedman_agrees_with_scipy(table):
    result, expected = compute_friedman(table), friedmanchisquare(*table.T)
    assert result.chi_square == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)


@given(tables)
def test_f_is_the_analysis_of_variance_of_ranks(table):
    result = compute_friedman(table)
    n, k = table.shape
    # rank 1 plus the models that are better plus half of those that are as good
    gap = table[:, None, :] - table[:, :, None]
    ranks = 0.5 + (gap > 0).sum(axis=2) + 0.5 * (gap == 0).sum(axis=2)
    np.testing.assert_allclose(result.mean_ranks, ranks.mean(axis=0))
    between = n * ((ranks.mean(axis=0) - (k + 1) / 2) ** 2).sum() / (k - 1)
    residual = ((ranks - ranks.mean(axis=0)) ** 2).sum() / ((n - 1) * (k - 1))
    if not between:
        assert (result.f, result.chi_square) == (0, 0)
    elif residual > 1e-12:
        assert result.f == pytest.approx(between / residual, abs=1e-9)
        assert result.f_p_value == pytest.approx(f.sf(result.f, k - 1, (n - 1) * (k - 1)))
    else:
        assert (result.f, result.chi_square) == (math.inf, pytest.approx(n * (k - 1)))


@given(st.integers(1, 25), st.integers(0, 25), st.integers(0, 10))
def test_two_models_are_compared_by_their_wins(wins, losses, n_ties):
    table = np.repeat([[0.6, 0.5], [0.5, 0.6], [0.5, 0.5]], [wins, losses, n_ties], axis=0)
    result = compute_friedman(table)
    expected = mcnemar([[0, wins], [losses, 0]], exact=False, correction=False)
    assert result.chi_square == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)
    assert result.critical_difference == pytest.approx(norm.isf(0.025) / math.sqrt(len(table)))


@settings(max_examples=40)
@given(tables, st.randoms(use_true_random=False))
def test_friedman_follows_the_columns_and_knows_no_order_of_blocks(table, random):
    n, k = table.shape
    blocks, models = random.sample(range(n), n), random.sample(range(k), k)
    result = compute_friedman(table)
    again = compute_friedman(table[blocks][:, models])
    np.testing.assert_allclose(again.mean_ranks, np.array(result.mean_ranks)[models])
    assert again.chi_square == pytest.approx(result.chi_square)
    assert again.f_p_value == pytest.approx(result.f_p_value)
    assert sum(result.mean_ranks) == pytest.approx(k * (k + 1) / 2)
    # ranks are all that counts
    assert compute_friedman(np.exp(table) * 100) == result


@given(tables, st.sampled_from([0.01, 0.05, 0.5, 0.9]))
def test_groups_are_the_largest_sets_without_a_difference(table, alpha):
    result = compute_friedman(table, alpha)
    ranks, k = np.array(result.mean_ranks), table.shape[1]
    same = np.abs(ranks[:, None] - ranks) < result.critical_difference
    together = np.eye(k, dtype=bool)
    for group in result.groups:
        members = list(group)
        assert len(members) > 1
        assert (np.diff(ranks[members]) >= 0).all()
        assert same[np.ix_(members, members)].all()
        outside = [j for j in range(k) if j not in members]
        assert not same[np.ix_(outside, members)].all(axis=1).any()
        together[np.ix_(members, members)] = True
    np.testing.assert_array_equal(together, same)
    assert len(set(result.groups)) == len(result.groups)


def test_the_critical_difference_is_nemenyis():
    n, k = 30, 9
    result = compute_friedman(np.random.default_rng(0).random((n, k)), alpha=0.01)
    q = studentized_range.isf(0.01, k, np.inf) / math.sqrt(2)
    assert result.critical_difference == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * n)))
    assert result.alpha == 0.01


@pytest.mark.parametrize("correct_ties", [True, False])
def test_blocks_without_any_difference_say_nothing(correct_ties):
    result = compute_friedman(np.full((5, 3), 0.6), correct_ties=correct_ties)
    assert (result.chi_square, result.p_value, result.f, result.f_p_value) == (0, 1, 0, 1)
    assert result.mean_ranks == (2, 2, 2)
    assert result.groups == ((0, 1, 2),)


def test_constant_blocks_among_others_change_no_chi_square():
    table = CONOVER[:6]
    padded = np.vstack([table, np.ones((4, 4))])
    assert compute_friedman(padded).chi_square == pytest.approx(compute_friedman(table).chi_square)
    # without the correction they hide the difference
    assert (
        compute_friedman(padded, correct_ties=False).chi_square
        < compute_friedman(table, correct_ties=False).chi_square
    )


@pytest.mark.parametrize(
    ("block", "n_orders"), [([0.5, 0.6, 0.7], 6), ([0.5, 0.6, 0.6], 3), ([0.5, 0.6], 2)]
)
def test_blocks_that_all_rank_alike_have_an_exact_p_value(block, n_orders):
    result = compute_friedman([block] * 4)
    assert result.f == math.inf
    assert result.f_p_value == pytest.approx(n_orders**-3)


def test_one_block_shows_no_difference():
    result = compute_friedman([[0.5, 0.6, 0.7]])
    assert math.isnan(result.f)
    assert result.f_p_value == 1
    assert result.groups == ((2, 1, 0),)


def test_rounding_makes_no_ranks():
    assert compute_friedman([[0.1 + 0.2, 0.3]]).mean_ranks == (1.5, 1.5)
    assert compute_friedman([[3e-9, 4e-9]]).mean_ranks == (2, 1)


@pytest.mark.parametrize(
    "scores", [[], [[]], [0.5, 0.6], [[0.5], [0.6]], [[0.5, math.nan]], [[0.5, 0.6], [0.5]]]
)
def test_scores_that_cannot_be_ranked_are_refused(scores):
    with pytest.raises(ShapeError):
        compute_friedman(scores)


@pytest.mark.parametrize("alpha", [0, 1, math.nan])
def test_friedman_refuses_impossible_levels(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        compute_friedman([[0.5, 0.6]], alpha)
