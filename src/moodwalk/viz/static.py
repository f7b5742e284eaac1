"""The laboratory's pictures as PNG, for a report in Markdown; they need the extra ``lab``.

Each shows what the Plotly figure of the same name shows, takes the same arguments, and refuses the
same input. Backgrounds are white, pictures 1200 pixels wide, and the same arguments give the same
bytes.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError
from moodwalk.viz.drawing import (
    NAME_PT,
    PLOT_IN,
    RowText,
    add_learning_legend,
    draw_arrow,
    draw_confusion,
    draw_curve,
    draw_intervals,
    draw_ranks,
    draw_reference,
    open_panels,
    open_rows,
    write_on_top,
    write_rank_name,
)
from moodwalk.viz.laboratory import (
    ALL_HABITS,
    DifferenceRow,
    HabitRow,
    check_difference_rows,
    check_habit_rows,
    compute_habit_range,
    compute_reach,
    compute_ticks,
    describe_difference,
    describe_habit,
    format_tick,
)
from moodwalk.viz.learning import (
    LearningCurve,
    check_learning_curves,
    compute_curve_range,
    describe_choice,
    explain_learning,
)
from moodwalk.viz.panels import check_confusions, describe_right
from moodwalk.viz.ranks import ABOVE, place_ranks
from moodwalk.viz.scores import IntervalRow, check_interval_rows
from moodwalk.viz.sheet import FRAME, MARGIN_IN, open_sheet

__all__ = [
    "write_confusions_png",
    "write_critical_difference_png",
    "write_difference_png",
    "write_habit_png",
    "write_interval_png",
    "write_learning_png",
]


def write_interval_png(
    path: str | Path,
    rows: Sequence[IntervalRow | tuple[str, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    majority: float | None = None,
    quantity: str = "accuracy, with its 95 % interval",
) -> None:
    """Write accuracies with their intervals; parameters as `make_interval_figure`.

    Raises
    ------
    ConfigError
        As `make_interval_figure`; also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    table = _check_interval_rows(rows, majority)
    texts = [
        RowText(row.name, row.note, f"{100 * row.value:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f})")
        for row in table
    ]  # fmt: skip
    ticks = [k / 5 for k in range(6)]
    with open_sheet(path, title, caption) as sheet:
        axes, ys = open_rows(sheet, texts, quantity, (0, 1), ticks, _name_percents(ticks))
        draw_intervals(axes, ys, [(row.value, row.low, row.high) for row in table])
        if majority is not None:
            draw_reference(axes, majority, dashed=True)
            write_on_top(axes, majority, f"always the majority class: {100 * majority:.1f} %")


