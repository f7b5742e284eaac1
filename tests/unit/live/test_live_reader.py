import json
import math
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.errors import ConfigError, DataFormatError, ShapeError
from moodwalk.intake.walk import make_gait
from moodwalk.io.video import _make_walk, _Rate
from moodwalk.live import STATES, JointSource, LiveOptions, LiveReader
from moodwalk.live.windows import find_rate, record_person
from moodwalk.pose import LANDMARKS, Landmark, Track
from moodwalk.predict import Predictor
from moodwalk.recording import Recording
from moodwalk.skeleton import Joint
from moodwalk.walker import WalkerParameters, simulate_gait

SIZE = (1280, 720)
FPS = 30.0
PLAIN = LiveOptions(smoothing_s=0.0, hold_s=0.0)
JOINTS = JointSource([joint.name.lower() for joint in Joint], unit_m=1.0, up="+y")


def read(reader, poses, times=None, size=SIZE):
    """Push one pose (or None, or a list of them) a picture; return the answers."""
    times = np.arange(len(poses)) / FPS if times is None else times
    found = []
    for time_s, pose in zip(times, poses, strict=True):
        people = pose if isinstance(pose, list) else [] if pose is None else [pose]
        answer = reader.push(float(time_s), people, size)
        if answer is not None:
            found.append(answer)
    return found


def states(answers):
    """Return the states, each once for as long as it holds."""
    return [a.state for i, a in enumerate(answers) if not i or answers[i - 1].state != a.state]


def shift(pose, across):
    return pose._replace(pixels=pose.pixels + np.array([across, 0.0]))


def hide_legs(pose):
    visibility = pose.visibility.copy()
    visibility[Landmark.LEFT_HIP :] = 0.01
    return pose._replace(visibility=visibility)


def make_track(poses):
    track = Track(1)
    for frame, pose in enumerate(poses):
        track.add(frame, frame / FPS, pose)
    return track


class Whole:
    claimed_fps = FPS
    is_timed = True


def test_window_is_made_as_a_file_is(filmed_walk):
    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(150)[:130])  # pictures are dropped
    track = Track(1)
    for frame in kept:
        track.add(int(frame), frame / FPS, filmed_walk[frame])
    of_file = _make_walk(track, SIZE, _Rate(FPS, False, ""))
    window = record_person(track, SIZE, FPS)
    np.testing.assert_array_equal(window.positions, of_file.positions)
    np.testing.assert_array_equal(window.confidence, of_file.confidence)
    assert find_rate(np.array(track.times_s)) == pytest.approx(FPS, rel=1e-3)


def test_answer_is_that_of_predict_for_the_latest_seconds(predictor, filmed_walk):
    last = [a for a in read(LiveReader(predictor, PLAIN), filmed_walk[:211]) if a.emotion][-1]
    assert last.time_s == 7.0
    rate = _Rate.find(Whole, np.arange(121) / FPS)
    walk = _make_walk(make_track(filmed_walk[90:211]), SIZE, rate)
    gait = make_gait(Recording(walk.positions, LANDMARKS, rate.fps, "video", unit_m=1.0, up="+y"))
    expected = predictor.predict(gait)
    assert last.n_frames == expected.n_frames == 121
    assert last.probabilities == pytest.approx(expected.probabilities, abs=1e-4)
    assert last.emotion == expected.emotion
    assert last.cadence_spm == pytest.approx(expected.cadence_spm, rel=1e-4)
    assert last.valence == pytest.approx(expected.valence, abs=1e-4)
    assert last.novelty == pytest.approx(expected.novelty, rel=1e-3)
    assert last.quality.kind == "walk"


def test_a_walk_is_read_from_its_second_second_on(predictor, filmed_walk):
    answers = read(LiveReader(predictor), filmed_walk)
    assert states(answers) == ["gathering", "walking"]
    first = next(a for a in answers if a.state == "walking")
    assert first.time_s == pytest.approx(2.0, abs=0.25)
    walking = [a for a in answers if a.state == "walking"]
    assert np.diff([a.time_s for a in walking]) == pytest.approx(1.0, abs=0.05)
    assert all(sum(a.probabilities.values()) == pytest.approx(1) for a in walking)
    assert all(a.probabilities[a.emotion] == a.confidence for a in walking)
    assert walking[-1].delay_s == pytest.approx(LiveOptions().delay_s, abs=0.1)
    assert all(a.state in STATES for a in answers)


