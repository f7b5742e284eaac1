from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from moodwalk.augment import rotate
from moodwalk.errors import ConfigError
from moodwalk.gait import Gait
from moodwalk.io import read
from moodwalk.legs import measure_legs
from moodwalk.skeleton import Joint
from moodwalk.strides import (
    CYCLE_RANGE_S,
    GaitParameters,
    compute_gait_parameters,
    find_cycles,
    find_events,
)
from moodwalk.walker import PARAMETER_LIMITS, WalkerParameters, simulate_gait

NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # an example says it all

CALM = WalkerParameters(noise_m=0.0)


def walk(parameters=CALM, seconds=10.0, fps=30.0, **options):
    return simulate_gait(parameters, n_frames=round(seconds * fps), fps=fps, **options)


@settings(max_examples=60, phases=NO_SHRINKING)
@given(seed=st.integers(0, 10**6), fps=st.sampled_from([30.0, 60.0, 120.0]))
def test_walks_over_ground_measure_what_was_put_in(seed, fps):
    """Any walker there is, with 1 cm of noise on every coordinate."""
    rng = np.random.default_rng(seed)
    drawn = {name: rng.uniform(*span) for name, span in PARAMETER_LIMITS.items()}
    p = WalkerParameters(**(drawn | {"noise_m": 0.01, "height_m": rng.uniform(1.4, 2.0)}))
    try:
        gait = walk(p, fps=fps, travel=True, phase=rng.random(), seed=seed)
    except ConfigError:  # such legs cannot make such steps
        return
    found = compute_gait_parameters(gait)
    assert found.cadence_spm == pytest.approx(p.cadence_spm, rel=0.02)
    assert found.step_time_s == pytest.approx(p.cycle_s / 2, rel=0.04)
    assert found.stride_length_m == pytest.approx(p.stride_m, rel=0.05)
    assert found.speed_mps == pytest.approx(p.speed_m_s, rel=0.05)
    assert found.step_length_m == found.stride_length_m / 2


@settings(max_examples=60, phases=NO_SHRINKING)
@given(
    cadence=st.floats(60, 150),
    step=st.floats(0.25, 0.75),
    lift=st.floats(0.05, 0.2),
    phase=st.floats(0, 1),
    fps=st.sampled_from([30.0, 60.0, 120.0]),
)
def test_walks_in_place_measure_what_was_put_in(cadence, step, lift, phase, fps):
    p = WalkerParameters(cadence_spm=cadence, step_length_m=step, foot_lift_m=lift, noise_m=0.01)
    found = compute_gait_parameters(walk(p, fps=fps, phase=phase))
    assert found.cadence_spm == pytest.approx(cadence, rel=0.02)
    assert found.stride_length_m == pytest.approx(p.stride_m, rel=0.05)
    assert found.step_width_m == pytest.approx(p.step_width_m, abs=0.01)


def test_strikes_come_when_the_walkers_do():
    events = find_events(measure_legs(walk(fps=60.0, phase=0.25)))
    cycle = CALM.cycle_s * 60
    # the ankle is farthest ahead 4.6 % of a cycle before it stands: roots of s (1 - s) = 1/12
    early = (0.5 - (1 / 4 - 1 / 12) ** 0.5) / 2
    for own, start in ((events.right_strikes, 0.0), (events.left_strikes, 0.5)):
        phases = (0.25 + np.array(own) / cycle - start) % 1.0
        assert phases == pytest.approx(1 - early, abs=0.012)
    for own, start in ((events.right_offs, 0.5), (events.left_offs, 0.0)):
        phases = (0.25 + np.array(own) / cycle - start + 0.5) % 1.0
        assert phases == pytest.approx(0.5 + early, abs=0.012)
    assert len(events.right_strikes) >= 7


@pytest.mark.parametrize("asymmetry", [-0.15, 0.0, 0.1])
@pytest.mark.parametrize("travel", [True, False])
def test_symmetry_is_the_walkers(asymmetry, travel):
    found = compute_gait_parameters(
        walk(WalkerParameters(asymmetry=asymmetry), fps=60.0, travel=travel)
    )
    assert found.symmetry == pytest.approx(200 * asymmetry, abs=1.5)
    assert found.n_strides >= 14


def test_double_support_is_that_of_the_ankles_path():
    found = compute_gait_parameters(walk(WalkerParameters(noise_m=0.01), fps=60.0))
    assert found.double_support == pytest.approx(1 - (2 / 3) ** 0.5, abs=0.03)


@pytest.mark.parametrize("travel", [True, False])
def test_heading_scale_and_direction_do_not_matter(travel):
    gait = walk(travel=travel)
    told = compute_gait_parameters(gait)
    for positions, scale in (
        (rotate(gait.positions, 77.0), 1.0),
        (gait.positions[::-1], 1.0),
        (100 * gait.positions, 100.0),
        (gait.positions + np.array([5.0, 0.0, -3.0]), 1.0),
    ):
        found = compute_gait_parameters(gait.with_positions(positions))
        assert found.cadence_spm == pytest.approx(told.cadence_spm, rel=0.005)
        assert found.stride_length_m == pytest.approx(scale * told.stride_length_m, rel=0.03)


def test_a_tilted_body_in_place_takes_the_same_strides():
    gait = walk()
    angle = np.radians(20.0)
    tilt = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    found = compute_gait_parameters(gait.with_positions(gait.positions @ tilt.T))
    assert found.stride_length_m == pytest.approx(1.04, rel=0.03)


