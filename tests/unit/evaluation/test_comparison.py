import gc
import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom, f, friedmanchisquare, norm, studentized_range, t, ttest_1samp
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation import (
    compute_corrected_interval,
    compute_corrected_t_test,
    compute_friedman,
    compute_gaits_needed,
    compute_holm,
    compute_mcnemar,
    compute_power,
    compute_subject_difference,
    compute_subject_interval,
    pool_answers,
)

# accuracies have few digits: differences far below rounding are no differences
accuracy = st.integers(0, 1000).map(lambda i: i / 1000)
share = st.floats(0.01, 0.99)
verdicts = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def split_pairs(pairs):
    return [a for a, _ in pairs], [b for _, b in pairs]


def make_pairs(both, only_a, only_b, neither):
    n = [both, only_a, only_b, neither]
    return np.repeat([True, True, False, False], n), np.repeat([True, False, True, False], n)


# corrected interval and t test


def test_corrected_interval_by_hand():
    # variance 0.0004 / 3; times 1/4 + 1/9 = 13/36; t of 3 d.o.f. is 3.182446
    result = compute_corrected_interval([0.58, 0.60, 0.60, 0.62], n_train=90, n_test=10)
    error = math.sqrt(13 / 36 * 0.0008 / 3)
    assert result.mean == pytest.approx(0.6)
    assert result.standard_error == pytest.approx(error)
    half = 3.182446 * error
    assert result.interval == pytest.approx((0.6 - half, 0.6 + half), abs=1e-7)
    assert result.dof == 3


def test_corrected_t_test_agrees_with_the_example_of_scikit_learn():
    # "Statistical comparison of models using grid search": t = 0.750, one-sided p = 0.227
    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    linear, rbf = (
        cross_val_score(SVC(kernel=kernel), x, y, cv=cv, scoring="roc_auc")
        for kernel in ("linear", "rbf")
    )
    result = compute_corrected_t_test(rbf - linear, n_train=90, n_test=10)
    assert result.t == pytest.approx(0.750, abs=5e-4)
    assert result.p_value / 2 == pytest.approx(0.227, abs=5e-4)
    assert result.dof == 99


@given(st.lists(accuracy, min_size=2, max_size=30).filter(lambda s: len(set(s)) > 1))
def test_without_overlap_it_is_students_t_test(differences):
    # as many test gaits as make the correction nothing
    result = compute_corrected_t_test(differences, n_train=1e12, n_test=1e-12)
    student = ttest_1samp(differences, 0)
    assert result.t == pytest.approx(student.statistic)
    assert result.p_value == pytest.approx(student.pvalue)
    low, high = student.confidence_interval()
    assert result.interval == pytest.approx((low, high), abs=1e-9)
    assert result.cohens_dz == pytest.approx(result.t / math.sqrt(len(differences)))


@given(st.lists(accuracy, min_size=2, max_size=20), st.randoms(use_true_random=False))
def test_swapping_models_flips_the_sign_and_order_does_not_matter(differences, random):
    result = compute_corrected_t_test(differences, 90, 10)
    shuffled = random.sample(differences, len(differences))
    again = compute_corrected_t_test([-d for d in shuffled], 90, 10)
    assert again.mean == pytest.approx(-result.mean)
    assert again.t == pytest.approx(-result.t)
    assert again.cohens_dz == pytest.approx(-result.cohens_dz)
    assert again.p_value == pytest.approx(result.p_value, nan_ok=True)
    assert again.interval == pytest.approx((-result.interval[1], -result.interval[0]))


@given(st.lists(accuracy, min_size=2, max_size=20), share)
def test_the_test_rejects_where_its_interval_leaves_out_zero(differences, confidence):
    result = compute_corrected_t_test(differences, 90, 10, confidence)
    low, high = result.interval
    assert low <= result.mean <= high
    if abs(result.p_value - (1 - confidence)) > 1e-9:
        assert (result.p_value < 1 - confidence) == (not low <= 0 <= high)


@given(st.lists(accuracy, min_size=2, max_size=20), st.floats(0.01, 1), st.floats(0.01, 1))
def test_more_overlap_and_more_confidence_widen_the_interval(scores, one, other):
    small, large = sorted((one, other))
    width = np.diff(compute_corrected_interval(scores, 1, small).interval)
    assert width <= np.diff(compute_corrected_interval(scores, 1, large).interval) + 1e-12
    assert width >= np.diff(compute_corrected_interval(scores, 1, small, 0.8).interval)


