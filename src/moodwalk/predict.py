"""From weights and a walk to an emotion with its probability, or a reason why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.cycles import compute_cadence
from moodwalk.emotion import AFFECT, EMOTIONS, Emotion
from moodwalk.errors import ConfigError, QualityError
from moodwalk.features import FEATURES
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.intake.quality import Quality, assess_walk, check_walk
from moodwalk.models.checkpoint import Checkpoint, read_checkpoint
from moodwalk.preprocess import resample
from moodwalk.recording import Reading
from moodwalk.scaling import compute_novelty
from moodwalk.skeleton import N_JOINTS
from moodwalk.strides import find_cycles

__all__ = ["SHIPPED_WEIGHTS", "Prediction", "Predictor", "Window", "check_quality"]

SHIPPED_WEIGHTS = "step-body-emotion-gait.safetensors"

N_NAMED = 3
"""Features that a reason names at most."""

MOST_CYCLES = 3
"""Of a window: a gait cycle says most of what there is, and the emotion may change over many."""


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
        Whether the answer is withheld: because no emotion is probable enough, because the walk is unlike
        those that the weights learned from, or because it is not clear that it is a walk.
    reason
        Why it is withheld; empty where it is not.
    valence, arousal
        Means over the probabilities of what the emotions' names stand for (`moodwalk.emotion.AFFECT`),
        -1 to 1: so doubt draws them to the middle.
    cadence_spm
        Steps per minute, or None where the walk is too short to tell.
    n_frames, fps
        Of the walk as given.
    windows
        The parts that were averaged; one for a walk no longer than the network's input.
    quality
        What kind of motion it is, and its gait parameters.
    reading
        How it was made from a recording; None where it needed no making.
    novelty
        How far its affective features lie outside the range of the training gaits, see
        `moodwalk.scaling.compute_novelty`; mean over windows. None for networks without such features.
    """

    emotion: Emotion
    probabilities: dict[Emotion, float]
    abstained: bool
    reason: str
    valence: float
    arousal: float
    cadence_spm: float | None
    n_frames: int
    fps: float
    windows: tuple[Window, ...] = field(default=())
    quality: Quality | None = None
    reading: Reading | None = None
    novelty: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "emotion": str(self.emotion),
            "probabilities": _name(self.probabilities),
            "abstained": self.abstained,
            "reason": self.reason,
            "valence": self.valence,
            "arousal": self.arousal,
            "cadence_spm": self.cadence_spm,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "novelty": self.novelty,
            "windows": [
                {"start_s": w.start_s, "end_s": w.end_s, "probabilities": _name(w.probabilities)}
                for w in self.windows
            ],
            "quality": None if self.quality is None else self.quality.to_dict(),
            "reading": None if self.reading is None else self.reading.to_dict(),
        }


