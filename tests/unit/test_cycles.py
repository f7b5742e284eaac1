import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.augment import mirror, rotate
from moodwalk.cycles import compute_cadence
from moodwalk.gait import Gait
from moodwalk.walker import WalkerParameters, simulate_gait


@settings(max_examples=40, deadline=None)
@given(cadence=st.floats(70, 140), phase=st.floats(0, 1), fps=st.sampled_from([24.0, 30.0, 60.0]))
def test_cadence_is_the_walkers(cadence, phase, fps):
    walk = simulate_gait(
        WalkerParameters(cadence_spm=cadence, noise_m=0.005),
        n_frames=int(10 * fps),
        fps=fps,
        phase=phase,
    )
    assert compute_cadence(walk) == pytest.approx(cadence, rel=0.02)


def test_travel_facing_scale_and_side_do_not_matter():
    parameters = WalkerParameters(cadence_spm=110, noise_m=0.0)
    walk = simulate_gait(parameters, n_frames=200, travel=True)
    for moved in (rotate(walk.positions, 77.0), mirror(walk.positions), 0.4 * walk.positions):
        assert compute_cadence(walk.with_positions(moved)) == pytest.approx(110, rel=0.02)


def test_one_cycle_gives_a_rough_cadence():
    for phase in np.linspace(0, 1, 8, endpoint=False):
        walk = simulate_gait(WalkerParameters(cadence_spm=100), phase=phase)
        cadence = compute_cadence(walk)
        assert cadence == pytest.approx(100, rel=0.1)


def test_who_stands_or_lacks_a_foot_has_no_cadence():
    walk = simulate_gait(WalkerParameters(), n_frames=60)
    still = np.repeat(walk.positions[:1], 60, axis=0)
    assert compute_cadence(Gait(still, 30.0)) is None
    missing = walk.positions.copy()
    missing[7, 12] = np.nan
    assert compute_cadence(Gait(missing, 30.0)) is None


def test_real_gaits_have_a_plausible_cadence(real_gaits):
    found = [compute_cadence(gait) for gait in real_gaits]
    known = np.array([value for value in found if value is not None])
    assert len(known) > 300
    assert 90 < np.median(known) < 120
    assert (np.percentile(known, [5, 95]) > 60).all()
    assert (np.percentile(known, [5, 95]) < 180).all()
