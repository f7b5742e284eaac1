"""Which models differ: Demšar's critical-difference diagram of mean ranks."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from moodwalk.errors import ConfigError
from moodwalk.viz.style import ACCENT, INK, escape_text, finish_figure

__all__ = [
    "ABOVE",
    "AXIS_NAME",
    "RULER",
    "TICK",
    "RankDiagram",
    "describe_diagram",
    "draw_scale",
    "make_critical_difference_figure",
    "place_ranks",
]

AXIS_NAME = "mean rank (1 = best)"
TICK, RULER, ABOVE = 0.14, 1.65, 2.35
"""Rows above the axis: of the ends of its ticks, of the ruler, and over all."""

_BAR_STEP = 0.5


class RankDiagram(NamedTuple):
    """Where the parts of a critical-difference diagram stand.

    Across, positions are mean ranks; downwards, rows below the axis, which stands at 0.

    Attributes
    ----------
    order
        Models from the best to the worst.
    rows
        Row of each model's name.
    on_left
        Whether the name stands on the left.
    bars
        (row, members from the best to the worst) of each group of two or more models.
    depth
        Rows below the axis, over all.
    ends
        Ranks between which everything but the names lies.
    name_ends
        Ranks at which the lines to the names end, left and right.
    """

    order: list[int]
    rows: list[float]
    on_left: list[bool]
    bars: list[tuple[float, list[int]]]
    depth: float
    ends: tuple[float, float]
    name_ends: tuple[float, float]


def make_critical_difference_figure(
    names: Sequence[str],
    mean_ranks: Sequence[float],
    critical_difference: float,
    groups: Sequence[Sequence[int]],
    title: str,
    caption: str = "",
) -> go.Figure:
    """Draw mean ranks on an axis, the best on the left, and bars over models that do not differ.

    Parameters
    ----------
    names
        K models, two or more.
    mean_ranks
        K mean ranks, 1 to K; 1 is the best.
    critical_difference
        Ranks by which two models must lie apart to differ: the ruler above the axis.
    groups
        Groups of models, by index, that do not differ: one bar each, with a dot for every member.
        Groups of one are not drawn.
    title
        The finding.
    caption
        n and protocol.

    Raises
    ------
    ConfigError
        If names and ranks differ in number or are fewer than two, a rank lies outside 1 to K, the
        critical difference is not positive, or a group names a model that is none.

    References
    ----------
    .. [1] Demšar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7.
    """
    diagram = place_ranks(names, mean_ranks, critical_difference, groups)
    figure = go.Figure()
    for (x, y), width in zip(draw_scale(len(names), critical_difference), (1.5, 2.5), strict=True):
        line = {"width": width, "color": INK}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip"))
    for i, rank in enumerate(mean_ranks):
        out = diagram.name_ends[0 if diagram.on_left[i] else 1]
        figure.add_trace(
            go.Scatter(
                x=[rank, rank, out], y=[0, diagram.rows[i], diagram.rows[i]], mode="lines",
                line={"width": 1.5, "color": INK}, hoverinfo="skip",
            )
        )  # fmt: skip
    for row, members in diagram.bars:
        figure.add_trace(
            go.Scatter(
                x=[mean_ranks[i] for i in members], y=[row] * len(members), mode="lines+markers",
                line={"width": 5, "color": ACCENT}, marker={"size": 9, "color": ACCENT},
                text=[escape_text(f"{names[i]}: {mean_ranks[i]:.2f}") for i in members],
                hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    meta = _add_names(figure, diagram, names, mean_ranks)
    _add_scale_texts(figure, len(names), critical_difference)
    figure.update_layout(
        xaxis={"visible": False, "range": diagram.ends, "fixedrange": True},
        yaxis={"visible": False, "range": [diagram.depth, -ABOVE], "fixedrange": True},
    )
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=describe_diagram(diagram, names, mean_ranks, critical_difference),
        height=meta["wide"]["height"],
        margin=(8, 8, 4, 4),
        meta=meta,
    )


def place_ranks(
    names: Sequence[str],
    mean_ranks: Sequence[float],
    critical_difference: float,
    groups: Sequence[Sequence[int]],
) -> RankDiagram:
    """Check the parts of a critical-difference diagram and place them.

    The better half has its names on the left, the best on top, and the worse half on the right, the
    worst on top, so that no leader line crosses another; bars that overlap stand on rows of their
    own.

    Raises
    ------
    ConfigError
        As `make_critical_difference_figure`.
    """
    n = len(names)
    if n < 2 or len(mean_ranks) != n:
        raise ConfigError(
            f"{n} names for {len(mean_ranks)} mean ranks; expected as many of each, two or more."
        )
    for name, rank in zip(names, mean_ranks, strict=True):
        if not 1 <= rank <= n:
            raise ConfigError(f"'{name}' has mean rank {rank:g}; expected 1 to {n}.")
    if not 0 < critical_difference < math.inf:
        raise ConfigError(
            f"the critical difference is {critical_difference:g}; expected ranks above 0."
        )
    for group in groups:
        for i in group:
            if not 0 <= i < n:
                raise ConfigError(f"a group names model {i}; expected indices 0 to {n - 1}.")
    order = sorted(range(n), key=lambda i: (mean_ranks[i], i))
    place = {model: k for k, model in enumerate(order)}
    members = [sorted(set(group), key=lambda i: place[i]) for group in groups]
    bars, n_levels = _stack_bars([group for group in members if len(group) > 1], mean_ranks)
    half = math.ceil(n / 2)
    pad = 0.05 * (n - 1)
    first = 0.9 + _BAR_STEP * n_levels
    return RankDiagram(
        order=order,
        rows=[first + min(place[i], n - 1 - place[i]) for i in range(n)],
        on_left=[place[i] < half for i in range(n)],
        bars=bars,
        depth=first + half - 0.4,
        ends=(1 - pad, max(n, 1 + critical_difference) + pad),
        name_ends=(1 - pad, n + pad),
    )


def describe_diagram(
    diagram: RankDiagram,
    names: Sequence[str],
    mean_ranks: Sequence[float],
    critical_difference: float,
) -> str:
    """Say in words what a critical-difference diagram shows."""
    said = ", ".join(f"{names[i]} {mean_ranks[i]:.2f}" for i in diagram.order)
    alike = "; ".join(", ".join(names[i] for i in members) for _, members in diagram.bars)
    return f"Mean ranks, best first: {said}. Critical difference {critical_difference:.2f}. " + (
        f"Not different from each other: {alike}." if alike else "No group is joined."
    )


def _stack_bars(
    groups: Sequence[list[int]], mean_ranks: Sequence[float]
) -> tuple[list[tuple[float, list[int]]], int]:
    """Give each bar the first row in which it touches no other."""
    ends: list[float] = []  # of the last bar in each row
    bars: list[tuple[float, list[int]]] = []
    room = 0.02 * len(mean_ranks)
    for group in sorted(groups, key=lambda g: (mean_ranks[g[0]], mean_ranks[g[-1]])):
        start, end = mean_ranks[group[0]], mean_ranks[group[-1]]
        level = next((k for k, last in enumerate(ends) if last + room < start), len(ends))
        ends[level : level + 1] = [end]
        bars.append((_BAR_STEP * (level + 1), group))
    return bars, len(ends)


def draw_scale(
    n: int, critical_difference: float
) -> tuple[tuple[list[float], list[float]], tuple[list[float], list[float]]]:
    """Compute the strokes of the axis with its ticks, and of the ruler; NaN lifts the pen.

    Returns
    -------
    tuple of tuple of list of float
        Ranks and rows of the axis, ranks and rows of the ruler.
    """
    axis_x, axis_y = [1.0, float(n)], [0.0, 0.0]
    for k in range(1, n + 1):
        axis_x += [math.nan, k, k]
        axis_y += [math.nan, 0, -TICK]
    end = 1 + critical_difference
    ruler_x = [1, end, math.nan, 1, 1, math.nan, end, end]
    ruler_y = [0, 0, math.nan, -0.12, 0.12, math.nan, -0.12, 0.12]
    return (axis_x, axis_y), (ruler_x, [y - RULER for y in ruler_y])


def _add_scale_texts(figure: go.Figure, n: int, critical_difference: float) -> None:
    texts = [(float(k), -TICK, 0, "center", str(k)) for k in range(1, n + 1)]
    texts += [
        ((n + 1) / 2, -TICK, 17, "center", AXIS_NAME),
        (1.0, -RULER, 4, "left", f"critical difference: {critical_difference:.2f}"),
    ]
    for x, y, up_px, anchor, text in texts:
        figure.add_annotation(
            text=text, showarrow=False, x=x, xanchor=anchor, y=y, yanchor="bottom",
            yshift=up_px, font={"size": 12},
        )  # fmt: skip


def _add_names(
    figure: go.Figure, diagram: RankDiagram, names: Sequence[str], mean_ranks: Sequence[float]
) -> dict[str, dict[str, Any]]:
    """Write the names beside their lines; return layouts for screen and phone."""
    views: dict[str, dict[str, Any]] = {}
    n, rows = len(names), diagram.depth + ABOVE
    for view, letters, size, room in (("wide", 19, 13, 0.27), ("narrow", 13, 11, 0.3)):
        patch: dict[str, Any] = {"xaxis.domain": [room, 1 - room]}
        n_lines = 1
        for i, name in enumerate(names):
            lines = textwrap.wrap(name, letters) or [""]
            parts = [f"<b>{escape_text(line)}</b>" for line in lines]
            parts[-1] += f"{' ' if view == 'wide' else '<br>'}{mean_ranks[i]:.2f}"
            n_lines = max(n_lines, len(parts) + (view == "narrow"))
            patch |= {
                f"annotations[{i}].text": "<br>".join(parts),
                f"annotations[{i}].font.size": size,
            }
        for k in range(1, n + 1):  # a phone has room for every other number of a long axis
            shown = view == "wide" or n <= 8 or k % 2
            patch[f"annotations[{n + k - 1}].text"] = str(k) if shown else ""
        row_px = max(1.35 * size * n_lines + 8, 30)
        views[view] = {**patch, "height": round(rows * row_px) + 8}
    for i in range(n):
        left = diagram.on_left[i]
        figure.add_annotation(
            showarrow=False, x=diagram.name_ends[0 if left else 1], y=diagram.rows[i],
            xanchor="right" if left else "left", yanchor="middle", align="right" if left else "left",
            xshift=-4 if left else 4,
        )  # fmt: skip
    return views
