"""From a file to a page that says why."""

import json
import re

import pytest

from moodwalk.cli import main
from moodwalk.emotion import EMOTIONS
from moodwalk.io.writers import open_writer
from moodwalk.skeleton import Joint
from moodwalk.walker import simulate_gait

pytest.importorskip("captum")


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walks")
    first, second = (
        simulate_gait(n_frames=n, seed=5, name=name)
        for n, name in ((160, "first"), (130, "second"))
    )
    write_gaits(folder / "one.npz", [first])
    write_gaits(folder / "two.npz", [first, second])
    return folder


def write_gaits(path, gaits):
    with open_writer(path) as writer:
        writer.write(gaits)


def assert_one_line_and_nothing_else(status, out, err):
    assert status == 2
    assert out == ""
    errors = [line for line in err.splitlines() if not line.startswith(("warning:", "note:"))]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")


def test_a_walk_gets_a_page_and_words(call, files, tmp_path):
    page = tmp_path / "why.html"
    status, out, err = call("explain", files / "one.npz", "-o", page)
    assert (status, err) == (0, "")
    assert "What speaks for" in out
    assert "neutral walks" in out
    assert page.stat().st_size > 100_000
    # the shipped weights withhold their answer to a simulated walk, or they do not
    told = "Why (the walk of first is read as|moodwalk gives no answer to the walk of first)"
    assert re.search(told, page.read_text(encoding="utf-8"))


def test_json_holds_emotion_joints_moments_and_words(call, files):
    status, out, _ = call(
        "explain", files / "two.npz", "--name", "second", "--emotion", "happy", "--json"
    )
    assert status == 0
    document = json.loads(out)
    assert document["name"] == "second"
    assert document["explained"]["emotion"] == "happy"
    assert set(document["probabilities"]) == set(EMOTIONS)
    assert set(document["joints"]) == {joint.name.lower() for joint in Joint}
    known = document["explained"]
    total = sum(document["joints"].values()) + known["rhythm"]
    assert total == pytest.approx(known["log_odds"] - known["log_odds_of_reference"], abs=0.1)
    assert {"start_s", "end_s", "contribution", "joints"} == set(document["moments"][0])
    assert {"measure", "value", "reference", "sd", "effect", "words"} <= set(
        document["measures"][0]
    )
    assert document["page"] is None


def test_ones_own_walk_can_be_the_reference(call, files, tmp_path):
    page = tmp_path / "why.html"
    status, out, _ = call(
        "explain", files / "one.npz", "--baseline", files / "two.npz", "--baseline-name", "second",
        "-o", page, "--json",
    )  # fmt: skip
    assert status == 0
    document = json.loads(out)
    assert document["compared_with"] == "the walker's own reference walk"
    assert "head_bow" in {measure["measure"] for measure in document["measures"]}
    assert document["page"] == str(page)


def test_of_a_long_walk_the_middle_is_explained(call, tmp_path, monkeypatch):
    monkeypatch.setattr("moodwalk.explain.attribution.LONGEST_S", 4.0)
    write_gaits(tmp_path / "long.npz", [simulate_gait(n_frames=420, seed=5, name="long")])
    status, out, err = call("explain", tmp_path / "long.npz", "--json")
    assert status == 0
    assert "lasts 14 s; 4 s of it, from 5 s on, are used" in err
    assert json.loads(out)["n_frames"] == 120


@pytest.mark.parametrize(
    "arguments",
    [
        ["one.npz"],
        ["two.npz", "--json"],
        ["two.npz", "--name", "third", "--json"],
        ["none.npz", "--json"],
        ["one.npz", "--emotion", "bored", "--json"],
        ["one.npz", "--weights", "one.npz", "--json"],
        ["one.npz", "--baseline", "two.npz", "--json"],
        ["one.npz", "--baseline", "none.npz", "--json"],
        ["one.npz", "--baseline-name", "second", "--json"],
        ["one.npz", "-o", "no/such/folder/x/../../../../one.npz"],
        ["one.npz", "-o", "one.npz"],
    ],
)
def test_bad_requests_end_with_one_line(call, files, monkeypatch, arguments):
    monkeypatch.chdir(files)
    before = (files / "one.npz").read_bytes()
    assert_one_line_and_nothing_else(*call("explain", *arguments))
    assert (files / "one.npz").read_bytes() == before
