import numpy as np
import pytest
from filmed_walks import film, walk

from moodwalk.pose import Landmark, find_swapped_legs, swap_legs


@pytest.mark.parametrize("heading", [90, -90, 60])
def test_legs_of_a_plain_walk_are_believed(heading):
    pixels, _, _ = film(walk(120, heading_deg=heading, start=(-1.5, 0.0)), noise_px=2.0)
    assert not find_swapped_legs(pixels).any()


@pytest.mark.parametrize("frames", [[40], [40, 41, 43], [25, 26, 27, 60, 61, 95]])
def test_exchanged_legs_are_found(frames):
    pixels, _, _ = film(walk(120, start=(-1.5, 0.0)), noise_px=2.0)
    apart = pixels[:, Landmark.LEFT_ANKLE, 0] - pixels[:, Landmark.RIGHT_ANKLE, 0]
    frames = [frame for frame in frames if abs(apart[frame]) > 30]  # not where they pass
    assert frames
    exchanged = np.zeros(120, dtype=bool)
    exchanged[frames] = True
    found = find_swapped_legs(swap_legs(pixels, exchanged))
    assert np.flatnonzero(found).tolist() == frames


def test_exchanging_twice_changes_nothing():
    _, world, _ = film(walk(20))
    some = np.arange(20) % 3 == 0
    once = swap_legs(world, some)
    assert (once[some, Landmark.LEFT_KNEE] == world[some, Landmark.RIGHT_KNEE]).all()
    assert (once[some, Landmark.LEFT_HIP] == world[some, Landmark.LEFT_HIP]).all()
    assert (once[~some] == world[~some]).all()
    assert (swap_legs(once, some) == world).all()


def test_two_frames_say_nothing():
    pixels, _, _ = film(walk(10))
    assert find_swapped_legs(pixels[:2]).tolist() == [False, False]
