"""What every model must do, whatever it is made of."""

import pickle
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.base import clone

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.gait import GaitSet
from moodwalk.models.catalogue import MODELS, check_model
from moodwalk.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from moodwalk.models.classic import CLASSIC
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.layers import ChannelNorm
from moodwalk.models.stgcn import Stgcn
from moodwalk.training import compute_logits
from moodwalk.walker import simulate_walks

N_PARAMETERS = {
    "step": 729_530,
    "step-layer-1": 1_050_298,
    "step-layer-1-1": 810_426,
    "step-layer-2": 1_371_066,
    "step-channel-1": 1_674_490,
    "step-channel-2": 5_732_666,
    "step-channel-3": 1_999_546,
    "step-node-concat": 738_970,
    "step-node-weights": 729_562,
    "step-concat": 738_938,
    "step-body": 729_530,
    "step-real-only": 716_292,
}
CHEAP = {"random-forest": {"n_estimators": 20}, "extra-trees": {"n_estimators": 20}}
# A bias before a batch normalisation changes nothing in training: it is only folded into the
# running mean, and gets no gradient.
FOLDED = ("temporal.bias", "shortcut.bias")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=4, gaits_per_subject=4, seed=1, n_frames=19)


def make(name, seed=0, form="auto"):
    torch.manual_seed(seed)
    return Stgcn(STGCN_MODELS[name], form=form)


def draw_inputs(name, n=3, n_frames=19, seed=0):
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(n, n_frames, 16, 3, generator=generator)
    n_affective = STGCN_MODELS[name].n_affective
    affective = torch.randn(n, n_affective, generator=generator) if n_affective else None
    return positions, affective


def only(inputs, i):
    return [None if array is None else array[i : i + 1] for array in inputs]


@cache
def make_settled(name):
    """A network in evaluation mode, with the statistics of one batch.

    Without them an untrained network answers with next to nothing, and all comparisons hold.
    """
    network = make(name)
    for module in network.modules():
        if isinstance(module, ChannelNorm):
            module.momentum = 1.0
    with torch.no_grad():
        network(*draw_inputs(name, n=6, seed=5))
    return network.eval()


@torch.inference_mode()
def answer(network, inputs):
    return network(*inputs)


def assert_same(found, expected, tolerance=1e-5):
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


def test_every_model_is_covered_here():
    assert set(MODELS) == set(STGCN_MODELS) | set(CLASSIC)
    assert len(MODELS) == len(set(MODELS)) == len(STGCN_MODELS) + len(CLASSIC)
    assert set(N_PARAMETERS) == set(STGCN_MODELS)
    for name in MODELS:
        assert check_model(name) == name
    with pytest.raises(ConfigError, match=r"'gru' is no model; expected one of step, .*majority"):
        check_model("gru")


