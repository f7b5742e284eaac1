import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline, make_lsq_spline

from moodwalk.splines import fit_spline


def draw(n_frames, seed=0):
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(size=(n_frames, 5)), axis=0) + 100


@settings(max_examples=60, deadline=None)
@given(n_frames=st.integers(4, 260), share=st.floats(0.05, 0.8), seed=st.integers(0, 99))
def test_it_comes_as_near_as_scipys_spline(n_frames, share, seed):
    last = n_frames - 1
    knots = np.linspace(0, last, max(1, min(int(last * share), last - 2)) + 1)
    values, at = draw(n_frames, seed), np.linspace(0, last, 77)
    frames = np.arange(n_frames, dtype=float)
    wanted = make_lsq_spline(frames, values, np.pad(knots, 3, mode="edge"), k=3)(at)
    np.testing.assert_allclose(fit_spline(values, knots, at), wanted, rtol=1e-9)


@pytest.mark.parametrize("n_frames", [4, 5, 6, 47, 48, 49, 50, 51, 52, 96, 1801])
def test_with_a_piece_for_every_frame_it_is_the_interpolating_spline(n_frames):
    last = n_frames - 1
    values, at = draw(n_frames), np.linspace(0, last, 333)
    knots = np.array([0, *range(2, last - 1), last], dtype=float)
    wanted = CubicSpline(np.arange(n_frames), values)(at)
    np.testing.assert_allclose(fit_spline(values, knots, at), wanted, rtol=1e-9)
    np.testing.assert_allclose(fit_spline(values, knots, np.arange(n_frames)), values, rtol=1e-10)


def test_long_series_are_no_burden():
    values = draw(200_000)
    at = np.arange(0, 199_999, 2.0)
    found = fit_spline(values, np.linspace(0, 199_999, 100_000), at)
    assert np.abs(found - values[::2]).mean() < 1.0
    assert np.isfinite(found).all()
