import shutil
import sqlite3
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from moodwalk.errors import LibraryError
from moodwalk.music.library import Feedback, Library
from moodwalk.music.library.files import ScannedFile
from moodwalk.music.simulated import simulated_catalogue

pytest.importorskip("sqlalchemy", reason="needs the extra 'music'")
pytest.importorskip("alembic", reason="needs the extra 'music'")
pytestmark = pytest.mark.usefixtures("music_home")

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "0001"


def upgrade():
    op.add_column("music_track", sa.Column("colour", sa.Text()))
    op.execute("UPDATE music_track SET colour = 'blue'")
"""


def run(library, statement):
    """Run a statement beside the library's own, and return its rows."""
    with library._database._begin() as connection:
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def list_revisions():
    """Return the versions as Alembic finds them, oldest first."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from moodwalk.music.library import database

    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][
        ::-1
    ]


def add_version(patch, folder, script=NEXT):
    """Make this a moodwalk that knows one version more, whose migrations lie in a folder."""
    from moodwalk.music.library import database

    scripts = folder / "migrations"
    shutil.copytree(database._MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "later.py").write_text(script)
    patch.setattr(database, "upgrade", partial(database.upgrade, scripts=scripts))
    patch.setattr(database, "HEAD", "later")
    patch.setattr(database, "VERSIONS", (*database.VERSIONS, "later"))


def fill(url):
    """Make a library with tracks, a file and feedback, and return them."""
    with Library.open(url) as library:
        library.put(simulated_catalogue(20))
        library.put_files([(ScannedFile("/a.ogg", 1, 2, "d"), None)])
        library.record(Feedback(track_id=3, kind="like", at=datetime(2026, 3, 1, tzinfo=UTC)))
        return read_all(library)


def read_all(library):
    return list(library.iterate()), library.read_files(), list(library.read_feedback())


# From nothing to the newest


def test_a_new_library_has_the_newest_version(library):
    from moodwalk.music.library.schema import HEAD, METADATA, VERSION_TABLE, VERSIONS

    assert run(library, f"SELECT version_num FROM {VERSION_TABLE}") == [(HEAD,)]
    assert list_revisions() == list(VERSIONS)
    for name in METADATA.tables:
        n_rows = run(library, f"SELECT count(*) FROM {name}")
        assert n_rows == [(int(name == "music_library"),)]


def test_migrations_make_the_tables_that_the_code_uses(library):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from moodwalk.music.library.schema import METADATA, VERSION_TABLE

    with library._database.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, METADATA) == []


def test_libraries_differ(tmp_path):
    def read_names(name):
        with Library.open(tmp_path / name) as library:
            return run(library, "SELECT identity, state FROM music_library")

    ((identity, state),) = read_names("a.db")
    assert read_names("a.db") == [(identity, state)]
    assert len({identity, state, *read_names("b.db")[0]}) == 4
    assert len(identity) == len(state) == 32


def test_downgrade_undoes_the_upgrade(library):
    import sqlalchemy as sa
    from alembic import command
    from alembic.config import Config

    from moodwalk.music.library import database

    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with library._database._begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert sa.inspect(connection).get_table_names() == ["music_version"]


# From an older version


@pytest.mark.parametrize("read_only", [False, True])
def test_an_older_version_is_brought_up_to_date(url, tmp_path, monkeypatch, read_only):
    before = fill(url)
    add_version(monkeypatch, tmp_path)
    for _ in range(2):
        with Library.open(url, read_only=read_only) as library:
            assert read_all(library) == before
    with Library.open(url) as library:
        assert run(library, "SELECT version_num FROM music_version") == [("later",)]
        assert set(run(library, "SELECT colour FROM music_track")) == {("blue",)}


def test_an_upgrade_that_fails_changes_nothing(url, tmp_path, monkeypatch):
    before = fill(url)
    with monkeypatch.context() as patch:
        add_version(patch, tmp_path, NEXT + "    op.execute('SELECT nonsense')")
        with pytest.raises(LibraryError, match="nonsense"):
            Library.open(url)
        with pytest.raises(LibraryError, match=r"older version 0001 .* nonsense") as raised:
            Library.open(url, read_only=True)
    assert "\n" not in str(raised.value)
    assert "hunter2" not in str(raised.value)
    with Library.open(url) as library:
        assert run(library, "SELECT version_num FROM music_version") == [("0001",)]
        assert read_all(library) == before


def test_an_older_version_that_may_not_be_written(plain_user, monkeypatch):
    path = plain_user / "a.db"
    before = fill(path)
    with monkeypatch.context() as patch:
        add_version(patch, plain_user)
        path.chmod(0o400)
        plain_user.chmod(0o500)
        with pytest.raises(LibraryError, match=r"older version 0001 .* not be written") as raised:
            Library.open(path, read_only=True)
    assert "\n" not in str(raised.value)
    with Library.open(path, read_only=True) as library:
        assert read_all(library) == before


# What is refused, and left as it is


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_version(url, read_only):
    with Library.open(url) as library:
        run(library, "UPDATE music_version SET version_num = '2999'")
        with pytest.raises(LibraryError) as raised:
            Library.open(url, read_only=read_only)
        assert run(library, "SELECT version_num FROM music_version") == [("2999",)]
    said = str(raised.value)
    assert "is of version 2999, and this moodwalk knows versions up to 0001" in said
    assert said.endswith("Update moodwalk.")
    assert "\n" not in said
    assert "hunter2" not in said


def make_foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title)")
        connection.execute("INSERT INTO songs VALUES ('mine')")
    connection.close()


def make_with_our_names(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE music_track (title)")
    connection.close()


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_foreign, r"holds other tables \(songs\); expected a music library or an empty"),
        (make_with_our_names, r"holds other tables \(music_track\)"),
        (lambda path: path.write_text("some text\n" * 500), "is no database"),
        (lambda path: path.write_text("text"), "is no database"),
        (lambda path: path.write_bytes(bytes(range(256)) * 100), "is no database"),
    ],
)
def test_files_of_others(tmp_path, make, said, read_only):
    folder = tmp_path / "folder"
    folder.mkdir()
    make(folder / "a.db")
    before = (folder / "a.db").read_bytes()
    with pytest.raises(LibraryError, match=said) as raised:
        Library.open(folder / "a.db", read_only=read_only)
    assert "\n" not in str(raised.value)
    assert (folder / "a.db").read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["a.db"]


def test_a_server_that_others_use_too(postgresql_url):
    import psycopg

    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE songs (title text)")
    with Library.open(postgresql_url) as library:
        library.put(simulated_catalogue(3))
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute("DROP TABLE music_version")
    with pytest.raises(LibraryError, match=r"holds other tables \(music_feedback"):
        Library.open(postgresql_url)


def test_an_empty_file_becomes_a_library(tmp_path):
    path = Path(tmp_path / "a.db")
    path.touch()
    with pytest.raises(LibraryError, match="holds no music library; expected one"):
        Library.open(path, read_only=True)
    assert path.stat().st_size == 0
    with Library.open(path) as library:
        assert library.count() == 0
