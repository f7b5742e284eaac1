"""The published habits whose worth the laboratory measures, one at a time or together."""

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ALL_HABITS", "HABITS", "Habit"]


@dataclass(frozen=True, slots=True)
class Habit:
    """One way in which published figures are better than new walkers would give.

    Parameters
    ----------
    title
        A few words for tables and figures.
    explanation
        One sentence in plain words.
    """

    title: str
    explanation: str


HABITS: MappingProxyType[str, Habit] = MappingProxyType(
    {
        "best-test-epoch": Habit(
            "best test epoch",
            "The epoch is chosen by its accuracy on the test gaits.",
        ),
        "random-split": Habit(
            "random split",
            "Gaits of one walker are in both training and test.",
        ),
        "dropped-batch": Habit(
            "dropped last batch",
            "The test gaits are shuffled, and the last batch of fewer than 8 is left out.",
        ),
        "normalised-over-all": Habit(
            "normalisation over all data",
            "The range of the affective features is taken over all gaits, those of the test included.",
        ),
        "synthetic-in-test": Habit(
            "synthetic gaits in the test",
            "Generated gaits are split like real ones, so that some are tested.",
        ),
    }
)
"""Every habit by the name that an experiment file takes."""

ALL_HABITS = ("best-test-epoch", "random-split", "dropped-batch", "normalised-over-all")
"""What the published code does on real gaits."""
