import random
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.intake.mapping import find_map, map_joints, normalise_name
from moodwalk.intake.maps import NECK_SHARE, SKELETON_MAPS, SPINE_SHARE
from moodwalk.recording import Recording
from moodwalk.skeleton import MIRROR, Joint

PUBLISHED = {
    "CMU": "Hips LHipJoint LeftUpLeg LeftLeg LeftFoot LeftToeBase RHipJoint RightUpLeg RightLeg RightFoot "
    "RightToeBase LowerBack Spine Spine1 Neck Neck1 Head LeftShoulder LeftArm LeftForeArm LeftHand "
    "LeftFingerBase LeftHandIndex1 LThumb RightShoulder RightArm RightForeArm RightHand "
    "RightFingerBase RightHandIndex1 RThumb",
    "LAFAN1": "Hips LeftUpLeg LeftLeg LeftFoot LeftToe RightUpLeg RightLeg RightFoot RightToe Spine Spine1 "
    "Spine2 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder RightArm RightForeArm RightHand",
    "Mixamo": "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck "
    "mixamorig:Head mixamorig:HeadTop_End mixamorig:LeftShoulder mixamorig:LeftArm mixamorig:LeftForeArm "
    "mixamorig:LeftHand mixamorig:RightShoulder mixamorig:RightArm mixamorig:RightForeArm "
    "mixamorig:RightHand mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot mixamorig:LeftToeBase "
    "mixamorig:RightUpLeg mixamorig:RightLeg mixamorig:RightFoot mixamorig:RightToeBase",
    "HumanIK": "Reference Hips LeftUpLeg LeftLeg LeftFoot LeftToeBase RightUpLeg RightLeg RightFoot "
    "RightToeBase Spine Spine1 Spine2 Spine3 LeftShoulder LeftArm LeftForeArm LeftHand RightShoulder "
    "RightArm RightForeArm RightHand Neck Head",
    "Xsens": "Pelvis L5 L3 T12 T8 Neck Head RightShoulder RightUpperArm RightForeArm RightHand LeftShoulder "
    "LeftUpperArm LeftForeArm LeftHand RightUpperLeg RightLowerLeg RightFoot RightToe LeftUpperLeg "
    "LeftLowerLeg LeftFoot LeftToe",
    "Xsens BVH": "Hips Chest Chest2 Chest3 Chest4 Neck Head RightCollar RightShoulder RightElbow RightWrist "
    "LeftCollar LeftShoulder LeftElbow LeftWrist RightHip RightKnee RightAnkle RightToe LeftHip LeftKnee "
    "LeftAnkle LeftToe",
    "3ds Max BVH": "Hips LeftHip LeftKnee LeftAnkle RightHip RightKnee RightAnkle Chest Chest2 LeftCollar "
    "LeftShoulder LeftElbow LeftWrist RightCollar RightShoulder RightElbow RightWrist Neck Head",
    "Bandai-Namco": "joint_Root Hips Spine Chest Neck Head Shoulder_L UpperArm_L LowerArm_L Hand_L "
    "Shoulder_R UpperArm_R LowerArm_R Hand_R UpperLeg_L LowerLeg_L Foot_L Toes_L UpperLeg_R LowerLeg_R "
    "Foot_R Toes_R",
    "SMPL": "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist",
    "SMPL-24": "Pelvis L_Hip R_Hip Spine1 L_Knee R_Knee Spine2 L_Ankle R_Ankle Spine3 L_Foot R_Foot Neck "
    "L_Collar R_Collar Head L_Shoulder R_Shoulder L_Elbow R_Elbow L_Wrist R_Wrist L_Hand R_Hand",
    "Human3.6M-17": "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow "
    "LWrist RShoulder RElbow RWrist",
    "NTU-25": "SpineBase SpineMid Neck Head ShoulderLeft ElbowLeft WristLeft HandLeft ShoulderRight "
    "ElbowRight WristRight HandRight HipLeft KneeLeft AnkleLeft FootLeft HipRight KneeRight AnkleRight "
    "FootRight SpineShoulder HandTipLeft ThumbLeft HandTipRight ThumbRight",
    "COCO-17": "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
    "BODY_25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle LHip "
    "LKnee LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "MediaPipe-33": "NOSE LEFT_EYE_INNER LEFT_EYE LEFT_EYE_OUTER RIGHT_EYE_INNER RIGHT_EYE RIGHT_EYE_OUTER "
    "LEFT_EAR RIGHT_EAR MOUTH_LEFT MOUTH_RIGHT LEFT_SHOULDER RIGHT_SHOULDER LEFT_ELBOW RIGHT_ELBOW "
    "LEFT_WRIST RIGHT_WRIST LEFT_PINKY RIGHT_PINKY LEFT_INDEX RIGHT_INDEX LEFT_THUMB RIGHT_THUMB LEFT_HIP "
    "RIGHT_HIP LEFT_KNEE RIGHT_KNEE LEFT_ANKLE RIGHT_ANKLE LEFT_HEEL RIGHT_HEEL LEFT_FOOT_INDEX "
    "RIGHT_FOOT_INDEX",
}
BIPED = [
    "Bip01", *(f"Bip01 {name}" for name in ("Pelvis", "Spine", "Spine1", "Neck", "Head")),
    *(
        f"Bip01 {side} {name}"
        for side in "LR"
        for name in ("Clavicle", "UpperArm", "Forearm", "Hand", "Thigh", "Calf", "Foot", "Toe0")
    ),
]  # fmt: skip
NAMES = {name: text.split() for name, text in PUBLISHED.items()} | {
    "Biped": BIPED,
    "moodwalk": [joint.name.lower() for joint in Joint],
}

