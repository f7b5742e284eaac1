import os
import subprocess
import sys

import numpy as np
import pytest

from moodwalk.cycles import compute_cadence
from moodwalk.errors import ConfigError, DataFormatError, MediaError, MoodwalkWarning
from moodwalk.gait import Gait
from moodwalk.io.video import begins_video, read_video
from moodwalk.pose import LANDMARKS

pytest.importorskip("cv2", reason="needs OpenCV: pip install 'moodwalk[video]'")
pytest.importorskip("mediapipe", reason="needs MediaPipe: pip install 'moodwalk[video]'")

STEPS_OF_THE_WOMAN = 97.7
"""Steps a minute: 8 strikes of a foot, 7 steps, in frames 60 to 189 at 30 a second, counted by eye."""

STEPS_OF_THE_MAN = 99.9
"""6 strikes, 5 steps, in frames 27 to 117 at 29.97 a second; the last behind a chair."""


def cut(source, target, frames):
    """Write some frames of a video as a video of its own, at most 1280 pixels wide."""
    import cv2

    reader = cv2.VideoCapture(str(source))
    writer = None
    for i in range(frames.stop):
        good, picture = reader.read()
        assert good
        if i not in frames:
            continue
        if picture.shape[1] > 1280:
            picture = cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_AREA)
        if writer is None:
            code, size = cv2.VideoWriter_fourcc(*"MJPG"), picture.shape[1::-1]
            writer = cv2.VideoWriter(str(target), code, 30.0, size)
        writer.write(picture)
    writer.release()
    return target


def get(recording, name):
    return recording.positions[:, LANDMARKS.index(name)]


def make_gait(recording):
    hips = [get(recording, f"{side}_hip") for side in ("right", "left")]
    shoulders = [get(recording, f"{side}_shoulder") for side in ("right", "left")]
    root, neck = np.mean(hips, axis=0), np.mean(shoulders, axis=0)
    limbs = [
        get(recording, f"{side}_{joint}")
        for side, joints in (
            ("right", ("shoulder", "elbow", "wrist")),
            ("left", ("shoulder", "elbow", "wrist")),
            ("right", ("hip", "knee", "ankle")),
            ("left", ("hip", "knee", "ankle")),
        )
        for joint in joints
    ]
    joints = [root, (root + neck) / 2, neck, get(recording, "nose"), *limbs]
    return Gait(np.stack(joints, axis=1), recording.fps)


def tell(recording):
    return {finding.what: finding for finding in recording.findings}


@pytest.fixture(scope="module")
def man(video_folder):
    seen = []
    recording = read_video(
        video_folder / "watch_gait_normal_01.mp4",
        progress=lambda done, of: seen.append((done, of)),
    )
    # two of its pictures are 14 ms apart, and the second is passed over
    assert seen == [(number, 124) for number in range(1, 125) if number != 2]
    return recording


