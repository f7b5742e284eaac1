"""Strikes and offs of the feet, gait cycles, and what they measure: time, length, speed, symmetry."""

from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.gait import Gait
from moodwalk.legs import LegMotion, measure_legs
from moodwalk.signals import CUTOFF_HZ, find_prominent, low_pass

__all__ = [
    "LEAST_SWING",
    "FootEvents",
    "GaitParameters",
    "compute_gait_parameters",
    "compute_leg_parameters",
    "find_cycles",
    "find_events",
    "take_strides",
]

FloatArray = NDArray[np.float64]
Sides = tuple[tuple[float, ...], tuple[float, ...]]

CYCLE_RANGE_S = (0.5, 3.2)
"""Stride times that count: 240 to 37 steps a minute."""

LEAST_SWING = 0.08
"""Share of the leg by which feet that step pass each other: steps of 5 cm have 0.1, noise of 1 cm 0.04."""

_DROWNED = 0.05  # noise above the low-pass, as a share of the swing
_SLOW = 8.0  # times the rate of cycles: what is faster says nothing of strikes
_FLAT = (0.16, 0.42)  # share of the cycle after a strike in which the sole is flat on the ground
_CARRYING = (0.09, 0.5)  # and in which it carries
_STANCE = 0.6  # share of the cycle from strike to off
_FASTEST = 0.08  # share of the cycle after each strike at which the pelvis is fastest
_MOST_SWELL = 0.6


@dataclass(frozen=True, slots=True)
class FootEvents:
    """When each foot meets and leaves the ground, in frames with fractions, ascending.

    Parameters
    ----------
    right_strikes, left_strikes
        The foot is farthest ahead of the pelvis.
    right_offs, left_offs
        The foot is farthest behind.
    """

    right_strikes: tuple[float, ...] = ()
    right_offs: tuple[float, ...] = ()
    left_strikes: tuple[float, ...] = ()
    left_offs: tuple[float, ...] = ()

    @property
    def strikes(self) -> Sides:
        """Of the right and of the left foot."""
        return self.right_strikes, self.left_strikes

    @property
    def offs(self) -> Sides:
        """Of the right and of the left foot."""
        return self.right_offs, self.left_offs


@dataclass(frozen=True, slots=True)
class GaitParameters:
    """What a walk measures; None where it shows too little.

    Parameters
    ----------
    cadence_spm
        Steps a minute.
    step_time_s, stride_time_s
        From a strike to the next one, and to the next one of the same foot.
    stride_length_m, step_length_m
        How far that takes the walker, along the way. Metres where the walk has a scale.
    speed_mps
        Stride length over stride time.
    step_width_m
        Distance across the way between the feet.
    symmetry
        Robinson's index of step times, percent: 100 (right - left) / mean of both. 0 is even; the
        right step ends with the right foot's strike.
    double_support
        Share of the cycle with both feet on the ground, 0 to 1; None of a walk sideways.
    n_strides
        How many strides were seen whole, of both feet together.
    """

    cadence_spm: float | None = None
    step_time_s: float | None = None
    stride_time_s: float | None = None
    stride_length_m: float | None = None
    step_length_m: float | None = None
    speed_mps: float | None = None
    step_width_m: float | None = None
    symmetry: float | None = None
    double_support: float | None = None
    n_strides: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


def find_events(legs: LegMotion) -> FootEvents:
    """Find strikes and offs from where the feet are relative to the pelvis.

    A foot strikes where it is farthest ahead and leaves where it is farthest behind.

    Parameters
    ----------
    legs
        Of `measure_legs`.

    Returns
    -------
    FootEvents
        In frames of the gait. Nothing where the feet hardly move.

    Notes
    -----
    Extremes must stand out by a third of the foot's range, and those of one kind lie at least 0.6
    cycles apart, if a sine explains at least half of the swing; what is faster than 8 times the
    cycle is then taken out. Time between frames comes from the parabola
    through the frames around the extreme. The joint is the ankle: it is farthest ahead shortly
    before the sole meets the ground.

    References
    ----------
    .. [1] Zeni, Richards and Higginson (2008), Two simple methods for determining gait events during
       treadmill and overground walking using kinematic data, Gait & Posture 27(4), 710-714,
       doi:10.1016/j.gaitpost.2007.07.007.
    """
    along = legs.along
    cutoff_hz = _SLOW * legs.fps / legs.cycle_frames
    if legs.explained >= 0.5 and cutoff_hz < CUTOFF_HZ:
        along = low_pass(along, legs.fps, cutoff_hz)
    strikes = [_find_peaks(legs, along[:, side]) for side in (0, 1)]
    offs = [_find_peaks(legs, -along[:, side]) for side in (0, 1)]
    return FootEvents(strikes[0], offs[0], strikes[1], offs[1])


