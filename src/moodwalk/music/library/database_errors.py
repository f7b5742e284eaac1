"""One line for what goes wrong with a database."""

from collections.abc import Generator
from contextlib import contextmanager

from sqlalchemy import exc

from moodwalk.errors import LibraryError
from moodwalk.music.library.address import Address

__all__ = ["explain_errors", "explain_opening"]

_LONGEST = 300

_SQLITE = (
    ("locked", "is locked by another program. Try again when that has finished."),
    ("not a database", "is no database; expected one that moodwalk made. Choose another file."),
    ("malformed", "is damaged. Put a copy back, or move it away and scan again."),
    ("disk i/o error", "cannot be read or written: the disk reports an error."),
    ("readonly", "may not be written. Make the file and its folder writable, or choose another."),
    ("read-only", "may not be written. Make the file and its folder writable, or choose another."),
    ("unable to open", "cannot be opened. Is its folder there, and may you write in it?"),
    ("full", "cannot be written: the disk is full."),
)
"""What SQLite says, and what that means here."""


@contextmanager
def explain_errors(address: Address) -> Generator[None]:
    """Turn what SQLAlchemy and drivers raise into one line without a password.

    Parameters
    ----------
    address
        Of the database.

    Raises
    ------
    LibraryError
        If any of that is raised in the block.
    """
    try:
        yield
    except exc.SQLAlchemyError as error:
        raise LibraryError(_describe(address, error)) from error


@contextmanager
def explain_opening(address: Address) -> Generator[None]:
    """Do the same while a database is opened: a driver may be missing, or a folder.

    Parameters
    ----------
    address
        Of the database.

    Raises
    ------
    LibraryError
        As of `explain_errors`.
    """
    try:
        with explain_errors(address):
            yield
    except ImportError as error:
        name = error.name or str(error)
        raise LibraryError(
            f"{address.place} needs the Python package {name}, which is not installed. "
            f"Install it{_name_package(name)}."
        ) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise LibraryError(
            f"{address.place} cannot be opened: {reason}. Choose another place."
        ) from error


def _describe(address: Address, error: exc.SQLAlchemyError) -> str:
    if isinstance(error, exc.NoSuchModuleError):
        return (
            f"{address.place} names a kind of database, {address.url.drivername}, that is not known; expected "
            f"sqlite, postgresql, or one whose SQLAlchemy dialect is installed."
        )
    said = str(getattr(error, "orig", None) or error)
    if address.is_sqlite:
        for sign, meaning in _SQLITE:
            if sign in said.lower():
                return f"{address.place} {meaning}"
    for secret in address.secrets:
        said = said.replace(secret, "***")
    said = " ".join(said.split())[:_LONGEST].rstrip(".")
    return f"{address.place} cannot be used: {said or type(error).__name__}."


def _name_package(name: str) -> str:
    known = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}
    return f": pip install '{known[name]}'" if name in known else ""
