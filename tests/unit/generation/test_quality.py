import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.augment import mirror, rotate
from moodwalk.errors import QualityError, ShapeError
from moodwalk.gait import Gait
from moodwalk.generation import quality
from moodwalk.generation.quality import (
    QUALITIES,
    compute_body_height,
    compute_bone_variation,
    compute_foot_lift,
    compute_ground_deviation,
    compute_jerk,
    compute_qualities,
    compute_skate,
    compute_slip,
)
from moodwalk.skeleton import Joint
from moodwalk.walker import WalkerParameters, simulate_gait

QUIET = WalkerParameters(noise_m=0.0)
PHASES = np.linspace(0, 1, 7, endpoint=False)
# the pelvis neither sways nor bounces, so that a pinned root hides nothing
STEADY = WalkerParameters(noise_m=0.0, sway_m=0.0, bounce_m=0.0)

names = pytest.mark.parametrize("name", QUALITIES)


def change(gait, joint, change_m):
    """Move one joint, or all, by (T, 3) or (3,)."""
    positions = gait.positions.copy()
    positions[:, joint] += change_m
    return gait.with_positions(positions)


def tilt(positions, degrees):
    """Lean a walk forwards about x, and its ground with it."""
    angle = np.radians(degrees)
    about_x = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    return positions @ np.array(about_x).T


@pytest.fixture(scope="module")
def real_table(real_gaits):
    """Every figure of the 342 real gaits."""
    return compute_qualities(real_gaits)


@pytest.fixture(scope="module")
def official(golden_folder):
    """Six gaits that STEP-Gen drew around six real ones, and the six of its mean."""
    arrays = np.load(golden_folder / "generator_cvae.npz")
    return {
        kind: [Gait(x[..., 0].transpose(1, 2, 0), 30.0) for x in arrays[kind]]
        for kind in ("decoded", "decoded_mean")
    }


# --- the catalogue


def test_every_figure_is_in_the_catalogue():
    made = {name for name in quality.__all__ if name.startswith("compute_")}
    listed = {entry.compute.__name__ for entry in QUALITIES.values()}
    assert listed == made - {"compute_body_height", "compute_qualities"}
    assert {f"compute_{name}" for name in QUALITIES} == listed


@names
def test_every_figure_says_what_it_is(name):
    compute, unit, meaning, aim = QUALITIES[name]
    assert unit
    assert len(meaning) > 20
    assert aim in ("low", "real")
    assert "Returns" in compute.__doc__
    assert type(compute(simulate_gait(QUIET))) is float


def test_the_table_has_a_column_for_every_figure():
    gaits = [simulate_gait(QUIET, phase=phase) for phase in (0.0, 0.3)]
    table = compute_qualities(gaits)
    assert table.shape == (2, len(QUALITIES))
    for column, entry in zip(table.T, QUALITIES.values(), strict=True):
        assert column.tolist() == [entry.compute(gait) for gait in gaits]
    assert compute_qualities([]).shape == (0, len(QUALITIES))
    with pytest.raises(ShapeError, match=r"pass a list"):
        compute_qualities(gaits[0])


# --- what must not matter


@settings(max_examples=15)
@given(
    degrees=st.floats(-180, 180),
    size=st.floats(0.01, 100),
    aside=st.floats(-5, 5),
    phase=st.floats(0, 1),
    travel=st.booleans(),
)
def test_facing_size_place_and_side_do_not_matter(degrees, size, aside, phase, travel):
    walk = simulate_gait(WalkerParameters(noise_m=0.004), phase=phase, travel=travel, n_frames=40)
    before = compute_qualities([walk])[0]
    x = walk.positions
    for moved in (rotate(x, degrees), size * x, x + aside, mirror(x), x * [1, 1, -1]):
        after = compute_qualities([walk.with_positions(moved)])[0]
        assert after == pytest.approx(before, rel=1e-5, abs=1e-7)


