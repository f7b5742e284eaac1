import pickle
import warnings
from dataclasses import astuple

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
)

from moodwalk.augment import Augmentation
from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, LabelError, QualityError, ShapeError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.gait import Gait, GaitSet
from moodwalk.models.checkpoint import read_checkpoint
from moodwalk.walker import simulate_walks

SMALL = {"blocks": ((3, 1), (4, 2)), "kernel": 9, "n_hidden": 5}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=6, gaits_per_subject=4, seed=1)


@pytest.fixture(scope="module")
def others():
    return simulate_walks(n_subjects=2, gaits_per_subject=4, seed=2)


def network(**options):
    """A small network that trains for a moment."""
    defaults = {"model_params": SMALL, "epochs": 2, "n_frames": 20, "device": "cpu"}
    return GaitEmotionClassifier(**(defaults | options))


class TestConventions:
    def test_parameters_go_in_and_out(self):
        model = GaitEmotionClassifier()
        params = model.get_params()
        assert params["model"] == "step"
        assert params["epochs"] == 60
        for name, value in params.items():
            assert getattr(model, name) is value
        model.set_params(model="svm", seed=4)
        assert (model.model, model.seed) == ("svm", 4)
        with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
            model.set_params(depth=3)

    def test_a_clone_has_the_same_parameters_and_nothing_fitted(self, gaits):
        model = network(augmentation=Augmentation(mirror=0.5)).fit(gaits)
        twin = clone(model)
        assert twin.get_params() == model.get_params()
        with pytest.raises(NotFittedError):
            twin.predict(gaits)

    def test_it_is_a_classifier(self):
        assert is_classifier(GaitEmotionClassifier())
        assert "epochs=3" in repr(GaitEmotionClassifier(epochs=3))

    def test_fit_returns_the_estimator_and_keeps_its_parameters(self, gaits):
        model = network()
        before = model.get_params()
        assert model.fit(gaits) is model
        assert model.get_params() == before
        assert model.model_params is SMALL

    def test_what_is_fitted_belongs_to_the_model_named(self, gaits):
        model = network().fit(gaits)
        model.set_params(model="majority")
        with pytest.raises(NotFittedError):
            model.predict(gaits)
        model.set_params(model_params=None).fit(gaits)
        assert set(model.predict(gaits)) == {"angry"}

    @pytest.mark.parametrize("name", ["svm", "step"])
    def test_cross_validation_keeps_groups_apart(self, gaits, name):
        model = network(model=name, model_params=SMALL if name == "step" else None)
        scores = cross_val_score(
            model, gaits, gaits.labels, groups=gaits.subjects, cv=StratifiedGroupKFold(3)
        )
        assert scores.shape == (3,)
        assert ((scores >= 0) & (scores <= 1)).all()

    def test_predictions_across_folds_come_in_the_order_of_the_gaits(self, gaits):
        model, folds = GaitEmotionClassifier("logistic-regression"), GroupKFold(3)
        found = cross_val_predict(model, gaits, gaits.labels, groups=gaits.subjects, cv=folds)
        for train, test in folds.split(gaits, gaits.labels, gaits.subjects):
            expected = clone(model).fit(gaits[train]).predict(gaits[test])
            np.testing.assert_array_equal(found[test], expected)

    def test_numbers_for_emotions_are_refused_for_they_say_nothing_of_their_order(self, gaits):
        numbers = np.unique(gaits.labels, return_inverse=True)[1]
        with pytest.raises(LabelError, match=r"is no emotion.*expected one of happy, angry, sad"):
            network().fit(gaits, numbers)

    def test_a_grid_over_epochs_and_models(self, gaits):
        search = GridSearchCV(
            network(),
            [
                {"epochs": [1, 2]},
                {"model": ["svm", "majority"], "model_params": [None]},
            ],
            cv=GroupKFold(2),
        )
        search.fit(gaits, gaits.labels, groups=gaits.subjects)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        assert len(search.cv_results_["params"]) == 4
        assert search.predict(gaits).shape == (24,)
        assert search.classes_.tolist() == ["angry", "happy", "neutral", "sad"]

    def test_a_pickled_network_answers_the_same(self, gaits):
        model = network(augmentation=Augmentation(mirror=0.5)).fit(gaits)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict_proba(gaits), model.predict_proba(gaits))
        one, other = ([astuple(r) for r in m.history_] for m in (restored, model))
        np.testing.assert_equal(one, other)


