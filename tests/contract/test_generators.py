"""What every generator must do, whatever it is made of."""

from functools import cache

import numpy as np
import pytest
import torch

from moodwalk.emotion import EMOTIONS
from moodwalk.experiments.config import TrainingOptions
from moodwalk.generation.generator import GENERATORS, GaitGenerator, GeneratorSpec
from moodwalk.walker import simulate_walks

TINY = {"epochs": 1, "batch_size": 12}
SMALL = {"encoder": (8, 4), "decoder": (4, 8), "n_latent": 3, "kernel": 9}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def make_walks():
    return simulate_walks(n_subjects=3, gaits_per_subject=4, seed=1)


@pytest.fixture(scope="module")
def walks():
    return make_walks()


def fit(name, walks):
    learns = GENERATORS[name].training is not None
    options = {"config": SMALL, "training": TINY} if learns else {}
    return GaitGenerator.fit(name, walks, **options)


@cache
def fit_once(name):
    return fit(name, make_walks())


def get_positions(gaits):
    return np.stack([gait.positions for gait in gaits])


def test_every_generator_has_a_title_and_can_be_used_in_an_experiment():
    for name, spec in GENERATORS.items():
        assert isinstance(spec, GeneratorSpec)
        assert spec.title
        assert TrainingOptions(synthetic=1, generator=name).generator == name


@pytest.mark.parametrize("name", GENERATORS)
class TestGenerators:
    @pytest.fixture
    def generator(self, name):
        return fit_once(name)

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_makes_gaits_of_every_emotion(self, generator, name, emotion):
        gaits = generator.generate(3, emotion)
        assert generator.model == name
        assert gaits.labels.tolist() == [str(emotion)] * 3
        assert get_positions(gaits).shape == (3, 75, 16, 3)
        assert np.isfinite(get_positions(gaits)).all()
        assert all(gait.synthetic and gait.source == name for gait in gaits)

    def test_emotions_differ_in_more_than_their_names(self, generator, name):
        sad, angry = (get_positions(generator.generate(2, e, seed=4)) for e in ("sad", "angry"))
        assert np.abs(sad - angry).max() > 1e-6  # of networks that have hardly learned

    def test_a_training_and_its_gaits_repeat_and_leave_all_else_alone(self, generator, name, walks):
        before = [gait.positions.copy() for gait in walks]
        torch.manual_seed(3)
        expected = torch.rand(2)
        torch.manual_seed(3)
        again = fit(name, walks)
        one, other = (get_positions(g.generate(3, seed=6)) for g in (generator, again))
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, get_positions(generator.generate(3, seed=7)))
        assert torch.equal(torch.rand(2), expected)
        for gait, positions in zip(walks, before, strict=True):
            np.testing.assert_array_equal(gait.positions, positions)

    def test_what_is_written_and_read_makes_the_same_gaits(self, generator, name, tmp_path):
        path = tmp_path / "weights.safetensors"
        generator.save(path, {"n": 12})
        loaded = GaitGenerator.load(path)
        assert (loaded.model, loaded.classes, loaded.card) == (name, EMOTIONS, {"n": 12})
        np.testing.assert_array_equal(
            get_positions(loaded.generate(3)), get_positions(generator.generate(3))
        )

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_restyles_a_walk_to_every_emotion(self, generator, name, walks, emotion):
        for gait in walks[:2]:
            before = gait.positions.copy()
            restyled = generator.restyle(gait, emotion)
            assert restyled.label == emotion
            assert restyled.synthetic
            assert restyled.subject == gait.subject
            assert np.isfinite(restyled.positions).all()
            np.testing.assert_array_equal(gait.positions, before)
            again = generator.restyle(gait, emotion)
            np.testing.assert_array_equal(restyled.positions, again.positions)
