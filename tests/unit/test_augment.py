import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.augment import (
    Augmentation,
    add_noise,
    change_proportions,
    change_size,
    change_speed,
    mirror,
    rotate,
    shift_time,
)
from moodwalk.errors import ConfigError, QualityError, ShapeError
from moodwalk.skeleton import BONES, MIRROR, Joint
from moodwalk.walker import WalkerParameters, simulate_gait

ALL_ON = Augmentation(mirror=0.5, rotation_deg=20, size=0.1, time_shift=1, speed=0.2, noise_m=0.01)


@st.composite
def walks(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return rng.normal(size=(draw(st.integers(4, 60)), 16, 3)).astype(dtype)


def bone_lengths(positions):
    return np.stack(
        [np.linalg.norm(positions[:, b] - positions[:, a], axis=1) for a, b in BONES], axis=1
    )


def swap_sides(name: str) -> str:
    return name.replace("RIGHT", "*").replace("LEFT", "RIGHT").replace("*", "LEFT")


@settings(deadline=None)
@given(walks())
def test_mirror_twice_is_the_walk_itself(walk):
    before = walk.copy()
    np.testing.assert_array_equal(mirror(mirror(walk)), walk)
    np.testing.assert_array_equal(walk, before)


@settings(deadline=None)
@given(walks())
def test_mirror_exchanges_the_sides(walk):
    mirrored = mirror(walk)
    for joint in Joint:
        twin = Joint[swap_sides(joint.name)]
        np.testing.assert_array_equal(mirrored[:, joint], walk[:, twin] * (-1, 1, 1))


@settings(deadline=None)
@given(walks())
def test_mirror_keeps_bone_lengths_of_the_other_side(walk):
    twins = [BONES.index((Joint[swap_sides(a.name)], Joint[swap_sides(b.name)])) for a, b in BONES]
    np.testing.assert_allclose(bone_lengths(mirror(walk)), bone_lengths(walk)[:, twins], rtol=1e-5)


def test_mirror_leaves_the_right_hand_on_the_right():
    walk = np.zeros((4, 16, 3))
    walk[:, Joint.RIGHT_HAND, 0] = -1
    walk[:, Joint.LEFT_HAND, 0] = 2
    mirrored = mirror(walk)
    assert (mirrored[:, Joint.RIGHT_HAND, 0] == -2).all()
    assert (mirrored[:, Joint.LEFT_HAND, 0] == 1).all()


@settings(deadline=None)
@given(walks(), st.floats(-360, 360))
def test_rotation_keeps_bones_and_heights_and_turns_back(walk, angle_deg):
    turned = rotate(walk, angle_deg)
    assert turned.dtype == walk.dtype
    np.testing.assert_array_equal(turned[..., 1], walk[..., 1])
    np.testing.assert_allclose(bone_lengths(turned), bone_lengths(walk), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(rotate(turned, -angle_deg), walk, atol=1e-4)


def test_rotation_turns_forward_towards_left():
    walk = np.zeros((4, 16, 3))
    walk[..., 2] = 1
    np.testing.assert_allclose(rotate(walk, 90)[0, 0], (1, 0, 0), atol=1e-12)


@settings(deadline=None)
@given(walks(), st.floats(0.1, 10))
def test_size_scales_every_bone(walk, factor):
    np.testing.assert_allclose(
        bone_lengths(change_size(walk, factor)), factor * bone_lengths(walk), rtol=1e-3, atol=1e-6
    )


@settings(deadline=None)
@given(walks(), st.integers(-100, 100))
def test_time_shift_rolls_the_cycle(walk, n_frames):
    shifted = shift_time(walk, n_frames)
    np.testing.assert_array_equal(shifted[0], walk[n_frames % len(walk)])
    np.testing.assert_array_equal(shift_time(shifted, -n_frames), walk)


@settings(deadline=None)
@given(st.integers(20, 80), st.floats(0.5, 2))
def test_speed_changes_the_time_a_motion_takes(n_frames, factor):
    t = np.arange(n_frames)[:, None, None] / 30 * np.ones((16, 3))
    faster = change_speed(t, factor)
    assert len(faster) == int((n_frames - 1) / factor + 1e-9) + 1
    np.testing.assert_allclose(np.diff(faster, axis=0), factor / 30, atol=1e-8)


def test_noise_has_the_standard_deviation_asked_for():
    noise = add_noise(np.zeros((500, 16, 3)), 0.02, np.random.default_rng(0))
    assert noise.std() == pytest.approx(0.02, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=1e-3)


def test_transforms_refuse_senseless_strengths():
    walk = np.zeros((10, 16, 3))
    for strength in (0, -1, np.nan, np.inf):
        with pytest.raises(ConfigError, match="size factor"):
            change_size(walk, strength)
        with pytest.raises(ConfigError, match="speed factor"):
            change_speed(walk, strength)
    with pytest.raises(ConfigError, match="at most 9"):
        change_speed(walk, 10)
    with pytest.raises(ConfigError, match="noise_m"):
        add_noise(walk, -0.1, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(10, 48), (10, 15, 3), (2, 10, 16, 3)])
def test_transforms_refuse_other_shapes(shape):
    rng = np.random.default_rng(0)
    for transform in (
        mirror,
        lambda p: rotate(p, 10),
        lambda p: change_size(p, 1.1),
        lambda p: shift_time(p, 1),
        lambda p: change_speed(p, 1.1),
        lambda p: add_noise(p, 0.1, rng),
        lambda p: Augmentation()(p, rng),
    ):
        with pytest.raises(ShapeError, match="expected"):
            transform(np.zeros(shape))


def test_missing_joints_stay_missing():
    walk = np.ones((10, 16, 3))
    walk[3, Joint.LEFT_HAND] = np.nan
    rng = np.random.default_rng(0)
    gentle = Augmentation(mirror=1, rotation_deg=20, size=0.1, time_shift=1, noise_m=0.01)
    assert np.isnan(gentle(walk, rng)).sum() == 3
    with pytest.raises(QualityError):
        change_speed(walk, 1.1)


@settings(deadline=None)
@given(walks(), st.integers(0, 1000))
def test_all_off_changes_nothing_but_the_address(walk, seed):
    same = Augmentation()(walk, np.random.default_rng(seed))
    np.testing.assert_array_equal(same, walk)
    assert not np.shares_memory(same, walk)


@settings(deadline=None)
@given(walks(), st.integers(0, 1000))
def test_seed_repeats(walk, seed):
    before = walk.copy()
    first = ALL_ON(walk, np.random.default_rng(seed))
    again = ALL_ON(walk, np.random.default_rng(seed))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(walk, before)
    assert first.dtype == walk.dtype
    assert first.shape[1:] == (16, 3)


def test_seeds_differ():
    walk = np.random.default_rng(0).normal(size=(30, 16, 3))
    rng = np.random.default_rng(1)
    first, second = ALL_ON(walk, rng), ALL_ON(walk, rng)
    assert first.shape != second.shape or not np.allclose(first, second)


def test_switching_one_transform_off_leaves_the_others_choices():
    walk = np.random.default_rng(0).normal(size=(30, 16, 3))
    turned = Augmentation(rotation_deg=30)(walk, np.random.default_rng(5))
    both = Augmentation(rotation_deg=30, size=0.2)(walk, np.random.default_rng(5))
    ratio = both / turned
    np.testing.assert_allclose(ratio, ratio[0, 0, 0])
    assert abs(ratio[0, 0, 0] - 1) > 1e-3


def test_draws_stay_within_the_strengths_and_fill_them():
    # A rod of length one that points along z, at the height of its first frame number.
    walk = np.zeros((20, 16, 3))
    walk[:, 1, 2] = 1
    rng = np.random.default_rng(0)
    angles, sizes = [], []
    for _ in range(500):
        x, _, z = Augmentation(rotation_deg=30, size=0.2)(walk, rng)[0, 1]
        angles.append(np.degrees(np.arctan2(x, z)))
        sizes.append(np.hypot(x, z))
    assert -30 <= min(angles) < -28
    assert 28 < max(angles) <= 30
    assert 1 / 1.2 - 1e-9 <= min(sizes) < 0.85
    assert 1.18 < max(sizes) <= 1.2 + 1e-9


def test_time_shift_begins_anywhere_and_mirror_half_the_time():
    walk = np.zeros((20, 16, 3))
    walk[..., 1] = np.arange(20)[:, None]
    walk[..., 0] = 1
    rng = np.random.default_rng(0)
    drawn = [Augmentation(time_shift=1, mirror=0.5)(walk, rng)[0, 0] for _ in range(400)]
    assert {int(y) for _, y, _ in drawn} == set(range(20))
    assert 150 < sum(x < 0 for x, _, _ in drawn) < 250
    near = [Augmentation(time_shift=0.25)(walk, rng)[0, 0, 1] for _ in range(200)]
    assert set(near) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mirror", 1.5),
        ("mirror", -0.1),
        ("rotation_deg", 181),
        ("rotation_deg", np.nan),
        ("size", 2),
        ("time_shift", -1),
        ("speed", np.inf),
        ("noise_m", -1e-3),
        ("noise_m", "much"),
        ("noise_spread", 1.5),
        ("speed", None),
    ],
)
def test_augmentation_refuses_values_out_of_range(field, value):
    with pytest.raises(ConfigError, match=f"Augmentation: {field}"):
        Augmentation(**{field: value})