@names
def test_real_gaits_may_be_turned_mirrored_and_scaled(name, real_gaits):
    compute = QUALITIES[name].compute
    for gait in real_gaits[::19]:
        x = gait.positions.astype(np.float64)
        before = compute(gait)
        for moved in (3 * rotate(x, 118.0), mirror(x), x * [1, 1, -1]):
            assert compute(gait.with_positions(moved)) == pytest.approx(before, rel=1e-4, abs=1e-6)


@names
def test_travel_adds_nothing_to_a_walk_with_a_steady_pelvis(name):
    for phase in PHASES:
        pinned = simulate_gait(STEADY, phase=phase)
        travelling = simulate_gait(STEADY, phase=phase, travel=True)
        assert QUALITIES[name].compute(travelling) == pytest.approx(
            QUALITIES[name].compute(pinned), abs=1e-5
        )


@names
def test_sixty_frames_a_second_tell_the_same_as_thirty(name):
    for phase in PHASES:
        slow, fast = (simulate_gait(QUIET, phase=phase, fps=fps) for fps in (30.0, 60.0))
        tolerance = {"jerk": 0.1}.get(name, 0.004)
        assert QUALITIES[name].compute(fast) == pytest.approx(
            QUALITIES[name].compute(slow), abs=tolerance
        )


@settings(max_examples=15)
@given(degrees=st.floats(-20, 20), phase=st.floats(0, 1))
def test_a_ground_that_slopes_is_found(degrees, phase):
    walk = simulate_gait(STEADY, phase=phase)
    sloping = walk.with_positions(tilt(walk.positions, degrees))
    assert compute_skate(sloping) < 0.005
    assert compute_ground_deviation(sloping) < 0.001
    assert compute_foot_lift(sloping) == pytest.approx(compute_foot_lift(walk), abs=0.005)


# --- bones


def test_rigid_bones_do_not_vary():
    assert compute_bone_variation(simulate_gait(QUIET, travel=True)) == pytest.approx(0, abs=1e-12)


def test_one_bone_of_fifteen_that_varies_counts_a_fifteenth():
    walk = simulate_gait(QUIET, n_frames=40)
    to_head = walk.positions[:, Joint.HEAD] - walk.positions[:, Joint.NECK]
    shares = np.where(np.arange(40) % 2, 0.1, -0.1)[:, None]  # standard deviation 0.1 of the mean
    assert compute_bone_variation(change(walk, Joint.HEAD, shares * to_head)) == pytest.approx(
        0.1 / 15
    )


def test_a_bone_without_length_does_not_vary():
    walk = simulate_gait(QUIET)
    positions = walk.positions.copy()
    positions[:, Joint.SPINE] = positions[:, Joint.ROOT]
    assert np.isfinite(compute_bone_variation(walk.with_positions(positions)))


def test_body_height_is_the_length_along_the_bones():
    positions = np.zeros((5, 16, 3))
    positions[:, Joint.SPINE, 1] = 0.2
    positions[:, Joint.NECK, 1] = 0.5
    positions[:, Joint.HEAD, 1] = 0.6
    for knee, foot, thigh in ((11, 12, 0.4), (14, 15, 0.5)):
        positions[:, knee, 2] = thigh  # a raised knee changes nothing
        positions[:, foot, 1:] = [-0.4, thigh]
    assert compute_body_height(Gait(positions, 30.0)) == pytest.approx(0.6 + (0.8 + 0.9) / 2)


# --- feet


def test_feet_that_stand_do_not_skate():
    for phase in PHASES:
        for n_frames in (18, None, 75, 240):
            walk = simulate_gait(QUIET, phase=phase, n_frames=n_frames, travel=True)
            assert compute_skate(walk) == pytest.approx(0, abs=1e-6)
            assert compute_slip(walk) == pytest.approx(0, abs=1e-6)
            assert compute_ground_deviation(walk) == pytest.approx(0, abs=1e-6)


def test_what_a_pinned_root_hides_is_little():
    for phase in PHASES:
        walk = simulate_gait(QUIET, phase=phase)
        assert 0.02 < compute_skate(walk) < 0.04
        assert compute_slip(walk) < 0.06
        assert 0.002 < compute_ground_deviation(walk) < 0.006


