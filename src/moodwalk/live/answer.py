"""What a live reading says at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from moodwalk.emotion import Emotion
from moodwalk.intake.quality import Quality

__all__ = ["STATES", "LiveAnswer", "LiveState"]

LiveState = Literal["nobody", "gathering", "not walking", "unclear", "walking"]

STATES: tuple[LiveState, ...] = get_args(LiveState)
"""``nobody`` is there; ``gathering``: somebody is, not yet seen whole for long enough; ``not walking``: they
do something else; ``unclear``: the answer is withheld; ``walking``: there is an answer."""


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What a live reading says at one moment.

    Parameters
    ----------
    time_s
        When, on the clock of whoever sends the bodies.
    state
        One of `STATES`.
    reason
        Why there is no emotion; empty where there is one.
    emotion
        The perceived emotion; None unless somebody walks and the answer is not withheld. It holds until another
        leads clearly (`LiveOptions.margin`, `LiveOptions.hold_s`), so it need not be the most probable one.
    probabilities
        Of every emotion, smoothed over time; they sum to 1. Empty where nothing was read. Given also
        where the answer is withheld.
    confidence
        The smoothed probability of the emotion that has the name, or would have it were the answer not withheld;
        None where nothing was read.
    valence, arousal
        Means over the probabilities, as of a `moodwalk.predict.Prediction`; None where nothing was read.
    cadence_spm
        Steps per minute in the latest window; None where unknown.
    quality
        What kind of motion the latest window shows; None where that was not looked at.
    novelty
        Of the latest window, as of a `moodwalk.predict.Prediction`; None where unknown.
    n_frames, fps
        Of the latest window, at even intervals; 0 and None where none was made.
    person
        The number of whoever is read, from 1; None where nobody is. Another number is somebody else, or somebody
        who was away for longer.
    n_people
        How many are in the picture.
    delay_s
        The mean age of what the probabilities rest on, the time of computing not counted; None without any.
    """

    time_s: float
    state: LiveState
    reason: str = ""
    emotion: Emotion | None = None
    probabilities: Mapping[Emotion, float] = field(default_factory=dict[Emotion, float])
    confidence: float | None = None
    valence: float | None = None
    arousal: float | None = None
    cadence_spm: float | None = None
    quality: Quality | None = None
    novelty: float | None = None
    n_frames: int = 0
    fps: float | None = None
    person: int | None = None
    n_people: int = 0
    delay_s: float | None = None

    @property
    def abstained(self) -> bool:
        """Whether somebody is read, but the answer is withheld."""
        return self.state == "unclear"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; what `moodwalk predict --json` has too has its name."""
        return {
            "time_s": round(self.time_s, 3),
            "state": self.state,
            "emotion": None if self.emotion is None else str(self.emotion),
            "probabilities": {str(name): value for name, value in self.probabilities.items()},
            "confidence": self.confidence,
            "abstained": self.abstained,
            "reason": self.reason,
            "valence": self.valence,
            "arousal": self.arousal,
            "cadence_spm": self.cadence_spm,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "novelty": self.novelty,
            "quality": None if self.quality is None else self.quality.to_dict(),
            "person": self.person,
            "n_people": self.n_people,
            "delay_s": self.delay_s,
        }
