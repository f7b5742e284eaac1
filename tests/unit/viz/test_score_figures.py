import numpy as np
import pytest
from figure_samples import to_lab, to_linear

from moodwalk import viz
from moodwalk.errors import ConfigError, ShapeError


def test_confusion_shows_counts_and_shares_of_rows():
    figure = viz.make_confusion_figure([[3, 1], [0, 0]], ["happy", "sad"])
    heat = figure.data[0]
    assert tuple(heat.text[0]) == ("<b>3</b><br>75 %", "<b>1</b><br>25 %")
    assert tuple(heat.text[1]) == ("–", "–")
    assert heat.y == ("happy (4)", "sad (0)")
    assert figure.layout.yaxis.autorange == "reversed"
    assert figure.layout.meta["title"] == "3 of 4 gaits right (75.0 %)"


def test_confusion_scale_survives_grey():
    scale = viz.make_confusion_figure([[1]], ["sad"]).data[0].colorscale
    lightness = [to_lab(to_linear(colour))[0] for _, colour in scale]
    assert np.all(np.diff(lightness) < -20)


@pytest.mark.parametrize("matrix", [[[1, 2]], [[1, -2], [0, 1]], [[1, np.nan], [0, 1]]])
def test_a_confusion_that_is_none_is_refused(matrix):
    with pytest.raises(ShapeError, match="confusion"):
        viz.make_confusion_figure(matrix, ["happy", "sad"])


def test_intervals_keep_order_values_and_majority():
    figure = viz.make_interval_figure(
        [("first", 0.6, 0.5, 0.65, "by subject"), ("second", 0.8, 0.7, 0.9, "optimistic")],
        "A finding",
        "n and protocol",
        majority=0.348,
    )
    dots = figure.data[0]
    assert list(np.array(dots.x) + dots.error_x.array) == pytest.approx([0.65, 0.9])
    assert list(np.array(dots.x) - dots.error_x.arrayminus) == pytest.approx([0.5, 0.7])
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first on top
    assert figure.layout.shapes[0].x0 == 0.348
    assert figure.layout.shapes[0].line.dash == "dash"
    said = " ".join(note.text for note in figure.layout.annotations)
    assert "60.0 % (50.0 to 65.0)" in said
    assert "optimistic" in said
    assert "34.8 %" in said


@pytest.mark.parametrize(
    "rows",
    [[], [("x", 0.4, 0.5, 0.6, "")], [("x", 61.0, 55.0, 66.0, "")], [("x", np.nan, 0, 1, "")]],
)
def test_impossible_intervals_are_refused(rows):
    with pytest.raises(ConfigError, match="expected"):
        viz.make_interval_figure(rows, "title")


def test_a_phone_gets_smaller_names_and_a_screen_its_own_again():
    rows = [("first", 0.6, 0.5, 0.65, "a note"), ("second", 0.8, 0.7, 0.9, "")]
    layout = viz.make_interval_figure(rows, "A finding", majority=0.3).layout
    for view, size in (("wide", 13), ("narrow", 11)):
        sized = {key: value for key, value in layout.meta[view].items() if "font" in key}
        assert set(sized.values()) == {size}
        texts = [layout.annotations[int(key.split("]")[0][12:])].text for key in sized]
        assert texts == ["<b>first</b>", "<b>second</b>"]