def test_answers_repeat_and_are_json(predictor, filmed_walk):
    one, two = ([a.to_dict() for a in read(LiveReader(predictor), filmed_walk)] for _ in range(2))
    assert one == two
    json.dumps(one, allow_nan=False)
    of_predict = predictor.predict(simulate_gait(n_frames=90, fps=30.0, seed=0)).to_dict()
    assert set(of_predict) - set(one[-1]) == {"windows", "reading"}


def test_nobody_then_somebody_then_nobody(predictor, filmed_walk):
    poses = [None] * 60 + filmed_walk[:120] + [None] * 60
    answers = read(LiveReader(predictor), poses)
    assert states(answers) == ["nobody", "gathering", "walking", "nobody"]
    gone = answers[-1]
    assert (gone.person, gone.emotion, gone.probabilities, gone.n_people) == (None, None, {}, 0)
    left = next(a for a in answers if a.state == "nobody" and a.time_s > 3)
    assert left.time_s - 6.0 == pytest.approx(0.5, abs=0.3)


def test_who_returns_soon_goes_on_and_who_returns_late_begins_anew(predictor, filmed_walk):
    for n_away, is_same in ((24, True), (90, False)):
        poses = [*filmed_walk[:180], *[None] * n_away, *filmed_walk[180 + min(n_away, 24) :]]
        answers = read(LiveReader(predictor), poses)
        before, after = answers[4], answers[-1]
        assert before.state == after.state == "walking"
        assert (before.person == after.person) == is_same
        again = [a for a in answers if a.time_s > 6.1 and a.state == "walking"]
        # the mean age of the evidence tells whether smoothing began anew
        assert (again[0].delay_s > 2.05) == is_same


def test_only_part_of_a_body_is_said_to_be_so(predictor, filmed_walk):
    answers = read(LiveReader(predictor), [hide_legs(pose) for pose in filmed_walk[:150]])
    assert {a.state for a in answers} == {"gathering"}
    assert all("whole body" in a.reason for a in answers)


def test_standing_is_no_walk(predictor, filmed_walk):
    rng = np.random.default_rng(0)
    still = [
        filmed_walk[20]._replace(world=filmed_walk[20].world + rng.normal(0, 0.002, (33, 3)))
        for _ in range(150)
    ]
    last = read(LiveReader(predictor), still)[-1]
    assert (last.state, last.emotion, last.abstained) == ("not walking", None, False)
    assert last.quality.kind == "standing"
    assert last.reason.startswith("standing: ")


def test_answers_are_withheld_where_predict_withholds_them(filmed_walk):
    doubting = Predictor.load(min_confidence=1.0)
    last = read(LiveReader(doubting), filmed_walk[:200])[-1]
    assert (last.state, last.emotion, last.abstained) == ("unclear", None, True)
    assert "below the 100% asked for" in last.reason
    assert last.confidence == max(last.probabilities.values())
    strict = Predictor.load(max_novelty=0.0)
    last = read(LiveReader(strict), filmed_walk[:200])[-1]
    assert last.state == "unclear"
    assert "unlike all that the weights learned from" in last.reason
    assert last.probabilities == {}  # what the weights know nothing of is not taken in
    assert last.cadence_spm == pytest.approx(WalkerParameters().cadence_spm, rel=0.05)


def test_somebody_else_begins_anew(predictor, films, filmed_walk):
    near = films.walk(360, start=(-4.0, 0.0), away=7.0, seed=5)
    others = [type(filmed_walk[0])(*parts) for parts in zip(*films.film(near), strict=True)]
    poses = [[pose] for pose in filmed_walk[:150]] + [[pose] for pose in others[:150]]
    answers = read(LiveReader(predictor), poses)
    assert answers[4].state == answers[-1].state == "walking"
    assert answers[-1].person != answers[4].person
    between = [a.state for a in answers if 5.3 < a.time_s < 6.5]
    assert set(between) <= {"gathering", "nobody"}


