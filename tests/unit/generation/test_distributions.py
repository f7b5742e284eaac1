import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.generation import distributions
from moodwalk.generation.distributions import (
    Overlap,
    compute_class_diversity,
    compute_diversity,
    compute_frechet_distance,
    compute_memorisation,
    compute_nearest_distance,
    compute_overlap,
    resample_interval,
)

seeds = st.integers(0, 2**32 - 1)


def draw(seed, n, d=4, shift=0.0, scale=1.0):
    return shift + scale * np.random.default_rng(seed).normal(size=(n, d))


def get_figures(overlap):
    return [overlap.precision, overlap.recall, overlap.density, overlap.coverage]


def measure_coverage(real, synthetic):
    return compute_overlap(real, synthetic).coverage


# --- Fréchet distance


def test_distance_of_two_gaussians_on_a_line_has_its_closed_form():
    # means 1 and 4, standard deviations sqrt 2 and sqrt 8 (over n - 1): 9 + (sqrt 8 - sqrt 2)² = 11
    a, b = [[0.0], [2.0]], [[2.0], [6.0]]
    assert compute_frechet_distance(a, b) == pytest.approx(9 + 2)


@given(seeds, st.floats(0.2, 5), st.floats(-4, 4))
def test_distance_to_a_stretched_and_shifted_copy(seed, stretch, shift):
    points = draw(seed, 40)
    variance = points.var(axis=0, ddof=1).sum()
    mean = points.mean(axis=0)
    other = mean + stretch * (points - mean) + shift
    expected = 4 * shift**2 + (1 - stretch) ** 2 * variance
    assert compute_frechet_distance(points, other) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("shrink", [False, True])
def test_a_set_is_nowhere_from_itself(shrink):
    points = draw(1, 30)
    assert compute_frechet_distance(points, points, shrink=shrink) == pytest.approx(0, abs=1e-9)


@given(seeds)
def test_distance_is_that_of_the_matrix_root(seed):
    a, b = draw(seed, 50), draw(seed + 1, 60, scale=1.5) @ draw(seed + 2, 4)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    shift = a.mean(axis=0) - b.mean(axis=0)
    trace = np.trace(cov_a + cov_b - 2 * np.real(sqrtm(cov_a @ cov_b)))
    assert compute_frechet_distance(a, b) == pytest.approx(shift @ shift + trace, rel=1e-6)


def test_fewer_points_than_columns_are_no_trouble():
    a, b = draw(1, 5, d=40), draw(2, 7, d=40)
    distance = compute_frechet_distance(a, b)
    # on the subspace that the points span, all covariances may have full rank
    basis = np.linalg.qr(np.concatenate([a, b]).T)[0]
    assert distance == pytest.approx(compute_frechet_distance(a @ basis, b @ basis))
    assert compute_frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@settings(max_examples=25)
@given(seeds, st.booleans())
def test_distance_is_symmetric_and_blind_to_rotation_and_order(seed, shrink):
    a, b = draw(seed, 20), draw(seed + 1, 25, shift=0.5, scale=2.0)
    turn = ortho_group.rvs(4, random_state=seed)
    distance = compute_frechet_distance(a, b, shrink=shrink)
    for c, d in ((b, a), (a @ turn, b @ turn), (a[::-1], b)):
        assert compute_frechet_distance(c, d, shrink=shrink) == pytest.approx(distance)


def test_few_points_are_too_far_apart_and_shrinking_lessens_it():
    few = compute_frechet_distance(draw(1, 60, 30), draw(2, 60, 30))
    many = compute_frechet_distance(draw(1, 3000, 30), draw(2, 3000, 30))
    shrunk = compute_frechet_distance(draw(1, 60, 30), draw(2, 60, 30), shrink=True)
    assert few > 10 * many
    assert shrunk < few / 3


# --- precision and recall, density and coverage


def test_overlap_worked_by_hand():
    # k = 1: reaches of the real points 0, 1, 3 are 1, 1, 2; of the synthetic 0.5, 4.5, 9: 4, 4, 4.5
    real, synthetic = [[0.0], [1.0], [3.0]], [[0.5], [4.5], [9.0]]
    found = compute_overlap(real, synthetic, k=1)
    assert found == Overlap(
        precision=2 / 3,  # 0.5 and 4.5, but not 9
        recall=1.0,  # all within 4 of 0.5
        density=3 / 3,  # 0.5 in reach of 0 and 1, and 4.5 of 3
        coverage=1.0,
    )


