"""From weights and a walk to an emotion with its probability, or a reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from moodwalk.cycles import compute_cadence
from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import Gait
from moodwalk.models.checkpoint import Checkpoint, read_checkpoint
from moodwalk.preprocess import resample
from moodwalk.skeleton import N_JOINTS
from moodwalk.training import compute_logits

__all__ = ["SHIPPED_WEIGHTS", "Prediction", "Predictor", "Window"]

SHIPPED_WEIGHTS = "step-emotion-gait.safetensors"


@dataclass(frozen=True, slots=True)
class Window:
    """What a part of a walk looks like.

    Parameters
    ----------
    start_s, end_s
        The part, in seconds from the first frame.
    probabilities
        Of every emotion.
    """

    start_s: float
    end_s: float
    probabilities: dict[Emotion, float]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The perceived emotion of a walk.

    Parameters
    ----------
    emotion
        The most probable emotion, also where the answer is withheld.
    probabilities
        Of every emotion that the network knows, calibrated where its weights were; they sum to 1.
    abstained
        Whether the answer is withheld, because no emotion is probable enough.
    reason
        Why it is withheld; empty where it is not.
    cadence_spm
        Steps per minute, or None where the walk is too short to tell.
    n_frames, fps
        Of the walk as given.
    windows
        The parts that were averaged; one for a walk no longer than the network's input.
    """

    emotion: Emotion
    probabilities: dict[Emotion, float]
    abstained: bool
    reason: str
    cadence_spm: float | None
    n_frames: int
    fps: float
    windows: tuple[Window, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "emotion": str(self.emotion),
            "probabilities": _name(self.probabilities),
            "abstained": self.abstained,
            "reason": self.reason,
            "cadence_spm": self.cadence_spm,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "windows": [
                {"start_s": w.start_s, "end_s": w.end_s, "probabilities": _name(w.probabilities)}
                for w in self.windows
            ],
        }


class Predictor:
    """Read the perceived emotion of walks with trained weights.

    Parameters
    ----------
    checkpoint
        Weights and all that belongs to them.
    min_confidence
        Withhold the answer where no emotion reaches this probability; 0 never does.

    Raises
    ------
    ConfigError
        If `min_confidence` is no probability.
    """

    def __init__(self, checkpoint: Checkpoint, *, min_confidence: float = 0.0) -> None:
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"min_confidence is {min_confidence}; expected 0 to 1.")
        self.checkpoint = checkpoint
        self.min_confidence = min_confidence

    @classmethod
    def load(cls, path: str | Path | None = None, *, min_confidence: float = 0.0) -> Self:
        """Load weights.

        Parameters
        ----------
        path
            A file that `GaitEmotionClassifier.save` or ``moodwalk import-checkpoint`` wrote; None
            for the weights that moodwalk ships.
        min_confidence
            As for the class.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or something else.
        """
        if path is None:
            path = Path(str(files("moodwalk") / "weights" / SHIPPED_WEIGHTS))
        return cls(read_checkpoint(path), min_confidence=min_confidence)

    def predict(self, gait: Gait) -> Prediction:
        """Read one walk; see `predict_many`."""
        return self.predict_many([gait])[0]

    def predict_many(self, gaits: Sequence[Gait]) -> list[Prediction]:
        """Read many walks; none influences another.

        Parameters
        ----------
        gaits
            Walks of any frame rate. One longer than the network's input is cut into windows that
            overlap by half, whose probabilities are averaged.

        Returns
        -------
        list of Prediction
            One for each, in order.

        Raises
        ------
        QualityError
            If joints are missing, or a walk is too short at the network's frame rate.
        """
        walks = [self._check(gait) for gait in gaits]
        starts = [self._find_windows(len(walk)) for walk in walks]
        length = self.checkpoint.encoder.n_frames
        pieces = [
            walk.with_positions(walk.positions[start : start + length])
            for walk, begin in zip(walks, starts, strict=True)
            for start in begin
        ]
        if not pieces:
            return []
        with np.errstate(over="ignore", invalid="ignore"):  # told of below, by the walk's name
            logits = compute_logits(self.checkpoint.network, self.checkpoint.encoder, pieces)
        probabilities = softmax(logits.astype(np.float64) / self.checkpoint.temperature, axis=1)
        ends = np.cumsum([len(begin) for begin in starts])
        if not np.isfinite(probabilities).all():
            piece = int((~np.isfinite(probabilities).all(axis=1)).argmax())
            walk = walks[int(np.searchsorted(ends, piece, side="right"))]
            raise QualityError(
                f"gait {walk.name!r}: its positions give no finite features; expected a walk. "
                f"Do joints coincide, or are lengths out of range?"
            )
        each = np.split(probabilities, ends[:-1])
        return [
            self._conclude(gait, walk, begin, rows)
            for gait, walk, begin, rows in zip(gaits, walks, starts, each, strict=True)
        ]

    def _check(self, gait: Gait) -> Gait:
        """Return the walk at the network's frame rate."""
        if gait.n_missing:
            where = f"gait {gait.name!r}" if gait.name else "gait"
            raise QualityError(
                f"{where}: {gait.n_missing} of {len(gait) * N_JOINTS} joint positions are missing (NaN); "
                f"expected none. Fill the gaps or cut these frames."
            )
        return resample(gait, self.checkpoint.encoder.fps)

    def _find_windows(self, n_frames: int) -> list[int]:
        """Return the first frames of windows that overlap by half and cover the walk."""
        length = self.checkpoint.encoder.n_frames
        last = max(0, n_frames - length)
        return [*range(0, last, max(1, length // 2)), last]

    def _conclude(
        self, gait: Gait, walk: Gait, starts: list[int], rows: NDArray[np.float64]
    ) -> Prediction:
        mean = rows.mean(axis=0)
        emotion = self.checkpoint.classes[int(mean.argmax())]
        confidence = float(mean.max())
        abstained = confidence < self.min_confidence
        reason = ""
        if abstained:
            reason = (
                f"{emotion} is the most probable with {confidence:.0%}, "
                f"below the {self.min_confidence:.0%} asked for"
            )
        ends = [min(start + self.checkpoint.encoder.n_frames, len(walk)) for start in starts]
        windows = tuple(
            Window(start / walk.fps, end / walk.fps, self._by_emotion(row))
            for start, end, row in zip(starts, ends, rows, strict=True)
        )
        return Prediction(
            emotion,
            self._by_emotion(mean),
            abstained,
            reason,
            compute_cadence(gait),
            len(gait),
            gait.fps,
            windows,
        )

    def _by_emotion(self, row: NDArray[np.float64]) -> dict[Emotion, float]:
        known = dict(zip(self.checkpoint.classes, row.tolist(), strict=True))
        return {emotion: known[emotion] for emotion in EMOTIONS if emotion in known}


def _name(probabilities: dict[Emotion, float]) -> dict[str, float]:
    return {str(emotion): value for emotion, value in probabilities.items()}
