"""Devices, and processes that train together."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from moodwalk.errors import ConfigError
from moodwalk.training import TrainingConfig, pick_device
from moodwalk.training.team import Team

SCRIPT = """
import os, sys, torch
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.config import StgcnConfig
from moodwalk.models.stgcn import Stgcn
from moodwalk.training import TrainingConfig, train
from moodwalk.walker import simulate_walks

torch.set_num_threads(1)
gaits = simulate_walks(n_subjects=4, gaits_per_subject=5, seed=1)
torch.manual_seed(0)
network = Stgcn(StgcnConfig(blocks=((4, 1), (6, 2)), kernel=9, n_hidden=8), 4)
history = train(
    network, GaitEncoder.fit(gaits, n_frames=20), gaits, gaits.labels,
    ["angry", "happy", "neutral", "sad"], TrainingConfig(epochs=4, batch_size=7, select="loss"),
    validation=(gaits[:8], gaits.labels[:8]),
)
losses = [(r.train_loss, r.train_accuracy, r.validation_loss) for r in history]
rank = os.environ.get("RANK", "alone")
torch.save({"state": network.state_dict(), "losses": losses}, f"{sys.argv[1]}/{rank}.pt")
"""


def environment():
    keep = {k: v for k, v in os.environ.items() if k not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
    return keep | {"OMP_NUM_THREADS": "1"}


def test_two_processes_end_with_the_same_weights_and_about_the_loss_of_one(tmp_path, monkeypatch):
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, str(script), str(tmp_path)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.setattr(sys, "argv", ["training.py", str(tmp_path)])
    before = torch.get_num_threads()
    runpy.run_path(str(script))
    torch.set_num_threads(before)
    first, second, alone = (torch.load(tmp_path / f"{name}.pt") for name in ("0", "1", "alone"))
    for name, value in first["state"].items():
        assert torch.equal(value, second["state"][name]), name
    assert first["losses"] == second["losses"]
    np.testing.assert_allclose(
        [row[0] for row in first["losses"]], [row[0] for row in alone["losses"]], rtol=0.01
    )
    untrained = 1.3863  # the logarithm of four
    assert first["losses"][-1][0] < untrained


def test_auto_takes_a_device_that_is_there():
    device = pick_device()
    assert torch.ones(2, device=device).sum().item() == 2
    assert pick_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99", "cpu:x", ""])
def test_a_device_that_is_not_there_is_refused_in_one_line(name):
    with pytest.raises(ConfigError, match=f"device '{name}' cannot be used here") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)


def test_half_precision_needs_cuda():
    with pytest.raises(ConfigError, match="float16 needs a CUDA device; use bfloat16"):
        Team.join(TrainingConfig(precision="float16", device="cpu"))


def test_batches_too_small_to_share_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "5")
    with pytest.raises(ConfigError, match="batch_size is 8 for 5 processes"):
        Team.join(TrainingConfig(device="cpu"))


def test_every_gait_of_a_batch_goes_to_one_process():
    batch = np.arange(7)
    shares = [Team(rank, 3, torch.device("cpu"), started=False).share(batch) for rank in range(3)]
    assert sorted(np.concatenate(shares).tolist()) == batch.tolist()
    assert {len(share) for share in shares} == {2, 3}


def test_one_process_needs_no_one_else(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = Team.join(TrainingConfig(device="cpu"))
    network, value = torch.nn.Linear(2, 2), torch.tensor(3.0)
    assert (team.rank, team.size, team.least) == (0, 1, 2)
    assert team.wrap(network) is network
    assert team.total(value) == 3.0
    assert team.agree(value) is value
    team.leave()
