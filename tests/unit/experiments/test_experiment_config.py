"""Experiment files: what they mean, and what is said of those that mean nothing."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import ConfigError
from moodwalk.experiments.config import (
    Experiment,
    change_experiment,
    parse_experiment,
    read_experiment,
)
from moodwalk.experiments.habits import ALL_HABITS, HABITS
from moodwalk.models.catalogue import MODELS

SHIPPED = sorted((Path(__file__).resolve().parents[3] / "experiments").glob("*.toml"))

ONE_MODEL = '\n[[models]]\nname = "one"\nmodel = "majority"\n'


def parse(text):
    return parse_experiment(tomllib.loads(text), where="file.toml")


def refuse(text):
    with pytest.raises(ConfigError) as caught:
        parse(text)
    message = str(caught.value)
    assert message.startswith("file.toml: ")
    assert "\n" not in message
    return message.removeprefix("file.toml: ")


def test_seven_experiments_are_shipped():
    assert [path.stem for path in SHIPPED] == [
        "augmentation-classic",
        "augmentation",
        "classic",
        "habits",
        "step-by-step-1",
        "step-by-step-2",
        "synthetic-in-test",
    ]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_experiment_is_whole(path):
    experiment = read_experiment(path)
    assert experiment.question.endswith("?")
    assert experiment.protocol.name == "subject"
    assert experiment.protocol.folds == 10
    assert experiment.protocol.repeats >= 2
    assert experiment.baseline == experiment.models[0].name
    assert all(model.training.select == "loss" for model in experiment.models)
    data = Path(experiment.data.path)
    assert data == path.parent / "../../shared/data/emotion-gait"


def test_the_shipped_experiments_hold_the_published_networks():
    models = {path.stem: [m.model for m in read_experiment(path).models] for path in SHIPPED}
    assert models["step-by-step-1"] == [
        "step", "step-layer-1", "step-layer-1-1", "step-layer-2",
        "step-channel-1", "step-channel-2", "step-channel-3",
    ]  # fmt: skip
    assert models["step-by-step-2"] == [
        "step", "step-node-concat", "step-node-weights", "step-concat",
    ]  # fmt: skip
    (path,) = [path for path in SHIPPED if path.stem == "habits"]
    habits = [m.habits for m in read_experiment(path).models]
    assert habits == [(), *((name,) for name in ALL_HABITS_ONE_BY_ONE), ALL_HABITS]


ALL_HABITS_ONE_BY_ONE = ("best-test-epoch", "random-split", "dropped-batch", "normalised-over-all")


def test_defaults_are_honest():
    experiment = parse(ONE_MODEL)
    assert (experiment.protocol.name, experiment.protocol.folds) == ("subject", 10)
    assert experiment.models[0].habits == ()
    assert experiment.models[0].training.select == "loss"
    assert experiment.baseline == "one"
    assert not experiment.published


def test_a_model_may_train_otherwise_than_the_rest():
    experiment = parse(
        "[training]\nepochs = 7\npatience = 3\n"
        + ONE_MODEL
        + '\n[[models]]\nname = "two"\nmodel = "step"\ntraining = { epochs = 9 }\n'
    )
    one, two = (model.training for model in experiment.models)
    assert (one.epochs, one.patience) == (7, 3)
    assert (two.epochs, two.patience) == (9, 3)


@pytest.mark.parametrize(
    ("text", "place", "nearest"),
    [
        ("titel = 'x'" + ONE_MODEL, "titel", "title"),
        ("[data]\npaht = 'x'" + ONE_MODEL, "data.paht", "path"),
        ("[protocol]\nfold = 3" + ONE_MODEL, "protocol.fold", "folds"),
        ("[training]\nepoch = 3" + ONE_MODEL, "training.epoch", "epochs"),
        ("[trainings]\nepochs = 3" + ONE_MODEL, "trainings", "training"),
        ("[[model]]\nname = 'x'" + ONE_MODEL, "model", "models"),
        (ONE_MODEL + "habit = []", "models.1.habit", "habits"),
        (ONE_MODEL + "param = {}", "models.1.param", "params"),
        (ONE_MODEL + "training = { pacience = 3 }", "models.1.training.pacience", "patience"),
        (ONE_MODEL + ONE_MODEL.replace("one", "two") + "modle = 3", "models.2.modle", "model"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(text, place, nearest):
    assert refuse(text) == f"'{place}' means nothing; did you mean '{nearest}'?"


def test_a_key_like_no_other_gets_the_whole_list():
    said = refuse("[protocol]\nxyz = 1" + ONE_MODEL)
    assert said == "'protocol.xyz' means nothing; expected one of name, folds, repeats, seed."


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("title = 3", "title", "text in quotes"),
        ("baseline = 3", "baseline", "text in quotes"),
        ("published = 1", "published", "true or false"),
        ("data = 'x'", "data", "a table"),
        ("protocol = 'subject'", "protocol", "a table"),
        ("training = ['x']", "training", "a table"),
        ("[data]\npath = 3", "data.path", "text in quotes"),
        ("[data]\nlabels = ['happy']", "data.labels", "text in quotes"),
        ("[protocol]\nname = 'subjct'", "protocol.name", "'subject', 'random' or 'legacy'"),
        ("[protocol]\nfolds = 1", "protocol.folds", "greater than or equal to 2"),
        ("[protocol]\nfolds = 3.0", "protocol.folds", "a whole number"),
        ("[protocol]\nfolds = '3'", "protocol.folds", "a whole number"),
        ("[protocol]\nfolds = true", "protocol.folds", "a whole number"),
        ("[protocol]\nrepeats = 0", "protocol.repeats", "greater than or equal to 1"),
        ("[protocol]\nseed = -1", "protocol.seed", "greater than or equal to 0"),
        ("[training]\nepochs = 0", "training.epochs", "greater than or equal to 1"),
        ("[training]\nselect = 'best'", "training.select", "'last', 'loss' or 'accuracy'"),
        ("[training]\naugment = 1", "training.augment", "true or false"),
        ("[training]\nlearning_rate = 0", "training.learning_rate", "greater than 0"),
        ("[training]\nlearning_rate = 'a'", "training.learning_rate", "a number"),
        ("[training]\nlearning_rate = inf", "training.learning_rate", "a finite number"),
        ("[training]\nweight_decay = nan", "training.weight_decay", "a finite number"),
        ("[training]\nvalidation_share = 1.0", "training.validation_share", "less than 1"),
        ("[training]\nclass_weight = 'even'", "training.class_weight", "'balanced'"),
    ],
)
def test_a_wrong_value_is_shown_with_what_was_expected(text, place, expected):
    said = refuse(text + ONE_MODEL)
    assert said.startswith(f"'{place}' is ")
    assert said.endswith(f"; expected {expected}.")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("name = 'a'", "'models.1.model' is missing."),
        ("model = 'step'", "'models.1.name' is missing."),
        ("name = ''\nmodel = 'step'", "'models.1.name' is ''; expected at least one character."),
        ("name = 3\nmodel = 'step'", "'models.1.name' is 3; expected text in quotes."),
        ("name = 'a'\nmodel = 3", "'models.1.model' is 3; expected text in quotes."),
        ("name = 'a'\nmodel = 'svm'\nparams = 3", "'models.1.params' is 3; expected a table."),
        ("name = 'a'\nmodel = 'svm'\ntraining = 3", "'models.1.training' is 3; expected a table."),
        ("name = 'a'\nmodel = 'svm'\nhabits = 3", "'models.1.habits' is 3; expected a list."),
        (
            "name = 'a'\nmodel = 'svm'\nhabits = 'dropped-batch'",
            "'models.1.habits' is 'dropped-batch'; expected a list.",
        ),
        (
            "name = 'a'\nmodel = 'svm'\nhabits = [['a']]",
            "'models.1.habits.1' is ['a']; expected text in quotes.",
        ),
        (
            "name = 'a'\nmodel = 'step'\nhabits = ['best-epoch']",
            "models.1.habits: 'best-epoch' is no habit; did you mean 'best-test-epoch'?",
        ),
        (
            "name = ' '\nmodel = 'step'",
            "models.1.name: ' ' is no name for a table; expected visible text in one line.",
        ),
        (
            'name = "a\\nb"\nmodel = "step"',
            "models.1.name: 'a\\nb' is no name for a table; expected visible text in one line.",
        ),
    ],
)
def test_a_wrong_model_table_is_refused(model, said):
    assert refuse("[[models]]\n" + model) == said


@pytest.mark.parametrize("value", ["1979-05-27", "nan", "[07:32:00]"])
def test_parameters_that_no_result_could_hold_are_refused(value):
    said = refuse(ONE_MODEL + f"params = {{ C = {value} }}")
    assert said.startswith("models.1.params: 'C' is ")
    assert said.endswith("; expected text, numbers, true, false, lists or tables.")


@pytest.mark.parametrize(
    "text", ["", "models = []", "models = 'step'", "models = 3", "[models]\nname = 'a'"]
)
def test_no_models_are_refused(text):
    assert refuse(text).endswith("; expected at least one [[models]] table.")


def test_an_unknown_model_is_named_with_the_nearest():
    said = refuse("[[models]]\nname = 'a'\nmodel = 'step-layer1'")
    assert said.startswith("models.1.model: 'step-layer1' is no model; did you mean 'step-layer-1'")


def test_two_models_of_one_name_are_refused():
    assert refuse(ONE_MODEL + ONE_MODEL) == (
        "two models are called 'one'; expected different names."
    )


def test_an_unknown_baseline_is_named_with_the_nearest():
    said = refuse("baseline = 'on'" + ONE_MODEL)
    assert said == "baseline 'on' is no model; did you mean 'one'?"


def test_what_is_no_file_of_this_kind_gets_one_line(tmp_path):
    texts = {
        "no-toml.toml": b"models = [",
        "latin.toml": "title = 'Gang für Gang'".encode("latin-1"),
        "deep.toml": b"x = " + b"[" * 20_000,
        "damaged.json": b'{"experiment": {',
        "list.json": b"[1, 2]",
        "number.json": b'{"experiment": 3}',
        "deep.json": b"[" * 200_000,
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    for name in (*texts, "missing.toml", "."):
        with pytest.raises(ConfigError) as caught:
            read_experiment(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_paths_count_from_the_file(tmp_path):
    (tmp_path / "e.toml").write_text(
        "[data]\npath = 'walks'\n[[models]]\nname = 'a'\nmodel = 'own.py:Net'\n"
        f"[[models]]\nname = 'b'\nmodel = '{tmp_path}/other/own.py:Net'\n"
    )
    experiment = read_experiment(tmp_path / "e.toml")
    assert experiment.data.path == str(tmp_path / "walks")
    assert experiment.models[0].model == f"{tmp_path}/own.py:Net"
    assert experiment.models[1].model == f"{tmp_path}/other/own.py:Net"


def test_a_change_is_checked_like_a_file():
    experiment = parse(ONE_MODEL)
    changed = change_experiment(
        experiment,
        data="walks",
        labels="sad,happy,angry,neutral",
        models=("svm", "own.py:Net"),
        epochs=4,
        protocol={"folds": 3, "seed": 8},
    )
    assert changed.data.path == "walks"
    assert changed.data.labels == "sad,happy,angry,neutral"
    assert [m.name for m in changed.models] == ["one", "svm", "Net"]
    assert [m.training.epochs for m in changed.models] == [4, 4, 4]
    assert (changed.protocol.folds, changed.protocol.repeats, changed.protocol.seed) == (3, 1, 8)
    assert experiment == parse(ONE_MODEL)  # the first one stays as it is
    for change, words in (
        ({"models": ("svn",)}, "did you mean 'svm'"),
        ({"models": ("majority", "majority")}, "two models are called 'majority'"),
        ({"epochs": 0}, "'models.1.training.epochs' is 0"),
        ({"protocol": {"name": "subjekt"}}, "'protocol.name' is 'subjekt'"),
        ({"protocol": {"folds": 1}}, "'protocol.folds' is 1"),
    ):
        with pytest.raises(ConfigError, match=f"the command line: .*{words}"):
            change_experiment(experiment, **change)


_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=60
)
_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_TRAINING = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 500),
        "batch_size": st.integers(2, 64),
        "optimizer": st.sampled_from(["adam", "sgd"]),
        "learning_rate": st.floats(1e-6, 1) | st.just(1),
        "weight_decay": st.floats(0, 1) | st.just(0),
        "class_weight": st.sampled_from([None, "balanced"]),
        "label_smoothing": st.floats(0, 1, exclude_max=True),
        "augment": st.booleans(),
        "select": st.sampled_from(["last", "loss", "accuracy"]),
        "patience": st.none() | st.integers(1, 50),
        "validation_share": st.floats(0, 1, exclude_min=True, exclude_max=True),
        "n_frames": st.none() | st.integers(1, 300),
    },
)
_MODELS = st.lists(
    st.fixed_dictionaries(
        {"name": _NAMES, "model": st.sampled_from([*MODELS, "own.py:Net", "a/own.py:Net"])},
        optional={
            "params": st.dictionaries(st.text(max_size=5), _VALUES, max_size=3),
            "training": _TRAINING,
            "habits": st.lists(st.sampled_from(list(HABITS)), unique=True),
        },
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda model: model["name"],
)
_EXPERIMENTS = st.fixed_dictionaries(
    {"models": _MODELS},
    optional={
        "title": st.text(max_size=20),
        "question": st.text(max_size=20),
        "published": st.booleans(),
        "training": _TRAINING,
        "data": st.fixed_dictionaries({}, optional={"path": st.text(max_size=20)}),
        "protocol": st.fixed_dictionaries(
            {},
            optional={
                "name": st.sampled_from(["subject", "random", "legacy"]),
                "folds": st.integers(2, 30),
                "repeats": st.integers(1, 30),
                "seed": st.integers(0, 2**31),
            },
        ),
    },
)


@given(_EXPERIMENTS)
def test_an_experiment_comes_back_from_json_as_it_was(raw):
    experiment = parse_experiment(raw)
    text = json.dumps(experiment.model_dump(mode="json"))
    again = parse_experiment(json.loads(text))
    assert isinstance(again, Experiment)
    assert again == experiment
    assert json.dumps(again.model_dump(mode="json")) == text


def test_the_experiment_of_a_result_is_read_again(tmp_path):
    experiment = parse("published = true\n[protocol]\nfolds = 3" + ONE_MODEL)
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps({"experiment": experiment.model_dump(mode="json")}))
    assert read_experiment(path) == experiment
