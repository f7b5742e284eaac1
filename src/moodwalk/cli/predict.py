"""``moodwalk predict``: the perceived emotion of walks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.engine import Cluster, EngineName, make_engine
from moodwalk.cli.output import open_progress, print_json, print_line, print_note, print_table
from moodwalk.cli.reading import Fps, JointMap, Paths, Person, PoseModel
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.predict import Prediction
    from moodwalk.scoring import ScoredWalk

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("predict")(predict)


def predict(
    paths: Paths,
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    fps: Fps = None,
    joint_map: JointMap = None,
    person: Person = None,
    pose_model: PoseModel = None,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            help="Withhold the answer below this probability; by default as the weights say."
        ),
    ] = None,
    max_novelty: Annotated[
        float | None,
        typer.Option(
            help="Withhold the answer to walks that lie further outside the training walks' range; by "
            "default as the weights say."
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Answer also where a recording shows no walk, or sides are swapped."
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(help="Worker processes; by default one a core where there are many files."),
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="Where files are scored.")] = EngineName.LOCAL,
    cluster: Cluster = None,
    as_json: Json = False,
) -> None:
    """Read the perceived emotion of walks: what observers would call it, not what anybody feels.

    A recording that shows no walk is refused. Among several walks, those that cannot be read or are refused
    get a line each on standard error, and the others are answered.
    """
    from moodwalk.io import ReadOptions
    from moodwalk.scoring import Refusal, ScoredWalk, ScoringJob, count_workers, list_tasks, score

    if fps is not None and not 0 < fps < float("inf"):
        raise ConfigError(f"--fps is {fps}; expected a positive number.")
    tasks = list_tasks(paths)
    where = make_engine(engine, count_workers(tasks) if jobs is None else jobs, cluster)
    n_files = sum(map(len, tasks))
    answered: list[ScoredWalk] = []
    refused: list[Refusal] = []
    with open_progress() as progress:
        bar = progress.add_task("files", total=n_files)

        def show(done: int, total: int | None) -> None:
            if n_files == 1:
                progress.update(bar, description="frames", completed=done, total=total)

        options = ReadOptions(fps, joint_map, person, pose_model, show)
        job = ScoringJob(weights, min_confidence, max_novelty, force, options)
        for task, found in zip(tasks, score(tasks, job, where), strict=True):
            answered += [one for one in found if isinstance(one, ScoredWalk)]
            refused += [one for one in found if isinstance(one, Refusal)]
            progress.advance(bar, len(task))
    if not answered:
        raise refused[0].error if refused else ConfigError("there are no walks in what was given.")
    for one in refused:
        text = str(one.error)
        print_note(f"refused: {text}" if str(one.path) in text else f"refused: {one.path}: {text}")
    if as_json:
        results = [
            {
                "path": str(one.path),
                "name": one.name,
                "label": one.label,
                **one.prediction.to_dict(),
            }
            for one in answered
        ]
        left_out = [{"path": str(one.path), "reason": str(one.error)} for one in refused]
        print_json({"results": results, "refused": left_out})
    else:
        _show(answered)


def _show(walks: "list[ScoredWalk]") -> None:
    emotions = list(walks[0].prediction.probabilities)
    print_table(
        "Perceived emotion",
        ("walk", "emotion", *emotions, "steps/min", "frames"),
        (
            (
                walk.name,
                "withheld" if walk.prediction.abstained else walk.prediction.emotion,
                *(f"{walk.prediction.probabilities[emotion]:.0%}" for emotion in emotions),
                None if walk.prediction.cadence_spm is None else round(walk.prediction.cadence_spm),
                walk.prediction.n_frames,
            )
            for walk in walks
        ),
    )
    if len(walks) == 1:
        _explain_reading(walks[0].prediction)
    labelled = [walk for walk in walks if walk.label is not None]
    if labelled:
        n_agree = sum(walk.label == walk.prediction.emotion for walk in labelled)
        print_line(
            f"{n_agree} of {len(labelled)} agree with the labels beside them. That is no accuracy if "
            f"the weights were trained on these walks; `moodwalk evaluate` gives one."
        )


def _explain_reading(prediction: "Prediction") -> None:
    """Say of a single walk why the answer is withheld, and how the recording was read."""
    if prediction.reason:
        print_line(f"Withheld: {prediction.reason}.")
    reading = prediction.reading
    if reading is None:
        return
    derived = f"; derived: {', '.join(reading.derived)}" if reading.derived else ""
    print_line(f"{reading.format}, joints as in {reading.skeleton}{derived}.")
    for finding in reading.findings:
        evidence = f" ({finding.evidence})" if finding.evidence else ""
        print_line(f"  {finding.what}: {finding.value}{evidence}")
