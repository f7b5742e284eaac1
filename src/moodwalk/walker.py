"""A parametric walker: 16 joints by forward kinematics, from parameters that are known.

It is the ground truth of tests and the embedded data of the demonstration. Whatever uses it says
"simulated walks": it follows the spread of real gaits, and is no evidence about real people.
``docs/simulated-walks.md`` describes it.

One cycle runs from strike to strike of the right foot. A foot is planted for the first
`PLANTED_SHARE` of its own cycle, then swings. Legs follow from hip and foot by two-link inverse
kinematics, so planted feet stay still; the rest is laid out bone by bone from its angles.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.gait import MIN_FRAMES, Gait, GaitSet
from moodwalk.skeleton import N_JOINTS, Joint

__all__ = [
    "EMOTION_PARAMETERS",
    "PARAMETER_LIMITS",
    "PLANTED_SHARE",
    "PROPORTION_SPREAD",
    "REFERENCE_HEIGHT_M",
    "SIMULATED_WALKS",
    "SUBJECT_SHARE",
    "Proportions",
    "Spread",
    "WalkerParameters",
    "simulate_gait",
    "simulate_walks",
]

FloatArray = NDArray[np.float64]

SIMULATED_WALKS = "simulated walks"
"""The `source` of every gait made here."""

PLANTED_SHARE = 0.5
"""Share of its cycle for which a foot joint stays where it struck. The sole stays for about 0.6, but
the foot joint lies at the ankle and rises with the heel."""

REFERENCE_HEIGHT_M = 1.70
"""Lengths in `EMOTION_PARAMETERS` belong to a walker of this height; others scale with theirs."""

LEG_TO_HEIGHT = 0.491
"""Hip to ankle over body height: 0.530 - 0.039 (Drillis and Contini 1966)."""

MIN_KNEE_FLEXION_DEG = 10.0
"""No knee gets straighter than this, which sets how high the pelvis rides (real median: 12)."""

BOUNCE_LOW_PHASE = 0.03
"""The pelvis is lowest this share of a cycle after each strike, when both legs carry."""

UPPER_BODY_LEAD = 0.05
"""Arms and shoulders turn round this share of a cycle before the strikes."""

ELBOW_TO_ARM_SWING = 0.85
"""Range of the elbow over range of the upper arm (real means: 21 and 25 degrees)."""

LIFT_PEAK = 0.38
"""Share of the swing after which the foot is highest."""

HIP_DROP = 0.3
"""How far hips lie below the root, as a share of the root-hip bone."""

BODY_HEIGHT_SD = 0.055
"""Spread of body height between simulated subjects, as a share (a choice: scale is lost in the
real gaits)."""


class Spread(NamedTuple):
    """Mean and standard deviation of one parameter."""

    mean: float
    sd: float


# fmt: off
# Printed by `python benchmarks/fit_walker.py PATH`: mean and standard deviation within happy, angry,
# sad and neutral gaits; share of the variance within an emotion that is the subject's own; loadings
# on the three main components in which parameters vary together.
_PARAMETER_ROWS: tuple[
    tuple[str, tuple[Spread, Spread, Spread, Spread], float, tuple[float, float, float]], ...
] = (
    ("cadence_spm",
     (Spread(104.0, 15.7), Spread(121.1, 21.2), Spread(84.9, 15.4), Spread(102.0, 11.3)),
     0.44, (0.03, -0.50, 0.17)),
    ("step_length_m",
     (Spread(0.589, 0.129), Spread(0.568, 0.098), Spread(0.494, 0.094), Spread(0.510, 0.083)),
     0.75, (0.11, 0.76, 0.04)),
    ("step_width_m",
     (Spread(0.138, 0.055), Spread(0.162, 0.054), Spread(0.164, 0.052), Spread(0.158, 0.043)),
     0.74, (-0.49, -0.59, 0.36)),
    ("foot_lift_m",
     (Spread(0.139, 0.030), Spread(0.132, 0.027), Spread(0.136, 0.029), Spread(0.134, 0.032)),
     0.77, (-0.58, 0.53, -0.11)),
    ("bounce_m",
     (Spread(0.042, 0.025), Spread(0.043, 0.017), Spread(0.026, 0.019), Spread(0.028, 0.017)),
     0.64, (0.60, 0.30, 0.40)),
    ("trunk_lean_deg",
     (Spread(-0.1, 8.4), Spread(2.0, 8.8), Spread(4.9, 6.8), Spread(1.5, 6.8)),
     0.70, (-0.76, -0.04, 0.04)),
    ("slouch_deg",
     (Spread(8.4, 9.3), Spread(8.8, 7.5), Spread(13.8, 9.9), Spread(10.3, 9.7)),
     0.85, (-0.81, -0.01, 0.27)),
    ("head_drop_deg",
     (Spread(13.4, 18.1), Spread(20.8, 14.6), Spread(28.0, 17.4), Spread(25.9, 17.7)),
     0.85, (-0.55, -0.48, 0.35)),
    ("shoulder_drop_deg",
     (Spread(9.7, 10.0), Spread(16.1, 10.2), Spread(10.5, 9.4), Spread(12.6, 10.7)),
     0.90, (0.81, -0.37, 0.10)),
    ("shoulder_turn_deg",
     (Spread(21.4, 19.9), Spread(15.6, 13.1), Spread(13.7, 12.8), Spread(10.4, 6.3)),
     0.50, (-0.01, 0.61, 0.52)),
    ("pelvis_turn_deg",
     (Spread(13.8, 8.6), Spread(14.0, 9.7), Spread(14.9, 10.0), Spread(11.5, 6.6)),
     0.52, (0.05, 0.26, 0.58)),
    ("arm_swing_deg",
     (Spread(35.6, 22.2), Spread(24.5, 13.0), Spread(15.4, 10.4), Spread(20.7, 8.0)),
     0.46, (0.29, 0.41, 0.63)),
    ("arm_carry_deg",
     (Spread(-3.5, 13.1), Spread(0.7, 20.2), Spread(-7.3, 14.8), Spread(-1.8, 16.8)),
     0.88, (0.86, -0.25, 0.06)),
    ("arm_abduction_deg",
     (Spread(10.0, 5.2), Spread(14.3, 5.6), Spread(9.4, 4.4), Spread(9.4, 4.2)),
     0.74, (0.19, -0.20, 0.66)),
    ("elbow_flexion_deg",
     (Spread(37.7, 13.2), Spread(38.1, 17.0), Spread(38.7, 11.8), Spread(40.0, 13.2)),
     0.81, (-0.52, -0.48, 0.32)),
    ("arm_asymmetry",
     (Spread(0.000, 0.263), Spread(0.000, 0.327), Spread(0.000, 0.336), Spread(0.000, 0.290)),
     0.46, (0.00, 0.00, 0.00)),
    ("asymmetry",
     (Spread(0.000, 0.051), Spread(0.000, 0.062), Spread(0.000, 0.048), Spread(0.000, 0.058)),
     0.44, (0.00, 0.00, 0.00)),
    ("noise_m",
     (Spread(0.0004, 0.0004), Spread(0.0009, 0.0007), Spread(0.0004, 0.0004), Spread(0.0005, 0.0004)),
     0.80, (0.64, -0.55, 0.02)),
)
PROPORTION_SPREAD: MappingProxyType[str, Spread] = MappingProxyType({
    "lower_trunk": Spread(0.230, 0.059),
    "upper_trunk": Spread(0.270, 0.053),
    "head": Spread(0.211, 0.059),
    "shoulder": Spread(0.207, 0.029),
    "upper_arm": Spread(0.337, 0.031),
    "forearm": Spread(0.308, 0.053),
    "hip": Spread(0.150, 0.024),
    "thigh": Spread(0.525, 0.034),
})
# fmt: on
"""Bone lengths of the real gaits in units of the leg (thigh and shank)."""

EMOTION_PARAMETERS: MappingProxyType[Emotion, Mapping[str, Spread]] = MappingProxyType(
    {
        emotion: MappingProxyType(
            {name: spreads[column] for name, spreads, _, _ in _PARAMETER_ROWS}
        )
        for column, emotion in enumerate(EMOTIONS)
    }
)
"""For every emotion the spread of every parameter, at `REFERENCE_HEIGHT_M`."""

SUBJECT_SHARE: MappingProxyType[str, float] = MappingProxyType(
    {name: share for name, _, share, _ in _PARAMETER_ROWS}
)
"""For every parameter the share of its variance within an emotion that lies between subjects."""

_LOADINGS = np.array([loadings for _, _, _, loadings in _PARAMETER_ROWS])
_LOADINGS.flags.writeable = False

PARAMETER_LIMITS: MappingProxyType[str, tuple[float, float]] = MappingProxyType(
    {
        "cadence_spm": (40.0, 200.0),
        "step_length_m": (0.05, 1.2),
        "step_width_m": (0.0, 0.5),
        "foot_lift_m": (0.01, 0.35),
        "bounce_m": (0.0, 0.15),
        "sway_m": (0.0, 0.15),
        "trunk_lean_deg": (-30.0, 60.0),
        "slouch_deg": (-30.0, 60.0),
        "head_drop_deg": (-60.0, 90.0),
        "shoulder_drop_deg": (-30.0, 60.0),
        "shoulder_turn_deg": (0.0, 90.0),
        "pelvis_turn_deg": (0.0, 60.0),
        "arm_swing_deg": (0.0, 150.0),
        "arm_carry_deg": (-60.0, 60.0),
        "arm_abduction_deg": (-20.0, 60.0),
        "elbow_flexion_deg": (0.0, 120.0),
        "asymmetry": (-0.3, 0.3),
        "arm_asymmetry": (-1.0, 1.0),
        "noise_m": (0.0, 0.05),
        "height_m": (0.5, 2.5),
    }
)
"""Smallest and largest value that `WalkerParameters` accepts."""


@dataclass(frozen=True, slots=True)
class WalkerParameters:
    """How one walker walks. The defaults are an unhurried neutral walk.

    Parameters
    ----------
    cadence_spm
        Steps per minute, both feet counted.
    step_length_m
        Distance along the way from one foot's strike to the other's; a stride is two.
    step_width_m
        Distance across the way between the two feet where they are planted.
    foot_lift_m
        Greatest height of a foot joint above its height when planted.
    bounce_m
        Vertical movement of the pelvis, lowest to highest; lowest just after each strike.
    sway_m
        Sideways movement of the pelvis, right to left; towards the planted foot.
    trunk_lean_deg
        Angle of root -> neck against the vertical, forward positive.
    slouch_deg
        Bend of the trunk at the spine joint: spine -> neck against root -> spine, forward positive.
    head_drop_deg
        Angle of neck -> head against root -> neck, forward positive.
    shoulder_drop_deg
        How far both shoulders lie below the neck, seen from it.
    shoulder_turn_deg, pelvis_turn_deg
        Rotation of the shoulder line and of the hip line about the trunk and the vertical, from
        one side to the other; they turn against each other.
    arm_swing_deg
        Sagittal movement of the upper arms, rearmost to foremost, mean of both arms; each swings
        with the leg of the other side.
    arm_carry_deg
        Mean sagittal angle of the upper arms against straight down, forward positive.
    arm_abduction_deg
        Angle of the upper arms away from the body.
    elbow_flexion_deg
        Mean flexion of the elbows; 0 is straight. It grows as the arm swings forward.
    asymmetry
        (right - left) / (right + left) of step times, and so of step lengths. The right step is the
        one that ends with the right foot's strike.
    arm_asymmetry
        (right - left) / (right + left) of arm swings.
    noise_m
        Standard deviation of white noise on every coordinate.
    height_m
        Body height; a leg, hip to foot joint, is 0.491 of it.

    Raises
    ------
    ConfigError
        If a value is no finite number inside `PARAMETER_LIMITS`.
    """

    cadence_spm: float = 102.0
    step_length_m: float = 0.52
    step_width_m: float = 0.14
    foot_lift_m: float = 0.13
    bounce_m: float = 0.03
    sway_m: float = 0.03
    trunk_lean_deg: float = 2.0
    slouch_deg: float = 8.0
    head_drop_deg: float = 20.0
    shoulder_drop_deg: float = 12.0
    shoulder_turn_deg: float = 10.0
    pelvis_turn_deg: float = 8.0
    arm_swing_deg: float = 24.0
    arm_carry_deg: float = 0.0
    arm_abduction_deg: float = 9.0
    elbow_flexion_deg: float = 30.0
    asymmetry: float = 0.0
    arm_asymmetry: float = 0.0
    noise_m: float = 0.0
    height_m: float = 1.70

    def __post_init__(self) -> None:
        for name, (low, high) in PARAMETER_LIMITS.items():
            value = getattr(self, name)
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = math.nan
            if not low <= number <= high:
                raise ConfigError(
                    f"WalkerParameters: {name} is {value!r}; expected a number from {low:g} to {high:g}."
                )
            object.__setattr__(self, name, number)

    @property
    def cycle_s(self) -> float:
        """Duration of a gait cycle, two steps, in seconds."""
        return 120.0 / self.cadence_spm

    @property
    def stride_m(self) -> float:
        """Length of a stride, two steps, in metres."""
        return 2.0 * self.step_length_m

    @property
    def speed_m_s(self) -> float:
        """Walking speed in metres a second."""
        return self.stride_m / self.cycle_s


@dataclass(frozen=True, slots=True)
class Proportions:
    """Bone lengths in units of the leg, both sides alike.

    The defaults are the mean proportions of the 342 real gaits (``benchmarks/fit_walker.py``).

    Parameters
    ----------
    lower_trunk, upper_trunk, head
        Root -> spine, spine -> neck, neck -> head.
    shoulder, upper_arm, forearm
        Neck -> shoulder, shoulder -> elbow, elbow -> hand.
    hip, thigh
        Root -> hip, hip -> knee; the shank is the rest of the leg.

    Raises
    ------
    ConfigError
        If a length is not above 0 and below 1.
    """

    lower_trunk: float = PROPORTION_SPREAD["lower_trunk"].mean
    upper_trunk: float = PROPORTION_SPREAD["upper_trunk"].mean
    head: float = PROPORTION_SPREAD["head"].mean
    shoulder: float = PROPORTION_SPREAD["shoulder"].mean
    upper_arm: float = PROPORTION_SPREAD["upper_arm"].mean
    forearm: float = PROPORTION_SPREAD["forearm"].mean
    hip: float = PROPORTION_SPREAD["hip"].mean
    thigh: float = PROPORTION_SPREAD["thigh"].mean

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0.0 < value < 1.0:
                raise ConfigError(
                    f"Proportions: {field.name} is {value!r}; expected a share of the leg in (0, 1)."
                )


def simulate_gait(
    parameters: WalkerParameters | None = None,
    *,
    n_frames: int | None = None,
    fps: float = 30.0,
    phase: float = 0.0,
    seed: int = 0,
    travel: bool = False,
    proportions: Proportions | None = None,
    name: str = "",
    subject: str | None = None,
    label: Emotion | None = None,
) -> Gait:
    """Simulate one walk.

    Parameters
    ----------
    parameters
        How to walk; by default ``WalkerParameters()``.
    n_frames
        Number of frames, at least 4; by default one gait cycle, rounded.
    fps
        Frames per second.
    phase
        Share of the cycle at which the walk starts: 0 is the right foot's strike.
    seed
        Seed of the noise; without noise it changes nothing.
    travel
        Whether the walker moves over the ground, which is y = 0 for planted foot joints, towards +z
        from z = 0. Otherwise the root stays at the origin in every frame, as in Emotion-Gait.
    proportions
        Bone lengths; by default ``Proportions()``.
    name, subject, label
        Passed on to the gait.

    Returns
    -------
    Gait
        (n_frames, 16, 3) float64 in metres, +y up, facing +z, right side at -x; the source is
        ``"simulated walks"``. `synthetic` stays False: that marks gaits made to train on beside real
        ones, while simulated walks stand alone, under their own name.

    Raises
    ------
    ConfigError
        If an option is out of range, or the step is too long for the legs.
    """
    parameters = parameters or WalkerParameters()
    if not (math.isfinite(fps) and fps > 0 and math.isfinite(phase)):
        raise ConfigError(
            f"simulate_gait: fps {fps}, phase {phase}; expected a positive and a finite number."
        )
    _check_seed(seed)
    if n_frames is None:
        n_frames = max(MIN_FRAMES, round(parameters.cycle_s * fps))
    if n_frames < MIN_FRAMES:
        raise ConfigError(f"simulate_gait: {n_frames} frames; expected at least {MIN_FRAMES}.")
    phases = phase + np.arange(n_frames) / (fps * parameters.cycle_s)
    body = _Body.scale(parameters, proportions or Proportions())
    positions = _lay_out(parameters, body, phases)
    noise = np.random.default_rng(seed).normal(0.0, parameters.noise_m, positions.shape)
    if travel:
        positions[..., 2] += parameters.stride_m * (phases - phase)[:, None]
    else:
        positions -= positions[:, :1]
        noise[:, Joint.ROOT] = 0.0
    return Gait(
        positions + noise, fps, name=name, subject=subject, label=label, source=SIMULATED_WALKS
    )


def simulate_walks(
    n_subjects: int = 24,
    gaits_per_subject: int = 4,
    seed: int = 0,
    fps: float = 30.0,
    n_frames: int | None = None,
) -> GaitSet:
    """Simulate walks of several people in all four emotions.

    Every subject has a body (height, proportions) and a style: the share `SUBJECT_SHARE` of the
    variance of `EMOTION_PARAMETERS` is the subject's own and the same in all of their gaits, the rest
    is drawn anew for each gait. Parameters vary together as in the real gaits. Emotions are
    balanced: each subject goes through the four in turn, beginning with another one than the
    subject before.

    Parameters
    ----------
    n_subjects, gaits_per_subject
        How many walkers, and how many gaits of each.
    seed
        Seed of everything random.
    fps
        Frames per second.
    n_frames
        Frames of every gait; by default one gait cycle each, 24 to 60 frames at 30 fps.

    Returns
    -------
    GaitSet
        Subject by subject, with labels and subjects, root at the origin, source
        ``"simulated walks"``.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """
    if n_subjects < 1 or gaits_per_subject < 1:
        raise ConfigError(
            f"simulate_walks: {n_subjects} subjects with {gaits_per_subject} gaits each; "
            f"expected at least 1 of both."
        )
    _check_seed(seed)
    gaits: list[Gait] = []
    for number in range(n_subjects):
        rng = np.random.default_rng((seed, number))  # a subject does not depend on how many follow
        subject = f"sim-{number + 1:03d}"
        height_m = REFERENCE_HEIGHT_M * float(np.clip(rng.normal(1.0, BODY_HEIGHT_SD), 0.8, 1.2))
        proportions = _draw_proportions(rng)
        style = _draw_deviations(rng)
        for turn in range(gaits_per_subject):
            emotion = EMOTIONS[(number + turn) % len(EMOTIONS)]
            gaits.append(
                simulate_gait(
                    _draw_parameters(rng, emotion, style, height_m),
                    n_frames=n_frames,
                    fps=fps,
                    phase=float(rng.random()),
                    seed=int(rng.integers(2**32)),
                    proportions=proportions,
                    name=f"{subject}-{turn + 1}-{emotion}",
                    subject=subject,
                    label=emotion,
                )
            )
    return GaitSet(gaits)


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ConfigError(f"seed is {seed}; expected a whole number from 0.")


@dataclass(frozen=True, slots=True)
class _Body:
    """Bone lengths in metres, and the longest a leg may get."""

    lower_trunk: float
    upper_trunk: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float
    hip: float
    thigh: float
    shank: float

    @classmethod
    def scale(cls, parameters: WalkerParameters, proportions: Proportions) -> "_Body":
        leg = LEG_TO_HEIGHT * parameters.height_m
        lengths = {
            field.name: leg * getattr(proportions, field.name) for field in fields(proportions)
        }
        return cls(**lengths, shank=leg - lengths["thigh"])

    @property
    def reach(self) -> float:
        cosine = math.cos(math.radians(MIN_KNEE_FLEXION_DEG))
        return math.sqrt(self.thigh**2 + self.shank**2 + 2 * self.thigh * self.shank * cosine)


def _lay_out(p: WalkerParameters, body: _Body, phases: FloatArray) -> FloatArray:
    """Positions (T, 16, 3) over a root that advances by itself: only the stride is left out."""
    positions = np.zeros((len(phases), N_JOINTS, 3))
    root = _compute_root(p, phases)
    root[:, 1] = _compute_pelvis_height(p, body) - _compute_drop(p, phases)
    positions[:, Joint.ROOT] = root
    for side, hip, knee, foot in (
        (-1, Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_FOOT),
        (1, Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_FOOT),
    ):
        positions[:, hip] = root + _compute_hip(p, body, phases, side)
        positions[:, foot] = _compute_foot(p, phases, side)
        positions[:, knee] = _compute_knee(body, positions[:, hip], positions[:, foot])
    _lay_out_trunk(p, body, positions)
    for side, shoulder, elbow, hand in (
        (-1, Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_HAND),
        (1, Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_HAND),
    ):
        _lay_out_arm(p, body, phases, positions, side, (shoulder, elbow, hand))
    return positions


def _compute_body_phase(p: WalkerParameters, phases: FloatArray) -> FloatArray:
    """Phase of what both legs share: smooth, 0 at right strikes and 1/2 at left ones."""
    left_strike = (1.0 - p.asymmetry) / 2.0
    half = math.pi * left_strike
    bend = p.asymmetry / (4.0 * math.sin(half))
    return phases + bend * (np.sin(2.0 * math.pi * phases - half) + math.sin(half))


def _compute_drop(p: WalkerParameters, phases: FloatArray) -> FloatArray:
    """How far the pelvis lies below its highest point."""
    turns = 2.0 * (_compute_body_phase(p, phases) - BOUNCE_LOW_PHASE)
    return p.bounce_m * (1.0 + np.cos(2.0 * math.pi * turns)) / 2.0


def _compute_root(p: WalkerParameters, phases: FloatArray) -> FloatArray:
    """Root on the ground plane: it sways towards the planted foot."""
    root = np.zeros((len(phases), 3))
    root[:, 0] = -p.sway_m / 2.0 * np.sin(2.0 * math.pi * _compute_body_phase(p, phases))
    return root


def _compute_hip(p: WalkerParameters, body: _Body, phases: FloatArray, side: int) -> FloatArray:
    """Hip relative to the root; side is -1 on the right, 1 on the left."""
    swing = np.cos(2.0 * math.pi * _compute_body_phase(p, phases))
    turn = math.radians(p.pelvis_turn_deg) / 2.0 * swing
    across, below = body.hip * math.sqrt(1.0 - HIP_DROP**2), body.hip * HIP_DROP
    return np.stack(
        [side * across * np.cos(turn), np.full_like(turn, -below), -side * across * np.sin(turn)],
        axis=1,
    )


def _compute_foot(p: WalkerParameters, phases: FloatArray, side: int) -> FloatArray:
    """Foot over the ground, forward of the advancing root's z."""
    own = phases - (0.0 if side < 0 else (1.0 - p.asymmetry) / 2.0)
    own = own - np.floor(own)
    swing = np.clip((own - PLANTED_SHARE) / (1.0 - PLANTED_SHARE), 0.0, 1.0)
    carried = swing**2 * (3.0 - 2.0 * swing)
    forward = p.stride_m * (PLANTED_SHARE / 2.0 - own + carried)
    # s^a (1 - s)^b peaks at a / (a + b); b = 2 lets the foot land softly
    rise = 2.0 * LIFT_PEAK / (1.0 - LIFT_PEAK)
    peak = LIFT_PEAK**rise * (1.0 - LIFT_PEAK) ** 2
    up = p.foot_lift_m * swing**rise * (1.0 - swing) ** 2 / peak
    return np.stack([np.full_like(own, side * p.step_width_m / 2.0), up, forward], axis=1)


