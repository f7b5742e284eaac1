"""The four perceived emotions, and the orders in which data files number them."""

from collections.abc import Sequence
from enum import StrEnum
from types import MappingProxyType

from moodwalk.errors import LabelError

__all__ = [
    "AFFECT",
    "EMOTIONS",
    "LABEL_ORDERS",
    "Emotion",
    "LabelOrder",
    "parse_emotion",
    "parse_label_order",
]


class Emotion(StrEnum):
    """An emotion that observers perceive in a gait.

    A member equals its name in lower case, so labels travel through NumPy and scikit-learn as
    plain strings: ``Emotion.HAPPY == "happy"``.
    """

    HAPPY = "happy"
    ANGRY = "angry"
    SAD = "sad"
    NEUTRAL = "neutral"


EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)

AFFECT: MappingProxyType[Emotion, tuple[float, float]] = MappingProxyType(
    {
        Emotion.HAPPY: (0.81, 0.51),
        Emotion.ANGRY: (-0.51, 0.59),
        Emotion.SAD: (-0.63, -0.27),
        Emotion.NEUTRAL: (0.0, 0.0),
    }
)
"""(valence, arousal) of each emotion, -1 to 1.

Mean ratings of the words by Russell and Mehrabian (1977), Evidence for a three-factor theory of emotions,
Journal of Research in Personality 11, 273-294, doi:10.1016/0092-6566(77)90037-X. Neutral is the origin.
"""

LabelOrder = tuple[Emotion, Emotion, Emotion, Emotion]
"""The emotion that each integer code 0, 1, 2, 3 of a label file stands for."""

LABEL_ORDERS: MappingProxyType[str, LabelOrder] = MappingProxyType(
    {
        # labels.h5: from acted emotion and kinematics (`moodwalk data audit` shows the evidence),
        # and the order of the authors' later rater-agreement script.
        "emotion-gait": (Emotion.HAPPY, Emotion.ANGRY, Emotion.SAD, Emotion.NEUTRAL),
        # labels_ELMD.h5: the order that the authors' later work reads; not verified.
        "elmd": (Emotion.HAPPY, Emotion.SAD, Emotion.ANGRY, Emotion.NEUTRAL),
        # What STEP's published code shows for every file: wrong for labels.h5.
        "published": (Emotion.ANGRY, Emotion.NEUTRAL, Emotion.HAPPY, Emotion.SAD),
    }
)


def parse_emotion(name: str) -> Emotion:
    """Return the emotion of that name.

    Parameters
    ----------
    name
        ``happy``, ``angry``, ``sad`` or ``neutral``, in any case.

    Raises
    ------
    LabelError
        If there is no such emotion.
    """
    try:
        return Emotion(str(name).strip().lower())
    except ValueError:
        known = ", ".join(EMOTIONS)
        raise LabelError(
            f"{name!r} is no emotion that moodwalk knows; expected one of {known}."
        ) from None


def parse_label_order(order: str | Sequence[str]) -> LabelOrder:
    """Return a label order from its name or from the four emotions that the codes 0 to 3 stand for.

    Parameters
    ----------
    order
        A key of `LABEL_ORDERS`, or four emotions, as a sequence or separated by commas:
        ``"happy,angry,sad,neutral"``.

    Raises
    ------
    LabelError
        If the four emotions are not each named once.
    """
    if isinstance(order, str) and order in LABEL_ORDERS:
        return LABEL_ORDERS[order]
    names = order.split(",") if isinstance(order, str) else list(order)
    emotions = [parse_emotion(name) for name in names]
    if sorted(emotions) != sorted(EMOTIONS):
        raise LabelError(
            f"A label order names each of the four emotions once, or is one of "
            f"{', '.join(LABEL_ORDERS)}; found {','.join(names)!r}. "
            f"Write, for codes 0 to 3: happy,angry,sad,neutral."
        )
    zero, one, two, three = emotions
    return zero, one, two, three
