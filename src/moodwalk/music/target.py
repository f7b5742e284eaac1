"""From an emotion and a cadence to what music is asked for: a point, and the region around it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import AFFECT, EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.music.beat import TOLERANCE, keeps_step
from moodwalk.music.track import TrackColumns

__all__ = ["RADIUS", "Grid", "Mood", "Region", "Ring", "Target"]

RADIUS = 0.35
"""How far from a target music may lie in valence and arousal and still fit it.

So the music of a clear happy, angry or sad walk keeps the sign of the walk's valence.
"""


_CELLS = 32

Ring = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Runs of cells of a `Grid`: where they begin, and where they end."""


@dataclass(frozen=True, slots=True)
class Mood:
    """What music is chosen for.

    Parameters
    ----------
    probabilities
        Of the emotions; those not named have none. None where nothing is known of the mood, as when an
        answer was withheld: then there is no mood target at all, and music is chosen by cadence.
    cadence_spm
        Steps per minute; None where unknown.
    reason
        Why something is not known, or what else should be said.

    Raises
    ------
    ConfigError
        If the probabilities do not sum to 1, or the cadence is not positive.
    """

    probabilities: Mapping[Emotion, float] | None
    cadence_spm: float | None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.cadence_spm is not None and not 0 < self.cadence_spm < math.inf:
            raise ConfigError(
                f"the cadence is {self.cadence_spm}; expected steps per minute above 0, or None."
            )
        if self.probabilities is None:
            return
        unknown = [name for name in self.probabilities if name not in EMOTIONS]
        values = list(self.probabilities.values())
        if unknown or not all(0 <= p <= 1.001 for p in values) or abs(sum(values) - 1) > 0.01:
            said = ", ".join(f"{name} {p:.3g}" for name, p in self.probabilities.items())
            raise ConfigError(
                f"the probabilities of a mood are {said or 'empty'}; expected some of "
                f"{', '.join(EMOTIONS)}, each 0 to 1, that sum to 1. Use None where nothing is known."
            )

    @classmethod
    def from_emotion(cls, emotion: Emotion, cadence_spm: float | None = None) -> "Mood":
        """Return the mood of an emotion that is certain.

        Parameters
        ----------
        emotion
            Which.
        cadence_spm
            Steps per minute; None where unknown.
        """
        return cls({emotion: 1.0}, cadence_spm)

    @property
    def emotion(self) -> Emotion | None:
        """The most probable emotion, the first of `EMOTIONS` where several are; None without a mood."""
        known = self.probabilities
        return None if known is None else max(EMOTIONS, key=lambda name: known.get(name, 0.0))

    @property
    def valence(self) -> float | None:
        """Mean over the probabilities of the emotions' valence, -1 to 1; None without a mood.

        The mean lies between the emotions that are possible, and neutral is the origin: so doubt draws
        it to the middle.
        """
        return self._mean(0)

    @property
    def arousal(self) -> float | None:
        """As `valence`, of the emotions' arousal."""
        return self._mean(1)

    def _mean(self, axis: int) -> float | None:
        if self.probabilities is None:
            return None
        total = math.fsum(self.probabilities.values())
        return math.fsum(p * AFFECT[name][axis] for name, p in self.probabilities.items()) / total


