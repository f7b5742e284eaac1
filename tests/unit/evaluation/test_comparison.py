import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import t, ttest_1samp
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.stats.contingency_tables import mcnemar

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation import (
    compute_corrected_interval,
    compute_corrected_t_test,
    compute_mcnemar,
    compute_subject_difference,
    compute_subject_interval,
    pool_answers,
)

# accuracies have few digits: differences far below rounding are no differences
accuracy = st.integers(0, 1000).map(lambda i: i / 1000)
share = st.floats(0.01, 0.99)
verdicts = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


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


def test_the_critical_values_of_the_t_test_are_students():
    scores = [0.5, 0.6, 0.8, 0.55]
    result = compute_corrected_interval(scores, 90, 10, confidence=0.9)
    half = (result.interval[1] - result.interval[0]) / 2
    assert half / result.standard_error == pytest.approx(t.isf(0.05, 3))


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


def test_gaits_that_a_model_leaves_out_count_for_the_other():
    a, b = make_pairs(both=240, only_a=40, only_b=80, neither=40)
    some = np.array(b, dtype=float)
    some[::10] = math.nan
    result = compute_subject_difference(a, some, np.arange(400))
    assert result.points == pytest.approx(100 * (np.nanmean(some) - np.mean(a)))
    # the same answers, a tenth of them left out: accuracies differ by the luck of the draw
    none = compute_subject_difference(b, some, np.arange(400))
    low, high = none.interval_points
    assert low < none.points < high
    assert high - low > 1


def test_a_resample_without_answers_is_passed_over():
    answers = [1, 0, 1, math.nan, math.nan, math.nan]
    result = compute_subject_difference([1, 1, 0, 1, 0, 1], answers, range(6), n_resamples=2000)
    assert all(math.isfinite(end) for end in result.interval_points)


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
