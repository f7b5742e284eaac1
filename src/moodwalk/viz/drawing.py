"""What is drawn on a `Sheet`: rows with their texts, panels, curves, ranks and confusions."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.viz.laboratory import ALL_HABITS, HabitRow, is_still
from moodwalk.viz.learning import SPLITS, LearningCurve, compute_band
from moodwalk.viz.ranks import AXIS_NAME, RULER, TICK, RankDiagram, draw_scale
from moodwalk.viz.sheet import INK, MARGIN_IN, POINT_IN, SOFT_INK, WIDTH_IN, Sheet
from moodwalk.viz.style import ACCENT, SHARE_SCALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "NAME_PT",
    "PLOT_IN",
    "RowText",
    "add_learning_legend",
    "draw_arrow",
    "draw_confusion",
    "draw_curve",
    "draw_intervals",
    "draw_ranks",
    "draw_reference",
    "open_panels",
    "open_rows",
    "write_on_top",
    "write_rank_name",
]

PLOT_IN = WIDTH_IN - 2 * MARGIN_IN
"""Width between the margins."""

NAME_PT = 9
"""Size of the names of models and habits."""

_NOTE_PT = 7.5
_LINE_GREY = "#767676"
_DASHES: dict[str, Any] = {"solid": "-", "dash": (0, (4, 2)), "dot": (0, (1, 1.3))}
_PAPER: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}


class RowText(NamedTuple):
    """What stands at a row: the name above and the note below, on the left; a text on the right."""

    name: str
    note: str
    text: str


def open_rows(
    sheet: Sheet,
    rows: Sequence[RowText],
    quantity: str,
    ends: tuple[float, float],
    ticks: Sequence[float],
    tick_texts: Iterable[str],
) -> tuple["Axes", list[float]]:
    """Lay out rows with their texts; return the axes, one unit a point high, and the rows' places."""
    names = [
        sheet.wrap(row.name, NAME_PT, PLOT_IN - sheet.measure(row.text, NAME_PT) - 0.2, bold=True)
        for row in rows
    ]
    notes = [sheet.wrap(row.note, _NOTE_PT, PLOT_IN) if row.note else [] for row in rows]
    ys: list[float] = []
    depth = 16.0  # points, for what is written on top
    for name, note in zip(names, notes, strict=True):
        ys.append(depth + 6 + 12 * len(name))
        depth = ys[-1] + 7 + 10 * len(note) + 8
    sheet.lay_out(depth * POINT_IN + 0.5)
    axes = sheet.add_axes(MARGIN_IN, 0, PLOT_IN, depth * POINT_IN)
    axes.set_xlim(*ends)
    axes.set_ylim(depth, 0)
    axes.set_yticks([])
    axes.set_xticks(ticks, list(tick_texts))
    axes.set_xlabel(quantity)
    axes.spines["bottom"].set_visible(True)
    for y, name, note, row in zip(ys, names, notes, rows, strict=True):
        texts: list[tuple[float, float, str, dict[str, Any]]] = [
            (0, -6, "\n".join(name), {"size": NAME_PT, "weight": "bold", "va": "bottom"}),
            (1, -6, row.text, {"size": NAME_PT, "va": "bottom", "ha": "right"}),
            (0, 7, "\n".join(note), {"size": _NOTE_PT, "va": "top", "color": SOFT_INK}),
        ]
        for x, down, text, style in texts:
            if text:
                axes.text(
                    x, y + down, text, transform=axes.get_yaxis_transform(), bbox=_PAPER, zorder=1,
                    linespacing=1.1, **style,
                )  # fmt: skip
    return axes, ys


def write_on_top(axes: "Axes", x: float, text: str, ha: str = "left") -> None:
    """Write a text above the rows, at a place across."""
    axes.text(x, 11, text, size=8, ha=ha, va="bottom", color=SOFT_INK, bbox=_PAPER, zorder=1)


def draw_reference(axes: "Axes", x: float, *, dashed: bool = False) -> None:
    """Draw a line down the rows, behind their texts."""
    bottom = axes.get_ylim()[0]
    axes.plot([x, x], [13, bottom], color=_LINE_GREY, lw=1, ls="--" if dashed else "-", zorder=0)


