import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.errors import DataFormatError, MoodwalkError
from moodwalk.intake.mapping import find_map, map_joints, normalise_name, read_joint_map
from moodwalk.intake.maps import NECK_SHARE, SPINE_SHARE
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
    ],
)
def test_names_lose_their_style(name, expected):
    assert normalise_name(name) == expected


@given(
    st.sampled_from(["", "mixamorig:", "Character1_", "Ada:", "skel:"]),
    st.sampled_from(["_", ".", " ", "-"]),
    st.sampled_from([str.lower, str.upper, str.title]),
)
def test_style_does_not_matter(prefix, separator, case):
    names = [prefix + case(name.replace("_", separator)) for name in COCO]
    assert find_map(names).name == "COCO-17"


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
    assert "hips" in mapped.sources["spine"]


def test_missing_points_stay_missing_in_what_is_made_of_them():
    recording = record(COCO)
    positions = recording.positions.copy()
    positions[2, COCO.index("left_hip")] = np.nan
    mapped = map_joints(Recording(positions, COCO, 30.0, "test"))
    lost = np.isnan(mapped.positions).any(axis=2)
    assert lost[2].sum() == 4  # the hip, root, spine and neck
    assert not lost[[0, 1, 3, 4]].any()


def test_an_unknown_skeleton_is_refused_with_what_lacks():
    with pytest.raises(
        DataFormatError, match="nearest is COCO-17, but left_knee could not be placed"
    ):
        find_map([name for name in COCO if name != "left_knee"])
    with pytest.raises(DataFormatError, match="--joint-map"):
        find_map([f"marker{i}" for i in range(40)])


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "which joint is root"),
        (
            "[joints]\nroot = 3\n" + "\n".join(f'{n} = "a"' for n in OWN[1:]),
            "expected a name, two names",
        ),
        ("[joints]\nnose = 'a'", "no joint 'nose'"),
        ("joints = 4", "expected a table"),
        ("[joints", "neither TOML nor JSON"),
        ('{"joints": ', "neither TOML nor JSON"),
        ("[" * 5000, "neither TOML nor JSON"),
        ("\x00\xff", "neither TOML nor JSON"),
        ("#" + "x" * 70_000, "larger than 64 KiB"),
        (
            "[joints]\n" + "\n".join(f'{n} = "a"' for n in OWN) + "\n[extras]\nnose = 'b'",
            "no extra",
        ),
    ],
)
def test_maps_that_make_no_sense(tmp_path, text, message):
    path = tmp_path / "map.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataFormatError, match=message):
        read_joint_map(path)


def test_a_missing_map(tmp_path):
    with pytest.raises(DataFormatError, match="does not exist"):
        read_joint_map(tmp_path / "none.toml")


@given(st.lists(st.text(max_size=20), max_size=40, unique=True))
def test_any_names_end_in_a_map_or_one_line(names):
    try:
        message = find_map(names).name
    except MoodwalkError as error:
        message = str(error)
    assert "\n" not in message
