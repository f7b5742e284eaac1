"""Skeletons that moodwalk knows: which of their joints is which of the 16.

Along the line from the middle of the hips (0) to that of the shoulders (1) the 342 real gaits have the spine
joint at 0.54, the neck at 1.07, the head at 1.46 (medians; 10th to 90th percentile 0.47 to 0.57, 0.96 to 1.16,
1.29 to 1.54). Of a skeleton the joint that lies there is taken, whatever it is called; where none does, the
point is placed between others. ``docs/skeletons.md`` has the figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from moodwalk.skeleton import Joint

__all__ = ["SKELETON_MAPS", "Place", "SkeletonMap", "at", "between", "middle"]

SPINE_SHARE = 0.54
NECK_SHARE = 1.07
BELOW_CHEST_SHARE = 0.7
"""From a joint of the loins at 0.37 to one of the chest at 0.62, as LAFAN1 and SMPL have them: to 0.54."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a joint lies: at a recorded joint, or at a weighted mean of several.

    Parameters
    ----------
    parts
        (name, weight) of recorded joints; weights sum to 1. A name may list alternatives,
        ``pelvis|hip``: the first that is there counts.
    words
        How a person would say it, with ``{}`` for the recorded names; empty for a single joint.
    """

    parts: tuple[tuple[str, float], ...]
    words: str = ""

    @property
    def is_derived(self) -> bool:
        """Whether the recording has no such joint."""
        return len(self.parts) > 1


def at(name: str) -> Place:
    """Return the place of one recorded joint."""
    return Place(((name, 1.0),))


def middle(a: str, b: str) -> Place:
    """Return the middle of two recorded joints."""
    return Place(((a, 0.5), (b, 0.5)), "middle of {} and {}")


def between(start: Place, end: Place, share: float, words: str = "") -> Place:
    """Return the point at a share of the way from one place to another; beyond it where share > 1.

    `words` may be left out where both are single joints.
    """
    parts = [(name, weight * (1 - share)) for name, weight in start.parts]
    parts += [(name, weight * share) for name, weight in end.parts]
    return Place(tuple(parts), words or f"{share:g} of the way from {{}} to {{}}")


@dataclass(frozen=True, slots=True)
class SkeletonMap:
    """Which joints of a skeleton are the 16.

    Parameters
    ----------
    name
        Of the skeleton.
    joints
        The place of each of the 16.
    extras
        ``right_toe``, ``left_toe``, ``right_heel``, ``left_heel``, ``nose``, as far as the skeleton
        has them: recorded joints that help to find the direction ahead.
    order
        All its joints in the published order, where it is stored without names; empty where it is not.
    names
        Names that its files have, to tell skeletons apart; empty where those of `order` are all.
    """

    name: str
    joints: Mapping[Joint, Place]
    extras: Mapping[str, str] = field(default_factory=dict[str, str])
    order: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def _map(
    name: str,
    trunk: tuple[Place, Place, Place, Place],
    limbs: tuple[str, str, str, str, str, str],
    *,
    toe: str = "",
    heel: str = "",
    nose: str = "",
    order: tuple[str, ...] = (),
    names: tuple[str, ...] = (),
) -> SkeletonMap:
    """Make a map from root, spine, neck and head, and the limbs' names with {} for the side."""
    joints: dict[Joint, Place] = dict(
        zip((Joint.ROOT, Joint.SPINE, Joint.NECK, Joint.HEAD), trunk, strict=True)
    )
    kinds = ("SHOULDER", "ELBOW", "HAND", "HIP", "KNEE", "FOOT")
    for side in ("right", "left"):
        for kind, limb in zip(kinds, limbs, strict=True):
            joints[Joint[f"{side.upper()}_{kind}"]] = at(limb.replace("{}", side))
    extras = {"nose": nose} | {
        f"{side}_{kind}": source.replace("{}", side)
        for kind, source in (("toe", toe), ("heel", heel))
        for side in ("right", "left")
    }
    return SkeletonMap(
        name,
        MappingProxyType(dict(sorted(joints.items()))),
        MappingProxyType({extra: source for extra, source in extras.items() if source}),
        order,
        names,
    )


def _lay(share: float, hip: str = "{}_hip", shoulder: str = "{}_shoulder") -> Place:
    """Return the point at a share of the way from the middle of the hips to that of the shoulders."""
    hips, shoulders = (
        middle(limb.replace("{}", "left"), limb.replace("{}", "right")) for limb in (hip, shoulder)
    )
    words = f"{share:g} of the way from the middle of the hips to that of the shoulders"
    return between(hips, shoulders, share, words)


