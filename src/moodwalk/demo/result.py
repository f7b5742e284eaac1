"""What the demonstration found."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from moodwalk.audit import Audit
from moodwalk.emotion import EMOTIONS
from moodwalk.evaluation import Evaluation, compute_proportion_interval
from moodwalk.features import FEATURES
from moodwalk.gait import GaitSet
from moodwalk.music.choose import Choice
from moodwalk.predict import Prediction
from moodwalk.walker import SIMULATED_WALKS

__all__ = ["DEMO_COMMAND", "DemoModel", "DemoResult", "Difference"]

DEMO_COMMAND = "moodwalk demo"
"""Stands in the document that the demonstration leaves, and marks its folder as its own."""


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model, tested on walkers that it was not trained on.

    Parameters
    ----------
    title, description
        For readers: its name, and what it is.
    options
        What ``moodwalk evaluate`` must be told to repeat its figures.
    evaluation
        The figures.
    """

    title: str
    description: str
    options: str
    evaluation: Evaluation

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether each walk was named as labelled."""
        predicted = self.evaluation.probabilities.argmax(axis=1)
        return np.array(self.evaluation.classes)[predicted] == self.evaluation.labels

    @property
    def n_right(self) -> int:
        """How many walks were named as labelled."""
        return int(self.right.sum())


class Difference(NamedTuple):
    """Two models on the same walks: how many only one of them named right, and exact McNemar p."""

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, eq=False, slots=True)
class DemoResult:
    """What the demonstration found, all of it on simulated walks.

    Parameters
    ----------
    out
        The folder, as it was given.
    gaits
        n simulated walks, as they were read back from the file that holds them.
    shown
        Which of them the page shows: one walker in every emotion, in the order of `EMOTIONS`.
    features
        (n, 29) affective features.
    audit, audit_published
        What the labels' audit says of the order in use, and of the published one.
    models
        The classic learner and the network, tested on the same folds.
    predictions
        (n) what the weights make of every walk. They have seen none of them.
    listener
        For which walk music was chosen.
    music
        What was chosen, from simulated tracks.
    weights
        Where the weights come from.
    seed
        Of everything random.
    seconds
        Wall time until the page.
    """

    out: str
    gaits: GaitSet
    shown: tuple[int, ...]
    features: NDArray[np.float64] = field(repr=False)
    audit: Audit = field(repr=False)
    audit_published: Audit = field(repr=False)
    models: tuple[DemoModel, DemoModel]
    predictions: tuple[Prediction, ...] = field(repr=False)
    listener: int
    music: Choice = field(repr=False)
    weights: str
    seed: int
    seconds: float

    @property
    def majority(self) -> float:
        """The accuracy of always naming the most frequent emotion."""
        return max(self.gaits.label_counts.values()) / len(self.gaits)

    @property
    def n_named(self) -> int:
        """How many walks the weights name as they were simulated."""
        pairs = zip(self.gaits, self.predictions, strict=True)
        return sum(gait.label == prediction.emotion for gait, prediction in pairs)

    def compare(self) -> Difference:
        """Compare both models walk by walk."""
        first, second = (model.right for model in self.models)
        only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
        n = only_first + only_second
        p_value = float(binomtest(only_first, n).pvalue) if n else 1.0
        return Difference(only_first, only_second, p_value)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        n = len(self.gaits)
        return {
            "command": DEMO_COMMAND,
            "data": SIMULATED_WALKS,
            "seed": self.seed,
            "n_gaits": n,
            "n_subjects": self.gaits.n_subjects,
            "labels": {str(name): count for name, count in self.gaits.label_counts.items()},
            "audit": self.audit.to_dict(),
            "audit_told_published_order": self.audit_published.to_dict(),
            "feature_means": {
                str(emotion): dict(zip(_FEATURE_NAMES, row.tolist(), strict=True))
                for emotion in EMOTIONS
                if len(row := self.features[self.gaits.labels == emotion].mean(axis=0))
            },
            "majority": self.majority,
            "evaluations": [
                {
                    "title": model.title,
                    "repeat_with": f"moodwalk evaluate --data {self.out} {model.options}",
                    **model.evaluation.to_dict(),
                }
                for model in self.models
            ],
            "difference": self.compare()._asdict(),
            "prediction": {
                "weights": self.weights,
                "n_named_as_simulated": self.n_named,
                "accuracy": self.n_named / n,
                "accuracy_ci95": list(compute_proportion_interval(self.n_named, n)),
                "shown": [
                    {
                        "name": self.gaits[i].name,
                        "label": str(self.gaits[i].label),
                        **self.predictions[i].to_dict(),
                    }
                    for i in self.shown
                ],
            },
            "music": {"for": self.gaits[self.listener].name, **self.music.to_dict()},
            "seconds": self.seconds,
        }


_FEATURE_NAMES = [feature.name for feature in FEATURES]
