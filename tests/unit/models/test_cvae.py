"""STEP-Gen's network and losses; that it is the published one, tests/golden holds."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.models.cvae import (
    Cvae,
    CvaeConfig,
    compute_displacement_loss,
    compute_divergence,
    compute_movement_loss,
)

SMALL = CvaeConfig(encoder=(4, 3), decoder=(3, 5), n_latent=2, n_frames=7, kernel=3)
# a bias before a batch normalisation is only folded into the running mean
FOLDED = ("temporal.bias", "shortcut.bias")
LOSSES = [compute_movement_loss, compute_displacement_loss]


def make(config=SMALL, n_classes=4, seed=0):
    torch.manual_seed(seed)
    return Cvae(config, n_classes)


def draw_inputs(n=3, n_frames=7, n_classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    positions = torch.randn(n, n_frames, 16, 3, generator=generator)
    emotions = torch.eye(n_classes)[torch.arange(n) % n_classes]
    return positions, emotions


def settle(network):
    """Return the network in evaluation mode with statistics that are no longer the initial ones."""
    with torch.no_grad():
        for seed in range(5):
            positions, emotions = draw_inputs(seed=seed)
            network.encode(positions, emotions)
            network.decode(torch.randn(3, 2), emotions)
    return network.eval()


class TestNetwork:
    @pytest.mark.parametrize("n", [1, 5])
    @pytest.mark.parametrize("n_classes", [1, 4])
    def test_shapes(self, n, n_classes):
        network = make(n_classes=n_classes).eval()
        positions, emotions = draw_inputs(n, 11, n_classes)
        mean, log_variance = network.encode(positions, emotions)  # of any length
        assert mean.shape == log_variance.shape == (n, 2)
        assert network.decode(mean, emotions).shape == (n, 7, 16, 3)

    def test_the_published_size(self):
        network = make(CvaeConfig())
        positions, emotions = draw_inputs(2, 75)
        with torch.no_grad():
            mean, _ = network.eval().encode(positions, emotions)
            assert mean.shape == (2, 32)
            assert network.decode(mean, emotions).shape == (2, 75, 16, 3)

    def test_gradients_reach_every_parameter(self):
        network = make()
        network.compute_loss(*draw_inputs()).backward()
        silent = {k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()}
        assert {k for k in silent if not k.endswith(FOLDED)} == set()

    def test_gradients_reach_every_input(self):
        network = settle(make())
        positions, emotions = draw_inputs(1)
        arrays = (positions.requires_grad_(), emotions.requires_grad_())
        mean, log_variance = network.encode(*arrays)
        (mean.square().sum() + log_variance.square().sum()).backward()
        assert positions.grad.abs().sum(dim=(0, 3)).all()  # every joint in every frame
        assert emotions.grad.all()

    def test_gaits_do_not_influence_each_other_in_evaluation_mode(self):
        network = settle(make())
        positions, emotions = draw_inputs()
        with torch.no_grad():
            together = network.encode(positions, emotions)[0]
            alone = network.encode(positions[1:2], emotions[1:2])[0]
            told = network.decode(together, emotions)
            torch.testing.assert_close(alone, together[1:2])
            torch.testing.assert_close(network.decode(alone, emotions[1:2]), told[1:2])

    def test_both_halves_are_told_the_emotion(self):
        network = settle(make())
        positions, emotions = draw_inputs()
        with torch.no_grad():
            mean, _ = network.encode(positions, emotions)
            assert not torch.allclose(network.encode(positions, emotions.roll(1, 0))[0], mean)
            one, other = (network.decode(mean, e) for e in (emotions, emotions.roll(1, 0)))
        assert not torch.allclose(one, other)

    @pytest.mark.parametrize(
        "shape", [(3, 7, 16), (3, 7, 15, 3), (3, 7, 16, 2), (0, 7, 16, 3), (3, 0, 16, 3)]
    )
    def test_positions_of_another_shape_are_refused(self, shape):
        with pytest.raises(ShapeError, match=r"positions have shape .*; expected \(N, T, 16, 3\)"):
            make().encode(torch.zeros(shape), torch.zeros(shape[0], 4))

    @pytest.mark.parametrize("shape", [(2, 4), (3, 3), (3,), (3, 4, 1)])
    def test_emotions_of_another_shape_are_refused(self, shape):
        with pytest.raises(ShapeError, match=r"emotions have shape .*; expected \(3, 4\)"):
            make().encode(draw_inputs()[0], torch.zeros(shape))
        with pytest.raises(ShapeError, match=r"emotions have shape .*; expected \(3, 4\)"):
            make().decode(torch.zeros(3, 2), torch.zeros(shape))

    @pytest.mark.parametrize("shape", [(3, 3), (3,), (3, 2, 1)])
    def test_latent_points_of_another_shape_are_refused(self, shape):
        with pytest.raises(ShapeError, match=r"latent points have shape .*; expected \(N, 2\)"):
            make().decode(torch.zeros(shape), torch.zeros(3, 4))


class TestConfig:
    @pytest.mark.parametrize(
        "change",
        [
            {"encoder": ()},
            {"decoder": ()},
            {"encoder": (4, 0)},
            {"decoder": (-1,)},
            {"n_latent": 0},
            {"n_frames": 0},
            {"kernel": 4},
            {"kernel": -1},
            {"partition": "radial"},
        ],
        ids=str,
    )
    def test_what_makes_no_network_is_refused(self, change):
        with pytest.raises(ConfigError, match="expected"):
            CvaeConfig(**change)

    def test_a_configuration_goes_through_its_dictionary(self):
        assert CvaeConfig(**SMALL.to_dict()) == SMALL
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in SMALL.to_dict().items()}
        assert CvaeConfig(**listed) == SMALL  # as JSON has it


def add_up(positions, others, norm, *, motion):
    """Compute either loss element by element, as the authors' program describes it."""
    x, y = positions.tolist(), others.tolist()
    n_gaits, n_frames, n_joints, n_axes = positions.shape
    cells = list(product(range(n_joints), range(n_axes)))
    total = 0.0
    for i, t, (j, c) in product(range(n_gaits), range(n_frames), cells):
        total += norm(x[i][t][j][c] - y[i][t][j][c]) / positions.numel()
    for origin in (0, n_frames // 2 - 1, n_frames - 1):
        for i, t, (j, c) in product(range(n_gaits), range(n_frames), cells):
            moved, other = (a[i][t][j][c] - a[i][origin][j][c] for a in (x, y))
            total += norm(moved - other) / len(cells)
    if motion:
        for i, (j, c) in product(range(n_gaits), cells):
            v, w = (
                [a[i][t + 1][j][c] - a[i][t][j][c] for t in range(n_frames - 1)] for a in (x, y)
            )
            total += sum(norm(one - other) for one, other in zip(v, w, strict=True))
            for t in range(n_frames - 2):
                total += norm((v[t + 1] - v[t]) - (w[t + 1] - w[t]))
    return total


class TestLosses:
    @given(
        n=st.integers(1, 3),
        n_frames=st.integers(2, 6),
        n_joints=st.integers(1, 3),
        seed=st.integers(0, 2**32 - 1),
    )
    @settings(max_examples=50)
    def test_both_are_the_sums_that_they_are_said_to_be(self, n, n_frames, n_joints, seed):
        rng = np.random.default_rng(seed)
        x, y = (torch.from_numpy(rng.normal(size=(n, n_frames, n_joints, 3))) for _ in range(2))
        movement = add_up(x, y, lambda error: error**2, motion=True)
        assert float(compute_movement_loss(x, y)) == pytest.approx(movement)
        displacement = add_up(x, y, abs, motion=False)
        assert float(compute_displacement_loss(x, y)) == pytest.approx(displacement)

    @pytest.mark.parametrize("compute", LOSSES)
    def test_no_difference_costs_nothing_and_order_does_not_matter(self, compute):
        x, y = draw_inputs(seed=1)[0], draw_inputs(seed=2)[0]
        assert float(compute(x, x)) == 0
        assert float(compute(x, y)) == pytest.approx(float(compute(y, x)))

    @pytest.mark.parametrize(("compute", "expected"), [(LOSSES[0], 0.25), (LOSSES[1], 0.5)])
    def test_a_shift_costs_only_what_positions_do(self, compute, expected):
        x = draw_inputs()[0].double()
        assert float(compute(x, x + 0.5)) == pytest.approx(expected)

    @pytest.mark.parametrize("compute", LOSSES)
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ((2, 5, 16, 3), (2, 6, 16, 3)),
            ((2, 5, 16, 3), (1, 5, 16, 3)),
            ((2, 1, 16, 3), (2, 1, 16, 3)),
            ((5, 16, 3), (5, 16, 3)),
        ],
    )
    def test_other_shapes_are_refused(self, compute, one, other):
        with pytest.raises(ShapeError, match=r"expected the same \(N, T, 16, 3\), T of at least 2"):
            compute(torch.zeros(one), torch.zeros(other))

    @given(n=st.integers(1, 4), n_latent=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
    @settings(max_examples=30)
    def test_the_divergence_is_that_of_the_library(self, n, n_latent, seed):
        rng = np.random.default_rng(seed)
        mean, log_variance = (torch.from_numpy(rng.normal(size=(n, n_latent))) for _ in range(2))
        each = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, torch.exp(0.5 * log_variance)),
            torch.distributions.Normal(0.0, 1.0),
        )
        expected = each.sum(dim=1).mean().item()
        assert float(compute_divergence(mean, log_variance)) == pytest.approx(expected)

    def test_the_prior_is_no_distance_from_itself(self):
        assert float(compute_divergence(torch.zeros(3, 2), torch.zeros(3, 2))) == 0

    def test_the_loss_is_reconstruction_and_divergence_of_one_draw(self):
        network = settle(make())
        positions, emotions = draw_inputs()
        losses = []
        for weight in (0.0, 1.0, 3.0):
            torch.manual_seed(5)
            with torch.no_grad():
                loss = network.compute_loss(positions, emotions, divergence_weight=weight)
            losses.append(float(loss))
        with torch.no_grad():
            mean, log_variance = network.encode(positions, emotions)
            torch.manual_seed(5)
            latent = mean + torch.randn(mean.shape) * (log_variance / 2).exp()
            movement = compute_movement_loss(positions, network.decode(latent, emotions)) / 3
            divergence = float(compute_divergence(mean, log_variance))
        assert losses == pytest.approx([float(movement) + w * divergence for w in (0, 1, 3)])
