"""What a listener likes, learned from likes, skips and plays.

A linear contextual bandit, LinUCB [1]_ as `mabwiser` has it, says what reward a track will bring. Its
context is what the track is, what the cadence makes of its tempo, and the emotion: each figure has a
weight that holds for all emotions and a smaller departure from it for each, so that little feedback is
enough. Artists and single tracks have effects of their own, drawn to zero as long as there is little
feedback on them; the events of an artist hang together, so the bandit is fitted to what remains of them
when that is taken off (generalised least squares).

How strong a listener's taste is, is not known before. So every listener's feedback decides between several
strengths by their marginal likelihood, and against having no taste at all: feedback that says nothing
gets no say.

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
_MOST_SPREADS = 3.0
_LIBRARY_SAMPLE = 2**15

# Standard deviations that effects may have, as shares of what feedback varies by for no known reason.
_TASTES = (0.0, 0.1, 0.2, 0.4)
_OF_ARTIST = (0.0, 0.15, 0.6)
_OF_TRACK = (0.0, 0.3, 1.0)
_OF_EMOTION = 0.5
"""Of a weight's departure from the one for all emotions, as a share of that."""
_LEVEL = 2.0
_NO_TASTE = 0.5
"""How probable it is beforehand that a listener has no taste."""
_PRIOR_EVENTS, _PRIOR_VARIANCE = 4.0, 0.3

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
    def certainty(self) -> float:
        """How probable it is that the listener has a taste at all, 0 to 1, by what feedback says."""
        taste = self._fit()
        return taste.certainty if taste else 0.0

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
                scores[known] = taste.score(rows[known], code, cadence)
            return scores

        return say

    def _fit(self) -> "_Taste | None":
        if self._fitted is None and self._events:
            self._fitted = _fit(self._figures, self._events, self._exploration, self._seed)
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
    """Return (k, 40) contexts: a level and the figures for all emotions, then again for each of the four."""
    plain = np.column_stack([np.full(len(figures), level), figures])
    own = (emotions[:, None] == np.arange(len(EMOTIONS)))[:, :, None] * plain[:, None, :]
    return np.column_stack([plain, own.reshape(len(figures), -1)])


def _scale(taste: float) -> Floats:
    """Return (40,): how far each weight may lie from 0."""
    plain = np.array([_LEVEL] + [taste] * _N_FIGURES)
    return np.concatenate([plain, np.tile(plain * _OF_EMOTION, len(EMOTIONS))])


class _Whitening:
    """Takes off what events of a group have in common.

    Their covariance is 1 and besides `variance` times u u'; applied to events it becomes 1. Events lie in
    order of their groups, which start at `starts`.
    """

    def __init__(self, starts: NDArray[np.int64], u: Floats, variance: Floats) -> None:
        self.starts, self.u = starts, u
        self.group = np.zeros(len(u), np.int64)
        self.group[starts[1:]] = 1
        self.group = np.cumsum(self.group)
        size = np.add.reduceat(u**2, starts)
        self.share = (1 - 1 / np.sqrt(1 + variance * size)) / size
        self.log_det = float(np.log1p(variance * size).sum())

    def apply(self, values: Floats) -> Floats:
        """Of (n, m) values."""
        sums = np.add.reduceat(self.u[:, None] * values, self.starts)
        return values - self.u[:, None] * (self.share[:, None] * sums)[self.group]


@dataclass(frozen=True, eq=False, slots=True)
class _Taste:
    """What was learned.

    Parameters
    ----------
    figures
        Of the library.
    known, hopeful
        Bandits: what a track is expected to bring, and that with what not knowing allows.
    scale
        (40,) of their contexts.
    tracks, of_track, artists, of_artist
        Rows and artists that there is feedback on, ascending, and their effects.
    certainty
        How probable it is that there is a taste.
    exploration
        The share of a score that not knowing may have.
    """

    figures: _Figures
    known: Any
    hopeful: Any
    scale: Floats
    tracks: NDArray[np.int64]
    of_track: Floats
    artists: NDArray[np.int64]
    of_artist: Floats
    certainty: float
    exploration: float

    def score(self, rows: NDArray[np.int64], emotion: int, cadence_spm: float) -> Floats:
        figures = self.figures.describe(rows, cadence_spm)
        contexts = _expand(figures, np.full(len(rows), emotion), level=0.0) * self.scale
        expected = _ask(self.known, contexts)
        hope = np.maximum(_ask(self.hopeful, contexts) - expected, 0)
        expected += _look_up(self.tracks, self.of_track, rows)
        expected += _look_up(self.artists, self.of_artist, self.figures.columns.artist[rows])
        # Beside the others that fit, not beside all music: then a taste for bright music has a say also
        # among sad tracks.
        expected -= np.median(expected)
        scores = (1 - self.exploration) * self.certainty * np.tanh(expected / _REWARD_SCALE)
        return scores + self.exploration * np.tanh(hope / _REWARD_SCALE)


