"""Where a library's database is: a file, or a server that an SQLAlchemy URL names."""

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from moodwalk.errors import LibraryError
from moodwalk.home import find_home
from moodwalk.music.library.files import to_location

__all__ = ["ENVIRONMENT", "Address", "locate"]

ENVIRONMENT = "MOODWALK_MUSIC_URL"
"""The variable that says where the library is where nothing else does."""

_FILE_NAME = "music.sqlite3"
_EXPECTED = "a file, or a URL such as postgresql://user@host/database"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is.

    Parameters
    ----------
    place
        For messages: a path, or the URL without password and options.
    url
        For SQLAlchemy.
    path
        The file of an SQLite database; None for one in memory and for servers.
    is_default
        Whether nobody named it.
    """

    place: str
    url: sa.URL
    path: Path | None
    is_default: bool = False

    @property
    def is_sqlite(self) -> bool:
        """Whether it is an SQLite database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may hold."""
        said = [self.url.password, *(self.url.query.get(name) for name in _SECRET_OPTIONS)]
        return tuple(str(word) for word in said if word)


def locate(given: str | Path | None) -> Address:
    """Find out where the database is.

    Parameters
    ----------
    given
        A path, an SQLAlchemy URL, or None: as the environment variable `ENVIRONMENT` says, else the file
        ``music.sqlite3`` in moodwalk's home.

    Raises
    ------
    LibraryError
        If it is neither a path nor a URL.
    """
    if given is None:
        given = os.environ.get(ENVIRONMENT) or None
    if given is None:
        return _locate_file(find_home() / _FILE_NAME, is_default=True)
    text = str(given)
    if isinstance(given, Path) or not re.match(r"[A-Za-z][\w.+-]*:(//|$)", text):
        if not text.strip():
            raise LibraryError(f"the library has an empty name; expected {_EXPECTED}.")
        return _locate_file(Path(given).expanduser())
    return _parse(text)


def _locate_file(path: Path, *, is_default: bool = False) -> Address:
    path = path.absolute()
    if "\0" in str(path):
        raise LibraryError("the library's path holds a null byte; expected the name of a file.")
    return Address(to_location(path), sa.URL.create("sqlite"), path, is_default)


def _parse(text: str) -> Address:
    scheme = text.partition(":")[0]
    _check_password(text, scheme)
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        # not what the error says: it may quote the password
        raise LibraryError(
            f"the library's URL, {scheme}:..., cannot be read; expected {_EXPECTED}."
        ) from None
    if url.get_backend_name() == "sqlite" and url.get_driver_name() == "pysqlite":
        if url.query:
            raise LibraryError(
                f"the library's URL, sqlite:///{url.database or ''}, has options; expected none. Give the "
                f"file alone."
            )
        if url.database in (None, "", ":memory:"):
            return Address("a library in memory", sa.URL.create("sqlite"), None)
        return _locate_file(Path(str(url.database)))
    if url.drivername == "postgresql" and find_spec("psycopg"):
        url = url.set(drivername="postgresql+psycopg")  # by default it is psycopg2 up to 2.0
    shown = sa.URL.create(url.drivername, url.username, None, url.host, url.port, url.database)
    return Address(shown.render_as_string(), url, None)


def _check_password(text: str, scheme: str) -> None:
    """Refuse a password whose signs make another URL of it; parts of it would end up in messages."""
    rest = text.partition("://")[2].partition("?")[0]
    before = rest.rpartition("@")[0]
    if "@" in before or "/" in before:
        raise LibraryError(
            f"the library's URL, {scheme}://..., has a user or password with @ or / in it; expected these "
            f"as %40 and %2F."
        )


_SECRET_OPTIONS = ("password", "sslpassword", "passwd")
