"""A catalogue with audio features, such as Spotify's, into a library.

Spotify gives valence and energy from 0 to 1. Here valence v becomes 2v - 1, and energy e the arousal 2e - 1: its
energy is "a perceptual measure of intensity and activity", which is what arousal is in the circumplex. The
energy is kept beside it.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from moodwalk.errors import DataFormatError
from moodwalk.music.library.catalogue_rows import CatalogueFile, Row
from moodwalk.music.library.store import Counts, Library
from moodwalk.music.track import Track

__all__ = ["MAX_PROBLEMS", "CatalogueReport", "import_catalogue"]

MAX_PROBLEMS = 1000
"""So many are told one by one; the others are counted."""

_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
_PROGRESS_ROWS = 1000
_LONGEST_GENRE = 200

_RANGES = {
    "valence": (0.0, 1.0),
    "energy": (0.0, 1.0),
    "tempo": (0.0, 500.0),
    "duration_ms": (0.0, 1e9),
    "track_popularity": (0.0, 100.0),
}
"""What a figure may be; a tempo or a duration of 0 means that it is not known."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueReport:
    """What became of a catalogue.

    Parameters
    ----------
    n_rows
        Rows of the file, without the header.
    n_in_catalogue
        Tracks that were put into the library, each once.
    n_added, n_updated, n_unchanged
        How many of them were new to the library, known otherwise, and known as they are.
    n_merged
        Rows that are about a track which an earlier row is about.
    n_untitled
        Rows without a title; left out.
    n_unread
        Rows without an id, with too few or too many cells, or with null bytes; left out.
    n_without_tempo
        Tracks of unknown tempo: 0, none, or none that can be.
    n_bad_values
        Values that are no numbers or out of range; they count as unknown.
    problems
        A line each about what was left out or is unknown, the first 1,000.
    """

    n_rows: int
    n_in_catalogue: int
    n_added: int
    n_updated: int
    n_unchanged: int
    n_merged: int
    n_untitled: int
    n_unread: int
    n_without_tempo: int
    n_bad_values: int
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            name: getattr(self, name) for name in self.__dataclass_fields__ if name != "problems"
        } | {"problems": list(self.problems)}

    def describe(self) -> str:
        """Return the report in a few sentences."""
        others = (
            (self.n_merged, "row", "merged with others of the same track"),
            (self.n_untitled, "row", "without a title left out"),
            (self.n_unread, "row", "that cannot be read left out"),
            (self.n_without_tempo, "track", "of unknown tempo"),
            (self.n_bad_values, "value", "that cannot be, taken as unknown"),
        )
        said = ", ".join(f"{_number(n, what)} {of_what}" for n, what, of_what in others if n)
        return (
            f"{_number(self.n_rows, 'row')}, {_number(self.n_in_catalogue, 'track')}: {self.n_added} new, "
            f"{self.n_updated} changed, {self.n_unchanged} as before. {said}{'.' * bool(said)}"
        ).rstrip()


