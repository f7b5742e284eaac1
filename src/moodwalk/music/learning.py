"""What a listener likes, learned from likes, skips and plays.

A linear contextual bandit, LinUCB [1]_ as `mabwiser` has it, says what reward a track will bring. Its
context is what the track is, what the cadence makes of its tempo, and the emotion: each figure has a
weight that holds for all emotions and a smaller departure from it for each, so that little feedback is
enough. What the bandit does not explain goes to the artists and to the single tracks, drawn to zero as
long as there is little feedback on them.

How far figures, artists and tracks may count is fixed, and was chosen with simulated listeners
(docs/music-learning.md). How far all of it is trusted is found out: each half of the feedback foretells the
other, and where that does not come true, as with feedback that says nothing, it gets little say.

A learner never chooses. `moodwalk.music.recommend` adds what it says, bounded, to how well tracks fit.

References
----------
.. [1] Li, Chu, Langford and Schapire (2010), A contextual-bandit approach to personalized news article
   recommendation, WWW 2010, 661-670, doi:10.1145/1772690.1772758.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.library import Feedback
from moodwalk.music.recommend import Prefer
from moodwalk.music.target import Target
from moodwalk.music.track import TrackColumns

__all__ = ["EXPLORATION", "LIKE", "MAX_EVENTS", "PLAY", "SKIP", "TasteLearner", "compute_reward"]

LIKE, PLAY, SKIP = 1.0, 0.5, -0.75
"""What a like, a play to the end and a skip at the first note are worth; a dislike is worth -1."""

EXPLORATION = 0.1
"""Of a track's score, the share that not knowing what a listener makes of such a track may have."""

MAX_EVENTS = 20_000
"""Only so many of the latest are learned from."""

_SKIP_SOMEWHERE = -0.5

Floats = NDArray[np.float64]

_N_FIGURES = 7
_IS_LEVEL = np.tile(np.arange(_N_FIGURES + 1) == 0, len(EMOTIONS) + 1)
_MOST_SPREADS = 3.0
_LIBRARY_SAMPLE = 2**15

# How far effects lie from 0: standard deviations, as shares of what rewards vary by for no known reason.
_LEVEL = 2.0
_OF_FIGURE = 0.2
_OF_EMOTION = 0.5
"""Of a weight's departure from the one for all emotions, as a share of that."""
_OF_ARTIST = 0.4
_OF_TRACK = 0.4

_NOISE = 0.55
"""What rewards vary by for no known reason."""

_N_TURNS = 5
_TRUST_PRIOR = 1.0
"""Forecasts whose squares sum to this count for half-trust beside those that were checked."""

_REWARD_SCALE = 0.12
"""This much more reward than the median of the candidates makes a score of 0.76."""


def compute_reward(
    kind: str, position_s: float | None = None, duration_s: float | None = None
) -> float:
    """Compute what an event says of a track.

    Parameters
    ----------
    kind
        ``like``, ``play`` (to the end), ``skip`` or ``dislike``.
    position_s
        Where it was skipped; None where unknown.
    duration_s
        How long it is; None or NaN where unknown.

    Returns
    -------
    float
        1 for a like, 0.5 for a play, -1 for a dislike. A skip rises evenly from -0.75 at the first note
        to 0.5 at the last, where it is as good as a play; -0.5 where position or length are unknown.

    Raises
    ------
    ConfigError
        If there is no such kind.
    """
    said = {"like": LIKE, "play": PLAY, "dislike": -LIKE}.get(kind)
    if said is not None:
        return said
    if kind != "skip":
        raise ConfigError(f"feedback is {kind!r}; expected like, play, skip or dislike.")
    if position_s is None or duration_s is None or not duration_s > 0 or not position_s >= 0:
        return _SKIP_SOMEWHERE
    return SKIP + (PLAY - SKIP) * min(position_s / duration_s, 1.0)


class _Event(NamedTuple):
    row: int
    reward: float
    emotion: int
    cadence_spm: float


