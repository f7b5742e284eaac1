"""What a worker does: one training, and a record of everything that it gave."""

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.augment import STANDARD_AUGMENTATION
from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.experiments.plan import CELL_FORMAT, OF_SYNTHETIC, Cell
from moodwalk.experiments.synthesis import synthesise
from moodwalk.gait import Gait, GaitSet
from moodwalk.models.classic import CLASSIC
from moodwalk.models.custom import CustomModel
from moodwalk.provenance import describe_versions, find_commit

__all__ = ["describe_failure", "read_digits", "run_cell"]

_DIGITS = 6


def run_cell(shared: tuple[Sequence[Gait], str], cell: Cell) -> dict[str, Any]:
    """Train on the training gaits of a cell, and answer its test gaits.

    Parameters
    ----------
    shared
        All gaits, and the device.
    cell
        What to train, and on which gaits.

    Returns
    -------
    dict
        What JSON can hold: ``key``, ``training``, ``repeat``, ``fold``, ``seed``, ``n_train``,
        ``classes``, ``test`` (indices), ``labels`` and ``predicted`` (one digit a test gait, an
        index into classes), ``probabilities`` (n, k); for networks also ``history`` (a column
        each), ``chosen_epoch`` (from 1) and ``epochs`` (``predicted`` after every epoch);
        ``n_parameters``, ``flops`` (of one forward pass of one gait), ``seconds``,
        ``cpu_seconds``, ``warnings``, ``versions``, ``commit``.
    """
    walks, device = shared
    gaits = walks if isinstance(walks, GaitSet) else GaitSet(walks)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    training, test = gaits[cell.train], gaits[cell.test]
    n_synthetic = cell.training.options["synthetic"]
    unknown = GaitSet([replace(gait, label=None, acted=None) for gait in test])
    classes = [str(e) for e in EMOTIONS if e in set(gaits.labels.tolist())]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = _make_model(cell, device)
        told: dict[str, Any] = {}
        network = isinstance(model, GaitEmotionClassifier) and model.model not in CLASSIC
        if isinstance(model, GaitEmotionClassifier):
            told = {"watch": unknown, "scaling": gaits if cell.training.scale_on_all else None}
        if n_synthetic:
            options = cell.training.options
            validate = network and (options["select"] != "last" or options["patience"] is not None)
            parts = synthesise(training, options, cell.seed, validate=validate)
            training = parts.training
            if network:
                told |= {"validation": parts.validation, "scaling": told["scaling"] or training}
                model.set_params(epoch_size=len(training))
            training = training + parts.synthetic
        model.fit(training, training.labels, **told)
        given = np.asarray(model.predict_proba(unknown), dtype=np.float64)
        order = _find_order(model.classes_, classes, given, len(test))
        probabilities = given[:, order]
    seconds, cpu_seconds = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    number = {name: i for i, name in enumerate(classes)}
    return {
        "format": CELL_FORMAT,
        "key": cell.key,
        "training": cell.training.to_dict(),
        "repeat": cell.repeat,
        "fold": cell.fold,
        "seed": cell.seed,
        "n_train": len(cell.train),
        "classes": classes,
        "test": cell.test.tolist(),
        "labels": _write_digits([number[name] for name in test.labels.tolist()]),
        "predicted": _write_digits(probabilities.argmax(axis=1)),
        "probabilities": np.round(probabilities, _DIGITS).tolist(),
        **_describe_epochs(model, order),
        **_describe_size(model, unknown),
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "warnings": list(dict.fromkeys(" ".join(str(w.message).split()) for w in caught)),
        "versions": describe_versions(),
        "commit": find_commit(),
    }


def _make_model(cell: Cell, device: str) -> Any:
    training = cell.training
    options = {k: v for k, v in training.options.items() if k not in OF_SYNTHETIC}
    augment = options.pop("augment")
    if (
        training.custom is not None
        and (learner := _make_learner(training.custom, cell)) is not None
    ):
        return learner
    return GaitEmotionClassifier(
        training.custom or training.model,
        model_params=training.params,
        augmentation=STANDARD_AUGMENTATION if augment else None,
        device=device,
        seed=cell.seed,
        **options,
    )


