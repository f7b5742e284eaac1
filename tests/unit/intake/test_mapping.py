import json
import os
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.intake.mapping import find_map, map_joints, normalise_name, read_joint_map
from moodwalk.intake.maps import NECK_SHARE, SKELETON_MAPS, SPINE_SHARE
from moodwalk.recording import Recording
from moodwalk.skeleton import Joint

COCO = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
OWN = [joint.name.lower() for joint in Joint]
MAPS = {one.name: one for one in SKELETON_MAPS}
MOCAP = Path(__file__).resolve().parents[4] / "shared" / "data" / "mocap"


def record(joints, seed=0, n_frames=5):
    rng = np.random.default_rng(seed)
    return Recording(rng.normal(size=(n_frames, len(joints), 3)), joints, 30.0, "test")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mixamorig:LeftUpLeg", "left upleg"),
        ("Character1_LeftUpLeg", "left upleg"),
        ("left.up.leg", "left upleg"),
        ("Bip01 L Thigh", "left thigh"),
        ("Bip001_R_Calf", "right calf"),
        ("UpperArm_L", "left upperarm"),
        ("ShoulderRight", "right shoulder"),
        ("LBigToe", "left bigtoe"),
        ("rhip", "right hip"),
        ("Ada:LowerBack", "lowerback"),
        ("Spine1", "spine1"),
        ("LEFT_FOOT_INDEX", "left footindex"),
        ("LEFTUPLEG", "left upleg"),
        ("shoulderleft", "left shoulder"),
        ("LHipJoint", "left hipjoint"),
        ("lhipjoint", "left hipjoint"),
        ("ValveBiped.Bip01_L_Thigh", "left thigh"),
        ("JointType_SpineBase", "spinebase"),
        ("m_avg_L_Hip", "left hip"),
        ("joint_Root", "root"),
        ("L5", "l5"),
        ("Left", "left"),
        ("左手", "左手"),
        ("Rücken", "rücken"),
        ("??", "??"),
        ("", ""),
    ],
)
def test_names_lose_their_style(name, expected):
    assert normalise_name(name) == expected


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "mixamorig:", "Character1_", "Ada:", "skel:"]),
            st.sampled_from(["_", ".", " ", "-", ""]),
            st.sampled_from([str.lower, str.upper, str.title]),
        ),
        min_size=len(COCO),
        max_size=len(COCO),
    )
)
def test_every_name_may_have_a_style_of_its_own(styles):
    names = [
        prefix + case(name.replace("_", separator))
        for name, (prefix, separator, case) in zip(COCO, styles, strict=True)
    ]
    recording = record(names)
    mapped = map_joints(recording)
    assert mapped.skeleton == "COCO-17"
    assert mapped.sources["left_knee"] == names[COCO.index("left_knee")]
    np.testing.assert_array_equal(
        mapped.positions[:, Joint.LEFT_KNEE], recording.positions[:, COCO.index("left_knee")]
    )


def test_joints_go_where_they_belong():
    recording = record(OWN[::-1])
    mapped = map_joints(recording)
    np.testing.assert_array_equal(mapped.positions, recording.positions[:, ::-1])
    assert mapped.skeleton == "moodwalk"
    assert mapped.derived == ()
    assert mapped.sources == dict(zip(OWN, OWN, strict=True))


def test_what_a_skeleton_lacks_is_derived_and_said():
    recording = record(COCO)
    mapped = map_joints(recording)
    x = {name: recording.positions[:, i] for i, name in enumerate(COCO)}
    hips = (x["left_hip"] + x["right_hip"]) / 2
    shoulders = (x["left_shoulder"] + x["right_shoulder"]) / 2
    expected = {
        Joint.ROOT: hips,
        Joint.SPINE: hips + SPINE_SHARE * (shoulders - hips),
        Joint.NECK: hips + NECK_SHARE * (shoulders - hips),
        Joint.HEAD: (x["left_ear"] + x["right_ear"]) / 2,
        Joint.RIGHT_HAND: x["right_wrist"],
        Joint.LEFT_FOOT: x["left_ankle"],
    }
    for joint, points in expected.items():
        np.testing.assert_allclose(mapped.positions[:, joint], points, atol=1e-12)
    assert mapped.derived == ("root", "spine", "neck", "head")
    assert mapped.sources["root"] == "middle of left_hip and right_hip"
    assert mapped.sources["spine"] == (
        "0.54 of the way from the middle of the hips to that of the shoulders"
    )
    np.testing.assert_array_equal(mapped.extras["nose"], x["nose"])
    assert list(mapped.sources) == OWN


