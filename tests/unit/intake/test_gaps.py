import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import QualityError
from moodwalk.intake.gaps import LONGEST_GAP_S, bridge_gaps

FPS = 30.0


def make_points(n=60):
    t = np.arange(n) / FPS
    return np.stack([np.stack([np.sin(5 * t + j), t, np.cos(4 * t + j)], 1) for j in range(3)], 1)


def test_nothing_missing_changes_nothing():
    points = make_points()
    filled, kept, findings = bridge_gaps(points, FPS)
    assert filled is points
    assert kept == slice(0, 60)
    assert findings == ()


@given(joint=st.integers(0, 2), start=st.integers(2, 50), length=st.integers(1, 6))
def test_short_gaps_are_filled_near_the_truth(joint, start, length):
    points = make_points()
    broken = points.copy()
    broken[start : start + length, joint] = np.nan
    filled, kept, findings = bridge_gaps(broken, FPS)
    assert kept == slice(0, 60)
    assert np.abs(filled - points).max() < 0.15
    assert [finding.what for finding in findings] == ["gaps"]
    assert f"{length} of 60" in findings[0].value


def test_a_long_gap_is_cut_and_the_longest_stretch_kept():
    points = make_points()
    n_long = round(LONGEST_GAP_S * FPS) + 1
    points[20 : 20 + n_long, 1] = np.nan
    filled, kept, findings = bridge_gaps(points, FPS)
    assert kept == slice(20 + n_long, 60)
    assert len(filled) == 40 - n_long
    assert not np.isnan(filled).any()
    assert [finding.what for finding in findings] == ["cut"]


def test_nothing_is_invented_at_the_ends():
    points = make_points()
    points[:3, 0] = np.nan
    points[58:, 2] = np.nan
    _, kept, _ = bridge_gaps(points, FPS)
    assert kept == slice(3, 58)


def test_too_little_is_refused():
    points = make_points()
    points[:, 1] = np.nan
    with pytest.raises(QualityError, match="1 of 3 joints are missing in every frame"):
        bridge_gaps(points, FPS)
    points = make_points(12)
    points[[0, 1, 2, 4, 5, 6, 7, 8, 10, 11], 0] = np.nan
    points[[3], 1] = np.nan
    with pytest.raises(QualityError, match="longest stretch"):
        bridge_gaps(points, 3.0)
