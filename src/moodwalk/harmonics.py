"""A walk as one gait cycle: bones of fixed length whose directions are sums of a few waves.

A walk repeats itself, so where a bone points is a periodic function of the phase of the gait cycle, and
a few harmonics tell it. On the real gaits four leave an error of 0.6 % of the walker's height (root mean
square, median over gaits), eight of 0.45 % and most of the jerk (``benchmarks/harmonics.py``). Such a
cycle can be told again at any length, cadence and phase, and no bone can change its length.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from moodwalk.cycles import compute_cadence
from moodwalk.errors import QualityError
from moodwalk.gait import Gait
from moodwalk.skeleton import BONES, N_JOINTS, Joint
from moodwalk.summary import has_swapped_sides

__all__ = [
    "MOST_CYCLES",
    "N_HARMONICS",
    "N_WAVES",
    "GaitCycle",
    "add_waves",
    "compute_bone_vectors",
    "fit_cycle",
    "join_bones",
    "render_cycles",
]

FloatArray = NDArray[np.float64]

N_HARMONICS = 8
N_WAVES = 1 + 2 * N_HARMONICS
"""A mean, then cosine and sine of every harmonic."""

MOST_CYCLES = 8
"""Of a longer walk the middle counts: nobody keeps one cadence for ever."""

_SMOOTHNESS = 1e-4
"""Weight of the k-th harmonic's squared size times k squared, beside the mean squared error.

