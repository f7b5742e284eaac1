"""Agreement with STEP's hybrid classifier, kernel 75, three blocks, in evaluation mode."""

import numpy as np
import pytest
import torch

from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.convolution import FORMS
from moodwalk.models.published import convert_published_state
from moodwalk.models.stgcn import Stgcn
from moodwalk.skeleton import compute_adjacency


@pytest.fixture(scope="module")
def golden(golden_folder):
    with np.load(golden_folder / "step_hybrid.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def inputs(golden):
    # (N, coordinates, T, joints, bodies) as published
    positions = np.ascontiguousarray(golden["gait"][..., 0].transpose(0, 2, 3, 1))
    return torch.from_numpy(positions), torch.from_numpy(golden["affective"]).float()


@pytest.fixture(scope="module")
def network(golden):
    state = {
        name.removeprefix("state/"): torch.from_numpy(value)
        for name, value in golden.items()
        if name.startswith("state/")
    }
    return convert_published_state(state)[0]


def test_the_network_is_step(network):
    assert network.config == STGCN_MODELS["step"]


@pytest.mark.parametrize("form", FORMS)
def test_logits_agree_in_every_form_of_convolution(golden, inputs, network, form):
    chosen = Stgcn(network.config, form=form).eval()
    chosen.load_state_dict(network.state_dict())
    with torch.inference_mode():
        logits = chosen(*inputs).numpy()
    assert np.ptp(golden["logits"]) > 1e-3
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-5)


def test_logits_agree_for_one_gait_at_a_time(golden, inputs, network):
    with torch.inference_mode():
        logits = [network(inputs[0][i : i + 1], inputs[1][i : i + 1])[0].numpy() for i in range(8)]
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-5)


def test_the_adjacency_agrees(golden):
    np.testing.assert_allclose(compute_adjacency("spatial"), golden["adjacency"], rtol=0, atol=1e-7)


def test_weights_and_statistics_are_as_many(golden, network):
    published = sum(
        value.size
        for name, value in golden.items()
        if name.startswith("state/") and name[6:] != "A"
    )
    assert sum(value.numel() for value in network.state_dict().values()) == published
