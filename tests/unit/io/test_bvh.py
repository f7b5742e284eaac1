import importlib.util
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from moodwalk.errors import DataFormatError
from moodwalk.gait import MAX_FRAMES, Gait
from moodwalk.io import bvh
from moodwalk.io.bvh import begins_bvh, read_bvh
from moodwalk.io.bvh_writing import write_bvh
from moodwalk.skeleton import BONES, Joint
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

ROOT = Path(__file__).resolve().parents[3]
MOCAP = ROOT.parent / "shared" / "data" / "mocap"
NAMES = [joint.name.lower() for joint in Joint]

SMALL = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Leg
  {
    OFFSET 1 -10 0.5
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -10 0
    }
  }
}
MOTION
Frames: 3
Frame Time: 0.0333333
0 90 0 10 20 30 1 2 3
0 91 1 11 21 31 1 2 3
0 92 2 12 22 32 1 2 3
"""


def load_fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "benchmarks/fuzz_formats.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load_fuzz()


@pytest.fixture(scope="session")
def mocap_files():
    files = sorted(MOCAP.glob("*.bvh"))
    if not files:
        pytest.skip("needs shared/data/mocap, which is not part of the repository")
    return files


@pytest.fixture(scope="session")
def bvhio():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the vector library that it imports
        return pytest.importorskip("bvhio")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "walk.bvh"


def read_text(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_bvh(path)


def check_refused(path, text, *sayings):
    with pytest.raises(DataFormatError) as caught:
        read_text(path, text)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))
    for saying in (str(path), *sayings):
        assert saying in message


def change(old, new, n=1):
    assert old in SMALL
    return SMALL.replace(old, new, n)


# What a tree of joints means, said a second time: joint by joint, with SciPy's rotations.


def place(nodes, rows):
    """Positions (T, J, 3) of nodes (parent, offset, channels), rows of all channels in order."""
    places, turns, column = [], [], 0
    for parent, offset, channels in nodes:
        own = rows[:, column : column + len(channels)]
        column += len(channels)
        local = np.tile(np.array(offset, dtype=float), (len(rows), 1))
        turn = Rotation.identity(len(rows))
        for channel, values in zip(channels, own.T, strict=True):
            axis = "XYZ".index(channel[0])
            if channel.endswith("position"):
                local[:, axis] = values
            else:
                turn = turn * Rotation.from_euler(channel[0], values[:, None], degrees=True)
        if parent is None:
            places.append(local)
            turns.append(turn)
        else:
            places.append(places[parent] + turns[parent].apply(local))
            turns.append(turns[parent] * turn)
    return np.stack(places, axis=1)


def format_tree(nodes, rows, fps=30.0):
    """Text of a BVH file; parents come right before their first child's tree."""

    def format_node(i):
        _, offset, channels = nodes[i]
        below = [k for k, (parent, _, _) in enumerate(nodes) if parent == i]
        inner = [line for k in below for line in format_node(k)]
        return [
            f"{'JOINT' if nodes[i][0] is not None else 'ROOT'} j{i}",
            "{",
            "OFFSET " + " ".join(map(repr, offset)),
            f"CHANNELS {len(channels)} {' '.join(channels)}",
            *(inner or ["End Site", "{", "OFFSET 0.0 1.0 0.0", "}"]),
            "}",
        ]

    head = ["HIERARCHY", *format_node(0), "MOTION", f"Frames: {len(rows)}"]
    numbers = [" ".join(map(repr, row)) for row in rows.tolist()]
    return "\n".join([*head, f"Frame Time: {1 / fps!r}", *numbers, ""])


@st.composite
def trees(draw, whole_rotations=False):
    """Nodes in the order of a file, and rows."""
    n = draw(st.integers(1, 7))
    number = st.floats(-50, 50).map(lambda value: round(value, 4))
    nodes, open_ = [], []
    for i in range(n):
        if i:
            open_ = open_[: draw(st.integers(1, len(open_)))]
        turns = draw(st.permutations("XYZ"))
        if not whole_rotations:
            turns = turns[: draw(st.integers(0, 3))]
        moves = draw(st.permutations("XYZ"))[: draw(st.sampled_from([0, 3, 3, 1]))]
        channels = [f"{axis}position" for axis in moves] + [f"{axis}rotation" for axis in turns]
        if not whole_rotations:
            channels = draw(st.permutations(channels))
        offset = [draw(number) for _ in range(3)]
        nodes.append((open_[-1] if open_ else None, offset, [*channels]))
        open_.append(i)
    if not any(channels for _, _, channels in nodes):
        nodes[0][2].append("Yrotation")
    n_frames = draw(st.integers(1, 4))
    columns = []
    for _, offset, channels in nodes:
        for channel in channels:
            # near OFFSET, as most programs write them
            base = offset["XYZ".index(channel[0])] if channel.endswith("position") else 0.0
            spread = 0.1 * abs(base) if channel.endswith("position") else 360.0
            values = [draw(st.floats(-1, 1)) for _ in range(n_frames)]
            columns.append([round(base + spread * value, 4) for value in values])
    return nodes, np.array(columns, dtype=float).T.copy()


