"""What walks of each emotion measure, and how they go on average: the reference for words."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import CheckpointError, QualityError
from moodwalk.explain.measures import MEASURES, measure_walk
from moodwalk.gait import Gait, GaitSet
from moodwalk.harmonics import N_WAVES, fit_cycle
from moodwalk.io.atomic import write_whole_text
from moodwalk.preprocess import FPS, standardise
from moodwalk.skeleton import BONES

__all__ = ["POPULATION_FORMAT", "SHIPPED_POPULATION", "Population", "Summary", "write_population"]

POPULATION_FORMAT = "moodwalk-population-1"
SHIPPED_POPULATION = "gait-words.json"

_LEAST_WALKS = 5


@dataclass(frozen=True, slots=True)
class Summary:
    """A measure over the walks of one emotion.

    Parameters
    ----------
    n
        Walks.
    mean, sd
        Mean and standard deviation (n - 1) over walks.
    """

    n: int
    mean: float
    sd: float


@dataclass(frozen=True, eq=False, slots=True)
class Population:
    """Walks of each emotion, summed up.

    Parameters
    ----------
    summaries
        By measure, then by emotion.
    waves
        (17, 15, 3) a mean gait cycle for each emotion, see `moodwalk.harmonics.GaitCycle`.
    n_walks, n_walkers
        Of each emotion.
    card
        What else should be known: data, protocol, limits.
    """

    summaries: Mapping[str, Mapping[Emotion, Summary]]
    waves: Mapping[Emotion, NDArray[np.float64]]
    n_walks: Mapping[Emotion, int]
    n_walkers: Mapping[Emotion, int]
    card: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(cls, gaits: Sequence[Gait], card: Mapping[str, Any] | None = None) -> Self:
        """Sum up labelled walks.

        Parameters
        ----------
        gaits
            Labelled walks with all their joints. Those that show no cadence count nowhere.
        card
            What the result should say of itself.

        Raises
        ------
        LabelError
            If a walk has no label.
        QualityError
            If joints are missing, or fewer than five walks of an emotion can be measured.
        """
        walks = GaitSet(gaits)
        labels = walks.labels
        summaries: dict[str, dict[Emotion, Summary]] = {m.name: {} for m in MEASURES}
        waves: dict[Emotion, NDArray[np.float64]] = {}
        n_walks: dict[Emotion, int] = {}
        n_walkers: dict[Emotion, int] = {}
        for emotion in EMOTIONS:
            some = walks[labels == str(emotion)]
            measured = [(gait, measure_walk(gait).values) for gait in some]
            kept = GaitSet(gait for gait, values in measured if values)
            if len(kept) < _LEAST_WALKS:
                raise QualityError(
                    f"{len(kept)} walks labelled {emotion} can be measured; expected at least "
                    f"{_LEAST_WALKS} of every emotion. Add labelled walks of a cycle or more."
                )
            for measure in MEASURES:
                known = [values[measure.name] for _, values in measured if measure.name in values]
                sd = float(np.std(known, ddof=1))
                summaries[measure.name][emotion] = Summary(len(known), float(np.mean(known)), sd)
            waves[emotion] = np.mean(_fit_waves(kept), axis=0)
            n_walks[emotion], n_walkers[emotion] = len(kept), kept.n_subjects
        return cls(summaries, waves, n_walks, n_walkers, dict(card or {}))

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """Read what `write_population` wrote; None for what moodwalk ships.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or something else.
        """
        if path is None:
            return cast("Self", _load_shipped())
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:120]
            raise CheckpointError(
                f"{path} cannot be read as a population of walks ({reason}); expected JSON of "
                f"moodwalk.explain.write_population."
            ) from None
        return cls.from_dict(data)

    @property
    def average(self) -> NDArray[np.float64]:
        """(17, 15, 3) the cycle that is as near to every emotion as to every other."""
        return np.mean(list(self.waves.values()), axis=0)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "format": POPULATION_FORMAT,
            "card": dict(self.card),
            "emotions": {
                str(e): {"walks": self.n_walks[e], "walkers": self.n_walkers[e]} for e in EMOTIONS
            },
            "measures": {
                measure.name: {
                    "unit": measure.unit,
                    "description": measure.description,
                    **{
                        str(e): {"n": s.n, "mean": round(s.mean, 6), "sd": round(s.sd, 6)}
                        for e, s in self.summaries[measure.name].items()
                    },
                }
                for measure in MEASURES
            },
            "cycles": {str(e): np.round(w, 4).tolist() for e, w in self.waves.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_dict` returned.

        Raises
        ------
        CheckpointError
            If something is missing or of another kind.
        """
        try:
            if data["format"] != POPULATION_FORMAT:
                raise CheckpointError(
                    f"format is {data['format']!r}; expected {POPULATION_FORMAT!r}."
                )
            summaries = {
                measure.name: {
                    e: _read_summary(data["measures"][measure.name][str(e)]) for e in EMOTIONS
                }
                for measure in MEASURES
            }
            waves = {e: np.array(data["cycles"][str(e)], dtype=np.float64) for e in EMOTIONS}
            shape = (N_WAVES, len(BONES), 3)
            if any(w.shape != shape or not np.isfinite(w).all() for w in waves.values()):
                raise CheckpointError(f"a cycle is no finite array of shape {shape}.")
            counts = {e: data["emotions"][str(e)] for e in EMOTIONS}
            n_walks = {e: int(counts[e]["walks"]) for e in EMOTIONS}
            n_walkers = {e: int(counts[e]["walkers"]) for e in EMOTIONS}
            card = dict(data["card"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the population of walks is damaged ({error}).") from None
        return cls(summaries, waves, n_walks, n_walkers, card)


def write_population(
    path: str | Path, gaits: Sequence[Gait], card: Mapping[str, Any] | None = None
) -> Population:
    """Sum up labelled walks and write the result as JSON, whole or not at all.

    Parameters
    ----------
    path
        The file.
    gaits, card
        See `Population.fit`.

    Raises
    ------
    DataFormatError
        If the file cannot be written there.
    LabelError, QualityError
        As `Population.fit` says.
    """
    population = Population.fit(gaits, card)
    text = json.dumps(population.to_dict(), separators=(",", ":"))
    write_whole_text(path, text.replace('},"', '},\n"') + "\n")
    return population


@cache
def _load_shipped() -> Population:
    return Population.load(Path(str(files("moodwalk") / "weights" / SHIPPED_POPULATION)))


def _fit_waves(gaits: GaitSet) -> list[NDArray[np.float64]]:
    waves: list[NDArray[np.float64]] = []
    for gait in gaits:
        with suppress(QualityError):  # steps that come too unevenly to be one cycle
            waves.append(fit_cycle(standardise(gait, FPS)).waves)
    if not waves:
        raise QualityError("no walk repeats a cycle; expected walks of a cycle or more.")
    return waves


def _read_summary(data: Mapping[str, Any]) -> Summary:
    n, mean, sd = int(data["n"]), float(data["mean"]), float(data["sd"])
    if n < 2 or not (np.isfinite(mean) and np.isfinite(sd) and sd >= 0):
        raise CheckpointError(f"n {n}, mean {mean}, SD {sd} is no summary of walks.")
    return Summary(n, mean, sd)
