"""``moodwalk predict``: the perceived emotion of walks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.output import print_json, print_line, print_table
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.gait import Gait
    from moodwalk.predict import Prediction

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("predict")(predict)


def predict(
    paths: Annotated[
        list[Path],
        typer.Argument(
            readable=False, metavar="PATH...", help="Emotion-Gait folders or feature files."
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(metavar="F", help="The walks' frame rate, where the file is wrong."),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(help="Withhold the answer below this probability.")
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Read the perceived emotion of walks: what observers would call it, not what anybody feels."""
    from dataclasses import replace

    from moodwalk.io import read
    from moodwalk.predict import Predictor

    if fps is not None and not fps > 0:
        raise ConfigError(f"--fps is {fps}; expected a positive number.")
    predictor = Predictor.load(weights, min_confidence=min_confidence)
    walks: list[tuple[Path, Gait]] = []
    for path in paths:
        walks += [(path, gait) for gait in read(path)]
    if fps is not None:
        walks = [(path, replace(gait, fps=fps)) for path, gait in walks]
    predictions = predictor.predict_many([gait for _, gait in walks])
    if as_json:
        results = [
            {"path": str(path), "name": gait.name, "label": gait.label, **prediction.to_dict()}
            for (path, gait), prediction in zip(walks, predictions, strict=True)
        ]
        print_json({"results": results})
    else:
        _show([gait for _, gait in walks], predictions)


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
    labelled = [(g, p) for g, p in zip(gaits, predictions, strict=True) if g.label is not None]
    if labelled:
        n_agree = sum(gait.label == prediction.emotion for gait, prediction in labelled)
        print_line(
            f"{n_agree} of {len(labelled)} agree with the labels beside them. That is no accuracy if "
            f"the weights were trained on these walks; `moodwalk evaluate` gives one."
        )
