"""What a network's answers are worth: calibrated, and withheld where they are not to be trusted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.evaluation import (
    Abstention,
    Evaluation,
    apply_temperature,
    compute_calibration_error,
    compute_log_loss,
    compute_risk_coverage,
    cross_validate_threshold,
    fit_temperature,
)
from moodwalk.gait import GaitSet
from moodwalk.models.encoding import GaitEncoder
from moodwalk.scaling import compute_novelty

__all__ = [
    "SHARE_RIGHT",
    "SHARE_WITHIN",
    "Calibration",
    "calibrate",
    "choose_abstention",
    "choose_novelty",
]

SHARE_RIGHT = 0.75
"""Of the answers that are not withheld, unless the user wants another share."""

_COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

SHARE_WITHIN = 0.99
"""Of walks like the training gaits, but of other walkers, that are not called unlike them."""

LEAST_WALKERS = 20
"""Fewer say nothing about how walkers differ."""

_NOVELTY_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Calibration:
    """One temperature, and what it does to gaits that it was not fitted on.

    Parameters
    ----------
    temperature
        Fitted on the out-of-fold answers of all folds.
    error_before, error_after
        Expected calibration error of the out-of-fold answers; after with, for each fold, a
        temperature that was fitted on the other folds.
    log_loss_before, log_loss_after
        The same for the mean negative log-likelihood, in nats.
    """

    temperature: float
    error_before: float
    error_after: float
    log_loss_before: float
    log_loss_after: float


def calibrate(evaluation: Evaluation) -> Calibration:
    """Fit a temperature on the out-of-fold answers of an evaluation.

    Parameters
    ----------
    evaluation
        Of one repeat.

    Returns
    -------
    Calibration
        The temperature, and figures that it did not see.
    """
    classes, labels, answers = evaluation.classes, evaluation.labels, evaluation.probabilities
    column = np.array([classes.index(name) for name in labels.tolist()])
    logs = np.log(np.clip(answers, 1e-12, None))
    scaled = _scale_by_other_folds(evaluation)
    return Calibration(
        fit_temperature(logs, column),
        compute_calibration_error(labels, answers, classes),
        compute_calibration_error(labels, scaled, classes),
        compute_log_loss(labels, answers, classes),
        compute_log_loss(labels, scaled, classes),
    )


def choose_abstention(
    evaluation: Evaluation, share_right: float = SHARE_RIGHT
) -> tuple[Abstention, dict[str, list[float]]]:
    """Choose the confidence below which answers are withheld, on out-of-fold answers.

    Parameters
    ----------
    evaluation
        Of one repeat.
    share_right
        Of the answers given, how many should be right.

    Returns
    -------
    abstention
        The threshold for calibrated probabilities, and what it is worth on folds that did not choose.
    curve
        The risk-coverage curve at every tenth of coverage: ``coverage``, ``threshold`` and ``risk``.
    """
    scaled = _scale_by_other_folds(evaluation)
    right = np.array(evaluation.classes)[scaled.argmax(axis=1)] == evaluation.labels
    confidence = scaled.max(axis=1)
    curve = compute_risk_coverage(confidence, right)
    at = [int(np.searchsorted(curve.coverage, share - 1e-9)) for share in _COVERAGES]
    points = {
        name: [round(float(values[i]), 4) for i in at]
        for name, values in zip(curve._fields, curve, strict=True)
    }
    return cross_validate_threshold(confidence, right, evaluation.fold, share_right), points


def choose_novelty(gaits: GaitSet, encoder: GaitEncoder, seed: int = 0) -> dict[str, Any] | None:
    """Choose how far outside the training gaits' range a walk may lie and still be answered.

    Parameters
    ----------
    gaits
        Training gaits. Each walker's are held against the range of those of other walkers.
    encoder
        What the network sees of a gait.
    seed
        Which walkers are held out together.

    Returns
    -------
    dict or None
        ``most``, which `SHARE_WITHIN` of the gaits do not exceed, and what it was chosen on. None
        where there are fewer than `LEAST_WALKERS` walkers, or no affective features.
    """
    walkers = np.unique(gaits.subjects)
    if len(walkers) < LEAST_WALKERS or not encoder.n_affective:
        return None
    novelty = np.empty(len(gaits))
    for held in np.array_split(np.random.default_rng(seed).permutation(walkers), _NOVELTY_FOLDS):
        here = np.isin(gaits.subjects, held)
        fitted = GaitEncoder.fit(
            gaits[np.flatnonzero(~here)],
            n_affective=encoder.n_affective,
            root_relative=encoder.root_relative,
            body_form=encoder.body_form,
            n_frames=encoder.n_frames,
            fps=encoder.fps,
        )
        affective = fitted.encode(gaits[np.flatnonzero(here)])[1]
        assert affective is not None
        novelty[here] = compute_novelty(affective)
    return {
        "most": round(float(np.quantile(novelty, SHARE_WITHIN)), 4),
        "share_within": SHARE_WITHIN,
        "n_gaits": len(gaits),
        "n_walkers": len(walkers),
        "folds": _NOVELTY_FOLDS,
    }


def _scale_by_other_folds(evaluation: Evaluation) -> NDArray[np.float64]:
    """Return out-of-fold answers, each scaled by the temperature of the other folds."""
    classes, answers = evaluation.classes, evaluation.probabilities
    column = np.array([classes.index(name) for name in evaluation.labels.tolist()])
    logs = np.log(np.clip(answers, 1e-12, None))
    scaled = np.empty_like(answers)
    for number in np.unique(evaluation.fold):
        here = evaluation.fold == number
        scaled[here] = apply_temperature(answers[here], fit_temperature(logs[~here], column[~here]))
    return scaled
