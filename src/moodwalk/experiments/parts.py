"""The parts of a report, each with its words, its table and its picture, for the page and for print."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moodwalk.experiments.analysis import Analysis, Comparison, LineResult
from moodwalk.experiments.habits import HABITS
from moodwalk.experiments.plan import make_slug
from moodwalk.experiments.words import (
    NO_BREAK,
    count_different,
    describe_protocol,
    draw_conclusion,
    write_p,
    write_points,
    write_range,
    write_share,
)
from moodwalk.page import Table
from moodwalk.viz import IntervalRow, make_interval_figure, static
from moodwalk.viz.laboratory import (
    DifferenceRow,
    HabitRow,
    make_difference_figure,
    make_habit_figure,
)
from moodwalk.viz.learning import LearningCurve, make_learning_figure
from moodwalk.viz.panels import make_confusions_figure
from moodwalk.viz.ranks import make_critical_difference_figure

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Part", "make_parts"]


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One part of a report.

    Parameters
    ----------
    name
        Of its picture's file.
    heading, paragraphs
        Plain text; what stands between backticks is set as code.
    table
        A table.
    figure
        Makes the Plotly figure of the page.
    write_png
        Writes the same picture for print.
    alt
        What a reader who cannot see the picture should know.
    """

    name: str
    heading: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    figure: "Callable[[], go.Figure] | None" = None
    write_png: Callable[[Path], None] | None = None
    alt: str = ""


def make_parts(analysis: Analysis) -> list[Part]:
    """Make all parts of a report, in their order; what an experiment has not is left out."""
    made = [
        _make_answer(analysis),
        _make_protocol(analysis),
        _make_accuracy(analysis),
        _make_differences(analysis),
        *(
            _make_habits(analysis, name)
            for name in dict.fromkeys(c.reference for c in analysis.habits)
        ),
        _make_ranks(analysis),
        _make_published(analysis),
        _make_learning(analysis),
        _make_confusions(analysis),
        _make_costs(analysis),
        _make_failures(analysis),
        _make_recipe(analysis),
    ]
    return [part for part in made if part is not None]


def _caption(analysis: Analysis) -> str:
    protocol = analysis.experiment.protocol
    return (
        f"{analysis.gaits['n_gaits']} gaits of {analysis.gaits['n_subjects']} subjects; protocol "
        f"{protocol.name}, {protocol.folds} folds, {protocol.repeats} "
        f"{'repeat' if protocol.repeats == 1 else 'repeats'}"
    )


def _make_answer(analysis: Analysis) -> Part:
    return Part("answer", "The answer", draw_conclusion(analysis))


def _make_protocol(analysis: Analysis) -> Part:
    return Part("protocol", "How it was measured", describe_protocol(analysis))


def _make_accuracy(analysis: Analysis) -> Part:
    rows = [
        IntervalRow(line.name, line.accuracy, *line.exact, _note_habits(line))
        for line in analysis.lines
    ]
    ends = [write_share(end(line.accuracy for line in analysis.lines)) for end in (min, max)]
    title = f"Accuracies lie between {ends[0]} and {ends[1]}"
    if len(rows) == 1:
        title = f"{rows[0].name} reads {ends[0]} of gaits as observers do"
    caption = _caption(analysis) + "; exact binomial 95 % intervals."
    paragraphs = [
        "The exact interval takes gaits as independent trials; the corrected one is over folds and "
        "knows that training sets overlap (Nadeau and Bengio, 2003).",
    ]
    if any(line.best_epoch_accuracy is not None for line in analysis.lines):
        paragraphs[0] += (
            " The last column is what the same trainings would claim if the epoch were chosen on the "
            "test gaits: no result, a warning."
        )
    table = _make_table(
        ("model", "accuracy", "exact 95 %", "corrected 95 %", "balanced", "macro-F1",
         "calibration error", "best test epoch would claim"),
        [
            (
                _keep(line.name), write_share(line.accuracy), _write_shares(line.exact),
                _write_shares(line.corrected.interval), write_share(line.balanced_accuracy),
                write_share(line.macro_f1), _write_number(line.calibration_error),
                write_share(line.best_epoch_accuracy),
            )
            for line in analysis.lines
        ],
        caption + f" Always the majority class: {write_share(analysis.majority)}.",
    )  # fmt: skip
    return Part(
        "accuracy",
        "How good the models are",
        paragraphs,
        table,
        lambda: make_interval_figure(rows, title, caption, majority=analysis.majority),
        lambda path: static.write_interval_png(
            path, rows, title, caption, majority=analysis.majority
        ),
        alt=title,
    )


