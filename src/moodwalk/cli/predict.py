"""``moodwalk predict``: the perceived emotion of walks."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.output import print_json, print_line, print_note, print_table
from moodwalk.cli.reading import Fps, JointMap, Paths, Person, PoseModel, read_walks
from moodwalk.errors import MoodwalkError

if TYPE_CHECKING:
    from moodwalk.gait import Gait
    from moodwalk.predict import Prediction, Predictor

__all__ = ["register"]

N_TOGETHER = 256
"""Walks that are scored at once, so that memory does not grow with their number."""


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
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Answer also where a recording shows no walk, or sides are swapped."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read the perceived emotion of walks: what observers would call it, not what anybody feels.

    A recording that shows no walk is refused. Among several walks, those that cannot be read or are refused
    get a line each on standard error, and the others are answered.
    """
    from moodwalk.io import list_walks
    from moodwalk.predict import Predictor

    predictor = Predictor.load(weights, min_confidence=min_confidence)
    files = [file for path in paths for file in list_walks(path)]
    refused: list[tuple[Path, MoodwalkError]] = []
    answered: list[tuple[Path, Gait, Prediction]] = []
    walks: list[tuple[Path, Gait]] = []
    for file in files:
        try:
            gaits = read_walks(file, None, fps, joint_map, person, pose_model)
        except MoodwalkError as error:
            if len(files) == 1:
                raise
            refused.append((file, error))
            continue
        for problem in gaits.problems:
            if any(gait.reading is not None for gait in gaits):
                print_note(f"note: {problem}")
        walks += [(file, gait) for gait in gaits]
        if len(walks) >= N_TOGETHER:
            answered += _answer(predictor, walks, force, refused)
            walks = []
    answered += _answer(predictor, walks, force, refused)
    if not answered:
        raise refused[0][1]
    for file, error in refused:
        print_note(f"refused: {error}" if str(file) in str(error) else f"refused: {file}: {error}")
    if as_json:
        results = [
            {"path": str(file), "name": gait.name, "label": gait.label, **prediction.to_dict()}
            for file, gait, prediction in answered
        ]
        left_out = [{"path": str(file), "reason": str(error)} for file, error in refused]
        print_json({"results": results, "refused": left_out})
    else:
        _show([gait for _, gait, _ in answered], [prediction for *_, prediction in answered])


def _answer(
    predictor: "Predictor",
    walks: "list[tuple[Path, Gait]]",
    force: bool,
    refused: list[tuple[Path, MoodwalkError]],
) -> "Iterator[tuple[Path, Gait, Prediction]]":
    """Yield an answer for each walk; those that are no walk are appended to `refused`."""
    from moodwalk.errors import QualityError

    try:
        predictions = predictor.predict_many([gait for _, gait in walks], force=force)
        yield from ((file, gait, p) for (file, gait), p in zip(walks, predictions, strict=True))
    except QualityError as error:
        if len(walks) == 1:
            refused.append((walks[0][0], error))
            return
        for walk in walks:  # one by one, to tell which
            yield from _answer(predictor, [walk], force, refused)


def _show(gaits: "list[Gait]", predictions: "list[Prediction]") -> None:
    emotions = list(predictions[0].probabilities)
    print_table(
        "Perceived emotion",
        ("walk", "emotion", *emotions, "steps/min", "frames"),
        (
            (
                gait.name,
                "withheld" if p.abstained else p.emotion,
                *(f"{p.probabilities[emotion]:.0%}" for emotion in emotions),
                None if p.cadence_spm is None else round(p.cadence_spm),
                p.n_frames,
            )
            for gait, p in zip(gaits, predictions, strict=True)
        ),
    )
    if len(predictions) == 1:
        _explain_reading(gaits[0], predictions[0])
    labelled = [(g, p) for g, p in zip(gaits, predictions, strict=True) if g.label is not None]
    if labelled:
        n_agree = sum(gait.label == prediction.emotion for gait, prediction in labelled)
        print_line(
            f"{n_agree} of {len(labelled)} agree with the labels beside them. That is no accuracy if "
            f"the weights were trained on these walks; `moodwalk evaluate` gives one."
        )


def _explain_reading(gait: "Gait", prediction: "Prediction") -> None:
    """Say of a single walk why the answer is withheld, and how the recording was read."""
    if prediction.reason:
        print_line(f"Withheld: {prediction.reason}.")
    reading = gait.reading
    if reading is None:
        return
    derived = f"; derived: {', '.join(reading.derived)}" if reading.derived else ""
    print_line(f"{reading.format}, joints as in {reading.skeleton}{derived}.")
    for finding in reading.findings:
        print_line(f"  {finding.what}: {finding.value} ({finding.evidence})")