@pytest.mark.parametrize("emotion", ["angry", "happy", "normal", "sad"])
def test_the_joints_of_the_bvh_files(emotion):
    path = MOCAP / f"dataset-1_walk_{emotion}_001.bvh"
    if not path.exists():
        pytest.skip("needs shared/data/mocap, which is not part of the repository")
    names = re.findall(r"(?:ROOT|JOINT) +(\S+)", path.read_text())
    assert len(names) == 22
    mapped = map_joints(record(names))
    assert mapped.skeleton == "Bandai-Namco"
    assert mapped.derived == ("spine",)
    assert mapped.sources["spine"] == "middle of Spine and Chest"
    assert mapped.sources["left_shoulder"] == "UpperArm_L"
    assert set(mapped.extras) == {"right_toe", "left_toe"}


def test_words_are_in_the_names_of_the_recording():
    names = ["Model_" + name for name in MAPS["LAFAN1"].names]
    mapped = map_joints(record(names))
    assert mapped.sources["spine"] == "0.7 of the way from Model_Spine1 to Model_Spine2"


def test_two_people_are_refused_and_never_mixed():
    """Where one of them lacks a hand, the other one's must not be taken for it."""
    names = [f"{who}:{name}" for who in ("Ada", "Bob") for name in MAPS["CMU"].names]
    names.remove("Ada:lefthand" if "Ada:lefthand" in names else "Ada:leftHand")
    with pytest.raises(DataFormatError, match="both 'Ada:Hips' and 'Bob:Hips' could be root"):
        map_joints(record(names))


def test_two_toes_of_a_name_are_left_out_rather_than_guessed():
    names = [*OWN, "Left Toe", "left.toe", "right_toe"]
    assert set(map_joints(record(names)).extras) == {"right_toe"}


@pytest.mark.parametrize("style", ["{}", "joint_{}", "Joint {}", "kp{}", "p{}"])
@pytest.mark.parametrize("first", [0, 1])
def test_numbered_joints_are_read_by_their_numbers_with_a_map_that_has_an_order(style, first):
    published = MAPS["MediaPipe-33"].order
    names = sorted(style.format(i + first) for i in range(33))  # 1, 10, 11, ..., 2: as text sorts
    recording = record(names)
    mapped = map_joints(recording, MAPS["MediaPipe-33"])
    knee = style.format(published.index("right_knee") + first)
    np.testing.assert_array_equal(
        mapped.positions[:, Joint.RIGHT_KNEE], recording.positions[:, names.index(knee)]
    )
    assert mapped.sources["right_knee"] == f"right_knee ({knee})"


@pytest.mark.parametrize(
    ("skeleton", "n", "message"),
    [
        (None, 33, "only numbered; they could be MediaPipe-33, but nothing says so"),
        (None, 17, "could be Human3.6M-17 or COCO-17"),
        (None, 19, "no known order has so many"),
        ("COCO-17", 17, "could be COCO-17 or Human3.6M-17"),
        ("NTU-25", 25, "could be NTU-25 or BODY_25"),
        ("MediaPipe-33", 25, "MediaPipe-33 has 33"),
        ("CMU", 31, "'Hips', needed for root, is not in the recording"),
    ],
)
def test_numbers_alone_say_too_little(skeleton, n, message):
    with pytest.raises(DataFormatError, match=message):
        map_joints(record([str(i) for i in range(n)]), MAPS.get(skeleton))


def test_names_with_numbers_are_no_numbers():
    with pytest.raises(DataFormatError, match="none of the names is known"):
        find_map([str(i) for i in range(0, 66, 2)])


def test_missing_points_stay_missing_in_what_is_made_of_them():
    recording = record(COCO)
    positions = recording.positions.copy()
    positions[2, COCO.index("left_hip")] = np.nan
    mapped = map_joints(Recording(positions, COCO, 30.0, "test"))
    lost = np.isnan(mapped.positions).any(axis=2)
    assert lost[2].sum() == 4  # the hip, root, spine and neck
    positions[2, COCO.index("left_hip"), 1:] = 0.5  # one coordinate is enough
    positions[3, COCO.index("nose"), 2] = np.nan
    partly = map_joints(Recording(positions, COCO, 30.0, "test"))
    np.testing.assert_array_equal(partly.positions, mapped.positions)
    assert np.isnan(partly.extras["nose"]).all(axis=1).tolist() == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert not np.isnan(positions[3, COCO.index("nose"), :2]).any()  # what was given is as it was
    assert not lost[[0, 1, 3, 4]].any()


