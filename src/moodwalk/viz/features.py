"""Affective features by emotion."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.viz.style import EMOTION_COLOURS, GRID, escape_text, finish_figure, place_panel

__all__ = ["compute_eta_squared", "make_feature_figure"]


def make_feature_figure(
    table: ArrayLike,
    labels: Sequence[str] | NDArray[np.str_],
    names: Sequence[str],
    *,
    show: Sequence[str] | None = None,
    n_show: int = 6,
    units: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw a few features by emotion: every gait a dot, quartiles as boxes.

    Parameters
    ----------
    table
        (n, F) features, one row a gait; NaN is left out.
    labels
        (n,) emotions.
    names
        F names of the columns.
    show
        Which to draw; by default the `n_show` that the emotions separate most: the greatest share
        of variance between emotions (eta squared), one dimension at a time.
    n_show
        How many, where `show` does not say.
    units
        F units of the columns, empty where there is none.
    title
        The finding. By default which feature separates most.
    caption
        n and protocol.

    Raises
    ------
    ShapeError
        If table, labels, names and units do not fit together.
    ConfigError
        If a name in `show` is no column, or nothing is to be shown.
    LabelError
        If a label is no emotion.
    """
    values = np.asarray(table, dtype=np.float64)
    emotions = np.asarray(labels, dtype=np.str_)
    if values.ndim != 2 or values.shape != (len(emotions), len(names)):
        raise ShapeError(
            f"the table has shape {values.shape} with {len(emotions)} labels and {len(names)} "
            f"names; expected (labels, names)."
        )
    if units is not None and len(units) != len(names):
        raise ShapeError(f"{len(units)} units for {len(names)} names; expected as many of each.")
    if strange := set(emotions.tolist()) - set(EMOTIONS):
        raise LabelError(f"'{min(strange)}' is no emotion; expected some of {', '.join(EMOTIONS)}.")
    separation = [compute_eta_squared(column, emotions) for column in values.T]
    chosen = _choose_columns(separation, names, show, n_show)
    present = [emotion for emotion in EMOTIONS if emotion in emotions]
    figure = go.Figure()
    for panel, column in enumerate(chosen):
        for emotion in present:
            figure.add_trace(_draw_strip(values[emotions == emotion, column], emotion, panel))
    heads = [
        (names[c], f"{units[c]}, " if units and units[c] else "", separation[c]) for c in chosen
    ]
    meta = _lay_out_panels(figure, heads)
    top = max(chosen, key=lambda c: separation[c])
    return finish_figure(
        figure,
        title=title
        or f"{names[top][:1].upper()}{names[top][1:]} differs most: {100 * separation[top]:.0f} % of its variance lies "
        f"between emotions",
        caption=caption,
        alt=f"Boxes of {len(chosen)} features of {len(values)} gaits by emotion: "
        + "; ".join(f"{names[c]}, eta squared {separation[c]:.2f}" for c in chosen)
        + ".",
        height=meta["wide"]["height"],
        margin=(42, 12, 50, 44),
        meta=meta,
    )


def compute_eta_squared(column: NDArray[np.float64], labels: NDArray[np.str_]) -> float:
    """Compute the share of a feature's variance that lies between groups (eta squared).

    Parameters
    ----------
    column
        (n,) one feature; what is not finite is left out.
    labels
        (n,) groups.

    Returns
    -------
    float
        0 to 1; 0 where nothing varies.
    """
    known = np.isfinite(column)
    column, labels = column[known], labels[known]
    total = float(((column - column.mean()) ** 2).sum()) if len(column) else 0.0
    if total <= 0:
        return 0.0
    groups = [column[labels == name] for name in np.unique(labels)]
    return float(sum(len(g) * (g.mean() - column.mean()) ** 2 for g in groups) / total)


def _panel_head(name: str, unit: str, separation: float, width: int) -> str:
    lines = "<br>".join(f"<b>{escape_text(line)}</b>" for line in textwrap.wrap(name, width))
    return f"{lines}<br>{escape_text(unit)}η² = {separation:.2f}"


def _choose_columns(
    separation: Sequence[float], names: Sequence[str], show: Sequence[str] | None, n_show: int
) -> list[int]:
    if show is None:
        order = sorted(range(len(names)), key=lambda c: -separation[c])
        chosen = order[: max(n_show, 0)]
    else:
        if missing := [name for name in show if name not in names]:
            raise ConfigError(f"'{missing[0]}' is no feature of this table; see `names`.")
        chosen = [list(names).index(name) for name in show]
    if not chosen:
        raise ConfigError("no feature to draw; expected at least one.")
    return chosen


def _draw_strip(values: NDArray[np.float64], emotion: Emotion, panel: int) -> go.Box:
    shown = values[np.isfinite(values)]
    scale = float(np.abs(shown).max(initial=0)) or 1.0
    suffix = "" if panel == 0 else str(panel + 1)
    return go.Box(
        y=np.round(shown, max(0, 3 - math.floor(math.log10(scale)))).tolist(),
        name=str(emotion), boxpoints="all", jitter=0.6, pointpos=0, width=0.62,
        marker={"color": EMOTION_COLOURS[emotion], "size": 3, "opacity": 0.45},
        line={"color": EMOTION_COLOURS[emotion], "width": 2}, fillcolor="rgba(0,0,0,0)",
        hoverinfo="skip", showlegend=False, xaxis=f"x{suffix}", yaxis=f"y{suffix}",
    )  # fmt: skip


def _lay_out_panels(figure: go.Figure, heads: Sequence[tuple[str, str, float]]) -> dict[str, Any]:
    n = len(heads)
    wide: dict[str, Any] = {"height": 255 * math.ceil(n / 3) + 60}
    narrow: dict[str, Any] = {"height": 285 * math.ceil(n / 2) + 60}
    for i, head in enumerate(heads):
        suffix = "" if i == 0 else str(i + 1)
        figure.update_layout(
            {
                f"xaxis{suffix}": {"anchor": f"y{suffix}", "fixedrange": True, "ticks": ""},
                f"yaxis{suffix}": {
                    "anchor": f"x{suffix}", "fixedrange": True, "gridcolor": GRID,
                    "zeroline": False, "nticks": 5, "tickfont": {"size": 11},
                },
            }
        )  # fmt: skip
        figure.add_annotation(
            showarrow=False, xref="paper", yref="paper", xanchor="left",
            yanchor="bottom", align="left", yshift=4, font={"size": 12},
        )  # fmt: skip
        for patch, columns, gap_x, gap_y, angle, letters in (
            (wide, 3, 0.075, 0.36, 0, 26),
            (narrow, 2, 0.15, 0.48, -45, 18),
        ):
            x, y = place_panel(i, n, columns, gap_x=gap_x, gap_y=gap_y / math.ceil(n / columns))
            patch |= {
                f"xaxis{suffix}.domain": x,
                f"yaxis{suffix}.domain": y,
                f"xaxis{suffix}.tickangle": angle,
                f"annotations[{i}].text": _panel_head(*head, letters),
                f"annotations[{i}].x": x[0],
                f"annotations[{i}].y": y[1],
            }
    return {"wide": wide, "narrow": narrow}
