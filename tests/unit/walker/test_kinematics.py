from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, MIRROR, Joint
from moodwalk.walker import (
    PARAMETER_LIMITS,
    SIMULATED_WALKS,
    Proportions,
    WalkerParameters,
    simulate_gait,
)

LEGS = (
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
)
UNEVEN = WalkerParameters(
    asymmetry=0.12,
    arm_asymmetry=-0.3,
    trunk_lean_deg=6,
    slouch_deg=15,
    head_drop_deg=30,
    arm_carry_deg=-5,
    cadence_spm=95,
)


def bone_lengths(positions):
    return np.stack([np.linalg.norm(positions[:, b] - positions[:, a], axis=1) for a, b in BONES])


def sagittal_deg(vectors):
    return np.degrees(np.arctan2(vectors[:, 2], vectors[:, 1]))


def upper_arm_deg(gait, side):
    shoulder, elbow = Joint[f"{side}_SHOULDER"], Joint[f"{side}_ELBOW"]
    arm = gait.positions[:, elbow] - gait.positions[:, shoulder]
    return np.degrees(np.arctan2(arm[:, 2], -arm[:, 1]))


def passing_times(gait):
    """When the right foot overtakes the left one, from root-relative positions, in seconds."""
    ahead = gait.positions[:, Joint.RIGHT_FOOT, 2] - gait.positions[:, Joint.LEFT_FOOT, 2]
    before = np.flatnonzero((ahead[:-1] < 0) & (ahead[1:] >= 0))
    return (before + ahead[before] / (ahead[before] - ahead[before + 1])) / gait.fps


def strikes_s(gait, foot):
    """When a foot lands: the first frame of every planted stretch."""
    planted = gait.positions[:, foot, 1] < 1e-9
    return (np.flatnonzero(planted[1:] & ~planted[:-1]) + 1) / gait.fps


def planted_places(gait, foot):
    """Mean place of every planted stretch that is complete, and its greatest movement."""
    planted = gait.positions[:, foot, 1] < 1e-9
    edges = np.flatnonzero(np.diff(planted.astype(int)))
    stretches = [gait.positions[a + 1 : b + 1, foot] for a, b in pairwise(edges) if planted[a + 1]]
    return np.array([s.mean(axis=0) for s in stretches]), max(
        np.ptp(s, axis=0).max() for s in stretches
    )


@pytest.mark.parametrize("cadence_spm", [64.0, 101.0, 143.7])
@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_cadence_is_in_the_feet(cadence_spm, fps):
    gait = simulate_gait(WalkerParameters(cadence_spm=cadence_spm), fps=fps, n_frames=int(12 * fps))
    cycle_s = np.diff(passing_times(gait)).mean()
    assert 120 / cycle_s == pytest.approx(cadence_spm, rel=0.01)


@pytest.mark.parametrize("step_length_m", [0.3, 0.52, 0.75])
def test_stride_is_the_distance_between_planted_places(step_length_m):
    parameters = WalkerParameters(step_length_m=step_length_m)
    gait = simulate_gait(parameters, n_frames=200, travel=True, phase=0.3)
    for foot in (Joint.RIGHT_FOOT, Joint.LEFT_FOOT):
        places, moved = planted_places(gait, foot)
        assert moved < 1e-9
        np.testing.assert_allclose(np.diff(places[:, 2]), 2 * step_length_m, atol=1e-9)
        side = -1 if foot is Joint.RIGHT_FOOT else 1
        np.testing.assert_allclose(places[:, 0], side * parameters.step_width_m / 2)


def test_stride_can_be_read_from_a_root_relative_gait():
    parameters = WalkerParameters(step_length_m=0.6)
    feet = simulate_gait(parameters, fps=120).positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 2]
    assert np.abs(feet[:, 0] - feet[:, 1]).max() == pytest.approx(0.6, rel=0.02)


def test_speed_is_stride_over_cycle():
    parameters = WalkerParameters(cadence_spm=96, step_length_m=0.5)
    root = simulate_gait(parameters, n_frames=91, travel=True).positions[:, Joint.ROOT, 2]
    assert parameters.speed_m_s == pytest.approx(0.8)
    assert root[-1] - root[0] == pytest.approx(0.8 * 3)


