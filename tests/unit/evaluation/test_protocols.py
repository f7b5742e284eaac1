import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from moodwalk.errors import ConfigError, MoodwalkError, MoodwalkWarning, ShapeError
from moodwalk.evaluation import protocols
from moodwalk.evaluation.protocols import PROTOCOLS, make_splits

EMOTIONS = ("happy", "angry", "sad", "neutral")


def make_layout(n_subjects=24, gaits_per_subject=5):
    """Every subject walks in every emotion but one."""
    subjects = np.repeat([f"S{i:02}" for i in range(n_subjects)], gaits_per_subject)
    labels = np.array(EMOTIONS)[np.arange(len(subjects)) % 4]
    return labels, subjects


@st.composite
def layouts(draw):
    """Any gaits of any subjects, some of them synthetic."""
    n = draw(st.integers(6, 50))
    n_subjects = draw(st.integers(1, 14))
    labels = draw(st.lists(st.sampled_from(EMOTIONS), min_size=n, max_size=n))
    subjects = draw(st.lists(st.integers(0, n_subjects), min_size=n, max_size=n))
    synthetic = draw(st.lists(st.sampled_from([False, False, False, True]), min_size=n, max_size=n))
    return labels, [f"S{i}" for i in subjects], np.array(synthetic)


@pytest.mark.filterwarnings("ignore::moodwalk.errors.MoodwalkWarning")
@given(layouts(), st.integers(2, 6), st.integers(0, 99))
def test_no_subject_is_ever_on_both_sides(layout, folds, seed):
    labels, subjects, synthetic = layout
    people = np.array(subjects)
    try:
        splits = make_splits("subject", labels, subjects, folds, 2, seed, synthetic)
    except ConfigError:
        return  # a layout that cannot be split says so
    for split in splits:
        assert not set(people[split.train]) & set(people[split.test])
        assert not synthetic[split.test].any()
        assert len(split.test)
        assert set(np.array(labels)[~synthetic]) <= set(np.array(labels)[split.train])
    for repeat in range(2):
        tested = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tested.tolist()) == np.flatnonzero(~synthetic).tolist()


@pytest.mark.filterwarnings("ignore::moodwalk.errors.MoodwalkWarning")
@given(layouts(), st.integers(2, 6), st.integers(0, 99), st.sampled_from(["random", "legacy"]))
def test_no_gait_is_ever_on_both_sides(layout, folds, seed, protocol):
    labels, subjects, synthetic = layout
    try:
        splits = make_splits(protocol, labels, subjects, folds, 2, seed, synthetic)
    except ConfigError:
        return
    for split in splits:
        assert not set(split.train.tolist()) & set(split.test.tolist())
        assert not synthetic[split.test].any()
        assert set(np.flatnonzero(synthetic)) <= set(split.train.tolist())
        n_dropped = len(labels) - len(split.train) - len(split.test)
        assert 0 <= n_dropped < (8 if protocol == "legacy" else 1)


def test_a_split_that_leaks_is_never_returned(monkeypatch):
    class Careless(StratifiedKFold):
        def split(self, X, y, groups):
            return super().split(X, y)

    monkeypatch.setattr(protocols, "StratifiedGroupKFold", Careless)
    with pytest.raises(MoodwalkError, match=r"repeat 1, fold 1: the split leaks"):
        make_splits("subject", *make_layout(), 4)


def test_the_layouts_of_these_tests_can_be_split_without_a_warning():
    labels, subjects = make_layout(60)
    for protocol in PROTOCOLS:
        n_splits = {"legacy": 2}.get(protocol, 6)
        assert len(make_splits(protocol, labels, subjects, 3, 2)) == n_splits


@pytest.mark.parametrize(
    ("protocol", "splitter"), [("subject", StratifiedGroupKFold), ("random", StratifiedKFold)]
)
def test_repeat_r_is_scikit_learns_own_split_with_seed_plus_r(protocol, splitter):
    groups = {"subject": make_layout()[1], "random": None}[protocol]
    labels, subjects = make_layout()
    splits = make_splits(protocol, labels, subjects, 4, 2, seed=7)
    for repeat in range(2):
        own = splitter(4, shuffle=True, random_state=7 + repeat).split(labels, labels, groups)
        mine = [s for s in splits if s.repeat == repeat]
        for split, (train, test) in zip(mine, own, strict=True):
            np.testing.assert_array_equal(split.train, train)
            np.testing.assert_array_equal(split.test, test)


def test_folds_hold_every_class_in_about_its_share():
    labels, subjects = make_layout(40)
    for split in make_splits("subject", labels, subjects, 5):
        shares = [(labels[split.test] == name).mean() for name in EMOTIONS]
        assert np.abs(np.array(shares) - 0.25).max() < 0.1


