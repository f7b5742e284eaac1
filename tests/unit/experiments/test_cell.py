"""One cell: what is trained, what is remembered, and what the model must not see."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError
from moodwalk.experiments.cell import describe_failure, read_digits, run_cell
from moodwalk.experiments.config import parse_experiment
from moodwalk.experiments.plan import make_plan
from moodwalk.walker import simulate_walks

TINY = {"blocks": [[4, 1]], "kernel": 9, "n_hidden": 0}

OWN = """
import warnings
import numpy as np
from torch import nn
from moodwalk.estimator import GaitEmotionClassifier

class Linear(nn.Module):
    n_affective = 27

    def __init__(self, n_classes, dropped=0):
        super().__init__()
        self.classes = nn.Linear(27, n_classes)

    def forward(self, positions, affective):
        return self.classes(affective)

class Honest:
    random_state = None

    def __init__(self, share=0.5):
        self.share = share

    def fit(self, gaits, y):
        assert list(y) == [str(gait.label) for gait in gaits]
        warnings.warn("it is\\n cold")
        self.classes_ = np.array(["sad", "neutral", "happy", "angry"])
        return self

    def predict_proba(self, gaits):
        assert all(gait.label is None and gait.acted is None for gait in gaits)
        rest = (1 - self.share) / 3
        first = [self.share, rest, rest, rest]  # sad
        return np.array([first] * len(gaits)) + 1e-12 * self.random_state

class Mute:
    def fit(self, gaits, y):
        return self

class OtherWords(Honest):
    def fit(self, gaits, y):
        super().fit(gaits, y)
        self.classes_ = np.array(["sad", "neutral", "glad", "angry"])

class TooFew(Honest):
    def predict_proba(self, gaits):
        return super().predict_proba(gaits)[:-1]

class NoNumber(Honest):
    def predict_proba(self, gaits):
        return super().predict_proba(gaits) * np.nan