def test_an_unknown_skeleton_is_refused_with_what_lacks():
    with pytest.raises(
        DataFormatError, match="nearest is COCO-17, but left_knee could not be placed"
    ):
        find_map([name for name in COCO if name != "left_knee"])
    with pytest.raises(DataFormatError, match=r"none of the names is known.*--joint-map"):
        find_map([f"marker{i}" for i in range(40)])
    with pytest.raises(DataFormatError, match="0 joints"):
        find_map([])
    with pytest.raises(DataFormatError) as caught:
        find_map([name for name in OWN if "elbow" not in name and name != "head"])
    assert "but head, right_elbow, left_elbow could not be placed" in str(caught.value)


@settings(max_examples=40)
@given(st.permutations(OWN), st.sets(st.sampled_from(OWN), min_size=1, max_size=15))
def test_what_could_not_be_placed_is_named_in_full(names, lacking):
    with pytest.raises(DataFormatError) as caught:
        find_map([name for name in names if name not in lacking])
    said = str(caught.value)
    nearest = re.search(r"nearest is (.+?), but (.+?) could not be placed", said)
    if nearest is None:
        assert "none of the names is known" in said
    elif nearest[1] == "moodwalk":
        assert nearest[2].split(", ") == [name for name in OWN if name in lacking]


def test_a_map_of_ones_own(tmp_path):
    joints = {name: f"m{i}" for i, name in enumerate(OWN)}
    joints["root"] = ["m10", "m13"]
    joints["spine"] = {"from": "m0", "to": "m2", "share": 0.25}
    (tmp_path / "map.json").write_text(
        json.dumps({"joints": joints, "extras": {"left_toe": "m20"}})
    )
    lines = ["[joints]"] + [
        f'{name} = ["m10", "m13"]' if name == "root"
        else f'{name} = {{from = "m0", to = "m2", share = 0.25}}' if name == "spine"
        else f'{name} = "{source}"'
        for name, source in joints.items()
    ]  # fmt: skip
    (tmp_path / "map.toml").write_text("\n".join([*lines, "[extras]", 'left_toe = "m20"']))
    recording = record([f"m{i}" for i in range(21)])
    x = recording.positions
    for name in ("map.json", "map.toml"):
        mapped = map_joints(recording, read_joint_map(tmp_path / name))
        np.testing.assert_allclose(mapped.positions[:, Joint.ROOT], (x[:, 10] + x[:, 13]) / 2)
        np.testing.assert_allclose(
            mapped.positions[:, Joint.SPINE], 0.75 * x[:, 0] + 0.25 * x[:, 2]
        )
        np.testing.assert_array_equal(mapped.positions[:, Joint.LEFT_FOOT], x[:, 15])
        np.testing.assert_array_equal(mapped.extras["left_toe"], x[:, 20])
        assert mapped.skeleton == name
    short = record([f"m{i}" for i in range(9)])
    with pytest.raises(DataFormatError, match="not in the recording"):
        map_joints(short, read_joint_map(tmp_path / "map.json"))


def write_toml(joints, extras=()):
    def say(value):
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key} = {say(part)}" for key, part in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(say, value)) + "]"
        return json.dumps(value, ensure_ascii=False)

    tables = {"joints": joints, "extras": dict(extras)}
    return "\n".join(
        line
        for table, entries in tables.items()
        for line in (f"[{table}]", *(f"{key} = {say(value)}" for key, value in entries.items()))
    )


ANY_NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\x7f"),
    min_size=1,
    max_size=12,
)


@settings(max_examples=50)
@given(
    st.lists(ANY_NAME, min_size=18, max_size=18, unique=True),
    st.floats(-3, 3).map(lambda share: round(share, 3)),
    st.booleans(),
)
def test_a_map_comes_back_as_it_was_written(tmp_path_factory, names, share, as_json):
    joints = dict(zip(OWN, names, strict=False))
    joints["root"], joints["spine"] = (
        names[16:18],
        {"from": names[0], "to": names[1], "share": share},
    )
    extras = {"nose": names[16], "left_heel": names[17]}
    path = tmp_path_factory.getbasetemp() / "round trip.map"
    text = (
        json.dumps({"joints": joints, "extras": extras}) if as_json else write_toml(joints, extras)
    )
    path.write_text(text, encoding="utf-8")
    found = read_joint_map(path)
    recording = record(names)
    x = dict(zip(names, np.moveaxis(recording.positions, 1, 0), strict=True))
    mapped = map_joints(recording, found)
    np.testing.assert_allclose(mapped.positions[:, 0], (x[names[16]] + x[names[17]]) / 2)
    np.testing.assert_allclose(
        mapped.positions[:, 1], x[names[0]] + share * (x[names[1]] - x[names[0]]), atol=1e-9
    )
    for i, name in enumerate(OWN[2:], 2):
        np.testing.assert_array_equal(mapped.positions[:, i], x[names[i]])
        assert mapped.sources[name] == names[i]
    assert mapped.sources["root"] == f"middle of {names[16]} and {names[17]}"
    assert mapped.derived == ("root", "spine")
    assert set(mapped.extras) == set(extras)


