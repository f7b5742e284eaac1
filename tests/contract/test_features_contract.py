"""What every entry of the feature catalogue must keep, new ones included."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from moodwalk import features
from moodwalk.features import FEATURES, Feature, Invariance, compute_affective_features
from moodwalk.gait import Gait

PUBLISHED_ORDER = [
    "bounding_box_volume",
    "neck_angle",
    "shoulder_right_angle",
    "shoulder_left_angle",
    "body_lean_angle",
    "head_angle",
    "hand_right_distance",
    "hand_left_distance",
    "foot_right_distance",
    "foot_left_distance",
    "hands_neck_area",
    "feet_root_area",
    "hand_right_speed",
    "hand_left_speed",
    "head_speed",
    "foot_right_speed",
    "foot_left_speed",
    "hand_right_acceleration",
    "hand_left_acceleration",
    "head_acceleration",
    "foot_right_acceleration",
    "foot_left_acceleration",
    "hand_right_jerk",
    "hand_left_jerk",
    "head_jerk",
    "foot_right_jerk",
    "foot_left_jerk",
    "stride_length",
    "gait_cycle_time",
]

every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)


def make_gaits(seed: int = 0) -> list[Gait]:
    """Bodies whose joints swing at random; lengths and frame rates differ."""
    rng = np.random.default_rng(seed)
    gaits = []
    for n_frames, fps in ((40, 30.0), (57, 25.0), (18, 60.0), (240, 60.0)):
        t = np.arange(n_frames)[:, None, None] / fps
        swing = np.sin(2 * np.pi * (rng.uniform(2, 5, (16, 3)) * t + rng.random((16, 3))))
        positions = rng.uniform(-1, 1, (16, 3)) + 0.2 * swing + 0.01 * rng.normal(size=swing.shape)
        gaits.append(Gait(positions, fps))
    return gaits


def turn(positions):
    cos, sin = np.cos(0.7), np.sin(0.7)
    return positions @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


CHANGES = {
    "translation": lambda positions: positions + np.array([3.0, -1.5, 20.0]),
    "turn": turn,
    "scale": lambda positions: positions * 1.7,
}


def test_every_invariance_has_a_check():
    assert set(CHANGES) == set(get_args(Invariance))


def test_order_is_that_of_the_files():
    assert [feature.name for feature in FEATURES[:29]] == PUBLISHED_ORDER


def test_names_are_unique():
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)


@every_feature
def test_describes_itself(feature):
    assert feature.name.isidentifier()
    assert feature.name == feature.name.lower()
    for text in (feature.unit, feature.description, feature.source):
        assert text
        assert text == text.strip()
    assert feature.invariances <= set(get_args(Invariance))


@every_feature
@pytest.mark.parametrize("change", CHANGES)
def test_keeps_the_declared_invariances_and_no_others(feature, change):
    gaits = make_gaits()
    column = FEATURES.index(feature)
    before = compute_affective_features(gaits)[:, column]
    changed = [gait.with_positions(CHANGES[change](gait.positions)) for gait in gaits]
    after = compute_affective_features(changed)[:, column]
    if change in feature.invariances:
        np.testing.assert_allclose(after, before, rtol=1e-9)
    else:
        assert (abs(after / before - 1) > 1e-3).all()


@every_feature
def test_real_gaits_give_finite_numbers_that_differ(feature, real_gaits):
    values = compute_affective_features(real_gaits)[:, FEATURES.index(feature)]
    assert np.isfinite(values).all()
    assert len(np.unique(values)) > 20


@every_feature
def test_one_missing_frame_changes_little_and_is_never_nan(feature):
    gaits = [gait for gait in make_gaits() if len(gait) > 20]  # several strides each
    column = FEATURES.index(feature)
    holed = []
    for gait in gaits:
        positions = gait.positions.copy()
        positions[gait.n_frames // 2] = np.nan
        holed.append(gait.with_positions(positions))
    whole = compute_affective_features(gaits)[:, column]
    np.testing.assert_allclose(compute_affective_features(holed)[:, column], whole, rtol=0.35)


@every_feature
def test_nothing_seen_is_nan_and_leaves_other_gaits_alone(feature):
    gaits = make_gaits()
    column = FEATURES.index(feature)
    alone = compute_affective_features(gaits)[:, column]
    unseen = gaits[0].with_positions(np.full((30, 16, 3), np.nan))
    mixed = compute_affective_features([gaits[0], unseen, *gaits[1:]])[:, column]
    assert np.isnan(mixed[1])
    np.testing.assert_allclose(np.delete(mixed, 1), alone, rtol=1e-12)


@every_feature
def test_gaits_do_not_touch_each_other(feature):
    gaits = make_gaits()
    column = FEATURES.index(feature)
    together = compute_affective_features(gaits)[:, column]
    alone = [compute_affective_features([gait])[0, column] for gait in gaits]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@every_feature
def test_single_precision_gaits_are_computed_in_double(feature):
    single = [g.with_positions(g.positions.astype(np.float32)) for g in make_gaits()]
    double = [g.with_positions(g.positions.astype(np.float64)) for g in single]
    column = FEATURES.index(feature)
    np.testing.assert_array_equal(
        compute_affective_features(single)[:, column], compute_affective_features(double)[:, column]
    )


def test_a_new_entry_is_a_new_column(monkeypatch):
    extra: Feature = replace(
        FEATURES[0], name="frame_count", unit="frames", compute=lambda frames: frames.n_frames * 1.0
    )
    monkeypatch.setattr(features, "FEATURES", (*FEATURES, extra))
    table = compute_affective_features(make_gaits())
    assert table.shape == (4, len(FEATURES) + 1)
    assert table[:, -1].tolist() == [40, 57, 18, 240]
