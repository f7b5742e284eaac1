"""How a line of the report is read from the records of its training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.evaluation.protocols import LEGACY_BATCH
from moodwalk.experiments.cell import read_digits

__all__ = ["Reading", "read_line"]


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """The answers of one line, over all its cells.

    Parameters
    ----------
    classes
        What the numbers in labels and predicted mean.
    gait
        (m,) index of the gait that each answer is about, ordered by repeat, fold, then gait.
    repeat, fold
        (m,) of each answer.
    labels, predicted
        (m,) indices into classes.
    probabilities
        (m, k), or None where answers are read from another epoch than the one that was kept.
    epochs
        One a cell: the epoch that was read, from 1; None for learners without epochs.
    """

    classes: tuple[str, ...]
    gait: NDArray[np.int64]
    repeat: NDArray[np.int64]
    fold: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    probabilities: NDArray[np.float64] | None
    epochs: tuple[int | None, ...]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(m,) whether each answer is right."""
        return self.labels == self.predicted

    def score_folds(self) -> dict[tuple[int, int], float]:
        """Return the accuracy of every (repeat, fold)."""
        pairs = np.stack([self.repeat, self.fold], axis=1)
        return {
            (int(r), int(f)): float(self.correct[(self.repeat == r) & (self.fold == f)].mean())
            for r, f in np.unique(pairs, axis=0)
        }


def read_line(records: Sequence[Mapping[str, Any]], habits: Sequence[str] = ()) -> Reading:
    """Read the records of one training.

    Parameters
    ----------
    records
        At least one, ordered by repeat and fold.
    habits
        ``best-test-epoch`` and ``dropped-batch`` change what is read; others, what was trained.
    """
    parts = [_read_record(record, habits) for record in records]
    keep = {name: np.concatenate([part[name] for part in parts]) for name in _COLUMNS}
    with_probabilities = all(part["probabilities"] is not None for part in parts)
    return Reading(
        classes=tuple(records[0]["classes"]),
        probabilities=np.concatenate([part["probabilities"] for part in parts])
        if with_probabilities
        else None,
        epochs=tuple(part["epoch"] for part in parts),
        **keep,
    )


_COLUMNS = ("gait", "repeat", "fold", "labels", "predicted")


def _read_record(record: Mapping[str, Any], habits: Sequence[str]) -> dict[str, Any]:
    labels = read_digits(record["labels"])
    gait = np.array(record["test"], dtype=np.int64)
    kept = np.arange(len(labels))
    epoch = record["chosen_epoch"]
    predicted = read_digits(record["predicted"])
    probabilities: NDArray[np.float64] | None = np.array(record["probabilities"])
    dropped = "dropped-batch" in habits
    if "best-test-epoch" in habits and record["epochs"]:
        shares: list[tuple[float, NDArray[np.int64], NDArray[np.int64]]] = []
        for number, digits in enumerate(record["epochs"]):
            answers = read_digits(digits)
            # published loaders shuffle anew in every epoch, so others are dropped each time
            here = _drop_batch(len(labels), record["seed"], number) if dropped else kept
            shares.append((float((answers == labels)[here].mean()), answers, here))
        best = int(np.argmax([share for share, _, _ in shares]))
        _, predicted, kept = shares[best]
        epoch, probabilities = best + 1, None
    elif dropped:
        kept = _drop_batch(len(labels), record["seed"], 0)
    return {
        "gait": gait[kept],
        "labels": labels[kept],
        "predicted": predicted[kept],
        "probabilities": None if probabilities is None else probabilities[kept],
        "repeat": np.full(len(kept), record["repeat"]),
        "fold": np.full(len(kept), record["fold"]),
        "epoch": epoch,
    }


def _drop_batch(n_gaits: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return which of the shuffled test gaits stay when the last incomplete batch is left out."""
    order = np.random.default_rng([seed, epoch]).permutation(n_gaits)
    n_kept = n_gaits // LEGACY_BATCH * LEGACY_BATCH
    return np.sort(order[: n_kept or n_gaits])