def test_average_fold_sizes_may_be_used():
    scores = [0.5, 0.7, 0.6]
    whole = compute_corrected_interval(scores, 3078, 342)
    assert compute_corrected_interval(scores, 307.8, 34.2) == whole


def test_models_that_never_differ_have_p_one():
    result = compute_corrected_t_test(np.zeros(10), 90, 10)
    assert (result.t, result.p_value, result.cohens_dz, result.interval) == (0, 1, 0, (0, 0))


@pytest.mark.parametrize("difference", [0.03, -0.03])
def test_equal_differences_claim_nothing(difference):
    # one gait more in each of three folds, with the rounding of subtracted accuracies
    accuracies = np.array([0.1, 0.5, 0.9])
    differences = (accuracies + difference) - accuracies
    assert np.ptp(differences) > 0
    result = compute_corrected_t_test(differences, 90, 10)
    assert result.mean == pytest.approx(difference)
    assert result.t == result.cohens_dz == math.copysign(math.inf, difference)
    assert math.isnan(result.p_value)
    assert result.interval == (-math.inf, math.inf)


def test_equal_scores_have_an_interval_of_no_width():
    result = compute_corrected_interval([0.9, 0.9, 0.9], 90, 10)
    assert (result.interval, result.standard_error) == (pytest.approx((0.9, 0.9)), 0)


def test_one_score_says_nothing_of_its_spread():
    result = compute_corrected_interval([0.6], 90, 10)
    assert (result.mean, result.interval, result.dof) == (0.6, (-math.inf, math.inf), 0)
    assert math.isnan(result.standard_error)
    test = compute_corrected_t_test([0.1], 90, 10)
    assert math.isnan(test.p_value)
    assert math.isnan(test.t)
    assert compute_corrected_t_test([0.0], 90, 10).p_value == 1


def test_the_corrected_test_holds_its_level_where_the_naive_one_does_not():
    # two equal learners, each predicting the mean of its own column: 10 times 10 folds of 50 gaits
    rng = np.random.default_rng(7)
    n_sets, naive, corrected = 400, 0, 0
    for _ in range(n_sets):
        values = rng.normal(size=(50, 2))
        order = np.array([rng.permutation(50) for _ in range(10)])
        folds = values[order].reshape(100, 5, 2)
        trained = (values.sum(axis=0) - folds.sum(axis=1)) / 45
        loss = ((folds - trained[:, None]) ** 2).mean(axis=1)
        differences = loss[:, 1] - loss[:, 0]
        corrected += compute_corrected_t_test(differences, 45, 5).p_value < 0.05
        naive += ttest_1samp(differences, 0).pvalue < 0.05
    assert corrected / n_sets < 0.07
    assert naive / n_sets > 0.3


@pytest.mark.parametrize("compute", [compute_corrected_interval, compute_corrected_t_test])
@pytest.mark.parametrize("scores", [[], [[0.5, 0.6]], 0.5, [0.5, math.nan], [math.inf], ["good"]])
def test_scores_that_are_none_are_refused(compute, scores):
    with pytest.raises(ShapeError):
        compute(scores, 90, 10)


@pytest.mark.parametrize("compute", [compute_corrected_interval, compute_corrected_t_test])
@pytest.mark.parametrize(
    ("n_train", "n_test", "confidence"),
    [(0, 10, 0.95), (90, 0, 0.95), (math.nan, 10, 0.95), (90, math.inf, 0.95), (90, 10, 95)],
)
def test_impossible_fold_sizes_and_confidence_are_refused(compute, n_train, n_test, confidence):
    with pytest.raises(ConfigError):
        compute([0.5, 0.6], n_train, n_test, confidence)


def test_a_failed_fold_is_named_as_the_cause():
    with pytest.raises(ShapeError, match="1 of 3 are not finite"):
        compute_corrected_t_test([0.1, math.nan, 0.2], 90, 10)


# McNemar


@pytest.mark.parametrize(
    ("counts", "p_value", "odds_ratio", "interval"),
    [
        # Armitage and Berry (1994), p. 127: two media for culturing bacteria
        ((20, 2, 12, 16), 0.0129, 6, (1.335744, 55.197091)),
        # Fay (2010), exact2x2: "Exact McNemar's test and matching confidence intervals"
        ((21, 9, 2, 12), 0.06543, 0.2222222, (0.02336464, 1.07363844)),
    ],
)
def test_mcnemar_agrees_with_published_worked_examples(counts, p_value, odds_ratio, interval):
    result = compute_mcnemar(*make_pairs(*counts))
    assert (result.n_only_a, result.n_only_b) == counts[1:3]
    assert result.n_gaits == sum(counts)
    assert result.p_value == pytest.approx(p_value, abs=6e-5)
    assert result.odds_ratio == pytest.approx(odds_ratio)
    assert result.odds_ratio_interval == pytest.approx(interval, rel=1e-6)


