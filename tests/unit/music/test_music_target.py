import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import AFFECT, EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.target import RADIUS, Grid, Mood, Region, Target
from moodwalk.music.track import TrackColumns


def make_columns(valence, arousal, tempo_bpm):
    n = len(valence)
    floats = [np.asarray(values, np.float32) for values in (valence, arousal, tempo_bpm)]
    unknown = np.full(n, np.nan, np.float32)
    return TrackColumns(
        id=np.arange(1, n + 1),
        artist=np.full(n, -1, np.int32),
        valence=floats[0],
        arousal=floats[1],
        energy=unknown,
        tempo_bpm=floats[2],
        duration_s=unknown,
        popularity=unknown,
    )


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_certain_emotion_lies_where_its_name_lies(emotion):
    mood = Mood.from_emotion(emotion, 110)
    assert (mood.valence, mood.arousal) == pytest.approx(AFFECT[emotion])
    assert mood.emotion is emotion
    assert mood.cadence_spm == 110


def test_doubt_draws_a_mood_to_the_middle():
    def reach(p):
        rest = (1 - p) / 3
        mood = Mood({name: p if name is Emotion.HAPPY else rest for name in EMOTIONS}, None)
        return math.hypot(mood.valence, mood.arousal)

    reaches = [reach(p) for p in (1.0, 0.8, 0.6, 0.4, 0.25)]
    assert reaches == sorted(reaches, reverse=True)
    assert reaches[-1] < 0.25 < 0.9 < reaches[0]


def test_the_mean_is_taken_over_the_probabilities():
    mood = Mood({Emotion.HAPPY: 0.5, Emotion.SAD: 0.5}, None)
    assert mood.valence == pytest.approx((0.81 - 0.63) / 2)
    assert mood.arousal == pytest.approx((0.51 - 0.27) / 2)


@given(st.lists(st.floats(0.001, 1), min_size=4, max_size=4))
def test_a_mood_lies_between_the_emotions(weights):
    total = sum(weights)
    mood = Mood({name: w / total for name, w in zip(EMOTIONS, weights, strict=True)}, None)
    assert -0.63 <= mood.valence <= 0.81
    assert -0.27 <= mood.arousal <= 0.59


def test_nothing_is_known_of_a_withheld_answer():
    mood = Mood(None, 104.0, "no emotion is probable enough")
    assert (mood.valence, mood.arousal, mood.emotion) == (None, None, None)
    assert mood.reason


@pytest.mark.parametrize(
    ("probabilities", "cadence_spm"),
    [
        ({}, None),
        ({Emotion.HAPPY: 0.5}, None),
        ({Emotion.HAPPY: 1.5, Emotion.SAD: -0.5}, None),
        ({Emotion.HAPPY: math.nan}, None),
        ({"gloomy": 1.0}, None),
        (None, 0.0),
        (None, math.nan),
        (None, math.inf),
        (None, -90.0),
    ],
)
def test_what_is_no_mood_is_refused_in_one_line(probabilities, cadence_spm):
    with pytest.raises(ConfigError, match="expected") as error:
        Mood(probabilities, cadence_spm)
    assert "\n" not in str(error.value)


def test_a_region_holds_what_is_near_in_mood_and_in_step():
    region = Target(0.2, -0.1, 100.0).region
    valence = np.array([0.2, 0.2 + RADIUS - 0.01, 0.2 + RADIUS + 0.01, 0.2, 0.2, np.nan, 0.2])
    tempo = np.array([100, 200, 100, 50, 120, 100, np.nan])
    inside = region.contains(valence, np.full(7, -0.1), tempo)
    assert inside.tolist() == [True, True, False, True, False, False, False]


def test_a_region_without_mood_or_cadence_holds_all():
    nothing = np.full(3, np.nan)
    assert Region(None, None, 0.3, None, 0.1).contains(nothing, nothing, nothing).all()
    assert Target(None, None, 100.0).region.contains(nothing, nothing, np.full(3, 99.0)).all()


@given(st.integers(0, 2**31), st.floats(-1, 1), st.floats(-1, 1))
def test_the_rings_of_a_grid_hold_every_track_once_nearest_first(seed, valence, arousal):
    rng = np.random.default_rng(seed)
    values = rng.uniform(-1, 1, (2, 300))
    values[:, rng.random(300) < 0.1] = np.nan
    columns = make_columns(*values, rng.uniform(60, 180, 300))
    target = Target(valence, arousal, 110.0)
    grid = Grid(columns, 110.0, by_mood=True)
    seen = []
    distance = np.hypot(columns.valence - valence, columns.arousal - arousal)
    for ring, reach in zip(grid.find_rings(target), (RADIUS, 2 * RADIUS, 9.0), strict=True):
        for in_step in (True, False):
            rows = grid.list_tracks(ring, in_step=in_step)
            seen.extend(rows.tolist())
            alone = Region(None, None, 0, 110.0, target.region.tolerance)
            kept = alone.contains(*(c[rows] for c in (*values, columns.tempo_bpm)))
            assert (kept == in_step).all()
        assert set(np.flatnonzero(distance < reach - 1e-4)) <= set(seen)
        assert reach == 9.0 or not np.isnan(distance[seen]).any()
    assert sorted(seen) == list(range(300))


def test_the_corners_of_the_plane_are_found():
    corners = [-1, -1, 1, 1], [-1, 1, -1, 1]
    grid = Grid(make_columns(*corners, [100.0] * 4), None, by_mood=True)
    for i, corner in enumerate(zip(*corners, strict=True)):
        near = grid.list_tracks(grid.find_rings(Target(*corner, None))[0], in_step=True)
        assert near.tolist() == [i]


def test_a_grid_without_mood_has_one_ring():
    grid = Grid(make_columns([0, np.nan], [0, 0], [100, 55]), None, by_mood=False)
    (ring,) = grid.find_rings(Target(None, None, None))
    assert grid.list_tracks(ring, in_step=True).tolist() == [0, 1]
    assert not len(grid.list_tracks(ring, in_step=False))
