import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, f_oneway

from moodwalk import viz
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, DataFormatError, LabelError, QualityError, ShapeError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint
from moodwalk.viz import Section, Table

STANDING = np.array(
    [
        [0, 0, 0], [0, 0.25, 0], [0, 0.5, 0], [0, 0.7, 0.02],
        [-0.2, 0.48, 0], [-0.22, 0.2, -0.03], [-0.22, -0.05, 0.05],
        [0.2, 0.48, 0], [0.22, 0.2, -0.03], [0.22, -0.05, 0.05],
        [-0.1, -0.02, 0], [-0.1, -0.45, 0.03], [-0.1, -0.9, 0],
        [0.1, -0.02, 0], [0.1, -0.45, 0.03], [0.1, -0.9, 0],
    ]
)  # fmt: skip
EVIL = "<script>alert('x')</script> & \"co\""


def make_gait(n_frames=10, fps=30.0, speed=0.0, scale=1.0, **kwargs):
    """A figure that stands upright, lifts its hands frame by frame and is carried along +z."""
    positions = np.repeat(STANDING[None], n_frames, axis=0)
    positions[:, [Joint.RIGHT_HAND, Joint.LEFT_HAND], 1] += 0.01 * np.arange(n_frames)[:, None]
    positions[..., 2] += speed * np.arange(n_frames)[:, None]
    return Gait(positions * scale, fps, **kwargs)


def get_joint(data, joint):
    """Plot coordinates (x forward, y left, z up) of a joint in a trace or frame."""
    bone = next(i for i, pair in enumerate(BONES) if joint in pair)
    at = 3 * bone + BONES[bone].index(joint)
    return np.array([data.x[at], data.y[at], data.z[at]], dtype=float)


# Colours