class TestInput:
    def test_sets_lists_and_labels_of_any_kind_are_the_same(self, gaits):
        expected = network().fit(gaits).predict_proba(gaits)
        for X, y in [
            (list(gaits), None),
            (tuple(gaits), gaits.labels),
            (gaits, [Emotion(name) for name in gaits.labels]),
            (gaits, gaits.labels.astype(object)),
            (gaits, [name.upper() for name in gaits.labels]),
        ]:
            np.testing.assert_array_equal(network().fit(X, y).predict_proba(list(X)), expected)

    def test_labels_given_count_and_the_gaits_own_do_not(self, gaits):
        swapped = np.where(gaits.labels == "sad", "happy", "sad")
        model = GaitEmotionClassifier("majority").fit(gaits, swapped)
        assert model.classes_.tolist() == ["happy", "sad"]
        np.testing.assert_allclose(model.predict_proba(gaits[:1]), [[0.25, 0.75]])

    def test_classes_are_sorted_and_only_those_seen(self, gaits):
        chosen = gaits[np.isin(gaits.labels, ["sad", "angry"])]
        for model in (network(), GaitEmotionClassifier("svm")):
            model.fit(chosen)
            assert model.classes_.tolist() == ["angry", "sad"]
            assert model.predict_proba(gaits).shape == (24, 2)

    @pytest.mark.parametrize(
        "X",
        [
            np.zeros((4, 20, 16, 3)),
            np.zeros((4, 48)),
            [np.zeros((20, 16, 3))],
            ["walk.bvh"],
            None,
            3,
            Gait(np.zeros((20, 16, 3)), 30),
        ],
        ids=["array", "table", "list of arrays", "names", "nothing", "number", "one gait"],
    )
    def test_what_holds_no_gaits_is_refused_in_one_line(self, gaits, X):
        model = GaitEmotionClassifier("majority").fit(gaits)
        for use in (lambda: model.predict(X), lambda: clone(model).fit(X, ["sad"] * 4)):
            with pytest.raises(ShapeError, match=r"GaitSet\.from_arrays") as caught:
                use()
            assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("X", [[], GaitSet([])])
    def test_no_gaits_are_refused(self, gaits, X):
        with pytest.raises(ShapeError, match="holds no gaits"):
            GaitEmotionClassifier("majority").fit(X)

    def test_labels_that_do_not_match_are_refused(self, gaits):
        for name in ("step", "svm"):
            model = GaitEmotionClassifier(name)
            with pytest.raises(LabelError, match="24 gaits but 23 labels"):
                model.fit(gaits, gaits.labels[:-1])
            with pytest.raises(LabelError, match="'bored' is no emotion"):
                model.fit(gaits, ["bored"] * 24)
            with pytest.raises(LabelError, match="All 24 gaits are sad; expected at least two"):
                model.fit(gaits, ["sad"] * 24)
            assert not hasattr(model, "classes_")

    def test_unlabelled_gaits_are_refused(self, gaits):
        bare = GaitSet([*gaits[:5], Gait(gaits[5].positions, 30, name="bare")])
        with pytest.raises(LabelError, match=r"'bare'.*has no label"):
            network().fit(bare)
        network(epochs=1).fit(bare, gaits.labels[:6])
        with pytest.raises(LabelError, match=r"'bare'.*has no label"):
            network().fit(gaits, validation=bare)

    @pytest.mark.parametrize("name", ["step", "svm"])
    def test_missing_joints_are_refused(self, gaits, name):
        positions = gaits[0].positions.copy()
        positions[7, 2] = np.nan
        broken = gaits[0].with_positions(positions)
        model = network(model=name, model_params=SMALL if name == "step" else None, epochs=1)
        with pytest.raises(QualityError, match="first in frame 7"):
            model.fit([*gaits[1:], broken])
        with pytest.raises(QualityError, match="first in frame 7"):
            model.fit(gaits).predict([broken])

    @pytest.mark.parametrize("name", ["step", "logistic-regression"])
    def test_the_frame_rate_is_taken_into_account(self, gaits, name):
        model = network(model=name, model_params=SMALL if name == "step" else None).fit(gaits)
        fast = simulate_walks(n_subjects=6, gaits_per_subject=4, seed=1, fps=60)
        found, expected = model.predict_proba(fast), model.predict_proba(gaits)
        assert np.abs(found - expected).mean() < 0.05


