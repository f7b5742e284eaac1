"""Plotly figures: moving skeletons, confusion, intervals, probabilities, features, calibration.

Every figure has a transparent background and draws its text in a grey that is legible on white and
on black; `write_page` puts the theme's own ink in its place. What a page needs to set a figure in
its own type lies in ``figure.layout.meta``: ``title``, ``caption``, ``alt``, ``header_px`` (the
height that title and caption take), ``wide`` and ``narrow`` (what to change on a screen and on a
phone) and, for moving figures, ``fps`` and ``n_frames``.
"""

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, QualityError, ShapeError
from moodwalk.gait import Gait
from moodwalk.page import Section, Table, write_page
from moodwalk.skeleton import BONES, Joint

__all__ = [
    "EMOTION_COLOURS",
    "MAX_SKELETONS",
    "SIDE_COLOURS",
    "IntervalRow",
    "Section",
    "Table",
    "make_confusion_figure",
    "make_feature_figure",
    "make_interval_figure",
    "make_probability_figure",
    "make_reliability_figure",
    "make_skeleton_figure",
    "write_page",
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

MAX_SKELETONS = 4
_INK = "#767676"
_GRID = "rgba(128,128,128,0.25)"
_ACCENT = "#8C6BC2"  # for figures that are about no emotion
_SCALE = ((0.0, "#F4F1F8"), (0.5, "#A48BC8"), (1.0, "#3B2163"))  # lightness falls evenly
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_SHOWN_S = 3.0
_MAX_FPS = 30.0
_CONTROLS_PX = 58
_ZOOM = 1.7  # of the walker in its scene


class IntervalRow(NamedTuple):
    """One line of `make_interval_figure`; fractions between 0 and 1."""

    name: str
    value: float
    low: float
    high: float
    note: str = ""


# ---------------------------------------------------------------------------------------------
# Moving skeletons


def make_skeleton_figure(
    gaits: Sequence[Gait],
    titles: Sequence[str] | None = None,
    n_frames: int | None = None,
    *,
    fps: float | None = None,
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw one to four walkers side by side, moving, at one scale.

    Every walker is held in place over the ground (the root's horizontal position is taken out in
    every frame) and repeated from its first frame until `n_frames` are filled.

    Parameters
    ----------
    gaits
        One to four gaits, +y up. Missing joints leave a gap.
    titles
        One for each gait; by default the emotion, else the gait's name.
    n_frames
        Frames to show, at `fps`. By default whole repetitions of a single gait, or as many as the
        longest of several, for about three seconds.
    fps
        Frames drawn per second. By default the highest frame rate of the gaits, at most 30. Each
        gait keeps its own pace: a gait at 60 fps drawn at 30 shows every second frame.
    title, caption
        Plain text.

    Raises
    ------
    ConfigError
        If there are no gaits or more than four, if titles and gaits differ in number, or if
        `n_frames` or `fps` is not positive.
    QualityError
        If a gait has no joint in any frame.
    """
    names = _check_skeletons(gaits, titles)
    shown_fps = min(_MAX_FPS, max(gait.fps for gait in gaits)) if fps is None else float(fps)
    if not (math.isfinite(shown_fps) and shown_fps > 0):
        raise ConfigError(f"fps is {fps}; expected a positive number.")
    n_shown = _count_frames(gaits, shown_fps) if n_frames is None else int(n_frames)
    if n_shown < 1:
        raise ConfigError(f"n_frames is {n_frames}; expected at least 1.")
    stood = [_stand_on_ground(gait) for gait in gaits]
    height = max(float(np.nanmax(walk[..., 1])) for walk in stood) or 1.0
    sideways, forward = (
        max(1.1 * max(float(np.nanmax(np.abs(walk[..., axis]))) for walk in stood), 0.1 * height)
        for axis in (0, 2)
    )
    extent = (forward, sideways, height)
    walks = [
        walk[_tile_index(gait, n_shown, shown_fps)] for gait, walk in zip(gaits, stood, strict=True)
    ]
    decimals = max(0, 3 - math.floor(math.log10(height)))
    paths = [np.round(_trace_bones(walk), decimals) + 0.0 for walk in walks]

    figure = go.Figure()
    for panel, path in enumerate(paths):
        figure.add_trace(_draw_ground(extent, panel))
        figure.add_trace(_draw_bones(path[0], panel))
    moving = list(range(1, 2 * len(gaits), 2))
    figure.frames = [
        go.Frame(
            name=str(k),
            data=[go.Scatter3d(**_coordinates(path[k])) for path in paths],
            traces=moving,
        )
        for k in range(n_shown)
    ]
    meta = _lay_out_scenes(figure, names, extent, [gait.label for gait in gaits])
    _add_player(figure, n_shown, shown_fps)
    meta |= {"fps": shown_fps, "n_frames": n_shown, "controls_px": _CONTROLS_PX}
    who = "; ".join(names)
    return _finish(
        figure,
        title=title,
        caption=caption,
        alt=f"Moving skeletons of {len(gaits)} walks: {who}. {n_shown} frames at {shown_fps:g} fps.",
        height=440,
        margin=(0, 0, 30, 26 + _CONTROLS_PX),
        meta=meta,
    )


def _check_skeletons(gaits: Sequence[Gait], titles: Sequence[str] | None) -> list[str]:
    if not 1 <= len(gaits) <= MAX_SKELETONS:
        raise ConfigError(
            f"{len(gaits)} gaits to draw; expected 1 to {MAX_SKELETONS}. Choose some of them."
        )
    for gait in gaits:
        if np.isnan(gait.positions).any(axis=2).all():
            raise QualityError(
                f"gait '{gait.name}' has no joint in any frame; expected at least one to draw."
            )
    if titles is None:
        return [str(gait.label or gait.name or f"walk {i + 1}") for i, gait in enumerate(gaits)]
    if len(titles) != len(gaits):
        raise ConfigError(f"{len(titles)} titles for {len(gaits)} gaits; expected as many of each.")
    return list(titles)


def _count_frames(gaits: Sequence[Gait], fps: float) -> int:
    longest = max(gait.duration_s for gait in gaits)
    if len(gaits) == 1:  # whole repetitions: the only seam is the gait's own
        return max(1, round(max(1, round(_SHOWN_S / longest)) * longest * fps))
    return max(1, round(max(_SHOWN_S, longest) * fps))


def _tile_index(gait: Gait, n_frames: int, fps: float) -> NDArray[np.int64]:
    source = np.floor(np.arange(n_frames) * (gait.fps / fps) + 1e-6).astype(np.int64)
    return source % gait.n_frames


def _stand_on_ground(gait: Gait) -> NDArray[np.float64]:
    """Take the root's way over the ground out of a walk and put the lowest joint at height 0."""
    walk = gait.positions.astype(np.float64)
    walk[np.isnan(walk).any(axis=2)] = np.nan  # a joint is there or it is not
    root = walk[:, Joint.ROOT, :]
    known = ~np.isnan(root).any(axis=1)
    # a frame without root borrows the last one seen; before the first, the first
    last = np.maximum.accumulate(np.where(known, np.arange(len(root)), -1))
    last[last < 0] = int(known.argmax())
    centre = root[last] if known.any() else np.nanmean(walk, axis=(0, 1))[None]
    walk[..., 0] -= centre[:, None, 0]
    walk[..., 2] -= centre[:, None, 2]
    walk[..., 1] -= np.nanmin(walk[..., 1])
    return walk


def _trace_bones(walk: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, V, 3): parent, child, gap for every bone, as plotly's x (forward), y (left), z (up)."""
    gap = np.full((len(walk), len(BONES), 3), np.nan)
    parent = walk[:, [bone[0] for bone in BONES]]
    child = walk[:, [bone[1] for bone in BONES]]
    path = np.stack([parent, child, gap], axis=2).reshape(len(walk), -1, 3)[:, :-1]
    return path[..., (2, 0, 1)]  # a cyclic change of axes: right stays right


def _side(joint: Joint) -> str:
    return next((side for side in ("right", "left") if side.upper() in joint.name), "middle")


def _coordinates(path: NDArray[np.float64]) -> dict[str, list[float | None]]:
    return {
        axis: [None if math.isnan(v) else v for v in path[:, i].tolist()]
        for i, axis in enumerate("xyz")
    }


def _draw_bones(path: NDArray[np.float64], panel: int) -> go.Scatter3d:
    sides = [_side(child) for _, child in BONES]
    colours = [SIDE_COLOURS[side] for side in sides for _ in range(3)][:-1]
    joints = [joint for parent, child in BONES for joint in (parent, child, child)][:-1]
    return go.Scatter3d(
        **_coordinates(path),
        mode="lines+markers",
        line={"width": 9, "color": colours},
        marker={
            "size": [13 if joint is Joint.HEAD else 3.5 for joint in joints],
            "color": colours,
            "opacity": 1,
            "line": {"width": 0},
        },
        text=[joint.name.lower().replace("_", " ") for joint in joints],
        hovertemplate="%{text}<br>x %{y}, y %{z}, z %{x}<extra></extra>",
        scene=_scene(panel),
    )


def _draw_ground(extent: tuple[float, float, float], panel: int) -> go.Scatter3d:
    forward, sideways, _ = extent
    x: list[float | None] = []
    y: list[float | None] = []
    for share in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x += [-forward, forward, None, share * forward, share * forward, None]
        y += [share * sideways, share * sideways, None, -sideways, sideways, None]
    return go.Scatter3d(
        x=x, y=y, z=[None if v is None else 0.0 for v in x], mode="lines",
        line={"width": 1, "color": "#A0A4AB"}, hoverinfo="skip", scene=_scene(panel),
    )  # fmt: skip


def _scene(panel: int) -> str:
    return "scene" if panel == 0 else f"scene{panel + 1}"


def _lay_out_scenes(
    figure: go.Figure,
    names: Sequence[str],
    extent: tuple[float, float, float],
    labels: Sequence[Emotion | None],
) -> dict[str, Any]:
    forward, sideways, height = extent
    hidden: dict[str, Any] = {"visible": False, "showspikes": False}
    scene: dict[str, Any] = {
        "xaxis": {**hidden, "range": [-forward, forward]},
        "yaxis": {**hidden, "range": [-sideways, sideways]},
        "zaxis": {**hidden, "range": [-0.02 * height, 1.05 * height]},
        "aspectmode": "manual",  # one unit is as long along every axis
        "aspectratio": {
            "x": _ZOOM * 2 * forward / height,
            "y": _ZOOM * 2 * sideways / height,
            "z": _ZOOM * 1.07,
        },
        "camera": {
            "up": {"x": 0, "y": 0, "z": 1},
            "center": {"x": 0, "y": 0, "z": -0.06},
            "eye": {"x": 1.25, "y": -0.85, "z": 0.35},
            "projection": {"type": "orthographic"},
        },
        "dragmode": "turntable",
        "bgcolor": "rgba(0,0,0,0)",
    }
    n = len(names)
    wide: dict[str, Any] = {}
    narrow: dict[str, Any] = {"height": 440 if n < 3 else 720}
    for i, (name, label) in enumerate(zip(names, labels, strict=True)):
        figure.update_layout({_scene(i): scene})
        dot = "" if label is None else f"<span style='color:{EMOTION_COLOURS[label]}'>●</span> "
        figure.add_annotation(
            text=f"{dot}<b>{_plain(name)}</b>",
            showarrow=False, xref="paper", yref="paper", xanchor="center", yanchor="bottom",
            font={"size": 14},
        )  # fmt: skip
        for patch, columns in ((wide, n), (narrow, min(n, 2))):
            x, y = _panel(i, n, columns, gap_x=0.01, gap_y=0.08)
            patch |= {
                f"{_scene(i)}.domain.x": x,
                f"{_scene(i)}.domain.y": y,
                f"annotations[{i}].x": sum(x) / 2,
                f"annotations[{i}].y": y[1],
            }
    figure.add_annotation(
        text="   ".join(
            f"<span style='color:{SIDE_COLOURS[side]}'>━</span> {side} side"
            for side in ("right", "left")
        ),
        showarrow=False, xref="paper", yref="paper", x=0.5, y=0, xanchor="center", yanchor="top",
        yshift=-2, font={"size": 12},
    )  # fmt: skip
    return {"wide": wide, "narrow": narrow}


def _add_player(figure: go.Figure, n_frames: int, fps: float) -> None:
    names = [str(k) for k in range(n_frames)]
    repeats = max(1, round(60 * fps / n_frames))  # plotly has no endless loop: about a minute
    timing = {"duration": 1000 / fps, "redraw": True}
    still = {"duration": 0}
    play: dict[str, Any] = {"frame": timing, "transition": still, "fromcurrent": True}
    pause: dict[str, Any] = {"mode": "immediate", "frame": {**timing, "duration": 0}}
    figure.update_layout(
        updatemenus=[
            {
                "type": "buttons", "direction": "left", "showactive": False,
                "x": 0, "y": 0, "xanchor": "left", "yanchor": "top",
                "pad": {"t": 34, "l": 8}, "bgcolor": "rgba(128,128,128,0.12)",
                "bordercolor": _GRID,
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [names * repeats, play]},
                    {"label": "❚❚ Pause", "method": "animate", "args": [[None], pause]},
                ],
            }
        ],
        sliders=[
            {
                "x": 0.3, "y": 0, "len": 0.68, "xanchor": "left", "yanchor": "top",
                "pad": {"t": 22}, "ticklen": 0, "minorticklen": 0, "tickcolor": _GRID,
                "bordercolor": _GRID, "bgcolor": "rgba(128,128,128,0.2)",
                "font": {"color": "rgba(0,0,0,0)"},  # the step labels; the current one is shown
                "currentvalue": {
                    "suffix": " s", "xanchor": "right", "font": {"size": 12, "color": _INK},
                },
                "steps": [
                    {
                        "label": f"{k / fps:.2f}", "method": "animate",
                        "args": [[name], {**pause, "transition": still}],
                    }
                    for k, name in enumerate(names)
                ],
            }
        ],
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------
# Figures of an evaluation


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
    names = [_plain(str(name)) for name in classes]
    figure = go.Figure(
        go.Heatmap(
            z=share, x=names, y=[f"{name} ({t:g})" for name, t in zip(names, totals, strict=True)],
            text=[
                [f"<b>{c:g}</b><br>{100 * s:.0f} %" if t else "–" for c, s in zip(*row, strict=True)]
                for row, t in zip(zip(counts, share, strict=True), totals, strict=True)
            ],
            texttemplate="%{text}", textfont={"size": 14},
            hovertemplate="true %{y}<br>predicted %{x}<br>%{text}<extra></extra>",
            colorscale=_SCALE, zmin=0, zmax=1, showscale=False, xgap=2, ygap=2,
        )
    )  # fmt: skip
    plain: dict[str, Any] = {"showgrid": False, "zeroline": False, "ticks": "", "fixedrange": True}
    figure.update_layout(
        xaxis={**plain, "title": _axis_title("predicted"), "side": "bottom", "constrain": "domain"},
        yaxis={
            **plain, "title": {**_axis_title("true (number of gaits)"), "standoff": 14}, "autorange": "reversed",
            "scaleanchor": "x", "constrain": "domain", "automargin": True,
        },
    )  # fmt: skip
    recalls = "; ".join(
        f"{name} {counts[i, i]:g} of {totals[i]:g}" for i, name in enumerate(classes)
    )
    return _finish(
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
    table = [IntervalRow(*row) for row in rows]
    if not table:
        raise ConfigError("no rows to draw; expected at least one (name, value, low, high, note).")
    for row in table:
        if not 0 <= row.low <= row.value <= row.high <= 1:
            raise ConfigError(
                f"'{row.name}' has value {row.value:g} and interval {row.low:g} to {row.high:g}; "
                f"expected fractions with 0 <= low <= value <= high <= 1."
            )
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
            marker={"size": 12, "color": _ACCENT},
            text=[_plain(f"{row.name}: {_interval_text(row)}") for row in table],
            hovertemplate="%{text}<extra></extra>",
        )
    )  # fmt: skip
    for i, row in enumerate(table):
        _add_row_text(figure, i, _interval_text(row), left=False, above=True)
    for i, row in enumerate(table):
        _add_row_text(figure, i, f"<b>{_plain(row.name)}</b>", left=True, above=True)
        if row.note:
            _add_row_text(figure, i, _plain(row.note), left=True, above=False)
    if majority is not None:
        figure.add_vline(x=majority, line={"dash": "dash", "width": 1.5, "color": _INK})
        figure.add_annotation(
            text=f"always the majority class: {100 * majority:.1f} %", showarrow=False,
            x=majority, yref="paper", y=1, yanchor="bottom", xanchor="left", xshift=-4,
            font={"size": 12},
        )  # fmt: skip
    row_px = 68 if any(row.note for row in table) else 54
    figure.update_layout(
        xaxis={
            **_percent_axis(quantity),
            "showgrid": False,
            "ticks": "outside",
            "tickcolor": _GRID,
            "showline": True,
            "linecolor": _GRID,
        },
        yaxis={"visible": False, "range": [len(table) - 0.5, -0.62], "fixedrange": True},
    )
    said = "; ".join(f"{row.name} {_interval_text(row)}" for row in table)
    return _finish(
        figure,
        title=title,
        caption=caption,
        alt=f"Dots with 95 % intervals: {said}.",
        height=row_px * len(table) + 84,
        margin=(14, 24, 26, 50),
        meta={  # a phone has no room for the interval in figures beside the name
            "wide": {f"annotations[{i}].text": _interval_text(row) for i, row in enumerate(table)},
            "narrow": {
                f"annotations[{i}].text": f"{100 * row.value:.1f} %" for i, row in enumerate(table)
            },
        },
    )


