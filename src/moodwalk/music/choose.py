"""From a library and a mood to tracks in order, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moodwalk.errors import LibraryError
from moodwalk.music.reasons import explain_choice
from moodwalk.music.recommend import Entry, Playlist, recommend
from moodwalk.music.target import Mood
from moodwalk.music.track import Track, TrackColumns

if TYPE_CHECKING:
    from moodwalk.music.library import Library

__all__ = ["Choice", "choose", "choose_from"]

N_RECENT = 50
"""Tracks that were played last are passed over where there are others."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What to play.

    Parameters
    ----------
    mood, playlist
        What it was chosen for, and how.
    tracks, reasons
        One of each for every entry of the playlist.
    """

    mood: Mood
    playlist: Playlist
    tracks: tuple[Track, ...]
    reasons: tuple[str, ...]

    @property
    def notes(self) -> list[str]:
        """What the listener should know of the choice as a whole."""
        return [text for text in (self.mood.reason, *self.playlist.notes) if text]

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON can hold it."""
        return {
            "target": {
                "valence": self.mood.valence,
                "arousal": self.mood.arousal,
                "cadence_spm": self.mood.cadence_spm,
            },
            "mode": self.playlist.mode,
            "notes": self.notes,
            "tracks": [
                _describe(entry, track, why)
                for entry, track, why in zip(
                    self.playlist.entries, self.tracks, self.reasons, strict=True
                )
            ],
        }


def choose(
    library: "Library",
    mood: Mood,
    *,
    mode: str = "match",
    n: int = 10,
    seed: int = 0,
    learn: bool = True,
) -> Choice:
    """Choose music from a library.

    Parameters
    ----------
    library
        Where from.
    mood
        What for.
    mode
        ``match``, ``lift``, ``calm`` or ``energise``.
    n
        Tracks wanted; fewer where the library has fewer.
    seed
        Of every random choice.
    learn
        Whether likes and skips that the library keeps have a say. What was disliked last is passed over
        at once; taste in other tracks is learned when there is enough to learn from.

    Raises
    ------
    LibraryError
        If the library is empty.
    ConfigError
        If the mode or the number makes no sense.
    """
    columns = library.read_columns()
    if not len(columns):
        raise LibraryError(
            f"{library.place} has no tracks yet; expected some. Run `moodwalk music scan DIR` or "
            f"`moodwalk music import FILE.csv` first."
        )
    prefer = None
    passed_over = set(library.read_recent(N_RECENT))
    if learn and (given := list(library.read_feedback())):
        from moodwalk.music.learning import TasteLearner

        verdicts = {one.track_id: one.kind for one in given if one.kind in ("like", "dislike")}
        passed_over |= {track for track, kind in verdicts.items() if kind == "dislike"}
        learner = TasteLearner(columns, seed=seed)
        learner.update(given)
        prefer = learner.prefer(mood.emotion)
    playlist = recommend(
        columns, mood, mode=mode, n=n, recent=sorted(passed_over), seed=seed, prefer=prefer
    )
    return _explain(mood, playlist, library.get([entry.track_id for entry in playlist.entries]))


def choose_from(
    tracks: Sequence[Track], mood: Mood, *, mode: str = "match", n: int = 10, seed: int = 0
) -> Choice:
    """Choose music from tracks that are in no library; nothing is learned and nothing is kept.

    Parameters
    ----------
    tracks
        Where from; one or more.
    mood, mode, n, seed
        As for `choose`.
    """
    columns = TrackColumns.from_tracks(tracks)
    playlist = recommend(columns, mood, mode=mode, n=n, seed=seed)
    by_id = dict(zip(columns.id.tolist(), tracks, strict=True))
    return _explain(mood, playlist, [by_id[entry.track_id] for entry in playlist.entries])


def _explain(mood: Mood, playlist: Playlist, tracks: Sequence[Track]) -> Choice:
    reasons = tuple(
        explain_choice(entry, track, mood, playlist.mode)
        for entry, track in zip(playlist.entries, tracks, strict=True)
    )
    return Choice(mood, playlist, tuple(tracks), reasons)


def _describe(entry: Entry, track: Track, why: str) -> dict[str, Any]:
    return {
        "title": track.title,
        "artist": track.artist,
        "tempo_bpm": track.tempo_bpm,
        "valence": track.valence,
        "arousal": track.arousal,
        "energy": track.energy,
        "score": entry.score,
        "why": why,
        "location": track.location,
        "source": track.source,
    }