def _make_differences(analysis: Analysis) -> Part | None:
    compared = analysis.comparisons
    if not compared:
        return None
    base = analysis.baseline
    rows = [
        DifferenceRow(
            c.name, c.points / 100, *_fractions(c.interval_points), f"p {write_p(c.p_holm)}"
        )
        for c in compared
        if all(math.isfinite(end) for end in c.interval_points)
    ]
    title = (
        f"{count_different(analysis)} from {base}"
        if any(c.differs for c in compared)
        else f"Nothing here differs from {base} by more than chance"
    )
    if not analysis.finished:
        title = f"Unfinished: differences to {base} so far"
    caption = (
        _caption(analysis) + "; corrected resampled t test over folds, p after Holm's correction."
    )
    paragraphs = [
        f"Each model against {base} on the same splits. The t test over folds is corrected for "
        f"overlapping training sets (Nadeau and Bengio, 2003); McNemar's exact test takes one answer a "
        f"gait, pooled over repeats. p values are Holm's, over all {len(compared)} comparisons. An "
        f"effect of 0.2 (d) is small, 0.5 medium, 0.8 large (Cohen).",
        "The last column plans the next study: it says how many test gaits would show a difference as "
        "large as the observed one in four studies of five, were gaits independent.",
    ]
    return Part(
        "differences",
        f"Differences to {base}",
        paragraphs,
        _make_difference_table(compared, base, caption),
        (lambda: make_difference_figure(rows, title, caption, baseline=base)) if rows else None,
        (lambda path: static.write_difference_png(path, rows, title, caption, baseline=base))
        if rows
        else None,
        alt=title,
    )


def _make_difference_table(compared: Sequence[Comparison], base: str, caption: str) -> Table:
    return Table(
        ("model", "points", "95 % interval", "t test p", "effect (d)", f"only {base} right",
         "only model right", "McNemar p", "over subjects", "gaits for 80 % power"),
        [
            (
                _keep(c.name), write_points(c.points), write_range(c.interval_points), write_p(c.t_p_holm),
                _write_number(c.t_test.cohens_dz if c.t_test else float("nan")),
                c.mcnemar.n_only_a, c.mcnemar.n_only_b, write_p(c.mcnemar_p_holm),
                write_range(c.over_subjects.interval_points), _write_count(c.gaits_needed),
            )
            for c in compared
        ],
        caption,
    )  # fmt: skip


def _make_habits(analysis: Analysis, reference: str) -> Part:
    honest = analysis.find(reference)
    pairs = [(c, analysis.find(c.name)) for c in analysis.habits if c.reference == reference]
    rows = [
        HabitRow(
            line.name, line.accuracy, line.accuracy - honest.accuracy,
            *_contain(line.accuracy - honest.accuracy, c.over_subjects.interval_points),
        )
        for c, line in pairs
    ]  # fmt: skip
    line = max((line for _, line in pairs), key=lambda line: line.accuracy)
    title = (
        f"{line.name}: {write_points(100 * (line.accuracy - honest.accuracy))} points on the same "
        f"network"
    )
    caption = _caption(analysis) + "; intervals of the points resample subjects."
    table = Table(
        ("habit", "what it does", "accuracy", "points added", "95 % interval", "McNemar p"),
        [
            (
                line.name,
                " ".join(HABITS[name].explanation for name in line.habits)
                if len(line.habits) == 1
                else "All of the above at once.",
                write_share(line.accuracy),
                write_points(100 * (line.accuracy - honest.accuracy)),
                write_range(c.over_subjects.interval_points),
                write_p(c.mcnemar_p_holm),
            )
            for c, line in pairs
        ],
        f"{honest.name}, without habits: {write_share(honest.accuracy)}. {caption}",
    )
    only = len({c.reference for c in analysis.habits}) == 1
    return Part(
        "habits" if only else f"habits-{make_slug(reference)}",
        "What each habit is worth" + ("" if only else f": {reference}"),
        [
            "The same network, measured honestly and with one published habit at a time. Habits that "
            "only change how a training is read share the honest trainings; the others are trained anew."
        ],
        table,
        lambda: make_habit_figure(honest.accuracy, rows, title, caption),
        lambda path: static.write_habit_png(path, honest.accuracy, rows, title, caption),
        alt=title,
    )


