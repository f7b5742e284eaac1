"""What an experiment is: read from a TOML file, checked, and resolved to the last default."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from moodwalk.errors import ConfigError
from moodwalk.experiments.habits import HABITS
from moodwalk.models.catalogue import check_model
from moodwalk.models.custom import is_custom

__all__ = [
    "DataOptions",
    "Experiment",
    "ModelOptions",
    "ProtocolOptions",
    "TrainingOptions",
    "change_experiment",
    "parse_experiment",
    "read_experiment",
    "suggest",
]

ProtocolName = Literal["subject", "random", "legacy"]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Table(BaseModel):
    """A table of the file: unknown keys are errors, and nothing is guessed from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataOptions(_Table):
    """Which walks.

    Parameters
    ----------
    path
        A folder or file in Emotion-Gait's format; relative to the experiment's file.
    labels
        The emotions of label codes 0 to 3, such as ``happy,angry,sad,neutral``; by default each
        file's own order.
    """

    path: str = ""
    labels: str | None = None


class ProtocolOptions(_Table):
    """How gaits are split.

    Parameters
    ----------
    name
        ``subject``, ``random`` or ``legacy``, see `moodwalk.evaluation.PROTOCOLS`.
    folds, repeats, seed
        See `moodwalk.evaluation.make_splits`. Cell i of a model trains with seed + i.
    """

    name: ProtocolName = "subject"
    folds: Annotated[int, Field(ge=2)] = 10
    repeats: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0


class TrainingOptions(_Table):
    """How networks train; classic learners take ``class_weight`` and ``synthetic`` alone.

    Parameters
    ----------
    synthetic
        Generated gaits to train on beside the real ones. Their generator is trained in every cell, on
        the training gaits of that cell alone, and an epoch takes as many steps as without them.
    generator
        A name of `moodwalk.generation.generator.GENERATORS`.
    select
        Which epoch is kept: that of the lowest validation ``loss``, of the highest validation
        ``accuracy``, or the ``last``.
    validation_share
        Share of the training subjects that validation takes; nothing where ``select`` is ``last``
        and there is no ``patience``.
    augment
        Whether training gaits are varied as ``moodwalk train --augment`` does.
    epochs, batch_size, optimizer, learning_rate, weight_decay, class_weight, label_smoothing, \
patience, precision, n_frames
        See `moodwalk.GaitEmotionClassifier`.
    """

    epochs: Annotated[int, Field(ge=1)] = 60
    batch_size: Annotated[int, Field(ge=2)] = 8
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    class_weight: Literal["balanced"] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    augment: bool = False
    select: Literal["last", "loss", "accuracy"] = "loss"
    patience: Annotated[int, Field(ge=1)] | None = None
    validation_share: Share = 0.2
    n_frames: Annotated[int, Field(ge=1)] | None = None
    synthetic: Annotated[int, Field(ge=0, le=100_000)] = 0
    generator: Literal["cycle-gen", "step-gen-tuned", "step-gen"] = "cycle-gen"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"


class ModelOptions(_Table):
    """One line of the experiment: a model, how it trains, and which habits it is measured with.

    Parameters
    ----------
    name
        What tables call it.
    model
        A name of `moodwalk.models.catalogue.MODELS`, or a class in a file (``my_models.py:MyNet``),
        relative to the experiment's file.
    params
        The estimator's ``model_params``.
    training
        The file's training options, changed where this model's own say so.
    habits
        Names of `HABITS`, in any order; none is the honest way.
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    model: str
    params: dict[str, Any] = {}
    training: TrainingOptions = TrainingOptions()
    habits: tuple[str, ...] = ()

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not value.strip() or not value.isprintable():
            raise ValueError(f"{value!r} is no name for a table; expected visible text in one line")
        return value

    @field_validator("params")
    @classmethod
    def _check_params(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            try:
                json.dumps(given)
                means_something = given == given  # which not-a-number is not
            except (TypeError, ValueError):
                means_something = False
            if not means_something:
                raise ValueError(
                    f"'{name}' is {given!r}; expected text, numbers, true, false, lists or tables"
                )
        return value

    @field_validator("habits", mode="before")
    @classmethod
    def _take_list(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("habits")
    @classmethod
    def _check_habits(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in HABITS:
                raise ValueError(f"'{name}' is no habit; {suggest(name, tuple(HABITS))}")
        return value

    @field_validator("model")
    @classmethod
    def _check_model(cls, value: str) -> str:
        return check_model(value)


class Experiment(_Table):
    """An experiment, resolved.

    Parameters
    ----------
    title, question
        For people: they change no figure.
    baseline
        Name of the model that all others are compared with; by default the first.
    published
        Whether every model is also measured the published way: one random tenth as test, the best
        epoch on it, the last test batch dropped, normalisation over all data.
    data, protocol, models
        See their classes.
    """

    title: str = "Experiment"
    question: str = ""
    baseline: str = ""
    published: bool = False
    data: DataOptions = DataOptions()
    protocol: ProtocolOptions = ProtocolOptions()
    models: Annotated[tuple[ModelOptions, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [model.name for model in self.models]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are called '{double[0]}'; expected different names")
        if not self.baseline:
            object.__setattr__(self, "baseline", names[0])
        elif self.baseline not in names:
            raise ValueError(
                f"baseline '{self.baseline}' is no model; {suggest(self.baseline, names)}"
            )
        return self


def read_experiment(path: str | Path) -> Experiment:
    """Read an experiment file.

    Parameters
    ----------
    path
        A TOML file (``docs/laboratory.md`` describes it), or the ``experiment.json`` of a folder of
        results, which repeats that experiment.

    Returns
    -------
    Experiment
        With paths made relative to the current folder.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no TOML, has a key that means nothing (the nearest one is
        named), or a value that makes no sense.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        raw = None if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror or error}. Expected an experiment file (TOML)."
        ) from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or nested without end
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is no TOML file: {reason}.") from None
    if raw is None:
        return _parse_result(text, path)
    return parse_experiment(raw, folder=path.parent, where=str(path))


