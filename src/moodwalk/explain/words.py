"""What is unusual about a walk, in words and with the size of each effect."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.explain.measures import MEASURES, Measure, WalkMeasures, measure_walk
from moodwalk.explain.population import Population
from moodwalk.gait import Gait

__all__ = [
    "OWN_THRESHOLD",
    "THRESHOLD",
    "GaitWord",
    "choose_words",
    "compare_walks",
    "describe_walk",
    "join_words",
]

THRESHOLD = 1.0
"""Standard deviations from the mean of others; two walks in three lie nearer."""

OWN_THRESHOLD = 0.5
"""The same from the walker's own reference: oneself one resembles more than one does others."""

_TYPICAL = 0.5  # a medium effect, by which an emotion's mean must differ to be named
_SPREADS = 2.0


@dataclass(frozen=True, slots=True)
class GaitWord:
    """One measure of a walk beside its reference.

    Parameters
    ----------
    measure, unit
        Which, see `moodwalk.explain.measures.MEASURES`.
    value
        Of this walk.
    reference
        Mean of the reference.
    sd
        Standard deviation over neutral walks of the population, the yardstick of the effect.
    n
        Walks of the reference; 1 for a walk of the walker's own.
    effect
        (value - reference) / sd: how many standard deviations of neutral walks lie between.
    words
        Such as "arms swing 40 % less".
    typical_of
        Emotions whose walks, on average, differ from neutral ones in the same direction by half a
        standard deviation or more; most first.
    clear
        Whether the difference is larger than twice the spread from cycle to cycle, where that is known.
    """

    measure: str
    unit: str
    value: float
    reference: float
    sd: float
    n: int
    effect: float
    words: str
    typical_of: tuple[Emotion, ...]
    clear: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {**asdict(self), "typical_of": [str(emotion) for emotion in self.typical_of]}


def describe_walk(
    gait: Gait,
    reference: Population | Gait | None = None,
    *,
    population: Population | None = None,
    threshold: float | None = None,
) -> tuple[GaitWord, ...]:
    """Say what is unusual about a walk.

    Parameters
    ----------
    gait
        A walk of about a cycle or more.
    reference
        A population, whose neutral walks are the reference, or a neutral walk of the same person; by
        default the population that moodwalk ships.
    population
        Beside a walk of the person's own: whose standard deviations are the yardstick.
    threshold
        Least size of an effect, in standard deviations; by default 1, and 0.5 beside a walk of the
        person's own.

    Returns
    -------
    tuple of GaitWord
        Greatest effect first; empty where nothing is unusual or no step was seen.

    Raises
    ------
    QualityError
        If joints are missing in a walk.

    Notes
    -----
    Beside a population, measures that depend on where a source puts its joints are left out: they
    would tell which camera or suit was used. Beside a walk of the person's own they count, and a
    difference that is smaller than twice the spread from cycle to cycle, where that is known, does
    not. Words describe a walk; they are not the network's reasons and no diagnosis.
    """
    words = compare_walks(gait, reference, population=population)
    if threshold is None:
        threshold = OWN_THRESHOLD if isinstance(reference, Gait) else THRESHOLD
    return choose_words(words, threshold)


def choose_words(words: Sequence[GaitWord], threshold: float) -> tuple[GaitWord, ...]:
    """Return those of `compare_walks` that are said."""
    return tuple(word for word in words if word.clear and abs(word.effect) >= threshold)


def compare_walks(
    gait: Gait, reference: Population | Gait | None = None, *, population: Population | None = None
) -> tuple[GaitWord, ...]:
    """Return every measure that can be compared, as `describe_walk` does, without a threshold."""
    measured = measure_walk(gait)
    if isinstance(reference, Gait):
        return _compare_with_own(measured, measure_walk(reference), population or Population.load())
    population = reference or population or Population.load()
    words: list[GaitWord] = []
    for measure in MEASURES:
        summary = population.summaries[measure.name][Emotion.NEUTRAL]
        if measure.bound or measure.name not in measured.values or not summary.sd > 0:
            continue
        word = _compare(measure, measured.values[measure.name], summary.mean, summary.n, population)
        words.append(word)
    return _sort(words)


def join_words(words: Sequence[GaitWord], reference: str, most: int = 4) -> str:
    """Return the words as a sentence.

    Parameters
    ----------
    words
        Of `describe_walk`.
    reference
        What the walk was compared with, such as "119 neutral walks".
    most
        How many words are said; the others are counted.
    """
    if not words:
        return f"Nothing that moodwalk measures sets this walk clearly apart from {reference}."
    told = [word.words for word in words[:most]]
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    left = len(words) - len(told)
    rest = f" {left} smaller difference{'s' if left > 1 else ''} besides." if left else ""
    return f"{listed[0].upper()}{listed[1:]} than in {reference}.{rest}"


def _compare_with_own(
    measured: WalkMeasures, own: WalkMeasures, population: Population
) -> tuple[GaitWord, ...]:
    words: list[GaitWord] = []
    for measure in MEASURES:
        name = measure.name
        if name not in measured.values or name not in own.values:
            continue
        if not population.summaries[name][Emotion.NEUTRAL].sd > 0:
            continue
        value, usual = measured.values[name], own.values[name]
        spread = max(measured.spreads.get(name, 0.0), own.spreads.get(name, 0.0))
        clear = abs(value - usual) >= _SPREADS * spread
        words.append(replace(_compare(measure, value, usual, 1, population), clear=clear))
    return _sort(words)


def _compare(
    measure: Measure, value: float, usual: float, n: int, population: Population
) -> GaitWord:
    sd = population.summaries[measure.name][Emotion.NEUTRAL].sd
    effect = (value - usual) / sd
    return GaitWord(
        measure.name,
        measure.unit,
        value,
        usual,
        sd,
        n,
        effect,
        _say(measure, value, usual),
        _find_typical(measure, effect, population),
    )


def _say(measure: Measure, value: float, usual: float) -> str:
    direction = measure.more if value >= usual else measure.less
    by = abs(value - usual)
    if measure.change == "percent" and usual > 0:
        amount = f"{100 * by / usual:.0f} %"
    elif measure.unit == "deg":
        amount = f"{by:.0f}°"
    else:
        amount = f"{100 * by:.1f} % of height"
    return f"{measure.subject} {amount} {direction}"


def _find_typical(measure: Measure, effect: float, population: Population) -> tuple[Emotion, ...]:
    neutral = population.summaries[measure.name][Emotion.NEUTRAL]
    shifts = {
        emotion: (population.summaries[measure.name][emotion].mean - neutral.mean) / neutral.sd
        for emotion in EMOTIONS
        if emotion is not Emotion.NEUTRAL
    }
    same = [e for e, shift in shifts.items() if shift * effect > 0 and abs(shift) >= _TYPICAL]
    return tuple(sorted(same, key=lambda e: -abs(shifts[e])))


def _sort(words: list[GaitWord]) -> tuple[GaitWord, ...]:
    return tuple(sorted(words, key=lambda word: -abs(word.effect)))
