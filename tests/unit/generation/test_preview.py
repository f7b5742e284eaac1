"""Pages of what generators make."""

import json
import re

import pytest

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.gait import GaitSet
from moodwalk.generation.preview import (
    MOST_PREVIEWED,
    write_comparison_page,
    write_preview_page,
)
from moodwalk.walker import simulate_gait, simulate_walks

EVIL = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def gaits():
    return simulate_walks(n_subjects=14, gaits_per_subject=4, seed=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "page.html"


def read_walls(path):
    """Return the page, and what the scripts of its walls draw."""
    page = path.read_text(encoding="utf-8")
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    return page, [json.loads(text) for text in found]


def test_a_page_has_a_row_for_each_emotion(path, gaits):
    write_preview_page(path, gaits[:6], source="Of simulated walks.")
    page, (wall,) = read_walls(path)
    counts = gaits[:6].label_counts
    assert wall["rows"] == list(counts.values())
    assert len(set(wall["rows"])) > 1
    headings = [page.index(f">{emotion}<") for emotion in counts]
    assert headings == sorted(headings)
    assert len(wall["walkers"]) == 6
    assert "6 walks. Of simulated walks." in page
    assert "Perceived emotion: what observers would call such a walk" in page


def test_emotions_without_walks_have_no_row(path, gaits):
    write_preview_page(path, gaits[gaits.labels == "sad"], source="")
    assert read_walls(path)[1][0]["rows"] == [14]


def test_of_many_walks_the_first_are_shown(path, gaits):
    write_preview_page(path, gaits, source="")
    page, (wall,) = read_walls(path)
    assert sum(wall["rows"]) == len(wall["walkers"]) == MOST_PREVIEWED < len(gaits)
    assert f"{MOST_PREVIEWED} walks." in page


def test_one_walk_stands_beside_itself(path, gaits):
    write_comparison_page(path, [(gaits[0], gaits[1])], Emotion.SAD, strength=1.5, source="By me.")
    page, (wall,) = read_walls(path)
    assert wall["rows"] == [1, 1]
    assert "Sad, strength 1.5" in page
    assert "as they walked" in page
    assert "1 walk" in page
    assert "By me." in page


def test_every_walk_of_several_has_a_row_with_itself(path, gaits):
    nameless = simulate_gait(label=Emotion.HAPPY)
    pairs = [(gaits[0], gaits[1]), (nameless, gaits[2]), (gaits[4], gaits[5])]
    write_comparison_page(path, pairs, Emotion.ANGRY, strength=1, source="")
    page, (wall,) = read_walls(path)
    assert wall["rows"] == [2, 2, 2]
    lengths = [n for n, _ in wall["walkers"]]
    assert lengths == [len(gait) for pair in pairs for gait in pair]
    for name in (gaits[0].name, "walk 2", gaits[4].name):
        assert name in page
    assert page.count("left as walked, right angry") == 3


def test_of_many_pairs_as_many_are_shown_as_fit(path, gaits):
    write_comparison_page(
        path, [(gait, gait) for gait in gaits], Emotion.SAD, strength=1, source=""
    )
    _, (wall,) = read_walls(path)
    assert wall["rows"] == [2] * 48


def test_pages_escape_whatever_they_are_given(path):
    evil = simulate_gait(label=Emotion.HAPPY, name=EVIL)
    write_preview_page(path, [evil], source=EVIL)
    assert EVIL not in read_walls(path)[0]
    write_comparison_page(path, [(evil, evil)] * 2, Emotion.SAD, strength=1, source=EVIL)
    assert EVIL not in read_walls(path)[0]


def test_pages_fetch_nothing(path, gaits):
    write_preview_page(path, gaits, source="")
    page, _ = read_walls(path)
    assert "http" not in page.replace("http-equiv", "")
    assert " src=" not in page


def test_nothing_to_show_is_refused_and_leaves_nothing(path):
    for nothing in (GaitSet([]), [simulate_gait()]):
        with pytest.raises(ConfigError, match="no labelled gaits to show; expected at least one"):
            write_preview_page(path, nothing, source="")
    with pytest.raises(ConfigError, match="no walks to show; expected at least one"):
        write_comparison_page(path, [], Emotion.SAD, strength=1, source="")
    assert not path.parent.exists()


def test_a_place_that_cannot_be_written_is_refused(tmp_path, gaits):
    with pytest.raises(DataFormatError, match="is a folder"):
        write_preview_page(tmp_path, gaits[:1], source="")
