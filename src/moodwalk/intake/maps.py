"""Skeletons that moodwalk knows: which of their joints is which of the 16.

Where a skeleton has no such joint, it is placed between others, as the 342 real gaits have it: the spine joint
lies 0.54 of the way from the middle of the hips to the middle of the shoulders, the neck 1.07 of it (medians;
10th to 90th percentile 0.47 to 0.57, and 0.96 to 1.16).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from moodwalk.skeleton import Joint

__all__ = ["SKELETON_MAPS", "Place", "SkeletonMap", "at", "between", "middle"]

SPINE_SHARE = 0.54
NECK_SHARE = 1.07


@dataclass(frozen=True, slots=True)
class Place:
    """Where a joint lies: at a recorded joint, or at a weighted mean of several.

    Parameters
    ----------
    parts
        (name, weight) of recorded joints; weights sum to 1. A name may list alternatives,
        ``pelvis|hip``: the first that is there counts.
    words
        How a person would say it; empty for a single joint.
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
    return Place(((a, 0.5), (b, 0.5)), f"middle of {a} and {b}")


def between(start: Place, end: Place, share: float, words: str) -> Place:
    """Return the point at a share of the way from one place to another; beyond it where share > 1."""
    parts = [(name, weight * (1 - share)) for name, weight in start.parts]
    parts += [(name, weight * share) for name, weight in end.parts]
    return Place(tuple(parts), words)


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
        ``right_toe``, ``left_toe``: recorded joints that help to find the direction ahead.
    order
        All its joints in the order in which it is stored without names; or, where it never is, as
        files list them.
    """

    name: str
    joints: Mapping[Joint, Place]
    extras: Mapping[str, str] = field(default_factory=dict[str, str])
    order: tuple[str, ...] = ()


def _name(
    name: str,
    trunk: tuple[Place, Place, Place, Place],
    limbs: tuple[str, str, str, str, str, str],
    toe: str = "",
    order: tuple[str, ...] = (),
) -> SkeletonMap:
    """Make a map from root, spine, neck and head, and the limbs' names with {} for the side."""
    joints: dict[Joint, Place] = dict(
        zip((Joint.ROOT, Joint.SPINE, Joint.NECK, Joint.HEAD), trunk, strict=True)
    )
    kinds = ("SHOULDER", "ELBOW", "HAND", "HIP", "KNEE", "FOOT")
    for side in ("right", "left"):
        for kind, limb in zip(kinds, limbs, strict=True):
            joints[Joint[f"{side.upper()}_{kind}"]] = at(limb.replace("{}", side))
    extras = {f"{side}_toe": toe.replace("{}", side) for side in ("right", "left")} if toe else {}
    return SkeletonMap(
        name, MappingProxyType(dict(sorted(joints.items()))), MappingProxyType(extras), order
    )


_HIPS = middle("left_hip", "right_hip")
_SHOULDERS = middle("left_shoulder", "right_shoulder")
_SPINE = between(
    _HIPS,
    _SHOULDERS,
    SPINE_SHARE,
    "on the line from the middle of the hips to that of the shoulders",
)
_NECK = between(
    _HIPS, _SHOULDERS, NECK_SHARE, "just beyond the middle of the shoulders, seen from the hips"
)
_EARS = middle("left_ear", "right_ear")

_POINTS = ("{}_shoulder", "{}_elbow", "{}_wrist", "{}_hip", "{}_knee", "{}_ankle")
_ARMS_AND_LEGS = ("{}Arm", "{}ForeArm", "{}Hand", "{}UpLeg", "{}Leg", "{}Foot")


def _both(*names: str) -> tuple[str, ...]:
    return tuple(name.replace("{}", side) for name in names for side in ("left", "right"))


