"""What an explanation shows: joints by weight, weight over time, gait words, probabilities over time."""

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, ShapeError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, N_JOINTS, Joint
from moodwalk.viz.skeleton import stand_on_ground
from moodwalk.viz.style import (
    ACCENT,
    EMOTION_COLOURS,
    GRID,
    INK,
    escape_text,
    finish_figure,
    make_axis_title,
    make_percent_axis,
)
from moodwalk.viz.wall import TONE_COLOURS

__all__ = [
    "JointMap",
    "WordBar",
    "compute_tones",
    "make_moment_figure",
    "make_timeline_figure",
    "make_word_figure",
    "name_joint",
]

FloatArray = NDArray[np.float64]

_SMOOTH_S = 0.1
_TOWARDS, _AGAINST = TONE_COLOURS["towards"][0], TONE_COLOURS["against"][0]
_MAP_PX = (420, 420)
_YAW = math.pi / 5
_LABELLED = 3


class WordBar(NamedTuple):
    """A measure of a walk beside its reference.

    Parameters
    ----------
    name
        Of the measure.
    effect
        In standard deviations from the reference.
    words
        Such as "arms swing 40 % less".
    emotions
        Where the mean walks of emotions lie on the same scale.
    said
        Whether the words stand in the text.
    """

    name: str
    effect: float
    words: str
    emotions: Mapping[Emotion, float]
    said: bool = True


def name_joint(joint: Joint) -> str:
    """Return a joint's name as people write it."""
    return joint.name.lower().replace("_", " ")


def compute_tones(contributions: ArrayLike, fps: float, least: float = 0.0) -> FloatArray:
    """Turn contributions into the tones of a `Wall`.

    Parameters
    ----------
    contributions
        (T, 16), any unit.
    fps
        Frames per second.
    least
        Contribution a second that the strongest tone stands for at least, so that where nothing
        weighs much nothing stands out.

    Returns
    -------
    ndarray
        (T, 16) from -1 to 1: averaged over a tenth of a second, the root of the share of the 99th
        percentile, so that what weighs a quarter as much is half as strong.

    Raises
    ------
    ShapeError
        If contributions have another shape or are not finite.
    """
    smooth = _smooth(_check_contributions(contributions), fps)
    most = float(np.percentile(np.abs(smooth), 99)) or float(np.abs(smooth).max())
    most = max(most, least / fps)
    if not most > 0:
        return np.zeros_like(smooth)
    return np.sign(smooth) * np.sqrt(np.minimum(np.abs(smooth) / most, 1.0))