def _make_learner(custom: CustomModel, cell: Cell) -> Any | None:
    """Return a user's own scikit-learn classifier; None where the class is a network."""
    from torch import nn

    found = custom.load()
    if issubclass(found, nn.Module):
        return None
    try:
        learner = found(**cell.training.params)
    except TypeError as error:
        raise ConfigError(f"{custom.class_name} of {custom.path}: {error}.") from None
    missing = [name for name in ("fit", "predict_proba") if not hasattr(learner, name)]
    if missing:
        raise ConfigError(
            f"{custom.class_name} of {custom.path} has no {missing[0]}; expected a torch.nn.Module or "
            f"a scikit-learn classifier over gaits."
        )
    for name in ("seed", "random_state"):
        if hasattr(learner, name):
            setattr(learner, name, cell.seed)
    return learner


def _find_order(
    known: Iterable[Any], classes: Sequence[str], given: NDArray[np.float64], n_test: int
) -> list[int]:
    """Return which column of the model's answer belongs to each class."""
    names = [str(name) for name in known]
    if sorted(names) != sorted(classes):
        raise ConfigError(
            f"the model answers with {', '.join(names)}; expected {', '.join(classes)}."
        )
    if given.shape != (n_test, len(classes)) or not np.isfinite(given).all():
        raise ConfigError(
            f"the model gave probabilities of shape {given.shape}, "
            f"{np.isfinite(given).mean():.0%} finite; expected ({n_test}, {len(classes)}), all finite."
        )
    return [names.index(name) for name in classes]


def _describe_epochs(model: Any, order: list[int]) -> dict[str, Any]:
    history = getattr(model, "history_", None)
    if history is None:
        return {"history": None, "chosen_epoch": None, "epochs": None}
    columns: dict[str, list[Any]] = {}
    for record in history:
        for name, value in asdict(record).items():
            finite = isinstance(value, int) or np.isfinite(value)
            columns.setdefault(name, []).append(float(f"{value:.6g}") if finite else None)
    columns["epoch"] = [record.epoch for record in history]
    watched = model.watched_[:, :, order]
    return {
        "history": columns,
        "chosen_epoch": _find_chosen(history, model.select),
        "epochs": [_write_digits(logits.argmax(axis=1)) for logits in watched],
    }


def _find_chosen(history: Sequence[Any], select: str) -> int:
    """Return which epoch's weights the training kept: the rule of `moodwalk.training`, told again."""
    if select == "last":
        return history[-1].epoch
    if select == "loss":
        losses = [record.validation_loss for record in history]
        return max(r.epoch for r in history if r.validation_loss <= min(losses))
    return max(history, key=lambda record: record.validation_accuracy).epoch


def _describe_size(model: Any, gaits: GaitSet) -> dict[str, Any]:
    """Return the number of parameters, and the floating-point operations of one gait's answer."""
    network = getattr(model, "network_", None)
    if network is None:
        return {"n_parameters": None, "flops": None}
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    positions, affective = model.encoder_.encode(gaits[:1])
    arrays = [None if a is None else torch.from_numpy(a) for a in (positions, affective)]
    forms = [(layer, layer.form) for layer in network.modules() if hasattr(layer, "form")]
    for layer, _ in forms:
        layer.form = "direct"  # the operations of the network as it is written down
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(*arrays)
    for layer, form in forms:
        layer.form = form
    return {
        "n_parameters": sum(parameter.numel() for parameter in network.parameters()),
        "flops": counter.get_total_flops(),
    }


def _write_digits(numbers: Sequence[int] | NDArray[np.integer]) -> str:
    return "".join(str(int(number)) for number in numbers)


def read_digits(text: str) -> NDArray[np.int64]:
    """Return the numbers that a record keeps as a string of digits."""
    return np.array([int(digit) for digit in text], dtype=np.int64)


def describe_failure(cell: Cell, error: Exception, traceback: str = "") -> Mapping[str, Any]:
    """Return what is remembered of a cell that failed: what JSON can hold."""
    return {
        "key": cell.key,
        "name": cell.name,
        "repeat": cell.repeat,
        "fold": cell.fold,
        "error": type(error).__name__,
        "message": " ".join(str(error).split()),
        "traceback": traceback.splitlines(),
    }
