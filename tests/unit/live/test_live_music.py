"""A real library in a file; what plays is only suggested."""

import sqlite3
import time
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import LibraryError
from moodwalk.intake.quality import assess_walk
from moodwalk.live import LiveAnswer
from moodwalk.live.music import LiveMusic
from moodwalk.music.player import SessionOptions
from moodwalk.music.track import Track
from moodwalk.walker import simulate_gait

pytest.importorskip("sqlalchemy", reason="needs the extra music")

from moodwalk.music.library import Library

EAGER = SessionOptions(min_change_s=1.0, hold_s=2.0, mood_wait_s=3.0)


@pytest.fixture
def library(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "music.sqlite3"
    with Library.open(path) as opened:
        opened.put(
            Track(
                location=f"/music/{i}.mp3",
                title=f"Song {i}",
                artist=f"Artist {i % 30}",
                tempo_bpm=rng.uniform(80, 160),
                valence=rng.uniform(-1, 1),
                arousal=rng.uniform(-1, 1),
            )
            for i in range(120)
        )
    return path


@pytest.fixture(scope="module")
def walking():
    quality = assess_walk(simulate_gait(n_frames=120, fps=30.0, seed=0))
    assert quality.is_walk
    return LiveAnswer(
        0.0,
        "walking",
        emotion=EMOTIONS[0],
        probabilities=dict(zip(EMOTIONS, (0.7, 0.1, 0.1, 0.1), strict=True)),
        confidence=0.7,
        valence=0.45,
        arousal=0.39,
        cadence_spm=110.0,
        quality=quality,
    )


def follow(music, answer, start_s, n_s, until):
    """Send an answer a second of the walk, each once the last was taken; return what came of it."""
    for i in range(n_s):
        music.update(replace(answer, time_s=float(start_s + i)))
        give_up = time.monotonic() + 10
        while music._newest is not None and time.monotonic() < give_up:
            time.sleep(0.005)
        time.sleep(0.02)
        if until(music.now):
            break
    give_up = time.monotonic() + 10
    while not until(music.now) and time.monotonic() < give_up:
        time.sleep(0.02)
    return music.now


def rename(library, old, new):
    with closing(sqlite3.connect(library)) as other, other:
        other.execute(f"ALTER TABLE {old} RENAME TO {new}")


def test_music_is_suggested_for_a_walk_and_held_when_it_stops(library, walking):
    music = LiveMusic(library, options=EAGER)
    try:
        assert music.now.state == "waiting"
        now = follow(music, walking, 0, 5, lambda now: now.state == "suggested")
        assert now.state == "suggested"
        assert now.title.startswith("Song ")
        assert now.why
        held = follow(music, LiveAnswer(0.0, "nobody"), 5, 12, lambda now: now.state == "pause")
        assert (held.state, held.title) == ("pause", now.title)
        again = follow(music, walking, 20, 5, lambda now: now.state == "suggested")
        assert again.title == now.title
    finally:
        music.close()


def test_a_withheld_emotion_leaves_the_cadence(library, walking):
    unclear = replace(walking, state="unclear", emotion=None, reason="it is not clear")
    music = LiveMusic(library, options=EAGER)
    try:
        now = follow(music, unclear, 0, 12, lambda now: now.state == "suggested")
        assert now.state == "suggested"
        assert music._session.anchor.point is None
        assert music._session.anchor.cadence_spm == 110.0
    finally:
        music.close()


def test_a_library_that_fails_on_the_way_is_told_of_and_tried_again(library, walking):
    music = LiveMusic(library, options=EAGER, timeout_s=0.2)
    try:
        rename(library, "music_track", "away")
        now = follow(music, walking, 0, 4, lambda now: now.state == "away")
        assert now.state == "away"
        assert now.note
        rename(library, "away", "music_track")
        now = follow(music, walking, 10, 12, lambda now: now.state == "suggested")
        assert (now.state, now.note) == ("suggested", "")
    finally:
        music.close()


def test_an_empty_library_is_one_line(tmp_path):
    path = tmp_path / "empty.sqlite3"
    Library.open(path).close()
    with pytest.raises(LibraryError, match="no tracks yet"):
        LiveMusic(path)
    with pytest.raises(LibraryError):
        LiveMusic(tmp_path / "none.sqlite3")
