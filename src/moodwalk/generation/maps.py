"""Where sets of gaits lie among each other: one map in the plane of all of them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.manifold import TSNE

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.evaluation.checks import check_finite
from moodwalk.threads import one_thread

__all__ = ["LEAST_POINTS", "MOST_NEIGHBOURS", "SharedMap", "compute_map"]

FloatArray = NDArray[np.float64]

MOST_NEIGHBOURS = 30
"""The perplexity, where there are points enough: about how many neighbours each point heeds."""

LEAST_POINTS = 5
"""Of every set."""


class SharedMap(NamedTuple):
    """Where the points of several sets lie on one map.

    Parameters
    ----------
    placed
        (n, 2) places on the map by the name of the set, as many of each. They have no unit.
    chosen
        (n,) which rows of the set they are, rising.
    """

    placed: dict[str, FloatArray]
    chosen: dict[str, NDArray[np.int64]]


def compute_map(sets: Mapping[str, ArrayLike], *, seed: int) -> SharedMap:
    """Lay points of many dimensions out in the plane, neighbours near each other (t-SNE).

    All sets together make one map, so that a place means the same for each. As many points of every
    set are drawn as the smallest has: otherwise the largest would take most of the plane.

    Parameters
    ----------
    sets
        (n, d) points by the name of the set, d >= 2, five or more of each. Standardise the columns
        first, all sets alike, by the real training points.
    seed
        Which points are drawn from larger sets. The same seed and points give the same map.

    Returns
    -------
    SharedMap
        Places, and the rows that were drawn, in the order of the sets.

    Raises
    ------
    ConfigError
        If there is no set.
    ShapeError
        If a set is not (n, d), holds NaN, has another d than the first or fewer than five points, or
        if all points are the same.

    Notes
    -----
    The map begins as the first two principal components, so that its large parts lie as they do in
    the data and not by chance; the learning rate grows with the number of points [2]_. The perplexity
    is 30, or a third of the number of points less one where that is smaller.

    Where two sets mix on the map, no point's neighbours tell them apart; where one lies by itself, its
    points are nearer to each other than to the rest. It cannot say more: distances between groups
    that lie far apart mean little, and neither the size of a group nor how densely it lies says how
    varied it is, for the map gives each point about as many neighbours. For that there are
    figures: `moodwalk.generation.distributions`.

    References
    ----------
    .. [1] Van der Maaten and Hinton (2008), Visualizing data using t-SNE, Journal of Machine Learning
       Research 9, 2579-2605.
    .. [2] Kobak and Berens (2019), The art of using t-SNE for single-cell transcriptomics, Nature
       Communications 10, 5416, doi:10.1038/s41467-019-13056-x.
    """
    points = _check_sets(sets)
    n = min(map(len, points.values()))
    rng = np.random.default_rng(seed)
    chosen = {
        name: np.sort(rng.choice(len(rows), n, replace=False)).astype(np.int64)
        for name, rows in points.items()
    }
    together = np.concatenate([points[name][rows] for name, rows in chosen.items()])
    if not np.ptp(together, axis=0).any():
        raise ShapeError(f"all {len(together)} points are the same; expected some that differ.")
    tsne = TSNE(
        perplexity=min(MOST_NEIGHBOURS, (len(together) - 1) / 3),
        init="pca",
        learning_rate="auto",
        random_state=int(rng.integers(2**32)),
    )
    with one_thread():
        places = np.asarray(tsne.fit_transform(together), dtype=np.float64)
    return SharedMap(dict(zip(chosen, np.split(places, len(chosen)), strict=True)), chosen)


def _check_sets(sets: Mapping[str, ArrayLike]) -> dict[str, FloatArray]:
    if not sets:
        raise ConfigError("no sets to map; expected at least one of points (n, d).")
    points = {name: check_finite(rows, f"points of '{name}'", 2) for name, rows in sets.items()}
    first = next(iter(points))
    n_columns = points[first].shape[1]
    if n_columns < 2:
        raise ShapeError(f"points of '{first}' have {n_columns} column; expected at least 2.")
    for name, rows in points.items():
        if rows.shape[1] != n_columns:
            raise ShapeError(
                f"points of '{name}' have {rows.shape[1]} columns, those of '{first}' {n_columns}; "
                f"expected the same columns in all sets."
            )
        if len(rows) < LEAST_POINTS:
            raise ShapeError(
                f"{len(rows)} points of '{name}'; expected at least {LEAST_POINTS} of every set."
            )
    return points
