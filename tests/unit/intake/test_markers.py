import numpy as np
import pytest

from moodwalk.errors import DataFormatError
from moodwalk.intake.markers import MARKER_SETS, find_joint_centres
from moodwalk.recording import Recording
from moodwalk.skeleton import Joint
from moodwalk.walker import Proportions, WalkerParameters, simulate_gait

HALF_WIDTHS_M = {"KNE": 0.055, "ANK": 0.042, "ELB": 0.040}  # of a real adult's joints and markers
TO_LAB = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # +z up, walks along +x


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def across(vectors, axis):
    return vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis


def walk(n_frames=60, **options):
    """Joints of a simulated walk in a lab: metres, +z up."""
    gait = simulate_gait(
        WalkerParameters(height_m=1.75, **options),
        n_frames=n_frames,
        fps=100.0,
        travel=True,
        proportions=Proportions(hip=0.100),
    )
    raised = gait.positions + np.array([0.3, 0.09, 0.5])
    return {joint.name.lower(): raised[:, joint] @ TO_LAB for joint in Joint}


def dress(joints, medial=False):
    """Put markers on the joints, where anatomy and the published regressions say that they lie."""
    markers = {}
    hips = {side: joints[f"{side}_hip"] for side in ("left", "right")}
    left = unit(hips["left"] - hips["right"])
    ahead = unit(across(np.array([1.0, 0.0, -0.2]), left))
    up = np.cross(ahead, left)
    half = np.linalg.norm(hips["left"] - hips["right"], axis=1).mean() / 2
    width, depth = (half - 0.0073) / 0.33, 0.16
    middle = (hips["left"] + hips["right"]) / 2
    front = middle + (0.24 * depth + 0.0099) * ahead + (0.30 * width + 0.0109) * up
    for side, sign in (("L", 1.0), ("R", -1.0)):
        markers[f"{side}ASI"] = front + sign * width / 2 * left
        markers[f"{side}PSI"] = front - depth * ahead + sign * 0.05 * left
    trunk = unit(joints["neck"] - joints["spine"])
    shoulders = unit(joints["left_shoulder"] - joints["right_shoulder"])
    chest = unit(np.cross(shoulders, trunk))
    slope, angle = np.radians(25.0), np.radians(11.0)
    along = np.cos(slope) * chest - np.sin(slope) * trunk
    above = np.sin(slope) * chest + np.cos(slope) * trunk
    deep = 0.14
    c7 = joints["neck"] - 0.54 * deep * (np.cos(angle) * along + np.sin(angle) * above)
    markers |= {"C7": c7, "CLAV": c7 + deep * along}
    lower = (markers["C7"] + markers["CLAV"]) / 2 - 0.16 * trunk
    markers |= {"T10": lower - 0.1 * chest, "STRN": lower + 0.1 * chest}
    markers["RBAK"] = lower - 0.08 * chest - 0.1 * shoulders + 0.1 * trunk
    apart = np.linalg.norm(joints["left_shoulder"] - joints["right_shoulder"], axis=1).mean()
    for side, name, sign in (("L", "left", 1.0), ("R", "right", -1.0)):
        markers[f"{side}SHO"] = joints[f"{name}_shoulder"] + 0.17 * apart * trunk
        for marker, joint, parent, lateral in (
            ("KNE", "knee", "hip", left),
            ("ANK", "foot", "knee", left),
            ("ELB", "elbow", "shoulder", shoulders),
        ):
            centre = joints[f"{name}_{joint}"]
            out = sign * unit(across(lateral, unit(centre - joints[f"{name}_{parent}"])))
            markers[f"{side}{marker}"] = centre + HALF_WIDTHS_M[marker] * out
            if medial:
                inner = {"KNE": "KNM", "ANK": "MED", "ELB": "ELBM"}[marker]
                markers[f"{side}{inner}"] = centre - HALF_WIDTHS_M[marker] * out
        wrist = joints[f"{name}_hand"]
        markers[f"{side}WRA"] = wrist + 0.03 * chest
        markers[f"{side}WRB"] = wrist - 0.03 * chest
        foot = joints[f"{name}_foot"]
        markers[f"{side}TOE"] = foot + np.array([0.15, 0.0, -0.06])
        markers[f"{side}HEE"] = foot + np.array([-0.06, 0.0, -0.05])
        for ring, forward in (("F", 0.09), ("B", -0.09)):
            markers[f"{side}{ring}HD"] = joints["head"] + forward * chest + sign * 0.07 * shoulders
    return markers


