"""What the laboratory compares: differences to a baseline, and what each published habit adds."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from moodwalk.errors import ConfigError
from moodwalk.viz.style import ACCENT, GRID, INK, escape_text, finish_figure, make_axis_title

__all__ = [
    "ALL_HABITS",
    "DifferenceRow",
    "HabitRow",
    "check_difference_rows",
    "check_habit_rows",
    "compute_habit_range",
    "compute_reach",
    "compute_ticks",
    "describe_difference",
    "describe_habit",
    "describe_habit_briefly",
    "format_points",
    "format_tick",
    "is_still",
    "make_difference_figure",
    "make_habit_figure",
]

ALL_HABITS = "all habits together"
"""The row of a habit figure that is set apart from those above it."""

_BAND = "rgba(140,107,194,0.6)"
_TOP = -0.62  # rows above the first
_SLACK = 0.01  # figures rounded for a table, and means over folds of unequal size


class DifferenceRow(NamedTuple):
    """One line of `make_difference_figure`; signed fractions: 0.012 is 1.2 points better."""

    name: str
    difference: float
    low: float
    high: float
    note: str = ""


class HabitRow(NamedTuple):
    """One line of `make_habit_figure`: what a habit scores, and what it adds to the honest figure.

    All are fractions: `value` from 0 to 1; `points`, and its interval `low` to `high`, signed.
    """

    name: str
    value: float
    points: float
    low: float
    high: float
    note: str = ""


class _RowText(NamedTuple):
    """What stands at a row: the name above and the note below, on the left; a text on the right."""

    name: str
    note: str
    text: str
    short_text: str


def make_difference_figure(
    rows: Sequence[DifferenceRow | tuple[str, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    baseline: str = "the baseline",
    quantity: str = "difference with its 95 % interval, percentage points",
) -> go.Figure:
    """Draw differences to a baseline as dots with their intervals, on an axis around zero.

    Parameters
    ----------
    rows
        (name, difference, low, high, note), signed fractions; the first is drawn on top. The note
        is for the corrected p value.
    title
        The finding.
    caption
        n and protocol.
    baseline
        The model that all are compared with.
    quantity
        Name of the axis.

    Raises
    ------
    ConfigError
        If there are no rows, or a difference lies outside its interval or is no fraction.
    """
    table = check_difference_rows(rows)
    reach = compute_reach(table)
    ticks = compute_ticks(-reach, reach, n_most=11)
    figure = go.Figure(
        go.Scatter(
            x=[row.difference for row in table], y=list(range(len(table))), mode="markers",
            error_x={
                "type": "data", "symmetric": False, "thickness": 3, "width": 0, "color": _BAND,
                "array": [row.high - row.difference for row in table],
                "arrayminus": [row.difference - row.low for row in table],
            },
            marker={"size": 12, "color": ACCENT},
            text=[escape_text(f"{row.name}: {describe_difference(row)}") for row in table],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    texts = [
        _RowText(row.name, row.note, describe_difference(row), format_points(row.difference))
        for row in table
    ]
    meta = _add_row_texts(figure, texts, 0, (-reach, reach))
    for x, text in (
        (0, "← worse"),
        (0.5, f"same as {escape_text(_shorten(baseline, 24))}"),
        (1, "better →"),
    ):
        figure.add_annotation(
            text=text, showarrow=False, xref="paper", x=x, yref="paper", y=1, yanchor="bottom",
            xanchor=("left", "center", "right")[round(2 * x)], font={"size": 12},
        )  # fmt: skip
    _lay_out_rows(figure, len(table), quantity, (-reach, reach), ticks, map(format_tick, ticks))
    said = "; ".join(f"{row.name} {describe_difference(row)}" for row in table)
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=f"Differences to {baseline} in percentage points, with 95 % intervals: {said}.",
        height=meta["wide"]["height"],
        margin=(14, 24, 26, 50),
        meta=meta,
    )


def make_habit_figure(
    honest: float,
    rows: Sequence[HabitRow | tuple[str, float, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    quantity: str = "accuracy; bars: 95 % interval of the points added",
) -> go.Figure:
    """Draw what each habit adds: an arrow from the honest accuracy to what the habit reports.

    Parameters
    ----------
    honest
        Accuracy of the same network under the honest protocol, 0 to 1.
    rows
        (name, value, points, low, high, note): the accuracy that the habit reports, the fraction
        that it adds, the interval of that fraction; the first is drawn on top. A last row named
        `ALL_HABITS` is set apart from the others.
    title
        The finding.
    caption
        n and protocol.
    quantity
        Name of the axis.

    Raises
    ------
    ConfigError
        If there are no rows, a figure is no fraction, points lie outside their interval, or a
        value is not the honest one with its points added (to one percentage point).
    """
    table = check_habit_rows(honest, rows)
    low, high = compute_habit_range(honest, table)
    ticks = compute_ticks(low, high)
    figure = go.Figure([_draw_arrow(i, row, honest, high - low) for i, row in enumerate(table)])
    texts = [
        _RowText(row.name, row.note, describe_habit(row), describe_habit_briefly(row))
        for row in table
    ]
    meta = _add_row_texts(figure, texts, honest, (low, high))
    right = honest > (low + high) / 2
    figure.add_annotation(
        text=f"honest: {100 * honest:.1f} %", showarrow=False, x=honest, yref="paper", y=1,
        yanchor="bottom", xanchor="right" if right else "left", xshift=4 if right else -4,
        font={"size": 12},
    )  # fmt: skip
    if table[-1].name == ALL_HABITS and len(table) > 1:
        y = len(table) - 1.5
        figure.add_shape(
            type="line", xref="paper", x0=0, x1=1, y0=y, y1=y, line={"width": 1, "color": GRID}
        )
    shown = [f"{100 * tick:.3g} %" for tick in ticks]
    _lay_out_rows(figure, len(table), quantity, (low, high), ticks, shown)
    said = "; ".join(f"{row.name} {describe_habit(row)}" for row in table)
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=f"Arrows from the honest accuracy of {100 * honest:.1f} %: {said}.",
        height=meta["wide"]["height"],
        margin=(14, 24, 26, 50),
        meta=meta,
    )


def check_difference_rows(
    rows: Sequence[DifferenceRow | tuple[str, float, float, float, str]],
) -> list[DifferenceRow]:
    """Check the rows of a difference figure and give them their names.

    Raises
    ------
    ConfigError
        If there are none, or one lies outside its interval or is no fraction.
    """
    table = [DifferenceRow(*row) for row in rows]
    if not table:
        raise ConfigError(
            "no rows to draw; expected at least one (name, difference, low, high, note)."
        )
    for row in table:
        if not -1 <= row.low <= row.difference <= row.high <= 1:
            raise ConfigError(
                f"'{row.name}' has difference {row.difference:g} and interval {row.low:g} to "
                f"{row.high:g}; expected fractions with -1 <= low <= difference <= high <= 1."
            )
    return table


def check_habit_rows(
    honest: float, rows: Sequence[HabitRow | tuple[str, float, float, float, float, str]]
) -> list[HabitRow]:
    """Check the figures of a habit figure and give them their names.

    Raises
    ------
    ConfigError
        If there are none, one is no fraction or lies outside its interval, or a value is not the
        honest one with its points added.
    """
    table = [HabitRow(*row) for row in rows]
    if not 0 <= honest <= 1:
        raise ConfigError(f"the honest accuracy is {honest:g}; expected a fraction from 0 to 1.")
    if not table:
        raise ConfigError(
            "no rows to draw; expected at least one (name, value, points, low, high, note)."
        )
    for row in table:
        if not (0 <= row.value <= 1 and -1 <= row.low <= row.points <= row.high <= 1):
            raise ConfigError(
                f"'{row.name}' has value {row.value:g}, points {row.points:g} and interval "
                f"{row.low:g} to {row.high:g}; expected fractions with 0 <= value <= 1 and "
                f"-1 <= low <= points <= high <= 1."
            )
        if abs(row.value - honest - row.points) > _SLACK:
            raise ConfigError(
                f"'{row.name}' has value {row.value:g} and points {row.points:g}, but the honest "
                f"accuracy is {honest:g}; expected value = honest + points, as fractions."
            )
    return table


def compute_reach(rows: Sequence[DifferenceRow]) -> float:
    """Compute how far an axis around zero reaches to hold all intervals; at least 2 points."""
    return max(1.06 * max(abs(end) for row in rows for end in (row.low, row.high)), 0.02)


def compute_habit_range(honest: float, rows: Sequence[HabitRow]) -> tuple[float, float]:
    """Compute the ends of an axis that holds the honest accuracy, all values and intervals."""
    shown = [honest]
    for row in rows:
        shown += [row.value, row.value + row.low - row.points, row.value + row.high - row.points]
    room = max(0.06 * (max(shown) - min(shown)), 0.01)
    return min(shown) - room, max(shown) + room


def is_still(row: HabitRow, honest: float, span: float) -> bool:
    """Tell whether a habit moves the figure too little for an arrow on an axis of some span."""
    return abs(row.value - honest) < 0.03 * span


def compute_ticks(low: float, high: float, n_most: int = 7) -> list[float]:
    """Compute round positions between two ends: multiples of 1, 2 or 5 times a power of ten.

    Parameters
    ----------
    low, high
        Ends of an axis, low < high.
    n_most
        How many at most.
    """
    rough = (high - low) / (n_most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def format_points(fraction: float) -> str:
    """Write a signed fraction in percentage points, with one decimal and a true minus."""
    return _drop_sign_of_zero(f"{100 * fraction:+.1f}")


def format_tick(fraction: float) -> str:
    """Write a signed fraction in percentage points, as short as it gets."""
    return _drop_sign_of_zero(f"{100 * fraction:+.3g}")


def describe_difference(row: DifferenceRow) -> str:
    """Write a difference with its interval, in points, for instance '+0.6 (−2.1 to 3.3)'."""
    return f"{format_points(row.difference)} ({_format_interval(row.low, row.high)})"


def describe_habit(row: HabitRow) -> str:
    """Write an accuracy, and the points added with their interval."""
    interval = _format_interval(row.low, row.high)
    return f"{100 * row.value:.1f} %: {format_points(row.points)} points ({interval})"


def describe_habit_briefly(row: HabitRow) -> str:
    """Write an accuracy and the points added."""
    return f"{100 * row.value:.1f} % ({format_points(row.points)})"


def _format_interval(low: float, high: float) -> str:
    return " to ".join(format_points(end).removeprefix("+") for end in (low, high))


def _drop_sign_of_zero(text: str) -> str:
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


def _draw_arrow(i: int, row: HabitRow, honest: float, span: float) -> go.Scatter:
    still = is_still(row, honest, span)
    return go.Scatter(
        x=[honest, row.value], y=[i, i], mode="lines+markers",
        line={"width": 4 if row.name == ALL_HABITS else 2.5, "color": ACCENT},
        marker={
            "symbol": ["circle", "circle" if still else "arrow"], "angleref": "previous",
            "size": [0, 9 if still else 14], "color": ACCENT, "opacity": 1, "line": {"width": 0},
        },
        error_x={
            "type": "data", "symmetric": False, "thickness": 1.5, "width": 5, "color": INK,
            "array": [0, row.high - row.points], "arrayminus": [0, row.points - row.low],
        },
        text=[escape_text(f"{row.name}: {describe_habit(row)}")] * 2,
        hovertemplate="%{text}<extra></extra>", cliponaxis=False,
    )  # fmt: skip


def _add_row_texts(
    figure: go.Figure, rows: Sequence[_RowText], reference: float, ends: tuple[float, float]
) -> dict[str, dict[str, Any]]:
    """Write each row's texts, and draw a reference line down the rows that leaves them out.

    To be called before anything else is written or drawn. Returns layouts for screen and phone.
    """
    views: dict[str, dict[str, Any]] = {}
    across = (reference - ends[0]) / (ends[1] - ends[0])
    for view, width_px, letters, size in (("wide", 780, 60, 13), ("narrow", 296, 30, 11)):
        patch: dict[str, Any] = {}
        names = [textwrap.wrap(row.name, letters) or [""] for row in rows]
        notes = [textwrap.wrap(row.note, width_px // 6) for row in rows]
        row_px = 38 + 16 * max(map(len, names)) + 14 * max(map(len, notes))
        breaks: list[tuple[float, float]] = []
        for i, row in enumerate(rows):
            text = row.text if view == "wide" else row.short_text
            patch |= {
                f"annotations[{3 * i}].text": _bold(names[i]),
                f"annotations[{3 * i}].font.size": size,
                f"annotations[{3 * i + 1}].text": text,
                f"annotations[{3 * i + 2}].text": "<br>".join(map(escape_text, notes[i])),
            }
            at_px = across * width_px
            name_px = max(map(len, names[i])) * 0.68 * size
            if at_px < name_px + 4 or at_px > width_px - 7.5 * len(text) - 4:
                breaks.append((i - (8 + 1.35 * size * len(names[i])) / row_px, i - 6 / row_px))
            if notes[i] and at_px < max(map(len, notes[i])) * 6.4 + 4:
                breaks.append((i + 6 / row_px, i + (9 + 15 * len(notes[i])) / row_px))
        patch |= {"shapes[0].path": _draw_broken_line(reference, len(rows), breaks)}
        views[view] = {**patch, "height": row_px * len(rows) + 84}
    figure.add_shape(type="path", path="M0,0", line={"width": 1.5, "color": INK}, layer="below")
    for i in range(len(rows)):
        for left, above in ((True, True), (False, True), (True, False)):
            figure.add_annotation(
                showarrow=False, xref="paper", x=0 if left else 1, align="left",
                xanchor="left" if left else "right", y=i, yanchor="bottom" if above else "top",
                yshift=7 if above else -6, font={"size": 13 if above else 11},
            )  # fmt: skip
    return views


def _draw_broken_line(x: float, n_rows: int, breaks: Sequence[tuple[float, float]]) -> str:
    """Write a line down the rows, but for some stretches, as an SVG path."""
    ends = [_TOP, *(end for stretch in breaks for end in stretch), n_rows - 0.5]
    return " ".join(
        f"M{x:.6g},{start:.4f}L{x:.6g},{end:.4f}"
        for start, end in zip(ends[::2], ends[1::2], strict=True)
        if start < end
    )


def _bold(lines: Iterable[str]) -> str:
    return "<br>".join(f"<b>{escape_text(line)}</b>" for line in lines)


def _lay_out_rows(
    figure: go.Figure,
    n_rows: int,
    quantity: str,
    ends: tuple[float, float],
    ticks: Sequence[float],
    tick_texts: Iterable[str],
) -> None:
    figure.update_layout(
        xaxis={
            "title": make_axis_title(escape_text(quantity)), "range": ends, "tickvals": ticks,
            "ticktext": list(tick_texts), "zeroline": False, "fixedrange": True,
            "showgrid": False, "ticks": "outside", "tickcolor": GRID,
            "showline": True, "linecolor": GRID,
        },
        yaxis={"visible": False, "range": [n_rows - 0.5, _TOP], "fixedrange": True},
    )  # fmt: skip
