import json
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import apply_temperature, evaluate, fit_temperature
from moodwalk.gait import GaitSet
from moodwalk.models.encoding import GaitEncoder
from moodwalk.predict import Predictor
from moodwalk.runs import WEIGHTS, SubjectSplit, run_training
from moodwalk.scaling import compute_novelty
from moodwalk.trust import SHARE_WITHIN, calibrate, choose_abstention, choose_novelty
from moodwalk.walker import simulate_walks

SMALL = {"blocks": ((4, 1), (6, 2)), "kernel": 9}


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=20, gaits_per_subject=4, seed=5)


def make_estimator(**options):
    return GaitEmotionClassifier(
        "step", model_params=SMALL, epochs=2, learning_rate=0.01, device="cpu", **options
    )


def test_shares_keep_subjects_apart(walks):
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    parts = split.to_dict(walks)
    assert sum(len(people) for people in parts.values()) == walks.n_subjects
    assert len({name for people in parts.values() for name in people}) == walks.n_subjects
    assert len(split.train) > len(split.validation) > len(split.test) > 0


def test_all_for_training(walks):
    split = SubjectSplit.by_shares(walks, (1, 0, 0), seed=0)
    assert split.train.tolist() == list(range(len(walks)))
    assert not len(split.validation)
    assert not len(split.test)


def test_a_split_goes_through_its_dictionary(walks):
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=3)
    again = SubjectSplit.from_subjects(walks, split.to_dict(walks))
    for name in ("train", "validation", "test"):
        assert getattr(again, name).tolist() == getattr(split, name).tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p | {"dev": []}, "no part 'dev'"),
        (lambda p: p | {"test": [*p["test"], p["train"][0]]}, "is in train and test"),
        (lambda p: p | {"test": []}, "in no part"),
        (lambda p: p | {"test": [*p["test"], "nobody"]}, "'nobody', who does not walk"),
        (lambda p: {"test": p["train"] + p["validation"] + p["test"]}, "no training subjects"),
    ],
)
def test_splits_that_make_no_sense(walks, change, message):
    parts = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0).to_dict(walks)
    with pytest.raises(ConfigError, match=message):
        SubjectSplit.from_subjects(walks, change(parts))


def test_a_run_leaves_weights_that_predict_and_the_story_of_it(walks, tmp_path):
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    epochs = []
    story = run_training(
        walks, make_estimator(select="loss"), tmp_path / "run", split, on_epoch=epochs.append
    )
    assert len(epochs) == 2
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == json.loads(json.dumps(story))
    assert story["test"]["n_gaits"] == len(split.test)
    assert story["split"] == split.to_dict(walks)
    predictor = Predictor.load(tmp_path / "run" / WEIGHTS)
    assert predictor.checkpoint.card["data"]["n_train"] == len(split.train)
    predicted = [p.emotion for p in predictor.predict_many(walks[split.test])]
    agree = np.mean(np.array(predicted) == walks[split.test].labels)
    assert agree == pytest.approx(story["test"]["accuracy"])


def test_calibration_folds_end_on_the_card(walks, tmp_path):
    everything = SubjectSplit.by_shares(walks, (1, 0, 0), seed=0)
    story = run_training(walks, make_estimator(), tmp_path, everything, calibration_folds=3)
    checkpoint = Predictor.load(tmp_path / WEIGHTS).checkpoint
    assert checkpoint.temperature == story["calibration"]["temperature"]
    assert checkpoint.card["evaluation"]["n_gaits"] == len(walks)
    assert "test" not in story
    abstention = checkpoint.card["abstention"]
    assert abstention == story["abstention"]
    assert abstention["n_gaits"] == len(walks)
    assert len(abstention["risk_coverage"]["risk"]) == 10
    assert Predictor(checkpoint).min_confidence == abstention["min_confidence"]
    assert Predictor(checkpoint).max_novelty == checkpoint.card["novelty"]["most"] > 0
    assert checkpoint.card["novelty"] == story["novelty"]


def test_novelty_is_judged_on_walkers_that_had_no_part_in_the_range(walks):
    encoder = GaitEncoder.fit(walks)
    found = choose_novelty(walks, encoder)
    assert found["n_walkers"] == walks.n_subjects
    own = compute_novelty(encoder.encode(walks)[1])
    assert own.max() < 1e-6 < found["most"]  # nobody is outside a range that is also their own
    others = simulate_walks(n_subjects=50, gaits_per_subject=4, seed=6)
    within = compute_novelty(encoder.encode(others)[1]) <= found["most"]
    assert within.mean() > SHARE_WITHIN - 0.05
    few = walks[np.flatnonzero(np.isin(walks.subjects, np.unique(walks.subjects)[:19]))]
    assert choose_novelty(few, encoder) is None
    assert choose_novelty(walks, GaitEncoder.fit(walks, n_affective=0)) is None


