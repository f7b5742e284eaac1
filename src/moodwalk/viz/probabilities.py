"""What a model says: probabilities of predictions, and whether they can be taken at their word."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.viz.style import (
    ACCENT,
    EMOTION_COLOURS,
    INK,
    escape_text,
    finish_figure,
    make_axis_title,
    make_percent_axis,
)

__all__ = ["make_probability_figure", "make_reliability_figure"]


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
    return finish_figure(
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
        xaxis=make_percent_axis("probability", top=1.08),
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
            text=f"<b>{escape_text(name)}</b>", showarrow=False, xref="paper", x=0, xanchor="left",
            y=i - 0.12, yanchor="bottom", font={"size": 13},
        )  # fmt: skip
    figure.update_layout(
        barmode="stack",
        xaxis=make_percent_axis("probability"),
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
                line={"dash": "dash", "color": INK, "width": 1.5},
            ),
            go.Scatter(
                x=confidence, y=accuracy, mode="markers",
                error_y={
                    "type": "data", "symmetric": False, "thickness": 2, "width": 0,
                    "color": "rgba(140,107,194,0.6)",
                    "array": high - accuracy, "arrayminus": accuracy - low,
                },
                marker={"size": 8 + 18 * np.sqrt(n / n.max()), "color": ACCENT},
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
        xaxis={**make_percent_axis("confidence stated (above the axis: number of predictions)"), "constrain": "domain"},
        yaxis={
            **make_percent_axis(""),
            "scaleanchor": "x", "constrain": "domain", "automargin": True,
            "title": {**make_axis_title("predictions that were right"), "standoff": 14},
        },
    )  # fmt: skip
    said = "; ".join(
        f"{100 * e:.0f} % stated, {100 * o:.0f} % right of {k:g}"
        for e, o, k in zip(confidence, accuracy, n, strict=True)
    )
    return finish_figure(
        figure,
        title=title or f"Confidence is off by {100 * error:.1f} percentage points on average",
        caption=caption,
        alt=f"Calibration of {n.sum():g} predictions: {said}.",
        height=440,
        margin=(60, 24, 12, 52),
        meta={"narrow": {"height": 370}},
    )
