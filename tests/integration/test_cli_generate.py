"""From the command line to gaits, moods and judgements, on simulated walks and on the real ones."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from moodwalk.cli import main
from moodwalk.io import read
from moodwalk.io.emotion_gait import write_coded_emotion_gait
from moodwalk.io.writers import open_writer
from moodwalk.walker import simulate_walks


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walks")
    write_coded_emotion_gait(folder, simulate_walks(n_subjects=24, gaits_per_subject=4, seed=2))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory, folder):
    run = tmp_path_factory.mktemp("run")
    command = ("train", "--data", folder, "--model", "cycle-gen", "--split", "7:1:2", "-o", run)
    assert main([str(word) for word in command]) == 0
    return run / "weights.safetensors"


@pytest.fixture(scope="module")
def official(tmp_path_factory, official_folder):
    weights = tmp_path_factory.mktemp("official") / "step-gen.safetensors"
    source = official_folder / "generator_cvae.pth.tar"
    assert main(["import-checkpoint", str(source), "-o", str(weights)]) == 0
    return weights


def assert_one_line_and_nothing_else(status, out, err):
    assert status == 2
    assert out == ""
    errors = [line for line in err.splitlines() if not line.startswith(("warning:", "note:"))]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")


def test_the_promised_command_with_the_shipped_weights(call, tmp_path):
    out = tmp_path / "happy.h5"
    status, said, _ = call("generate", "--emotion", "happy", "-n", 7, "--seed", 3, "-o", out)
    assert (status, said) == (0, f"{out}: 7 gaits.\n")
    gaits = read(out)
    assert [gait.name for gait in gaits] == [f"{i:05d}_Happy" for i in range(1, 8)]
    assert {(g.label, g.fps, len(g), g.synthetic) for g in gaits} == {("happy", 30.0, 75, True)}
    again = tmp_path / "again.h5"
    call("generate", "--emotion", "happy", "-n", 7, "--seed", 3, "-o", again)
    assert all((a.positions == b.positions).all() for a, b in zip(gaits, read(again), strict=True))
    other = tmp_path / "other.h5"
    call("generate", "--emotion", "happy", "-n", 7, "--seed", 4, "-o", other)
    assert all((a.positions != b.positions).any() for a, b in zip(gaits, read(other), strict=True))


@pytest.mark.parametrize("suffix", [".h5", ".parquet", ".csv", ".npz"])
def test_every_format_holds_the_same_gaits(call, weights, tmp_path, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: install 'moodwalk[data]'")
    paths = [tmp_path / f"gaits{s}" for s in (".h5", suffix)]
    for path in paths:
        status, *_ = call(
            "generate", "--weights", weights, "-n", 300, "--frames", 40, "--fps", 25, "-o", path
        )
        assert status == 0
    one, other = (read(path) for path in paths)
    assert len(one) == 300
    for a, b in zip(one, other, strict=True):
        assert (a.name, a.label, a.fps, a.synthetic) == (b.name, b.label, b.fps, b.synthetic)
        np.testing.assert_array_equal(a.positions, b.positions)


def test_the_wall_shows_every_emotion_and_needs_no_network(call, weights, tmp_path):
    page = tmp_path / "wall.html"
    status, *_ = call("generate", "--weights", weights, "-n", 20, "--preview", page)
    text = page.read_text()
    assert status == 0
    assert all(
        re.search(rf"</i>{name}</h3>", text) for name in ("happy", "angry", "sad", "neutral")
    )
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert len(text) < 1_000_000


def test_a_walk_in_another_mood_beside_itself(call, weights, folder, tmp_path):
    out, page = tmp_path / "sad.h5", tmp_path / "sad.html"
    status, *_ = call(
        "generate", "--weights", weights, "--from", folder, "--emotion", "sad",
        "--strength", 0.7, "-o", out, "--preview", page,
    )  # fmt: skip
    assert status == 0
    walks, sad = read(folder), read(out)
    assert len(sad) == len(walks)
    assert {gait.label for gait in sad} == {"sad"}
    assert "as they walked" in page.read_text() or "left as walked" in page.read_text()


def test_a_walk_without_label_is_read_first(call, weights, tmp_path):
    walk = simulate_walks(n_subjects=2, gaits_per_subject=2, seed=5)[0]
    path = tmp_path / "walk.npz"
    with open_writer(path) as writer:
        writer.write([type(walk)(walk.positions, walk.fps, name="mine")])
    out = tmp_path / "angry.npz"
    status, *_ = call(
        "generate", "--weights", weights, "--from", path, "--emotion", "angry", "-o", out
    )
    assert status == 0
    assert read(out)[0].name == "mine_Angry"


def test_published_weights_draw_from_their_prior_or_as_published(call, official, tmp_path):
    paths = [tmp_path / "prior.npz", tmp_path / "published.npz"]
    for path, extra in zip(paths, ([], ["--published-latent"]), strict=True):
        status, *_ = call("generate", "--weights", official, "-n", 8, "-o", path, *extra)
        assert status == 0
    prior, published = (read(path) for path in paths)
    assert len(prior[0]) == 75
    assert (prior[0].positions != published[0].positions).any()


def test_the_judge_compares_with_gaits_that_were_held_out(call, weights, folder, tmp_path):
    pytest.importorskip("matplotlib", reason="the report's map needs 'moodwalk[lab]'")
    report = tmp_path / "judge"
    status, out, err = call(
        "generate", "--judge", "--data", folder, "--weights", weights, "--report", report, "--json"
    )
    assert status == 0
    assert "shipped classifier has seen" in err
    document = json.loads(out)
    held_out = json.loads((weights.parent / "run.json").read_text())["split"]["test"]
    assert document["n_subjects"] == len(held_out)
    assert document["n_held_out"] == 4 * len(held_out)
    assert document["n_train"] == document["n_generated"] == 96 - document["n_held_out"]
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert figures["bone variation"]["generated"]["cycle-gen"]["value"] < 1e-6
    for figure in figures.values():
        for found in (figure["real"], *figure["generated"].values()):
            low, high = found["ci95"]
            assert low <= found["value"] + 1e-9
            assert found["value"] <= high + 1e-9
    assert json.loads((report / "judge.json").read_text())["figures"] == document["figures"]
    text = (report / "report.md").read_text()
    assert all(name in text for name in figures)
    assert (report / "map.png").stat().st_size > 10_000
    assert (report / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "0", "-o", "{out}.h5"),
        ("-n", "1000000000", "-o", "{out}.h5"),
        ("--emotion", "joy", "-o", "{out}.h5"),
        ("--frames", "2", "-o", "{out}.h5"),
        ("--fps", "0", "-o", "{out}.h5"),
        ("--fps", "nan", "-o", "{out}.h5"),
        ("--cadence", "1000", "-o", "{out}.h5"),
        ("--published-latent", "-o", "{out}.h5"),
        ("-o", "{out}.txt"),
        ("-o", "{folder}"),
        ("--preview", "{folder}"),
        (),
        ("--from", "{folder}/none", "--emotion", "sad", "-o", "{out}.h5"),
        ("--from", "{folder}", "-o", "{out}.h5"),
        ("--from", "{folder}", "--emotion", "sad", "--strength", "nan", "-o", "{out}.h5"),
        ("--from", "{folder}", "--emotion", "sad", "--strength", "9", "-o", "{out}.h5"),
        ("--from", "{folder}", "--emotion", "sad", "--cadence", "90", "-o", "{out}.h5"),
        ("--report", "{out}", "-o", "{out}.h5"),
        ("--labels", "happy,angry,sad,neutral", "-o", "{out}.h5"),
        ("--strength", "0.7", "-o", "{out}.h5"),
        ("--data", "{folder}", "-o", "{out}.h5"),
        ("--from", "{folder}", "--emotion", "sad", "-n", "7", "-o", "{out}.h5"),
        ("-o", "{out}.h5", "--preview", "{out}.h5"),
        ("--judge", "-n", "7", "--data", "{folder}"),
        ("--judge",),
        ("--judge", "--data", "{folder}/none"),
        ("--judge", "--data", "{folder}", "-o", "{out}.h5"),
    ],
    ids=" ".join,
)
def test_bad_input_ends_in_one_line(call, weights, folder, tmp_path, arguments):
    out = tmp_path / "out"
    filled = [argument.format(folder=folder, out=out) for argument in arguments]
    before = sorted(folder.iterdir())
    assert_one_line_and_nothing_else(*call("generate", "--weights", weights, *filled))
    assert sorted(folder.iterdir()) == before
    assert list(tmp_path.iterdir()) == []


def test_weights_of_the_other_kind_are_refused(call, weights, folder, tmp_path):
    from moodwalk.predict import SHIPPED_WEIGHTS, Predictor

    assert Predictor.load()  # the file is there
    from importlib.resources import files

    classifier = files("moodwalk") / "weights" / SHIPPED_WEIGHTS
    out = tmp_path / "out.h5"
    status, said, err = call("generate", "--weights", classifier, "-o", out)
    assert_one_line_and_nothing_else(status, said, err)
    assert "is a classifier; expected a generator" in err
    status, said, err = call("predict", folder, "--weights", weights)
    assert_one_line_and_nothing_else(status, said, err)
    assert "is a generator; expected a classifier" in err


def test_options_of_classifiers_mean_nothing_to_a_generator(call, folder, tmp_path):
    run = tmp_path / "run"
    for extra in (("--epochs", 3), ("--select", "loss"), ("--balanced",)):
        result = call("train", "--data", folder, "--model", "cycle-gen", "-o", run, *extra)
        assert_one_line_and_nothing_else(*result)
    assert not run.exists()


def test_a_judge_needs_to_know_who_was_held_out(call, official, folder):
    status, out, err = call("generate", "--judge", "--data", folder, "--weights", official)
    assert_one_line_and_nothing_else(status, out, err)
    assert "held out" in err


def test_an_interrupted_file_is_absent(weights, tmp_path):
    out = tmp_path / "many.csv"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "moodwalk",
            "generate",
            "--weights",
            weights,
            "-n",
            "200000",
            "-o",
            out,
        ],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    until = time.monotonic() + 120
    while not list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert err == "error: interrupted.\n"
    assert list(tmp_path.iterdir()) == []
