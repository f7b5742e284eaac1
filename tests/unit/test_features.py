import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moodwalk import features
from moodwalk.errors import ShapeError
from moodwalk.features import (
    FEATURES,
    Frames,
    compute_affective_features,
    find_foot_strikes,
)
from moodwalk.gait import Gait
from moodwalk.skeleton import Joint

COLUMN = {feature.name: i for i, feature in enumerate(FEATURES)}


def still_body(n_frames: int = 20) -> np.ndarray:
    """All joints at the origin."""
    return np.zeros((n_frames, 16, 3))


def walk_with_feet(right, left, fps: float = 30.0) -> Gait:
    positions = still_body(len(right))
    positions[:, Joint.RIGHT_FOOT, 1] = right
    positions[:, Joint.LEFT_FOOT, 1] = left
    return Gait(positions, fps)


def value(gait: Gait, name: str) -> float:
    return float(compute_affective_features([gait])[0, COLUMN[name]])


def dips(n_frames: int, *at: int) -> np.ndarray:
    """A height that rises all the way but for dips in these frames."""
    height = np.arange(n_frames, dtype=float)
    height[list(at)] -= 1.5
    return height


def test_posture_of_a_known_body():
    body = still_body()
    body[:, Joint.NECK] = (0, 5, 0)
    body[:, Joint.SPINE] = (0, 3, 0)
    body[:, Joint.HEAD] = (1, 6, 0)
    body[:, Joint.RIGHT_SHOULDER] = (-1, 5, 0)
    body[:, Joint.LEFT_SHOULDER] = (0, 5, 1)
    body[:, Joint.RIGHT_HAND] = (-3, 5, 0)
    body[:, Joint.LEFT_HAND] = (0, 5, 4)
    body[:, Joint.RIGHT_FOOT] = (-2, 0, 0)
    body[:, Joint.LEFT_FOOT] = (2, -3, 0)
    gait = Gait(body, 30)
    expected = {
        "bounding_box_volume": 5 * 9 * 4 / 1000,
        "neck_angle": 90,
        "shoulder_right_angle": 45,
        "shoulder_left_angle": 45,
        "body_lean_angle": np.degrees(np.arctan(1 / 6)),
        "head_angle": 135,
        "hand_right_distance": np.sqrt(34) / 10,
        "hand_left_distance": np.sqrt(41) / 10,
        "foot_right_distance": 0.2,
        "foot_left_distance": np.sqrt(13) / 10,
        "hands_neck_area": 6 / 100,
        "feet_root_area": 3 / 100,
        "hand_right_speed": 0,
        "foot_left_jerk": 0,
    }
    for name, number in expected.items():
        assert value(gait, name) == pytest.approx(number, rel=1e-12), name


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_movement_follows_the_frame_rate(fps):
    t = np.arange(30) / fps
    body = still_body(30)
    body[:, Joint.HEAD, 2] = t**3
    body[:, Joint.LEFT_HAND, 0] = 2 * t
    gait = Gait(body, fps)
    assert value(gait, "hand_left_speed") == pytest.approx(0.2)
    assert value(gait, "hand_left_acceleration") == pytest.approx(0, abs=1e-10)
    assert value(gait, "head_jerk") == pytest.approx(0.6)
    # second difference of t³ over dt²: 6 times the middle frame's t
    assert value(gait, "head_acceleration") == pytest.approx(0.6 * t[1:-1].mean())


def test_stride_is_the_mean_over_both_feet():
    gait = walk_with_feet(dips(30, 5, 15), dips(30, 3, 7, 20), fps=60)
    assert value(gait, "stride_length") == pytest.approx((10 + 4 + 13) / 3)
    assert value(gait, "gait_cycle_time") == pytest.approx((10 + 4 + 13) / 3 / 60)


def test_stride_of_one_foot_alone_is_one_frame_longer():
    assert value(walk_with_feet(dips(30, 5, 15), dips(30, 9)), "stride_length") == 11
    assert value(walk_with_feet(dips(30), dips(30, 9, 21)), "stride_length") == 13


def test_stride_without_strikes_is_the_whole_walk():
    assert value(walk_with_feet(dips(30, 5), dips(30)), "stride_length") == 30


