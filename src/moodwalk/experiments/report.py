"""A report of an experiment: one HTML page, the same in Markdown with PNG, and CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from moodwalk.experiments.analysis import Analysis, analyse
from moodwalk.experiments.config import parse_experiment
from moodwalk.experiments.parts import Part, make_parts
from moodwalk.experiments.store import ResultFolder
from moodwalk.io.atomic import write_whole_text
from moodwalk.markdown import make_markdown_table
from moodwalk.page import Section, write_page

__all__ = ["analyse_folder", "write_report"]


def analyse_folder(folder: str | Path) -> Analysis:
    """Compute what a folder of results shows, as far as its cells are done.

    Parameters
    ----------
    folder
        What `run_experiment` wrote. The walks themselves are not needed.

    Raises
    ------
    DataFormatError
        If it is no folder of results, or damaged.
    ConfigError
        If the baseline has no cell yet.
    """
    store = ResultFolder(folder)
    document = store.read()
    experiment = parse_experiment(document["experiment"], where=str(store.path))
    lines = [
        (line["name"], tuple(line["habits"]), line["published"], line["cells"])
        for line in document["lines"]
    ]
    return analyse(experiment, document["gaits"], lines, store.read_done(), store.read_failures())


def write_report(folder: str | Path) -> tuple[Analysis, dict[str, Path]]:
    """Write ``report.html``, ``report.md`` with its pictures, and the tables as CSV.

    Parameters
    ----------
    folder
        What `run_experiment` wrote; the report goes there too.

    Returns
    -------
    analysis
        What the report says.
    paths
        Path of every kind: ``html``, ``markdown``, ``lines``, ``comparisons``, ``cells``,
        ``answers``.

    Raises
    ------
    DataFormatError
        If the folder cannot be read or written.
    ConfigError
        If the baseline has no cell yet, or the extra ``lab`` is not installed.
    """
    folder = Path(folder)
    analysis = analyse_folder(folder)
    parts = make_parts(analysis)
    paths = {
        "html": folder / "report.html",
        "markdown": folder / "report.md",
        "lines": folder / "lines.csv",
        "comparisons": folder / "comparisons.csv",
        "cells": folder / "cells.csv",
        "answers": folder / "answers.csv",
    }
    _write_html(paths["html"], analysis, parts)
    _write_markdown(paths["markdown"], analysis, parts)
    _write_csv(paths["lines"], _LINE_COLUMNS, _list_lines(analysis))
    _write_csv(paths["comparisons"], _COMPARISON_COLUMNS, _list_comparisons(analysis))
    _write_csv(paths["cells"], _CELL_COLUMNS, _list_cells(analysis))
    answers = ("gait", "model", "repeat", "fold", "label", "predicted", *analysis.classes)
    _write_csv(paths["answers"], answers, _list_answers(analysis))
    return analysis, paths


def _write_html(path: Path, analysis: Analysis, parts: Sequence[Part]) -> None:
    best = analysis.find(analysis.baseline)
    facts = [
        (f"{100 * best.accuracy:.1f} %", f"accuracy of {best.name}"),
        (f"{analysis.gaits['n_gaits']:,}", f"gaits of {analysis.gaits['n_subjects']} subjects"),
        (
            f"{analysis.n_done}",
            "trainings"
            if analysis.n_done == analysis.n_cells
            else f"of {analysis.n_cells} trainings done",
        ),
        (
            f"{sum(c.differs for c in analysis.comparisons)}",
            f"of {len(analysis.comparisons)} differ",
        ),
    ]
    if not (analysis.comparisons and analysis.finished):
        facts.pop()
    write_page(
        path,
        analysis.experiment.title,
        [
            Section(
                part.heading, part.paragraphs, part.figure() if part.figure else None, part.table
            )
            for part in parts
        ],
        lead=analysis.experiment.question,
        facts=facts,
        footer="Emotion here is what observers perceived. No diagnosis, and not fit for judging people.",
    )


def _write_markdown(path: Path, analysis: Analysis, parts: Sequence[Part]) -> None:
    lines = [f"# {analysis.experiment.title}", ""]
    if analysis.experiment.question:
        lines += [f"**{analysis.experiment.question}**", ""]
    for part in parts:
        lines += [f"## {part.heading}", ""]
        for paragraph in part.paragraphs:
            lines += [paragraph, ""]
        if part.write_png is not None:
            name = f"{part.name}.png"
            part.write_png(path.parent / name)
            lines += [f"![{part.alt or part.heading}]({name})", ""]
        if part.table is not None:
            lines += [*make_markdown_table(part.table), ""]
    write_whole_text(path, "\n".join(lines).rstrip() + "\n")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole_text(path, text.getvalue())


_LINE_COLUMNS = (
    "model", "published", "habits", "split", "cells", "gaits", "accuracy", "exact_low", "exact_high",
    "corrected_low", "corrected_high", "subjects_low", "subjects_high", "balanced_accuracy",
    "macro_f1", "calibration_error", "best_test_epoch", "last_epoch", "parameters", "flops",
    "seconds", "cpu_seconds", "epochs",
)  # fmt: skip


def _list_lines(analysis: Analysis) -> list[list[Any]]:
    return [
        [
            line.name, line.published, " ".join(line.habits), line.split, line.n_cells, line.n_gaits,
            *_round(line.accuracy, *line.exact, *line.corrected.interval, *line.over_subjects,
                    line.balanced_accuracy, line.macro_f1, line.calibration_error,
                    line.best_epoch_accuracy, line.last_epoch_accuracy),
            line.n_parameters, line.flops, *_round(line.seconds, line.cpu_seconds, line.n_epochs),
        ]
        for line in (*analysis.lines, *analysis.published)
    ]  # fmt: skip


_COMPARISON_COLUMNS = (
    "model", "reference", "points", "low", "high", "t", "dof", "p", "p_holm", "cohens_dz",
    "only_reference", "only_model", "mcnemar_p", "mcnemar_p_holm", "odds_ratio", "cohens_g",
    "subjects_points", "subjects_low", "subjects_high", "gaits_needed",
)  # fmt: skip


def _list_comparisons(analysis: Analysis) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for c in (*analysis.comparisons, *analysis.habits):
        t = c.t_test
        of_folds = (t.t, t.dof, t.p_value, c.t_p_holm, t.cohens_dz) if t else (None,) * 5
        m = c.mcnemar
        rows.append(
            [
                c.name, c.reference, *_round(c.points, *c.interval_points, *of_folds),
                m.n_only_a, m.n_only_b, *_round(m.p_value, c.mcnemar_p_holm, m.odds_ratio, m.cohens_g),
                *_round(c.over_subjects.points, *c.over_subjects.interval_points, c.gaits_needed),
            ]
        )  # fmt: skip
    return rows


_CELL_COLUMNS = ("model", "published", "repeat", "fold", "gaits", "right", "accuracy", "epoch")


def _list_cells(analysis: Analysis) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for line in (*analysis.lines, *analysis.published):
        reading = line.reading
        for (repeat, fold), epoch in zip(reading.score_folds(), reading.epochs, strict=True):
            here = (reading.repeat == repeat) & (reading.fold == fold)
            n, right = int(here.sum()), int(reading.correct[here].sum())
            rows.append(
                [
                    line.name,
                    line.published,
                    repeat + 1,
                    fold + 1,
                    n,
                    right,
                    *_round(right / n),
                    epoch,
                ]
            )
    return rows


def _list_answers(analysis: Analysis) -> Iterable[list[Any]]:
    for line in (*analysis.lines, *analysis.published):
        r = line.reading
        name = f"{line.name} (published way)" if line.published else line.name
        for i in range(len(r.gait)):
            shares = [""] * len(r.classes)
            if r.probabilities is not None:
                shares = [f"{p:.4f}" for p in r.probabilities[i]]
            label, answer = r.classes[r.labels[i]], r.classes[r.predicted[i]]
            yield [r.gait[i], name, r.repeat[i] + 1, r.fold[i] + 1, label, answer, *shares]


def _round(*values: float | None) -> list[Any]:
    return [None if v is None else f"{v:.6g}" for v in values]
