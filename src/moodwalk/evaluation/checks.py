"""What the statistics ask of the numbers they are given."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moodwalk.errors import ConfigError, ShapeError

__all__ = ["NOISE", "check_finite", "check_share", "to_array"]

NOISE = 1e-12
"""Share of the greatest value: what rounding adds to equal numbers."""


def check_finite(values: ArrayLike, what: str, n_axes: int) -> NDArray[np.float64]:
    """Return finite numbers in an array of one or two axes that is not empty, or raise ShapeError."""
    array = to_array(values, what)
    if array.ndim != n_axes or not array.size:
        expected = {1: "(k,) with k > 0", 2: "(n, k) with n, k > 0"}[n_axes]
        raise ShapeError(f"{what} have shape {array.shape}; expected {expected}.")
    if n_bad := int((~np.isfinite(array)).sum()):
        raise ShapeError(
            f"{what}: {n_bad} of {array.size} are not finite; expected all to be, so leave out "
            "what failed, for every model alike."
        )
    return array


def check_share(what: str, value: float) -> None:
    """Raise ConfigError unless a number lies between 0 and 1, both excluded."""
    if not 0 < value < 1:
        raise ConfigError(f"{what} is {value}; expected between 0 and 1.")


def to_array(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return numbers as an array, or raise ShapeError."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{what} are not an array of numbers: {error}.") from error
