"""A generator's training from data to weights: what it leaves, and what it refuses."""

import csv
import json

import numpy as np
import pytest
import torch

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.generation.generator import GaitGenerator
from moodwalk.generation.run import LIMITS, run_generator_training
from moodwalk.runs import WEIGHTS, SubjectSplit
from moodwalk.walker import simulate_walks

TINY = {"epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def walks():
    return simulate_walks(n_subjects=10, gaits_per_subject=4, seed=5)


@pytest.fixture(scope="module")
def split(walks):
    return SubjectSplit.by_shares(walks, (7, 2, 1), seed=0)


@pytest.fixture(autouse=True, scope="module")
def small():
    """Make step-gen small enough for a test."""
    from dataclasses import replace
    from types import MappingProxyType

    from moodwalk.generation import generator, run

    spec = generator.GENERATORS["step-gen"]
    network = replace(spec.config, encoder=(4,), decoder=(4,), n_latent=3, kernel=3)
    with pytest.MonkeyPatch.context() as patch:
        known = {**generator.GENERATORS, "step-gen": replace(spec, config=network)}
        for module in (generator, run):
            if hasattr(module, "GENERATORS"):
                patch.setattr(module, "GENERATORS", MappingProxyType(known))
        yield


def test_a_run_of_a_network_leaves_weights_story_and_curve(walks, split, tmp_path):
    run, seen = tmp_path / "new" / "run", []
    story = run_generator_training(
        walks, "step-gen", run, split, seed=3, training=TINY, on_epoch=seen.append
    )
    assert sorted(path.name for path in run.iterdir()) == [
        "metrics.csv", "run.json", WEIGHTS,
    ]  # fmt: skip
    assert json.loads((run / "run.json").read_text()) == json.loads(json.dumps(story))
    assert (story["model"], story["seed"], story["changes"]) == ("step-gen", 3, TINY)
    assert story["epochs"] == len(seen) == 2
    assert story["split"] == split.to_dict(walks)
    counts = [story["data"][f"n_{part}"] for part in ("train", "validation", "test")]
    assert counts == [len(split.train), len(split.validation), len(split.test)]
    with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert [float(row["validation_loss"]) for row in rows] == [r.validation_loss for r in seen]
    assert all(np.isfinite(record.validation_loss) for record in seen)


def test_the_weights_are_those_of_the_training_gaits_and_say_so(walks, split, tmp_path):
    story = run_generator_training(walks, "step-gen", tmp_path, split, training=TINY)
    loaded = GaitGenerator.load(tmp_path / WEIGHTS)
    again = GaitGenerator.fit(
        "step-gen", walks[split.train], validation=walks[split.validation], training=TINY
    )
    for one, other in zip(loaded.generate(4), again.generate(4), strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
    assert loaded.card == json.loads(json.dumps(story | {"limits": LIMITS}))
    people = loaded.card["split"]
    assert not set(people["train"]) & set(people["test"])


def test_test_gaits_are_left_alone(walks, split, tmp_path):
    others = simulate_walks(n_subjects=10, gaits_per_subject=4, seed=6)
    known = set(split.test.tolist())
    changed = type(walks)(others[i] if i in known else gait for i, gait in enumerate(walks))
    for name, gaits in (("a", walks), ("b", changed)):
        run_generator_training(gaits, "cycle-gen", tmp_path / name, split)
    one, other = (GaitGenerator.load(tmp_path / name / WEIGHTS).generate(2) for name in "ab")
    np.testing.assert_array_equal(one[1].positions, other[1].positions)


def test_a_run_of_cycles_has_no_epochs(walks, split, tmp_path):
    story = run_generator_training(walks, "cycle-gen", tmp_path, split)
    assert story["epochs"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", WEIGHTS]
    # there is no epoch to choose, so validation gaits are trained on
    assert story["data"]["n_train"] == len(split.train) + len(split.validation)
    assert story["data"]["n_validation"] == 0
    assert story["split"]["validation"] == []
    assert story["split"]["test"] == split.to_dict(walks)["test"]
    both = np.sort(np.concatenate([split.train, split.validation]))
    expected = GaitGenerator.fit("cycle-gen", walks[both]).generate(1)[0]
    found = GaitGenerator.load(tmp_path / WEIGHTS).generate(1)[0]
    np.testing.assert_array_equal(found.positions, expected.positions)


def test_all_gaits_may_be_for_training(walks, tmp_path):
    everything = SubjectSplit.by_shares(walks, (1, 0, 0), seed=0)
    story = run_generator_training(walks, "step-gen", tmp_path, everything, training=TINY)
    assert story["data"]["n_train"] == len(walks)
    assert "nan" in (tmp_path / "metrics.csv").read_text()


def test_a_folder_that_cannot_be_written_is_found_before_training(walks, split, tmp_path):
    (tmp_path / "file").write_text("")
    seen = []
    with pytest.raises(DataFormatError, match="cannot be written"):
        run_generator_training(
            walks, "step-gen", tmp_path / "file" / "run", split, on_epoch=seen.append
        )
    assert seen == []


def test_what_cannot_be_trained_leaves_nothing(walks, split, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="'gan' is no generator"):
        run_generator_training(walks, "gan", run, split)
    with pytest.raises(ConfigError, match=r"step-gen: .*'rate'"):
        run_generator_training(walks, "step-gen", run, split, training={"rate": 3})
    with pytest.raises(ConfigError, match="epochs is 0; expected at least 1"):
        run_generator_training(walks, "step-gen", run, split, training={"epochs": 0})
    assert not run.exists()