def _compute_pelvis_height(p: WalkerParameters, body: _Body) -> float:
    """Greatest height of the root at which both legs reach their feet all through the cycle."""
    own = np.linspace(0.0, 1.0, 120, endpoint=False)
    heights: list[FloatArray] = []
    for side, strike in ((-1, 0.0), (1, (1.0 - p.asymmetry) / 2.0)):
        phases = own + strike  # so that a mirrored walk gets the same height
        hip = _compute_root(p, phases) + _compute_hip(p, body, phases, side)
        foot = _compute_foot(p, phases, side)
        across, forward = (foot - hip)[:, 0], (foot - hip)[:, 2]
        square = body.reach**2 - across**2 - forward**2
        heights.append(
            foot[:, 1] - hip[:, 1] + _compute_drop(p, phases) + np.sqrt(np.maximum(square, 0.0))
        )
    height = float(np.min(heights))
    clearance = height - p.bounce_m - HIP_DROP * body.hip
    leg = body.thigh + body.shank
    if clearance < leg / 2.0:
        raise ConfigError(
            f"WalkerParameters: steps of {p.step_length_m:g} m, {p.step_width_m:g} m apart, need hips at "
            f"{clearance:.2f} m; expected at least half of the leg of {leg:.2f} m. Shorten the steps."
        )
    if clearance - p.foot_lift_m < abs(body.thigh - body.shank) + 0.05 * leg:
        raise ConfigError(
            f"WalkerParameters: foot_lift_m {p.foot_lift_m:g} brings the foot too near to hips at "
            f"{clearance:.2f} m for legs of {leg:.2f} m; lift it less."
        )
    return height


