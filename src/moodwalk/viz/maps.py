"""Where generated gaits lie among real ones: maps side by side, as figure and as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.viz.drawing import open_panels
from moodwalk.viz.panels import lay_out_panels
from moodwalk.viz.sheet import FRAME, MARGIN_IN, WIDTH_IN, open_sheet
from moodwalk.viz.style import EMOTION_COLOURS, GRID, escape_text, finish_figure

__all__ = ["GaitMap", "make_map_figure", "write_map_png"]

FloatArray = NDArray[np.float64]

_BACKGROUND = "real gaits"
_BACKGROUND_COLOUR = "#80868E"
_ASPECTS = (0.6, 1.1)
_LEGEND_PX, _LEGEND_PT = 7.5, 6.0


class _Mark(NamedTuple):
    """How an emotion is drawn besides its colour: plotly's and matplotlib's name, and its size.

    Sizes make the four look equally large.
    """

    symbol: str
    marker: str
    scale: float


_MARKS: dict[Emotion, _Mark] = {
    Emotion.HAPPY: _Mark("circle", "o", 1.0),
    Emotion.ANGRY: _Mark("triangle-up", "^", 1.15),
    Emotion.SAD: _Mark("square", "s", 0.9),
    Emotion.NEUTRAL: _Mark("x", "X", 1.2),
}


class GaitMap(NamedTuple):
    """One panel of `make_map_figure`: a set of gaits on a map that all panels share.

    Parameters
    ----------
    name
        What the set is, such as "real, held out".
    points
        (n, 2) places.
    labels
        (n,) emotions.
    background
        (m, 2) places of all real gaits on the same map; None for none.
    """

    name: str
    points: ArrayLike
    labels: Sequence[str] | NDArray[np.str_]
    background: ArrayLike | None = None


def make_map_figure(maps: Sequence[GaitMap], *, title: str = "", caption: str = "") -> go.Figure:
    """Draw maps of gaits side by side, on the same axes and scale, all real gaits behind each.

    Emotions differ in colour and in shape; the rarer lie in front. Axes have no numbers, since such a
    map has no unit.

    Parameters
    ----------
    maps
        One for each set, from one call of `moodwalk.generation.maps.compute_map`.
    title
        The finding.
    caption
        n and protocol.

    Raises
    ------
    ConfigError
        If there are no maps.
    ShapeError
        If points are not (n, 2), hold NaN, or have not one label each.
    LabelError
        If a label is no emotion.
    """
    panels = _check_maps(maps)
    order, view, size = _order_emotions(panels), _find_view(panels), _choose_size(panels)
    figure = go.Figure()
    for i, panel in enumerate(panels):
        suffix = "" if i == 0 else str(i + 1)
        for trace in _draw_panel(panel, order, 7 * size):
            trace.update(xaxis=f"x{suffix}", yaxis=f"y{suffix}", showlegend=False)
            figure.add_trace(trace)
    _add_legend(figure, panels)
    wide_px = {1: 480, 2: 385}.get(len(panels), 250)
    meta = lay_out_panels(
        figure,
        [(panel.name, "") for panel in panels],
        ("", ""),
        panel_px=(round(wide_px * view.aspect), round(335 * view.aspect)),
        n_columns=(3, 1),
        gap_x=(0.025, 0),
        foot_px=(66, 96),
    )
    for patch in (meta["wide"], meta["narrow"]):
        for i, panel in enumerate(panels):
            suffix = "" if i == 0 else str(i + 1)
            patch[f"xaxis{suffix}.title.text"] = _describe_size(panel)
            patch[f"yaxis{suffix}.showticklabels"] = False
    plain: dict[str, Any] = {
        "showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "",
        "showline": True, "mirror": True, "linecolor": GRID, "fixedrange": True,
        "constrain": "domain",  # a panel of another shape gets smaller, and keeps the scale
    }  # fmt: skip
    figure.update_xaxes(**plain, range=view.x, constraintoward="left")
    figure.update_yaxes(**plain, range=view.y, constraintoward="top")
    for i in range(len(panels)):
        suffix = "" if i == 0 else str(i + 1)
        figure.update_layout({f"yaxis{suffix}.scaleanchor": f"x{suffix}"})
    figure.update_layout(
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "yref": "container", "y": 0,
            "yanchor": "bottom", "itemclick": False, "itemdoubleclick": False,
            "itemsizing": "trace", "traceorder": "normal", "font": {"size": 12},
        }
    )  # fmt: skip
    said = "; ".join(_describe_panel(panel) for panel in panels)
    return finish_figure(
        figure,
        title=title,
        caption=caption,
        alt=f"Maps of gaits, neighbours alike: {said}.",
        height=meta["wide"]["height"],
        margin=(2, 2, meta["wide"]["margin.t"], meta["wide"]["margin.b"]),
        meta=meta,
        legend=True,
    )


def write_map_png(
    path: str | Path, maps: Sequence[GaitMap], *, title: str = "", caption: str = ""
) -> None:
    """Write maps of gaits as PNG; parameters as `make_map_figure`.

    Raises
    ------
    ConfigError, ShapeError, LabelError
        As `make_map_figure`; ConfigError also if matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    panels = _check_maps(maps)
    order, view, size = _order_emotions(panels), _find_view(panels), _choose_size(panels)
    with open_sheet(path, title, caption) as sheet:
        from matplotlib.lines import Line2D

        heads = [(panel.name, "") for panel in panels]
        width = {1: 4.2, 2: 3.4}.get(len(panels), 2.21)  # three fill the sheet
        drawn = open_panels(
            sheet, heads, ("", ""), left_in=MARGIN_IN, panel_in=(width, width * view.aspect), foot_in=0.15
        )  # fmt: skip
        style: dict[str, Any] = {"ls": "", "mec": "white", "mew": 0.3, "zorder": 2}
        behind: dict[str, Any] = {"ls": "", "marker": "o", "mew": 0, "ms": 2.6, "alpha": 0.45}
        for axes, panel in zip(drawn, panels, strict=True):
            if panel.background is not None:
                axes.plot(*panel.background.T, **behind, color=_BACKGROUND_COLOUR, zorder=1)
            for emotion in order:
                mark = _MARKS[emotion]
                axes.plot(
                    *panel.points[panel.labels == emotion].T, **style, marker=mark.marker,
                    ms=5 * size * mark.scale, color=EMOTION_COLOURS[emotion],
                )  # fmt: skip
            axes.set_xlim(*view.x)
            axes.set_ylim(*view.y)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_xlabel(_describe_size(panel))
            for side in axes.spines.values():
                side.set_visible(True)
                side.set_color(FRAME)
        keys = [
            Line2D(
                [], [], **style, marker=_MARKS[emotion].marker, ms=_LEGEND_PT * _MARKS[emotion].scale,
                color=EMOTION_COLOURS[emotion], label=str(emotion),
            )
            for emotion in EMOTIONS
            if emotion in order
        ]  # fmt: skip
        if any(panel.background is not None for panel in panels):
            keys.append(Line2D([], [], **behind, color=_BACKGROUND_COLOUR, label=_BACKGROUND))
        sheet.figure.legend(
            handles=keys, loc="lower left", bbox_to_anchor=(MARGIN_IN / WIDTH_IN, 0), ncols=len(keys),
            frameon=False, fontsize=8, handlelength=1.2, borderaxespad=0.4, columnspacing=1.4,
        )  # fmt: skip


