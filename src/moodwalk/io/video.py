"""Video of a walk: people are found and told apart, and the one who walks becomes a recording."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, MediaError, MoodwalkWarning
from moodwalk.io.opening import open_checked
from moodwalk.pose.finder import PoseFinder
from moodwalk.pose.frames import LONGEST_SIDE, VideoFrames
from moodwalk.pose.landmarks import LANDMARKS
from moodwalk.pose.motion import find_longest_s, find_whole_frames, recover_motion
from moodwalk.pose.people import (
    LEAST_SEEN_S,
    Person,
    choose_walker,
    measure_person,
)
from moodwalk.pose.smoothing import CUTOFF_HZ, MAX_GAP_S, measure_jitter
from moodwalk.pose.tracking import PersonTracker, Track
from moodwalk.pose.travel import FIELD_OF_VIEW_DEG
from moodwalk.recording import Finding, Recording

__all__ = ["begins_video", "read_video"]

FloatArray = NDArray[np.float64]

_EXPECTED = "a video (MP4, MOV, AVI, WebM or MKV)"
_MP4_PARTS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_MIN_SIDE = 64
_STEADY = 0.1  # share of the usual interval that intervals of a constant frame rate may vary by


def begins_video(start: bytes) -> bool:
    """Return whether a file that begins so looks like MP4, MOV, AVI, WebM or MKV.

    Parameters
    ----------
    start
        The first 12 bytes or more.
    """
    return (
        start[4:8] in _MP4_PARTS
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or start[:4] == b"\x1a\x45\xdf\xa3"
    )


def read_video(
    path: str | Path,
    *,
    person: int | None = None,
    model: Path | None = None,
    fps: float | None = None,
    max_side: int = LONGEST_SIDE,
    progress: Callable[[int, int | None], None] | None = None,
) -> Recording:
    """Read the walk of one person from a video.

    Pictures are looked at one by one and let go; what stays is the landmarks of the people, 800 bytes
    a person and picture.

    Parameters
    ----------
    path
        An MP4, MOV, AVI, WebM or MKV file.
    person
        Number of the person to read, in order of appearance; None for the one who walks, chosen by
        size, duration and travel.
    model
        A MediaPipe ``.task`` file; None for the model inside the installed MediaPipe.
    fps
        Frames per second, where the file says it wrongly, as slow motion does.
    max_side
        Pixels of the longer side of the pictures that people are looked for in; larger ones are made
        smaller.
    progress
        Called with frames done and frames in all, None where nobody knows.

    Returns
    -------
    Recording
        The 33 landmarks of MediaPipe's world coordinates, in metres, from the first to the last frame
        that shows the whole body, at equal intervals. x to the right of the picture, y up as the
        camera sees it, z towards the camera: right-handed. MediaPipe puts the hips into the origin;
        here they travel, as far as size and place of the body in the picture tell. Frames that do
        not show the whole body are bridged up to 0.2 s and NaN beyond; `confidence` is MediaPipe's
        visibility. Smoothed without lag. `findings` tells of all this, and lists the people.

    Raises
    ------
    DataFormatError
        If there is no such file, or it may not be read.
    MediaError
        If the file is no video, is damaged, or shows nobody whole.
    ConfigError
        If OpenCV or MediaPipe is not installed, the model is none, nobody has that number, or an
        option makes no sense.

    References
    ----------
    .. [1] Bazarevsky et al. (2020), BlazePose: on-device real-time body pose tracking,
       arXiv:2006.10204.
    """
    path = Path(path)
    if fps is not None and not 0 < fps < float("inf"):
        raise ConfigError(f"fps is {fps}; expected a positive number.")
    if max_side < _MIN_SIDE:
        raise ConfigError(f"max_side is {max_side}; expected {_MIN_SIDE} pixels or more.")
    with open_checked(path, _EXPECTED) as file:
        if not begins_video(start := file.read(64)):
            raise MediaError(f"{path} begins with {start[:8]!r}; expected {_EXPECTED}.")
    tracker = PersonTracker()
    times: list[float] = []
    with VideoFrames(path, fps, max_side=max_side) as frames, PoseFinder(model) as finder:
        for number, time_s, picture in frames:
            tracker.update(time_s, finder.find(picture))
            times.append(time_s)
            if progress is not None:
                progress(number, frames.n_claimed)
    if frames.is_short:
        warnings.warn(
            f"{path}: {frames.n_read:,} of {frames.n_claimed:,} frames could be read; the file itself "
            f"leaves the others out, or it is damaged.",
            MoodwalkWarning,
            stacklevel=2,
        )
    tracks = [
        track for track in tracker.tracks if track.times_s[-1] - track.times_s[0] >= LEAST_SEEN_S
    ]
    people = [measure_person(track, frames.size, n) for n, track in enumerate(tracks, 1)]
    try:
        chosen = choose_walker(people, person)
        track = tracks[people.index(chosen)]
        walk = _make_walk(track, frames.size, _Rate.find(frames, np.array(times)))
    except (MediaError, ConfigError) as error:
        raise type(error)(f"{path} {error}") from None
    rate = walk.rate
    findings = (
        *_tell_frames(frames, len(times), rate),
        *_tell_people(people, chosen, asked=person is not None),
        *walk.findings,
    )
    return Recording(
        walk.positions,
        LANDMARKS,
        rate.fps,
        "video",
        unit_m=1.0,
        up="+y",
        confidence=walk.confidence,
        name=path.stem,
        source=path.name,
        findings=findings,
    )


class _Rate(NamedTuple):
    fps: float
    is_steady: bool
    evidence: str

    @classmethod
    def find(cls, frames: VideoFrames, times_s: FloatArray) -> "_Rate":
        """Find the frame rate to put the landmarks at, from when the pictures were taken."""
        claimed = frames.claimed_fps
        steps = np.diff(times_s)
        if not len(steps):
            raise MediaError("has a single picture; expected a walk of a second or more.")
        usual = float(np.median(steps))
        steady = float(np.mean(np.abs(steps - usual) <= _STEADY * usual)) >= 0.98
        measured = 1 / float(steps[np.abs(steps - usual) <= _STEADY * usual].mean())
        said = f"the file claims {claimed:.4g}" if np.isfinite(claimed) else "the file claims none"
        if not frames.is_timed:
            return cls(measured, True, f"{said}; times counted, not read")
        if abs(measured - claimed) <= 0.002 * claimed and steady:
            measured = claimed  # timestamps are rounded
        evidence = f"timestamps {steps.min() * 1e3:.1f} to {steps.max() * 1e3:.1f} ms apart; {said}"
        return cls(measured, steady, evidence)


class _Walk(NamedTuple):
    positions: FloatArray
    confidence: FloatArray
    rate: _Rate
    findings: tuple[Finding, ...]


def _make_walk(track: Track, size: tuple[int, int], rate: _Rate) -> _Walk:
    """Recover the motion of a person, and tell how."""
    kept = find_whole_frames(track, size)
    if not len(kept):
        raise MediaError(
            f"shows the whole body for {find_longest_s(track, size):.2f} s at a time; expected a second "
            f"or more."
        )
    motion = recover_motion(track, kept, size, rate.fps)
    n_frames = len(motion.positions)
    n_missing = int(np.isnan(motion.world[:, 0, 0]).sum())
    n_bridged = max(0, n_frames - n_missing - len(kept))
    jitter_mm = 1000 * measure_jitter(motion.world, motion.smoothed)
    is_smoothed = rate.fps > 2 * CUTOFF_HZ
    passed = motion.root[~np.isnan(motion.root).any(axis=1)]
    across, along = (float(passed[-1, axis] - passed[0, axis]) for axis in (0, 2))
    duration_s = n_frames / rate.fps
    findings = (
        Finding(
            "span",
            f"{motion.start_s:.2f} to {motion.end_s:.2f} s",
            1.0,
            "first and last frame that show the whole body",
        ),
        Finding(
            "drop-outs",
            f"{n_bridged + n_missing} of {n_frames} frames ({(n_bridged + n_missing) / n_frames:.1%})",
            1.0,
            f"{n_bridged} bridged, {n_missing} in gaps above {MAX_GAP_S:g} s left out",
        ),
        Finding(
            "legs",
            f"left and right exchanged in {int(motion.swapped.sum())} frames",
            0.8,
            "the model took one for the other; the legs move more smoothly so",
        ),
        Finding(
            "jitter",
            f"{jitter_mm:.1f} mm",
            0.8,
            f"median over landmarks of the RMS distance between raw and smoothed; {CUTOFF_HZ:g} Hz",
        ),
        Finding(
            "smoothing",
            "lag 0 ms",
            1.0,
            f"Butterworth of order 4 at {CUTOFF_HZ:g} Hz, forwards and backwards"
            if is_smoothed
            else f"none: {rate.fps:.3g} frames a second hold nothing above {CUTOFF_HZ:g} Hz",
        ),
        Finding(
            "travel",
            f"{across:+.2f} m to the right, {along:+.2f} m towards the camera in {duration_s:.1f} s",
            0.6 if abs(across) >= abs(along) else 0.3,
            f"place and size of the body in the picture; camera at rest, {FIELD_OF_VIEW_DEG:g} degrees",
        ),
    )
    return _Walk(motion.positions, motion.visibility, rate, findings)


def _tell_frames(frames: VideoFrames, n_looked: int, rate: _Rate) -> list[Finding]:
    width, height = frames.stored
    findings = [
        Finding(
            "frame rate",
            f"{rate.fps:.4g} a second, {'constant' if rate.is_steady else 'variable: resampled'}",
            1.0 if rate.is_steady else 0.8,
            rate.evidence,
        )
    ]
    if n_looked < frames.n_read:
        findings.append(
            Finding(
                "frames",
                f"{n_looked:,} of {frames.n_read:,} looked at",
                1.0,
                "those between are denser than 60 a second, or damaged",
            )
        )
    if frames.rotation:
        findings.append(
            Finding("rotation", f"turned by {frames.rotation} degrees", 1.0, "the file says so")
        )
    if frames.size != frames.stored:
        scaled = f"{width} x {height} to {frames.size[0]} x {frames.size[1]}"
        findings.append(Finding("scaling", scaled, 1.0, "the networks see no more"))
    return findings


def _tell_people(people: Sequence[Person], chosen: Person, *, asked: bool) -> list[Finding]:
    findings = [Finding(f"person {one.number}", one.describe(), 1.0) for one in people]
    if asked:
        why, confidence = "as asked", 1.0
    elif len(people) == 1:
        why, confidence = "nobody else is seen", 1.0
    else:
        others = max(one.score for one in people if one is not chosen)
        confidence = round(chosen.score / (chosen.score + others), 2)
        why = (
            f"seconds x height x travel: {chosen.score:.2f}, next {others:.2f}; "
            f"choose another by number"
        )
    value = f"person {chosen.number} of {len(people)}"
    return [*findings, Finding("walker", value, confidence, why)]
