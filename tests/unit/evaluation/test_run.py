import json
import os
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, MoodwalkWarning
from moodwalk.evaluation import compute_proportion_interval, evaluate, make_splits
from moodwalk.gait import Gait, GaitSet

CONTRACT = [
    "protocol",
    "model",
    "n_gaits",
    "n_subjects",
    "accuracy",
    "accuracy_ci95",
    "balanced_accuracy",
    "macro_f1",
    "per_class",
    "confusion",
    "folds",
    "seconds",
]


class HeightReader(ClassifierMixin, BaseEstimator):
    """Nearest class by mean height, blurred by seeded noise."""

    def __init__(self, noise=0.0, seed=0, mode=""):
        self.noise = noise
        self.seed = seed
        self.mode = mode

    def fit(self, X, y):
        if self.mode == "warns":
            warnings.warn("the fit was poor", ConvergenceWarning, stacklevel=1)
        if self.mode == "threads":
            import torch
            from threadpoolctl import threadpool_info

            assert torch.get_num_threads() == 1
            assert all(pool["num_threads"] == 1 for pool in threadpool_info())
        if self.mode == "fails":
            raise ConfigError("this learner never learns")
        height = self.read(X)
        self.classes_ = np.unique(y)
        self.heights_ = np.array([height[y == name].mean() for name in self.classes_])
        self.people_ = {gait.subject for gait in X}
        if self.mode == "alien":
            self.classes_ = np.array(["bored", *self.classes_[1:]])
        return self

    def predict_proba(self, X):
        assert all(gait.label is None and gait.acted is None for gait in X)
        if self.mode == "disjoint":
            assert not self.people_ & {gait.subject for gait in X}
        if self.mode == "diverged":
            return np.full((len(X), len(self.classes_)), np.nan)
        if self.mode == "narrow":
            return np.ones((len(X), 1))
        noise = np.random.default_rng(self.seed).normal(size=(len(X), len(self.classes_)))
        scores = -np.abs(self.read(X)[:, None] - self.heights_) + self.noise * noise
        table = np.exp(scores)
        return table / table.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @staticmethod
    def read(X):
        return np.array([gait.positions[:, :, 1].mean() for gait in X])


class EpochChooser(HeightReader):
    """Remembers what it was validated on."""

    seen = []  # noqa: RUF012  # shared by the clones, which the evaluation keeps to itself

    def __init__(self, select="last", seed=0):
        super().__init__(seed=seed)
        self.select = select

    def fit(self, X, y, *, validation=None):
        names = None if validation is None else [gait.name for gait in validation]
        type(self).seen.append((self.select, names))
        return super().fit(X, y)

    def predict_proba(self, X):
        type(self).seen.append(("asked", [gait.name for gait in X]))
        return super().predict_proba(X)


