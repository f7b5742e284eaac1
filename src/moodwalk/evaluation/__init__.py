"""How good a model is, and how sure that figure is."""

from moodwalk.evaluation.calibration import TEMPERATURE_RANGE, apply_temperature, fit_temperature
from moodwalk.evaluation.metrics import (
    ClassScore,
    Reliability,
    Scores,
    compute_brier_score,
    compute_calibration_error,
    compute_log_loss,
    compute_reliability,
    compute_scores,
)
from moodwalk.evaluation.protocols import (
    PROTOCOLS,
    Protocol,
    Split,
    make_splits,
)
from moodwalk.evaluation.run import Evaluation, Fold, evaluate
from moodwalk.evaluation.statistics import compute_proportion_interval, compute_subject_interval

__all__ = [
    "PROTOCOLS",
    "TEMPERATURE_RANGE",
    "ClassScore",
    "Evaluation",
    "Fold",
    "Protocol",
    "Reliability",
    "Scores",
    "Split",
    "apply_temperature",
    "compute_brier_score",
    "compute_calibration_error",
    "compute_log_loss",
    "compute_proportion_interval",
    "compute_reliability",
    "compute_scores",
    "compute_subject_interval",
    "evaluate",
    "fit_temperature",
    "make_splits",
]
