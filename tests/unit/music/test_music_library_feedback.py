from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.library import Feedback
from moodwalk.music.library import store as library_module
from moodwalk.music.track import Track

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


def without_ids(tracks):
    return [replace(track, id=None) for track in tracks]


def test_feedback_comes_back_oldest_first(library):
    library.put(make_tracks(4))
    east = timezone(timedelta(hours=5))
    said = [
        Feedback(
            track_id=2,
            kind="skip",
            at=NOON + timedelta(microseconds=1),
            emotion=Emotion.SAD,
            mode="lift",
            cadence_spm=101.5,
            position_s=12.25,
        ),
        Feedback(track_id=1, kind="play", at=NOON.astimezone(east)),
        Feedback(track_id=1, kind="like", at=NOON),
        Feedback(track_id=4, kind="dislike", at=datetime(1969, 1, 1, tzinfo=UTC)),
    ]
    for one in said:
        library.record(one)
    assert list(library.read_feedback()) == [said[3], said[1], said[2], said[0]]
    assert list(library.read_feedback(since=NOON)) == [said[1], said[2], said[0]]
    assert list(library.read_feedback(NOON + timedelta(seconds=1))) == []
    with pytest.raises(ConfigError, match="no time zone"):
        library.read_feedback(datetime(2026, 1, 1))
    with pytest.raises(LibraryError, match="track 99"):
        library.record(Feedback(track_id=99, kind="play", at=NOON))


def test_feedback_and_tracks_of_many_pages(memory, monkeypatch):
    monkeypatch.setattr(library_module, "_PAGE", 8)
    memory.put(make_tracks(24))
    assert without_ids(memory.iterate()) == make_tracks(24)
    said = [Feedback(track_id=1, kind="play", at=NOON + timedelta(hours=i // 5)) for i in range(42)]
    for one in said:
        memory.record(one)
    assert list(memory.read_feedback()) == said


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "bored"},
        {"at": datetime(2026, 1, 1)},
        {"position_s": -1.0},
        {"cadence_spm": float("nan")},
    ],
)
def test_feedback_that_makes_no_sense(wrong):
    with pytest.raises(ConfigError):
        Feedback(**{"track_id": 1, "kind": "play", "at": NOON, **wrong})


def test_what_was_played_last(library):
    library.put(make_tracks(5))
    heard = [(1, "play"), (2, "skip"), (3, "like"), (1, "play"), (4, "play"), (4, "dislike")]
    for minute, (number, kind) in enumerate(heard):
        at = NOON + timedelta(minutes=minute)
        library.record(Feedback(track_id=number, kind=kind, at=at))
    assert library.read_recent(10) == [4, 1, 2]
    assert library.read_recent(2) == [4, 1]
    assert library.read_recent(0) == []


def test_feedback_outlives_its_track(library):
    library.put(make_tracks(3))
    said = Feedback(track_id=2, kind="play", at=NOON)
    library.record(said)
    library.remove([f"/music/{i}.ogg" for i in range(3)])
    assert list(library.read_feedback()) == [said]
    assert library.read_recent(5) == []
    library.put([Track(location="/else.ogg"), *make_tracks(3)])
    assert library.find("/music/1.ogg").id == 2  # the same again, with what was said of it
    assert library.find("/else.ogg").id > 3
    assert library.read_recent(5) == [2]
