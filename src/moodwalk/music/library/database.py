"""The database of a library: opened, brought up to date, read and written in transactions."""

import errno
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool, StaticPool

from moodwalk.errors import LibraryError
from moodwalk.music.library.address import Address, locate
from moodwalk.music.library.database_errors import explain_errors, explain_opening
from moodwalk.music.library.schema import HEAD, METADATA, VERSION_TABLE, VERSIONS, library

__all__ = ["Database", "replace_state", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"
_WRITING = "moodwalk_writing"
_UPGRADE_KEY = 0x6D6F6F64  # of the advisory lock, under PostgreSQL, of who makes tables
_UPGRADING = Lock()  # Alembic knows of one upgrade in a process
_WITH_CONNECT_TIMEOUT = ("psycopg", "psycopg2")
_NOT_SHARED = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
)  # what a missing shared file becomes


class Database:
    """A database that has the newest tables.

    Parameters
    ----------
    address
        Where it is.
    engine
        Of SQLAlchemy.
    read_only
        Whether it is never written.
    """

    def __init__(self, address: Address, engine: sa.Engine, *, read_only: bool) -> None:
        self.address = address
        self.engine = engine
        self.read_only = read_only

    @classmethod
    def open(cls, given: str | Path | None, *, read_only: bool, timeout_s: float) -> Self:
        """Open a database, and make or change its tables where they are not the newest.

        Parameters
        ----------
        given
            A path, a URL, or None, see `locate`.
        read_only
            Whether it is never written. One of an older version is brought up to date before.
        timeout_s
            How long to wait for others that write.

        Raises
        ------
        LibraryError
            If it cannot be opened, is of a newer version, or is something else.
        """
        address = locate(given)
        with explain_opening(address):
            if read_only and address.path is not None and not address.path.exists():
                if not address.is_default:
                    raise LibraryError(
                        f"{address.place} does not exist; expected a music library. Run `moodwalk music scan "
                        f"DIR` or `moodwalk music import FILE.csv` with it first."
                    )
                # nothing was put into it yet: an empty one in its place, and nothing is written
                address = replace(address, path=None)
            if address.path is not None and not read_only:
                _make_folder(address.path.parent, private=address.is_default)
            engine = _make_engine(address, read_only, timeout_s)
            found = cls(address, engine, read_only=read_only)
            found.read_only = read_only and not found.in_memory  # an empty one is made first
            try:
                found._bring_up_to_date(timeout_s)
            except BaseException:
                engine.dispose()
                raise
            found.read_only = read_only
            return found

    @property
    def in_memory(self) -> bool:
        """Whether it ends with the process."""
        return self.address.is_sqlite and self.address.path is None

    def close(self) -> None:
        """Close every connection."""
        with explain_errors(self.address):
            self.engine.dispose()

    @contextmanager
    def reading(self) -> Generator[sa.Connection]:
        """Give a connection that sees one state of the database throughout."""
        options: dict[str, Any] = {}
        if self.engine.dialect.name == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with (
            explain_errors(self.address),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Give a connection whose changes become one transaction; one writes at a time.

        Raises
        ------
        LibraryError
            If the library was opened for reading, or another program writes for too long.
        """
        if self.read_only:
            raise LibraryError(f"{self.address.place} was opened for reading; open it for writing.")
        with self._begin() as connection:
            connection.execute(sa.select(library.c.id).with_for_update())
            yield connection

    def read_identity(self) -> str:
        """Return the library's own random name."""
        with self.reading() as connection:
            return str(connection.execute(sa.select(library.c.identity)).scalar_one())

    @contextmanager
    def _begin(self) -> Generator[sa.Connection]:
        with (
            explain_errors(self.address),
            self.engine.connect().execution_options(**{_WRITING: True}) as connection,
            connection.begin(),
        ):
            yield connection

    def _bring_up_to_date(self, timeout_s: float) -> None:
        with self.reading() as connection:
            version = _read_version(connection)
            if version is None:
                self._check_is_ours(connection)
        if version not in (None, *VERSIONS):
            raise LibraryError(
                f"{self.address.place} is of version {version}, and this moodwalk knows versions up to "
                f"{HEAD}; expected no newer one. Update moodwalk."
            )
        if self.address.path is not None and not self.read_only:
            with self.engine.connect() as connection:  # not before it is known to be ours
                _let_read_while_writing(connection)
        if version == HEAD:
            return
        if not self.read_only:
            with self._begin() as connection:
                if self.engine.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_KEY)))
                if _read_version(connection) != HEAD:  # another may have been first
                    upgrade(connection)
        elif version is None:
            raise LibraryError(
                f"{self.address.place} holds no music library; expected one. Run `moodwalk music scan "
                f"DIR` with it first."
            )
        else:
            given = self.address.path or self.address.url.render_as_string(hide_password=False)
            try:
                Database.open(given, read_only=False, timeout_s=timeout_s).close()
            except LibraryError as error:
                raise LibraryError(
                    f"{self.address.place} is of the older version {version} and has to be brought up to date "
                    f"before it is read: {error}"
                ) from error

    def _check_is_ours(self, connection: sa.Connection) -> None:
        """Refuse what is another program's, before it is changed."""
        names = set(sa.inspect(connection).get_table_names())
        ours = names & set(METADATA.tables)
        # a server's database may well hold tables of others; a file belongs to one program
        if ours or (self.address.is_sqlite and names):
            shown = ", ".join(sorted(names)[:3])
            raise LibraryError(
                f"{self.address.place} holds other tables ({shown}); expected a music library or an empty "
                f"database. Choose another."
            )


