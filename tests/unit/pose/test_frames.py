import struct

import numpy as np
import pytest
from clips import drop_pictures, edit_mp4, retime, turn, write_clip

from moodwalk.errors import ConfigError, MediaError
from moodwalk.gait import MAX_FRAMES
from moodwalk.pose.frames import VideoFrames

pytest.importorskip("cv2", reason="needs OpenCV: pip install 'moodwalk[video]'")


def draw_corner(i, picture):
    picture[:60, :80] = 250  # upper left


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", draw=draw_corner)


@pytest.fixture
def make(tmp_path):
    def write(data):
        path = tmp_path / "made.mp4"
        path.write_bytes(data)
        return path

    return write


def read(path, **options):
    with VideoFrames(path, **options) as frames:
        return frames, list(frames)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a.mp4", "mp4v"),
        ("a.mov", "mp4v"),
        ("a.avi", "MJPG"),
        ("a.mkv", "mp4v"),
        ("a.webm", "VP80"),
    ],
)
def test_every_container_gives_its_pictures_and_times(tmp_path, name, code):
    frames, found = read(write_clip(tmp_path / name, code))
    assert len(found) == frames.n_read == 30
    assert np.allclose([frame.time_s for frame in found], np.arange(30) / 25, atol=2e-3)
    assert found[0].picture.shape == (240, 320, 3)
    assert frames.claimed_fps == pytest.approx(25)
    assert frames.size == frames.stored == (320, 240)
    assert frames.rotation == 0


def test_colours_are_red_green_blue(tmp_path):
    def draw(i, picture):
        picture[:] = (0, 0, 255)  # OpenCV's red

    _, found = read(write_clip(tmp_path / "red.avi", "MJPG", draw=draw))
    assert found[0].picture[100, 100].tolist()[0] > 200
    assert max(found[0].picture[100, 100].tolist()[1:]) < 60


