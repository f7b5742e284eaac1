"""How models learned: their curves over epochs, in training and in validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.viz.laboratory import compute_ticks
from moodwalk.viz.panels import lay_out_panels
from moodwalk.viz.style import ACCENT, GRID, finish_figure

__all__ = [
    "SPLITS",
    "Band",
    "LearningCurve",
    "SplitStyle",
    "check_learning_curves",
    "compute_band",
    "compute_curve_range",
    "describe_choice",
    "explain_learning",
    "make_learning_figure",
]


class SplitStyle(NamedTuple):
    """How the curve of one split is drawn: told apart by line, width and hue, not by hue alone."""

    label: str
    colour: str
    dash: str
    width: float


SPLITS: dict[str, SplitStyle] = {
    "train": SplitStyle("training", "#80868E", "dash", 1.5),
    "validation": SplitStyle("validation", ACCENT, "solid", 2.5),
    "test": SplitStyle("test, for looking only", "#C77CB8", "dot", 2.0),
}
"""Splits of a learning curve, in the order in which they are drawn."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How one model learned, in all of its cells (folds and repeats).

    Parameters
    ----------
    name
        The model.
    epochs
        (n_epochs,) rising.
    train, validation
        (n_cells, n_epochs), NaN after a cell stopped early.
    test
        The same for the test gaits, if they were looked at. Nothing may be chosen by it.
    chosen
        Epochs that validation chose, one for each cell.
    """

    name: str
    epochs: ArrayLike
    train: ArrayLike
    validation: ArrayLike
    test: ArrayLike | None = None
    chosen: Sequence[int] = ()


class Band(NamedTuple):
    """Median and quartiles over cells, for the epochs in which at least half of them trained."""

    epochs: NDArray[np.float64]
    median: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def make_learning_figure(
    curves: Sequence[LearningCurve],
    title: str,
    caption: str = "",
    *,
    quantity: str = "accuracy",
    percent: bool = True,
) -> go.Figure:
    """Draw the learning curves of several models, one panel each, on the same axes.

    Lines are medians over cells and bands their middle half, as long as at least half of the cells
    still train: after that, a median would be of the few that had not stopped. Marks on the lower
    edge are the epochs that validation chose. The caption says so.

    Parameters
    ----------
    curves
        One for each model.
    title
        The finding.
    caption
        n and protocol.
    quantity
        What the curves are of.
    percent
        Whether they are fractions between 0 and 1.

    Raises
    ------
    ConfigError
        If there are no curves, a fraction lies outside 0 to 1, or a chosen epoch is none of them.
    ShapeError
        If arrays do not fit together, or have values missing before a cell stopped.
    """
    check_learning_curves(curves, percent=percent)
    ends = compute_curve_range(curves, percent=percent)
    figure = go.Figure()
    for i, curve in enumerate(curves):
        for trace in _draw_curve(curve, ends, percent):
            suffix = "" if i == 0 else str(i + 1)
            trace.update(xaxis=f"x{suffix}", yaxis=f"y{suffix}", showlegend=False)
            figure.add_trace(trace)
    _add_learning_legend(figure, curves)
    last = max(float(np.asarray(curve.epochs)[-1]) for curve in curves)
    first = min(float(np.asarray(curve.epochs)[0]) for curve in curves)
    edge = max(0.02 * (last - first), 0.5)
    ticks = [tick for tick in compute_ticks(*ends, n_most=6) if not percent or 0 <= tick <= 1]
    heads = [(curve.name, describe_choice(curve)) for curve in curves]
    tests = any(curve.test is not None for curve in curves)
    meta = lay_out_panels(
        figure,
        heads,
        ("epoch", quantity),
        panel_px=(190, 160),
        n_columns=(3, 2),
        gap_x=(0.04, 0.11),
        # on a phone, each entry of a long legend takes a row
        foot_px=(90, 130 if tests else 94),
    )
    figure.update_xaxes(
        range=[first - edge, last + edge], nticks=5, showgrid=False, zeroline=False, ticks="outside",
        tickcolor=GRID, showline=True, linecolor=GRID, tickfont={"size": 11}, fixedrange=True,
    )  # fmt: skip
    figure.update_yaxes(
        range=ends, tickvals=ticks, gridcolor=GRID, zeroline=False, tickfont={"size": 11},
        ticktext=[f"{100 * tick:.3g} %" if percent else f"{tick:g}" for tick in ticks],
        fixedrange=True,
    )  # fmt: skip
    figure.update_layout(
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "yref": "container", "y": 0,
            "yanchor": "bottom", "itemclick": False, "itemdoubleclick": False,
            "traceorder": "normal", "font": {"size": 12},
        }
    )  # fmt: skip
    said = "; ".join(_describe_curve(curve, percent) for curve in curves)
    return finish_figure(
        figure,
        title=title,
        caption=" ".join(part for part in (caption, explain_learning(curves)) if part),
        alt=f"Learning curves, {quantity} over epochs: {said}.",
        height=meta["wide"]["height"],
        margin=(62, 10, meta["wide"]["margin.t"], 90),
        meta=meta,
        legend=True,
    )


def check_learning_curves(curves: Sequence[LearningCurve], *, percent: bool) -> None:
    """Check that curves can be drawn.

    Raises
    ------
    ConfigError
        If there are none, a fraction lies outside 0 to 1, or a chosen epoch is none of them.
    ShapeError
        If arrays do not fit together, or have values missing before a cell stopped.
    """
    if not curves:
        raise ConfigError("no learning curves to draw; expected one for each model.")
    for curve in curves:
        epochs = np.asarray(curve.epochs, dtype=np.float64)
        if (
            epochs.ndim != 1
            or not len(epochs)
            or not (np.isfinite(epochs).all() and (np.diff(epochs) > 0).all())
        ):
            raise ShapeError(
                f"'{curve.name}' has epochs of shape {epochs.shape}; expected at least one, rising."
            )  # fmt: skip
        shape = np.shape(curve.train)
        for split in SPLITS:
            if getattr(curve, split) is not None:
                _check_cells(curve, split, shape, percent)
        strange = [epoch for epoch in curve.chosen if epoch not in epochs]
        if strange:
            raise ConfigError(
                f"'{curve.name}' has chosen epoch {strange[0]:g}; expected one of its "
                f"{len(epochs)} epochs, {epochs[0]:g} to {epochs[-1]:g}."
            )


def _check_cells(curve: LearningCurve, split: str, shape: tuple[int, ...], percent: bool) -> None:
    values = np.asarray(getattr(curve, split), dtype=np.float64)
    n_epochs = len(np.asarray(curve.epochs))
    if values.ndim != 2 or values.shape != (shape[0], n_epochs) or not len(values):
        raise ShapeError(
            f"'{curve.name}' has {split} of shape {values.shape} with {n_epochs} epochs; expected "
            f"(cells, {n_epochs}), the same for every split."
        )
    missing = np.isnan(values)
    if missing[:, 0].any() or (missing[:, :-1] & ~missing[:, 1:]).any() or np.isinf(values).any():
        raise ShapeError(
            f"'{curve.name}' has {split} values missing before a cell stopped; expected NaN only "
            f"after its last epoch."
        )
    if percent and (np.nanmin(values) < 0 or np.nanmax(values) > 1):
        raise ConfigError(
            f"'{curve.name}' has {split} from {np.nanmin(values):g} to {np.nanmax(values):g}; "
            f"expected fractions from 0 to 1 (or percent=False)."
        )


def compute_band(epochs: ArrayLike, cells: ArrayLike) -> Band:
    """Compute median and quartiles over cells, while at least half of them train.

    Parameters
    ----------
    epochs
        (n_epochs,).
    cells
        (n_cells, n_epochs), NaN after a cell stopped.
    """
    values = np.asarray(cells, dtype=np.float64)
    training = (~np.isnan(values)).mean(axis=0) >= 0.5
    low, median, high = np.nanquantile(values[:, training], (0.25, 0.5, 0.75), axis=0)
    return Band(np.asarray(epochs, dtype=np.float64)[training], median, low, high)


def compute_curve_range(curves: Sequence[LearningCurve], *, percent: bool) -> tuple[float, float]:
    """Compute the ends of an axis that holds all bands, and below them the marks of choices."""
    bands = [
        compute_band(curve.epochs, getattr(curve, split))
        for curve in curves
        for split in SPLITS
        if getattr(curve, split) is not None
    ]
    low, high = min(band.low.min() for band in bands), max(band.high.max() for band in bands)
    if percent:
        low, high = math.floor(10 * low) / 10, math.ceil(10 * high) / 10
    span = (high - low) or 1.0
    return float(low - 0.1 * span), float(high + 0.03 * span)


def describe_choice(curve: LearningCurve) -> str:
    """Write which epochs validation chose; empty where that is not known."""
    if not len(curve.chosen):
        return ""
    return f"chosen: epoch {np.quantile(curve.chosen, 0.5, method='higher'):g}"


def explain_learning(curves: Sequence[LearningCurve]) -> str:
    """Say how to read learning curves."""
    said = "Lines are medians over folds and repeats, bands their middle half, drawn while at least half of them train."
    if any(len(curve.chosen) for curve in curves):
        said += " Marks below: epochs chosen by validation; their median stands above."
    return said


def _describe_curve(curve: LearningCurve, percent: bool) -> str:
    parts: list[str] = []
    for split, style in SPLITS.items():
        if getattr(curve, split) is not None:
            band = compute_band(curve.epochs, getattr(curve, split))
            last = band.median[-1]
            value = f"{100 * last:.0f} %" if percent else f"{last:.3g}"
            parts.append(f"{style.label} {value} at epoch {band.epochs[-1]:g}")
    choice = describe_choice(curve)
    return f"{curve.name}, {', '.join(parts)}" + (f", {choice}" if choice else "")


def _draw_curve(curve: LearningCurve, ends: tuple[float, float], percent: bool) -> list[go.Scatter]:
    traces: list[go.Scatter] = []
    for split, style in SPLITS.items():
        if getattr(curve, split) is None:
            continue
        band = compute_band(curve.epochs, getattr(curve, split))
        if split != "test":
            traces.append(
                go.Scatter(
                    x=np.concatenate([band.epochs, band.epochs[::-1]]),
                    y=np.round(np.concatenate([band.high, band.low[::-1]]), 4),
                    mode="lines", line={"width": 0}, fill="toself", hoverinfo="skip",
                    fillcolor=_make_translucent(style.colour, 0.22),
                )
            )  # fmt: skip
        value = "%{y:.1%}" if percent else "%{y:.3g}"
        traces.append(
            go.Scatter(
                x=band.epochs, y=np.round(band.median, 4), mode="lines",
                line={"color": style.colour, "dash": style.dash, "width": style.width},
                hovertemplate=f"{style.label}, epoch %{{x}}: {value}<extra></extra>",
            )
        )  # fmt: skip
    if len(curve.chosen):
        y = ends[0] + 0.035 * (ends[1] - ends[0])
        traces.append(
            go.Scatter(
                x=list(curve.chosen), y=[y] * len(curve.chosen), mode="markers",
                marker=_make_choice_mark(), hovertemplate="chosen: epoch %{x}<extra></extra>",
            )
        )  # fmt: skip
    return traces


def _make_choice_mark() -> dict[str, Any]:
    return {
        "symbol": "line-ns", "size": 10, "opacity": 0.7, "color": ACCENT,
        "line": {"width": 1.5, "color": ACCENT},
    }  # fmt: skip


def _make_translucent(colour: str, opacity: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def _add_learning_legend(figure: go.Figure, curves: Sequence[LearningCurve]) -> None:
    """Name each kind of line once, whichever panels it is in."""
    for split, style in SPLITS.items():
        if any(getattr(curve, split) is not None for curve in curves):
            line = {"color": style.colour, "dash": style.dash, "width": style.width}
            figure.add_trace(
                go.Scatter(x=[None], y=[None], mode="lines", name=style.label, line=line)
            )
    if any(len(curve.chosen) for curve in curves):
        figure.add_trace(
            go.Scatter(
                x=[None], y=[None], mode="markers", name="epoch chosen", marker=_make_choice_mark()
            )
        )
