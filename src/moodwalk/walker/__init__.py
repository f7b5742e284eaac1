"""A parametric walker: 16 joints by forward kinematics, from parameters that are known.

It is the ground truth of tests and the embedded data of the demonstration. Whatever uses it says
"simulated walks": it follows the spread of real gaits, and is no evidence about real people.
``docs/simulated-walks.md`` describes it.
"""

from moodwalk.walker.kinematics import PLANTED_SHARE, SIMULATED_WALKS, simulate_gait
from moodwalk.walker.parameters import (
    PARAMETER_LIMITS,
    PROPORTION_SPREAD,
    Proportions,
    Spread,
    WalkerParameters,
)
from moodwalk.walker.population import (
    EMOTION_PARAMETERS,
    REFERENCE_HEIGHT_M,
    SUBJECT_SHARE,
    simulate_walks,
)

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
