"""Simulated listeners of known taste: no people, and no evidence about people.

They show what learning does where the truth is known. Whether a listener skips a track is decided by a
logistic model of what it is: how far it lies from the mood asked for, what the listener's taste makes of it
(artists, tempo, brightness, popularity, a narrow range of energy), what nobody could know of it, and how
readily the listener skips at all. About half of all tracks are skipped, as on streaming services: 51.7 %
of those in the sessions that were published for a skip prediction challenge [1]_.

References
----------
.. [1] Brost, Mehrotra and Jehan (2019), The Music Streaming Sessions Dataset, WWW 2019, 2594-2600,
   doi:10.1145/3308558.3313641.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.music.learning import EXPLORATION, TasteLearner
from moodwalk.music.library import Feedback
from moodwalk.music.modes import Mode
from moodwalk.music.recommend import Playlist, Prefer, recommend
from moodwalk.music.target import RADIUS, Mood, Target
from moodwalk.music.track import TrackColumns

__all__ = [
    "TASTES",
    "Sessions",
    "SimulatedListener",
    "Telling",
    "draw_listener",
    "simulate_sessions",
]

Floats = NDArray[np.float64]

TasteName = Literal["artists", "tempo", "brightness", "popularity", "range", "several", "none"]

TASTES: tuple[TasteName, ...] = (
    "artists",
    "tempo",
    "brightness",
    "popularity",
    "range",
    "several",
    "none",
)
"""What listeners may care for beside the mood; ``range`` is a liking that the learner cannot express."""

Telling = Literal["truth", "noise", "nothing"]
"""What a listener's feedback says: what it does, anything at all, or there is none."""

N_TRACKS = 10

_STRENGTH = 1.0
"""Of a taste: what one standard deviation of the library adds to the log odds of a skip."""
_OF_EMOTION = 0.4
_UNKNOWABLE = 0.5
_MOOD = 1.0
"""What the distance of the region's edge from its middle adds to the log odds of a skip."""
_N_RECENT = 50
_MODES: tuple[Mode, ...] = ("match",) * 7 + ("lift", "calm", "energise")
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, eq=False, slots=True)
class SimulatedListener:
    """A made-up listener.

    Parameters
    ----------
    taste
        What it cares for.
    columns
        The library.
    readiness
        Log odds of skipping a track that lies in the middle of the mood and that it neither likes nor
        dislikes.
    liking
        (4, n) for each emotion, in the order of `EMOTIONS`: what a track takes off the log odds.
    seed
        Of all that happens in its sessions.
    """

    taste: TasteName
    columns: TrackColumns
    readiness: float
    liking: NDArray[np.float32]
    seed: int

    def compute_skip_probability(
        self, rows: NDArray[np.int64], emotion: Emotion, targets: Sequence[Target]
    ) -> Floats:
        """Compute how probable it is that tracks are skipped.

        Parameters
        ----------
        rows
            (k,) tracks.
        emotion
            Of the listener.
        targets
            k, what was asked for.
        """
        asked = np.array([(target.valence, target.arousal) for target in targets], np.float64)
        columns = self.columns
        distance = np.hypot(
            columns.valence[rows] - asked[:, 0], columns.arousal[rows] - asked[:, 1]
        )
        off = np.minimum(np.nan_to_num(distance / RADIUS, nan=2.0), 2.0)
        odds = self.readiness + _MOOD * off - self.liking[EMOTIONS.index(emotion), rows]
        return 1 / (1 + np.exp(-odds))

    def prefer(self, emotion: Emotion) -> Prefer:
        """Return what `recommend` would be told by a learner that knew all that the listener likes.

        Parameters
        ----------
        emotion
            Of the listener.
        """
        liking = self.liking[EMOTIONS.index(emotion)]

        def say(ids: NDArray[np.int64], _: Target) -> Floats:
            liked = liking[np.searchsorted(self.columns.id, ids)].astype(np.float64)
            return np.tanh(liked - np.median(liked))

        return say


def draw_listener(
    columns: TrackColumns, taste: TasteName, seed: int, *, strength: float = _STRENGTH
) -> SimulatedListener:
    """Make a listener up.

    Parameters
    ----------
    columns
        The library.
    taste
        What the listener cares for.
    seed
        Which of all such listeners.
    strength
        What one standard deviation of what it cares for takes off the log odds of a skip.
    """
    rng = np.random.default_rng([seed, TASTES.index(taste)])
    n = len(columns)
    wanted = ("artists", "tempo", "brightness", "popularity") if taste == "several" else (taste,)
    liking = np.zeros((len(EMOTIONS), n))
    for name in wanted:
        figure = _draw_figure(columns, name, rng)
        sign = rng.choice((-1.0, 1.0)) if name not in ("artists", "range") else 1.0
        own = sign + _OF_EMOTION * rng.standard_normal(len(EMOTIONS))
        liking += strength / np.sqrt(len(wanted)) * own[:, None] * figure
    liking += _UNKNOWABLE * rng.standard_normal(n)
    readiness = -0.4 + 0.4 * rng.standard_normal()
    return SimulatedListener(taste, columns, readiness, liking.astype(np.float32), seed)


def _draw_figure(columns: TrackColumns, name: TasteName, rng: np.random.Generator) -> Floats:
    """Return (n,) what a listener likes, mean 0 and standard deviation 1."""
    if name == "artists":
        names, own = np.unique(columns.artist, return_inverse=True)
        liked = rng.standard_normal(len(names))
        return np.where(columns.artist >= 0, liked[own], 0.0)
    if name == "none":
        return np.zeros(len(columns))
    with np.errstate(divide="ignore", invalid="ignore"):
        figure = {
            "tempo": np.log2(columns.tempo_bpm),
            "brightness": columns.valence,
            "popularity": columns.popularity,
            "range": columns.energy,
        }[name].astype(np.float64)
    figure = np.nan_to_num((figure - np.nanmean(figure)) / np.nanstd(figure))
    if name == "range":
        figure = np.exp(-2 * (figure - rng.standard_normal()) ** 2)
        figure = (figure - figure.mean()) / figure.std()
    return figure