def _interval_text(row: IntervalRow) -> str:
    return f"{100 * row.value:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f})"


def _add_row_text(figure: go.Figure, row: int, text: str, *, left: bool, above: bool) -> None:
    figure.add_annotation(
        text=text, showarrow=False, xref="paper", x=0 if left else 1,
        xanchor="left" if left else "right", y=row, yanchor="bottom" if above else "top",
        yshift=7 if above else -6, font={"size": 13 if above else 11},
    )  # fmt: skip


def make_probability_figure(
    probabilities: Mapping[Emotion, float]
    | Mapping[str, float]
    | Sequence[Mapping[Emotion, float] | Mapping[str, float]],
    names: Sequence[str] | None = None,
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw the probabilities of a prediction as bars; of several, as one divided bar each.

    Parameters
    ----------
    probabilities
        Probability by emotion, or a sequence of such. Always by name: class orders differ.
    names
        One for each of several predictions; by default they are numbered.
    title
        The finding. By default the likeliest emotion of a single prediction.
    caption
        Where the probabilities come from.

    Raises
    ------
    LabelError
        If a name is no emotion.
    ConfigError
        If there is nothing to draw, a probability lies outside 0 to 1, or names and predictions
        differ in number.
    """
    many = [probabilities] if isinstance(probabilities, Mapping) else list(probabilities)
    rows = [_check_probabilities(row) for row in many]
    if not rows:
        raise ConfigError("no predictions to draw; expected at least one.")
    if names is not None and len(names) != len(rows):
        raise ConfigError(
            f"{len(names)} names for {len(rows)} predictions; expected as many of each."
        )
    best = max(rows[0], key=lambda emotion: rows[0][emotion])
    single = isinstance(probabilities, Mapping)
    if single:
        figure, height = _draw_one_prediction(rows[0]), 40 * len(EMOTIONS) + 60
        title = title or f"{best.capitalize()}, with {100 * rows[0][best]:.0f} %"
    else:
        figure, height = _draw_predictions(rows, names), 52 * len(rows) + 108
        title = title or f"Perceived emotion of {len(rows)} walks"
    said = "; ".join(
        ", ".join(f"{emotion} {100 * value:.0f} %" for emotion, value in row.items())
        for row in rows
    )
    return _finish(
        figure,
        title=title,
        caption=caption,
        alt=f"Predicted probabilities: {said}.",
        height=height,
        margin=(70, 18, 10, 50) if single else (14, 24, 40, 50),
        legend=not single,
    )


def _check_probabilities(
    row: Mapping[Emotion, float] | Mapping[str, float],
) -> dict[Emotion, float]:
    unknown = [str(name) for name in row if name not in set(EMOTIONS)]
    if unknown:
        raise LabelError(f"'{unknown[0]}' is no emotion; expected some of {', '.join(EMOTIONS)}.")
    values = {Emotion(name): float(value) for name, value in row.items()}
    for emotion, value in values.items():
        if not 0 <= value <= 1 + 1e-6:
            raise ConfigError(f"the probability of {emotion} is {value:g}; expected 0 to 1.")
    if not values:
        raise ConfigError("a prediction without probabilities; expected one for each emotion.")
    return {emotion: values.get(emotion, 0.0) for emotion in EMOTIONS}


def _draw_one_prediction(row: dict[Emotion, float]) -> go.Figure:
    figure = go.Figure(
        go.Bar(
            x=list(row.values()), y=[str(emotion) for emotion in row], orientation="h",
            marker={"color": [EMOTION_COLOURS[emotion] for emotion in row], "cornerradius": 3},
            text=[f"{100 * value:.0f} %" for value in row.values()], textposition="outside",
            cliponaxis=False, width=0.62, hoverinfo="skip",
        )
    )  # fmt: skip
    figure.update_layout(
        xaxis=_percent_axis("probability", top=1.08),
        yaxis={"autorange": "reversed", "automargin": True, "fixedrange": True, "ticks": ""},
    )
    return figure


def _draw_predictions(rows: list[dict[Emotion, float]], names: Sequence[str] | None) -> go.Figure:
    shown = [str(i + 1) for i in range(len(rows))] if names is None else list(names)
    at = list(range(len(rows)))
    figure = go.Figure()
    for emotion in EMOTIONS:
        values = [row[emotion] for row in rows]
        figure.add_trace(
            go.Bar(
                x=values, y=at, orientation="h", name=str(emotion), width=0.5, offset=-0.12,
                marker={"color": EMOTION_COLOURS[emotion]},
                text=[f"{100 * v:.0f} %" if v >= 0.08 else "" for v in values],
                textposition="inside", insidetextanchor="middle", textangle=0,
                insidetextfont={"color": "#FFFFFF"},
                hovertemplate=f"{emotion} %{{x:.1%}}<extra></extra>",
            )
        )  # fmt: skip
    for i, name in enumerate(shown):
        figure.add_annotation(
            text=f"<b>{_plain(name)}</b>", showarrow=False, xref="paper", x=0, xanchor="left",
            y=i - 0.12, yanchor="bottom", font={"size": 13},
        )  # fmt: skip
    figure.update_layout(
        barmode="stack",
        xaxis=_percent_axis("probability"),
        yaxis={"visible": False, "range": [len(rows) - 0.5, -0.55], "fixedrange": True},
        legend={
            "orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "traceorder": "normal", "itemclick": False, "itemdoubleclick": False,
        },
    )  # fmt: skip
    return figure


def make_reliability_figure(
    expected: ArrayLike,
    observed: ArrayLike,
    counts: ArrayLike,
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw a calibration: how often predictions of a stated confidence were right.

    Parameters
    ----------
    expected
        (B,) mean confidence of each bin, 0 to 1.
    observed
        (B,) share of right predictions in each bin, 0 to 1.
    counts
        (B,) predictions in each bin; empty bins are left out. The bars are exact (Clopper-Pearson)
        95 % intervals.
    title
        The finding. By default the expected calibration error: the mean distance between
        confidence and accuracy over all predictions.
    caption
        n and protocol.

    Raises
    ------
    ShapeError
        If the three differ in length, or all bins are empty.
    """
    from scipy.stats import beta

    confidence, accuracy, n = (
        np.asarray(a, dtype=np.float64) for a in (expected, observed, counts)
    )
    if confidence.ndim != 1 or not confidence.shape == accuracy.shape == n.shape or not n.sum() > 0:
        raise ShapeError(
            f"expected, observed and counts have shapes {confidence.shape}, {accuracy.shape} and "
            f"{n.shape} and {n.sum():g} predictions; expected three of one length, not all empty."
        )
    confidence, accuracy, n = (a[n > 0] for a in (confidence, accuracy, n))
    right = accuracy * n
    low = np.where(right > 0, beta.ppf(0.025, right, n - right + 1), 0.0)
    high = np.where(right < n, beta.ppf(0.975, right + 1, n - right), 1.0)
    error = float((n * np.abs(accuracy - confidence)).sum() / n.sum())
    figure = go.Figure(
        [
            go.Scatter(
                x=[0, 1], y=[0, 1], mode="lines", hoverinfo="skip",
                line={"dash": "dash", "color": _INK, "width": 1.5},
            ),
            go.Scatter(
                x=confidence, y=accuracy, mode="markers",
                error_y={
                    "type": "data", "symmetric": False, "thickness": 2, "width": 0,
                    "color": "rgba(140,107,194,0.6)",
                    "array": high - accuracy, "arrayminus": accuracy - low,
                },
                marker={"size": 8 + 18 * np.sqrt(n / n.max()), "color": _ACCENT},
                text=[f"{k:g}" for k in n],
                hovertemplate="confidence %{x:.1%}<br>right %{y:.1%} of %{text}<extra></extra>",
            ),
            go.Scatter(
                x=confidence, y=np.full(len(n), 0.035), mode="text", hoverinfo="skip",
                text=[f"{k:g}" for k in n], textfont={"size": 11},
            ),
        ]
    )  # fmt: skip
    figure.update_layout(
        xaxis={**_percent_axis("confidence stated (above the axis: number of predictions)"), "constrain": "domain"},
        yaxis={
            **_percent_axis(""),
            "scaleanchor": "x", "constrain": "domain", "automargin": True,
            "title": {**_axis_title("predictions that were right"), "standoff": 14},
        },
    )  # fmt: skip
    said = "; ".join(
        f"{100 * e:.0f} % stated, {100 * o:.0f} % right of {k:g}"
        for e, o, k in zip(confidence, accuracy, n, strict=True)
    )
    return _finish(
        figure,
        title=title or f"Confidence is off by {100 * error:.1f} percentage points on average",
        caption=caption,
        alt=f"Calibration of {n.sum():g} predictions: {said}.",
        height=440,
        margin=(60, 24, 12, 52),
        meta={"narrow": {"height": 370}},
    )


# ---------------------------------------------------------------------------------------------
# Features


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
    separation = [_compute_eta_squared(column, emotions) for column in values.T]
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
    return _finish(
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


def _compute_eta_squared(column: NDArray[np.float64], labels: NDArray[np.str_]) -> float:
    """Share of the variance that lies between the groups."""
    known = np.isfinite(column)
    column, labels = column[known], labels[known]
    total = float(((column - column.mean()) ** 2).sum()) if len(column) else 0.0
    if total <= 0:
        return 0.0
    groups = [column[labels == name] for name in np.unique(labels)]
    return float(sum(len(g) * (g.mean() - column.mean()) ** 2 for g in groups) / total)


def _panel_head(name: str, unit: str, separation: float, width: int) -> str:
    lines = "<br>".join(f"<b>{_plain(line)}</b>" for line in textwrap.wrap(name, width))
    return f"{lines}<br>{_plain(unit)}η² = {separation:.2f}"


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
                    "anchor": f"x{suffix}", "fixedrange": True, "gridcolor": _GRID,
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
            x, y = _panel(i, n, columns, gap_x=gap_x, gap_y=gap_y / math.ceil(n / columns))
            patch |= {
                f"xaxis{suffix}.domain": x,
                f"yaxis{suffix}.domain": y,
                f"xaxis{suffix}.tickangle": angle,
                f"annotations[{i}].text": _panel_head(*head, letters),
                f"annotations[{i}].x": x[0],
                f"annotations[{i}].y": y[1],
            }
    return {"wide": wide, "narrow": narrow}


# ---------------------------------------------------------------------------------------------
# What all figures share


def _plain(text: str) -> str:
    """Escape text for plotly, which reads a little HTML."""
    return html.escape(text, quote=False)


def _percent_axis(title: str, top: float = 1.0) -> dict[str, Any]:
    ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    return {
        "title": _axis_title(title), "range": [0, top], "tickvals": ticks,
        "ticktext": [f"{100 * tick:.0f} %" for tick in ticks],
        "gridcolor": _GRID, "zeroline": False, "fixedrange": True,
    }  # fmt: skip


def _axis_title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 13}}


def _panel(
    i: int, n: int, n_columns: int, *, gap_x: float, gap_y: float
) -> tuple[list[float], list[float]]:
    """Horizontal and vertical domain of panel i of n, row by row from the top."""
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


def _finish(
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
    """Give a figure its look, its heading, and what a page must know of it."""
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
        font={"family": _FONT, "size": 13, "color": _INK},
        height=height + header_px,
        margin={"l": left, "r": right, "t": top + header_px, "b": bottom},
        showlegend=legend,
        meta={**known, "title": title, "caption": caption, "alt": alt, "header_px": header_px},
    )
    if header_px:
        figure.update_layout(
            title={
                "text": "<br>".join(f"<b>{_plain(line)}</b>" for line in head),
                "subtitle": {"text": "<br>".join(_plain(line) for line in foot)},
                "x": 0, "xref": "paper", "xanchor": "left",
                "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 8},
                "font": {"size": 18},
            }
        )  # fmt: skip
    return figure
