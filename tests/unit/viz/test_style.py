import itertools
import json

import numpy as np
import pytest
from figure_samples import EVIL, make_all_figures, to_lab, to_linear

from moodwalk import viz
from moodwalk.emotion import EMOTIONS

# Machado, Oliveira and Fernandes (2009), severity 1
VISION = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


@pytest.mark.parametrize("vision", VISION)
def test_emotion_colours_differ_for_every_eye(vision):
    seen = [to_lab(np.array(VISION[vision]) @ to_linear(c)) for c in viz.EMOTION_COLOURS.values()]
    for one, other in itertools.combinations(seen, 2):
        assert np.linalg.norm(one - other) > 14


def test_emotion_colours_differ_in_grey_and_stand_out_from_both_backgrounds():
    assert set(viz.EMOTION_COLOURS) == set(EMOTIONS)
    lightness = sorted(to_lab(to_linear(c))[0] for c in viz.EMOTION_COLOURS.values())
    assert min(np.diff(lightness)) > 5
    for colour in [*viz.EMOTION_COLOURS.values(), *viz.SIDE_COLOURS.values()]:
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ to_linear(colour)
        assert 1.05 / (luminance + 0.05) > 2.9
        assert (luminance + 0.05) / 0.055 > 2.9


def test_every_figure_is_transparent_named_and_described():
    for figure in make_all_figures("The finding", "n = 3, by subject").values():
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert "The finding" in figure.layout.title.text
        assert "n = 3, by subject" in figure.layout.title.subtitle.text
        assert {"title", "caption", "alt", "wide", "narrow"} <= set(figure.layout.meta)
        assert figure.layout.meta["alt"]
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ to_linear(figure.layout.font.color)
        assert min(1.05 / (luminance + 0.05), (luminance + 0.05) / 0.055) > 4  # on both grounds


def test_markup_in_names_is_not_markup_in_figures():
    for name, figure in make_all_figures(EVIL, EVIL).items():
        drawn = figure.to_dict()
        del drawn["layout"]["meta"]  # what the page escapes
        assert "<script" not in json.dumps(drawn, default=str), name
