import numpy as np
import pytest
from figure_samples import make_table
from scipy.stats import f_oneway

from moodwalk import viz
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError


def test_features_are_chosen_by_eta_squared():
    table, labels, names = make_table()
    table[0, 3] = np.nan
    figure = viz.make_feature_figure(table, labels, names, n_show=2)
    assert "<b>d</b>" in figure.layout.annotations[0].text
    known = np.isfinite(table[:, 3])
    f = f_oneway(*(table[known & (labels == e), 3] for e in EMOTIONS)).statistic
    eta = 3 * f / (3 * f + known.sum() - 4)
    assert f"η² = {eta:.2f}" in figure.layout.annotations[0].text
    assert len(figure.data) == 2 * 4
    assert figure.data[0].marker.color == viz.EMOTION_COLOURS[Emotion.HAPPY]
    assert sum(len(trace.y) for trace in figure.data[:4]) == known.sum()


def test_features_can_be_named_with_units():
    table, labels, names = make_table()
    figure = viz.make_feature_figure(table, labels, names, show=["e", "a"], units=["m"] * 5)
    assert [note.text[:8] for note in figure.layout.annotations] == ["<b>e</b>", "<b>a</b>"]
    assert "m, η²" in figure.layout.annotations[0].text


def test_features_that_do_not_fit_are_refused():
    table, labels, names = make_table()
    with pytest.raises(ShapeError, match="names"):
        viz.make_feature_figure(table, labels, names[:3])
    with pytest.raises(ShapeError, match="units"):
        viz.make_feature_figure(table, labels, names, units=["m"])
    with pytest.raises(ConfigError, match="'z'"):
        viz.make_feature_figure(table, labels, names, show=["z"])
    with pytest.raises(ConfigError, match="at least one"):
        viz.make_feature_figure(table, labels, names, n_show=0)
    with pytest.raises(LabelError, match="bored"):
        viz.make_feature_figure(table, ["bored"] * len(table), names)
