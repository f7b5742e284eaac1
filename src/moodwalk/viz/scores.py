"""How good a model is: confusion, and accuracies with their intervals."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.viz.style import (
    ACCENT,
    GRID,
    INK,
    SHARE_SCALE,
    escape_text,
    finish_figure,
    make_axis_title,
    make_percent_axis,
)

__all__ = ["IntervalRow", "check_interval_rows", "make_confusion_figure", "make_interval_figure"]


class IntervalRow(NamedTuple):
    """One line of `make_interval_figure`; fractions between 0 and 1."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""


def make_confusion_figure(
    confusion: ArrayLike,
    classes: Sequence[str],
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw a confusion matrix: rows are true, columns predicted; counts and row percentages.

    Parameters
    ----------
    confusion
        (C, C) counts.
    classes
        C names, in the order of rows and columns.
    title
        The finding. By default how many are right.
    caption
        n and protocol.

    Raises
    ------
    ShapeError
        If the matrix is not (C, C) or has a negative count.
    """
    counts = np.asarray(confusion)
    n_classes = len(classes)
    if counts.shape != (n_classes, n_classes):
        raise ShapeError(
            f"the confusion has shape {counts.shape}; expected {(n_classes, n_classes)} "
            f"for {n_classes} classes."
        )
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ShapeError("the confusion has a negative or missing count; expected counts.")
    totals = counts.sum(axis=1)
    share = counts / np.maximum(totals, 1)[:, None]
    right, n = int(np.trace(counts)), int(totals.sum())
    names = [escape_text(str(name)) for name in classes]
    figure = go.Figure(
        go.Heatmap(
            z=share, x=names, y=[f"{name} ({t:g})" for name, t in zip(names, totals, strict=True)],
            text=[
                [f"<b>{c:g}</b><br>{100 * s:.0f} %" if t else "–" for c, s in zip(*row, strict=True)]
                for row, t in zip(zip(counts, share, strict=True), totals, strict=True)
            ],
            texttemplate="%{text}", textfont={"size": 14},
            hovertemplate="true %{y}<br>predicted %{x}<br>%{text}<extra></extra>",
            colorscale=SHARE_SCALE, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2,
        )
    )  # fmt: skip
    plain: dict[str, Any] = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    figure.update_layout(
        xaxis={**plain, "title": make_axis_title("predicted"), "side": "bottom", "constrain": "domain"},
        yaxis={
            **plain, "title": {**make_axis_title("true (number of gaits)"), "standoff": 14}, "autorange": "reversed",
            "scaleanchor": "x", "constrain": "domain", "automargin": True,
        },
    )  # fmt: skip
    recalls = "; ".join(
        f"{name} {counts[i, i]:g} of {totals[i]:g}" for i, name in enumerate(classes)
    )
    return finish_figure(
        figure,
        title=title
        or (f"{right} of {n} gaits right ({100 * right / n:.1f} %)" if n else "No gaits"),
        caption=caption,
        alt=f"Confusion matrix of {n} gaits in {n_classes} classes. Right: {recalls}.",
        height=460,
        margin=(70, 10, 10, 54),
        meta={"narrow": {"height": 340}},
    )


def make_interval_figure(
    rows: Sequence[IntervalRow | tuple[str, float, float, float, str]],
    title: str,
    caption: str = "",
    *,
    majority: float | None = None,
    quantity: str = "accuracy, with its 95 % interval",
) -> go.Figure:
    """Draw accuracies as dots with their intervals as bars, one row each.

    Parameters
    ----------
    rows
        (name, value, low, high, note), fractions between 0 and 1; the first is drawn on top. The
        note says how the figure was come by, for instance that it is optimistic.
    title
        The finding.
    caption
        n and protocol.
    majority
        What guessing the most frequent class would score: a dashed line.
    quantity
        Name of the axis.

    Raises
    ------
    ConfigError
        If there are no rows, or a value lies outside its interval or outside 0 to 1.
    """
    table = check_interval_rows(rows)
    at = list(range(len(table)))
    figure = go.Figure(
        go.Scatter(
            x=[row.value for row in table], y=at, mode="markers",
            error_x={
                "type": "data", "symmetric": False, "thickness": 3, "width": 0,
                "color": "rgba(140,107,194,0.6)",
                "array": [row.high - row.value for row in table],
                "arrayminus": [row.value - row.low for row in table],
            },
            marker={"size": 12, "color": ACCENT},
            text=[escape_text(f"{row.name}: {_interval_text(row)}") for row in table],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    for i, row in enumerate(table):
        _add_row_text(figure, i, _interval_text(row), left=False, above=True)
    names_at = [
        len(table) + i + sum(bool(row.note) for row in table[:i]) for i in range(len(table))
    ]
    for i, row in enumerate(table):
        _add_row_text(figure, i, f"<b>{escape_text(row.name)}</b>", left=True, above=True)
        if row.note:
            _add_row_text(figure, i, escape_text(row.note), left=True, above=False)
    if majority is not None:
        figure.add_vline(x=majority, line={"dash": "dash", "width": 1.5, "color": INK})
        figure.add_annotation(
            text=f"always the majority class: {100 * majority:.1f} %", showarrow=False,
            x=majority, yref="paper", y=1, yanchor="bottom", xanchor="left", xshift=-4,
            font={"size": 12},
        )  # fmt: skip
    row_px = 68 if any(row.note for row in table) else 54
    figure.update_layout(
        xaxis={
            **make_percent_axis(quantity),
            "showgrid": False,
            "ticks": "outside",
            "tickcolor": GRID,
            "showline": True,
            "linecolor": GRID,
        },
        yaxis={"visible": False, "range": [len(table) - 0.5, -0.62], "fixedrange": True},
    )
    said = "; ".join(f"{row.name} {_interval_text(row)}" for row in table)
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=f"Dots with 95 % intervals: {said}.",
        height=row_px * len(table) + 84,
        margin=(14, 24, 26, 50),
        meta={  # a phone has no room for the interval in figures beside the name
            "wide": {f"annotations[{i}].text": _interval_text(row) for i, row in enumerate(table)}
            | {f"annotations[{i}].font.size": 13 for i in names_at},
            "narrow": {
                f"annotations[{i}].text": f"{100 * row.value:.1f} %" for i, row in enumerate(table)
            }
            | {f"annotations[{i}].font.size": 11 for i in names_at},
        },
    )


def check_interval_rows(
    rows: Sequence[IntervalRow | tuple[str, float, float, float, str]],
) -> list[IntervalRow]:
    """Return the rows, each within its interval and between 0 and 1.

    Raises
    ------
    ConfigError
        If there are no rows, or a value lies outside its interval or outside 0 to 1.
    """
    table = [IntervalRow(*row) for row in rows]
    if not table:
        raise ConfigError("no rows to draw; expected at least one (name, value, low, high, note).")
    for row in table:
        if not 0 <= row.low <= row.value <= row.high <= 1:
            raise ConfigError(
                f"'{row.name}' has value {row.value:g} and interval {row.low:g} to {row.high:g}; "
                f"expected fractions with 0 <= low <= value <= high <= 1."
            )
    return table


def _interval_text(row: IntervalRow) -> str:
    return f"{100 * row.value:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f})"


def _add_row_text(figure: go.Figure, row: int, text: str, *, left: bool, above: bool) -> None:
    figure.add_annotation(
        text=text, showarrow=False, xref="paper", x=0 if left else 1,
        xanchor="left" if left else "right", y=row, yanchor="bottom" if above else "top",
        yshift=7 if above else -6, font={"size": 13 if above else 11},
    )  # fmt: skip
