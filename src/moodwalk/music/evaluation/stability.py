"""Whether the first half of a piece is estimated as its second half is: how steady estimates from audio are.

Music changes, so halves that differ are not all error; but what halves do not agree on cannot be known
better of the whole.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.engine.local import LocalEngine
from moodwalk.engine.task import Outcome
from moodwalk.errors import ConfigError, MediaError
from moodwalk.music.audio.analysis import (
    LEAST_CONFIDENCE,
    SoundMeasures,
    check_can_measure,
    compute_measures,
    estimate_from,
)
from moodwalk.music.audio.reading import read_sound
from moodwalk.music.evaluation.report import (
    N_RESAMPLES,
    Interval,
    ReportTable,
    compute_interval,
)

__all__ = ["SAME_TEMPO", "SHORTEST_S", "StabilityReport", "Steadiness", "measure_stability"]

SHORTEST_S = 40.0
"""Of shorter pieces, halves say too little."""

SAME_TEMPO = 0.04
"""Two tempos count as the same within this share."""

_MEASURES = {
    "loudness": "dB",
    "onsets": "/s",
    "brightness": "Hz",
    "major less minor": "",
    "valence": "",
    "arousal": "",
    "energy": "",
}

_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How a measure of first halves goes with that of second halves.

    Parameters
    ----------
    n
        Pieces of which both are known.
    correlation
        Pearson's; None for fewer than 3 pieces, or where one side is constant.
    difference
        Median of how far halves are apart.
    unit
        Of the difference.
    """

    n: int
    correlation: Interval
    difference: float | None
    unit: str


@dataclass(frozen=True, slots=True)
class StabilityReport:
    """What `measure_stability` found.

    Parameters
    ----------
    n_files, n_compared, n_short, n_failed
        Files, those compared, those shorter than 40 s or silent in a half, and those that cannot be read.
    measures
        Of each measure, how steady it is.
    tempo_percent, tempo_octave_percent
        Share of the compared whose halves have the same tempo within 4 %; the same, half or double.
    n_sure, tempo_sure_percent
        Pieces both of whose halves are sure enough of their tempo for a library to keep it, and the share
        of those with the same, half or double.
    mode_percent
        Share of the compared with the same mode.
    """

    n_files: int
    n_compared: int
    n_short: int
    n_failed: int
    measures: dict[str, Steadiness]
    tempo_percent: Interval
    tempo_octave_percent: Interval
    n_sure: int
    tempo_sure_percent: Interval
    mode_percent: Interval

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return asdict(self)

    def to_table(self) -> ReportTable:
        """Return the report as a table of text."""
        rows = [
            (name, str(one.n), str(one.correlation), _say(one.difference, one.unit))
            for name, one in self.measures.items()
        ]
        return ReportTable(
            "Steadiness: first half of a piece against its second",
            ("measure", "pieces", "correlation", "median difference"),
            rows,
            f"{self.n_compared} of {self.n_files} scanned files ({self.n_short} too short or silent, "
            f"{self.n_failed} cannot be read). Same tempo within {SAME_TEMPO:.0%}, % of pieces: "
            f"{self.tempo_percent}; with half and double {self.tempo_octave_percent}, and of the "
            f"{self.n_sure} whose tempo is sure in both halves {self.tempo_sure_percent}. Same mode: "
            f"{self.mode_percent}.",
        )


class _Halves(NamedTuple):
    """Measures of both halves of a piece."""

    first: SoundMeasures
    second: SoundMeasures


def measure_stability(
    paths: Sequence[Path],
    *,
    seed: int = 0,
    jobs: int = 1,
    on_file: Callable[[int], None] | None = None,
) -> StabilityReport:
    """Compare the halves of audio files.

    Parameters
    ----------
    paths
        The files; what cannot be read is counted.
    seed
        Of the intervals: 95 %, from resampled pieces.
    jobs
        Worker processes.
    on_file
        Called after each file with how many are done.

    Raises
    ------
    ConfigError
        If there is no file, or what reading audio needs is not installed.
    """
    if not paths:
        raise ConfigError("there is no audio file to compare the halves of; expected at least one.")
    check_can_measure()
    outcomes = dict[int, Outcome]()
    engine = LocalEngine(min(jobs, len(paths)))
    with closing(engine.run(_measure_halves, None, [str(path) for path in paths])) as ended:
        for outcome in ended:
            if outcome.error is not None and not isinstance(outcome.error, MediaError):
                raise outcome.error
            outcomes[outcome.number] = outcome
            if on_file is not None:
                on_file(len(outcomes))
    read = [outcomes[i].result for i in range(len(paths)) if outcomes[i].error is None]
    halves = [pair for pair in read if pair is not None]
    return _summarise(halves, len(paths), len(paths) - len(read), seed)


