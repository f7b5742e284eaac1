"""``moodwalk data``: what a data set holds, and whether its labels are what they claim to be."""

import warnings
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.output import print_json, print_line, print_note, print_table
from moodwalk.cli.reading import Fps, JointMap, Paths, Person, PoseModel, read_walks
from moodwalk.errors import ConfigError, DataFormatError, MoodwalkWarning

if TYPE_CHECKING:
    from moodwalk.audit import Audit
    from moodwalk.emotion import LabelOrder
    from moodwalk.gait import GaitSet
    from moodwalk.recording import Reading
    from moodwalk.summary import GaitSummary

__all__ = ["Json", "Labels", "register"]

N_ORDERS_SHOWN = 5
N_READINGS_SHOWN = 5

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


class _Partition(StrEnum):
    SUBJECT = "subject"
    LABEL = "label"
    ACTED = "acted"


_group = typer.Typer(help="Look into data sets.", rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Hang the commands on the app."""
    app.add_typer(_group, name="data")


@_group.command()
def info(
    paths: Paths,
    labels: Labels = None,
    fps: Fps = None,
    joint_map: JointMap = None,
    person: Person = None,
    pose_model: PoseModel = None,
    as_json: Json = False,
) -> None:
    """Show gaits, subjects, labels, frames, fps and problems; of recordings, how they are read."""
    from moodwalk.gait import GaitSet
    from moodwalk.summary import summarise_gaits

    gaits = GaitSet([])
    for path in paths:
        gaits = gaits + read_walks(path, labels, fps, joint_map, person, pose_model)
    summary = summarise_gaits(gaits)
    readings = [(gait.name, gait.reading) for gait in gaits if gait.reading is not None]
    if as_json:
        found = [{"name": name, **reading.to_dict()} for name, reading in readings]
        print_json(summary.to_dict() | ({"readings": found} if found else {}))
    else:
        _show_summary(summary, ", ".join(map(str, paths)))
        _show_readings(readings)


@_group.command()
def convert(
    sources: Annotated[
        list[Path],
        typer.Argument(readable=False, metavar="SRC...", help="Whatever `moodwalk predict` reads."),
    ],
    destination: Annotated[
        Path,
        typer.Argument(
            metavar="DST",
            help="A file (.h5, .parquet, .csv, .npz, or .bvh for one walk), or a folder for a corpus of "
            "Parquet parts.",
        ),
    ],
    labels: Labels = None,
    fps: Fps = None,
    joint_map: JointMap = None,
    person: Person = None,
    pose_model: PoseModel = None,
    partition_by: Annotated[
        _Partition | None, typer.Option(help="Of a corpus: a folder for each of these.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write walks of any readable kind in a format of moodwalk, on the 16 joints."""
    from moodwalk.io import open_writer
    from moodwalk.io.bvh_writing import write_bvh
    from moodwalk.io.corpus import is_corpus, iterate_corpus, write_corpus
    from moodwalk.io.writers import FORMATS

    suffix = destination.suffix.lower()
    is_folder = suffix not in (*FORMATS, ".bvh") and (not suffix or destination.is_dir())
    if partition_by is not None and not is_folder:
        raise ConfigError(
            f"--partition-by is for a corpus; {destination} is a file. Name a folder, or leave it out."
        )
    by = None if partition_by is None else partition_by.value
    problems: list[str] = []
    n_written = 0

    def draw() -> "Iterator[GaitSet]":
        nonlocal n_written
        for source in sources:
            if is_corpus(source):
                parts = iterate_corpus(source)
            else:
                parts = iter([read_walks(source, labels, fps, joint_map, person, pose_model)])
            for part in parts:
                problems.extend(part.problems)
                n_written += len(part)
                yield part

    if suffix == ".bvh":
        gaits = [gait for part in draw() for gait in part]
        if len(gaits) != 1:
            raise DataFormatError(
                f"{destination}: {len(gaits)} gaits; BVH holds one. Convert one file at a time, or choose "
                f"another format."
            )
        write_bvh(destination, gaits[0])
    elif is_folder:
        write_corpus(destination, (g for part in draw() for g in part), partition_by=by)
    else:
        with open_writer(destination) as writer:
            for part in draw():
                writer.write(part)
    for problem in problems:
        print_note(f"note: {problem}")
    if as_json:
        print_json({"path": str(destination), "gaits": n_written, "problems": problems})
    else:
        print_line(f"{n_written} gaits: {destination}")


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


def _show_readings(readings: "list[tuple[str, Reading]]") -> None:
    """Show which recorded joint became which, once for recordings that were read alike."""
    by_map: dict[tuple[object, ...], list[str]] = {}
    shown: dict[tuple[object, ...], Reading] = {}
    for name, reading in readings:
        key = (reading.format, reading.skeleton, tuple(reading.joints.items()))
        by_map.setdefault(key, []).append(name)
        shown.setdefault(key, reading)
    for key, names in by_map.items():
        reading = shown[key]
        of = names[0] if len(names) == 1 else f"{len(names)} recordings"
        print_table(
            f"{of}: {reading.format}, joints as in {reading.skeleton}",
            ("joint", "made of"),
            reading.joints.items(),
        )
    for name, reading in readings[:N_READINGS_SHOWN]:
        for finding in reading.findings:
            evidence = "; ".join(filter(None, (finding.evidence, f"{finding.confidence:.0%} sure")))
            print_line(f"{name}: {finding.what}: {finding.value} ({evidence})")
    if len(readings) > N_READINGS_SHOWN:
        print_line(f"and {len(readings) - N_READINGS_SHOWN} more; all with --json.")


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
