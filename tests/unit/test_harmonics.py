"""Gait cycles: what is rendered is found again, and real walks are near enough to one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.augment import mirror
from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.harmonics import (
    N_WAVES,
    GaitCycle,
    add_waves,
    compute_bone_vectors,
    fit_cycle,
    join_bones,
    render_cycles,
)
from moodwalk.skeleton import BONES, Joint
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

N_BONES = len(BONES)
COSINE, SINE = 1, 2  # of the first harmonic
BONE_TO = {child: i for i, (_, child) in enumerate(BONES)}


def make_waves():
    """Thighs go round cones, half a cycle apart; all else is still, with knees and elbows bent.

    Of such a cycle everything is known: every direction has length 1 at every phase.
    """
    waves = np.zeros((N_WAVES, N_BONES, 3))
    waves[0] = [0, 1, 0]
    for side, names in ((-1, "RIGHT"), (1, "LEFT")):
        hip, knee, foot, shoulder, elbow, hand = (
            BONE_TO[Joint[f"{names}_{part}"]]
            for part in ("HIP", "KNEE", "FOOT", "SHOULDER", "ELBOW", "HAND")
        )
        waves[0, [hip, shoulder]] = [side, 0, 0]
        waves[0, elbow] = [0, -1, 0]
        waves[0, hand] = [0, -0.8, 0.6]
        waves[0, foot] = [0, -0.96, -0.28]
        waves[0, knee] = [0, -0.8, 0]
        waves[COSINE, knee] = [0, 0, -0.6 * side]  # right foot ahead at phase 0
        waves[SINE, knee] = [0.6, 0, 0]
    return waves


BONES_M = np.linspace(0.1, 0.5, N_BONES)
CYCLE = GaitCycle(make_waves(), BONES_M, 1.1)


def to_gait(positions, fps=30.0, **about):
    return Gait(positions, fps, **about)


def compute_apart(phase, other):
    """Return the way round the circle from one phase to another."""
    return abs((phase - other + 0.5) % 1 - 0.5)


@given(
    phase=st.floats(0, 0.999),
    turned=st.booleans(),
    period_s=st.floats(0.7, 2.2),
    fps=st.sampled_from([20.0, 30.0, 59.94, 120.0]),
    n_cycles=st.floats(1.5, 6),
)
@settings(max_examples=60)
def test_known_waves_come_back(phase, turned, period_s, fps, n_cycles):
    cycle = GaitCycle(CYCLE.waves, BONES_M, period_s, phase, turned)
    found = fit_cycle(to_gait(cycle.render(round(n_cycles * period_s * fps), fps), fps))
    assert found.turned == turned
    assert found.period_s == pytest.approx(period_s, rel=0.003)  # cadences lie 0.25 % apart
    assert found.cadence_spm == pytest.approx(120 / found.period_s)
    assert compute_apart(found.phase, phase) < 0.01
    assert 0 <= found.phase < 1
    np.testing.assert_allclose(found.waves, CYCLE.waves, atol=0.01)
    np.testing.assert_allclose(found.bones, BONES_M, rtol=1e-9)


@given(seed=st.integers(0, 99), turned=st.booleans(), fps=st.floats(25, 100))
@settings(max_examples=25)
def test_a_simulated_walk_told_again_gives_its_cycle_again(seed, turned, fps):
    gait = simulate_walks(1, 1, seed=seed, n_frames=90)[0]
    cycle = fit_cycle(gait)
    told = to_gait(cycle.render(round(3 * cycle.period_s * fps), fps) * [1, 1, -1 if turned else 1])
    again = fit_cycle(to_gait(told.positions, fps))
    assert again.turned == turned
    assert compute_apart(again.phase, cycle.phase) < 0.01
    np.testing.assert_allclose(again.waves, cycle.waves, atol=0.04)
    np.testing.assert_allclose(again.bones, cycle.bones, rtol=1e-9)


def test_real_walks_are_near_their_cycle(real_gaits):
    errors, n_refused = [], 0
    for gait in real_gaits:
        try:
            cycle = fit_cycle(gait)
        except QualityError:
            n_refused += 1
            continue
        pinned = gait.positions - gait.positions[:, :1]
        height = np.ptp(pinned[..., 1], axis=1).max()
        away = np.linalg.norm(cycle.render(len(gait), gait.fps) - pinned, axis=2)
        errors.append(away.mean() / height)
    assert n_refused <= 5
    assert np.median(errors) < 0.005
    assert max(errors) < 0.02


def test_bones_of_a_told_walk_keep_their_length(real_gaits):
    cycle = fit_cycle(real_gaits[100])
    lengths = np.linalg.norm(compute_bone_vectors(cycle.render(200, 24.0)), axis=2)
    np.testing.assert_allclose(lengths, np.broadcast_to(cycle.bones, lengths.shape), rtol=1e-12)


def test_neither_travel_nor_place_matter():
    pinned, travelling = (
        fit_cycle(simulate_gait(WalkerParameters(noise_m=0), n_frames=80, travel=travel))
        for travel in (False, True)
    )
    np.testing.assert_allclose(travelling.waves, pinned.waves, atol=1e-9)
    assert travelling.phase == pytest.approx(pinned.phase)


def test_a_walk_backwards_in_z_has_the_waves_of_the_same_walk():
    gait = simulate_gait(n_frames=80)
    ahead = fit_cycle(gait)
    back = fit_cycle(gait.with_positions(gait.positions * [1, 1, -1]))
    assert (ahead.turned, back.turned) == (False, True)
    np.testing.assert_allclose(back.waves, ahead.waves, atol=1e-12)


def test_the_right_foot_is_ahead_at_phase_0_on_either_side_of_a_mirror():
    gait = simulate_gait(WalkerParameters(noise_m=0), n_frames=80, phase=0.3)
    for walk in (gait, gait.with_positions(mirror(gait.positions))):
        cycle = fit_cycle(walk)
        whole = render_cycles(cycle.waves[None], cycle.bones[None], np.linspace(0, 1, 101)[None])[0]
        step = whole[:, Joint.RIGHT_FOOT, 2] - whole[:, Joint.LEFT_FOOT, 2]
        assert step[0] > 0.95 * step.max()


def test_of_a_long_walk_the_middle_counts():
    walk = simulate_gait(WalkerParameters(noise_m=0), n_frames=900)
    odd = walk.positions.copy()
    odd[:60, Joint.HEAD] += 0.5
    odd[-60:, Joint.HEAD] += 0.5
    usual = fit_cycle(walk)
    found = fit_cycle(walk.with_positions(odd))
    np.testing.assert_array_equal(found.waves, usual.waves)
    assert found.phase == usual.phase
    away = usual.render(900, 30.0) - walk.positions
    assert np.abs(away[400:500]).max() < 0.03  # the phase is that of frame 0, not of the middle


def test_a_longer_telling_goes_round_again():
    told = CYCLE.render(100, 100 / CYCLE.period_s)
    again = CYCLE.render(300, 100 / CYCLE.period_s)
    np.testing.assert_allclose(again, np.tile(told, (3, 1, 1)), atol=1e-12)


@given(seed=st.integers(0, 2**32 - 1), n_frames=st.integers(0, 4), scale=st.floats(0.01, 100))
@settings(max_examples=25)
def test_bones_taken_apart_are_joined_again(seed, n_frames, scale):
    positions = scale * np.random.default_rng(seed).normal(size=(n_frames, 16, 3))
    vectors = compute_bone_vectors(positions)
    lengths = np.linalg.norm(vectors, axis=2)
    pinned = positions - positions[:, :1]
    for directions in (vectors, 7 * vectors):  # their length does not matter
        np.testing.assert_allclose(join_bones(directions, lengths), pinned, atol=1e-9 * scale)


def test_a_bone_points_from_parent_to_child():
    positions = np.arange(48.0).reshape(16, 3) ** 2
    vectors = compute_bone_vectors(positions)
    for vector, (parent, child) in zip(vectors, BONES, strict=True):
        np.testing.assert_array_equal(vector, positions[child] - positions[parent])


def test_a_bone_without_direction_stays_finite():
    joined = join_bones(np.zeros((N_BONES, 3)), np.ones(N_BONES))
    np.testing.assert_array_equal(joined, np.zeros((16, 3)))


def test_waves_add_up_to_directions():
    rng = np.random.default_rng(0)
    waves, phases = rng.normal(size=(N_WAVES, N_BONES, 3)), rng.normal(size=5)
    for phase, found in zip(phases, add_waves(waves, phases), strict=True):
        expected = waves[0].copy()
        for k in range(1, 9):
            angle = 2 * np.pi * k * phase
            expected += np.cos(angle) * waves[2 * k - 1] + np.sin(angle) * waves[2 * k]
        np.testing.assert_allclose(found, expected)


def test_scaling_changes_size_and_no_proportion():
    other = 1.7 * BONES_M * np.exp(np.linspace(-0.2, 0.2, N_BONES))
    scaled = CYCLE.scale_to(other)
    np.testing.assert_allclose(scaled.bones, 1.7 * BONES_M)
    assert np.log(scaled.bones).mean() == pytest.approx(np.log(other).mean())
    assert scaled.waves is CYCLE.waves
    assert (scaled.period_s, scaled.phase) == (CYCLE.period_s, CYCLE.phase)


class TestRefusals:
    def test_missing_joints(self):
        positions = CYCLE.render(60, 30.0)
        positions[3, 4] = np.nan
        positions[9, 2, 1] = np.nan
        with pytest.raises(QualityError, match=r"gait 'x': 2 joint positions are missing"):
            fit_cycle(to_gait(positions, name="x"))

    @pytest.mark.parametrize("n_frames", [4, 18])
    def test_less_than_a_cycle(self, n_frames):
        with pytest.raises(QualityError, match="no gait cycle found; expected the feet to pass"):
            fit_cycle(to_gait(CYCLE.render(n_frames, 30.0)))

    def test_somebody_who_stands(self):
        still = np.repeat(CYCLE.render(1, 30.0), 60, axis=0)
        with pytest.raises(QualityError, match=r"^gait: no gait cycle found"):
            fit_cycle(to_gait(still))

    def test_a_bone_without_length(self):
        positions = CYCLE.render(60, 30.0)
        positions[30, Joint.HEAD] = positions[30, Joint.NECK]
        with pytest.raises(QualityError, match="a bone has no length; expected 16 joints in 16"):
            fit_cycle(to_gait(positions))
