"""How near recommended music comes to what is asked for, beside chance and popularity."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.beat import TOLERANCE, compute_step_fit
from moodwalk.music.modes import MODES, Mode
from moodwalk.music.recommend import Playlist, recommend
from moodwalk.music.target import RADIUS, Mood, Target
from moodwalk.music.track import Track, TrackColumns

__all__ = [
    "CatalogueAgreement",
    "Interval",
    "MusicReport",
    "ReportTable",
    "compare_with_catalogue",
    "judge",
]

METHODS = ("moodwalk", "random", "popular")

_DISTANCES = {
    "mood": "distance in valence and arousal",
    "valence": "distance in valence",
    "arousal": "distance in arousal",
    "tempo_percent": "tempo off the step, %",
    "in_step_percent": f"in step within {100 * TOLERANCE:.0f} %, % of tracks",
    "in_region_percent": f"within {RADIUS:g} of the mood, % of tracks",
}
_RESAMPLES = 2000
_SHUFFLES = 20


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over walks and its 95 % interval from resampled walks; None where nothing is known."""

    mean: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.mean is None:
            return "-"
        return f"{self.mean:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report: rows of cells as text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class MusicReport:
    """What `judge` measured.

    Parameters
    ----------
    n_tracks, n_walks, n_per_walk, seed
        The library, the simulated walks, the length of each playlist, and the seed.
    distances
        Of each method (``moodwalk``, ``random``, ``popular``), each figure, by ``mood`` (distance in
        valence and arousal), ``valence``, ``arousal``, ``tempo_percent``, ``in_step_percent`` and
        ``in_region_percent``.
    gains
        Of ``random`` and ``popular``, how much nearer moodwalk comes, walk by walk: their figure less
        moodwalk's for distances, moodwalk's less theirs for shares.
    by_mode
        Of each mode, moodwalk's distances.
    diversity
        ``artists`` per playlist as a share of its tracks, and ``spread``, the mean distance of its tracks
        from their middle, of each method.
    coverage
        ``tracks`` and ``artists`` ever recommended, as shares of the library, and ``possible``, the
        largest share of tracks that so many playlists could name.
    smoothness
        ``tempo_bpm`` and ``energy``: mean difference between neighbours in moodwalk's ``order``, in
        ``shuffled`` order of the same tracks, and how much ``less`` it is.
    n_relaxed
        Walks whose playlist could not have all that was asked.
    """

    n_tracks: int
    n_walks: int
    n_per_walk: int
    seed: int
    distances: dict[str, dict[str, Interval]]
    gains: dict[str, dict[str, Interval]]
    by_mode: dict[str, dict[str, Interval]]
    diversity: dict[str, dict[str, Interval]]
    coverage: dict[str, float]
    smoothness: dict[str, dict[str, Interval]]
    n_relaxed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return asdict(self)

    def to_tables(self) -> list[ReportTable]:
        """Return the report as tables of text."""
        walks = (
            f"{self.n_walks} simulated walks, {self.n_per_walk} tracks each, library of "
            f"{self.n_tracks} tracks, seed {self.seed}. Means, 95 % intervals from resampled walks."
        )
        return [
            ReportTable(
                "Nearness to what is asked for",
                ("", *METHODS, "gain on random", "gain on popular"),
                [
                    (
                        what,
                        *(str(self.distances[method][name]) for method in METHODS),
                        *(str(self.gains[method][name]) for method in METHODS[1:]),
                    )
                    for name, what in _DISTANCES.items()
                ],
                walks,
            ),
            ReportTable(
                "By mode",
                ("", *self.by_mode),
                [
                    (what, *(str(figures[name]) for figures in self.by_mode.values()))
                    for name, what in _DISTANCES.items()
                ],
            ),
            ReportTable(
                "Smoothness",
                ("difference between neighbours", "in order", "shuffled", "less by"),
                [
                    (name, *(str(figures[key]) for key in ("order", "shuffled", "less")))
                    for name, figures in self.smoothness.items()
                ],
                f"Shuffled: the same tracks, mean of {_SHUFFLES} random orders.",
            ),
            ReportTable(
                "Diversity",
                ("in a playlist", *METHODS),
                [
                    (name, *(str(self.diversity[method][name]) for method in METHODS))
                    for name in ("artists", "spread")
                ],
                f"Over all walks {self.coverage['tracks']:.1%} of the tracks were named "
                f"({self.coverage['possible']:.1%} possible) and {self.coverage['artists']:.1%} of the "
                f"artists. {self.n_relaxed} playlists could not have all that was asked.",
            ),
        ]