def test_a_curve_has_the_strides_of_a_straight_way():
    gait = walk(travel=True, seconds=15.0)
    radius = 3.0
    angle, out = gait.positions[..., 2] / radius, radius - gait.positions[..., 0]
    around = [radius - out * np.cos(angle), gait.positions[..., 1], out * np.sin(angle)]
    found = compute_gait_parameters(gait.with_positions(np.stack(around, axis=-1)))
    assert found.cadence_spm == pytest.approx(CALM.cadence_spm, rel=0.01)
    assert found.stride_length_m == pytest.approx(CALM.stride_m, rel=0.02)
    assert found.step_width_m == pytest.approx(CALM.step_width_m, abs=0.01)


@pytest.mark.parametrize("travel", [True, False])
def test_cycles_follow_each_other(travel):
    cycles = find_cycles(walk(travel=travel))
    assert len(cycles) >= 7
    lengths = np.array([end - start for start, end in cycles])
    assert lengths == pytest.approx(CALM.cycle_s * 30, rel=0.02)
    assert all(a[1] == b[0] for a, b in pairwise(cycles))


@pytest.mark.parametrize("phase", np.linspace(0, 1, 7, endpoint=False))
def test_a_single_cycle_is_found_at_any_phase(phase):
    gait = simulate_gait(CALM, phase=phase)
    ((start, end),) = find_cycles(gait)
    assert start == 0.0
    assert 0.85 * len(gait) < end <= len(gait) - 1
    found = compute_gait_parameters(gait)
    assert found.cadence_spm == pytest.approx(CALM.cadence_spm, rel=0.1)
    assert found.stride_length_m == pytest.approx(CALM.stride_m, rel=0.1)
    assert found.n_strides == 0
    assert found.double_support is None


def test_a_pause_is_no_cycle():
    gait = walk(seconds=6.0)
    pause = np.repeat(gait.positions[-1:], 150, axis=0)
    paused = gait.with_positions(np.concatenate([gait.positions, pause, gait.positions]))
    cycles = find_cycles(paused)
    assert len(cycles) >= 6
    assert all(CYCLE_RANGE_S[0] <= (end - start) / 30 <= CYCLE_RANGE_S[1] for start, end in cycles)
    assert not any(start < 250 and end > 260 for start, end in cycles)
    cadence = compute_gait_parameters(paused).cadence_spm
    assert cadence == pytest.approx(CALM.cadence_spm, rel=0.03)


def test_gaps_are_bridged_or_left_out():
    positions = walk().positions.copy()
    told = find_cycles(Gait(positions, 30.0))
    positions[50:54, Joint.LEFT_FOOT] = np.nan
    positions[:, Joint.HEAD] = np.nan  # not needed
    assert len(find_cycles(Gait(positions, 30.0))) == len(told)
    positions[:100, Joint.RIGHT_KNEE] = np.nan
    late = find_cycles(Gait(positions, 30.0))
    assert late[0][0] >= 100
    strikes = np.concatenate(find_events(measure_legs(walk())).strikes)
    for start, end in late:
        assert np.abs(strikes - start).min() < 0.5
        assert np.abs(strikes - end).min() < 0.5
    positions[:, Joint.RIGHT_KNEE] = np.nan
    assert measure_legs(Gait(positions, 30.0)) is None
    assert find_cycles(Gait(positions, 30.0)) == ()
    assert compute_gait_parameters(Gait(positions, 30.0)) == GaitParameters()


def test_who_stands_has_no_cycles():
    still = np.repeat(walk().positions[:1], 100, axis=0)
    noisy = still + np.random.default_rng(0).normal(0.0, 0.01, still.shape)
    for positions in (still, noisy):
        assert find_cycles(Gait(positions, 30.0)) == ()
        assert compute_gait_parameters(Gait(positions, 30.0)) == GaitParameters()


def test_parameters_as_json():
    told = compute_gait_parameters(walk()).to_dict()
    assert told["n_strides"] > 10
    assert all(isinstance(value, float | int) for value in told.values())
    assert GaitParameters().to_dict()["cadence_spm"] is None


# From where toes and ankles stand still in each file, by a rule of its own: first frame of each contact.
CONTACTS = {
    "angry": (152.5, 1.523),
    "happy": (118.0, 1.418),
    "normal": (110.4, 1.375),
    "sad": (72.5, 0.982),
}


@pytest.mark.parametrize("emotion", CONTACTS)
def test_motion_capture_agrees_with_its_foot_contacts(mocap_folder, emotion):
    (gait,) = read(mocap_folder / f"dataset-1_walk_{emotion}_001.bvh")
    cadence, stride = CONTACTS[emotion]
    found = compute_gait_parameters(gait)
    assert found.cadence_spm == pytest.approx(cadence, rel=0.01)
    assert found.stride_length_m == pytest.approx(stride, rel=0.01)
    fixed = gait.with_positions(gait.positions - gait.positions[:, :1])
    found = compute_gait_parameters(fixed)
    assert found.cadence_spm == pytest.approx(cadence, rel=0.01)
    assert found.stride_length_m == pytest.approx(stride, rel=0.15)  # ankles do not stand flat


def test_every_real_gait_has_a_cycle(real_gaits):
    for gait in real_gaits:
        ((start, end),) = find_cycles(gait)
        assert start == 0.0
        assert 0.7 * len(gait) < end < len(gait)
