"""One training, read honestly and as published: against records made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.experiments.readings import read_line


def make_record(labels, epochs=None, chosen=None, *, predicted=None, fold=0, repeat=0, seed=0):
    """Return a record of a cell; epochs are strings of digits, one a gait."""
    predicted = predicted or epochs[chosen - 1]
    n_gaits = len(labels)
    return {
        "classes": ["happy", "angry", "sad"],
        "repeat": repeat,
        "fold": fold,
        "seed": seed,
        "test": list(range(100 * fold, 100 * fold + n_gaits)),
        "labels": labels,
        "predicted": predicted,
        "probabilities": np.eye(3)[[int(digit) for digit in predicted]].tolist(),
        "epochs": epochs,
        "chosen_epoch": chosen,
    }


def test_the_honest_reading_is_the_epoch_that_was_kept():
    reading = read_line(
        [
            make_record("00112", ["00000", "00110", "00112"], 2),
            make_record("201", ["201", "000", "222"], 3, fold=1),
        ]
    )
    assert reading.classes == ("happy", "angry", "sad")
    assert reading.gait.tolist() == [0, 1, 2, 3, 4, 100, 101, 102]
    assert reading.fold.tolist() == [0] * 5 + [1] * 3
    assert reading.labels.tolist() == [0, 0, 1, 1, 2, 2, 0, 1]
    assert reading.predicted.tolist() == [0, 0, 1, 1, 0, 2, 2, 2]
    assert reading.correct.tolist() == [True] * 4 + [False, True, False, False]
    assert reading.epochs == (2, 3)
    assert reading.probabilities.argmax(axis=1).tolist() == reading.predicted.tolist()
    assert reading.score_folds() == {(0, 0): 0.8, (0, 1): pytest.approx(1 / 3)}


def test_the_best_test_epoch_is_the_first_with_most_right_answers():
    record = make_record("00112", ["00000", "00112", "00110", "00112"], 3)
    reading = read_line([record], ["best-test-epoch"])
    assert reading.epochs == (2,)
    assert reading.score_folds() == {(0, 0): 1.0}
    assert reading.probabilities is None  # those that were kept belong to another epoch


def test_every_fold_has_its_own_best_epoch():
    records = [
        make_record("001", ["001", "111"], 2),
        make_record("001", ["111", "001"], 1, fold=1),
    ]
    reading = read_line(records, ["best-test-epoch"])
    assert reading.epochs == (1, 2)
    assert reading.correct.all()


def test_a_learner_without_epochs_is_read_as_it_is():
    record = make_record("0011", predicted="0101")
    reading = read_line([record], ["best-test-epoch"])
    assert reading.predicted.tolist() == [0, 1, 0, 1]
    assert reading.epochs == (None,)
    assert reading.probabilities is not None


@pytest.mark.parametrize(("n_gaits", "n_kept"), [(7, 7), (8, 8), (9, 8), (15, 8), (35, 32)])
def test_the_last_incomplete_batch_is_dropped(n_gaits, n_kept):
    labels = "012" * 12
    record = make_record(labels[:n_gaits], predicted="0" * n_gaits)
    reading = read_line([record], ["dropped-batch"])
    assert len(reading.gait) == len(set(reading.gait.tolist())) == n_kept
    assert reading.gait.tolist() == sorted(reading.gait.tolist())
    assert reading.labels.tolist() == [int(labels[i]) for i in reading.gait]
    assert len(reading.probabilities) == len(reading.predicted) == n_kept
    assert reading.repeat.shape == reading.fold.shape == (n_kept,)


def test_which_gaits_are_dropped_follows_the_seed_alone():
    def kept(seed):
        record = make_record("0" * 12, predicted="0" * 12, seed=seed)
        return read_line([record], ["dropped-batch"]).gait.tolist()

    assert kept(5) == kept(5)
    assert len({tuple(kept(seed)) for seed in range(6)}) > 1


def test_the_best_epoch_is_sought_on_the_gaits_that_its_own_shuffle_leaves():
    # twelve epochs of one and the same answers differ only in which four gaits they drop
    labels = "0" * 12
    record = make_record(labels, ["000000001111"] * 12, 1)
    alone = read_line([record], ["best-test-epoch"])
    both = read_line([record], ["best-test-epoch", "dropped-batch"])
    dropped = read_line([record], ["dropped-batch"])
    assert len(both.gait) == 8
    assert alone.correct.mean() == pytest.approx(8 / 12)
    assert both.correct.mean() > max(alone.correct.mean(), dropped.correct.mean())


_DIGITS = st.sampled_from("012")


@given(st.data(), st.integers(1, 30), st.integers(1, 6), st.integers(0, 2**31))
def test_published_readings_never_look_worse_than_what_they_choose_from(
    data, n_gaits, n_epochs, seed
):
    texts = st.text(_DIGITS, min_size=n_gaits, max_size=n_gaits)
    labels = data.draw(texts)
    epochs = data.draw(st.lists(texts, min_size=n_epochs, max_size=n_epochs))
    chosen = data.draw(st.integers(1, n_epochs))
    record = make_record(labels, epochs, chosen, seed=seed)
    shares = [np.mean([a == b for a, b in zip(labels, e, strict=True)]) for e in epochs]
    honest = read_line([record])
    assert honest.correct.mean() == pytest.approx(shares[chosen - 1])
    best = read_line([record], ["best-test-epoch"])
    assert best.correct.mean() == pytest.approx(max(shares))
    # the first epoch drops the same gaits, so that it is among those chosen from
    first = read_line([make_record(labels, epochs, 1, seed=seed)], ["dropped-batch"])
    both = read_line([record], ["best-test-epoch", "dropped-batch"])
    assert both.correct.mean() >= first.correct.mean()