@dataclass(slots=True)
class Sessions:
    """What happened in a listener's sessions; lists of one entry a session.

    Parameters
    ----------
    skipped
        Share of its tracks that were skipped.
    expected
        Mean of the probabilities of that.
    changed
        Share of its tracks that the static rule would not have played.
    n_outside, n_outside_static
        Tracks outside the mode's region, and how many the static rule would have played at that point.
    """

    skipped: list[float] = field(default_factory=list[float])
    expected: list[float] = field(default_factory=list[float])
    changed: list[float] = field(default_factory=list[float])
    n_outside: list[int] = field(default_factory=list[int])
    n_outside_static: list[int] = field(default_factory=list[int])


def simulate_sessions(
    listener: SimulatedListener,
    *,
    n_sessions: int = 30,
    telling: Telling = "truth",
    stop_after: int | None = None,
    exploration: float = EXPLORATION,
    all_known: bool = False,
) -> Sessions:
    """Let a listener listen.

    Parameters
    ----------
    listener
        Who.
    n_sessions
        How often, 10 tracks each. Emotion, cadence, mode and whatever chance decides are the same for the
        same listener, so that different rules compare.
    telling
        What feedback says. With ``nothing`` music is chosen by the static rule.
    stop_after
        After so many sessions there is no more feedback.
    exploration
        Of the learner.
    all_known
        Choose by what the listener really likes instead, which bounds what a learner could do.
    """
    columns = listener.columns
    learner = TasteLearner(columns, seed=listener.seed, exploration=exploration)
    found, recent = Sessions(), list[int]()
    for number in range(n_sessions):
        rng = np.random.default_rng([listener.seed, number])
        mood, emotion, mode = _draw_mood(rng)
        luck, reports = rng.random((2, N_TRACKS)), rng.random((3, N_TRACKS))
        seed = int(rng.integers(2**31))
        static = recommend(columns, mood, mode=mode, n=N_TRACKS, recent=recent, seed=seed)
        chosen = static
        if all_known or learner.n_events:
            prefer = (listener if all_known else learner).prefer(emotion)
            chosen = recommend(
                columns, mood, mode=mode, n=N_TRACKS, recent=recent, seed=seed, prefer=prefer
            )
        rows = _find_rows(columns, chosen)
        targets = [entry.target for entry in chosen.entries]
        chance = listener.compute_skip_probability(rows, emotion, targets)
        skipped = luck[0, : len(rows)] < chance
        found.skipped.append(float(skipped.mean()))
        found.expected.append(float(chance.mean()))
        found.changed.append(1 - len(np.intersect1d(rows, _find_rows(columns, static))) / len(rows))
        found.n_outside.append(_count_outside(columns, chosen))
        found.n_outside_static.append(_count_outside(columns, static))
        recent = (recent + columns.id[rows].tolist())[-_N_RECENT:]
        if all_known or telling == "nothing" or (stop_after is not None and number >= stop_after):
            continue
        if telling == "noise":
            skipped, chance = reports[0, : len(rows)] < 0.5, reports[1, : len(rows)]
        at = _START + timedelta(hours=12 * number)
        told = (
            _tell(columns, row, bool(skip), p, report, emotion, mode, mood.cadence_spm, at)
            for row, skip, p, report in zip(
                rows.tolist(), skipped, chance, reports[2], strict=False
            )
        )
        learner.update(told)
    return found


def _draw_mood(rng: np.random.Generator) -> tuple[Mood, Emotion, Mode]:
    certainty = 0.55 + 0.45 * rng.random()
    emotion = EMOTIONS[int(rng.integers(len(EMOTIONS)))]
    rest = (1 - certainty) / (len(EMOTIONS) - 1)
    probabilities = {name: certainty if name == emotion else rest for name in EMOTIONS}
    cadence = float(np.clip(rng.normal(110, 8), 85, 135))
    return Mood(probabilities, cadence), emotion, _MODES[int(rng.integers(len(_MODES)))]


def _find_rows(columns: TrackColumns, playlist: Playlist) -> NDArray[np.int64]:
    return np.searchsorted(columns.id, [entry.track_id for entry in playlist.entries])


def _count_outside(columns: TrackColumns, playlist: Playlist) -> int:
    n = 0
    for row, entry in zip(_find_rows(columns, playlist), playlist.entries, strict=True):
        one = slice(row, row + 1)
        values = (columns.valence[one], columns.arousal[one], columns.tempo_bpm[one])
        n += not entry.target.region.contains(*values)[0]
    return n


def _tell(
    columns: TrackColumns,
    row: int,
    skipped: bool,
    chance: float,
    report: float,
    emotion: Emotion,
    mode: Mode,
    cadence_spm: float | None,
    at: datetime,
) -> Feedback:
    """Return what is recorded: most skips come early; the less probable a skip, the more often a like."""
    length = float(columns.duration_s[row])
    position = report**2 * length if skipped and np.isfinite(length) else None
    kind = "skip" if skipped else "like" if report < 0.3 * (1 - chance) else "play"
    return Feedback(
        track_id=int(columns.id[row]),
        kind=kind,
        at=at,
        emotion=emotion,
        mode=mode,
        cadence_spm=cadence_spm,
        position_s=position,
    )
