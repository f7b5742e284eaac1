import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError
from moodwalk.music import simulated
from moodwalk.music.simulated import LARGEST, simulated_catalogue
from moodwalk.music.track import TrackColumns


@settings(max_examples=40)
@given(st.integers(1, 300), st.integers(0, 2**40))
def test_tracks_that_could_be(n, seed):
    tracks = simulated_catalogue(n, seed)
    assert [track.location for track in tracks] == [f"simulated:{i + 1}" for i in range(n)]
    for track in tracks:
        assert math.hypot(track.valence, track.arousal) <= 1.001  # figures are rounded
        assert track.energy == pytest.approx((track.arousal + 1) / 2, abs=0.001)
        assert 60 <= track.tempo_bpm <= 190
        assert 150 <= track.duration_s <= 330
        assert 0 <= track.popularity <= 100
        assert track.mode in ("major", "minor")
        assert track.source == "simulated"
        assert track.title.startswith("Simulated track ")
        said_bpm = int(track.title.removesuffix(" BPM").split(", ")[-1])
        assert abs(said_bpm - track.tempo_bpm) <= 0.56
        assert track.artist.startswith("Simulated artist ")
        assert (track.album, track.genre, track.id) == ("Simulated", "simulated", None)
        # figures of Python's own, as databases and JSON need them
        assert type(track.valence) is type(track.popularity) is type(track.duration_s) is float


def test_same_seed_same_tracks():
    assert simulated_catalogue(50, 7) == simulated_catalogue(50, 7)
    assert simulated_catalogue() == simulated_catalogue(500, 0)
    assert simulated_catalogue(50, 7) != simulated_catalogue(50, 8)


@pytest.mark.parametrize("n", [0, -1, LARGEST + 1, 10**30])
def test_numbers_that_make_no_catalogue(n):
    with pytest.raises(ConfigError, match=rf"{n} simulated tracks .* expected 1 to 1,000,000"):
        simulated_catalogue(n)


@pytest.mark.parametrize("seed", range(5))
def test_there_is_something_for_every_mood_and_tempo(seed):
    columns = TrackColumns.from_tracks(simulated_catalogue(500, seed))
    for angle, tempo in itertools.product(np.arange(0, 2 * np.pi, 0.3), range(70, 181, 10)):
        for radius in (0.2, 0.8):
            away = np.hypot(
                columns.valence - radius * np.cos(angle), columns.arousal - radius * np.sin(angle)
            )
            in_step = np.abs(np.log2(columns.tempo_bpm / tempo)) < np.log2(1.07)
            assert away[in_step].min() < 0.35


def test_tracks_are_spread_evenly():
    columns = TrackColumns.from_tracks(simulated_catalogue(4000))
    radius = np.hypot(columns.valence, columns.arousal)
    angle = np.arctan2(columns.arousal, columns.valence)
    for values, low, high in (
        (radius**2, 0, 1),  # as many in each ring of equal area
        (angle, -np.pi, np.pi),
        (np.log(columns.tempo_bpm), math.log(60), math.log(190)),
    ):
        n_in_tenth = np.histogram(values, 10, (low, high))[0]
        assert n_in_tenth.sum() >= 3998  # rounding may lead beyond the rim
        assert abs(n_in_tenth - 400).max() < 20
    assert len(np.unique(columns.artist)) > 500  # about six tracks each
    assert np.bincount(columns.artist).max() < 20
    popularity = np.histogram(columns.popularity, [0, 25, 50, 75, 101])[0]
    assert popularity.min() > 900


def test_pleasant_tracks_are_more_often_in_major():
    tracks = simulated_catalogue(3000)
    shares = [
        np.mean([track.mode == "major" for track in tracks if low <= track.valence < low + 0.5])
        for low in (-1, -0.5, 0, 0.5)
    ]
    assert shares == sorted(shares)
    assert shares[0] < 0.35
    assert shares[-1] > 0.65


@pytest.mark.parametrize(
    ("valence", "arousal", "word"),
    [
        (0.9, 0, "cheerful"),
        (0.6, 0.6, "excited"),
        (0, 0.9, "lively"),
        (-0.6, 0.6, "tense"),
        (-0.9, 0, "gloomy"),
        (-0.9, -1e-9, "gloomy"),
        (-0.6, -0.6, "sad"),
        (0, -0.9, "drowsy"),
        (0.6, -0.6, "calm"),
        (0.9, -0.01, "cheerful"),
        (0.1, -0.1, "plain"),
        (0, 0, "plain"),
    ],
)
def test_words_for_places_in_the_circumplex(valence, arousal, word):
    assert simulated._name(valence, arousal) == word


def test_titles_say_where_a_track_lies():
    for track in simulated_catalogue(200):
        word = track.title.split(": ")[1].split(",")[0]
        sad_side = {"tense", "gloomy", "sad"}
        if word in sad_side or word in {"cheerful", "excited", "calm"}:
            assert (track.valence < 0) == (word in sad_side)
        if word == "plain":
            assert math.hypot(track.valence, track.arousal) < 0.26