def record(markers, scale=1000.0, unit_m=0.001):
    names = list(markers)
    positions = scale * np.stack([markers[name] for name in names], axis=1)
    return Recording(positions, names, 100.0, "C3D", unit_m=unit_m, up="+z", source="walk.c3d")


def measure_mm(found, joints, name):
    """Largest distance from the truth, in millimetres."""
    truth = (joints["left_hip"] + joints["right_hip"]) / 2 if name == "root" else joints[name]
    points = found.positions[:, found.joints.index(name)]
    return float(np.linalg.norm(points - 1000.0 * truth, axis=1).max())


def tell(found):
    return {finding.what: finding.value for finding in found.findings}


def test_the_16_joints_and_toes_and_heels_come_out_under_their_names():
    recording = record(dress(walk()))
    found = find_joint_centres(recording)
    extra = {"left_toe", "right_toe", "left_heel", "right_heel"}
    assert set(found.joints) == {joint.name.lower() for joint in Joint} | extra
    assert (found.fps, found.unit_m, found.up) == (100.0, 0.001, "+z")
    assert (found.source, found.format, len(found)) == ("walk.c3d", "C3D", 60)
    toe = found.positions[:, found.joints.index("left_toe")]
    np.testing.assert_array_equal(toe, recording.positions[:, recording.joints.index("LTOE")])


@pytest.mark.parametrize("side", ["left", "right"])
def test_joint_centres_of_plug_in_gait_lie_where_the_joints_are(side):
    joints = walk()
    found = find_joint_centres(record(dress(joints)))
    assert tell(found)["marker set"] == "Plug-in Gait"
    for name in (f"{side}_hip", f"{side}_shoulder", f"{side}_hand", "root", "neck", "head"):
        assert measure_mm(found, joints, name) < 0.01, name
    # typical widths are not those of this body: 5.5, 4.2 and 4.0 cm
    assert measure_mm(found, joints, f"{side}_knee") < 4
    assert measure_mm(found, joints, f"{side}_foot") < 4
    assert measure_mm(found, joints, f"{side}_elbow") < 4
    assert measure_mm(found, joints, "spine") < 40


def test_markers_themselves_lie_farther_off():
    joints = walk()
    markers = dress(joints)
    for marker, name in (("LKNE", "left_knee"), ("LANK", "left_foot"), ("LASI", "left_hip")):
        assert np.linalg.norm(markers[marker] - joints[name], axis=1).min() > 0.04


@pytest.mark.parametrize("options", [{"pelvis_turn_deg": 30.0}, {"trunk_lean_deg": 25.0}])
def test_turned_hips_and_a_leaning_trunk_change_nothing(options):
    joints = walk(**options)
    found = find_joint_centres(record(dress(joints)))
    assert measure_mm(found, joints, "right_hip") < 0.01
    assert measure_mm(found, joints, "right_knee") < 4
    assert measure_mm(found, joints, "left_shoulder") < 0.01
    assert measure_mm(found, joints, "neck") < 0.01


def test_markers_on_both_sides_of_a_joint_give_its_centre():
    joints = walk()
    found = find_joint_centres(record(dress(joints, medial=True)))
    assert tell(found)["marker set"] == "CGM2"
    assert tell(found)["knee centres"] == "halfway from *KNE to *KNM"
    for name in ("left_knee", "right_knee", "left_foot", "right_foot", "left_elbow"):
        assert measure_mm(found, joints, name) < 0.01, name


def test_a_marker_of_cgm2_tells_it_from_plug_in_gait():
    markers = dress(walk())
    markers["LTHAP"] = (markers["LASI"] + markers["LKNE"]) / 2
    assert tell(find_joint_centres(record(markers)))["marker set"] == "CGM2"


