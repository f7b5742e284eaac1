"""Ways through valence and arousal, and the order of tracks along them.

Four modes: stay, or move in steps to brighter, calmer or livelier music.

Each way begins where the listener is and moves on in even steps: the iso principle of music therapy
[1]_ [2]_. After a film that made them sad, listeners who heard sad music before happy music felt better
than those in any other order, though not every difference was significant [3]_. The tempo stays with the
steps: music of one tempo can still quicken or slow a walk by its character [4]_.

References
----------
.. [1] Altshuler (1948), A psychiatrist's experience with music as a therapeutic agent, in Schullian and
   Schoen (eds.), Music and Medicine, 266-281.
.. [2] Heiderscheit and Madson (2015), Use of the iso principle as a central method in mood management,
   Music Therapy Perspectives 33(1), 45-52, doi:10.1093/mtp/miu042.
.. [3] Starcke, Mayr and von Georgi (2021), Emotion modulation through music after sadness induction: the
   iso principle in a controlled experimental study, International Journal of Environmental Research and
   Public Health 18(23):12486, doi:10.3390/ijerph182312486.
.. [4] Leman, Moelants, Varewyck, Styns, van Noorden and Martens (2013), Activating and relaxing music
   entrains the speed of beat synchronized walking, PLoS ONE 8(7):e67932,
   doi:10.1371/journal.pone.0067932.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import AFFECT, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.target import Mood, Target
from moodwalk.music.track import TrackColumns

__all__ = [
    "JUMP_WEIGHT",
    "MAX_STEPS",
    "MODES",
    "SAME_ARTIST",
    "Mode",
    "compute_jump",
    "find_goal",
    "have_same_artist",
    "parse_mode",
    "plan",
    "smooth_path",
]

Mode = Literal["match", "lift", "calm", "energise"]

MODES: tuple[Mode, ...] = ("match", "lift", "calm", "energise")

MAX_STEPS = 12
"""A longer playlist plays several tracks at each step."""

JUMP_WEIGHT = 0.3
"""What the largest jump between neighbours costs, beside a fit of 0 to 1."""

SAME_ARTIST = 24.0
"""What it costs that a track follows one of the same artist."""

_CALM = (0.3, -0.5)
_LIVELY = (0.5, 0.7)

_WINDOW = 24
_MOST_MOVES = 100


def parse_mode(name: str) -> Mode:
    """Return the mode of that name.

    Raises
    ------
    ConfigError
        If there is no such mode.
    """
    for mode in MODES:
        if mode == str(name).strip().lower():
            return mode
    raise ConfigError(f"the mode is {name!r}; expected one of {', '.join(MODES)}.")


def find_goal(valence: float, arousal: float, mode: Mode) -> tuple[float, float]:
    """Return the valence and arousal that a mode leads to.

    Parameters
    ----------
    valence, arousal
        Where it begins.
    mode
        ``match`` stays. ``lift`` goes to where happiness lies, ``calm`` to pleasant and quiet music
        (0.3, -0.5), ``energise`` to pleasant and lively music (0.5, 0.7); none of them leads back where
        the beginning lies beyond.
    """
    if mode == "lift":
        happy = AFFECT[Emotion.HAPPY]
        return max(valence, happy[0]), max(arousal, happy[1])
    if mode == "calm":
        return _CALM[0], min(arousal, _CALM[1])
    if mode == "energise":
        return max(valence, _LIVELY[0]), max(arousal, _LIVELY[1])
    return valence, arousal


def plan(mood: Mood, mode: Mode, n: int) -> list[Target]:
    """Plan what is asked of each place in a playlist.

    Parameters
    ----------
    mood
        Where the listener is.
    mode
        Which way to go. Without a mood there is no way to go: every target asks for the cadence alone.
    n
        Tracks, at least 1.

    Returns
    -------
    list of Target
        n targets; the first asks for music where the listener is, the last for where the mode leads.
    """
    valence, arousal = mood.valence, mood.arousal
    if valence is None or arousal is None:
        return [Target(None, None, mood.cadence_spm)] * n
    goal = find_goal(valence, arousal, mode)
    return [
        Target(
            valence + share * (goal[0] - valence),
            arousal + share * (goal[1] - arousal),
            mood.cadence_spm,
        )
        for share in _spread(n)
    ]


def _spread(n: int) -> Sequence[float]:
    """Return n shares of a way from 0 to 1, at most `MAX_STEPS` of them different."""
    n_steps = min(n, MAX_STEPS)
    if n_steps == 1:
        return [0.0] * n
    return [(i * n_steps // n) / (n_steps - 1) for i in range(n)]


def compute_jump(
    columns: TrackColumns, here: NDArray[np.int64], there: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Compute how far it is from track to track.

    Parameters
    ----------
    columns
        The library.
    here, there
        Rows of it, of shapes that broadcast.

    Returns
    -------
    ndarray
        0 to 1: half for tempo, all of which is had at half an octave, and half for energy, at 0.4. Where
        energy is unknown, arousal says it; what is not known at all counts as half as far as can be.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        octaves = np.abs(np.log2(columns.tempo_bpm[here] / columns.tempo_bpm[there]))
    energy = np.abs(_find_energy(columns, here) - _find_energy(columns, there))
    tempo_jump = np.nan_to_num(np.minimum(octaves / np.float32(0.5), 1), nan=0.5)
    energy_jump = np.nan_to_num(np.minimum(energy / np.float32(0.4), 1), nan=0.5)
    return (tempo_jump + energy_jump) * np.float32(0.5)


def have_same_artist(
    columns: TrackColumns, here: NDArray[np.int64], there: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Say where two tracks are of one known artist; as `compute_jump`."""
    artists = columns.artist[here]
    return (artists == columns.artist[there]) & (artists >= 0)


