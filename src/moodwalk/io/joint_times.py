"""Points on a regular grid of time: which rate they have, which frames are left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, DataFormatError, LabelError, ShapeError
from moodwalk.gait import MAX_FRAMES
from moodwalk.recording import Finding, Recording

__all__ = [
    "MAX_JOINTS",
    "MAX_NUMBERS",
    "Numbers",
    "Points",
    "Source",
    "check_shape",
    "check_size",
    "make_recording",
    "shorten",
    "too_long",
]

MAX_JOINTS = 1000
"""Marker sets have up to 300."""

MAX_NUMBERS = 2**25
"""What one table may hold, 256 MiB: more than three hours of 25 joints at 30 frames a second."""

Numbers = NDArray[np.float64]


def check_size(path: Path, n_numbers: int) -> None:
    """Refuse what would fill the memory, before it does."""
    if n_numbers > MAX_NUMBERS:
        raise DataFormatError(
            f"{path} holds more than {MAX_NUMBERS:,} numbers; expected at most so many in a table. "
            f"Cut it up, or write it as a corpus."
        )


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of a file beside its points; `said_fps` is the file's, `given_fps` the user's."""

    path: Path
    kind: str
    unit_m: float | None
    second: float | None
    said_fps: float | None
    given_fps: float | None
    findings: tuple[Finding, ...] = ()
    name: str = ""

    @property
    def where(self) -> str:
        """How messages name the recording."""
        return f"{self.path}: {self.name[:60]!r}" if self.name else f"{self.path}"


@dataclass(frozen=True, slots=True)
class Points:
    """Points in the order of time: (T, J, 3), with confidences, frame numbers and times as given."""

    positions: Numbers
    confidence: Numbers | None = None
    frames: Numbers | None = None
    times: Numbers | None = None
    findings: tuple[Finding, ...] = ()
    fps: float | None = None


def shorten(names: Sequence[str]) -> str:
    """Return the first names and how many more there are, for messages."""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(name[:40] for name in names[:6]) + more


def too_long(where: str, n_frames: int) -> DataFormatError:
    """Return the one line that says that a recording has too many frames."""
    return DataFormatError(
        f"{where} has {n_frames:,} frames; expected at most {MAX_FRAMES:,}. Are frame numbers and "
        f"times right?"
    )


def check_shape(source: Source, n_frames: int, n_joints: int) -> None:
    """Refuse a recording of too many frames or points."""
    if n_frames > MAX_FRAMES:
        raise too_long(source.where, n_frames)
    check_size(source.path, n_frames * n_joints * 3)


@dataclass(frozen=True, slots=True)
class _Timing:
    """What times say: the step in seconds, the number of every frame, whether they are regular."""

    step_s: float
    index: NDArray[np.int64]
    regular: bool


_UNIT_NAMES: Mapping[float, str] = {
    1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds",
}  # fmt: skip

_LIKELY_STEP_S = (0.002, 0.2)
"""500 to 5 frames a second: what times of unknown unit must come to."""

_STEP_S = (1e-5, 100.0)
"""What times of known unit must come to."""

_JITTER = 0.25
"""Of a step: times so near to regular ones are regular."""

_GAP = 2.5
"""Steps between two irregular times beyond which the points between are missing."""


def make_recording(
    source: Source, points: Points, joints: Sequence[str], facts: Mapping[str, str]
) -> Recording:
    """Return what is left when points are cleaned and put on a regular grid of time."""
    points = _clean(source, points)
    points = _place_in_time(source, points)
    try:
        return Recording(
            points.positions,
            joints,
            points.fps or 0.0,
            source.kind,
            unit_m=source.unit_m,
            confidence=points.confidence,
            name=source.name,
            subject=facts.get("subject") or None,
            label=facts.get("label") or None,  # pyright: ignore[reportArgumentType] - parsed there
            acted=facts.get("acted") or None,  # pyright: ignore[reportArgumentType]
            source=source.path.name,
            findings=(*source.findings, *points.findings),
        )
    except LabelError as error:
        raise LabelError(f"{source.where}: {error}") from None
    except ShapeError as error:
        raise DataFormatError(f"{source.path}: {error}") from None


