"""From parameters to joints: one walk by forward kinematics.

One cycle runs from strike to strike of the right foot. A foot is planted for the first
`PLANTED_SHARE` of its own cycle, then swings. Legs follow from hip and foot by two-link inverse
kinematics, so planted feet stay still; the rest is laid out bone by bone from its angles.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import Emotion
from moodwalk.errors import ConfigError
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.skeleton import N_JOINTS, Joint
from moodwalk.walker.parameters import LEG_TO_HEIGHT, Proportions, WalkerParameters

__all__ = ["PLANTED_SHARE", "SIMULATED_WALKS", "check_seed", "simulate_gait"]

FloatArray = NDArray[np.float64]

SIMULATED_WALKS = "simulated walks"
"""The `source` of every gait made here."""

PLANTED_SHARE = 0.5
"""Share of its cycle for which a foot joint stays where it struck. The sole stays for about 0.6, but
the foot joint lies at the ankle and rises with the heel."""

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
    check_seed(seed)
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


def check_seed(seed: int) -> None:
    """Refuse a seed that is no whole number from 0.

    Raises
    ------
    ConfigError
        If the seed is negative.
    """
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
