"""Temperature scaling: one number that makes confidences honest and leaves the answers alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from moodwalk.errors import ConfigError, LabelError, ShapeError

__all__ = ["TEMPERATURE_RANGE", "apply_temperature", "fit_temperature"]

TEMPERATURE_RANGE = (0.05, 20.0)
"""Temperatures outside say that there is too little data, not that the model is so sure."""

_TINY = float(np.finfo(np.float64).tiny)


def fit_temperature(scores: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature with the least negative log-likelihood on held-out gaits.

    Parameters
    ----------
    scores
        (n, k) logits, or logarithms of probabilities, which serve as well; -inf is taken as a
        probability of practically nothing.
    labels
        (n,) column of the right class, 0 to k - 1.

    Returns
    -------
    float
        Temperature within `TEMPERATURE_RANGE`: above 1 where the model was too sure, below 1
        where it was too hesitant. 1 where no other temperature is better.

    Raises
    ------
    ShapeError
        If the arrays do not fit, are empty, or scores hold NaN or +inf.
    LabelError
        If a label is no column.

    References
    ----------
    .. [1] Guo et al. (2017), arXiv:1706.04599.
    """
    logits = np.asarray(scores, dtype=np.float64)
    if logits.ndim != 2 or not logits.size:
        raise ShapeError(f"scores have shape {logits.shape}; expected (n, k).")
    target = np.asarray(labels)
    if target.shape != (len(logits),):
        raise ShapeError(f"labels have shape {target.shape}; expected ({len(logits)},).")
    if (
        not np.issubdtype(target.dtype, np.integer)
        or not ((target >= 0) & (target < logits.shape[1])).all()
    ):
        raise LabelError(
            f"labels are not all columns; expected integers from 0 to {logits.shape[1] - 1}."
        )
    if np.isnan(logits).any() or np.isposinf(logits).any():
        raise ShapeError("scores hold NaN or +inf; expected logits or logarithms of probabilities.")
    logits = np.maximum(logits - logits.max(axis=1, keepdims=True), np.log(_TINY))
    rows = np.arange(len(logits))

    def compute_loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, target].mean())

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(
        compute_loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}
    )
    best = float(found.x)
    return float(np.exp(best)) if compute_loss(best) < compute_loss(0.0) else 1.0


def apply_temperature(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Soften (T > 1) or sharpen (T < 1) probabilities.

    Parameters
    ----------
    probabilities
        (..., k), each row summing to 1.
    temperature
        Positive.

    Returns
    -------
    NDArray[np.float64]
        Same shape, softmax(log(p) / T). The order of the classes stays.

    Raises
    ------
    ConfigError
        If the temperature is not a positive number.
    ShapeError
        If probabilities are negative or not finite.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature is {temperature}; expected a positive number.")
    given = np.asarray(probabilities, dtype=np.float64)
    if not given.ndim or not (np.isfinite(given) & (given >= 0)).all():
        raise ShapeError("probabilities are negative or not finite; expected (..., k) from 0 to 1.")
    return softmax(np.log(np.maximum(given, _TINY)) / temperature, axis=-1)
