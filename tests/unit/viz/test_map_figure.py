import itertools
import json
import struct
import sys

import numpy as np
import pytest
from figure_samples import EVIL

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError, ShapeError
from moodwalk.page import Section, write_page
from moodwalk.viz.maps import GaitMap, make_map_figure, write_map_png
from moodwalk.viz.style import EMOTION_COLOURS

BEHIND = np.random.default_rng(9).normal(size=(30, 2)) * [9, 5]
NAN = float("nan")


def make_map(name="real, held out", n=24, seed=0, background=BEHIND, labels=None):
    points = np.random.default_rng(seed).normal(size=(n, 2)) * [6, 4]
    if labels is None:  # 3 : 1 : 2 : 2
        labels = [EMOTIONS[(0, 0, 0, 1, 2, 2, 3, 3)[i % 8]] for i in range(n)]
    return GaitMap(name, points, labels, background)


MAPS = [
    make_map(),
    make_map("moodwalk", 24, 1),
    make_map("STEP-Gen, published weights", 16, 2),
]
BAD = [
    ([], ConfigError),
    ([make_map(n=0)], ShapeError),
    ([GaitMap("x", np.zeros((3, 3)), ["sad"] * 3)], ShapeError),
    ([GaitMap("x", np.zeros(2), ["sad"])], ShapeError),
    ([GaitMap("x", [[0.0, NAN]], ["sad"])], ShapeError),
    ([GaitMap("x", [[0.0, np.inf]], ["sad"])], ShapeError),
    ([GaitMap("x", [[0.0, 1.0]], ["sad", "happy"])], ShapeError),
    ([GaitMap("x", [[0.0, 1.0]], ["bored"])], LabelError),
    ([make_map(background=[[0.0, NAN]])], ShapeError),
    ([make_map(background=np.zeros((0, 2)))], ShapeError),
]


def make(maps=MAPS, title="The finding", caption="n and protocol"):
    return make_map_figure(maps, title=title, caption=caption)


def find_traces(figure, panel, *, shown=True):
    suffix = "" if panel == 0 else str(panel + 1)
    return [
        trace
        for trace in figure.data
        if trace.xaxis == f"x{suffix}" and (trace.x[0] is not None) == shown
    ]


def read_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_every_panel_has_the_real_gaits_behind_and_its_own_in_front():
    figure = make()
    for i, panel in enumerate(MAPS):
        behind, *own = find_traces(figure, i)
        assert np.stack([behind.x, behind.y], axis=1) == pytest.approx(BEHIND, abs=0.01)
        assert behind.marker.opacity < own[0].marker.opacity
        assert behind.marker.size < min(trace.marker.size for trace in own)
        drawn = np.concatenate([np.stack([t.x, t.y], axis=1) for t in own])
        expected = np.asarray(panel.points)
        assert sorted(map(tuple, drawn)) == sorted(map(tuple, expected.round(2)))


def test_a_point_has_the_colour_and_the_shape_of_its_emotion():
    figure = make([make_map(labels=["sad", "angry", "sad"], n=3)])
    places = np.round(MAPS[0].points[:3], 2)
    _, sad, angry = find_traces(figure, 0)
    assert sad.marker.color == EMOTION_COLOURS[Emotion.SAD]
    assert angry.marker.color == EMOTION_COLOURS[Emotion.ANGRY]
    assert sad.x.tolist() == places[[0, 2], 0].tolist()
    assert angry.y.tolist() == places[[1], 1].tolist()
    assert sad.hovertemplate.startswith("real, held out: sad")


def test_emotions_differ_in_shape_and_the_rarer_lie_in_front():
    figure = make()
    for i in range(3):
        own = find_traces(figure, i)[1:]
        assert len({trace.marker.symbol for trace in own}) == 4
        counts = [len(trace.x) for trace in own]
        assert counts == sorted(counts, reverse=True)
        assert own[-1].marker.color == EMOTION_COLOURS[Emotion.ANGRY]


def test_the_legend_names_each_kind_of_mark_once():
    figure = make()
    named = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert named == [*EMOTIONS, "real gaits"]
    assert figure.layout.showlegend
    few = make([make_map(background=None, labels=["sad"] * 24)])
    assert [trace.name for trace in few.data if trace.showlegend is not False] == ["sad"]


