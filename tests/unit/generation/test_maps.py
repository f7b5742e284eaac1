import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.generation.maps import LEAST_POINTS, SharedMap, compute_map


def draw(seed, n, d=6, shift=0.0):
    return np.random.default_rng(seed).normal(size=(n, d)) + shift


SETS = {"real": draw(0, 40), "near": draw(1, 60), "far": draw(2, 40, shift=20.0)}


@pytest.fixture(scope="module")
def shared():
    """A map of two sets from one distribution, and of one from another."""
    return compute_map(SETS, seed=0)


def find_neighbours(shared, k=10):
    """Return the shares of each set among the nearest neighbours of each set."""
    places = np.concatenate(list(shared.placed.values()))
    owner = np.repeat(np.arange(len(shared.placed)), len(shared.placed["real"]))
    distances = cdist(places, places)
    np.fill_diagonal(distances, np.inf)
    nearest = owner[np.argsort(distances, axis=1)[:, :k]]
    n = len(shared.placed)
    return np.array([[(nearest[owner == i] == j).mean() for j in range(n)] for i in range(n)])


def test_every_set_has_as_many_places_and_says_which_rows_they_are(shared):
    assert isinstance(shared, SharedMap)
    placed, chosen = shared
    assert list(placed) == list(chosen) == list(SETS)
    for name, rows in SETS.items():
        assert placed[name].shape == (40, 2)
        assert placed[name].dtype == np.float64
        assert np.isfinite(placed[name]).all()
        assert (np.diff(chosen[name]) > 0).all()
        assert chosen[name].max() < len(rows)
    assert chosen["real"].tolist() == list(range(40))


def test_like_sets_mix_and_a_strange_one_lies_by_itself(shared):
    shares = find_neighbours(shared)
    real, near, far = range(3)
    assert shares[real, near] > 0.35
    assert shares[near, real] > 0.35
    assert shares[far, far] > 0.99
    assert shares[[real, near], far].max() < 0.01


def test_places_belong_to_the_rows_that_were_drawn():
    # sets along a line: each point's place lies between those of its neighbours on it
    line = np.arange(60)[:, None] * np.ones(3)
    shared = compute_map({"a": line[::2], "b": line}, seed=3)
    value = np.concatenate([line[::2][shared.chosen["a"]], line[shared.chosen["b"]]])[:, 0]
    places = np.concatenate([shared.placed["a"], shared.placed["b"]])
    distances = cdist(places, places)
    np.fill_diagonal(distances, np.inf)
    apart = np.abs(value - value[distances.argmin(axis=1)])
    assert np.median(apart) <= 2
    assert apart.max() < 15


def test_a_seed_makes_the_map_repeat(shared):
    again, other = compute_map(SETS, seed=0), compute_map(SETS, seed=1)
    for name in SETS:
        assert np.array_equal(shared.placed[name], again.placed[name])
        assert np.array_equal(shared.chosen[name], again.chosen[name])
    assert not np.array_equal(shared.chosen["near"], other.chosen["near"])


def test_points_are_left_as_they_are_and_lists_are_as_good():
    points = draw(5, 8, d=2)
    before = points.copy()
    one = compute_map({"a": points}, seed=0)
    other = compute_map({"a": points.tolist()}, seed=0)
    assert np.array_equal(points, before)
    assert np.array_equal(one.placed["a"], other.placed["a"])


@settings(max_examples=10)
@given(st.lists(st.integers(LEAST_POINTS, 12), min_size=1, max_size=4), st.integers(0, 2**40))
def test_few_points_of_any_number_have_a_map(sizes, seed):
    placed, chosen = compute_map({str(i): draw(i, n) for i, n in enumerate(sizes)}, seed=seed)
    for places, rows in zip(placed.values(), chosen.values(), strict=True):
        assert places.shape == (min(sizes), 2)
        assert np.isfinite(places).all()
        assert len(set(rows.tolist())) == min(sizes)


def test_copies_of_a_point_are_no_trouble():
    one = draw(1, 20)
    placed, _ = compute_map({"a": one, "b": one}, seed=0)
    assert all(np.isfinite(places).all() for places in placed.values())


@pytest.mark.parametrize(
    ("sets", "error", "said"),
    [
        ({}, ConfigError, "no sets"),
        ({"a": []}, ShapeError, r"'a' have shape \(0,\)"),
        ({"a": np.zeros((0, 3))}, ShapeError, r"'a' have shape \(0, 3\)"),
        ({"a": draw(0, 9), "b": np.ones(9)}, ShapeError, r"'b' have shape \(9,\)"),
        ({"a": draw(0, 9), "b": np.full((9, 6), np.nan)}, ShapeError, "'b': 54 of 54 are not finite"),
        ({"a": draw(0, 9), "b": draw(0, 9, d=5)}, ShapeError, "'b' have 5 columns, those of 'a' 6"),
        ({"a": draw(0, 9, d=1)}, ShapeError, "1 column; expected at least 2"),
        ({"a": draw(0, 9), "b": draw(0, 4)}, ShapeError, "4 points of 'b'; expected at least 5"),
        ({"a": np.ones((9, 3))}, ShapeError, "9 points are the same"),
        ({"a": [["x", "y"]] * 9}, ShapeError, "not an array of numbers"),
    ],
)  # fmt: skip
def test_what_has_no_map_is_refused_in_one_line(sets, error, said):
    with pytest.raises(error, match=said) as caught:
        compute_map(sets, seed=0)
    assert "expected" in str(caught.value) or "numbers" in str(caught.value)
    assert "\n" not in str(caught.value)