def read_with(bvhio, path):
    """Names and positions (T, J, 3) as bvhio has them."""
    root = bvhio.readAsHierarchy(str(path))
    n_frames = bvhio.readAsBvh(str(path)).FrameCount
    positions = []
    for frame in range(n_frames):
        root.loadPose(frame)
        layout = [joint for joint, _, _ in root.layout()]
        positions.append([list(joint.PositionWorld) for joint in layout])
    return [joint.Name for joint in layout], np.array(positions)


def check_agreement(ours, theirs):
    """Agreement to a millionth of the extent: bvhio keeps float32."""
    extent = np.ptp(theirs, axis=(0, 1)).max() + np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6 * extent)


def test_real_files_agree_with_bvhio(mocap_files, bvhio):
    # bvhio, like Blender, puts position channels of any joint in place of its OFFSET
    for file in mocap_files:
        recording = read_bvh(file)
        names, positions = read_with(bvhio, file)
        kept = [recording.joints.index(name) for name in names]
        check_agreement(recording.positions[:, kept], positions)
        others = set(recording.joints) - set(names)
        assert others == {f"{end}_end" for end in ("Head", "Hand_L", "Hand_R", "Toes_L", "Toes_R")}


def test_a_real_file_is_described(mocap_files):
    recording = read_bvh(mocap_files[0])
    assert recording.positions.shape == (143, 27, 3)
    assert recording.positions.dtype == np.float64
    assert (recording.fps, recording.format, recording.unit_m, recording.up) == (
        30,
        "BVH",
        None,
        None,
    )
    assert recording.name == mocap_files[0].stem
    assert recording.source == mocap_files[0].name
    assert recording.joints[:3] == ("joint_Root", "Hips", "Spine")
    assert recording.parents[:3] == (-1, 0, 1)
    tip = recording.joints.index("Toes_L_end")
    assert recording.joints[recording.parents[tip]] == "Toes_L"
    # a grown-up in centimetres who walks ahead, stooped; the joint lies below the skull
    head, toes = (recording.positions[:, recording.joints.index(n)] for n in ("Head", "Toes_L"))
    assert 115 < (head - toes)[:, 1].mean() < 160
    assert np.ptp(head[:, [0, 2]], axis=0).max() > 300
    found = {finding.what: finding.value for finding in recording.findings}
    assert found == {"frame rate": "30", "position channels": "in place of OFFSET"}


@settings(max_examples=40)
@given(trees(whole_rotations=True))
def test_trees_agree_with_bvhio(tmp_path_factory, bvhio, tree):
    nodes, rows = tree
    path = tmp_path_factory.mktemp("trees") / "tree.bvh"
    recording = read_text(path, format_tree(nodes, rows))
    names, positions = read_with(bvhio, path)
    check_agreement(
        recording.positions[:, [recording.joints.index(name) for name in names]], positions
    )


@settings(max_examples=80)
@given(trees(), st.sampled_from(["\n", "\r\n", "\r", " \t\n\n  "]), st.booleans())
def test_trees_agree_with_scipy(tmp_path_factory, tree, end, shout):
    nodes, rows = tree
    text = format_tree(nodes, rows)
    if shout:
        text = text.upper().replace("ROOT J", "Root j").replace("JOINT J", "joint j")
    path = tmp_path_factory.mktemp("trees") / "tree.bvh"
    recording = read_text(path, text.replace("\n", end).replace(" ", "\t "))
    kept = [recording.joints.index(f"j{i}") for i in range(len(nodes))]
    np.testing.assert_allclose(recording.positions[:, kept], place(nodes, rows), rtol=0, atol=1e-9)
    parents = [recording.parents[i] for i in kept]
    names = [recording.joints[p] if p >= 0 else None for p in parents]
    assert names == [None if p is None else f"j{p}" for p, _, _ in nodes]


