"""Moving skeletons."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint
from moodwalk.viz.style import (
    EMOTION_COLOURS,
    GRID,
    INK,
    SIDE_COLOURS,
    escape_text,
    finish_figure,
    place_panel,
)

__all__ = ["MAX_SKELETONS", "find_side", "make_skeleton_figure", "stand_on_ground"]

MAX_SKELETONS = 4
"""How many walkers fit into one figure."""

_SHOWN_S = 3.0
_MAX_FPS = 30.0
_CONTROLS_PX = 58
_ZOOM = 1.7  # of the walker in its scene


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
    stood = [stand_on_ground(gait) for gait in gaits]
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
    return finish_figure(
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


def stand_on_ground(gait: Gait) -> NDArray[np.float64]:
    """Take the root's way over the ground out of a walk and put the lowest joint at height 0.

    Parameters
    ----------
    gait
        With one known joint at least.

    Returns
    -------
    ndarray
        (T, 16, 3) float64, NaN where one coordinate of a joint is missing.
    """
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


def find_side(joint: Joint) -> str:
    """Return ``right``, ``left`` or ``middle``: the name of the joint's colour in `SIDE_COLOURS`."""
    return next((side for side in ("right", "left") if side.upper() in joint.name), "middle")


def _coordinates(path: NDArray[np.float64]) -> dict[str, list[float | None]]:
    return {
        axis: [None if math.isnan(v) else v for v in path[:, i].tolist()]
        for i, axis in enumerate("xyz")
    }


def _draw_bones(path: NDArray[np.float64], panel: int) -> go.Scatter3d:
    sides = [find_side(child) for _, child in BONES]
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
            text=f"{dot}<b>{escape_text(name)}</b>",
            showarrow=False, xref="paper", yref="paper", xanchor="center", yanchor="bottom",
            font={"size": 14},
        )  # fmt: skip
        for patch, columns in ((wide, n), (narrow, min(n, 2))):
            x, y = place_panel(i, n, columns, gap_x=0.01, gap_y=0.08)
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
                "bordercolor": GRID,
                "buttons": [
                    {"label": "▶ Play", "method": "animate", "args": [names * repeats, play]},
                    {"label": "❚❚ Pause", "method": "animate", "args": [[None], pause]},
                ],
            }
        ],
        sliders=[
            {
                "x": 0.3, "y": 0, "len": 0.68, "xanchor": "left", "yanchor": "top",
                "pad": {"t": 22}, "ticklen": 0, "minorticklen": 0, "tickcolor": GRID,
                "bordercolor": GRID, "bgcolor": "rgba(128,128,128,0.2)",
                "font": {"color": "rgba(0,0,0,0)"},  # the step labels; the current one is shown
                "currentvalue": {
                    "suffix": " s", "xanchor": "right", "font": {"size": 12, "color": INK},
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