def _make_ranks(analysis: Analysis) -> Part | None:
    test = analysis.friedman
    if test is None:
        return None
    names = analysis.friedman_names
    verdict = "differ" if test.f_p_value < 0.05 else "do not differ by more than chance"
    title = f"Ranked fold by fold, the models {verdict} (Friedman, p {write_p(test.f_p_value)})"
    caption = (
        f"{test.n_blocks} folds of the first repeat, whose test sets share no gait; bars join models "
        f"that Nemenyi's test does not tell apart at {100 * test.alpha:.0f} %."
    )
    args = (names, test.mean_ranks, test.critical_difference, test.groups, title, caption)
    return Part(
        "ranks",
        "Ranks",
        [
            f"Friedman's test: chi-square {test.chi_square:.2f} (p {write_p(test.p_value)}), Iman and "
            f"Davenport's F {test.f:.2f} (p {write_p(test.f_p_value)}). Mean ranks must lie "
            f"{test.critical_difference:.2f} apart to differ (Demšar, 2006)."
        ],
        None,
        lambda: make_critical_difference_figure(*args),
        lambda path: static.write_critical_difference_png(path, *args),
        alt=title,
    )


def _make_published(analysis: Analysis) -> Part | None:
    if not analysis.published:
        return None
    honest = {line.name: line for line in analysis.lines}
    rows = [
        (
            _keep(line.name), write_share(line.accuracy),
            f"{int(line.reading.correct.sum())} of {len(line.reading.correct)}",
            _write_shares(line.exact), line.reading.epochs[0] or "–",
            write_share(honest[line.name].accuracy) if line.name in honest else "–",
        )
        for line in analysis.published
    ]  # fmt: skip
    return Part(
        "published",
        "The same table, made the published way",
        [
            "OPTIMISTIC, only for comparison with published figures: one random tenth as test, walkers "
            "on both sides, the epoch chosen on the test gaits, the last incomplete test batch dropped, "
            "features normalised over all gaits."
        ],
        Table(
            ("model", "published way", "right", "exact 95 %", "epoch", "honest"),
            rows,
            "One training each. The interval says how little so few gaits can tell, even before the "
            "choice of the best epoch.",
        ),
    )


def _make_learning(analysis: Analysis) -> Part | None:
    lines = _find_trainings(analysis)
    if not lines:
        return None
    curves = [
        LearningCurve(
            line.name,
            np.arange(1, line.curves["train_accuracy"].shape[1] + 1),
            line.curves["train_accuracy"],
            line.curves["validation_accuracy"],
            line.curves["test_accuracy"],
            [epoch for epoch in line.reading.epochs if epoch is not None],
        )
        for line in lines[:12]
        if np.isfinite(line.curves["validation_accuracy"]).any()
    ]
    if not curves:
        return None
    seen, unseen = (
        float(np.nanmean([_find_last(line.curves[f"{part}_accuracy"]) for line in lines]))
        for part in ("train", "validation")
    )
    title = (
        f"At the end networks are right on {write_share(seen, 0)} of training gaits, and on "
        f"{write_share(unseen, 0)} of validation gaits"
    )
    caption = _caption(analysis) + "."
    return Part(
        "learning",
        "Learning curves",
        ["Validation gaits are of subjects inside the training fold; test gaits choose nothing."],
        None,
        lambda: make_learning_figure(curves, title, caption),
        lambda path: static.write_learning_png(path, curves, title, caption),
        alt=title,
    )


def _make_confusions(analysis: Analysis) -> Part:
    lines = [line for line in analysis.lines if not line.habits][:12]
    matrices = [line.confusion for line in lines]
    names = [line.name for line in lines]
    classes = analysis.classes
    recalls = np.mean([m.diagonal() / np.maximum(m.sum(axis=1), 1) for m in matrices], axis=0)
    worst = classes[int(recalls.argmin())]
    title = f"{worst.capitalize()} is what the models miss most"
    caption = _caption(analysis) + "; repeats add up; rows are perceived, columns predicted."
    return Part(
        "confusion",
        "What is taken for what",
        (),
        None,
        lambda: make_confusions_figure(matrices, names, classes, title, caption),
        lambda path: static.write_confusions_png(path, matrices, names, classes, title, caption),
        alt=title,
    )


