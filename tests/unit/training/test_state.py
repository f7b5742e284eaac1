"""What an interrupted training resumes from."""

import csv
from dataclasses import astuple, fields

import numpy as np
import pytest
import torch

from moodwalk.errors import CheckpointError
from moodwalk.models.config import StgcnConfig
from moodwalk.models.stgcn import Stgcn
from moodwalk.models.tensors import read_tensors, write_tensors
from moodwalk.training import EpochRecord, TrainingConfig
from moodwalk.training.state import TrainingState

NETWORK = StgcnConfig(blocks=((2, 1), (3, 2)), kernel=3, n_affective=0, n_hidden=4)


def make(start=0, network=NETWORK, optimizer="adam", n_classes=4, **options):
    torch.manual_seed(start)
    net = Stgcn(network, n_classes)
    if optimizer == "adam":
        chosen = torch.optim.Adam(net.parameters(), fused=True)
    else:
        chosen = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    return TrainingState(net, chosen, TrainingConfig(optimizer=optimizer, **options), data="abc")


def step(state, seed):
    generator = torch.Generator().manual_seed(seed)
    loss = state.network(torch.randn(3, 6, 16, 3, generator=generator)).square().sum()
    state.optimizer.zero_grad()
    loss.backward()
    state.optimizer.step()
    number = len(state.history) + 1
    validation = float("nan") if seed % 2 else 0.1 + 0.2
    state.history.append(EpochRecord(number, 1e-3, 1 / 3, 0.5, validation, 0.25, 0.125))


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_resumed_state_goes_on_bit_for_bit(tmp_path, optimizer):
    state = make(optimizer=optimizer)
    for i in range(3):
        step(state, i)
    state.best = {k: v.clone() for k, v in state.network.state_dict().items()}
    state.save(tmp_path)
    resumed = make(start=9, optimizer=optimizer)
    resumed.load(tmp_path)
    np.testing.assert_equal(*([astuple(r) for r in s.history] for s in (resumed, state)))
    assert_same_weights(resumed.best, state.best)
    for i in range(3, 6):
        step(state, i), step(resumed, i)
    assert_same_weights(resumed.network.state_dict(), state.network.state_dict())
    assert not torch.equal(
        state.best["classes.weight"], state.network.state_dict()["classes.weight"]
    )


def test_nothing_to_resume_changes_nothing(tmp_path):
    state = make()
    before = {k: v.clone() for k, v in state.network.state_dict().items()}
    state.load(tmp_path)
    assert state.history == []
    assert state.best == {}
    assert_same_weights(state.network.state_dict(), before)


def test_a_state_before_the_first_step_can_be_kept(tmp_path):
    state = make()
    state.save(tmp_path)
    resumed = make(start=9)
    resumed.load(tmp_path)
    assert_same_weights(resumed.network.state_dict(), state.network.state_dict())


def test_metrics_are_a_table_of_all_epochs(tmp_path):
    state = make()
    step(state, 0), step(state, 1)
    state.save(tmp_path)
    with (tmp_path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(EpochRecord)]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[0]["train_loss"]) == 1 / 3
    assert float(rows[0]["validation_loss"]) == 0.1 + 0.2
    assert rows[1]["validation_loss"] == "nan"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": 1}, "seed"),
        ({"learning_rate": 0.5}, "learning_rate"),
        ({"decay_at": (0.9,)}, "decay_at"),
        ({"epochs": 7, "select": "loss"}, "epochs, select"),
        ({"optimizer": "sgd"}, "optimizer"),
        ({"network": StgcnConfig(blocks=((2, 1), (4, 2)), kernel=3)}, "network"),
    ],
)
def test_another_training_s_state_is_refused_with_the_options_that_differ(tmp_path, options, named):
    make().save(tmp_path)
    with pytest.raises(CheckpointError, match=rf"other options \({named}\)"):
        make(**options).load(tmp_path)


def test_the_device_may_differ(tmp_path):
    trained = make(device="auto")
    step(trained, seed=1)
    trained.save(tmp_path)
    resumed = make(device="cpu")
    resumed.load(tmp_path)
    assert len(resumed.history) == 1


def test_other_gaits_are_refused(tmp_path):
    make().save(tmp_path)
    other = make()
    other.data = "abd"
    with pytest.raises(CheckpointError, match=r"other options \(training and validation gaits\)"):
        other.load(tmp_path)


def test_another_number_of_classes_is_refused(tmp_path):
    make().save(tmp_path)
    with pytest.raises(CheckpointError, match="belongs to another network"):
        make(n_classes=3).load(tmp_path)


def test_a_file_of_another_format_or_a_damaged_one_is_refused(tmp_path):
    make().save(tmp_path)
    path = tmp_path / "state.safetensors"
    content = path.read_bytes()
    tensors, header = read_tensors(path)
    write_tensors(path, tensors, header | {"format": "moodwalk-training-9"})
    with pytest.raises(CheckpointError, match=r"other options \(format\)"):
        make().load(tmp_path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="cannot be read"):
        make().load(tmp_path)
