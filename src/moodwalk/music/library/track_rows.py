"""Tracks in a library's database."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from moodwalk.errors import LibraryError
from moodwalk.music.library.database import replace_state
from moodwalk.music.library.place_rows import N_AT_ONCE, ensure_places, find_places, split
from moodwalk.music.library.schema import feedback, file, library, place, track
from moodwalk.music.track import Track, fold_artist

__all__ = [
    "FIGURES",
    "count_tracks",
    "delete_tracks",
    "find_track",
    "list_tracks",
    "put_tracks",
    "read_figures",
    "read_state",
    "read_tracks",
    "read_tracks_after",
    "remove_places",
]

_TEXTS = ("title", "artist", "album", "genre")
_NUMBERS = ("duration_s", "tempo_bpm", "valence", "arousal", "energy", "popularity")
_FIELDS = (*_TEXTS, *_NUMBERS, "mode", "source")

FIGURES = ("valence", "arousal", "energy", "tempo_bpm", "duration_s", "popularity")
"""Of `read_figures`, after id and artist."""

_ROWS_AT_ONCE = 8192
_LARGEST_ID = 2**63 - 1

_selected = sa.select(place.c.location, *(track.c[name] for name in _FIELDS), track.c.id).join(
    place, place.c.id == track.c.id
)


def put_tracks(connection: sa.Connection, tracks: Sequence[Track]) -> tuple[int, int, int]:
    """Keep tracks, none with the location of another.

    Returns
    -------
    tuple of int
        How many were added, updated, and there as they are.
    """
    places = ensure_places(connection, [item.location for item in tracks])
    rows = {places[item.location]: _to_row(item) for item in tracks}
    known: dict[int, tuple[Any, ...]] = {}
    columns = [track.c[name] for name in ("id", *_FIELDS)]
    for some in split(list(rows), N_AT_ONCE):
        for number, *values in connection.execute(sa.select(*columns).where(track.c.id.in_(some))):
            known[number] = tuple(values)
    new = [{"id": number, **row} for number, row in rows.items() if number not in known]
    changed = [
        {"b_id": number, **{f"b_{name}": value for name, value in row.items()}}
        for number, row in rows.items()
        if number in known and tuple(row[name] for name in _FIELDS) != known[number]
    ]
    if new:
        connection.execute(sa.insert(track), new)
    if changed:
        values = {name: sa.bindparam(f"b_{name}") for name in (*_FIELDS, "artist_key")}
        connection.execute(
            sa.update(track).where(track.c.id == sa.bindparam("b_id")).values(values), changed
        )
    if new or changed:
        replace_state(connection)
    return len(new), len(changed), len(rows) - len(new) - len(changed)


def delete_tracks(connection: sa.Connection, locations: Sequence[str]) -> int:
    """Take tracks out and return how many there were; their places stay."""
    numbers = list(find_places(connection, locations).values())
    n = 0
    for some in split(numbers, N_AT_ONCE):
        n += connection.execute(sa.delete(track).where(track.c.id.in_(some))).rowcount
    if n:
        replace_state(connection)
    return n


def remove_places(connection: sa.Connection, locations: Sequence[str]) -> int:
    """Take tracks and files out and return how many tracks there were; what has feedback keeps its number."""
    n = delete_tracks(connection, locations)
    for some in split(list(find_places(connection, locations).values()), N_AT_ONCE):
        connection.execute(sa.delete(file).where(file.c.id.in_(some)))
        has_feedback = sa.exists().where(feedback.c.place_id == place.c.id)
        connection.execute(sa.delete(place).where(place.c.id.in_(some), ~has_feedback))
    return n


def read_tracks(connection: sa.Connection, ids: Sequence[int]) -> list[Track]:
    """Return tracks in the order of their ids.

    Raises
    ------
    LibraryError
        If there is none with such an id.
    """
    wanted = [int(number) for number in ids]
    found: dict[int, Track] = {}
    for some in split(list(dict.fromkeys(wanted)), N_AT_ONCE):
        valid = [number for number in some if 0 < number <= _LARGEST_ID]
        rows = connection.execute(_selected.where(track.c.id.in_(valid)))
        found.update((item.id or 0, item) for item in map(_to_track, rows))
    missing = next((number for number in wanted if number not in found), None)
    if missing is not None:
        raise LibraryError(
            f"the library has no track of number {missing}; expected one that is in it. Was it removed "
            f"meanwhile? Choose again."
        )
    return [found[number] for number in wanted]


def find_track(connection: sa.Connection, location: str) -> Track | None:
    """Return the track of a location, None where there is none."""
    number = find_places(connection, [location]).get(location)
    row = connection.execute(_selected.where(track.c.id == number)).first()
    return None if row is None else _to_track(row)


def read_tracks_after(connection: sa.Connection, number: int, limit: int) -> list[Track]:
    """Return the tracks that follow an id, in order of their ids."""
    rows = connection.execute(
        _selected.where(track.c.id > number).order_by(track.c.id).limit(limit)
    )
    return [_to_track(row) for row in rows]


def list_tracks(
    connection: sa.Connection, limit: int | None, offset: int, search: str | None
) -> list[Track]:
    """Return some tracks in order of their ids, see `moodwalk.music.library.store.Library.list`."""
    text = sa.func.lower(
        track.c.title + "\n" + track.c.artist + "\n" + track.c.album, type_=sa.Text()
    )
    words = (search or "").lower().replace("\0", "").encode("utf-8", "replace").decode().split()
    found = _selected.where(*(text.contains(word, autoescape=True) for word in words))
    rows = connection.execute(found.order_by(track.c.id).limit(limit).offset(offset))
    return [_to_track(row) for row in rows]


def count_tracks(connection: sa.Connection) -> int:
    """Return how many there are."""
    return connection.execute(sa.select(sa.func.count()).select_from(track)).scalar_one()


def read_state(connection: sa.Connection) -> tuple[str, str]:
    """Return the library's identity, and the word that every change of its tracks replaces."""
    identity, state = connection.execute(sa.select(library.c.identity, library.c.state)).one()
    return identity, state


def read_figures(connection: sa.Connection) -> Iterator[list[tuple[Any, ...]]]:
    """Yield, in pieces, what choosing needs of every track, by id: columns of id, artist and `FIGURES`."""
    columns = [track.c[name] for name in ("id", "artist_key", *FIGURES)]
    rows = connection.execution_options(stream_results=True).execute(
        sa.select(*columns).order_by(track.c.id)
    )
    for piece in rows.partitions(_ROWS_AT_ONCE):
        yield list(zip(*piece, strict=True))


def _to_row(item: Track) -> dict[str, Any]:
    row: dict[str, Any] = {name: _clean(getattr(item, name)) for name in _TEXTS}
    row |= {name: _to_number(getattr(item, name)) for name in _NUMBERS}
    artist = fold_artist(row["artist"])
    digest = hashlib.blake2b(artist.encode(), digest_size=8).digest()
    key = int.from_bytes(digest, signed=True) if artist else None
    return row | {"mode": item.mode, "source": item.source, "artist_key": key}


def _to_track(row: Any) -> Track:
    location, title, artist, album, genre, *numbers, mode, source, number = row
    figures = dict(zip(_NUMBERS, numbers, strict=True))
    return Track(
        location=location,
        title=title,
        artist=artist,
        album=album,
        genre=genre,
        mode=mode,
        source=source,
        id=number,
        **figures,
    )


def _clean(text: str) -> str:
    """Return text as every database can hold it."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _to_number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