def _look_up(names: NDArray[np.int64], values: Floats, wanted: NDArray[Any]) -> Floats:
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[place] == wanted, values[place], 0.0)


class _Strength(NamedTuple):
    """How strong a taste is taken to be, in standard deviations as shares of the noise's."""

    taste: float
    artist: float
    track: float


def _fit(figures: _Figures, events: Sequence[_Event], exploration: float, seed: int) -> _Taste:
    artists = figures.columns.artist
    events = sorted(events, key=lambda event: (int(artists[event.row]), event.row))
    rows = np.array([event.row for event in events])
    emotions = np.array([event.emotion for event in events])
    rewards = np.array([[event.reward] for event in events])
    described = figures.describe(rows, np.array([event.cadence_spm for event in events]))
    contexts = _expand(described, emotions, level=1.0)
    tracks, artist_of = _find_starts(rows), artists[rows].astype(np.int64)
    names = _find_starts(artist_of)

    def whiten(strength: _Strength) -> tuple[_Whitening, _Whitening]:
        each = _Whitening(tracks, np.ones(len(rows)), np.full(len(tracks), strength.track**2))
        u = each.apply(np.ones((len(rows), 1)))[:, 0]
        variance = np.where(artist_of[names] >= 0, strength.artist**2, 0.0)
        return each, _Whitening(names, u, variance)

    best, certainty, noise = _weigh(np.column_stack([contexts, rewards]), whiten)
    by_track, by_artist = whiten(best)
    scale = _scale(best.taste)

    def take_off(values: Floats) -> Floats:
        return by_artist.apply(by_track.apply(values))

    known, hopeful = _train(take_off(contexts * scale), take_off(rewards)[:, 0], noise, seed)
    rest = rewards - _ask(known, contexts * scale)[:, None]
    rest = by_track.apply(by_artist.apply(take_off(rest)))[:, 0]
    return _Taste(
        figures,
        known,
        hopeful,
        scale,
        rows[tracks],
        best.track**2 * np.add.reduceat(rest, tracks),
        artist_of[names],
        np.where(artist_of[names] >= 0, best.artist**2 * np.add.reduceat(rest, names), 0.0),
        certainty,
        exploration,
    )


def _find_starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))


def _weigh(values: Floats, whiten: Any) -> tuple[_Strength, float, float]:
    """Find the strength that events speak for most.

    Returns it, the probability that there is any taste, and the noise's standard deviation.
    """
    n = len(values)
    found: dict[_Strength, tuple[float, float]] = {}
    for artist in _OF_ARTIST:
        for track in _OF_TRACK:
            each, all_of = whiten(_Strength(0, artist, track))
            plain = all_of.apply(each.apply(values))
            gram = plain.T @ plain
            for taste in _TASTES:
                scale = _scale(taste)
                matrix = np.eye(len(scale)) + scale[:, None] * gram[:-1, :-1] * scale
                right = scale * gram[:-1, -1]
                left_over = gram[-1, -1] - right @ np.linalg.solve(matrix, right)
                weight = _PRIOR_EVENTS * _PRIOR_VARIANCE + max(left_over, 0.0)
                log_det = np.linalg.slogdet(matrix)[1] + each.log_det + all_of.log_det
                evidence = -0.5 * (log_det + (_PRIOR_EVENTS + n) * math.log(weight))
                noise = math.sqrt(weight / (_PRIOR_EVENTS + n))
                found[_Strength(taste, artist, track)] = float(evidence), noise
    none, _ = found.pop(_Strength(0.0, 0.0, 0.0))
    best = max(found, key=lambda strength: found[strength][0])
    some = np.logaddexp.reduce([evidence for evidence, _ in found.values()]) - math.log(len(found))
    odds = float(none - some) + math.log(_NO_TASTE / (1 - _NO_TASTE))
    return best, 1 / (1 + math.exp(min(odds, 700.0))), found[best][1]


def _train(contexts: Floats, rewards: Floats, noise: float, seed: int) -> tuple[Any, Any]:
    """Return the bandits that `_Taste` keeps: one arm, to play a track, whose contexts are the tracks."""
    try:
        from mabwiser.mab import MAB, LearningPolicy  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise ConfigError(
            "learning from feedback needs mabwiser, which is not installed: "
            "pip install 'moodwalk[music]'."
        ) from error
    arm = "play"
    bandits: list[Any] = []
    for policy in (LearningPolicy.LinGreedy(epsilon=0), LearningPolicy.LinUCB(alpha=noise)):
        bandit: Any = MAB([arm], policy, seed=seed)
        bandit.fit(np.full(len(rewards), arm), rewards, contexts)
        bandits.append(bandit)
    return bandits[0], bandits[1]


def _ask(bandit: Any, contexts: Floats) -> Floats:
    said = bandit.predict_expectations(contexts)
    said = [said] if isinstance(said, dict) else said
    return np.array([next(iter(one.values())) for one in said], np.float64)
