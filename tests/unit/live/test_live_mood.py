import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.live import LiveOptions
from moodwalk.live.clock import FrameClock
from moodwalk.live.mood import SmoothedMood

HAPPY, ANGRY, SAD, NEUTRAL = EMOTIONS


def make(smoothing_s=2.0, margin=0.1, hold_s=2.0, forget_s=4.0):
    return SmoothedMood(smoothing_s, margin, hold_s, forget_s=forget_s)


def sure(emotion, share=1.0):
    rest = (1 - share) / 3
    return {name: share if name == emotion else rest for name in EMOTIONS}


@pytest.mark.parametrize("step_s", [0.25, 0.5, 1.0, 2.0])
def test_a_change_has_come_through_by_63_percent_after_the_time_constant(step_s):
    mood = make()
    for i in range(round(20 / step_s)):
        mood.update(i * step_s, i * step_s, sure(SAD))
    last_s = (round(20 / step_s) - 1) * step_s
    for i in range(1, round(2 / step_s) + 1):
        mood.update(last_s + i * step_s, last_s + i * step_s, sure(HAPPY))
    assert mood.probabilities[HAPPY] == pytest.approx(1 - math.exp(-1))


@pytest.mark.parametrize(
    "options", [LiveOptions(), LiveOptions(step_s=0.5), LiveOptions(smoothing_s=0.0)]
)
def test_stated_delay_is_the_mean_age_of_the_evidence(options):
    mood = make(options.smoothing_s)
    for i in range(200):
        now_s = i * options.step_s
        mood.update(now_s, now_s - options.window_s / 2, sure(SAD))
    assert mood.measure_delay(199 * options.step_s) == pytest.approx(options.delay_s)


def test_the_name_stays_until_another_leads_clearly_for_long_enough():
    mood = make(smoothing_s=0.0)
    mood.update(0.0, 0.0, sure(HAPPY, 0.7))
    names = []
    for i in range(1, 6):
        mood.update(i, i, sure(SAD, 0.7))
        names.append(mood.named)
    assert names == [HAPPY, HAPPY, SAD, SAD, SAD]


def test_a_narrow_or_broken_lead_changes_no_name():
    mood = make(smoothing_s=0.0)
    mood.update(0, 0, sure(HAPPY, 0.7))
    for i in range(1, 40):
        narrow = {HAPPY: 0.44, SAD: 0.5, ANGRY: 0.03, NEUTRAL: 0.03}
        mood.update(i, i, narrow)
        assert mood.named == HAPPY
    for i in range(40, 80):  # two rivals by turns
        mood.update(i, i, sure(SAD if i % 2 else ANGRY, 0.7))
        assert mood.named == HAPPY


def test_after_a_long_pause_nothing_of_before_counts():
    mood = make()
    mood.update(0.0, -2.0, sure(HAPPY))
    mood.update(4.5, 2.5, sure(SAD))
    assert (mood.named, mood.probabilities[SAD]) == (SAD, 1.0)
    assert mood.measure_delay(4.5) == 2.0


def test_nothing_is_known_before_the_first_window():
    mood = make()
    assert (mood.probabilities, mood.named, mood.locate()) == ({}, None, None)
    assert mood.measure_delay(1.0) is None


@given(
    st.lists(
        st.tuples(
            st.floats(0.01, 3.0),
            st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda p: sum(p) > 0.1),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_whatever_comes_probabilities_sum_to_one_and_somebody_has_the_name(windows):
    mood = make()
    now_s = 0.0
    for gap_s, weights in windows:
        now_s += gap_s
        total = sum(weights)
        mood.update(now_s, now_s, {n: w / total for n, w in zip(EMOTIONS, weights, strict=True)})
        assert sum(mood.probabilities.values()) == pytest.approx(1)
        assert all(0 <= share <= 1 for share in mood.probabilities.values())
        assert isinstance(mood.named, Emotion)
        valence, arousal = mood.locate()
        assert -1 <= valence <= 1
        assert -1 <= arousal <= 1


@given(st.lists(st.floats(-1e12, 1e12), max_size=60))
def test_the_clock_only_grows(times):
    clock = FrameClock()
    ticks = [tick for time_s in times if (tick := clock.tick(time_s)) is not None]
    nows = [tick.now_s for tick in ticks]
    assert all(later > sooner for sooner, later in pairwise(nows))
    assert all(tick.jumped_s == 0 or tick.jumped_s >= 0.5 for tick in ticks)