def test_the_small_file(path):
    recording = read_text(path, SMALL)
    assert recording.joints == ("Hips", "Leg", "Leg_end")
    assert recording.parents == (-1, 0, 1)
    np.testing.assert_array_equal(recording.positions[:, 0], [[0, 90, 0], [0, 91, 1], [0, 92, 2]])
    hips = Rotation.from_euler("ZXY", [10, 20, 30], degrees=True)
    leg = hips * Rotation.from_euler("YXZ", [1, 2, 3], degrees=True)
    expected = np.array([0, 90, 0]) + hips.apply([1, -10, 0.5])
    np.testing.assert_allclose(recording.positions[0, 1], expected, atol=1e-12)
    np.testing.assert_allclose(
        recording.positions[0, 2], expected + leg.apply([0, -10, 0]), atol=1e-12
    )


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\r"),
        SMALL.replace(" ", "\t"),
        SMALL.rstrip("\n"),
        SMALL + "\n \t\n\n",
        "\ufeff" + SMALL,
        "\n\n  " + SMALL,
        SMALL.replace("\n{", " {").replace("  OFFSET", "OFFSET"),
        SMALL.replace("{\n", "{ ").replace("}\n", "} ").replace("MOTION", "\nMOTION"),
        SMALL.replace("HIERARCHY\nROOT", "Hierarchy Root").replace("JOINT", "Joint"),
        SMALL.replace("End Site", "END SITE").replace("OFFSET", "Offset").replace("CHA", "Cha"),
        SMALL.replace("position", "POSITION").replace("Zrotation", "zrotation"),
        SMALL.replace("MOTION", "motion").replace("Frames: 3", "FRAMES:3"),
        SMALL.replace("Frame Time: ", "frame time :\t").replace("Frames: ", "Frames "),
        SMALL.replace("Frame Time: 0.0333333", "FrameTime:3.33333e-2"),
        SMALL.replace("0 91 1", "\n  +0. 9.1e1 1.0E+0"),
        SMALL.replace("    CHANNELS 3 Yr", "  \n\n  CHANNELS 3 Yr").replace("Leg", "Leg  "),
    ],
)
def test_spacing_and_case_do_not_matter(path, text):
    expected = read_text(path, SMALL)
    found = read_text(path, text)
    np.testing.assert_array_equal(found.positions, expected.positions)
    assert (found.joints, found.parents, found.fps) == (
        expected.joints,
        expected.parents,
        expected.fps,
    )


@pytest.mark.parametrize("size", [300, 301, 302, 303, 304, 1000, 4096, 50_000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_blocks_are_cut_between_lines(path, monkeypatch, size, end):
    text = SMALL.replace("Frames: 3", "Frames: 300") + SMALL[-66:] * 99
    path.write_bytes(text.encode())
    expected = read_bvh(path).positions
    # as long as the hierarchy, at least
    monkeypatch.setattr(bvh, "_BLOCK_BYTES", size + 80 * (end == b"\r\n"))
    path.write_bytes(text.encode().replace(b"\n", end))
    np.testing.assert_array_equal(read_bvh(path).positions, expected)
    rows = path.read_bytes().removesuffix(b"3" + end) + b"nan" + end
    check_refused(path, rows, f"line {len(text.splitlines())}, value 9: 'nan' is no number")


@pytest.mark.parametrize(
    ("time", "fps"),
    [
        ("0.0333333", 30),
        ("0.033333", 30),
        ("0.0333", 30),
        ("0.03333330154418945", 30),
        (".03333333333333333", 30),
        ("3.33333e-02", 30),
        ("0.016667", 60),
        ("0.0166666", 60),
        ("0.00833", 120),
        ("0.008333", 120),
        ("0.0083300", 120),
        ("0.04", 25),
        ("0.041667", 24),
        ("0.01", 100),
        ("0.002", 500),
        ("1.0", 1),
        ("0.0001", 10_000),
        ("0.0333667", 30 / 1.001),
        ("0.033367", 30 / 1.001),
        ("0.0166833", 60 / 1.001),
        ("0.0334", 1 / 0.0334),
        ("0.033", 1 / 0.033),
        ("0.0333540128213", 1 / 0.0333540128213),
    ],
)
def test_frame_rates(path, time, fps):
    assert read_text(path, change("0.0333333", time)).fps == pytest.approx(fps, rel=1e-12)


def test_names_come_once(path):
    twice = "JOINT Leg\n{\nOFFSET 1 1 1\nCHANNELS 0\nEnd Site\n{\nOFFSET 0 1 0\n}\nEnd Site\n{\nOFFSET 1 1 0\n}\n}\n"
    recording = read_text(path, change("  JOINT Leg", f"{twice * 2}  JOINT Leg"))
    assert recording.joints == (
        *("Hips", "Leg", "Leg_end", "Leg_end_2", "Leg_2", "Leg_end_3", "Leg_end_4", "Leg_3"),
        "Leg_end_5",
    )
    assert recording.parents == (-1, 0, 1, 1, 0, 4, 4, 0, 7)
    (finding,) = (finding for finding in recording.findings if finding.what == "names")
    assert finding.value.startswith("Leg_end_2, Leg_2")


def test_a_given_name_is_not_taken(path):
    more = "".join(f"JOINT {name}\n{{\nOFFSET 1 1 1\n}}\n" for name in ("Leg", "Leg", "Leg_2"))
    recording = read_text(path, change("  JOINT Leg", f"{more}  JOINT Foot"))
    assert recording.joints == ("Hips", "Leg", "Leg_3", "Leg_2", "Foot", "Foot_end")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (b"Bip01 L  Thigh", "Bip01 L Thigh"),
        ("左足".encode(), "左足"),
        ("左足".encode("cp932"), r"\x8d\xb6\x91\xab"),
        (b"Beinl\xe4nge", r"Beinl\xe4nge"),
        (b"JOINT", "JOINT"),
        (b"mixamorig:LeftLeg", "mixamorig:LeftLeg"),
    ],
)
def test_names_of_all_kinds(path, given, name):
    assert read_text(path, SMALL.encode().replace(b"Leg", given)).joints[1] == name


