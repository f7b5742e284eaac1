import json
import re
from collections import defaultdict
from dataclasses import replace
from functools import partial
from html import unescape

import numpy as np
import pytest

from moodwalk.cli import main
from moodwalk.demo import DEMO_FILES, DemoProgress, run_demo
from moodwalk.demo.page import describe_accuracy
from moodwalk.emotion import EMOTIONS
from moodwalk.errors import CheckpointError, ConfigError, DataFormatError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.walker import simulate_walks

SMALL = {"n_walkers": 6, "folds": 2, "epochs": 1, "jobs": 1}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    walks = simulate_walks(2, 4, seed=5)
    path = tmp_path_factory.mktemp("weights") / "step.safetensors"
    GaitEmotionClassifier("step", epochs=1, device="cpu").fit(walks).save(path)
    return path


@pytest.fixture(scope="module")
def story(tmp_path_factory, weights):
    """A whole demonstration, small: its folder, its result, and what it told."""
    out = tmp_path_factory.mktemp("demo") / "new"
    told: list[DemoProgress] = []
    result = run_demo(out, weights=weights, progress=told.append, **SMALL)
    return out, result, told


@pytest.fixture
def quick(monkeypatch, story, weights):
    """The same demonstration again, which finds models and page as they were."""
    out, result, _ = story
    page = (out / "index.html").read_bytes()
    monkeypatch.setattr("moodwalk.demo.run.write_demo_page", lambda path, _: path.write_bytes(page))
    known = {model.evaluation.model: model.evaluation for model in result.models}
    monkeypatch.setattr(
        "moodwalk.demo.run.evaluate", lambda estimator, *_, **__: known[estimator.model]
    )
    again = partial(run_demo, weights=weights, **SMALL)
    monkeypatch.setattr("moodwalk.demo.run_demo", lambda out, **given: again(out, **keep(given)))
    return again


