"""Cubic splines through or near a series, without SciPy, whose splines take longer to load than a walk."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_spline"]

FloatArray = NDArray[np.float64]

_BLOCK = 48
"""Coefficients that are solved for together: more cost more arithmetic, fewer more steps."""


def fit_spline(values: FloatArray, knots: FloatArray, at: FloatArray) -> FloatArray:
    """Evaluate the cubic spline that comes nearest to a series in the sense of least squares.

    Parameters
    ----------
    values
        (T, C), at the times 0 to T - 1.
    knots
        (K,) where the pieces meet, ascending from 0 to T - 1, such that there are no more pieces than
        T - 3 and each knot's neighbourhood holds a frame. With T - 3 pieces the spline goes through
        every value.
    at
        (N,) times, 0 to T - 1.

    Returns
    -------
    ndarray
        (N, C).

    References
    ----------
    .. [1] de Boor (2001), A practical guide to splines, revised edition, chapters IX, X and XIV.
    """
    padded = np.pad(knots, 3, mode="edge")
    n = len(knots) + 2
    piece, basis = _compute_basis(padded, np.arange(len(values), dtype=np.float64))
    # The normal equations: coefficients further than three apart share no frame.
    diagonals = np.zeros((4, n))
    right = np.zeros((n, values.shape[1]))
    for i in range(4):
        np.add.at(right, piece + i, basis[:, i, None] * values)
        for j in range(i, 4):
            diagonals[j - i] += np.bincount(piece + i, basis[:, i] * basis[:, j], minlength=n)
    coefficients = _solve_banded(diagonals, right)
    piece, basis = _compute_basis(padded, at)
    return np.einsum("ni,nic->nc", basis, coefficients[piece[:, None] + np.arange(4)])


def _compute_basis(padded: FloatArray, at: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """Return (N,) first of the four basis functions that are not zero, and their (N, 4) values."""
    piece = np.clip(np.searchsorted(padded, at, side="right") - 1, 3, len(padded) - 5)
    basis = np.zeros((len(at), 4))
    basis[:, 0] = 1.0
    for degree in range(1, 4):
        carried = np.zeros(len(at))
        for i in range(degree):
            right, left = padded[piece + i + 1], padded[piece + i + 1 - degree]
            share = basis[:, i] / (right - left)
            basis[:, i] = carried + (right - at) * share
            carried = (at - left) * share
        basis[:, degree] = carried
    return piece - 3, basis


def _solve_banded(diagonals: FloatArray, right: FloatArray) -> FloatArray:
    """Solve a symmetric positive definite system, block after block.

    Parameters
    ----------
    diagonals
        (D, n): element [d, i] stands in row i and column i + d, and the other way round.
    right
        (n, C).

    Returns
    -------
    ndarray
        (n, C).
    """
    n, reach = diagonals.shape[1], len(diagonals) - 1
    starts = range(0, n, _BLOCK)
    # From first to last: each block's unknowns in terms of the next one's first ones.
    solved: list[FloatArray] = []
    links: list[FloatArray] = []
    for start in starts:
        end = min(start + _BLOCK, n)
        block = np.diag(diagonals[0, start:end])
        for d in range(1, min(reach, end - start - 1) + 1):
            beside = diagonals[d, start : end - d]
            block += np.diag(beside, d) + np.diag(beside, -d)
        rows = right[start:end]
        if solved:
            m = min(reach, end - start)
            corner = _take_corner(diagonals, start, m)
            block[:m, :m] -= corner.T @ links[-1][-reach:]
            rows = rows.copy()
            rows[:m] -= corner.T @ solved[-1][-reach:]
        m = min(reach, n - end)
        beyond = np.zeros((end - start, m))
        if m:
            beyond[-reach:] = _take_corner(diagonals, end, m)
        joined = np.concatenate([rows, beyond], axis=1)
        both: FloatArray = np.asarray(np.linalg.solve(block, joined), dtype=np.float64)
        solved.append(both[:, : right.shape[1]])
        links.append(both[:, right.shape[1] :])
    for i in reversed(range(len(solved) - 1)):
        solved[i] = solved[i] - links[i] @ solved[i + 1][: links[i].shape[1]]
    return np.concatenate(solved)


def _take_corner(diagonals: FloatArray, start: int, m: int) -> FloatArray:
    """Return the rows before `start` against the m columns from `start` on, (reach, m)."""
    reach = len(diagonals) - 1
    corner = np.zeros((reach, m))
    for row in range(reach):
        for column in range(m):
            d = column + reach - row
            if d <= reach:
                corner[row, column] = diagonals[d, start - reach + row]
    return corner