def find_cycles(gait: Gait) -> tuple[tuple[float, float], ...]:
    """Find the gait cycles of a walk, one after the other.

    Parameters
    ----------
    gait
        A walk, over ground or in place.

    Returns
    -------
    tuple of (float, float)
        Start and end in frames, from a strike to the next of the same foot, of the foot that shows more
        of them; ascending, without overlap. Where no foot strikes twice but there is about a cycle
        (0.6 and more), as in Emotion-Gait, one that begins with the first frame. Empty where nobody
        walks.
    """
    legs = measure_legs(gait)
    if legs is None:
        return ()
    events = find_events(legs)
    sides = [take_strides(events, side, legs.fps) for side in (0, 1)]
    cycles = max(sides, key=lambda some: (len(some), -some[0][0] if some else 0.0))
    if cycles:
        return tuple(cycles)
    if legs.swing < LEAST_SWING or legs.explained < 0.5 or not 0.6 <= legs.n_cycles < 2.2:
        return ()
    last = legs.first + len(legs.along) - 1
    return ((float(legs.first), float(min(last, legs.first + legs.cycle_frames))),)


def compute_gait_parameters(gait: Gait) -> GaitParameters:
    """Compute the spatio-temporal parameters of a walk.

    Parameters
    ----------
    gait
        A walk, over ground or in place.

    Returns
    -------
    GaitParameters
        Means over the strides seen whole; where there are none, times by the rhythm of the
        feet, if a sine explains 80 % of it and three quarters of a cycle are seen. All None where
        the feet hardly move.

    Notes
    -----
    Over ground a stride is the distance between two places where the same foot stood, and step width
    how far the other foot stood from the line between them. In place the foot that carries moves back
    under the pelvis at walking speed: stride length is the slope of that sweep times stride time, step
    width the mean distance of the feet across the way. Double support is the shares of the cycle from
    strike to off of both feet, less one.

    References
    ----------
    .. [1] Zeni, Richards and Higginson (2008), doi:10.1016/j.gaitpost.2007.07.007 (events).
    .. [2] Robinson, Herzog and Nigg (1987), Use of force platform variables to quantify the effects
       of chiropractic manipulation on gait symmetry, Journal of Manipulative and Physiological
       Therapeutics 10(4), 172-176 (symmetry index).
    """
    legs = measure_legs(gait)
    return GaitParameters() if legs is None else compute_leg_parameters(legs, find_events(legs))


def compute_leg_parameters(legs: LegMotion, events: FootEvents) -> GaitParameters:
    """Compute what `compute_gait_parameters` does, from legs and events that are known already."""
    if legs.swing < LEAST_SWING:
        return GaitParameters()
    strides = [take_strides(events, side, legs.fps) for side in (0, 1)]
    durations = np.array([end - start for some in strides for start, end in some])
    n_strides = len(durations)
    if n_strides:
        usual = float(np.median(durations))
        near = np.abs(durations - usual) <= 0.4 * usual
        cycle = float(durations[near].mean()) if near.any() else usual
    elif legs.explained >= 0.8 and legs.n_cycles >= 0.75:
        cycle = legs.cycle_frames
    else:
        return GaitParameters()
    length, width = _measure_ground(legs, events, cycle) if legs.travels else (None, None)
    if _is_drowned(legs):
        cycle = legs.cycle_frames
        length = _measure_drift(legs) * cycle if legs.travels else None
    if length is None:
        over_ground = legs.speed * cycle / legs.fps
        length = over_ground if legs.travels else _measure_sweep(legs, events, cycle)
    if width is None:
        across = np.array([-legs.way[1], legs.way[0]])
        width = abs(float((legs.raw[:, 0] - legs.raw[:, 1])[:, [0, 2]].mean(axis=0) @ across))
    right, left = (_measure_steps(events, side, cycle) for side in (0, 1))
    step, symmetry = cycle / 2, None
    if right is not None and left is not None:
        step, symmetry = (right + left) / 2, 200.0 * (right - left) / (right + left)
    return GaitParameters(
        cadence_spm=120.0 * legs.fps / cycle,
        step_time_s=step / legs.fps,
        stride_time_s=cycle / legs.fps,
        stride_length_m=length,
        step_length_m=None if length is None else length / 2,
        speed_mps=None if length is None else length * legs.fps / cycle,
        step_width_m=width,
        symmetry=symmetry,
        double_support=_measure_double_support(events, cycle) if abs(legs.way[1]) > 0.7 else None,
        n_strides=n_strides,
    )