def _number(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


@dataclass(slots=True)
class _Tally:
    """What was found on the way."""

    path: Path
    n_rows: int = 0
    n_tracks: int = 0
    n_merged: int = 0
    n_untitled: int = 0
    n_unread: int = 0
    n_without_tempo: int = 0
    n_bad_values: int = 0
    n_problems: int = 0
    problems: list[str] = field(default_factory=list[str])

    def note(self, line: int, problem: str) -> None:
        self.n_problems += 1
        if self.n_problems <= MAX_PROBLEMS:
            self.problems.append(f"{self.path.name}: line {line} {problem}.")


def import_catalogue(
    path: str | Path,
    library: Library,
    columns: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> CatalogueReport:
    """Read a catalogue of tracks with audio features into a library.

    The file is read twice: first to see that all of it can be read, before anything is written, and which tracks
    come more than once. Reading it again changes nothing.

    Parameters
    ----------
    path
        A CSV file with the columns of Spotify's catalogues: ``track_id``, ``track_name``, ``track_artist``,
        ``valence``, ``energy``, ``tempo``; and, where it has them, ``track_album_name``, ``playlist_genre``,
        ``mode``, ``duration_ms`` and ``track_popularity``.
    library
        Where the tracks go, as ``spotify:track:ID`` or, if their ids do not look like Spotify's,
        ``catalogue:ID``.
    columns
        What columns are called in the file, by the names above, where they differ.
    progress
        Called with the number of rows done and of all rows, which is None while these are counted.

    Returns
    -------
    CatalogueReport
        What became of the rows. Of rows about one track, the first that says something of a column
        decides; their genres are gathered.

    Raises
    ------
    DataFormatError
        If the file is missing, empty, no CSV, damaged, or lacks columns.
    ConfigError
        If `columns` names columns that there are not.
    LibraryError
        If the library cannot be written.
    """
    file = CatalogueFile.open(Path(path), columns)
    show = progress or (lambda _done, _total: None)
    n_rows, again = _find_repeats(file, show)
    if not n_rows:
        raise DataFormatError(f"{path} has a header and no rows; expected a track a row.")
    tally = _Tally(Path(path))
    if file.missing:
        tally.problems.append(
            f"{tally.path.name} has no column {', '.join(file.missing)}; these are unknown."
        )
    tracks = _merge(file, again, tally, lambda done: show(done, n_rows))
    counts: Counts = library.put(tracks)
    left = tally.n_problems - MAX_PROBLEMS
    if left > 0:
        tally.problems.append(f"{tally.path.name}: {left} more such rows and values.")
    return CatalogueReport(
        n_rows=tally.n_rows,
        n_in_catalogue=tally.n_tracks,
        n_added=counts.n_added,
        n_updated=counts.n_updated,
        n_unchanged=counts.n_unchanged,
        n_merged=tally.n_merged,
        n_untitled=tally.n_untitled,
        n_unread=tally.n_unread,
        n_without_tempo=tally.n_without_tempo,
        n_bad_values=tally.n_bad_values,
        problems=tuple(tally.problems),
    )


def _find_repeats(file: CatalogueFile, show: Progress) -> tuple[int, Counter[str]]:
    """Return the number of rows, and for every track of more than one row how many it has after the first."""
    seen: set[int] = set()  # hashes: texts would take several times the memory
    again: Counter[str] = Counter()
    n_rows = 0
    for row in file.read_rows():
        n_rows += 1
        if n_rows % _PROGRESS_ROWS == 0:
            show(n_rows, None)
        if _is_usable(row):
            name = row.cells["track_id"]
            digest = hash(name)
            if digest in seen:
                again[name] += 1
            seen.add(digest)
    return n_rows, again


def _is_usable(row: Row) -> bool:
    return not row.problem and bool(row.cells["track_id"]) and _has_title(row)


def _has_title(row: Row) -> bool:
    title, artist = row.cells["track_name"], row.cells["track_artist"]
    # R writes NA for nothing; a piece of that name has an artist of another
    return bool(title) and not (title == "NA" and artist in ("NA", ""))


def _merge(
    file: CatalogueFile, again: Counter[str], tally: _Tally, show: Callable[[int], None]
) -> Generator[Track]:
    """Yield every track once; those of several rows when the last of these was read."""
    waiting: dict[str, Track] = {}
    for row in file.read_rows():
        tally.n_rows += 1
        if tally.n_rows % _PROGRESS_ROWS == 0:
            show(tally.n_rows)
        if not _is_usable(row):
            _note_unusable(row, tally)
            continue
        name = row.cells["track_id"]
        track = _to_track(row, file.has_decimal_commas, tally)
        if name in waiting:
            tally.n_merged += 1
            track = _join(waiting.pop(name), track)
            again[name] -= 1
        if again[name] > 0:
            waiting[name] = track
        else:
            del again[name]
            yield _count(track, tally)
    show(tally.n_rows)
    for track in waiting.values():  # only if two ids have one hash
        yield _count(track, tally)


def _note_unusable(row: Row, tally: _Tally) -> None:
    if row.problem:
        tally.n_unread += 1
        tally.note(row.line, f"{row.problem}; left out")
    elif not row.cells["track_id"]:
        tally.n_unread += 1
        tally.note(row.line, "has no track_id; left out")
    else:
        tally.n_untitled += 1
        tally.note(row.line, f"has no title (track_id {row.cells['track_id'][:40]!r}); left out")


def _count(track: Track, tally: _Tally) -> Track:
    tally.n_tracks += 1
    tally.n_without_tempo += track.tempo_bpm is None
    return track


def _to_track(row: Row, decimal_commas: bool, tally: _Tally) -> Track:
    cells = row.cells

    def number(name: str) -> float | None:
        return _parse(row, name, decimal_commas, tally)

    valence, energy = number("valence"), number("energy")
    duration_ms = number("duration_ms")
    return Track(
        location=_locate(cells["track_id"]),
        title=_squeeze(cells["track_name"]),
        artist=_squeeze(cells["track_artist"]),
        album=_squeeze(cells.get("track_album_name", "")),
        genre=_squeeze(cells.get("playlist_genre", "")),
        duration_s=duration_ms / 1000 if duration_ms else None,
        tempo_bpm=number("tempo") or None,
        valence=None if valence is None else 2 * valence - 1,
        arousal=None if energy is None else 2 * energy - 1,
        energy=energy,
        mode=_parse_mode(row, tally),
        popularity=number("track_popularity"),
        source="catalogue",
    )


def _parse(row: Row, name: str, decimal_commas: bool, tally: _Tally) -> float | None:
    text = row.cells.get(name, "")
    if not text or text.lower() in _UNKNOWN:
        return None
    low, high = _RANGES[name]
    try:
        value = float(text.replace(",", ".") if decimal_commas else text)
    except ValueError:
        value = float("nan")
    if low <= value <= high:
        return value
    tally.n_bad_values += 1
    tally.note(
        row.line, f"has {name} {text[:40]!r}; expected {low:g} to {high:g}. It counts as unknown"
    )
    return None


def _parse_mode(row: Row, tally: _Tally) -> Literal["major", "minor"] | None:
    text = row.cells.get("mode", "").lower()
    if text in ("1", "1.0", "1,0", "major"):
        return "major"
    if text in ("0", "0.0", "0,0", "minor"):
        return "minor"
    if text and text not in _UNKNOWN:
        tally.n_bad_values += 1
        tally.note(
            row.line,
            f"has mode {text[:40]!r}; expected 1 or 0, major or minor. It counts as unknown",
        )
    return None


def _join(first: Track, other: Track) -> Track:
    """Fill what the first does not say from the other, and gather genres."""
    names = ("artist", "album", "duration_s", "tempo_bpm", "valence", "arousal", "energy", "mode")
    known: dict[str, Any] = {
        name: getattr(other, name)
        for name in (*names, "popularity")
        if getattr(first, name) in (None, "")
    }
    genres = [*first.genre.split(", "), other.genre]
    genre = ", ".join(dict.fromkeys(text for text in genres if text))
    if len(genre) <= _LONGEST_GENRE:
        known["genre"] = genre
    return replace(first, **known)


def _locate(name: str) -> str:
    if _SPOTIFY_ID.fullmatch(name):
        return f"spotify:track:{name}"
    return "catalogue:" + quote(name, safe="!$&'()*+,;=:@/")


def _squeeze(text: str) -> str:
    return " ".join(text.split())


_UNKNOWN = ("na", "n/a", "nan", "null", "none", "-")