class Predictor:
    """Read the perceived emotion of walks with trained weights.

    Parameters
    ----------
    checkpoint
        Weights and all that belongs to them.
    min_confidence
        Withhold the answer where no emotion reaches this probability; 0 never does. None for what the
        weights' card says, which was chosen so that a stated share of answers is right, or 0 if it
        says nothing.
    max_novelty
        Withhold the answer where the walk lies further outside the range of the training gaits
        (`moodwalk.scaling.compute_novelty`). None for what the card says, which is as far as
        nearly all walks of unseen walkers lie, or anything if it says nothing.

    Raises
    ------
    ConfigError
        If `min_confidence` is no probability, or `max_novelty` is negative.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        min_confidence: float | None = None,
        max_novelty: float | None = None,
    ) -> None:
        if min_confidence is None:
            chosen: Any = checkpoint.card.get("abstention") or {}
            min_confidence = float(chosen.get("min_confidence", 0.0))
        if not 0 <= min_confidence <= 1:
            raise ConfigError(f"min_confidence is {min_confidence}; expected 0 to 1.")
        if max_novelty is None:
            within: Any = checkpoint.card.get("novelty") or {}
            max_novelty = float(within.get("most", np.inf))
        if not max_novelty >= 0:
            raise ConfigError(f"max_novelty is {max_novelty}; expected 0 or more.")
        self.checkpoint = checkpoint
        self.min_confidence = min_confidence
        self.max_novelty = max_novelty

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        min_confidence: float | None = None,
        max_novelty: float | None = None,
    ) -> Self:
        """Load weights.

        Parameters
        ----------
        path
            A file that `GaitEmotionClassifier.save` or ``moodwalk import-checkpoint`` wrote; None
            for the weights that moodwalk ships.
        min_confidence, max_novelty
            As for the class.

        Raises
        ------
        CheckpointError
            If the file is missing, damaged or something else.
        """
        if path is None:
            path = Path(str(files("moodwalk") / "weights" / SHIPPED_WEIGHTS))
        return cls(read_checkpoint(path), min_confidence=min_confidence, max_novelty=max_novelty)

    def predict(self, gait: Gait, *, force: bool = False) -> Prediction:
        """Read one walk; see `predict_many`."""
        return self.predict_many([gait], force=force)[0]

    def predict_many(self, gaits: Sequence[Gait], *, force: bool = False) -> list[Prediction]:
        """Read many walks; none influences another.

        Parameters
        ----------
        gaits
            Walks of any frame rate. One longer than the network's input is cut into windows of one to
            three gait cycles, or, where no cycles are found, into windows that overlap by half; their
            probabilities are averaged.
        force
            Answer also where a recording shows no walk, or a walker whose sides are swapped.

        Returns
        -------
        list of Prediction
            One for each, in order.

        Raises
        ------
        QualityError
            If joints are missing, a walk is too short at the network's frame rate, or a recording shows
            something else than a walk.
        """
        walks = [self._check(gait) for gait in gaits]
        qualities = [check_quality(gait, force=force) for gait in gaits]
        spans = [self._find_windows(walk) for walk in walks]
        pieces = [
            walk.with_positions(walk.positions[start:end])
            for walk, windows in zip(walks, spans, strict=True)
            for start, end in windows
        ]
        if not pieces:
            return []
        with np.errstate(over="ignore", invalid="ignore"):  # told of below, by the walk's name
            logits, affective = self.checkpoint.score(pieces)
            probabilities = _softmax(logits.astype(np.float64) / self.checkpoint.temperature)
        ends = np.cumsum([len(windows) for windows in spans])
        if not np.isfinite(probabilities).all():
            piece = int((~np.isfinite(probabilities).all(axis=1)).argmax())
            walk = walks[int(np.searchsorted(ends, piece, side="right"))]
            raise QualityError(
                f"gait {walk.name!r}: its positions give no finite features; expected a walk. "
                f"Do joints coincide, or are lengths out of range?"
            )
        if affective is None:
            affective = np.zeros((len(pieces), 0), dtype=np.float32)
        parts = (np.split(probabilities, ends[:-1]), np.split(affective, ends[:-1]))
        return [
            self._conclude(*one) for one in zip(gaits, qualities, walks, spans, *parts, strict=True)
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

    def _find_windows(self, walk: Gait) -> list[tuple[int, int]]:
        """Return first and last frames (exclusive) of the parts to score, at the network's rate."""
        length = self.checkpoint.encoder.n_frames
        if len(walk) <= length:
            return [(0, len(walk))]
        cycles = [(round(start), round(end)) for start, end in find_cycles(walk)]
        windows: list[tuple[int, int]] = []
        n_in_last = MOST_CYCLES
        for start, end in cycles:
            grown = end - windows[-1][0] if windows else 0
            if windows and n_in_last < MOST_CYCLES and start == windows[-1][1] and grown <= length:
                windows[-1] = (windows[-1][0], end)
                n_in_last += 1
            elif MIN_FRAMES <= end - start <= length:
                windows.append((start, end))
                n_in_last = 1
        if windows:
            return windows
        last = len(walk) - length
        starts = [*range(0, last, max(1, length // 2)), last]
        return [(start, start + length) for start in starts]

    def _conclude(
        self,
        gait: Gait,
        quality: Quality,
        walk: Gait,
        spans: list[tuple[int, int]],
        rows: NDArray[np.float64],
        affective: NDArray[np.float32],
    ) -> Prediction:
        mean = rows.mean(axis=0)
        emotion = self.checkpoint.classes[int(mean.argmax())]
        confidence = float(mean.max())
        reasons: list[str] = []
        if confidence < self.min_confidence:
            reasons.append(
                f"{emotion} is the most probable with {confidence:.0%}, "
                f"below the {self.min_confidence:.0%} asked for"
            )
        novelty = float(compute_novelty(affective).mean()) if affective.size else None
        if novelty is not None and novelty > self.max_novelty:
            reasons.append(
                f"it moves unlike all that the weights learned from: {_name_far(affective)}"
            )
        if gait.reading is not None and quality.kind == "unclear":
            reasons.append(f"it is not clear that this is a walk: {'; '.join(quality.reasons)}")
        windows = tuple(
            Window(start / walk.fps, end / walk.fps, self._by_emotion(row))
            for (start, end), row in zip(spans, rows, strict=True)
        )
        probabilities = self._by_emotion(mean)
        valence, arousal = (
            sum(share * AFFECT[emotion][axis] for emotion, share in probabilities.items())
            for axis in (0, 1)
        )
        cadence = quality.parameters.cadence_spm
        return Prediction(
            emotion,
            probabilities,
            bool(reasons),
            ", and ".join(reasons),
            valence,
            arousal,
            compute_cadence(gait) if cadence is None else cadence,
            len(gait),
            gait.fps,
            windows,
            quality,
            gait.reading,
            novelty,
        )

    def _by_emotion(self, row: NDArray[np.float64]) -> dict[Emotion, float]:
        known = dict(zip(self.checkpoint.classes, row.tolist(), strict=True))
        return {emotion: known[emotion] for emotion in EMOTIONS if emotion in known}


def check_quality(gait: Gait, *, force: bool = False) -> Quality:
    """Say what kind of motion a gait shows, and refuse a recording that shows no walk.

    Parameters
    ----------
    gait
        A walk. One that was not made from a recording is taken for what its data set says it is.
    force
        Refuse nothing.

    Raises
    ------
    QualityError
        If a recording shows something else than a walk.
    """
    if gait.reading is None:
        return assess_walk(gait)
    return check_walk(gait, force=force)


def _name_far(affective: NDArray[np.float32]) -> str:
    """Name the features that lie furthest outside the range of the training gaits."""
    mean = affective.mean(axis=0)
    far = np.argsort(-np.abs(mean))[:N_NAMED]
    return ", ".join(
        f"{FEATURES[i].name.replace('_', ' ')} {abs(mean[i]):.1f} times as far {'up' if mean[i] > 0 else 'down'} "
        f"as any of theirs"
        for i in far.tolist()
        if abs(mean[i]) > 1
    )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _name(probabilities: dict[Emotion, float]) -> dict[str, float]:
    return {str(emotion): value for emotion, value in probabilities.items()}