def _both(*names: str) -> tuple[str, ...]:
    return tuple(name.replace("{}", side) for name in names for side in ("left", "right"))


_HIPS = middle("left_hip", "right_hip")
_EARS = middle("left_ear", "right_ear")
_POINTS = ("{}_shoulder", "{}_elbow", "{}_wrist", "{}_hip", "{}_knee", "{}_ankle")
_COLLARED = ("{}Shoulder", "{}Elbow", "{}Wrist", "{}Hip", "{}Knee", "{}Ankle")
_HUMAN_IK = ("{}Arm", "{}ForeArm", "{}Hand", "{}UpLeg", "{}Leg", "{}Foot")
_MVN = ("{}UpperArm", "{}ForeArm", "{}Hand", "{}UpperLeg", "{}LowerLeg", "{}Foot")
_NAMCO = ("UpperArm_{}", "LowerArm_{}", "Hand_{}", "UpperLeg_{}", "LowerLeg_{}", "Foot_{}")
_BIPED = ("{} UpperArm", "{} Forearm", "{} Hand", "{} Thigh", "{} Calf", "{} Foot")
_KINECT = ("Shoulder {}", "Elbow {}", "Wrist {}", "Hip {}", "Knee {}", "Ankle {}")

_SMPL_ORDER = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar",
    "right_collar", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist",
)  # fmt: skip

