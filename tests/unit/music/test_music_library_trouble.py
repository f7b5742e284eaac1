import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moodwalk.errors import LibraryError
from moodwalk.music.library import Library
from moodwalk.music.library.store import Counts
from moodwalk.music.simulated import simulated_catalogue

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")


def open_and_read(url, **how):
    with Library.open(url, **how) as library:
        library.read_columns()
        list(library.iterate())


def assert_refused(said, url, **how):
    """Open a library and read it, which is to end in one line that says this."""
    with pytest.raises(LibraryError, match=said) as raised:
        open_and_read(url, **how)
    assert "\n" not in str(raised.value)


@pytest.fixture
def path(tmp_path):
    """A library of 2,000 tracks."""
    with Library.open(tmp_path / "a.db") as library:
        library.put(simulated_catalogue(2000))
    return tmp_path / "a.db"


# Others that write


def test_a_locked_database(tmp_path):
    tracks = simulated_catalogue(3)
    path = tmp_path / "a.db"
    with Library.open(path, timeout_s=0.05) as library:
        library.put(tracks[:2])
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(LibraryError, match="locked by another program") as raised:
                library.put(tracks)
            assert "\n" not in str(raised.value)
            assert library.count() == 2  # reading goes on
            with Library.open(path, timeout_s=0.05) as second:
                assert second.count() == 2
        finally:
            other.close()
        assert library.put(tracks) == Counts(1, 0, 2)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_database_that_another_keeps_for_itself(path, read_only):
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert_refused("locked by another program", path, read_only=read_only, timeout_s=0.05)
    finally:
        other.close()
    open_and_read(path, read_only=read_only)


def test_a_write_that_waits_for_another(tmp_path):
    path = tmp_path / "a.db"
    with Library.open(path) as library:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(library.put, simulated_catalogue(1))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            other.execute("COMMIT")
            assert waiting.result() == Counts(1, 0, 0)
        other.close()


def test_postgresql_that_another_writer_holds(postgresql_url):
    with Library.open(postgresql_url) as one, Library.open(postgresql_url, timeout_s=0.05) as other:
        with one._database.writing():
            with pytest.raises(LibraryError, match="lock timeout") as raised:
                other.put(simulated_catalogue(1))
            assert "hunter2" not in str(raised.value)
            assert "\n" not in str(raised.value)
        with Library.open(postgresql_url, read_only=True) as reader:
            with pytest.raises(LibraryError, match="for reading"):
                reader.put(simulated_catalogue(1))
            assert reader.count() == 0


# What may not be written


def test_a_file_and_a_folder_that_may_not_be_written(plain_user):
    path = plain_user / "a.db"
    tracks = simulated_catalogue(30)
    with Library.open(path) as library:
        library.put(tracks)
    path.chmod(0o400)
    plain_user.chmod(0o500)
    before = path.read_bytes()
    with Library.open(path, read_only=True) as library:
        assert library.count() == len(library.read_columns()) == 30
        assert library.find("simulated:3").title == tracks[2].title
    assert_refused("may not be written. Make the file and its folder writable", path)
    assert path.read_bytes() == before
    assert [found.name for found in plain_user.iterdir()] == ["a.db"]


def test_a_file_that_may_not_be_written(plain_user):
    path = plain_user / "a.db"
    tracks = simulated_catalogue(30)
    with Library.open(path) as library:
        library.put(tracks[:20])
    path.chmod(0o400)
    before = path.read_bytes()
    with Library.open(path) as library:
        assert library.count() == 20
        with pytest.raises(LibraryError, match=r"may not be written\. Make the file") as raised:
            library.put(tracks)
        assert "\n" not in str(raised.value)
    assert path.read_bytes() == before


def test_a_folder_that_may_not_be_written(plain_user):
    (plain_user / "folder").mkdir(mode=0o500)
    assert_refused("cannot be opened. Is its folder there", plain_user / "folder" / "a.db")
    assert_refused("Permission denied", plain_user / "folder" / "another" / "a.db")
    assert_refused("does not exist", plain_user / "folder" / "a.db", read_only=True)
    (plain_user / "folder").chmod(0)
    for read_only in (False, True):
        assert_refused("cannot be opened", plain_user / "folder" / "a.db", read_only=read_only)


def test_a_file_that_may_not_be_read(plain_user):
    path = plain_user / "a.db"
    Library.open(path).close()
    path.chmod(0)
    for read_only in (False, True):
        assert_refused("cannot be opened", path, read_only=read_only)


def test_a_library_that_was_opened_for_reading(path):
    with Library.open(path, read_only=True) as library:
        for write in (
            lambda: library.put(simulated_catalogue(1)),
            lambda: library.remove(["simulated:1"]),
            lambda: library.put_files([]),
        ):
            with pytest.raises(LibraryError, match="was opened for reading; open it for writing"):
                write()
        with pytest.raises(LibraryError, match="was opened for reading"), library.lock():
            pass
        assert library.count() == 2000


