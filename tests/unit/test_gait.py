import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.utils import _safe_indexing

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.gait import MIN_FRAMES, Gait, GaitSet


def make_positions(n_frames=10, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=(n_frames, 16, 3)).astype(dtype)


def make_set(n=6):
    return GaitSet(
        Gait(
            make_positions(10 + i, i), 30, name=str(i), subject=f"s{i // 2}", label=EMOTIONS[i % 4]
        )
        for i in range(n)
    )


# one walk


def test_counts_and_duration():
    gait = Gait(make_positions(45), 30)
    assert len(gait) == gait.n_frames == 45
    assert gait.duration_s == 1.5
    assert gait.n_missing == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_kept_as_they_are(dtype):
    positions = make_positions(dtype=dtype)
    assert Gait(positions, 30).positions is positions


@pytest.mark.parametrize(
    ("dtype", "kept"), [("i4", "f4"), ("f2", "f4"), (">f8", "f8"), (">f4", "f4"), ("g", "f8")]
)
def test_other_numbers_become_native_floats(dtype, kept):
    values = np.arange(4 * 48).reshape(4, 16, 3)
    gait = Gait(values.astype(dtype), 30)
    assert gait.positions.dtype == np.dtype(kept)
    np.testing.assert_array_equal(gait.positions, values)


@pytest.mark.parametrize(
    "positions",
    [
        np.zeros((10, 48)),
        np.zeros((10, 17, 3)),
        np.zeros((10, 16, 2)),
        np.zeros((16, 3)),
        np.zeros((1, 10, 16, 3)),
        np.zeros(()),
        [],
    ],
)
def test_other_shapes_are_refused(positions):
    with pytest.raises(ShapeError, match=r"expected \(T, 16, 3\)"):
        Gait(positions, 30)


@pytest.mark.parametrize(
    "positions",
    ["walk", None, [[1, 2], [3]], np.zeros((9, 16, 3), dtype=complex), np.full((9, 16, 3), "1.5")],
)
def test_what_is_no_number_is_refused(positions):
    with pytest.raises(ShapeError, match="not numbers"):
        Gait(positions, 30)


@pytest.mark.parametrize("n_frames", range(MIN_FRAMES))
def test_short_walks_are_refused(n_frames):
    with pytest.raises(ShapeError, match=f"{n_frames} frames; expected at least 4"):
        Gait(np.zeros((n_frames, 16, 3)), 30)


@given(st.integers(0, 9), st.integers(0, 15), st.integers(0, 2), st.sampled_from([np.inf, -np.inf]))
def test_infinity_is_refused_with_its_frame(frame, joint, axis, value):
    positions = make_positions()
    positions[frame, joint, axis] = value
    with pytest.raises(ShapeError, match=f"infinite position in frame {frame}"):
        Gait(positions, 30)


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 15)), max_size=20))
def test_missing_joints_are_counted(places):
    positions = make_positions()
    for frame, joint in places:
        positions[frame, joint, joint % 3] = np.nan
    assert Gait(positions, 30).n_missing == len(places)


@pytest.mark.parametrize("fps", [0, -1, np.nan, np.inf, "30", None, 1j])
def test_impossible_frame_rates(fps):
    with pytest.raises(ConfigError, match="expected a positive number"):
        Gait(make_positions(), fps)


def test_plain_names_become_emotions():
    gait = Gait(make_positions(), 30, label="Sad", acted="happy")
    assert gait.label is Emotion.SAD
    assert gait.acted is Emotion.HAPPY


@pytest.mark.parametrize("field", ["label", "acted"])
@pytest.mark.parametrize("value", ["joyful", 3, ""])
def test_names_that_are_no_emotion(field, value):
    with pytest.raises(LabelError, match="no emotion"):
        Gait(make_positions(), 30, **{field: value})


def test_messages_name_the_gait_in_one_line():
    with pytest.raises(ShapeError) as caught:
        Gait(np.zeros((9, 48)), 30, name="one\ntwo")
    assert str(caught.value).startswith(r"gait 'one\ntwo'")
    assert "\n" not in str(caught.value)


def test_a_gait_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Gait(make_positions(), 30).fps = 60


def test_with_positions_keeps_the_rest():
    gait = Gait(make_positions(), 30, name="a", subject="s", label=Emotion.SAD)
    other = gait.with_positions(make_positions(20), fps=60)
    assert (len(other), other.fps) == (20, 60)
    assert (other.name, other.subject, other.label) == ("a", "s", "sad")
    assert gait.with_positions(make_positions(20)).fps == 30


def test_pickling_keeps_a_gait():
    gait = make_set()[1]
    again = pickle.loads(pickle.dumps(gait))
    np.testing.assert_array_equal(again.positions, gait.positions)
    assert (again.name, again.label, again.fps) == (gait.name, gait.label, gait.fps)