# Of each, where joints lie on the line from mid-hips (0) to mid-shoulders (1): from the offsets of
# published files at rest (CMU: subject 7; Human3.6M: the published lengths), from one published frame
# (LAFAN1, Kinect v2), as the mean of the four walks in BVH (Bandai-Namco), of two videos (MediaPipe)
HEIGHTS = {
    "CMU": {"Hips": 0.26, "Spine": 0.57, "Spine1": 0.87, "Neck": 0.87, "Neck1": 1.07, "Head": 1.28},
    "LAFAN1": {"Hips": 0.0, "Spine": 0.13, "Spine1": 0.38, "Spine2": 0.62, "Neck": 1.11, "Head": 1.33},
    "Mixamo": {"Hips": 0.13, "Spine": 0.33, "Spine1": 0.56, "Spine2": 0.82, "Neck": 1.12, "Head": 1.31},
    "Xsens": {"Pelvis": 0.0, "L5": 0.23, "L3": 0.44, "T12": 0.64, "T8": 0.84, "Neck": 1.13, "Head": 1.31},
    "Xsens BVH": {"Hips": 0.0, "Chest": 0.23, "Chest2": 0.44, "Chest3": 0.64, "Chest4": 0.84,
        "Neck": 1.13, "Head": 1.31},
    "Bandai-Namco": {"Hips": 0.06, "Spine": 0.45, "Chest": 0.68, "Neck": 1.09, "Head": 1.25},
    "SMPL": {"pelvis": 0.17, "spine1": 0.37, "spine2": 0.62, "spine3": 0.71, "neck": 1.11, "head": 1.23},
    "Human3.6M-17": {"Hip": 0.0, "Spine": 0.48, "Thorax": 1.0, "Neck/Nose": 1.25, "Head": 1.48},
    "NTU-25": {"SpineBase": 0.0, "SpineMid": 0.64, "SpineShoulder": 1.1, "Neck": 1.26, "Head": 1.5},
    "MediaPipe-33": {"LEFT_EAR": 1.38, "RIGHT_EAR": 1.38, "NOSE": 1.3},
    "COCO-17": {"left_ear": 1.38, "right_ear": 1.38, "nose": 1.3},
}  # fmt: skip


@pytest.mark.parametrize("one", SKELETON_MAPS, ids=lambda one: one.name)
def test_every_map_places_all_joints_and_its_sides_mirror_each_other(one):
    assert list(one.joints) == list(Joint)
    for joint, place in one.joints.items():
        assert sum(weight for _, weight in place.parts) == pytest.approx(1)
        twin = one.joints[MIRROR[joint]]
        swapped = {
            (name.replace("right", "*").replace("left", "right").replace("*", "left"), weight)
            for name, weight in place.parts
        }
        assert swapped == set(twin.parts)
        assert place.is_derived == bool(place.words)