def test_positions_on_top_of_offset(path):
    """Some programs write zeros there: in place of OFFSET they would leave a point."""
    text = change("CHANNELS 3 ", "CHANNELS 6 Zposition Yposition Xposition ")
    text = text.replace("OFFSET 0 0 0", "OFFSET 5 6 7")  # of the root: replaced either way
    zeros = read_text(path, text.replace("1 2 3\n", "0 0.5 0 1 2 3\n"))
    (finding,) = (f for f in zeros.findings if f.what == "position channels")
    assert finding.value == "on top of OFFSET"
    plain = read_text(path, change("OFFSET 1 -10 0.5", "OFFSET 1 -9.5 0.5"))
    np.testing.assert_allclose(zeros.positions, plain.positions, atol=1e-12)
    instead = read_text(path, text.replace("1 2 3\n", "0.5 -9.5 1 1 2 3\n"))
    np.testing.assert_allclose(instead.positions, plain.positions, atol=1e-12)
    assert instead.findings[1].value == "in place of OFFSET"


def test_only_positions(path):
    text = change("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 1 Xposition")
    text = text.replace("6 Xposition Yposition Zposition Zrotation Xrotation Yrotation", "0")
    text = text[: text.index("0 90")].replace("Frames: 3", "Frames: 2") + "5\n7\n"
    recording = read_text(path, text)
    np.testing.assert_array_equal(recording.positions[:, 1], [[5, -10, 0.5], [7, -10, 0.5]])
    np.testing.assert_array_equal(recording.positions[:, 2], [[5, -20, 0.5], [7, -20, 0.5]])


@pytest.mark.parametrize(
    ("start", "is_bvh"),
    [
        (b"HIERARCHY\nROOT", True),
        (b"\xef\xbb\xbf\r\n  hierarchy\r\n", True),
        (b"HIERARCHY", True),
        (b"HIERARCHYROOT", False),
        (b"ROOT", False),
        (b"", False),
        (b" \n", False),
        (b"\x02P", False),
        (b"# HIERARCHY", False),
    ],
)
def test_begins_bvh(start, is_bvh):
    assert begins_bvh(start) is is_bvh


