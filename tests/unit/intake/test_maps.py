import pytest

from moodwalk.intake.mapping import find_map, normalise_name
from moodwalk.intake.maps import SKELETON_MAPS
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
    "Xsens": "Pelvis L5 L3 T12 T8 Neck Head RightShoulder RightUpperArm RightForeArm RightHand LeftShoulder "
    "LeftUpperArm LeftForeArm LeftHand RightUpperLeg RightLowerLeg RightFoot RightToe LeftUpperLeg "
    "LeftLowerLeg LeftFoot LeftToe",
    "Xsens BVH": "Hips Chest Chest2 Chest3 Chest4 Neck Head RightCollar RightShoulder RightElbow RightWrist "
    "LeftCollar LeftShoulder LeftElbow LeftWrist RightHip RightKnee RightAnkle RightToe LeftHip LeftKnee "
    "LeftAnkle LeftToe",
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


def test_there_is_a_list_of_names_for_every_map():
    assert set(NAMES) == {one.name for one in SKELETON_MAPS}


@pytest.mark.parametrize("name", NAMES)
def test_every_skeleton_is_known_by_the_names_that_its_files_have(name):
    assert find_map(NAMES[name]).name == name


def test_orders_have_the_lengths_that_their_names_say():
    lengths = {one.name: len(one.order) for one in SKELETON_MAPS}
    assert lengths["COCO-17"] == lengths["Human3.6M-17"] == 17
    assert lengths["NTU-25"] == lengths["BODY_25"] == 25
    assert lengths["MediaPipe-33"] == 33
    assert lengths["SMPL"] == 22
    assert lengths["SMPL-24"] == 24
    for name in ("COCO-17", "NTU-25", "BODY_25", "MediaPipe-33", "SMPL", "SMPL-24", "Human3.6M-17"):
        one = next(one for one in SKELETON_MAPS if one.name == name)
        published = [normalise_name(joint) for joint in NAMES[name]]
        stored = [{normalise_name(part) for part in joint.split("|")} for joint in one.order]
        for joint, names in zip(published, stored, strict=True):
            assert (
                joint in names or joint == "neckornose" or joint == "neck" or joint in {"necknose"}
            )