def _measure_halves(_: None, path: str) -> _Halves | None:
    """Measure both halves, in a worker process; None where the piece is too short, or silent in one."""
    first = read_sound(Path(path), end=0.5)
    if (first.duration_s or 0.0) < SHORTEST_S:
        return None
    second = read_sound(Path(path), start=0.5)
    halves = _Halves(compute_measures(first.windows), compute_measures(second.windows))
    return None if any(half.loudness_db is None for half in halves) else halves


def _summarise(
    halves: Sequence[_Halves], n_files: int, n_failed: int, seed: int
) -> StabilityReport:
    n = len(halves)
    draws = np.random.default_rng(seed).integers(max(n, 1), size=(N_RESAMPLES, n))
    values = np.array([[_read_measures(half) for half in pair] for pair in halves], np.float64)
    values = values.reshape(n, 2, len(_MEASURES))
    tempos = np.array([[half.tempo_bpm for half in pair] for pair in halves], np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide(*tempos.reshape(n, 2).T)
    off = np.abs(ratios[:, None] / np.array([1.0, 0.5, 2.0]) - 1)
    octave = np.where(off.min(axis=1) <= SAME_TEMPO, 100.0, 0.0)  # 0 also where unknown
    sure = np.array(
        [min(pair.first.tempo_confidence, pair.second.tempo_confidence) for pair in halves]
    )
    sure = sure >= LEAST_CONFIDENCE
    same_mode = np.array([100.0 * (pair.first.mode == pair.second.mode) for pair in halves])
    return StabilityReport(
        n_files=n_files,
        n_compared=n,
        n_short=n_files - n_failed - n,
        n_failed=n_failed,
        measures={
            name: _compare(values[:, :, i], unit, draws)
            for i, (name, unit) in enumerate(_MEASURES.items())
        },
        tempo_percent=compute_interval(np.where(off[:, 0] <= SAME_TEMPO, 100.0, 0.0), draws),
        tempo_octave_percent=compute_interval(octave, draws),
        n_sure=int(sure.sum()),
        tempo_sure_percent=compute_interval(np.where(sure, octave, np.nan), draws),
        mode_percent=compute_interval(same_mode, draws),
    )


def _read_measures(half: SoundMeasures) -> tuple[float | None, ...]:
    """Return the figures of `_MEASURES`."""
    strength = half.mode_strength
    majorness = None if strength is None else strength if half.mode == "major" else -strength
    estimate = estimate_from(half)
    mood = (estimate.valence, estimate.arousal, estimate.energy) if estimate else (None,) * 3
    return half.loudness_db, half.onset_rate_hz, half.brightness_hz, majorness, *mood


def _compare(values: NDArray[np.float64], unit: str, draws: NDArray[np.int64]) -> Steadiness:
    """Compare (n, 2) figures of first and second halves."""
    known = np.isfinite(values.sum(axis=1))
    n = int(known.sum())
    apart = np.abs(np.diff(values[known], axis=1))
    difference = float(np.median(apart)) if n else None
    if n < _FEWEST or np.any(np.ptp(values[known], axis=0) == 0):
        return Steadiness(n, Interval(None, None, None), difference, unit)
    drawn = np.array([_correlate(values[row][known[row]]) for row in draws])
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    correlation = Interval(_correlate(values[known]), float(low), float(high))
    return Steadiness(n, correlation, difference, unit)


def _correlate(pairs: NDArray[np.float64]) -> float:
    centred = pairs - pairs.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0)).prod()
    return float(centred.prod(axis=1).sum() / size) if size > 0 else math.nan


def _say(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}".strip()
