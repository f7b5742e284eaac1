"""The same picture of every model, side by side; among them the confusions of several models."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.viz.style import (
    SHARE_SCALE,
    escape_text,
    finish_figure,
    make_axis_title,
    place_panel,
)

__all__ = [
    "check_confusions",
    "describe_right",
    "lay_out_panels",
    "make_confusions_figure",
]


def make_confusions_figure(
    matrices: Sequence[ArrayLike] | NDArray[Any],
    names: Sequence[str],
    classes: Sequence[str],
    title: str,
    caption: str = "",
) -> go.Figure:
    """Draw the confusion matrices of several models side by side, with counts and row percentages.

    Parameters
    ----------
    matrices
        (n_models, C, C) counts; rows are true, columns predicted.
    names
        n_models models.
    classes
        C names, in the order of rows and columns.
    title
        The finding.
    caption
        n and protocol.

    Raises
    ------
    ConfigError
        If there is no matrix, or names and matrices differ in number.
    ShapeError
        If a matrix is not (C, C) or has a negative or missing count.
    """
    counts = check_confusions(matrices, names, classes)
    shown = [escape_text(str(name)) for name in classes]
    figure = go.Figure()
    heads: list[tuple[str, str]] = []
    for i, (name, matrix) in enumerate(zip(names, counts, strict=True)):
        suffix = "" if i == 0 else str(i + 1)
        share = matrix / np.maximum(matrix.sum(axis=1), 1)[:, None]
        figure.add_trace(
            go.Heatmap(
                z=share, x=shown, y=shown, xaxis=f"x{suffix}", yaxis=f"y{suffix}",
                text=[
                    [f"<b>{100 * s:.0f} %</b><br>{c:g}" if sum(row) else "–" for c, s in zip(row, part, strict=True)]
                    for row, part in zip(matrix, share, strict=True)
                ],
                texttemplate="%{text}", textfont={"size": 11}, colorscale=SHARE_SCALE, zmin=0, zmax=1,
                hovertemplate="true %{y}<br>predicted %{x}<br>%{text}<extra></extra>",
                showscale=False, xgap=1, ygap=1,
            )
        )  # fmt: skip
        heads.append((name, describe_right(matrix)))
    meta = lay_out_panels(
        figure,
        heads,
        ("predicted", "true"),
        panel_px=(225, 225),
        n_columns=(3, 1),
        gap_x=(0.03, 0),
        foot_px=(50, 50),
    )
    plain: dict[str, Any] = {
        "showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True,
        "tickfont": {"size": 11}, "tickangle": 0,
    }  # fmt: skip
    figure.update_xaxes(**plain)
    figure.update_yaxes(**plain, autorange="reversed")
    said = "; ".join(f"{name}, {right}" for name, right in heads)
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=f"Confusion matrices in {len(classes)} classes: {said}.",
        height=meta["wide"]["height"],
        margin=(84, 8, meta["wide"]["margin.t"], 50),
        meta=meta,
    )


def check_confusions(
    matrices: Sequence[ArrayLike] | NDArray[Any], names: Sequence[str], classes: Sequence[str]
) -> NDArray[np.float64]:
    """Check confusion matrices of several models and put them into one array.

    Returns
    -------
    numpy.ndarray
        (n_models, C, C) counts.

    Raises
    ------
    ConfigError
        If there is no matrix, or names and matrices differ in number.
    ShapeError
        If a matrix is not (C, C) or has a negative or missing count.
    """
    many = [np.asarray(matrix, dtype=np.float64) for matrix in matrices]
    if not many or len(many) != len(names):
        raise ConfigError(
            f"{len(many)} confusions for {len(names)} names; expected as many of each, at least one."
        )
    square = (len(classes), len(classes))
    for name, matrix in zip(names, many, strict=True):
        if matrix.shape != square or not len(classes):
            raise ShapeError(
                f"the confusion of '{name}' has shape {matrix.shape}; expected {square} for "
                f"{len(classes)} classes."
            )
        if not np.isfinite(matrix).all() or (matrix < 0).any():
            raise ShapeError(
                f"the confusion of '{name}' has a negative or missing count; expected counts."
            )
    return np.stack(many)


def describe_right(matrix: NDArray[np.float64]) -> str:
    """Write which share of a confusion is right."""
    total = float(matrix.sum())
    return f"{100 * float(np.trace(matrix)) / total:.1f} % right" if total else "no gaits"


def lay_out_panels(
    figure: go.Figure,
    heads: Sequence[tuple[str, str]],
    axis_names: tuple[str, str],
    *,
    panel_px: tuple[int, int],
    n_columns: tuple[int, int],
    gap_x: tuple[float, float],
    foot_px: tuple[int, int],
) -> dict[str, dict[str, Any]]:
    """Place panels with a (name, remark) above each; return layouts for screen and phone."""
    n = len(heads)
    for i in range(n):
        suffix = "" if i == 0 else str(i + 1)
        name_x, name_y = (make_axis_title(escape_text(name)) for name in axis_names)
        figure.update_layout(
            {
                f"xaxis{suffix}": {"anchor": f"y{suffix}", "title": {**name_x, "standoff": 6}},
                f"yaxis{suffix}": {"anchor": f"x{suffix}", "title": {**name_y, "standoff": 8}},
            }
        )
        figure.add_annotation(
            showarrow=False, xref="paper", yref="paper", xanchor="left", yanchor="bottom",
            align="left", yshift=4, font={"size": 12},
        )  # fmt: skip
    views: dict[str, dict[str, Any]] = {}
    for k, view in enumerate(("wide", "narrow")):
        columns = min(n_columns[k], n)
        letters = (96 if view == "wide" else 44) // columns
        n_lines = max(len(textwrap.wrap(name, letters)) for name, _ in heads)
        head_px = 15 * (n_lines + any(remark for _, remark in heads)) + 10
        n_rows = math.ceil(n / columns)
        # a column that ends a row early names its axis above the next row's empty place
        between_px = head_px + (46 if n % columns else 28)
        inside_px = n_rows * panel_px[k] + (n_rows - 1) * between_px
        patch: dict[str, Any] = {
            "height": inside_px + head_px + foot_px[k],
            "margin.t": head_px,
            "margin.b": foot_px[k],
        }
        for i, (name, remark) in enumerate(heads):
            suffix = "" if i == 0 else str(i + 1)
            # the share of one gap, so that `place_panel` leaves panel_px for each panel
            x, y = place_panel(i, n, columns, gap_x=gap_x[k], gap_y=between_px / inside_px)
            lines = [f"<b>{escape_text(line)}</b>" for line in textwrap.wrap(name, letters)]
            patch |= {
                f"xaxis{suffix}.domain": x,
                f"xaxis{suffix}.title.text": escape_text(axis_names[0]) if i + columns >= n else "",
                f"yaxis{suffix}.domain": y,
                f"yaxis{suffix}.title.text": escape_text(axis_names[1]) if i % columns == 0 else "",
                f"yaxis{suffix}.showticklabels": i % columns == 0,
                f"annotations[{i}].text": "<br>".join(
                    [*lines, *filter(None, [escape_text(remark)])]
                ),
                f"annotations[{i}].x": x[0],
                f"annotations[{i}].y": y[1],
            }
        views[view] = patch
    return views