def judge(
    columns: TrackColumns,
    *,
    n_walks: int = 200,
    seed: int = 0,
    n_per_walk: int = 10,
    on_walk: Callable[[int], None] | None = None,
) -> MusicReport:
    """Measure how near recommended music comes to what is asked for.

    Parameters
    ----------
    columns
        The library.
    n_walks
        Simulated walks, at least 2. Every emotion meets every mode in turn. The emotion is certain to a
        random degree, the rest of the probability falls on the others at random, and the cadence is 80 to
        140 steps a minute.
    seed
        Of the walks, of random choice and of the intervals.
    n_per_walk
        Tracks of each playlist.
    on_walk
        Called after each walk with how many are done.

    Returns
    -------
    MusicReport
        The same walks for all methods: ``random`` draws tracks, ``popular`` takes those of the highest
        popularity, ties at random.

    Raises
    ------
    LibraryError
        If the library is empty.
    ConfigError
        If a number makes no sense.
    """
    if n_walks < 2 or n_per_walk < 1:
        raise ConfigError(
            f"{n_walks} walks of {n_per_walk} tracks; expected at least 2 walks of 1 track."
        )
    if not len(columns):
        raise LibraryError("the library is empty; expected tracks to judge. Scan a folder first.")
    rng = np.random.default_rng(seed)
    chosen: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
    smooth: list[dict[str, float]] = []
    modes: list[Mode] = []
    named: list[NDArray[np.int64]] = []
    n_relaxed = 0
    for i in range(n_walks):
        mood, mode = _simulate(i, rng)
        playlist = recommend(columns, mood, mode=mode, n=n_per_walk, seed=seed + i)
        targets = [entry.target for entry in playlist.entries]
        rows = {
            "moodwalk": _find_rows(columns, playlist),
            "random": rng.choice(len(columns), len(targets), replace=False),
            "popular": _find_popular(columns, len(targets), rng),
        }
        for method in METHODS:
            chosen[method].append(_measure(columns, rows[method], targets))
        smooth.append(_measure_smoothness(columns, rows["moodwalk"], rng))
        modes.append(mode)
        named.append(rows["moodwalk"])
        n_relaxed += any("tracks" in note for note in playlist.notes)
        if on_walk is not None:
            on_walk(i + 1)
    figures = {method: _stack(rows) for method, rows in chosen.items()}
    draws = rng.integers(n_walks, size=(_RESAMPLES, n_walks))
    ours = figures["moodwalk"]
    at = {mode: np.array([other == mode for other in modes]) for mode in MODES}
    return MusicReport(
        n_tracks=len(columns),
        n_walks=n_walks,
        n_per_walk=n_per_walk,
        seed=seed,
        distances={
            method: {name: _interval(values[name], draws) for name in _DISTANCES}
            for method, values in figures.items()
        },
        gains={
            method: {
                name: _interval(_sign(name) * (figures[method][name] - ours[name]), draws)
                for name in _DISTANCES
            }
            for method in METHODS[1:]
        },
        by_mode={
            mode: {
                name: _interval(np.where(at[mode], ours[name], np.nan), draws)
                for name in _DISTANCES
            }
            for mode in MODES
        },
        diversity={
            method: {name: _interval(values[name], draws) for name in ("artists", "spread")}
            for method, values in figures.items()
        },
        coverage=_measure_coverage(columns, np.unique(np.concatenate(named)), n_walks * n_per_walk),
        smoothness=_compare_orders(_stack(smooth), draws),
        n_relaxed=n_relaxed,
    )


def _sign(name: str) -> int:
    return -1 if name.startswith("in_") else 1


