"""What is known of a piece of music, one at a time and a library at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Source", "Track", "TrackColumns", "fold_artist"]

Source = Literal["scan", "catalogue", "simulated"]
"""Estimated from audio here; said by a catalogue; made up for the demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A piece of music.

    Parameters
    ----------
    location
        Where it is: an absolute path; a ``file://`` URI where the path is no plain text
        (`moodwalk.music.library.files`); or for what is in no file another URI. Unique in a library.
    title, artist, album, genre
        As its tags or its catalogue say; empty where they say nothing.
    duration_s
        Length.
    tempo_bpm
        Beats per minute; None where unknown.
    valence, arousal
        Where it lies in Russell's circumplex, -1 to 1; None where unknown.
    energy
        0 to 1, as catalogues give it; None where unknown.
    mode
        Whether it is in a major or a minor key.
    popularity
        0 to 100, as a catalogue says.
    source
        Where the figures come from.
    id
        Its number in a library; None before it is in one.
    """

    location: str
    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    duration_s: float | None = None
    tempo_bpm: float | None = None
    valence: float | None = None
    arousal: float | None = None
    energy: float | None = None
    mode: Literal["major", "minor"] | None = None
    popularity: float | None = None
    source: Source = "scan"
    id: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class TrackColumns:
    """What choosing needs of every track of a library, in arrays of equal length n, ordered by id.

    Parameters
    ----------
    id
        (n,) int64, as `Track.id`; ascending.
    artist
        (n,) int32, equal for tracks of the same artist (case and blanks do not matter); -1 where unknown.
    valence, arousal
        (n,) float32, -1 to 1; NaN where unknown.
    energy
        (n,) float32, 0 to 1; NaN where unknown.
    tempo_bpm, duration_s, popularity
        (n,) float32; NaN where unknown.
    """

    id: NDArray[np.int64]
    artist: NDArray[np.int32]
    valence: NDArray[np.float32]
    arousal: NDArray[np.float32]
    energy: NDArray[np.float32]
    tempo_bpm: NDArray[np.float32]
    duration_s: NDArray[np.float32]
    popularity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def from_tracks(cls, tracks: Sequence[Track]) -> Self:
        """Make columns of tracks that are in no library; those without an id are numbered from 1."""
        codes: dict[str, int] = {}
        artists = [fold_artist(track.artist) for track in tracks]
        for artist in artists:
            if artist:
                codes.setdefault(artist, len(codes))

        def column(name: str) -> NDArray[np.float32]:
            values = [getattr(track, name) for track in tracks]
            return np.array([np.nan if v is None else v for v in values], dtype=np.float32)

        ids = [i if track.id is None else track.id for i, track in enumerate(tracks, 1)]
        return cls(
            id=np.array(ids, dtype=np.int64),
            artist=np.array([codes.get(artist, -1) for artist in artists], dtype=np.int32),
            valence=column("valence"),
            arousal=column("arousal"),
            energy=column("energy"),
            tempo_bpm=column("tempo_bpm"),
            duration_s=column("duration_s"),
            popularity=column("popularity"),
        )


def fold_artist(name: str) -> str:
    """Return an artist's name without what spelling varies in: case, and the number of blanks."""
    return " ".join(name.split()).casefold()