def test_proportions_change_lengths_and_not_directions():
    walk = simulate_gait(WalkerParameters(), n_frames=20).positions
    factors = np.linspace(0.8, 1.2, len(BONES))
    moved = change_proportions(walk, factors)
    for (parent, child), factor in zip(BONES, factors, strict=True):
        before, after = (x[:, child] - x[:, parent] for x in (walk, moved))
        np.testing.assert_allclose(after, factor * before, atol=1e-12)
    np.testing.assert_array_equal(moved[:, 0], walk[:, 0])
    for bad in (np.ones(3), np.zeros(len(BONES))):
        with pytest.raises(ConfigError, match="15 positive"):
            change_proportions(walk, bad)


def test_twins_keep_one_length_when_proportions_vary():
    walk = simulate_gait(WalkerParameters(), n_frames=20).positions
    varied = Augmentation(proportions=0.2)(walk, np.random.default_rng(4))
    ratios = {}
    for parent, child in BONES:
        lengths = [
            np.linalg.norm(x[:, child] - x[:, parent], axis=1).mean() for x in (walk, varied)
        ]
        ratios[child] = lengths[1] / lengths[0]
        assert 1 / 1.2 <= ratios[child] <= 1.2
    assert len({round(ratio, 6) for ratio in ratios.values()}) == 9  # six pairs, three alone
    for child, ratio in ratios.items():
        assert ratio == pytest.approx(ratios[MIRROR[child]])


def test_noise_of_drawn_strength_is_anything_from_none():
    walk = np.zeros((40, 16, 3))
    rng = np.random.default_rng(0)
    levels = [Augmentation(noise_m=0.01, noise_spread=1.0)(walk, rng).std() for _ in range(200)]
    assert min(levels) < 0.0005
    assert max(levels) == pytest.approx(0.01, rel=0.1)
    assert np.mean(levels) == pytest.approx(0.005, rel=0.1)
    always = [Augmentation(noise_m=0.01)(walk, rng).std() for _ in range(20)]
    np.testing.assert_allclose(always, 0.01, rtol=0.1)
