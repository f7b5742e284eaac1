"""How near recommended music comes to what is asked for, beside chance and popularity."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.beat import TOLERANCE, compute_step_fit
from moodwalk.music.evaluation.report import (
    N_RESAMPLES,
    Interval,
    ReportTable,
    compute_interval,
    compute_mean,
)
from moodwalk.music.modes import MODES, Mode
from moodwalk.music.recommend import Playlist, recommend
from moodwalk.music.target import RADIUS, Mood, Target
from moodwalk.music.track import TrackColumns

__all__ = ["NearnessReport", "measure_nearness"]

METHODS = ("moodwalk", "random", "popular")

_DISTANCES = {
    "mood": "distance in valence and arousal",
    "valence": "distance in valence",
    "arousal": "distance in arousal",
    "tempo_percent": "tempo off the step, %",
    "in_step_percent": f"in step within {100 * TOLERANCE:.0f} %, % of tracks",
    "in_region_percent": f"within {RADIUS:g} of the mood, % of tracks",
}
_SHUFFLES = 20


@dataclass(frozen=True, slots=True)
class NearnessReport:
    """What `measure_nearness` measured.

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


def measure_nearness(
    columns: TrackColumns,
    *,
    n_walks: int = 200,
    seed: int = 0,
    n_per_walk: int = 10,
    on_walk: Callable[[int], None] | None = None,
) -> NearnessReport:
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
    NearnessReport
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
    draws = rng.integers(n_walks, size=(N_RESAMPLES, n_walks))
    ours = figures["moodwalk"]
    at = {mode: np.array([other == mode for other in modes]) for mode in MODES}
    return NearnessReport(
        n_tracks=len(columns),
        n_walks=n_walks,
        n_per_walk=n_per_walk,
        seed=seed,
        distances={
            method: {name: compute_interval(values[name], draws) for name in _DISTANCES}
            for method, values in figures.items()
        },
        gains={
            method: {
                name: compute_interval(_sign(name) * (figures[method][name] - ours[name]), draws)
                for name in _DISTANCES
            }
            for method in METHODS[1:]
        },
        by_mode={
            mode: {
                name: compute_interval(np.where(at[mode], ours[name], np.nan), draws)
                for name in _DISTANCES
            }
            for mode in MODES
        },
        diversity={
            method: {name: compute_interval(values[name], draws) for name in ("artists", "spread")}
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
        "mood": compute_mean(distance),
        "valence": compute_mean(off[:, 0]),
        "arousal": compute_mean(off[:, 1]),
        "tempo_percent": 100 * compute_mean(deviation),
        "in_step_percent": 100 * float(np.mean(deviation <= TOLERANCE)),
        "in_region_percent": 100 * float(np.mean(distance <= RADIUS)),
        "artists": n_artists / len(rows),
        "spread": compute_mean(np.hypot(centred[:, 0], centred[:, 1])),
    }


def _measure_smoothness(
    columns: TrackColumns, rows: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, float]:
    orders = [rng.permutation(rows) for _ in range(_SHUFFLES)]
    figures: dict[str, float] = {}
    for name in ("tempo_bpm", "energy"):
        values = getattr(columns, name)
        figures[name] = compute_mean(np.abs(np.diff(values[rows])))
        figures[f"{name} shuffled"] = compute_mean(
            np.abs(np.diff(values[np.stack(orders)], axis=1))
        )
    return figures


def _compare_orders(
    figures: Mapping[str, NDArray[np.float64]], draws: NDArray[np.int64]
) -> dict[str, dict[str, Interval]]:
    return {
        name: {
            "order": compute_interval(figures[name], draws),
            "shuffled": compute_interval(figures[f"{name} shuffled"], draws),
            "less": compute_interval(figures[f"{name} shuffled"] - figures[name], draws),
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