def test_a_point_on_the_rim_counts_for_precision_alone():
    found = compute_overlap([[0.0], [1.0]], [[2.0], [5.0]], k=1)
    assert found == Overlap(precision=0.5, recall=1.0, density=0.0, coverage=0.0)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_set_against_itself(k):
    points = draw(4, 80)
    assert compute_overlap(points, points, k) == Overlap(1.0, 1.0, 1.0, 1.0)


def test_sets_far_apart_share_nothing():
    assert get_figures(compute_overlap(draw(1, 50), draw(2, 60, shift=100))) == [0, 0, 0, 0]


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_equal_distributions_have_the_published_expectations(k):
    # Naeem et al. (2020), section 3.3: density 1, and coverage below, whatever the distribution
    n, m = 100, 150
    found = [compute_overlap(draw(i, n), draw(i + 1000, m), k) for i in range(60)]
    density, coverage = (
        np.mean([getattr(o, name) for o in found]) for name in ("density", "coverage")
    )
    left = np.prod([(n - i) / (m + n - i) for i in range(1, k + 1)])
    assert density == pytest.approx(1, abs=0.04)
    assert coverage == pytest.approx(1 - left, abs=0.015)


def test_with_as_many_points_coverage_is_near_its_short_form():
    found = [compute_overlap(draw(i, 300), draw(i + 1000, 300)).coverage for i in range(15)]
    assert np.mean(found) == pytest.approx(1 - 2**-5, abs=0.01)


def test_one_outlier_deceives_precision_and_not_density():
    # Naeem et al. (2020), figure 1: the outlier reaches far, and poor points lie within its reach
    real, poor = draw(1, 200, d=2), draw(2, 200, d=2, shift=6, scale=0.3)
    outlier = [[14.0, 14.0]]
    without = compute_overlap(real, poor)
    found = compute_overlap(np.concatenate([real, outlier]), poor)
    assert (without.precision, found.precision) == (0, 1)
    assert found.density < 0.25
    assert found.coverage < 0.01


def test_modes_that_are_left_out_lower_recall_and_coverage():
    real = np.concatenate([draw(1, 100), draw(2, 100, shift=20)])
    found = compute_overlap(real, draw(3, 200))
    assert found.recall == pytest.approx(0.5, abs=0.1)
    assert found.coverage == pytest.approx(0.5, abs=0.05)
    assert found.precision > 0.8


@settings(max_examples=25)
@given(seeds, st.integers(1, 6))
def test_overlap_is_blind_to_rotation_scale_and_order(seed, k):
    real, synthetic = draw(seed, 30), draw(seed + 1, 40, shift=0.5)
    before = compute_overlap(real, synthetic, k)
    turn = 3 * ortho_group.rvs(4, random_state=seed)
    assert compute_overlap(real[::-1], synthetic[::-1], k) == before
    assert compute_overlap(real @ turn, synthetic @ turn, k) == before
    swapped = compute_overlap(synthetic, real, k)
    assert (swapped.precision, swapped.recall) == (before.recall, before.precision)
    more = compute_overlap(real, synthetic, k + 1)
    for name in ("precision", "recall", "coverage"):
        assert getattr(more, name) >= getattr(before, name)


def test_little_memory_gives_the_same(monkeypatch):
    real, synthetic = draw(1, 50), draw(2, 70, shift=0.3)
    labels = ["sad", "happy"] * 35
    before = (
        compute_overlap(real, synthetic),
        compute_diversity(real),
        compute_class_diversity(synthetic, labels),
        compute_nearest_distance(synthetic, real).tolist(),
    )
    monkeypatch.setattr(distributions, "_BLOCK_DISTANCES", 200)
    assert compute_overlap(real, synthetic) == before[0]
    assert compute_diversity(real) == pytest.approx(before[1])
    assert compute_class_diversity(synthetic, labels) == pytest.approx(before[2])
    assert compute_nearest_distance(synthetic, real).tolist() == before[3]


# --- diversity


def test_diversity_worked_by_hand():
    # a triangle with sides 3, 4 and 5
    assert compute_diversity([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]) == pytest.approx(4)


@given(seeds, st.floats(0.1, 10))
def test_diversity_scales_and_is_blind_to_place_and_order(seed, scale):
    points = draw(seed, 20)
    moved = scale * (points[::-1] + 7)
    assert compute_diversity(moved) == pytest.approx(scale * compute_diversity(points))