def _make_costs(analysis: Analysis) -> Part:
    trained = any(line.n_epochs is not None for line in analysis.lines)
    return Part(
        "costs",
        "What the models cost",
        [
            "FLOPs are those of one answer, two for each multiplication with its addition, at the "
            "length of the longest training gait."
        ]
        if any(line.flops is not None for line in analysis.lines)
        else [],
        _make_table(
            ("model", "parameters", "FLOPs a gait", "epochs a training", "time a training",
             "CPU time a training"),
            [
                (
                    _keep(line.name), _write_count(line.n_parameters), _write_flops(line.flops),
                    "–" if line.n_epochs is None else f"{line.n_epochs:.0f}",
                    f"{line.seconds:.1f} s", f"{line.cpu_seconds:.1f} s",
                )
                for line in analysis.lines
            ],
            "Means over cells, one thread each"
            + ("; test gaits were answered after every epoch." if trained else "."),
        ),
    )  # fmt: skip


def _make_failures(analysis: Analysis) -> Part | None:
    if not analysis.failures:
        return None
    return Part(
        "failures",
        "Cells that failed",
        ["The next `moodwalk experiment run` tries them again."],
        Table(
            ("cell", "error", "message"),
            [(f["name"], f["error"], f["message"]) for f in analysis.failures],
        ),
    )


def _make_recipe(analysis: Analysis) -> Part:
    seen = "; ".join(
        ", ".join(f"{name} {version}" for name, version in versions.items())
        for versions in analysis.versions
    )
    warned = dict.fromkeys(text for line in analysis.lines for text in line.warnings)
    return Part(
        "recipe",
        "How to repeat it",
        [
            "`moodwalk experiment run experiment.json -o FOLDER` repeats it with the `experiment.json` "
            "beside this report, which holds every option resolved, and `moodwalk experiment report "
            "FOLDER` writes this page. Give `--data PATH` where the walks lie elsewhere.",
            f"The walks have digest `{analysis.gaits['digest']}`. Made with {seen}; moodwalk's commit "
            f"{', '.join(analysis.commits)}.",
            "`lines.csv`, `comparisons.csv`, `cells.csv` and `answers.csv` hold all figures and every "
            "answer; gaits are numbered in the order in which they are read.",
            *(f"Warned: {text}" for text in warned),
        ],
    )


def _find_trainings(analysis: Analysis) -> list[LineResult]:
    """Return the lines with learning curves, each training once."""
    found: list[LineResult] = []
    for line in analysis.lines:
        if line.curves and not {"best-test-epoch", "dropped-batch"} & set(line.habits):
            found.append(line)
    return found


def _find_last(curves: NDArray[np.float64]) -> float:
    """Return the mean over cells of each one's last value."""
    return float(np.mean([row[np.isfinite(row)][-1] for row in curves if np.isfinite(row).any()]))


def _keep(name: str) -> str:
    """Return a name that a table does not break, unless it is long."""
    return name.replace(" ", NO_BREAK) if len(name) <= 16 else name


def _note_habits(line: LineResult) -> str:
    return "optimistic" if line.habits else ""


def _make_table(header: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> Table:
    """Make a table, without the columns that say nothing of any row."""
    told = [i for i in range(len(header)) if any(row[i] != "–" for row in rows)]
    return Table(
        tuple(header[i] for i in told), [tuple(row[i] for i in told) for row in rows], caption
    )


def _contain(value: float, interval_points: tuple[float, float]) -> tuple[float, float]:
    """Return the interval as fractions, around a figure that pools answers in another way."""
    low, high = _fractions(interval_points)
    return min(low, value), max(high, value)


def _fractions(interval_points: tuple[float, float]) -> tuple[float, float]:
    return interval_points[0] / 100, interval_points[1] / 100


def _write_shares(interval: tuple[float, float]) -> str:
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return "–"
    low, high = max(low, 0.0), min(high, 1.0)  # no accuracy lies beyond
    return f"{100 * low:.1f}{NO_BREAK}to{NO_BREAK}{100 * high:.1f}"


def _write_number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def _write_count(value: float | None) -> str:
    if value is None:
        return "–"
    return "no limit" if math.isinf(value) else f"{value:,.0f}"


def _write_flops(value: int | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1e9:.2f} G" if value >= 1e8 else f"{value / 1e6:.1f} M"
