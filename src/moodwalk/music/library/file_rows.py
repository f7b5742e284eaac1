"""What a library's database remembers of the files that were scanned."""

from collections.abc import Sequence

import sqlalchemy as sa

from moodwalk.music.library.files import FileState, ScannedFile
from moodwalk.music.library.place_rows import N_AT_ONCE, ensure_places, split, split_batches
from moodwalk.music.library.schema import file, place
from moodwalk.music.library.track_rows import delete_tracks, put_tracks
from moodwalk.music.track import Track

__all__ = ["put_files", "read_files"]

_FIELDS = ("size", "mtime_ns", "digest", "failure")


def read_files(connection: sa.Connection) -> dict[str, FileState]:
    """Return what is known of every file, by location."""
    columns = [file.c[name] for name in _FIELDS]
    rows = connection.execute(
        sa.select(place.c.location, *columns).join(place, place.c.id == file.c.id)
    )
    return {location: FileState(*values) for location, *values in rows}


def put_files(connection: sa.Connection, batch: Sequence[tuple[ScannedFile, Track | None]]) -> None:
    """Keep what a scan found, as `ScannedFile` says."""
    named = ((found.location, (found, track)) for found, track in batch)
    for pairs in split_batches(named, N_AT_ONCE):
        _put_states(connection, [found for found, _ in pairs])
        tracks = [track for _, track in pairs if track is not None]
        lost = [found.location for found, track in pairs if track is None and found.failure]
        if tracks:
            put_tracks(connection, tracks)
        if lost:
            delete_tracks(connection, lost)


def _put_states(connection: sa.Connection, files: Sequence[ScannedFile]) -> None:
    places = ensure_places(connection, [found.location for found in files])
    for some in split(list(places.values()), N_AT_ONCE):
        connection.execute(sa.delete(file).where(file.c.id.in_(some)))
    rows = [
        {"id": places[found.location], **{name: getattr(found, name) for name in _FIELDS}}
        for found in files
    ]
    connection.execute(sa.insert(file), rows)
