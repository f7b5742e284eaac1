import itertools
import json

import numpy as np
import pytest
from figure_samples import EVIL, to_lab, to_linear
from hypothesis import given
from hypothesis import strategies as st
from laboratory_samples import (
    BAD_CASES,
    BAD_NAMES,
    CONFUSIONS,
    CURVES,
    DIFFERENCES,
    GOOD,
    HABITS,
    HONEST,
    NAMES,
    RANKS,
    make_curve,
)

from moodwalk import viz
from moodwalk.errors import ConfigError, ShapeError
from moodwalk.viz.laboratory import (
    compute_ticks,
    describe_difference,
    describe_habit,
    format_points,
)
from moodwalk.viz.learning import SPLITS, compute_band
from moodwalk.viz.ranks import place_ranks

MAKERS = {kind: getattr(viz, f"make_{kind}_figure") for kind in GOOD}


def make(kind, title="The finding", caption="n = 3, by subject"):
    return MAKERS[kind](*GOOD[kind], title, caption)


def texts_of(figure):
    return [note.text or "" for note in figure.layout.annotations]


@pytest.mark.parametrize("kind", GOOD)
def test_a_laboratory_figure_is_transparent_named_and_described(kind):
    layout = make(kind).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert "The finding" in layout.title.text
    assert "n = 3, by subject" in layout.title.subtitle.text
    assert layout.meta["title"] == "The finding"
    for name in ("+ layer 1", "best test epoch"):
        assert (name in layout.meta["alt"]) == (name in str(GOOD[kind]))


@pytest.mark.parametrize("kind", GOOD)
def test_a_phone_and_a_screen_change_the_same_things(kind):
    meta = make(kind).layout.meta
    assert set(meta["wide"]) == set(meta["narrow"])
    assert meta["wide"] != meta["narrow"]


@pytest.mark.parametrize("kind", GOOD)
def test_a_page_shows_every_laboratory_figure(kind, tmp_path):
    path = tmp_path / "page.html"
    viz.write_page(path, "Laboratory", [viz.Section("A", figure=make(kind))])
    assert "The finding" in path.read_text()


@pytest.mark.parametrize(("kind", "arguments"), BAD_CASES, ids=BAD_NAMES)
def test_what_cannot_be_drawn_is_refused_in_one_line(kind, arguments):
    with pytest.raises((ConfigError, ShapeError), match="expected") as caught:
        MAKERS[kind](*arguments, "title")
    assert "\n" not in str(caught.value)


def test_markup_in_laboratory_names_is_not_markup():
    curve = make_curve(EVIL)
    figures = [
        viz.make_learning_figure([curve], EVIL, EVIL, quantity=EVIL),
        viz.make_difference_figure([(EVIL, 0, -0.1, 0.1, EVIL)], EVIL, EVIL, baseline=EVIL),
        viz.make_habit_figure(0.5, [(EVIL, 0.5, 0, -0.1, 0.1, EVIL)], EVIL, quantity=EVIL),
        viz.make_confusions_figure([[[1]]], [EVIL], [EVIL], EVIL),
        viz.make_critical_difference_figure([EVIL, "b"], [1, 2], 1, [[0, 1]], EVIL),
    ]
    for figure in figures:
        drawn = figure.to_dict()
        for key in ("title", "caption", "alt"):  # what the page escapes
            del drawn["layout"]["meta"][key]
        assert "<script" not in json.dumps(drawn, default=str)


def test_curves_differ_in_line_and_in_hue_and_stand_out():
    assert len({style.dash for style in SPLITS.values()}) == len(SPLITS)
    colours = [to_linear(style.colour) for style in SPLITS.values()]
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(to_lab(one) - to_lab(other)) > 14
    for colour in colours:
        luminance = np.array([0.2126, 0.7152, 0.0722]) @ colour
        assert min(1.05 / (luminance + 0.05), (luminance + 0.05) / 0.055) > 2.8


def test_a_band_ends_where_most_cells_have_stopped():
    cells = np.array(
        [[0.1, 0.2, 0.3, 0.4], [0.3, 0.4, 0.5, np.nan], [0.5, 0.6, np.nan, np.nan]]
    )  # training: 3, 3, 2, 1 of 3
    band = compute_band([10, 20, 30, 40], cells)
    assert band.epochs.tolist() == [10, 20, 30]
    assert band.median == pytest.approx([0.3, 0.4, 0.4])
    assert band.low == pytest.approx([0.2, 0.3, 0.35])
    assert band.high == pytest.approx([0.4, 0.5, 0.45])


