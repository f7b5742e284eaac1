import csv
import math
import os
import signal
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from moodwalk.augment import Augmentation
from moodwalk.errors import (
    CheckpointError,
    ConfigError,
    DataFormatError,
    LabelError,
    QualityError,
    ShapeError,
)
from moodwalk.gait import GaitSet
from moodwalk.models.config import StgcnConfig
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn
from moodwalk.training import TrainingConfig, compute_logits, train
from moodwalk.training.loop import _make_batches
from moodwalk.walker import simulate_walks

CLASSES = ["angry", "happy", "neutral", "sad"]
NETWORK = {"blocks": ((3, 1), (4, 2)), "kernel": 9, "n_hidden": 5}
AUGMENTED = {"augmentation": Augmentation(mirror=0.5, rotation_deg=9, noise_m=0.01)}
LIVELY = {"epochs": 6, "learning_rate": 0.1}  # large steps, so that epochs differ


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Runs repeat bit for bit on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=3, gaits_per_subject=4, seed=1)


@pytest.fixture(scope="module")
def others():
    return simulate_walks(n_subjects=2, gaits_per_subject=4, seed=2)


@pytest.fixture
def often(monkeypatch):
    """Keep the state after every epoch."""
    monkeypatch.setattr("moodwalk.training.loop._SECONDS_BETWEEN_SAVES", 0)


def make(weights_seed=0, **changes):
    torch.manual_seed(weights_seed)
    return Stgcn(StgcnConfig(**(NETWORK | changes)), 4)


def fit(gaits, *, network=None, validation=None, run=None, on_epoch=None, **options):
    """Train a small network; return it and the history."""
    network = make() if network is None else network
    n_affective = network.config.n_affective
    history = train(
        network,
        GaitEncoder.fit(gaits, n_affective=n_affective, n_frames=20),
        gaits,
        gaits.labels,
        CLASSES,
        TrainingConfig(**({"epochs": 3, "device": "cpu"} | options)),
        validation=None if validation is None else (validation, validation.labels),
        run=run,
        on_epoch=on_epoch,
    )
    return network, history


def assert_same_weights(one, other):
    for name, value in one.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name


def without_seconds(history):
    return [astuple(record)[:-1] for record in history]


class TestRepeating:
    def test_the_same_seed_gives_the_same_weights_bit_for_bit(self, gaits, others):
        runs = []
        for noise in (1, 2):
            torch.manual_seed(noise)  # what was drawn before does not matter
            network = make(dropout=0.3)
            torch.rand(noise)
            runs.append(fit(gaits, network=network, validation=others, **AUGMENTED))
        (one, first), (other, second) = runs
        assert_same_weights(one, other)
        np.testing.assert_equal(without_seconds(first), without_seconds(second))

    @pytest.mark.parametrize("dropout", [0.0, 0.3])
    def test_another_seed_gives_other_weights(self, gaits, dropout):
        one, other = (fit(gaits, network=make(dropout=dropout), seed=s)[0] for s in (0, 1))
        assert not torch.equal(one.classes.weight, other.classes.weight)

    def test_every_epoch_has_another_order_and_all_gaits(self, gaits, monkeypatch):
        orders = []

        def spy(*arguments):
            batches = list(_make_batches(*arguments))
            orders.append(np.concatenate(batches).tolist())
            return batches

        monkeypatch.setattr("moodwalk.training.loop._make_batches", spy)
        fit(gaits, epochs=3)
        fit(gaits, epochs=2)
        assert orders[:2] == orders[3:]
        assert len({tuple(order) for order in orders}) == 3
        assert all(sorted(order) == list(range(12)) for order in orders)

    def test_augmentation_and_dropout_change_the_training(self, gaits):
        plain = fit(gaits)[0]
        for network, options in ((make(dropout=0.3), {}), (make(), AUGMENTED)):
            varied = fit(gaits, network=network, **options)[0]
            assert not torch.equal(plain.classes.weight, varied.classes.weight)

    def test_gaits_are_left_as_they_were(self, gaits):
        before = [gait.positions.copy() for gait in gaits]
        fit(gaits, epochs=1, **AUGMENTED)
        for gait, positions in zip(gaits, before, strict=True):
            np.testing.assert_array_equal(gait.positions, positions)


