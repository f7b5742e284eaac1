"""``moodwalk evaluate``: an honest accuracy."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json, Labels
from moodwalk.cli.engine import Cluster, EngineName, Jobs, make_engine
from moodwalk.cli.output import open_progress, print_json, print_line, print_table
from moodwalk.cli.train import Data, ModelName, Seed

if TYPE_CHECKING:
    from moodwalk.evaluation import Evaluation

__all__ = ["register"]


class _Protocol(StrEnum):
    SUBJECT = "subject"
    RANDOM = "random"
    LEGACY = "legacy"


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("evaluate")(evaluate)


def evaluate(
    data: Data,
    model: ModelName = "step",
    protocol: Annotated[
        _Protocol,
        typer.Option(
            help="subject: folds that share no walker. random: folds that may. legacy: as published "
            "(random tenth, best epoch on the test gaits, last batch dropped), which is optimistic."
        ),
    ] = _Protocol.SUBJECT,
    folds: Annotated[int, typer.Option(help="Folds; legacy has a tenth, whatever this says.")] = 10,
    repeats: Annotated[int, typer.Option(help="Repetitions with other splits.")] = 1,
    seed: Seed = 0,
    epochs: Annotated[int, typer.Option(help="Of networks.")] = 60,
    labels: Labels = None,
    augment: Annotated[
        bool, typer.Option("--augment", help="Augment training gaits, as `train --augment` does.")
    ] = False,
    jobs: Jobs = 1,
    engine: Annotated[EngineName, typer.Option(help="Where folds run.")] = EngineName.LOCAL,
    cluster: Cluster = None,
    as_json: Json = False,
) -> None:
    """Train and test a model on every fold, and say how good it is and how sure that is."""
    from moodwalk import evaluation
    from moodwalk.augment import STANDARD_AUGMENTATION
    from moodwalk.estimator import GaitEmotionClassifier
    from moodwalk.io import read
    from moodwalk.models.catalogue import check_model
    from moodwalk.models.custom import CustomModel, is_custom

    check_model(model)
    where = make_engine(engine, jobs, cluster)
    gaits = read(data, labels).only_labelled()
    estimator = GaitEmotionClassifier(
        CustomModel.read(model) if is_custom(model) else model,  # workers may lack the file
        epochs=epochs,
        seed=seed,
        augmentation=STANDARD_AUGMENTATION if augment else None,
        device="cpu" if jobs > 1 or engine is EngineName.DASK else "auto",
    )
    with open_progress() as progress:
        bar = progress.add_task(f"{model}, {protocol.value}", total=None)
        result = evaluation.evaluate(
            estimator,
            gaits,
            protocol=protocol.value,
            folds=folds,
            repeats=repeats,
            seed=seed,
            name=model,
            jobs=jobs,
            engine=where if engine is EngineName.DASK else None,  # `evaluate` has its own processes
            progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result)


def _show(result: "Evaluation") -> None:
    low, high = result.accuracy_ci95
    optimistic = " OPTIMISTIC" if result.optimistic else ""
    print_line(
        f"{result.model}, protocol {result.protocol}{optimistic}: accuracy {result.accuracy:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%}), balanced {result.balanced_accuracy:.1%}, "
        f"macro-F1 {result.macro_f1:.1%}"
    )
    low, high = result.accuracy_ci95_subjects
    print_line(
        f"{result.n_gaits} gaits of {result.n_subjects} subjects, {len(result.folds)} fits; interval "
        f"from resampled subjects {low:.1%} to {high:.1%}; {result.seconds:.0f} s"
    )
    if result.note:
        print_line(result.note)
    print_line("")
    print_table(
        "By emotion",
        ("emotion", "precision", "recall", "F1", "gaits"),
        ((name, s.precision, s.recall, s.f1, s.support) for name, s in result.per_class.items()),
    )
    print_table(
        "Confusion",
        ("perceived \\ predicted", *result.classes),
        ((name, *row) for name, row in zip(result.classes, result.confusion.tolist(), strict=True)),
    )
    print_table(
        "Folds",
        ("repeat, fold", "train", "test", "subjects", "accuracy", "balanced", "seconds"),
        (
            (
                f"{f.repeat + 1}, {f.fold + 1}",
                f.n_train,
                f.n_test,
                f.n_subjects_test,
                f.accuracy,
                f.balanced_accuracy,
                round(f.seconds, 1),
            )
            for f in result.folds
        ),
    )
