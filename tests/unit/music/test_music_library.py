import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.library import Feedback, track_rows
from moodwalk.music.library import store as library_module
from moodwalk.music.library.files import FileState, ScannedFile
from moodwalk.music.library.store import BATCH, Counts, Library
from moodwalk.music.simulated import simulated_catalogue
from moodwalk.music.track import Track, TrackColumns

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MOODWALK_MUSIC_URL", raising=False)
    return tmp_path / "home"


def find_postgresql():
    """Return the folder of PostgreSQL's programs, or skip."""
    pytest.importorskip("psycopg", reason="needs the Python package psycopg")
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not folders:
        pytest.skip("needs a PostgreSQL server, such as Debian's package postgresql")
    return folders[-1]


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory):
    """A PostgreSQL server that listens on a socket in a folder; gives the folder."""
    programs = find_postgresql()
    folder = Path(tmp_path_factory.mktemp("pg"))
    # sockets have short names, and the server does not run as root
    sockets = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    user = {}
    if os.getuid() == 0:
        user = {"user": "postgres", "cwd": "/"}
        shutil.chown(sockets, "postgres")
    data = sockets / "data"

    def call(*command):
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **user
        )

    try:
        call(programs / "initdb", "-D", data, "-A", "trust", "-U", "walker", "-E", "UTF8", "-N")
        options = f"-c listen_addresses= -k {sockets} -c fsync=off"
        call(programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", sockets / "log", "start")
        yield sockets
        call(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A library's address, on either kind of database; there is no library yet."""
    if request.param == "sqlite":
        return str(tmp_path / "music.db")
    import psycopg

    sockets = request.getfixturevalue("postgresql")
    with psycopg.connect(
        host=str(sockets), user="walker", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute("DROP DATABASE IF EXISTS music WITH (FORCE)")
        connection.execute("CREATE DATABASE music")
    return f"postgresql://walker:hunter2@/music?host={sockets}"


@pytest.fixture
def library(url):
    with Library.open(url) as opened:
        yield opened


@pytest.fixture
def memory():
    with Library.open("sqlite://") as opened:
        yield opened


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


def without_ids(tracks):
    return [replace(track, id=None) for track in tracks]


# Tracks


def test_tracks_come_back_as_they_went_in(library):
    tracks = simulated_catalogue(300)
    assert library.put(tracks) == Counts(300, 0, 0)
    found = list(library.iterate())
    assert without_ids(found) == tracks
    assert [track.id for track in found] == sorted(track.id for track in found)
    ids = [found[7].id, found[299].id, found[0].id, found[7].id]
    assert library.get(ids) == [found[7], found[299], found[0], found[7]]
    assert library.find("simulated:8") == found[7]
    assert library.find("simulated:301") is None
    assert library.count() == 300


def test_putting_again_counts_what_changed(library):
    tracks = make_tracks(50, valence=0.1)
    library.put(tracks)
    before = library.list(None)
    tracks[3] = replace(tracks[3], valence=None)
    tracks[4] = replace(tracks[4], title="Another")
    assert library.put([*tracks, Track(location="/music/new.ogg")]) == Counts(1, 2, 48)
    after = library.list(None)
    assert [track.id for track in after[:50]] == [track.id for track in before]
    assert after[3].valence is None
    assert after[4].title == "Another"


def test_more_tracks_than_one_transaction_holds_and_some_twice(memory):
    n = BATCH + 10
    tracks = make_tracks(n)
    counts = memory.put(iter([*tracks, replace(tracks[0], title="Newer"), tracks[1]]))
    assert counts == Counts(n, 1, 1)
    assert memory.count() == n
    assert memory.find("/music/0.ogg").title == "Newer"


def test_what_no_database_holds(library):
    odd = Track(location="/a", title="a\0b\udcff", valence=float("nan"), tempo_bpm=float("inf"))
    library.put([odd, odd])
    (kept,) = library.list()
    assert (kept.title, kept.valence, kept.tempo_bpm) == ("ab?", None, None)
    assert library.put([odd]) == Counts(0, 0, 1)
    for location in ("", "/a\0b", "/a\udcff"):
        with pytest.raises(LibraryError, match="expected text in UTF-8"):
            library.put([Track(location=location)])


def test_locations_longer_than_an_index_holds(library):
    long = ["/" + "x" * 9000 + str(i) for i in range(3)]
    library.put([Track(location=location) for location in long])
    assert [track.location for track in library.list()] == long
    assert library.find(long[1]).id == library.list()[1].id


def test_tracks_that_are_not_there(library):
    library.put(make_tracks(3))
    for number in (17, 0, -1, 2**63, 10**30):
        with pytest.raises(LibraryError, match=f"no track of number {number}"):
            library.get([1, number])
    assert library.get([]) == []


def test_listing_and_searching(library):
    library.put(
        [
            Track(location="/1", title="Café del Mar", artist="Energy 52"),
            Track(location="/2", title="100 % pure", artist="ÉTOILE"),
            Track(location="/3", title="Other", artist="Somebody", album="Under_score"),
        ]
    )

    def search(text, **how):
        return [track.location for track in library.list(search=text, **how)]

    assert search("CAFÉ") == ["/1"]
    assert search("étoile") == ["/2"]
    assert search("mar energy") == ["/1"]
    assert search("mar  other") == []
    assert search("%") == ["/2"]
    assert search("_") == ["/3"]
    assert search("\udcff\0") == []
    assert search("") == search(None) == ["/1", "/2", "/3"]
    assert search("", limit=1, offset=1) == ["/2"]
    assert search("", limit=10**30, offset=10**30) == []
    with pytest.raises(ConfigError, match="0 or more"):
        library.list(-1)


def test_removing(library):
    library.put(make_tracks(1200))
    gone = [f"/music/{i}.ogg" for i in range(1100)]
    assert library.remove([*gone, "/nowhere", gone[0]]) == 1100
    assert library.count() == 100
    assert library.remove(gone) == 0
    library.put(make_tracks(1))
    assert (
        library.find("/music/0.ogg").id > 1200
    )  # a number that had another meaning is not given again


tracks_of_any_kind = st.builds(
    Track,
    location=st.sampled_from([f"/{i}" for i in range(6)]),
    title=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    tempo_bpm=st.none() | st.floats(40, 250),
    valence=st.none() | st.floats(-1, 1),
    mode=st.sampled_from(["major", "minor", None]),
    source=st.sampled_from(["scan", "catalogue"]),
)
steps = st.lists(
    st.tuples(st.just("put"), st.lists(tracks_of_any_kind, max_size=5))
    | st.tuples(st.just("remove"), st.lists(st.sampled_from([f"/{i}" for i in range(6)])))
)


def test_a_library_is_what_was_put_less_what_was_removed(memory):
    @given(steps)
    def check(steps):
        memory.remove([track.location for track in memory.list(None)])
        expected = {}
        for step, values in steps:
            if step == "put":
                n_new = len({track.location for track in values} - set(expected))
                assert memory.put(values).n_added == n_new
                expected |= {track.location: track for track in values}
            else:
                assert memory.remove(values) == len(set(values) & set(expected))
                expected = {key: track for key, track in expected.items() if key not in values}
            found = memory.list(None)
            assert {track.location: replace(track, id=None) for track in found} == expected
            assert memory.read_columns().id.tolist() == [track.id for track in found]

    check()


# Columns


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


def test_columns_are_kept_until_a_track_changes(library, monkeypatch, home):
    library.put(make_tracks(40, valence=0.5))
    first = library.read_columns()
    (kept,) = home.glob("cache/music/*/*.npy")
    with monkeypatch.context() as patch:
        patch.setattr(track_rows, "read_figures", None)  # nothing is read from the database
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
    assert len(list(home.glob("cache/music/*/*.npy"))) == 1
    assert not kept.exists()


@pytest.mark.parametrize("change", ["put", "remove", "put_files", "remove_files"])
def test_every_change_of_a_track_shows_in_the_columns(memory, tmp_path, change):
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


def test_a_damaged_file_of_columns_is_made_anew(tmp_path, home):
    with Library.open(tmp_path / "a.db") as library:
        library.put(make_tracks(40, valence=0.5))
        expected = library.read_columns()
        (kept,) = home.glob("cache/music/*/*.npy")
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


# Feedback


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


# What scans need


def scanned(i, failure=None, digest="d"):
    return ScannedFile(f"/music/{i}.ogg", 10 + i, 2**60 + i, digest, failure)


def test_files_and_their_tracks(library):
    tracks = make_tracks(3)
    library.put_files([(scanned(i), tracks[i]) for i in range(3)])
    assert library.read_files() == {f"/music/{i}.ogg": scanned(i).state for i in range(3)}
    assert without_ids(library.list()) == tracks
    before = library.list()

    library.put_files([(scanned(0, digest="e"), None)])  # touched, and the same
    assert library.read_files()["/music/0.ogg"] == FileState(10, 2**60, "e")
    assert library.list() == before

    library.put_files([(scanned(1, "damaged"), None), (scanned(3, "no audio"), None)])
    assert library.read_files()["/music/1.ogg"].failure == "damaged"
    assert len(library.read_files()) == 4
    assert library.find("/music/1.ogg") is None

    library.put_files([(scanned(2, "only tags"), tracks[2])])
    assert library.find("/music/2.ogg") == before[2]
    library.put_files([])

    library.remove_files(["/music/0.ogg", "/music/3.ogg", "/nowhere"])
    assert set(library.read_files()) == {"/music/1.ogg", "/music/2.ogg"}
    assert [track.location for track in library.list()] == ["/music/2.ogg"]


def test_a_batch_is_written_whole_or_not_at_all(library):
    with pytest.raises(LibraryError, match="UTF-8"):
        library.put_files([(scanned(0), make_tracks(1)[0]), (scanned(1), Track(location="a\0"))])
    assert library.read_files() == {}
    assert library.count() == 0


def test_a_file_twice_in_a_batch(memory):
    track = make_tracks(1)[0]
    memory.put_files([(scanned(0), track), (scanned(0, digest="e"), None)])
    assert memory.read_files() == {track.location: scanned(0, digest="e").state}
    assert memory.count() == 1


def test_one_scan_at_a_time(url):
    with Library.open(url) as one, Library.open(url) as other:
        with one.lock():
            with pytest.raises(LibraryError, match="another scan") as raised, other.lock():
                pass
            assert "hunter2" not in str(raised.value)
            with pytest.raises(LibraryError, match="another scan"), one.lock():
                pass
            other.put(make_tracks(2))  # the lock is for scans alone
        with other.lock():
            pass


KILLED = """
import sys, time
from sqlalchemy import event
from sqlalchemy.engine import Engine
from moodwalk.music.library.files import ScannedFile
from moodwalk.music.library import Library
from moodwalk.music.track import Track

with Library.open(sys.argv[1]) as library, library.lock():
    def batch(first):
        return [
            (ScannedFile(f"/{i}.ogg", i, i, "d"), Track(location=f"/{i}.ogg", title=str(i)))
            for i in range(first, first + 40)
        ]
    library.put_files(batch(0))
    @event.listens_for(Engine, "after_cursor_execute")
    def stop(connection, cursor, statement, *others):
        if "INTO music_track" in statement:
            print("inside", flush=True)
            time.sleep(600)
    library.put_files(batch(40))
"""


def test_killed_in_the_middle_of_a_batch(url):
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, url],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert child.stdout.readline() == "inside\n"  # states and tracks are written, not committed
        with Library.open(url, timeout_s=0.2) as library:
            assert library.count() == 40
            with pytest.raises(LibraryError, match="another scan"), library.lock():
                pass
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    with Library.open(url) as library, library.lock():
        assert library.count() == len(library.read_files()) == 40
        again = [
            (ScannedFile(f"/{i}.ogg", i, i, "d"), Track(location=f"/{i}.ogg", title=str(i)))
            for i in range(30, 80)
        ]
        library.put_files(again)
        assert library.count() == len(library.read_files()) == 80
        assert [track.title for track in library.list(None)] == [str(i) for i in range(80)]


# Several at once


def test_two_writers(url):
    Library.open(url).close()

    def write(number):
        with Library.open(url) as library:
            total = Counts()
            for first in range(0, 60, 20):
                tracks = [
                    Track(location=f"/{i}", title=str(number)) for i in range(first, first + 20)
                ]
                own = Track(location=f"/own/{number}/{first}")
                total += library.put([*tracks, own])
            return total

    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(write, range(4)))
    with Library.open(url, read_only=True) as library:
        assert library.count() == 60 + 12
    assert sum(count.n_added for count in counts) == 72
    assert sum(count.n_updated for count in counts) == 180


def test_many_open_a_new_library_at_once(url):
    def open_it(_):
        with Library.open(url) as library:
            return library.count()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(open_it, range(6))) == [0] * 6


