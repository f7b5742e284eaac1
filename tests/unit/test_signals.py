import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, find_peaks, sosfiltfilt

from moodwalk.signals import CUTOFF_HZ, find_prominent, low_pass


@pytest.mark.parametrize("fps", [30.0, 60.0, 119.88])
@pytest.mark.parametrize("n_frames", [40, 41, 997])
def test_it_filters_as_scipy_does(fps, n_frames):
    rng = np.random.default_rng(n_frames)
    values = np.cumsum(rng.normal(size=(n_frames, 3, 2)), axis=0)
    sections = butter(2, CUTOFF_HZ * (2**0.5 - 1) ** -0.25, fs=fps, output="sos")
    wanted = sosfiltfilt(sections, values, axis=0, padlen=n_frames - 1)
    found = low_pass(values, fps)
    size = np.ptp(values)
    # where the walk ends there is no right answer; away from there it is the same filter
    margin = round(fps / CUTOFF_HZ)
    inside = slice(margin, -margin)
    np.testing.assert_allclose(found[inside], wanted[inside], atol=2e-4 * size)
    np.testing.assert_allclose(found, wanted, atol=5e-3 * size)
    assert np.abs(found - values).max() > 0.01 * size


def test_slow_rates_and_few_frames_are_left_as_they_are():
    values = np.random.default_rng(0).normal(size=(50, 2))
    assert low_pass(values, 2.4 * CUTOFF_HZ) is values
    for n in (1, 2, 5):
        assert low_pass(values[:n], 30.0).shape == (n, 2)
    steady = np.full((9, 1), 3.0)
    np.testing.assert_allclose(low_pass(steady, 30.0), steady, rtol=1e-12)


@settings(max_examples=300)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(3, 300),
    width=st.integers(1, 9),
    distance=st.floats(1, 30),
    prominence=st.floats(0, 3),
)
def test_it_finds_the_peaks_that_scipy_finds(seed, n, width, distance, prominence):
    noise = np.random.default_rng(seed).normal(size=n + width - 1)
    values = np.convolve(noise, np.ones(width), "valid")
    wanted, _ = find_peaks(values, distance=distance, prominence=prominence)
    np.testing.assert_array_equal(find_prominent(values, distance, prominence), wanted)


def test_a_flat_top_is_one_peak_and_a_flat_line_none():
    assert find_prominent(np.array([0.0, 1, 2, 2, 2, 0]), 1, 1).tolist() == [2]
    assert find_prominent(np.ones(9), 1, 0).tolist() == []
    assert find_prominent(np.array([0.0, 1, 2, 2]), 1, 0).tolist() == []
