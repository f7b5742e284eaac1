import json

import numpy as np
import pytest

from moodwalk.errors import CheckpointError, ConfigError, QualityError
from moodwalk.features import compute_affective_features
from moodwalk.gait import Gait
from moodwalk.models.encoding import GaitEncoder
from moodwalk.preprocess import align_to_pose, centre, tile
from moodwalk.walker import simulate_walks


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=3, gaits_per_subject=4, seed=2)


def moved(gait, by):
    return gait.with_positions(gait.positions + np.asarray(by, gait.positions.dtype))


def test_a_root_relative_encoder_centres_and_tiles_to_the_longest(gaits):
    encoder = GaitEncoder.fit(gaits)
    positions, affective = encoder.encode(gaits)
    longest = max(len(gait) for gait in gaits)
    assert encoder.n_frames == longest
    assert positions.shape == (12, longest, 16, 3)
    assert positions.dtype == affective.dtype == np.float32
    assert not positions[:, :, 0].any()
    expected = tile(centre(gaits[3].positions), longest)
    np.testing.assert_allclose(positions[3], expected, atol=1e-6)


def test_affective_features_are_scaled_by_the_range_of_the_training_gaits(gaits):
    encoder = GaitEncoder.fit(gaits[:6])
    _, affective = encoder.encode(gaits[:6])
    assert encoder.n_affective == affective.shape[1] == 27
    np.testing.assert_allclose(affective.min(0), -1, atol=1e-6)
    np.testing.assert_allclose(affective.max(0), 1, atol=1e-6)
    _, others = encoder.encode(gaits[6:])
    table = compute_affective_features(gaits)[:, :27]
    low, high = table[:6].min(0), table[:6].max(0)
    expected = (table[6:] - (low + high) / 2) / ((high - low) / 2)
    np.testing.assert_allclose(others, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(others).max() > 1


@pytest.mark.parametrize("n_affective", [0, 1, 29])
def test_as_many_features_as_wanted(gaits, n_affective):
    encoder = GaitEncoder.fit(gaits, n_affective=n_affective)
    _, affective = encoder.encode(gaits)
    assert encoder.n_affective == n_affective
    assert affective is None if n_affective == 0 else affective.shape == (12, n_affective)


def test_a_pose_encoder_lays_every_gait_on_the_first_pose(gaits):
    encoder = GaitEncoder.fit(gaits, n_affective=0, root_relative=False, n_frames=20)
    positions, _ = encoder.encode([moved(gait, (3, 0, 7)) for gait in gaits])
    np.testing.assert_allclose(positions[0, 0], gaits[0].positions[0], atol=1e-5)
    for found, gait in zip(positions, gaits, strict=True):
        expected = align_to_pose(gait.positions, gaits[0].positions[0])
        np.testing.assert_allclose(found, tile(expected, 20), atol=1e-5)


def test_a_gait_is_encoded_the_same_alone_and_among_others(gaits):
    for root_relative in (True, False):
        encoder = GaitEncoder.fit(gaits[:5], root_relative=root_relative)
        together = encoder.encode(gaits)
        for i in (0, 7):
            alone = encoder.encode([gaits[i]])
            for one, many in zip(alone, together, strict=True):
                np.testing.assert_array_equal(one[0], many[i])


def test_gaits_of_another_frame_rate_are_resampled():
    slow, fast = (
        simulate_walks(n_subjects=2, gaits_per_subject=4, seed=4, fps=fps) for fps in (30, 60)
    )
    encoder = GaitEncoder.fit(slow, n_frames=20)
    assert encoder.fps == 30
    for one, other in zip(encoder.encode(slow), encoder.encode(fast), strict=True):
        assert one.shape == other.shape
    np.testing.assert_allclose(
        encoder.encode(slow)[0], encoder.encode(fast)[0], atol=0.03
    )  # metres: the spline's low-pass at foot strikes
    from_fast = GaitEncoder.fit(fast)
    assert abs(from_fast.n_frames - max(len(gait) for gait in slow)) <= 1


def test_encoding_leaves_the_gaits_as_they_were(gaits):
    before = [gait.positions.copy() for gait in gaits]
    GaitEncoder.fit(gaits).encode(gaits)
    for gait, positions in zip(gaits, before, strict=True):
        np.testing.assert_array_equal(gait.positions, positions)


@pytest.mark.parametrize(
    "options", [{}, {"n_affective": 0}, {"root_relative": False}, {"n_frames": 7, "fps": 25.0}]
)
def test_an_encoder_survives_json_bit_for_bit(gaits, options):
    encoder = GaitEncoder.fit(gaits, **options)
    restored = GaitEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    for one, other in zip(encoder.encode(gaits), restored.encode(gaits), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_refuses_what_makes_no_encoder(gaits):
    with pytest.raises(ConfigError, match="no training gaits"):
        GaitEncoder.fit([])
    with pytest.raises(ConfigError, match="n_affective is 30; there are 29"):
        GaitEncoder.fit(gaits, n_affective=30)
    for n_frames in (0, -1):
        with pytest.raises(ConfigError, match=f"n_frames is {n_frames}"):
            GaitEncoder.fit(gaits, n_frames=n_frames)


def test_missing_joints_are_refused(gaits):
    broken = gaits[0].positions.copy()
    broken[3, 5] = np.nan
    encoder = GaitEncoder.fit(gaits)
    with pytest.raises(QualityError, match=r"'left one'.*first in frame 3"):
        encoder.encode([Gait(broken, 30, name="left one")])


@pytest.mark.parametrize(
    "damage",
    [
        {"n_frames": None},
        {"n_frames": 0},
        {"fps": "fast"},
        {"pose": [[0, 0, 0]]},
        {"pose": "none"},
        {"affective": {"minimum": [0.0]}},
        {"affective": {"minimum": [0.0, 1.0], "maximum": [1.0]}},
        {"affective": {"minimum": [0.0] * 30, "maximum": [1.0] * 30}},
        {"affective": [1, 2]},
    ],
)
def test_a_damaged_description_is_refused(gaits, damage):
    data = GaitEncoder.fit(gaits).to_dict() | damage
    with pytest.raises(CheckpointError):
        GaitEncoder.from_dict(data)


@pytest.mark.parametrize("missing", ["n_frames", "fps", "root_relative", "affective", "pose"])
def test_an_incomplete_description_is_refused(gaits, missing):
    data = GaitEncoder.fit(gaits).to_dict()
    del data[missing]
    with pytest.raises(CheckpointError, match="damaged"):
        GaitEncoder.from_dict(data)