def upgrade(connection: sa.Connection, scripts: Path = _MIGRATIONS) -> None:
    """Bring the tables to the newest version, in the transaction that is open.

    Parameters
    ----------
    connection
        To the database.
    scripts
        The folder with ``env.py`` and ``versions``.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _UPGRADING:
        command.upgrade(config, "head")


def replace_state(connection: sa.Connection) -> None:
    """Say that tracks have changed, in the transaction that changes them."""
    connection.execute(sa.update(library).values(state=uuid4().hex))


def _read_version(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    return connection.execute(sa.select(version.c.version_num)).scalar()


def _make_folder(folder: Path, *, private: bool) -> None:
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)


def _make_engine(address: Address, read_only: bool, timeout_s: float) -> sa.Engine:
    how: dict[str, Any] = {"hide_parameters": True}
    if not address.is_sqlite:
        if address.url.get_driver_name() in _WITH_CONNECT_TIMEOUT:
            how["connect_args"] = {"connect_timeout": max(2, round(timeout_s))}
        engine = sa.create_engine(address.url, pool_pre_ping=True, **how)
        if engine.dialect.is_async:
            raise LibraryError(
                f"{address.place} names an asynchronous driver; expected another, such as "
                f"postgresql+psycopg."
            )
        if engine.dialect.name == "postgresql":
            _limit_waiting(engine, timeout_s)
        return engine
    if address.url.get_driver_name() != "pysqlite":
        raise LibraryError(f"{address.url.drivername} is not supported; expected sqlite.")
    path = address.path
    if path is None:
        how |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    else:
        how |= {
            "poolclass": QueuePool,
            "creator": lambda: _open_sqlite(path, read_only, timeout_s),
        }
    engine = sa.create_engine("sqlite://", **how)
    _set_up_sqlite(engine, changes=path is not None and not read_only)
    return engine


def _open_sqlite(path: Path, read_only: bool, timeout_s: float) -> sqlite3.Connection:
    def connect(mode: str) -> sqlite3.Connection:
        uri = f"{path.as_uri()}?{mode}"
        return sqlite3.connect(uri, uri=True, timeout=timeout_s, check_same_thread=False)

    if path.exists() and not path.is_file():  # opening a pipe would wait for ever
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise OSError(errno.EINVAL, f"it is {kind}; expected a music library")
    if not read_only:
        return connect("mode=rwc")
    connection = connect("mode=ro")
    try:
        with closing(connection.execute("SELECT 1 FROM sqlite_master")) as cursor:
            cursor.fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF not in _NOT_SHARED:
            raise
        # Where nothing may be written, the file beside it that readers and writers share cannot be made. With
        # no changes outside the file itself, it can be read without.
        beside = path.with_name(path.name + "-wal")
        if beside.exists() and beside.stat().st_size:
            raise
        return connect("immutable=1")
    return connection


def _set_up_sqlite(engine: sa.Engine, *, changes: bool) -> None:
    def connect(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # `begin` says when a transaction begins
        # SQLite's own knows ASCII alone
        connection.create_function("lower", 1, _lower, deterministic=True)
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA cache_size=-32768")
            if changes:
                cursor.execute("PRAGMA synchronous=NORMAL")

    def begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get(_WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", connect)
    event.listen(engine, "begin", begin)


def _let_read_while_writing(connection: sa.Connection) -> None:
    driver = connection.connection.cursor()
    with closing(driver), suppress(sqlite3.OperationalError):  # another uses it now; next time then
        if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            driver.execute("PRAGMA journal_mode=WAL")


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _limit_waiting(engine: sa.Engine, timeout_s: float) -> None:
    def connect(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {max(1, round(timeout_s * 1000))}")
        connection.commit()

    event.listen(engine, "connect", connect)