def test_one_marker_at_the_back_of_the_pelvis_does():
    joints = walk()
    markers = dress(joints)
    markers["SACR"] = (markers.pop("LPSI") + markers.pop("RPSI")) / 2
    found = find_joint_centres(record(markers))
    assert measure_mm(found, joints, "left_hip") < 0.01


def test_the_unit_and_the_axes_of_the_source_do_not_matter():
    joints = walk()
    in_mm = find_joint_centres(record(dress(joints)))
    in_m = find_joint_centres(record(dress(joints), scale=1.0, unit_m=1.0))
    np.testing.assert_allclose(1000 * in_m.positions, in_mm.positions, atol=1e-9)
    turned = record({name: points @ TO_LAB for name, points in dress(joints).items()})
    np.testing.assert_allclose(
        find_joint_centres(turned).positions, in_mm.positions @ TO_LAB, atol=1e-9
    )


def test_a_mirror_image_has_its_hips_below_the_pelvis_too():
    joints = walk()
    mirrored = record({name: p * np.array([1, -1, 1]) for name, p in dress(joints).items()})
    flipped = {name: p * np.array([1, -1, 1]) for name, p in joints.items()}
    found = find_joint_centres(mirrored)
    assert measure_mm(found, flipped, "left_hip") < 0.01
    assert measure_mm(found, flipped, "right_knee") < 4


def test_without_a_unit_the_hips_follow_from_proportions():
    joints = walk()
    found = find_joint_centres(record(dress(joints), unit_m=None))
    assert tell(found)["hip centres"] == "regression of Bell et al. (1990)"
    assert measure_mm(found, joints, "left_hip") < 20


def test_centres_in_the_file_are_taken_as_they_are():
    joints = walk()
    markers = dress(joints)
    moved = joints["left_knee"] + np.array([0.0, 0.004, 0.003])
    markers |= {"LKJC": moved, "RKJC": joints["right_knee"]}
    found = find_joint_centres(record(markers))
    knee = found.positions[:, found.joints.index("left_knee")]
    np.testing.assert_array_equal(knee, 1000.0 * moved)
    assert tell(found)["knee centres"] == "LKJC and RKJC"
    assert tell(found)["marker set"] == "Plug-in Gait"


def test_centres_in_half_the_frames_do_not_replace_markers():
    joints = walk()
    markers = dress(joints)
    for side in ("left", "right"):
        part = joints[f"{side}_knee"] + 0.02
        part[30:] = np.nan
        markers[f"{side[0].upper()}KJC"] = part
    found = find_joint_centres(record(markers))
    assert "half a typical width" in tell(found)["knee centres"]
    assert not np.isnan(found.positions).any()


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("HJC", "KJC", "AJC", "SJC", "EJC", "WJC"), "joint centres"),
        (("FEP", "FEO", "TIO", "CLO", "HUO", "RAO"), "Plug-in Gait bones"),
        (("FEP", "FEO", "TIO", "HUP", "HUO", "RAO"), "Plug-in Gait bones"),
    ],
)
def test_a_file_of_joint_centres_alone_is_enough(names, expected):
    joints = walk()
    points = {"HEDO": joints["head"]}
    for side in ("left", "right"):
        for name, joint in zip(
            names, ("hip", "knee", "foot", "shoulder", "elbow", "hand"), strict=True
        ):
            points[side[0].upper() + name] = joints[f"{side}_{joint}"]
    found = find_joint_centres(record(points))
    assert tell(found)["marker set"] == expected
    for name in ("left_hip", "right_elbow", "left_hand", "right_foot", "root", "head"):
        assert measure_mm(found, joints, name) < 0.01, name
    assert measure_mm(found, joints, "neck") < 20
    assert measure_mm(found, joints, "spine") < 40
    assert set(found.joints) == {joint.name.lower() for joint in Joint}


def test_names_may_have_a_person_and_small_letters():
    markers = {f"Anna:{name.title()}": points for name, points in dress(walk()).items()}
    assert tell(find_joint_centres(record(markers)))["marker set"] == "Plug-in Gait"


