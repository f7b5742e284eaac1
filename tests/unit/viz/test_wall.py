import base64
import itertools
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from figure_samples import EVIL, make_gait

from moodwalk import viz
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, Joint
from moodwalk.viz.skeleton import stand_on_ground
from moodwalk.walker import simulate_gait


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.text = [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.setdefault(self.open[-1] if self.open else "", []).append(data)


def decode(wall):
    """What the script knows, and the positions that it draws: one array a walker."""
    block = re.search(r'<script type="application/json">(.*?)</script>', wall.render(), re.DOTALL)
    known = json.loads(block[1])
    whole = np.frombuffer(base64.b64decode(known["points"]), "<i2").reshape(-1, 16, 3)
    points = np.where(whole == known["missing"], np.nan, whole * known["unit"])
    ends = np.cumsum([n for n, _ in known["walkers"]])
    assert ends[-1] == len(points)
    return known, np.split(points, ends[:-1])


def test_positions_come_back_to_the_millimetre_at_one_scale():
    tall, small = simulate_gait(n_frames=40, seed=1), make_gait(12, speed=0.05, scale=0.5)
    known, walks = decode(viz.make_wall([("tall", [tall]), ("small", [small, tall])]))
    assert known["rows"] == [1, 2]
    for gait, walk in zip([tall, small, tall], walks, strict=True):
        assert np.abs(walk - stand_on_ground(gait)).max() < 1e-3
    assert known["height"] == pytest.approx(max(walk[..., 1].max() for walk in walks), abs=1e-3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1000.0])
def test_every_unit_keeps_one_part_in_two_thousand(scale):
    gait = make_gait(scale=scale)
    known, (walk,) = decode(viz.make_wall([("one", [gait])]))
    assert np.abs(walk - stand_on_ground(gait)).max() < known["height"] / 2000


def test_walkers_keep_their_pace_and_a_cycle_stays_a_cycle():
    gaits = [make_gait(20, 30.0), make_gait(67, 60.0), make_gait(12, 12.0), make_gait(400, 100.0)]
    known, walks = decode(viz.make_wall([("all", gaits)]))
    for gait, (n, fps) in zip(gaits, known["walkers"], strict=True):
        assert n / fps == pytest.approx(min(gait.duration_s, 3))
        assert fps < 31
    # the hands rise one centimetre a frame
    hands = walks[1][:, Joint.RIGHT_HAND, 1]
    assert np.diff(hands) == pytest.approx(0.01 * 67 / 34, abs=1e-3)


def test_less_can_be_kept_of_a_long_walk():
    long = make_gait(300)
    sizes = [decode(viz.make_wall([("x", [long])], **kwargs))[0]["walkers"][0]
             for kwargs in ({}, {"seconds": 1}, {"seconds": 1, "fps": 10}, {"seconds": 1e-6})]  # fmt: skip
    assert sizes == [[90, 30], [30, 30], [10, 10], [4, 30]]


def test_missing_joints_are_gaps_and_nothing_else_is():
    positions = make_gait(12).positions.copy()
    positions[3, Joint.RIGHT_HAND] = np.nan
    positions[4, Joint.HEAD, 1] = np.nan
    positions[5] = np.nan
    positions[0:2, Joint.ROOT] = np.nan
    _, (walk,) = decode(viz.make_wall([("x", [Gait(positions, 30)])]))
    missing = np.isnan(positions).any(axis=2)
    assert (np.isnan(walk).all(axis=2) == missing).all()
    assert (np.isnan(walk).any(axis=2) == missing).all()


def test_a_gap_grows_by_no_frame_where_frames_are_left_out():
    positions = make_gait(13, 60.0).positions.copy()
    positions[2] = np.nan
    _, (walk,) = decode(viz.make_wall([("x", [Gait(positions, 60)])], fps=30))
    assert np.isnan(walk).all(axis=(1, 2)).sum() <= 1


def test_every_bone_is_drawn_once_in_the_colour_of_its_side():
    known, _ = decode(viz.make_wall([("x", [make_gait()])]))
    drawn = [pair for limb in known["limbs"] for pair in itertools.pairwise(limb["joints"])]
    assert sorted(drawn) == sorted(BONES)
    assert known["limbs"][0]["joints"][-1] == known["head"] == Joint.HEAD
    for limb in known["limbs"]:
        for joint in limb["joints"][1:]:
            name = Joint(joint).name.lower()
            assert name.startswith(limb["side"]) or limb["side"] == "middle"
    style = Reader(viz.make_wall([("x", [make_gait()])]).render()).seen[0][1]["style"]
    for side, colour in viz.SIDE_COLOURS.items():
        assert f"--wall-{side}:{colour}" in style


