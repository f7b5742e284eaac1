import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from moodwalk.errors import ConfigError, QualityError, ShapeError
from moodwalk.gait import Gait
from moodwalk.preprocess import align_to_pose, centre, resample, resample_positions, stack, tile
from moodwalk.skeleton import BONES, Joint


def random_walk(n_frames: int = 30, seed: int = 0, dtype=np.float64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n_frames, 16, 3)).astype(dtype)


def swings(n_frames: int, fps: float, frequency_hz: float) -> np.ndarray:
    """48 sinusoids of one frequency and many phases."""
    phase = np.linspace(0, 2 * np.pi, 48, endpoint=False).reshape(16, 3)
    t = np.arange(n_frames)[:, None, None] / fps
    return np.sin(2 * np.pi * frequency_hz * t + phase)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_centre_moves_the_root_to_the_origin_and_nothing_else(dtype):
    walk = random_walk(dtype=dtype)
    centred = centre(walk)
    assert centred.dtype == dtype
    assert (centred[:, Joint.ROOT] == 0).all()
    for parent, child in BONES:
        np.testing.assert_allclose(
            centred[:, child] - centred[:, parent], walk[:, child] - walk[:, parent], atol=1e-5
        )
    np.testing.assert_array_equal(centre(np.stack([walk, walk]))[1], centred)


def test_centre_keeps_missing_joints_and_refuses_a_missing_root():
    walk = random_walk()
    walk[3, Joint.LEFT_HAND] = np.nan
    assert np.isnan(centre(walk)).sum() == 3
    walk[5:7, Joint.ROOT] = np.nan
    with pytest.raises(QualityError, match="in 2 of 30 frames, first in frame 5"):
        centre(walk)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 100))
def test_tile_repeats_from_the_first_frame_and_cuts(n_source, n_frames):
    walk = random_walk(n_source)
    tiled = tile(walk, n_frames)
    assert tiled.shape == (n_frames, 16, 3)
    for i in range(n_frames):
        np.testing.assert_array_equal(tiled[i], walk[i % n_source])
    assert not np.shares_memory(tiled, walk)


def test_tile_refuses_nothing_and_no_frames():
    with pytest.raises(ConfigError, match="n_frames is 0"):
        tile(random_walk(), 0)
    with pytest.raises(ShapeError, match="Nothing to tile"):
        tile(random_walk(0), 5)


def test_stack_tiles_and_cuts_every_gait():
    gaits = [Gait(random_walk(n, seed=n), 30) for n in (18, 75, 240)]
    batch = stack(gaits, 75)
    assert batch.shape == (3, 75, 16, 3)
    assert batch.dtype == np.float32
    for gait, row in zip(gaits, batch, strict=True):
        np.testing.assert_array_equal(row, tile(gait.positions, 75).astype(np.float32))
    assert stack([], 75).shape == (0, 75, 16, 3)