def draw_intervals(
    axes: "Axes", ys: Sequence[float], figures: Sequence[tuple[float, float, float]]
) -> None:
    """Draw a dot and a bar at each row, from its (value, low, high)."""
    for y, (value, low, high) in zip(ys, figures, strict=True):
        axes.plot([low, high], [y, y], color=ACCENT, alpha=0.6, lw=2.5, zorder=2)
        axes.plot([value], [y], "o", color=ACCENT, ms=7, zorder=3, clip_on=False)


def draw_arrow(axes: "Axes", y: float, row: HabitRow, honest: float, span: float) -> None:
    """Draw what a habit adds; `span` is the length of the axis."""
    axes.errorbar(
        [row.value], [y], xerr=[[row.points - row.low], [row.high - row.points]], fmt="none",
        ecolor=_LINE_GREY, elinewidth=1, capsize=2.5, zorder=2,
    )  # fmt: skip
    width = 2.6 if row.name == ALL_HABITS else 1.6
    if is_still(row, honest, span):
        axes.plot([honest, row.value], [y, y], color=ACCENT, lw=width, zorder=3)
        axes.plot([row.value], [y], "o", color=ACCENT, ms=5.5, zorder=3)
        return
    axes.annotate(
        "", xy=(row.value, y), xytext=(honest, y), zorder=3,
        arrowprops={
            "arrowstyle": "-|>,head_length=0.5,head_width=0.22", "color": ACCENT, "lw": width,
            "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12, "joinstyle": "miter",
        },
    )  # fmt: skip


