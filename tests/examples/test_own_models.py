"""The example of models of one's own runs, and its report says what they are worth."""

import json
from pathlib import Path

import pytest

from moodwalk.cli import main
from moodwalk.experiments.words import NO_BREAK
from moodwalk.io import write_emotion_gait
from moodwalk.walker import simulate_walks

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "walks"
    write_emotion_gait(folder, simulate_walks(n_subjects=24, gaits_per_subject=4, seed=2))
    return folder


def test_own_models_join_a_sweep(walks, tmp_path, capsys):
    out = tmp_path / "out"
    experiment = str(ROOT / "examples" / "own_models.toml")
    options = ["--data", str(walks), "--folds", "3", "--epochs", "8", "-o", str(out)]
    assert main(["experiment", "run", experiment, *options]) == 0
    assert main(["experiment", "report", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out.split("\n", 2)[2])
    assert document["done"] == 9
    text = (out / "report.md").read_text()
    for name in ("extra trees", "small network", "mean pose"):
        assert f"| {name.replace(' ', NO_BREAK)} |" in text


def test_own_models_join_by_an_option_too(walks, tmp_path, capsys):
    model = f"{ROOT / 'examples' / 'my_models.py'}:MeanPose"
    experiment = str(ROOT / "experiments" / "classic.toml")
    options = ["--data", str(walks), "--folds", "3", "--repeats", "1", "-o", str(tmp_path / "out")]
    assert main(["experiment", "run", experiment, *options, "--model", model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 6 * 3 + 6
    assert (tmp_path / "out" / "cells" / "meanpose-01-03.json").exists()


def test_an_own_network_can_be_evaluated(walks, capsys):
    model = f"{ROOT / 'examples' / 'my_models.py'}:SmallConvNet"
    options = ["--data", str(walks), "--folds", "3", "--epochs", "8", "--json"]
    assert main(["evaluate", "--model", model, *options]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.3  # four classes