@pytest.mark.parametrize(
    ("old", "new", "saying"),
    [
        ("HIERARCHY", "", "is not BVH: it begins with b'\\nROOT Hi'; expected the word HIERARCHY"),
        ("ROOT Hips", "JOINT Hips", "line 2: JOINT outside of all braces"),
        ("ROOT Hips", "ROOT", "line 2: ROOT is called ''; expected a name"),
        ("ROOT Hips", "ROOT Hi\0ps", "line 2: ROOT is called 'Hi\\x00ps'"),
        ("ROOT Hips", f"ROOT {'x' * 999}", "line 2: ROOT is called 'xxxx"),
        ("Hips\n{", "Hips\n", "line 4: 'OFFSET' behind a name; expected '{'"),
        ("Hips\n{", "Hips\n{{", "line 3: '{' without a joint before it"),
        ("OFFSET 0 0 0", "OFFSET 0 0", "line 4: OFFSET of 'Hips' has 2 numbers; expected three"),
        ("OFFSET 0 0 0", "OFFSET 0 0 0 0", "line 4: '0' in the hierarchy; expected JOINT"),
        ("OFFSET 0 0 0", "OFFSET 0 0 0,5", "line 4: '0,5' has a decimal comma"),
        ("OFFSET 0 0 0", "OFFSET 0 0 nan", "line 4: 'nan' is no number"),
        ("OFFSET 0 0 0", "OFFSET 0 0 1e10", "line 4: '1e10' is no length or angle"),
        ("OFFSET 0 0 0", "OFFSET 0 0 1_0", "line 4: '1_0' is no number"),
        ("OFFSET 0 0 0", "OFFSET 0 0 ٣", "line 4: '٣' is no number"),
        ("  OFFSET 0 0 0", "OFFSET 0 0 0\nOFFSET 0 0 0", "line 5: a second OFFSET of 'Hips'"),
        ("    OFFSET 1 -10 0.5\n", "", "line 13: 'Leg' has no OFFSET; expected three numbers"),
        ("CHANNELS 6", "CHANNELS 5", "line 5: 'Yrotation' in the hierarchy"),
        ("CHANNELS 6", "CHANNELS 7", "line 5: CHANNELS of 'Hips' are '7' in number"),
        ("CHANNELS 6", "CHANNELS -1", "line 5: CHANNELS of 'Hips' are '-1' in number"),
        ("CHANNELS 6", "CHANNELS", "line 5: CHANNELS of 'Hips' are 'Xposition' in number"),
        ("CHANNELS 3", "CHANNELS 4", "line 9: CHANNELS of 'Leg' names 3; expected 4 on this line"),
        ("Zposition", "Wposition", "line 5: 'Wposition' is no channel; expected Xposition"),
        ("Zposition", "Xposition", "line 5: Xposition is twice among the channels of 'Hips'"),
        ("    End Site", "CHANNELS 0\nEnd Site", "line 10: a second CHANNELS of 'Leg'"),
        ("OFFSET 0 -10 0", "OFFSET 0 -10 0\nJOINT x", "line 13: JOINT inside of an End Site"),
        ("  }\n}\nMOTION", "  }\nMOTION", "line 15: MOTION inside of 'Hips'; is a '}' missing?"),
        ("MOTION", "}\nMOTION", "line 16: '}' closes more than was opened"),
        ("MOTION", "ROOT Anna", "line 16: a second ROOT; 'Hips' is the first. Expected one"),
        ("MOTION", "", "line 17: 'Frames:' in the hierarchy"),
        ("MOTION", "MOTION Frames: 3", "line 16: 'Frames:' behind MOTION; expected a new line"),
        ("Frames: 3", "", "line 18: 'Frame Time: 0.0333333'; expected 'Frames:'"),
        ("Frames: 3", "Frames: 0", "line 17: 0 frames; expected at least one"),
        ("Frames: 3", "Frames: -3", "line 17: 'Frames: -3'; expected 'Frames:' and a whole number"),
        ("Frames: 3", "Frames: 3.5", "line 17: 'Frames: 3.5'; expected 'Frames:'"),
        ("Frames: 3", "Frames: three", "line 17: 'Frames: three'; expected 'Frames:'"),
        (
            "Frames: 3",
            "Frames: 1000000000",
            "'1000000000' frames are claimed; expected at most 200,000",
        ),
        ("Frames: 3", f"Frames: {'9' * 5000}", "frames are claimed; expected at most 200,000"),
        ("Frames: 3", "Frames: 200000", "has 3 rows of motion; expected 200,000, as it claims"),
        ("Frames: 3", "Frames: 4", "has 3 rows of motion; expected 4, as it claims"),
        ("Frames: 3", "Frames: 2", "more rows of motion than the 2 frames that it claims"),
        ("Frame Time: 0.0333333", "", "line 19: '0 90 0 10 20 30 1 2 3'; expected 'Frame Time:'"),
        ("0.0333333", "0,0333333", "line 18: '0,0333333' has a decimal comma"),
        ("0.0333333", "0", "line 18: a frame takes '0' seconds; expected 0.0001 to 1, 0.033333"),
        ("0.0333333", "-0.0333333", "line 18: a frame takes '-0.0333333' seconds"),
        ("0.0333333", "30", "line 18: a frame takes '30' seconds; expected 0.0001 to 1"),
        ("0.0333333", "nan", "line 18: 'nan' is no number"),
        ("0 91 1", "0 91", "line 20 has 8 values; expected 9, one for every channel"),
        ("0 91 1", "0 91 1 1", "line 20 has 10 values; expected 9"),
        ("0 91 1", "0 nan 1", "line 20, value 2: 'nan' is no number"),
        ("0 91 1", "0 inf 1", "line 20, value 2: 'inf' is no number"),
        ("0 91 1", "0 1e999 1", "line 20, value 2: '1e999' is no length or angle"),
        ("0 91 1", "0 -1e10 1", "line 20, value 2: '-1e10' is no length or angle"),
        ("0 91 1", "0 9_1 1", "line 20, value 2: '9_1' is no number"),
        ("0 91 1", "0 0x9 1", "line 20, value 2: '0x9' is no number"),
        ("0 91 1", "0 9.1.1 1", "line 20, value 2: '9.1.1' is no number"),
        ("0 91 1", "0 9-1 1", "line 20, value 2: '9-1' is no number"),
        ("0 91 1", "0 91,5 1", "line 20, value 2: '91,5' has a decimal comma"),
        ("31 1 2 3", "31 1 2 3 # a note", "line 20, value 10: '#' is no number"),
        ("31 1 2 3", "31 1 2\xa03", "line 20, value 8: '2\\xa03' is no number"),
        ("31 1 2 3", "31 1 2\v3", "line 20, value 8: '2\\x0b3' is no number"),
        ("0 91 1", "0 \0 1", "line 20, value 2: '\\x00' is no number"),
        ("0 91 1", "Anna", "line 20, value 1: 'Anna' is no number"),
        ("0 92 2 12 22 32 1 2 3\n", "0 92 2 12", "line 21 has 4 values; expected 9"),
        ("0 92 2 12 22 32 1 2 3\n", "0 92 2 12 22 32 1 2 -", "line 21, value 9: '-' is no number"),
        (
            "0 91 1 11 21 31 1 2 3\n0",
            "0 91 1 11 21 31 1 2\n3 0",
            "line 20 has 8 values; expected 9",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(path, old, new, saying):
    check_refused(path, change(old, new), saying)


def test_truncation_anywhere_is_said(path):
    whole = SMALL.encode()
    for n in range(0, len(whole) - 2, 3):
        check_refused(path, whole[:n])


def test_other_files_are_said(path, tmp_path):
    check_refused(path, b"", "is empty; expected a BVH file")
    check_refused(path, SMALL.encode("utf-16"), "is text in UTF-16; expected UTF-8")
    check_refused(path, np.random.default_rng(0).bytes(3_000_000), "is not BVH")
    check_refused(path, b"HIERARCHY " + np.random.default_rng(0).bytes(3_000_000))
    check_refused(path, change("CHANNELS 3 Yr", "CHANNELS 0 Yr"), "'Yrotation' in the hierarchy")
    for name, saying in (("missing", "does not exist"), (".", "is a folder")):
        with pytest.raises(DataFormatError, match=f"{saying}; expected a BVH file"):
            read_bvh(tmp_path / name)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataFormatError, match="no ordinary file"):
        read_bvh(tmp_path / "pipe")


def test_nothing_that_moves(path):
    text = change("CHANNELS 3 Yrotation Xrotation Zrotation", "CHANNELS 0")
    text = text.replace("6 Xposition Yposition Zposition Zrotation Xrotation Yrotation", "0")
    check_refused(path, text, "no joint has channels")


def nest(n):
    """A chain of n joints."""
    chain = "JOINT x { OFFSET 0 1 0\n" * (n - 1) + "}\n" * (n - 1)
    return f"HIERARCHY\nROOT x\n{{\nOFFSET 0 0 0\nCHANNELS 1 Yrotation\n{chain}}}\nMOTION\n"


def test_many_joints_in_each_other(path):
    recording = read_text(path, nest(1000) + "Frames: 1\nFrame Time: 0.1\n5\n")
    assert recording.positions[0, -1].tolist() == pytest.approx([0, 999, 0])
    assert recording.joints[-1] == "x_1000"
    check_refused(path, nest(1001), "more than 1,000 joints")
    check_refused(path, nest(10_000), "more than 1,000 joints")
    check_refused(path, nest(1000).replace("}", ""), "MOTION inside of 'x'; is a '}' missing?")


def test_little_that_claims_much(path):
    check_refused(path, nest(100) + "Frames: 100000\nFrame Time: 0.1\n5\n", "has 1 rows of motion")
    # true to its claims, but a byte of the file would take 12 kB of memory
    text = nest(1000) + "Frames: 20000\nFrame Time: 0.1\n" + "5\n" * 20_000
    check_refused(path, text, "claims 458 MiB of numbers but is 0.0")
    text = nest(1000) + "Frames: 200000\nFrame Time: 0.1\n" + "5\n" * 20_000
    check_refused(path, text, "200,000 frames of 1000 joints, 600,000,000 numbers")


def test_long_files_are_refused_at_once(path):
    path.write_text(SMALL)
    os.truncate(path, 2**30)  # takes no room on the disk
    with pytest.raises(DataFormatError, match="1,024 MiB long; expected at most 512 MiB"):
        read_bvh(path)


@pytest.mark.parametrize(
    ("old", "new", "saying"),
    [
        # where a careless pattern or loop takes minutes
        ("0 91 1", f"{'9' * 900_000}x", "line 20, value 1: '9999"),
        ("0 91 1", "1 " * 500_000, "line 20 has 500006 values"),
        ("0 91 1", "1" * 4_000_000, "has a line of more than 1 MiB"),
        ("0.0333333", f"{'9' * 500_000}x", "line 18: '9999"),
        ("Frames: 3", f"Frames{' ' * 500_000}: x y", "line 17: 'Frames : x y'"),
        (
            "Frame Time: ",
            f"Frame{' ' * 200_000}Time{' ' * 200_000}: x ",
            "line 18: 'Frame Time : x 0",
        ),
        ("ROOT Hips", "ROOT Hips " + "x " * 500_000, "line 2: ROOT is called 'Hips x x"),
        ("MOTION", "MOTION " + "x " * 500_000, "line 16: 'x' behind MOTION"),
        ("OFFSET 0 0 0", "OFFSET 0 0 0" + " { }" * 200_000, "line 4: '{' without a joint"),
        ("MOTION", "\n" * 1_500_000, "its motion does not begin within 1 MiB"),
        ("0 91 1", "\n" * 2_500_000 + "0 x 1", "line 2500020, value 2: 'x' is no number"),
    ],
)
def test_what_could_take_long(path, old, new, saying):
    check_refused(path, change(old, new), saying)


def test_damaged_files_are_read_or_refused(mocap_files):
    outcome = fuzz.fuzz(read_bvh, fuzz.make_bvh_seeds(MOCAP), 200, seed=7, suffix=".bvh")
    assert not outcome.failures, outcome.failures[0][1]
    assert outcome.counts["read"] > 10
    assert outcome.counts["DataFormatError"] > 100
    assert len(outcome.messages) > 15


# Writing


def pick_joints(recording):
    return recording.positions[:, [recording.joints.index(name) for name in NAMES]]


def keep_rotations(text):
    """What is left for programs that read position channels of the root only."""
    head, motion = text.split("MOTION\n")
    first, *others = head.split("CHANNELS 6 Xposition Yposition Zposition")
    head = "CHANNELS 3".join(
        [f"{first}CHANNELS 6 Xposition Yposition Zposition{others[0]}", *others[1:]]
    )
    frames, time, *rows = motion.splitlines()
    values = [row.split() for row in rows]
    kept = [
        " ".join(row[:6] + [v for i, v in enumerate(row) if i >= 6 and i % 6 >= 3])
        for row in values
    ]
    return "\n".join([f"{head}MOTION", frames, time, *kept, ""])


@pytest.fixture(scope="module")
def walks():
    uneven = WalkerParameters(asymmetry=0.1, trunk_lean_deg=10, head_drop_deg=20)
    return [simulate_gait(uneven, fps=60.0), *simulate_walks(4, 1, seed=3)]


def test_walks_come_back(path, walks):
    for gait in walks:
        write_bvh(path, gait)
        recording = read_bvh(path)
        assert np.abs(pick_joints(recording) / 100 - gait.positions).max() < 1e-6
        assert recording.fps == gait.fps
        assert recording.name == "walk"
        others = set(recording.joints) - set(NAMES)
        assert others == {
            f"{name}_end" for name in ("head", "right_hand", "left_hand", "right_foot", "left_foot")
        }
        parents = {child: parent for parent, child in BONES}
        for joint in Joint:
            parent = recording.parents[recording.joints.index(NAMES[joint])]
            assert joint not in parents or recording.joints[parent] == NAMES[parents[joint]]


def test_bvhio_reads_the_same_walks(path, bvhio, walks):
    for gait in walks:
        write_bvh(path, gait)
        names, positions = read_with(bvhio, path)
        assert names == NAMES
        assert np.abs(positions / 100 - gait.positions).max() < 1e-5
        assert bvhio.readAsBvh(str(path)).FrameTime == pytest.approx(1 / gait.fps)


def test_real_gaits_come_back(path, real_gaits):
    for gait in real_gaits[::57]:
        write_bvh(path, gait)
        assert np.abs(pick_joints(read_bvh(path)) / 100 - gait.positions).max() < 1e-6


def test_rotations_alone_give_rigid_bones(path, walks):
    for gait in walks:
        write_bvh(path, gait)
        lengths = []
        whole = read_bvh(path)
        rigid = read_text(path, keep_rotations(path.read_text()))
        assert [f.what for f in rigid.findings] == ["frame rate"]
        apart = np.linalg.norm(pick_joints(rigid) - pick_joints(whole), axis=2)
        assert apart.max() < 2.5  # centimetres: simulated shoulders and hips are not quite rigid
        for parent, child in BONES:
            mean = np.linalg.norm(
                gait.positions[:, child] - gait.positions[:, parent], axis=1
            ).mean()
            bone = pick_joints(rigid)[:, child] - pick_joints(rigid)[:, parent]
            np.testing.assert_allclose(np.linalg.norm(bone, axis=1), 100 * mean, rtol=1e-5)
            lengths.append(mean)
        assert len(lengths) == 15


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(4, 9), st.floats(1, 400))
def test_rigid_skeletons_come_back_from_rotations_alone(tmp_path_factory, seed, n_frames, fps):
    rng = np.random.default_rng(seed)
    bones = rng.normal(size=(16, 3)) * 0.3
    turns = {joint: Rotation.random(n_frames, rng=rng) for joint in Joint}
    positions = np.zeros((n_frames, 16, 3))
    positions[:, Joint.ROOT] = rng.normal(size=(n_frames, 3))
    for parent, child in BONES:
        positions[:, child] = positions[:, parent] + turns[parent].apply(bones[child])
    path = tmp_path_factory.mktemp("rigid") / "walk.bvh"
    write_bvh(path, Gait(positions, fps))
    whole = read_bvh(path)
    np.testing.assert_allclose(pick_joints(whole) / 100, positions, rtol=0, atol=1e-6)
    assert whole.fps == pytest.approx(fps, rel=2e-6)
    rigid = read_text(path, keep_rotations(path.read_text()))
    np.testing.assert_allclose(pick_joints(rigid) / 100, positions, rtol=0, atol=1e-5)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-6, 1.0, 1000.0]), st.integers(0, 15))