def test_learning_panels_share_axes_and_mark_the_choices_of_validation():
    figure = viz.make_learning_figure(CURVES, "Title", "n")
    axes = [figure.layout[f"{a}axis{i or ''}"] for a in "xy" for i in ("", 2, 3, 4, 5, 6, 7)]
    assert len({axis.range for axis in axes}) == 2
    marks = [t for t in figure.data if t.mode == "markers" and t.xaxis == "x3"]
    assert tuple(marks[0].x) == (5, 9, 9, 11, 12, 12)
    assert "chosen: epoch 11" in texts_of(figure)[0]
    assert "at least half" in figure.layout.meta["caption"]
    named = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert named == ["training", "validation", "epoch chosen"]


def test_the_test_curve_is_dotted_and_named_for_looking_only():
    curve = make_curve(test=np.full((6, 12), 0.5), chosen=())
    figure = viz.make_learning_figure([curve], "Title")
    test = [t for t in figure.data if t.name == "test, for looking only"]
    assert [t.line.dash for t in test] == ["dot"]
    assert "Marks" not in figure.layout.meta["caption"]
    assert "test, for looking only 50 % at epoch 12" in figure.layout.meta["alt"]


def test_losses_are_no_fractions():
    curve = make_curve(train=np.full((6, 12), 3.0), validation=np.full((6, 12), 2.0))
    figure = viz.make_learning_figure([curve], "Title", quantity="loss", percent=False)
    assert figure.layout.yaxis.range[0] < 2 < 3 < figure.layout.yaxis.range[1]
    assert "%" not in "".join(figure.layout.yaxis.ticktext)


@pytest.mark.parametrize("n", range(1, 13))
def test_panels_of_up_to_twelve_models_do_not_overlap(n):
    names = [f"model {i}" for i in range(n)]
    figure = viz.make_confusions_figure([np.eye(2)] * n, names, ["a", "b"], "Title")
    for view in ("wide", "narrow"):
        patch = figure.layout.meta[view]
        boxes = []
        for i in range(n):
            suffix = "" if i == 0 else str(i + 1)
            boxes.append((*patch[f"xaxis{suffix}.domain"], *patch[f"yaxis{suffix}.domain"]))
        for one, other in itertools.combinations(boxes, 2):
            apart = one[1] <= other[0] or other[1] <= one[0]
            assert apart or one[3] <= other[2] or other[3] <= one[2]
        ends = sum(value == "predicted" for value in patch.values())
        assert ends == (min(n, 3) if view == "wide" else 1)


def test_confusions_keep_counts_and_shares():
    figure = viz.make_confusions_figure(
        [[[3, 1], [0, 0]], [[1, 1], [0, 2]]], ["one", "two"], ["happy", "sad"], "Title"
    )
    assert tuple(figure.data[0].text[0]) == ("<b>75 %</b><br>3", "<b>25 %</b><br>1")
    assert tuple(figure.data[0].text[1]) == ("–", "–")
    assert texts_of(figure)[1] == "<b>two</b><br>75.0 % right"
    assert figure.layout.yaxis2.autorange == "reversed"


def test_an_array_of_confusions_is_as_good_as_a_list():
    one, other = (
        viz.make_confusions_figure(m, NAMES, list("abcd"), "T")
        for m in (CONFUSIONS, np.stack(CONFUSIONS))
    )
    assert one.to_json() == other.to_json()


def test_differences_stand_around_zero_with_their_intervals():
    figure = viz.make_difference_figure(DIFFERENCES, "Title", baseline="STEP")
    low, high = figure.layout.xaxis.range
    assert low == -high
    assert high > 0.07
    dots = figure.data[0]
    assert np.add(dots.x, dots.error_x.array) == pytest.approx([0.033, 0.01])
    assert np.subtract(dots.x, dots.error_x.arrayminus) == pytest.approx([-0.021, -0.07])
    assert "same as STEP" in texts_of(figure)
    assert "+0.6 (−2.1 to 3.3)" in texts_of(figure)
    assert "p = 1.00" in texts_of(figure)
    ticks = dict(zip(figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext, strict=True))
    assert ticks[0] == "0"
    assert ticks[-0.02] == "−2"
    assert ticks[0.02] == "+2"


def test_habits_point_from_the_honest_accuracy_to_what_they_report():
    figure = viz.make_habit_figure(HONEST, HABITS, "Title")
    for trace, row in zip(figure.data, HABITS, strict=True):
        assert tuple(trace.x) == (HONEST, row.value)
        ends = trace.x[1] - trace.error_x.arrayminus[1], trace.x[1] + trace.error_x.array[1]
        assert ends == pytest.approx((HONEST + row.low, HONEST + row.high))
    assert [trace.marker.symbol[1] for trace in figure.data] == ["arrow", "circle", "arrow"]
    assert figure.data[2].line.width > figure.data[0].line.width
    assert "65.8 %: +5.8 points (4.2 to 7.6)" in texts_of(figure)
    assert "honest: 60.0 %" in texts_of(figure)
    assert len(figure.layout.shapes) == 2
    assert len(viz.make_habit_figure(HONEST, HABITS[:2], "Title").layout.shapes) == 1