def test_a_reader_sees_one_state_while_another_writes(tmp_path):
    path = tmp_path / "a.db"
    with Library.open(path) as library, Library.open(path, read_only=True) as reader:
        library.put(make_tracks(1500))
        seen = reader.iterate()
        next(seen)
        library.remove(["/music/1499.ogg"])  # does not wait for the reader
        assert sum(1 for _ in seen) in (1498, 1499)


def test_a_locked_database(tmp_path):
    path = tmp_path / "a.db"
    with Library.open(path, timeout_s=0.05) as library:
        library.put(make_tracks(2))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(LibraryError, match="locked by another program") as raised:
                library.put(make_tracks(3))
            assert "\n" not in str(raised.value)
            assert library.count() == 2  # reading goes on
            with Library.open(path, timeout_s=0.05) as second:
                assert second.count() == 2
        finally:
            other.close()
        assert library.put(make_tracks(3)) == Counts(1, 0, 2)


def test_a_write_that_waits_for_another(tmp_path):
    path = tmp_path / "a.db"
    with Library.open(path) as library:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(library.put, make_tracks(1))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            other.execute("COMMIT")
            assert waiting.result() == Counts(1, 0, 0)
        other.close()


def test_postgresql_that_another_writer_holds(url):
    if not url.startswith("postgresql"):
        pytest.skip("is about PostgreSQL")
    with Library.open(url) as one, Library.open(url, timeout_s=0.05) as other:
        with one._database.writing():
            with pytest.raises(LibraryError, match="lock timeout") as raised:
                other.put(make_tracks(1))
            assert "hunter2" not in str(raised.value)
            assert "\n" not in str(raised.value)
        with Library.open(url, read_only=True) as reader:
            with pytest.raises(LibraryError, match="for reading"):
                reader.put(make_tracks(1))
            assert reader.count() == 0


def test_postgresql_that_is_not_there(tmp_path):
    pytest.importorskip("psycopg", reason="needs the Python package psycopg")
    url = f"postgresql://walker:hunter2@/music?host={tmp_path}&password=hunter3"
    with pytest.raises(LibraryError) as raised:
        Library.open(url)
    said = str(raised.value)
    assert "\n" not in said
    assert "hunter" not in said
    assert said.startswith("postgresql+psycopg://walker@/music cannot be used: ")


def test_the_schema_on_every_kind_of_database(library):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from moodwalk.music.library.schema import METADATA, VERSION_TABLE

    with library._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_start_up_needs_neither_alembic_nor_much(tmp_path):
    path = tmp_path / "a.db"
    Library.open(path).close()
    code = textwrap.dedent(
        f"""
        import sys
        from moodwalk.music.library import Library
        assert "sqlalchemy" not in sys.modules
        with Library.open({str(path)!r}) as library:
            library.read_columns()
        print("alembic.command" in sys.modules, "scipy" in sys.modules)
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
