"""``moodwalk music`` from the outside: a library, playlists, a walk."""

import csv
import json

import numpy as np
import pytest

from moodwalk.cli import main
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.walker import simulate_gait

pytest.importorskip("sqlalchemy", reason="needs the extra music")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """State of its own for every test."""
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MOODWALK_MUSIC_URL", raising=False)
    return tmp_path / "home"


@pytest.fixture
def call(capsys):
    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def catalogue(tmp_path):
    """Two hundred tracks all over the circumplex, as Spotify's catalogues have them."""
    rng = np.random.default_rng(0)
    path = tmp_path / "songs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["track_id", "track_name", "track_artist", "track_popularity", "energy", "valence",
             "mode", "tempo", "duration_ms"]
        )  # fmt: skip
        for i in range(200):
            rows.writerow(
                [f"{i:022}", f"Song {i}", f"Artist {i % 40}", i % 100, round(rng.random(), 3),
                 round(rng.random(), 3), i % 2, round(rng.uniform(70, 180), 2), 180_000 + i]
            )  # fmt: skip
    return path


@pytest.fixture
def library(call, catalogue):
    status, _, err = call("music", "import", catalogue)
    assert status == 0, err


def test_a_catalogue_becomes_a_library_that_lists(call, catalogue):
    status, out, _ = call("music", "import", catalogue, "--json")
    assert status == 0
    assert json.loads(out)["n_tracks"] == 200
    status, out, _ = call("music", "list", "song 17", "--json")
    document = json.loads(out)
    assert status == 0
    assert {track["title"] for track in document["tracks"]} >= {"Song 17", "Song 170"}
    status, out, _ = call("music", "list", "-n", 3)
    assert status == 0
    assert "3 of 200 tracks" in out


@pytest.mark.usefixtures("library")
def test_the_document_of_a_recommendation(call):
    status, out, _ = call(
        "music", "recommend", "--emotion", "sad", "--cadence", 90, "-n", 5, "--json"
    )
    assert status == 0
    document = json.loads(out)
    assert document["target"]["valence"] < 0
    assert document["target"]["cadence_spm"] == 90
    assert len(document["tracks"]) == 5
    wanted = {"title", "artist", "tempo_bpm", "valence", "energy", "score", "why", "location"}
    assert all(wanted <= set(track) for track in document["tracks"])
    again = call("music", "recommend", "--emotion", "sad", "--cadence", 90, "-n", 5, "--json")[1]
    assert json.loads(again) == document


@pytest.mark.usefixtures("library")
def test_music_for_a_walk_keeps_its_step(call, tmp_path):
    walk = tmp_path / "walk.bvh"
    write_bvh(walk, simulate_gait(n_frames=240, fps=60.0, travel=True, seed=3))
    playlist = tmp_path / "walk.m3u8"
    status, out, err = call(
        "music", "recommend", "--from", walk, "--mode", "lift", "--playlist", playlist, "--json"
    )
    assert status == 0, err
    document = json.loads(out)
    cadence = document["target"]["cadence_spm"]
    assert 60 < cadence < 180
    assert playlist.read_text(encoding="utf-8").startswith("#EXTM3U")
    if document["target"]["valence"] is None:  # withheld: by cadence only, and it says so
        assert any("withheld" in note for note in document["notes"])
    tempos = np.array([track["tempo_bpm"] for track in document["tracks"]])
    ratios = tempos / cadence
    assert (np.abs(np.log2(ratios) - np.round(np.log2(ratios))) < 0.15).mean() > 0.5


@pytest.mark.usefixtures("library")
def test_what_was_disliked_moves_down(call):
    arguments = ("music", "recommend", "--emotion", "happy", "-n", 5, "--json")
    before = json.loads(call(*arguments)[1])["tracks"]
    for track in before[:2]:
        status, out, _ = call(
            "music", "feedback", "dislike", track["location"], "--emotion", "happy"
        )
        assert status == 0
        assert track["title"] in out
    disliked = {track["title"] for track in before[:2]}
    after = json.loads(call(*arguments)[1])["tracks"]
    assert not disliked & {track["title"] for track in after}
    assert json.loads(call(*arguments, "--no-learn")[1])["tracks"] == before
    call("music", "feedback", "like", before[0]["location"])  # a change of mind
    last = json.loads(call(*arguments)[1])["tracks"]
    assert before[0]["title"] in {track["title"] for track in last}


@pytest.mark.usefixtures("library")
def test_evaluation_says_how_near_it_comes(call):
    status, out, _ = call("music", "evaluate", "--walks", 20, "--json")
    assert status == 0
    assert json.loads(out)
    status, out, _ = call("music", "evaluate", "--walks", 20)
    assert status == 0
    assert "random" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("recommend", "--emotion", "happy"), "no tracks yet"),
        (("recommend", "--emotion", "bored"), "bored"),
        (("recommend",), "nothing to choose music by"),
        (("recommend", "--emotion", "sad", "--from", "x.bvh"), "expected one of them"),
        (("recommend", "--emotion", "sad", "--cadence", "900"), "20 to 300"),
        (("recommend", "--from", "nowhere.bvh"), "does not exist"),
        (("scan", "nowhere"), "nowhere"),
        (("import", "nowhere.csv"), "nowhere.csv"),
        (("feedback", "like", "/no/such.mp3"), "not in the library"),
        (("list", "--library", "nosuchdriver://x/y"), "nosuchdriver"),
    ],
)
def test_bad_input_is_one_line(call, arguments, message):
    status, out, err = call("music", *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_folder_without_music(call, tmp_path):
    (tmp_path / "notes.txt").write_text("no music")
    status, out, err = call("music", "scan", tmp_path)
    assert (status, "0 files" in out) == (0, True) or (status == 2 and "no music" in err.lower())


def test_a_folder_without_audio_is_said(call, tmp_path):
    (tmp_path / "notes.txt").write_text("no music")
    status, out, err = call("music", "scan", tmp_path)
    assert status == 0
    assert out.startswith("0 files")
    assert err.startswith("note: no audio was found")
    assert err.count("\n") == 1