def test_diversity_of_every_emotion():
    points = [[0.0], [10.0], [1.0], [14.0], [99.0]]
    found = compute_class_diversity(points, ["sad", "happy", "sad", "happy", "angry"])
    assert list(found) == ["angry", "happy", "sad"]
    assert np.isnan(found.pop("angry"))
    assert found == {"happy": 4.0, "sad": 1.0}


# --- memorisation


def test_nearest_distance_worked_by_hand():
    nearest = compute_nearest_distance([[0.0, 0.0], [5.0, 5.0]], [[3.0, 4.0], [5.0, 5.0]])
    assert nearest.tolist() == [5.0, 0.0]


def test_a_copy_is_told_from_a_near_neighbour():
    # squares and products of such numbers have errors of about 1e-2
    training = 1e6 + draw(1, 10)
    nearest = compute_nearest_distance(training + 1e-6, training)
    assert nearest == pytest.approx(2e-6, rel=1e-3)
    assert not compute_nearest_distance(training, training).any()


def test_memorisation_is_one_for_new_points_and_low_for_copies():
    training, held_out, fresh = draw(1, 300), draw(2, 300), draw(3, 300)
    assert compute_memorisation(fresh, held_out, training) == pytest.approx(1, abs=0.1)
    assert compute_memorisation(training, held_out, training) == 0
    near = training + 0.01 * draw(4, 300)
    assert compute_memorisation(near, held_out, training) < 0.05


def test_memorisation_worked_by_hand():
    # nearest distances 1, 2, 6 against 3, 5: medians 2 and 4
    assert compute_memorisation([[1.0], [2.0], [6.0]], [[-3.0], [-5.0]], [[0.0]]) == 0.5


def test_held_out_points_that_were_trained_on_are_refused():
    training = draw(1, 20)
    with pytest.raises(ConfigError, match="Split by subject"):
        compute_memorisation(draw(2, 20), training[:5], training)


# --- intervals


@pytest.mark.parametrize("method", distributions.RESAMPLINGS)
def test_interval_of_a_mean_is_about_the_normal_one(method):
    values = draw(1, 200, d=1)
    low, high = resample_interval(np.mean, values, n_resamples=4000, method=method)
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.012)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_a_subsample_does_not_set_the_width(share):
    values = draw(1, 200, d=1)
    low, high = resample_interval(np.mean, values, n_resamples=4000, share=share)
    assert high - low == pytest.approx(2 * 1.96 * values.std(ddof=1) / np.sqrt(200), rel=0.06)


def test_two_sets_are_resampled_independently():
    a, b = draw(1, 100, d=1), draw(2, 400, d=1)
    low, high = resample_interval(
        lambda x, y: x.mean() - y.mean(), a, b, n_resamples=3000, method="subsample"
    )
    assert (high - low) / 3.92 == pytest.approx(np.hypot(0.1, 0.05), rel=0.15)


@pytest.mark.parametrize("method", distributions.RESAMPLINGS)
def test_gaits_that_agree_within_a_subject_widen_the_interval(method):
    once = draw(1, 40, d=1)
    subjects = np.repeat([f"s{i}" for i in range(40)], 10)
    options = {"n_resamples": 2000, "method": method}
    low, high = resample_interval(np.mean, once, **options)
    again = resample_interval(np.mean, np.repeat(once, 10, axis=0), groups=[subjects], **options)
    assert again == pytest.approx((low, high), abs=0.06)


def test_groups_are_drawn_whole():
    groups = np.array([3, 1, 3, 2, 1, 3, 4])
    drawn = []

    def count(rows):
        drawn.append(rows)
        return 0.0

    resample_interval(count, np.arange(7), groups=[groups], n_resamples=50)
    for rows in drawn:
        chosen = np.isin(groups, groups[rows])
        assert sorted(rows) == np.flatnonzero(chosen).tolist()
    assert {len(set(groups[rows])) for rows in drawn[:50]} == {2}


def test_a_bootstrap_misses_coverage_and_a_subsample_does_not():
    # the truth is what coverage is on average for so many points, of these distributions
    truth = np.mean([measure_coverage(draw(i, 100), draw(i + 500, 100)) for i in range(80)])
    hits = {"subsample": 0, "bootstrap": 0}
    for i in range(20):
        real, synthetic = draw(i, 100), draw(i + 500, 100)
        for method in hits:
            low, high = resample_interval(
                measure_coverage, real, synthetic, n_resamples=60, seed=i, method=method
            )
            hits[method] += low <= truth <= high
    assert hits["subsample"] >= 17
    assert hits["bootstrap"] <= 3


