"""``moodwalk data``: what a data set holds, and whether its labels are what they claim to be."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.output import print_json, print_line, print_note, print_table
from moodwalk.errors import MoodwalkWarning

if TYPE_CHECKING:
    from moodwalk.audit import Audit
    from moodwalk.emotion import LabelOrder
    from moodwalk.summary import GaitSummary

__all__ = ["Json", "Labels", "register"]

N_ORDERS_SHOWN = 5

Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        metavar="ORDER",
        help="The emotions that codes 0 to 3 stand for, e.g. happy,angry,sad,neutral, or the name of "
        "an order: emotion-gait, elmd, published. By default each file has its own.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_group = typer.Typer(help="Look into data sets.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Hang the commands on the app."""
    app.add_typer(_group, name="data")


@_group.command()
def info(
    paths: Annotated[
        list[Path],
        typer.Argument(
            readable=False, metavar="PATH...", help="Emotion-Gait folders or feature files."
        ),
    ],
    labels: Labels = None,
    as_json: Json = False,
) -> None:
    """Show gaits, subjects, labels, frames, fps and problems."""
    from moodwalk.gait import GaitSet
    from moodwalk.io import read
    from moodwalk.summary import summarise_gaits

    gaits = GaitSet([])
    for path in paths:
        gaits = gaits + read(path, labels)
    summary = summarise_gaits(gaits)
    if as_json:
        print_json(summary.to_dict())
    else:
        _show_summary(summary, ", ".join(map(str, paths)))


@_group.command()
def audit(
    path: Annotated[
        Path,
        typer.Argument(
            readable=False, metavar="PATH", help="An Emotion-Gait folder or feature file."
        ),
    ],
    labels: Labels = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the resampling.")] = 0,
    as_json: Json = False,
) -> None:
    """Show the evidence for the label order in use, and a verdict.

    An order that contradicts the data gives a warning on standard error; the exit status stays 0,
    for the audit itself has succeeded. Scripts read "verdict" from the JSON document: agrees,
    disagrees, undecided, uncoded or unlabelled.
    """
    from moodwalk.audit import audit_labels
    from moodwalk.io.emotion_gait import read_emotion_gait_parts

    audits = [audit_labels(part, seed) for part in read_emotion_gait_parts(path, labels)]
    if as_json:
        print_json({"parts": [one.to_dict() for one in audits]})
    else:
        for one in audits:
            _show_audit(one)
    for one in audits:
        if one.warning:
            warnings.warn(one.warning, MoodwalkWarning, stacklevel=1)


def _show_summary(summary: "GaitSummary", title: str) -> None:
    least, mean, most = summary.frames
    rows: list[tuple[str, object]] = [
        ("gaits", summary.n_gaits),
        ("subjects", summary.n_subjects),
        *((str(emotion), n) for emotion, n in summary.label_counts.items()),
        ("frames, least", least),
        ("frames, mean", mean),
        ("frames, most", most),
        ("fps", ", ".join(f"{rate:g}" for rate in summary.fps)),
        ("problems", len(summary.problems)),
    ]
    print_table(title, ("", ""), rows)
    for problem in summary.problems:
        print_note(f"problem: {problem}")


def _show_audit(audit: "Audit") -> None:
    codes = [f"code {code}" for code in range(4)]
    if audit.order is not None:
        names = [f"{code} {emotion}" for code, emotion in enumerate(audit.order)]
        print_table(
            f"{audit.source}: {audit.n_gaits} gaits of {audit.n_subjects} subjects, codes as read",
            ("", *names),
            [("gaits", *audit.code_counts)],
        )
        if audit.acted is not None:
            rows = [(emotion, *row) for emotion, row in audit.acted.items()]
            print_table("Acted emotion (rows) by code: number of gaits", ("acted", *codes), rows)
        rows = [(f"{m.measure.name}, {m.measure.unit}", *m.means) for m in audit.kinematics]
        print_table("Kinematics by code: means", ("measure", *codes), rows)
        shown = [
            score
            for rank, score in enumerate(audit.scores)
            if rank < N_ORDERS_SHOWN or score.order == audit.order
        ]
        print_table(
            f"Label orders, best first ({len(shown)} of {len(audit.scores)}; all with --json)",
            ("order of codes 0 to 3", "acted = coded", "kinematics", ""),
            [
                (
                    _join(score.order),
                    score.agreement,
                    score.kinematics,
                    "in use" if score.order == audit.order else "",
                )
                for score in shown
            ],
            caption="kinematics: correlation with what the literature expects, 1 at best",
        )
    print_line(f"{audit.source}: {audit.verdict}: {audit.message}")


def _join(order: "LabelOrder") -> str:
    return ",".join(order)
