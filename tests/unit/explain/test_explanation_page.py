import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, ShapeError
from moodwalk.explain import explain, write_explanation_page
from moodwalk.predict import Predictor
from moodwalk.skeleton import N_JOINTS, Joint
from moodwalk.viz.attribution import (
    JointMap,
    WordBar,
    compute_tones,
    make_moment_figure,
    make_timeline_figure,
    make_word_figure,
)
from moodwalk.viz.wall import Wall, WallRow, make_wall
from moodwalk.walker import simulate_gait

EVIL = "<script>alert(1)</script>"


class Checker(HTMLParser):
    VOID = ("meta", "link", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            assert not name.startswith("on")
            assert not (name in ("src", "href") and str(value).startswith(("http", "//")))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text.append(data)


def read_page(path):
    text = path.read_text(encoding="utf-8")
    body = text[: text.rfind("<script>/**")] if "<script>/**" in text else text
    return text, " ".join(
        " ".join(Checker(body.split("<body>")[1].split("</main>")[0] + "</main>").text).split()
    )


@pytest.fixture(scope="module")
def predictor():
    pytest.importorskip("captum")
    return Predictor.load(min_confidence=0.0)


@pytest.fixture(scope="module")
def walk():
    return simulate_gait(n_frames=200, seed=5, name=f"walk {EVIL}")


def test_tones_go_with_the_sign_and_the_root_of_the_size():
    contributions = np.zeros((60, N_JOINTS))
    contributions[:, Joint.HEAD] = 0.4
    contributions[:, Joint.LEFT_HAND] = -0.1
    tones = compute_tones(contributions, 30.0)
    assert tones[:, Joint.HEAD] == pytest.approx(1.0)
    assert tones[:, Joint.LEFT_HAND] == pytest.approx(-0.5)
    assert (tones[:, Joint.ROOT] == 0).all()
    assert np.abs(compute_tones(contributions, 30.0, least=120.0)).max() < 0.35
    assert (compute_tones(np.zeros((5, N_JOINTS)), 30.0) == 0).all()
    for bad in (np.zeros((5, 3)), np.zeros((0, N_JOINTS)), np.full((5, N_JOINTS), np.nan)):
        with pytest.raises(ShapeError):
            compute_tones(bad, 30.0)


def test_tones_reach_the_wall_frame_by_frame(walk):
    tones = np.linspace(-1, 1, len(walk) * N_JOINTS).reshape(-1, N_JOINTS)
    wall = Wall(
        (WallRow("two", [walk, walk]),), tones=(tones, None), tone_names=("no <", "yes"),
        walker_px=300, seconds=3,
    )  # fmt: skip
    text = wall.render()
    known = json.loads(re.search(r'application/json">(.*?)</script>', text, re.DOTALL)[1])
    whole = np.frombuffer(base64.b64decode(known["tones"]), np.int8).reshape(-1, N_JOINTS)
    frames = [n for n, _ in known["walkers"]]
    assert len(whole) == sum(frames)
    assert np.abs(whole[: frames[0]] / 127 - tones[: frames[0]]).max() < 0.005
    assert (whole[frames[0] :] == 0).all()
    assert known["widest"] == 300
    assert "no &lt;<b></b>yes" in text
    assert "right side" not in text


def test_a_wall_without_tones_is_what_it_was(walk):
    text = make_wall([("one", [walk])]).render()
    known = json.loads(re.search(r'application/json">(.*?)</script>', text, re.DOTALL)[1])
    assert "tones" not in known
    assert "widest" not in known
    assert "right side" in text


@pytest.mark.parametrize("case", ["number", "shape", "range", "nan", "size"])
def test_tones_that_do_not_fit_are_refused(walk, case):
    good = np.zeros((len(walk), N_JOINTS))
    tones = {
        "number": (good, good), "shape": (good[1:],), "range": (good + 1.5,), "nan": (good * np.nan,),
        "size": (good,),
    }[case]  # fmt: skip
    with pytest.raises(ConfigError, match="expected") as caught:
        Wall((WallRow("x", [walk]),), tones=tones, walker_px=0 if case == "size" else 170)
    assert "\n" not in str(caught.value)


def test_a_still_body_shows_joints_as_large_as_they_weigh(walk):
    joints = np.zeros(N_JOINTS)
    joints[Joint.HEAD], joints[Joint.LEFT_FOOT] = 2.0, -0.5
    text = JointMap(walk, joints, names=("against <", "for")).render()
    Checker(text)
    sizes = dict(re.findall(r'r="([\d.]+)"><title>([\w ]+):', text) and [
        (name, float(r)) for r, name in re.findall(r'r="([\d.]+)"><title>([\w ]+):', text)
    ])  # fmt: skip
    assert sizes["head"] == 20
    assert sizes["left foot"] == pytest.approx(3 + 17 * 0.5)
    assert sizes["spine"] == 3
    assert '<circle class="against"' in text
    assert "against &lt;" in text
    assert "head +2.00, left foot -0.50" in text
    with pytest.raises(ShapeError):
        JointMap(walk, np.zeros(3))


def test_figures_say_what_they_show():
    bars = [
        WordBar("cadence", -1.4, "steps 12 % slower", {Emotion.SAD: -1.0, Emotion.HAPPY: 0.4}),
        WordBar("arm_swing", 0.2, "arms swing 4 % more", {}, said=False),
    ]
    figure = make_word_figure(bars)
    assert list(figure.data[0].x) == [-1.4, 0.2]
    assert "steps 12 % slower (-1.4 SD)" in figure.layout.meta["alt"]
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["<b>steps 12 % slower</b>", "arms swing 4 % more"]
    spans = [(0.0, 1.0), (1.0, 2.0)]
    rows = [dict.fromkeys(EMOTIONS, 0.25), {Emotion.SAD: 0.7, Emotion.HAPPY: 0.3}]
    figure = make_timeline_figure(spans, rows)
    assert [list(trace.y) for trace in figure.data][2] == [0.25, 0.7]
    contributions = np.zeros((30, N_JOINTS))
    contributions[:15, 3], contributions[15:, 3] = 0.1, -0.1
    figure = make_moment_figure(contributions, 30.0, moments=[(0.1, 0.3)])
    assert max(figure.data[0].y) == pytest.approx(3.0)
    assert min(figure.data[1].y) == pytest.approx(-3.0)
    for make in (lambda: make_word_figure([]), lambda: make_timeline_figure([], []),
                 lambda: make_timeline_figure(spans, rows[:1]),
                 lambda: make_word_figure([bars[0]._replace(effect=float("nan"))])):  # fmt: skip
        with pytest.raises(ConfigError):
            make()


def test_a_page_tells_it_all_and_fetches_nothing(predictor, walk, tmp_path):
    explanation = explain(predictor, walk, n_steps=12)
    path = tmp_path / "page.html"
    write_explanation_page(path, explanation)
    text, said = read_page(path)
    assert "<script>alert" not in text
    assert f"is read as {explanation.prediction.emotion}" in text
    assert explanation.sentence in said
    for joint in Joint:
        assert joint.name.lower().replace("_", " ") in said
    for word in explanation.measures:
        assert word.measure.replace("_", " ") in said
    assert "no diagnosis" in text
    assert "The answer over time" in said
    assert '"tones"' in text


def test_a_short_walk_says_that_it_has_one_window(predictor, tmp_path):
    short = simulate_gait(seed=5)
    path = tmp_path / "page.html"
    write_explanation_page(path, explain(predictor, short, n_steps=8, emotion="sad"))
    _, said = read_page(path)
    assert "there is one answer and no course over time" in said
    assert "against sad" in said
    assert "The walk is short" in said


def test_ones_own_walk_is_named_as_the_reference(predictor, walk, tmp_path):
    own = explain(predictor, walk, baseline=walk, n_steps=8)
    assert own.words == ()
    assert "the walker's own reference walk" in own.sentence
    path = tmp_path / "page.html"
    write_explanation_page(path, own)
    _, said = read_page(path)
    assert "head bow" in said  # posture, which is compared with oneself only
    document = json.loads(json.dumps(own.to_dict()))
    assert document["compared_with"] == "the walker's own reference walk"
    assert set(document["joints"]) == {joint.name.lower() for joint in Joint}


def test_who_does_not_step_is_explained_without_words(predictor, walk, tmp_path):
    still = walk.with_positions(np.repeat(walk.positions[:1], 60, axis=0))
    explanation = explain(predictor, still, n_steps=8)
    assert explanation.measures == ()
    write_explanation_page(tmp_path / "page.html", explanation)
    _, said = read_page(tmp_path / "page.html")
    assert "No steps were found in this walk" in said


def test_a_withheld_answer_is_not_given_on_the_page(walk, tmp_path):
    pytest.importorskip("captum")
    strict = Predictor.load(min_confidence=1.0)
    write_explanation_page(tmp_path / "page.html", explain(strict, walk, n_steps=8))
    text, said = read_page(tmp_path / "page.html")
    assert "gives no answer to the walk" in text
    assert "below the 100% asked for" in text
    assert "is read as" not in said