@pytest.mark.parametrize(("degrees", "corner"), [(90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_rotation_in_the_metadata_is_done(clip, make, degrees, corner):
    frames, found = read(make(turn(clip.read_bytes(), degrees)))
    picture = found[0].picture
    assert frames.rotation in (degrees, 360 - degrees)
    assert picture.shape[:2] == ((320, 240) if degrees % 180 else (240, 320))
    assert frames.size == picture.shape[1::-1]
    corners = {
        (y, x): int(picture[y * 10 or 5, x * 10 or 5].mean()) for y in (0, -1) for x in (0, -1)
    }
    assert max(corners, key=corners.get) == corner


def test_times_of_a_variable_frame_rate_are_the_files(clip, make):
    ticks = _read_ticks(clip.read_bytes())
    data = retime(clip.read_bytes(), [(10, ticks), (10, 3 * ticks), (10, 2 * ticks)])
    _, found = read(make(edit_mp4(data, b"edts", lambda _: None)))
    steps = np.diff([frame.time_s for frame in found]) * 25
    assert np.allclose(steps, [1] * 10 + [3] * 10 + [2] * 9, atol=0.05)


def test_a_list_of_edits_leaves_pictures_out(clip, make):
    ticks = _read_ticks(clip.read_bytes())  # the list that the writer made ends after 1.2 s
    frames, found = read(make(retime(clip.read_bytes(), [(30, 2 * ticks)])))
    assert 14 <= len(found) <= 18
    assert frames.is_short
    assert frames.n_claimed == 30


def _read_ticks(data):
    place = data.find(b"stts")
    return struct.unpack(">I", data[place + 16 : place + 20])[0]


def test_a_frame_rate_that_is_given_wins(clip):
    frames, found = read(clip, fps=50.0)
    assert np.allclose([frame.time_s for frame in found], np.arange(30) / 50)
    assert not frames.is_timed


def test_more_than_sixty_a_second_are_thinned_out(clip):
    frames, found = read(clip, fps=240.0)
    assert frames.n_read == 30
    assert np.allclose([frame.time_s for frame in found], np.arange(0, 30, 4) / 240)


def test_large_pictures_are_made_smaller(tmp_path):
    path = write_clip(
        tmp_path / "large.avi", "MJPG", size=(1600, 400), n_frames=3, draw=draw_corner
    )
    frames, found = read(path)
    assert frames.stored == (1600, 400)
    assert frames.size == (1280, 320)
    assert found[0].picture.shape == (320, 1280, 3)
    assert found[0].picture[5, 5].mean() > 200
    assert read(path, max_side=160)[1][0].picture.shape == (40, 160, 3)


def test_eight_k_is_read_and_more_is_refused(tmp_path):
    eight = write_clip(tmp_path / "8k.avi", "MJPG", size=(7680, 4320), n_frames=1)
    frames, found = read(eight)
    assert found[0].picture.shape == (720, 1280, 3)
    assert frames.stored == (7680, 4320)
    more = write_clip(tmp_path / "more.avi", "MJPG", size=(8200, 64), n_frames=1)
    with pytest.raises(MediaError, match="8,200 x 64 pixels; expected at most 8K"):
        VideoFrames(more)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize(("name", "code"), [("a.mp4", "mp4v"), ("a.avi", "MJPG")])
def test_a_file_that_is_cut_off_is_refused(tmp_path, name, code, share):
    path = write_clip(tmp_path / name, code)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(MediaError, match="cut off or damaged"):
        read(path)


def test_pictures_that_cannot_be_decoded_are_refused(video_folder, make):
    data = bytearray((video_folder / "watch_gait_normal_01.mp4").read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(1000, 1_000_000, 3000).tolist():
        data[place] = rng.integers(256)
    with pytest.raises(MediaError, match="of 124 frames; expected all"):
        read(make(bytes(data)))


def test_sound_only_and_an_index_of_nothing_are_refused(video_folder, make):
    data = (video_folder / "watch_gait_normal_01.mp4").read_bytes()
    assert b"smhd" in drop_pictures(data)
    for broken in (drop_pictures(data), edit_mp4(data, b"trak", lambda _: None)):
        with pytest.raises(MediaError, match="no pictures that can be decoded"):
            read(make(broken))


def test_no_frames_are_refused(tmp_path):
    for name, code in (("none.mp4", "mp4v"), ("none.avi", "MJPG")):
        with pytest.raises(MediaError, match=r"no pictures? that can be decoded"):
            read(write_clip(tmp_path / name, code, n_frames=0))


def test_too_many_frames_are_refused_before_they_are_read(tmp_path):
    path = write_clip(tmp_path / "long.avi", "MJPG")
    data = bytearray(path.read_bytes())
    place = data.find(b"strh") + 40
    assert struct.unpack("<I", data[place : place + 4])[0] == 30
    data[place : place + 4] = struct.pack("<I", MAX_FRAMES + 1)
    path.write_bytes(data)
    with pytest.raises(MediaError, match="claims 200,001 frames; expected at most 200,000"):
        VideoFrames(path)


def test_a_file_far_longer_than_its_video_takes_no_time(clip):
    with clip.open("ab") as file:
        file.write(struct.pack(">I4s", 0, b"free"))
        file.truncate(10**9)  # sparse
    assert len(read(clip)[1]) == 30


def test_noise_after_a_good_beginning_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 10**6, dtype=np.uint8).tobytes()
    for start in (
        b"\x00\x00\x00\x10ftypisom\0\0\0\0",
        b"\x1a\x45\xdf\xa3",
        b"RIFF\xff\xff\xff\xffAVI ",
    ):
        path = tmp_path / "noise"
        path.write_bytes(start + noise)
        with pytest.raises(MediaError, match=r"cut off or damaged|no pictures"):
            read(path)


def test_a_name_with_signs_is_only_a_name(tmp_path):
    path = write_clip(tmp_path / "plain.mp4")
    strange = path.rename(tmp_path / "concat:a|b %03d ?x=1.mp4")
    assert len(read(strange)[1]) == 30


def test_opencv_that_is_missing_is_named(clip, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(ConfigError, match=r"OpenCV.*moodwalk\[video\]"):
        VideoFrames(clip)