class TestResuming:
    @pytest.mark.parametrize(
        ("select", "optimizer", "interruption", "at"),
        [
            ("last", "adam", KeyboardInterrupt, 1),
            ("last", "sgd", RuntimeError, 4),
            ("loss", "adam", RuntimeError, 2),
            ("loss", "sgd", SystemExit, 3),
            ("accuracy", "adam", KeyboardInterrupt, 5),
            ("accuracy", "sgd", KeyboardInterrupt, 2),
        ],
    )
    def test_an_interrupted_run_ends_with_the_same_weights_and_history(
        self, gaits, others, tmp_path, often, select, optimizer, interruption, at
    ):
        options = {
            "epochs": 5,
            "validation": others,
            "select": select,
            "optimizer": optimizer,
            "learning_rate": 0.05,
            "augmentation": Augmentation(mirror=0.5, speed=0.1),
        }
        whole, expected = fit(gaits, network=make(dropout=0.2), **options)

        def interrupt(record):
            if record.epoch == at:
                raise interruption

        with pytest.raises(interruption):
            fit(gaits, network=make(dropout=0.2), run=tmp_path, on_epoch=interrupt, **options)
        seen = []
        resumed, history = fit(
            gaits,
            network=make(weights_seed=5, dropout=0.2),
            run=tmp_path,
            on_epoch=lambda record: seen.append(record.epoch),
            **options,
        )
        assert seen == list(range(at + 1, 6))
        assert_same_weights(whole, resumed)
        np.testing.assert_equal(without_seconds(history), without_seconds(expected))

    def test_an_interruption_while_the_state_is_written_does_no_harm(
        self, gaits, tmp_path, often, monkeypatch
    ):
        whole, expected = fit(gaits, epochs=4)
        calls = []

        def write(*arguments):
            calls.append(0)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return write_tensors(*arguments)

        from moodwalk.training import state

        write_tensors = state.write_tensors
        monkeypatch.setattr(state, "write_tensors", write)
        with pytest.raises(KeyboardInterrupt):
            fit(gaits, epochs=4, run=tmp_path)
        resumed, history = fit(gaits, epochs=4, run=tmp_path)
        assert_same_weights(whole, resumed)
        np.testing.assert_equal(without_seconds(history), without_seconds(expected))

    def test_an_interruption_before_the_first_save_starts_again(self, gaits, tmp_path):
        whole, _ = fit(gaits)

        def interrupt(record):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(gaits, run=tmp_path, on_epoch=interrupt)
        assert not (tmp_path / "state.safetensors").exists()
        resumed, history = fit(gaits, run=tmp_path)
        assert_same_weights(whole, resumed)
        assert [record.epoch for record in history] == [1, 2, 3]

    def test_a_finished_run_is_not_trained_again(self, gaits, others, tmp_path):
        options = {"validation": others, "select": "loss", "run": tmp_path}
        first, expected = fit(gaits, **options)
        seen = []
        again, history = fit(gaits, network=make(7), on_epoch=seen.append, **options)
        assert seen == []
        assert_same_weights(first, again)
        np.testing.assert_equal(history, expected)

    def test_a_killed_process_is_resumed(self, gaits, tmp_path):
        script = tmp_path / "training.py"
        script.write_text(KILLED)
        done = subprocess.run(
            [sys.executable, str(script), str(tmp_path / "run")],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        left = [path.name for path in (tmp_path / "run").iterdir()]
        assert any(name.endswith(".part.safetensors") for name in left)
        whole, expected = fit(gaits, epochs=5)
        seen = []
        resumed, history = fit(
            gaits,
            network=make(weights_seed=3),
            epochs=5,
            run=tmp_path / "run",
            on_epoch=lambda record: seen.append(record.epoch),
        )
        assert seen == [3, 4, 5]
        assert_same_weights(whole, resumed)
        np.testing.assert_equal(without_seconds(history), without_seconds(expected))

    def test_other_options_or_other_gaits_are_refused(self, gaits, others, tmp_path):
        fit(gaits, run=tmp_path)
        before = (tmp_path / "state.safetensors").read_bytes()
        with pytest.raises(CheckpointError, match=r"other options \(learning_rate\)"):
            fit(gaits, run=tmp_path, learning_rate=0.5)
        with pytest.raises(CheckpointError, match=r"\(training and validation gaits\)"):
            fit(gaits[:8], run=tmp_path)
        with pytest.raises(CheckpointError, match=r"\(training and validation gaits\)"):
            fit(gaits, run=tmp_path, validation=others)
        relabelled = GaitSet(
            [gaits[0].__class__(g.positions, g.fps, label="sad") for g in gaits[:1]]
            + list(gaits[1:])
        )
        with pytest.raises(CheckpointError, match=r"\(training and validation gaits\)"):
            fit(relabelled, run=tmp_path)
        with pytest.raises(CheckpointError, match="network"):
            fit(gaits, run=tmp_path, network=make(n_hidden=6))
        assert (tmp_path / "state.safetensors").read_bytes() == before


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from moodwalk.models.encoding import GaitEncoder
from moodwalk.models.stgcn import Stgcn, StgcnConfig
from moodwalk.training import TrainingConfig, loop, train
from moodwalk.walker import simulate_walks

torch.set_num_threads(1)
loop._SECONDS_BETWEEN_SAVES = 0
write_bytes, calls = Path.write_bytes, []

def write(path, data):
    calls.append(path)
    if len(calls) == 3:  # half of the third state
        write_bytes(path, data[:5000])
        os.kill(os.getpid(), signal.SIGKILL)
    write_bytes(path, data)

Path.write_bytes = write
gaits = simulate_walks(n_subjects=3, gaits_per_subject=4, seed=1)
torch.manual_seed(0)
network = Stgcn(StgcnConfig(blocks=((3, 1), (4, 2)), kernel=9, n_hidden=5), 4)
train(
    network, GaitEncoder.fit(gaits, n_frames=20), gaits, gaits.labels,
    ["angry", "happy", "neutral", "sad"], TrainingConfig(epochs=5, device="cpu"),
    run=Path(sys.argv[1]),
)
"""


class TestChoosingTheEpoch:
    @staticmethod
    def compute_loss(network, gaits, others):
        logits = torch.from_numpy(
            compute_logits(network, GaitEncoder.fit(gaits, n_frames=20), others)
        )
        targets = torch.tensor([CLASSES.index(name) for name in others.labels])
        accuracy = (logits.argmax(1) == targets).float().mean().item()
        return F.cross_entropy(logits, targets).item(), accuracy

    def test_the_last_epoch_s_weights_are_those_kept_without_a_choice(self, gaits, others):
        network, history = fit(gaits, validation=others, **LIVELY)
        loss, accuracy = self.compute_loss(network, gaits, others)
        assert loss == pytest.approx(history[-1].validation_loss, rel=1e-4)
        assert accuracy == pytest.approx(history[-1].validation_accuracy)

    def test_validation_does_not_touch_training(self, gaits, others):
        assert_same_weights(fit(gaits, **LIVELY)[0], fit(gaits, validation=others, **LIVELY)[0])

    def test_the_lowest_validation_loss_is_kept(self, gaits, others):
        network, history = fit(gaits, validation=others, select="loss", **LIVELY)
        losses = [record.validation_loss for record in history]
        loss, _ = self.compute_loss(network, gaits, others)
        assert loss == pytest.approx(min(losses), rel=1e-4)
        assert min(losses) < losses[-1]

    def test_the_highest_validation_accuracy_is_kept(self, gaits, others):
        network, history = fit(gaits, validation=others, select="accuracy", **LIVELY)
        accuracies = [record.validation_accuracy for record in history]
        loss, accuracy = self.compute_loss(network, gaits, others)
        best = int(np.argmax(accuracies))
        assert accuracy == pytest.approx(accuracies[best])
        assert loss == pytest.approx(history[best].validation_loss, rel=1e-4)
        assert accuracies[best] > accuracies[-1]

    def test_patience_stops_after_so_many_epochs_without_a_lower_loss(self, gaits, others):
        options = {"epochs": 30, "learning_rate": 0.1, "decay_at": (), "validation": others}
        _, history = fit(gaits, patience=2, **options)
        losses = [record.validation_loss for record in history]
        assert len(losses) < 30
        assert int(np.argmin(losses)) == len(losses) - 3
        for n in range(3, len(losses)):
            assert n - 1 - int(np.argmin(losses[:n])) < 2

    def test_an_early_stop_stays_stopped(self, gaits, others, tmp_path):
        options = {"epochs": 30, "learning_rate": 0.1, "decay_at": (), "validation": others}
        network, history = fit(gaits, patience=2, run=tmp_path, select="loss", **options)
        again, same = fit(gaits, patience=2, run=tmp_path, select="loss", **options)
        assert len(same) == len(history)
        assert_same_weights(network, again)

    @pytest.mark.parametrize(
        "options", [{"select": "loss"}, {"select": "accuracy"}, {"patience": 3}]
    )
    def test_a_choice_without_validation_gaits_is_refused(self, gaits, options):
        with pytest.raises(ConfigError, match="need validation gaits; found none"):
            fit(gaits, **options)


class TestOptions:
    def test_the_learning_rate_falls_at_the_shares(self, gaits):
        _, history = fit(gaits, epochs=8, network=make(blocks=((2, 1),), kernel=1))
        rates = [record.learning_rate for record in history]
        assert rates == pytest.approx([1e-3] * 4 + [1e-4] * 2 + [1e-5] + [1e-6])

    def test_training_learns(self, gaits):
        _, history = fit(gaits, epochs=25, learning_rate=0.02, decay_at=())
        assert history[0].train_loss == pytest.approx(math.log(4), abs=0.1)
        assert history[-1].train_loss < 0.7
        assert history[-1].train_accuracy > 0.7

    def test_the_first_loss_is_that_of_the_first_batch(self, gaits):
        network = make()
        arrays = [torch.from_numpy(a) for a in GaitEncoder.fit(gaits, n_frames=20).encode(gaits)]
        targets = torch.tensor([CLASSES.index(name) for name in gaits.labels])
        expected = F.cross_entropy(make()(*arrays), targets).item()
        _, history = fit(gaits, network=network, epochs=1, batch_size=12)
        assert history[0].train_loss == pytest.approx(expected, rel=1e-5)

    def test_one_step_of_sgd_is_that_of_the_library(self, gaits):
        reference = make()
        arrays = [torch.from_numpy(a) for a in GaitEncoder.fit(gaits, n_frames=20).encode(gaits)]
        targets = torch.tensor([CLASSES.index(name) for name in gaits.labels])
        optimizer = torch.optim.SGD(
            reference.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=0.01
        )
        F.cross_entropy(reference(*arrays), targets).backward()
        optimizer.step()
        network, _ = fit(
            gaits, epochs=1, batch_size=20, optimizer="sgd", learning_rate=0.1, weight_decay=0.01
        )
        for name, value in reference.state_dict().items():
            torch.testing.assert_close(
                network.state_dict()[name], value, rtol=1e-4, atol=1e-6, msg=name
            )

    def test_balanced_weights_make_every_class_count_the_same(self, gaits):
        labels = gaits.labels
        few = np.flatnonzero((labels == "sad") | (labels == "happy"))
        chosen = gaits[np.concatenate([few[:1], few[1:], few[labels[few] == "sad"]])]
        counts = {str(name): int((chosen.labels == name).sum()) for name in ("happy", "sad")}
        assert counts["sad"] == 2 * counts["happy"]
        arrays = [torch.from_numpy(a) for a in GaitEncoder.fit(chosen, n_frames=20).encode(chosen)]
        targets = torch.tensor([CLASSES.index(name) for name in chosen.labels])
        losses = F.cross_entropy(make()(*arrays), targets, reduction="none")
        # inverse frequency over all four classes, of which two have no gaits
        expected = sum(losses[targets == CLASSES.index(name)].mean().item() / 4 for name in counts)
        _, history = fit(chosen, epochs=1, batch_size=len(chosen), class_weight="balanced")
        assert history[0].train_loss == pytest.approx(expected, rel=1e-5)

    def test_label_smoothing_is_that_of_the_library(self, gaits):
        arrays = [torch.from_numpy(a) for a in GaitEncoder.fit(gaits, n_frames=20).encode(gaits)]
        targets = torch.tensor([CLASSES.index(name) for name in gaits.labels])
        expected = F.cross_entropy(make()(*arrays), targets, label_smoothing=0.3).item()
        _, history = fit(gaits, epochs=1, batch_size=12, label_smoothing=0.3)
        assert history[0].train_loss == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("kernel", [9, 75])
    def test_mixed_precision_comes_near_full_precision(self, gaits, kernel):
        exact = fit(gaits, network=make(kernel=kernel), epochs=2)[1]
        network, mixed = fit(gaits, network=make(kernel=kernel), epochs=2, precision="bfloat16")
        for one, other in zip(exact, mixed, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=0.01)
        assert {value.dtype for value in network.parameters()} == {torch.float32}

    def test_the_network_is_left_in_evaluation_mode(self, gaits):
        assert not fit(gaits, epochs=1)[0].training

    @pytest.mark.parametrize(
        ("n", "size", "least", "expected"),
        [
            (16, 8, 2, [8, 8]),
            (17, 8, 2, [6, 6, 5]),
            (9, 8, 2, [5, 4]),
            (7, 2, 2, [3, 2, 2]),
            (3, 2, 2, [3]),
            (3, 8, 2, [3]),
            (9, 4, 4, [5, 4]),
            (11, 4, 4, [6, 5]),
        ],
    )
    def test_batches_are_as_equal_as_can_be_and_none_holds_a_lone_gait(
        self, n, size, least, expected
    ):
        batches = list(_make_batches(n, size, least, np.random.default_rng(0)))
        assert [len(batch) for batch in batches] == expected
        assert sorted(np.concatenate(batches).tolist()) == list(range(n))

    def test_an_odd_number_of_gaits_in_batches_of_two(self, gaits):
        _, history = fit(gaits[:5], epochs=1, batch_size=2)
        assert np.isfinite(history[0].train_loss)


class TestWhatIsWritten:
    def test_metrics_hold_the_history(self, gaits, others, tmp_path):
        run = tmp_path / "new" / "run"
        _, history = fit(gaits, validation=others, run=run)
        with (run / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert rows[0] == [
            "epoch",
            "learning_rate",
            "train_loss",
            "train_accuracy",
            "validation_loss",
            "validation_accuracy",
            "seconds",
        ]
        assert [tuple(map(float, row)) for row in rows[1:]] == [astuple(r) for r in history]
        for record in history:
            assert 0 <= record.train_accuracy <= 1
            assert 0 <= record.validation_accuracy <= 1
            assert record.seconds > 0

    def test_validation_figures_are_nan_without_such_gaits(self, gaits):
        _, history = fit(gaits, epochs=1)
        assert math.isnan(history[0].validation_loss)
        assert math.isnan(history[0].validation_accuracy)

    def test_tensorboard_gets_every_finite_figure(self, gaits, tmp_path):
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        _, history = fit(gaits, run=tmp_path)
        events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
        assert set(events.Tags()["scalars"]) == {
            "learning_rate",
            "train_loss",
            "train_accuracy",
            "seconds",
        }
        found = [(event.step, event.value) for event in events.Scalars("train_loss")]
        assert found == [(r.epoch, pytest.approx(r.train_loss)) for r in history]

    def test_a_run_that_cannot_be_written_is_refused_before_training(self, gaits, tmp_path):
        file = tmp_path / "file"
        file.write_text("in the way")
        seen = []
        for run in (file, file / "run"):
            with pytest.raises(DataFormatError, match="cannot be written"):
                fit(gaits, run=run, on_epoch=seen.append)
        assert seen == []


class TestBadInput:
    def test_missing_joints_are_named(self, gaits, others):
        positions = gaits[2].positions.copy()
        positions[5, 3] = np.nan
        broken = gaits[2].with_positions(positions)
        with pytest.raises(QualityError, match="first in frame 5"):
            fit(GaitSet([*gaits[:2], broken]))
        with pytest.raises(QualityError, match="first in frame 5"):
            fit(gaits, validation=GaitSet([broken]))

    def test_labels_that_do_not_match_are_refused(self, gaits, others):
        encoder, config = GaitEncoder.fit(gaits), TrainingConfig(device="cpu")
        with pytest.raises(LabelError, match="12 gaits but 11 labels"):
            train(make(), encoder, gaits, gaits.labels[:11], CLASSES, config)
        with pytest.raises(LabelError, match="'bored' is no emotion"):
            train(make(), encoder, gaits, ["bored"] * 12, CLASSES, config)
        with pytest.raises(LabelError, match="labelled sad; the network knows angry, happy, neutr"):
            train(make(), encoder, gaits, gaits.labels, CLASSES[:3], config)
        awake = gaits[gaits.labels != "sad"]
        with pytest.raises(LabelError, match="labelled sad"):
            train(
                make(), encoder, awake, awake.labels, CLASSES[:3], config,
                validation=(others, others.labels),
            )  # fmt: skip

    @pytest.mark.parametrize("n", [0, 1])
    def test_too_few_gaits_are_refused(self, gaits, n):
        encoder, config = GaitEncoder.fit(gaits), TrainingConfig(device="cpu")
        with pytest.raises(ConfigError, match=f"{n} training gaits; expected at least 2"):
            train(make(), encoder, gaits[:n], gaits.labels[:n], CLASSES, config)

    def test_an_encoder_for_another_network_is_refused(self, gaits):
        encoder, config = GaitEncoder.fit(gaits, n_affective=3), TrainingConfig(device="cpu")
        with pytest.raises(ShapeError, match="affective features: expected shape"):
            train(make(), encoder, gaits, gaits.labels, CLASSES, config)

    def test_a_diverging_training_ends_in_one_line(self, gaits):
        with pytest.raises(ConfigError, match=r"diverged in epoch \d.*Lower learning_rate"):
            fit(gaits, optimizer="sgd", learning_rate=1e30, epochs=5)


def test_logits_do_not_depend_on_the_batch(gaits):
    network, _ = fit(gaits)
    encoder = GaitEncoder.fit(gaits, n_frames=20)
    together = compute_logits(network, encoder, gaits)
    assert together.shape == (12, 4)
    assert together.dtype == np.float32
    np.testing.assert_allclose(compute_logits(network, encoder, gaits, 5), together, atol=1e-5)
    np.testing.assert_allclose(
        compute_logits(network, encoder, gaits[3:4]), together[3:4], atol=1e-5
    )


class TestEpochSize:
    @pytest.fixture
    def epochs(self, monkeypatch):
        """The batches of every epoch."""
        found = []

        def spy(*arguments):
            found.append([batch.tolist() for batch in _make_batches(*arguments)])
            return [np.array(batch) for batch in found[-1]]

        monkeypatch.setattr("moodwalk.training.loop._make_batches", spy)
        return found

    @pytest.mark.parametrize(("size", "n_steps"), [(4, 2), (5, 3), (6, 3), (7, 4), (11, 6)])
    def test_an_epoch_takes_as_many_steps_as_its_gaits_fill(self, gaits, epochs, size, n_steps):
        fit(gaits, epochs=2, batch_size=2, epoch_size=size)
        # a lone gait goes into another batch, as in any epoch
        expected = n_steps - (size % 2)
        for batches in epochs:
            drawn = [i for batch in batches for i in batch]
            assert len(batches) == expected
            assert len(drawn) == len(set(drawn)) == size

    def test_full_batches_are_as_many_as_the_size_over_theirs_rounded_up(self, gaits, epochs):
        for size in (8, 9, 10, 11):
            fit(gaits, epochs=1, batch_size=4, epoch_size=size)
        assert [len(batches) for batches in epochs] == [2, 3, 3, 3]

    def test_every_epoch_draws_anew_until_all_gaits_were_seen(self, gaits, epochs):
        fit(gaits, epochs=8, batch_size=3, epoch_size=6)
        drawn = [frozenset(i for batch in batches for i in batch) for batches in epochs]
        assert len(set(drawn)) > 5
        assert frozenset.union(*drawn) == set(range(12))

    @pytest.mark.parametrize("size", [12, 13, 1000])
    def test_a_size_of_all_gaits_or_more_takes_all(self, gaits, size):
        usual, history = fit(gaits, batch_size=6)
        network, same = fit(gaits, batch_size=6, epoch_size=size)
        assert_same_weights(usual, network)
        np.testing.assert_array_equal(without_seconds(same), without_seconds(history))

    def test_figures_are_those_of_the_gaits_drawn(self, gaits, epochs):
        _, history = fit(gaits, epochs=1, batch_size=2, epoch_size=4, learning_rate=1e-30)
        arrays = [torch.from_numpy(a) for a in GaitEncoder.fit(gaits, n_frames=20).encode(gaits)]
        targets = torch.tensor([CLASSES.index(name) for name in gaits.labels])
        network = make()
        losses = [
            F.cross_entropy(network(*(array[batch] for array in arrays)), targets[batch]).item()
            for batch in epochs[0]
        ]
        assert history[0].train_loss == pytest.approx(np.mean(losses), rel=1e-4)
        assert 0 <= history[0].train_accuracy <= 1

    def test_a_resumed_run_draws_the_same_gaits(self, gaits, tmp_path, often):
        options = {"epochs": 4, "batch_size": 3, "epoch_size": 6}
        whole, expected = fit(gaits, **options)

        def interrupt(record):
            if record.epoch == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit(gaits, run=tmp_path, on_epoch=interrupt, **options)
        resumed, history = fit(gaits, run=tmp_path, **options)
        assert_same_weights(whole, resumed)
        np.testing.assert_array_equal(without_seconds(history), without_seconds(expected))

    @pytest.mark.parametrize("size", [-1, 0, 1, 15])
    def test_less_than_two_batches_are_refused(self, size):
        with pytest.raises(
            ConfigError, match=f"epoch_size is {size}; expected two batches of 8 or more"
        ):
            TrainingConfig(batch_size=8, epoch_size=size)