def to_linear(colour):
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def to_lab(linear):
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x = matrix @ np.clip(linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(x > 216 / 24389, np.cbrt(x), (24389 / 27 * x + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


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


# Skeletons


def test_skeleton_stands_upright_on_the_ground_with_its_right_at_its_right():
    figure = viz.make_skeleton_figure([make_gait()])
    assert figure.layout.scene.camera.up.z == 1
    for frame in figure.frames:
        head, foot, hand, other = (
            get_joint(frame.data[0], j)
            for j in (Joint.HEAD, Joint.RIGHT_FOOT, Joint.RIGHT_HAND, Joint.LEFT_HAND)
        )
        assert foot[2] == 0
        assert head[2] == pytest.approx(1.6)
        assert head[0] == pytest.approx(0.02)  # +z of the gait is forward
        assert hand[1] < 0 < other[1]  # right at -x
    ranges = [figure.layout.scene[f"{axis}axis"].range for axis in "xyz"]
    ratio = figure.layout.scene.aspectratio
    lengths = [high - low for low, high in ranges]
    assert np.array([ratio.x, ratio.y, ratio.z]) / lengths == pytest.approx(ratio.x / lengths[0])


def test_right_and_left_limbs_have_their_colours():
    trace = viz.make_skeleton_figure([make_gait()]).data[1]
    for i, (_, child) in enumerate(BONES):
        side = "right" if "RIGHT" in child.name else "left" if "LEFT" in child.name else "middle"
        assert trace.line.color[3 * i : 3 * i + 2] == (viz.SIDE_COLOURS[side],) * 2
        if i:
            assert trace.x[3 * i - 1] is None


@given(
    n_frames=st.integers(4, 40), shown=st.integers(1, 60), fps=st.sampled_from([15.0, 30.0, 60.0])
)
@settings(max_examples=15, deadline=None)
def test_a_walk_is_tiled_at_its_own_pace(n_frames, shown, fps):
    gait = make_gait(n_frames, fps)
    figure = viz.make_skeleton_figure([gait], n_frames=shown, fps=30)
    assert len(figure.frames) == shown
    for k, frame in enumerate(figure.frames):
        source = int(k * fps / 30) % n_frames
        height = get_joint(frame.data[0], Joint.RIGHT_HAND)[2]
        assert height == pytest.approx(0.85 + 0.01 * source, abs=1e-3)


def test_default_frames_hold_whole_repetitions_at_the_gaits_own_rate():
    figure = viz.make_skeleton_figure([make_gait(28)])
    assert len(figure.frames) % 28 == 0
    play = figure.layout.updatemenus[0].buttons[0]
    assert play.args[1]["frame"]["duration"] == pytest.approx(1000 / 30)
    assert list(play.args[0][: len(figure.frames)]) == [f.name for f in figure.frames]
    assert len(play.args[0]) > len(figure.frames)  # it loops
    assert len(figure.layout.sliders[0].steps) == len(figure.frames)
    assert viz.make_skeleton_figure([make_gait(240, 60.0)]).layout.meta["fps"] == 30


def test_a_walker_who_crosses_the_room_stays_over_the_ground():
    figure = viz.make_skeleton_figure([make_gait(30, speed=0.05)])
    for frame in figure.frames:
        assert get_joint(frame.data[0], Joint.ROOT)[:2] == pytest.approx([0, 0], abs=1e-9)


def test_missing_joints_leave_gaps():
    positions = make_gait().positions.copy()
    positions[3, Joint.RIGHT_HAND] = np.nan
    positions[0:2, Joint.ROOT] = np.nan
    positions[5] = np.nan
    figure = viz.make_skeleton_figure([Gait(positions, 30)])
    bone = 3 * BONES.index((Joint.RIGHT_ELBOW, Joint.RIGHT_HAND))
    trace = figure.frames[3].data[0]
    assert trace.x[bone] is not None
    assert trace.x[bone + 1] is None
    assert set(figure.frames[5].data[0].z) == {None}
    assert "NaN" not in figure.to_json()


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0, 1000.0])
def test_every_unit_keeps_three_digits(scale):
    figure = viz.make_skeleton_figure([make_gait(scale=scale)])
    head = get_joint(figure.data[1], Joint.HEAD)[2]
    assert head == pytest.approx(1.6 * scale, rel=1e-3)


def test_four_skeletons_stay_small_and_apart():
    gaits = [make_gait(30, label=emotion) for emotion in EMOTIONS]
    figure = viz.make_skeleton_figure(gaits)
    assert len(figure.to_json()) < 500_000
    domains = [figure.layout[s].domain.x for s in ("scene", "scene2", "scene3", "scene4")]
    for left, right in itertools.pairwise(domains):
        assert left[1] <= right[0]
    for emotion, note in zip(EMOTIONS, figure.layout.annotations, strict=False):
        assert emotion in note.text
        assert viz.EMOTION_COLOURS[emotion] in note.text


@pytest.mark.parametrize(
    ("n_gaits", "kwargs"),
    [(0, {}), (5, {}), (2, {"titles": ["one"]}), (1, {"n_frames": 0}), (1, {"fps": -1.0})],
)
def test_bad_requests_for_skeletons_are_refused(n_gaits, kwargs):
    with pytest.raises(ConfigError, match="expected"):
        viz.make_skeleton_figure([make_gait()] * n_gaits, **kwargs)


def test_a_gait_without_any_joint_is_refused():
    with pytest.raises(QualityError, match="no joint"):
        viz.make_skeleton_figure([Gait(np.full((4, 16, 3), np.nan), 30)])


def test_real_gaits_can_be_drawn(real_gaits):
    figure = viz.make_skeleton_figure(real_gaits[[0, 1, 2, 3]])
    for frame in figure.frames:
        for data in frame.data:
            assert get_joint(data, Joint.HEAD)[2] > get_joint(data, Joint.ROOT)[2]
            assert get_joint(data, Joint.RIGHT_FOOT)[2] < get_joint(data, Joint.ROOT)[2]


# Evaluation figures


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


# Features


def make_table(n=60):
    rng = np.random.default_rng(0)
    labels = np.array([EMOTIONS[i % 4] for i in range(n)])
    table = rng.normal(size=(n, 5))
    table[:, 3] += np.arange(n) % 4
    return table, labels, ["a", "b", "c", "d", "e"]


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


# All figures


def make_all_figures(title, caption):
    table, labels, names = make_table()
    row = {"happy": 0.5, "sad": 0.5}
    return {
        "skeleton": viz.make_skeleton_figure(
            [make_gait()], [EVIL], n_frames=3, title=title, caption=caption
        ),
        "confusion": viz.make_confusion_figure([[1]], [EVIL], title, caption),
        "interval": viz.make_interval_figure([(EVIL, 0.5, 0.4, 0.6, EVIL)], title, caption),
        "probability": viz.make_probability_figure(row, title=title, caption=caption),
        "feature": viz.make_feature_figure(
            table, labels, [EVIL, *names[1:]], show=[EVIL], title=title, caption=caption
        ),
        "reliability": viz.make_reliability_figure([0.5], [0.5], [2], title, caption),
    }


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


# Pages


class Reader(HTMLParser):
    """Collect elements; every one but the void ones must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "input"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)


def read_page(path):
    reader = Reader()
    text = path.read_text(encoding="utf-8")
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return text, reader


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "deep" / "page.html"
    figures = make_all_figures(EVIL, EVIL)
    viz.write_page(
        path,
        EVIL,
        [
            *(Section(f"{name} {EVIL}", [EVIL, "run `moodwalk demo`"], figure)
              for name, figure in figures.items()),
            Section("table", table=Table(["model", EVIL], [[EVIL, 0.5], ["b", "61.1 %"]], EVIL)),
        ],
        lead=EVIL,
        facts=[(EVIL, EVIL)],
        footer=EVIL,
    )  # fmt: skip
    return read_page(path)


def test_page_escapes_whatever_it_is_given(page):
    text, reader = page
    assert "<script>alert" not in text
    scripts = [attributes for tag, attributes in reader.seen if tag == "script"]
    assert len([a for a in scripts if not a]) == 2  # plotly.js and the player
    assert "".join(reader.text).count("<script>alert('x')</script>") > 20


def test_page_embeds_plotly_once_and_fetches_nothing(page):
    from plotly.offline import get_plotlyjs

    text, reader = page
    assert text.count(get_plotlyjs()) == 1
    assert "http" not in text.replace(get_plotlyjs(), "").replace("http-equiv", "")
    for tag, attributes in reader.seen:
        assert "src" not in attributes
        assert tag != "link" or attributes["href"] == "data:,"
    policy = next(a["content"] for _, a in reader.seen if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy


def test_page_can_be_read_without_eyes(page):
    _, reader = page
    tags = [tag for tag, _ in reader.seen]
    for landmark in ("header", "main", "nav", "footer", "h1"):
        assert tags.count(landmark) == 1
    assert ("html", {"lang": "en"}) in reader.seen
    assert tags.count("figure") == tags.count("figcaption") == 6
    plots = [a for _, a in reader.seen if a.get("class") == "plot"]
    assert len({a["id"] for a in plots}) == 6
    for attributes in plots:
        assert attributes["role"] in {"img", "group"}
        assert attributes["aria-label"]
    heads = [a.get("scope") for tag, a in reader.seen if tag == "th"]
    assert heads == ["col", "col", "row", "row"]
    assert [a.get("class") for tag, a in reader.seen if tag == "td"] == ["number"] * 2
    assert any("viewport" in a.get("name", "") for _, a in reader.seen)


def test_figures_of_a_page_can_be_parsed_and_leave_their_heading_to_it(page):
    text, _ = page
    blocks = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert len(blocks) == 6
    for block in blocks:
        layout = json.loads(block)["layout"]
        assert "title" not in layout
        assert "updatemenus" not in layout
        assert layout["height"] == layout["meta"]["wide"]["height"] > 100
    assert [len(json.loads(b).get("frames", [])) for b in blocks] == [3, 0, 0, 0, 0, 0]


def test_a_page_leaves_its_figures_as_they_were(tmp_path):
    figure = viz.make_skeleton_figure([make_gait()], n_frames=3, title="x")
    before = figure.to_json()
    viz.write_page(tmp_path / "page.html", "t", [Section("s", figure=figure)])
    assert figure.to_json() == before


def test_a_page_takes_any_plotly_figure(tmp_path):
    import plotly.graph_objects as go

    viz.write_page(tmp_path / "p.html", "t", [Section("s", figure=go.Figure(), alt="nothing yet")])
    _, reader = read_page(tmp_path / "p.html")
    assert any(a.get("aria-label") == "nothing yet" for _, a in reader.seen)


def test_a_page_without_figures_has_no_scripts(tmp_path):
    viz.write_page(tmp_path / "p.html", "Title", [Section("One", ["Text"])], language="de")
    text, reader = read_page(tmp_path / "p.html")
    assert "<script" not in text
    assert reader.seen[0] == ("html", {"lang": "de"})


def test_code_stands_between_backticks(tmp_path):
    viz.write_page(tmp_path / "p.html", "t", [Section("s", ["run `a <b>` now, ` alone"])])
    assert "run <code>a &lt;b&gt;</code> now, ` alone" in (tmp_path / "p.html").read_text()


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(DataFormatError, match="folder"):
        viz.write_page(tmp_path, "t", [Section("s")])
    with pytest.raises(ConfigError, match="2 cells"):
        viz.write_page(tmp_path / "p.html", "t", [Section("s", table=Table(["a"], [["b", 1]]))])
    assert list(tmp_path.iterdir()) == []


def test_pages_and_the_package_load_plotly_only_when_needed():
    code = "import sys, moodwalk, moodwalk.page; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
