import struct
import subprocess
import sys

import pytest
from figure_samples import EVIL
from laboratory_samples import (
    BAD_CASES,
    BAD_NAMES,
    GOOD,
    make_curve,
)

from moodwalk import viz
from moodwalk.errors import ConfigError, DataFormatError, ShapeError
from moodwalk.viz.sheet import WIDTH_IN, open_sheet

INTERVALS = [("STEP", 0.6, 0.55, 0.65, "by subject"), ("+ layer 1", 0.61, 0.56, 0.66, "")]
ALL = {"interval": (INTERVALS,), **GOOD}
WRITERS = {kind: getattr(viz, f"write_{kind}_png") for kind in ALL}


def read_chunks(path):
    """Yield the name and content of each chunk of a PNG."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += length + 12


def read_size(path):
    return struct.unpack(">II", dict(read_chunks(path))[b"IHDR"][:8])


def write(kind, path, title="The finding", caption="n and protocol"):
    WRITERS[kind](path, *ALL[kind], title, caption)


@pytest.mark.parametrize("kind", ALL)
def test_a_picture_is_wide_undated_and_the_same_again(kind, tmp_path):
    one, other = tmp_path / "one.png", tmp_path / "other.png"
    write(kind, one)
    write(kind, other)
    assert one.read_bytes() == other.read_bytes()
    width, height = read_size(one)
    assert width == 1200
    assert 200 < height < 2400
    assert not {name for name, _ in read_chunks(one)} & {b"tEXt", b"iTXt", b"zTXt", b"tIME"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "other.png"]


def test_a_reader_s_own_settings_change_no_picture_and_are_left_alone(tmp_path):
    import matplotlib as mpl

    write("difference", tmp_path / "one.png")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black"}):
        write("difference", tmp_path / "other.png")
        assert mpl.rcParams["font.size"] == 30
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


@pytest.mark.parametrize(("kind", "arguments"), BAD_CASES, ids=BAD_NAMES)
def test_a_picture_refuses_what_the_figure_refuses(kind, arguments, tmp_path):
    said = []
    for draw in (
        lambda: getattr(viz, f"make_{kind}_figure")(*arguments, "title"),
        lambda: WRITERS[kind](tmp_path / "x.png", *arguments, "title"),
    ):
        with pytest.raises((ConfigError, ShapeError)) as caught:
            draw()
        said.append((caught.type, str(caught.value)))
    assert said[0] == said[1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "rows", [[], [("x", 0.4, 0.5, 0.6, "")], [("x", 61.0, 55, 66, "")], [("x", float("nan"), 0, 1, "")]]
)  # fmt: skip
def test_intervals_are_refused_as_the_figure_refuses_them(rows, tmp_path):
    with pytest.raises(ConfigError) as figure:
        viz.make_interval_figure(rows, "title")
    with pytest.raises(ConfigError) as picture:
        viz.write_interval_png(tmp_path / "x.png", rows, "title")
    assert str(figure.value) == str(picture.value)


def test_a_majority_that_is_no_fraction_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"majority is 34\.8"):
        viz.write_interval_png(tmp_path / "x.png", INTERVALS, "title", majority=34.8)


def test_the_majority_is_drawn(tmp_path):
    viz.write_interval_png(tmp_path / "a.png", INTERVALS, "title")
    viz.write_interval_png(tmp_path / "b.png", INTERVALS, "title", majority=0.3)
    assert read_size(tmp_path / "a.png") == read_size(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_names_with_signs_of_markup_and_mathematics_are_drawn_as_they_are(tmp_path):
    name = f"{EVIL} $\\frac$ {'long' * 40}"
    path = tmp_path / "x.png"
    viz.write_learning_png(path, [make_curve(name)], name, name, quantity=name)
    viz.write_difference_png(path, [(name, 0, -0.1, 0.1, name)], name, name, baseline=name)
    viz.write_critical_difference_png(path, [name, "b"], [1, 2], 3.5, [[0, 1]], name)
    viz.write_confusions_png(path, [[[1]]], [name], [name], name)
    viz.write_habit_png(path, 0.5, [(name, 0.5, 0, -0.1, 0.1, name)], name)
    assert read_size(path)[0] == 1200


def test_no_line_is_longer_than_its_room(tmp_path):
    with open_sheet(tmp_path / "x.png", "", "") as sheet:
        text = "a few words and " + "aVeryLongWordWithoutASpace" * 5
        lines = sheet.wrap(text, 12, 2.0, bold=True)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert max(sheet.measure(line, 12, bold=True) for line in lines) <= 2.0 < WIDTH_IN
        sheet.lay_out(0.5)


def test_a_picture_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "x.png"
    write("habit", path)
    before = path.read_bytes()

    def draw_badly():
        with open_sheet(path, "title", "") as sheet:
            sheet.lay_out(1)
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        draw_badly()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.png"]


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(DataFormatError, match="is a folder"):
        write("interval", tmp_path)


@pytest.mark.parametrize("kind", ALL)
def test_without_matplotlib_one_line_says_what_to_install(kind, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"install moodwalk\[lab\]"):
        write(kind, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())


def test_figures_load_no_matplotlib_and_pictures_no_pyplot(tmp_path):
    code = (
        "import sys, moodwalk.viz as viz; print('matplotlib' in sys.modules);"
        f"viz.write_difference_png({str(tmp_path / 'x.png')!r}, [('a', 0, -.1, .1, '')], 't');"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "False"]
