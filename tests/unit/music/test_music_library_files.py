import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from moodwalk.errors import LibraryError
from moodwalk.music.library import Library
from moodwalk.music.library.files import FileState, ScannedFile
from moodwalk.music.track import Track

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


def without_ids(tracks):
    return [replace(track, id=None) for track in tracks]


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