class TestOptions:
    def test_an_unknown_model_is_refused_when_fitted(self, gaits):
        model = GaitEmotionClassifier("gru")
        with pytest.raises(ConfigError, match="'gru' is no model; expected one of step"):
            model.fit(gaits)
        with pytest.raises(NotFittedError):
            model.predict(gaits)

    @pytest.mark.parametrize(
        ("model", "params", "message"),
        [
            ("step", {"kernal": 9}, "model_params of 'step'.*kernal"),
            ("step", {"kernel": "long"}, "model_params of 'step'"),
            ("step", {"kernel": 8}, "odd number"),
            ("step", {"blocks": ((4,),)}, "channels, stride"),
            ("step", {"n_affective": 30}, "there are 29 features"),
            ("extra-trees", {"n_tree": 9}, "extra-trees.*n_tree"),
        ],
    )
    def test_a_slip_in_model_params_is_refused(self, gaits, model, params, message):
        with pytest.raises(ConfigError, match=message):
            GaitEmotionClassifier(model, model_params=params, epochs=1).fit(gaits)

    @pytest.mark.parametrize(
        "option", [{"epochs": 0}, {"select": "best"}, {"seed": -1}, {"n_frames": 0}]
    )
    def test_a_value_that_makes_no_training_is_refused(self, gaits, option):
        with pytest.raises(ConfigError, match=f"{next(iter(option))} is"):
            network(**option).fit(gaits)

    def test_the_partition_reaches_the_network(self, gaits):
        model = network(partition="uniform", epochs=1).fit(gaits)
        assert model.network_.config.partition == "uniform"
        assert network(epochs=1).fit(gaits).network_.config.partition == "spatial"
        with pytest.raises(ConfigError, match="'radial'"):
            network(partition="radial").fit(gaits)

    def test_the_network_sees_as_many_frames_as_the_longest_gait_or_as_asked(self, gaits):
        longest = max(len(gait) for gait in gaits)
        assert network(epochs=1, n_frames=None).fit(gaits).encoder_.n_frames == longest
        assert network(epochs=1).fit(gaits).encoder_.n_frames == 20

    @staticmethod
    def fit_after(noise, gaits, seed):
        torch.manual_seed(noise)  # what was drawn before does not matter
        return network(seed=seed).fit(gaits).predict_proba(gaits)

    def test_the_seed_decides_weights_and_training(self, gaits):
        one, again, other = (self.fit_after(noise, gaits, s) for noise, s in enumerate((3, 3, 4)))
        np.testing.assert_array_equal(one, again)
        assert not np.array_equal(one, other)

    def test_fitting_leaves_the_callers_random_numbers_alone(self, gaits):
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        expected = torch.rand(1), np.random.rand()  # noqa: NPY002
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        network(epochs=1).fit(gaits)
        assert (torch.rand(1), np.random.rand()) == expected  # noqa: NPY002

    def test_class_weights_reach_classic_learners(self, gaits):
        few = gaits[[*np.flatnonzero(gaits.labels == "sad"), 0, 1]]
        few = few[np.isin(few.labels, ["sad", few.labels[-1]])]
        plain, balanced = (
            GaitEmotionClassifier("logistic-regression", class_weight=w).fit(few)
            for w in (None, "balanced")
        )
        assert not np.allclose(plain.predict_proba(gaits), balanced.predict_proba(gaits))

    def test_temperature_softens_and_keeps_the_order(self, gaits):
        model = network().fit(gaits)
        assert model.temperature_ == 1.0
        before = model.predict_proba(gaits)
        model.temperature_ = 0.01
        sharp = model.predict_proba(gaits)
        assert (sharp.max(axis=1) > before.max(axis=1)).all()
        np.testing.assert_array_equal(sharp.argmax(axis=1), before.argmax(axis=1))
        np.testing.assert_allclose(sharp.sum(axis=1), 1)

    def test_logits_are_those_behind_the_probabilities(self, gaits):
        model = network().fit(gaits)
        logits = model.compute_logits(gaits)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        np.testing.assert_allclose(
            model.predict_proba(gaits), odds / odds.sum(axis=1, keepdims=True), rtol=1e-5
        )
        with pytest.raises(ConfigError, match="'svm' has no logits"):
            GaitEmotionClassifier("svm").fit(gaits).compute_logits(gaits)

    def test_history_and_callback_tell_of_every_epoch(self, gaits):
        seen = []
        model = network(epochs=3).fit(gaits, on_epoch=seen.append)
        assert [record.epoch for record in seen] == [1, 2, 3]
        np.testing.assert_equal([astuple(r) for r in model.history_], [astuple(r) for r in seen])