@pytest.mark.parametrize("one", SKELETON_MAPS, ids=lambda one: one.name)
def test_what_maps_ask_for_are_names_that_the_skeleton_has(one):
    known = {normalise_name(part) for name in one.names or one.order for part in name.split("|")}
    for place in one.joints.values():
        for name, _ in place.parts:
            assert {normalise_name(part) for part in name.split("|")} <= known
    published = {normalise_name(name) for name in NAMES[one.name]}
    if one.name not in ("moodwalk", "3ds Max BVH"):  # whose files may have toes, or not
        assert {normalise_name(source) for source in one.extras.values()} <= published
    assert set(one.extras) <= {"right_toe", "left_toe", "right_heel", "left_heel", "nose"}
    assert ("right_toe" in one.extras) == ("left_toe" in one.extras)


def test_there_is_a_list_of_names_for_every_map():
    assert set(NAMES) == {one.name for one in SKELETON_MAPS}


@pytest.mark.parametrize("name", NAMES)
def test_every_skeleton_is_known_by_the_names_that_its_files_have_and_by_no_others(name):
    names = list(NAMES[name])
    random.Random(0).shuffle(names)
    mapped = map_joints(Recording(np.zeros((1, len(names), 3)), names, 30.0, "test"))
    assert mapped.skeleton == find_map(names).name == name
    (finding,) = mapped.findings
    assert "as much those of" not in finding.evidence
    assert finding.confidence == pytest.approx(1 - 0.02 * len(mapped.derived))


@given(
    st.sampled_from(sorted(NAMES)),
    st.sampled_from(["", "Ada:", "Model_", "walk 1|", "Skeleton_01_", "group.", "Character1_"]),
    st.sampled_from([str, str.lower, str.upper]),
    st.sampled_from(["", "_", ".", " ", "-"]),
)
def test_prefix_case_and_separators_do_not_matter(skeleton, prefix, case, separator):
    names = []
    for name in NAMES[skeleton]:
        namespace, _, bare = name.rpartition(":")
        names.append(
            prefix
            + case(namespace and f"{namespace}:")
            + case(re.sub(r"[_ ]", separator or "_", bare))
        )
    assert find_map(names).name == skeleton


def test_a_shoulder_is_the_collar_bone_only_where_there_is_an_arm():
    sources = {
        name: find_map(NAMES[name]).joints[Joint.LEFT_SHOULDER].parts[0][0] for name in NAMES
    }
    named_arm = {name for name, source in sources.items() if "shoulder" not in source.lower()}
    assert named_arm == {"CMU", "LAFAN1", "Mixamo", "HumanIK", "Xsens", "Bandai-Namco", "Biped"}


def test_a_mixamo_rig_without_toes_is_known_by_its_prefix():
    plain = [name for name in NAMES["LAFAN1"] if "Toe" not in name]
    assert find_map([f"mixamorig:{name}" for name in plain]).name == "Mixamo"
    mapped = map_joints(Recording(np.zeros((1, len(plain), 3)), plain, 30.0, "test"))
    assert "as much those of" in mapped.findings[0].evidence
    assert mapped.findings[0].confidence < 0.5


def test_orders_have_the_lengths_that_their_names_say():
    lengths = {one.name: len(one.order) for one in SKELETON_MAPS if one.order}
    assert lengths == {
        "moodwalk": 16, "SMPL": 22, "SMPL-24": 24, "Human3.6M-17": 17, "NTU-25": 25, "COCO-17": 17,
        "BODY_25": 25, "MediaPipe-33": 33,
    }  # fmt: skip
    alike = {
        "hip": "pelvis",
        "necknose": "nose",
        "left foot": "left ankle",
        "right foot": "right ankle",
    }
    for one in SKELETON_MAPS:
        if one.order:
            published = [normalise_name(joint) for joint in NAMES[one.name]]
            if one.name == "Human3.6M-17":
                published = [alike.get(joint, joint) for joint in published]
            assert published == [normalise_name(joint) for joint in one.order]