def test_legacy_tests_whole_batches_of_a_shuffled_tenth_and_others_each_repeat():
    labels, subjects = make_layout(37)  # 185 gaits: a tenth is 19, of which two batches stay
    first, second = make_splits("legacy", labels, subjects, folds=10, repeats=2, seed=1)
    assert (len(first.train), len(first.test)) == (166, 16)
    assert (np.diff(first.test) < 0).any()
    assert set(first.test.tolist()) != set(second.test.tolist())


def test_synthetic_gaits_are_trained_on_in_every_fold():
    labels, subjects = make_layout()
    synthetic = np.zeros(len(labels) + 8, dtype=bool)
    synthetic[-8:] = True
    labels, subjects = np.append(labels, ["sad"] * 8), np.append(subjects, ["step-gen"] * 8)
    for protocol in ("subject", "random"):
        for split in make_splits(protocol, labels, subjects, 4, synthetic=synthetic):
            assert set(np.flatnonzero(synthetic)) <= set(split.train.tolist())
            assert not synthetic[split.test].any()


def test_a_synthetic_gait_of_a_subject_under_test_is_left_out():
    labels, subjects = make_layout()
    synthetic = np.append(np.zeros(len(labels), dtype=bool), True)
    labels, subjects = np.append(labels, "sad"), np.append(subjects, "S00")
    splits = make_splits("subject", labels, subjects, 4, synthetic=synthetic)
    tests_s00 = [split for split in splits if "S00" in subjects[split.test]]
    assert len(tests_s00) == 1
    for split in splits:
        assert (len(labels) - 1 in split.train) == (split is not tests_s00[0])


@pytest.mark.parametrize("protocol", ["subject", "random"])
def test_a_class_with_fewer_gaits_than_folds_is_warned_of_by_name(protocol):
    labels, subjects = make_layout()
    labels = np.where(labels == "angry", "sad", labels)
    labels[[1, 41, 81]] = "angry"  # of three subjects
    with pytest.warns(MoodwalkWarning, match=r"of 6 test sets have no 'angry' gait \(3 gaits of 3"):
        splits = make_splits(protocol, labels, subjects, 6)
    tested = np.concatenate([split.test for split in splits])
    assert sorted(tested.tolist()) == list(range(len(labels)))


def test_a_class_of_one_subject_cannot_be_tested_by_subject():
    labels, subjects = make_layout()
    labels = np.where(labels == "angry", "sad", labels)
    labels[:4] = "angry"  # all of S00
    with pytest.raises(ConfigError, match=r"no 'angry' gait to train on.*Give more subjects"):
        make_splits("subject", labels, subjects, 4)
    assert make_splits("random", labels, subjects, 4)


def test_legacy_may_test_no_gait_of_a_class_with_a_warning():
    labels, subjects = make_layout()
    labels = np.where(labels == "angry", "sad", labels)
    labels[:2] = "angry"
    seen = set()
    for seed in range(20):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            (split,) = make_splits("legacy", labels, subjects, seed=seed)
        lacking = set(EMOTIONS) - set(labels[split.test])
        assert len(caught) == len(lacking)
        assert all(any(f"'{name}'" in str(w.message) for w in caught) for name in lacking)
        seen.add("angry" in lacking)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"protocol": "loso"}, "'loso' is no protocol; expected one of subject, random, legacy"),
        ({"folds": 1}, "folds is 1"),
        ({"folds": 25}, "25 folds for 24 subjects"),
        ({"protocol": "random", "folds": 31}, "largest class has 30 gaits"),
        ({"repeats": 0}, "repeats is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"labels": ["sad"] * 120}, "120 real gaits of 1 class"),
        ({"synthetic": [True] * 120}, "0 real gaits of 0 class"),
    ],
)
def test_what_cannot_be_split_is_refused_in_one_line(changed, message):
    labels, subjects = make_layout()
    given_ = {"protocol": "subject", "labels": labels, "subjects": subjects} | changed
    with pytest.raises(ConfigError, match=message) as caught:
        make_splits(**given_)
    assert "\n" not in str(caught.value)


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ShapeError):
        make_splits("subject", ["sad", "happy"], ["a"])
    with pytest.raises(ShapeError):
        make_splits("subject", ["sad", "happy"], ["a", "b"], synthetic=[True])


def test_the_real_gaits_split_as_promised(real_gaits):
    labels, subjects = real_gaits.labels, real_gaits.subjects
    splits = make_splits("subject", labels, subjects, 10, repeats=3)
    assert sum(len(split.test) for split in splits) == 3 * 342
