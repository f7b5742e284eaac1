import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

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