def make_gaits(n_subjects=20, gaits_per_subject=4, n_classes=4, seed=0, **changed):
    """Emotions stand at heights 0, 1, 2 and 3."""
    rng = np.random.default_rng(seed)
    gaits = []
    for i in range(n_subjects * gaits_per_subject):
        emotion = (i + i // gaits_per_subject) % n_classes
        positions = rng.normal(0, 0.1, (6, 16, 3))
        positions[:, :, 1] += emotion
        about = {
            "name": str(i),
            "subject": f"S{i // gaits_per_subject}",
            "label": EMOTIONS[emotion],
            "acted": EMOTIONS[emotion],
        }
        gaits.append(Gait(positions, 30.0, **(about | changed)))
    return GaitSet(gaits)


def test_a_perfect_reader_is_perfect_and_the_interval_says_how_sure():
    result = evaluate(HeightReader(), make_gaits(), folds=5)
    assert result.accuracy == result.balanced_accuracy == result.macro_f1 == 1.0
    assert result.accuracy_ci95 == compute_proportion_interval(80, 80)
    assert (result.n_gaits, result.n_subjects, result.n_synthetic) == (80, 20, 0)
    assert result.confusion.tolist() == (20 * np.eye(4)).tolist()
    assert result.classes == ("happy", "angry", "sad", "neutral")
    assert [fold.n_test for fold in result.folds] == [16] * 5
    assert all(fold.n_train == 64 and fold.n_subjects_test == 4 for fold in result.folds)
    assert (result.optimistic, result.note, result.warnings) == (False, "", ())


def test_probabilities_follow_gaits_and_classes_as_named():
    gaits = make_gaits()
    result = evaluate(HeightReader(), gaits, folds=5, repeats=2)
    assert result.indices.tolist() == 2 * list(range(80))
    assert result.repeat.tolist() == [0] * 80 + [1] * 80
    np.testing.assert_array_equal(result.labels, np.tile(gaits.labels, 2))
    answered = np.array(result.classes)[result.probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(answered, result.labels)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(EMOTIONS), st.integers(0, 9), st.booleans()),
        min_size=12,
        max_size=40,
    ),
    st.integers(0, 9),
)
def test_no_estimator_is_asked_about_a_walker_that_it_was_trained_on(facts, seed):
    gaits = [
        Gait(np.zeros((4, 16, 3)), 30.0, label=label, subject=f"S{who}", synthetic=made)
        for label, who, made in facts
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MoodwalkWarning)
        try:
            result = evaluate(HeightReader(mode="disjoint"), gaits, folds=3, seed=seed)
        except ConfigError:
            return  # too few subjects or classes
    assert not {gaits[i].synthetic for i in result.indices} - {False}


@pytest.mark.filterwarnings("ignore:.*test sets have no:moodwalk.errors.MoodwalkWarning")
@pytest.mark.parametrize("protocol", ["subject", "legacy"])
def test_the_figures_are_the_same_for_any_number_of_jobs(protocol):
    gaits = make_gaits()
    estimator = HeightReader(noise=1.0)
    one, two = (
        evaluate(estimator, gaits, protocol=protocol, folds=4, repeats=2, seed=3, jobs=jobs)
        for jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.probabilities, two.probabilities)
    first, second = (without_time(result.to_dict(answers=True)) for result in (one, two))
    assert first == second
    assert 0.3 < one.accuracy < 1  # so that there was noise to agree on


def without_time(figures):
    folds = [{k: v for k, v in fold.items() if k != "seconds"} for fold in figures["folds"]]
    return figures | {"seconds": None, "folds": folds}


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_fit_has_one_thread(jobs):
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        evaluate(HeightReader(mode="threads"), make_gaits(), folds=2, jobs=jobs)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("jobs", [1, 2])
def test_warnings_of_fits_reach_the_caller_once(jobs):
    with pytest.warns(ConvergenceWarning, match="the fit was poor") as caught:
        result = evaluate(HeightReader(mode="warns"), make_gaits(), folds=3, jobs=jobs)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert result.warnings == ("the fit was poor",)


@pytest.mark.parametrize("jobs", [1, 2])
def test_errors_of_fits_reach_the_caller_as_they_are(jobs):
    with pytest.raises(ConfigError, match="this learner never learns"):
        evaluate(HeightReader(mode="fails"), make_gaits(), folds=3, jobs=jobs)


def test_split_i_is_trained_with_seed_plus_i_and_the_estimator_stays_as_it_was():
    gaits = make_gaits()
    estimator = HeightReader(noise=1.0, seed=99)
    result = evaluate(estimator, gaits, folds=2, repeats=2, seed=10)
    assert estimator.get_params()["seed"] == 99
    assert not hasattr(estimator, "classes_")
    labels, subjects = gaits.labels, gaits.subjects
    for i, split in enumerate(make_splits("subject", labels, subjects, 2, 2, seed=10)):
        own = HeightReader(noise=1.0, seed=10 + i).fit(gaits[split.train], labels[split.train])
        table = own.predict_proba([Gait(gait.positions, gait.fps) for gait in gaits[split.test]])
        columns = [own.classes_.tolist().index(name) for name in result.classes]
        chosen = (result.repeat == split.repeat) & np.isin(result.indices, split.test)
        np.testing.assert_allclose(result.probabilities[chosen], table[:, columns])


