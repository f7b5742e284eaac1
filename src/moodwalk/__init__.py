"""moodwalk reads the perceived emotion in the way a person walks.

Names are loaded when they are first used, so that ``import moodwalk`` stays quick and torch is
loaded by what needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moodwalk.augment import Augmentation
    from moodwalk.emotion import Emotion
    from moodwalk.errors import MoodwalkError
    from moodwalk.estimator import GaitEmotionClassifier
    from moodwalk.evaluation import evaluate
    from moodwalk.features import compute_affective_features
    from moodwalk.gait import Gait, GaitSet
    from moodwalk.generation.generator import GaitGenerator
    from moodwalk.io import load_emotion_gait, read, read_gait
    from moodwalk.predict import Prediction, Predictor
    from moodwalk.walker import WalkerParameters, simulate_gait, simulate_walks

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "Emotion",
    "Gait",
    "GaitEmotionClassifier",
    "GaitGenerator",
    "GaitSet",
    "MoodwalkError",
    "Prediction",
    "Predictor",
    "WalkerParameters",
    "compute_affective_features",
    "evaluate",
    "load_emotion_gait",
    "read",
    "read_gait",
    "simulate_gait",
    "simulate_walks",
]

_HOMES = {
    "Augmentation": "moodwalk.augment",
    "Emotion": "moodwalk.emotion",
    "Gait": "moodwalk.gait",
    "GaitEmotionClassifier": "moodwalk.estimator",
    "GaitGenerator": "moodwalk.generation.generator",
    "GaitSet": "moodwalk.gait",
    "MoodwalkError": "moodwalk.errors",
    "Prediction": "moodwalk.predict",
    "Predictor": "moodwalk.predict",
    "WalkerParameters": "moodwalk.walker",
    "compute_affective_features": "moodwalk.features",
    "evaluate": "moodwalk.evaluation",
    "load_emotion_gait": "moodwalk.io",
    "read": "moodwalk.io",
    "read_gait": "moodwalk.io",
    "simulate_gait": "moodwalk.walker",
    "simulate_walks": "moodwalk.walker",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'moodwalk' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
