"""Where libraries lie in tests: in a folder of the test, in memory, or on a PostgreSQL server of the run."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def _need_extra():
    for name in ("sqlalchemy", "alembic"):
        pytest.importorskip(name, reason="needs the extra 'music'")


@pytest.fixture
def music_home(tmp_path, monkeypatch):
    """A home for moodwalk that is the test's own; it is not there yet."""
    monkeypatch.setenv("MOODWALK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MOODWALK_MUSIC_URL", raising=False)
    return tmp_path / "home"


def _find_programs():
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "pg_ctl").exists()), None)


def _find_user():
    """Return how to run PostgreSQL, which root may not; None where there is nobody to run it."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return None
    return {"user": "postgres", "cwd": "/"}


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server that listens on a socket in a folder; gives the folder."""
    pytest.importorskip("psycopg", reason="needs the package psycopg", exc_type=ImportError)
    programs, user = _find_programs(), _find_user()
    if programs is None:
        pytest.skip("needs a PostgreSQL server, such as Debian's package postgresql")
    if user is None:
        pytest.skip("needs the user postgres: root may not run a PostgreSQL server")
    # not pytest's folder: names of sockets are short, and another user has to get there
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, "postgres")

    def call(program, *options):
        command = [programs / program, "-D", folder / "data", *options]
        # not a pipe: the server would hold its end
        with (folder / "said").open("w") as said:
            done = subprocess.run(command, stdout=said, stderr=said, check=False, **user)
        assert done.returncode == 0, (folder / "said").read_text()

    try:
        call("initdb", "-A", "trust", "-U", "walker", "-E", "UTF8", "-N")
        options = f"-c listen_addresses= -k {folder} -c fsync=off"
        call("pg_ctl", "-w", "-o", options, "-l", folder / "log", "start")
        yield folder
        call("pg_ctl", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgresql_url(postgresql, music_home):
    """The address of an empty database on a PostgreSQL server."""
    _need_extra()
    import psycopg

    with psycopg.connect(
        host=str(postgresql), user="walker", dbname="postgres", autocommit=True
    ) as connection:
        connection.execute("DROP DATABASE IF EXISTS music WITH (FORCE)")
        connection.execute("CREATE DATABASE music")
    return f"postgresql://walker:hunter2@/music?host={postgresql}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path, music_home):
    """A library's address, on either kind of database; there is no library yet."""
    _need_extra()
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return str(tmp_path / "music.db")


@pytest.fixture
def library(url):
    """An empty library, on either kind of database."""
    from moodwalk.music.library import Library

    with Library.open(url) as opened:
        yield opened


@pytest.fixture
def memory(music_home):
    """An empty library in memory."""
    _need_extra()
    from moodwalk.music.library import Library

    with Library.open("sqlite://") as opened:
        yield opened


@pytest.fixture
def plain_user(music_home):
    """A folder of a user whom permissions bind, who the process is meanwhile: root may write anywhere."""
    _need_extra()
    from moodwalk.music.library import Library

    with Library.open("sqlite://") as loaded:  # what is imported late may lie where only root reads
        loaded.read_columns()
    folder = Path(tempfile.mkdtemp(prefix="plain"))
    is_root = os.geteuid() == 0
    if is_root:
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(folder, nobody, -1)
        os.seteuid(nobody)
    try:
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            pytest.skip("needs a temporary folder that every user can reach")
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def spotify_file():
    """Spotify's catalogue of 32,833 rows."""
    shared = Path(__file__).resolve().parents[4] / "shared"
    path = shared / "data" / "music" / "spotify_songs.csv"
    if not path.exists():
        pytest.skip(f"needs {path.relative_to(shared.parent)}, which is not part of the repository")
    return path