@pytest.mark.parametrize(
    ("hidden", "joints"),
    [
        ("LKNE", {"left_knee", "left_foot"}),
        ("RANK", {"right_foot"}),
        ("LSHO", {"left_shoulder", "left_elbow"}),
        ("RELB", {"right_elbow"}),
        ("LTOE", {"left_toe"}),
    ],
)
def test_a_hidden_marker_is_missing_in_all_that_depends_on_it(hidden, joints):
    markers = dress(walk())
    markers[hidden][10:20] = np.nan
    found = find_joint_centres(record(markers))
    missing = np.isnan(found.positions)
    lost = {name for i, name in enumerate(found.joints) if missing[:, i].any()}
    if hidden == "LSHO":  # the line of both shoulders is the axis of both elbows
        joints = joints | {"right_elbow", "right_shoulder"} & lost
    assert lost == joints
    assert missing[10:20].any(axis=(1, 2)).all()
    assert not missing[:10].any()
    assert not missing[20:].any()


@pytest.mark.parametrize(
    ("hidden", "joint"),
    [
        ("LASI", "left_hip"),
        ("RPSI", "right_hip"),
        ("RFHD", "head"),
        ("C7", "neck"),
        ("STRN", "left_shoulder"),
    ],
)
def test_a_hidden_marker_is_placed_by_the_others_of_its_segment(hidden, joint):
    joints = walk()
    markers = dress(joints)
    markers[hidden][10:20] = np.nan
    found = find_joint_centres(record(markers))
    assert measure_mm(found, joints, joint) < 0.5
    assert tell(found)[f"hidden marker {hidden}"] == "placed in 10 frames"


def test_a_hidden_marker_off_the_plane_of_the_others_stays_on_its_side():
    joints = walk()
    markers = dress(joints)
    markers["RFHD"] = markers["RFHD"] + 0.08 * unit(joints["neck"] - joints["spine"])
    whole = find_joint_centres(record(markers))
    markers["RFHD"][10:50:2] = np.nan
    found = find_joint_centres(record(markers))
    np.testing.assert_allclose(found.positions, whole.positions, atol=0.01)


def test_a_hidden_marker_is_placed_as_in_the_nearest_complete_frame():
    markers = dress(walk())
    markers["LFHD"] = markers["LFHD"] + np.linspace(0.0, 0.06, 60)[:, None] * np.array([0, 0, 1])
    whole = find_joint_centres(record(markers))
    markers["LFHD"][20:30] = np.nan
    found = find_joint_centres(record(markers))
    head = found.joints.index("head")
    off = np.linalg.norm(found.positions[:, head] - whole.positions[:, head], axis=1)
    assert 0 < off.max() < 1.4  # a quarter of the 5 frames of 1 mm, not of 10


def test_two_hidden_markers_of_four_are_not_placed():
    markers = dress(walk())
    markers["LASI"][10:20] = np.nan
    markers["LPSI"][15:25] = np.nan
    found = find_joint_centres(record(markers))
    missing = np.isnan(found.positions[:, found.joints.index("root")]).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(15, 20))


def test_markers_on_a_line_place_no_other():
    joints = walk()
    markers = dress(joints)
    middle = (markers["LASI"] + markers["RASI"]) / 2
    markers["LPSI"] = middle + 0.001 * (markers["LASI"] - middle)  # on the line of both ASI
    markers["RPSI"] = middle - 0.16 * np.array([1.0, 0.0, 0.0])
    markers["RPSI"][10:20] = np.nan
    found = find_joint_centres(record(markers))
    missing = np.isnan(found.positions[:, found.joints.index("root")]).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(missing), np.arange(10, 20))


def test_one_marker_of_the_wrist_holds_its_place_while_the_other_is_hidden():
    joints = walk()
    markers = dress(joints)
    markers["LWRA"][20:30] = np.nan
    markers["RWRB"][:5] = np.nan
    found = find_joint_centres(record(markers))
    assert measure_mm(found, joints, "left_hand") < 3
    assert measure_mm(found, joints, "right_hand") < 3
    assert not np.isnan(found.positions).any()