def test_repeats_add_answers_and_no_gaits():
    result = evaluate(HeightReader(noise=1.0), make_gaits(), folds=4, repeats=5)
    assert len(result.labels) == result.confusion.sum() == 400
    assert result.n_gaits == 80
    assert len(result.accuracy_by_repeat) == 5
    assert result.accuracy == pytest.approx(np.mean(result.accuracy_by_repeat))
    expected = compute_proportion_interval(round(80 * result.accuracy), 80)
    assert result.accuracy_ci95 == expected


def test_a_class_that_test_folds_lack_is_warned_of_and_still_counts():
    gaits = make_gaits(n_classes=3)
    rare = [
        Gait(np.full((4, 16, 3), 3.0), 30.0, label=Emotion.NEUTRAL, subject=f"rare{i}")
        for i in range(2)
    ]
    with pytest.warns(MoodwalkWarning, match="test sets have no 'neutral' gait"):
        result = evaluate(HeightReader(), [*gaits, *rare], folds=5)
    assert result.per_class["neutral"].support == 2
    assert result.per_class["neutral"].recall == 1.0
    assert any("neutral" in text for text in result.warnings)


def test_synthetic_gaits_are_trained_on_and_not_tested():
    made = make_gaits(2, 4, synthetic=True, subject="generator")
    result = evaluate(HeightReader(), make_gaits() + made, folds=4)
    assert (result.n_gaits, result.n_synthetic, result.n_subjects) == (80, 8, 20)
    assert all(fold.n_train == 60 + 8 for fold in result.folds)
    assert result.indices.max() < 80


@pytest.mark.filterwarnings("ignore:.*test sets have no:moodwalk.errors.MoodwalkWarning")
def test_legacy_drops_the_last_batch_chooses_on_the_test_gaits_and_says_so():
    EpochChooser.seen.clear()
    gaits = make_gaits(25)  # 100 gaits: 10 tested, 8 kept
    result = evaluate(EpochChooser(), gaits, protocol="legacy", repeats=2, folds=10)
    assert [fold.n_test for fold in result.folds] == [8, 8]
    assert [fold.n_train for fold in result.folds] == [90, 90]
    (chosen, validated), (_, asked) = EpochChooser.seen[:2]
    assert chosen == "accuracy"
    assert validated == asked
    assert len(asked) == 8
    assert result.optimistic
    assert "OPTIMISTIC" in result.note
    assert "(2 of 10 test gaits a repeat)" in result.note
    assert result.to_dict()["optimistic"] is True
    assert result.n_gaits == len(set(result.indices.tolist()))


@pytest.mark.filterwarnings("ignore:.*test sets have no:moodwalk.errors.MoodwalkWarning")
def test_legacy_keeps_a_test_set_smaller_than_a_batch():
    result = evaluate(HeightReader(), make_gaits(10), protocol="legacy")
    assert [fold.n_test for fold in result.folds] == [4]
    assert "(0 of 4 test gaits a repeat)" in result.note


@pytest.mark.parametrize("protocol", ["subject", "random"])
def test_other_protocols_never_show_the_test_gaits_to_training(protocol):
    EpochChooser.seen.clear()
    result = evaluate(EpochChooser(), make_gaits(), protocol=protocol, folds=2)
    assert [entry for entry in EpochChooser.seen if entry[0] != "asked"] == [("last", None)] * 2
    assert not result.optimistic
    assert ("in both training and test" in result.note) == (protocol == "random")


def test_json_begins_with_the_contract_and_survives_a_round_trip():
    result = evaluate(HeightReader(noise=1.0), make_gaits(), folds=4, repeats=2)
    figures = result.to_dict()
    assert list(figures)[: len(CONTRACT)] == CONTRACT
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert set(figures["folds"][0]) == {
        "repeat",
        "fold",
        "n_train",
        "n_test",
        "n_subjects_test",
        "accuracy",
        "balanced_accuracy",
        "seconds",
    }
    assert set(figures["per_class"]["sad"]) == {"precision", "recall", "f1", "support"}
    assert {"python", "moodwalk", "numpy", "scikit-learn", "torch"} <= set(figures["versions"])
    answers = result.to_dict(answers=True)["answers"]
    assert len(answers["probabilities"]) == len(answers["labels"]) == 160


