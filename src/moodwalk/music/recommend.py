"""From a library's columns and a mood to a playlist: candidates, scores, order.

1. *Candidates.* One pass sorts the library into cells of valence and arousal, those tracks apart that keep
   the step; each target looks only into the cells around it, so a million tracks cost little more than ten
   thousand.
2. *Scores.* Nearness in mood and in tempo, a learner's say (bounded), a little chance (seeded).
3. *Order.* Track by track with the best score less the jump from the track before, then places are
   exchanged as long as that makes the path better.

What cannot be had is given up in this order, and the playlist says so: the tempo; tracks that were not
played lately; the region of the mood, out to twice its radius; another artist than the track before; any
nearness of mood; a mood that is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.beat import compute_step_fit, keeps_step
from moodwalk.music.modes import (
    JUMP_WEIGHT,
    SAME_ARTIST,
    Mode,
    compute_jump,
    find_goal,
    have_same_artist,
    parse_mode,
    plan,
    smooth_path,
)
from moodwalk.music.target import RADIUS, Grid, Mood, Target
from moodwalk.music.track import TrackColumns

__all__ = ["MAX_TRACKS", "TASTE_WEIGHT", "Entry", "Playlist", "Prefer", "recommend"]

MAX_TRACKS = 1000

TASTE_WEIGHT = 0.15
"""What a learner's +1 adds to a score of 0 to 1. Leaving the region costs at least 3."""

Prefer = Callable[[NDArray[np.int64], Target], NDArray[Any]]
"""Of (k,) track ids and a target: (k,) figures from -1, not liked there, to 1."""

_MOOD_WEIGHT = 0.6
_CHANCE = 0.03
_ARTIST_AGAIN = 0.2

# Each outweighs all before it together; between the third and the fourth lies SAME_ARTIST, 24.
_TEMPO_MISSED, _RECENT, _WIDER, _FAR, _UNKNOWN = 3.0, 6.0, 12.0, 48.0, 96.0

_MOST = 4096
_SHORTLIST = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """A track in a playlist.

    Parameters
    ----------
    track_id
        As `Track.id`.
    score
        How well it fits its target, 0 to 1.
    target
        What was asked of its place.
    tempo_ratio
        Beats a step: 0.5, 1 or 2; None where its tempo does not keep the step or something is unknown.
    parts
        What the score and the order were made of: ``mood`` and ``tempo``, how near it comes, 0 to 1, where
        they were asked for; ``taste``, what the learner says, -1 to 1, where there is one; ``flow``, 1
        less the jump from the track before, from the second track on; ``novelty``, 0 for what was played
        lately and else 1.
    step, n_steps
        Which track of how many it is, from 1.
    """

    track_id: int
    score: float
    target: Target
    tempo_ratio: float | None
    parts: dict[str, float]
    step: int = 1
    n_steps: int = 1