def test_one_marker_at_the_wrist_is_the_hand():
    markers = dress(walk())
    del markers["LWRB"]
    found = find_joint_centres(record(markers))
    hand = found.positions[:, found.joints.index("left_hand")]
    np.testing.assert_array_equal(hand, 1000.0 * markers["LWRA"])


def test_two_head_markers_make_a_head_that_is_doubted():
    joints = walk()
    markers = dress(joints)
    del markers["LBHD"], markers["RBHD"]
    found = find_joint_centres(record(markers))
    finding = next(f for f in found.findings if f.what == "head")
    assert (finding.confidence, finding.evidence) == (0.6, "LFHD, RFHD")
    assert 80 < measure_mm(found, joints, "head") < 100


def test_noise_on_the_markers_stays_noise():
    joints = walk()
    rng = np.random.default_rng(3)
    noisy = {name: p + rng.normal(0, 0.001, p.shape) for name, p in dress(joints).items()}
    found = find_joint_centres(record(noisy))
    for name in ("left_hip", "right_knee", "neck", "left_shoulder"):
        assert measure_mm(found, joints, name) < 10, name


def test_every_set_is_found_by_its_own_names():
    rng = np.random.default_rng(0)
    for marker_set in MARKER_SETS:
        names = dict.fromkeys(
            name.replace("*", side)
            for group in marker_set.needed
            for name in group
            for side in "LR"
        )
        points = {name: rng.normal(size=(5, 3)) for name in names}
        assert tell(find_joint_centres(record(points)))["marker set"] == marker_set.name
        assert not marker_set.list_missing(points)


@pytest.mark.parametrize(
    "names", [("Hips", "LeftUpLeg", "LeftLeg"), ("LASI", "RASI"), ("LFHD",), ("point 1",)]
)
def test_other_names_are_no_marker_set(names):
    rng = np.random.default_rng(0)
    assert find_joint_centres(record({name: rng.normal(size=(5, 3)) for name in names})) is None


def test_markers_that_are_never_seen_do_not_count():
    markers = dress(walk())
    names = ("HJC", "KJC", "AJC", "SJC", "EJC", "WJC")
    markers |= {side + name: np.full((60, 3), np.nan) for side in "LR" for name in names}
    found = find_joint_centres(record(markers))
    assert tell(found)["marker set"] == "Plug-in Gait"
    assert "half a typical width" in tell(found)["knee centres"]


def test_markers_of_the_legs_alone_are_refused_in_one_line():
    legs = {
        name: points
        for name, points in dress(walk()).items()
        if name[1:] in ("ASI", "PSI", "KNE", "ANK", "TOE", "HEE")
    }
    with pytest.raises(DataFormatError, match=r"^walk.c3d: .* without LSHO, RSHO.*whole body") as e:
        find_joint_centres(record(legs))
    assert "\n" not in str(e.value)


def test_a_c3d_file_of_markers_gives_the_same_joints(tmp_path):
    ezc3d = pytest.importorskip("ezc3d", reason="writes the file")
    from moodwalk.io.c3d import read_c3d

    joints = walk()
    recording = record(dress(joints))
    file = ezc3d.c3d()
    point = file["parameters"]["POINT"]
    point["RATE"]["value"], point["UNITS"]["value"] = [100.0], ["mm"]
    point["LABELS"]["value"] = [f"Anna:{name}" for name in recording.joints]
    file["data"]["points"] = np.ones((4, *recording.positions.shape[1::-1]))
    file["data"]["points"][:3] = recording.positions.transpose(2, 1, 0)
    file["data"]["points"][3] = 0.0
    path = tmp_path / "walk.c3d"
    file.write(str(path))
    read = find_joint_centres(read_c3d(path))
    direct = find_joint_centres(recording)
    assert read.joints == direct.joints
    np.testing.assert_allclose(read.positions, direct.positions, atol=0.01)
    assert measure_mm(read, joints, "left_hip") < 0.01
