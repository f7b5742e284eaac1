"""Many walks in another mood."""

from collections.abc import Sequence

from moodwalk.emotion import Emotion
from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.generation.generator import GaitGenerator
from moodwalk.predict import Predictor

__all__ = ["restyle_walks"]


def restyle_walks(
    generator: GaitGenerator, walks: Sequence[Gait], emotion: Emotion, *, strength: float
) -> tuple[list[tuple[Gait, Gait]], list[str]]:
    """Give walks another emotion; what the walks of nobody's label look like, the shipped weights say.

    Parameters
    ----------
    generator
        What restyles.
    walks
        With labels or without.
    emotion, strength
        See `GaitGenerator.restyle`.

    Returns
    -------
    pairs
        Every walk that can be encoded, and the same walk restyled.
    problems
        One line for every walk that cannot.

    Raises
    ------
    QualityError
        If no walk can be encoded.
    ConfigError, LabelError
        As `GaitGenerator.restyle`.
    """
    predictor = Predictor.load() if any(walk.label is None for walk in walks) else None
    pairs: list[tuple[Gait, Gait]] = []
    problems: list[str] = []
    for walk in walks:
        try:
            before = None
            if walk.label is None and predictor is not None:
                before = predictor.predict(walk).probabilities
            pairs.append((walk, generator.restyle(walk, emotion, strength=strength, before=before)))
        except QualityError as error:
            problems.append(str(error))
    if not pairs:
        raise QualityError(
            problems[0]
            if len(problems) == 1
            else f"none of {len(walks)} walks can be encoded: {problems[0]}"
        )
    return pairs, problems
