"""The fit loop: from gaits and a network to trained weights, from top to bottom."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from moodwalk.emotion import parse_emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError
from moodwalk.gait import Gait
from moodwalk.io.atomic import check_writable
from moodwalk.models.encoding import GaitEncoder
from moodwalk.training.config import EpochRecord, Select, TrainingConfig
from moodwalk.training.state import TrainingState
from moodwalk.training.team import Team

__all__ = ["compute_logits", "train"]

_SECONDS_BETWEEN_SAVES = 10.0


def train(
    network: nn.Module,
    encoder: GaitEncoder,
    gaits: Sequence[Gait],
    labels: Sequence[str],
    classes: Sequence[str],
    config: TrainingConfig,
    *,
    validation: tuple[Sequence[Gait], Sequence[str]] | None = None,
    watch: tuple[Sequence[Gait], Callable[[NDArray[np.float32]], None]] | None = None,
    run: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> list[EpochRecord]:
    """Train a network in place.

    Under ``torchrun`` every process takes its share of every batch, and the first one writes.

    Parameters
    ----------
    network
        Trained in place; left in evaluation mode with the weights that ``config.select`` chose.
    encoder
        Learned on the training gaits.
    gaits, labels
        Training gaits and their emotions.
    classes
        The emotion of every output.
    config
        How to train.
    validation
        Gaits and emotions that the epoch may be chosen on. Never those that will be scored.
    watch
        Gaits whose logits, (n, classes), are handed over after every epoch. Nothing is chosen by them.
    run
        Folder for ``metrics.csv``, TensorBoard events (where installed) and the state from which
        an interrupted run resumes: the same call then ends with the same weights.
    on_epoch
        Called after every epoch.

    Returns
    -------
    list of EpochRecord
        One an epoch, those before an interruption included.

    Raises
    ------
    ConfigError
        If the epoch is to be chosen without validation gaits, there are too few training gaits, the
        device is not there, or the loss is not finite.
    LabelError
        If labels are of another number than gaits, or not among the classes.
    DataFormatError
        If `run` cannot be written.
    CheckpointError
        If `run` holds the state of another training.
    """
    if validation is None and (config.select != "last" or config.patience is not None):
        raise ConfigError(
            f"select='{config.select}' and early stopping need validation gaits; found none."
        )
    if run is not None:
        check_writable(run / "state.safetensors")
    team = Team.join(config)
    if len(gaits) < team.least:
        raise ConfigError(f"{len(gaits)} training gaits; expected at least {team.least}.")
    device = team.device
    network.to(device)
    gaits = [encoder.bring(gait) for gait in gaits]
    inputs, affective = _encode(encoder, gaits, device)
    targets = _index(labels, classes, len(gaits), device)
    held_out = None
    if validation is not None:
        held_out = (
            *_encode(encoder, validation[0], device),
            _index(validation[1], classes, len(validation[0]), device),
        )
    watched = None if watch is None else _encode(encoder, watch[0], device)
    criterion = nn.CrossEntropyLoss(
        weight=_balance(targets, len(classes)) if config.class_weight else None,
        label_smoothing=config.label_smoothing,
        reduction="sum",
    )
    optimizer = _make_optimizer(network, config)
    scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
    half = torch.bfloat16 if config.precision == "bfloat16" else torch.float16
    mixed = (
        nullcontext if config.precision == "float32" else lambda: torch.autocast(device.type, half)
    )
    model = team.wrap(network)
    state = TrainingState(network, optimizer, config)
    if run is not None:
        state.data = _fingerprint(encoder, (gaits, labels), validation or ((), ()), classes)
        state.load(run)
    writes = run is not None and team.rank == 0
    board = _open_tensorboard(run, len(state.history) + 1) if run is not None and writes else None
    saved = time.monotonic()

    for epoch in range(len(state.history), config.epochs):
        if _should_stop(state.history, config.patience):
            break
        started = time.monotonic()
        # Everything random in an epoch follows from seed and epoch, so a resumed run repeats it.
        rng = np.random.default_rng([config.seed, epoch])
        torch.manual_seed(int(rng.integers(2**62)) + team.rank)
        rate = config.learning_rate * 0.1 ** sum(
            epoch >= share * config.epochs for share in config.decay_at
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        if config.augmentation is not None:
            varied = [g.with_positions(config.augmentation(g.positions, rng)) for g in gaits]
            inputs, affective = _encode(encoder, varied, device)

        model.train()
        total_loss, n_correct = torch.zeros((), device=device), torch.zeros((), device=device)
        n_drawn = min(len(targets), config.epoch_size or len(targets))
        for batch in _make_batches(len(targets), config.batch_size, team.least, rng, n_drawn):
            mine = torch.as_tensor(team.share(batch), device=device)
            with mixed():
                logits = model(inputs[mine], None if affective is None else affective[mine])
                loss = criterion(logits.float(), targets[mine])
            optimizer.zero_grad()
            # Processes average their gradients; the sum over the whole batch is wanted.
            scaler.scale(loss * (team.size / len(batch))).backward()
            scaler.step(optimizer)
            scaler.update()
            total_loss += loss.detach()
            n_correct += (logits.argmax(1) == targets[mine]).sum()

        if team.size > 1:  # each process has kept the running statistics of its own share
            for buffer in network.buffers():
                team.agree(buffer)
        train_loss, train_accuracy = (team.total(t) / n_drawn for t in (total_loss, n_correct))
        validation_loss = validation_accuracy = float("nan")
        if held_out is not None:
            logits = _forward(network, held_out[0], held_out[1], config.batch_size)
            right = (logits.argmax(1) == held_out[2]).float().mean()
            figures = torch.stack([F.cross_entropy(logits, held_out[2]), right])
            validation_loss, validation_accuracy = team.agree(figures).tolist()
        record = EpochRecord(
            epoch + 1, rate, train_loss, train_accuracy, validation_loss, validation_accuracy,
            time.monotonic() - started,
        )  # fmt: skip
        if not np.isfinite(train_loss) or (
            held_out is not None and not np.isfinite(validation_loss)
        ):
            raise ConfigError(
                f"training diverged in epoch {epoch + 1} (loss {train_loss}); "
                f"expected a finite loss. Lower learning_rate ({config.learning_rate:g})."
            )
        state.history.append(record)
        if config.select != "last" and _is_best(state.history, config.select):
            state.best = {
                name: value.detach().clone() for name, value in network.state_dict().items()
            }
        if board is not None:
            _add_to_tensorboard(board, record)
        if run is not None and writes and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
            state.save(run)
            saved = time.monotonic()
        if watch is not None and watched is not None and team.rank == 0:
            watch[1](_forward(network, *watched, config.batch_size).float().cpu().numpy())
        if on_epoch is not None and team.rank == 0:
            on_epoch(record)

    if run is not None and writes:
        state.save(run)
    if board is not None:
        board.close()
    if state.best:
        network.load_state_dict(state.best)
    team.leave()
    network.eval()
    return state.history


def compute_logits(
    network: nn.Module, encoder: GaitEncoder, gaits: Sequence[Gait], batch_size: int = 32
) -> NDArray[np.float32]:
    """Return the network's logits, (n, classes); gaits do not influence each other."""
    device = next(network.parameters()).device
    inputs, affective = _encode(encoder, gaits, device)
    return _forward(network, inputs, affective, batch_size).float().cpu().numpy()


