"""From an experiment to its cells: one training for each (model, repeat, fold), shared where it can be."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError
from moodwalk.evaluation.protocols import make_splits
from moodwalk.experiments.config import Experiment, ModelOptions, suggest
from moodwalk.gait import GaitSet
from moodwalk.models.classic import CLASSIC
from moodwalk.models.config import STGCN_MODELS, StgcnConfig
from moodwalk.models.custom import CustomModel, is_custom

__all__ = [
    "OF_SYNTHETIC",
    "Cell",
    "Line",
    "Plan",
    "Training",
    "describe_gaits",
    "make_plan",
    "make_slug",
]

CELL_FORMAT = "moodwalk-cell-1"

OF_SYNTHETIC = ("synthetic", "generator")
"""Options of a training that mean something with generated gaits alone."""

_OF_CLASSIC = ("class_weight", *OF_SYNTHETIC)


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained in a cell: everything that decides the weights, but split and seed.

    Parameters
    ----------
    name
        Short, for names of files.
    model
        A name of the catalogue, or ``File.py:Class``.
    custom
        The user's file, if it is one's own model.
    params, options
        See `moodwalk.experiments.config.ModelOptions`.
    split
        ``subject``, ``random`` or ``legacy``.
    scale_on_all, synthetic_tested
        The habits of that kind.
    """

    name: str
    model: str
    custom: CustomModel | None
    params: Mapping[str, Any]
    options: Mapping[str, Any]
    split: str
    scale_on_all: bool = False
    synthetic_tested: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return what tells this training from another; where a user's file lies does not."""
        code = None
        if self.custom is not None:
            code = {"class": self.custom.class_name, "digest": self.custom.digest}
        kept = dict(self.options)
        if self.model in CLASSIC:
            kept = {k: v for k, v in kept.items() if k in _OF_CLASSIC}
        if not kept["synthetic"]:  # then nothing about generated gaits decides anything
            kept = {k: v for k, v in kept.items() if k not in OF_SYNTHETIC}
        return {
            "model": self.model if self.custom is None else Path(self.custom.path).name,
            "code": code,
            "params": dict(self.params),
            "options": kept,
            "split": self.split,
            "scale_on_all": self.scale_on_all,
            "synthetic_tested": self.synthetic_tested,
        }


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """One task: a training on one split.

    Parameters
    ----------
    training
        What is trained.
    repeat, fold
        Both from 0.
    seed
        Of the training.
    train, test
        Indices of gaits.
    key
        Digest of all of it and of the gaits: two cells of one key give one result.
    """

    training: Training
    repeat: int
    fold: int
    seed: int
    train: NDArray[np.int64] = field(repr=False)
    test: NDArray[np.int64] = field(repr=False)
    key: str = ""

    @property
    def name(self) -> str:
        """Name of the cell's file."""
        return f"{self.training.name}-{self.repeat + 1:02d}-{self.fold + 1:02d}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report: a model with its habits, and the training that it is read from.

    Parameters
    ----------
    name
        What tables call it.
    training
        Which training, by its name.
    habits
        How the training is read.
    published
        Whether the line repeats the published way, and is no honest figure.
    """

    name: str
    training: str
    habits: tuple[str, ...]
    published: bool


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """All cells of an experiment, in the order in which they are run, and how they are read."""

    lines: tuple[Line, ...]
    cells: tuple[Cell, ...]


def describe_gaits(gaits: GaitSet) -> dict[str, Any]:
    """Return what an experiment remembers of its walks: counts, a digest, and who walks as numbers."""
    digest = hashlib.sha256()
    for gait in gaits:
        about = (gait.name, gait.subject, str(gait.label), gait.fps, gait.synthetic, len(gait))
        digest.update(repr(about).encode())
        digest.update(np.ascontiguousarray(gait.positions, dtype="<f8").tobytes())
    return {
        "n_gaits": len(gaits),
        "n_subjects": gaits.n_subjects,
        "n_synthetic": sum(gait.synthetic for gait in gaits),
        "labels": {str(label): n for label, n in gaits.label_counts.items()},
        "digest": digest.hexdigest()[:32],
        "subjects": np.unique(gaits.subjects, return_inverse=True)[1].tolist(),
    }


def make_plan(experiment: Experiment, gaits: GaitSet) -> Plan:
    """Lay out the cells of an experiment.

    Lines that differ only in how a training is read share its cells. Cells come repeat by repeat,
    then fold by fold, so that an unfinished experiment holds whole comparisons. The published way
    is measured on one random tenth, as published figures are.

    Raises
    ------
    ConfigError
        If a habit cannot be shown on these gaits or this model, a model takes no such parameter, a
        user's file cannot be read or does not run, or a split cannot be made (see
        `moodwalk.evaluation.make_splits`).
    """
    lines: list[Line] = []
    trainings: dict[str, Training] = {}
    for model in experiment.models:
        _add_line(
            lines, trainings, model, _make_training(model, experiment, gaits), published=False
        )
    for model in experiment.models if experiment.published else ():
        _add_line(lines, trainings, model, _make_published(model), published=True)
    for training in trainings.values():
        _check_params(training)
    digest = describe_gaits(gaits)["digest"]
    cells = [
        cell
        for training in trainings.values()
        for cell in _make_cells(training, experiment, gaits, digest)
    ]
    order = {name: i for i, name in enumerate(trainings)}
    cells.sort(
        key=lambda cell: (
            cell.repeat,
            cell.training.split == "legacy",
            cell.fold,
            order[cell.training.name],
        )
    )
    return Plan(tuple(lines), tuple(cells))


def _add_line(
    lines: list[Line],
    trainings: dict[str, Training],
    model: ModelOptions,
    training: Training,
    *,
    published: bool,
) -> None:
    same = [known for known in trainings.values() if known.to_dict() == training.to_dict()]
    name = same[0].name if same else _choose_name(training.name, trainings)
    if not same:
        trainings[name] = replace(training, name=name)
    habits = ("best-test-epoch", "dropped-batch") if published else model.habits
    if training.model in CLASSIC:  # no epochs to choose from
        habits = tuple(habit for habit in habits if habit != "best-test-epoch")
    lines.append(Line(model.name, name, habits, published))


def _make_training(model: ModelOptions, experiment: Experiment, gaits: GaitSet) -> Training:
    where = f"model '{model.name}'"
    network = model.model not in CLASSIC
    if not network and {"best-test-epoch", "normalised-over-all"} & set(model.habits):
        raise ConfigError(
            f"{where}: '{model.model}' has no epochs and no such normalisation; expected a network "
            f"for the habits best-test-epoch and normalised-over-all."
        )
    if "synthetic-in-test" in model.habits and not any(gait.synthetic for gait in gaits):
        raise ConfigError(
            f"{where}: the habit synthetic-in-test needs synthetic gaits; the data hold none."
        )
    return Training(
        name=make_slug(model.name),
        model=model.model,
        custom=CustomModel.read(model.model) if is_custom(model.model) else None,
        params=model.params,
        options=model.training.model_dump(),
        split="random" if "random-split" in model.habits else experiment.protocol.name,
        scale_on_all="normalised-over-all" in model.habits,
        synthetic_tested="synthetic-in-test" in model.habits,
    )


def _make_published(model: ModelOptions) -> Training:
    """Return the training behind a published figure: all epochs, none chosen on validation gaits."""
    options = {**model.training.model_dump(), "select": "last", "patience": None}
    return Training(
        name=make_slug(model.name) + "-published",
        model=model.model,
        custom=CustomModel.read(model.model) if is_custom(model.model) else None,
        params=model.params,
        options=options,
        split="legacy",
        scale_on_all=model.model not in CLASSIC,
    )


def _check_params(training: Training) -> None:
    """Find out now, and not in every cell, that a model takes no such parameters.

    Raises
    ------
    ConfigError
        If it does not, or a user's own class does not load.
    """
    if training.custom is not None:
        taker: Any = training.custom.load()
    elif training.model in CLASSIC:
        taker = CLASSIC[training.model].factory
    else:
        taker = StgcnConfig
    try:
        known = signature(taker).parameters.values()
    except (TypeError, ValueError):  # a class that cannot say what it takes
        return
    names = [parameter.name for parameter in known if parameter.name != "n_classes"]
    unknown = [name for name in training.params if name not in names]
    if unknown and not any(parameter.kind is Parameter.VAR_KEYWORD for parameter in known):
        where = training.model if training.custom is None else training.custom.class_name
        raise ConfigError(
            f"'{where}' takes no parameter '{unknown[0]}'; {suggest(unknown[0], names)}"
        )
    if taker is StgcnConfig:
        replace(STGCN_MODELS[training.model], **training.params)  # raises where values make none


def _make_cells(
    training: Training, experiment: Experiment, gaits: GaitSet, digest: str
) -> list[Cell]:
    protocol = experiment.protocol
    made = np.array([gait.synthetic for gait in gaits], dtype=np.bool_)
    if training.split != "legacy":
        _check_folds(training.split, protocol.folds, gaits[~made])
    # the published way rests on one test set; an experiment under that protocol keeps its repeats
    once = training.split == "legacy" and protocol.name != "legacy"
    splits = make_splits(
        training.split,
        gaits.labels,
        gaits.subjects,
        protocol.folds,
        1 if once else protocol.repeats,
        protocol.seed,
        None if training.synthetic_tested else made,
    )
    cells: list[Cell] = []
    for number, split in enumerate(splits):
        seed = protocol.seed + number
        said = {
            "format": CELL_FORMAT,
            "training": training.to_dict(),
            "seed": seed,
            "train": split.train.tolist(),
            "test": split.test.tolist(),
            "gaits": digest,
        }
        key = hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
        cells.append(
            Cell(training, split.repeat, split.fold, seed, split.train, split.test, key[:32])
        )
    return cells


def _check_folds(split: str, folds: int, gaits: GaitSet) -> None:
    """Refuse more folds than a class has subjects (or gaits): some test set could not hold it."""
    labels, subjects = gaits.labels, gaits.subjects
    for label in np.unique(labels):
        own = labels == label
        unit, n = ("subjects", len(np.unique(subjects[own]))) if split == "subject" else (
            "gaits", int(own.sum())
        )  # fmt: skip
        if n < 2:
            raise ConfigError(
                f"only one of the {unit} is '{label}'; expected at least two, so that it can be both "
                f"trained on and tested. Give more, or leave the class out."
            )
        if folds > n:
            raise ConfigError(
                f"{folds} folds, but only {n} {unit} are '{label}'; expected at most {n} folds, so that "
                f"every test set can hold every class. Lower folds, or give more {unit}."
            )


def make_slug(name: str) -> str:
    """Return a name in small letters, digits and hyphens, for a file."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "model"


def _choose_name(slug: str, taken: Mapping[str, Any]) -> str:
    name, number = slug, 2
    while name in taken:
        name, number = f"{slug}-{number}", number + 1
    return name