@pytest.mark.parametrize("lean", [-12.0, 0.0, 25.0])
@pytest.mark.parametrize("slouch", [-5.0, 0.0, 30.0])
@pytest.mark.parametrize("drop", [-10.0, 40.0])
def test_posture_angles_are_those_asked_for(lean, slouch, drop):
    parameters = WalkerParameters(trunk_lean_deg=lean, slouch_deg=slouch, head_drop_deg=drop)
    joints = simulate_gait(parameters).positions
    trunk = sagittal_deg(joints[:, Joint.NECK] - joints[:, Joint.ROOT])
    lower = sagittal_deg(joints[:, Joint.SPINE] - joints[:, Joint.ROOT])
    upper = sagittal_deg(joints[:, Joint.NECK] - joints[:, Joint.SPINE])
    head = sagittal_deg(joints[:, Joint.HEAD] - joints[:, Joint.NECK])
    np.testing.assert_allclose(trunk, lean, atol=1e-9)
    np.testing.assert_allclose(upper - lower, slouch, atol=1e-9)
    np.testing.assert_allclose(head - trunk, drop, atol=1e-9)


def test_arms_swing_as_far_as_asked_for():
    parameters = WalkerParameters(arm_swing_deg=40, arm_carry_deg=-4, arm_asymmetry=0.25)
    gait = simulate_gait(parameters, fps=120)
    right, left = upper_arm_deg(gait, "RIGHT"), upper_arm_deg(gait, "LEFT")
    assert np.ptp(right) == pytest.approx(50, rel=0.01)
    assert np.ptp(left) == pytest.approx(30, rel=0.01)
    assert (right.max() + right.min()) / 2 == pytest.approx(-4, abs=0.1)


@pytest.mark.parametrize(("carried", "flexion"), [(20.0, 60.0), (80.0, 10.0)])
def test_elbows_flex_forward_by_the_mean_asked_for(carried, flexion):
    parameters = WalkerParameters(arm_swing_deg=carried, elbow_flexion_deg=flexion)
    joints = simulate_gait(parameters, fps=120).positions
    upper = joints[:, Joint.LEFT_ELBOW] - joints[:, Joint.LEFT_SHOULDER]
    lower = joints[:, Joint.LEFT_HAND] - joints[:, Joint.LEFT_ELBOW]
    cosine = (upper * lower).sum(1) / np.linalg.norm(upper, axis=1) / np.linalg.norm(lower, axis=1)
    assert np.degrees(np.arccos(cosine)).mean() == pytest.approx(flexion, abs=0.5)
    assert (upper[:, 1] * lower[:, 2] - upper[:, 2] * lower[:, 1] <= 1e-9).all()


def test_girdles_turn_as_far_as_asked_for_and_against_each_other():
    parameters = WalkerParameters(shoulder_turn_deg=20, pelvis_turn_deg=12)
    joints = simulate_gait(parameters, fps=120).positions

    def turn(part):
        line = joints[:, Joint[f"LEFT_{part}"]] - joints[:, Joint[f"RIGHT_{part}"]]
        return np.degrees(np.arctan2(line[:, 2], line[:, 0]))

    assert np.ptp(turn("SHOULDER")) == pytest.approx(20, rel=0.02)
    assert np.ptp(turn("HIP")) == pytest.approx(12, rel=0.02)
    assert np.corrcoef(turn("SHOULDER"), turn("HIP"))[0, 1] < -0.9


def test_bounce_and_sway_and_lift_are_in_the_positions():
    parameters = WalkerParameters(bounce_m=0.05, sway_m=0.04, foot_lift_m=0.11)
    joints = simulate_gait(parameters, fps=240, travel=True).positions
    assert np.ptp(joints[:, Joint.ROOT, 1]) == pytest.approx(0.05, rel=0.01)
    assert np.ptp(joints[:, Joint.ROOT, 0]) == pytest.approx(0.04, rel=0.01)
    assert joints[:, Joint.RIGHT_FOOT, 1].max() == pytest.approx(0.11, rel=0.01)


def test_the_body_moves_over_the_planted_foot():
    joints = simulate_gait(WalkerParameters(sway_m=0.04), fps=120, travel=True).positions
    middle = len(joints) // 4  # of the right foot's planted half
    assert joints[middle, Joint.ROOT, 0] < -0.015


def test_leg_is_the_share_of_the_height_that_it_should_be():
    for height in (1.2, 1.95):
        parameters = WalkerParameters(height_m=height, step_length_m=0.4)
        lengths = bone_lengths(simulate_gait(parameters).positions)[:, 0]
        assert lengths[10] + lengths[11] == pytest.approx(0.491 * height)


def test_proportions_are_bones_over_leg():
    proportions = Proportions(head=0.3, thigh=0.5, forearm=0.25)
    gait = simulate_gait(WalkerParameters(height_m=1.8), proportions=proportions)
    leg = 0.491 * 1.8
    lengths = bone_lengths(gait.positions)[:, 0] / leg
    assert lengths[2] == pytest.approx(0.3)
    assert lengths[[5, 8]] == pytest.approx(0.25)
    assert lengths[[10, 11, 13, 14]] == pytest.approx(0.5)