def _compute_knee(body: _Body, hip: FloatArray, foot: FloatArray) -> FloatArray:
    """Knee of a two-link leg, in front of the line from hip to foot."""
    line = foot - hip
    distance = np.linalg.norm(line, axis=1, keepdims=True)
    axis = line / distance
    along = (body.thigh**2 - body.shank**2 + distance**2) / (2.0 * distance)
    aside = np.sqrt(np.maximum(body.thigh**2 - along**2, 0.0))
    front = np.array([0.0, 0.0, 1.0]) - axis * axis[:, 2:]
    front /= np.linalg.norm(front, axis=1, keepdims=True)
    return hip + along * axis + aside * front


def _lay_out_trunk(p: WalkerParameters, body: _Body, positions: FloatArray) -> None:
    """Spine, neck and head: the chord from root to neck has the lean asked for."""
    lean, slouch, drop = (
        math.radians(angle) for angle in (p.trunk_lean_deg, p.slouch_deg, p.head_drop_deg)
    )
    lower = lean - math.atan2(
        body.upper_trunk * math.sin(slouch),
        body.lower_trunk + body.upper_trunk * math.cos(slouch),
    )
    for parent, child, length, angle in (
        (Joint.ROOT, Joint.SPINE, body.lower_trunk, lower),
        (Joint.SPINE, Joint.NECK, body.upper_trunk, lower + slouch),
        (Joint.NECK, Joint.HEAD, body.head, lean + drop),
    ):
        bone = np.array([0.0, math.cos(angle), math.sin(angle)])
        positions[:, child] = positions[:, parent] + length * bone


