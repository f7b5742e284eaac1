from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import QualityError
from moodwalk.intake.frame import UNITS, find_frame
from moodwalk.skeleton import MIRROR, Joint
from moodwalk.walker import WalkerParameters, simulate_gait

FPS = 30.0
AXES = [
    np.eye(3)[list(order)] * np.array(signs)[:, None]
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
    if np.linalg.det(np.eye(3)[list(order)] * np.array(signs)[:, None]) > 0
]


def make_walk(travel=True, n_frames=90, **parameters):
    gait = simulate_gait(WalkerParameters(**parameters), n_frames=n_frames, travel=travel)
    return gait.positions.astype(np.float64)


def get(frame, what):
    return next(finding for finding in frame.findings if finding.what == what)


@pytest.mark.parametrize("travel", [True, False])
@pytest.mark.parametrize(
    "axes", AXES, ids=lambda axes: "".join("xyz"[i] for i in np.abs(axes).argmax(1))
)
def test_axes_are_found_whatever_they_are(axes, travel):
    walk = make_walk(travel)
    frame = find_frame(walk @ axes.T, FPS)
    back = frame.apply(walk @ axes.T)
    # the walker faces +z within the sway of the hips
    across = (back[:, Joint.LEFT_HIP] - back[:, Joint.RIGHT_HIP]).mean(axis=0)
    assert np.degrees(np.arctan2(abs(across[2]), across[0])) < 3
    np.testing.assert_allclose(back[..., 1], walk[..., 1], atol=1e-9)
    assert not frame.swapped
    assert frame.course == ("forward" if travel else "in place")
    assert all(0 <= finding.confidence <= 1 for finding in frame.findings)


@pytest.mark.parametrize(("name", "metres"), UNITS)
def test_units_are_found_from_the_height_of_the_body(name, metres):
    walk = make_walk()
    frame = find_frame(walk / metres, FPS)
    assert get(frame, "unit").value == name
    np.testing.assert_allclose(np.ptp(frame.apply(walk / metres)[..., 1]), np.ptp(walk[..., 1]))


def test_what_the_source_says_is_believed_unless_the_body_contradicts():
    walk = make_walk()
    assert get(find_frame(walk * 1000, FPS, unit_m=0.001, up="+y"), "unit").confidence == 1
    lying = find_frame(walk * 1000, FPS, unit_m=1.0, up="-z")
    assert get(lying, "unit").value == "mm"
    assert "though the source says m" in get(lying, "unit").evidence
    assert get(lying, "up axis").value == "+y"
    assert "though the source says -z" in get(lying, "up axis").evidence


def test_a_size_that_nobody_has_is_unknown():
    frame = find_frame(make_walk() * 0.22, FPS)
    assert get(frame, "unit").value == "unknown"
    assert get(frame, "unit").confidence == 0


@given(angle=st.floats(-180, 180), length=st.sampled_from([0.3, 0.6]))
def test_any_direction_of_walking_becomes_ahead(angle, length):
    turn = np.radians(angle)
    about = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    walk = make_walk(step_length_m=length)
    back = find_frame(walk @ about.T, FPS).apply(walk @ about.T)
    travel = back[-1, Joint.ROOT] - back[0, Joint.ROOT]
    assert abs(np.degrees(np.arctan2(travel[0], travel[2]))) < 3


def test_backward_and_sideways_walking_are_recognised():
    walk = make_walk()
    assert find_frame(walk[::-1], FPS).course == "backward"
    toes = {
        f"{side}_toe": walk[:, Joint[f"{side.upper()}_FOOT"]] + [0, -0.05, 0.12]
        for side in ("right", "left")
    }
    backward = find_frame(walk[::-1], FPS, extras={k: v[::-1] for k, v in toes.items()})
    assert backward.course == "backward"
    assert not backward.swapped
    aside = make_walk(travel=False)
    aside[..., 0] += np.linspace(0, 3, len(aside))[:, None]
    assert find_frame(aside, FPS).course == "sideways"


def test_turning_is_recognised_and_sides_still_found():
    n = 240
    walk = make_walk(travel=False, n_frames=n)
    angles = np.linspace(0, np.pi, n)
    radius = 4.0
    cosine, sine = np.cos(angles), np.sin(angles)
    x = walk[..., 0] * cosine[:, None] + walk[..., 2] * sine[:, None]
    z = -walk[..., 0] * sine[:, None] + walk[..., 2] * cosine[:, None]
    walk[..., 0], walk[..., 2] = x - radius * cosine[:, None], z + radius * sine[:, None]
    frame = find_frame(walk, FPS)
    assert frame.course == "turning"
    assert not frame.swapped
    assert get(frame, "course").value.startswith("forward, turning by")


@pytest.mark.parametrize("spoil", [lambda x: x * [1, 1, -1], lambda x: x[:, list(MIRROR)]])
def test_swapped_sides_are_found(spoil):
    frame = find_frame(spoil(make_walk()), FPS)
    assert frame.swapped
    assert frame.course == "forward"
    back = frame.apply(spoil(make_walk()))
    assert back[-1, Joint.ROOT, 2] > back[0, Joint.ROOT, 2] + 1  # it goes where it faces
    assert back[:, Joint.RIGHT_HIP, 0].mean() > 0  # and its sides stay wrong, for all to see


def test_what_is_no_standing_body_is_refused():
    walk = make_walk()
    with pytest.raises(QualityError, match="flat"):
        find_frame(walk * [0, 1, 1], FPS)
    with pytest.raises(QualityError, match="stands"):
        find_frame(np.zeros_like(walk), FPS)
    tilted = np.radians(40)
    about = np.array(
        [[1, 0, 0], [0, np.cos(tilted), -np.sin(tilted)], [0, np.sin(tilted), np.cos(tilted)]]
    )
    frame = find_frame(walk @ about.T, FPS)
    assert "degrees off" in get(frame, "up axis").value
    np.testing.assert_allclose(
        frame.apply(walk @ about.T)[..., 1].max(), walk[..., 1].max(), atol=0.1
    )
