"""One training of a generator, from data to weights, with what is needed to repeat it."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from moodwalk.gait import GaitSet
from moodwalk.generation.fitting import GeneratorEpoch
from moodwalk.generation.generator import GENERATORS, GaitGenerator
from moodwalk.io.atomic import check_writable, write_whole_text
from moodwalk.provenance import describe_versions, find_commit
from moodwalk.runs import WEIGHTS, SubjectSplit, describe_split

__all__ = ["LIMITS", "run_generator_training"]

LIMITS = (
    "Makes walks like those it was trained on, which observers called by these emotions; they are "
    "nobody's walks, and say nothing of what anybody feels."
)


def run_generator_training(
    gaits: GaitSet,
    model: str,
    run: Path,
    split: SubjectSplit,
    *,
    seed: int = 0,
    training: Mapping[str, Any] | None = None,
    on_epoch: Callable[[GeneratorEpoch], None] | None = None,
) -> dict[str, Any]:
    """Train a generator and write its weights and the story of the run.

    Parameters
    ----------
    gaits
        Labelled gaits.
    model
        A name of `moodwalk.generation.generator.GENERATORS`.
    run
        Folder for ``weights.safetensors``, ``run.json`` and, for networks, ``metrics.csv``, all written
        at the end.
    split
        Training gaits; validation gaits, for the epoch of a network, and which are trained on where
        there are no epochs; test gaits, which are left for ``moodwalk generate --judge``
        and named on the weights' card.
    seed
        Makes everything random repeat.
    training
        Changes to `moodwalk.generation.fitting.GeneratorTraining`.
    on_epoch
        Called after every epoch.

    Returns
    -------
    dict
        What ``run.json`` holds.

    Raises
    ------
    ConfigError
        If there is no such generator, or something does not fit.
    DataFormatError
        If the folder cannot be written.
    """
    check_writable(run / WEIGHTS)
    if model in GENERATORS and GENERATORS[model].training is None:
        both = np.sort(np.concatenate([split.train, split.validation]))
        split = SubjectSplit(both, np.array([], dtype=np.int64), split.test)
    epochs: list[GeneratorEpoch] = []

    def note(record: GeneratorEpoch) -> None:
        epochs.append(record)
        if on_epoch is not None:
            on_epoch(record)

    generator = GaitGenerator.fit(
        model,
        gaits[split.train],
        seed=seed,
        validation=gaits[split.validation] if len(split.validation) else None,
        training=training,
        on_epoch=note,
    )
    story: dict[str, Any] = {
        "model": model,
        "seed": seed,
        "changes": dict(training or {}),
        "epochs": len(epochs),
        "data": describe_split(gaits, split),
        "split": split.to_dict(gaits),
        "versions": describe_versions(),
        "commit": find_commit(),
    }
    if epochs:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, ["epoch", "train_loss", "validation_loss"])
        writer.writeheader()
        writer.writerows(asdict(record) for record in epochs)
        write_whole_text(run / "metrics.csv", table.getvalue())
    generator.save(run / WEIGHTS, {**story, "limits": LIMITS})
    write_whole_text(run / "run.json", json.dumps(story, indent=2) + "\n")
    return story
