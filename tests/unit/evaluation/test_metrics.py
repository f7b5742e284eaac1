import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, brier_score_loss, f1_score

from moodwalk.errors import LabelError, ShapeError
from moodwalk.evaluation.metrics import (
    compute_brier_score,
    compute_calibration_error,
    compute_log_loss,
    compute_reliability,
    compute_scores,
)

CLASSES = ("happy", "angry", "sad", "neutral")


def test_scores_of_a_table_worked_by_hand():
    #            answered: happy sad
    # happy (3)            2     1
    # sad (2)              1     1
    scores = compute_scores(
        ["happy", "happy", "happy", "sad", "sad"],
        ["happy", "happy", "sad", "happy", "sad"],
        ("sad", "happy"),
    )
    assert scores.confusion.tolist() == [[1, 1], [1, 2]]
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    happy = scores.per_class["happy"]
    assert (happy.precision, happy.recall) == pytest.approx((2 / 3, 2 / 3))
    assert happy.support == 3


def test_a_class_that_the_labels_lack_counts_in_no_mean_and_warns_of_nothing():
    scores = compute_scores(["happy", "sad", "sad"], ["happy", "angry", "sad"], CLASSES)
    assert scores.balanced_accuracy == pytest.approx((1 + 1 / 2) / 2)
    assert scores.macro_f1 == pytest.approx((1 + 2 / 3) / 2)
    assert scores.per_class["angry"].support == 0
    assert scores.confusion.sum() == 3


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1))
def test_scores_agree_with_scikit_learn_and_with_their_own_confusion(pairs):
    true, answer = zip(*pairs, strict=True)
    # every class is in the labels, so that scikit-learn's own averages mean the same
    true, answer = (*true, *CLASSES), (*answer, *CLASSES)
    scores = compute_scores(true, answer, CLASSES)
    assert scores.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, answer))
    assert scores.macro_f1 == pytest.approx(f1_score(true, answer, average="macro"))
    assert scores.accuracy == pytest.approx(np.trace(scores.confusion) / len(true))
    support = [scores.per_class[name].support for name in CLASSES]
    assert scores.confusion.sum(axis=1).tolist() == support


def test_columns_follow_the_given_order_and_not_the_alphabet():
    labels = ["happy", "angry"]
    table = [[0.9, 0.1, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0]]
    assert compute_log_loss(labels, table, CLASSES) == pytest.approx(-np.log([0.9, 0.8]).mean())
    assert compute_brier_score(labels, table, CLASSES) == pytest.approx((0.02 + 0.08) / 2)


def test_brier_score_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.ones(4), size=50)
    classes = sorted(CLASSES)
    labels = rng.choice(classes, size=50)
    expected = brier_score_loss(labels, table, labels=classes)
    assert compute_brier_score(labels, table, classes) == pytest.approx(expected)


def test_float32_probabilities_are_taken_as_they_come():
    table = np.full((3, 3), 1 / 3, dtype=np.float32)
    loss = compute_log_loss(["happy", "sad", "angry"], table, ("happy", "angry", "sad"))
    assert loss == pytest.approx(np.log(3))


def test_calibration_error_of_two_bins_worked_by_hand():
    # four answers at 0.9, three right: gap 0.15; one at 0.6, wrong: gap 0.6
    table = [[0.9, 0.1]] * 4 + [[0.6, 0.4]]
    labels = ["happy", "happy", "happy", "sad", "sad"]
    error = compute_calibration_error(labels, table, ("happy", "sad"), n_bins=10)
    assert error == pytest.approx(0.8 * 0.15 + 0.2 * 0.6)


def test_reliability_puts_certainty_into_the_last_bin():
    bins = compute_reliability(["happy", "sad"], [[1.0, 0.0], [0.5, 0.5]], ("happy", "sad"), 2)
    assert bins.count.tolist() == [1, 1]
    assert bins.confidence.tolist() == [0.5, 1.0]
    assert bins.accuracy.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("labels", "predicted", "error"),
    [
        ([], [], ShapeError),
        (["happy"], ["happy", "sad"], ShapeError),
        (["bored"], ["happy"], LabelError),
        (["happy"], ["bored"], LabelError),
    ],
)
def test_bad_answers_are_refused(labels, predicted, error):
    with pytest.raises(error):
        compute_scores(labels, predicted, CLASSES)


@pytest.mark.parametrize("table", [[[0.5, 0.6]], [[-0.1, 1.1]], [[np.nan, 1.0]], [[1.0]]])
def test_what_are_no_probabilities_is_refused(table):
    with pytest.raises(ShapeError):
        compute_log_loss(["happy"], table, ("happy", "sad"))