def keep(given):
    return {key: value for key, value in given.items() if value is not None}


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def read_text(page):
    """Text of the page as a reader sees it, without figures."""
    html = re.sub(r"<(script|style).*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def read_figures(page):
    pattern = r'<script type="application/json"[^>]*>(.*?)</script>'
    html = page.read_text(encoding="utf-8")
    return [json.loads(figure) for figure in re.findall(pattern, html, re.DOTALL)]


def without_times(document):
    if isinstance(document, dict):
        return {k: without_times(v) for k, v in document.items() if k != "seconds"}
    if isinstance(document, list):
        return [without_times(item) for item in document]
    return document


# what is computed


def test_every_step_ends_with_a_finding(story):
    _, _, told = story
    steps = list(dict.fromkeys((t.number, t.step) for t in told))
    assert [number for number, _ in steps] == list(range(1, told[0].n_steps + 1))
    for number, step in steps:
        parts = [t for t in told if t.number == number]
        assert [t.done for t in parts] == sorted(t.done for t in parts)
        assert (parts[0].done, parts[-1].done) == (0, parts[-1].total), step
        assert [bool(t.finding) for t in parts] == [False] * (len(parts) - 1) + [True], step


def test_both_models_meet_the_same_folds_and_no_walker_twice(story):
    _, result, _ = story
    one, other = (model.evaluation for model in result.models)
    assert (one.model, other.model) == ("extra-trees", "step")
    assert one.n_gaits == other.n_gaits == 24
    assert np.array_equal(one.indices, other.indices)
    assert np.array_equal(one.fold, other.fold)
    folds = defaultdict(set)
    for index, fold in zip(one.indices, one.fold, strict=True):
        folds[result.gaits[int(index)].subject].add(int(fold))
    assert len(folds) == 6
    assert all(len(of_walker) == 1 for of_walker in folds.values())


def test_one_walker_is_shown_in_every_emotion(story):
    _, result, _ = story
    shown = [result.gaits[i] for i in result.shown]
    assert [gait.label for gait in shown] == list(EMOTIONS)
    assert {gait.subject for gait in shown} == {result.gaits[0].subject}


def test_figures_add_up(story):
    _, result, _ = story
    first, second, p_value = result.compare()
    one, other = result.models
    assert one.n_right - other.n_right == first - second
    assert 0 < p_value <= 1
    for model in result.models:
        assert model.n_right == np.trace(model.evaluation.confusion)
    assert result.majority == 0.25
    assert 0 <= result.n_named <= 24


def test_the_same_seed_gives_the_same_figures(story, weights, tmp_path, monkeypatch):
    out, result, _ = story
    monkeypatch.setattr("moodwalk.demo.run.write_demo_page", lambda path, _: path.touch())
    again = run_demo(tmp_path / "again", weights=weights, **SMALL)
    expected = json.dumps(without_times(result.to_dict())).replace(
        str(out), str(tmp_path / "again")
    )
    assert json.dumps(without_times(again.to_dict())) == expected


# what is written


def test_the_folder_holds_what_it_should_and_nothing_else(story):
    out, result, _ = story
    assert {path.name for path in out.iterdir()} == set(DEMO_FILES)
    assert json.loads((out / "demo.json").read_text()) == result.to_dict()


def test_data_commands_read_the_walks(story, call):
    out, _, _ = story
    status, said, err = call("data", "info", out, "--json")
    document = json.loads(said)
    assert (status, err) == (0, "")
    assert (document["gaits"], document["subjects"]) == (24, 6)
    assert document["labels"] == dict.fromkeys(EMOTIONS, 6)
    assert document["problems"] == []
    _, said, err = call("data", "audit", out, "--json")
    assert json.loads(said)["parts"][0]["verdict"] == "agrees"
    assert err == ""
    _, said, err = call("data", "audit", out, "--json", "--labels", "published")
    assert json.loads(said)["parts"][0]["verdict"] == "disagrees"
    assert err.startswith("warning: ")


def test_the_command_on_the_page_repeats_its_figures(story, call):
    _, result, _ = story
    known = result.models[0].evaluation
    command = result.to_dict()["evaluations"][0]["repeat_with"].split()
    assert command[0] == "moodwalk"
    _, said, _ = call(*command[1:], "--json")
    document = json.loads(said)
    assert document["accuracy"] == known.accuracy
    assert document["confusion"] == known.confusion.tolist()
    assert document["log_loss"] == pytest.approx(known.log_loss)


def test_the_page_says_what_was_found(story):
    out, result, _ = story
    text = read_text(out / "index.html")
    assert text.count("imulated walk") > 10
    assert "24 simulated walks" in text
    assert "never a diagnosis" in text
    assert "agrees: this order fits the walks best" in text
    assert "warns: use happy, angry, sad, neutral" in text
    for model in result.models:
        low, high = (100 * end for end in model.evaluation.accuracy_ci95)
        accuracy = 100 * model.evaluation.accuracy
        assert (
            f"{model.title}: {model.n_right} of 24 right ({accuracy:.1f} %, 95 % interval "
            f"{low:.1f} to {high:.1f})"
        ) in text
    assert f"the simulated one in {result.n_named} of the 24 walks" in text
    n_withheld = sum(prediction.abstained for prediction in result.predictions)
    assert f"so for {n_withheld} of the 24 walks" in text


def test_the_figures_of_the_page_are_those_of_the_result(story):
    out, result, _ = story
    skeletons, features, intervals, *confusions, prediction = read_figures(out / "index.html")
    assert len(skeletons["frames"]) > 60
    assert len(features["data"]) == 6 * 4
    assert describe_accuracy(result) in read_text(out / "index.html")
    assert intervals["data"][0]["x"] == [m.evaluation.accuracy for m in result.models]
    for figure, model in zip(confusions, result.models, strict=True):
        counts = [[int(re.match(r"<b>(\d+)", cell)[1]) for cell in row]
                  for row in figure["data"][0]["text"]]  # fmt: skip
        assert counts == model.evaluation.confusion.tolist()
    for bar in prediction["data"]:
        known = [result.predictions[i].probabilities.get(bar["name"], 0) for i in result.shown]
        assert bar["x"] == pytest.approx(known)


@pytest.mark.parametrize(
    ("lows", "right", "saying"),
    [
        ((0.3, 0.3), (20, 20), "which of them is better, these walks cannot say"),
        ((0.3, 0.3), (24, 10), "and Extra trees better than STEP"),
        ((0.3, 0.3), (10, 24), "and STEP better than Extra trees"),
        ((0.2, 0.3), (15, 20), "STEP does clearly better than always giving the same answer"),
        ((0.2, 0.25), (12, 12), "neither does clearly better"),
    ],
)
def test_the_page_claims_no_more_than_the_figures_do(story, lows, right, saying):
    _, result, _ = story
    models = []
    for model, low, n_right in zip(result.models, lows, right, strict=True):
        known = model.evaluation
        at = [known.classes.index(label) for label in known.labels]
        answers = np.array([(i + (k >= n_right)) % 4 for k, i in enumerate(at)])
        evaluation = replace(
            known,
            accuracy=n_right / 24,
            accuracy_ci95=(low, 1.0),
            accuracy_ci95_subjects=(low, 1.0),
            probabilities=np.eye(4)[answers],
        )
        models.append(replace(model, evaluation=evaluation))
    assert saying in describe_accuracy(replace(result, models=tuple(models)))


# whose files


def test_an_earlier_demonstration_is_overwritten_and_nothing_else(quick, story, tmp_path):
    quick(tmp_path)
    (tmp_path / "index.html").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    quick(tmp_path, seed=0)
    assert {path.name for path in tmp_path.iterdir()} == {*DEMO_FILES, "notes.txt"}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len((tmp_path / "index.html").read_text(encoding="utf-8")) > 1_000_000


@pytest.mark.parametrize("marker", [None, "not JSON", "[]", '{"command": "other"}', b"\xff\xfe"])
def test_data_of_others_is_never_overwritten(tmp_path, weights, marker):
    (tmp_path / "features.h5").write_text("precious")
    if marker is not None:
        content = marker if isinstance(marker, bytes) else marker.encode()
        (tmp_path / "demo.json").write_bytes(content)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(DataFormatError, match="which no demonstration wrote"):
        run_demo(tmp_path, weights=weights, **SMALL)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_failure_leaves_nothing(quick, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("moodwalk.demo.run.shutil.copyfile", fail)
    with pytest.raises(DataFormatError, match="disk full"):
        quick(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_bad_requests_are_refused_before_any_work(tmp_path, weights):
    with pytest.raises(ConfigError, match="3 walkers for 4 folds"):
        run_demo(tmp_path / "new", weights=weights, n_walkers=3, folds=4)
    with pytest.raises(CheckpointError, match="nowhere"):
        run_demo(tmp_path / "new", weights=tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


# the command


def test_the_command_shows_steps_figures_page_and_what_to_try(quick, story, call, tmp_path):
    _, result, _ = story
    status, said, err = call("demo", "--out", tmp_path / "my demo")
    assert status == 0
    lines = err.splitlines()
    assert lines[0].startswith("Simulated walks")
    assert [line[:4] for line in lines[1:]] == [f"{i}/8 " for i in range(1, 9)]
    for model in result.models:
        assert f"{model.n_right} of 24" in said
        assert f"{model.evaluation.accuracy:.1%}" in said
        assert "{:.1%} to {:.1%}".format(*model.evaluation.accuracy_ci95) in said
    assert "24 walks of 6 walkers, 2 folds" in said
    assert f"Open {tmp_path / 'my demo' / 'index.html'} in a browser" in said
    assert f"moodwalk data audit '{tmp_path / 'my demo'}'" in said
    assert (tmp_path / "my demo" / "index.html").exists()


def test_the_command_as_json(quick, story, call, tmp_path):
    status, said, _ = call("demo", "--out", tmp_path, "--json")
    document = json.loads(said)
    assert status == 0
    assert document["page"] == str(tmp_path / "index.html")
    assert [e["model"] for e in document["evaluations"]] == ["extra-trees", "step"]
    assert document["evaluations"][0]["confusion"] == (
        story[1].models[0].evaluation.confusion.tolist()
    )


def test_refusals_are_one_line_and_write_nothing(call, weights, tmp_path):
    (tmp_path / "file").write_text("mine")
    for arguments in (
        ["--out", tmp_path / "file"],
        ["--out", tmp_path / "file" / "deep"],
        ["--out", tmp_path / "new", "--weights", tmp_path / "nowhere"],
        ["--out", tmp_path / "new", "--jobs", 0],
        ["--out", tmp_path / "new", "--seed", "x"],
    ):
        status, said, err = call("demo", "--weights", weights, *arguments)
        assert (status, said) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_playlist_is_for_the_sad_walk_and_says_that_it_is_made_up(story):
    out, result, _ = story
    assert result.gaits[result.listener].label == "sad"
    assert len(result.music.tracks) == 6
    assert all(track.source == "simulated" for track in result.music.tracks)
    text = read_text(out / "index.html")
    assert "The tracks are made up and have no sound" in text
    assert all(track.title in text for track in result.music.tracks)
    assert all(reason in text for reason in result.music.reasons)
    document = json.loads((out / "demo.json").read_text())
    assert [track["title"] for track in document["music"]["tracks"]] == [
        track.title for track in result.music.tracks
    ]
