import json
import math
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.evaluation import (
    compare_with_catalogue,
    measure_nearness,
)
from moodwalk.music.modes import MODES
from moodwalk.music.track import Track, TrackColumns


def make_columns(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    arousal = rng.uniform(-1, 1, n).astype(np.float32)
    return TrackColumns(
        id=np.arange(10, n + 10),
        artist=rng.integers(-1, max(n // 10, 1), n, dtype=np.int32),
        valence=rng.uniform(-1, 1, n).astype(np.float32),
        arousal=arousal,
        energy=(arousal + 1) / 2,
        tempo_bpm=rng.uniform(60, 200, n).astype(np.float32),
        duration_s=rng.uniform(60, 400, n).astype(np.float32),
        popularity=rng.uniform(0, 100, n).astype(np.float32),
    )


@pytest.fixture(scope="module")
def report():
    return measure_nearness(make_columns(), n_walks=48, seed=0)


def test_moodwalk_comes_nearer_than_chance_and_popularity(report):
    for method in ("random", "popular"):
        for name, gain in report.gains[method].items():
            assert gain.low > 0, (method, name)
    assert report.distances["moodwalk"]["mood"].mean < 0.15
    assert report.distances["moodwalk"]["in_region_percent"].mean == 100


def test_random_choice_is_as_far_as_random_points_are(report):
    # A random tempo of 60 to 200 BPM keeps the step within 7 % for about a fifth of tracks, and a random
    # point of the square lies within 0.35 of a target for pi 0.35^2 / 4 = 9.6 % of tracks.
    chance = report.distances["random"]
    assert chance["in_region_percent"].low < 9.6 < chance["in_region_percent"].high
    assert 10 < chance["in_step_percent"].mean < 30


def test_intervals_hold_their_means(report):
    for figures in (*report.distances.values(), *report.by_mode.values()):
        for interval in figures.values():
            assert interval.low <= interval.mean <= interval.high


def test_the_modes_make_up_the_whole(report):
    means = [figures["mood"].mean for figures in report.by_mode.values()]
    assert np.mean(means) == pytest.approx(report.distances["moodwalk"]["mood"].mean)
    assert len(set(means)) == len(MODES)


def test_order_is_smoother_than_the_same_tracks_shuffled(report):
    assert report.smoothness["tempo_bpm"]["less"].low > 0
    assert report.smoothness["energy"]["less"].low > 0


def test_the_same_seed_gives_the_same_report():
    columns = make_columns(300)
    assert (
        measure_nearness(columns, n_walks=6, seed=1).to_dict()
        == measure_nearness(columns, n_walks=6, seed=1).to_dict()
    )
    assert (
        measure_nearness(columns, n_walks=6, seed=1).to_dict()
        != measure_nearness(columns, n_walks=6, seed=2).to_dict()
    )


def test_a_report_is_json_and_tables(report):
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert set(document["by_mode"]) == set(MODES)
    assert 0 < document["coverage"]["tracks"] <= document["coverage"]["possible"]
    for table in report.to_tables():
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert all(isinstance(cell, str) for row in table.rows for cell in row)


def test_what_is_not_known_is_not_made_up():
    columns = make_columns(60)
    nothing = np.full(60, np.nan, np.float32)
    columns = replace(
        columns,
        valence=nothing,
        arousal=nothing,
        energy=nothing,
        tempo_bpm=nothing,
        popularity=nothing,
    )
    report = measure_nearness(columns, n_walks=4)
    assert report.distances["moodwalk"]["mood"].mean is None
    assert report.distances["moodwalk"]["in_step_percent"].mean == 0
    assert report.n_relaxed == 4
    json.dumps(report.to_dict(), allow_nan=False)
    assert report.to_tables()[0].rows[0][1] == "-"


def test_a_library_smaller_than_a_playlist():
    report = measure_nearness(make_columns(3), n_walks=4)
    assert report.coverage["tracks"] == 1
    one = measure_nearness(make_columns(1), n_walks=4)
    assert one.smoothness["energy"]["order"].mean is None


def test_walks_are_counted():
    done = []
    measure_nearness(make_columns(50), n_walks=3, on_walk=done.append)
    assert done == [1, 2, 3]


def test_unusable_questions_are_refused():
    with pytest.raises(ConfigError, match="at least 2 walks"):
        measure_nearness(make_columns(5), n_walks=1)
    empty = TrackColumns(*(getattr(make_columns(1), name)[:0] for name in TrackColumns.__slots__))
    with pytest.raises(LibraryError, match="empty"):
        measure_nearness(empty)


def make_track(title, artist, **known):
    return Track(
        location=f"{title}/{artist}/{known.get('source', '')}", title=title, artist=artist, **known
    )


class TestCatalogue:
    def test_titles_agree_but_for_how_they_are_written(self):
        scanned = [
            make_track("Déjà Vu (feat. Jay-Z) [Remastered]", "BEYONCÉ", tempo_bpm=100.0),
            make_track("Song 2 - 2012 Remaster", "Blur", tempo_bpm=130.0),
            make_track("Unknown", "Nobody", tempo_bpm=90.0),
            make_track("", "", tempo_bpm=90.0),
        ]
        catalogue = [
            make_track("deja vu", "beyonce", tempo_bpm=101.0),
            make_track("Song 2", "Blur", tempo_bpm=65.2),
            make_track("Song 3", "Blur", tempo_bpm=130.0),
            make_track("", "", tempo_bpm=90.0),
        ]
        found = compare_with_catalogue(scanned, iter(catalogue))
        assert (found.n_scanned, found.n_matched, found.n_tempo) == (4, 2, 2)
        assert found.tempo_percent == 50
        assert found.tempo_octave_percent == 100

    def test_the_nearest_duration_is_taken(self):
        scanned = [make_track("A", "B", duration_s=200.0, tempo_bpm=100.0)]
        versions = [
            make_track("A - live", "B", duration_s=300.0, tempo_bpm=140.0),
            make_track("A", "B", duration_s=201.0, tempo_bpm=100.0),
            make_track("A", "B", tempo_bpm=140.0),
        ]
        assert compare_with_catalogue(scanned, versions).tempo_percent == 100

    def test_moods_and_modes_are_compared(self):
        rng = np.random.default_rng(0)
        truth = rng.uniform(-0.8, 0.8, (40, 2))
        said = truth + np.array([0.1, -0.2]) * np.where(rng.random((40, 2)) < 0.5, 1, -1)
        scanned = [
            make_track(f"t{i}", "x", valence=v, arousal=a, mode="minor")
            for i, (v, a) in enumerate(said.tolist())
        ]
        catalogue = [
            make_track(f"t{i}", "x", valence=v, arousal=a, mode="minor" if i < 30 else "major")
            for i, (v, a) in enumerate(truth.tolist())
        ]
        found = compare_with_catalogue(scanned, catalogue)
        assert found.n_mood == found.n_mode == 40
        assert found.valence_error == pytest.approx(0.1)
        assert found.arousal_error == pytest.approx(0.2)
        assert found.valence_correlation == pytest.approx(
            np.corrcoef(said[:, 0], truth[:, 0])[0, 1]
        )
        assert found.mode_percent == 75

    def test_nothing_in_common_is_said(self):
        found = compare_with_catalogue([make_track("A", "B")], [make_track("C", "D")])
        assert found.n_matched == 0
        assert found.tempo_percent is None
        assert found.valence_correlation is None
        json.dumps(found.to_dict(), allow_nan=False)

    def test_a_name_that_is_all_in_brackets_is_a_name(self):
        track = make_track("(I Can't Get No)", "The Rolling Stones", valence=0.5, arousal=0.5)
        assert compare_with_catalogue([track], [track]).n_matched == 1
        assert math.isclose(compare_with_catalogue([track], [track]).valence_error, 0.0)