def _lay_out_arm(
    p: WalkerParameters,
    body: _Body,
    phases: FloatArray,
    positions: FloatArray,
    side: int,
    joints: tuple[Joint, Joint, Joint],
) -> None:
    """Shoulder, elbow and hand of one side; side is -1 on the right, 1 on the left."""
    shoulder, elbow, hand = joints
    # 1 where this side's arm is foremost: as the other side's foot strikes
    forward = side * np.cos(2.0 * math.pi * (_compute_body_phase(p, phases) + UPPER_BODY_LEAD))
    lean, drop = math.radians(p.trunk_lean_deg), math.radians(p.shoulder_drop_deg)
    turn = math.radians(p.shoulder_turn_deg) / 2.0 * forward
    up = np.array([0.0, math.cos(lean), math.sin(lean)])
    front = np.array([0.0, -math.sin(lean), math.cos(lean)])
    out = side * np.cos(turn)[:, None] * np.array([1.0, 0.0, 0.0]) + np.sin(turn)[:, None] * front
    bone = math.cos(drop) * out - math.sin(drop) * up
    positions[:, shoulder] = positions[:, Joint.NECK] + body.shoulder * bone

    swing_deg = p.arm_swing_deg * (1.0 - side * p.arm_asymmetry)
    angle = np.radians(p.arm_carry_deg + swing_deg / 2.0 * forward)
    away = math.radians(p.arm_abduction_deg)
    upper = np.stack(
        [
            np.full_like(angle, side * math.sin(away)),
            -math.cos(away) * np.cos(angle),
            math.cos(away) * np.sin(angle),
        ],
        axis=1,
    )
    ahead = np.stack([np.zeros_like(angle), np.sin(angle), np.cos(angle)], axis=1)
    range_deg = min(
        ELBOW_TO_ARM_SWING * swing_deg, 2.0 * p.elbow_flexion_deg
    )  # never past straight
    flexion = np.radians(p.elbow_flexion_deg + range_deg / 2.0 * forward)[:, None]
    positions[:, elbow] = positions[:, shoulder] + body.upper_arm * upper
    lower = np.cos(flexion) * upper + np.sin(flexion) * ahead
    positions[:, hand] = positions[:, elbow] + body.forearm * lower