def test_any_positions_come_back(tmp_path_factory, seed, size, n_still):
    rng = np.random.default_rng(seed)
    positions = rng.normal(size=(5, 16, 3)) * size
    positions[:, 16 - n_still :] = positions[:, :1]  # bones without length
    path = tmp_path_factory.mktemp("any") / "walk.bvh"
    write_bvh(path, Gait(positions, 30.0))
    np.testing.assert_allclose(pick_joints(read_bvh(path)) / 100, positions, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "turn", [np.eye(3), -np.eye(3), np.eye(3)[[1, 2, 0]], np.eye(3)[[2, 0, 1]]]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_straight_angles_come_back(path, turn, axis):
    """Bones along axes, and against their direction at rest: where angles have no single answer."""
    for step in (1.0, -1.0):
        positions = np.zeros((4, 16, 3))
        positions[:, :, axis] = step * np.arange(16)
        positions[2:] = positions[2:] @ turn
        write_bvh(path, Gait(positions, 30.0))
        found = pick_joints(read_bvh(path)) / 100
        np.testing.assert_allclose(found, positions, rtol=0, atol=1e-6)
        rigid = pick_joints(read_text(path, keep_rotations(path.read_text()))) / 100
        np.testing.assert_allclose(rigid, positions, rtol=0, atol=1e-5)


@pytest.mark.parametrize("folded", [*range(1, 16)])
@pytest.mark.parametrize("x_deg", [90.0, -90.0])
def test_folded_limbs_of_who_lies_come_back(path, folded, x_deg):
    """A T-pose laid down, where two of three angles do the same, with one bone pointing backwards."""
    down = (Joint.RIGHT_KNEE, Joint.RIGHT_FOOT, Joint.LEFT_KNEE, Joint.LEFT_FOOT)
    rng = np.random.default_rng(0)
    z_deg, y_deg = rng.uniform(-170, 170, size=(2, 6))
    turns = Rotation.from_euler("ZXY", np.stack([z_deg, np.full(6, x_deg), y_deg], axis=1), True)
    positions = np.zeros((6, 16, 3))
    for parent, child in BONES:
        right, left = "RIGHT" in child.name, "LEFT" in child.name
        bone = [0, -1, 0] if child in down else [left - right, not (left or right), 0]
        step = np.array(bone) * (-0.3 if child == folded else 0.3)
        positions[:, child] = positions[:, parent] + turns.apply(step)
    write_bvh(path, Gait(positions, 30.0))
    rigid = pick_joints(read_text(path, keep_rotations(path.read_text()))) / 100
    np.testing.assert_allclose(rigid, positions, rtol=0, atol=1e-5)


def test_angles_do_not_jump(path):
    gait = simulate_gait(WalkerParameters(), fps=60.0)
    angle = np.linspace(0, 4 * np.pi, len(gait))  # two turns on the spot
    turns = Rotation.from_euler("y", angle[:, None]).as_matrix()
    turned = np.einsum("tij,tkj->tki", turns, gait.positions)
    write_bvh(path, gait.with_positions(turned))
    rows = np.loadtxt(path.read_text().split("Frame Time: ")[1].splitlines()[1:])
    root = rows[:, 3:6]
    assert np.abs(np.diff(root, axis=0)).max() < 60
    assert np.ptp(root[:, 2]) > 600


def test_what_cannot_be_written_is_said(path):
    gait = simulate_gait(WalkerParameters(), fps=30.0)
    gap = gait.positions.copy()
    gap[3, Joint.LEFT_HAND, 1] = np.nan
    path.write_text("as it was")
    cases = [
        (replace(gait, positions=gap, name="Ada"), "gait 'Ada' misses left_hand in frame 3"),
        (replace(gait, fps=0.5), "has 0.5 frames a second; expected 1 to 10000"),
        (gait.with_positions(gait.positions.astype(np.float64) * 1e200), "expected at most 1e+06"),
        (
            gait.with_positions(np.zeros((MAX_FRAMES + 1, 16, 3), dtype=np.float32)),
            "has 200,001 frames; expected at most 200,000",
        ),
    ]
    for bad, saying in cases:
        with pytest.raises(DataFormatError) as caught:
            write_bvh(path, bad)
        assert saying in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert path.read_text() == "as it was"
    with pytest.raises(DataFormatError, match="is a folder"):
        write_bvh(path.parent, gait)
    assert [file.name for file in path.parent.iterdir()] == ["walk.bvh"]


def test_the_text_is_plain_bvh(path):
    gait = simulate_gait(WalkerParameters(), fps=30.0)
    write_bvh(path, gait)
    lines = path.read_text(encoding="ascii").splitlines()
    assert lines[:3] == ["HIERARCHY", "ROOT root", "{"]
    assert sum("JOINT" in line for line in lines) == 15
    assert sum("End Site" in line for line in lines) == 5
    assert "Frame Time: 0.03333333333333333" in lines
    assert f"Frames: {len(gait)}" in lines
    assert "-0.000000" not in path.read_text()