def test_the_nearer_walker_is_read_though_they_came_later(predictor, films, filmed_walk):
    far, near = (
        [type(filmed_walk[0])(*parts) for parts in zip(*films.film(body), strict=True)]
        for body in (
            films.walk(300, start=(-6.0, 0.0), away=16.0),
            films.walk(160, start=(-3.9, 0.0), away=7.0, seed=5),
        )
    )
    poses = [[pose] for pose in far[:120]]
    poses += [[far[120 + i], pose] for i, pose in enumerate(near)]
    answers = read(LiveReader(predictor), poses)
    first, second = ([a for a in answers if a.person == number] for number in (1, 2))
    assert first[-1].state == second[-1].state == "walking"
    assert second[-1].n_people == 2
    assert second[0].time_s < 8.5
    # read without waiting, from their own steps alone
    assert second[0].state == "walking"
    assert second[0].delay_s == pytest.approx(second[0].n_frames / FPS / 2, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_irregular_times_and_dropped_pictures_change_little(predictor, films, seed):
    rng = np.random.default_rng(seed)
    body = films.walk(360, start=(-5.0, 0.0), away=11.0)
    pixels, world, visibility = films.film(body)
    frames = np.sort(rng.permutation(360)[:300])
    times = frames / FPS + rng.uniform(-0.004, 0.004, len(frames))
    poses = [_pose(pixels[i], world[i], visibility[i]) for i in frames]
    even = read(
        LiveReader(predictor, PLAIN),
        [_pose(*p) for p in zip(pixels, world, visibility, strict=True)],
    )
    odd = read(LiveReader(predictor, PLAIN), poses, times)
    assert odd[-1].state == even[-1].state == "walking"
    assert odd[-1].cadence_spm == pytest.approx(even[-1].cadence_spm, rel=0.03)
    for name, share in even[-1].probabilities.items():
        assert odd[-1].probabilities[name] == pytest.approx(share, abs=0.25)


def _pose(pixels, world, visibility):
    from moodwalk.pose import Pose

    return Pose(pixels, world, visibility)


def test_too_few_pictures_a_second_are_told(predictor, filmed_walk):
    answers = read(LiveReader(predictor), filmed_walk[::8], np.arange(45) * 8 / FPS)
    assert answers[-1].state == "unclear"
    assert "3.8 pictures a second; expected 5 or more" in answers[-1].reason


def test_a_clock_set_back_begins_anew_and_ends_well(predictor, filmed_walk):
    times = np.arange(360) / FPS + 5000.0
    times[200:] -= 3600.0
    answers = read(LiveReader(predictor), filmed_walk, times)
    after = answers[[a.time_s < 5000 for a in answers].index(True) :]
    assert states(after) == ["gathering", "walking"]
    assert "set back by 3600.0 s" in after[0].reason
    assert after[-1].state == "walking"


def test_a_clock_that_jumps_ahead_is_a_pause(predictor, filmed_walk):
    times = np.arange(360) / FPS
    times[200:] += 1e6
    answers = read(LiveReader(predictor), filmed_walk, times)
    after = [a for a in answers if a.time_s > 1e6]
    assert states(after) == ["gathering", "walking"]
    assert after[-1].person != answers[0].person


def test_late_and_doubled_pictures_are_passed_over(predictor, filmed_walk):
    plain = read(LiveReader(predictor), filmed_walk[:150])
    times = np.arange(150) / FPS
    doubled = np.stack([times, times - 0.1, times + 0.001], axis=1).ravel()
    poses = [pose for pose in filmed_walk[:150] for _ in range(3)]
    assert [a.to_dict() for a in read(LiveReader(predictor), poses, doubled)] == [
        a.to_dict() for a in plain
    ]


def test_memory_is_bounded_whatever_comes(predictor, filmed_walk):
    reader = LiveReader(predictor, LiveOptions(step_s=60.0))
    crowd = [shift(filmed_walk[0], 300.0 * i) for i in range(12)]
    for frame in range(1500):
        reader.push(frame / 1000, crowd, SIZE)  # a thousand pictures a second
    tracks = reader._view._tracker.tracks
    assert sum(map(len, tracks)) <= 4 * (4.0 / 0.015 + 2)
    reader = LiveReader(predictor, LiveOptions(step_s=60.0))
    for frame in range(600):
        reader.push(frame / FPS, [filmed_walk[frame % 360]], SIZE)
    assert sum(map(len, reader._view._tracker.tracks)) <= 122
    assert len(reader._view._whole) <= 3


@pytest.mark.parametrize("bad", ["shape", "nan", "huge", "text", "size", "time", "far"])
def test_what_cannot_be_is_refused_in_one_line(predictor, filmed_walk, bad):
    pose, size, time_s = filmed_walk[0], SIZE, 0.0
    error = ConfigError if bad in ("time", "far") else ShapeError
    if bad == "shape":
        pose = pose._replace(pixels=pose.pixels[:32])
    elif bad == "nan":
        pose = pose._replace(world=np.full((33, 3), np.nan))
    elif bad == "huge":
        pose = pose._replace(pixels=np.full((33, 2), 1e30))
    elif bad == "text":
        pose = pose._replace(visibility=np.array(["x"] * 33))
    elif bad == "size":
        size = (0, 720)
    else:
        time_s = math.nan if bad == "time" else 1e300
    with pytest.raises(error) as caught:
        LiveReader(predictor).push(time_s, [pose], size)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


def test_another_size_of_picture_begins_anew(predictor, filmed_walk):
    reader = LiveReader(predictor)
    read(reader, filmed_walk[:120])
    assert reader.push(4.1, [filmed_walk[121]], (720, 1280)).state == "gathering"


@pytest.fixture(scope="module")
def stepping():
    gait = simulate_gait(n_frames=240, fps=FPS, travel=True, seed=3)
    return gait.positions.astype(np.float64)


def push_joints(reader, frames, times=None, source=JOINTS):
    times = np.arange(len(frames)) / FPS if times is None else times
    answers = [
        reader.push_joints(float(time_s), frame, source)
        for time_s, frame in zip(times, frames, strict=True)
    ]
    return [answer for answer in answers if answer is not None]


def test_joints_are_read_as_a_table_of_them_is(predictor, stepping):
    last = push_joints(LiveReader(predictor, PLAIN), stepping[:211])[-1]
    gait = make_gait(Recording(stepping[90:211], JOINTS.joints, FPS, "table", unit_m=1.0, up="+y"))
    expected = predictor.predict(gait)
    assert last.time_s == 7.0
    assert last.probabilities == pytest.approx(expected.probabilities, abs=1e-3)
    assert last.cadence_spm == pytest.approx(expected.cadence_spm, rel=1e-3)


def test_joints_that_are_missing_now_and_then_are_bridged(predictor, stepping):
    holed = stepping.copy()
    holed[::17, Joint.LEFT_HAND] = np.nan
    frames = [None if i % 23 == 5 else frame for i, frame in enumerate(holed)]
    whole = push_joints(LiveReader(predictor, PLAIN), stepping)[-1]
    last = push_joints(LiveReader(predictor, PLAIN), frames)[-1]
    assert last.state == "walking"
    assert last.cadence_spm == pytest.approx(whole.cadence_spm, rel=0.03)


def test_joints_in_millimetres_with_z_up_need_no_telling(predictor, stepping):
    source = JointSource(JOINTS.joints)
    turned = 1000 * stepping[..., [2, 0, 1]]
    last = push_joints(LiveReader(predictor, PLAIN), turned, source=source)[-1]
    plain = push_joints(LiveReader(predictor, PLAIN), stepping)[-1]
    assert last.probabilities == pytest.approx(plain.probabilities, abs=0.02)


def test_joints_of_somebody_who_left_are_forgotten(predictor, stepping):
    frames = [*stepping[:120], *[None] * 60, *stepping[120:]]
    answers = push_joints(LiveReader(predictor), frames)
    assert states(answers) == ["gathering", "walking", "nobody", "gathering", "walking"]
    assert answers[-1].person == 2


def test_joints_that_are_none_are_refused(predictor, stepping):
    with pytest.raises(ShapeError, match=r"expected numbers of shape \(16, 3\)"):
        LiveReader(predictor).push_joints(0.0, np.zeros((15, 3)), JOINTS)
    with pytest.raises(ShapeError, match="infinity"):
        LiveReader(predictor).push_joints(0.0, np.full((16, 3), np.inf), JOINTS)
    with pytest.raises(ShapeError, match="each once"):
        JointSource(["hip", "hip"])
    strange = replace(JOINTS, joints=[f"p{i}" for i in range(16)])
    with pytest.raises(DataFormatError, match="live: "):
        push_joints(LiveReader(predictor), stepping, source=strange)


@pytest.mark.parametrize(
    "wrong",
    [{"window_s": 1.0}, {"first_s": 0.5}, {"step_s": 0.0}, {"margin": 1.0}, {"window_s": math.nan}],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match="expected"):
        LiveOptions(**wrong)
