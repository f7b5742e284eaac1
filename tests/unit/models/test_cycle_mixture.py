"""The mixture of gait cycles: it has the moments of its training walks, and holds none of them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from moodwalk.errors import ConfigError, QualityError, ShapeError
from moodwalk.harmonics import fit_cycle
from moodwalk.models.cycle_mixture import CycleMixture, CycleMixtureConfig
from moodwalk.walker import simulate_walks

CONFIG = CycleMixtureConfig()
NAMES = [field.name for field in fields(CycleMixture)]


class Training:
    """Cycles, their emotions, and the mixture of them."""

    def __init__(self, gaits):
        self.cycles, labels = [], []
        for gait in gaits:
            try:
                self.cycles.append(fit_cycle(gait))
            except QualityError:
                continue
            labels.append(str(gait.label))
        self.labels = np.array(labels)
        self.classes = np.unique(self.labels)
        self.shares = (self.labels[:, None] == self.classes).astype(np.float64)
        self.mixture = CycleMixture.fit(self.cycles, self.shares, CONFIG, seed=0)

    def of(self, emotion):
        return [c for c, label in zip(self.cycles, self.labels, strict=True) if label == emotion]

    def draw(self, emotion, n=1000, seed=0, **options):
        shares = np.tile((self.classes == emotion).astype(np.float64), (n, 1))
        rng = np.random.default_rng(seed)
        return self.mixture.draw(shares, rng, **({"turn": True} | options))


@pytest.fixture(scope="module")
def simulated():
    return Training(simulate_walks(n_subjects=24, gaits_per_subject=8, seed=1))


@pytest.fixture(scope="module")
def real(real_gaits):
    return Training(real_gaits)


@pytest.fixture(params=["simulated", "real"])
def training(request):
    return request.getfixturevalue(request.param)


def get_sizes(cycles):
    """Return (n, 16): logarithms of bone lengths and period."""
    return np.log([[*cycle.bones, cycle.period_s] for cycle in cycles])


def get_waves(cycles):
    return np.stack([cycle.waves.ravel() for cycle in cycles])


def weigh(cycles, mixture):
    """Return (n, 765): what the components are components of, around the average."""
    lengths = np.exp(mixture.sizes[:15])
    weight = np.broadcast_to(
        (lengths * np.sqrt([9, 8, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1, 3, 2, 1]))[:, None],
        (17, 15, 3),
    )
    return get_waves(cycles) * weight.ravel() - mixture.movement


def compute_gap_of_means(drawn, own):
    """Return how far apart two means lie, in standard deviations of the second set."""
    return np.abs(drawn.mean(axis=0) - own.mean(axis=0)) / own.std(axis=0)


EMOTIONS = ["angry", "happy", "neutral", "sad"]


class TestDrawing:
    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_simulated_walkers_have_the_sizes_of_training(self, simulated, emotion):
        drawn, own = (
            get_sizes(cycles) for cycles in (simulated.draw(emotion), simulated.of(emotion))
        )
        assert compute_gap_of_means(drawn, own).max() < 0.2
        ratio = drawn.std(axis=0) / own.std(axis=0)
        assert ratio.min() > 0.75
        assert ratio.max() < 1.5

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_real_walkers_have_the_sizes_of_training(self, real, emotion):
        drawn, own = get_sizes(real.draw(emotion)), get_sizes(real.of(emotion))
        assert compute_gap_of_means(drawn, own).max() < 0.15
        ratio = drawn.std(axis=0) / own.std(axis=0)
        assert ratio.min() > 0.7
        assert ratio.max() < 1.6

    def test_bones_vary_together_as_in_training(self, training):
        for emotion in EMOTIONS:
            drawn, own = (
                np.corrcoef(get_sizes(cycles), rowvar=False)
                for cycles in (training.draw(emotion), training.of(emotion))
            )
            assert np.abs(drawn - own).mean() < 0.2

    def test_movement_has_the_mean_and_spread_of_training(self, training):
        for emotion in EMOTIONS:
            drawn, own = get_waves(training.draw(emotion)), get_waves(training.of(emotion))
            spread = np.sqrt(own.var(axis=0).sum())
            assert np.linalg.norm(drawn.mean(axis=0) - own.mean(axis=0)) < 0.2 * spread
            assert np.sqrt(drawn.var(axis=0).sum()) == pytest.approx(spread, rel=0.15)

    def test_emotions_differ_more_than_draws_do(self, training):
        sad, again, angry = (
            get_waves(training.draw(emotion, seed=seed)).mean(axis=0)
            for emotion, seed in (("sad", 0), ("sad", 1), ("angry", 2))
        )
        assert np.linalg.norm(sad - angry) > 3 * np.linalg.norm(sad - again)

    def test_as_many_face_away_as_in_training_or_none(self, real):
        for emotion in EMOTIONS:
            own = np.mean([cycle.turned for cycle in real.of(emotion)])
            drawn = np.mean([cycle.turned for cycle in real.draw(emotion)])
            assert drawn == pytest.approx(own, abs=0.08)
            assert not any(cycle.turned for cycle in real.draw(emotion, turn=False))

    def test_nobody_faces_away_where_nobody_did(self, simulated):
        assert not any(cycle.turned for cycle in simulated.draw("happy"))

    def test_walks_begin_anywhere_in_the_cycle(self, simulated):
        phases = np.array([cycle.phase for cycle in simulated.draw("sad")])
        assert np.histogram(phases, 4, (0, 1))[0].min() > 200
        assert 0 <= phases.min() < phases.max() < 1

    def test_a_seed_repeats_and_another_does_not(self, simulated):
        one, again, other = (simulated.draw("sad", n=3, seed=seed) for seed in (4, 4, 5))
        np.testing.assert_array_equal(get_waves(one), get_waves(again))
        np.testing.assert_array_equal(get_sizes(one), get_sizes(again))
        assert not np.allclose(get_waves(one), get_waves(other), atol=1e-3)

    def test_the_same_random_numbers_are_used_whatever_is_asked_for(self, real):
        for shares in (np.eye(4), np.full((4, 4), 0.25)):
            left = []
            for turn in (True, False):
                rng = np.random.default_rng(0)
                real.mixture.draw(shares, rng, turn=turn)
                left.append(rng.random())
            assert left[0] == left[1]

    def test_half_of_two_emotions_lies_between_them(self, simulated):
        rows = {"angry": [1, 0, 0, 0], "sad": [0, 0, 0, 1], "both": [0.5, 0, 0, 0.5]}
        period = {
            name: np.mean(
                get_sizes(
                    simulated.mixture.draw(
                        np.tile(np.array(row, dtype=float), (500, 1)),
                        np.random.default_rng(0),
                        turn=False,
                    )
                )[:, 15]
            )
            for name, row in rows.items()
        }
        assert period["angry"] + 0.1 < period["both"] < period["sad"] - 0.1


class TestChanging:
    def test_no_difference_changes_nothing(self, training):
        for cycle in training.cycles[:5]:
            waves, period_s = training.mixture.change(cycle, np.zeros(4))
            np.testing.assert_array_equal(waves, cycle.waves)
            assert period_s == cycle.period_s

    def test_there_and_back_is_the_same_cycle(self, training):
        difference = np.array([1.0, 0, 0, -1])
        cycle = training.cycles[7]
        waves, period_s = training.mixture.change(cycle, difference)
        changed = replace(cycle, waves=waves, period_s=period_s)
        back, back_s = training.mixture.change(changed, -difference)
        np.testing.assert_allclose(back, cycle.waves, atol=1e-9)
        assert back_s == pytest.approx(cycle.period_s)
        assert np.abs(waves - cycle.waves).max() > 0.01

    def test_size_does_not_matter(self, training):
        cycle = training.cycles[3]
        difference = np.array([0.0, 1, 0, -1])
        waves, period_s = training.mixture.change(cycle, difference)
        grown, grown_s = training.mixture.change(replace(cycle, bones=2 * cycle.bones), difference)
        np.testing.assert_allclose(grown, waves, atol=1e-9)
        assert grown_s == pytest.approx(period_s)

    def test_the_angry_walk_faster_than_the_sad(self, training):
        for cycle in training.cycles[:5]:
            _, slower = training.mixture.change(cycle, np.array([-1.0, 0, 0, 1]))
            assert slower > cycle.period_s


class TestFitting:
    def test_a_seed_repeats(self, simulated):
        again = CycleMixture.fit(simulated.cycles, simulated.shares, CONFIG, seed=0)
        for name, array in again.to_arrays().items():
            np.testing.assert_array_equal(array, simulated.mixture.to_arrays()[name], name)

    def test_the_average_cycle_is_that_of_training(self, training):
        sizes = get_sizes(training.cycles)
        np.testing.assert_allclose(training.mixture.sizes[:16], sizes.mean(axis=0))
        np.testing.assert_allclose(training.mixture.mean_bones, np.exp(sizes[:, :15].mean(axis=0)))
        away = weigh(training.cycles, training.mixture)
        np.testing.assert_allclose(away.mean(axis=0), 0, atol=1e-9)
        components = training.mixture.components
        np.testing.assert_allclose(components @ components.T, np.eye(160), atol=1e-9)

    def test_one_walk_far_from_all_others_makes_no_cluster(self):
        walks = list(simulate_walks(n_subjects=30, gaits_per_subject=4, seed=1))
        walks[7] = walks[7].with_positions(20 * walks[7].positions)  # in other units
        cycles = [fit_cycle(walk) for walk in walks]
        mixture = CycleMixture.fit(cycles, np.ones((len(cycles), 1)), CONFIG, seed=0)
        assert (mixture.shares * (len(cycles) + 1) > 19).all()

    def test_no_training_walk_lies_in_the_weights(self, training):
        """Clusters lie as far from every walk as walks from each other, and no component is a walk."""
        mixture = training.mixture
        found = weigh(training.cycles, mixture)
        assert 1 < len(mixture.means) <= 6
        n = CONFIG.n_components
        values = found @ mixture.components[:n].T / mixture.spread[:n]
        told = np.column_stack([training.shares, [cycle.turned for cycle in training.cycles]])
        values -= (told @ mixture.effects)[:, :n]
        between = cdist(values, values)
        np.fill_diagonal(between, np.inf)
        usual = np.median(between.min(axis=1))
        assert cdist(mixture.means[:, :n], values).min() > 0.5 * usual
        directions = found / np.linalg.norm(found, axis=1, keepdims=True)
        assert np.abs(mixture.components @ directions.T).max() < 0.98

    def test_every_cluster_has_gaits_enough(self, simulated):
        few = CycleMixture.fit(simulated.cycles[:39], simulated.shares[:39], CONFIG, seed=0)
        assert len(few.means) == 1
        one = CycleMixture.fit(
            simulated.cycles, simulated.shares, CycleMixtureConfig(n_clusters=1), seed=0
        )
        assert len(one.means) == 1

    def test_the_shares_of_clusters_sum_to_one(self, training):
        np.testing.assert_allclose(training.mixture.shares.sum(axis=1), 1)

    def test_one_emotion_only(self, simulated):
        cycles = simulated.of("sad")
        mixture = CycleMixture.fit(cycles, np.ones((len(cycles), 1)), CONFIG, seed=0)
        assert mixture.n_classes == 1
        drawn = mixture.draw(np.ones((500, 1)), np.random.default_rng(0), turn=False)
        assert compute_gap_of_means(get_sizes(drawn), get_sizes(cycles)).max() < 0.2
        np.testing.assert_array_equal(mixture.change(cycles[0], np.zeros(1))[0], cycles[0].waves)

    def test_walks_that_all_face_away_are_like_walks_that_do_not(self, simulated):
        away = [replace(cycle, turned=True) for cycle in simulated.cycles]
        mixture = CycleMixture.fit(away, simulated.shares, CONFIG, seed=0)
        for turn in (True, False):
            drawn = mixture.draw(np.tile(np.eye(4), (200, 1)), np.random.default_rng(0), turn=turn)
            assert all(cycle.turned == turn for cycle in drawn)
            assert compute_gap_of_means(get_sizes(drawn), get_sizes(away)).max() < 0.2

    @pytest.mark.parametrize("n", [0, 11])
    def test_few_cycles_are_refused(self, simulated, n):
        with pytest.raises(ConfigError, match=f"{n} gait cycles; expected at least 12 to train on"):
            CycleMixture.fit(simulated.cycles[:n], simulated.shares[:n], CONFIG, seed=0)

    def test_twelve_cycles_are_enough(self, simulated):
        mixture = CycleMixture.fit(simulated.cycles[:12], simulated.shares[:12], CONFIG, seed=0)
        drawn = mixture.draw(np.eye(4), np.random.default_rng(0), turn=False)
        assert np.isfinite(get_waves(drawn)).all()

    def test_copies_of_one_walk_are_refused(self, simulated):
        with pytest.raises(ConfigError), np.errstate(all="ignore"):
            CycleMixture.fit(simulated.cycles[:1] * 20, np.ones((20, 1)), CONFIG, seed=0)

    @pytest.mark.parametrize(
        "change",
        [
            {"n_components": 0},
            {"n_texture": -1},
            {"n_clusters": 0},
            {"shrinkage": 0.0},
            {"shrinkage": float("nan")},
            {"shrinkage": float("inf")},
        ],
        ids=str,
    )
    def test_configurations_that_make_no_sense_are_refused(self, change):
        with pytest.raises(ConfigError, match="expected positive numbers"):
            CycleMixtureConfig(**change)

    def test_a_configuration_goes_through_its_dictionary(self):
        config = CycleMixtureConfig(n_components=3, shrinkage=2.5)
        assert CycleMixtureConfig(**config.to_dict()) == config


class TestArrays:
    def test_a_mixture_goes_through_its_arrays(self, simulated):
        arrays = simulated.mixture.to_arrays()
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
        once = CycleMixture.from_arrays(arrays)
        for name in NAMES:
            np.testing.assert_allclose(
                getattr(once, name), getattr(simulated.mixture, name), rtol=1e-6, atol=1e-30
            )
            np.testing.assert_array_equal(once.to_arrays()[name], arrays[name])

    @pytest.mark.parametrize("name", NAMES)
    def test_arrays_of_another_shape_are_refused(self, simulated, name):
        arrays = simulated.mixture.to_arrays()
        for other in (arrays[name][:-1], arrays[name][..., :-1]):
            with pytest.raises(ShapeError, match=r"has shape \(.*\); expected \("):
                CycleMixture.from_arrays(arrays | {name: other})

    @pytest.mark.parametrize("name", NAMES)
    def test_arrays_with_an_axis_too_many_are_refused(self, simulated, name):
        arrays = simulated.mixture.to_arrays()
        with pytest.raises(ShapeError, match=r"has shape \(.*\); expected \("):
            CycleMixture.from_arrays(arrays | {name: arrays[name][..., None]})

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("name", NAMES)
    def test_numbers_that_are_none_are_refused(self, simulated, name, value):
        array = simulated.mixture.to_arrays()[name].copy()
        array.flat[-1] = value
        with pytest.raises(ShapeError, match=f"{name} holds NaN or infinity; expected finite"):
            CycleMixture.from_arrays(simulated.mixture.to_arrays() | {name: array})

    def test_arrays_that_are_missing_are_named(self, simulated):
        arrays = simulated.mixture.to_arrays()
        del arrays["roots"]
        with pytest.raises(KeyError, match="roots"):
            CycleMixture.from_arrays(arrays)