class TasteLearner:
    """Learns what a listener likes.

    Parameters
    ----------
    columns
        The library.
    seed
        Of every random choice.
    exploration
        Of a score, the share that not knowing what a listener makes of such a track may have, 0 to 1.

    Raises
    ------
    ConfigError
        If the exploration is not 0 to 1.

    Notes
    -----
    It is made anew from the feedback that a library keeps: thousands of events take less than a second.
    """

    def __init__(
        self, columns: TrackColumns, *, seed: int = 0, exploration: float = EXPLORATION
    ) -> None:
        if not 0 <= exploration <= 1:
            raise ConfigError(f"the exploration is {exploration}; expected 0 to 1.")
        self._seed, self._exploration = seed, exploration
        self._figures = _Figures.of(columns)
        self._events: list[_Event] = []
        self._fitted: _Taste | None = None

    @property
    def n_events(self) -> int:
        """How many events it has learned from."""
        return len(self._events)

    @property
    def trust(self) -> float:
        """How far what it foretells comes true, 0 to 1; 0 without feedback."""
        taste = self._fit()
        return taste.trust if taste else 0.0

    def update(self, feedback: Iterable[Feedback]) -> None:
        """Learn from more feedback.

        Parameters
        ----------
        feedback
            Oldest first. What is about tracks that the library no longer has says nothing.

        Raises
        ------
        ConfigError
            If an event is no like, play, skip or dislike.
        """
        columns = self._figures.columns
        given = list(feedback)[-MAX_EVENTS:]
        rows = _find_rows(columns, np.array([event.track_id for event in given], np.int64))
        for event, row in zip(given, rows.tolist(), strict=True):
            length = float(columns.duration_s[row]) if row >= 0 else None
            reward = compute_reward(event.kind, event.position_s, length)
            if row >= 0:
                emotion = -1 if event.emotion is None else EMOTIONS.index(Emotion(event.emotion))
                self._events.append(_Event(row, reward, emotion, event.cadence_spm or math.nan))
        self._events = self._events[-MAX_EVENTS:]
        self._fitted = None

    def prefer(self, emotion: Emotion | None) -> Prefer:
        """Return what `recommend` asks about candidates; later feedback does not change it.

        Parameters
        ----------
        emotion
            The one that music is chosen for; None where it is not known.

        Returns
        -------
        callable
            Of (k,) track ids and a target: (k,) scores from -1 to 1, where 0 is the median of these
            tracks. All are 0 as long as there is no feedback, and of ids that the library does not have.
        """
        taste = self._fit()
        code = -1 if emotion is None else EMOTIONS.index(Emotion(emotion))

        def say(ids: NDArray[np.int64], target: Target) -> Floats:
            ids = np.asarray(ids, np.int64)
            scores = np.zeros(len(ids))
            rows = _find_rows(self._figures.columns, ids)
            known = rows >= 0
            if taste is not None and known.any():
                cadence = target.cadence_spm or math.nan
                scores[known] = taste.score(rows[known], code, cadence, self._exploration)
            return scores

        return say

    def _fit(self) -> "_Taste | None":
        if self._fitted is None and self._events:
            self._fitted = _Taste(self._figures, self._events, self._seed)
        return self._fitted


