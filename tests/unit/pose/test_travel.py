import numpy as np
import pytest
from filmed_walks import FOCAL, FPS, SIZE, film, walk

from moodwalk.pose import Landmark, compute_travel
from moodwalk.pose.travel import compute_scale

HIPS = [Landmark.LEFT_HIP, Landmark.RIGHT_HIP]


@pytest.mark.parametrize("heading", [90, -90, 0, 180, 45])
def test_travel_is_where_the_hips_went(heading):
    body = walk(90, heading_deg=heading, start=(0.0, 0.0), away=6.0)
    parts = film(body, noise_px=1.5)
    found = compute_travel(*parts, SIZE, FPS)
    truth = body[:, HIPS].mean(axis=1)
    gone, wanted = found[-1] - found[0], truth[-1] - truth[0]
    assert np.linalg.norm(wanted) > 2
    assert np.linalg.norm(gone - wanted) < 0.12 * np.linalg.norm(wanted)


def test_hips_bob_as_they_do_in_the_picture():
    body = walk(120, heading_deg=90, start=(-1.5, 0.0), bounce_m=0.06)
    found = compute_travel(*film(body), SIZE, FPS)[:, 1]
    truth = body[:, HIPS].mean(axis=1)[:, 1]
    assert np.corrcoef(found, truth)[0, 1] > 0.95
    assert np.ptp(found) == pytest.approx(np.ptp(truth), rel=0.25)


def test_scale_is_focal_length_over_distance():
    pixels, world, visibility = film(walk(30, away=5.0))
    assert np.allclose(compute_scale(pixels, world, visibility), FOCAL / 5.0, rtol=0.03)


def test_nobody_has_no_scale_and_no_travel():
    pixels, world, visibility = (np.full_like(part, np.nan) for part in film(walk(10)))
    assert np.isnan(compute_scale(pixels, world, visibility)).all()
    assert np.isnan(compute_travel(pixels, world, visibility, SIZE, FPS)).all()


def test_a_gap_does_not_spoil_the_rest():
    body = walk(90)
    parts = [part.copy() for part in film(body)]
    for part in parts:
        part[30:50] = np.nan
    found = compute_travel(*parts, SIZE, FPS)
    assert np.isnan(found[30:50, 0]).all()
    truth = body[:, HIPS].mean(axis=1)
    assert np.allclose((found[80] - found[10])[0], (truth[80] - truth[10])[0], rtol=0.1)


def test_two_frames_are_enough():
    assert np.isfinite(compute_travel(*film(walk(10)[:2]), SIZE, FPS)).all()
