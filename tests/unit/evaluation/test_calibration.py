import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.evaluation.calibration import (
    TEMPERATURE_RANGE,
    apply_temperature,
    fit_temperature,
)

# numbers of few digits: two classes closer than rounding have no order to keep
few_digits = st.integers(-2000, 2000).map(lambda i: i / 100)


def compute_nll(logits, labels, temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_found_again(temperature):
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(20_000, 4)) * 1.5
    labels = (softmax(honest, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    assert fit_temperature(honest * temperature, labels) == pytest.approx(temperature, rel=0.04)


def test_log_probabilities_serve_as_logits():
    rng = np.random.default_rng(1)
    logits, labels = rng.normal(size=(200, 4)) * 3, rng.integers(0, 4, 200)
    from_logits = fit_temperature(logits, labels)
    assert fit_temperature(log_softmax(logits, axis=1), labels) == pytest.approx(from_logits)


@given(
    arrays(np.float64, (6, 4), elements=few_digits), arrays(np.int64, 6, elements=st.integers(0, 3))
)
def test_the_fitted_temperature_is_never_worse_than_none(logits, labels):
    temperature = fit_temperature(logits, labels)
    assert TEMPERATURE_RANGE[0] <= temperature <= TEMPERATURE_RANGE[1]
    assert compute_nll(logits, labels, temperature) <= compute_nll(logits, labels, 1.0)


@given(
    arrays(np.int64, (5, 4), elements=st.integers(0, 1000)).filter(lambda a: a.sum(1).all()),
    st.floats(*TEMPERATURE_RANGE),
)
def test_the_answer_stays_and_rows_sum_to_one(counts, temperature):
    given_table = counts / counts.sum(axis=1, keepdims=True)
    table = apply_temperature(given_table, temperature)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    rows = np.arange(len(table))
    np.testing.assert_array_equal(table[rows, given_table.argmax(axis=1)], table.max(axis=1))


@given(arrays(np.float64, (3, 4), elements=few_digits), st.floats(0.5, 5))
def test_applied_to_probabilities_it_equals_scaled_logits(logits, temperature):
    expected = softmax(logits / temperature, axis=1)
    table = apply_temperature(softmax(logits, axis=1), temperature)
    np.testing.assert_allclose(table, expected, atol=1e-9)


def test_certainty_stays_finite_and_one_row_may_come_alone():
    np.testing.assert_allclose(
        apply_temperature([1.0, 0.0, 0.0, 0.0], 1.0), [1, 0, 0, 0], atol=1e-300
    )
    scores = np.array([[0.0, -np.inf], [-np.inf, 0.0], [0.0, -np.inf]])
    # one of three certain answers is wrong: no temperature is soft enough
    assert fit_temperature(scores, [0, 1, 1]) == pytest.approx(TEMPERATURE_RANGE[1], rel=1e-3)


def test_scores_without_information_leave_the_temperature_at_one():
    assert fit_temperature(np.zeros((5, 4)), [0, 1, 2, 3, 0]) == 1.0


@pytest.mark.parametrize(
    ("scores", "labels", "error"),
    [
        (np.zeros((0, 4)), [], ShapeError),
        (np.zeros(4), [0], ShapeError),
        (np.zeros((2, 4)), [0], ShapeError),
        (np.zeros((2, 4)), [0, 4], LabelError),
        (np.zeros((2, 4)), [0, -1], LabelError),
        (np.zeros((2, 4)), ["happy", "sad"], LabelError),
        (np.full((2, 4), np.nan), [0, 1], ShapeError),
    ],
)
def test_bad_scores_are_refused(scores, labels, error):
    with pytest.raises(error):
        fit_temperature(scores, labels)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(ConfigError):
        apply_temperature([0.5, 0.5], temperature)


@pytest.mark.parametrize("table", [[-0.1, 1.1], [np.nan, 1.0], 0.5])
def test_impossible_probabilities_are_refused(table):
    with pytest.raises(ShapeError):
        apply_temperature(table, 2.0)
