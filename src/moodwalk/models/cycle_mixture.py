"""moodwalk's own generator: a mixture of normal distributions of gait cycles.

STEP-Gen paints 75 frames of positions: bones change their length, feet drag, and what it paints lies
near one average walk. Here a gait is a cycle of `moodwalk.harmonics`, so bones keep their length, and
movement is smooth and periodic by construction; what is left is how cycles differ, in some sixty
numbers. A few clusters of walkers, each with a spread of its own, tell that better than a variational
autoencoder of the same numbers does (docs/generation.md), and are fitted in a second. No cluster is one
walk, so none of the training walks lies in the weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.harmonics import N_WAVES, GaitCycle
from moodwalk.skeleton import BONES

__all__ = ["CycleMixture", "CycleMixtureConfig"]

FloatArray = NDArray[np.float64]

_N_BONES = len(BONES)
_N_COORDINATES = N_WAVES * _N_BONES * 3
_N_SIZES = _N_BONES + 2  # logarithms of bone lengths, of the period, and of the size of the texture

_WEIGHT_OF_SIZES = 0.3
"""Of a standard deviation of a bone's length, beside one of the largest component of the movement, when
walks are clustered."""

_LEAST_IN_CLUSTER = 20
_LEAST_CYCLES = 12


@dataclass(frozen=True, slots=True)
class CycleMixtureConfig:
    """What describes a generator of gait cycles.

    Parameters
    ----------
    n_components
        Principal components of the movement that are modelled, at most.
    n_texture
        Further components, of which only their size is modelled: what sets single cycles apart, and
        how noisily they were recorded.
    n_clusters
        Clusters of walkers, at most; each needs 20 gaits.
    shrinkage
        How many gaits the spread of all clusters counts for, beside a cluster's own.

    Raises
    ------
    ConfigError
        If a value makes no sense.
    """

    n_components: int = 40
    n_texture: int = 120
    n_clusters: int = 6
    shrinkage: float = 5.0

    def __post_init__(self) -> None:
        sizes = (self.n_components, self.n_texture, self.n_clusters)
        if min(sizes) < 1 or not 0 < self.shrinkage < np.inf:
            raise ConfigError(
                f"{self.n_components} and {self.n_texture} components, {self.n_clusters} clusters, "
                f"shrinkage {self.shrinkage}; expected positive numbers."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True, eq=False, slots=True)
class CycleMixture:
    """A distribution of gait cycles, given emotion and facing.

    A cycle is told by v numbers: components of its movement, then logarithms of bone lengths, period
    and size of the texture, all standardised. They are the sum of what emotion and facing add, of the
    mean of a cluster, and of that cluster's spread.

    Parameters
    ----------
    movement
        (765,) waves of the average cycle, weighted as `components` are.
    components
        (40 + 120, 765) principal components of weighted waves; zeros where training had fewer.
    sizes
        (17,) average logarithms.
    spread
        (v,) standard deviations of the numbers.
    texture
        (120,) standard deviations of the components that are noise here.
    effects
        (classes + 1, v) what each emotion adds, and facing -z.
    means
        (M, v) of the clusters, around that.
    roots
        (M, v, v) Cholesky factors of their covariances.
    shares
        (classes, M) how the walks of an emotion fall into clusters.
    turned
        (M,) share of a cluster's walks that face -z.
    """

    movement: FloatArray
    components: FloatArray
    sizes: FloatArray
    spread: FloatArray
    texture: FloatArray
    effects: FloatArray
    means: FloatArray
    roots: FloatArray
    shares: FloatArray
    turned: FloatArray

    def __post_init__(self) -> None:
        n_values, n_clusters = len(self.spread), len(self.means)
        expected = {
            "spread": (n_values,),
            "texture": (len(self.texture),),
            "movement": (_N_COORDINATES,),
            "components": (n_values - _N_SIZES + len(self.texture), _N_COORDINATES),
            "sizes": (_N_SIZES,),
            "effects": (len(self.shares) + 1, n_values),
            "means": (n_clusters, n_values),
            "roots": (n_clusters, n_values, n_values),
            "shares": (len(self.shares), n_clusters),
            "turned": (n_clusters,),
        }
        for name, shape in expected.items():
            if (found := getattr(self, name)).shape != shape:
                raise ShapeError(f"{name} has shape {found.shape}; expected {shape}.")
        for field in fields(self):
            if not np.isfinite(getattr(self, field.name)).all():
                raise ShapeError(f"{field.name} holds NaN or infinity; expected finite numbers.")

    @classmethod
    def fit(
        cls,
        cycles: Sequence[GaitCycle],
        shares: NDArray[np.floating],
        config: CycleMixtureConfig,
        seed: int,
    ) -> Self:
        """Fit to cycles.

        Parameters
        ----------
        cycles
            n training cycles.
        shares
            (n, classes) emotion of each, one-hot or several shares.
        config
            How many of everything.
        seed
            Where clustering starts.

        Raises
        ------
        ConfigError
            If there are fewer than 12 cycles, they are all the same, or an emotion has none.
        """
        n = len(cycles)
        if n < _LEAST_CYCLES:
            raise ConfigError(f"{n} gait cycles; expected at least {_LEAST_CYCLES} to train on.")
        if not (shares.sum(axis=0) > 0).all():
            raise ConfigError(
                "an emotion has no walk with a gait cycle; expected one or more of each."
            )
        waves, sizes = _describe(cycles)
        weighted = waves * _weigh_bones(sizes.mean(axis=0))
        movement = weighted.mean(axis=0)
        _, deviations, axes = np.linalg.svd(weighted - movement, full_matrices=False)
        n_all = min(config.n_components + config.n_texture, n - 1)
        if deviations[0] < 1e-9 * np.linalg.norm(movement):
            raise ConfigError(f"{n} gait cycles that are all the same; expected different walks.")
        components = np.zeros((config.n_components + config.n_texture, _N_COORDINATES))
        components[:n_all] = axes[:n_all]
        deviation = np.zeros(len(components))
        deviation[:n_all] = deviations[:n_all] / np.sqrt(n)
        texture = deviation[config.n_components :]
        found = (weighted - movement) @ components.T
        sizes = np.column_stack([sizes, _measure_texture(found, texture)])
        table = np.column_stack([found[:, : config.n_components], sizes - sizes.mean(axis=0)])
        spread = np.maximum(table.std(axis=0), 1e-9)
        values = table / spread
        turned = np.array([cycle.turned for cycle in cycles], dtype=np.float64)
        told = np.column_stack([shares, turned])
        effects = np.linalg.lstsq(told, values, rcond=None)[0]
        size = np.full(values.shape[1], _WEIGHT_OF_SIZES)
        size[: config.n_components] = deviation[: config.n_components] / deviation[0]
        belongs = _cluster(values - told @ effects, size, config.n_clusters, seed)
        means, roots = _fit_clusters(values - told @ effects, belongs, config.shrinkage)
        weight = belongs.sum(axis=0)
        return cls(
            movement,
            components,
            sizes.mean(axis=0),
            spread,
            texture,
            effects,
            means,
            roots,
            # one walk more of every emotion, spread as all walks are
            (shares.T @ belongs + weight / n) / (shares.sum(axis=0)[:, None] + 1),
            turned @ belongs / weight,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.floating]]) -> Self:
        """Return the distribution that `to_arrays` described."""
        return cls(**{f.name: np.asarray(arrays[f.name], dtype=np.float64) for f in fields(cls)})

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return everything that was learned, by name."""
        return {f.name: np.asarray(getattr(self, f.name), dtype=np.float32) for f in fields(self)}

    @property
    def n_classes(self) -> int:
        """Number of emotions."""
        return len(self.shares)

    @property
    def mean_bones(self) -> FloatArray:
        """(15,) lengths of the average training walker, in the data's unit."""
        return np.exp(self.sizes[:_N_BONES])

    def draw(
        self, shares: NDArray[np.floating], rng: np.random.Generator, *, turn: bool
    ) -> list[GaitCycle]:
        """Draw cycles, each from a phase of its own.

        Parameters
        ----------
        shares
            (n, classes) emotion of each, or a mixture.
        rng
            Where the draws come from; as many whatever is asked for.
        turn
            Whether as many face -z as in the training data, rather than none.
        """
        n = len(shares)
        u, facing, phase = rng.random((3, n))
        edges = np.cumsum(shares @ self.shares, axis=1)
        cluster = np.minimum((u[:, None] * edges[:, -1:] > edges).sum(axis=1), len(self.means) - 1)
        turned = (facing < self.turned[cluster]) & turn
        noise = rng.standard_normal((n, len(self.spread)))
        around = np.einsum("nij,nj->ni", self.roots[cluster], noise)
        told = np.column_stack([shares, turned])
        # an emotion's effect is all that its walks have on average, the share of its clusters included
        centre = self.means[cluster] - shares @ (self.shares @ self.means)
        values = told @ self.effects + centre + around
        waves, bones, period_s = self._compose(values, rng.standard_normal((n, len(self.texture))))
        return [
            GaitCycle(*parts)
            for parts in zip(
                waves, bones, period_s.tolist(), phase.tolist(), turned.tolist(), strict=True
            )
        ]

    def change(
        self, cycle: GaitCycle, difference: NDArray[np.floating]
    ) -> tuple[FloatArray, float]:
        """Return waves and period of a cycle with another emotion.

        Parameters
        ----------
        cycle
            The cycle. What the components leave out of it stays as it is, and its bones too.
        difference
            (classes,) shares that are added; they sum to 0.
        """
        scaled = cycle.scale_to(self.mean_bones)
        values = self._find_values([scaled])
        changed = values + np.append(difference, 0.0) @ self.effects
        before, _, before_s = self._compose(values)
        after, _, after_s = self._compose(changed)
        return cycle.waves + (after - before)[0], cycle.period_s * float(after_s[0] / before_s[0])

    def _find_values(self, cycles: Sequence[GaitCycle]) -> FloatArray:
        waves, sizes = _describe(cycles)
        found = (waves * _weigh_bones(self.sizes) - self.movement) @ self.components.T
        sizes = np.column_stack([sizes, _measure_texture(found, self.texture)]) - self.sizes
        n_components = len(self.spread) - _N_SIZES
        return np.column_stack([found[:, :n_components], sizes]) / self.spread

    def _compose(
        self, values: FloatArray, noise: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Turn (n, v) numbers, and noise for the texture, into waves, bones and periods."""
        values = values * self.spread
        n_components = len(self.spread) - _N_SIZES
        sizes = np.exp(values[:, n_components:] + self.sizes)
        movement = values[:, :n_components] @ self.components[:n_components] + self.movement
        if noise is not None:
            movement += sizes[:, -1:] * (noise * self.texture) @ self.components[n_components:]
        waves = movement / _weigh_bones(self.sizes)
        return waves.reshape(-1, N_WAVES, _N_BONES, 3), sizes[:, :_N_BONES], sizes[:, _N_BONES]


def _describe(cycles: Sequence[GaitCycle]) -> tuple[FloatArray, FloatArray]:
    """Return waves (n, 765), and logarithms of bone lengths and period (n, 16)."""
    waves = np.stack([cycle.waves.ravel() for cycle in cycles])
    sizes = np.stack([np.append(cycle.bones, cycle.period_s) for cycle in cycles])
    return waves, np.log(sizes)


def _weigh_bones(log_sizes: FloatArray) -> FloatArray:
    """Return (765,): a bone counts by its length, and by the square root of the joints it carries."""
    carried = np.ones(_N_BONES)
    for i, (_, child) in reversed(list(enumerate(BONES))):
        carried[i] += sum(carried[j] for j, (parent, _) in enumerate(BONES) if parent == child)
    weights = np.exp(log_sizes[:_N_BONES]) * np.sqrt(carried)
    return np.broadcast_to(weights[:, None], (N_WAVES, _N_BONES, 3)).ravel().copy()


def _measure_texture(found: FloatArray, texture: FloatArray) -> FloatArray:
    """Return (n,): the logarithm of the size of the texture, about 0 for an average cycle."""
    known = texture > 0
    if not known.any():
        return np.zeros(len(found))
    shares = found[:, -len(texture) :][:, known] / texture[known]
    return 0.5 * np.log(np.maximum((shares**2).mean(axis=1), 1e-12))


def _cluster(values: FloatArray, size: FloatArray, n_clusters: int, seed: int) -> FloatArray:
    """Return (n, M): how far each walk belongs to each cluster, by what one would see of it."""
    from sklearn.mixture import GaussianMixture

    for n in range(min(n_clusters, len(values) // _LEAST_IN_CLUSTER), 1, -1):
        mixture = GaussianMixture(
            n, covariance_type="tied", reg_covar=1e-3, n_init=3, max_iter=500, random_state=seed
        )
        belongs = mixture.fit(values * size).predict_proba(values * size)
        if belongs.sum(axis=0).min() >= _LEAST_IN_CLUSTER:
            return belongs
    return np.ones((len(values), 1))  # a walk far from all others makes no cluster


def _fit_clusters(
    values: FloatArray, belongs: FloatArray, shrinkage: float
) -> tuple[FloatArray, FloatArray]:
    """Return means and Cholesky factors; a cluster's covariance is drawn to that of all [1]_.

    References
    ----------
    .. [1] Friedman (1989), Regularized discriminant analysis, JASA 84, 165-175.
    """
    from sklearn.covariance import ledoit_wolf

    least = 1e-9 * np.eye(values.shape[1])
    weight = belongs.sum(axis=0)
    means = belongs.T @ values / weight[:, None]
    pooled = np.asarray(ledoit_wolf(values - belongs @ means)[0])
    roots = np.empty((len(means), *pooled.shape))
    for i, mean in enumerate(means):
        away = values - mean
        own = (belongs[:, i, None] * away).T @ away / weight[i]
        share = weight[i] / (weight[i] + shrinkage)
        roots[i] = np.linalg.cholesky(share * own + (1 - share) * pooled + least)
    return means, roots
