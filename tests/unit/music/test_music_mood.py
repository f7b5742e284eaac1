from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.music.audio.mood import AROUSAL, ENERGY, VALENCE, estimate_mood

MIDDLING: dict[str, Any] = {
    "loudness_db": -12.0,
    "onset_rate_hz": 2.0,
    "brightness_hz": 1600.0,
    "tempo_bpm": 110.0,
    "tempo_confidence": 0.5,
    "majorness": 0.0,
}
RANGES = {
    "loudness_db": (-70, 20),
    "onset_rate_hz": (0, 20),
    "brightness_hz": (1, 11000),
    "tempo_bpm": (30, 300),
    "tempo_confidence": (0, 1),
    "majorness": (-2, 2),
}
MEASURES = st.fixed_dictionaries({name: st.floats(*ends) for name, ends in RANGES.items()})
DEPENDS = {
    "loudness_db": ("arousal", "energy"),
    "onset_rate_hz": ("arousal", "energy"),
    "brightness_hz": ("valence", "arousal", "energy"),
    "tempo_bpm": ("valence", "arousal"),
    "majorness": ("valence",),
}


def test_middling_music_is_in_the_middle():
    found = estimate_mood(**MIDDLING)
    assert (found.valence, found.arousal) == pytest.approx((0, 0), abs=1e-12)
    assert found.energy == pytest.approx(0.5)


@pytest.mark.parametrize("weights", [AROUSAL, VALENCE, ENERGY])
def test_weights_sum_to_one(weights):
    assert sum(weights.values()) == pytest.approx(1)


@given(MEASURES)
def test_estimates_stay_on_their_scales(measures):
    found = estimate_mood(**measures)
    assert -1 <= found.valence <= 1
    assert -1 <= found.arousal <= 1
    assert 0 <= found.energy <= 1


@given(MEASURES, st.sampled_from(sorted(DEPENDS)), st.data())
def test_more_of_a_measure_never_lowers_an_estimate(measures, name, data):
    more = data.draw(st.floats(measures[name], RANGES[name][1]))
    low, high = estimate_mood(**measures), estimate_mood(**measures | {name: more})
    for field in ("valence", "arousal", "energy"):
        assert getattr(high, field) >= getattr(low, field) - 1e-12


@pytest.mark.parametrize("name", sorted(DEPENDS))
def test_each_estimate_rises_with_what_it_is_said_to_depend_on(name):
    more = MIDDLING | {
        name: MIDDLING[name] * 0.5 + 0.1 if name == "loudness_db" else MIDDLING[name] * 1.5 + 0.1
    }
    low, high = estimate_mood(**MIDDLING), estimate_mood(**more)
    for field in ("valence", "arousal", "energy"):
        if field in DEPENDS[name]:
            assert getattr(high, field) > getattr(low, field)
        else:
            assert getattr(high, field) == getattr(low, field)


@pytest.mark.parametrize("name", ["onset_rate_hz", "brightness_hz", "tempo_bpm", "majorness"])
def test_what_is_unknown_counts_as_middling(name):
    found = estimate_mood(**MIDDLING | {name: None})
    assert (found.valence, found.arousal) == pytest.approx((0, 0), abs=1e-12)


def test_an_uncertain_tempo_counts_less():
    fast = MIDDLING | {"tempo_bpm": 180.0}
    certain = estimate_mood(**fast | {"tempo_confidence": 0.9})
    unsure = estimate_mood(**fast | {"tempo_confidence": 0.1})
    assert certain.arousal > unsure.arousal > 0


@pytest.mark.parametrize(("loudness_db", "energy"), [(-22, 0.27), (-2, 0.73)])
def test_energy_follows_loudness(loudness_db, energy):
    found = estimate_mood(**MIDDLING | {"loudness_db": loudness_db})
    assert found.energy == pytest.approx(energy, abs=0.01)