def _clean(source: Source, points: Points) -> Points:
    """Make points wholly missing or wholly there, and confidences numbers from 0 to 1."""
    positions, confidence, findings = points.positions, points.confidence, list(points.findings)
    missing = np.isnan(positions)
    partly = missing.any(axis=2) & ~missing.all(axis=2)
    if n := int(partly.sum()):
        positions[partly] = np.nan
        findings.append(Finding("points without all three coordinates", f"{n} left out", 1.0))
    if confidence is not None:
        low, high = _find_range(confidence)
        if low < 0 or high > 100:
            findings.append(Finding("confidence", "not read", 1.0, f"{low:g} to {high:g}"))
            confidence = None
        else:
            if high > 1:
                confidence = confidence / 100
                findings.append(Finding("confidence", "percent", 0.8, f"up to {high:g}"))
            unseen = (confidence == 0) & (positions == 0).all(axis=2)
            if n := int(unseen.sum()):
                positions[unseen] = np.nan
                findings.append(
                    Finding("points at 0, 0, 0 with confidence 0", f"{n} left out", 0.9)
                )
            there = ~np.isnan(positions).any(axis=2)
            confidence = np.where(there, np.nan_to_num(confidence, nan=1.0), 0.0)
    if np.isnan(positions).all():
        raise DataFormatError(f"{source.where} has no point in any frame; expected positions.")
    return replace(points, positions=positions, confidence=confidence, findings=tuple(findings))


def _find_range(values: Numbers) -> tuple[float, float]:
    held = values[~np.isnan(values)]
    return (float(held.min()), float(held.max())) if held.size else (0.0, 0.0)


def _place_in_time(source: Source, points: Points) -> Points:
    """Put the points on a regular grid of time, and find its rate."""
    findings = list(points.findings)
    said, evidence = points.fps, "column fps"
    if said is None and source.said_fps is not None:
        said, evidence = source.said_fps, "above the table"
    index, step = _number_frames(points, findings)
    timing = _measure_times(source, points, index, findings)
    if timing is not None and said is not None:
        agrees = abs(said / step * timing.step_s - 1) <= 0.05
        if not agrees:
            finding = f"{1 / timing.step_s:.4g} frames/s, not used"
            findings.append(Finding("rate of the times", finding, 0.5, f"{evidence} says {said:g}"))
        if not agrees or points.frames is not None:
            timing = None
    if said is not None:
        fps = said / step
    elif timing is not None:
        fps, evidence = 1 / timing.step_s, "times"
        if abs(fps - round(fps)) < 1e-3 * fps and round(fps):  # of times that are rounded
            fps = float(round(fps))
    elif source.given_fps is not None:
        fps, evidence = source.given_fps / step, "given"
    else:
        raise ConfigError(
            f"{source.where} does not say how many frames a second it has: no column fps, and no "
            f"times that can be. Give --fps NUMBER."
        )
    if (
        source.given_fps is not None
        and evidence != "given"
        and abs(fps / source.given_fps - 1) > 1e-3
    ):
        given = f"{source.given_fps:g} frames/s, not used"
        findings.append(Finding("frame rate that was given", given, 1.0, "the file says its own"))
    findings.append(Finding("frame rate", f"{fps:.6g} frames/s", 1.0, evidence))
    points = replace(points, fps=fps, findings=tuple(findings))
    if timing is not None and points.times is not None and not timing.regular:
        return _resample(source, points, points.times, timing.step_s)
    if timing is not None and index is None:
        index = timing.index
    if index is None:
        check_shape(source, *points.positions.shape[:2])
        return points
    return _spread(source, points, index)


def _number_frames(points: Points, findings: list[Finding]) -> tuple[NDArray[np.int64] | None, int]:
    """Return the numbers of the frames from 0, and the step that they were numbered in."""
    if points.frames is None:
        return None, 1
    numbers = (points.frames - points.frames[0]).astype(np.int64)
    step = int(np.gcd.reduce(np.diff(numbers))) if len(numbers) > 2 else 1
    if step > 1:
        value = f"in steps of {step}"
        evidence = f"taken for every {step}th frame of a faster recording"
        findings.append(Finding("frame numbers", value, 0.6, evidence))
    return numbers // step, step


