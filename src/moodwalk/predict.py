"""From weights and a walk to an emotion with its probability, or a reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.features import find_foot_strikes
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.models.checkpoint import Checkpoint, read_checkpoint
from moodwalk.preprocess import centre, resample
from moodwalk.skeleton import Joint
from moodwalk.training import compute_logits

__all__ = ["SHIPPED_WEIGHTS", "Prediction", "Predictor", "Window", "compute_cadence"]

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
        parts = [self._cut(gait) for gait in gaits]
        pieces = [piece for part in parts for piece in part]
        if not pieces:
            return []
        logits = compute_logits(self.checkpoint.network, self.checkpoint.encoder, pieces)
        probabilities = softmax(logits.astype(np.float64) / self.checkpoint.temperature, axis=1)
        ends = np.cumsum([len(part) for part in parts])
        each = np.split(probabilities, ends[:-1])
        return [
            self._conclude(gait, part, rows)
            for gait, part, rows in zip(gaits, parts, each, strict=True)
        ]

    def _cut(self, gait: Gait) -> list[Gait]:
        """Return the walk, at the network's frame rate, in windows of its input's length."""
        where = f"gait '{gait.name}'" if gait.name else "gait"
        if gait.n_missing:
            raise QualityError(
                f"{where}: {gait.n_missing} of {gait.positions.shape[0] * gait.positions.shape[1]} joint "
                f"positions are missing (NaN); expected none. Fill the gaps or cut these frames."
            )
        gait = resample(gait, self.checkpoint.encoder.fps)
        length = self.checkpoint.encoder.n_frames
        if len(gait) <= length:
            return [gait]
        last = len(gait) - length
        starts = np.unique([*range(0, last, max(MIN_FRAMES, length // 2)), last])
        return [gait.with_positions(gait.positions[start : start + length]) for start in starts]

    def _conclude(
        self, gait: Gait, pieces: list[Gait], rows: NDArray[np.float64]
    ) -> Prediction:
        mean = rows.mean(axis=0)
        classes = self.checkpoint.classes
        emotion = classes[int(mean.argmax())]
        confidence = float(mean.max())
        abstained = confidence < self.min_confidence
        reason = ""
        if abstained:
            reason = (
                f"{emotion} is the most probable with {confidence:.0%}, "
                f"below the {self.min_confidence:.0%} asked for"
            )
        return Prediction(
            emotion,
            self._by_emotion(mean),
            abstained,
            reason,
            compute_cadence(gait),
            len(gait),
            gait.fps,
            tuple(self._make_window(i, gait, pieces, row) for i, row in enumerate(rows)),
        )

    def _make_window(
        self, i: int, gait: Gait, pieces: list[Gait], row: NDArray[np.float64]
    ) -> Window:
        fps, length = self.checkpoint.encoder.fps, len(pieces[i])
        n_frames = round((len(gait) - 1) * fps / gait.fps) + 1
        start = min(i * max(MIN_FRAMES, length // 2), max(0, n_frames - length))
        return Window(start / fps, (start + length) / fps, self._by_emotion(row))

    def _by_emotion(self, row: NDArray[np.float64]) -> dict[Emotion, float]:
        known = dict(zip(self.checkpoint.classes, row.tolist(), strict=True))
        return {emotion: known[emotion] for emotion in EMOTIONS if emotion in known}


def compute_cadence(gait: Gait) -> float | None:
    """Compute the step rate from the strikes of both feet.

    Parameters
    ----------
    gait
        A walk; at least one foot must come down twice.

    Returns
    -------
    float or None
        Steps per minute: two steps for the mean time between strikes of the same foot. None where
        no foot comes down twice, as in most walks of one cycle.

    Notes
    -----
    A strike is a local minimum of the foot's height above the root, as in the published stride
    features; noise on the heights adds minima and so raises the figure.
    """
    heights = centre(gait.positions)[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT], 1]
    gaps = np.concatenate([np.diff(find_foot_strikes(height)) for height in heights.T])
    return float(120 * gait.fps / gaps.mean()) if len(gaps) else None


def _name(probabilities: dict[Emotion, float]) -> dict[str, float]:
    return {str(emotion): value for emotion, value in probabilities.items()}
