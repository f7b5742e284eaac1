"""The loop that trains generators: what weighs when, which epoch is kept, and what repeats."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from moodwalk.errors import ConfigError
from moodwalk.generation.fitting import GeneratorTraining, fit_network
from moodwalk.models.cvae import Cvae, CvaeConfig, compute_divergence


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Trainings repeat bit for bit on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Small(nn.Module):
    """A variational autoencoder of six numbers, without running statistics."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.decoder = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 6))

    def compute_loss(self, numbers, divergence_weight):
        mean, log_variance = self.encoder(numbers).chunk(2, dim=1)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        error = (self.decoder(latent) - numbers).square().sum(dim=1).mean()
        return error + divergence_weight * compute_divergence(mean, log_variance)


def make_numbers(n, seed):
    numbers = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return (numbers + torch.tensor([3.0, 0, 0, 0, 0, -2]),)


@pytest.fixture(scope="module")
def arrays():
    return make_numbers(11, seed=1)


@pytest.fixture(scope="module")
def others():
    return make_numbers(30, seed=2)


class Run:
    """A training, and everything that could be seen of it."""

    def __init__(self, arrays, *, validation=None, seed=0, **options):
        torch.manual_seed(7)
        self.network = Small()
        self.epochs, self.weights, self.batches, self.states = [], [], [], []

        def compute_loss(numbers, *, divergence_weight):
            if self.network.training:
                self.weights.append(divergence_weight)
                self.batches.append(numbers)
            return self.network.compute_loss(numbers, divergence_weight)

        def note(epoch):
            self.epochs.append(epoch)
            self.states.append({k: v.clone() for k, v in self.network.state_dict().items()})

        fit_network(
            self.network,
            compute_loss,
            arrays,
            GeneratorTraining(**({"epochs": 3, "batch_size": 11} | options)),
            seed=seed,
            validation=validation,
            on_epoch=note,
        )

    @property
    def losses(self):
        return [record.validation_loss for record in self.epochs]

    def has_weights_of(self, epoch):
        state = self.states[epoch - 1]
        return all(torch.equal(v, state[k]) for k, v in self.network.state_dict().items())


LIVELY = {"learning_rate": 0.03, "epochs": 200}  # few numbers, learned by heart at last
STILL = {"learning_rate": 1e-30, "weight_decay": 0.0}


class TestWarmUp:
    def test_the_weight_of_the_prior_rises_to_its_full(self, arrays):
        run = Run(arrays, epochs=6, warm_up=4, divergence_weight=0.5)
        assert run.weights == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5])

    def test_without_it_all_weighs_from_the_start(self, arrays):
        assert Run(arrays, divergence_weight=0.3).weights == [0.3] * 3

    def test_validation_weighs_the_prior_in_full_from_the_start(self, arrays, others):
        """Of one and the same network, so that only the weight could tell them apart."""
        one, other = (Run(arrays, validation=others, warm_up=w, **STILL) for w in (0, 3))
        assert one.losses == other.losses
        assert one.epochs[0].train_loss > other.epochs[0].train_loss


class TestChoosingTheEpoch:
    def test_patience_keeps_the_lowest_validation_loss_and_stops(self, arrays, others):
        run = Run(arrays, validation=others, patience=3, **LIVELY)
        best = int(np.argmin(run.losses)) + 1
        assert len(run.epochs) == best + 3 < 200
        assert best > 1
        assert run.has_weights_of(best)
        assert not run.has_weights_of(len(run.epochs))

    def test_no_epoch_of_the_warm_up_is_kept(self, arrays, others):
        run = Run(
            arrays, validation=others, patience=3, **LIVELY, warm_up=100, divergence_weight=0.1
        )
        chosen = int(np.argmin(run.losses[99:])) + 100
        assert min(run.losses) < run.losses[chosen - 1]  # an epoch of the warm-up was better
        assert run.has_weights_of(chosen)
        assert len(run.epochs) == chosen + 3

    def test_a_warm_up_longer_than_the_training_leaves_the_last_epoch(self, arrays, others):
        run = Run(arrays, validation=others, warm_up=9, patience=1, epochs=4)
        assert len(run.epochs) == 4
        assert run.has_weights_of(4)

    @pytest.mark.parametrize("validated", [False, True])
    def test_without_patience_or_validation_the_last_epoch_is_kept(self, arrays, others, validated):
        options = {"validation": others} if validated else {"patience": 1}
        run = Run(arrays, epochs=5, **options)
        assert [record.epoch for record in run.epochs] == [1, 2, 3, 4, 5]
        assert run.has_weights_of(5)
        assert [math.isnan(loss) for loss in run.losses] == [not validated] * 5

    def test_validation_changes_nothing_of_what_is_learned(self, arrays, others):
        one, other = Run(arrays), Run(arrays, validation=others)
        assert one.has_weights_of(3)
        for name, value in one.states[2].items():
            assert torch.equal(other.states[2][name], value), name

    def test_validation_draws_are_the_same_in_every_epoch(self, arrays, others):
        one, other = (Run(arrays, validation=others, seed=seed, **STILL) for seed in (0, 1))
        assert one.losses[0] == one.losses[1] == one.losses[2] != other.losses[0]
        assert len({record.train_loss for record in one.epochs}) == 3


