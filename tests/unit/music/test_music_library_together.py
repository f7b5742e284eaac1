import sqlite3
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from moodwalk.errors import LibraryError
from moodwalk.music.library import Library
from moodwalk.music.library.store import Counts
from moodwalk.music.track import Track

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")


def make_tracks(n, **fields):
    return [
        Track(location=f"/music/{i}.ogg", title=f"Song {i}", artist=f"Artist {i % 7}", **fields)
        for i in range(n)
    ]


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