def test_extras_that_are_not_there_are_said_of_a_map_of_ones_own(tmp_path):
    path = tmp_path / "map.toml"
    path.write_text(write_toml({name: name for name in OWN}, {"left_toe": "ToeL"}))
    with pytest.raises(
        DataFormatError, match="'ToeL', needed for left_toe, is not in the recording"
    ):
        map_joints(record(OWN), read_joint_map(path))


SIXTEEN = {name: f"m{i}" for i, name in enumerate(OWN)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which joint is root, spine, .*, left_foot; expected all 16"),
        (write_toml(SIXTEEN | {"root": 3}), "root is 3; expected a name, two names"),
        (write_toml(SIXTEEN | {"root": ["a"]}), "expected a name, two names"),
        (write_toml(SIXTEEN | {"root": ["a", "a"]}), "expected a name, two names"),
        (write_toml(SIXTEEN | {"root": ["a", ["b"]]}), "expected a name, two names"),
        (write_toml(SIXTEEN | {"root": ""}), "expected a name, two names"),
        (write_toml(SIXTEEN | {"root": {"from": "a", "to": "b"}}), "from, to, share"),
        (
            write_toml(SIXTEEN | {"root": {"from": "a", "to": "b", "share": True}}),
            "share of -3 to 3",
        ),
        (write_toml(SIXTEEN | {"root": {"from": "a", "to": "b", "share": 9}}), "share of -3 to 3"),
        (write_toml(SIXTEEN | {"root": {"from": "a", "to": "a", "share": 0.5}}), "from, to, share"),
        (write_toml(SIXTEEN).replace('"m3"', "nan"), "head is nan"),
        (write_toml(SIXTEEN | {"left_hip": "m10"}), "right_hip and left_hip are both 'm10'"),
        (write_toml(SIXTEEN) + '\n[extra]\nnose = "m"', "no table 'extra'"),
        (write_toml({"nose": "a"}), "no joint 'nose'"),
        ("joints = 4", "expected a table"),
        ("[joints", "neither TOML nor JSON"),
        ('{"joints": ', "neither TOML nor JSON"),
        ('{"joints": {"root": "a", "root": "b"}}', "neither TOML nor JSON: 'root' comes twice"),
        ("[" * 5000, "neither TOML nor JSON"),
        ('{"a":' * 5000, "neither TOML nor JSON"),
        ("\x00\xff", "neither TOML nor JSON: it is no UTF-8 text"),
        ("#" + "x" * 70_000, "larger than 64 KiB"),
        (write_toml(SIXTEEN, {"chin": "b"}), "no extra 'chin'; expected right_toe"),
        (write_toml(SIXTEEN, {"nose": 3}), "nose is 3; expected the name of a joint"),
        ('{"joints": {"\\ud800\\n": "a"}}', r"no joint '\\ud800\\n'"),
    ],
)
def test_maps_that_make_no_sense(tmp_path, text, message):
    path = tmp_path / "map.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataFormatError, match=message) as caught:
        read_joint_map(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).encode("utf-8")) < 600


WHOLE = write_toml(SIXTEEN | {"root": ["a", "b"], "spine": {"from": "a", "to": "b", "share": 0.5}})


@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 9), st.binary(max_size=6)),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_damaged_maps_are_read_or_end_in_one_line(tmp_path_factory, cuts, as_json):
    content = json.dumps(tomllib.loads(WHOLE)).encode() if as_json else WHOLE.encode()
    for start, n_gone, put in cuts:
        content = content[:start] + put + content[start + n_gone :]
    path = tmp_path_factory.getbasetemp() / "damaged.map"
    path.write_bytes(content)
    try:
        said = " ".join(joint.name for joint in read_joint_map(path).joints)
    except DataFormatError as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    said.encode("utf-8")


def test_a_missing_map(tmp_path):
    with pytest.raises(DataFormatError, match="does not exist"):
        read_joint_map(tmp_path / "none.toml")
    with pytest.raises(DataFormatError, match="no ordinary file"):
        read_joint_map(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataFormatError, match="no ordinary file"):
        read_joint_map(tmp_path / "pipe")


@settings(max_examples=50)
@given(st.lists(st.text(max_size=12), max_size=25, unique=True))
def test_any_names_end_in_a_map_or_one_line(names):
    try:
        message = find_map(names).name
    except MoodwalkError as error:
        message = str(error)
    assert "\n" not in message