@pytest.mark.parametrize("name", HEIGHTS)
def test_the_trunk_lies_where_the_real_gaits_have_it(name):
    names, heights = NAMES[name], HEIGHTS[name]
    positions = np.zeros((1, len(names), 3))
    for i, joint in enumerate(names):
        bare = normalise_name(joint)
        shoulder = bare.endswith(("shoulder", "arm")) and "fore" not in bare and "lower" not in bare
        positions[0, i, 1] = heights.get(joint.split(":")[-1], 1.0 if shoulder else 0.0)
    mapped = map_joints(Recording(positions, names, 30.0, "test")).positions[0, :, 1]
    assert mapped[[Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER]].tolist() == [1.0, 1.0]
    assert mapped[[Joint.RIGHT_HIP, Joint.LEFT_HIP]].tolist() == [0.0, 0.0]
    # 10th to 90th percentile of the 342, but for the spine of a Kinect and heads at the skull's base
    low = {Joint.ROOT: -0.01, Joint.SPINE: 0.47, Joint.NECK: 0.96, Joint.HEAD: 1.22}
    high = {
        Joint.ROOT: 0.26,
        Joint.SPINE: 0.65 if name == "NTU-25" else 0.575,
        Joint.NECK: 1.16,
        Joint.HEAD: 1.55,
    }
    for joint in low:
        assert low[joint] <= mapped[joint] <= high[joint], joint.name


def test_shares_are_those_of_the_real_gaits(real_gaits):
    spine, neck = [], []
    for gait in real_gaits:
        x = gait.positions.astype(np.float64)
        hips = x[:, [Joint.RIGHT_HIP, Joint.LEFT_HIP]].mean(axis=1)
        line = x[:, [Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER]].mean(axis=1) - hips
        for joint, shares in ((Joint.SPINE, spine), (Joint.NECK, neck)):
            shares.append(
                (((x[:, joint] - hips) * line).sum(axis=1) / (line**2).sum(axis=1)).mean()
            )
    assert np.median(spine) == pytest.approx(SPINE_SHARE, abs=0.01)
    assert np.median(neck) == pytest.approx(NECK_SHARE, abs=0.01)


@pytest.mark.parametrize(
    ("key", "thigh", "offsets"),
    [
        ("07_01_positions.csv", (-2.44709, -6.72334, 0.0), {
            "LeftUpLeg": (1.85590, -1.73949, 0.84976), "RightUpLeg": (-1.68297, -1.73949, 0.84976),
            "Spine": (-0.01560, 2.23971, -0.03712), "Head": (0.17855, 1.46173, -0.32578)}),
        ("35_01_positions.csv", (-2.60386, -7.15404, 0.0), {
            "LeftUpLeg": (1.77779, -1.88989, 0.48267), "RightUpLeg": (-1.58469, -1.88989, 0.48267),
            "Spine": (0.03410, 2.01612, -0.22230), "Head": (0.02518, 1.72339, -0.22179)}),
    ],
)  # fmt: skip
def test_the_cmu_map_takes_the_joints_that_the_real_gaits_took(real_gaits, key, thigh, offsets):
    """By bones that do not bend, of CMU's subjects 7 and 35; Head hangs on Neck1, not on Neck."""
    gait = next(gait for gait in real_gaits if gait.name == key)
    x = gait.positions.astype(np.float64)

    def measure(a, b):
        return np.linalg.norm(x[:, a] - x[:, b], axis=1).mean()

    unit = measure(Joint.RIGHT_HIP, Joint.RIGHT_KNEE) / np.linalg.norm(thigh)
    for joint, (a, b) in {
        "LeftUpLeg": (Joint.ROOT, Joint.LEFT_HIP), "RightUpLeg": (Joint.ROOT, Joint.RIGHT_HIP),
        "Spine": (Joint.ROOT, Joint.SPINE), "Head": (Joint.NECK, Joint.HEAD),
    }.items():  # fmt: skip
        assert measure(a, b) / unit == pytest.approx(np.linalg.norm(offsets[joint]), rel=1e-3)
    cmu = next(one for one in SKELETON_MAPS if one.name == "CMU")
    places = {
        joint.name: cmu.joints[joint].parts
        for joint in (Joint.ROOT, Joint.SPINE, Joint.NECK, Joint.HEAD)
    }
    assert [parts[0][0] for parts in places.values()] == ["Hips", "Spine", "Neck1", "Head"]
