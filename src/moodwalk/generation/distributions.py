"""How near one set of points lies to another: figures of real against synthetic gaits.

Points are rows: affective features, or what a network sees, of one gait each. All figures compare
Euclidean distances, so standardise the columns first, by the real training points.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf_shrinkage

from moodwalk.errors import ConfigError, LabelError, ShapeError
from moodwalk.evaluation.checks import check_finite, check_share

__all__ = [
    "NEIGHBOURS",
    "RESAMPLINGS",
    "Overlap",
    "Resampling",
    "compute_class_diversity",
    "compute_diversity",
    "compute_frechet_distance",
    "compute_memorisation",
    "compute_nearest_distance",
    "compute_overlap",
    "resample_interval",
]

FloatArray = NDArray[np.float64]

NEIGHBOURS = 5
"""How many neighbours say how far a point reaches, as Naeem et al. advise."""

Resampling = Literal["subsample", "bootstrap"]
RESAMPLINGS: tuple[Resampling, ...] = get_args(Resampling)

_BLOCK_DISTANCES = 4_000_000  # 32 MB at a time


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far synthetic points lie among real ones, and real ones among synthetic ones.

    Parameters
    ----------
    precision
        Share of synthetic points that lie within the reach of a real point. Are they plausible?
    recall
        Share of real points that lie within the reach of a synthetic point. Are they varied?
    density
        Mean number of real points within whose reach a synthetic point lies, over k. About 1 for
        equal distributions; above 1 where synthetic points crowd where real ones do.
    coverage
        Share of real points with a synthetic point in their reach. For equal distributions about
        ``1 - 2**-k`` with as many points of both.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def compute_frechet_distance(a: ArrayLike, b: ArrayLike, *, shrink: bool = False) -> float:
    """Compute the Fréchet distance between two sets of points, taken as Gaussian.

    Parameters
    ----------
    a, b
        (n, d) and (m, d) points, at least two each.
    shrink
        Whether to shrink each covariance towards a multiple of the identity, by Ledoit and Wolf's
        estimate of the best weight. With few points for d, covariances are mostly noise.

    Returns
    -------
    float
        The squared distance, as it is commonly reported, in squared units of the points:
        ``|mean_a - mean_b|² + trace(A + B - 2 (A B)^½)`` with covariances A and B.

    Raises
    ------
    ShapeError
        If the sets are not points of one d, hold NaN, or one has fewer than two.

    Notes
    -----
    The trace of the root is the sum of the singular values of the product of two factors of A and B.
    No matrix is inverted and no root taken, so covariances of any rank will do.

    With finite samples the distance is too great, and the more so the fewer the points: 300 against
    300 from one distribution are some way apart. Compare distances of equal n, and beside them that
    of held-out real points. Shrinking lessens this and hides differences of shape; compare shrunk
    distances with shrunk ones only.

    References
    ----------
    .. [1] Heusel et al. (2017), GANs trained by a two time-scale update rule converge to a local Nash
       equilibrium, NeurIPS, section 2.
    .. [2] Chong and Forsyth (2020), Effectively unbiased FID and Inception score and where to find
       them, CVPR.
    .. [3] Ledoit and Wolf (2004), doi:10.1016/S0047-259X(03)00096-4.
    """
    a, b = _check_pair(a, b, ("a", "b"), least=2)
    factor_a, factor_b = _factor_covariance(a, shrink), _factor_covariance(b, shrink)
    shift = a.mean(axis=0) - b.mean(axis=0)
    shared = np.linalg.svd(factor_a @ factor_b.T, compute_uv=False).sum()
    total = shift @ shift + (factor_a**2).sum() + (factor_b**2).sum() - 2 * shared
    return max(0.0, float(total))


def compute_overlap(real: ArrayLike, synthetic: ArrayLike, k: int = NEIGHBOURS) -> Overlap:
    """Compute improved precision and recall, density and coverage.

    A point reaches as far as its k-th nearest neighbour in its own set.

    Parameters
    ----------
    real, synthetic
        (n, d) and (m, d) points, more than k each.
    k
        Neighbours that set the reach. More make every figure but density greater.

    Returns
    -------
    Overlap
        All four figures. Order, rotation and scale of all points together do not matter.

    Raises
    ------
    ShapeError
        If the sets are not points of one d, hold NaN, or one has k points or fewer.
    ConfigError
        If k is not a positive whole number.

    Notes
    -----
    A point on the rim counts for precision and recall, as published, and not for density and
    coverage, as in their authors' code; so a set against itself has density 1.

    All four depend on the numbers of points: compare equal n and m only. One outlier among the real
    points reaches far and takes in poor synthetic ones, for precision; density and coverage were
    made against that.

    References
    ----------
    .. [1] Kynkäänniemi et al. (2019), Improved precision and recall metric for assessing generative
       models, NeurIPS, section 2.
    .. [2] Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, ICML,
       section 3.
    """
    if not (k >= 1 and k % 1 == 0):
        raise ConfigError(f"k is {k!r}; expected a whole number from 1, such as {NEIGHBOURS}.")
    real, synthetic = _check_pair(real, synthetic, ("real", "synthetic"), least=k + 1)
    reach, reach_synthetic = (_compute_reach(points, int(k)) for points in (real, synthetic))
    n_within = n_recalled = n_covered = 0
    plausible = np.zeros(len(synthetic), dtype=np.bool_)
    for rows, distances in _iterate_distances(real, synthetic):
        own = reach[rows, None]
        plausible |= (distances <= own).any(axis=0)
        within = distances < own
        n_within += int(within.sum())
        n_covered += int(within.any(axis=1).sum())
        n_recalled += int((distances <= reach_synthetic).any(axis=1).sum())
    return Overlap(
        precision=int(plausible.sum()) / len(synthetic),
        recall=n_recalled / len(real),
        density=n_within / (k * len(synthetic)),
        coverage=n_covered / len(real),
    )


def compute_diversity(points: ArrayLike) -> float:
    """Compute how far points lie from each other.

    Parameters
    ----------
    points
        (n, d), n >= 2.

    Returns
    -------
    float
        Mean distance over all pairs, in the unit of the points.

    Raises
    ------
    ShapeError
        If points are not (n, d), hold NaN, or are fewer than two.
    """
    points = _check_points(points, "points", least=2)
    total = sum(float(distances.sum()) for _, distances in _iterate_distances(points, points))
    return total / (len(points) * (len(points) - 1))


def compute_class_diversity(points: ArrayLike, labels: ArrayLike) -> dict[str, float]:
    """Compute how far the points of each emotion lie from each other.

    Parameters
    ----------
    points
        (n, d).
    labels
        (n,) emotion of each.

    Returns
    -------
    dict[str, float]
        `compute_diversity` of every label that occurs, in alphabetical order; NaN for a label with
        one point.

    Raises
    ------
    ShapeError
        If points are not (n, d) or hold NaN.
    LabelError
        If there is not one label for each point.
    """
    points = _check_points(points, "points")
    names = np.asarray(labels).astype(np.str_)
    if names.shape != (len(points),):
        raise LabelError(f"{len(points)} points, labels {names.shape}; expected one for each.")
    return {
        str(name): compute_diversity(points[names == name])
        if (names == name).sum() > 1
        else float("nan")
        for name in np.unique(names)
    }


def compute_nearest_distance(points: ArrayLike, training: ArrayLike) -> FloatArray:
    """Compute how far each point lies from the nearest training point.

    Parameters
    ----------
    points
        (n, d).
    training
        (m, d) what a generator was trained on.

    Returns
    -------
    ndarray
        (n,) distances, in the unit of the points; 0 for a copy.

    Raises
    ------
    ShapeError
        If the sets are not points of one d, or hold NaN.
    """
    points, training = _check_pair(points, training, ("points", "training"))
    return np.concatenate(
        [distances.min(axis=1) for _, distances in _iterate_distances(points, training)]
    )


def compute_memorisation(synthetic: ArrayLike, held_out: ArrayLike, training: ArrayLike) -> float:
    """Compute whether synthetic points lie nearer to the training points than new real ones do.

    Parameters
    ----------
    synthetic
        (n, d) what the generator drew.
    held_out
        (m, d) real points of subjects on whom it was not trained.
    training
        (l, d) what it was trained on.

    Returns
    -------
    float
        Median of `compute_nearest_distance` of the synthetic points over that of the held-out ones.
        About 1 for new walkers; well below 1 for copies; 0 where half are copies.

    Raises
    ------
    ShapeError
        If the sets are not points of one d, or hold NaN.
    ConfigError
        If half of the held-out points are training points, so that there is nothing to compare with.

    Notes
    -----
    Below 1 alone does not prove copying: synthetic points that huddle in the middle lie near to
    training points too. Read it beside diversity and recall. n and m need not agree.
    """
    nearest = compute_nearest_distance(synthetic, training)
    yardstick = float(np.median(compute_nearest_distance(held_out, training)))
    if not yardstick > 0:
        raise ConfigError(
            "half of the held-out points are training points; expected other subjects. "
            "Split by subject first."
        )
    return float(np.median(nearest)) / yardstick


def resample_interval(
    compute: Callable[..., float],
    *arrays: ArrayLike,
    groups: Sequence[ArrayLike | None] | None = None,
    n_resamples: int = 200,
    seed: int = 0,
    confidence: float = 0.95,
    method: Resampling = "subsample",
    share: float = 0.5,
    limits: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[float, float]:
    """Compute an interval of a figure of one or more sets of points.

    Parameters
    ----------
    compute
        Function from as many arrays as are given to the figure.
    *arrays
        (n, ...) each; every one is resampled along its first axis, independently of the others. To
        keep points and their labels together, pass their indices.
    groups
        For each array, (n,) who walks, to resample whole subjects, or None to resample points.
    n_resamples
        Resamples.
    seed
        Makes the resamples repeat.
    confidence
        Coverage, between 0 and 1.
    method
        ``subsample``: a share of the groups without replacement. ``bootstrap``: as many groups as
        there are, with replacement.
    share
        Share of the groups in a subsample.
    limits
        Least and greatest value that the figure can have; the interval is cut there.

    Returns
    -------
    tuple[float, float]
        Lower and upper end. With one group in an array nothing is known of others: the limits.

    Raises
    ------
    ShapeError
        If there is no array, groups do not fit theirs, or the figure of a resample is NaN.
    ConfigError
        If an option is out of range.

    Notes
    -----
    A bootstrap sample holds points twice. Distances of 0 between them shrink the reach of every
    neighbourhood, so precision, density, coverage, diversity and nearest distances come out wrong, and
    their bootstrap interval often misses the figure itself. Use it for means and the like.

    A subsample holds no point twice. A share f of the groups spreads around its own mean as the
    figure of all of them does around the truth, times ``sqrt((1 - f) / f)``: 1 for one half [1]_. The
    spread is divided by that and laid around the figure of all points. Percentiles of it, not
    mirrored, so that figures near a limit keep their longer tail inside.

    This holds for figures that settle as one over the root of the number of points, so that all
    arrays share one f. The interval is of chance alone: that fewer points make another precision or
    Fréchet distance shifts the centre of the subsamples, which is left out. It does not say what
    more points would give. With fewer than some 20 groups it is rough.

    References
    ----------
    .. [1] Shao and Wu (1989), A general theory for jackknife variance estimation, Annals of
       Statistics 17, 1176-1197.
    .. [2] Politis and Romano (1994), Large sample confidence regions based on subsamples under minimal
       assumptions, Annals of Statistics 22, 2031-2050.
    """
    check_share("confidence", confidence)
    check_share("share", share)
    if method not in RESAMPLINGS:
        raise ConfigError(f"method is {method!r}; expected one of {', '.join(RESAMPLINGS)}.")
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}; expected at least 1.")
    if not limits[0] <= limits[1]:
        raise ConfigError(f"limits are {limits}; expected the lower one first.")
    sets = [np.asarray(array) for array in arrays]
    members = _list_members(sets, groups)
    if min(len(groups_of) for groups_of in members) < 2:
        return limits
    rng = np.random.default_rng(seed)
    values = np.array(
        [
            compute(*(_draw(rng, *pair, method, share) for pair in zip(sets, members, strict=True)))
            for _ in range(n_resamples)
        ],
        dtype=np.float64,
    )
    if n_bad := int(np.isnan(values).sum()):
        raise ShapeError(
            f"the figure is NaN in {n_bad} of {n_resamples} resamples; expected a number in all. "
            f"Are there enough points in half of the data?"
        )
    if method == "subsample":
        values = compute(*sets) + (values - values.mean()) * np.sqrt(share / (1 - share))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(np.clip(low, *limits)), float(np.clip(high, *limits))


def _check_points(points: ArrayLike, what: str, least: int = 1) -> FloatArray:
    array = check_finite(points, what, 2)
    if len(array) < least:
        raise ShapeError(f"{what}: {len(array)} points; expected at least {least}.")
    return array


def _check_pair(
    a: ArrayLike, b: ArrayLike, names: tuple[str, str], least: int = 1
) -> tuple[FloatArray, FloatArray]:
    first, second = _check_points(a, names[0], least), _check_points(b, names[1], least)
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"{names[0]} have {first.shape[1]} columns, {names[1]} {second.shape[1]}; expected the "
            f"same columns in both."
        )
    return first, second


def _factor_covariance(points: FloatArray, shrink: bool) -> FloatArray:
    """Return (r, d) F with ``F.T @ F`` the covariance, and no more rows than needed."""
    factor = (points - points.mean(axis=0)) / np.sqrt(len(points) - 1)
    if shrink:
        weight = float(ledoit_wolf_shrinkage(points))
        n_columns = points.shape[1]
        even = np.sqrt(weight * (factor**2).sum() / n_columns) * np.eye(n_columns)
        factor = np.concatenate([np.sqrt(1 - weight) * factor, even])
    return np.asarray(np.linalg.qr(factor, mode="r"), dtype=np.float64)


def _iterate_distances(a: FloatArray, b: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Yield rows of a and their (rows, m) distances to all of b.

    By differences: squares and products would lose what tells a copy from a neighbour.
    """
    n_rows = max(1, _BLOCK_DISTANCES // len(b))
    for start in range(0, len(a), n_rows):
        rows = slice(start, start + n_rows)
        yield rows, np.asarray(cdist(a[rows], b), dtype=np.float64)


def _compute_reach(points: FloatArray, k: int) -> FloatArray:
    """Return (n,) distance of each point to its k-th nearest neighbour; itself is none."""
    return np.concatenate(
        [
            np.partition(distances, k, axis=1)[:, k]
            for _, distances in _iterate_distances(points, points)
        ]
    )


def _list_members(
    sets: Sequence[NDArray[np.generic]], groups: Sequence[ArrayLike | None] | None
) -> list[list[NDArray[np.int64]]]:
    """Return, for every array, the rows of each of its groups."""
    if not sets:
        raise ShapeError("nothing to resample; expected at least one array.")
    groups = [None] * len(sets) if groups is None else groups
    if len(groups) != len(sets):
        raise ShapeError(
            f"{len(sets)} arrays, groups for {len(groups)}; expected groups or None for each."
        )
    members: list[list[NDArray[np.int64]]] = []
    for i, (array, group) in enumerate(zip(sets, groups, strict=True)):
        if not array.ndim or not len(array):
            raise ShapeError(f"array {i} has shape {array.shape}; expected (n, ...) with n > 0.")
        if group is None:
            members.append(list(np.arange(len(array))[:, None]))
            continue
        if np.shape(group) != (len(array),):
            raise ShapeError(
                f"array {i} has {len(array)} rows, its groups shape {np.shape(group)}; expected "
                f"one for each."
            )
        which = np.unique(np.asarray(group), return_inverse=True)[1]
        order = np.argsort(which, kind="stable")
        members.append(np.split(order, np.cumsum(np.bincount(which))[:-1]))
    return members


def _draw(
    rng: np.random.Generator,
    array: NDArray[np.generic],
    members: list[NDArray[np.int64]],
    method: Resampling,
    share: float,
) -> NDArray[np.generic]:
    n = len(members)
    if method == "bootstrap":
        chosen = rng.integers(n, size=n)
    else:
        size = min(n - 1, max(1, round(share * n)))
        chosen = rng.choice(n, size=size, replace=False)
    return array[np.concatenate([members[i] for i in chosen])]
