import io
import os
import threading
import warnings
import zipfile

import pytest

from moodwalk.errors import ConfigError
from moodwalk.pose.bundle import make_bundle, quiet, read_bundle


def test_the_bundle_holds_both_networks_of_the_installed_package():
    pytest.importorskip("mediapipe", reason="needs MediaPipe: pip install 'moodwalk[video]'")
    with zipfile.ZipFile(io.BytesIO(make_bundle())) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        # MediaPipe maps the members where they lie, and so they must not be compressed
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
    assert set(sizes) == {"pose_detector.tflite", "pose_landmarks_detector.tflite"}
    assert min(sizes.values()) > 10**6


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no file"):
        read_bundle(tmp_path / "missing.task")
    with pytest.raises(ConfigError, match="is no file"):
        read_bundle(tmp_path)
    text = tmp_path / "text.task"
    text.write_text("no zip")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_bundle(text)
    other = tmp_path / "hand.task"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("hand_detector.tflite", b"x")
    with pytest.raises(ConfigError, match="has no pose_detector"):
        read_bundle(other)
    huge = tmp_path / "huge.task"
    with huge.open("wb") as file:
        file.truncate(2**28)
    with pytest.raises(ConfigError, match="256 MiB"):
        read_bundle(huge)


def test_a_bundle_is_read_whole(tmp_path):
    path = tmp_path / "pose.task"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pose_detector.tflite", b"a")
        archive.writestr("pose_landmarks_detector.tflite", b"b")
    assert read_bundle(path) == path.read_bytes()


def test_quiet_silences_native_code_and_gives_the_stream_back(capfd):
    with quiet():
        os.write(2, b"from a network\n")
        warnings.warn("from Python", UserWarning, stacklevel=1)
        with quiet():
            os.write(2, b"from deep inside\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_quiet_in_many_threads_gives_the_stream_back(capfd):
    def work():
        for _ in range(50):
            with quiet():
                os.write(2, b"noise\n")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