class _Panel(NamedTuple):
    """A `GaitMap` that was checked."""

    name: str
    points: FloatArray
    labels: NDArray[np.str_]
    background: FloatArray | None


class _View(NamedTuple):
    """Ends of both axes, of one scale, and height over width."""

    x: tuple[float, float]
    y: tuple[float, float]
    aspect: float


def _check_maps(maps: Sequence[GaitMap]) -> list[_Panel]:
    if not maps:
        raise ConfigError("no maps to draw; expected one for each set of gaits.")
    panels: list[_Panel] = []
    for name, points, labels, background in maps:
        places = _check_places(points, f"'{name}'")
        emotions = np.asarray(labels, dtype=np.str_)
        if emotions.shape != (len(places),):
            raise ShapeError(
                f"'{name}' has {len(places)} points with labels of shape {emotions.shape}; expected "
                f"one for each."
            )
        if strange := set(emotions.tolist()) - set(EMOTIONS):
            raise LabelError(
                f"'{name}' has the label '{min(strange)}'; expected some of {', '.join(EMOTIONS)}."
            )
        behind = None if background is None else _check_places(background, f"'{name}', background,")
        panels.append(_Panel(name, places, emotions, behind))
    return panels


def _check_places(points: ArrayLike, what: str) -> FloatArray:
    places = np.asarray(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise ShapeError(f"{what} has shape {places.shape}; expected (n, 2) with n > 0.")
    if n_bad := int((~np.isfinite(places)).any(axis=1).sum()):
        raise ShapeError(f"{what} has {n_bad} points that are not finite; expected none.")
    return places


def _order_emotions(panels: Sequence[_Panel]) -> list[Emotion]:
    """Return the emotions that occur, in the order of drawing: the rarer in front."""
    labels = np.concatenate([panel.labels for panel in panels])
    counts = {emotion: int((labels == emotion).sum()) for emotion in EMOTIONS}
    return sorted((emotion for emotion in EMOTIONS if counts[emotion]), key=lambda e: -counts[e])


def _find_view(panels: Sequence[_Panel]) -> _View:
    """Find the smallest view of every point of every panel that makes no odd panel."""
    places = [p for panel in panels for p in (panel.points, panel.background) if p is not None]
    together = np.concatenate(places)
    low, high = together.min(axis=0), together.max(axis=0)
    width, height = ((high - low) + 0.1 * float((high - low).max() or 1)).tolist()
    aspect = min(max(height / width, _ASPECTS[0]), _ASPECTS[1])
    width, height = max(width, height / aspect), max(height, width * aspect)
    x, y = ((low + high) / 2).tolist()
    return _View((x - width / 2, x + width / 2), (y - height / 2, y + height / 2), aspect)


def _choose_size(panels: Sequence[_Panel]) -> float:
    """Choose how large marks are: smaller where many would hide each other."""
    n = max(len(panel.points) for panel in panels)
    return min(max((100 / n) ** 0.25, 0.6), 1.0)


def _describe_size(panel: _Panel) -> str:
    return f"n = {len(panel.points):,}"


def _describe_panel(panel: _Panel) -> str:
    counts = [(emotion, int((panel.labels == emotion).sum())) for emotion in EMOTIONS]
    emotions = ", ".join(f"{count} {emotion}" for emotion, count in counts if count)
    return f"{panel.name}, {len(panel.points)} gaits ({emotions})"


def _draw_panel(panel: _Panel, order: Sequence[Emotion], size_px: float) -> list[go.Scatter]:
    traces: list[go.Scatter] = []
    if panel.background is not None:
        x, y = _round(panel.background).T
        mark = _make_background_mark()
        traces.append(go.Scatter(x=x, y=y, mode="markers", marker=mark, hoverinfo="skip"))
    for emotion in order:
        x, y = _round(panel.points[panel.labels == emotion]).T
        traces.append(
            go.Scatter(
                x=x, y=y, mode="markers", marker=_make_mark(emotion, size_px),
                hovertemplate=f"{escape_text(panel.name)}: {emotion}<extra></extra>",
            )
        )  # fmt: skip
    return traces


def _round(places: FloatArray) -> FloatArray:
    return np.round(places, 2)


def _make_mark(emotion: Emotion, size_px: float) -> dict[str, Any]:
    mark = _MARKS[emotion]
    return {
        "symbol": mark.symbol, "size": round(size_px * mark.scale, 2), "color": EMOTION_COLOURS[emotion],
        "opacity": 0.85,
    }  # fmt: skip


def _make_background_mark() -> dict[str, Any]:
    return {"symbol": "circle", "size": 3.5, "color": _BACKGROUND_COLOUR, "opacity": 0.45}


def _add_legend(figure: go.Figure, panels: Sequence[_Panel]) -> None:
    """Name each kind of mark once, whichever panels it is in."""
    keys = [
        (str(emotion), _make_mark(emotion, _LEGEND_PX))
        for emotion in EMOTIONS
        if any((panel.labels == emotion).any() for panel in panels)
    ]
    if any(panel.background is not None for panel in panels):
        keys.append((_BACKGROUND, _make_background_mark()))
    for name, mark in keys:
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=name, marker=mark))
