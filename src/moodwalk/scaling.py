"""Affective features on one scale: learned on training gaits, and kept with the weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import CheckpointError, QualityError, ShapeError
from moodwalk.features import FEATURES, N_PUBLISHED

__all__ = ["FeatureScaler", "compute_novelty"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class FeatureScaler:
    """Map features to [-1, 1] by their range over the training gaits.

    Parameters
    ----------
    minimum, maximum
        (F,) range of every feature over the gaits that the scaler was fitted on.

    Raises
    ------
    ShapeError
        If the two are not rows of equal length.
    QualityError
        If they are not finite, or a minimum lies above its maximum.

    Notes
    -----
    The published code takes the range over all gaits, those of the test included; that leaks. Fit
    on training gaits only: values of other gaits may then lie outside [-1, 1].
    """

    minimum: FloatArray
    maximum: FloatArray

    def __post_init__(self) -> None:
        minimum = np.array(self.minimum, dtype=np.float64)
        maximum = np.array(self.maximum, dtype=np.float64)
        if minimum.ndim != 1 or minimum.shape != maximum.shape:
            raise ShapeError(
                f"minimum has shape {minimum.shape} and maximum {maximum.shape}; expected one "
                f"value of each for every feature."
            )
        bad = ~(np.isfinite(minimum) & np.isfinite(maximum) & (minimum <= maximum))
        if bad.any():
            i = int(bad.argmax())
            raise QualityError(
                f"feature {_describe_column(i, len(minimum))} has the range {minimum[i]} to "
                f"{maximum[i]}; expected finite numbers, the smaller one first."
            )
        object.__setattr__(self, "minimum", minimum)
        object.__setattr__(self, "maximum", maximum)

    @classmethod
    def fit(cls, table: ArrayLike) -> Self:
        """Learn the range of every feature.

        Parameters
        ----------
        table
            (n, F) features of the training gaits. NaN is skipped.

        Raises
        ------
        ShapeError
            If the table has no rows or not two axes.
        QualityError
            If a feature is missing in every gait, or infinite in one.
        """
        features = np.asarray(table, dtype=np.float64)
        if features.ndim != 2 or not len(features):
            raise ShapeError(
                f"The feature table has shape {features.shape}; expected (n, F): one row for each "
                f"of at least one gait."
            )
        missing = np.isnan(features)
        if missing.all(axis=0).any():
            column = int(missing.all(axis=0).argmax())
            raise QualityError(
                f"feature {_describe_column(column, features.shape[1])} is missing (NaN) in all "
                f"{len(features)} gaits; leave the column out or fill the missing joints first."
            )
        return cls(np.nanmin(features, axis=0), np.nanmax(features, axis=0))

    def transform(self, table: ArrayLike) -> FloatArray:
        """Map features to (f - (max + min) / 2) / ((max - min) / 2).

        Parameters
        ----------
        table
            (n, F) or (F,) features.

        Returns
        -------
        ndarray
            The same shape, float64; -1 to 1 over the gaits of `fit`. A feature that was constant
            there is 0. NaN stays NaN.

        Raises
        ------
        ShapeError
            If the number of features is another.
        """
        features = np.asarray(table, dtype=np.float64)
        if features.ndim not in (1, 2) or features.shape[-1] != len(self.minimum):
            raise ShapeError(
                f"The feature table has shape {features.shape}; expected "
                f"(n, {len(self.minimum)}), as in fitting."
            )
        half = self.maximum / 2 - self.minimum / 2  # the difference itself could overflow
        middle = self.maximum / 2 + self.minimum / 2
        constant = half == 0
        scaled = (features - middle) / np.where(constant, 1.0, half)
        return np.where(constant & ~np.isnan(scaled), 0.0, scaled)

    def to_dict(self) -> dict[str, list[float]]:
        """Return the ranges as plain numbers, for a JSON header."""
        return {"minimum": self.minimum.tolist(), "maximum": self.maximum.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Sequence[float]]) -> Self:
        """Return the scaler that `to_dict` described.

        Raises
        ------
        CheckpointError
            If a range is missing or makes no sense.
        """
        try:
            return cls(np.array(data["minimum"], np.float64), np.array(data["maximum"], np.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"No feature scaler: expected minimum and maximum, one number of each for every "
                f"feature; found {json.dumps(data, default=str)[:80]} ({error})."
            ) from None


def compute_novelty(scaled: ArrayLike) -> FloatArray:
    """Compute how far walks lie outside the range of the training gaits.

    Parameters
    ----------
    scaled
        (n, F) what `FeatureScaler.transform` returned.

    Returns
    -------
    ndarray
        (n,) root mean square over features of the distance from [-1, 1]: 0 for a walk of which no
        feature is beyond all training gaits; 0.3 where, of 27, one is 1.5 half ranges beyond. NaN where a
        feature is.
    """
    outside = np.maximum(np.abs(np.asarray(scaled, dtype=np.float64)) - 1, 0)
    return np.sqrt((outside**2).mean(axis=1))


def _describe_column(column: int, width: int) -> str:
    known = width in (N_PUBLISHED, len(FEATURES))
    return f"{column} ({FEATURES[column].name})" if known else str(column)
