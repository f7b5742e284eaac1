"""Plotly figures: moving skeletons, confusion, intervals, probabilities, features, calibration.

Many small walkers that move together are a `Wall`, which needs no plotly on the page.

For the laboratory's reports: learning curves, critical differences, differences to a baseline, what
each habit adds, and confusions of several models; each also as PNG (``write_*_png``), which needs
matplotlib and loads it when called.

Every figure has a transparent background and draws its text in a grey that is legible on white and
on black; `write_page` puts the theme's own ink in its place. What a page needs to set a figure in
its own type lies in ``figure.layout.meta``: ``title``, ``caption``, ``alt``, ``header_px`` (the
height that title and caption take), ``wide`` and ``narrow`` (what to change on a screen and on a
phone) and, for moving figures, ``fps`` and ``n_frames``.
"""

from moodwalk.page import Section, Table, write_page
from moodwalk.viz.features import make_feature_figure
from moodwalk.viz.laboratory import (
    ALL_HABITS,
    DifferenceRow,
    HabitRow,
    make_difference_figure,
    make_habit_figure,
)
from moodwalk.viz.learning import LearningCurve, make_learning_figure
from moodwalk.viz.panels import make_confusions_figure
from moodwalk.viz.probabilities import make_probability_figure, make_reliability_figure
from moodwalk.viz.ranks import make_critical_difference_figure
from moodwalk.viz.scores import IntervalRow, make_confusion_figure, make_interval_figure
from moodwalk.viz.skeleton import MAX_SKELETONS, make_skeleton_figure
from moodwalk.viz.static import (
    write_confusions_png,
    write_critical_difference_png,
    write_difference_png,
    write_habit_png,
    write_interval_png,
    write_learning_png,
)
from moodwalk.viz.style import EMOTION_COLOURS, SIDE_COLOURS
from moodwalk.viz.wall import MAX_WALKERS, Wall, WallRow, make_wall

__all__ = [
    "ALL_HABITS",
    "EMOTION_COLOURS",
    "MAX_SKELETONS",
    "MAX_WALKERS",
    "SIDE_COLOURS",
    "DifferenceRow",
    "HabitRow",
    "IntervalRow",
    "LearningCurve",
    "Section",
    "Table",
    "Wall",
    "WallRow",
    "make_confusion_figure",
    "make_confusions_figure",
    "make_critical_difference_figure",
    "make_difference_figure",
    "make_feature_figure",
    "make_habit_figure",
    "make_interval_figure",
    "make_learning_figure",
    "make_probability_figure",
    "make_reliability_figure",
    "make_skeleton_figure",
    "make_wall",
    "write_confusions_png",
    "write_critical_difference_png",
    "write_difference_png",
    "write_habit_png",
    "write_interval_png",
    "write_learning_png",
    "write_page",
]
