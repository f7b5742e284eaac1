"""What describes one walker: the way of walking, and the bones.

The limits are what the walker accepts; the proportions are those of the real gaits.
"""

import math
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import NamedTuple

from moodwalk.errors import ConfigError

__all__ = [
    "LEG_TO_HEIGHT",
    "PARAMETER_LIMITS",
    "PROPORTION_SPREAD",
    "Proportions",
    "Spread",
    "WalkerParameters",
]

LEG_TO_HEIGHT = 0.491
"""Hip to ankle over body height: 0.530 - 0.039 (Drillis and Contini 1966)."""


class Spread(NamedTuple):
    """Mean and standard deviation of one parameter."""

    mean: float
    sd: float


# Printed by `python benchmarks/fit_walker.py PATH`.
# fmt: off
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
