"""Is it a walk? What a recording shows, by name, with the figures that say so."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.intake.plausibility import find_faults, name_faults
from moodwalk.legs import LegMotion, measure_legs
from moodwalk.skeleton import Joint
from moodwalk.strides import LEAST_SWING, GaitParameters, compute_leg_parameters, find_events

__all__ = ["KINDS", "Quality", "assess_walk", "check_walk"]

FloatArray = NDArray[np.float64]
Toes = tuple[NDArray[np.floating], NDArray[np.floating]]

KINDS = (
    "walk",
    "standing",
    "running",
    "jumping",
    "sitting",
    "single step",
    "not a body",
    "mirrored",
    "scrambled",
    "unclear",
)
"""What a recording can be called."""

_ADVICE = {
    "standing": "Cut the recording to where the person walks",
    "running": "Take a walk, or check the frame rate",
    "jumping": "Take a walk",
    "sitting": "Take a walk",
    "single step": "Take at least one gait cycle, two steps",
    "not a body": "Feed body joints",
    "mirrored": "Exchange left and right, or negate one axis",
    "scrambled": "Check the order of the joints",
    "unclear": "Take a longer or cleaner recording",
}

TURNING_DEG = 60.0
"""A walk whose heading changes by more turns."""

CADENCES_SPM = (40.0, 170.0)
"""People walk within; the 342 real gaits have 46 to 133, a child of four about 150."""

STEP_RATIOS = (0.25, 1.25)
"""Steps in hundredths of a leg over cadence; 98 % of the 342 real gaits lie within."""

LEG_M = 0.85
"""A grown person's thigh and shank, which everybody is scaled to where gravity matters."""

_FASTEST_RUN_SPM = 200.0  # sprinters apart
_BENT = 0.82  # a leg from hip to foot, as a share of its length, with the knee at 110 degrees
_LEAST_BEND = 0.03  # of a leg: knees that bend less do not tell the front


@dataclass(frozen=True, slots=True)
class Quality:
    """What a recording shows.

    Parameters
    ----------
    kind
        One of `KINDS`.
    confidence
        0 to 1: how far the figures lie from where another name would be given. No probability.
    reasons
        The figures, a phrase each.
    direction
        Relative to the front of the body: ``forward``, ``backward``, ``sideways``, ``turning``, or
        ``in place`` where the feet do not go anywhere. A walker whose root stays at one point goes
        where the lifted foot goes.
    parameters
        Cadence, stride and the like; None in it what is not known.
    """

    kind: str
    confidence: float
    reasons: tuple[str, ...]
    direction: str
    parameters: GaitParameters

    @property
    def is_walk(self) -> bool:
        """Whether it is a walk of a body whose sides are what they are called."""
        return self.kind == "walk"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return {
            "kind": self.kind,
            "confidence": self.confidence,
            "reasons": list(self.reasons),
            "direction": self.direction,
            "parameters": self.parameters.to_dict(),
        }


def check_walk(gait: Gait, force: bool = False, toes: Toes | None = None) -> Quality:
    """Refuse what is no walk.

    Parameters
    ----------
    gait
        In the canonical frame.
    force
        Refuse nothing.
    toes
        As of `assess_walk`.

    Raises
    ------
    QualityError
        If it is no walk; the message names what it is, the figures, and what to do.
    """
    quality = assess_walk(gait, toes)
    if force or quality.is_walk:
        return quality
    where = f"gait {gait.name!r}: " if gait.name else ""
    named = {"single step": "a single step", "unclear": "an unclear recording"}.get(
        quality.kind, quality.kind
    )
    raise QualityError(
        f"{where}this is {named}, not a walk: {'; '.join(quality.reasons[:2])}. "
        f"{_ADVICE[quality.kind]}, or answer all the same with --force."
    )


