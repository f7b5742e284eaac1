"""What a device or a file recorded, before anybody has said which joint is which or where up is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import Emotion, parse_emotion
from moodwalk.errors import ConfigError, ShapeError

__all__ = ["Finding", "Reading", "Recording"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found out about a recording, and how sure that is.

    Parameters
    ----------
    what
        For instance ``up axis``.
    value
        For instance ``+z``.
    confidence
        0 (a guess) to 1 (the file says so, or nothing else is possible).
    evidence
        What it rests on, in a few words.
    """

    what: str
    value: str
    confidence: float
    evidence: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "what": self.what,
            "value": self.value,
            "confidence": self.confidence,
            "evidence": self.evidence,
        }


@dataclass(frozen=True, slots=True)
class Reading:
    """How a gait was made from what was recorded.

    Parameters
    ----------
    format
        For instance ``BVH``.
    skeleton
        Name of the map from the recorded joints to the 16, for instance ``CMU``.
    joints
        For each of the 16, by name, what it was made of: ``LeftUpLeg``, or
        ``middle of LeftUpLeg and RightUpLeg``.
    derived
        Those of the 16 that have no twin in the recording.
    findings
        What was found out about axes, unit, direction, people, gaps.
    """

    format: str
    skeleton: str
    joints: dict[str, str]
    derived: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "format": self.format,
            "skeleton": self.skeleton,
            "joints": dict(self.joints),
            "derived": list(self.derived),
            "findings": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True, eq=False, slots=True)
class Recording:
    """Points over time, under the names, on the axes and in the unit of their source.

    Parameters
    ----------
    positions
        (T, J, 3), T >= 1, kept as float64. Missing points are NaN; infinity is refused.
    joints
        J names, each once.
    fps
        Frames per second.
    format
        Of the source, for instance ``BVH``.
    parents
        For every joint the index of its parent, -1 for the root; empty where the source has no tree.
    unit_m
        Metres in a unit of length, where the source says; None where it does not.
    up
        The axis that points up, ``+y`` for instance, where the source says; None where it does not.
    confidence
        (T, J), 0 to 1, where the source has it.
    name, subject, label, acted, source
        As of a `Gait`.
    findings
        What was found out on the way, for instance which of several people this is.
    """

    positions: NDArray[np.float64]
    joints: Sequence[str]
    fps: float
    format: str
    parents: Sequence[int] = ()
    unit_m: float | None = None
    up: str | None = None
    confidence: NDArray[np.float64] | None = None
    name: str = ""
    subject: str | None = None
    label: Emotion | None = None
    acted: Emotion | None = None
    source: str = ""
    findings: tuple[Finding, ...] = field(default=())

    def __post_init__(self) -> None:
        where = f"recording {self.name!r}" if self.name else "recording"
        positions = np.asarray(self.positions, dtype=np.float64)
        joints = tuple(self.joints)
        if positions.ndim != 3 or positions.shape[1:] != (len(joints), 3) or not len(positions):
            raise ShapeError(
                f"{where}: positions have shape {positions.shape}; expected (T, {len(joints)}, 3) "
                f"with T >= 1: frames, joints, coordinates."
            )
        if len(set(joints)) < len(joints):
            double = next(name for i, name in enumerate(joints) if name in joints[:i])
            raise ShapeError(f"{where}: two joints are called {double!r}; expected each name once.")
        if np.isinf(positions).any():
            frame = int(np.isinf(positions).any(axis=(1, 2)).argmax())
            raise ShapeError(f"{where}: infinite position in frame {frame}; expected numbers.")
        parents = tuple(int(parent) for parent in self.parents)
        if parents and len(parents) != len(joints):
            raise ShapeError(f"{where}: {len(parents)} parents for {len(joints)} joints.")
        if self.confidence is not None and self.confidence.shape != positions.shape[:2]:
            raise ShapeError(
                f"{where}: confidence has shape {self.confidence.shape}; expected "
                f"{positions.shape[:2]}: frames, joints."
            )
        if not (isinstance(self.fps, Real) and np.isfinite(self.fps) and self.fps > 0):
            raise ConfigError(
                f"{where}: fps is {self.fps!r}; expected a positive number. "
                f"Say how many frames a second the source has."
            )
        for name in ("label", "acted"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, parse_emotion(getattr(self, name)))
        object.__setattr__(self, "positions", positions)
        object.__setattr__(self, "joints", joints)
        object.__setattr__(self, "parents", parents)
        object.__setattr__(self, "fps", float(self.fps))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.positions)
