import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from moodwalk.body import REFERENCE_HEIGHT_M, compute_body_height, find_body_axes, to_body_form
from moodwalk.errors import QualityError
from moodwalk.skeleton import Joint
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(WalkerParameters(), n_frames=40)


@given(
    turn=st.integers(0, 2**31).map(lambda seed: Rotation.random(random_state=seed).as_matrix()),
    scale=st.floats(0.01, 1000),
    mirrored=st.booleans(),
)
def test_the_form_of_a_body_does_not_depend_on_axes_unit_or_mirror_images(turn, scale, mirrored):
    walk = simulate_gait(WalkerParameters(), n_frames=40)
    flip = np.array([1.0, 1.0, -1.0 if mirrored else 1.0])
    moved = walk.with_positions(scale * (walk.positions * flip) @ turn.T + [3.0, -2.0, 5.0])
    np.testing.assert_allclose(
        to_body_form(moved).positions, to_body_form(walk).positions, atol=1e-6
    )


def test_the_form_has_its_height_and_faces_ahead(walk):
    form = to_body_form(walk)
    assert compute_body_height(form.positions) == pytest.approx(REFERENCE_HEIGHT_M)
    mean = form.positions.mean(axis=0)
    assert mean[Joint.RIGHT_HIP, 0] < 0 < mean[Joint.LEFT_HIP, 0]
    assert mean[Joint.HEAD, 1] > 0 > mean[Joint.LEFT_FOOT, 1]
    legs = (
        mean[[Joint.RIGHT_KNEE, Joint.LEFT_KNEE], 2] - mean[[Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 2]
    )
    assert (legs > 0).all()  # knees bend ahead
    assert not find_body_axes(form.positions).swapped


def test_sides_are_told_in_walks_of_many_kinds():
    for gait in simulate_walks(12, 4, seed=1):
        assert not find_body_axes(gait.positions).swapped
        assert find_body_axes(gait.positions * [1, 1, -1]).swapped


def test_the_form_of_the_real_gaits(real_gaits):
    swapped = sum(find_body_axes(gait.positions).swapped for gait in real_gaits)
    assert swapped == 220  # docs/conventions.md
    for gait in real_gaits:
        assert not find_body_axes(to_body_form(gait).positions).swapped


def test_height_knows_missing_joints(walk):
    broken = walk.positions.copy()
    broken[3, Joint.LEFT_KNEE] = np.nan
    assert compute_body_height(broken) == pytest.approx(
        compute_body_height(walk.positions), rel=0.01
    )
    broken[:, Joint.LEFT_KNEE] = np.nan
    assert np.isnan(compute_body_height(broken))


def test_no_body_has_no_form(walk):
    with pytest.raises(QualityError, match="missing"):
        to_body_form(walk.with_positions(np.full_like(walk.positions, np.nan)))
    with pytest.raises(QualityError, match="expected a body"):
        to_body_form(walk.with_positions(np.zeros_like(walk.positions)))
    flat = walk.positions * [0, 1, 1]  # seen from the side, in two dimensions
    with pytest.raises(QualityError, match="no left"):
        to_body_form(walk.with_positions(flat))
