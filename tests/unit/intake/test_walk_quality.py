import json
from itertools import combinations

import numpy as np
import pytest
from motions import (
    bend_path,
    exchange_sides,
    face,
    jump,
    march,
    permute,
    reflect,
    run,
    sidestep,
    sit,
    squat,
    stand,
    step_once,
)

from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.intake.quality import KINDS, assess_walk, check_walk
from moodwalk.io import read
from moodwalk.skeleton import Joint
from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

MOTIONS = {
    "standing": [stand],
    "sitting": [sit],
    "jumping": [jump, lambda **o: jump(1, **o), lambda **o: jump(forward_m=0.8, **o)],
    "running": [run, lambda **o: run(speed=2.2, duty=0.42, cadence=150, **o)],
    "single step": [step_once, lambda **o: step_once(closing=True, **o)],
    "unclear": [march, squat],
}
PAIRS = [(kind, i) for kind, makers in MOTIONS.items() for i in range(len(makers))]


def walk(n_frames=120, travel=True, **parameters):
    return simulate_gait(WalkerParameters(**parameters), n_frames=n_frames, travel=travel)


@pytest.fixture(scope="module")
def upright(real_gaits):
    """Real gaits as the convention has them: facing +z."""
    return [
        gait.with_positions(gait.positions * np.float32([1, 1, -1]))
        if "reflected" in str(assess_walk(gait).reasons)
        else gait
        for gait in real_gaits
    ]


def count(gaits, kind):
    return sum(assess_walk(gait).kind == kind for gait in gaits)


@pytest.mark.parametrize(("kind", "which"), PAIRS)
@pytest.mark.parametrize("in_place", [False, True], ids=["free", "in place"])
@pytest.mark.parametrize("noise_m", [0.0, 0.01], ids=["clean", "noise"])
@pytest.mark.parametrize("fps", [15.0, 30.0, 120.0])
def test_what_is_no_walk_is_named_and_refused(kind, which, in_place, noise_m, fps):
    gait = MOTIONS[kind][which](in_place=in_place, noise_m=noise_m, fps=fps)
    assert assess_walk(gait).kind == kind
    with pytest.raises(QualityError, match=r"(?s)not a walk: .*--force") as refusal:
        check_walk(gait)
    assert "\n" not in str(refusal.value)
    assert check_walk(gait, force=True).kind == kind


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise_m", [0.0, 0.001])
@pytest.mark.parametrize("scale", [1.0, 8.0], ids=["as large as a face", "as large as a body"])
def test_landmarks_of_a_face_are_no_body(seed, noise_m, scale):
    gait = face(seed=seed, noise_m=noise_m, scale=scale)
    assert assess_walk(gait).kind == "not a body"


def test_flat_points_and_one_point_are_no_body():
    flat = walk().positions * [1.0, 1.0, 0.0]
    quality = assess_walk(Gait(flat, 30.0))
    assert quality.kind == "not a body"
    assert "2-D" in quality.reasons[0]
    assert not assess_walk(Gait(np.zeros((30, 16, 3)), 30.0)).is_walk


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0, 240.0])
@pytest.mark.parametrize("travel", [True, False])
def test_simulated_walks_are_walks(fps, travel):
    for cadence, step in ((60, 0.3), (102, 0.52), (140, 0.8)):
        p = WalkerParameters(cadence_spm=cadence, step_length_m=step, noise_m=0.01)
        gait = simulate_gait(p, n_frames=round(4 * fps), fps=fps, travel=travel)
        quality = check_walk(gait)
        assert quality.direction == "forward"
        assert quality.parameters.cadence_spm == pytest.approx(cadence, rel=0.03)


def test_single_cycles_are_walks():
    assert count(simulate_walks(12, 4, seed=1), "walk") == 48


def test_direction_is_relative_to_the_front():
    gait = walk(240)
    backwards = gait.with_positions(gait.positions[::-1])
    in_place = walk(240, travel=False)
    for what, direction in (
        (gait, "forward"),
        (backwards, "backward"),
        (in_place, "forward"),
        (in_place.with_positions(in_place.positions[::-1]), "backward"),
        (sidestep(), "sideways"),
        (bend_path(gait, 2.0), "turning"),
    ):
        quality = check_walk(what)
        assert quality.direction == direction
    assert assess_walk(stand()).direction == "in place"


@pytest.mark.parametrize("travel", [True, False])
def test_a_mirrored_walk_is_named(travel):
    gait = walk(travel=travel)
    turned = gait.with_positions(gait.positions * [-1, 1, -1])  # by half a turn
    for wrong in (exchange_sides(gait), reflect(gait)):
        quality = assess_walk(wrong)
        assert quality.kind == "mirrored"
        assert "right side lies on the left" in quality.reasons[0]
    both = reflect(exchange_sides(gait))
    assert check_walk(both).is_walk
    assert check_walk(turned).is_walk


def test_a_reflected_copy_that_faces_back_is_a_walk_only_in_place():
    """As two thirds of Emotion-Gait are stored."""
    quality = check_walk(reflect(walk(travel=False), 2))
    assert "reflected copy" in quality.reasons[-1]
    assert assess_walk(reflect(walk(travel=True), 2)).kind == "mirrored"