def write_difference_png(
    path: str | Path,
    rows: Sequence[DifferenceRow | tuple[str, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    baseline: str = "the baseline",
    quantity: str = "difference with its 95 % interval, percentage points",
) -> None:
    """Write differences to a baseline; parameters as `make_difference_figure`.

    Raises
    ------
    ConfigError
        As `make_difference_figure`; also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    table = check_difference_rows(rows)
    reach = compute_reach(table)
    ticks = compute_ticks(-reach, reach, n_most=11)
    texts = [RowText(row.name, row.note, describe_difference(row)) for row in table]
    with open_sheet(path, title, caption) as sheet:
        named = map(format_tick, ticks)
        axes, ys = open_rows(sheet, texts, quantity, (-reach, reach), ticks, named)
        draw_intervals(axes, ys, [(row.difference, row.low, row.high) for row in table])
        draw_reference(axes, 0)
        write_on_top(axes, -reach, "← worse")
        write_on_top(axes, 0, sheet.wrap(f"same as {baseline}", 8, PLOT_IN / 2)[0], ha="center")
        write_on_top(axes, reach, "better →", ha="right")


def write_habit_png(
    path: str | Path,
    honest: float,
    rows: Sequence[HabitRow | tuple[str, float, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    quantity: str = "accuracy; bars: 95 % interval of the points added",
) -> None:
    """Write what each habit adds; parameters as `make_habit_figure`.

    Raises
    ------
    ConfigError
        As `make_habit_figure`; also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    table = check_habit_rows(honest, rows)
    low, high = compute_habit_range(honest, table)
    ticks = compute_ticks(low, high)
    texts = [RowText(row.name, row.note, describe_habit(row)) for row in table]
    with open_sheet(path, title, caption) as sheet:
        axes, ys = open_rows(sheet, texts, quantity, (low, high), ticks, _name_percents(ticks))
        for y, row in zip(ys, table, strict=True):
            draw_arrow(axes, y, row, honest, high - low)
        draw_reference(axes, honest)
        right = honest > (low + high) / 2
        said = f"honest: {100 * honest:.1f} %"
        write_on_top(axes, honest, said, ha="right" if right else "left")
        if table[-1].name == ALL_HABITS and len(table) > 1:
            n_lines = len(sheet.wrap(ALL_HABITS, NAME_PT, PLOT_IN, bold=True))
            axes.axhline(ys[-1] - 11 - 12 * n_lines, color=FRAME, lw=0.8, zorder=0)


def write_learning_png(
    path: str | Path,
    curves: Sequence[LearningCurve],
    title: str,
    caption: str = "",
    *,
    quantity: str = "accuracy",
    percent: bool = True,
) -> None:
    """Write learning curves; parameters as `make_learning_figure`.

    Raises
    ------
    ConfigError, ShapeError
        As `make_learning_figure`; ConfigError also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    check_learning_curves(curves, percent=percent)
    ends = compute_curve_range(curves, percent=percent)
    ticks = [tick for tick in compute_ticks(*ends, n_most=6) if not percent or 0 <= tick <= 1]
    first = min(float(np.asarray(curve.epochs)[0]) for curve in curves)
    last = max(float(np.asarray(curve.epochs)[-1]) for curve in curves)
    edge = max(0.02 * (last - first), 0.5)
    said = " ".join(part for part in (caption, explain_learning(curves)) if part)
    with open_sheet(path, title, said) as sheet:
        heads = [(curve.name, describe_choice(curve)) for curve in curves]
        panels = open_panels(
            sheet, heads, ("epoch", quantity), left_in=0.75, panel_in=(math.inf, 1.3), foot_in=0.35
        )
        for axes, curve in zip(panels, curves, strict=True):
            draw_curve(axes, curve, ends)
            axes.set_xlim(first - edge, last + edge)
            axes.set_ylim(*ends)
            axes.set_yticks(
                ticks, _name_percents(ticks) if percent else [f"{tick:g}" for tick in ticks]
            )
            axes.locator_params(axis="x", nbins=5, integer=True)
            axes.grid(axis="y", color=FRAME, lw=0.6, alpha=0.6)
            axes.spines["bottom"].set_visible(True)
            axes.tick_params(axis="y", length=0)
        add_learning_legend(sheet, curves)


def write_critical_difference_png(
    path: str | Path,
    names: Sequence[str],
    mean_ranks: Sequence[float],
    critical_difference: float,
    groups: Sequence[Sequence[int]],
    title: str,
    caption: str = "",
) -> None:
    """Write a critical-difference diagram; parameters as `make_critical_difference_figure`.

    Raises
    ------
    ConfigError
        As `make_critical_difference_figure`; also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    diagram = place_ranks(names, mean_ranks, critical_difference, groups)
    room_in = 1.75
    with open_sheet(path, title, caption) as sheet:
        ranks = [f" {rank:.2f}" for rank in mean_ranks]
        rank_in = max(sheet.measure(rank, NAME_PT) for rank in ranks) + 0.08
        labels = [sheet.wrap(name, NAME_PT, room_in - rank_in, bold=True) for name in names]
        row_in = max(0.16 * max(map(len, labels)) + 0.06, 0.27)
        sheet.lay_out((diagram.depth + ABOVE) * row_in + 0.1)
        width = PLOT_IN - 2 * room_in
        axes = sheet.add_axes(MARGIN_IN + room_in, 0, width, (diagram.depth + ABOVE) * row_in)
        axes.set_axis_off()
        axes.set_xlim(*diagram.ends)
        axes.set_ylim(diagram.depth, -ABOVE)
        draw_ranks(axes, diagram, mean_ranks, critical_difference)
        for i, lines in enumerate(labels):
            on_left = diagram.on_left[i]
            end = diagram.name_ends[0 if on_left else 1]
            share = (end - diagram.ends[0]) / (diagram.ends[1] - diagram.ends[0])
            left = MARGIN_IN + room_in + share * width + (-0.05 if on_left else 0.05)
            middle = (ABOVE + diagram.rows[i]) * row_in
            write_rank_name(sheet, left, middle, lines, ranks[i], on_left=on_left)


def write_confusions_png(
    path: str | Path,
    matrices: Sequence[ArrayLike] | NDArray[Any],
    names: Sequence[str],
    classes: Sequence[str],
    title: str,
    caption: str = "",
) -> None:
    """Write the confusions of several models; parameters as `make_confusions_figure`.

    Raises
    ------
    ConfigError, ShapeError
        As `make_confusions_figure`; ConfigError also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    counts = check_confusions(matrices, names, classes)
    heads = [(name, describe_right(matrix)) for name, matrix in zip(names, counts, strict=True)]
    with open_sheet(path, title, caption) as sheet:
        label_in = min(max(sheet.measure(name, 8) for name in classes), 1.2)
        panels = open_panels(
            sheet,
            heads,
            ("predicted", "true"),
            left_in=label_in + 0.5,
            panel_in=(2.9, 0),
            foot_in=0,
        )
        shown = [sheet.wrap(name, 8, 1.2)[0] for name in classes]
        for axes, matrix in zip(panels, counts, strict=True):
            draw_confusion(axes, matrix)
            axes.set_xticks(range(len(classes)), shown)
            axes.set_yticks(range(len(classes)), shown)
            axes.tick_params(length=0)


def _check_interval_rows(
    rows: Sequence[IntervalRow | tuple[str, float, float, float, str]], majority: float | None
) -> list[IntervalRow]:
    table = check_interval_rows(rows)
    if majority is not None and not 0 <= majority <= 1:
        raise ConfigError(f"the majority is {majority:g}; expected a fraction from 0 to 1.")
    return table


def _name_percents(ticks: Iterable[float]) -> list[str]:
    return [f"{100 * tick:.3g} %" for tick in ticks]
