"""Sweeps from an experiment file to cells, whatever happens on the way."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from moodwalk.cli import main
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import evaluate
from moodwalk.experiments import read_experiment, run_experiment
from moodwalk.experiments.readings import read_line
from moodwalk.io import read
from moodwalk.io.emotion_gait import write_emotion_gait
from moodwalk.walker import simulate_walks

# answers by chance, in its own time, and not at all where its folder says so
OWN = """
import time
from pathlib import Path
import numpy as np
from torch import nn

class OwnError(Exception):
    pass

class Chance:
    seed = 0

    def __init__(self, wait_s=0.0, fails_at=-1, mended=""):
        self.wait_s, self.fails_at, self.mended = wait_s, fails_at, mended

    def fit(self, gaits, y):
        time.sleep(self.wait_s)
        if self.seed == self.fails_at and not (self.mended and Path(self.mended).exists()):
            raise OwnError(f"seed {self.seed} is unlucky")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, gaits):
        chance = np.random.default_rng(self.seed).random((len(gaits), len(self.classes_)))
        return chance / chance.sum(axis=1, keepdims=True)

class MyNet(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.classes = nn.Linear(48, n_classes)

    def forward(self, positions, affective):
        return self.classes(positions.mean(dim=1).flatten(1))
"""

CONFIG = """
title = "A small sweep"
baseline = "trees"

[data]
path = "walks.h5"

[protocol]
folds = 3
repeats = 2

[training]
epochs = 2

[[models]]
name = "trees"
model = "extra-trees"
params = { n_estimators = 5 }

[[models]]
name = "network"
model = "step"
params = { blocks = [[4, 1]], kernel = 9 }

[[models]]
name = "chance"
model = "own.py:Chance"
params = { wait_s = 0.0 }
"""

N_CELLS = 18


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder with walks, a user's file and an experiment."""
    place = tmp_path_factory.mktemp("sweep")
    gaits = simulate_walks(n_subjects=8, gaits_per_subject=4, seed=2, n_frames=36)
    write_emotion_gait(place / "walks.h5", gaits)
    (place / "own.py").write_text(OWN)
    (place / "small.toml").write_text(CONFIG)
    (place / "slow.toml").write_text(CONFIG.replace("wait_s = 0.0", "wait_s = 0.2"))
    return place


@pytest.fixture(scope="module")
def finished(place):
    """What `small.toml` gives undisturbed, with one job."""
    experiment = read_experiment(place / "small.toml")
    state = run_experiment(experiment, read(place / "walks.h5"), place / "finished")
    assert (state.n_done, state.n_failed) == (N_CELLS, 0)
    return place / "finished"


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main(["experiment", "run", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished folder."""
    return shutil.copytree(finished, tmp_path / "copy")


def start(config, out, *options):
    """Start a run in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "moodwalk", "experiment", "run", str(config), "-o", str(out)]
        + [str(option) for option in options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_all(folder):
    """Return every cell by name, but for what it took and what was checked out meanwhile."""
    cells = {}
    for path in (folder / "cells").iterdir():
        record = json.loads(path.read_text())
        del record["seconds"], record["cpu_seconds"], record["commit"]
        (record["history"] or {}).pop("seconds", None)
        cells[path.name] = record
    return cells


def snapshot(folder):
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in find_cells(folder)}


def find_cells(folder):
    return sorted((folder / "cells").glob("[!.]*.json"))


def wait_for_cells(folder, n_cells, process):
    end = time.monotonic() + 120
    while len(find_cells(folder)) < n_cells:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def assert_one_line(status, out, err):
    """Check that nothing but one error is told, and return it."""
    errors = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert (status, out, len(errors)) == (2, "", 1), err
    assert errors[0].startswith("error: ")
    return errors[0].removeprefix("error: ")


def test_every_cell_has_a_file_and_the_folder_says_what_it_is(finished):
    assert len(find_cells(finished)) == N_CELLS
    assert {path.name for path in finished.iterdir()} == {"experiment.json", "cells", ".lock"}
    document = json.loads((finished / "experiment.json").read_text())
    keys = {record["key"] for record in read_all(finished).values()}
    assert {key for line in document["lines"] for key in line["cells"]} == keys


def test_a_killed_run_goes_on_and_ends_as_if_undisturbed(place, call, tmp_path):
    config, out = place / "slow.toml", tmp_path / "out"
    process = start(config, out, "--jobs", 3)
    wait_for_cells(out, 4, process)
    process.kill()
    process.communicate()
    killed = snapshot(out)
    assert 4 <= len(killed) < N_CELLS
    status, _, _ = call(config, "-o", out)  # with one job, which changes nothing
    assert status == 0
    after = snapshot(out)
    assert len(after) == N_CELLS
    assert {name: after[name] for name in killed} == killed  # none was run again
    assert not list(out.rglob("*.part*"))
    undisturbed = tmp_path / "undisturbed"
    status, _, _ = call(config, "-o", undisturbed)
    assert status == 0
    assert read_all(out) == read_all(undisturbed)


def test_a_second_run_waits_outside_and_an_interrupted_one_goes_on(place, call, tmp_path):
    config, out = place / "slow.toml", tmp_path / "out"
    process = start(config, out, "--jobs", 2)
    try:
        wait_for_cells(out, 1, process)
        said = assert_one_line(*call(config, "-o", out))
        assert said.startswith(f"{out} is in use by another run; wait for it")
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        printed, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, printed) == (130, "")
    assert err.splitlines()[-1] == "error: interrupted."
    assert "Traceback" not in err
    before = snapshot(out)
    assert 1 <= len(before) < N_CELLS
    status, _, _ = call(config, "-o", out)
    assert status == 0
    after = snapshot(out)
    assert len(after) == N_CELLS
    assert {name: after[name] for name in before} == before


def test_a_finished_run_has_nothing_to_do(place, call, copy):
    before = snapshot(copy)
    status, out, err = call(place / "small.toml", "-o", copy)
    assert status == 0
    assert f"{N_CELLS} of {N_CELLS} cells done, 0 failed: {copy}" in out
    assert snapshot(copy) == before
    assert err.splitlines() == [f"{N_CELLS}/{N_CELLS} done, 0 running"]


@pytest.mark.parametrize("left", [0, 1, 400, -2])
def test_a_half_written_cell_is_run_again_and_no_other(place, call, copy, left):
    before = snapshot(copy)
    path = copy / "cells" / "network-02-01.json"
    path.write_bytes(path.read_bytes()[:left])
    status, _, _ = call(place / "small.toml", "-o", copy)
    assert status == 0
    after = snapshot(copy)
    assert {name for name in before if after[name] != before[name]} == {path.name}
    assert read_all(copy) == read_all(place / "finished")


def test_another_configuration_is_refused(place, call, copy):
    before = snapshot(copy)
    said = assert_one_line(*call(place / "small.toml", "-o", copy, "--seed", 3))
    assert said.startswith(f"{copy} holds the results of another experiment: ")
    assert "protocol.seed is 0 there and 3 here" in said
    assert snapshot(copy) == before


def test_another_title_is_not_another_configuration(place, call, copy, tmp_path):
    before = snapshot(copy)
    for name in ("walks.h5", "own.py"):
        shutil.copy(place / name, tmp_path)
    text = CONFIG.replace("A small sweep", "Another title") + '\n[[models]]\nname = "x"'
    (tmp_path / "small.toml").write_text(text.rpartition("\n[[models]]")[0])
    status, _, _ = call(tmp_path / "small.toml", "-o", copy)
    assert status == 0
    assert snapshot(copy) == before
    assert '"title": "Another title"' in (copy / "experiment.json").read_text()


def test_a_users_changed_model_is_another_configuration(place, call, copy, tmp_path):
    for name in ("walks.h5", "small.toml"):
        shutil.copy(place / name, tmp_path)
    (tmp_path / "own.py").write_text(OWN + "# changed\n")
    said = assert_one_line(*call(tmp_path / "small.toml", "-o", copy))
    assert "another experiment: code.own.py:Chance is " in said


def test_a_full_disk_ends_the_run_and_keeps_what_is_done(place, call, tmp_path, monkeypatch):
    out = tmp_path / "out"
    sync, n_written = os.fsync, 0

    def fill_up(descriptor):
        nonlocal n_written
        n_written += 1
        if n_written > 6:  # the experiment and five cells
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    status, printed, err = call(place / "small.toml", "-o", out)
    assert (status, printed) == (2, "")
    assert [line for line in err.splitlines() if "done" not in line] == [
        f"error: {out}/cells/chance-01-02.json cannot be written: No space left on device. "
        f"Choose another place."
    ]
    before = snapshot(out)
    assert len(before) == 5
    assert not list(out.rglob("*.part*"))
    monkeypatch.undo()
    status, _, _ = call(place / "small.toml", "-o", out)
    assert status == 0
    assert read_all(out) == read_all(place / "finished")
    assert {name: snapshot(out)[name] for name in before} == before


def test_a_failing_cell_stops_no_other_and_is_tried_again(place, call, tmp_path):
    shutil.copy(place / "own.py", tmp_path)
    shutil.copy(place / "walks.h5", tmp_path)
    mended = tmp_path / "mended"
    params = f'params = {{ fails_at = 4, mended = "{mended}" }}'
    trees, _, chance = CONFIG.split("[[models]]")[1:]
    text = CONFIG.partition("[[models]]")[0] + "[[models]]" + trees + "[[models]]" + chance
    (tmp_path / "e.toml").write_text(text.replace("params = { wait_s = 0.0 }", params))
    out = tmp_path / "out"
    for jobs in (1, 2):  # the second run tries it again
        status, printed, err = call(tmp_path / "e.toml", "-o", out, "--jobs", jobs)
        assert status == 1
        assert "11 of 12 cells done, 1 failed" in printed
        assert "chance-02-02 failed: " in err
        assert f"1 cells failed, see {out}/failed; run again to retry them." in err
        (failed,) = (out / "failed").iterdir()
        failure = json.loads(failed.read_text())
        assert failure["name"] == "chance-02-02"
        said = f"{failure['error']}: {failure['message']}"
        assert said.endswith("OwnError: seed 4 is unlucky")
        assert any('/own.py", line 19, in fit' in line for line in failure["traceback"])
        assert len(find_cells(out)) == 11
    mended.touch()
    status, printed, _ = call(tmp_path / "e.toml", "-o", out, "--json")
    assert status == 0
    assert json.loads(printed) == {"out": str(out), "cells": 12, "done": 12, "failed": 0}
    assert list((out / "failed").iterdir()) == []


def test_equal_cells_are_taken_over_from_another_experiment(place, call, finished, tmp_path):
    out = tmp_path / "out"
    status, printed, err = call(
        place / "small.toml", "-o", out, "--repeats", 3, "--reuse", finished
    )
    assert status == 0
    assert f"{N_CELLS + 9} of {N_CELLS + 9} cells done" in printed
    assert err.splitlines()[0].startswith(f"{N_CELLS}/{N_CELLS + 9} done")
    for path in find_cells(finished):
        assert (out / "cells" / path.name).read_bytes() == path.read_bytes()
    (tmp_path / "empty").mkdir()
    said = assert_one_line(
        *call(place / "small.toml", "-o", tmp_path / "b", "--reuse", tmp_path / "empty")
    )
    assert said.startswith(f"{tmp_path}/empty holds no cells to reuse")


def test_a_result_repeats_its_own_experiment(finished, call, tmp_path):
    again = tmp_path / "again"
    status, _, err = call(finished / "experiment.json", "-o", again, "--reuse", finished)
    assert status == 0
    assert err.splitlines() == [f"{N_CELLS}/{N_CELLS} done, 0 running"]
    assert read_all(again) == read_all(finished)


def test_a_users_model_joins_a_sweep(place, call, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    out = tmp_path / "out"
    status, printed, _ = call(
        "small.toml", "-o", out, "--model", "own.py:MyNet", "--reuse", finished
    )
    assert status == 0
    assert f"{N_CELLS + 6} of {N_CELLS + 6} cells done" in printed
    record = json.loads((out / "cells" / "mynet-01-01.json").read_text())
    assert record["n_parameters"] == 4 * 48 + 4
    assert record["training"]["options"]["epochs"] == 2  # as the first model's


def test_bad_input_is_refused_before_any_cell_runs(place, call, tmp_path):
    config, out = place / "small.toml", tmp_path / "out"
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "walkless.toml").write_text('[[models]]\nname = "a"\nmodel = "svm"\n')
    for arguments, words in (
        ([tmp_path / "missing.toml"], "missing.toml cannot be read: No such file"),
        ([config, "--folds", 9], "9 folds, but only 8 subjects are 'angry'"),
        ([config, "--folds", 1], "'protocol.folds' is 1"),
        ([config, "--repeats", 0], "'protocol.repeats' is 0"),
        ([config, "--epochs", 0], "'models.1.training.epochs' is 0"),
        ([config, "--protocol", "subjekt"], "expected 'subject', 'random' or 'legacy'"),
        ([config, "--model", "stepp"], "did you mean 'step'?"),
        ([config, "--model", tmp_path / "none.py:Net"], "none.py cannot be read"),
        ([config, "--model", tmp_path / "broken.py:Net"], "does not run: ZeroDivisionError"),
        ([config, "--model", place / "own.py:Nett"], "holds no class Nett"),
        ([config, "--model", "own.py:"], "'own.py:' names no class"),
        ([config, "--data", tmp_path / "nowhere"], "nowhere"),
        ([tmp_path / "walkless.toml"], "names no walks"),
        ([config, "--jobs", 0], "jobs is 0"),
        ([config, "--device", "abacus"], "abacus"),
        ([config, "--cluster", "tcp://localhost:1"], "--cluster is for --engine dask"),
        ([config, "--engine", "dusk"], "dusk"),
    ):
        said = assert_one_line(*call(*arguments, "-o", out))
        assert words in said
        assert not out.exists(), arguments
    said = assert_one_line(*call(config, "-o", config))
    assert f"{config} is not a folder" in said


def test_progress_tells_how_far_it_is(place, tmp_path):
    states = []
    experiment = read_experiment(place / "slow.toml")
    chance = experiment.models[2].model_copy(update={"params": {"wait_s": 0.1, "fails_at": 1}})
    experiment = experiment.model_copy(update={"models": (chance,)})
    run_experiment(
        experiment,
        read(place / "walks.h5"),
        tmp_path,
        progress=lambda state: states.append(replace(state)),
    )
    assert [state.n_done for state in states] == [0, 1, 1, 2, 3, 4, 5]
    assert [state.n_failed for state in states] == [0, 0, 1, 1, 1, 1, 1]
    assert [state.n_running for state in states] == [1, 1, 1, 1, 1, 1, 0]
    assert states[0].seconds_left is None
    left = [state.seconds_left for state in states[1:]]
    assert left == sorted(left, reverse=True)  # a failure takes no time
    assert left[0] > 0.4
    assert left[-1] == 0


def test_classic_learners_on_the_real_gaits_agree_with_evaluate(
    real_gaits, emotion_gait_folder, call, tmp_path
):
    (tmp_path / "e.toml").write_text(
        f'[data]\npath = "{emotion_gait_folder}"\n[protocol]\nfolds = 3\nseed = 7\n'
        '[[models]]\nname = "a"\nmodel = "logistic-regression"\n'
    )
    status, _, _ = call(tmp_path / "e.toml", "-o", tmp_path / "out")
    assert status == 0
    records = [json.loads(path.read_text()) for path in find_cells(tmp_path / "out")]
    reading = read_line(records)
    assert sorted(reading.gait.tolist()) == list(range(342))
    told = evaluate(
        GaitEmotionClassifier("logistic-regression"), real_gaits, folds=3, seed=7, jobs=1
    )
    assert float(reading.correct.mean()) == told.accuracy
    assert told.accuracy > 0.45
