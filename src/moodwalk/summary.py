"""What a gait set holds, in counts, and what would spoil an evaluation on it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from moodwalk.body import ARMS, LEGS, compute_bend
from moodwalk.emotion import Emotion
from moodwalk.errors import ShapeError
from moodwalk.gait import Gait, GaitSet
from moodwalk.skeleton import Joint

__all__ = ["GaitSummary", "has_swapped_sides", "summarise_gaits"]


@dataclass(frozen=True, slots=True)
class GaitSummary:
    """What a gait set holds, in counts.

    Parameters
    ----------
    n_gaits, n_subjects
        Counts.
    label_counts
        Number of gaits of every emotion.
    frames
        Least, mean and greatest number of frames.
    fps
        Every frame rate that occurs, ascending.
    problems
        One line for everything odd.
    """

    n_gaits: int
    n_subjects: int
    label_counts: Mapping[Emotion, int]
    frames: tuple[int, float, int]
    fps: tuple[float, ...]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the summary as JSON would hold it; fps is a list only if there are several."""
        least, mean, most = self.frames
        return {
            "gaits": self.n_gaits,
            "subjects": self.n_subjects,
            "labels": {str(emotion): n for emotion, n in self.label_counts.items()},
            "frames": {"min": least, "mean": mean, "max": most},
            "fps": self.fps[0] if len(self.fps) == 1 else list(self.fps),
            "problems": list(self.problems),
        }


def summarise_gaits(gaits: GaitSet) -> GaitSummary:
    """Count what a set holds and look for what would spoil an evaluation.

    Parameters
    ----------
    gaits
        At least one gait.

    Returns
    -------
    GaitSummary
        Counts; problems are those of the reader, then gaits that hold the same positions, that do
        not move, that face against their sides, that miss joints or labels.

    Raises
    ------
    ShapeError
        If the set is empty.
    """
    if not len(gaits):
        raise ShapeError("no gaits to summarise; expected at least one. Read a file first.")
    lengths = [len(gait) for gait in gaits]
    return GaitSummary(
        n_gaits=len(gaits),
        n_subjects=gaits.n_subjects,
        label_counts=gaits.label_counts,
        frames=(min(lengths), float(np.mean(lengths)), max(lengths)),
        fps=tuple(sorted({gait.fps for gait in gaits})),
        problems=(*gaits.problems, *_find_problems(gaits)),
    )


def _find_problems(gaits: GaitSet) -> Iterator[str]:
    seen: dict[bytes, Gait] = {}
    for gait in gaits:
        fingerprint = _fingerprint(gait)
        if twin := seen.get(fingerprint):
            yield f"gaits {twin.name!r} and {gait.name!r} hold the same positions."
        seen[fingerprint] = gait
    for gait in gaits:
        most, least = (f.reduce(gait.positions, axis=0) for f in (np.fmax, np.fmin))
        if not (most > least).any():
            yield f"gait {gait.name!r} does not move."
    if n := sum(has_swapped_sides(gait) for gait in gaits):
        yield (
            f"{n} of {len(gaits)} gaits face away from where their joints called right would have "
            f"them: mirror images, or left and right exchanged (docs/conventions.md)."
        )
    if n := sum(gait.n_missing > 0 for gait in gaits):
        yield f"joints are missing in {n} of {len(gaits)} gaits."
    if (n := sum(gait.label is None for gait in gaits)) and n < len(gaits):
        yield f"{n} of {len(gaits)} gaits have no label."


def _fingerprint(gait: Gait) -> bytes:
    return sha256(np.asarray(gait.positions, dtype=np.float64).tobytes()).digest()


def has_swapped_sides(gait: Gait) -> bool:
    """Say whether a walk moves as if its joints called right were left.

    The sides of the hips say which way the walker would face. Three things tell which way the body
    really faces: knees bend forwards, elbows backwards, and the foot on the ground moves backwards
    relative to the root. Two votes of three decide. Only shape counts: turning, moving or scaling
    the whole walk changes nothing, as long as +y is up.

    Parameters
    ----------
    gait
        One walk; frames with missing joints are left out.

    Returns
    -------
    bool
        Whether sides seem swapped; a mirror image (z negated) looks the same. False where nothing
        bends.
    """
    x = np.asarray(gait.positions, dtype=np.float64)
    x = x - x[:, :1]
    across = x[:, Joint.RIGHT_HIP] - x[:, Joint.LEFT_HIP]
    ahead = across[:, [2, 1, 0]] * (1.0, 0.0, -1.0)  # up x across
    feet = x[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT]]
    lower = feet[:-1, :, 1].argmin(axis=1)
    step = np.diff(feet, axis=0)[np.arange(len(lower)), lower]
    votes = (
        (compute_bend(x, LEGS) * ahead[:, None]).sum(axis=2),
        -(compute_bend(x, ARMS) * ahead[:, None]).sum(axis=2),
        -(step * ahead[:-1]).sum(axis=1),
    )
    return bool(sum(np.nansum(vote) < -1e-9 for vote in votes) >= 2)