def test_stack_refuses_missing_joints_where_they_are_used():
    walk = random_walk(40)
    walk[30, 2] = np.nan
    gait = Gait(walk, 30, name="xx")
    assert np.isfinite(stack([gait], 30)).all()
    with pytest.raises(QualityError, match=r"gait 'xx'.*1 of 31 frames, first in frame 30"):
        stack([gait], 31)
    with pytest.raises(ConfigError):
        stack([gait], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resampling_to_the_same_rate_returns_the_same(dtype):
    gait = Gait(random_walk(dtype=dtype), 30, name="a", subject="s")
    same = resample(gait, 30)
    np.testing.assert_array_equal(same.positions, gait.positions)
    assert same.positions.dtype == dtype
    np.testing.assert_array_equal(resample_positions(gait.positions, 1.0), gait.positions)


def test_resampling_keeps_what_is_known_of_the_gait():
    gait = Gait(random_walk(dtype=np.float32), 30, name="a", subject="s", source="file")
    slow = resample(gait, 20)
    assert (slow.name, slow.subject, slow.source, slow.fps) == ("a", "s", "file", 20)
    assert slow.positions.dtype == np.float32


@pytest.mark.parametrize(
    ("n_frames", "fps", "new_fps", "frequency_hz", "tolerance"),
    [
        (240, 60, 30, 1, 1e-4),
        (240, 60, 30, 5, 5e-3),
        (36, 30, 60, 2, 2e-3),
        (36, 30, 100, 2, 2e-3),
        (36, 30, 25, 3, 3e-3),
        (18, 30, 20, 3, 3e-3),
        (18, 30, 29.97, 3, 1e-3),
    ],
)
def test_resampled_swings_agree_with_the_truth_to_the_ends(
    n_frames, fps, new_fps, frequency_hz, tolerance
):
    gait = Gait(swings(n_frames, fps, frequency_hz), fps)
    resampled = resample(gait, new_fps)
    truth = swings(len(resampled), new_fps, frequency_hz)
    np.testing.assert_allclose(resampled.positions, truth, atol=tolerance)
    assert (len(resampled) - 1) / new_fps == pytest.approx(
        (n_frames - 1) / fps, abs=1 / new_fps + 1e-9
    )


def test_motion_that_the_new_rate_cannot_hold_is_taken_out():
    fast = Gait(swings(240, 60, 24), 60)
    assert abs(resample(fast, 30).positions[8:-8]).max() < 0.02
    assert abs(fast.positions[::2]).max() > 0.9  # what leaving out every other frame would keep


@settings(deadline=None)
@given(st.integers(4, 80), st.floats(0.05, 4.0))
def test_steady_motion_passes_resampling_unchanged(n_frames, ratio):
    steady = np.arange(n_frames)[:, None, None] * np.full((16, 3), 0.1) + 2
    resampled = resample_positions(steady, ratio)
    at = np.arange(len(resampled)) / ratio
    assert at[-1] <= n_frames - 1 + 1e-6 < at[-1] + 1 / ratio + 1e-5
    np.testing.assert_allclose(resampled, 2 + 0.1 * at[:, None, None] + 0 * resampled, atol=1e-8)


@settings(deadline=None)
@given(st.integers(4, 80), st.floats(0.05, 4.0), st.integers(0, 5))
def test_noise_is_never_blown_up(n_frames, ratio, seed):
    noise = np.random.default_rng(seed).uniform(-1, 1, (n_frames, 16, 3))
    assert abs(resample_positions(noise, ratio)).max() < 5


@pytest.mark.parametrize(("fps", "new_fps"), [(60, 30), (30, 60), (240, 30), (30, 29.97), (30, 7)])
def test_number_of_frames_never_reaches_past_the_last(fps, new_fps):
    resampled = resample(Gait(random_walk(121), fps), new_fps)
    assert len(resampled) == int(120 * new_fps / fps + 1e-9) + 1


def test_resampling_refuses_what_it_cannot_do():
    gait = Gait(random_walk(8), 30, name="g")
    for fps in (0, -1, np.nan, np.inf):
        with pytest.raises(ConfigError, match="positive"):
            resample(gait, fps)
        with pytest.raises(ConfigError, match="positive"):
            resample_positions(gait.positions, fps)
    with pytest.raises(QualityError, match="gait 'g': 8 frames at 30 fps leave 3 at 10 fps"):
        resample(gait, 10)
    with pytest.raises(ShapeError, match="at least 4 frames"):
        resample_positions(random_walk(3), 2)
    holed = gait.positions.copy()
    holed[6, 1, 1] = np.nan
    with pytest.raises(QualityError, match=r"gait 'g'.*first in frame 6"):
        resample(gait.with_positions(holed), 60)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_alignment_undoes_a_similarity(seed, scale):
    rng = np.random.default_rng(seed)
    walk = random_walk(6, seed)
    rotation = Rotation.random(rng=seed).as_matrix()
    moved = scale * walk @ rotation.T + rng.normal(size=3) * 10
    np.testing.assert_allclose(align_to_pose(moved, walk[0]), walk, atol=1e-8)


def test_alignment_never_reflects():
    walk = random_walk(3)
    pose = walk[0] * (-1, 1, 1)
    aligned = align_to_pose(walk, pose)
    axes = np.linalg.lstsq(walk[0] - walk[0].mean(0), aligned[0] - aligned[0].mean(0), rcond=None)[
        0
    ]
    assert np.linalg.det(axes) > 0
    scale = np.cbrt(np.linalg.det(axes))
    np.testing.assert_allclose(axes @ axes.T, scale**2 * np.eye(3), atol=1e-9)


def test_alignment_is_a_least_squares_optimum():
    walk, pose = random_walk(1, 1), random_walk(1, 2)[0]
    aligned = align_to_pose(walk, pose)[0]
    best = ((aligned - pose) ** 2).sum()
    middle = aligned.mean(axis=0)
    rng = np.random.default_rng(0)
    for _ in range(50):
        turn = Rotation.from_rotvec(0.05 * rng.normal(size=3)).as_matrix()
        other = (1 + 0.05 * rng.normal()) * (aligned - middle) @ turn.T + middle
        other = other + 0.05 * rng.normal(size=3)
        assert ((other - pose) ** 2).sum() >= best


def test_alignment_keeps_type_and_later_gaps():
    walk = random_walk(5, dtype=np.float32)
    pose = walk[0] * 2
    walk[2, 4] = np.nan
    aligned = align_to_pose(walk, pose)
    assert aligned.dtype == np.float32
    assert np.isnan(aligned).sum() == 3


def test_alignment_refuses_what_fixes_no_rotation():
    walk, line = random_walk(5), random_walk(5)
    line[0] = np.arange(16)[:, None] * np.array([1.0, 2.0, 3.0])
    with pytest.raises(QualityError, match="first frame is a point or a line"):
        align_to_pose(line, walk[0])
    with pytest.raises(QualityError, match="pose is a point or a line"):
        align_to_pose(walk, np.ones((16, 3)))
    walk[0, 3, 0] = np.nan
    with pytest.raises(QualityError, match="every joint of the first frame"):
        align_to_pose(walk, walk[1])
    with pytest.raises(QualityError, match="every joint of the pose"):
        align_to_pose(walk[1:], walk[0])
    with pytest.raises(ShapeError, match="a pose of shape"):
        align_to_pose(walk[1:], walk)


def test_alignment_of_real_gaits_brings_first_poses_together(real_gaits):
    pose = real_gaits[0].positions[0]
    for gait in real_gaits[:20]:
        aligned = align_to_pose(gait.positions, pose)
        before = np.linalg.norm(centre(gait.positions)[0] - centre(pose))
        assert np.linalg.norm(aligned[0] - pose) < before + 1e-9
