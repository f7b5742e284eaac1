import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest
from figure_samples import EVIL, make_all_figures, make_gait

from moodwalk import viz
from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.viz import Section, Table


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


def make_wall_section(heading="Wall", **kwargs):
    wall = viz.make_wall(
        [(EVIL, [make_gait()] * 2)], title=f"The finding {EVIL}", caption="`n` = 2"
    )
    return Section(heading, ["Text"], wall, **kwargs)


def test_a_page_of_walls_needs_no_plotly(tmp_path):
    sections = [make_wall_section("One"), make_wall_section("Two", alt="two walkers")]
    viz.write_page(tmp_path / "p.html", "t", sections)
    text, reader = read_page(tmp_path / "p.html")
    assert len(text) < 100_000
    assert "Plotly" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert "<script>alert" not in text
    tags = [tag for tag, _ in reader.seen]
    assert tags.count("figure") == tags.count("figcaption") == tags.count("canvas") == 2
    assert "<strong>The finding &lt;script&gt;" in text
    assert "</strong> <code>n</code> = 2</figcaption>" in text
    labels = [a["aria-label"] for tag, a in reader.seen if tag == "canvas"]
    assert labels[0].startswith("2 moving walkers")
    assert labels[1] == "two walkers"
    assert len({a["id"] for _, a in reader.seen if "id" in a}) == text.count(' id="')


def test_walls_and_plotly_figures_stand_on_one_page(tmp_path):
    figure = viz.make_confusion_figure([[1]], ["a"], "title", "")
    sections = [make_wall_section(), Section("plot", figure=figure)]
    viz.write_page(tmp_path / "p.html", "t", sections)
    text, reader = read_page(tmp_path / "p.html")
    assert "Plotly" in text
    assert [a["id"] for _, a in reader.seen if a.get("class") == "plot"] == ["plot-2"]
    assert [tag for tag, _ in reader.seen].count("canvas") == 1


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