def open_panels(
    sheet: Sheet,
    heads: Sequence[tuple[str, str]],
    axis_names: tuple[str, str],
    *,
    left_in: float,
    panel_in: tuple[float, float],
    foot_in: float,
) -> list["Axes"]:
    """Lay out panels in up to three columns; a height of 0 makes them square."""
    n = len(heads)
    columns = min(n, 3)
    gap_in = 0.18
    free_in = WIDTH_IN - left_in - MARGIN_IN - gap_in * (columns - 1)
    width = min(free_in / columns, panel_in[0])
    height = panel_in[1] or width
    names = [sheet.wrap(name, 9, width, bold=True) for name, _ in heads]
    head_in = 0.165 * max(map(len, names)) + (0.16 if any(text for _, text in heads) else 0) + 0.05
    step_in = head_in + height + (0.45 if n % columns else 0.28)
    n_rows = math.ceil(n / columns)
    sheet.lay_out((n_rows - 1) * step_in + head_in + height + 0.48 + foot_in)
    panels: list[Axes] = []
    for i, (_, remark) in enumerate(heads):
        left = left_in + (i % columns) * (width + gap_in)
        top = (i // columns) * step_in
        sheet.write_head(left, top, names[i], remark)
        axes = sheet.add_axes(left, top + head_in, width, height)
        axes.tick_params(labelsize=7.5)
        if i % columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(axis_names[1])
        if i + columns >= n:
            axes.set_xlabel(axis_names[0])
        panels.append(axes)
    return panels


def draw_curve(axes: "Axes", curve: LearningCurve, ends: tuple[float, float]) -> None:
    """Draw the bands and lines of a model, and the marks of chosen epochs on the lower edge."""
    for split, style in SPLITS.items():
        if getattr(curve, split) is None:
            continue
        band = compute_band(curve.epochs, getattr(curve, split))
        if split != "test":
            axes.fill_between(
                band.epochs, band.low, band.high, color=style.colour, alpha=0.22, lw=0
            )
        axes.plot(
            band.epochs, band.median, color=style.colour, lw=0.75 * style.width,
            ls=_DASHES[style.dash],
        )  # fmt: skip
    y = ends[0] + 0.035 * (ends[1] - ends[0])
    axes.plot(
        list(curve.chosen), [y] * len(curve.chosen), "|", color=ACCENT, ms=6, mew=1, alpha=0.7
    )


def add_learning_legend(sheet: Sheet, curves: Sequence[LearningCurve]) -> None:
    """Name each kind of line once, at the foot of the sheet."""
    from matplotlib.lines import Line2D

    keys = [
        Line2D([], [], color=style.colour, ls=_DASHES[style.dash], lw=0.75 * style.width, label=style.label)
        for split, style in SPLITS.items()
        if any(getattr(curve, split) is not None for curve in curves)
    ]  # fmt: skip
    if any(len(curve.chosen) for curve in curves):
        keys.append(Line2D([], [], color=ACCENT, ls="", marker="|", ms=6, label="epoch chosen"))
    sheet.figure.legend(
        handles=keys, loc="lower left", bbox_to_anchor=(0.7 / WIDTH_IN, 0), ncols=len(keys),
        frameon=False, fontsize=8, handlelength=2.6, borderaxespad=0.4,
    )  # fmt: skip


def draw_ranks(
    axes: "Axes", diagram: RankDiagram, mean_ranks: Sequence[float], critical_difference: float
) -> None:
    """Draw axis, ruler, leader lines and bars of a critical-difference diagram."""
    n = len(mean_ranks)
    scale, ruler = draw_scale(n, critical_difference)
    axes.plot(*scale, color=_LINE_GREY, lw=1, clip_on=False)
    axes.plot(*ruler, color=_LINE_GREY, lw=1.8, clip_on=False)
    for k in range(1, n + 1):
        axes.text(k, -TICK - 0.06, str(k), ha="center", va="bottom", size=8)
    axes.annotate(
        AXIS_NAME, ((n + 1) / 2, -TICK), xytext=(0, 12), textcoords="offset points", size=8.5,
        ha="center", va="bottom",
    )  # fmt: skip
    axes.text(1, -RULER - 0.2, f"critical difference: {critical_difference:.2f}", size=8)
    for i, rank in enumerate(mean_ranks):
        end = diagram.name_ends[0 if diagram.on_left[i] else 1]
        row = diagram.rows[i]
        axes.plot([rank, rank, end], [0, row, row], color=_LINE_GREY, lw=1, zorder=1)
    for row, members in diagram.bars:
        at = [mean_ranks[i] for i in members]
        axes.plot(at, [row] * len(at), "-o", color=ACCENT, lw=3.2, ms=5.5, zorder=2)


def write_rank_name(
    sheet: Sheet, left: float, middle: float, lines: Sequence[str], rank: str, *, on_left: bool
) -> None:
    """Write a name in bold, its rank behind its last line."""
    rank_in = sheet.measure(rank, NAME_PT)
    for k, line in enumerate(lines):
        top = middle + 0.155 * (k - (len(lines) - 1) / 2)
        last = k == len(lines) - 1
        if on_left:
            at = left - (rank_in if last else 0)
            sheet.write(at, top, line, size=NAME_PT, bold=True, ha="right", va="center")
        else:
            sheet.write(left, top, line, size=NAME_PT, bold=True, va="center")
            at = left + sheet.measure(line, NAME_PT, bold=True)
        if last:
            sheet.write(at, top, rank, size=NAME_PT, va="center")


def draw_confusion(axes: "Axes", matrix: NDArray[np.float64]) -> None:
    """Draw a confusion with row percentages and counts."""
    from matplotlib.colors import LinearSegmentedColormap

    totals = matrix.sum(axis=1)
    share = matrix / np.maximum(totals, 1)[:, None]
    scale = LinearSegmentedColormap.from_list("share", list(SHARE_SCALE))
    edges = np.arange(len(matrix) + 1) - 0.5
    axes.pcolormesh(
        edges, edges, share, cmap=scale, vmin=0, vmax=1, edgecolors="white", linewidth=1
    )  # fmt: skip
    axes.set_ylim(len(matrix) - 0.5, -0.5)
    size = min(7.5, 26 / len(matrix))
    for i, j in np.ndindex(*matrix.shape):
        text = f"{100 * share[i, j]:.0f} %\n{matrix[i, j]:g}" if totals[i] else "–"
        colour = "white" if share[i, j] > 0.4 else INK
        axes.text(j, i, text, ha="center", va="center", size=size, color=colour)