class TestValidation:
    def watch(self, monkeypatch):
        """Return the subjects of training and validation of every call of `train`."""
        import moodwalk.training as training

        calls, train = [], training.train

        def spy(net, encoder, gaits, labels, *args, **options):
            held_out = options["validation"]
            calls.append((GaitSet(gaits), None if held_out is None else GaitSet(held_out[0])))
            np.testing.assert_array_equal(GaitSet(gaits).labels, labels)
            return train(net, encoder, gaits, labels, *args, **options)

        monkeypatch.setattr(training, "train", spy)
        return calls

    @pytest.mark.parametrize(
        "option", [{"select": "loss"}, {"select": "accuracy"}, {"patience": 1}]
    )
    def test_subjects_are_set_aside_where_an_epoch_is_to_be_chosen(
        self, gaits, monkeypatch, option
    ):
        calls = self.watch(monkeypatch)
        network(validation_share=0.34, **option).fit(gaits)
        ((kept, aside),) = calls
        assert not set(kept.subjects) & set(aside.subjects)
        assert set(kept.subjects) | set(aside.subjects) == set(gaits.subjects)
        assert len(kept) + len(aside) == len(gaits)
        assert aside.n_subjects == 2

    def test_all_gaits_are_trained_on_where_none_is_to_be_chosen(self, gaits, monkeypatch):
        calls = self.watch(monkeypatch)
        network().fit(gaits)
        ((kept, aside),) = calls
        assert len(kept) == len(gaits)
        assert aside is None

    def test_given_validation_is_used_and_nothing_set_aside(self, gaits, others, monkeypatch):
        calls = self.watch(monkeypatch)
        model = network(select="loss").fit(gaits, validation=list(others))
        ((kept, aside),) = calls
        assert len(kept) == len(gaits)
        assert list(aside) == list(others)
        assert np.isfinite([record.validation_loss for record in model.history_]).all()

    def test_synthetic_gaits_are_never_set_aside(self, gaits, monkeypatch):
        made = GaitSet(
            Gait(g.positions, g.fps, label=g.label, synthetic=True, name=f"made {i}")
            for i, g in enumerate(gaits[:8])
        )
        calls = self.watch(monkeypatch)
        network(select="loss").fit(made + gaits)
        ((kept, aside),) = calls
        assert not any(gait.synthetic for gait in aside)
        assert sum(gait.synthetic for gait in kept) == 8
        assert len(kept) + len(aside) == 32

    @pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
    def test_a_share_that_leaves_nothing_is_refused(self, gaits, share):
        with pytest.raises(ConfigError, match="validation_share is"):
            network(select="loss", validation_share=share).fit(gaits)

    def test_one_subject_cannot_be_divided(self, gaits):
        with pytest.raises(ConfigError, match="1 subjects cannot fill"):
            network(select="loss").fit(gaits[gaits.subjects == gaits.subjects[0]])

    def test_an_emotion_of_validation_that_training_lacks_is_refused(self, gaits, others):
        with pytest.raises(LabelError, match="labelled sad; the network knows angry, happy, neut"):
            network(select="loss").fit(gaits[gaits.labels != "sad"], validation=others)

    def test_classic_learners_ignore_validation(self, gaits, others):
        model = GaitEmotionClassifier("logistic-regression", select="loss", patience=3)
        plain = GaitEmotionClassifier("logistic-regression").fit(gaits)
        model.fit(gaits, validation=others)
        np.testing.assert_array_equal(model.predict_proba(gaits), plain.predict_proba(gaits))


class TestSaving:
    def test_weights_that_are_saved_read_back(self, gaits, tmp_path):
        model = network().fit(gaits)
        model.temperature_ = 1.5
        path = tmp_path / "weights.safetensors"
        model.save(path, {"data": "simulated walks"})
        checkpoint = read_checkpoint(path)
        assert [str(name) for name in checkpoint.classes] == model.classes_.tolist()
        assert checkpoint.model == "step"
        assert checkpoint.temperature == 1.5
        assert checkpoint.card == {"data": "simulated walks"}
        restored = network()
        restored.network_, restored.encoder_ = checkpoint.network, checkpoint.encoder
        restored.classes_, restored.temperature_ = model.classes_, checkpoint.temperature
        np.testing.assert_array_equal(restored.predict_proba(gaits), model.predict_proba(gaits))

    def test_classic_learners_and_unfitted_networks_have_no_weights(self, gaits, tmp_path):
        path = tmp_path / "weights.safetensors"
        with pytest.raises(ConfigError, match="'svm' has no weights"):
            GaitEmotionClassifier("svm").fit(gaits).save(path)
        with pytest.raises(NotFittedError):
            network().save(path)
        assert not path.exists()

    def test_a_run_is_written_and_resumed(self, gaits, tmp_path):
        first = network(epochs=3).fit(gaits, run=tmp_path)
        assert (tmp_path / "metrics.csv").exists()
        seen = []
        again = network(epochs=3).fit(gaits, run=tmp_path, on_epoch=seen.append)
        assert seen == []
        np.testing.assert_array_equal(first.predict_proba(gaits), again.predict_proba(gaits))


def test_nothing_warns(gaits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network(select="accuracy", patience=1, class_weight="balanced").fit(gaits).predict(gaits)