def assess_walk(gait: Gait, toes: Toes | None = None) -> Quality:
    """Name what a recording shows.

    Parameters
    ----------
    gait
        In the canonical frame: +y up, right side at -x; travel or a fixed root, any scale.
    toes
        (T, 3) right and left toe, in the axes of the gait, if known: they tell the front better
        than knees do.

    Returns
    -------
    Quality
        The first of these that fits: no body or scrambled joints (proportions, joints between their
        neighbours, bones that keep their length), sitting, jumping, standing, a single step,
        running, a rhythm that nobody walks in, mirrored sides, walk.

    Notes
    -----
    A mirror image and a body whose sides are exchanged look the same. Both are called mirrored where
    knees (or toes) say that the right side lies on the left; but not a body whose root stays at one
    point and whose right side lies at -x, as it should, while it faces -z: of such reflected copies
    Emotion-Gait consists for two thirds (docs/conventions.md), and they are walks, with a reason
    that says so.
    """
    legs = measure_legs(gait)
    if legs is None:
        reason = (
            "root, hips, knees and feet do not show, apart from each other, in four frames in a row"
        )
        return Quality("unclear", 1.0, (reason,), "in place", GaitParameters())
    events = find_events(legs)
    parameters = compute_leg_parameters(legs, events)
    front, clear = _find_front(gait, legs, toes)
    direction = _find_direction(legs, front)
    faults = tuple(find_faults(gait, legs.leg))
    if faults:
        kind, reasons = name_faults(gait, faults)
        confidence = min(1.0, 0.5 + 0.2 * len(faults))
        return Quality(kind, confidence, reasons, direction, parameters)
    kind, confidence, reasons = _name_motion(gait, legs, parameters)
    if kind == "walk" and front < 0:
        wrong = "by knees and toes the named right side lies on the left"
        if legs.fixed and float(np.cos(legs.heading).mean()) > 0:
            reasons = (*reasons, f"{wrong}: a reflected copy that faces -z")
        else:
            kind, confidence, reasons = "mirrored", clear, (wrong, *reasons)
    return Quality(kind, round(confidence, 2), reasons, direction, parameters)


def _find_front(gait: Gait, legs: LegMotion, toes: Toes | None) -> tuple[float, float]:
    """Return 1 where the body faces ahead by its names, -1 where behind; and how clear that is."""
    bend = legs.bend
    if toes is not None:
        tips = np.stack([np.asarray(toe, dtype=np.float64) for toe in toes], axis=1)
        feet = gait.positions[:, [Joint.RIGHT_FOOT, Joint.LEFT_FOOT]].astype(np.float64)
        window = slice(legs.first, legs.first + len(legs.heading))
        ahead = np.stack([np.sin(legs.heading), np.cos(legs.heading)], axis=1)
        along = np.einsum("tfc,tc->tf", (tips - feet)[window][:, :, [0, 2]], ahead)
        along = along[~np.isnan(along)]
        if len(along) and abs(float(along.mean())) > _LEAST_BEND * legs.leg:
            bend = float(along.mean()) / legs.leg
    if abs(bend) < _LEAST_BEND:  # straight legs: who walks most likely walks forwards
        bend = float(np.sign(legs.way[1])) if legs.swing >= LEAST_SWING else 1.0
        return (bend or 1.0), 0.5
    return float(np.sign(bend)), min(1.0, 0.5 + abs(bend) / 0.15 / 2)


def _find_direction(legs: LegMotion, front: float) -> str:
    """Return where the walk goes, relative to the front."""
    if legs.travels and float(np.degrees(np.ptp(legs.heading))) > TURNING_DEG:
        return "turning"
    if legs.swing < LEAST_SWING and not legs.travels:
        return "in place"
    off = abs(float(np.degrees(np.arctan2(legs.way[0], front * legs.way[1]))))
    return "forward" if off < 45 else "backward" if off > 135 else "sideways"


def _name_motion(
    gait: Gait, legs: LegMotion, parameters: GaitParameters
) -> tuple[str, float, tuple[str, ...]]:
    """Return kind, confidence and reasons of what a body does."""
    reach, in_phase, push = _measure_reach(gait, legs)
    swing, n_steps = legs.swing, _count_steps(legs)
    bent = float((reach.max(axis=1) < _BENT).mean())
    moves = f"feet pass each other by {swing:.2f} legs"
    stretch = float(np.ptp(np.percentile(reach, (5, 95), axis=0), axis=0).mean())
    together = in_phase > 0.5 and stretch > 0.1
    off_ground = 0.0
    if not legs.fixed:
        low = legs.ground[:, :, 1].min(axis=1) / legs.leg
        off_ground = float(np.percentile(low, 97) - np.percentile(low, 20))
    if together and (push > 0.35 or off_ground > 0.12) and swing < 0.5:
        seen = f"both knees stretch together by {stretch:.2f} legs, at {push:.2f} leg speeds"
        return "jumping", 0.9, (seen, moves)
    if bent > (0.9 if together else 0.5) and parameters.n_strides == 0 and swing < 0.5:
        confidence = 0.5 + 0.5 * min(1.0, 2 * (bent - 0.5))
        return "sitting", confidence, (f"both knees bent below 110 degrees for {bent:.0%}", moves)
    if swing < LEAST_SWING:
        if together:
            return "unclear", 0.7, (f"both knees bend and stretch together, as in squats; {moves}",)
        if in_phase < -0.3 and stretch > 0.08:
            return "unclear", 0.7, (f"knees are lifted in turn on the spot; {moves}",)
        return "standing", 1 - swing / LEAST_SWING / 2, (f"{moves}; steps have 0.1 and more",)
    still = _measure_stillness(legs)
    if parameters.n_strides < 2 and (n_steps < 1.25 or still > 0.4):
        seen = f"{n_steps:.1f} steps seen, feet at rest for {still:.0%}"
        return "single step", 0.8, (seen, moves)
    if parameters.cadence_spm is None and legs.explained < 0.8:
        seen = f"no rhythm: a sine explains {legs.explained:.0%} of how the feet pass each other"
        return "unclear", 0.8, (seen, moves)
    return _name_walk(legs, parameters, reach, n_steps)


