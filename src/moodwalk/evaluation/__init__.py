"""How good a model is, and how sure that figure is."""

from moodwalk.evaluation.abstention import (
    Abstention,
    RiskCoverage,
    choose_threshold,
    compute_risk_coverage,
    cross_validate_threshold,
)
from moodwalk.evaluation.calibration import TEMPERATURE_RANGE, apply_temperature, fit_temperature
from moodwalk.evaluation.comparison import (
    CorrectedInterval,
    CorrectedTTest,
    McNemarTest,
    PooledAnswers,
    SubjectDifference,
    compute_corrected_interval,
    compute_corrected_t_test,
    compute_mcnemar,
    compute_subject_difference,
    pool_answers,
)
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
from moodwalk.evaluation.power import compute_gaits_needed, compute_power
from moodwalk.evaluation.protocols import (
    PROTOCOLS,
    Protocol,
    Split,
    make_splits,
)
from moodwalk.evaluation.ranking import FriedmanTest, compute_friedman, compute_holm
from moodwalk.evaluation.run import Evaluation, Fold, evaluate
from moodwalk.evaluation.statistics import compute_proportion_interval, compute_subject_interval

__all__ = [
    "PROTOCOLS",
    "TEMPERATURE_RANGE",
    "Abstention",
    "ClassScore",
    "CorrectedInterval",
    "CorrectedTTest",
    "Evaluation",
    "Fold",
    "FriedmanTest",
    "McNemarTest",
    "PooledAnswers",
    "Protocol",
    "Reliability",
    "RiskCoverage",
    "Scores",
    "Split",
    "SubjectDifference",
    "apply_temperature",
    "choose_threshold",
    "compute_brier_score",
    "compute_calibration_error",
    "compute_corrected_interval",
    "compute_corrected_t_test",
    "compute_friedman",
    "compute_gaits_needed",
    "compute_holm",
    "compute_log_loss",
    "compute_mcnemar",
    "compute_power",
    "compute_proportion_interval",
    "compute_reliability",
    "compute_risk_coverage",
    "compute_scores",
    "compute_subject_difference",
    "compute_subject_interval",
    "cross_validate_threshold",
    "evaluate",
    "fit_temperature",
    "make_splits",
    "pool_answers",
]
