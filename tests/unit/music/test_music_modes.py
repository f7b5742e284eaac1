from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import AFFECT, EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.modes import (
    JUMP_WEIGHT,
    MAX_STEPS,
    MODES,
    SAME_ARTIST,
    compute_jump,
    find_goal,
    have_same_artist,
    parse_mode,
    plan,
    smooth_path,
)
from moodwalk.music.target import Mood, Target
from moodwalk.music.track import TrackColumns


def make_columns(tempo_bpm, energy, artist=None):
    n = len(tempo_bpm)
    unknown = np.full(n, np.nan, np.float32)
    return TrackColumns(
        id=np.arange(n),
        artist=np.asarray(range(n) if artist is None else artist, np.int32),
        valence=unknown,
        arousal=unknown,
        energy=np.asarray(energy, np.float32),
        tempo_bpm=np.asarray(tempo_bpm, np.float32),
        duration_s=unknown,
        popularity=unknown,
    )


def measure_cost(columns, rows, fits, order):
    path = np.asarray(rows)[order]
    cost = JUMP_WEIGHT * compute_jump(columns, path[:-1], path[1:]).sum(dtype=float)
    cost += SAME_ARTIST * have_same_artist(columns, path[:-1], path[1:]).sum()
    return cost - fits[np.arange(len(path)), order].sum(dtype=float)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("n", [1, 2, 10, 37])
def test_every_way_begins_where_the_listener_is_and_moves_in_even_steps(emotion, mode, n):
    mood = Mood.from_emotion(emotion, 110.0)
    targets = plan(mood, mode, n)
    assert len(targets) == n
    points = np.array([(t.valence, t.arousal) for t in targets])
    assert points[0] == pytest.approx(AFFECT[emotion])
    if n > 1:
        assert points[-1] == pytest.approx(find_goal(*AFFECT[emotion], mode))
    assert all(t.cadence_spm == 110.0 for t in targets)
    lengths = np.hypot(*np.diff(points, axis=0).T)
    moved = lengths[lengths > 1e-9]
    assert moved == pytest.approx(np.full(len(moved), moved.mean() if len(moved) else 0))
    assert len(set(targets)) <= min(n, MAX_STEPS)


def test_modes_lead_where_their_names_say():
    sad = Mood.from_emotion(Emotion.SAD)
    angry = Mood.from_emotion(Emotion.ANGRY)
    lifted = [t.valence for t in plan(sad, "lift", 8)]
    assert all(a < b for a, b in pairwise(lifted))
    calmed = [t.arousal for t in plan(angry, "calm", 8)]
    assert all(a > b for a, b in pairwise(calmed))
    livened = [t.arousal for t in plan(sad, "energise", 8)]
    assert all(a < b for a, b in pairwise(livened))
    assert len(set(plan(sad, "match", 8))) == 1


@given(st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(MODES))
def test_no_mode_leads_back(valence, arousal, mode):
    to_valence, to_arousal = find_goal(valence, arousal, mode)
    if mode in ("lift", "energise"):
        assert to_valence >= valence
        assert to_arousal >= arousal
    if mode == "calm":
        assert to_arousal <= arousal


@pytest.mark.parametrize("mode", MODES)
def test_without_a_mood_only_the_cadence_is_asked_for(mode):
    assert plan(Mood(None, 96.0), mode, 4) == [Target(None, None, 96.0)] * 4


def test_a_mode_is_parsed_or_refused():
    assert parse_mode(" Lift") == "lift"
    with pytest.raises(ConfigError, match="'party'; expected one of match, lift, calm, energise"):
        parse_mode("party")


def test_jumps_are_half_tempo_and_half_energy():
    columns = make_columns([100, 200, 100, np.nan], [0.5, 0.5, 0.7, 0.5])
    here, there = np.array([0, 0, 0, 0]), np.array([0, 1, 2, 3])
    assert compute_jump(columns, here, there) == pytest.approx([0, 0.5, 0.25, 0.25])


def test_arousal_stands_in_for_energy():
    columns = make_columns([100, 100], [np.nan, np.nan])
    columns.arousal[:] = [-0.2, 0.2]
    assert compute_jump(columns, np.array([0]), np.array([1])) == pytest.approx([0.25])


def test_a_zigzag_becomes_a_slope():
    columns = make_columns([90, 130, 95, 125, 100, 120, 105, 115, 110], np.full(9, 0.5))
    order = smooth_path(columns, np.arange(9), np.zeros((9, 9)))
    tempos = columns.tempo_bpm[order]
    assert tempos.tolist() in (sorted(tempos), sorted(tempos, reverse=True))


def test_tracks_keep_the_places_that_they_fit():
    columns = make_columns([90, 130, 95, 125], np.full(4, 0.5))
    assert smooth_path(columns, np.arange(4), np.eye(4)).tolist() == [0, 1, 2, 3]


@given(st.integers(0, 2**31), st.integers(1, 60))
def test_smoothing_keeps_every_track_and_never_makes_a_path_worse(seed, n):
    rng = np.random.default_rng(seed)
    columns = make_columns(rng.uniform(60, 180, n), rng.random(n), rng.integers(-1, 6, n))
    rows, fits = rng.permutation(n), rng.random((n, n))
    order = smooth_path(columns, rows, fits)
    assert sorted(order) == list(range(n))
    before = measure_cost(columns, rows, fits, np.arange(n))
    assert measure_cost(columns, rows, fits, order) <= before + 1e-4


@pytest.mark.parametrize("seed", range(8))
def test_no_exchange_makes_the_end_of_a_long_path_better(seed):
    n = 30
    rng = np.random.default_rng(seed)
    columns = make_columns(rng.uniform(80, 140, n), rng.random(n), rng.permutation(n) % 3)
    fits = 0.2 * rng.random((n, n))
    order = smooth_path(columns, np.arange(n), fits)
    cost = measure_cost(columns, np.arange(n), fits, order)
    for i in range(12, n):  # the last window
        for j in range(12, i):
            other = order.copy()
            other[[i, j]] = other[[j, i]]
            assert measure_cost(columns, np.arange(n), fits, other) >= cost - 1e-4


@pytest.mark.parametrize("artists", [[0, 0, 0, 1, 1], [0] * 5 + [1] * 5, [0, 0, 0, 0, 1, 2, 3]])
def test_artists_are_set_apart_wherever_that_can_be_done(artists):
    n = len(artists)
    rng = np.random.default_rng(0)
    columns = make_columns(rng.uniform(90, 130, n), rng.random(n), artists)
    order = smooth_path(columns, np.arange(n), np.zeros((n, n)))
    assert not have_same_artist(columns, order[:-1], order[1:]).any()


def test_unknown_artists_may_follow_each_other():
    columns = make_columns([100, 100], [0.5, 0.5], [-1, -1])
    assert not have_same_artist(columns, np.array([0]), np.array([1])).any()