# {}Shoulder is the collar bone where there is an {}Arm, and the shoulder where there is a {}Collar
SKELETON_MAPS: tuple[SkeletonMap, ...] = (
    _map(
        "moodwalk",
        (at("root"), at("spine"), at("neck"), at("head")),
        ("{}_shoulder", "{}_elbow", "{}_hand", "{}_hip", "{}_knee", "{}_foot"),
        toe="{}_toe",
        heel="{}_heel",
        order=tuple(joint.name.lower() for joint in Joint),
    ),
    _map(
        "CMU",
        # Neck lies on Spine1 and the collar bones, at 0.87; these are the joints of the 49 CMU gaits
        (at("Hips"), at("Spine"), at("Neck1"), at("Head")),
        _HUMAN_IK,
        toe="{}ToeBase",
        names=("Hips", "LHipJoint", "RHipJoint", "LowerBack", "Spine", "Spine1", "Neck", "Neck1", "Head",
            *_both("{}Shoulder", *_HUMAN_IK, "{}ToeBase")),
    ),
    _map(
        "LAFAN1",
        (at("Hips"), between(at("Spine1"), at("Spine2"), BELOW_CHEST_SHARE), at("Neck"), at("Head")),
        _HUMAN_IK,
        toe="{}Toe",
        names=("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", *_both("{}Shoulder", *_HUMAN_IK, "{}Toe")),
    ),
    _map(
        "Mixamo",
        (at("Hips"), at("Spine1"), at("Neck"), at("Head")),
        _HUMAN_IK,
        toe="{}ToeBase",
        names=("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head", *_both("{}Shoulder", *_HUMAN_IK, "{}ToeBase")),
    ),
    _map(
        "HumanIK",  # of any number of spine joints
        (at("Hips"), _lay(SPINE_SHARE, "{}UpLeg", "{}Arm"), at("Neck"), at("Head")),
        _HUMAN_IK,
        toe="{}ToeBase",
        names=("Hips", "Spine", "Spine1", "Spine2", "Spine3", "Spine4", "Spine5", "Spine6", "Neck", "Head",
            *_both("{}Shoulder", *_HUMAN_IK, "{}ToeBase")),
    ),
    _map(
        "Xsens",
        (at("Pelvis"), middle("L3", "T12"), at("Neck"), at("Head")),
        _MVN,
        toe="{}Toe",
        names=("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head", *_both("{}Shoulder", *_MVN, "{}Toe")),
    ),
    _map(
        "Xsens BVH",
        (at("Hips"), middle("Chest2", "Chest3"), at("Neck"), at("Head")),
        _COLLARED,
        toe="{}Toe",
        names=("Hips", "Chest", "Chest2", "Chest3", "Chest4", "Neck", "Head", *_both("{}Collar", *_COLLARED, "{}Toe")),
    ),
    _map(
        "3ds Max BVH",  # what Biped reads, of any number of chest joints; also the CMU walks made for it
        (at("Hips"), _lay(SPINE_SHARE, "{}Hip|{}UpLeg", "{}Shoulder|{}UpArm"), at("Neck"), at("Head")),
        ("{}Shoulder|{}UpArm", "{}Elbow|{}LowArm", "{}Wrist|{}Hand", "{}Hip|{}UpLeg", "{}Knee|{}LowLeg",
            "{}Ankle|{}Foot"),
        toe="{}Toe",
        names=("Hips", "Chest", "Chest2", "Neck", "Head",
            *_both("{}Collar", "{}Shoulder|{}UpArm", "{}Elbow|{}LowArm", "{}Wrist|{}Hand", "{}Hip|{}UpLeg",
                "{}Knee|{}LowLeg", "{}Ankle|{}Foot", "{}Toe")),
    ),
    _map(
        "Bandai-Namco",
        (at("Hips"), middle("Spine", "Chest"), at("Neck"), at("Head")),
        _NAMCO,
        toe="Toes_{}",
        names=("Hips", "Spine", "Chest", "Neck", "Head", *_both("Shoulder_{}", *_NAMCO, "Toes_{}")),
    ),
    _map(
        "Biped",  # of any number of spine joints
        (at("Pelvis"), _lay(SPINE_SHARE, "{} Thigh", "{} UpperArm"), at("Neck|Neck1"), at("Head|Head1")),
        _BIPED,
        toe="{} Toe0",
        names=("Pelvis", "Spine", "Spine1", "Spine2", "Neck|Neck1", "Head|Head1",
            *_both("{} Clavicle", *_BIPED, "{} Toe0")),
    ),
    *(
        _map(
            name,
            (at("pelvis"), between(at("spine1"), at("spine2"), BELOW_CHEST_SHARE), at("neck"), at("head")),
            _POINTS,
            toe="{}_foot",
            order=(*_SMPL_ORDER, *hands),
        )
        for name, hands in (("SMPL", ()), ("SMPL-24", ("left_hand", "right_hand")))
    ),
    _map(
        "Human3.6M-17",
        (at("pelvis|hip|hips|root"), at("spine|belly|torso"), at("thorax"), at("head")),
        (*_POINTS[:2], "{}_wrist|{}_hand", *_POINTS[3:5], "{}_ankle|{}_foot"),
        order=(
            "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
            "left_ankle", "spine", "thorax", "nose", "head", "left_shoulder", "left_elbow",
            "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
        ),
        names=("pelvis|hip|hips|root", "spine|belly|torso", "thorax", "neck nose|neck|nose", "head",
            *_both(*_POINTS[:2], "{}_wrist|{}_hand", *_POINTS[3:5], "{}_ankle|{}_foot")),
    ),
    _map(
        "NTU-25",
        # SpineShoulder lies at 1.10, Neck at 1.26
        (at("SpineBase"), at("SpineMid"), at("SpineShoulder"), at("Head")),
        _KINECT,
        toe="Foot {}",
        order=(
            "SpineBase", "SpineMid", "Neck", "Head", "ShoulderLeft", "ElbowLeft", "WristLeft",
            "HandLeft", "ShoulderRight", "ElbowRight", "WristRight", "HandRight", "HipLeft",
            "KneeLeft", "AnkleLeft", "FootLeft", "HipRight", "KneeRight", "AnkleRight",
            "FootRight", "SpineShoulder", "HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight",
        ),
    ),
    _map(
        "COCO-17",
        (_HIPS, _lay(SPINE_SHARE), _lay(NECK_SHARE), _EARS),
        _POINTS,
        nose="nose",
        order=("nose",
            *_both("{}_eye", "{}_ear", "{}_shoulder", "{}_elbow", "{}_wrist", "{}_hip", "{}_knee", "{}_ankle")),
    ),
    _map(
        "BODY_25",
        (at("MidHip"), _lay(SPINE_SHARE), at("Neck"), _EARS),
        _POINTS,
        toe="{}_big_toe",
        heel="{}_heel",
        nose="nose",
        order=(
            "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
            "MidHip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar",
            "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
        ),
    ),
    _map(
        "MediaPipe-33",
        (_HIPS, _lay(SPINE_SHARE), _lay(NECK_SHARE), _EARS),
        _POINTS,
        toe="{}_foot_index",
        heel="{}_heel",
        nose="nose",
        order=(
            "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye",
            "right_eye_outer", "left_ear", "right_ear", "mouth_left", "mouth_right",
            "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
            "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
            "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
            "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index",
        ),
    ),
)  # fmt: skip
"""All of them. ``docs/skeletons.md`` lists what each derives; NTU-25 is the Kinect v2's."""
