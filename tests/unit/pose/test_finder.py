import zipfile

import numpy as np
import pytest

from moodwalk.errors import ConfigError
from moodwalk.pose import Landmark, PoseFinder
from moodwalk.pose.bundle import make_bundle
from moodwalk.pose.frames import VideoFrames

pytest.importorskip("mediapipe", reason="needs MediaPipe: pip install 'moodwalk[video]'")


@pytest.fixture(scope="module")
def two_people(video_folder):
    """Nine pictures of a woman who walks on the right and a man who stands on a roof."""
    pictures = []
    with VideoFrames(video_folder / "sports2d_demo.mp4") as frames:
        for number, _, picture in frames:
            if 60 < number < 70:
                pictures.append(picture)
            if number == 70:
                break
    return pictures


def find_woman(poses):
    return max(poses, key=lambda pose: pose.centre[0])


@pytest.fixture(scope="module")
def followed(two_people):
    with PoseFinder() as finder:
        return [finder.find(picture) for picture in two_people]


def test_a_still_shows_both_people(followed):
    woman, man = followed[0]
    if woman.centre[0] < man.centre[0]:
        woman, man = man, woman
    assert 980 < woman.centre[0] < 1080
    assert 420 < man.centre[0] < 500
    assert woman.centre[1] > man.centre[1] + 200  # he stands on a roof


def test_axes_are_right_up_and_towards_the_camera(followed):
    woman = find_woman(followed[0])
    height = woman.world[Landmark.NOSE, 1] - woman.world[Landmark.LEFT_ANKLE, 1]
    assert 1.2 < height < 1.8
    assert abs(woman.world[[Landmark.LEFT_HIP, Landmark.RIGHT_HIP]].mean(axis=0)).max() < 0.05
    # she walks to the left of the picture, so that her left side is the near one
    assert woman.world[Landmark.LEFT_SHOULDER, 2] > woman.world[Landmark.RIGHT_SHOULDER, 2]
    toe, heel = Landmark.LEFT_FOOT_INDEX, Landmark.LEFT_HEEL
    assert woman.world[toe, 0] < woman.world[heel, 0]
    assert woman.pixels[toe, 0] < woman.pixels[heel, 0]


def test_both_people_are_followed_from_picture_to_picture(followed):
    assert [len(poses) for poses in followed] == [2] * 9
    woman = np.array([find_woman(poses).centre for poses in followed])
    assert (np.diff(woman[:, 0]) < 0).mean() > 0.7  # to the left
    assert np.abs(np.diff(woman, axis=0)).max() < 20
    assert all(pose.visibility.min() >= 0 and pose.visibility.max() <= 1 for pose in followed[-1])


def test_a_model_by_path_is_the_same(tmp_path, two_people, followed):
    path = tmp_path / "pose.task"
    path.write_bytes(make_bundle())
    with PoseFinder(path) as finder:
        again = finder.find(two_people[0])
    assert [np.allclose(a.pixels, b.pixels) for a, b in zip(again, followed[0], strict=True)] == [
        True,
        True,
    ]


def test_no_more_people_than_asked_for(two_people):
    with PoseFinder(max_people=1) as finder:
        assert len(finder.find(two_people[0])) == 1


def test_an_empty_picture_shows_nobody_and_the_finder_is_silent(capfd):
    with PoseFinder() as finder:
        assert finder.find(np.full((90, 160, 3), 127, np.uint8)) == []
        assert finder.find(np.full((1, 1, 3), 127, np.uint8)) == []
    assert capfd.readouterr().err == ""


def test_a_bundle_that_is_damaged_inside_is_one_clear_line(tmp_path):
    path = tmp_path / "broken.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pose_detector.tflite", b"no network")
        archive.writestr("pose_landmarks_detector.tflite", b"no network")
    with pytest.raises(ConfigError, match="does not work as a pose landmarker") as caught:
        PoseFinder(path)
    assert "\n" not in str(caught.value)


def test_nobody_cannot_be_looked_for():
    with pytest.raises(ConfigError, match="max_people is 0"):
        PoseFinder(max_people=0)


def test_mediapipe_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mediapipe", None)
    with pytest.raises(ConfigError, match=r"MediaPipe.*moodwalk\[video\]"):
        PoseFinder()
