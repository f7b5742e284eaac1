"""Who walks, and how they differ: the emotions' distributions and the draws from them.

The tables are those of the 342 real gaits, as `python benchmarks/fit_walker.py PATH` measures them.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.gait import Gait, GaitSet
from moodwalk.walker.kinematics import check_seed, simulate_gait
from moodwalk.walker.parameters import (
    PARAMETER_LIMITS,
    PROPORTION_SPREAD,
    Proportions,
    Spread,
    WalkerParameters,
)

__all__ = ["EMOTION_PARAMETERS", "REFERENCE_HEIGHT_M", "SUBJECT_SHARE", "simulate_walks"]

FloatArray = NDArray[np.float64]

REFERENCE_HEIGHT_M = 1.70
"""Lengths in `EMOTION_PARAMETERS` belong to a walker of this height; others scale with theirs."""

BODY_HEIGHT_SD = 0.055
"""Spread of body height between simulated subjects, as a share (a choice: scale is lost in the
real gaits)."""

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
# fmt: on

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
    check_seed(seed)
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