def parse_experiment(
    raw: Mapping[str, Any], *, folder: Path | None = None, where: str = "experiment"
) -> Experiment:
    """Check and resolve what a file held.

    Parameters
    ----------
    raw
        As `tomllib` gives it.
    folder
        What relative paths start from.
    where
        What an error calls the source.

    Raises
    ------
    ConfigError
        As `read_experiment`.
    """
    try:
        document = dict(raw)
        shared = document.pop("training", {})
        TrainingOptions.model_validate(shared)  # said of [training], not of the first model
        models = document.get("models")
        if isinstance(models, list):
            document["models"] = tuple(_resolve_model(entry, shared, folder) for entry in models)
        data = document.get("data")
        if folder is not None and isinstance(data, dict) and isinstance(data.get("path"), str):
            document["data"] = {**data, "path": str(folder / Path(data["path"]).expanduser())}
        return Experiment.model_validate(document)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_describe(error)}") from None
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _parse_result(text: str, path: Path) -> Experiment:
    try:
        found = dict(json.loads(text)["experiment"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigError(f"{path} is damaged: expected the experiment.json of a result.") from None
    return parse_experiment(found, where=str(path))


def change_experiment(
    experiment: Experiment,
    *,
    data: str | None = None,
    labels: str | None = None,
    models: Sequence[str] = (),
    epochs: int | None = None,
    protocol: Mapping[str, Any] | None = None,
) -> Experiment:
    """Return an experiment with some options changed, checked anew.

    Parameters
    ----------
    experiment
        As the file says.
    data, labels
        Other walks, and their label order.
    models
        More models, trained as the first one is; a class in a file counts from the current folder.
    epochs
        For all models.
    protocol
        Changes to `ProtocolOptions`.

    Raises
    ------
    ConfigError
        As `read_experiment`.
    """
    document = experiment.model_dump()
    if data is not None:
        document["data"] = {"path": data, "labels": labels}
    elif labels is not None:
        document["data"]["labels"] = labels
    document["protocol"] |= dict(protocol or {})
    entries: list[dict[str, Any]] = list(document["models"])
    training: dict[str, Any] = entries[0]["training"]
    entries += [{"name": _shorten(m), "model": m, "training": dict(training)} for m in models]
    for entry in entries if epochs is not None else ():
        entry["training"]["epochs"] = epochs
    document["models"] = tuple(entries)
    return parse_experiment(document, where="the command line")


def _shorten(model: str) -> str:
    return (model.rpartition(":")[2] if is_custom(model) else model) or model


def _resolve_model(entry: Any, shared: Any, folder: Path | None) -> Any:
    if not isinstance(entry, dict):
        return entry
    own = entry.get("training", {})
    resolved = {**entry, "training": {**shared, **own} if isinstance(own, dict) else own}
    model = entry.get("model")
    if folder is not None and isinstance(model, str) and is_custom(model):
        resolved["model"] = str(folder / Path(model).expanduser())
    return resolved


_TABLES: Mapping[str, type[_Table]] = {
    "DataOptions": DataOptions,
    "Experiment": Experiment,
    "ModelOptions": ModelOptions,
    "ProtocolOptions": ProtocolOptions,
    "TrainingOptions": TrainingOptions,
}


def _describe(error: ValidationError) -> str:
    """Say in one sentence what is wrong, and where."""
    problem = error.errors(include_url=False)[0]
    steps = [str(step + 1) if isinstance(step, int) else step for step in problem["loc"]]
    key = steps[-1] if steps else ""
    place = ".".join(steps)
    if error.title == "TrainingOptions":
        place = ".".join(["training", *steps])
    kind = problem["type"]
    if kind == "extra_forbidden":
        table = _find_table(error.title, problem["loc"])
        known = [*table.model_fields, *(["training"] if table is Experiment else [])]
        return f"'{place}' means nothing; {suggest(key, known)}"
    if kind == "missing":
        models = "; expected at least one [[models]] table" if place == "models" else ""
        return f"'{place}' is missing{models}."
    if kind == "value_error":
        text = str(problem.get("ctx", {}).get("error", problem["msg"]))
        text = text if text.endswith(("?", ".")) else f"{text}."
        return f"{place}: {text}" if place else text
    expected = _EXPECTED.get(kind, problem["msg"].removeprefix("Input should be ").rstrip("."))
    if place == "models":
        expected = "at least one [[models]] table"
    found = problem["input"]
    found = [] if found == () else found
    return f"'{place}' is {found!r}; expected {expected}."


_EXPECTED: Mapping[str, str] = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a table",
    "string_too_long": "at most 60 characters",
    "string_too_short": "at least one character",
    "string_type": "text in quotes",
    "tuple_type": "a list",
}
"""What the file should hold, in TOML's words rather than Python's."""


def _find_table(title: str, location: tuple[str | int, ...]) -> type[_Table]:
    """Return the table that the last step of a location names a key of."""
    table = _TABLES[title]
    for step in location[:-1]:
        field = table.model_fields.get(str(step))
        if field is None:
            continue
        kinds = [field.annotation, *get_args(field.annotation)]
        table = next((k for k in kinds if isinstance(k, type) and issubclass(k, _Table)), table)
    return table


def suggest(name: str, known: Sequence[str]) -> str:
    """Return the end of a sentence about an unknown name: the nearest known one, or all of them."""
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"expected one of {', '.join(known)}." if known else "expected none."
