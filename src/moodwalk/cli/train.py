"""``moodwalk train``: from labelled gaits to weights."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from moodwalk.cli.data import Json, Labels
from moodwalk.cli.given import find_given
from moodwalk.cli.output import open_progress, print_json, print_line, print_note
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.augment import Augmentation
    from moodwalk.gait import GaitSet
    from moodwalk.generation.fitting import GeneratorEpoch
    from moodwalk.runs import SubjectSplit
    from moodwalk.training import EpochRecord

__all__ = ["Data", "ModelName", "Seed", "register"]

Data = Annotated[
    Path,
    typer.Option("--data", readable=False, metavar="PATH", help="An Emotion-Gait folder or file."),
]
ModelName = Annotated[
    str, typer.Option("--model", metavar="NAME", help="A model; an unknown name lists them all.")
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31, help="Makes everything random repeat.")
]


class _Select(StrEnum):
    LAST = "last"
    LOSS = "loss"
    ACCURACY = "accuracy"


class _Optimizer(StrEnum):
    ADAM = "adam"
    SGD = "sgd"


class _Precision(StrEnum):
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("train")(train)


def train(
    context: typer.Context,
    data: Data,
    run: Annotated[
        Path,
        typer.Option("-o", "--output", readable=False, metavar="RUN", help="Folder for the run."),
    ],
    model: ModelName = "step",
    epochs: Annotated[int, typer.Option(help="Passes over the training gaits.")] = 60,
    seed: Seed = 0,
    labels: Labels = None,
    split: Annotated[
        str,
        typer.Option(
            metavar="SHARES|FILE.json",
            help='Training, validation and test: shares such as 7:2:1, or {"train": [subjects], ...}.',
        ),
    ] = "7:2:1",
    select: Annotated[
        _Select, typer.Option(help="Which epoch is kept; loss and accuracy are of validation.")
    ] = _Select.LAST,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs without a lower validation loss.")
    ] = None,
    optimizer: Annotated[_Optimizer, typer.Option(help="How weights move.")] = _Optimizer.ADAM,
    learning_rate: Annotated[float, typer.Option(help="At the start.")] = 1e-3,
    batch_size: Annotated[int, typer.Option(help="Gaits a step.")] = 8,
    balanced: Annotated[bool, typer.Option("--balanced", help="Weight rare classes up.")] = False,
    augment: Annotated[
        bool,
        typer.Option(
            "--augment", help="Mirror, turn, shift in time, and vary size and speed of every gait."
        ),
    ] = False,
    proportions: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Vary the length of every bone by up to this share, twins alike: 0.1 for a tenth.",
        ),
    ] = 0.0,
    noise: Annotated[
        float | None,
        typer.Option(
            metavar="M",
            help="Shake every joint in every frame by up to so many metres (standard deviation, drawn for "
            "every gait); by default 0.005, always, with --augment, else none.",
        ),
    ] = None,
    calibrate: Annotated[
        int,
        typer.Option(
            metavar="FOLDS",
            help="Evaluate on so many folds of the training gaits, calibrate, and choose when to withhold.",
        ),
    ] = 0,
    share_right: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="With --calibrate: of answers not withheld, how many shall be right.",
        ),
    ] = 0.75,
    jobs: Annotated[int, typer.Option(help="Processes for these folds.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps, ...")] = "auto",
    precision: Annotated[
        _Precision, typer.Option(help="Mixed where not float32.")
    ] = _Precision.FLOAT32,
    as_json: Json = False,
) -> None:
    """Train a classifier or a generator; weights, metrics and the story of the run go into RUN.

    The same command resumes an interrupted run of a classifier and ends with the same weights. Under
    torchrun all processes train together. Generators (step-gen, step-gen-tuned, cycle-gen) have
    settings of their own; for the first two, --epochs, --batch-size and --learning-rate change them.
    """
    from moodwalk.estimator import GaitEmotionClassifier
    from moodwalk.generation.generator import GENERATORS
    from moodwalk.io import read
    from moodwalk.models.catalogue import check_model
    from moodwalk.runs import WEIGHTS, run_training

    if model in GENERATORS:
        changes = _find_changes(context, model)
        gaits = read(data, labels).only_labelled()
        parts = _make_split(gaits, split, seed)
        _train_generator(gaits, model, run, parts, seed, changes, as_json)
        return
    check_model(model, also=GENERATORS)
    gaits = read(data, labels).only_labelled()
    parts = _make_split(gaits, split, seed)
    if not len(parts.validation) and select is not _Select.LAST:
        select = _Select.LAST
        print_note("note: no validation gaits, so the last epoch is kept.")
    estimator = GaitEmotionClassifier(
        model,
        epochs=epochs,
        seed=seed,
        select=select.value,
        patience=patience,
        optimizer=optimizer.value,
        learning_rate=learning_rate,
        batch_size=batch_size,
        class_weight="balanced" if balanced else None,
        augmentation=_choose_augmentation(augment, proportions, noise),
        device=device,
        precision=precision.value,
    )
    with open_progress() as progress:
        bar = progress.add_task("epochs", total=epochs)

        def show(record: "EpochRecord") -> None:
            text = f"epoch {record.epoch}: loss {record.train_loss:.3f}"
            if record.validation_loss == record.validation_loss:
                text += (
                    f", validation {record.validation_loss:.3f} ({record.validation_accuracy:.1%})"
                )
            progress.update(bar, completed=record.epoch, description=text)

        story = run_training(
            gaits,
            estimator,
            run,
            parts,
            calibration_folds=calibrate,
            share_right=share_right,
            jobs=jobs,
            on_epoch=show,
            on_fold=_follow(progress, calibrate),
        )
    if int(os.environ.get("RANK", "0")):
        return
    if as_json:
        print_json(story)
    else:
        _show(story, run / WEIGHTS)


_OF_BOTH = ("data", "run", "model", "seed", "labels", "split", "as_json")
_OF_NETWORKS = ("epochs", "batch_size", "learning_rate")


def _find_changes(context: typer.Context, model: str) -> dict[str, Any]:
    """Return the options of generators that the command line gives; refuse those of classifiers."""
    from moodwalk.generation.generator import GENERATORS

    given = {k: v for k, v in find_given(context).items() if k not in _OF_BOTH}
    own = () if GENERATORS[model].training is None else _OF_NETWORKS
    if other := [name for name in given if name not in own]:
        flags = [f"--{name.replace('_', '-')}" for name in (other[0], *own)]
        raise ConfigError(
            f"{flags[0]} means nothing to the generator {model}; expected "
            f"{'no such option' if not own else 'no more than ' + ', '.join(flags[1:])}."
        )
    return given


def _train_generator(
    gaits: "GaitSet",
    model: str,
    run: Path,
    parts: "SubjectSplit",
    seed: int,
    changes: dict[str, Any],
    as_json: bool,
) -> None:
    from moodwalk.generation.generator import GENERATORS
    from moodwalk.generation.run import run_generator_training
    from moodwalk.runs import WEIGHTS

    with open_progress() as progress:
        how = GENERATORS[model].training
        total = changes.get("epochs", 1 if how is None else how.epochs)
        bar = progress.add_task("epochs", total=total)

        def show(record: "GeneratorEpoch") -> None:
            text = f"epoch {record.epoch}: loss {record.train_loss:.3f}"
            if record.validation_loss == record.validation_loss:
                text += f", validation {record.validation_loss:.3f}"
            progress.update(bar, completed=record.epoch, description=text)

        story = run_generator_training(
            gaits, model, run, parts, seed=seed, training=changes, on_epoch=show
        )
    if as_json:
        print_json(story)
        return
    data = story["data"]
    print_line(
        f"{model}: trained on {data['n_train']} gaits"
        f"{', ' + str(story['epochs']) + ' epochs' if story['epochs'] else ''}; "
        f"{data['n_validation']} for validation; {data['n_test']} are left for "
        f"`moodwalk generate --judge`."
    )
    print_line(f"weights: {run / WEIGHTS}")


def _follow(progress: Any, calibrate: int) -> Callable[[int, int], None]:
    if not calibrate:
        return lambda done, total: None
    bar = progress.add_task("folds", total=calibrate)
    return lambda done, total: progress.update(bar, completed=done, total=total)


def _make_split(gaits: "GaitSet", split: str, seed: int) -> "SubjectSplit":
    from moodwalk.runs import SubjectSplit

    if split.endswith(".json"):
        try:
            parts = json.loads(Path(split).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{split} cannot be read as JSON ({error}).") from None
        if not isinstance(parts, dict) or not all(isinstance(v, list) for v in parts.values()):
            raise ConfigError(
                f'{split}: expected {{"train": [subjects], "validation": [...], "test": [...]}}.'
            )
        named = cast("dict[str, list[object]]", parts)
        people = {str(part): [str(name) for name in names] for part, names in named.items()}
        return SubjectSplit.from_subjects(gaits, people)
    try:
        train, validation, test = (float(share) for share in split.split(":"))
    except ValueError:
        raise ConfigError(
            f"--split is '{split}'; expected shares such as 7:2:1 or a .json file."
        ) from None
    return SubjectSplit.by_shares(gaits, (train, validation, test), seed)


def _choose_augmentation(
    standard: bool, proportions: float, noise_m: float | None
) -> "Augmentation | None":
    from moodwalk.augment import STANDARD_AUGMENTATION, Augmentation

    if not standard and not proportions and not noise_m:
        return None
    chosen = replace(STANDARD_AUGMENTATION if standard else Augmentation(), proportions=proportions)
    return chosen if noise_m is None else replace(chosen, noise_m=noise_m, noise_spread=1.0)


def _describe_abstention(figures: dict[str, Any]) -> str:
    wanted, n_answered, n = figures["share_wanted"], figures["n_answered"], figures["n_gaits"]
    if not n_answered:
        return f"no threshold leaves answers of which {wanted:.0%} are right; all are withheld."
    low, high = figures["share_right_ci95"]
    return (
        f"below {figures['min_confidence']:.0%} answers are withheld, so that {wanted:.0%} of the others are "
        f"right: on out-of-fold gaits {n_answered} of {n} were answered, {figures['share_right']:.1%} "
        f"({low:.1%} to {high:.1%}) of them right."
    )


def _show(story: dict[str, Any], weights: Path) -> None:
    data = story["data"]
    print_line(
        f"{story['model']}: trained on {data['n_train']} gaits, "
        f"{data['n_validation']} for validation, {data['n_test']} for test."
    )
    if "calibration" in story:
        figures = story["calibration"]
        low, high = story["evaluation"]["accuracy_ci95"]
        print_line(
            f"{story['evaluation']['accuracy']:.1%} ({low:.1%} to {high:.1%}) on out-of-fold gaits; "
            f"temperature {figures['temperature']:.2f}, calibration error "
            f"{figures['error_before']:.3f} -> {figures['error_after']:.3f}."
        )
        print_line(_describe_abstention(story["abstention"]))
    if "test" in story:
        test = story["test"]
        low, high = test["accuracy_ci95"]
        print_line(
            f"test: accuracy {test['accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}), balanced "
            f"{test['balanced_accuracy']:.1%}, on {test['n_gaits']} gaits of {test['n_subjects']} "
            f"subjects that it never saw."
        )
    print_line(f"weights: {weights}")
