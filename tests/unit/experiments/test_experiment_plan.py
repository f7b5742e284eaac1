"""From an experiment to its cells: what is shared, and what makes another cell."""

import json
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError
from moodwalk.experiments.config import change_experiment, parse_experiment
from moodwalk.experiments.plan import describe_gaits, make_plan
from moodwalk.gait import GaitSet
from moodwalk.walker import simulate_walks

# a tenth of 48 walks need not hold every emotion
small_tenth = pytest.mark.filterwarnings(
    "ignore:1 of 1 test sets have no:moodwalk.errors.MoodwalkWarning"
)

OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, n_classes, width=4):
        super().__init__()
"""


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=12, gaits_per_subject=4, seed=3, n_frames=40)


def make(*models, **tables):
    """Make an experiment of 3 folds and 2 repeats."""
    tables = {"protocol": {"folds": 3, "repeats": 2}} | tables
    return parse_experiment({**tables, "models": list(models)})


def model(name="a", model="extra-trees", **more):
    return {"name": name, "model": model, **more}


def keys_of(experiment, gaits):
    return [cell.key for cell in make_plan(experiment, gaits).cells]


@pytest.mark.parametrize("repeats", [1, 3])
def test_no_subject_is_on_both_sides(gaits, repeats):
    plan = make_plan(make(model(), protocol={"folds": 4, "repeats": repeats}), gaits)
    assert len(plan.cells) == 4 * repeats
    for cell in plan.cells:
        assert not set(gaits.subjects[cell.train]) & set(gaits.subjects[cell.test])
        assert sorted([*cell.train, *cell.test]) == list(range(len(gaits)))
    for repeat in range(repeats):
        tested = [i for cell in plan.cells if cell.repeat == repeat for i in cell.test]
        assert sorted(tested) == list(range(len(gaits)))


def test_a_random_split_is_not_a_split_by_subject(gaits):
    honest = make_plan(make(model()), gaits)
    random = make_plan(make(model(model="step", habits=["random-split"])), gaits)
    assert {cell.training.split for cell in random.cells} == {"random"}
    assert len(random.cells) == len(honest.cells) == 6
    assert all(
        set(gaits.subjects[cell.train]) & set(gaits.subjects[cell.test]) for cell in random.cells
    )


@small_tenth
def test_repeats_come_whole_and_in_order(gaits):
    plan = make_plan(make(model("a"), model("b", "svm"), published=True), gaits)
    assert [(cell.repeat, cell.fold, cell.training.split) for cell in plan.cells] == [
        *[(0, fold, "subject") for fold in (0, 0, 1, 1, 2, 2)],
        *[(0, 0, "legacy")] * 2,
        *[(1, fold, "subject") for fold in (0, 0, 1, 1, 2, 2)],
    ]
    names = [cell.name for cell in plan.cells]
    assert names[:2] == ["a-01-01", "b-01-01"]
    assert len(set(names)) == len({cell.key for cell in plan.cells}) == 14
    assert [cell.seed for cell in plan.cells if cell.training.name == "a"] == [0, 1, 2, 3, 4, 5]


def test_lines_that_only_read_differently_share_their_cells(gaits):
    plan = make_plan(
        make(
            model("honest", "step"),
            model("epoch", "step", habits=["best-test-epoch"]),
            model("batch", "step", habits=["dropped-batch"]),
            model("both", "step", habits=["best-test-epoch", "dropped-batch"]),
            model("split", "step", habits=["random-split"]),
            model("scale", "step", habits=["normalised-over-all"]),
        ),
        gaits,
    )
    assert [line.training for line in plan.lines] == [*["honest"] * 4, "split", "scale"]
    assert [line.habits for line in plan.lines][2:4] == [
        ("dropped-batch",),
        ("best-test-epoch", "dropped-batch"),
    ]
    assert len(plan.cells) == 3 * 6


@small_tenth
def test_published_figures_are_measured_once_and_on_a_tenth(gaits):
    plan = make_plan(
        make(model("a", "svm"), model("b", "step"), model("b", "step") | {"name": "again"})
        .model_copy(update={"published": True}),
        gaits,
    )  # fmt: skip
    published = [line for line in plan.lines if line.published]
    assert [line.name for line in published] == ["a", "b", "again"]
    assert [line.habits for line in published] == [
        ("dropped-batch",),
        ("best-test-epoch", "dropped-batch"),
        ("best-test-epoch", "dropped-batch"),
    ]
    legacy = [cell for cell in plan.cells if cell.training.split == "legacy"]
    assert [cell.training.name for cell in legacy] == ["a-published", "b-published"]
    assert {(cell.repeat, cell.fold, len(cell.test)) for cell in legacy} == {(0, 0, 5)}
    assert [cell.training.scale_on_all for cell in legacy] == [False, True]
    assert all(cell.training.options["select"] == "last" for cell in legacy)


@small_tenth
def test_different_trainings_of_like_names_keep_apart(gaits):
    plan = make_plan(
        make(
            model("STEP", "step"),
            model("step!", "step-concat"),
            model("Ω", "svm"),
            model("Ψ", "random-forest"),
            model("step published", "step-layer-1"),
        ).model_copy(update={"published": True}),
        gaits,
    )
    names = [line.training for line in plan.lines]
    assert names == [
        "step", "step-2", "model", "model-2", "step-published",
        "step-published-2", "step-published-3", "model-published", "model-published-2",
        "step-published-published",
    ]  # fmt: skip
    assert len({cell.name for cell in plan.cells}) == len(plan.cells)


@pytest.mark.parametrize(
    "words",
    [
        {"title": "Another"},
        {"question": "Why?"},
        {"baseline": "b"},
        {"data": {"path": "elsewhere"}},
        {"models": [model("other"), model("b", "step")]},
        {"models": [model(training={"epochs": 9}), model("b", "step")]},  # trees have no epochs
    ],
    ids=lambda words: next(iter(words)),
)
def test_what_does_not_matter_makes_no_other_cell(gaits, words):
    usual = {"models": [model(), model("b", "step")], "protocol": {"folds": 3}}
    changed = usual | words
    assert keys_of(parse_experiment(changed), gaits) == keys_of(parse_experiment(usual), gaits)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "step-concat"},
        {"params": {"kernel": 9}},
        {"habits": ["random-split"]},
        {"habits": ["normalised-over-all"]},
        {"training": {"epochs": 2}},
        {"training": {"select": "last"}},
        {"training": {"augment": True}},
        {"training": {"patience": 5}},
        {"training": {"n_frames": 30}},
        {"training": {"class_weight": "balanced"}},
    ],
    ids=str,
)
def test_what_matters_makes_another_cell(gaits, change):
    usual = keys_of(make(model(model="step")), gaits)
    changed = keys_of(make(model(**{"model": "step"} | change)), gaits)
    assert not set(usual) & set(changed)


def test_the_seed_makes_other_cells(gaits):
    usual = make(model(model="majority"))
    other = change_experiment(usual, protocol={"seed": 100})
    assert not set(keys_of(usual, gaits)) & set(keys_of(other, gaits))


def test_more_folds_make_other_cells_and_more_repeats_keep_those_there_are(gaits):
    usual = keys_of(make(model()), gaits)
    assert not set(usual) & set(keys_of(make(model(), protocol={"folds": 4}), gaits))
    more = keys_of(make(model(), protocol={"folds": 3, "repeats": 3}), gaits)
    assert more[: len(usual)] == usual
    assert len(more) == 9


def change_gait(gaits, **change):
    return GaitSet([replace(gaits[0], **change), *gaits[1:]])


def test_other_walks_make_other_cells(gaits):
    experiment = make(model())
    usual = keys_of(experiment, gaits)
    moved = gaits[0].positions.copy()
    moved[3, 2, 1] = np.nextafter(moved[3, 2, 1], 9)
    for other in (
        change_gait(gaits, positions=moved),
        change_gait(gaits, fps=31.0),
        change_gait(gaits, label="sad" if gaits[0].label != "sad" else "happy"),
        gaits[::-1],
    ):
        assert not set(usual) & set(keys_of(experiment, other))
    # where a walk was read from is not part of it
    assert keys_of(experiment, change_gait(gaits, source="elsewhere")) == usual


def test_walks_are_described_without_names(gaits):
    about = describe_gaits(gaits)
    assert (about["n_gaits"], about["n_subjects"], about["n_synthetic"]) == (48, 12, 0)
    assert sum(about["labels"].values()) == 48
    names = gaits.subjects.tolist()
    same = [[a == b for b in names] for a in names]
    numbers = about["subjects"]
    assert [[a == b for b in numbers] for a in numbers] == same
    assert not any(name in json.dumps(about) for name in set(names))


def test_synthetic_walks_are_tested_only_where_the_habit_asks(gaits):
    with pytest.raises(ConfigError, match="synthetic-in-test needs synthetic gaits"):
        make_plan(make(model(habits=["synthetic-in-test"])), gaits)
    made = [replace(gait, synthetic=True, subject=f"made {i}") for i, gait in enumerate(gaits[:6])]
    mixed = GaitSet([*gaits, *made])
    plan = make_plan(make(model("a"), model("b", habits=["synthetic-in-test"])), mixed)
    tested = {name: set() for name in ("a", "b")}
    for cell in plan.cells:
        tested[cell.training.name] |= set(cell.test.tolist())
    assert tested["a"] == set(range(48))
    assert tested["b"] == set(range(54))


@pytest.mark.parametrize("habit", ["best-test-epoch", "normalised-over-all"])
def test_learners_without_epochs_have_no_such_habit(gaits, habit):
    with pytest.raises(ConfigError, match="'extra-trees' has no epochs"):
        make_plan(make(model(habits=[habit])), gaits)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        ({"folds": 13}, "13 folds, but only 12 subjects are 'angry'; expected at most 12 folds"),
        (
            {"name": "random", "folds": 49},
            "49 folds, but only 12 gaits are 'angry'; expected at most 12 folds",
        ),
        ({"seed": 2**31, "repeats": 2**31}, "expected 0 to"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(gaits, protocol, words):
    with pytest.raises(ConfigError, match=words):
        make_plan(make(model(), protocol=protocol), gaits)


def test_a_class_of_one_subject_cannot_be_split(gaits):
    alone = GaitSet(
        [
            replace(gait, label="sad" if gait.subject == gaits[0].subject else "happy")
            for gait in gaits
        ]
    )
    with pytest.raises(
        ConfigError, match="only one of the subjects is 'sad'; expected at least two"
    ):
        make_plan(make(model()), alone)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("step", {"kernal": 9}, "'step' takes no parameter 'kernal'; did you mean 'kernel'?"),
        ("step", {"kernel": 8}, "kernel is 8; expected an odd number of taps."),
        ("svm", {"c": 1}, "'svm' takes no parameter 'c'"),
        ("extra-trees", {"n_trees": 3}, "'extra-trees' takes no parameter 'n_trees'"),
        ("OWN", {"widht": 3}, "'Net' takes no parameter 'widht'; did you mean 'width'?"),
        ("OWN", {"n_classes": 3}, "'Net' takes no parameter 'n_classes'"),
    ],
)
def test_parameters_that_mean_nothing_are_found_before_anything_runs(
    gaits, tmp_path, name, params, words
):
    (tmp_path / "own.py").write_text(OWN)
    name = name.replace("OWN", f"{tmp_path}/own.py:Net")
    with pytest.raises(ConfigError) as caught:
        make_plan(make(model(model=name, params=params)), gaits)
    assert words in str(caught.value)


def test_a_users_class_is_known_by_its_text_and_not_by_its_place(gaits, tmp_path):
    keys = []
    for folder, text in (("a", OWN), ("b", OWN), ("c", OWN + "\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own.py").write_text(text)
        experiment = make(model(model=f"{tmp_path}/{folder}/own.py:Net", params={"width": 5}))
        keys.append(keys_of(experiment, gaits))
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])


def test_the_real_gaits_give_342_answers_a_repeat(real_gaits):
    plan = make_plan(make(model(), protocol={"folds": 10, "repeats": 1}), real_gaits)
    assert sorted(i for cell in plan.cells for i in cell.test) == list(range(342))
