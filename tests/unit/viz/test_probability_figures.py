import numpy as np
import pytest
from figure_samples import EVIL
from scipy.stats import binomtest

from moodwalk import viz
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, LabelError, ShapeError


def test_probabilities_are_drawn_by_name_in_the_colours_of_the_emotions():
    figure = viz.make_probability_figure({"angry": 0.2, "happy": 0.1, "neutral": 0.0, "sad": 0.7})
    bars = figure.data[0]
    assert dict(zip(bars.y, bars.x, strict=True))["sad"] == 0.7
    assert bars.y == tuple(EMOTIONS)
    assert bars.marker.color == tuple(viz.EMOTION_COLOURS.values())
    assert figure.layout.meta["title"] == "Sad, with 70 %"


def test_several_predictions_are_divided_bars():
    rows = [{Emotion.HAPPY: 0.6, Emotion.SAD: 0.4}, {Emotion.ANGRY: 1.0}]
    figure = viz.make_probability_figure(rows, names=["a", EVIL])
    assert [trace.name for trace in figure.data] == list(EMOTIONS)
    assert sum(np.array(trace.x) for trace in figure.data) == pytest.approx([1, 1])
    assert figure.layout.showlegend
    assert "<script>" not in figure.to_json()


def test_impossible_probabilities_are_refused():
    with pytest.raises(LabelError, match="bored"):
        viz.make_probability_figure({"bored": 1.0})
    for wrong in ({"sad": 1.5}, {"sad": np.nan}, {}, []):
        with pytest.raises(ConfigError, match="expected"):
            viz.make_probability_figure(wrong)
    with pytest.raises(ConfigError, match="names"):
        viz.make_probability_figure([{"sad": 1.0}], names=["a", "b"])


def test_reliability_has_exact_intervals_and_its_error():
    exact = binomtest(164, 184).proportion_ci(method="exact")
    figure = viz.make_reliability_figure([0.9, 0.5], [164 / 184, np.nan], [184, 0])
    dots = figure.data[1]
    assert len(dots.x) == 1
    assert dots.y[0] - dots.error_y.arrayminus[0] == pytest.approx(exact.low)
    assert dots.y[0] + dots.error_y.array[0] == pytest.approx(exact.high)
    assert f"{100 * (0.9 - 164 / 184):.1f} percentage points" in figure.layout.meta["title"]


def test_reliability_of_all_or_none_right_reaches_the_border():
    dots = viz.make_reliability_figure([0.2, 0.9], [0, 1], [5, 5]).data[1]
    assert list(dots.error_y.arrayminus) == pytest.approx([0, 0.5218], abs=1e-4)
    assert list(dots.error_y.array) == pytest.approx([0.5218, 0], abs=1e-4)


@pytest.mark.parametrize("counts", [[1], [0, 0], [[1, 2]]])
def test_reliability_that_does_not_fit_is_refused(counts):
    with pytest.raises(ShapeError, match="expected"):
        viz.make_reliability_figure([0.2, 0.9], [0, 1], counts)