@pytest.mark.parametrize("name", STGCN_MODELS)
class TestNetworks:
    def test_any_number_of_frames_and_gaits(self, name):
        network = make_settled(name)
        for n_frames in (1, 4, 19, 38, 75, 240):
            for n in (1, 3):
                logits = answer(network, draw_inputs(name, n, n_frames))
                assert logits.shape == (n, 4)
                assert torch.isfinite(logits).all()

    def test_gradients_reach_every_parameter(self, name):
        network = make(name)
        logits = network(*draw_inputs(name, n=2))
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
        silent = {k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()}
        assert silent == {k for k, _ in network.named_parameters() if k.endswith(FOLDED)}

    def test_gradients_reach_every_parameter_and_the_input_in_evaluation_mode(self, name):
        network = make(name).eval()
        network.load_state_dict(make_settled(name).state_dict())
        positions, affective = draw_inputs(name, n=1)
        logits = network(positions.requires_grad_(), affective)
        torch.nn.functional.cross_entropy(logits, torch.tensor([1])).backward()
        assert [k for k, p in network.named_parameters() if p.grad is None] == []
        assert positions.grad.abs().sum(dim=(0, 3)).all()  # every joint in every frame

    def test_gaits_do_not_influence_each_other_in_evaluation_mode(self, name):
        network, inputs = make_settled(name), draw_inputs(name)
        before = answer(network, inputs)
        others = [None if a is None else a.clone() for a in inputs]
        for array in others:
            if array is not None:
                array[1] = 100 * array[1] + 7
        after = answer(network, others)
        assert_same(after[[0, 2]], before[[0, 2]])
        assert not torch.allclose(after[1], before[1], rtol=0.01)

    def test_a_gait_alone_is_answered_as_in_a_batch(self, name):
        network, inputs = make_settled(name), draw_inputs(name)
        together = answer(network, inputs)
        for i in range(3):
            assert_same(answer(network, only(inputs, i)), together[i : i + 1])

    def test_both_forms_of_convolution_answer_and_learn_the_same(self, name):
        inputs = draw_inputs(name, n_frames=40)
        found = []
        for form in ("direct", "frequency"):
            network = make(name, form=form)
            network.load_state_dict(make_settled(name).state_dict())
            logits = answer(network.eval(), inputs)
            (logits_grad,) = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
            network(*inputs).backward(logits_grad)
            found.append((logits, *(b.temporal.weight.grad for b in network.blocks)))
        direct, frequency = found
        assert_same(frequency[0], direct[0])
        for one, other in zip(frequency[1:], direct[1:], strict=True):
            assert_same(one, other, 1e-4)  # a ReLU at the edge may let one value pass or not

    def test_a_seed_decides_the_weights(self, name):
        state, again, other = (make(name, seed).state_dict() for seed in (3, 3, 4))
        assert all(torch.equal(state[k], again[k]) for k in state)
        assert not torch.equal(state["classes.weight"], other["classes.weight"])

    def test_answers_and_gradients_repeat_bit_for_bit(self, name):
        runs = []
        for _ in range(2):
            network = make(name)
            network(*draw_inputs(name)).square().sum().backward()
            runs.append([p.grad for p in network.parameters() if p.grad is not None])
        assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))

    def test_weights_that_are_written_and_read_answer_the_same(self, name, gaits, tmp_path):
        network, inputs = make_settled(name), draw_inputs(name)
        config = network.config
        encoder = GaitEncoder.fit(
            gaits,
            n_affective=config.n_affective,
            root_relative=config.root_relative,
            body_form=config.body_form,
        )
        path = tmp_path / "weights.safetensors"
        write_checkpoint(path, Checkpoint.from_network(network, EMOTIONS, encoder, name))
        restored = read_checkpoint(path)
        assert restored.network.config == config
        assert torch.equal(answer(restored.network, inputs), answer(network, inputs))

    @pytest.mark.parametrize("n_frames", [1, 19, 60])
    def test_answers_without_pytorch_are_the_networks(self, name, gaits, n_frames):
        network = make_settled(name)
        config = network.config
        encoder = GaitEncoder.fit(
            gaits,
            n_affective=config.n_affective,
            root_relative=config.root_relative,
            body_form=config.body_form,
            n_frames=n_frames,
        )
        checkpoint = Checkpoint.from_network(network, EMOTIONS, encoder, name)
        found = checkpoint.compute_logits(gaits)
        wanted = compute_logits(network, encoder, gaits)
        assert np.ptp(wanted, axis=0).min() > 1e-3  # gaits differ, so agreement says something
        np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(wanted).max())
        alone = checkpoint.compute_logits(gaits[3:4])
        np.testing.assert_allclose(alone, found[3:4], atol=1e-5 * np.abs(wanted).max())

    def test_arrays_are_listed_as_the_network_has_them(self, name):
        shapes = STGCN_MODELS[name].list_shapes(4)
        assert shapes == {k: tuple(v.shape) for k, v in make(name).state_dict().items()}

    def test_the_number_of_parameters_is_that_of_the_published_description(self, name):
        config = STGCN_MODELS[name]
        total, n_in = 2 * 48, 3
        for i, (n, stride) in enumerate(config.blocks):
            graph = 3 * (n_in * n + n) + 3 * 16 * 16
            total += graph + 2 * n + (75 * n * n + n) + 2 * n
            if (i or config.first_residual) and (n != n_in or stride != 1):
                total += n_in * n + n + 2 * n
            n_in = n
        n_head = sum(n for n, _ in config.blocks) if config.concatenate else n_in
        if name == "step-real-only":
            total += 4 * n_head + 4
        else:
            n_head += 27
            total += 2 * n_head + 96 * n_head + 96 + 4 * 96 + 4
        total += 16 * (len(config.blocks) - 1) * config.node_weights
        assert sum(p.numel() for p in make(name).parameters()) == total == N_PARAMETERS[name]


@pytest.mark.parametrize("name", MODELS)
class TestEstimators:
    def fit(self, name, gaits, **options):
        model = GaitEmotionClassifier(
            name, model_params=CHEAP.get(name), epochs=1, n_frames=12, **options
        )
        return model.fit(gaits)

    def test_probabilities_are_those_of_the_sorted_classes(self, name, gaits):
        model = self.fit(name, gaits)
        probabilities = model.predict_proba(gaits[:5])
        assert model.classes_.tolist() == ["angry", "happy", "neutral", "sad"]
        assert probabilities.shape == (5, 4)
        assert probabilities.dtype == np.float64
        assert (probabilities >= 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
        expected = model.classes_[probabilities.argmax(axis=1)]
        np.testing.assert_array_equal(model.predict(gaits[:5]), expected)

    def test_a_pickled_model_answers_the_same(self, name, gaits):
        model = self.fit(name, gaits)
        restored = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(restored.predict_proba(gaits), model.predict_proba(gaits))
        assert restored.get_params() == model.get_params()

    def test_a_clone_fits_to_the_same_answers(self, name, gaits):
        model = self.fit(name, gaits, seed=3)
        twin = clone(model)
        assert not hasattr(twin, "classes_")
        twin.fit(list(gaits), gaits.labels)
        np.testing.assert_array_equal(twin.predict_proba(gaits), model.predict_proba(gaits))

    def test_gaits_do_not_influence_each_other(self, name, gaits):
        model = self.fit(name, gaits)
        together = model.predict_proba(gaits)
        alone = [model.predict_proba(GaitSet([gaits[i]]))[0] for i in (0, 7)]
        np.testing.assert_allclose(alone, together[[0, 7]], atol=1e-5)
