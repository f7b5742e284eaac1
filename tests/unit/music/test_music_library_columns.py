import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from moodwalk.music.library import Feedback, Library
from moodwalk.music.library.files import ScannedFile
from moodwalk.music.track import Track, TrackColumns

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


def assert_same(one, other):
    for name in TrackColumns.__dataclass_fields__:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        if name == "artist":  # which number an artist has does not matter
            a, b = (np.unique(codes, return_inverse=True) for codes in (a, b))
            assert ((a[0] == -1) == (b[0] == -1)).all()
            a, b = (np.array([[*map(int, c[1] == i)] for i in c[1]]) for c in (a, b))
        np.testing.assert_array_equal(a, b)


def test_columns_are_those_of_the_tracks(library):
    tracks = [
        Track(location="/1", artist="The  Band", valence=0.25, popularity=3),
        Track(location="/2", artist="", tempo_bpm=120.5, energy=0.5),
        Track(location="/3", artist="the band ", arousal=-1, duration_s=200),
        Track(location="/4", artist="Another"),
    ]
    library.put(tracks)
    assert_same(library.read_columns(), TrackColumns.from_tracks(library.list()))
    assert_same(library.read_columns(), TrackColumns.from_tracks(library.list()))  # as kept
    columns = library.read_columns()
    assert columns.artist[0] == columns.artist[2] != columns.artist[3]
    assert columns.artist[1] == -1


def test_columns_of_an_empty_library(library):
    assert len(library.read_columns()) == len(library.read_columns()) == 0


def test_columns_are_kept_until_a_track_changes(library, monkeypatch, music_home):
    library.put(make_tracks(40, valence=0.5))
    first = library.read_columns()
    (kept,) = music_home.glob("cache/music/*/*.npy")
    with monkeypatch.context() as patch:
        patch.setattr(
            "moodwalk.music.library.track_rows.read_figures", None
        )  # nothing is read from the database
        cached = library.read_columns()
        library.put(make_tracks(40, valence=0.5))
        library.record(Feedback(track_id=1, kind="like", at=NOON))
        assert_same(library.read_columns(), first)
    assert_same(cached, first)
    with pytest.raises(ValueError, match="read-only"):
        cached.valence[0] = 1
    library.put(make_tracks(1, valence=-0.5))
    assert library.read_columns().valence[0] == -0.5
    assert cached.valence[0] == 0.5  # who still has the old ones keeps them
    assert len(list(music_home.glob("cache/music/*/*.npy"))) == 1
    assert not kept.exists()


@pytest.mark.parametrize("change", ["put", "remove", "put_files", "remove_files"])
def test_every_change_of_a_track_shows_in_the_columns(tmp_path, change):
    with Library.open(tmp_path / "a.db") as library:
        library.put(make_tracks(3))
        assert len(library.read_columns()) == 3
        new = Track(location="/new")
        actions = {
            "put": lambda: library.put([new]),
            "remove": lambda: library.remove(["/music/1.ogg"]),
            "put_files": lambda: library.put_files([(ScannedFile("/new", 1, 2, "d"), new)]),
            "remove_files": lambda: library.remove_files(["/music/1.ogg"]),
        }
        actions[change]()
        assert_same(library.read_columns(), TrackColumns.from_tracks(library.list()))


def test_a_damaged_file_of_columns_is_made_anew(tmp_path, music_home):
    with Library.open(tmp_path / "a.db") as library:
        library.put(make_tracks(40, valence=0.5))
        expected = library.read_columns()
        (kept,) = music_home.glob("cache/music/*/*.npy")
        whole = kept.read_bytes()
        other = np.zeros(40)
        for damaged in (b"", b"nonsense", whole[:200], whole[:-8]):
            kept.write_bytes(damaged)
            assert_same(library.read_columns(), expected)
            assert kept.read_bytes() == whole
        np.save(kept, other)
        assert_same(library.read_columns(), expected)
        assert kept.read_bytes() == whole


def test_columns_of_a_database_that_was_put_back_from_a_copy(tmp_path):
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    with Library.open(path) as library:
        library.put(make_tracks(3, valence=0.1))
        library.read_columns()
    shutil.copy(path, copy)
    with Library.open(path) as library:
        library.put(make_tracks(1, valence=0.2))
        assert library.read_columns().valence[0] == np.float32(0.2)
    shutil.copy(copy, path)
    with Library.open(path) as library:
        library.put(make_tracks(1, valence=0.3))  # as many changes as before, and others
        assert library.read_columns().valence[0] == np.float32(0.3)


def test_columns_where_nothing_can_be_kept(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path / "file"))
    with Library.open(tmp_path / "a.db") as library:
        library.put(make_tracks(3))
        assert len(library.read_columns()) == len(library.read_columns()) == 3