def _is_drowned(legs: LegMotion) -> bool:
    """Return whether steps are so small against the noise that only means over all of them are sure."""
    rest = legs.raw[:, :, [0, 2]] @ legs.way - legs.along
    small = float(rest.std()) > _DROWNED * legs.swing * legs.leg
    straight = float(np.ptp(legs.heading)) == 0.0
    return small and straight and legs.explained > 0.85 and legs.n_cycles >= 3


def _measure_drift(legs: LegMotion) -> float:
    """Return how far the pelvis goes along a straight way, units a frame, by the line through all frames."""
    sine, cosine = float(np.sin(legs.heading[0])), float(np.cos(legs.heading[0]))
    course = legs.way @ np.array([[cosine, -sine], [sine, cosine]])  # left and ahead, as x and z
    times = np.arange(len(legs.pelvis)) - (len(legs.pelvis) - 1) / 2
    return float(times @ (legs.pelvis[:, [0, 2]] @ course)) / float(times @ times)


def take_strides(events: FootEvents, side: int, fps: float) -> list[tuple[float, float]]:
    """Return (start, end) of the strides of one foot (0 right, 1 left), in frames.

    A stride takes 0.5 to 3.2 s; the foot leaves once in it, and the other one strikes between 15 and
    85 % of it, as feet that alternate do.
    """
    own, other, offs = events.strikes[side], events.strikes[1 - side], events.offs[side]
    strides: list[tuple[float, float]] = []
    for start, end in pairwise(own):
        duration = end - start
        between = [(strike - start) / duration for strike in other if start < strike < end]
        left = sum(start < off < end for off in offs)
        right_time = CYCLE_RANGE_S[0] <= duration / fps <= CYCLE_RANGE_S[1]
        if right_time and left == 1 and len(between) == 1 and 0.15 <= between[0] <= 0.85:
            strides.append((start, end))
    return strides


def _measure_ground(
    legs: LegMotion, events: FootEvents, cycle: float
) -> tuple[float | None, float | None]:
    """Return stride length and step width from where the feet stood."""
    stands: list[tuple[float, int, FloatArray]] = []
    for side in (0, 1):
        for strike in events.strikes[side]:
            start = round(strike - legs.first + 0.12 * cycle)
            end = round(strike - legs.first + 0.42 * cycle) + 1
            if start >= 0 and end <= len(legs.ground):
                stands.append((strike, side, legs.ground[start:end, side][:, [0, 2]].mean(axis=0)))
    stands.sort(key=lambda stand: stand[0])
    lines: list[FloatArray] = []
    widths: list[float] = []
    for (_, one, a), (_, two, b), (_, three, c) in zip(
        stands, stands[1:], stands[2:], strict=False
    ):
        if one == three != two:
            line, offset = c - a, b - a
            length = max(float(np.linalg.norm(line)), 1e-12 * legs.leg)
            lines.append(line)
            widths.append(abs(float(line[0] * offset[1] - line[1] * offset[0])) / length)
    if not lines:
        return None, None
    straight = float(np.ptp(legs.heading)) == 0.0  # errors of places in between cancel
    length = (
        np.linalg.norm(np.mean(lines, axis=0))
        if straight
        else np.mean(np.linalg.norm(lines, axis=1))
    )
    return float(length), float(np.mean(widths))


def _measure_sweep(legs: LegMotion, events: FootEvents, cycle: float) -> float | None:
    """Return stride length from how far the feet that carry move back under the pelvis.

    While a foot is flat, its way back is the pelvis's way ahead, which is no even one: people fall
    into double support and rise out of it. So the way over a share p of the cycle after the strike
    is A p + B sin(4 pi (p - 0.08)) / 4 pi, with one A and B for all stances; A is the stride. B is
    left out, and more of the stance used, where noise hides it.
    """
    raw = legs.raw[:, :, [0, 2]] @ legs.way
    strikes = [_complete_strikes(events, side, cycle, legs.first) for side in (0, 1)]
    even, wave, back = _gather_stances(raw, strikes, cycle, _FLAT)
    if len(even) > 4:
        matrix = np.stack([even, wave], axis=1)
        stride, swell = np.linalg.lstsq(matrix, back, rcond=None)[0].tolist()
        rest = back - matrix @ [stride, swell]
        variance = np.linalg.pinv(matrix.T @ matrix)[1, 1] * float(rest @ rest) / (len(even) - 2)
        error = float(np.sqrt(variance))
        if swell > 3.2 * error and error < 0.15 * stride:
            if swell <= _MOST_SWELL * stride:
                return stride
            even = even + _MOST_SWELL * wave
            return float(even @ back) / float(even @ even)
    even, _, back = _gather_stances(raw, strikes, cycle, _CARRYING)
    return max(0.0, float(even @ back) / float(even @ even)) if len(even) else None