def test_all_panels_share_axes_and_scale_and_hold_every_point():
    layout = make().layout
    for suffix in ("", "2", "3"):
        x, y = layout[f"xaxis{suffix}"], layout[f"yaxis{suffix}"]
        assert x.range == layout.xaxis.range
        assert y.range == layout.yaxis.range
        assert y.scaleanchor == f"x{suffix}"
        assert x.showticklabels is y.showticklabels is False
    together = np.concatenate([BEHIND, *(panel.points for panel in MAPS)])
    ends = np.array([layout.xaxis.range, layout.yaxis.range])
    assert (together > ends[:, 0]).all()
    assert (together < ends[:, 1]).all()


@pytest.mark.parametrize("stretch", [(1, 1), (50, 1), (1, 50), (1e-6, 1e-6), (0, 0)])
def test_no_map_makes_a_panel_that_is_a_slit(stretch):
    points = MAPS[0].points * np.array(stretch) + 7
    figure = make([GaitMap("x", points, MAPS[0].labels)])
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    assert 0.59 < (top - bottom) / (right - left) < 1.11
    assert (points > [left, bottom]).all()
    assert (points < [right, top]).all()


@pytest.mark.parametrize("n", range(1, 8))
def test_panels_do_not_overlap_and_each_says_n(n):
    figure = make([make_map(f"set {i}", 8 + i, i) for i in range(n)])
    for view in ("wide", "narrow"):
        patch = figure.layout.meta[view]
        boxes = []
        for i in range(n):
            suffix = "" if i == 0 else str(i + 1)
            boxes.append((*patch[f"xaxis{suffix}.domain"], *patch[f"yaxis{suffix}.domain"]))
            assert patch[f"xaxis{suffix}.title.text"] == f"n = {8 + i}"
            assert f"set {i}" in patch[f"annotations[{i}].text"]
            assert patch[f"yaxis{suffix}.showticklabels"] is False
        for one, other in itertools.combinations(boxes, 2):
            apart = one[1] <= other[0] or other[1] <= one[0]
            assert apart or one[3] <= other[2] or other[3] <= one[2]
    assert set(figure.layout.meta["wide"]) == set(figure.layout.meta["narrow"])


def test_many_marks_are_smaller_and_never_too_small():
    sizes = []
    for n in (20, 400, 5000):
        own = find_traces(make([make_map(n=n)]), 0)[1:]
        sizes.append(own[0].marker.size)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 4


def test_a_map_is_transparent_named_and_described():
    layout = make().layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert "The finding" in layout.title.text
    assert "n and protocol" in layout.title.subtitle.text
    assert "moodwalk, 24 gaits (9 happy, 3 angry, 6 sad, 6 neutral)" in layout.meta["alt"]
    assert make_map_figure(MAPS).layout.meta["title"] == ""


def test_a_page_shows_a_map(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, "Maps", [Section("A", figure=make())])
    assert "The finding" in path.read_text()


def test_markup_in_names_is_not_markup(tmp_path):
    drawn = make([make_map(EVIL)], EVIL, EVIL).to_dict()
    for key in ("title", "caption", "alt"):  # what the page escapes
        del drawn["layout"]["meta"][key]
    assert "<script" not in json.dumps(drawn, default=str)
    write_map_png(tmp_path / "x.png", [make_map(f"{EVIL} $\\frac$ {'long' * 40}")], title=EVIL)
    assert read_size(tmp_path / "x.png")[0] == 1200


@pytest.mark.parametrize(("maps", "error"), BAD)
def test_what_cannot_be_drawn_is_refused_in_one_line(maps, error, tmp_path):
    said = []
    for draw in (lambda: make(maps), lambda: write_map_png(tmp_path / "x.png", maps)):
        with pytest.raises(error, match="expected") as caught:
            draw()
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "\n" not in said[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_picture_is_wide_and_the_same_again(n, tmp_path):
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    maps = [*MAPS, make_map("without", background=None)][:n]
    for path in (one, other):
        write_map_png(path, maps, title="The finding", caption="n and protocol")
    assert one.read_bytes() == other.read_bytes()
    width, height = read_size(one)
    assert width == 1200
    assert 300 < height < 1500


def test_a_picture_needs_a_file_and_matplotlib(tmp_path, monkeypatch):
    with pytest.raises(DataFormatError, match="is a folder"):
        write_map_png(tmp_path, MAPS)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"install moodwalk\[lab\]"):
        write_map_png(tmp_path / "x.png", MAPS)
    assert not list(tmp_path.iterdir())
