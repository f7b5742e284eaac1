"""Places in a library's database: every location that was ever known has a number."""

import hashlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TypeVar

import sqlalchemy as sa

from moodwalk.errors import LibraryError
from moodwalk.music.library.schema import place

__all__ = ["N_AT_ONCE", "ensure_places", "find_places", "split", "split_batches", "to_key"]

N_AT_ONCE = 1000
"""So many values at most stand in one statement."""

T = TypeVar("T")


def to_key(location: str) -> str:
    """Return the digest that a location is found by.

    Raises
    ------
    LibraryError
        If the location is text that no database holds.
    """
    try:
        if location and "\0" not in location:
            return hashlib.blake2b(location.encode(), digest_size=16).hexdigest()
    except UnicodeEncodeError:
        pass
    raise LibraryError(
        f"a track has the location {location!r}; expected text in UTF-8 without null bytes, as "
        f"moodwalk.music.library.files.to_location writes it."
    )


def find_places(connection: sa.Connection, locations: Iterable[str]) -> dict[str, int]:
    """Return the numbers of those locations that are known."""
    keys = {to_key(location): location for location in locations}
    found: dict[str, int] = {}
    for some in split(list(keys), N_AT_ONCE):
        rows = connection.execute(sa.select(place.c.id, place.c.key).where(place.c.key.in_(some)))
        found.update((keys[key], number) for number, key in rows)
    return found


def ensure_places(connection: sa.Connection, locations: Sequence[str]) -> dict[str, int]:
    """Return the number of every location; those that were not known get one, in order."""
    found = find_places(connection, locations)
    missing = [location for location in dict.fromkeys(locations) if location not in found]
    if missing:
        rows = [{"key": to_key(location), "location": location} for location in missing]
        connection.execute(sa.insert(place), rows)
        found |= find_places(connection, missing)
    return found


def split(values: Sequence[T], n: int) -> Iterator[Sequence[T]]:
    """Yield pieces of n."""
    return (values[first : first + n] for first in range(0, len(values), n))


def split_batches(items: Iterable[tuple[str, T]], n: int) -> Generator[list[T]]:
    """Yield lists of at most n of the items, none with two of the same name.

    Parameters
    ----------
    items
        (name, item).
    n
        Of a list.
    """
    batch: list[T] = []
    names: set[str] = set()
    for name, item in items:
        if len(batch) == n or name in names:
            yield batch
            batch, names = [], set()
        batch.append(item)
        names.add(name)
    if batch:
        yield batch
