"""``moodwalk live`` from the outside, on a real video."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from moodwalk.cli import main
from moodwalk.emotion import EMOTIONS
from moodwalk.intake.quality import assess_walk
from moodwalk.live import LiveAnswer
from moodwalk.walker import simulate_gait

pytest.importorskip("cv2", reason="needs the extra video")
pytest.importorskip("mediapipe", reason="needs the extra video")

BY_EYE_SPM = 99.9  # docs/video.md
KEYS = {
    "time_s", "state", "emotion", "probabilities", "confidence", "abstained", "reason", "valence", "arousal",
    "cadence_spm", "n_frames", "fps", "novelty", "quality", "person", "n_people", "delay_s", "music",
}  # fmt: skip


@pytest.fixture(scope="module")
def walk(video_folder):
    return str(video_folder / "watch_gait_normal_01.mp4")


def test_a_real_walk_is_read_line_by_line(walk, capfd):
    withhold_nothing = ["--min-confidence", "0", "--max-novelty", "99"]
    assert main(["live", "--video", walk, "--json", *withhold_nothing]) == 0
    out, err = capfd.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert all(set(answer) == KEYS for answer in answers)
    states = [answer["state"] for answer in answers]
    assert states[0] == "nobody"  # he comes in after 0.8 s
    assert states[1] == "gathering"
    assert states[-1] == "walking"
    last = answers[-1]
    assert last["cadence_spm"] == pytest.approx(BY_EYE_SPM, rel=0.05)
    assert last["emotion"] == max(last["probabilities"], key=last["probabilities"].get)
    assert last["quality"]["kind"] == "walk"
    assert sum(last["probabilities"].values()) == pytest.approx(1)


def test_ctrl_c_gives_the_terminal_back(walk):
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "moodwalk", "live", "--video", walk]
    process = subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
    os.close(end)
    sent = b""
    is_stopped = False
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            sent += part
        if not is_stopped and b"pictures/s" in sent:
            process.send_signal(signal.SIGINT)
            is_stopped = True
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    assert is_stopped
    assert sent.count(b"\x1b[?1049h") == sent.count(b"\x1b[?1049l") == 1
    assert sent.rindex(b"\x1b[?25h") > sent.rindex(b"\x1b[?25l")
    assert b"Traceback" not in sent
    assert b"interrupted" not in sent


def test_a_reader_that_goes_away_ends_it(walk):
    process = subprocess.Popen(
        [sys.executable, "-m", "moodwalk", "live", "--video", walk, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert json.loads(process.stdout.readline())["state"] == "nobody"
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--camera", "98"], "camera 98 cannot be opened"),
        (["--camera", "0", "--video", "x.mp4"], "expected one of them"),
        (["--video", "no-such.mp4"], "no-such.mp4"),
        (["--video", __file__], "expected a video"),
        (["--player", "mpd", "--no-music"], "expected one of them"),
        (["--window", "0.2"], "window_s"),
        (["--camera", "a"], "--camera"),
    ],
)
def test_what_cannot_be_ends_with_one_line(options, said, capfd):
    assert main(["live", "--json", *options]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_music_without_a_library_ends_with_one_line(walk, capfd, tmp_path):
    pytest.importorskip("sqlalchemy", reason="needs the extra music")
    missing = str(tmp_path / "none.sqlite3")
    assert main(["live", "--video", walk, "--json", "--music", "--library", missing]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.mark.skipif(shutil.which("mpd") is None, reason="needs the Music Player Daemon (mpd)")
def test_a_real_player_follows_the_walk():
    pytest.importorskip("mpd", reason="python-mpd2 is part of the extra 'music'")
    pytest.importorskip("sqlalchemy", reason="needs the extra music")
    from test_music_mpd import Daemon, write_song

    from moodwalk.live.music import LiveMusic
    from moodwalk.music.library import Library
    from moodwalk.music.player import MpdPlayer

    walking = LiveAnswer(
        0.0,
        "walking",
        emotion=EMOTIONS[0],
        probabilities=dict(zip(EMOTIONS, (1.0, 0.0, 0.0, 0.0), strict=True)),
        confidence=1.0,
        valence=0.8,
        arousal=0.5,
        cadence_spm=110.0,
        quality=assess_walk(simulate_gait(n_frames=120, fps=30.0, seed=0)),
    )
    with tempfile.TemporaryDirectory(prefix="mw-") as name:
        folder = Path(name)
        songs = [write_song(folder / "music" / f"{letter}.wav", seconds=10) for letter in "abc"]
        with Library.open(folder / "library.sqlite3") as library:
            library.put(replace(s, tempo_bpm=110.0, valence=0.8, arousal=0.5) for s in songs)
        daemon = Daemon(folder)
        music = None
        try:
            daemon.start().update()
            music = LiveMusic(folder / "library.sqlite3", MpdPlayer(daemon.socket))
            seen = []
            for answer, wanted in ((walking, "play"), (LiveAnswer(0.0, "nobody"), "pause")):
                give_up = time.monotonic() + 30
                while music.now.state != wanted and time.monotonic() < give_up:
                    music.update(replace(answer, time_s=time.monotonic() * 10))
                    time.sleep(0.1)
                seen.append((music.now.state, daemon.status()["state"], music.now.title))
            assert [states[:2] for states in seen] == [("play", "play"), ("pause", "pause")]
            assert seen[0][2] in "abc"
            daemon.stop()  # killed: told of, and the walk goes on
            give_up = time.monotonic() + 30
            while music.now.state != "away" and time.monotonic() < give_up:
                music.update(replace(walking, time_s=time.monotonic() * 10))
                time.sleep(0.1)
            assert music.now.state == "away"
            assert music.now.note
        finally:
            if music is not None:
                music.close()
            daemon.stop()