class TestSteps:
    def test_every_gait_is_seen_once_an_epoch_in_another_order(self, arrays):
        run = Run(arrays, batch_size=4)
        assert [len(batch) for batch in run.batches] == [4, 4, 3] * 3
        orders = [torch.cat(run.batches[i : i + 3])[:, 0].tolist() for i in (0, 3, 6)]
        assert all(sorted(order) == sorted(arrays[0][:, 0].tolist()) for order in orders)
        assert len({tuple(order) for order in orders}) == 3

    def test_the_loss_is_the_mean_over_gaits_though_batches_differ(self):
        records = []
        network = nn.Linear(1, 1)
        fit_network(
            network,
            lambda numbers, divergence_weight: numbers.mean() + 0 * network.bias.sum(),
            (torch.arange(11.0),),
            GeneratorTraining(epochs=1, batch_size=4),
            seed=0,
            on_epoch=records.append,
        )
        assert records[0].train_loss == pytest.approx(5.0)

    def test_several_arrays_keep_together(self):
        seen = []
        network = nn.Linear(1, 1)

        def compute_loss(one, other, divergence_weight):
            seen.append(torch.equal(other, 2 * one))
            return network.bias.sum()

        one = torch.arange(9.0)
        options = GeneratorTraining(epochs=2, batch_size=4)
        fit_network(network, compute_loss, (one, 2 * one), options, seed=0)
        assert seen == [True] * 6

    def test_training_learns(self, arrays, others):
        run = Run(arrays, validation=others, epochs=60, learning_rate=0.02)
        assert run.epochs[-1].train_loss < 0.6 * run.epochs[0].train_loss
        assert run.losses[-1] < 0.7 * run.losses[0]

    def test_step_gen_learns_in_it(self):
        torch.manual_seed(0)
        network = Cvae(CvaeConfig(encoder=(4, 3), decoder=(3,), n_latent=2, n_frames=6, kernel=3))
        losses = []
        fit_network(
            network,
            network.compute_loss,
            (torch.randn(8, 6, 16, 3), torch.eye(4).repeat(2, 1)),
            GeneratorTraining(epochs=15, learning_rate=0.02),
            seed=0,
            on_epoch=lambda record: losses.append(record.train_loss),
        )
        assert losses[-1] < 0.9 * losses[0]

    @pytest.mark.parametrize("optimizer", ["adam", "adamw"])
    def test_weight_decay_is_that_of_the_optimizer(self, optimizer):
        network = nn.Linear(1, 1, bias=False)
        network.weight.data.fill_(2.0)
        twin = nn.Linear(1, 1, bias=False)
        twin.weight.data.fill_(2.0)
        make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[optimizer]
        reference = make(twin.parameters(), lr=0.1, weight_decay=0.5)
        x = torch.tensor([[0.3]])
        fit_network(
            network,
            lambda x, divergence_weight: network(x).square().mean(),
            (x,),
            GeneratorTraining(2, optimizer=optimizer, learning_rate=0.1, weight_decay=0.5),
            seed=0,
        )
        for _ in range(2):
            reference.zero_grad()
            twin(x).square().mean().backward()
            reference.step()
        torch.testing.assert_close(network.weight, twin.weight)

    def test_the_network_is_left_in_evaluation_mode(self, arrays):
        assert not Run(arrays, epochs=1).network.training


class TestRepeating:
    def test_a_seed_repeats_whatever_was_drawn_before(self, arrays, others):
        one = Run(arrays, validation=others, seed=3)
        torch.rand(5)
        other = Run(arrays, validation=others, seed=3)
        assert one.epochs == other.epochs
        for name, value in one.network.state_dict().items():
            assert torch.equal(other.network.state_dict()[name], value), name

    def test_another_seed_gives_other_weights(self, arrays):
        one, other = (Run(arrays, seed=seed, batch_size=4) for seed in (0, 1))
        assert not torch.equal(one.network.encoder.weight, other.network.encoder.weight)

    def test_global_random_numbers_are_left_alone(self, arrays, others):
        torch.manual_seed(7)
        Small()
        expected = torch.rand(3)
        np.random.seed(5)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        Run(arrays, validation=others)  # which begins with the same seed and network
        assert torch.equal(torch.rand(3), expected)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"weight_decay": -0.1},
        {"divergence_weight": -1.0},
        {"warm_up": -1},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"weight_decay": float("nan")},
        {"divergence_weight": float("nan")},
        {"optimizer": "sgd"},
    ],
    ids=str,
)
def test_numbers_that_make_no_training_are_refused(change):
    with pytest.raises(ConfigError, match="expected"):
        GeneratorTraining(**({"epochs": 3} | change))