def _smooth(values: FloatArray, fps: float) -> FloatArray:
    """Average over a tenth of a second: single frames of a network with strides alternate."""
    width = max(1, min(round(_SMOOTH_S * fps), len(values)))
    padded = np.pad(values, ((width // 2, width - 1 - width // 2), (0, 0)), mode="edge")
    sums = np.concatenate([np.zeros((1, N_JOINTS)), np.cumsum(padded, axis=0)])
    return (sums[width:] - sums[:-width]) / width


def _check_contributions(contributions: ArrayLike) -> FloatArray:
    values = np.asarray(contributions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != N_JOINTS or not len(values):
        raise ShapeError(f"contributions have shape {values.shape}; expected (T, {N_JOINTS}).")
    if not np.isfinite(values).all():
        raise ShapeError(
            "contributions are not finite; expected a number for every joint and frame."
        )
    return values


@dataclass(frozen=True, eq=False, slots=True)
class JointMap:
    """A still body whose joints are as large as what they contribute; needs no script.

    Parameters
    ----------
    gait
        Whose mean pose is drawn.
    joints
        (16,) contributions; above 0 is towards, below against.
    title, caption
        Plain text, set by the page.
    names
        What below and above 0 mean.

    Raises
    ------
    ShapeError
        If there is not one finite number for every joint.
    """

    gait: Gait
    joints: FloatArray
    title: str = ""
    caption: str = ""
    names: tuple[str, str] = ("against", "towards")

    def __post_init__(self) -> None:
        if np.shape(self.joints) != (N_JOINTS,) or not np.isfinite(self.joints).all():
            raise ShapeError(
                f"contributions of joints have shape {np.shape(self.joints)}; expected ({N_JOINTS},) "
                f"finite numbers."
            )

    def render(self, alt: str = "") -> str:
        """Return an SVG drawing with its style."""
        x, y = self._project()
        most = float(np.abs(self.joints).max()) or 1.0
        bones = "".join(
            f'<line x1="{x[a]:.1f}" y1="{y[a]:.1f}" x2="{x[b]:.1f}" y2="{y[b]:.1f}"/>'
            for a, b in BONES
        )
        discs: list[str] = []
        labels: list[str] = []
        order = np.argsort(-np.abs(self.joints), kind="stable").tolist()
        middle = float(x[Joint.ROOT])
        for rank, j in enumerate(order):
            share = float(self.joints[j]) / most
            radius = 3 + 17 * math.sqrt(abs(share))
            kind = "towards" if share > 0 else "against" if share < 0 else "even"
            told = f"{name_joint(Joint(j))}: {self.joints[j]:+.2f}"
            discs.append(
                f'<circle class="{kind}" cx="{x[j]:.1f}" cy="{y[j]:.1f}" r="{radius:.1f}">'
                f"<title>{told}</title></circle>"
            )
            if rank < _LABELLED:
                labels.append(_write_label(float(x[j]), float(y[j]), radius, middle, told))
        against, towards = (html.escape(name) for name in self.names)
        wide, high = _MAP_PX
        said = html.escape(alt or self._describe())
        return (
            f'<div class="joint-map"><style>{_MAP_CSS}</style>'
            f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{said}">'
            f"<g>{bones}</g>{''.join(discs)}{''.join(labels)}</svg>"
            f'<p><i class="towards"></i>{towards}<i class="against"></i>{against}</p></div>'
        )

    def _describe(self) -> str:
        order = np.argsort(-np.abs(self.joints), kind="stable")
        told = ", ".join(f"{name_joint(Joint(int(j)))} {self.joints[j]:+.2f}" for j in order[:6])
        return f"Contributions of joints, greatest first: {told}."

    def _project(self) -> tuple[FloatArray, FloatArray]:
        pose = np.nanmean(stand_on_ground(self.gait), axis=0)
        across = pose[:, 0] * math.cos(_YAW) + pose[:, 2] * math.sin(_YAW)
        wide, high = _MAP_PX
        tall = float(pose[:, 1].max() - pose[:, 1].min()) or 1.0
        scale = min((high - 90) / tall, (wide - 260) / (float(np.ptp(across)) or 1.0))
        x = wide / 2 + (across - across.mean()) * scale
        return x, high - 45 - (pose[:, 1] - pose[:, 1].min()) * scale


def _write_label(x: float, y: float, radius: float, middle: float, told: str) -> str:
    right = x >= middle
    at = x + radius + 5 if right else x - radius - 5
    anchor = "start" if right else "end"
    return f'<text x="{at:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{told}</text>'


_MAP_CSS = (
    """
.joint-map svg{display:block;width:100%;max-width:30rem;height:auto;margin:0 auto;overflow:visible}
.joint-map line{stroke:var(--soft,#767676);stroke-width:3;stroke-linecap:round;opacity:.55}
.joint-map circle{stroke:var(--panel,#fff);stroke-width:1.5}
.joint-map text{font:600 12.5px system-ui,sans-serif;fill:var(--ink,currentColor);paint-order:stroke;
stroke:var(--panel,#fff);stroke-width:4px;stroke-linejoin:round}
.joint-map p{margin:.3rem 0 0;font-size:.9rem;color:var(--soft,inherit)}
.joint-map i{display:inline-block;width:.8em;height:.8em;margin:0 .45em 0 1.2em;border-radius:50%}
"""
    + "".join(
        f".joint-map .{name}{{fill:{light};background:{light}}}"
        for name, (light, _) in TONE_COLOURS.items()
    )
    + "@media (prefers-color-scheme:dark){"
    + "".join(
        f".joint-map .{name}{{fill:{dark};background:{dark}}}"
        for name, (_, dark) in TONE_COLOURS.items()
    )
    + "}"
)


def make_moment_figure(
    contributions: ArrayLike,
    fps: float,
    *,
    moments: Sequence[tuple[float, float]] = (),
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw what all joints together contribute, over time.

    Parameters
    ----------
    contributions
        (T, 16) log-odds.
    fps
        Frames per second.
    moments
        (start, end) in seconds of stretches to mark.
    title, caption
        Plain text.

    Raises
    ------
    ShapeError
        If contributions have another shape or are not finite.
    """
    values = _smooth(_check_contributions(contributions), fps).sum(axis=1) * fps
    seconds = np.arange(len(values)) / fps
    figure = go.Figure()
    for part, colour in ((np.maximum(values, 0), _TOWARDS), (np.minimum(values, 0), _AGAINST)):
        figure.add_trace(
            go.Scatter(
                x=np.round(seconds, 4), y=np.round(part, 4), mode="lines", fill="tozeroy",
                line={"width": 1, "color": colour}, hoverinfo="skip",
            )
        )  # fmt: skip
    for start, end in moments:
        figure.add_vrect(
            x0=start, x1=end, fillcolor="rgba(128,128,128,0.18)", line_width=0, layer="below"
        )
    figure.update_layout(
        xaxis={
            "title": make_axis_title("seconds"), "range": [0, float(seconds[-1]) or 1.0],
            "gridcolor": GRID, "zeroline": False, "fixedrange": True,
        },
        yaxis={
            "title": make_axis_title("log-odds a second"), "gridcolor": GRID, "zeroline": True,
            "zerolinecolor": INK, "fixedrange": True, "automargin": True,
        },
    )  # fmt: skip
    told = ", ".join(f"{start:.1f} to {end:.1f} s" for start, end in moments) or "nowhere"
    return finish_figure(
        figure,
        title=title or "When the walk speaks for the emotion",
        caption=caption,
        alt=f"Contribution of all joints over time; most is added at {told}.",
        height=250,
        margin=(64, 16, 12, 50),
    )


def make_word_figure(bars: Sequence[WordBar], *, title: str = "", caption: str = "") -> go.Figure:
    """Draw how far measures of a walk lie from their reference, and where emotions lie.

    Parameters
    ----------
    bars
        In order from the top.
    title, caption
        Plain text.

    Raises
    ------
    ConfigError
        If there are no bars, or an effect is not finite.
    """
    if not bars:
        raise ConfigError("no gait words to draw; expected at least one measure.")
    if not all(math.isfinite(bar.effect) for bar in bars):
        raise ConfigError("an effect is not finite; expected standard deviations.")
    at = list(range(len(bars)))
    reach = max(2.2, *(abs(bar.effect) for bar in bars)) * 1.06
    reach = max(reach, *(abs(v) * 1.06 for bar in bars for v in bar.emotions.values()), 0.0)
    figure = go.Figure(
        go.Bar(
            x=[bar.effect for bar in bars], y=at, orientation="h", width=0.34, showlegend=False,
            marker={
                "color": [ACCENT if bar.said else "rgba(140,107,194,0.4)" for bar in bars],
                "cornerradius": 3,
            },
            hoverinfo="skip",
        )
    )  # fmt: skip
    for emotion in EMOTIONS:
        known = [
            (bar.emotions[emotion], i) for i, bar in enumerate(bars) if emotion in bar.emotions
        ]
        if known:
            figure.add_trace(
                go.Scatter(
                    x=[x for x, _ in known], y=[i for _, i in known], mode="markers",
                    name=f"{emotion}, mean",
                    marker={
                        "symbol": _SYMBOLS[emotion], "size": 10, "color": EMOTION_COLOURS[emotion],
                        "line": {"width": 1, "color": "#FFFFFF"},
                    },
                    hovertemplate=f"{emotion} %{{x:+.2f}}<extra></extra>",
                )
            )  # fmt: skip
    for i, bar in enumerate(bars):
        text = escape_text(bar.words)
        figure.add_annotation(
            text=f"<b>{text}</b>" if bar.said else text, showarrow=False, xref="paper", x=0,
            xanchor="left", y=i - 0.2, yanchor="bottom", font={"size": 13},
        )  # fmt: skip
    figure.update_layout(
        xaxis={
            "title": make_axis_title("standard deviations of neutral walks"),
            "range": [-reach, reach], "gridcolor": GRID, "zeroline": True, "zerolinecolor": INK,
            "zerolinewidth": 1.5, "fixedrange": True,
        },
        yaxis={"visible": False, "range": [len(bars) - 0.5, -0.75], "fixedrange": True},
        legend={
            "orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "itemclick": False, "itemdoubleclick": False,
        },
    )  # fmt: skip
    told = "; ".join(f"{bar.words} ({bar.effect:+.1f} SD)" for bar in bars)
    return finish_figure(
        figure,
        title=title or "How this walk differs from neutral ones",
        caption=caption,
        alt=f"Differences from the reference: {told}.",
        height=50 * len(bars) + 118,
        margin=(14, 14, 44, 50),
        legend=True,
    )


_SYMBOLS = {
    Emotion.HAPPY: "triangle-up",
    Emotion.ANGRY: "diamond",
    Emotion.SAD: "circle",
    Emotion.NEUTRAL: "square",
}


def make_timeline_figure(
    spans: Sequence[tuple[float, float]],
    probabilities: Sequence[Mapping[Emotion, float]],
    *,
    title: str = "",
    caption: str = "",
) -> go.Figure:
    """Draw the probabilities of windows over time.

    Parameters
    ----------
    spans
        (start, end) of each window in seconds.
    probabilities
        Of each window.
    title, caption
        Plain text.

    Raises
    ------
    ConfigError
        If there are no windows, or as many spans as probabilities are not given.
    """
    if not spans or len(spans) != len(probabilities):
        raise ConfigError(
            f"{len(spans)} spans and {len(probabilities)} predictions; expected one of each a window."
        )
    middles = [(start + end) / 2 for start, end in spans]
    figure = go.Figure()
    for emotion in EMOTIONS:
        figure.add_trace(
            go.Scatter(
                x=middles, y=[row.get(emotion, 0.0) for row in probabilities],
                mode="lines+markers", name=str(emotion),
                line={"color": EMOTION_COLOURS[emotion], "width": 2.5},
                marker={"symbol": _SYMBOLS[emotion], "size": 8},
                hovertemplate=f"{emotion} %{{y:.0%}} at %{{x:.1f}} s<extra></extra>",
            )
        )  # fmt: skip
    figure.update_layout(
        xaxis={
            "title": make_axis_title("seconds (middle of each window)"),
            "range": [0, max(end for _, end in spans)], "gridcolor": GRID, "zeroline": False,
            "fixedrange": True,
        },
        yaxis={**make_percent_axis("probability", top=1.02), "automargin": True},
        legend={
            "orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom",
            "itemclick": False, "itemdoubleclick": False,
        },
    )  # fmt: skip
    likeliest = [max(row, key=lambda e: row[e]) for row in probabilities]
    counts = ", ".join(f"{e} {likeliest.count(e)}" for e in EMOTIONS if e in likeliest)
    return finish_figure(
        figure,
        title=title or "The answer over time",
        caption=caption,
        alt=f"Probabilities of {len(spans)} windows; likeliest emotion by number of windows: {counts}.",
        height=330,
        margin=(60, 16, 40, 50),
        legend=True,
    )