def _make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), config.learning_rate, momentum=0.9, nesterov=True,
            weight_decay=config.weight_decay,
        )  # fmt: skip
    return torch.optim.Adam(
        network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def _make_batches(
    n: int, batch_size: int, least: int, rng: np.random.Generator, n_drawn: int | None = None
) -> Iterator[NDArray[np.int64]]:
    """Shuffle; batches differ by one gait at most, and none is too small to be normalised."""
    drawn = rng.permutation(n)[:n_drawn]
    yield from np.array_split(drawn, min(-(-len(drawn) // batch_size), len(drawn) // least))


def _open_tensorboard(run: Path, first_epoch: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # the extra `lab` is not installed
        return None
    try:
        return SummaryWriter(str(run / "tensorboard"), purge_step=first_epoch)
    except OSError as error:
        raise DataFormatError(
            f"{run / 'tensorboard'} cannot be written: {error.strerror or error}. Choose another place."
        ) from None


def _add_to_tensorboard(board: Any, record: EpochRecord) -> None:
    for name, value in asdict(record).items():
        if name != "epoch" and np.isfinite(value):
            board.add_scalar(name, value, record.epoch)


def _encode(
    encoder: GaitEncoder, gaits: Sequence[Gait], device: torch.device
) -> tuple[Tensor, Tensor | None]:
    positions, affective = encoder.encode(gaits)
    features = None if affective is None else torch.from_numpy(affective).to(device)
    return torch.from_numpy(positions).to(device), features


def _index(
    labels: Sequence[str], classes: Sequence[str], n_gaits: int, device: torch.device
) -> Tensor:
    if len(labels) != n_gaits:
        raise LabelError(f"{n_gaits} gaits but {len(labels)} labels; expected as many.")
    number = {str(name): i for i, name in enumerate(classes)}
    names = [str(parse_emotion(label)) for label in labels]
    if other := sorted(set(names) - set(number)):
        raise LabelError(
            f"Gaits are labelled {', '.join(other)}; the network knows {', '.join(number)} only. "
            f"Train on gaits of every emotion, or leave these out."
        )
    return torch.tensor([number[name] for name in names], device=device)


def _fingerprint(
    encoder: GaitEncoder,
    training: tuple[Sequence[Gait], Sequence[str]],
    validation: tuple[Sequence[Gait], Sequence[str]],
    classes: Sequence[str],
) -> str:
    """Return a digest of what is trained on, by which a run's folder knows its gaits again."""
    how = (encoder.n_frames, encoder.fps, encoder.n_affective, encoder.root_relative)
    how += ("body form",) if encoder.body_form else ()
    digest = hashlib.sha256(repr((*how, [str(name) for name in classes])).encode())
    for part in (training, validation):
        for gait, label in zip(*part, strict=True):
            digest.update(f"{label} {gait.fps} {gait.positions.dtype} {len(gait)}".encode())
            digest.update(gait.positions.tobytes())
        digest.update(b"end")
    return digest.hexdigest()


def _balance(targets: Tensor, n_classes: int) -> Tensor:
    counts = torch.bincount(targets, minlength=n_classes).float()
    return len(targets) / (n_classes * counts.clamp(min=1))


@torch.inference_mode()
def _forward(
    network: nn.Module, inputs: Tensor, affective: Tensor | None, batch_size: int
) -> Tensor:
    network.eval()
    logits = [
        network(
            inputs[i : i + batch_size], None if affective is None else affective[i : i + batch_size]
        )
        for i in range(0, len(inputs), batch_size)
    ]
    return torch.cat(logits)


def _is_best(history: list[EpochRecord], select: Select) -> bool:
    if select == "loss":
        return history[-1].validation_loss <= min(r.validation_loss for r in history)
    earlier = [r.validation_accuracy for r in history[:-1]]
    return history[-1].validation_accuracy > max(earlier, default=-1.0)


def _should_stop(history: list[EpochRecord], patience: int | None) -> bool:
    if patience is None or not history:
        return False
    losses = [record.validation_loss for record in history]
    return len(losses) - 1 - int(np.argmin(losses)) >= patience
