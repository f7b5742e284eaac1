"""Plotly figures: moving skeletons, confusion, intervals, probabilities, features, calibration.

Every figure has a transparent background and draws its text in a grey that is legible on white and
on black; `write_page` puts the theme's own ink in its place. What a page needs to set a figure in
its own type lies in ``figure.layout.meta``: ``title``, ``caption``, ``alt``, ``header_px`` (the
height that title and caption take), ``wide`` and ``narrow`` (what to change on a screen and on a
phone) and, for moving figures, ``fps`` and ``n_frames``.
"""

from moodwalk.page import Section, Table, write_page
from moodwalk.viz.features import make_feature_figure
from moodwalk.viz.probabilities import make_probability_figure, make_reliability_figure
from moodwalk.viz.scores import IntervalRow, make_confusion_figure, make_interval_figure
from moodwalk.viz.skeleton import MAX_SKELETONS, make_skeleton_figure
from moodwalk.viz.style import EMOTION_COLOURS, SIDE_COLOURS

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
