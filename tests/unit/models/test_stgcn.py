import json
import math

import pytest
import torch

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.models.config import STGCN_MODELS, StgcnConfig
from moodwalk.models.layers import ChannelNorm
from moodwalk.models.stgcn import Stgcn
from moodwalk.skeleton import compute_adjacency

BLOCKS = {
    "step": [(32, 1), (64, 2), (64, 2)],
    "step-layer-1": [(32, 1), (64, 2), (64, 2), (64, 1)],
    "step-layer-1-1": [(32, 1), (32, 1), (64, 2), (64, 2)],
    "step-layer-2": [(32, 1), (64, 2), (64, 2), (64, 1), (64, 1)],
    "step-channel-1": [(32, 1), (64, 2), (128, 2)],
    "step-channel-2": [(32, 1), (64, 2), (64, 2), (256, 1)],
    "step-channel-3": [(32, 1), (64, 2), (64, 2), (128, 1)],
    "step-node-concat": [(32, 1), (64, 2), (64, 2)],
    "step-node-weights": [(32, 1), (64, 2), (64, 2)],
    "step-concat": [(32, 1), (64, 2), (64, 2)],
    "step-real-only": [(32, 1), (64, 2), (64, 1)],
}


def tiny(n_classes=4, form="auto", settled=True, **changes):
    """A network of the family that takes no time, with statistics as after some training."""
    defaults = {"blocks": ((4, 1), (6, 2)), "n_affective": 5, "n_hidden": 8, "kernel": 7}
    torch.manual_seed(0)
    network = Stgcn(StgcnConfig(**(defaults | changes)), n_classes, form=form)
    if settled:
        settle(network, walks(6, seed=1), torch.randn(6, network.config.n_affective))
    return network


def settle(network, positions, affective):
    """Take over the statistics of one batch, without which answers are vanishingly small."""
    norms = [module for module in network.modules() if isinstance(module, ChannelNorm)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network(positions, affective if network.config.n_affective else None)
    for norm in norms:
        norm.momentum = 0.1


def walks(n=3, n_frames=11, seed=0):
    return torch.randn(n, n_frames, 16, 3, generator=torch.Generator().manual_seed(seed))


def test_the_models_are_the_published_ones():
    found = {name: list(config.blocks) for name, config in STGCN_MODELS.items()}
    assert found.pop("step-body") == BLOCKS["step"]  # moodwalk's own
    assert found == BLOCKS
    assert {name for name, config in STGCN_MODELS.items() if config.node_weights} == {
        "step-node-concat",
        "step-node-weights",
    }
    assert {name for name, config in STGCN_MODELS.items() if config.concatenate} == {
        "step-node-concat",
        "step-concat",
    }
    for name, config in STGCN_MODELS.items():
        assert (config.kernel, config.partition, config.dropout) == (75, "spatial", 0.0)
        hybrid = name != "step-real-only"
        assert (config.n_affective, config.n_hidden) == ((27, 96) if hybrid else (0, 0))
        assert config.first_residual is not hybrid
        assert config.root_relative is hybrid


def test_a_configuration_survives_json():
    for config in STGCN_MODELS.values():
        restored = StgcnConfig(**json.loads(json.dumps(config.to_dict())))
        assert restored == config
        assert hash(restored) == hash(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": ()}, "one or more"),
        ({"blocks": ((0, 1),)}, "both positive"),
        ({"blocks": ((4, 0),)}, "both positive"),
        ({"blocks": ((4,),)}, "channels, stride"),
        ({"blocks": 5}, "channels, stride"),
        ({"kernel": 4}, "odd number"),
        ({"kernel": 0}, "odd number"),
        ({"partition": "radial"}, "'radial'; expected one of uniform"),
        ({"dropout": 1.0}, "dropout is 1"),
        ({"dropout": -0.1}, "dropout is -0.1"),
        ({"n_affective": -1}, "cannot be negative"),
        ({"n_hidden": -1}, "cannot be negative"),
    ],
)
def test_a_configuration_that_makes_no_network_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        StgcnConfig(**({"blocks": ((4, 1),)} | changes))


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="'quick' is no form"):
        tiny(form="quick")