_SIGNED = frozenset(
    {
        "trunk_lean_deg",
        "slouch_deg",
        "head_drop_deg",
        "shoulder_drop_deg",
        "arm_carry_deg",
        "arm_abduction_deg",
        "asymmetry",
        "arm_asymmetry",
    }
)
"""Drawn from normal distributions; all others are positive and drawn from log-normal ones."""

_DRAWN_LIMITS: dict[str, tuple[float, float]] = {
    "cadence_spm": (60.0, 150.0),  # a cycle of 60 to 24 frames at 30 fps
    "step_length_m": (0.15, 0.95),
    "foot_lift_m": (0.03, 0.25),
}
"""Where drawn values are cut off, at `REFERENCE_HEIGHT_M`, if before `PARAMETER_LIMITS`."""

_FARTHEST = 2.2
"""No value is drawn farther than so many standard deviations from its mean."""


def _draw_deviations(rng: np.random.Generator) -> FloatArray:
    """Draw one standard deviate for every parameter, correlated through the components."""
    common = rng.standard_normal(_LOADINGS.shape[1])
    own = rng.standard_normal(len(_LOADINGS))
    return _LOADINGS @ common + np.sqrt(1.0 - (_LOADINGS**2).sum(axis=1)) * own


def _draw_parameters(
    rng: np.random.Generator, emotion: Emotion, style: FloatArray, height_m: float
) -> WalkerParameters:
    """Draw one gait's parameters around its emotion's means, with the subject's style."""
    shares = np.array(list(SUBJECT_SHARE.values()))
    deviations = np.sqrt(shares) * style + np.sqrt(1.0 - shares) * _draw_deviations(rng)
    deviations = np.clip(deviations, -_FARTHEST, _FARTHEST)
    drawn: dict[str, float] = {}
    for name, z in zip(SUBJECT_SHARE, deviations.tolist(), strict=True):
        mean, sd = EMOTION_PARAMETERS[emotion][name]
        if name in _SIGNED:
            value = mean + sd * z
        else:
            log_variance = math.log1p((sd / mean) ** 2)
            value = mean * math.exp(math.sqrt(log_variance) * z - log_variance / 2.0)
        low, high = _DRAWN_LIMITS.get(name, PARAMETER_LIMITS[name])
        size = height_m / REFERENCE_HEIGHT_M if name.endswith("_m") else 1.0
        drawn[name] = size * min(max(value, low), high)
    return WalkerParameters(**drawn, height_m=height_m)


def _draw_proportions(rng: np.random.Generator) -> Proportions:
    """Draw one subject's body."""
    return Proportions(
        **{
            name: mean + sd * float(np.clip(rng.standard_normal(), -2.0, 2.0))
            for name, (mean, sd) in PROPORTION_SPREAD.items()
        }
    )