def _name_walk(
    legs: LegMotion, parameters: GaitParameters, reach: FloatArray, n_steps: float
) -> tuple[str, float, tuple[str, ...]]:
    """Tell walking from running and from rhythms that nobody walks in."""
    cadence = parameters.cadence_spm or legs.rhythm_spm
    support = parameters.double_support
    kick = float(np.percentile(reach, 3))
    froude = ((parameters.speed_mps or 0.0) / legs.leg) ** 2 * LEG_M / 9.81
    seen = f"{cadence:.0f} steps/min, {n_steps:.0f} steps, swing {legs.swing:.2f} legs"
    signs = (
        (support is not None and support < 0.07, "no time with both feet on the ground"),
        (kick < 0.6, f"heels rise so that hip to foot measures {kick:.2f} legs"),
        (froude > 0.6 and cadence > 135, f"Froude number {froude:.1f}"),
    )
    found = tuple(text for holds, text in signs if holds)
    if len(found) >= 2 and cadence <= _FASTEST_RUN_SPM:
        return "running", 0.4 + 0.2 * len(found), (*found, seen)
    if not CADENCES_SPM[0] < cadence <= CADENCES_SPM[1]:
        slow, fast = CADENCES_SPM
        reason = (
            f"{cadence:.0f} steps/min, of a walk {slow:.0f} to {fast:.0f}: is the frame rate right?"
        )
        return "unclear", 0.8, (reason, seen)
    ratio = 100 * legs.swing / 2 / cadence
    if abs(legs.way[1]) > 0.7 and not STEP_RATIOS[0] < ratio < STEP_RATIOS[1]:
        how = "long" if ratio > 1 else "short"
        seen = f"{seen}, {how} steps for that rhythm: is the frame rate right?"
        found = (*found, "")
    margins = (legs.swing / 0.3, n_steps / 2, 1 - 0.25 * len(found), 0.5 + legs.explained / 2)
    return "walk", max(0.3, min(1.0, *margins)), (seen, *filter(None, found))


def _measure_reach(gait: Gait, legs: LegMotion) -> tuple[FloatArray, float, float]:
    """Return (T, 2) hip to foot in legs, the correlation of both, and how fast they stretch together.

    The speed is a share of the square root of leg times gravity.
    """
    x = gait.positions[legs.first : legs.first + len(legs.along)].astype(np.float64)
    ends = ((Joint.RIGHT_HIP, Joint.RIGHT_FOOT), (Joint.LEFT_HIP, Joint.LEFT_FOOT))
    reach = np.stack([np.linalg.norm(x[:, a] - x[:, b], axis=1) for a, b in ends], axis=1)
    reach = np.nan_to_num(reach, nan=legs.leg) / legs.leg
    both = reach - reach.mean(axis=0)
    size = float(np.sqrt((both[:, 0] @ both[:, 0]) * (both[:, 1] @ both[:, 1])))
    in_phase = float(both[:, 0] @ both[:, 1]) / size if size > 0 else 0.0
    width = max(1, round(0.1 * legs.fps))
    together = reach.mean(axis=1)
    if len(together) <= width:
        return reach, in_phase, 0.0
    speed = (together[width:] - together[:-width]) * legs.fps / width
    return reach, in_phase, float(np.percentile(speed, 99)) * float(np.sqrt(LEG_M / 9.81))


def _count_steps(legs: LegMotion) -> float:
    """Return how often the feet pass each other: their way to and fro over its extent."""
    apart = legs.along[:, 0] - legs.along[:, 1]
    extent = float(np.ptp(apart))
    if not extent > 0:
        return 0.0
    way, last = 0.0, float(apart[0])
    for value in apart[1:].tolist():
        if abs(value - last) >= 0.1 * extent:  # less is noise
            way += abs(value - last)
            last = value
    return way / extent


def _measure_stillness(legs: LegMotion) -> float:
    """Return the share of time in which the feet rest beside each other."""
    apart = legs.along[:, 0] - legs.along[:, 1]
    width = min(max(1, round(0.2 * legs.fps)), len(apart) - 1)
    moved = np.abs(apart[width:] - apart[:-width])
    return float((moved < 0.1 * np.percentile(moved, 98)).mean())