def test_toes_tell_the_front_of_straight_legs():
    gait = walk()
    feet = gait.positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT]]
    ahead, behind = (feet + np.array([0, -0.05, z]) for z in (0.15, -0.15))
    for toes, kind in ((ahead, "walk"), (behind, "mirrored")):
        assert assess_walk(gait, (toes[:, 0], toes[:, 1])).kind == kind
    unseen = np.full_like(ahead, np.nan)
    assert assess_walk(gait, (unseen[:, 0], unseen[:, 1])).kind == "walk"


def test_a_part_of_a_step_is_no_walk():
    gait = walk()
    cut = gait.with_positions(gait.positions[:18])
    assert assess_walk(cut).kind == "single step"


def test_a_walk_after_standing_is_a_walk():
    still, moving = stand(10, in_place=True).positions, walk(240, travel=False).positions
    mixed = Gait(np.concatenate([still[:200], moving]), 30.0)
    quality = check_walk(mixed)
    assert quality.parameters.cadence_spm == pytest.approx(102, rel=0.03)


def test_a_wrong_frame_rate_is_named():
    gait = walk(240)
    for fps in (60.0, 120.0, 5.0):
        with pytest.raises(QualityError, match=r"frame rate|no rhythm"):
            check_walk(Gait(gait.positions, fps))


def test_missing_legs_are_unclear_and_other_missing_joints_do_not_matter():
    positions = walk().positions.copy()
    positions[:, [Joint.HEAD, Joint.LEFT_HAND]] = np.nan
    assert check_walk(Gait(positions, 30.0)).is_walk
    positions[::2, Joint.LEFT_KNEE] = np.nan
    assert check_walk(Gait(positions, 30.0)).is_walk  # bridged
    positions[:, Joint.LEFT_KNEE] = np.nan
    quality = assess_walk(Gait(positions, 30.0, name="a"))
    assert quality.kind == "unclear"
    with pytest.raises(QualityError, match="gait 'a'"):
        check_walk(Gait(positions, 30.0, name="a"))


def test_quality_as_json():
    told = json.loads(json.dumps(assess_walk(walk()).to_dict()))
    assert told["kind"] in KINDS
    assert set(told) == {"kind", "confidence", "reasons", "direction", "parameters"}
    assert told["parameters"]["stride_length_m"] == pytest.approx(1.04, rel=0.01)


@pytest.mark.parametrize("seed", range(40))
def test_anything_gets_a_name_without_a_warning(seed):
    rng = np.random.default_rng(seed)
    positions = walk(int(rng.integers(4, 90)), travel=bool(seed % 2)).positions.copy()
    spoil = seed % 5
    if spoil == 0:
        positions[rng.random(positions.shape[:2]) < rng.random()] = np.nan
    elif spoil == 1:
        positions = rng.normal(size=positions.shape)
    elif spoil == 2:
        positions[rng.random(len(positions)) < 0.3] = 0.0
    elif spoil == 3:
        positions = positions.astype(np.float32) * np.float32(1e30)
    else:
        positions[:, rng.integers(16)] = positions[:, rng.integers(16)]
    fps = float(rng.choice([1e-3, 1.0, 15.0, 30.0, 1e3, 1e9]))
    quality = assess_walk(Gait(positions, fps))
    assert quality.kind in KINDS
    assert 0.0 <= quality.confidence <= 1.0
    assert quality.reasons


def test_real_gaits_are_walks(real_gaits):
    qualities = {gait.name: assess_walk(gait) for gait in real_gaits}
    refused = {name for name, quality in qualities.items() if not quality.is_walk}
    assert refused == {"93_07_positions.csv"}  # 18 frames: 215 steps a minute
    assert {quality.direction for quality in qualities.values()} == {"forward"}
    assert sum("reflected" in str(quality.reasons) for quality in qualities.values()) == 220


def test_real_gaits_with_wrong_sides_are_mirrored(upright):
    some = upright[::5]
    assert count(map(exchange_sides, some), "mirrored") == len(some)
    assert count(map(reflect, some), "mirrored") == len(some)


def test_real_gaits_with_shuffled_joints_are_refused(upright):
    rng = np.random.default_rng(0)
    shuffled = [permute(gait, rng.permutation(16)) for gait in upright[::8]]
    named = count(shuffled, "scrambled") + count(shuffled, "not a body")
    assert named == len(shuffled)
    assert count(shuffled, "scrambled") > 0.9 * len(shuffled)
    passed = 0
    for i, (a, b) in enumerate(combinations(range(16), 2)):
        order = list(range(16))
        order[a], order[b] = b, a
        passed += count([permute(gait, order) for gait in upright[i % 170 :: 170]], "walk")
    assert passed <= 0.01 * 2 * 120  # two joints exchanged


def test_motion_capture_is_a_walk(mocap_folder):
    for path in sorted(mocap_folder.glob("*.bvh")):
        (gait,) = read(path)
        assert check_walk(gait).direction == "forward"
        assert assess_walk(exchange_sides(gait)).kind == "mirrored"
        played_back = gait.with_positions(gait.positions[::-1])
        assert assess_walk(played_back).direction == "backward"
