"""What the parts of an evaluation share: means with intervals, and tables."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["N_RESAMPLES", "Interval", "ReportTable", "compute_interval", "compute_mean"]

N_RESAMPLES = 2000
"""Of every bootstrap."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 95 % interval from resampled walks or pieces; None where nothing is known."""

    mean: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.mean is None:
            return "-"
        return f"{self.mean:.3g} ({self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table of a report: rows of cells as text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    caption: str = ""


def compute_mean(values: NDArray[Any]) -> float:
    """Return the mean of what is known; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else math.nan


def compute_interval(values: NDArray[np.float64], draws: NDArray[np.int64]) -> Interval:
    """Compute the mean of what is known, with a percentile bootstrap interval.

    Parameters
    ----------
    values
        (n,) figures, NaN where unknown.
    draws
        (B, n) which of them each resample has.
    """
    known = ~np.isnan(values)
    if not known.any():
        return Interval(None, None, None)
    sums = np.where(known, values, 0.0)[draws].sum(axis=1)
    counts = known[draws].sum(axis=1)
    means = sums[counts > 0] / counts[counts > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(values[known].mean()), float(low), float(high))