def test_interval_depends_on_its_seed_alone_and_stays_within_its_limits():
    real, synthetic = draw(1, 40), draw(2, 40)
    first, again, other = (
        resample_interval(
            measure_coverage, real, synthetic, seed=seed, n_resamples=40, limits=(0, 1)
        )
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 0 <= first[0] <= measure_coverage(real, synthetic) <= first[1] <= 1


def test_one_group_says_nothing_of_others():
    values = draw(1, 5)
    assert resample_interval(np.mean, values, groups=[["a"] * 5], limits=(0, 1)) == (0, 1)
    assert resample_interval(np.mean, values[:1]) == (-np.inf, np.inf)


def test_indices_keep_points_and_labels_together():
    points = draw(1, 60)
    labels = np.where(points[:, 0] > 0, "happy", "sad")

    def compute(rows):
        assert ((points[rows, 0] > 0) == (labels[rows] == "happy")).all()
        return compute_class_diversity(points[rows], labels[rows])["happy"]

    low, high = resample_interval(compute, np.arange(60), n_resamples=30)
    assert low < compute(np.arange(60)) < high


# --- bad input

PAIRS = {
    "frechet": compute_frechet_distance,
    "overlap": compute_overlap,
    "nearest": compute_nearest_distance,
    "diversity": lambda points, _: compute_diversity(points),
    "memorisation": lambda points, training: compute_memorisation(points, points, training),
}
BAD = {
    "empty": np.empty((0, 4)),
    "no columns": np.empty((9, 0)),
    "one axis": np.ones(9),
    "three axes": np.ones((9, 4, 2)),
    "NaN": np.where(np.eye(9, 4) > 0, np.nan, 1.0),
    "infinity": np.where(np.eye(9, 4) > 0, np.inf, 1.0),
    "words": [["a", "b"]] * 9,
    "ragged": [[1.0, 2.0], [1.0]],
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", PAIRS)
def test_bad_points_are_refused_in_one_line(name, bad):
    with pytest.raises(ShapeError) as error:
        PAIRS[name](BAD[bad], draw(1, 9))
    assert "\n" not in str(error.value)
    if name != "diversity":
        with pytest.raises(ShapeError):
            PAIRS[name](draw(1, 9), BAD[bad])


@pytest.mark.parametrize("name", sorted(set(PAIRS) - {"diversity"}))
def test_other_columns_are_refused(name):
    with pytest.raises(ShapeError, match=r"4 columns, .* 3; expected the same"):
        PAIRS[name](draw(1, 9), draw(1, 9, d=3))


def test_too_few_points_are_refused():
    with pytest.raises(ShapeError, match="real: 5 points; expected at least 6"):
        compute_overlap(draw(1, 5), draw(2, 6))
    with pytest.raises(ShapeError, match="synthetic: 3 points; expected at least 4"):
        compute_overlap(draw(1, 9), draw(2, 3), k=3)
    with pytest.raises(ShapeError, match="b: 1 points; expected at least 2"):
        compute_frechet_distance(draw(1, 5), draw(2, 1))
    with pytest.raises(ShapeError, match="points: 1 points"):
        compute_diversity(draw(1, 1))


@pytest.mark.parametrize("k", [0, -1, 2.5, float("nan")])
def test_impossible_k_is_refused(k):
    with pytest.raises(ConfigError, match="k is"):
        compute_overlap(draw(1, 9), draw(2, 9), k=k)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(LabelError, match="expected one for each"):
        compute_class_diversity(draw(1, 3), ["sad", "happy"])


@pytest.mark.parametrize(
    "options",
    [
        {"confidence": 0.0},
        {"confidence": 95.0},
        {"share": 1.0},
        {"n_resamples": 0},
        {"method": "jackknife"},
        {"limits": (1, 0)},
        {"limits": (float("nan"), 1)},
    ],
)
def test_impossible_options_of_an_interval_are_refused(options):
    with pytest.raises(ConfigError):
        resample_interval(np.mean, draw(1, 9), **options)


def test_arrays_and_groups_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="at least one array"):
        resample_interval(np.mean)
    with pytest.raises(ShapeError, match="groups for 2"):
        resample_interval(np.mean, draw(1, 9), groups=[None, None])
    with pytest.raises(ShapeError, match="one for each"):
        resample_interval(np.mean, draw(1, 9), groups=[["a", "b"]])
    with pytest.raises(ShapeError, match="array 0 has shape"):
        resample_interval(np.mean, np.empty((0, 3)))
    with pytest.raises(ShapeError, match="NaN in 200 of 200"):
        resample_interval(lambda _: float("nan"), draw(1, 9))