@dataclass(frozen=True, slots=True)
class Region:
    """Where music must lie to fit a target; a learner may reorder what is inside, and no more.

    Parameters
    ----------
    valence, arousal
        The middle; None where any mood will do.
    radius
        Largest distance from it.
    cadence_spm
        Steps per minute; None where any tempo will do.
    tolerance
        Largest difference of the tempo from 1x, 2x or 0.5x of it, as a share.
    """

    valence: float | None
    arousal: float | None
    radius: float
    cadence_spm: float | None
    tolerance: float

    def contains(
        self,
        valence: NDArray[np.floating[Any]],
        arousal: NDArray[np.floating[Any]],
        tempo_bpm: NDArray[np.floating[Any]],
    ) -> NDArray[np.bool_]:
        """Say which tracks lie inside; one of which something needed is unknown (NaN) does not.

        Parameters
        ----------
        valence, arousal, tempo_bpm
            (n,) of the tracks.
        """
        inside = np.ones(len(valence), bool)
        if self.valence is not None and self.arousal is not None:
            inside &= np.hypot(valence - self.valence, arousal - self.arousal) <= self.radius
        if self.cadence_spm is not None:
            tempo = np.asarray(tempo_bpm, np.float32)
            inside &= keeps_step(tempo, self.cadence_spm, self.tolerance)
        return inside


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of one place in a playlist.

    Parameters
    ----------
    valence, arousal
        -1 to 1; both None where any mood will do.
    cadence_spm
        Steps per minute; None where any tempo will do.
    """

    valence: float | None
    arousal: float | None
    cadence_spm: float | None

    @property
    def region(self) -> Region:
        """Where music fits this target."""
        return Region(self.valence, self.arousal, RADIUS, self.cadence_spm, TOLERANCE)


class Grid:
    """A library sorted into cells of valence and arousal, tracks that keep the step apart from others.

    It takes one pass over the library; after that the tracks near a target are found without looking at
    all others.

    Parameters
    ----------
    columns
        The library.
    cadence_spm
        Steps per minute; None where every tempo will do.
    by_mood
        Whether mood matters; else all tracks lie in one cell.
    """

    def __init__(self, columns: TrackColumns, cadence_spm: float | None, *, by_mood: bool) -> None:
        self._in_step = (
            np.ones(len(columns), bool)
            if cadence_spm is None
            else keeps_step(columns.tempo_bpm, cadence_spm)
        )
        self._cells = _find_cells(columns) if by_mood else np.zeros(len(columns), np.uint16)
        self._sorted: dict[bool, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def find_rings(self, target: Target) -> list[Ring]:
        """List the cells around a target: within its radius, within twice that, all others.

        Parameters
        ----------
        target
            A target without a mood has one ring, which is everything.
        """
        if target.valence is None or target.arousal is None:
            return [(np.array([0]), np.array([_CELLS**2 + 1]))]
        rings: list[Ring] = []
        seen = np.zeros(_CELLS**2 + 1, bool)
        for radius in (RADIUS, 2 * RADIUS, math.inf):
            fresh = np.full_like(seen, radius == math.inf)
            square = fresh[:-1].reshape(_CELLS, _CELLS)
            if radius < math.inf:
                low, high = (_find_cell(target.valence + r) for r in (-radius, radius))
                left, right = (_find_cell(target.arousal + r) for r in (-radius, radius))
                square[low : high + 1, left : right + 1] = True
            fresh &= ~seen
            seen |= fresh
            edges = np.flatnonzero(np.diff(fresh, prepend=False, append=False))
            rings.append((edges[::2], edges[1::2]))
        return rings

    def list_tracks(self, ring: Ring, *, in_step: bool) -> NDArray[np.int64]:
        """List the rows of the tracks in some cells.

        Parameters
        ----------
        ring
            As `find_rings` gives it.
        in_step
            Those whose tempo keeps the step, or the others.
        """
        if in_step not in self._sorted:
            rows = np.flatnonzero(self._in_step if in_step else ~self._in_step)
            cells = self._cells[rows]
            order = np.argsort(cells, kind="stable")
            starts = np.searchsorted(cells[order], np.arange(_CELLS**2 + 2))
            self._sorted[in_step] = rows[order], starts
        rows, starts = self._sorted[in_step]
        runs = [rows[starts[a] : starts[b]] for a, b in zip(*ring, strict=True)]
        return np.concatenate(runs) if runs else rows[:0]


def _find_cell(value: float) -> int:
    return min(max(int((value + 1) * _CELLS / 2), 0), _CELLS - 1)


def _find_cells(columns: TrackColumns) -> NDArray[np.uint16]:
    """Return the number of each track's cell, by valence and then by arousal; the last is for the unknown."""
    cells = np.zeros(len(columns), np.uint16)
    with np.errstate(invalid="ignore"):  # NaN becomes some cell here and the last one below
        for values in (columns.valence, columns.arousal):
            scaled = values * np.float32(_CELLS / 2)
            scaled += np.float32(_CELLS / 2)
            np.clip(scaled, 0, _CELLS - 1, out=scaled)
            cells *= _CELLS
            cells += scaled.astype(np.uint16)
    cells[np.isnan(columns.valence) | np.isnan(columns.arousal)] = _CELLS**2
    return cells