def _simulate(i: int, rng: np.random.Generator) -> tuple[Mood, Mode]:
    emotion = EMOTIONS[i % len(EMOTIONS)]
    mode = MODES[i // len(EMOTIONS) % len(MODES)]
    certain = rng.uniform(0.4, 1.0)
    rest = (1 - certain) * rng.dirichlet(np.ones(len(EMOTIONS)))
    probabilities = {
        name: float(rest[k] + (certain if name is emotion else 0.0))
        for k, name in enumerate(EMOTIONS)
    }
    return Mood(probabilities, float(rng.uniform(80, 140))), mode


def _find_rows(columns: TrackColumns, playlist: Playlist) -> NDArray[np.int64]:
    return np.searchsorted(columns.id, [entry.track_id for entry in playlist.entries])


def _find_popular(columns: TrackColumns, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    popularity = np.nan_to_num(columns.popularity, nan=-1.0) + 0.5 * rng.random(len(columns))
    best = np.argpartition(-popularity, n - 1)[:n]
    return rng.permutation(best)


def _measure(
    columns: TrackColumns, rows: NDArray[np.int64], targets: Sequence[Target]
) -> dict[str, float]:
    """Return the figures of one playlist; NaN where nothing is known."""
    asked = np.array([(t.valence, t.arousal) for t in targets], np.float64)
    had = np.stack([columns.valence[rows], columns.arousal[rows]], axis=1).astype(np.float64)
    off = np.abs(had - asked)
    distance = np.hypot(off[:, 0], off[:, 1])
    deviation = np.concatenate(
        [
            np.abs(compute_step_fit(columns.tempo_bpm[rows[i : i + 1]], t.cadence_spm).deviation)
            for i, t in enumerate(targets)
            if t.cadence_spm is not None
        ]
    )
    artists = columns.artist[rows]
    n_artists = len(np.unique(artists[artists >= 0])) + np.count_nonzero(artists < 0)
    known = had[~np.isnan(had).any(axis=1)]
    centred = known - known.mean(axis=0) if len(known) else known
    return {
        "mood": _mean(distance),
        "valence": _mean(off[:, 0]),
        "arousal": _mean(off[:, 1]),
        "tempo_percent": 100 * _mean(deviation),
        "in_step_percent": 100 * float(np.mean(deviation <= TOLERANCE)),
        "in_region_percent": 100 * float(np.mean(distance <= RADIUS)),
        "artists": n_artists / len(rows),
        "spread": _mean(np.hypot(centred[:, 0], centred[:, 1])),
    }


def _measure_smoothness(
    columns: TrackColumns, rows: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, float]:
    orders = [rng.permutation(rows) for _ in range(_SHUFFLES)]
    figures: dict[str, float] = {}
    for name in ("tempo_bpm", "energy"):
        values = getattr(columns, name)
        figures[name] = _mean(np.abs(np.diff(values[rows])))
        figures[f"{name} shuffled"] = _mean(np.abs(np.diff(values[np.stack(orders)], axis=1)))
    return figures


def _compare_orders(
    figures: Mapping[str, NDArray[np.float64]], draws: NDArray[np.int64]
) -> dict[str, dict[str, Interval]]:
    return {
        name: {
            "order": _interval(figures[name], draws),
            "shuffled": _interval(figures[f"{name} shuffled"], draws),
            "less": _interval(figures[f"{name} shuffled"] - figures[name], draws),
        }
        for name in ("tempo_bpm", "energy")
    }


def _measure_coverage(
    columns: TrackColumns, rows: NDArray[np.int64], most: int
) -> dict[str, float]:
    artists = columns.artist[columns.artist >= 0]
    named = columns.artist[rows]
    n_artists = len(np.unique(artists))
    return {
        "tracks": len(rows) / len(columns),
        "possible": min(most / len(columns), 1.0),
        "artists": len(np.unique(named[named >= 0])) / n_artists if n_artists else 0.0,
    }


def _stack(rows: Sequence[Mapping[str, float]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([row[name] for row in rows], np.float64) for name in rows[0]}


def _mean(values: NDArray[Any]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else math.nan


def _interval(values: NDArray[np.float64], draws: NDArray[np.int64]) -> Interval:
    """Return the mean over walks where something is known, with a percentile bootstrap interval."""
    known = ~np.isnan(values)
    if not known.any():
        return Interval(None, None, None)
    sums = np.where(known, values, 0.0)[draws].sum(axis=1)
    counts = known[draws].sum(axis=1)
    means = sums[counts > 0] / counts[counts > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values[known].mean()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class CatalogueAgreement:
    """How estimates from audio agree with what a catalogue says of the same titles.

    Parameters
    ----------
    n_scanned, n_matched
        Scanned tracks, and those that the catalogue knows.
    n_tempo, tempo_percent, tempo_octave_percent
        Of titles with both tempos, the share whose estimate is within 4 % of the catalogue's, and that of
        it, its half or its double.
    n_mood, valence_error, arousal_error
        Of titles with both moods, mean absolute differences.
    valence_correlation, arousal_correlation
        Pearson's; None for fewer than 3 titles or where one side is constant.
    n_mode, mode_percent
        Of titles with both keys' modes, the share that agree.
    """

    n_scanned: int
    n_matched: int
    n_tempo: int
    tempo_percent: float | None
    tempo_octave_percent: float | None
    n_mood: int
    valence_error: float | None
    arousal_error: float | None
    valence_correlation: float | None
    arousal_correlation: float | None
    n_mode: int
    mode_percent: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self)


def compare_with_catalogue(
    scanned: Iterable[Track], catalogue: Iterable[Track]
) -> CatalogueAgreement:
    """Compare estimates from audio with what a catalogue says of the same titles.

    Parameters
    ----------
    scanned
        Tracks whose figures come from audio; they are kept in memory.
    catalogue
        Tracks of a catalogue, read once. Titles are the same where title and artist agree but for case,
        accents, punctuation, and what stands in brackets or behind a dash (versions, featured artists). Of
        several the one whose duration is nearest is taken.
    """
    ours = list(scanned)
    by_name: dict[tuple[str, str], list[int]] = {}
    for i, track in enumerate(ours):
        if track.title and track.artist:
            by_name.setdefault(_normalise(track), []).append(i)
    found: dict[int, tuple[float, Track]] = {}
    for track in catalogue:
        for i in by_name.get(_normalise(track), ()):
            far = abs((ours[i].duration_s or math.inf) - (track.duration_s or 0.0))
            if i not in found or far < found[i][0]:
                found[i] = far, track
    pairs = [(ours[i], track) for i, (_, track) in sorted(found.items())]
    tempos = _pair(pairs, "tempo_bpm")
    ratios = tempos[:, 0] / tempos[:, 1]
    octaves = np.stack([np.abs(ratios * k - 1) for k in (1.0, 0.5, 2.0)])
    valence, arousal = _pair(pairs, "valence"), _pair(pairs, "arousal")
    modes = [(a.mode, b.mode) for a, b in pairs if a.mode is not None and b.mode is not None]
    return CatalogueAgreement(
        n_scanned=len(ours),
        n_matched=len(pairs),
        n_tempo=len(tempos),
        tempo_percent=_share(octaves[0] <= 0.04),
        tempo_octave_percent=_share(octaves.min(axis=0) <= 0.04),
        n_mood=min(len(valence), len(arousal)),
        valence_error=_or_none(_mean(np.abs(valence[:, 0] - valence[:, 1]))),
        arousal_error=_or_none(_mean(np.abs(arousal[:, 0] - arousal[:, 1]))),
        valence_correlation=_correlate(valence),
        arousal_correlation=_correlate(arousal),
        n_mode=len(modes),
        mode_percent=_share(np.array([a == b for a, b in modes], bool)),
    )


def _normalise(track: Track) -> tuple[str, str]:
    title = re.sub(r"[(\[].*?[)\]]| - .*| feat\.? .*", " ", f"{track.title} ", flags=re.IGNORECASE)
    return _simplify(title) or _simplify(track.title), _simplify(track.artist)


def _simplify(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c if c.isalnum() else " " for c in letters if not unicodedata.combining(c))
    return " ".join(kept.split())


def _pair(pairs: Sequence[tuple[Track, Track]], name: str) -> NDArray[np.float64]:
    """Return (k, 2): a figure of both where both are known."""
    both = [(getattr(a, name), getattr(b, name)) for a, b in pairs]
    known = [(a, b) for a, b in both if a is not None and b is not None]
    return np.array(known, np.float64).reshape(-1, 2)


def _share(right: NDArray[np.bool_]) -> float | None:
    return float(100 * right.mean()) if len(right) else None


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _correlate(values: NDArray[np.float64]) -> float | None:
    if len(values) < 3 or np.any(np.ptp(values, axis=0) == 0):
        return None
    centred = values - values.mean(axis=0)
    return float(centred.prod(axis=1).sum() / np.sqrt((centred**2).sum(axis=0)).prod())
