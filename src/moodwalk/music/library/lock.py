"""One scan of a library at a time."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from moodwalk.errors import LibraryError
from moodwalk.home import find_home
from moodwalk.music.library.database import Database
from moodwalk.music.library.database_errors import explain_errors

__all__ = ["lock"]


@contextmanager
def lock(database: Database) -> Generator[None]:
    """Hold a library's lock; who ends, however that is, lets it go.

    Parameters
    ----------
    database
        Of the library. Under SQLite the lock is a file beside it, under PostgreSQL an advisory lock of a session;
        else a file in moodwalk's home, which other machines do not see.

    Raises
    ------
    LibraryError
        If another holds it, or it cannot be held here.
    """
    address = database.address
    if database.read_only:
        raise LibraryError(f"{address.place} was opened for reading; open it for writing to scan.")
    with ExitStack() as held:
        if database.engine.dialect.name == "postgresql":
            _hold_session_lock(database, held)
        else:
            path = address.path
            name = None if path is None else path.with_name(path.name + ".lock")
            _hold_file_lock(database, held, name or _name_lock(database))
        yield


def _hold_session_lock(database: Database, held: ExitStack) -> None:
    place = database.address.place
    key = int(database.read_identity()[:15], 16)
    with explain_errors(database.address):
        connection = held.enter_context(
            database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        )
        # not back into the pool: the session's end lets the lock go
        connection.detach()
        got = connection.execute(sa.select(sa.func.pg_try_advisory_lock(key))).scalar_one()
    if not got:
        raise _taken(place)


def _hold_file_lock(database: Database, held: ExitStack, path: Path) -> None:
    place = database.address.place
    file_lock = FileLock(path, timeout=0)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(file_lock)
    except Timeout:
        raise _taken(place) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LibraryError(
            f"{place} cannot be locked with {path}: {reason}. Make its folder writable."
        ) from error


def _name_lock(database: Database) -> Path:
    return find_home() / "cache" / "music" / f"{database.read_identity()}.lock"


def _taken(place: str) -> LibraryError:
    return LibraryError(
        f"another scan of {place} is at work; expected none. Wait until it has finished."
    )