@given(verdicts)
def test_mcnemar_agrees_with_statsmodels(pairs):
    a, b = split_pairs(pairs)
    result = compute_mcnemar(a, b)
    table = [[0, result.n_only_a], [result.n_only_b, 0]]
    assert result.p_value == pytest.approx(min(mcnemar(table, exact=True).pvalue, 1))
    assert result.n_only_b - result.n_only_a == sum(b) - sum(a)


@given(verdicts, st.randoms(use_true_random=False))
def test_mcnemar_is_symmetric_and_knows_no_order(pairs, random):
    result = compute_mcnemar(*split_pairs(pairs))
    b, a = split_pairs(random.sample(pairs, len(pairs)))
    swapped = compute_mcnemar(a, b)
    assert swapped.p_value == pytest.approx(result.p_value)
    assert (swapped.n_only_a, swapped.n_only_b) == (result.n_only_b, result.n_only_a)
    assert swapped.cohens_g == pytest.approx(-result.cohens_g, nan_ok=True)
    low, high = result.odds_ratio_interval
    assert swapped.odds_ratio_interval == pytest.approx(
        (1 / high, 1 / low if low else math.inf), rel=1e-9
    )


@given(verdicts)
def test_the_interval_of_the_odds_ratio_fits_the_test(pairs):
    result = compute_mcnemar(*split_pairs(pairs))
    low, high = result.odds_ratio_interval
    assert 0 <= low <= high
    assert (result.p_value < 0.05) == (not low <= 1 <= high)
    if result.n_only_a + result.n_only_b:
        assert low <= result.odds_ratio <= high
        odds = result.odds_ratio
        expected = 0.5 if odds == math.inf else odds / (1 + odds) - 0.5
        assert result.cohens_g == pytest.approx(expected)


def test_models_that_agree_on_every_gait_do_not_differ():
    result = compute_mcnemar([1, 0, 1], [1, 0, 1])
    assert (result.n_gaits, result.n_only_a, result.n_only_b, result.p_value) == (3, 0, 0, 1)
    assert math.isnan(result.odds_ratio)
    assert math.isnan(result.cohens_g)
    assert result.odds_ratio_interval == (0, math.inf)


def test_a_model_that_is_never_right_alone_gives_odds_at_the_end():
    result = compute_mcnemar([0] * 6, [1] * 6)
    # with 6 of 6, the lower end solves p^6 = 0.025
    low = 0.025 ** (1 / 6)
    assert (result.odds_ratio, result.cohens_g) == (math.inf, 0.5)
    assert result.odds_ratio_interval == (pytest.approx(low / (1 - low)), math.inf)
    assert result.p_value == pytest.approx(2 / 64)


@pytest.mark.parametrize(
    ("correct_a", "correct_b"),
    [([], []), ([1, 0], [1]), ([[1]], [[1]]), ([2], [1]), ([0.5], [1]), ([math.nan], [1])],
)
def test_verdicts_that_are_none_are_refused(correct_a, correct_b):
    with pytest.raises(ShapeError):
        compute_mcnemar(correct_a, correct_b)
    with pytest.raises(ShapeError):
        compute_subject_difference(correct_b, correct_a, [0] * len(correct_a))


@pytest.mark.parametrize("pair", [([1, 0], [0, 1]), ([1], [1])])
def test_mcnemar_refuses_impossible_confidence(pair):
    with pytest.raises(ConfigError, match="confidence"):
        compute_mcnemar(*pair, confidence=95)


# pooling of repeats


def test_pooling_averages_the_repeats_of_each_gait():
    pooled = pool_answers([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.4, 0.6]], [7, 3, 7, 3])
    np.testing.assert_array_equal(pooled.indices, [3, 7])
    np.testing.assert_allclose(pooled.probabilities, [[0.3, 0.7], [0.7, 0.3]])
    np.testing.assert_array_equal(pooled.n_answers, [2, 2])


@given(arrays(np.int64, 12, elements=st.integers(0, 4)), st.permutations(range(12)))
def test_pooled_rows_sum_to_one_in_any_order(indices, order):
    table = np.random.default_rng(0).dirichlet(np.ones(4), size=12)
    pooled = pool_answers(table, indices)
    np.testing.assert_allclose(pooled.probabilities.sum(axis=1), 1)
    assert pooled.n_answers.sum() == 12
    again = pool_answers(table[order], indices[order])
    np.testing.assert_array_equal(again.indices, pooled.indices)
    np.testing.assert_allclose(again.probabilities, pooled.probabilities)