def _measure_times(
    source: Source,
    points: Points,
    index: NDArray[np.int64] | None,
    findings: list[Finding],
) -> _Timing | None:
    times = points.times
    if times is None or len(times) < 2:
        return None
    steps = np.diff(times)
    if not (steps > 0).all() or not np.isfinite(steps).all():
        frame = int(np.argmin(steps > 0)) + 1
        raise DataFormatError(
            f"{source.where}: time goes from {times[frame - 1]:.15g} to {times[frame]:.15g} in row "
            f"{frame + 1} of this walk; expected it to grow. Are these several walks? Name them in a column gait."
        )
    counts = np.ones(len(steps)) if index is None else np.diff(index).astype(np.float64)
    typical = float(np.median(steps / counts))
    second = source.second
    if second is None:
        low, high = _LIKELY_STEP_S
        second = next((unit for unit in _UNIT_NAMES if low <= typical * unit <= high), None)
        if second is None:
            value = "not used"
            evidence = f"steps of {typical:g} are no frame rate in any unit"
            findings.append(Finding("times", value, 0.8, evidence))
            return None
    elif not _STEP_S[0] <= typical * second <= _STEP_S[1]:
        evidence = f"steps of {typical:g} {_UNIT_NAMES[second]} are no frame rate"
        findings.append(Finding("times", "not used", 0.8, evidence))
        return None
    if second != 1.0:
        sure = 1.0 if source.second is not None else 0.8
        evidence = "name of the column" if source.second is not None else f"steps of {typical:g}"
        findings.append(Finding("unit of time", _UNIT_NAMES[second], sure, evidence))
    if index is None:
        counts = np.maximum(np.rint(steps / typical), 1.0)
    if not counts.sum() <= MAX_FRAMES:
        raise too_long(source.where, int(min(counts.sum(), 1e15)))
    index = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    step = float(steps.sum() / counts.sum())
    off = np.abs(times - times[0] - index * step).max() / step
    if off <= _JITTER:
        return _Timing(step * second, index, True)
    return _Timing(typical * second, index, False)


def _spread(source: Source, points: Points, index: NDArray[np.int64]) -> Points:
    """Leave room for the frames that are not there."""
    n_frames = int(index[-1]) + 1
    n_missing = n_frames - len(index)
    check_shape(source, n_frames, points.positions.shape[1])
    if not n_missing:
        return points
    positions = np.full((n_frames, *points.positions.shape[1:]), np.nan)
    positions[index] = points.positions
    confidence = points.confidence
    if confidence is not None:
        confidence = np.zeros(positions.shape[:2])
        confidence[index] = points.confidence
    finding = Finding(
        "frames left out", f"{n_missing} of {n_frames}", 1.0, "they are missing points"
    )
    return replace(
        points, positions=positions, confidence=confidence, findings=(*points.findings, finding)
    )


def _resample(source: Source, points: Points, times: Numbers, step_s: float) -> Points:
    """Interpolate points at irregular times to the median rate."""
    steps = np.diff(times)
    counts = steps if points.frames is None else steps / np.diff(points.frames)
    step = float(np.median(counts))
    n_frames = int(min((times[-1] - times[0]) / step + 1e-9, 1e15)) + 1
    check_shape(source, n_frames, points.positions.shape[1])
    new = times[0] + np.arange(n_frames) * step
    left = np.clip(np.searchsorted(times, new, side="right") - 1, 0, len(times) - 2)
    weight = np.clip((new - times[left]) / steps[left], 0.0, 1.0)
    inside = (weight > 0) & (weight < 1)

    def mix(values: Numbers) -> Numbers:
        at = weight.reshape(-1, *[1] * (values.ndim - 1))
        mixed = np.where(at < 1, values[left], values[left + 1])
        mixed[inside] += at[inside] * (values[left + 1] - values[left])[inside]
        return mixed

    positions = mix(points.positions)
    positions[inside & (steps[left] > _GAP * step)] = np.nan
    confidence = None if points.confidence is None else mix(points.confidence)
    if confidence is not None:
        confidence[np.isnan(positions).any(axis=2)] = 0.0
    low, high = (step_s / step) * steps.min(), (step_s / step) * steps.max()
    evidence = f"times are {1000 * low:.4g} to {1000 * high:.4g} ms apart"
    finding = Finding(
        "frame rate", f"variable; resampled to {1 / step_s:.4g} frames/s", 0.8, evidence
    )
    return replace(
        points, positions=positions, confidence=confidence, findings=(*points.findings, finding)
    )
