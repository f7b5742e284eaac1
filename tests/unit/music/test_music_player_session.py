"""When the music changes: noise, lasting moves, stops, and clocks that lie."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import AFFECT, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.player import (
    Crossfade,
    Pause,
    Refill,
    Resume,
    SessionOptions,
    WalkSession,
)

OPTIONS = SessionOptions()
HAPPY, SAD = AFFECT[Emotion.HAPPY], AFFECT[Emotion.SAD]

angles = st.floats(0, math.tau)
points = st.tuples(st.floats(-1, 1), st.floats(-1, 1))
steps = st.floats(0.05, OPTIONS.max_gap_s)
cadences = st.floats(60, 180)


def near(point, radius, draw, angle):
    """Return a point at most a radius away."""
    return (point[0] + radius * draw * math.cos(angle), point[1] + radius * draw * math.sin(angle))


def settle(session, point, cadence_spm=None, now_s=0.0):
    """Begin with a mood, and wait until the music may change again."""
    actions = session.update(now_s, point, True, cadence_spm)
    assert actions == [Refill(point, cadence_spm)]
    while now_s < 2 * OPTIONS.min_change_s:
        now_s += 1.0
        assert session.update(now_s, point, True, cadence_spm) == []
    return now_s


def run(session, moods, start_s=0.0, step_s=1.0, cadence_spm=None, walking=True):
    """Return what was decided and when."""
    found = []
    for index, mood in enumerate(moods):
        now_s = start_s + step_s * (index + 1)
        found += [(now_s, one) for one in session.update(now_s, mood, walking, cadence_spm)]
    return found


@given(
    points,
    cadences,
    st.lists(st.tuples(st.floats(0, 0.999), angles, st.floats(-0.999, 0.999), steps), max_size=200),
)
def test_noise_inside_the_radius_never_changes_the_music(anchor, cadence_spm, noise):
    session = WalkSession()
    now_s = settle(session, anchor, cadence_spm)
    for draw, angle, part, step_s in noise:
        now_s += step_s
        mood = near(anchor, OPTIONS.radius, draw, angle)
        spm = cadence_spm * (1 + OPTIONS.cadence_tolerance * part)
        assert session.update(now_s, mood, True, spm) == []


@given(points, angles, st.floats(1.5, 5), st.lists(st.tuples(st.floats(0, 1), angles, steps)))
def test_a_lasting_move_always_changes_the_music_within_a_bounded_time(
    anchor, direction, far, before
):
    session = WalkSession()
    now_s = settle(session, anchor)
    # whatever came before, also to and fro
    for draw, angle, step_s in before:
        now_s += step_s
        session.update(now_s, near(anchor, 1.0, draw, angle), True, None)
    anchor = session.anchor.point
    centre = near(anchor, OPTIONS.radius, far, direction)
    rng = random.Random(0)
    limit_s = now_s + max(OPTIONS.min_change_s, 2 * OPTIONS.hold_s) + 3 * OPTIONS.max_gap_s
    actions = []
    while not actions:
        now_s += rng.uniform(0.1, OPTIONS.max_gap_s)
        assert now_s <= limit_s
        mood = near(centre, OPTIONS.radius, 0.4 * rng.random(), rng.uniform(0, math.tau))
        actions = session.update(now_s, mood, True, None)
    crossfade, refill = actions
    assert isinstance(crossfade, Crossfade)
    shortest, longest = OPTIONS.crossfade_s
    assert shortest <= crossfade.seconds <= longest
    # chosen for where the walk is now, not for where it was
    assert math.dist(refill.point, centre) < 0.6 * OPTIONS.radius * far


@given(cadences, st.sampled_from([0.7, 0.9, 1.1, 1.4]))
def test_a_lasting_change_of_cadence_changes_the_music_too(cadence_spm, factor):
    session = WalkSession()
    now_s = settle(session, HAPPY, cadence_spm)
    found = run(session, [HAPPY] * 40, now_s, cadence_spm=cadence_spm * factor)
    assert [type(one) for _, one in found] == [Crossfade, Refill]
    refill = found[1][1]
    assert refill.cadence_spm == pytest.approx(cadence_spm * factor)
    assert refill.point == pytest.approx(HAPPY)


readings = st.lists(
    st.tuples(
        st.one_of(st.floats(-5, 5), st.sampled_from([math.nan, math.inf, -math.inf, 1e9, -1e9])),
        st.one_of(st.none(), points, st.just((math.nan, 0.0))),
        st.sampled_from([True, True, True, False]),
        st.one_of(st.none(), cadences, st.sampled_from([math.nan, 0.0, -5.0, math.inf])),
        st.one_of(st.none(), st.integers(0, 5)),
    ),
    max_size=300,
)


@given(readings, st.floats(0.1, 60), st.floats(0.1, 20))
def test_whatever_comes_changes_keep_their_distance_and_pauses_take_turns(
    readings, min_change_s, hold_s
):
    session = WalkSession(SessionOptions(min_change_s=min_change_s, hold_s=hold_s, max_gap_s=5.0))
    now_s = passed_s = 0.0
    last_s = highest_s = -math.inf
    changes = []
    turns = []
    for step_s, mood, walking, spm, n_left in readings:
        now_s = now_s + step_s if math.isfinite(step_s) and abs(step_s) < 10 else step_s
        if math.isfinite(now_s):
            # time that really passed, on a clock that may jump back
            passed_s += max(0.0, now_s - last_s) if math.isfinite(last_s) else 0.0
            last_s = now_s
        actions = session.update(now_s, mood, walking, spm, n_left=n_left)
        now_s = last_s if math.isfinite(last_s) else 0.0
        refills = [one for one in actions if isinstance(one, Refill)]
        assert len(refills) <= 1
        if refills:
            assert walking
            assert passed_s - highest_s >= min_change_s - 1e-6
            highest_s = passed_s
            changes.append(refills[0])
            point, spm = refills[0].point, refills[0].cadence_spm
            assert point is None or all(-1 <= part <= 1 for part in point)
            assert spm is None or 60 <= spm <= 180
        turns += [type(one) for one in actions if isinstance(one, Pause | Resume)]
    assert turns == [Pause, Resume] * (len(turns) // 2) + [Pause] * (len(turns) % 2)
    assert changes or not turns


@given(st.lists(st.tuples(st.floats(-1e6, 0), points), min_size=1, max_size=50))
def test_a_clock_that_jumps_back_passes_no_time(jumps):
    session = WalkSession()
    now_s = settle(session, (0.0, 0.0))
    for jump_s, mood in jumps:
        now_s += jump_s
        assert session.update(now_s, mood, True, None) == []
    # and from there on all goes as ever
    found = run(session, [(0.9, 0.9)] * 60, now_s)
    assert [type(one) for _, one in found] == [Crossfade, Refill]


def test_one_stray_reading_neither_changes_the_music_nor_begins_the_wait_anew():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    assert run(session, [SAD] + [HAPPY] * 100, now_s) == []
    session = WalkSession()
    now_s = settle(session, HAPPY)
    found = run(session, ([SAD] * 4 + [HAPPY]) * 10, now_s)
    assert [type(one) for _, one in found] == [Crossfade, Refill]
    assert found[1][0] - now_s < 2.5 * OPTIONS.hold_s
    assert found[1][1].point == pytest.approx(SAD)


@pytest.mark.parametrize(("part", "n_changes"), [(0.99, 0), (1.01, 1)])
def test_the_border_is_the_radius_and_the_tolerance(part, n_changes):
    session = WalkSession()
    now_s = settle(session, (0.0, 0.0), 100.0)
    found = run(session, [(part * OPTIONS.radius, 0.0)] * 60, now_s, cadence_spm=100.0)
    assert len(found) == 2 * n_changes
    session = WalkSession()
    now_s = settle(session, (0.0, 0.0), 100.0)
    spm = 100.0 * (1 + part * OPTIONS.cadence_tolerance)
    assert len(run(session, [(0.0, 0.0)] * 60, now_s, cadence_spm=spm)) == 2 * n_changes


def test_a_move_has_to_last():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    n_readings = math.floor(OPTIONS.hold_s)
    assert run(session, [SAD] * n_readings, now_s) == []
    found = run(session, [SAD], now_s + n_readings)
    assert [(when, type(one)) for when, one in found] == [
        (now_s + n_readings + 1, Crossfade),
        (now_s + n_readings + 1, Refill),
    ]


def test_to_and_fro_around_the_anchor_is_no_move():
    session = WalkSession()
    now_s = settle(session, (0.0, 0.0))
    assert run(session, [(0.5, 0.0), (-0.5, 0.0)] * 200, now_s) == []


def test_readings_as_often_inside_as_outside_change_nothing():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    assert run(session, [SAD, HAPPY] * 200, now_s) == []


def test_long_gaps_count_as_short_ones():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    assert session.update(now_s + 1, SAD, True, None) == []
    assert session.update(now_s + 10_000, SAD, True, None) == []


def test_withheld_answers_say_nothing():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    assert run(session, [None] * 300, now_s) == []
    found = run(session, [SAD, None] * 30, now_s + 300)
    assert [type(one) for _, one in found] == [Crossfade, Refill]


def test_begins_by_cadence_where_no_mood_comes():
    session = WalkSession()
    found = run(session, [None] * 60, cadence_spm=112.0)
    assert found == [(1 + OPTIONS.mood_wait_s, Refill(None, 112.0))]
    found = run(session, [HAPPY] * 60, 60, cadence_spm=112.0)
    assert [type(one) for _, one in found] == [Crossfade, Refill]
    assert found[1][1].point == pytest.approx(HAPPY)


def test_nothing_begins_before_somebody_walks():
    session = WalkSession()
    assert run(session, [HAPPY] * 100, walking=False) == []
    assert session.update(101, HAPPY, True, 100.0) == [Refill(HAPPY, 100.0)]


def test_pauses_when_the_walk_stops_and_goes_on_with_it():
    session = WalkSession()
    now_s = settle(session, HAPPY)
    # a moment's stand is nothing
    for index in range(40):
        walking = index % 4 != 0
        assert session.update(now_s + index, HAPPY, walking, None) == []
    now_s += 40
    found = run(session, [None] * 100, now_s, walking=False)
    assert found == [(now_s + 1 + OPTIONS.stop_s, Pause())]
    # a mood shown while standing changes nothing
    assert run(session, [SAD] * 100, now_s + 100, walking=False) == []
    found = run(session, [HAPPY] * 100, now_s + 200)
    assert found == [(now_s + 201 + OPTIONS.go_s, Resume())]


def test_chooses_more_before_the_music_ends():
    session = WalkSession()
    now_s = settle(session, HAPPY, 110.0)
    assert session.update(now_s + 1, HAPPY, True, 110.0, n_left=2) == []
    assert session.update(now_s + 2, HAPPY, True, 110.0, n_left=1) == [Refill(HAPPY, 110.0)]
    assert session.update(now_s + 3, HAPPY, True, 110.0, n_left=0) == []


def test_a_longer_way_has_a_longer_crossfade():
    seconds = []
    for mood in ((0.4, 0.0), (0.7, 0.0), (1.0, 1.0)):
        session = WalkSession()
        now_s = settle(session, (0.0, 0.0))
        seconds.append(run(session, [mood] * 60, now_s)[0][1].seconds)
    shortest, longest = OPTIONS.crossfade_s
    assert seconds == sorted(set(seconds))
    assert shortest < seconds[0]
    assert seconds[-1] == longest


def test_what_could_not_be_done_is_decided_anew():
    session = WalkSession()
    (first,) = session.update(0, HAPPY, True, None)
    session.take_back(first)
    found = run(session, [HAPPY] * 200)
    assert found == [(OPTIONS.min_change_s, Refill(HAPPY, None))]
    ((_, crossfade), (_, refill)) = run(session, [SAD] * 60, 200)
    session.take_back(crossfade)
    session.take_back(refill)
    assert session.anchor == Refill(HAPPY, None)
    assert [type(one) for _, one in run(session, [SAD] * 60, 260)] == [Crossfade, Refill]
    ((_, pause),) = run(session, [SAD] * 5, 320, walking=False)
    session.take_back(pause)
    ((_, pause),) = run(session, [SAD] * 5, 325, walking=False)
    assert pause == Pause()


@pytest.mark.parametrize(
    "options",
    [
        {"radius": 0},
        {"radius": math.nan},
        {"hold_s": math.inf},
        {"min_change_s": -1},
        {"n_left": -1},
        {"crossfade_s": (5.0, 4.0)},
        {"crossfade_s": (5.0, 61.0)},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        SessionOptions(**options)
