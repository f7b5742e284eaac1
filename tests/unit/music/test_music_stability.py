import json
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.evaluation import evaluate_library, measure_stability
from moodwalk.music.library import Library
from moodwalk.music.track import Track

soundfile = pytest.importorskip("soundfile", reason="needs the extra 'music'")
pytest.importorskip("soxr", reason="needs the extra 'music'")
pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")

RATE_HZ = 11025


def make_piece(path, halves, duration_s=44.0):
    """Write clicks: of each half, tempo and level."""
    samples = []
    for tempo_bpm, level in halves:
        t = np.arange(round(duration_s / 2 * RATE_HZ)) / RATE_HZ
        since_beat = t % (60 / tempo_bpm)
        samples.append(level * np.sin(2 * np.pi * 880 * t) * np.exp(-40 * since_beat))
    noise = 0.001 * np.random.default_rng(0).standard_normal(sum(map(len, samples)))
    soundfile.write(path, np.concatenate(samples) + noise, RATE_HZ)
    return path


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """Two pieces that stay as they are, one that changes, one too short, and one that is no audio."""
    folder = tmp_path_factory.mktemp("pieces")
    found = [
        make_piece(folder / "even.wav", [(90, 0.5), (90, 0.5)]),
        make_piece(folder / "soft.wav", [(120, 0.05), (120, 0.05)]),
        make_piece(folder / "turns.wav", [(100, 0.5), (140, 0.02)]),
        make_piece(folder / "short.wav", [(100, 0.5), (100, 0.5)], duration_s=20),
        folder / "text.mp3",
    ]
    found[-1].write_text("no sound")
    return found


def test_halves_that_are_alike_and_halves_that_are_not(pieces):
    done = []
    found = measure_stability(pieces, on_file=done.append)
    assert done == [1, 2, 3, 4, 5]
    assert (found.n_files, found.n_compared, found.n_short, found.n_failed) == (5, 3, 1, 1)
    assert found.tempo_percent.mean == pytest.approx(200 / 3)
    loudness = found.measures["loudness"]
    assert loudness.n == 3
    assert loudness.difference == pytest.approx(0, abs=0.1)
    alike = measure_stability(pieces[:2])
    assert alike.tempo_percent.mean == 100
    assert alike.measures["loudness"].correlation.mean is None  # of two pieces


def test_processes_change_nothing(pieces):
    assert measure_stability(pieces, jobs=2) == measure_stability(pieces, jobs=1)


def test_nothing_that_can_be_compared(pieces):
    found = measure_stability(pieces[3:])
    assert (found.n_compared, found.tempo_percent.mean) == (0, None)
    json.dumps(found.to_dict(), allow_nan=False)
    table = found.to_table()
    assert all(len(row) == len(table.columns) for row in table.rows)
    with pytest.raises(ConfigError, match="no audio file"):
        measure_stability([])


@pytest.fixture
def library(pieces, tmp_path, monkeypatch):
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path))
    figures = {"tempo_bpm": 90.0, "valence": 0.1, "arousal": 0.2, "energy": 0.6}
    with Library.open("sqlite://") as opened:
        opened.put(
            Track(location=str(path), title=path.stem, artist="Clicks", **figures)
            for path in pieces[:2]
        )
        yield opened


def test_a_scanned_library_says_that_there_is_no_catalogue(library):
    report = evaluate_library(library, n_walks=2, jobs=1)
    assert report.stability.n_compared == 2
    assert report.agreement is None
    assert "no catalogue" in report.notes[0]


def test_scanned_titles_meet_the_catalogue(library):
    known = library.list()[0]
    library.put([replace(known, location="spotify:1", tempo_bpm=180.0, source="catalogue")])
    report = evaluate_library(library, n_walks=2, n_audio=0)
    assert report.stability is None
    assert report.agreement.n_matched == 1
    assert (report.agreement.tempo_percent, report.agreement.tempo_octave_percent) == (0, 100)
    assert report.to_tables()[-1].title == "Agreement with the catalogue"
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert document["agreement"]["n_scanned"] == 2


def test_a_catalogue_of_other_titles(library):
    library.put([Track(location="spotify:2", title="Other", artist="B", source="catalogue")])
    report = evaluate_library(library, n_walks=2, n_audio=0)
    assert report.agreement is None
    assert "none of the scanned titles" in report.notes[0]


def test_a_catalogue_alone_has_no_audio(library):
    tracks = [replace(track, source="catalogue") for track in library.list()]
    library.put(tracks)
    report = evaluate_library(library, n_walks=2)
    assert (report.stability, report.agreement) == (None, None)
    assert "scanned" in report.notes[0]


def test_an_empty_library(tmp_path, monkeypatch):
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path))
    with Library.open("sqlite://") as opened, pytest.raises(LibraryError, match="empty"):
        evaluate_library(opened, n_walks=2)