def _find_rows(columns: TrackColumns, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row of each id, -1 where the library has no such track."""
    if not len(columns):
        return np.full(len(ids), -1)
    rows = np.minimum(np.searchsorted(columns.id, ids), len(columns) - 1)
    return np.where(columns.id[rows] == ids, rows, -1)


@dataclass(frozen=True, eq=False, slots=True)
class _Figures:
    """What tracks are, in figures that compare; `center` and `spread` are the library's, (6,)."""

    columns: TrackColumns
    center: Floats
    spread: Floats

    @classmethod
    def of(cls, columns: TrackColumns) -> Self:
        rows = np.arange(0, len(columns), -(-max(len(columns), 1) // _LIBRARY_SAMPLE))
        values = _read_values(columns, rows)
        known = np.isfinite(values)
        n = np.maximum(known.sum(axis=0), 1)
        center = np.where(known, values, 0).sum(axis=0) / n
        spread = np.sqrt(np.where(known, (values - center) ** 2, 0).sum(axis=0) / n)
        return cls(columns, center, np.where(spread > 1e-6, spread, 1.0))

    def describe(self, rows: NDArray[np.int64], cadence_spm: Any) -> Floats:
        """Return (k, 7) figures, 0 where unknown; the last is how many octaves the tempo is off the step."""
        values = _read_values(self.columns, rows)
        figures = (values - self.center) / self.spread
        with np.errstate(divide="ignore", invalid="ignore"):
            octaves = values[:, 3] - np.log2(cadence_spm)
        figures = np.column_stack([figures, octaves])
        return np.clip(np.nan_to_num(figures, posinf=0, neginf=0), -_MOST_SPREADS, _MOST_SPREADS)


def _read_values(columns: TrackColumns, rows: NDArray[np.int64]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        tempo, duration = (np.log2(c[rows]) for c in (columns.tempo_bpm, columns.duration_s))
    values = (columns.valence[rows], columns.arousal[rows], columns.energy[rows])
    found = np.column_stack([*values, tempo, duration, columns.popularity[rows]])
    found = found.astype(np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def _expand(figures: Floats, emotions: NDArray[np.int64], *, level: float) -> Floats:
    """Return (k, 40) contexts: a level and the figures for all emotions, then again for each of the four.

    The bandit draws all weights to 0 alike; contexts are stretched by how far their weights may lie from it.
    """
    plain = np.column_stack([np.full(len(figures), level), figures])
    own = (emotions[:, None] == np.arange(len(EMOTIONS)))[:, :, None] * plain[:, None, :]
    contexts = np.column_stack([plain, own.reshape(len(figures), -1)])
    spread = np.array([_LEVEL] + [_OF_FIGURE] * _N_FIGURES)
    return contexts * np.concatenate([spread, np.tile(spread * _OF_EMOTION, len(EMOTIONS))])


class _Heard(NamedTuple):
    """Events in arrays: (n, 40) contexts and (n,) rewards, artists and rows."""

    contexts: Floats
    rewards: Floats
    artists: NDArray[np.int64]
    rows: NDArray[np.int64]

    def take(self, which: Any) -> "_Heard":
        contexts, rewards, artists, rows = self
        return _Heard(contexts[which], rewards[which], artists[which], rows[which])


class _Effects:
    """What artists, or tracks, have of their own: their mean of `rest`, drawn to 0 where there is little.

    -1 is nobody's name.
    """

    def __init__(self, names: NDArray[np.int64], rest: Floats, spread: float) -> None:
        self.names, inverse, n = np.unique(names, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, rest, len(self.names)) / (n + 1 / spread**2)
        self.values = np.where(self.names >= 0, means, 0.0)

    def of(self, names: NDArray[np.int64]) -> Floats:
        place = np.minimum(np.searchsorted(self.names, names), len(self.names) - 1)
        return np.where(self.names[place] == names, self.values[place], 0.0)


class _Forecast:
    """What reward tracks are expected to bring: by a bandit, and by effects of artists and tracks."""

    def __init__(self, heard: _Heard, seed: int) -> None:
        rewards, of_track = heard.rewards, np.zeros(len(heard.rows))
        self.rest = rewards
        # In turns, each is fitted to what the others leave over; that comes to fitting all at once.
        for _ in range(_N_TURNS):
            self.bandit = _train(heard.contexts, self.rest, seed, alpha=0.0)
            left = rewards - _ask(self.bandit, heard.contexts)
            self.artists = _Effects(heard.artists, left - of_track, _OF_ARTIST)
            of_artist = self.artists.of(heard.artists)
            self.tracks = _Effects(heard.rows, left - of_artist, _OF_TRACK)
            of_track = self.tracks.of(heard.rows)
            self.rest = rewards - of_artist - of_track

    def ask(self, contexts: Floats, artists: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
        return _ask(self.bandit, contexts) + self.artists.of(artists) + self.tracks.of(rows)


def _find_trust(heard: _Heard, seed: int) -> float:
    """Return by how much forecasts have to be multiplied to come true, 0 to 1.

    Every second event is foretold from the others, and the other way round.
    """
    even = np.arange(len(heard.rows)) % 2 == 0
    agreed, said = 0.5 * _TRUST_PRIOR, _TRUST_PRIOR
    for half in (even, ~even) if len(even) > 1 else ():
        forecast, other = _Forecast(heard.take(half), seed), heard.take(~half)
        plain = np.where(_IS_LEVEL, 0.0, other.contexts)
        level = _ask(forecast.bandit, other.contexts - plain)
        foretold = forecast.ask(plain, other.artists, other.rows)
        foretold -= foretold.mean()
        agreed += foretold @ (other.rewards - level)
        said += foretold @ foretold
    return min(max(float(agreed / said), 0.0), 1.0)


class _Taste:
    """What was learned: a forecast, how far it is trusted, and a bandit that hopes where it does not know."""

    def __init__(self, figures: _Figures, events: Sequence[_Event], seed: int) -> None:
        rows, rewards, emotions, cadences = map(np.array, zip(*events, strict=True))
        contexts = _expand(figures.describe(rows, cadences), emotions, level=1.0)
        heard = _Heard(contexts, rewards, figures.columns.artist[rows].astype(np.int64), rows)
        self.figures = figures
        self.forecast = _Forecast(heard, seed)
        # Of no rewards, what a hopeful bandit expects is what not knowing allows.
        self.hopeful = _train(contexts, np.zeros(len(rows)), seed, alpha=_NOISE)
        self.trust = _find_trust(heard, seed)

    def score(
        self, rows: NDArray[np.int64], emotion: int, cadence_spm: float, exploration: float
    ) -> Floats:
        figures = self.figures.describe(rows, cadence_spm)
        contexts = _expand(figures, np.full(len(rows), emotion), level=0.0)
        hope = _ask(self.hopeful, contexts)
        artists = self.figures.columns.artist[rows].astype(np.int64)
        expected = self.forecast.ask(contexts, artists, rows)
        # Beside the others that fit, not beside all music: then a taste for bright music has a say also
        # among sad tracks.
        expected -= np.median(expected)
        score = (1 - exploration) * np.tanh(self.trust * expected / _REWARD_SCALE)
        return score + exploration * np.tanh(hope / _REWARD_SCALE)


def _train(contexts: Floats, rewards: Floats, seed: int, *, alpha: float) -> Any:
    """Return a bandit with one arm, to play a track, whose contexts are the tracks."""
    try:
        from mabwiser.mab import MAB, LearningPolicy  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise ConfigError(
            "learning from feedback needs mabwiser, which is not installed: "
            "pip install 'moodwalk[music]'."
        ) from error
    arm = "play"
    bandit: Any = MAB([arm], LearningPolicy.LinUCB(alpha=alpha), seed=seed)
    bandit.fit(np.full(len(rewards), arm), rewards, contexts)
    return bandit


def _ask(bandit: Any, contexts: Floats) -> Floats:
    said = bandit.predict_expectations(contexts)
    said = [said] if isinstance(said, dict) else said
    return np.array([next(iter(one.values())) for one in said], np.float64)