@dataclass(frozen=True, slots=True)
class Playlist:
    """Tracks in order.

    Parameters
    ----------
    target
        What is asked of the first.
    mode
        ``match``, ``lift``, ``calm`` or ``energise``.
    entries
        As many as were wanted, or as the library has.
    notes
        What could not be had, one sentence each.
    """

    target: Target
    mode: Mode
    entries: tuple[Entry, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class _Scored:
    """How tracks fit a target; arrays of shape (k,)."""

    rows: NDArray[np.int64]
    mood: NDArray[np.floating[Any]]
    tempo: NDArray[np.floating[Any]]
    fit: NDArray[np.floating[Any]]
    penalty: NDArray[np.floating[Any]]

    def take(self, which: NDArray[np.int64]) -> "_Scored":
        return _Scored(*(getattr(self, name)[which] for name in self.__slots__))


def recommend(
    columns: TrackColumns,
    mood: Mood,
    *,
    mode: str = "match",
    n: int = 10,
    recent: Sequence[int] = (),
    seed: int = 0,
    prefer: Prefer | None = None,
) -> Playlist:
    """Choose tracks and put them in order.

    Parameters
    ----------
    columns
        The library.
    mood
        What for.
    mode
        ``match``, ``lift``, ``calm`` or ``energise``.
    n
        Tracks wanted, 1 to 1000; fewer where the library has fewer. None is taken twice.
    recent
        Ids of tracks that were played lately; they are passed over where others fit.
    seed
        Which of the tracks that fit alike are taken: the same seed, the same playlist.
    prefer
        A learner's say: called with the ids of candidates and their target. It reorders tracks that fit
        alike, and never brings in one that leaves the mode's region for another that stays inside.

    Returns
    -------
    Playlist
        Its notes say what could not be had.

    Raises
    ------
    LibraryError
        If the library is empty.
    ConfigError
        If the mode or the number makes no sense, or `prefer` returns something else than k figures.
    """
    way = parse_mode(mode)
    if not 1 <= n <= MAX_TRACKS:
        raise ConfigError(f"{n} tracks are wanted; expected 1 to {MAX_TRACKS}.")
    if not len(columns):
        raise LibraryError("the library is empty; expected tracks to choose from. Scan a folder.")
    wanted, n = n, min(n, len(columns))
    targets = plan(mood, way, n)
    rng = np.random.default_rng(seed)
    heard = _find_rows(columns, recent)
    finder = _Finder(columns, mood, rng)
    distinct = list(dict.fromkeys(targets))
    lists = {target: finder.shortlist(target, heard, n) for target in distinct}
    tastes = {target: _ask(prefer, columns, lists[target], target) for target in distinct}
    bases: dict[Target, NDArray[np.floating[Any]]] = {
        t: found.fit - found.penalty + _CHANCE * rng.random(len(found.rows), np.float32)
        for t, found in lists.items()
    }
    path, taste = _arrange(columns, lists, bases, tastes, targets, heard)
    if prefer is not None:
        told: dict[Target, NDArray[np.floating[Any]]] = {
            t: bases[t] + TASTE_WEIGHT * tastes[t] for t in distinct
        }
        liked, liking = _arrange(columns, lists, told, tastes, targets, heard)
        # A track that is liked here may be the only one that fits elsewhere.
        if _add_up(columns, liked) <= _add_up(columns, path):
            path, taste = liked, liking
    entries = _describe(columns, path, taste if prefer else None, targets)
    return Playlist(targets[0], way, entries, _note(columns, path, mood, way, wanted))


def _find_rows(columns: TrackColumns, ids: Sequence[int]) -> NDArray[np.int64]:
    wanted = np.unique(np.asarray(list(ids), np.int64))
    rows = np.minimum(np.searchsorted(columns.id, wanted), len(columns) - 1)
    return rows[columns.id[rows] == wanted]


def _ask(
    prefer: Prefer | None, columns: TrackColumns, scored: _Scored, target: Target
) -> NDArray[np.float32]:
    if prefer is None:
        return np.zeros(len(scored.rows), np.float32)
    said = np.asarray(prefer(columns.id[scored.rows], target), np.float32)
    if said.shape != scored.rows.shape:
        raise ConfigError(
            f"the learner says {said.shape} figures of {scored.rows.shape} tracks; expected one each."
        )
    return np.clip(np.nan_to_num(said, nan=0.0), -1, 1)


class _Finder:
    """Finds the tracks near a target without looking at all others."""

    def __init__(self, columns: TrackColumns, mood: Mood, rng: np.random.Generator) -> None:
        self.columns = columns
        self.rng = rng
        self.grid = Grid(columns, mood.cadence_spm, by_mood=mood.valence is not None)
        self.has_others = True

    def shortlist(self, target: Target, heard: NDArray[np.int64], n: int) -> _Scored:
        """Return the tracks that fit best: more than enough for a playlist of n."""
        found: list[NDArray[np.int64]] = []
        for ring in self.grid.find_rings(target):
            for in_step in (True, False):
                near = self.grid.list_tracks(ring, in_step=in_step)
                step = -(-len(near) // _MOST)  # very many are thinned out evenly
                found.append(near if step <= 1 else near[int(self.rng.integers(step)) :: step])
                rows = np.concatenate(found)
                if self._suffice(rows[~np.isin(rows, heard)], n):
                    return self._best(rows, target, heard, n)
        rows = np.concatenate(found)
        self.has_others = self._count_others(rows) >= n
        return self._best(rows, target, heard, n)

    def _suffice(self, rows: NDArray[np.int64], n: int) -> bool:
        """Say whether these are enough, also if the most frequent artist may play every second track."""
        if len(rows) < 4 * n + 16:
            return False
        return not self.has_others or self._count_others(rows) >= n

    def _count_others(self, rows: NDArray[np.int64]) -> int:
        return len(rows) - _find_most(self.columns.artist[rows])[1]

    def _best(
        self, rows: NDArray[np.int64], target: Target, heard: NDArray[np.int64], n: int
    ) -> _Scored:
        scored = _score(self.columns, rows, target, heard)
        size = _SHORTLIST + n
        if len(rows) <= size:
            return scored
        key = scored.penalty - scored.fit
        best = np.argpartition(key, size)[:size]
        artists = self.columns.artist[rows]
        common, n_common = _find_most(artists[best])
        if size - n_common < n:
            others = np.flatnonzero(artists != common)
            if len(others) > n:
                others = others[np.argpartition(key[others], n)[:n]]
            best = np.union1d(best, others)
        return scored.take(np.sort(best))


def _find_most(artists: NDArray[np.int32]) -> tuple[int, int]:
    """Return the most frequent known artist and how many tracks are theirs."""
    names, counts = np.unique(artists[artists >= 0], return_counts=True)
    most = counts.argmax() if len(names) else None
    return (-2, 0) if most is None else (int(names[most]), int(counts[most]))


def _score(
    columns: TrackColumns, rows: NDArray[np.int64], target: Target, heard: NDArray[np.int64]
) -> _Scored:
    penalty = np.where(np.isin(rows, heard), np.float32(_RECENT), np.float32(0))
    zeros = np.zeros(len(rows), np.float32)
    mood = tempo = fit = zeros
    if target.valence is not None and target.arousal is not None:
        distance = np.hypot(
            columns.valence[rows] - np.float32(target.valence),
            columns.arousal[rows] - np.float32(target.arousal),
        )
        mood = np.nan_to_num(1 / (1 + (distance / np.float32(RADIUS)) ** 2), nan=0.0)
        penalty += np.select(
            [np.isnan(distance), distance <= RADIUS, distance <= 2 * RADIUS],
            [_UNKNOWN, 0, _WIDER],
            _FAR,
        ).astype(np.float32)
        fit = mood
    if target.cadence_spm is not None:
        bpm = columns.tempo_bpm[rows]
        tempo = compute_step_fit(bpm, target.cadence_spm).fit
        penalty += np.where(keeps_step(bpm, target.cadence_spm), 0, _TEMPO_MISSED).astype(
            np.float32
        )
        weight = 0.0 if target.valence is None else _MOOD_WEIGHT
        fit = np.float32(weight) * mood + np.float32(1 - weight) * tempo
    if target.valence is None and target.cadence_spm is None:
        fit = zeros + np.float32(0.5)
    return _Scored(rows, mood, tempo, fit, penalty)


def _arrange(
    columns: TrackColumns,
    lists: dict[Target, _Scored],
    bases: dict[Target, NDArray[np.floating[Any]]],
    tastes: dict[Target, NDArray[np.float32]],
    targets: Sequence[Target],
    heard: NDArray[np.int64],
) -> tuple[_Scored, NDArray[np.float32]]:
    """Take tracks, put them in order, and return how each fits its place, and the learner's say of it."""
    picks = _pick(columns, {t: found.rows for t, found in lists.items()}, bases, targets)
    rows = np.array([lists[t].rows[k] for t, k in zip(targets, picks, strict=True)])
    taste = np.array([tastes[t][k] for t, k in zip(targets, picks, strict=True)])
    fits = {t: _score(columns, rows, t, heard) for t in lists}
    order = smooth_path(columns, rows, np.stack([fits[t].fit - fits[t].penalty for t in targets]))
    return _score_path(columns, rows[order], targets, heard), taste[order]


def _add_up(columns: TrackColumns, path: _Scored) -> float:
    """Return how much a path gives up."""
    repeats = have_same_artist(columns, path.rows[:-1], path.rows[1:]).sum()
    return float(path.penalty.sum() + SAME_ARTIST * repeats)


def _pick(
    columns: TrackColumns,
    lists: dict[Target, NDArray[np.int64]],
    bases: dict[Target, NDArray[np.floating[Any]]],
    targets: Sequence[Target],
) -> list[int]:
    """Take a track for each place, one after the other; return its number in its target's list."""
    pool = np.unique(np.concatenate(list(lists.values())))
    places = {target: np.searchsorted(pool, rows) for target, rows in lists.items()}
    names, artists = np.unique(columns.artist[pool], return_inverse=True)
    known = names >= 0
    free, had = np.ones(len(pool), bool), np.zeros(len(names), bool)
    picks: list[int] = []
    last = -1
    for target in targets:
        place = places[target]
        value = bases[target] - np.float32(_ARTIST_AGAIN) * had[artists[place]]
        if last >= 0:
            value -= JUMP_WEIGHT * compute_jump(columns, pool[last], lists[target])
            if known[artists[last]]:
                value -= np.float32(SAME_ARTIST) * (artists[place] == artists[last])
        value[~free[place]] = -np.inf
        picks.append(int(value.argmax()))
        last = int(place[picks[-1]])
        free[last] = False
        had[artists[last]] = known[artists[last]]
    return picks


def _score_path(
    columns: TrackColumns,
    rows: NDArray[np.int64],
    targets: Sequence[Target],
    heard: NDArray[np.int64],
) -> _Scored:
    """Score each track against the target of its own place."""
    path = _Scored(rows, *(np.zeros(len(rows), np.float32) for _ in range(4)))
    for target in dict.fromkeys(targets):
        here = np.array([i for i, other in enumerate(targets) if other == target])
        scored = _score(columns, rows[here], target, heard)
        for name in ("mood", "tempo", "fit", "penalty"):
            getattr(path, name)[here] = getattr(scored, name)
    return path


def _describe(
    columns: TrackColumns,
    path: _Scored,
    taste: NDArray[np.float32] | None,
    targets: Sequence[Target],
) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    flow = 1 - compute_jump(columns, path.rows[:-1], path.rows[1:])
    heard, in_step = _has(path, _RECENT), ~_has(path, _TEMPO_MISSED)
    for i, (row, target) in enumerate(zip(path.rows, targets, strict=True)):
        parts = {"novelty": float(not heard[i])}
        score = float(path.fit[i])
        if target.valence is not None:
            parts["mood"] = float(path.mood[i])
        if target.cadence_spm is not None:
            parts["tempo"] = float(path.tempo[i])
        if i:
            parts["flow"] = float(flow[i - 1])
        if taste is not None:
            parts["taste"] = float(taste[i])
            score += TASTE_WEIGHT * parts["taste"]
        ratio = None
        if target.cadence_spm is not None and in_step[i]:
            ratio = float(compute_step_fit(columns.tempo_bpm[[row]], target.cadence_spm).ratio[0])
        track_id = int(columns.id[row])
        score = min(max(score, 0.0), 1.0)
        entries.append(Entry(track_id, score, target, ratio, parts, i + 1, len(targets)))
    return tuple(entries)


def _has(path: _Scored, weight: float) -> NDArray[np.bool_]:
    """Say which tracks have a penalty; each is twice the one before, so their sum tells them apart."""
    return path.penalty // weight % 2 == 1


def _note(
    columns: TrackColumns, path: _Scored, mood: Mood, mode: Mode, wanted: int
) -> tuple[str, ...]:
    """Say what could not be had, in the order in which it was given up."""
    rows = path.rows
    again = have_same_artist(columns, rows[:-1], rows[1:])
    cadence = "" if mood.cadence_spm is None else f"{mood.cadence_spm:.0f} steps a minute"
    said = (
        (_has(path, _TEMPO_MISSED), f"do not keep to {cadence}"),
        (_has(path, _RECENT), "were played lately"),
        (_has(path, _WIDER), f"lie {RADIUS:g} to {2 * RADIUS:g} from the mood asked for"),
        (again, "follow one of the same artist"),
        (_has(path, _FAR), f"lie further than {2 * RADIUS:g} from the mood asked for"),
        (_has(path, _UNKNOWN), "have no known mood"),
    )
    notes = [f"{which.sum()} of {len(rows)} tracks {what}." for which, what in said if which.any()]
    if mood.valence is None or mood.arousal is None:
        known = mood.cadence_spm is not None
        what = "chosen by cadence only" if known else "nor is the cadence; any music will do"
        notes.insert(0, f"The mood is not known; {what}.")
    elif mode != "match":
        valence, arousal = find_goal(mood.valence, mood.arousal, mode)
        if np.hypot(valence - mood.valence, arousal - mood.arousal) < 0.1:
            notes.insert(0, f"The mood is where {mode} leads to; the music stays there.")
    if wanted > len(rows):
        notes.append(f"{wanted} tracks were wanted; the library has {len(rows)}.")
    return tuple(notes)
