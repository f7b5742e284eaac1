"""``moodwalk features``: the affective features of every gait."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json, Labels
from moodwalk.cli.output import print_json, print_note, print_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from moodwalk.gait import Gait, GaitSet

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("features")(features)


def features(
    path: Annotated[
        Path,
        typer.Argument(
            readable=False, metavar="PATH", help="An Emotion-Gait folder or feature file."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", readable=False, metavar="FILE.csv", help="Write one row a gait."
        ),
    ] = None,
    labels: Labels = None,
    as_json: Json = False,
) -> None:
    """Compute the 29 affective features, unnormalised, in the units of the published files.

    With -o they are written as CSV: name, subject, label, one column a feature. Without, their
    means by emotion are shown. --json prints the values of every gait, or, with -o, the means only.
    """
    from moodwalk.features import compute_affective_features
    from moodwalk.io import read
    from moodwalk.io.atomic import check_writable

    if output is not None:
        check_writable(output)
    gaits = read(path, labels)
    table = compute_affective_features(gaits)
    if output is not None:
        _write_csv(output, gaits, table)
        print_note(f"{output}: {len(gaits)} gaits, {table.shape[1]} features.")
    if as_json:
        print_json(_describe(gaits, table, output))
    elif output is None:
        _show_means(gaits, table)


def _write_csv(path: Path, gaits: Sequence["Gait"], table: "NDArray[np.float64]") -> None:
    from moodwalk.features import FEATURES
    from moodwalk.io.atomic import write_whole

    with write_whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "subject", "label", *(feature.name for feature in FEATURES)])
        for gait, row in zip(gaits, table.tolist(), strict=True):
            writer.writerow([gait.name, gait.subject, gait.label, *row])


def _describe(
    gaits: "GaitSet", table: "NDArray[np.float64]", output: Path | None
) -> dict[str, object]:
    from moodwalk.features import FEATURES

    names = [feature.name for feature in FEATURES]
    document: dict[str, object] = {
        "n_gaits": len(gaits),
        "units": {feature.name: feature.unit for feature in FEATURES},
        "means": {
            group: dict(zip(names, row, strict=True))
            for group, _, row in _compute_means(gaits, table)
        },
        "written": None if output is None else str(output),
    }
    if output is None:
        document["gaits"] = [
            {
                "name": gait.name,
                "subject": gait.subject,
                "label": gait.label,
                "features": dict(zip(names, row, strict=True)),
            }
            for gait, row in zip(gaits, table.tolist(), strict=True)
        ]
    return document


def _compute_means(
    gaits: "GaitSet", table: "NDArray[np.float64]"
) -> list[tuple[str, int, list[float]]]:
    """Return name, number of gaits and means of every emotion that occurs, and of all."""
    from moodwalk.emotion import EMOTIONS

    groups = [("all", list(range(len(gaits))))]
    for emotion in EMOTIONS:
        groups.append((str(emotion), [i for i, gait in enumerate(gaits) if gait.label == emotion]))
    return [(name, len(rows), table[rows].mean(axis=0).tolist()) for name, rows in groups if rows]


def _show_means(gaits: "GaitSet", table: "NDArray[np.float64]") -> None:
    from moodwalk.features import FEATURES

    groups = _compute_means(gaits, table)
    columns = [f"{name} ({n})" for name, n, _ in groups]
    rows = [
        (feature.name, feature.unit, *(means[i] for _, _, means in groups))
        for i, feature in enumerate(FEATURES)
    ]
    print_table(
        "Affective features: means by perceived emotion (gaits)",
        ("feature", "unit", *columns),
        rows,
    )
