"""The judge: how near generated gaits come to real ones that no generator was trained on.

Every figure stands beside the same figure of real gaits. Where a figure compares two sets, the real one
compares training gaits with held-out gaits, as if the former had been generated: no generator can be
expected to come nearer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from moodwalk.emotion import EMOTIONS
from moodwalk.errors import ConfigError
from moodwalk.estimator import GaitEmotionClassifier
from moodwalk.evaluation import compute_proportion_interval, compute_subject_interval
from moodwalk.features import compute_affective_features
from moodwalk.gait import Gait, GaitSet
from moodwalk.generation.distributions import (
    compute_class_diversity,
    compute_frechet_distance,
    compute_memorisation,
    compute_overlap,
    resample_interval,
)
from moodwalk.generation.generator import GaitGenerator
from moodwalk.generation.quality import QUALITIES, compute_qualities
from moodwalk.predict import Predictor
from moodwalk.preprocess import standardise

__all__ = ["Aim", "Figure", "JudgeLine", "Judgement", "judge", "read_split", "split_by_card"]

FloatArray = NDArray[np.float64]
Aim = Literal["real", "low", "high"]

LEAST_GAITS, LEAST_SUBJECTS = 16, 4
"""Of held-out gaits and their walkers: of fewer, neighbours and resamples say nothing."""

LEARNER = "logistic-regression"
"""What is trained on synthetic gaits and tested on real ones, and the reverse."""

_N_RESAMPLES = 200

_LEAST = -9.0
"""Of any figure of a gait: the logarithm of the jerk of one that does not move is minus infinity."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % interval from resampling."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class JudgeLine:
    """One figure of real gaits and of every generator's.

    Parameters
    ----------
    name, unit, meaning
        What it is.
    aim
        Whether it should be like that of real gaits, low, or high.
    real
        Of real gaits.
    found
        Of every generator.
    distances
        For figures that every gait has, of which the line tells the median: how far their distribution
        is from that of the held-out gaits (Wasserstein-1). A generator that makes one and the same
        walk may well have the median of real ones.
    """

    name: str
    unit: str
    meaning: str
    aim: Aim
    real: Figure
    found: Mapping[str, Figure]
    distances: Mapping[str, float] | None = None

    def compute_gap(self, name: str) -> float:
        """Return how far a generator is from the aim; less is better."""
        if self.distances is not None:
            return self.distances[name]
        value = self.found[name].value
        if self.aim == "real":
            return abs(value - self.real.value)
        return value if self.aim == "low" else -value


