import numpy as np
import pytest

from moodwalk.pose import fill_gaps, measure_jitter, resample, smooth
from moodwalk.pose.smoothing import CUTOFF_HZ, MAX_GAP_S

FPS = 30.0


def make_waves(hz, n=150):
    return np.sin(2 * np.pi * hz * np.arange(n) / FPS)[:, None, None] * np.ones((1, 2, 3))


def test_smoothing_keeps_a_walk_without_delay():
    walk = make_waves(1.8)  # a brisk step rate
    assert np.abs(smooth(walk, FPS) - walk)[10:-10].max() < 0.02
    lags = range(-5, 6)
    middle = slice(20, -20)
    smoothed = smooth(walk, FPS)[middle, 0, 0]
    fits = [smoothed @ np.roll(walk[:, 0, 0], lag)[middle] for lag in lags]
    assert lags[int(np.argmax(fits))] == 0


def test_smoothing_takes_what_is_faster():
    assert np.abs(smooth(make_waves(12.0), FPS))[15:-15].max() < 0.02
    # two passes of 3 dB each
    at_cutoff = np.abs(smooth(make_waves(CUTOFF_HZ, 600), FPS))[100:-100].max()
    assert at_cutoff == pytest.approx(0.5, abs=0.03)


def test_smoothing_treats_runs_between_gaps_alone():
    walk = make_waves(1.0)
    walk[70:90] = np.nan
    walk[90:] += 100
    smoothed = smooth(walk, FPS)
    assert np.isnan(smoothed[70:90]).all()
    assert np.abs(smoothed - walk)[:70].max() < 0.1
    assert np.abs(smoothed - walk)[90:].max() < 0.1


def test_smoothing_leaves_runs_of_three_frames_and_slow_video():
    walk = np.random.default_rng(0).normal(size=(3, 2, 3))
    assert (smooth(walk, FPS) == walk).all()
    slow = np.random.default_rng(0).normal(size=(50, 2, 3))
    assert (smooth(slow, 12.0) == slow).all()


def test_short_gaps_are_filled_and_long_ones_stay():
    line = np.arange(30.0)[:, None] * (1.0, -2.0)
    holed = line.copy()
    holed[5:8] = np.nan
    holed[15:21, 1] = np.nan
    filled = fill_gaps(holed, 3)
    assert np.allclose(filled[:15], line[:15])
    assert np.isnan(filled[15:21, 1]).all()
    assert np.isnan(holed[5:8]).all()  # the argument stays as it is


def test_gaps_at_the_ends_take_the_nearest_frame():
    values = np.array([np.nan, 1.0, 2.0, np.nan])[:, None]
    assert fill_gaps(values, 1)[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert np.isnan(fill_gaps(np.full((4, 1), np.nan), 9)).all()


def test_resampling_a_variable_rate_gives_the_same_movement():
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([1 / 60, 1 / 30, 1 / 15], size=300))
    values = np.sin(2 * np.pi * times)[:, None]
    n = 1 + int((times[-1] - times[0]) * FPS)
    even = resample(values, times, FPS, n)[:, 0]
    assert not np.isnan(even).any()
    assert np.abs(even - np.sin(2 * np.pi * (times[0] + np.arange(n) / FPS))).max() < 0.03


def test_resampling_at_the_same_times_changes_nothing():
    values = np.random.default_rng(0).normal(size=(40, 3))
    times = 2.0 + np.arange(40) / FPS
    assert np.allclose(resample(values, times, FPS, 40), values)


def test_resampling_leaves_long_gaps_out_and_bridges_short_ones():
    times = np.array([*range(10), *range(14, 20), *range(40, 50)]) / FPS
    even = resample(times[:, None], times, FPS, 50)[:, 0]
    assert np.allclose(even[:20], np.arange(20) / FPS)
    assert np.isnan(even[20:40]).all()
    assert np.allclose(even[40:], np.arange(40, 50) / FPS)
    assert 20 / FPS > MAX_GAP_S > 5 / FPS


def test_resampling_a_single_frame():
    assert resample(np.array([[3.0]]), np.array([1.0]), FPS, 1).tolist() == [[3.0]]


def test_jitter_is_the_distance_that_smoothing_took_away():
    still = np.zeros((50, 4, 3))
    trembling = still.copy()
    trembling[::2, :, 0] = 0.01
    trembling[1::2, :, 0] = -0.01
    assert measure_jitter(trembling, still) == pytest.approx(0.01)
    trembling[10] = np.nan
    assert measure_jitter(trembling, still) == pytest.approx(0.01)
    assert np.isnan(measure_jitter(np.full((5, 4, 3), np.nan), still[:5]))