def test_progress_counts_from_nothing_to_all():
    told = []
    evaluate(HeightReader(), make_gaits(), folds=3, progress=lambda *at: told.append(at))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_model_is_called_by_name_parameter_or_class():
    class Named(HeightReader):
        def __init__(self, model="step", seed=0):
            super().__init__(seed=seed)
            self.model = model

    gaits = make_gaits()
    assert evaluate(HeightReader(), gaits, folds=2).model == "HeightReader"
    assert evaluate(Named(), gaits, folds=2).model == "step"
    assert evaluate(Named(), gaits, folds=2, name="mine").model == "mine"


def test_gaits_without_a_subject_are_warned_of():
    with pytest.warns(MoodwalkWarning, match="80 of 80 gaits name no subject"):
        result = evaluate(HeightReader(), make_gaits(subject=None), folds=4)
    assert result.n_subjects == 80


def test_unlabelled_gaits_are_refused():
    gaits = [*make_gaits(), Gait(np.zeros((4, 16, 3)), 30.0, name="who knows")]
    with pytest.raises(LabelError, match="'who knows'"):
        evaluate(HeightReader(), gaits)


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        (HeightReader(), {"jobs": 0}, "jobs is 0"),
        (HeightReader(), {"protocol": "loso"}, "'loso' is no protocol"),
        (HeightReader(), {"folds": 21}, "21 folds for 20 subjects"),
        (HeightReader(mode="diverged"), {}, "not finite. Did training diverge"),
        (HeightReader(mode="alien"), {}, "answers with bored, happy, neutral, sad; expected"),
        (HeightReader(mode="narrow"), {}, r"shape \(8, 1\); expected \(8, 4\)"),
        (BaseEstimator(), {}, "BaseEstimator has no predict_proba"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(estimator, options, message):
    with pytest.raises(ConfigError, match=message):
        evaluate(estimator, make_gaits(), **options)


def test_an_estimator_that_cannot_travel_is_refused():
    class Rooted(HeightReader):
        def __reduce__(self):
            raise TypeError("stays here")

    with pytest.raises(ConfigError, match="cannot be sent to worker processes"):
        evaluate(Rooted(), make_gaits(), folds=2, jobs=2)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_an_interrupt_stops_the_workers(tmp_path):
    import signal
    import subprocess

    script = tmp_path / "long_run.py"
    script.write_text(
        "import os, time, sys\n"
        "import numpy as np\n"
        "from sklearn.base import BaseEstimator, ClassifierMixin\n"
        "from moodwalk.evaluation import evaluate\n"
        "from moodwalk.gait import GaitSet\n"
        "class Sleeper(ClassifierMixin, BaseEstimator):\n"
        "    def __init__(self, folder=''):\n"
        "        self.folder = folder\n"
        "    def fit(self, X, y):\n"
        "        open(os.path.join(self.folder, str(os.getpid())), 'w').close()\n"
        "        time.sleep(120)\n"
        "    def predict_proba(self, X):\n"
        "        return None\n"
        "walks = GaitSet.from_arrays(np.zeros((12, 4, 16, 3)), fps=30,\n"
        "    labels=['sad', 'happy'] * 6, subjects=[str(i // 2) for i in range(12)])\n"
        "evaluate(Sleeper(sys.argv[1]), walks, folds=3, jobs=2)\n"
    )
    started = tmp_path / "started"
    started.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(script), str(started)], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: len(list(started.iterdir())) == 2)
        workers = [int(path.name) for path in started.iterdir()]
        assert process.pid not in workers
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) != 0
        wait_until(lambda: not any(is_alive(pid) for pid in workers))
    finally:
        process.kill()
        process.wait()


def wait_until(happened, timeout_s=60.0):
    import time

    end_s = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
