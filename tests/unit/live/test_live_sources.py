"""Cameras are video files here, opened by OpenCV as a camera is: real pictures, and an end that comes as a
pulled plug does."""

import time
from itertools import islice

import numpy as np
import pytest

from moodwalk.errors import ConfigError, DataFormatError, MediaError
from moodwalk.live import sources
from moodwalk.live.sources import CameraSource, VideoSource

cv2 = pytest.importorskip("cv2", reason="needs the extra video")

N_FRAMES = 30


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A second of video; the brightness of a picture tells its number."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (320, 240))
    assert writer.isOpened()
    for i in range(N_FRAMES):
        writer.write(np.full((240, 320, 3), 8 * i, np.uint8))
    writer.release()
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorter waits."""
    monkeypatch.setattr(sources, "_AGAIN_S", (0.05, 0.1))
    monkeypatch.setattr(sources, "SILENCE_S", 0.1)


class Plug:
    """Opens a file as if it were a camera, so often as it is said to be plugged in."""

    def __init__(self, clip, n_times, from_frame=0):
        self.clip, self.n_left, self.from_frame = clip, n_times, from_frame
        self.n_tries = 0

    def __call__(self):
        self.n_tries += 1
        capture = cv2.VideoCapture(str(self.clip) if self.n_left > 0 else "/no/such/camera")
        capture.set(cv2.CAP_PROP_POS_FRAMES, self.from_frame)
        self.n_left -= 1
        return capture


def test_all_pictures_of_a_video_come_where_it_is_not_paced(clip):
    with VideoSource(clip, paced=False) as source:
        shots = list(source)
    assert [round(shot.time_s * 30) for shot in shots] == list(range(N_FRAMES))
    assert source.size == (320, 240)
    assert source.name == "clip.avi"


def test_a_paced_video_takes_its_time_and_passes_over_what_comes_late(clip):
    with VideoSource(clip, paced=True) as source:
        began = time.monotonic()
        shots = iter(source)
        kept = [next(shots)]
        time.sleep(0.5)  # one picture took long
        kept += shots
        took = time.monotonic() - began
    assert took >= kept[-1].time_s > 0.9
    assert len(kept) < N_FRAMES - 8
    assert kept[1].time_s > 0.35


def test_a_file_that_is_no_video_is_refused(tmp_path):
    text = tmp_path / "walk.mp4"
    text.write_text("no video at all, but long enough to look like one\n" * 9)
    with pytest.raises(MediaError, match="expected a video"):
        VideoSource(text, paced=False)
    with pytest.raises(DataFormatError):
        VideoSource(tmp_path / "none.mp4", paced=False)


def test_a_camera_shows_its_newest_picture_only(clip):
    with CameraSource(0, open_capture=Plug(clip, 1)) as camera:
        time.sleep(0.3)  # all thirty have come meanwhile
        shot = next(iter(camera))
        assert shot.picture.mean() > 8 * (N_FRAMES - 3)
        assert camera.size == (320, 240)
        assert shot.picture.shape == (240, 320, 3)


def test_a_camera_that_is_unplugged_is_told_of_and_opened_again(clip):
    told = []
    plug = Plug(clip, 1)
    with CameraSource(3, told.append, open_capture=plug) as camera:
        shots = iter(camera)
        silent = next(shot for shot in shots if shot.picture is None)
        for _ in range(4):
            assert next(shots).picture is None
        assert told == ["camera 3 sends nothing more; is it plugged in? Trying again"]
        assert plug.n_tries > 2
        plug.n_left = 1  # plugged in again
        back = next(shot for shot in islice(shots, 100) if shot.picture is not None)
        assert told[1] == "camera 3 is back"
        assert back.time_s > silent.time_s


def test_a_camera_that_never_opens_is_one_line():
    with pytest.raises(MediaError, match="camera 7 cannot be opened; expected one that is plugged"):
        CameraSource(7, open_capture=lambda: cv2.VideoCapture("/no/such/camera"))


def test_a_camera_that_sends_nothing_is_one_line(clip, monkeypatch):
    monkeypatch.setattr(sources, "_FIRST_S", 0.3)
    with pytest.raises(MediaError, match="camera 0 sends no pictures"):
        CameraSource(0, open_capture=Plug(clip, 99, from_frame=N_FRAMES))


def test_there_is_no_camera_of_that_number():
    with pytest.raises(ConfigError, match="0 to 99"):
        CameraSource(-1)


def test_large_pictures_are_made_smaller(clip):
    with CameraSource(0, open_capture=Plug(clip, 1), max_side=160) as camera:
        assert next(iter(camera)).picture.shape == (120, 160, 3)


def test_the_camera_is_let_go_at_the_end(clip):
    kept = []

    def open_it():
        kept.append(cv2.VideoCapture(str(clip)))
        return kept[-1]

    with CameraSource(0, open_capture=open_it) as camera:
        next(iter(camera))
    assert not any(capture.isOpened() for capture in kept)
    assert list(camera) == []
