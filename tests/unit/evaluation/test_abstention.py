import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation import (
    choose_threshold,
    compute_risk_coverage,
    cross_validate_threshold,
)


def test_a_curve_by_hand():
    curve = compute_risk_coverage([0.9, 0.5, 0.7, 0.7], [True, False, True, False])
    assert curve.threshold.tolist() == [0.9, 0.7, 0.5]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk == pytest.approx([0, 1 / 3, 1 / 2])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60))
def test_the_curve_is_what_thresholds_do(answers):
    sure, right = (np.array(column) for column in zip(*answers, strict=True))
    curve = compute_risk_coverage(sure, right)
    for threshold, coverage, risk in zip(*curve, strict=True):
        kept = sure >= threshold
        assert coverage == pytest.approx(kept.mean())
        assert risk == pytest.approx(1 - right[kept].mean())
    assert curve.coverage[-1] == 1


def draw(n, seed):
    """Answers that are right as often as their confidence says."""
    rng = np.random.default_rng(seed)
    sure = rng.uniform(0.25, 1.0, n)
    return sure, rng.random(n) < sure


def test_the_threshold_keeps_its_word_on_new_gaits():
    sure, right = draw(4000, 0)
    threshold = choose_threshold(sure, right, 0.8)
    assert threshold == pytest.approx(0.6, abs=0.05)  # the mean of 0.6 to 1
    new_sure, new_right = draw(4000, 1)
    assert new_right[new_sure >= threshold].mean() == pytest.approx(0.8, abs=0.03)


def test_the_lowest_threshold_that_serves_is_taken():
    sure, right = draw(400, 2)
    threshold = choose_threshold(sure, right, 0.75)
    assert right[sure >= threshold].mean() >= 0.75
    lower = sure[sure < threshold]
    assert all(right[sure >= other].mean() < 0.75 for other in lower)


def test_nothing_is_good_enough_and_few_answers_are_none():
    assert choose_threshold(np.linspace(0.3, 0.9, 100), np.zeros(100), 0.5) == 1.0
    assert choose_threshold(np.linspace(0.3, 0.9, 10), np.ones(10), 0.5) == 1.0


def test_worth_is_measured_on_gaits_that_did_not_choose():
    sure, right = draw(500, 3)
    fold = np.arange(500) % 5
    found = cross_validate_threshold(sure, right, fold, 0.8)
    n_answered = n_right = 0
    for number in range(5):
        here = fold == number
        kept = here & (sure >= choose_threshold(sure[~here], right[~here], 0.8))
        n_answered, n_right = n_answered + kept.sum(), n_right + right[kept].sum()
    assert (found.n_answered, found.n_right) == (n_answered, n_right)
    assert found.share_right == pytest.approx(n_right / n_answered)
    assert found.share_right_ci95[0] < found.share_right < found.share_right_ci95[1]
    assert found.to_dict()["coverage"] == pytest.approx(n_answered / 500)


def test_bad_input():
    with pytest.raises(ShapeError):
        compute_risk_coverage([], [])
    with pytest.raises(ShapeError, match="NaN"):
        compute_risk_coverage([np.nan], [True])
    with pytest.raises(ConfigError, match="share_right"):
        choose_threshold([0.5], [True], 0)
    with pytest.raises(ConfigError, match="one fold"):
        cross_validate_threshold([0.5, 0.6], [True, False], [1, 1], 0.5)
