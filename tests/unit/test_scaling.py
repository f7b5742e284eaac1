import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moodwalk.errors import CheckpointError, QualityError, ShapeError
from moodwalk.features import FEATURES
from moodwalk.scaling import FeatureScaler, compute_novelty

numbers = st.floats(-1e6, 1e6)
tables = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=numbers
)


@settings(deadline=None)
@given(tables)
def test_scaler_maps_its_own_table_to_plus_minus_one(table):
    scaled = FeatureScaler.fit(table).transform(table)
    assert (abs(scaled) <= 1 + 1e-9).all()
    constant = table.max(axis=0) == table.min(axis=0)
    assert (scaled[:, constant] == 0).all()
    wide = np.ptp(table, axis=0) > 1e-6 * abs(table).max(axis=0)
    np.testing.assert_allclose(scaled[:, wide].max(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(scaled[:, wide].min(axis=0), -1, atol=1e-6)


def test_scaler_formula_and_other_gaits():
    scaler = FeatureScaler.fit([[0.0, 5.0], [10.0, 5.0]])
    np.testing.assert_array_equal(scaler.transform([[2.5, 7.0], [20.0, 5.0]]), [[-0.5, 0], [3, 0]])
    assert scaler.transform([5.0, 5.0]).tolist() == [0, 0]


def test_scaler_skips_missing_features_and_keeps_them_missing():
    scaler = FeatureScaler.fit([[1.0, np.nan], [3.0, 2.0]])
    scaled = scaler.transform([[2.0, np.nan], [np.nan, 2.0]])
    np.testing.assert_array_equal(scaled, [[0, np.nan], [np.nan, 0]])


def test_scaler_names_a_feature_that_is_always_missing():
    table = np.ones((3, 29))
    table[:, [feature.name for feature in FEATURES].index("head_jerk")] = np.nan
    with pytest.raises(QualityError, match="head_jerk"):
        FeatureScaler.fit(table)


@pytest.mark.parametrize("table", [np.ones(3), np.ones((0, 3)), np.ones((2, 2, 2))])
def test_scaler_refuses_what_is_no_table(table):
    with pytest.raises(ShapeError):
        FeatureScaler.fit(table)


def test_scaler_refuses_another_width():
    with pytest.raises(ShapeError, match=r"expected \(n, 2\)"):
        FeatureScaler.fit(np.ones((2, 2))).transform(np.ones((2, 3)))


def test_scaler_survives_json_and_pickle():
    table = np.random.default_rng(0).normal(size=(5, 29))
    scaler = FeatureScaler.fit(table)
    for copy in (
        FeatureScaler.from_dict(json.loads(json.dumps(scaler.to_dict()))),
        pickle.loads(pickle.dumps(scaler)),
    ):
        np.testing.assert_array_equal(copy.transform(table), scaler.transform(table))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"minimum": [0.0]},
        {"minimum": [0.0], "maximum": [1.0, 2.0]},
        {"minimum": [2.0], "maximum": [1.0]},
        {"minimum": ["low"], "maximum": [1.0]},
        {"minimum": [np.nan], "maximum": [1.0]},
        [1, 2],
    ],
)
def test_scaler_refuses_a_damaged_header(data):
    with pytest.raises(CheckpointError, match="No feature scaler"):
        FeatureScaler.from_dict(data)


def test_novelty_counts_only_what_lies_outside():
    scaled = [[0.0, 1.0, -1.0, 0.5], [0.0, 3.0, 0.0, 0.0], [-1.5, 1.5, -1.5, 1.5]]
    np.testing.assert_allclose(compute_novelty(scaled), [0.0, 1.0, 0.5])
    assert np.isnan(compute_novelty([[np.nan, 0.0]])[0])
