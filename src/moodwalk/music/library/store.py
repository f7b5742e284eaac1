"""A music library: what is known of tracks and files, and what a listener said of them, in a database."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moodwalk.errors import ConfigError
from moodwalk.home import find_home
from moodwalk.music.library.columns import make_columns, read_cached, write_cached
from moodwalk.music.library.feedback import Feedback
from moodwalk.music.library.files import FileState, ScannedFile
from moodwalk.music.track import Track, TrackColumns

if TYPE_CHECKING:
    from moodwalk.music.library.database import Database

__all__ = ["Counts", "Library"]

BATCH = 2000
"""Tracks that `Library.put` writes in one transaction."""

_PAGE = 1000
_MOST = 2**62

Tracks = list[Track]  # inside the class, `list` is a method
Ids = list[int]


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of tracks that were put into a library.

    Parameters
    ----------
    n_added, n_updated, n_unchanged
        New locations, locations that were known with other figures, and what was there as it is.
    """

    n_added: int = 0
    n_updated: int = 0
    n_unchanged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.n_added + other.n_added,
            self.n_updated + other.n_updated,
            self.n_unchanged + other.n_unchanged,
        )


class Library:
    """A music library; `Library.open` opens one.

    Every method raises LibraryError, in one line, where the database cannot be read or written. Several processes
    may read at once; one writes at a time, and others wait for it.

    Parameters
    ----------
    database
        Where everything is kept.
    """

    def __init__(self, database: "Database") -> None:
        self._database = database

    @classmethod
    def open(
        cls, url: str | Path | None = None, *, read_only: bool = False, timeout_s: float = 10.0
    ) -> Self:
        """Open a library; where there is none yet, make it.

        Parameters
        ----------
        url
            A file, or an SQLAlchemy URL. By default what the environment variable ``MOODWALK_MUSIC_URL`` says,
            else the file ``music.sqlite3`` in moodwalk's home; ``sqlite://`` is a library in memory.
        read_only
            Whether nothing is to be written, as where nothing may be. Then a file has to be there; where the
            default one is not, the library is empty.
        timeout_s
            How long to wait for another that writes.

        Raises
        ------
        LibraryError
            If it is no library, is of a newer version, is locked, or cannot be reached.
        ConfigError
            If SQLAlchemy or Alembic is not installed.
        """
        _check_installed()
        from moodwalk.music.library.database import Database

        return cls(Database.open(url, read_only=read_only, timeout_s=timeout_s))

    def close(self) -> None:
        """Close the library; it is not used after."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def place(self) -> str:
        """Where the library is, for people; never with a password."""
        return self._database.address.place

    def put(self, tracks: Iterable[Track]) -> Counts:
        """Keep tracks, each in place of what was known of its location.

        Parameters
        ----------
        tracks
            Any number; so many as fill a transaction lie in memory. Their ids do not matter.

        Returns
        -------
        Counts
            What became of them. If something fails midway, whole transactions before that are kept.
        """
        from moodwalk.music.library.place_rows import split_batches
        from moodwalk.music.library.track_rows import put_tracks

        counts = Counts()
        for batch in split_batches(((track.location, track) for track in tracks), BATCH):
            with self._database.writing() as connection:
                counts += Counts(*put_tracks(connection, batch))
        return counts

    def get(self, ids: Sequence[int]) -> Tracks:
        """Return tracks in the order asked.

        Parameters
        ----------
        ids
            Their numbers; one may come twice.

        Raises
        ------
        LibraryError
            If the library has no such track.
        """
        from moodwalk.music.library.track_rows import read_tracks

        with self._database.reading() as connection:
            return read_tracks(connection, ids)

    def find(self, location: str) -> Track | None:
        """Return the track of a location, None where there is none.

        Parameters
        ----------
        location
            As `Track.location`.
        """
        from moodwalk.music.library.track_rows import find_track

        with self._database.reading() as connection:
            return find_track(connection, location)

    def iterate(self) -> Generator[Track]:
        """Yield every track in order of its id; what changes meanwhile may or may not be seen."""
        from moodwalk.music.library.track_rows import read_tracks_after

        last = 0
        while True:
            with self._database.reading() as connection:
                page = read_tracks_after(connection, last, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            last = page[-1].id or 0

    def count(self) -> int:
        """Return how many tracks there are."""
        from moodwalk.music.library.track_rows import count_tracks

        with self._database.reading() as connection:
            return count_tracks(connection)

    def remove(self, locations: Iterable[str]) -> int:
        """Take tracks out, and what is known of their files.

        Parameters
        ----------
        locations
            Of the tracks; those that the library does not have do not matter.

        Returns
        -------
        int
            How many tracks there were. Feedback on them stays, and counts again when they come back.
        """
        from moodwalk.music.library.track_rows import remove_places

        with self._database.writing() as connection:
            return remove_places(connection, list(locations))

    def read_columns(self) -> TrackColumns:
        """Return what choosing needs of every track.

        Returns
        -------
        TrackColumns
            Arrays that cannot be written. They are kept in a file under moodwalk's home and lie in memory only
            as far as they are looked at, until a track changes.
        """
        from moodwalk.music.library.track_rows import read_figures, read_state

        with self._database.reading() as connection:
            identity, state = read_state(connection)
            folder = find_home() / "cache" / "music" / identity
            in_memory = self._database.in_memory
            cached = None if in_memory else read_cached(folder, state)
            if cached is not None:
                return cached
            columns = make_columns(read_figures(connection))
        if not in_memory:
            write_cached(folder, state, columns)
        for name in TrackColumns.__dataclass_fields__:
            getattr(columns, name).flags.writeable = False
        return columns

    def record(self, feedback: Feedback) -> None:
        """Keep what a listener did with a track.

        Parameters
        ----------
        feedback
            On a track of this library.

        Raises
        ------
        LibraryError
            If the library has no such track.
        """
        from moodwalk.music.library.feedback_rows import put_feedback

        with self._database.writing() as connection:
            put_feedback(connection, feedback)

    def read_feedback(self, since: datetime | None = None) -> Iterator[Feedback]:
        """Yield feedback, oldest first, also on tracks that were removed.

        Parameters
        ----------
        since
            From when on, with its time zone; by default all.

        Raises
        ------
        ConfigError
            If the time has no zone.
        """
        from moodwalk.music.library.feedback_rows import to_microseconds

        if since is None:
            return self._read_feedback((-_MOST, 0))
        if since.utcoffset() is None:
            raise ConfigError(
                f"the time {since} has no time zone; expected one, such as UTC, to read feedback from."
            )
        return self._read_feedback((to_microseconds(since), 0))

    def _read_feedback(self, after: tuple[int, int]) -> Generator[Feedback]:
        from moodwalk.music.library.feedback_rows import read_feedback_after

        while True:
            with self._database.reading() as connection:
                page = read_feedback_after(connection, after, _PAGE)
            for after, said in page:  # noqa: B007 - the last is where the next page begins
                yield said
            if len(page) < _PAGE:
                return

    def read_recent(self, n: int) -> Ids:
        """Return the ids of the tracks that were played or skipped last, each once, newest first.

        Parameters
        ----------
        n
            At most so many. Tracks that were removed are left out.
        """
        from moodwalk.music.library.feedback_rows import read_recent

        with self._database.reading() as connection:
            return read_recent(connection, max(0, min(n, _MOST)))

    def read_files(self) -> dict[str, FileState]:
        """Return what is known of every file that was scanned, by location."""
        from moodwalk.music.library.file_rows import read_files

        with self._database.reading() as connection:
            return read_files(connection)

    def put_files(self, batch: Sequence[tuple[ScannedFile, Track | None]]) -> None:
        """Keep what a scan found of files, all of it or nothing, in place of what was known.

        Parameters
        ----------
        batch
            Files with their tracks, as `ScannedFile` says.
        """
        from moodwalk.music.library.file_rows import put_files

        with self._database.writing() as connection:
            put_files(connection, batch)

    def remove_files(self, locations: Sequence[str]) -> None:
        """Take files out, and their tracks.

        Parameters
        ----------
        locations
            Of the files.
        """
        self.remove(locations)

    @contextmanager
    def lock(self) -> Generator[None]:
        """Keep other scans of this library out while the block runs, also those of other processes.

        Raises
        ------
        LibraryError
            If another scan is at work. One whose process has ended does not count.
        """
        from moodwalk.music.library.lock import lock

        with lock(self._database):
            yield

    def list(self, limit: int | None = 50, offset: int = 0, search: str | None = None) -> Tracks:
        """Return some tracks, in order of their ids.

        Parameters
        ----------
        limit
            At most so many; None for all.
        offset
            Pass over so many.
        search
            Words, each of which has to be in title, artist or album; case does not matter.

        Raises
        ------
        ConfigError
            If a number is negative.
        """
        from moodwalk.music.library.track_rows import list_tracks

        if offset < 0 or (limit is not None and limit < 0):
            raise ConfigError(
                f"tracks {offset} and {limit} further are wanted; expected 0 or more."
            )
        most = None if limit is None else min(limit, _MOST)
        with self._database.reading() as connection:
            return list_tracks(connection, most, min(offset, _MOST), search)


def _check_installed() -> None:
    """Check without importing them: Alembic is slow to load, and only new tables need it."""
    for name in ("sqlalchemy", "alembic"):
        if find_spec(name) is None:
            raise ConfigError(
                f"{name} is not installed; expected it for the music library. Install it: "
                f"pip install 'moodwalk[music]'."
            )