# many walks


def test_labels_subjects_and_counts():
    gaits = make_set()
    assert gaits.labels.tolist() == ["happy", "angry", "sad", "neutral", "happy", "angry"]
    assert gaits.labels.dtype.kind == "U"
    assert gaits.subjects.tolist() == ["s0", "s0", "s1", "s1", "s2", "s2"]
    assert gaits.n_subjects == 3
    assert gaits.label_counts == {"happy": 2, "angry": 2, "sad": 1, "neutral": 1}
    assert list(gaits.label_counts) == list(EMOTIONS)
    assert repr(gaits) == "GaitSet(6 gaits, 3 subjects: 2 happy, 2 angry, 1 sad, 1 neutral)"


def test_gaits_without_subject_are_subjects_of_their_own():
    assert GaitSet([Gait(make_positions(), 30)] * 3).n_subjects == 3


def test_labels_of_unlabelled_gaits():
    gaits = GaitSet([Gait(make_positions(), 30, name="a", label="sad"), Gait(make_positions(), 30)])
    with pytest.raises(LabelError, match="has no label"):
        _ = gaits.labels
    assert [gait.name for gait in gaits.only_labelled()] == ["a"]


@pytest.mark.parametrize(
    ("index", "names"),
    [
        (slice(1, 3), "12"),
        (slice(None, None, -2), "531"),
        ([4, 0], "40"),
        (np.array([], dtype=int), ""),
        ([], ""),
        (np.array([True, False, False, False, False, True]), "05"),
        (np.array([-1]), "5"),
    ],
)
def test_indexing_gives_smaller_sets(index, names):
    chosen = GaitSet(make_set(), ["odd"])[index]
    assert isinstance(chosen, GaitSet)
    assert "".join(gait.name for gait in chosen) == names
    assert chosen.problems == ("odd",)


def test_one_index_gives_one_gait():
    gaits = make_set()
    assert gaits[np.int64(-1)] is gaits[5]
    with pytest.raises(IndexError):
        gaits[6]
    with pytest.raises(IndexError):
        gaits[np.array([True, False])]


def test_sets_add_up():
    both = GaitSet(make_set(2), ["a"]) + GaitSet(make_set(3), ["b"])
    assert len(both) == 5
    assert both.problems == ("a", "b")


def test_a_set_holds_gaits_only():
    with pytest.raises(ShapeError, match="found ndarray"):
        GaitSet([make_positions()])


@pytest.mark.parametrize("shape", [(10, 16, 3), (10, 48)])
def test_from_arrays(shape):
    arrays = [make_positions(seed=i).reshape(shape) for i in range(2)]
    gaits = GaitSet.from_arrays(arrays, fps=25, labels=["sad", "Happy"], subjects=[7, 8])
    assert gaits.labels.tolist() == ["sad", "happy"]
    assert gaits.subjects.tolist() == ["7", "8"]
    np.testing.assert_array_equal(gaits[1].positions, arrays[1].reshape(10, 16, 3))
    assert gaits[0].fps == 25


def test_from_arrays_refuses_what_does_not_fit():
    arrays = [make_positions()]
    with pytest.raises(LabelError, match="1 gaits, 2 labels"):
        GaitSet.from_arrays(arrays, fps=30, labels=["sad", "sad"])
    with pytest.raises(LabelError, match="no emotion"):
        GaitSet.from_arrays(arrays, fps=30, labels=["blue"])
    with pytest.raises(ShapeError, match=r"expected \(T, 16, 3\)"):
        GaitSet.from_arrays([np.zeros((10, 51))], fps=30)
    with pytest.raises(ShapeError, match="not numbers"):
        GaitSet.from_arrays([[[1], [1, 2]]], fps=30)


def test_scikit_learn_splits_a_set_by_subject():
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Constant(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            assert all(isinstance(gait, Gait) for gait in X)
            self.classes_ = np.unique(y)
            self.seen_ = {gait.subject for gait in X}
            return self

        def predict(self, X):
            assert self.seen_.isdisjoint(gait.subject for gait in X)
            return np.repeat(self.classes_[:1], len(X))

    gaits = GaitSet(
        Gait(make_positions(), 30, subject=f"s{i % 4}", label=EMOTIONS[i % 2]) for i in range(16)
    )
    scores = cross_val_score(
        Constant(), gaits, gaits.labels, groups=gaits.subjects, cv=StratifiedGroupKFold(2)
    )
    assert scores.tolist() == [0.5, 0.5]
    assert len(_safe_indexing(gaits, np.array([0, 3]))) == 2


def test_a_set_without_any_label_is_told_of():
    gaits = GaitSet([Gait(np.zeros((5, 16, 3)), 30.0)])
    with pytest.raises(LabelError, match="none of the 1 gaits has a label"):
        gaits.only_labelled()