def test_each_arm_swings_with_the_other_sides_leg():
    joints = simulate_gait(fps=60).positions
    for hand, same, other in (
        (Joint.RIGHT_HAND, Joint.RIGHT_FOOT, Joint.LEFT_FOOT),
        (Joint.LEFT_HAND, Joint.LEFT_FOOT, Joint.RIGHT_FOOT),
    ):
        assert np.corrcoef(joints[:, hand, 2], joints[:, same, 2])[0, 1] < -0.8
        assert np.corrcoef(joints[:, hand, 2], joints[:, other, 2])[0, 1] > 0.8


def test_the_walker_faces_z_with_the_right_side_at_negative_x():
    whole_cycles = simulate_gait(WalkerParameters(cadence_spm=120), n_frames=60, travel=True)
    joints = whole_cycles.positions
    assert joints[-1, Joint.ROOT, 2] > 1
    for joint in Joint:
        side = {"RIGHT": -1, "LEFT": 1}.get(joint.name.split("_")[0], 0)
        assert (np.sign(joints[:, joint, 0].mean().round(9)) == side).all()
    heights = joints[0, [Joint.HEAD, Joint.NECK, Joint.SPINE, Joint.ROOT, Joint.RIGHT_KNEE], 1]
    assert (np.diff(heights) < 0).all()


@pytest.mark.parametrize("phase", [0.0, 0.37])
def test_an_even_walk_is_its_own_mirror_image_half_a_cycle_later(phase):
    gait = simulate_gait(
        WalkerParameters(cadence_spm=120), n_frames=60, phase=phase
    )  # 15 frames a step
    mirrored = gait.positions[:, list(MIRROR)] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored[15:], gait.positions[:-15], atol=1e-9)


def test_an_uneven_walk_mirrored_is_uneven_the_other_way():
    other = replace(UNEVEN, asymmetry=-UNEVEN.asymmetry, arm_asymmetry=-UNEVEN.arm_asymmetry)
    left_strike = (1 - UNEVEN.asymmetry) / 2
    walk = simulate_gait(UNEVEN, phase=left_strike, n_frames=50)
    mirrored = walk.positions[:, list(MIRROR)] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, simulate_gait(other, n_frames=50).positions, atol=1e-9)
    even = replace(UNEVEN, asymmetry=0.0)
    assert np.abs(simulate_gait(even, n_frames=50).positions - walk.positions).max() > 0.01


@pytest.mark.parametrize("asymmetry", [-0.2, 0.1])
def test_asymmetry_is_in_step_times_and_lengths(asymmetry):
    parameters = WalkerParameters(asymmetry=asymmetry, cadence_spm=100)
    gait = simulate_gait(parameters, fps=300, n_frames=1500, travel=True, phase=0.9)
    right, left = (strikes_s(gait, foot) for foot in (Joint.RIGHT_FOOT, Joint.LEFT_FOOT))
    left_step = (left[:3] - right[:3]).mean()  # ends with the left foot's strike
    right_step = (right[1:4] - left[:3]).mean()
    assert (right_step - left_step) / (right_step + left_step) == pytest.approx(asymmetry, abs=0.01)
    right_places, left_places = (
        planted_places(gait, foot)[0][:3, 2] for foot in (Joint.RIGHT_FOOT, Joint.LEFT_FOOT)
    )
    left_m, right_m = left_places[0] - right_places[0], right_places[1] - left_places[0]
    assert (right_m - left_m) / (right_m + left_m) == pytest.approx(asymmetry, abs=1e-6)


def test_root_stays_at_the_origin_without_travel_and_nothing_else_differs():
    here = simulate_gait(UNEVEN, n_frames=70)
    there = simulate_gait(UNEVEN, n_frames=70, travel=True)
    assert (here.positions[:, Joint.ROOT] == 0).all()
    np.testing.assert_allclose(here.positions, there.positions - there.positions[:, :1], atol=1e-12)


def test_noise_has_the_sd_asked_for_and_leaves_the_root_alone():
    noisy = replace(UNEVEN, noise_m=0.004)
    difference = (
        simulate_gait(noisy, n_frames=400, seed=3).positions
        - simulate_gait(UNEVEN, n_frames=400).positions
    )
    assert (difference[:, Joint.ROOT] == 0).all()
    assert difference[:, 1:].std() == pytest.approx(0.004, rel=0.03)