def test_intervals_that_span_a_gap_are_left_out():
    right = dips(40, 5, 15, 30)
    right[20] = np.nan
    assert value(walk_with_feet(right, dips(40, 2, 10)), "stride_length") == 9
    right = dips(40, 5, 15)
    right[10] = np.nan
    assert np.isnan(value(walk_with_feet(right, dips(40)), "stride_length"))
    assert np.isnan(value(walk_with_feet(right, dips(40)), "gait_cycle_time"))


def test_a_missing_joint_touches_only_its_own_features():
    rng = np.random.default_rng(0)
    gait = Gait(rng.normal(size=(30, 16, 3)), 30)
    positions = gait.positions.copy()
    positions[:, Joint.RIGHT_HAND] = np.nan
    table = compute_affective_features([gait, gait.with_positions(positions)])
    missing = {FEATURES[i].name for i in np.flatnonzero(np.isnan(table[1]))}
    assert missing == {
        "bounding_box_volume",
        "hand_right_distance",
        "hands_neck_area",
        "hand_right_speed",
        "hand_right_acceleration",
        "hand_right_jerk",
    }
    seen = ~np.isnan(table[1])
    np.testing.assert_array_equal(table[0, seen], table[1, seen])


def test_missing_frames_are_left_out_of_means():
    body = still_body(10)
    body[:, Joint.HEAD, 2] = [0, 1, 2, 3, np.nan, 9, 10, 11, 12, 13]
    gait = Gait(body, 10)
    assert value(gait, "head_speed") == pytest.approx(1.0)
    assert value(gait, "head_jerk") == pytest.approx(0.0)


def test_joints_in_one_place_have_no_angle():
    assert np.isnan(value(Gait(still_body(), 30), "neck_angle"))


def test_no_gaits_give_no_rows():
    assert compute_affective_features([]).shape == (0, 29)


def test_many_gaits_are_computed_block_by_block(monkeypatch):
    rng = np.random.default_rng(0)
    gaits = [Gait(rng.normal(size=(4 + i, 16, 3)), 30) for i in range(7)]
    whole = compute_affective_features(gaits)
    monkeypatch.setattr(features, "_BLOCK", 3)
    np.testing.assert_allclose(compute_affective_features(gaits), whole, rtol=1e-12)


def test_one_gait_in_place_of_many_is_refused():
    gait = Gait(still_body(), 30)
    with pytest.raises(ShapeError, match=re.escape("pass a list: [gait]")):
        compute_affective_features(gait)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="gait 1 is of type ndarray"):
        compute_affective_features([gait, still_body()])  # pyright: ignore[reportArgumentType]


def test_frames_mean_leaves_out_differences_across_gaits():
    gaits = [Gait(np.full((4 + i, 16, 3), 10.0**i), 30) for i in range(3)]
    frames = Frames.from_gaits(gaits)
    for order in (1, 2, 3):
        difference = np.diff(frames[Joint.HEAD][0], n=order)
        assert frames.compute_mean(difference, order).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("height", "strikes"),
    [
        ([3, 2, 1, 2, 3], [2]),
        ([3, 1, 1, 1, 3], [1]),
        ([3, 1, 1, 2, 1, 1, 3], [1, 4]),
        ([1, 2, 3, 2, 1], []),
        ([1, 1, 1, 1], [1]),
        ([3, 2, 2, 1], [1]),  # a shelf on the way down counts, as published
        ([2, np.nan, 1, 2, 1, 2], [4]),
        ([5], []),
        ([], []),
    ],
)
def test_foot_strikes(height, strikes):
    assert find_foot_strikes(height).tolist() == strikes


def test_foot_strikes_want_one_row():
    with pytest.raises(ShapeError, match=r"\(4, 2\)"):
        find_foot_strikes(np.zeros((4, 2)))


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(0, 60), elements=st.integers(0, 4).map(float)))
def test_foot_strikes_are_minima_found_once(height):
    strikes = find_foot_strikes(height)
    assert (np.diff(strikes) >= 2).all()
    is_low = [
        0 < t < len(height) - 1 and height[t - 1] >= height[t] <= height[t + 1]
        for t in range(len(height))
    ]
    assert all(is_low[t] for t in strikes)
    # every minimum is a strike or follows one over equal heights
    for t in np.flatnonzero(is_low):
        first = max(s for s in strikes if s <= t)
        assert (height[first : t + 1] == height[t]).all()