def test_the_reference_line_leaves_out_only_texts_that_it_would_strike():
    rows = [("x", 0.0, -0.1, 0.1, ""), ("a very long name " * 4, 0.0, -0.1, 0.1, "")]
    one, both = (viz.make_difference_figure(part, "T").layout.meta for part in (rows[:1], rows))
    assert one["wide"]["shapes[0].path"].count("M") == 1
    assert both["wide"]["shapes[0].path"].count("M") == 2


@given(st.floats(-5, 5), st.floats(1e-3, 10), st.integers(3, 12))
def test_ticks_are_round_evenly_spaced_and_inside(low, span, n_most):
    ticks = compute_ticks(low, low + span, n_most)
    assert 1 <= len(ticks) <= n_most
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[:1])
    assert all(f"{step:.1e}"[0] in "125" for step in steps)


def test_points_have_a_true_minus_and_zero_has_no_sign():
    assert [format_points(x) for x in (0.006, -0.021, 0.0, -0.0001)] == [
        "+0.6", "−2.1", "0.0", "0.0",
    ]  # fmt: skip
    assert describe_difference(DIFFERENCES[0]) == "+0.6 (−2.1 to 3.3)"
    assert describe_habit(HABITS[1]) == "60.2 %: +0.2 points (−1.0 to 1.4)"


RANKINGS = st.integers(2, 12).flatmap(lambda n: st.lists(st.floats(1, n), min_size=n, max_size=n))


@given(RANKINGS, st.data())
def test_names_and_bars_of_ranks_never_overlap(ranks, data):
    n = len(ranks)
    groups = data.draw(st.lists(st.lists(st.integers(0, n - 1), max_size=n), max_size=6))
    diagram = place_ranks([str(i) for i in range(n)], ranks, 1.0, groups)
    seats = set(zip(diagram.on_left, diagram.rows, strict=True))
    assert len(seats) == n
    for (_, one), (_, other) in itertools.combinations(sorted(seats), 2):
        assert one == other or abs(one - other) > 0.99
    for (row, one), (other_row, other) in itertools.combinations(diagram.bars, 2):
        if row == other_row:
            ends = sorted((ranks[g[0]], ranks[g[-1]]) for g in (one, other))
            assert ends[0][1] < ends[1][0]
    assert all(0 < row < min(diagram.rows) - 0.3 for row, _ in diagram.bars)
    assert len(diagram.bars) == sum(len(set(group)) > 1 for group in groups)
    assert diagram.depth > max(diagram.rows)


@given(RANKINGS)
def test_leader_lines_of_ranks_do_not_cross(ranks):
    # a line to a name passes under the drops of the models further out, which end above it
    n = len(ranks)
    diagram = place_ranks([str(i) for i in range(n)], ranks, 1.0, [])
    for i, j in itertools.permutations(range(n), 2):
        if diagram.on_left[i] == diagram.on_left[j]:
            outside = ranks[j] < ranks[i] if diagram.on_left[i] else ranks[j] > ranks[i]
            assert not outside or diagram.rows[j] < diagram.rows[i]


def test_the_best_rank_stands_on_the_left_and_the_ruler_has_its_length():
    figure = viz.make_critical_difference_figure(NAMES, RANKS, 2.01, [[5, 4], [3]], "Title")
    low, high = figure.layout.xaxis.range
    assert low < 1 < 7 < high
    ruler = figure.data[1]
    assert ruler.x[1] - ruler.x[0] == pytest.approx(2.01)
    leaders = figure.data[2:9]
    assert leaders[5].x[0] == 2.7
    assert leaders[5].x[2] < 1  # the best: to the left
    assert leaders[3].x[2] > 7  # the worst: to the right
    bars = figure.data[9:]
    assert [tuple(bar.x) for bar in bars] == [(2.7, 3.2)]
    assert "<b>+ channel 2</b> 2.70" in texts_of(figure)
    assert "Not different from each other: + channel 2, + channel 1." in figure.layout.meta["alt"]


def test_a_critical_difference_longer_than_the_axis_still_fits():
    figure = viz.make_critical_difference_figure(["a", "b"], [1, 2], 2.6, [], "Title")
    assert figure.layout.xaxis.range[1] > 3.6
    assert "No group is joined." in figure.layout.meta["alt"]