@settings(max_examples=20)
@given(
    speed=st.floats(0.1, 1.0),
    direction=st.floats(0, 6.28),
    phase=st.floats(0, 1),
    travel=st.booleans(),
)
def test_a_known_slide_to_and_fro_raises_the_skate_by_its_speed(speed, direction, phase, travel):
    # the whole body, and so each foot that should stand, moves at +speed and -speed in turn
    walk = simulate_gait(STEADY, n_frames=121, phase=phase, travel=travel)
    height = compute_body_height(walk)
    slide = speed * height / 30 * (np.arange(121) % 2)
    aside = slide[:, None] * [np.sin(direction), 0, np.cos(direction)]
    if not travel:  # seen from the pelvis, the feet slide
        walk = change(walk, Joint.RIGHT_FOOT, aside)
        walk = change(walk, Joint.LEFT_FOOT, aside)
        assert compute_skate(walk) == pytest.approx(speed, rel=0.08)
    else:
        moved = walk.with_positions(walk.positions + aside[:, None])
        assert compute_skate(moved) == pytest.approx(speed, rel=0.08)


def test_a_slide_in_a_quarter_of_the_time_counts_a_quarter():
    walk = simulate_gait(QUIET, n_frames=401, travel=True)
    height = compute_body_height(walk)
    velocity = np.where(np.arange(401) // 50 % 4 == 3, 0.8 * height / 30, 0.0)
    aside = np.cumsum(velocity)[:, None, None] * [1.0, 0, 0]
    moved = walk.with_positions(walk.positions + aside)
    assert compute_skate(moved) == pytest.approx(0.8 / 4, rel=0.1)


def test_a_steady_slide_cannot_be_told_from_walking():
    walk = simulate_gait(QUIET, travel=True)
    aside = np.arange(len(walk))[:, None, None] * [0.0, 0, 0.02]
    assert compute_skate(walk.with_positions(walk.positions + aside)) == pytest.approx(0, abs=1e-6)


def test_feet_that_swing_to_and_fro_on_the_spot_are_on_ice():
    angle = 2 * np.pi * np.arange(60) / 30 + 0.1
    walk = simulate_gait(QUIET, n_frames=60)
    positions = np.repeat(walk.positions[:1], 60, axis=0)
    positions[:, Joint.RIGHT_FOOT] = [-0.1, -0.9, 0]
    positions[:, Joint.LEFT_FOOT] = [0.1, -0.9, 0]
    positions[:, Joint.RIGHT_FOOT, 2] = 0.2 * np.sin(angle)
    positions[:, Joint.LEFT_FOOT, 2] = -0.2 * np.sin(angle)
    dragging = walk.with_positions(positions)
    assert compute_foot_lift(dragging) == pytest.approx(0, abs=1e-9)
    assert compute_slip(dragging) == pytest.approx(1, abs=0.15)
    assert compute_skate(dragging) > 5 * compute_skate(walk)


def test_who_stands_still_has_the_best_of_every_figure():
    still = Gait(np.repeat(simulate_gait(QUIET).positions[:1], 20, axis=0), 30.0)
    figures = dict(zip(QUALITIES, compute_qualities([still])[0], strict=True))
    assert figures.pop("jerk") == -np.inf
    assert list(figures.values()) == pytest.approx([0] * len(figures), abs=1e-12)


@settings(max_examples=15)
@given(depth=st.floats(0.005, 0.035), phase=st.floats(0, 1))
def test_a_foot_that_treads_lower_counts_half_of_it(depth, phase):
    walk = simulate_gait(QUIET, n_frames=140, travel=True, phase=phase)
    sunk = change(walk, Joint.RIGHT_FOOT, [0, -depth * compute_body_height(walk), 0])
    assert compute_ground_deviation(sunk) == pytest.approx(depth / 2, rel=0.12)
    # it is neither skating nor lifted less
    assert compute_skate(sunk) == pytest.approx(0, abs=1e-3)
    assert compute_foot_lift(sunk) == pytest.approx(compute_foot_lift(walk), abs=0.002)


def test_foot_lift_is_the_walkers():
    for lift_m in (0.02, 0.08, 0.16):
        walk = simulate_gait(
            WalkerParameters(noise_m=0.0, bounce_m=0.0, foot_lift_m=lift_m), n_frames=140
        )
        expected = lift_m / compute_body_height(walk)
        assert compute_foot_lift(walk) == pytest.approx(expected, rel=0.03)


# --- smoothness


def test_jerk_of_a_swinging_hand_has_its_closed_form():
    # 0.3 sin(w t): root mean square jerk 0.3 w³ / sqrt 2, of one joint in 15
    seconds = np.arange(90) / 30
    w = 2 * np.pi
    positions = np.repeat(simulate_gait(QUIET).positions[:1], 90, axis=0)
    positions[:, Joint.LEFT_HAND, 2] += 0.3 * np.sin(w * seconds)
    gait = Gait(positions, 30.0)
    expected = 0.3 * w**3 / np.sqrt(2 * 15) / compute_body_height(gait)
    assert compute_jerk(gait) == pytest.approx(np.log10(expected), abs=0.02)


def test_noise_raises_the_jerk():
    parameters = [WalkerParameters(noise_m=noise) for noise in (0.0, 0.002, 0.01, 0.05)]
    jerks = [compute_jerk(simulate_gait(p, n_frames=60)) for p in parameters]
    assert jerks == sorted(jerks)
    assert jerks[-1] > jerks[0] + 1


def test_ten_times_the_movement_is_one_more():
    walk = simulate_gait(QUIET, n_frames=60)
    pose = walk.positions.mean(axis=0)
    little = walk.with_positions(pose + 0.01 * (walk.positions - pose))
    less = walk.with_positions(pose + 0.001 * (walk.positions - pose))
    assert compute_jerk(little) - compute_jerk(less) == pytest.approx(1, abs=0.01)


# --- bad input


@names
def test_missing_joints_are_refused_in_one_line(name):
    positions = simulate_gait(QUIET).positions.copy()
    positions[3, Joint.LEFT_HAND, 1] = np.nan
    with pytest.raises(QualityError, match=r"gait 'w': 1 joint positions are missing") as error:
        QUALITIES[name].compute(Gait(positions, 30.0, name="w"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", sorted(set(QUALITIES) - {"bone_variation"}))
def test_a_body_without_length_is_refused(name):
    with pytest.raises(QualityError, match="no length"):
        QUALITIES[name].compute(Gait(np.zeros((10, 16, 3)), 30.0))


def test_too_short_a_walk_at_a_high_rate_is_refused():
    with pytest.raises(QualityError, match="at least 4"):
        compute_jerk(simulate_gait(QUIET, fps=60.0, n_frames=5))


@names
def test_four_frames_of_anything_have_every_figure(name):
    positions = np.random.default_rng(5).normal(size=(4, 16, 3)).astype(np.float32)
    assert np.isfinite(QUALITIES[name].compute(Gait(positions, 30.0)))


# --- real gaits against those that STEP-Gen draws


def test_real_gaits_walk(real_table):
    medians = dict(zip(QUALITIES, np.median(real_table, axis=0), strict=True))
    assert medians["bone_variation"] < 0.005
    assert 0.08 < medians["skate"] < 0.13
    assert 0.12 < medians["slip"] < 0.2
    assert medians["ground_deviation"] < 0.01
    assert 0.08 < medians["foot_lift"] < 0.12


@pytest.mark.parametrize("kind", ["decoded", "decoded_mean"])
def test_the_figures_tell_official_gaits_from_real_ones(kind, official, real_table):
    drawn = compute_qualities(official[kind])
    found = {name: (real_table[:, i], drawn[:, i]) for i, name in enumerate(QUALITIES)}
    # legs drag: hardly a real gait comes near the best of the six
    known, odd = found["foot_lift"]
    assert np.mean(known > odd.max()) > 0.99
    known, odd = found["slip"]
    assert np.mean(known < odd.min()) > 0.95
    # bones stretch and feet slide, which they do in some real gaits too
    for name, times in (("bone_variation", 3), ("skate", 1.8)):
        known, odd = found[name]
        assert odd.min() > times * np.median(known)