def test_weights_start_as_published():
    torch.manual_seed(0)
    network = Stgcn(STGCN_MODELS["step-layer-1"])
    for name, value in network.named_parameters():
        kind = name.rsplit(".", 1)[-1]
        if kind == "importance":
            assert (value == 1).all(), name
        elif kind == "bias":
            assert not value.any(), name
        else:
            middle = 1.0 if "norm" in name else 0.0
            error = 5 / math.sqrt(value.numel())
            assert abs(value.mean().item() - middle) < 0.02 * error, name
            assert value.std().item() == pytest.approx(0.02, rel=error), name


def test_channels_are_numbered_joint_by_joint():
    network, positions = tiny(), walks()
    norm = network.input_norm
    channel = 3 * 6 + 1  # the height of the right hand
    network.eval()
    plain = network.embed(positions)
    moved = positions.clone()
    moved[:, :, 6, 1] += 5
    assert not torch.allclose(network.embed(moved), plain, rtol=0.01)
    norm.running_mean[channel] += 5
    torch.testing.assert_close(network.embed(moved), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("concatenate", "width"), [(False, 6), (True, 10)])
def test_the_head_sees_the_last_block_or_all(concatenate, width):
    network = tiny(concatenate=concatenate).eval()
    pooled = network.embed(walks())
    assert pooled.shape == (3, width)
    assert network.hidden.in_features == width + 5
    if concatenate:
        plain = tiny().eval()
        same = {k: v for k, v in network.state_dict().items() if k.startswith(("input", "blocks"))}
        plain.load_state_dict(same, strict=False)
        torch.testing.assert_close(pooled[:, 4:], plain.embed(walks()))


def test_node_weights_stand_between_blocks_and_start_without_effect():
    network = tiny(node_weights=True).eval()
    assert [weights.logits.shape for weights in network.node_weights] == [(16,)]
    torch.testing.assert_close(network.embed(walks()), tiny().eval().embed(walks()))
    network.node_weights[0].logits.data[3] = 2.0
    assert not torch.allclose(network.embed(walks()), tiny().eval().embed(walks()), atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "n_linear"), [({"n_hidden": 0}, 1), ({"n_hidden": 0, "n_affective": 0}, 1), ({}, 2)]
)
def test_the_head_has_a_hidden_layer_and_affective_features_or_not(changes, n_linear):
    network = tiny(n_classes=3, **changes).eval()
    n_affective = network.config.n_affective
    assert (network.head_norm is None) == (n_affective == 0)
    assert 1 + (network.hidden is not None) == n_linear
    affective = torch.zeros(3, n_affective) if n_affective else None
    assert network(walks(), affective).shape == (3, 3)


def test_affective_features_reach_the_answer():
    network, affective = tiny().eval(), torch.zeros(3, 5)
    changed = affective.clone()
    changed[1, 2] = 1
    difference = (network(walks(), affective) - network(walks(), changed)).abs().amax(1)
    assert (difference > 0).tolist() == [False, True, False]


@pytest.mark.parametrize("partition", ["uniform", "distance", "spatial", "spatial-true"])
def test_every_partition_makes_a_network(partition):
    network = tiny(partition=partition).eval()
    expected = torch.from_numpy(compute_adjacency(partition))
    for block in network.blocks:
        assert torch.equal(block.graph.adjacency, expected)
    assert network(walks(), torch.zeros(3, 5)).shape == (3, 4)


@pytest.mark.parametrize(
    "shape",
    [(20, 16, 3), (2, 20, 48), (2, 20, 17, 3), (2, 3, 20, 16), (2, 0, 16, 3), (0, 4, 16, 3)],
)
def test_positions_of_another_shape_are_refused(shape):
    with pytest.raises(ShapeError, match=r"expected \(N, T, 16, 3\)"):
        tiny().eval()(torch.zeros(shape), torch.zeros(shape[0], 5))


@pytest.mark.parametrize("affective", [None, torch.zeros(3, 4), torch.zeros(2, 5)])
def test_affective_features_of_another_shape_are_refused(affective):
    with pytest.raises(ShapeError, match=r"expected shape \(3, 5\); found"):
        tiny().eval()(walks(), affective)


def test_training_on_one_gait_is_refused():
    with pytest.raises(ShapeError, match="at least 2 gaits a batch"):
        tiny()(walks(1), torch.zeros(1, 5))
