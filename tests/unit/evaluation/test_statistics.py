import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.statistics import compute_proportion_interval, compute_subject_interval


def test_exact_interval_of_the_published_headline_figure():
    # 83.8 to 92.9 %, which is also quoted for 164 of 184, is Wilson's approximation
    low, high = compute_proportion_interval(164, 184)
    assert (round(100 * low, 1), round(100 * high, 1)) == (83.7, 93.2)


@pytest.mark.parametrize(
    ("n_correct", "n", "published"),
    [
        (81, 263, (0.2527, 0.3676)),
        (15, 148, (0.0578, 0.1617)),
        (0, 20, (0, 0.1684)),
        (1, 29, (0.0009, 0.1776)),
    ],
)
def test_exact_interval_agrees_with_published_worked_examples(n_correct, n, published):
    # Newcombe (1998), Statistics in Medicine 17, 857-872, doi:10.1002/(SICI)1097-0258
    assert compute_proportion_interval(n_correct, n) == pytest.approx(published, abs=6e-5)


def test_exact_interval_agrees_with_conovers_table():
    # Conover (1999), Practical Nonparametric Statistics: 5 seedlings of 25
    assert compute_proportion_interval(5, 25) == pytest.approx((0.068, 0.407), abs=6e-4)


@given(st.integers(2, 300), st.floats(0, 1))
def test_the_ends_of_the_exact_interval_leave_a_fortieth_in_each_tail(n, share):
    n_correct = min(max(round(share * n), 1), n - 1)
    low, high = compute_proportion_interval(n_correct, n)
    assert binom.sf(n_correct - 1, n, low) == pytest.approx(0.025, rel=1e-6)
    assert binom.cdf(n_correct, n, high) == pytest.approx(0.025, rel=1e-6)


def test_exact_interval_at_both_ends_has_its_closed_form():
    # with 0 of n, the upper end solves (1 - p)^n = 0.025
    low, high = compute_proportion_interval(0, 10)
    assert (low, high) == pytest.approx((0, 1 - 0.025**0.1))
    assert compute_proportion_interval(10, 10) == pytest.approx((0.025**0.1, 1))


@given(st.integers(1, 400), st.floats(0, 1))
def test_exact_interval_holds_the_proportion_and_narrows_with_confidence(n, share):
    n_correct = round(share * n)
    low, high = compute_proportion_interval(n_correct, n)
    low_80, high_80 = compute_proportion_interval(n_correct, n, confidence=0.8)
    assert 0 <= low <= low_80 <= n_correct / n <= high_80 <= high <= 1


@pytest.mark.parametrize(("n_correct", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(n_correct, n):
    with pytest.raises(ConfigError):
        compute_proportion_interval(n_correct, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(confidence):
    with pytest.raises(ConfigError):
        compute_proportion_interval(1, 2, confidence)
    with pytest.raises(ConfigError):
        compute_subject_interval([1, 0], ["a", "b"], confidence=confidence)


def test_subjects_of_one_gait_give_about_the_normal_interval():
    correct = np.arange(400) % 4 != 0  # 75 %
    low, high = compute_subject_interval(correct, np.arange(400))
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)


def test_gaits_that_agree_within_a_subject_widen_the_interval():
    # 40 subjects whose ten gaits are all right or all wrong tell as much as 40 gaits
    correct = np.repeat(np.arange(40) % 4 != 0, 10)
    low, high = compute_subject_interval(correct, np.repeat(np.arange(40), 10))
    half = 1.96 * np.sqrt(0.75 * 0.25 / 40)
    assert (low, high) == pytest.approx((0.75 - half, 0.75 + half), abs=0.03)


def test_repeating_every_answer_narrows_nothing():
    rng = np.random.default_rng(3)
    correct, subjects = rng.random(60) < 0.6, rng.integers(0, 20, 60)
    once = compute_subject_interval(correct, subjects)
    assert compute_subject_interval(np.tile(correct, 5), np.tile(subjects, 5)) == pytest.approx(
        once
    )


def test_subject_interval_depends_on_its_seed_alone():
    correct, subjects = [1, 0, 1, 1, 0, 1, 1], list("aabbcde")
    first = compute_subject_interval(correct, subjects, seed=1, n_resamples=200)
    assert first == compute_subject_interval(correct, subjects, seed=1, n_resamples=200)


def test_one_subject_says_nothing_of_others():
    assert compute_subject_interval([1, 1, 0], ["a", "a", "a"]) == (0.0, 1.0)


@pytest.mark.parametrize(("correct", "subjects"), [([], []), ([1], ["a", "b"])])
def test_answers_without_subjects_are_refused(correct, subjects):
    with pytest.raises(ShapeError):
        compute_subject_interval(correct, subjects)


def test_no_resamples_are_refused():
    with pytest.raises(ConfigError, match="n_resamples"):
        compute_subject_interval([1, 0], ["a", "b"], n_resamples=0)