def test_pooling_leaves_single_answers_alone():
    table = np.random.default_rng(0).dirichlet(np.ones(4), size=5)
    np.testing.assert_array_equal(pool_answers(table, np.arange(5)).probabilities, table)


@pytest.mark.parametrize(
    ("probabilities", "indices"),
    [
        (np.zeros((0, 4)), []),
        ([0.5, 0.5], [0, 1]),
        ([[0.5, 0.5]], [0, 1]),
        ([[0.5, 0.5]], [[0]]),
        ([[0.5, 0.5]], [0.5]),
        ([[0.5, math.nan]], [0]),
        ([[1.5, -0.5]], [0]),
        ([[0.5, 0.6]], [0]),
    ],
)
def test_answers_that_cannot_be_pooled_are_refused(probabilities, indices):
    with pytest.raises(ShapeError):
        pool_answers(probabilities, indices)


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


# difference over subjects


def test_subjects_of_one_gait_give_about_the_normal_interval_of_a_difference():
    # variance of a paired difference: (b + c - (c - b)^2 / n) / n
    a, b = make_pairs(both=240, only_a=40, only_b=80, neither=40)
    result = compute_subject_difference(a, b, np.arange(400))
    assert result.points == pytest.approx(10)
    half = 196 * math.sqrt((0.1 + 0.2 - 0.1**2) / 400)
    assert result.interval_points == pytest.approx((10 - half, 10 + half), abs=0.5)


def test_gaits_that_agree_within_a_subject_widen_the_interval_of_a_difference():
    a, b = make_pairs(both=24, only_a=4, only_b=8, neither=4)
    people = np.arange(40)
    once = compute_subject_difference(a, b, people)
    many = compute_subject_difference(np.tile(a, 10), np.tile(b, 10), np.tile(people, 10))
    alone = compute_subject_difference(np.tile(a, 10), np.tile(b, 10), np.arange(400))
    assert many.interval_points == pytest.approx(once.interval_points)
    assert np.diff(many.interval_points) > 2.5 * np.diff(alone.interval_points)


@given(verdicts, st.integers(0, 10))
def test_swapping_models_mirrors_the_interval(pairs, seed):
    a, b = split_pairs(pairs)
    people = np.arange(len(pairs)) % 7
    result = compute_subject_difference(a, b, people, n_resamples=200, seed=seed)
    swapped = compute_subject_difference(b, a, people, n_resamples=200, seed=seed)
    low, high = result.interval_points
    assert -100 <= low <= high <= 100
    assert result.points == pytest.approx(100 * (np.mean(b) - np.mean(a)))
    assert swapped.points == pytest.approx(-result.points)
    assert swapped.interval_points == pytest.approx((-high, -low), abs=1e-9)


@given(st.lists(st.booleans(), min_size=2, max_size=40))
def test_against_a_model_that_is_always_wrong_it_is_the_interval_of_an_accuracy(correct):
    people = np.arange(len(correct)) % 5
    result = compute_subject_difference(np.zeros(len(correct)), correct, people, n_resamples=200)
    accuracy_interval = compute_subject_interval(correct, people, n_resamples=200)
    assert result.interval_points == pytest.approx([100 * end for end in accuracy_interval])


def test_one_subject_says_nothing_of_the_difference_for_others():
    result = compute_subject_difference([1, 1, 0], [1, 1, 1], ["a", "a", "a"])
    assert result.interval_points == (-100, 100)


def test_a_difference_without_subjects_is_refused():
    with pytest.raises(ShapeError):
        compute_subject_difference([1, 0], [1, 1], ["a"])


@pytest.mark.parametrize("options", [{"confidence": 95}, {"n_resamples": 0}])
def test_a_difference_refuses_impossible_options(options):
    with pytest.raises(ConfigError):
        compute_subject_difference([1, 0], [1, 1], ["a", "b"], **options)


# power


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
    # 159 and 164 right of 184: were 10 and 15 right by one model only, 0.8 needs hundreds of gaits
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


def test_the_critical_values_of_the_t_test_are_students():
    scores = [0.5, 0.6, 0.8, 0.55]
    result = compute_corrected_interval(scores, 90, 10, confidence=0.9)
    half = (result.interval[1] - result.interval[0]) / 2
    assert half / result.standard_error == pytest.approx(t.isf(0.05, 3))