"""


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=10, gaits_per_subject=4, seed=5, n_frames=40)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN)
    return path


def make_cell(gaits, model, number=0, *, training=None, **more):
    experiment = parse_experiment(
        {
            "protocol": {"folds": 2, "seed": 4},
            "training": {"epochs": 3, "batch_size": 8} | (training or {}),
            "models": [{"name": "a", "model": model, **more}],
        }
    )
    return make_plan(experiment, gaits).cells[number]


def run(gaits, model, number=0, **more):
    return run_cell((gaits, "cpu"), make_cell(gaits, model, number, **more))


def without_times(record):
    kept = {k: v for k, v in record.items() if k not in ("seconds", "cpu_seconds")}
    kept["history"] = {k: v for k, v in record["history"].items() if k != "seconds"}
    return kept


@pytest.fixture(scope="module")
def network(gaits):
    return run(gaits, "step", params=TINY)


def test_a_record_tells_its_cell(gaits, network):
    cell = make_cell(gaits, "step", params=TINY)
    assert (network["key"], network["repeat"], network["fold"], network["seed"]) == (
        cell.key, 0, 0, 4,
    )  # fmt: skip
    assert network["classes"] == [str(emotion) for emotion in EMOTIONS]
    assert network["test"] == cell.test.tolist()
    assert network["n_train"] == len(cell.train)
    truth = [network["classes"][i] for i in read_digits(network["labels"])]
    assert truth == gaits.labels[cell.test].tolist()
    assert network["training"] == json.loads(json.dumps(cell.training.to_dict()))


def test_a_record_is_json(network):
    assert json.loads(json.dumps(network, allow_nan=False)) == network


def test_answers_are_the_most_probable(network):
    table = np.array(network["probabilities"])
    assert table.shape == (len(network["test"]), 4)
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-5)
    assert table.argmax(axis=1).tolist() == read_digits(network["predicted"]).tolist()


@pytest.mark.parametrize("select", ["loss", "accuracy", "last"])
def test_the_answers_are_those_of_the_chosen_epoch(gaits, select):
    record = run(gaits, "step", params=TINY, training={"select": select, "epochs": 5})
    history = record["history"]
    assert history["epoch"] == [1, 2, 3, 4, 5]
    assert len(record["epochs"]) == 5
    chosen = record["chosen_epoch"]
    assert record["epochs"][chosen - 1] == record["predicted"]
    losses, accuracies = history["validation_loss"], history["validation_accuracy"]
    if select == "loss":
        assert losses[chosen - 1] == min(losses)
    elif select == "accuracy":
        assert accuracies[chosen - 1] == max(accuracies)
    else:
        assert chosen == 5
        assert losses == [None] * 5  # all training gaits are trained on
    assert len(set(record["epochs"])) > 1  # or else any epoch would do


def test_a_stop_early_is_remembered(gaits):
    training = {"epochs": 40, "patience": 1, "learning_rate": 0.05}
    record = run(gaits, "step", params=TINY, training=training)
    assert record["chosen_epoch"] <= len(record["epochs"]) < 40
    assert record["epochs"][record["chosen_epoch"] - 1] == record["predicted"]


def test_the_same_cell_gives_the_same_record(gaits, network):
    again = run(gaits, "step", params=TINY)
    assert without_times(again) == without_times(network)


def test_another_seed_gives_other_weights(gaits):
    one = make_cell(gaits, "step", params=TINY)
    other = replace(one, seed=one.seed + 1)
    records = [run_cell((gaits, "cpu"), cell) for cell in (one, other)]
    assert records[0]["probabilities"] != records[1]["probabilities"]


def test_normalisation_over_all_gaits_trains_another_network(gaits, network):
    record = run(gaits, "step", params=TINY, habits=["normalised-over-all"])
    assert record["training"]["scale_on_all"]
    assert record["test"] == network["test"]
    assert record["probabilities"] != network["probabilities"]


def test_augmentation_trains_another_network(gaits, network):
    record = run(gaits, "step", params=TINY, training={"augment": True})
    assert record["probabilities"] != network["probabilities"]


def test_a_classic_learner_has_no_epochs(gaits):
    record = run(gaits, "extra-trees", params={"n_estimators": 5})
    assert [record[name] for name in ("history", "chosen_epoch", "epochs", "flops")] == [None] * 4
    assert set(read_digits(record["predicted"])) <= {0, 1, 2, 3}


def test_the_majority_is_that_of_the_training_gaits(gaits):
    record = run(gaits, "majority", 1)
    cell = make_cell(gaits, "majority", 1)
    labels = gaits.labels[cell.train].tolist()
    shares = [labels.count(name) / len(labels) for name in record["classes"]]
    np.testing.assert_allclose(record["probabilities"], [shares] * len(cell.test), atol=1e-6)


def test_the_size_of_a_users_network_is_counted(gaits, own):
    record = run(gaits, f"{own}:Linear", training={"epochs": 1})
    assert record["n_parameters"] == 27 * 4 + 4
    assert record["flops"] == 2 * 27 * 4  # multiply and add; biases are not counted
    assert record["training"]["model"] == "own.py"
    assert str(own.parent) not in json.dumps(record)


def test_a_users_learner_sees_no_test_label_and_answers_in_its_own_order(gaits, own):
    record = run(gaits, f"{own}:Honest", params={"share": 0.7})
    assert record["classes"] == ["happy", "angry", "sad", "neutral"]
    np.testing.assert_allclose(record["probabilities"][0], [0.1, 0.1, 0.7, 0.1], atol=1e-5)
    assert set(record["predicted"]) == {"2"}
    assert record["warnings"] == ["it is cold"]
    assert record["n_parameters"] is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Mute", "Mute of .*own.py has no predict_proba; expected a torch.nn.Module or"),
        (
            "OtherWords",
            "answers with sad, neutral, glad, angry; expected happy, angry, sad, neutral",
        ),
        ("TooFew", r"shape \(1., 4\), 100% finite; expected \(.., 4\), all finite"),
        ("NoNumber", r"shape \(.., 4\), 0% finite; expected"),
    ],
)
def test_a_users_learner_that_gives_no_answers_is_refused(gaits, own, name, words):
    with pytest.raises(ConfigError, match=words):
        run(gaits, f"{own}:{name}")


def test_warnings_stay_inside_the_cell(gaits, own):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = run(gaits, f"{own}:Honest")
    assert record["warnings"]


def test_a_failure_is_told_in_one_line_and_where_it_arose(gaits):
    cell = make_cell(gaits, "majority", 1)
    failure = describe_failure(cell, ValueError("this\n  and that"), "Traceback\n  somewhere\n")
    assert failure == {
        "key": cell.key,
        "name": "a-01-02",
        "repeat": 0,
        "fold": 1,
        "error": "ValueError",
        "message": "this and that",
        "traceback": ["Traceback", "  somewhere"],
    }


def test_digits_are_read_back():
    assert read_digits("0312").tolist() == [0, 3, 1, 2]
    assert read_digits("").shape == (0,)
