"""The whole explanation of one walk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from moodwalk.emotion import Emotion
from moodwalk.explain.attribution import N_STEPS, Attribution, attribute
from moodwalk.explain.population import Population
from moodwalk.explain.words import (
    OWN_THRESHOLD,
    THRESHOLD,
    GaitWord,
    choose_words,
    compare_walks,
    join_words,
)
from moodwalk.gait import Gait
from moodwalk.predict import Prediction, Predictor

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """Why a walk is read as it is, and what it is like.

    Parameters
    ----------
    gait
        The walk.
    prediction
        The answer.
    attribution
        What joints and moments contribute to one emotion.
    measures
        Everything that can be compared with the reference, greatest effect first.
    words
        Those of `measures` that are unusual enough to be said.
    threshold
        From which effect on.
    reference
        What the walk was compared with in words, such as "119 neutral walks".
    population
        The yardstick, and the reference unless the walker's own walk is.
    baseline
        The walker's own reference walk, if there is one.
    """

    gait: Gait
    prediction: Prediction
    attribution: Attribution
    measures: tuple[GaitWord, ...]
    words: tuple[GaitWord, ...]
    threshold: float
    reference: str
    population: Population
    baseline: Gait | None = None

    @property
    def sentence(self) -> str:
        """The words as one sentence."""
        if not self.measures:
            return (
                "No steps were found in this walk (too short, or the feet do not pass each other), so it "
                "cannot be compared with others."
            )
        return join_words(self.words, self.reference)

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        known = self.attribution.to_dict()
        return {
            "name": self.gait.name,
            **self.prediction.to_dict(),
            "explained": known,
            "joints": known["joints"],
            "moments": known["moments"],
            "sentence": self.sentence,
            "compared_with": self.reference,
            "threshold": self.threshold,
            "words": [word.to_dict() for word in self.words],
            "measures": [word.to_dict() for word in self.measures],
        }


def explain(
    predictor: Predictor,
    gait: Gait,
    *,
    emotion: Emotion | str | None = None,
    baseline: Gait | None = None,
    population: Population | None = None,
    n_steps: int = N_STEPS,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Explanation:
    """Explain the answer to one walk.

    Parameters
    ----------
    predictor
        Weights.
    gait
        A walk of at most half a minute, with all its joints.
    emotion
        Whose contributions to show; by default the most probable one's.
    baseline
        A neutral walk of the same person, to compare with instead of the population.
    population
        By default the one that moodwalk ships.
    n_steps
        See `attribute`.
    force
        Explain also what shows no walk, see `moodwalk.predict.Predictor.predict_many`.
    progress
        Called after every window with how many are done, and of how many.

    Raises
    ------
    ConfigError
        If captum is not installed, or the network does not know the emotion.
    QualityError
        If a walk is too long, has missing joints, or is no walk.
    """
    known = population or Population.load()
    prediction = predictor.predict(gait, force=force)
    attribution = attribute(
        predictor,
        gait,
        prediction.emotion if emotion is None else emotion,
        baseline=known if baseline is None else baseline,
        n_steps=n_steps,
        progress=progress,
    )
    measures = compare_walks(gait, known if baseline is None else baseline, population=known)
    threshold = THRESHOLD if baseline is None else OWN_THRESHOLD
    n_neutral = known.n_walks[Emotion.NEUTRAL]
    reference = (
        f"{n_neutral} neutral walks" if baseline is None else "the walker's own reference walk"
    )
    return Explanation(
        gait,
        prediction,
        attribution,
        measures,
        choose_words(measures, threshold),
        threshold,
        reference,
        known,
        baseline,
    )
