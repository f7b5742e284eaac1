import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.music.beat import (
    RATIOS,
    TOLERANCE,
    compute_step_fit,
    describe_steps,
    find_ratio,
    keeps_step,
)


@pytest.mark.parametrize(
    ("tempo_bpm", "cadence_spm", "ratio"),
    [
        (110, 110, 1),
        (117, 110, 1),
        (118, 110, None),
        (103, 110, 1),
        (102, 110, None),
        (168, 84, 2),
        (60, 118, 0.5),
        (30, 118, None),
        (None, 118, None),
        (110, None, None),
        (float("nan"), 118, None),
        (0.0, 118, None),
    ],
)
def test_a_tempo_goes_with_a_cadence_once_twice_or_half(tempo_bpm, cadence_spm, ratio):
    assert find_ratio(tempo_bpm, cadence_spm) == ratio


@given(st.floats(20, 400), st.floats(40, 200))
def test_columns_and_single_tracks_agree(tempo_bpm, cadence_spm):
    tempo = np.array([tempo_bpm], np.float32)
    kept = bool(keeps_step(tempo, cadence_spm)[0])
    fit = compute_step_fit(tempo, cadence_spm)
    nearness = min(abs(tempo_bpm / (ratio * cadence_spm) - 1) for ratio in RATIOS)
    if abs(nearness - TOLERANCE) > 1e-4:  # at the border single precision decides
        assert kept == (find_ratio(tempo_bpm, cadence_spm) is not None) == (nearness < TOLERANCE)
    if kept:
        assert abs(fit.deviation[0]) == pytest.approx(nearness, abs=1e-4)
        assert fit.ratio[0] in RATIOS


def test_the_fit_falls_with_the_difference_and_prefers_a_beat_a_step():
    tempo = np.array([100, 102, 98.04, 107, 120, 150, 200, 50], np.float32)
    fit = compute_step_fit(tempo, 100.0).fit
    assert fit[0] == 1
    assert fit[1] == pytest.approx(fit[2], abs=0.01)
    assert (np.diff(fit[[0, 1, 3, 4, 5]]) < 0).all()
    assert fit[6] == pytest.approx(0.9)
    assert fit[7] == pytest.approx(0.9)


def test_an_unknown_tempo_fits_nothing():
    fit = compute_step_fit(np.array([np.nan, 0, -5], np.float32), 100.0)
    assert (fit.fit == 0).all()
    assert np.isnan(fit.deviation).all()
    assert not keeps_step(np.array([np.nan, 0, -5], np.float32), 100.0).any()


@pytest.mark.parametrize(
    ("tempo_bpm", "cadence_spm", "ratio", "words"),
    [
        (112.0, 113.0, 1.0, "112 BPM is a beat a step less 1 %"),
        (113.2, 113.0, 1.0, "113 BPM is a beat a step"),
        (172.0, 84.0, 2.0, "172 BPM is two beats a step plus 2 %"),
        (60.0, 120.0, 0.5, "60 BPM is two steps a beat"),
        (90.0, 120.0, None, "90 BPM does not keep to your 120 steps a minute"),
        (None, 120.0, None, "its tempo is unknown, your steps are 120 a minute"),
        (90.0, None, None, ""),
    ],
)
def test_steps_are_said_in_words_and_numbers(tempo_bpm, cadence_spm, ratio, words):
    assert describe_steps(tempo_bpm, cadence_spm, ratio) == words