It matters where a walk is shorter than a cycle, and hardly elsewhere.
"""

_PARENTS = np.array([parent for parent, _ in BONES])
_CHILDREN = np.array([child for _, child in BONES])


@dataclass(frozen=True, eq=False, slots=True)
class GaitCycle:
    """One cycle of one walker, facing +z, with the right foot farthest ahead at phase 0.

    Parameters
    ----------
    waves
        (17, 15, 3) of every bone's direction: mean, then cosine and sine of harmonics 1 to 8.
    bones
        (15,) lengths, in the source's unit.
    period_s
        Seconds a cycle, that is two steps.
    phase
        Of the walk's first frame, in cycles, from 0 up to 1.
    turned
        Whether the walk faced -z, so that z was negated.
    """

    waves: FloatArray
    bones: FloatArray
    period_s: float
    phase: float = 0.0
    turned: bool = False

    @property
    def cadence_spm(self) -> float:
        """Steps a minute."""
        return 120 / self.period_s

    def render(self, n_frames: int, fps: float) -> FloatArray:
        """Tell the walk again, from its first phase and as it faced, the root at the origin.

        Parameters
        ----------
        n_frames
            Frames wanted; more than a cycle goes round again.
        fps
            Frames per second.

        Returns
        -------
        ndarray
            (T, 16, 3).
        """
        phases = self.phase + np.arange(n_frames) / (fps * self.period_s)
        positions = render_cycles(self.waves[None], self.bones[None], phases[None])[0]
        return positions * [1, 1, -1] if self.turned else positions

    def scale_to(self, bones: FloatArray) -> "GaitCycle":
        """Return the same cycle of a walker of the size that (15,) other bones have on average."""
        return replace(self, bones=self.bones * np.exp(np.log(bones / self.bones).mean()))


def fit_cycle(gait: Gait) -> GaitCycle:
    """Find the cycle that a walk repeats.

    Parameters
    ----------
    gait
        A walk along z, of about a cycle or more. Where its root goes is not looked at.

    Returns
    -------
    GaitCycle
        The cycle, by least squares over the middle eight cycles.

    Raises
    ------
    QualityError
        If joints are missing, a bone has no length, or nothing repeats at the cadence of a walk.
    """
    where = f"gait {gait.name!r}" if gait.name else "gait"
    if gait.n_missing:
        raise QualityError(f"{where}: {gait.n_missing} joint positions are missing; expected none.")
    cadence = compute_cadence(gait)
    if cadence is None:
        raise QualityError(
            f"{where}: no gait cycle found; expected the feet to pass each other as in walking, for "
            f"three quarters of a cycle or more."
        )
    period_s = 120 / cadence
    n_used = min(len(gait), round(MOST_CYCLES * period_s * gait.fps))
    first = (len(gait) - n_used) // 2
    positions = gait.positions[first : first + n_used].astype(np.float64)
    turned = has_swapped_sides(gait)
    if turned:
        positions = positions * [1, 1, -1]
    vectors = compute_bone_vectors(positions)
    lengths = np.linalg.norm(vectors, axis=2)
    if not lengths.all():
        raise QualityError(f"{where}: a bone has no length; expected 16 joints in 16 places.")
    phases = np.arange(first, first + n_used) / (gait.fps * period_s)
    waves = _fit_waves(phases, vectors / lengths[..., None])
    bones = lengths.mean(axis=0)
    start = _find_right_foot_ahead(waves, bones)
    return GaitCycle(_shift(waves, start), bones, period_s, float(-start % 1), turned)


def render_cycles(waves: FloatArray, bones: FloatArray, phases: FloatArray) -> FloatArray:
    """Tell cycles as positions, the root at the origin.

    Parameters
    ----------
    waves
        (N, 17, 15, 3), see `GaitCycle`.
    bones
        (N, 15).
    phases
        (N, T), in cycles.

    Returns
    -------
    ndarray
        (N, T, 16, 3), facing +z.
    """
    directions = np.einsum("ntw,nwbc->ntbc", _compute_basis(phases), waves)
    return join_bones(directions, bones[:, None])


def add_waves(waves: FloatArray, phases: FloatArray) -> FloatArray:
    """Return (T, 15, 3), the sum of (17, 15, 3) waves at (T,) phases."""
    return np.einsum("tw,wbc->tbc", _compute_basis(phases), waves)


def compute_bone_vectors(positions: FloatArray) -> FloatArray:
    """Return (..., 15, 3), from parent to child, of (..., 16, 3) positions."""
    return positions[..., _CHILDREN, :] - positions[..., _PARENTS, :]


def join_bones(directions: FloatArray, lengths: FloatArray) -> FloatArray:
    """Put bones together.

    Parameters
    ----------
    directions
        (..., 15, 3), of any length but 0.
    lengths
        (..., 15).

    Returns
    -------
    ndarray
        (..., 16, 3), the root at the origin.
    """
    size = np.maximum(np.linalg.norm(directions, axis=-1), 1e-12)
    vectors = directions * (lengths / size)[..., None]
    positions = np.zeros((*vectors.shape[:-2], N_JOINTS, 3))
    for i, (parent, child) in enumerate(BONES):  # parents come first
        positions[..., child, :] = positions[..., parent, :] + vectors[..., i, :]
    return positions


def _compute_basis(phases: FloatArray) -> FloatArray:
    """Return (..., 17): one, and cosine and sine of every harmonic."""
    angles = 2 * np.pi * phases[..., None] * np.arange(1, N_HARMONICS + 1)
    waves = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(*phases.shape, -1)
    return np.concatenate([np.ones((*phases.shape, 1)), waves], axis=-1)


def _fit_waves(phases: FloatArray, directions: FloatArray) -> FloatArray:
    basis = _compute_basis(phases)
    order = np.repeat(np.arange(N_HARMONICS + 1), 2)[1:]
    penalty = np.diag(_SMOOTHNESS * len(phases) * order.astype(np.float64) ** 2)
    towards = basis.T @ directions.reshape(len(phases), -1)
    waves: FloatArray = np.linalg.solve(basis.T @ basis + penalty, towards).astype(np.float64)
    return waves.reshape(N_WAVES, len(BONES), 3)


def _find_right_foot_ahead(waves: FloatArray, bones: FloatArray) -> float:
    """Return the phase at which the right foot is farthest ahead of the left one, by its first wave."""
    steps = np.zeros((2, N_JOINTS))  # cosine and sine of z
    for i, (parent, child) in enumerate(BONES):
        steps[:, child] = steps[:, parent] + waves[1:3, i, 2] * bones[i]
    cosine, sine = steps[:, Joint.RIGHT_FOOT] - steps[:, Joint.LEFT_FOOT]
    return float(np.arctan2(sine, cosine) / (2 * np.pi))


def _shift(waves: FloatArray, phase: float) -> FloatArray:
    """Return the waves of the same movement with another phase as 0."""
    shifted = waves.copy()
    for k in range(1, N_HARMONICS + 1):
        cosine, sine = waves[2 * k - 1], waves[2 * k]
        c, s = np.cos(2 * np.pi * k * phase), np.sin(2 * np.pi * k * phase)
        shifted[2 * k - 1] = c * cosine + s * sine
        shifted[2 * k] = c * sine - s * cosine
    return shifted