@pytest.fixture(scope="module")
def woman(video_folder, tmp_path_factory):
    """The woman's walk; behind her a man exercises on a roof, who is seen before her and longer."""
    path = tmp_path_factory.mktemp("video") / "woman.avi"
    return read_video(cut(video_folder / "sports2d_demo.mp4", path, range(60, 150)))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x00\x00\x00\x18ftypmp42\x00\x00", True),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", True),
        (b"RIFF\x00\x10\x00\x00AVI LIST", True),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", True),
        (b"RIFF\x00\x10\x00\x00WAVEfmt ", False),
        (b"HIERARCHY\nROOT Hips", False),
        (b"PK\x03\x04\x14\x00\x00\x00", False),
        (b"\x89HDF\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_a_video_is_told_by_how_it_begins(start, expected):
    assert begins_video(start) is expected


def test_real_videos_begin_as_videos(video_folder):
    for path in video_folder.glob("*.mp4"):
        with path.open("rb") as file:
            assert begins_video(file.read(64))


def test_a_recording_of_a_video_is_in_metres_and_says_where_up_is(man):
    assert man.joints == LANDMARKS
    assert man.format == "video"
    assert (man.unit_m, man.up) == (1.0, "+y")
    assert man.fps == pytest.approx(29.97, abs=0.01)
    assert (man.name, man.source) == ("watch_gait_normal_01", "watch_gait_normal_01.mp4")
    assert man.confidence.shape == man.positions.shape[:2]
    assert 3.0 < len(man) / man.fps < 3.6
    thigh = np.linalg.norm(get(man, "right_hip") - get(man, "right_knee"), axis=1)
    assert 0.3 < np.nanmedian(thigh) < 0.5
    assert np.nanmedian(get(man, "nose")[:, 1] - get(man, "right_ankle")[:, 1]) > 1.2


def test_the_man_walks_to_the_right(man):
    hips = (get(man, "left_hip") + get(man, "right_hip")) / 2
    gone = hips[-1] - hips[0]
    assert 2.0 < gone[0] < 3.8
    assert abs(gone[2]) < 0.3 * gone[0]
    assert np.diff(hips[:, 0]).min() > -0.01  # always on


def test_cadences_agree_with_steps_counted_by_eye(man, woman):
    assert compute_cadence(make_gait(woman)) == pytest.approx(STEPS_OF_THE_WOMAN, rel=0.03)
    assert compute_cadence(make_gait(man)) == pytest.approx(STEPS_OF_THE_MAN, rel=0.05)


def test_the_woman_who_walks_is_chosen_and_everybody_is_listed(woman):
    found = tell(woman)
    people = [what for what in found if what.startswith("person ")]
    assert len(people) >= 2
    chosen = found["walker"].value.split(" of ")[0]
    assert found["walker"].value == f"{chosen} of {len(people)}"
    assert "travels" in found[chosen].value
    assert "next" in found["walker"].evidence
    assert found["walker"].confidence < 1
    hips = get(woman, "left_hip")
    assert hips[-1, 0] - hips[0, 0] < -2  # to the left
    assert len(woman) > 80


def test_findings_tell_how_it_was_made(man):
    found = tell(man)
    assert found["smoothing"].value == "lag 0 ms"
    assert "constant" in found["frame rate"].value
    assert "file claims 30.22" in found["frame rate"].evidence
    assert 2 < float(found["jitter"].value.split()[0]) < 40
    assert " of " in found["drop-outs"].value
    assert "to the right" in found["travel"].value
    assert "rotation" not in found
    assert "scaling" not in found
    for finding in man.findings:
        assert 0 <= finding.confidence <= 1


def test_a_person_is_chosen_by_number_and_nothing_is_printed(video_folder, tmp_path):
    path = cut(video_folder / "sports2d_demo.mp4", tmp_path / "two.avi", range(60, 78))
    code = (
        "import sys\n"
        "from moodwalk.errors import ConfigError\n"
        "from moodwalk.io.video import read_video\n"
        "recording = read_video(sys.argv[1], person=2)\n"
        "found = {finding.what: finding for finding in recording.findings}\n"
        "assert found['walker'].value == 'person 2 of 2', found['walker'].value\n"
        "assert found['walker'].evidence == 'as asked'\n"
        "try:\n"
        "    read_video(sys.argv[1], person=9)\n"
        "except ConfigError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.stderr == ""
    assert result.stdout == f"{path} has no person 9; found 1, 2. Choose one of them.\n"


def write_empty(path, code):
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 25.0, (320, 240))
    for i in range(20):
        writer.write(np.full((240, 320, 3), 10 * i, np.uint8))
    writer.release()
    return path


def test_nobody_in_the_picture_is_one_clear_line(tmp_path):
    with pytest.raises(MediaError, match=r"empty\.avi shows no person"):
        read_video(write_empty(tmp_path / "empty.avi", "MJPG"))


def test_frames_that_a_list_of_edits_leaves_out_are_told(tmp_path):
    path = write_empty(tmp_path / "edited.mp4", "mp4v")
    data = bytearray(path.read_bytes())
    place = data.find(b"stts") + 16  # twice as long a frame, but the list ends where it did
    data[place : place + 4] = (2 * int.from_bytes(data[place : place + 4])).to_bytes(4)
    path.write_bytes(data)
    with (
        pytest.warns(MoodwalkWarning, match=r"edited\.mp4: 1\d of 20 frames could be read"),
        pytest.raises(MediaError, match="shows no person"),
    ):
        read_video(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    with pytest.raises(DataFormatError, match="does not exist; expected a video"):
        read_video(tmp_path / "missing.mp4")
    with pytest.raises(DataFormatError, match="is a folder"):
        read_video(tmp_path)
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    with pytest.raises(DataFormatError, match="no ordinary file"):
        read_video(pipe)


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "walk.mp4"
    path.write_bytes(b"")
    with pytest.raises(DataFormatError, match="empty"):
        read_video(path)
    path.write_text("gait,frame,fps\n")
    with pytest.raises(MediaError, match=r"begins with b'gait,fra'; expected a video"):
        read_video(path)
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(100))
    with pytest.raises(MediaError, match=r"cut off or damaged|no pictures"):
        read_video(path)


@pytest.mark.parametrize(
    "options", [{"fps": 0.0}, {"fps": float("nan")}, {"fps": -30.0}, {"max_side": 10}]
)
def test_options_that_make_no_sense_are_refused(tmp_path, options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        read_video(tmp_path / "any.mp4", **options)


def test_a_model_that_is_none_is_refused_before_the_video_is_read(video_folder, tmp_path):
    model = tmp_path / "none.task"
    model.write_text("no model")
    with pytest.raises(ConfigError, match=r"none\.task cannot be read as a \.task file"):
        read_video(video_folder / "watch_gait_normal_01.mp4", model=model)
