import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, MoodwalkWarning, ShapeError
from moodwalk.splitting import split_by_subject

EMOTIONS = ("happy", "angry", "sad", "neutral")


def make_layout(n_subjects=24, gaits_per_subject=5):
    """Every subject walks in every emotion but one."""
    subjects = np.repeat([f"S{i:02}" for i in range(n_subjects)], gaits_per_subject)
    labels = np.array(EMOTIONS)[np.arange(len(subjects)) % 4]
    return labels, subjects


@st.composite
def layouts(draw):
    """Any gaits of any subjects."""
    n = draw(st.integers(6, 50))
    n_subjects = draw(st.integers(1, 14))
    labels = draw(st.lists(st.sampled_from(EMOTIONS), min_size=n, max_size=n))
    subjects = draw(st.lists(st.integers(0, n_subjects), min_size=n, max_size=n))
    return labels, [f"S{i}" for i in subjects]


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ShapeError):
        split_by_subject(["sad", "happy"], ["a"])


@pytest.mark.filterwarnings("ignore::moodwalk.errors.MoodwalkWarning")
@given(layouts(), st.integers(0, 99))
def test_parts_share_no_subject_and_training_has_every_class(layout, seed):
    labels, subjects = layout
    people, names = np.array(subjects), np.array(labels)
    try:
        parts = split_by_subject(labels, subjects, seed=seed)
    except ConfigError:
        # only these can fail: too few classes, or as many subjects as classes and parts need
        assert len(set(labels)) < 2 or len(set(subjects)) < 3 + len(set(labels))
        return
    walkers = [set(people[part]) for part in parts]
    assert all(walkers)
    assert not walkers[0] & (walkers[1] | walkers[2])
    assert not walkers[1] & walkers[2]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert set(names[parts[0]]) == set(labels)


def test_parts_have_the_proportions_of_gaits_and_classes():
    labels, subjects = make_layout(100)
    for part, share in zip(split_by_subject(labels, subjects), (0.7, 0.2, 0.1), strict=True):
        assert len(part) / len(labels) == pytest.approx(share, abs=0.02)
        for name in EMOTIONS:
            assert (labels[part] == name).mean() == pytest.approx(0.25, abs=0.05)


def test_another_seed_deals_other_parts_and_the_same_seed_the_same():
    labels, subjects = make_layout(40)
    first, again, other = (split_by_subject(labels, subjects, seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert first[2].tolist() != other[2].tolist()


def test_a_part_of_zero_stays_empty():
    labels, subjects = make_layout()
    training, validation, test = split_by_subject(labels, subjects, (8, 2, 0))
    assert (len(training) + len(validation), len(test)) == (len(labels), 0)
    assert len(validation) / len(labels) == pytest.approx(0.2, abs=0.05)


def test_the_only_subject_of_a_class_is_trained_on_with_a_warning():
    labels, subjects = make_layout()
    labels = np.where(labels == "angry", "sad", labels)
    labels[subjects == "S11"] = "angry"
    for seed in range(5):
        with pytest.warns(MoodwalkWarning, match="has no angry gait") as caught:
            training, _, _ = split_by_subject(labels, subjects, seed=seed)
        assert len(caught) == 2
        assert "S11" in subjects[training]


@pytest.mark.parametrize(
    ("labels", "subjects", "proportions", "message"),
    [
        (["sad"] * 9, list("abcdefghi"), (7, 2, 1), "1 class"),
        (["sad", "happy"], ["a", "b"], (7, 2, 1), "2 subjects cannot fill"),
        (["sad", "happy"], ["a", "b"], (0, 2, 1), "expected three numbers"),
        (["sad", "happy"], ["a", "b"], (7, -2, 1), "expected three numbers"),
        (["sad", "happy"], ["a", "b"], (7, 2), "expected three numbers"),
    ],
)
def test_what_cannot_be_dealt_is_refused(labels, subjects, proportions, message):
    with pytest.raises(ConfigError, match=message):
        split_by_subject(labels, subjects, proportions)


def test_the_real_gaits_are_dealt_as_promised(real_gaits):
    parts = split_by_subject(real_gaits.labels, real_gaits.subjects)
    for part, share in zip(parts, (0.7, 0.2, 0.1), strict=True):
        assert len(part) / 342 == pytest.approx(share, abs=0.03)


def test_a_subject_larger_than_training_is_warned_of():
    labels, subjects = make_layout(12)
    big_labels = np.concatenate([labels, np.tile(EMOTIONS, 100)])
    big_subjects = np.concatenate([subjects, np.repeat("ELMD", 400)])
    with pytest.warns(MoodwalkWarning, match="'ELMD' has 400 of 460"):
        split_by_subject(big_labels, big_subjects)


def test_infinite_shares_are_refused():
    labels, subjects = make_layout()
    with pytest.raises(ConfigError, match="expected three numbers"):
        split_by_subject(labels, subjects, (float("inf"), 1, 1))


@pytest.mark.filterwarnings("ignore::moodwalk.errors.MoodwalkWarning")
def test_as_few_subjects_as_classes_and_two_are_enough():
    labels = ["happy"] * 5 + ["angry"]
    for seed in range(20):
        parts = split_by_subject(labels, ["S0", "S0", "S1", "S2", "S4", "S3"], seed=seed)
        assert all(len(part) for part in parts)