def test_a_seed_repeats_a_walk_bit_for_bit_and_another_does_not():
    parameters = WalkerParameters(noise_m=0.002)
    first, again, other = (simulate_gait(parameters, seed=s).positions for s in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()


def test_by_default_a_gait_is_one_cycle_that_closes():
    gait = simulate_gait(WalkerParameters(cadence_spm=100))
    assert len(gait) == 36
    longer = simulate_gait(WalkerParameters(cadence_spm=100), n_frames=72)
    np.testing.assert_allclose(longer.positions[36:], longer.positions[:36], atol=1e-9)


def test_a_gait_says_what_it_is():
    gait = simulate_gait(name="a", subject="b", label=Emotion.SAD, fps=50)
    assert isinstance(gait, Gait)
    assert (gait.source, gait.name, gait.subject, gait.label, gait.fps) == (
        SIMULATED_WALKS,
        "a",
        "b",
        Emotion.SAD,
        50.0,
    )


WIDE = {  # inside PARAMETER_LIMITS, and never more than the legs can do
    "cadence_spm": (40, 200),
    "step_length_m": (0.1, 0.85),
    "step_width_m": (0, 0.35),
    "foot_lift_m": (0.01, 0.2),
    "bounce_m": (0, 0.1),
    "sway_m": (0, 0.15),
    "height_m": (1.5, 2.5),
}


@st.composite
def parameters_in_range(draw, noise=True):
    values = {}
    for name, limits in PARAMETER_LIMITS.items():
        values[name] = draw(st.floats(*WIDE.get(name, limits)))
    if not noise:
        values["noise_m"] = 0.0
    return WalkerParameters(**values)


@settings(max_examples=60, deadline=None)
@given(
    parameters=parameters_in_range(noise=False),
    phase=st.floats(-3, 3),
    n_frames=st.integers(4, 80),
    travel=st.booleans(),
)
def test_bones_keep_their_length_and_knees_bend_forward(parameters, phase, n_frames, travel):
    joints = simulate_gait(parameters, phase=phase, n_frames=n_frames, travel=travel).positions
    assert np.isfinite(joints).all()
    lengths = bone_lengths(joints)
    assert np.ptp(lengths, axis=1).max() < 1e-6
    assert lengths[:, 0] == pytest.approx(
        [lengths[BONES.index((MIRROR[a], MIRROR[b])), 0] for a, b in BONES]
    )
    for hip, knee, foot in LEGS:
        thigh, whole = joints[:, knee] - joints[:, hip], joints[:, foot] - joints[:, hip]
        along = (thigh * whole).sum(1, keepdims=True) / (whole**2).sum(1, keepdims=True)
        assert ((thigh - along * whole)[:, 2] > 0).all()


@settings(max_examples=60, deadline=None)
@given(parameters=parameters_in_range(), phase=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_feet_stay_above_the_ground_and_one_is_planted(parameters, phase, seed):
    gait = simulate_gait(parameters, phase=phase, seed=seed, n_frames=40, travel=True)
    heights = gait.positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 1]
    margin = 6 * parameters.noise_m + 1e-9
    assert np.isfinite(gait.positions).all()
    assert heights.min() >= -margin
    even = simulate_gait(replace(parameters, asymmetry=0.0, noise_m=0.0), phase=phase, travel=True)
    lower = even.positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 1].min(axis=1)
    np.testing.assert_allclose(lower, 0.0, atol=1e-9)
    assert (gait.positions[:, Joint.ROOT, 1] > heights.max(axis=1) - margin).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_anything_within_the_limits_walks_with_whole_bones_or_is_refused(data):
    values = {name: data.draw(st.floats(*limits)) for name, limits in PARAMETER_LIMITS.items()}
    parameters = WalkerParameters(**{**values, "noise_m": 0.0})
    try:
        joints = simulate_gait(parameters, n_frames=20).positions
    except ConfigError:
        reject()  # steps or lifts beyond the legs; the next examples are not
    assert np.isfinite(joints).all()
    assert np.ptp(bone_lengths(joints), axis=1).max() < 1e-6


HIGH_STEPPER = WalkerParameters(height_m=0.7, step_length_m=0.1, step_width_m=0.1, foot_lift_m=0.35)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": np.nan}, "fps"),
        ({"phase": np.inf}, "phase"),
        ({"n_frames": 3}, "frames"),
        ({"seed": -1}, "seed"),
        ({"parameters": WalkerParameters(step_length_m=1.2, height_m=1.4)}, "Shorten the steps"),
        ({"parameters": WalkerParameters(height_m=0.5)}, "Shorten the steps"),
        ({"parameters": HIGH_STEPPER}, "foot_lift_m"),
    ],
)
def test_what_cannot_be_walked_is_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        simulate_gait(**options)