def smooth_path(
    columns: TrackColumns, rows: NDArray[np.int64], fits: NDArray[np.floating[Any]]
) -> NDArray[np.int64]:
    """Exchange, move and turn round tracks as long as that makes the path better.

    Parameters
    ----------
    columns
        The library.
    rows
        (n,) tracks, as they were picked.
    fits
        (n, n): in row i how well each track fits place i.

    Returns
    -------
    ndarray
        (n,) their order: the sum of fits, less the jumps between neighbours and what it costs that an
        artist follows on itself, is no lower than before. Long paths are smoothed in windows that overlap.
    """
    n = len(rows)
    order = np.arange(n)
    for start in range(0, n, _WINDOW // 2):
        stop = min(start + _WINDOW, n)
        moves = _list_moves(stop - start)
        around = slice(max(start - 1, 0), stop + 1)
        cost = _compute_costs(columns, rows[order[around]])
        # Numbers of the tracks in the window, in terms of `cost`; its neighbours stay where they are.
        lead = start - around.start
        window = np.arange(stop - start) + lead
        base = fits[start:stop][:, order[around]]
        for _ in range(_MOST_MOVES):
            tried = window[moves]
            value = base[np.arange(len(window)), tried].sum(axis=1, dtype=np.float64)
            value -= cost[tried[:, :-1], tried[:, 1:]].sum(axis=1)
            if lead:
                value -= cost[0, tried[:, 0]]
            if stop < n:
                value -= cost[tried[:, -1], -1]
            best = int(value.argmax())
            if value[best] <= value[0] + 1e-6:
                break
            window = tried[best]
        order[start:stop] = order[around][window]
        if stop == n:
            break
    return order


def _compute_costs(columns: TrackColumns, rows: NDArray[np.int64]) -> NDArray[np.floating[Any]]:
    """Return (k, k): what it costs that the second track follows the first."""
    here, there = rows[:, None], rows[None, :]
    jumps = JUMP_WEIGHT * compute_jump(columns, here, there).astype(np.float64)
    return jumps + SAME_ARTIST * have_same_artist(columns, here, there)


@lru_cache(maxsize=_WINDOW)
def _list_moves(n: int) -> NDArray[np.int64]:
    """Return (m, n) orders: as it is, then every two exchanged, every one moved, every stretch turned."""
    still = list(range(n))
    orders = {tuple(still): None}
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            moved = still[:i] + still[i + 1 :]
            moved.insert(j, i)
            orders[tuple(moved)] = None
            if i < j:
                exchanged = still.copy()
                exchanged[i], exchanged[j] = j, i
                orders[tuple(exchanged)] = None
                orders[(*still[:i], *still[i : j + 1][::-1], *still[j + 1 :])] = None
    return np.array(list(orders))


def _find_energy(columns: TrackColumns, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    energy = columns.energy[rows]
    return np.where(np.isnan(energy), (columns.arousal[rows] + 1) / 2, energy)
