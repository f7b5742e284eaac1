import numpy as np
from filmed_walks import SIZE, poses_of, walk

from moodwalk.pose import LANDMARKS, Landmark
from moodwalk.pose.landmarks import measure_distance


def test_landmarks_have_mediapipes_names_and_places():
    assert len(LANDMARKS) == 33
    assert LANDMARKS[0] == "nose"
    assert LANDMARKS[10] == "mouth_right"
    assert LANDMARKS[11:13] == ("left_shoulder", "right_shoulder")
    assert LANDMARKS[23:29] == (
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    )
    assert LANDMARKS[32] == "right_foot_index"


def test_a_pose_knows_its_box_and_size():
    pose = poses_of(walk(10))[0]
    left, upper, right, lower = pose.box
    assert 0 < left < right < SIZE[0]
    assert 0 < upper < lower < SIZE[1]
    assert pose.size == np.hypot(right - left, lower - upper)
    assert left < pose.centre[0] < right
    assert upper < pose.centre[1] < pose.pixels[Landmark.LEFT_ANKLE, 1]


def test_distance_is_in_sizes_of_the_body():
    pose = poses_of(walk(10))[0]
    aside = pose._replace(pixels=pose.pixels + np.array([pose.size / 2, 0]))
    assert measure_distance(pose, pose) == 0
    assert np.isclose(measure_distance(pose, aside), 0.5)
    assert measure_distance(pose, aside) == measure_distance(aside, pose)