SKELETON_MAPS: tuple[SkeletonMap, ...] = (
    _name(
        "moodwalk",
        (at("root"), at("spine"), at("neck"), at("head")),
        ("{}_shoulder", "{}_elbow", "{}_hand", "{}_hip", "{}_knee", "{}_foot"),
        "{}_toe",
        tuple(joint.name.lower() for joint in Joint),
    ),
    _name(
        "CMU",
        (at("Hips"), at("Spine"), at("Neck"), at("Head")),
        _ARMS_AND_LEGS,
        "{}ToeBase",
        ("Hips", "LHipJoint", "RHipJoint", "LowerBack", "Spine", "Spine1", "Neck", "Neck1", "Head",
            *_both("{}Shoulder", *_ARMS_AND_LEGS, "{}ToeBase")),
    ),
    _name(
        "LAFAN1",
        (at("Hips"), at("Spine2"), at("Neck"), at("Head")),
        _ARMS_AND_LEGS,
        "{}Toe",
        ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head",
            *_both("{}Shoulder", *_ARMS_AND_LEGS, "{}Toe")),
    ),
    _name(
        "Mixamo",
        (at("Hips"), at("Spine1"), at("Neck"), at("Head")),
        _ARMS_AND_LEGS,
        "{}ToeBase",
        ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head",
            *_both("{}Shoulder", *_ARMS_AND_LEGS, "{}ToeBase")),
    ),
    _name(
        "Xsens",
        (at("Pelvis"), at("T12"), at("Neck"), at("Head")),
        ("{}UpperArm", "{}ForeArm", "{}Hand", "{}UpperLeg", "{}LowerLeg", "{}Foot"),
        "{}Toe",
        ("Pelvis", "L5", "L3", "T12", "T8", "Neck", "Head",
            *_both("{}Shoulder", "{}UpperArm", "{}ForeArm", "{}Hand", "{}UpperLeg", "{}LowerLeg", "{}Foot", "{}Toe")),
    ),
    _name(
        "Xsens BVH",
        (at("Hips"), at("Chest3"), at("Neck"), at("Head")),
        ("{}Shoulder", "{}Elbow", "{}Wrist", "{}Hip", "{}Knee", "{}Ankle"),
        "{}Toe",
        ("Hips", "Chest", "Chest2", "Chest3", "Chest4", "Neck", "Head",
            *_both("{}Collar", "{}Shoulder", "{}Elbow", "{}Wrist", "{}Hip", "{}Knee", "{}Ankle", "{}Toe")),
    ),
    _name(
        "Bandai-Namco",
        (at("Hips"), middle("Spine", "Chest"), at("Neck"), at("Head")),
        ("UpperArm_{}", "LowerArm_{}", "Hand_{}", "UpperLeg_{}", "LowerLeg_{}", "Foot_{}"),
        "Toes_{}",
        ("Hips", "Spine", "Chest", "Neck", "Head",
            *_both("Shoulder_{}", "UpperArm_{}", "LowerArm_{}", "Hand_{}", "UpperLeg_{}", "LowerLeg_{}", "Foot_{}",
                "Toes_{}")),
    ),
    _name(
        "Biped",
        (at("Pelvis"), at("Spine1"), at("Neck"), at("Head")),
        ("{} UpperArm", "{} Forearm", "{} Hand", "{} Thigh", "{} Calf", "{} Foot"),
        "{} Toe0",
        ("Pelvis", "Spine", "Spine1", "Neck", "Head",
            *_both("{} Clavicle", "{} UpperArm", "{} Forearm", "{} Hand", "{} Thigh", "{} Calf", "{} Foot", "{} Toe0")),
    ),
    *(
        _name(
            name,
            (at("pelvis"), at("spine2"), at("neck"), at("head")),
            _POINTS,
            "{}_foot",
            (
                "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
                "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
                "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
                "left_elbow", "right_elbow", "left_wrist", "right_wrist", *hands,
            ),
        )
        for name, hands in (("SMPL", ()), ("SMPL-24", ("left_hand", "right_hand")))
    ),
    _name(
        "Human3.6M-17",
        (at("pelvis|hip|root"), at("spine|belly"), at("thorax"), at("head")),
        ("{}_shoulder", "{}_elbow", "{}_wrist", "{}_hip", "{}_knee", "{}_ankle|{}_foot"),
        "",
        (
            "pelvis|hip|root", "right_hip", "right_knee", "right_ankle|right_foot", "left_hip",
            "left_knee", "left_ankle|left_foot", "spine|belly", "thorax", "neck|nose", "head",
            "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow",
            "right_wrist",
        ),
    ),
    _name(
        "NTU-25",
        (at("SpineBase"), at("SpineMid"), at("Neck"), at("Head")),
        ("Shoulder {}", "Elbow {}", "Wrist {}", "Hip {}", "Knee {}", "Ankle {}"),
        "Foot {}",
        (
            "SpineBase", "SpineMid", "Neck", "Head", "ShoulderLeft", "ElbowLeft", "WristLeft",
            "HandLeft", "ShoulderRight", "ElbowRight", "WristRight", "HandRight", "HipLeft",
            "KneeLeft", "AnkleLeft", "FootLeft", "HipRight", "KneeRight", "AnkleRight",
            "FootRight", "SpineShoulder", "HandTipLeft", "ThumbLeft", "HandTipRight", "ThumbRight",
        ),
    ),
    _name(
        "COCO-17",
        (_HIPS, _SPINE, _NECK, _EARS),
        _POINTS,
        "",
        ("nose",
            *_both("{}_eye", "{}_ear", "{}_shoulder", "{}_elbow", "{}_wrist", "{}_hip", "{}_knee", "{}_ankle")),
    ),
    _name(
        "BODY_25",
        (at("MidHip"), _SPINE, at("Neck"), _EARS),
        _POINTS,
        "{}_big_toe",
        (
            "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist",
            "MidHip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar",
            "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
        ),
    ),
    _name(
        "MediaPipe-33",
        (_HIPS, _SPINE, _NECK, _EARS),
        _POINTS,
        "{}_foot_index",
        (
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