def test_reading_before_there_is_a_library(tmp_path, music_home):
    with Library.open(read_only=True) as library:  # nothing was scanned yet
        assert library.count() == len(library.read_columns()) == 0
        assert library.place == str(music_home / "music.sqlite3")
        with pytest.raises(LibraryError, match="was opened for reading"):
            library.put(simulated_catalogue(1))
    assert not music_home.exists()
    assert_refused("does not exist; .* `moodwalk music scan", tmp_path / "a.db", read_only=True)


# What is damaged, or no library's place


@pytest.mark.parametrize("read_only", [False, True])
def test_damaged_files(path, read_only):
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (
        whole[:middle],
        whole[:4096] + b"x" * (middle - 4096) + whole[middle:],
        whole[:100] + bytes(3996) + whole[4096:],
    ):
        path.write_bytes(damaged)
        assert_refused("is damaged. Put a copy back", path, read_only=read_only)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "statement", ["DROP TABLE music_track", "DELETE FROM music_library", "DROP TABLE music_place"]
)
def test_a_library_that_lacks_something(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    assert_refused("cannot be used: [nN]o (such table|row)", path)


def test_a_disk_that_is_full(path):
    with Library.open(path) as library:
        with library._database.engine.connect() as connection:  # the one that writes then
            connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no more than there are
        with pytest.raises(LibraryError, match="the disk is full") as raised:
            library.put(simulated_catalogue(4000))
        assert "\n" not in str(raised.value)
        assert library.count() == 2000


@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_file(tmp_path, read_only):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "a.db")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    for name, said in {
        ".": "it is a folder; expected a music library",
        "pipe": "it is no ordinary file",
        "/dev/null": "it is no ordinary file",
        "text/a.db": "does not exist|cannot be opened",
        "link": "does not exist|cannot be opened",
        "circle": "does not exist|cannot be opened",
        "x" * 300: "File name too long",
    }.items():
        assert_refused(said, tmp_path / name, read_only=read_only)


# Addresses


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "the library has an empty name"),
        ("  ", "the library has an empty name"),
        ("a\0b", "holds a null byte"),
        ("oracle9://walker:hunter2@host/music", "a kind of database, oracle9, that is not known"),
        ("postgresql://walker:hun/ter2@host/music", "has a user or password with @ or / in it"),
        ("postgresql://walker:hun@ter2@host/music", "has a user or password with @ or / in it"),
        ("postgresql://walker:hunter2@host:port/music", r"postgresql:\.\.\., cannot be read"),
        ("sqlite:///a.db?mode=ro", "has options; expected none"),
        ("sqlite+aiosqlite:///a.db", "is not supported; expected sqlite|needs the Python package"),
        ("postgresql+nothing://walker:hunter2@host/music", "that is not known"),
    ],
)
def test_addresses_that_make_no_sense(tmp_path, monkeypatch, url, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LibraryError, match=said) as raised:
        Library.open(url)
    assert "\n" not in str(raised.value)
    assert "ter2" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_where_a_library_lies(tmp_path, music_home, monkeypatch):
    with Library.open() as library:
        assert library.place == str(music_home / "music.sqlite3")
    assert music_home.stat().st_mode & 0o077 == 0
    monkeypatch.chdir(tmp_path)
    for given in ("b.db", Path("b.db"), "sqlite:///b.db", f"sqlite:///{tmp_path / 'b.db'}"):
        with Library.open(given) as library:
            assert library.place == str(tmp_path / "b.db")
    monkeypatch.setenv("MOODWALK_MUSIC_URL", str(tmp_path / "folder" / "c.db"))
    with Library.open() as library:
        assert library.place == str(tmp_path / "folder" / "c.db")
    assert (tmp_path / "folder" / "c.db").exists()
    name = os.fsdecode(b"caf\xe9?#%20 \n.db")
    with Library.open(tmp_path / name) as library:
        library.put(simulated_catalogue(3))
        assert library.place.endswith("caf%E9%3F%23%2520%20%0A.db")
    with Library.open(tmp_path / name, read_only=True) as library:
        assert library.count() == 3


def test_postgresql_that_is_not_there(tmp_path):
    pytest.importorskip("psycopg", reason="needs the package psycopg", exc_type=ImportError)
    url = f"postgresql://walker:hunter2@/music?host={tmp_path}&password=hunter3"
    with pytest.raises(LibraryError) as raised:
        Library.open(url)
    said = str(raised.value)
    assert "\n" not in said
    assert "hunter" not in said
    assert said.startswith("postgresql+psycopg://walker@/music cannot be used: ")