def test_abstention_comes_with_its_curve(walks):
    evaluation = evaluate(make_estimator(), walks, folds=4)
    found, curve = choose_abstention(evaluation, 0.5)
    assert found.n_gaits == len(walks)
    assert curve["coverage"] == sorted(curve["coverage"])
    assert curve["risk"][-1] == pytest.approx(1 - evaluation.accuracy, abs=1e-4)


def test_calibration_never_sees_what_it_is_judged_on(walks):
    evaluation = evaluate(make_estimator(), walks, folds=4)
    figures = calibrate(evaluation)
    assert figures.error_before == pytest.approx(evaluation.calibration_error)
    assert figures.log_loss_before == pytest.approx(evaluation.log_loss)
    # The temperature of a fold comes from the others: with one fold's answers made sure and wrong,
    # the others' answers get flatter, but its own are scaled as before.
    first = evaluation.fold == 0
    worse = evaluation.probabilities.copy()
    worse[first] = 0.001
    wrong = (np.array([evaluation.classes.index(n) for n in evaluation.labels]) + 1) % 4
    worse[first, wrong[first]] = 0.997
    spoiled = calibrate(replace(evaluation, probabilities=worse))
    assert spoiled.temperature > figures.temperature
    temperature = fit_temperature(np.log(evaluation.probabilities[~first]), (wrong[~first] - 1) % 4)
    own = apply_temperature(worse[first], temperature)
    loss = -np.log(own[np.arange(first.sum()), (wrong[first] - 1) % 4]).sum()
    assert spoiled.log_loss_after * len(first) >= loss - 1e-6


def test_classic_learners_have_no_weights(walks, tmp_path):
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    with pytest.raises(ConfigError, match="has no weights"):
        run_training(walks, GaitEmotionClassifier("svm"), tmp_path / "run", split)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_is_found_before_training(walks, tmp_path):
    (tmp_path / "file").write_text("")
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    with pytest.raises(DataFormatError):
        run_training(walks, make_estimator(), tmp_path / "file" / "run", split)


def make_synthetic(walks, subject):
    return GaitSet(replace(gait, synthetic=True, subject=subject) for gait in walks)


def test_synthetic_gaits_are_trained_on_and_take_no_part_in_the_shares(walks):
    made = make_synthetic(walks[:60], "step-gen")
    both = made + walks
    alone, mixed = (SubjectSplit.by_shares(g, (7, 2, 1), seed=0) for g in (walks, both))
    assert (mixed.test - 60).tolist() == alone.test.tolist()
    assert (mixed.validation - 60).tolist() == alone.validation.tolist()
    assert mixed.train.tolist() == [*range(60), *(alone.train + 60).tolist()]


def test_synthetic_gaits_of_a_held_out_subject_are_left_out(walks):
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    subject = str(walks.subjects[split.test[0]])
    both = walks + make_synthetic(walks[:5], subject)
    assert not set(range(len(walks), len(both))) & set(
        SubjectSplit.by_shares(both, (7, 2, 1), seed=0).train.tolist()
    )


def test_synthetic_gaits_are_never_scored(walks):
    both = walks + make_synthetic(walks[:5], "step-gen")
    parts = {"train": sorted(set(walks.subjects)), "test": ["step-gen"]}
    with pytest.raises(ConfigError, match="test part holds synthetic gaits"):
        SubjectSplit.from_subjects(both, parts)


def test_calibration_under_torchrun_is_refused(walks, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    split = SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)
    with pytest.raises(ConfigError, match="do not run under torchrun"):
        run_training(walks, make_estimator(), tmp_path / "run", split, calibration_folds=3)
    assert not (tmp_path / "run").exists()


def test_a_place_that_tensorboard_cannot_write_ends_in_one_line(walks, tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("")
    split = SubjectSplit.by_shares(walks, (1, 0, 0), seed=0)
    with pytest.raises(DataFormatError, match="tensorboard cannot be written"):
        run_training(walks, make_estimator(), tmp_path, split)
