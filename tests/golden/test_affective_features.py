"""Agreement with the published affective features."""

import numpy as np
import pytest

from moodwalk.features import FEATURES, N_PUBLISHED, compute_affective_features


@pytest.fixture(scope="module")
def golden(golden_folder):
    with np.load(golden_folder / "affective_features.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def table(real_gaits):
    return compute_affective_features(real_gaits)


def test_features_of_the_listed_gaits_agree(golden, table, real_gaits):
    row_of = {gait.name: i for i, gait in enumerate(real_gaits)}
    rows = [row_of[str(key)] for key in golden["keys"]]
    assert len(set(rows)) == 38
    np.testing.assert_allclose(table[rows], golden["features"], rtol=1e-9, atol=0)


def test_ranges_over_all_gaits_agree(golden, table):
    assert table.shape == (342, 29)
    np.testing.assert_allclose(table.min(axis=0), golden["features_min"], rtol=1e-9, atol=0)
    np.testing.assert_allclose(table.max(axis=0), golden["features_max"], rtol=1e-9, atol=0)


def test_gaits_alone_and_in_any_order_give_the_same(table, real_gaits):
    order = np.random.default_rng(0).permutation(len(real_gaits))
    shuffled = compute_affective_features(real_gaits[order])
    np.testing.assert_allclose(shuffled, table[order], rtol=1e-12)
    for i in order[:5]:
        np.testing.assert_allclose(
            compute_affective_features([real_gaits[int(i)]])[0], table[i], rtol=1e-12
        )


def test_the_published_files_hold_all_but_the_stride():
    names = [feature.name for feature in FEATURES]
    assert names[N_PUBLISHED:] == ["stride_length", "gait_cycle_time"]
