import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.music.audio.tempo import compute_resonance, find_beats, find_tempo, fit_tempo

FRAME_S = 256 / 22050


def make_onsets(tempo_bpm, duration_s=30.0, accents=(1.0,), seed=0, jitter_s=0.0):
    """Onsets of a click track, with a little noise."""
    rng = np.random.default_rng(seed)
    onset = 0.02 * rng.random(round(duration_s / FRAME_S))
    for number, at in enumerate(np.arange(0.2, duration_s - 0.2, 60 / tempo_bpm)):
        place = (at + jitter_s * rng.standard_normal()) / FRAME_S
        first = int(place)
        share = place - first
        height = accents[number % len(accents)]
        onset[first] += height * (1 - share)
        onset[first + 1] += height * share
    return onset


@settings(max_examples=12)
@given(tempo=st.floats(50, 200))
def test_click_tracks_are_measured_finer_than_the_frames(tempo):
    found = find_tempo([make_onsets(tempo)], FRAME_S)
    assert found is not None
    assert found.bpm == pytest.approx(tempo, abs=0.1)
    assert found.confidence > 0.7


@pytest.mark.parametrize("tempo", [96, 120])
def test_leads_of_the_issue(tempo):
    found = find_tempo([make_onsets(tempo, jitter_s=0.005)] * 3, FRAME_S)
    assert found is not None
    assert found.bpm == pytest.approx(tempo, abs=0.15)


def test_half_and_double_are_reported():
    found = find_tempo([make_onsets(110)], FRAME_S)
    assert found is not None
    assert sorted(found.alternatives_bpm) == pytest.approx([55, 220], abs=0.5)


def test_of_two_pulses_the_one_near_120_is_chosen():
    # every other click louder: a pulse of 110 inside one of 220
    found = find_tempo([make_onsets(220, accents=(1.0, 0.4))], FRAME_S)
    assert found is not None
    assert found.bpm == pytest.approx(110, abs=0.3)
    assert found.alternatives_bpm[0] == pytest.approx(220, abs=0.6)


def test_even_clicks_are_no_half_tempo():
    found = find_tempo([make_onsets(200)], FRAME_S)
    assert found is not None
    assert found.bpm == pytest.approx(200, abs=0.3)
    assert found.alternatives_bpm[0] == pytest.approx(100, abs=0.3)


def test_confidence_tells_noise_from_beats():
    rng = np.random.default_rng(1)
    noise = find_tempo([rng.random(2600) for _ in range(3)], FRAME_S)
    beats = find_tempo([make_onsets(100, seed=k) for k in range(3)], FRAME_S)
    assert noise is not None
    assert beats is not None
    assert noise.confidence < 0.4 < beats.confidence


def test_one_stretch_at_another_tempo_lowers_confidence():
    same = find_tempo([make_onsets(100)] * 3, FRAME_S)
    other = find_tempo([make_onsets(100), make_onsets(100), make_onsets(131)], FRAME_S)
    assert same is not None
    assert other is not None
    assert other.bpm == pytest.approx(100, abs=0.2)
    assert other.confidence < same.confidence


@pytest.mark.parametrize("onset", [np.zeros(3000), np.ones(3000), np.ones(1), np.zeros(0)])
def test_nothing_pulses(onset):
    assert find_tempo([onset], FRAME_S) is None


def test_no_windows():
    assert find_tempo([], FRAME_S) is None


def test_beats_lie_on_clicks():
    onset = make_onsets(90)
    beats = find_beats(onset, FRAME_S, 92.0)  # a wrong guess near by
    clicks = np.arange(0.2, 29.8, 60 / 90)
    assert len(beats) == pytest.approx(len(clicks), abs=1)
    distance = np.abs(beats[:, None] - clicks).min(axis=1)
    assert distance.max() < FRAME_S


def test_no_beats_in_silence():
    assert len(find_beats(np.zeros(100), FRAME_S, 120.0)) == 0


def test_line_ignores_a_slip():
    beats = 0.3 + 0.5 * np.arange(40)
    beats[20] += 0.2
    fit = fit_tempo(beats)
    assert fit is not None
    assert fit[0] == pytest.approx(120, abs=0.05)
    assert fit[1] < 0.01


def test_line_needs_four_beats():
    assert fit_tempo(np.array([0.0, 0.5, 1.0])) is None


def test_resonance_is_best_at_120_and_documented():
    assert compute_resonance(np.array([90.0, 60.0, 240.0])) == pytest.approx(
        [0.66, 0.23, 0.06], abs=0.01
    )
    grid = np.arange(40.0, 300.0)
    assert abs(grid[compute_resonance(grid).argmax()] - 120) < 12
    # the study: half height at periods of about 400 and 800 ms
    assert compute_resonance(np.array([150.0, 75.0])) == pytest.approx([0.5, 0.4], abs=0.05)