def test_every_row_has_its_heading_note_and_the_colour_of_its_emotion():
    rows = [viz.WallRow(f"{e}, generated", [make_gait(label=e)] * 3, f"note {e}") for e in EMOTIONS]
    mixed = ("mixed", [make_gait(label="happy"), make_gait(label="sad")])
    text = viz.make_wall([*rows, mixed, ("unlabelled", [make_gait()])]).render()
    reader = Reader(text)
    assert reader.text["h3"] == [*(row.name for row in rows), "mixed", "unlabelled"]
    for row, colour in zip(rows, viz.EMOTION_COLOURS.values(), strict=True):
        assert f'<h3><i style="background:{colour}"></i>{row.name}</h3><p>{row.note}</p>' in text
    assert "<h3>mixed</h3>" in text
    assert "<h3>unlabelled</h3>" in text
    assert sum(a.get("class") == "wall-lane" for _, a in reader.seen) == 6


def test_a_wall_can_be_read_without_eyes_or_mouse():
    wall = viz.make_wall([("happy", [make_gait()] * 3), ("sad", [make_gait()])])
    reader = Reader(wall.render())
    (canvas,) = [attributes for tag, attributes in reader.seen if tag == "canvas"]
    assert canvas["role"] == "img"
    assert canvas["tabindex"] == "0"
    assert canvas["aria-label"].startswith("4 moving walkers")
    assert "happy: 3; sad: 1" in canvas["aria-label"]
    assert ("button", {"type": "button"}) in reader.seen
    assert "happy: 3; sad: 1" in "".join(reader.text["p"])  # where there are no scripts
    reader = Reader(wall.render("Four & more"))
    assert [a["aria-label"] for tag, a in reader.seen if tag == "canvas"] == ["Four & more"]


def test_markup_in_names_is_not_markup_on_a_wall():
    gait = make_gait(name=EVIL, subject=EVIL)
    text = viz.make_wall([viz.WallRow(EVIL, [gait], EVIL)], title=EVIL, caption=EVIL).render(EVIL)
    assert "<script>alert" not in text
    reader = Reader(text)
    assert "".join(reader.text["h3"]) == EVIL
    assert len([tag for tag, _ in reader.seen if tag == "script"]) == 2


def test_a_wall_fetches_nothing_and_builds_no_code():
    text = viz.make_wall([("x", [make_gait()])]).render()
    for word in ("http", "src=", "import(", "fetch(", "eval(", "Function(", "@import", "url("):
        assert word not in text
    for tag, attributes in Reader(text).seen:
        assert not [name for name in attributes if name.startswith("on")], tag


def test_a_wall_stays_small():
    gaits = [make_gait(36, label=Emotion.SAD)] * 48
    assert len(viz.make_wall([("sad", gaits)]).render()) < 300_000
    long = [make_gait(300)] * viz.MAX_WALKERS
    assert len(viz.make_wall([("long", long)]).render()) < 1_200_000


def test_a_walk_in_one_point_can_be_drawn():
    known, (walk,) = decode(viz.make_wall([("x", [Gait(np.zeros((4, 16, 3)), 30)])]))
    assert known["height"] > 0
    assert known["radius"] > 0
    assert (walk == 0).all()


@pytest.mark.parametrize(
    ("rows", "kwargs"),
    [
        ([], {}),
        ([("none", [])], {}),
        ([("one", [make_gait()]), ("none", [])], {}),
        ([("many", [make_gait()] * 50), ("more", [make_gait()] * 47)], {}),
        ([("one", [make_gait()])], {"fps": 0}),
        ([("one", [make_gait()])], {"seconds": float("nan")}),
        ([("one", [make_gait()])], {"seconds": -1.0}),
    ],
)
def test_bad_requests_for_walls_are_refused_in_one_line(rows, kwargs):
    with pytest.raises(ConfigError, match="expected") as caught:
        viz.make_wall(rows, **kwargs)
    assert "\n" not in str(caught.value)


def test_a_gait_without_any_joint_is_refused_on_a_wall():
    nothing = np.full((200, 16, 3), np.nan)
    late = nothing.copy()
    late[150:] = 0
    for positions in (nothing, late):
        with pytest.raises(QualityError, match=r"'007' of row 'sad' has no joint in its first 3 s"):
            viz.make_wall([("sad", [make_gait(), Gait(positions, 30, name="007")])])


def test_real_gaits_stand_on_a_wall(real_gaits):
    known, walks = decode(viz.make_wall([("real", real_gaits[:48])]))
    assert known["rows"] == [48]
    for walk in walks:
        assert walk[..., 1].min() == pytest.approx(0, abs=1e-6)
        assert (walk[:, Joint.HEAD, 1] > walk[:, Joint.ROOT, 1]).all()
        assert np.abs(walk[:, Joint.ROOT, ::2]).max() == 0
