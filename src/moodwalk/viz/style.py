"""What all figures share: colours, type, axes, panels, and the finish that a page relies on."""

import html
import math
import textwrap
from types import MappingProxyType
from typing import Any

import plotly.graph_objects as go

from moodwalk.emotion import Emotion

__all__ = [
    "ACCENT",
    "EMOTION_COLOURS",
    "GRID",
    "INK",
    "SHARE_SCALE",
    "SIDE_COLOURS",
    "escape_text",
    "finish_figure",
    "make_axis_title",
    "make_percent_axis",
    "place_panel",
]

EMOTION_COLOURS: MappingProxyType[Emotion, str] = MappingProxyType(
    {
        Emotion.HAPPY: "#C78900",
        Emotion.ANGRY: "#C74B12",
        Emotion.SAD: "#2566B0",
        Emotion.NEUTRAL: "#80868E",
    }
)
"""The colour of each emotion, in every figure.

Lightness falls in even steps (62, 56, 49, 43) from happy over neutral and angry to sad, so that
the four differ in grey; hues are those of the Okabe-Ito palette; each has a contrast of about
3 : 1 or more on white and on near-black.
"""

SIDE_COLOURS: MappingProxyType[str, str] = MappingProxyType(
    {"right": "#118373", "left": "#C77CB8", "middle": "#80868E"}
)
"""Limbs of a skeleton: the right side is the darker one."""

INK = "#767676"
"""Text; `write_page` puts the theme's own in its place."""

GRID = "rgba(128,128,128,0.25)"
"""Grid lines and frames."""

ACCENT = "#8C6BC2"
"""For figures that are about no emotion."""

SHARE_SCALE = ((0.0, "#F4F1F8"), (0.5, "#A48BC8"), (1.0, "#3B2163"))
"""Colours of a share from 0 to 1; lightness falls evenly."""

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def escape_text(text: str) -> str:
    """Escape text for plotly, which reads a little HTML."""
    return html.escape(text, quote=False)


def make_percent_axis(title: str, top: float = 1.0) -> dict[str, Any]:
    """Return an axis of fractions from 0 to `top`, written as percentages."""
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return {
        "title": make_axis_title(title), "range": [0, top], "tickvals": ticks,
        "ticktext": [f"{100 * tick:.0f} %" for tick in ticks],
        "gridcolor": GRID, "zeroline": False, "fixedrange": True,
    }  # fmt: skip


def make_axis_title(text: str) -> dict[str, Any]:
    """Return the title of an axis in the size that all have."""
    return {"text": text, "font": {"size": 13}}


def place_panel(
    i: int, n: int, n_columns: int, *, gap_x: float, gap_y: float
) -> tuple[list[float], list[float]]:
    """Place one of several panels of the same size, row by row from the top.

    Parameters
    ----------
    i, n
        Which panel, of how many.
    n_columns
        How many stand beside each other at most.
    gap_x, gap_y
        Room between them, as shares of the figure.

    Returns
    -------
    tuple of list of float
        Left and right, bottom and top: shares of the figure, as plotly's ``domain``.
    """
    columns = min(n, n_columns)
    rows = math.ceil(n / columns)
    width = (1 - gap_x * (columns - 1)) / columns
    height = (1 - gap_y * (rows - 1)) / rows
    left = (i % columns) * (width + gap_x)
    bottom = 1 - (i // columns) * (height + gap_y) - height
    return (
        [round(max(left, 0), 6), round(min(left + width, 1), 6)],
        [round(max(bottom, 0), 6), round(min(bottom + height, 1), 6)],
    )


def finish_figure(
    figure: go.Figure,
    *,
    title: str,
    caption: str,
    alt: str,
    height: int,
    margin: tuple[int, int, int, int],
    meta: dict[str, Any] | None = None,
    legend: bool = False,
) -> go.Figure:
    """Give a figure its look, its heading, and what a page must know of it.

    Parameters
    ----------
    figure
        Changed in place.
    title, caption
        Plain text, wrapped here; where both are empty no room is taken.
    alt
        What a reader who cannot see the figure should know.
    height, margin
        Pixels without the heading; left, right, top, bottom.
    meta
        ``wide`` and ``narrow``, layouts for a screen and a phone, and whatever else a page needs.
    legend
        Whether to show one.

    Returns
    -------
    plotly.graph_objects.Figure
        The same figure.
    """
    head, foot = textwrap.wrap(title, 64), textwrap.wrap(caption, 96)
    header_px = (24 * len(head) + 17 * len(foot) + 22) if head or foot else 0
    left, right, top, bottom = margin
    known: dict[str, Any] = {"wide": {}, "narrow": {}, **(meta or {})}
    figure.update_layout(known["wide"])
    known["wide"]["height"] = height
    known["narrow"].setdefault("height", height)
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": _FONT, "size": 13, "color": INK},
        height=height + header_px,
        margin={"l": left, "r": right, "t": top + header_px, "b": bottom},
        showlegend=legend,
        meta={**known, "title": title, "caption": caption, "alt": alt, "header_px": header_px},
    )
    if header_px:
        figure.update_layout(
            title={
                "text": "<br>".join(f"<b>{escape_text(line)}</b>" for line in head),
                "subtitle": {"text": "<br>".join(escape_text(line) for line in foot)},
                "x": 0, "xref": "paper", "xanchor": "left",
                "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8},
                "font": {"size": 18},
            }
        )  # fmt: skip
    return figure