def _gather_stances(
    raw: FloatArray, strikes: list[list[float]], cycle: float, part: tuple[float, float]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return shares of the cycle, the wave of the pelvis's speed, and ways back, of each stance about their means."""
    columns: list[FloatArray] = [np.zeros((3, 0))]
    for side, own in enumerate(strikes):
        for strike in own:
            start = max(0, int(np.ceil(strike + part[0] * cycle)))
            end = min(len(raw), int(np.floor(strike + part[1] * cycle)) + 1)
            if end - start < max(3.0, 0.5 * (part[1] - part[0]) * cycle):
                continue
            share = (np.arange(start, end) - strike) / cycle
            turn = np.sin(4 * np.pi * (share - _FASTEST)) / (4 * np.pi)
            column = np.stack([share, turn, -raw[start:end, side]])
            columns.append(column - column.mean(axis=1, keepdims=True))
    even, wave, back = np.concatenate(columns, axis=1)
    return even, wave, back


def _complete_strikes(events: FootEvents, side: int, cycle: float, first: int) -> list[float]:
    """Return a foot's strikes, and those before its first and after its last that were not seen."""
    strikes, offs = sorted(events.strikes[side]), events.offs[side]
    marks = sorted([*strikes, *(off - _STANCE * cycle for off in offs)])
    kept: list[float] = []
    for mark in strikes:
        kept.append(mark - first)
    for mark in marks:
        if all(abs(mark - first - other) > 0.3 * cycle for other in kept):
            kept.append(mark - first)
    return kept


def _measure_steps(events: FootEvents, side: int, cycle: float) -> float | None:
    """Return the mean time, in frames, from the other foot's strike to this one's."""
    own, other = events.strikes[side], np.array(events.strikes[1 - side])
    times: list[float] = []
    for strike in own:
        before = other[other < strike]
        if len(before) and 0.1 * cycle < strike - before[-1] < 0.9 * cycle:
            times.append(float(strike - before[-1]))
    return float(np.mean(times)) if times else None


def _measure_double_support(events: FootEvents, cycle: float) -> float | None:
    """Return the shares of the cycle from strike to off of both feet, less one."""
    shares: list[float] = []
    for strikes, offs in zip(events.strikes, events.offs, strict=True):
        late = np.array(offs)
        gaps = [float(late[late > s][0] - s) / cycle for s in strikes if (late > s).any()]
        gaps = [gap for gap in gaps if 0.2 < gap < 0.9]
        if not gaps:
            return None
        shares.append(float(np.mean(gaps)))
    return max(0.0, sum(shares) - 1.0)


def _find_peaks(legs: LegMotion, values: FloatArray) -> tuple[float, ...]:
    """Return where values are highest in each cycle, in frames of the gait."""
    low, high = np.percentile(values, (5, 95))
    extent = float(high - low)
    if extent < LEAST_SWING * legs.leg / 2:
        return ()
    shortest = 0.6 * legs.cycle_frames if legs.explained >= 0.5 else CYCLE_RANGE_S[0] * legs.fps
    # lower ends, so that an extreme near the first or last frame stands out as well
    fenced = np.concatenate([[low - extent], values, [low - extent]])
    peaks = find_prominent(fenced, max(1.0, shortest), extent / 3) - 1
    inside = peaks[(peaks > 1) & (peaks < len(values) - 2)]
    if not len(inside):
        return ()
    usual = float(np.median(values[inside]))
    half = max(1, round(0.04 * legs.cycle_frames))
    found: list[float] = []
    for peak in inside.tolist():
        near_end = min(peak, len(values) - 1 - peak) < 0.15 * legs.cycle_frames
        if near_end and values[peak] < usual - 0.15 * extent:
            continue
        start, end = max(0, peak - half), min(len(values), peak + half + 1)
        found.append(legs.first + _find_top(values[start:end], start, peak))
    return tuple(found)


def _find_top(values: FloatArray, start: int, peak: int) -> float:
    """Return where the parabola through values is highest, or the peak where it has no top among them."""
    times = np.arange(len(values)) + float(start - peak)
    square, slope, _ = np.polyfit(times, values, 2).tolist()
    top = -slope / (2.0 * square) if square < 0 else 0.0
    return peak + (top if times[0] <= top <= times[-1] else 0.0)