@dataclass(frozen=True, eq=False, slots=True)
class Judgement:
    """What the judge says.

    Parameters
    ----------
    lines
        All figures.
    n_train, n_held_out, n_subjects
        Real gaits that generators were trained on; held-out gaits, and how many people walked them.
    n_generated
        Gaits of every generator, with the emotions of the training gaits.
    seed
        Of generators and resamples.
    classifier
        What gave the embedding, and whether it had seen the held-out gaits.
    points
        (n, d) affective features, standardised, of ``real`` (the held-out gaits) and of every
        generator, for pictures.
    gaits
        The same, as gaits.
    """

    lines: tuple[JudgeLine, ...]
    n_train: int
    n_held_out: int
    n_subjects: int
    n_generated: int
    seed: int
    classifier: str
    points: Mapping[str, FloatArray]
    gaits: Mapping[str, GaitSet]

    @property
    def names(self) -> list[str]:
        """The generators."""
        return list(self.lines[0].found)

    def count_better(self, name: str, other: str) -> int:
        """Return on how many lines one generator is nearer to the aim than another."""
        return sum(line.compute_gap(name) < line.compute_gap(other) for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but points and gaits as JSON can hold it."""

        def tell(figure: Figure) -> dict[str, Any]:
            ends = [end if np.isfinite(end) else None for end in (figure.low, figure.high)]
            return {"value": figure.value, "ci95": ends}

        return {
            "n_train": self.n_train,
            "n_held_out": self.n_held_out,
            "n_subjects": self.n_subjects,
            "n_generated": self.n_generated,
            "seed": self.seed,
            "classifier": self.classifier,
            "figures": [
                {
                    "name": line.name,
                    "unit": line.unit,
                    "meaning": line.meaning,
                    "aim": line.aim,
                    "real": tell(line.real),
                    "generated": {name: tell(found) for name, found in line.found.items()},
                    "distances": None if line.distances is None else dict(line.distances),
                }
                for line in self.lines
            ],
        }


def split_by_card(
    gaits: GaitSet, generators: Mapping[str, GaitGenerator]
) -> tuple[GaitSet, GaitSet]:
    """Return the gaits that generators were trained on, and those of the subjects held out.

    Parameters
    ----------
    gaits
        All real gaits.
    generators
        By name; those whose card names no subjects, such as published ones, follow the others.

    Raises
    ------
    ConfigError
        If no card says who was held out, two say different things, or nobody of them walks here.
    """
    splits = {
        name: parts
        for name, generator in generators.items()
        if (parts := read_split(generator.card)) is not None
    }
    if not splits:
        raise ConfigError(
            "no weights say which subjects were held out; expected those of one `moodwalk train`, "
            "whose --split leaves a test part, among the --weights."
        )
    (first, split), *others = splits.items()
    for name, other in others:
        if other["test"] != split["test"]:
            raise ConfigError(
                f"{first} and {name} hold out different subjects; expected the same --split and "
                f"--seed for both."
            )
    held_out = np.isin(gaits.subjects, sorted(split["test"]))
    if not held_out.any() or held_out.all():
        raise ConfigError(
            f"{int(held_out.sum())} of {len(gaits)} gaits are of subjects that {first} holds out; "
            f"expected some, not all. Is this the data that it was trained on?"
        )
    made = np.array([gait.synthetic for gait in gaits])
    return gaits[~held_out & ~made], gaits[held_out & ~made]


def read_split(card: Mapping[str, Any]) -> dict[str, set[str]] | None:
    """Return the subjects of every part of a split that a card names; None where it names none."""
    split = card.get("split")
    if not isinstance(split, Mapping):
        return None
    parts = cast("Mapping[str, object]", split)
    named = {name: parts.get(name, []) for name in ("train", "validation", "test")}
    if not all(isinstance(people, list) for people in named.values()) or not named["test"]:
        return None
    return {name: set(map(str, cast("list[object]", p))) for name, p in named.items()}


def _describe_classifier(predictor: Predictor, held_out: GaitSet) -> str:
    """Say which classifier it is, and whether it was trained on people who were held out."""
    split = read_split(predictor.checkpoint.card)
    if split is None:
        return f"{predictor.checkpoint.model}, which may have seen the held-out gaits"
    known = split["train"] | split["validation"]
    if met := known & set(held_out.subjects.tolist()):
        return f"{predictor.checkpoint.model}, which has seen {len(met)} of the held-out subjects"
    return f"{predictor.checkpoint.model}, which has not seen the held-out gaits"


def judge(
    generators: Mapping[str, GaitGenerator],
    training: GaitSet,
    held_out: GaitSet,
    *,
    predictor: Predictor | None = None,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> Judgement:
    """Compare generated gaits with held-out real ones.

    Every generator makes as many gaits as there are training gaits, of the same emotions; see
    `GaitGenerator.generate_like`.

    Parameters
    ----------
    generators
        By name.
    training, held_out
        Labelled real gaits that they were trained on, and of other subjects.
    predictor
        The classifier whose embedding and answers are used; by default the shipped weights, which
        know the held-out gaits. Train one on the same split for figures to be quoted.
    seed
        Of generated gaits and resamples.
    progress
        Called with the name of what is being judged.

    Raises
    ------
    ConfigError
        If there is nothing to compare.
    QualityError, LabelError
        If a gait cannot be measured.
    """
    if not generators:
        raise ConfigError("no generator to judge; expected one or more.")
    if len(held_out) < LEAST_GAITS or held_out.n_subjects < LEAST_SUBJECTS:
        raise ConfigError(
            f"{len(held_out)} held-out gaits of {held_out.n_subjects} subjects; expected at least "
            f"{LEAST_GAITS} of {LEAST_SUBJECTS}. Train with a larger test part in --split."
        )
    if set(held_out.subjects.tolist()) & set(training.subjects.tolist()):
        raise ConfigError("a subject is in training and held out; expected different people.")
    predictor = predictor or Predictor.load()
    sets = {name: g.generate_like(training, seed=seed) for name, g in generators.items()}
    bench = _Bench(training, held_out, predictor, seed)
    lines: list[JudgeLine] = []
    for title, measure in (
        ("movement", bench.measure_movement),
        ("affective features", bench.measure_affective),
        ("embedding", bench.measure_embedding),
        ("learners", bench.measure_learners),
    ):
        if progress is not None:
            progress(title)
        lines += measure(sets)
    return Judgement(
        tuple(lines),
        len(training),
        len(held_out),
        held_out.n_subjects,
        len(training),
        seed,
        _describe_classifier(predictor, held_out),
        {name: bench.describe(gaits) for name, gaits in {"real": held_out, **sets}.items()},
        {"real": held_out, **sets},
    )


class _Bench:
    """What all figures share: the real gaits, and the scale of the features."""

    def __init__(
        self, training: GaitSet, held_out: GaitSet, predictor: Predictor, seed: int
    ) -> None:
        self.training, self.held_out = training, held_out
        self.predictor, self.seed = predictor, seed
        table = _compute_table(training)
        self._centre, self._spread = table.mean(axis=0), table.std(axis=0)
        self._spread[self._spread == 0] = 1.0

    def describe(self, gaits: GaitSet) -> FloatArray:
        """Return affective features on the scale of the training gaits."""
        return (_compute_table(gaits) - self._centre) / self._spread

    def measure_movement(self, sets: Mapping[str, GaitSet]) -> list[JudgeLine]:
        tables = {name: _measure(gaits) for name, gaits in sets.items()}
        real = _measure(self.held_out)
        lines: list[JudgeLine] = []
        for column, (name, quality) in enumerate(QUALITIES.items()):
            figures = {key: self._find_median(table[:, column]) for key, table in tables.items()}
            lines.append(
                JudgeLine(
                    name.replace("_", " "),
                    quality.unit,
                    quality.meaning,
                    quality.aim,
                    self._find_median(real[:, column], self.held_out.subjects),
                    figures,
                    None
                    if quality.aim == "low"
                    else {
                        key: float(wasserstein_distance(real[:, column], table[:, column]))
                        for key, table in tables.items()
                    },
                )
            )
        return lines

    def measure_affective(self, sets: Mapping[str, GaitSet]) -> list[JudgeLine]:
        points = {name: self.describe(gaits) for name, gaits in sets.items()}
        train, held = self.describe(self.training), self.describe(self.held_out)
        lines = self._compare("affective features", train, held, points)
        lines += self._measure_diversity(points, sets, held)
        memory = {
            name: self._resample(
                compute_memorisation,
                found,
                held,
                train,
                groups=(None, self.held_out.subjects, self.training.subjects),
                low=0.0,
            )
            for name, found in points.items()
        }
        lines.append(
            JudgeLine(
                "memorisation", "ratio",
                "distance to the nearest training gait, over that of held-out gaits; below 1 the "
                "generator repeats what it saw, above 1 it strays",
                "real", Figure(1.0, 1.0, 1.0), memory,
            )
        )  # fmt: skip
        return lines

    def measure_embedding(self, sets: Mapping[str, GaitSet]) -> list[JudgeLine]:
        train, held = (self._embed(gaits) for gaits in (self.training, self.held_out))
        centre, spread = train.mean(axis=0), train.std(axis=0)
        spread[spread < 1e-9] = 1.0  # dead channels
        points = {name: (self._embed(g) - centre) / spread for name, g in sets.items()}
        return self._compare(
            "embedding", (train - centre) / spread, (held - centre) / spread, points
        )

    def measure_learners(self, sets: Mapping[str, GaitSet]) -> list[JudgeLine]:
        lines = [
            JudgeLine(
                "classifier agreement", "share",
                "how often the classifier reads the emotion asked for",
                "real",
                self._count(self._read(self.held_out), self.held_out.subjects),
                {name: self._count(self._read(gaits)) for name, gaits in sets.items()},
            )
        ]  # fmt: skip
        learner = self._learn(self.training)
        held_labels, people = self.held_out.labels, self.held_out.subjects
        lines.append(
            JudgeLine(
                "trained on synthetic, tested on real", "accuracy",
                f"{LEARNER} on affective features, taught by generated gaits, on held-out ones",
                "high",
                self._count(learner.predict(self.held_out) == held_labels, people),
                {
                    name: self._count(self._learn(gaits).predict(self.held_out) == held_labels, people)
                    for name, gaits in sets.items()
                },
            )
        )  # fmt: skip
        lines.append(
            JudgeLine(
                "trained on real, tested on synthetic", "accuracy",
                f"{LEARNER} taught by the training gaits, on generated ones",
                "real",
                self._count(learner.predict(self.held_out) == held_labels, people),
                {
                    name: self._count(learner.predict(gaits) == gaits.labels)
                    for name, gaits in sets.items()
                },
            )
        )  # fmt: skip
        return lines

    def _compare(
        self, space: str, train: FloatArray, held: FloatArray, points: Mapping[str, FloatArray]
    ) -> list[JudgeLine]:
        """Compare sets of points with the held-out ones; training gaits stand for real ones."""
        own, others = self.held_out.subjects, self.training.subjects

        def measure(compute: Callable[..., float], high: float = np.inf) -> tuple[Figure, Any]:
            ends = {"low": 0.0, "high": high}
            return self._resample(compute, held, train, groups=(own, others), **ends), {
                name: self._resample(compute, held, found, groups=(own, None), **ends)
                for name, found in points.items()
            }

        def distance(real: FloatArray, found: FloatArray) -> float:
            return compute_frechet_distance(real, found, shrink=True)

        lines = [
            JudgeLine(
                f"Fréchet distance, {space}", "squared deviations",
                "how far mean and covariance are from those of held-out gaits",
                "low", *measure(distance),
            )
        ]  # fmt: skip
        for name, aim, meaning in _OVERLAPS:

            def overlap(real: FloatArray, found: FloatArray, name: str = name) -> float:
                return float(getattr(compute_overlap(real, found), name))

            high = np.inf if name == "density" else 1.0
            lines.append(
                JudgeLine(f"{name}, {space}", "share", meaning, aim, *measure(overlap, high))
            )
        return lines

    def _measure_diversity(
        self, points: Mapping[str, FloatArray], sets: Mapping[str, GaitSet], held: FloatArray
    ) -> list[JudgeLine]:
        lines: list[JudgeLine] = []
        for emotion in EMOTIONS:
            mine = self.held_out.labels == emotion
            if mine.sum() < 4 or any((g.labels == emotion).sum() < 4 for g in sets.values()):
                continue

            def spread(found: FloatArray, name: str = str(emotion)) -> float:
                return compute_class_diversity(found, [name] * len(found))[name]

            lines.append(
                JudgeLine(
                    f"diversity, {emotion}", "deviations",
                    "mean distance of two gaits of this emotion, in affective features",
                    "real",
                    self._resample(
                        spread, held[mine], groups=[self.held_out.subjects[mine]], low=0.0
                    ),
                    {
                        name: self._resample(
                            spread, points[name][gaits.labels == emotion], groups=[None], low=0.0
                        )
                        for name, gaits in sets.items()
                    },
                )
            )  # fmt: skip
        return lines

    def _resample(
        self,
        compute: Callable[..., float],
        *arrays: FloatArray,
        groups: Sequence[NDArray[np.str_] | None],
        low: float = -np.inf,
        high: float = np.inf,
    ) -> Figure:
        """Return a figure of sets of points with its interval; groups say who walks."""
        ends = resample_interval(
            compute,
            *arrays,
            groups=groups,
            n_resamples=_N_RESAMPLES,
            seed=self.seed,
            limits=(low, high),
        )
        return Figure(compute(*arrays), *ends)

    def _find_median(self, values: FloatArray, people: NDArray[np.str_] | None = None) -> Figure:
        ends = resample_interval(
            lambda sample: float(np.median(sample)),
            values,
            groups=[people],
            n_resamples=_N_RESAMPLES,
            seed=self.seed,
            method="bootstrap",
        )
        return Figure(float(np.median(values)), *ends)

    def _count(self, right: NDArray[np.bool_], people: NDArray[np.str_] | None = None) -> Figure:
        n_right = int(right.sum())
        if people is None:
            return Figure(float(right.mean()), *compute_proportion_interval(n_right, len(right)))
        return Figure(float(right.mean()), *compute_subject_interval(right, people, seed=self.seed))

    def _read(self, gaits: GaitSet) -> NDArray[np.bool_]:
        answers = self.predictor.predict_many(gaits)
        return np.array([p.emotion == g.label for p, g in zip(answers, gaits, strict=True)])

    def _embed(self, gaits: GaitSet) -> FloatArray:
        checkpoint = self.predictor.checkpoint
        positions, _ = checkpoint.encoder.encode(gaits)
        with torch.no_grad():
            pieces = [
                checkpoint.network.embed(torch.from_numpy(positions[i : i + 32]))
                for i in range(0, len(positions), 32)
            ]
        return torch.cat(pieces).double().numpy()

    def _learn(self, gaits: GaitSet) -> GaitEmotionClassifier:
        return GaitEmotionClassifier(LEARNER, seed=self.seed).fit(gaits)


_OVERLAPS: tuple[tuple[str, Aim, str], ...] = (
    ("precision", "high", "share of generated gaits within reach of a held-out one: plausible"),
    ("recall", "high", "share of held-out gaits within reach of a generated one: varied"),
    ("density", "real", "how many held-out gaits reach a generated one, over 5"),
    ("coverage", "high", "share of held-out gaits that reach a generated one"),
)


def _measure(gaits: GaitSet) -> FloatArray:
    return np.maximum(compute_qualities(gaits), _LEAST)


def _compute_table(gaits: Sequence[Gait]) -> FloatArray:
    return compute_affective_features([standardise(gait) for gait in gaits])
