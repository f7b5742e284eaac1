"""Random changes to training gaits that leave the perceived emotion as it is.

Every transform is a pure function of positions; `Augmentation` draws its strength. Validation and
test gaits are never augmented.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, ShapeError
from moodwalk.preprocess import resample_positions
from moodwalk.skeleton import BONES, MIRROR, N_JOINTS

__all__ = [
    "STANDARD_AUGMENTATION",
    "Augmentation",
    "add_noise",
    "change_proportions",
    "change_size",
    "change_speed",
    "mirror",
    "rotate",
    "shift_time",
]

Positions = NDArray[np.floating]

_MIRROR = np.array(MIRROR)


def mirror(positions: Positions) -> Positions:
    """Exchange left and right: reflect x, and swap every joint with its twin.

    Parameters
    ----------
    positions
        (T, 16, 3).

    Returns
    -------
    ndarray
        The same shape and type: the walk as a mirror in the plane x = 0 shows it. The right hand
        is again a right hand and lies at -x.
    """
    mirrored = _check(positions)[:, _MIRROR]
    mirrored[..., 0] *= -1
    return mirrored


def rotate(positions: Positions, angle_deg: float) -> Positions:
    """Turn a walk about the vertical axis through the origin.

    Parameters
    ----------
    positions
        (T, 16, 3).
    angle_deg
        Angle in degrees; positive turns +z towards +x.

    Returns
    -------
    ndarray
        The same shape and type.
    """
    x, y, z = np.moveaxis(_check(positions), -1, 0)
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    turned = np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)
    return turned.astype(positions.dtype)


def change_size(positions: Positions, factor: float) -> Positions:
    """Make the walker, and the way walked, larger or smaller.

    Parameters
    ----------
    positions
        (T, 16, 3).
    factor
        New size over the old one, above 0; about the origin, so that ground at y = 0 stays there.

    Returns
    -------
    ndarray
        The same shape and type.

    Raises
    ------
    ConfigError
        If the factor is not a positive number.
    """
    if not (np.isfinite(factor) and factor > 0):
        raise ConfigError(f"The size factor is {factor}; expected a positive number.")
    return (_check(positions) * factor).astype(positions.dtype)


def shift_time(positions: Positions, n_frames: int) -> Positions:
    """Begin a gait cycle at another frame; what lay before it follows at the end.

    Parameters
    ----------
    positions
        (T, 16, 3), a cycle, root-relative: a walk that moves through the room would jump back.
    n_frames
        Frame that becomes the first; any integer, taken modulo T.

    Returns
    -------
    ndarray
        The same shape and type.
    """
    return np.roll(_check(positions), -n_frames, axis=0)


def change_speed(positions: Positions, factor: float) -> Positions:
    """Walk the same way faster or slower at the same frame rate.

    Parameters
    ----------
    positions
        (T, 16, 3), T >= 4, without NaN.
    factor
        New speed over the old one, above 0.

    Returns
    -------
    ndarray
        (about T / factor, 16, 3), the same type: a faster walk has fewer frames.

    Raises
    ------
    ConfigError
        If the factor is not a positive number, or so large that fewer than two frames remain.
    QualityError
        If a position is missing (NaN).
    """
    if not (np.isfinite(factor) and factor > 0):
        raise ConfigError(f"The speed factor is {factor}; expected a positive number.")
    if len(_check(positions)) - 1 < factor:
        raise ConfigError(
            f"The speed factor is {factor:g} for {len(positions)} frames; expected at most "
            f"{len(positions) - 1}."
        )
    return resample_positions(positions, 1 / factor)


def add_noise(positions: Positions, noise_m: float, rng: Generator) -> Positions:
    """Displace every joint in every frame at random.

    Parameters
    ----------
    positions
        (T, 16, 3).
    noise_m
        Standard deviation along each axis, in the unit of the positions (metres), 0 or more.
    rng
        Source of the normal distribution.

    Returns
    -------
    ndarray
        The same shape and type.

    Raises
    ------
    ConfigError
        If the standard deviation is negative or not a number.
    """
    if not (np.isfinite(noise_m) and noise_m >= 0):
        raise ConfigError(f"noise_m is {noise_m}; expected 0 or more, in metres.")
    noise = rng.normal(0.0, noise_m, _check(positions).shape)
    return (positions + noise).astype(positions.dtype)


def change_proportions(positions: Positions, factors: NDArray[np.floating]) -> Positions:
    """Lengthen and shorten bones, and leave the way they point.

    Parameters
    ----------
    positions
        (T, 16, 3).
    factors
        (15,) new length over old, in the order of `moodwalk.skeleton.BONES`.

    Returns
    -------
    ndarray
        The same shape and type; the root stays where it is.

    Raises
    ------
    ConfigError
        If there are not 15 positive factors.
    ShapeError
        If positions have another shape.

    Notes
    -----
    Feet may slide a little: their path follows the legs.
    """
    if factors.shape != (len(BONES),) or not (np.isfinite(factors) & (factors > 0)).all():
        raise ConfigError(f"factors are {factors}; expected {len(BONES)} positive numbers.")
    source = _check(positions)
    moved = source.copy()
    for (parent, child), factor in zip(BONES, factors.tolist(), strict=True):  # parents first
        moved[:, child] = moved[:, parent] + factor * (source[:, child] - source[:, parent])
    return moved


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random transforms of a training gait, all off unless asked for.

    Parameters
    ----------
    mirror
        Probability of the mirror image, 0 to 1.
    rotation_deg
        Largest angle about the vertical axis, 0 to 180; uniform to both sides.
    size
        Largest relative growth: 0.1 draws a factor from 1 / 1.1 to 1.1, uniform in its logarithm.
    time_shift
        Largest shift of the first frame as a share of the gait, 0 to 1; 1 may begin anywhere in
        the cycle.
    speed
        Largest relative gain of speed, drawn as for `size`; changes the number of frames.
    noise_m
        Standard deviation of the noise on every coordinate, metres.
    proportions
        Largest relative growth of a bone, drawn as for `size`; twin bones alike.
    noise_spread
        How much less noise a gait may get, as a share of `noise_m`: 0 for the same in all, 1 for anything
        from none, uniformly. A network that only ever sees noise misreads gaits without.

    Raises
    ------
    ConfigError
        If a value lies outside its range.

    Notes
    -----
    Apply it before tiling to a common length, to centred gaits. The published training used none.
    Every call draws the same number of choices whatever is switched on, so that switching one
    transform on leaves the others' choices as they were (noise and proportions draw theirs last).
    Speed and size carry part of what observers judge emotion by: keep them small.

    Examples
    --------
    >>> import numpy as np
    >>> augment = Augmentation(mirror=0.5, rotation_deg=10, time_shift=1)
    >>> augment(np.zeros((40, 16, 3), np.float32), np.random.default_rng(0)).shape
    (40, 16, 3)
    """

    mirror: float = 0.0
    rotation_deg: float = 0.0
    size: float = 0.0
    time_shift: float = 0.0
    speed: float = 0.0
    noise_m: float = 0.0
    proportions: float = 0.0
    noise_spread: float = 0.0

    def __post_init__(self) -> None:
        largest = {
            "mirror": 1.0,
            "rotation_deg": 180.0,
            "time_shift": 1.0,
            "size": 1.0,
            "speed": 1.0,
            "proportions": 1.0,
            "noise_spread": 1.0,
        }
        for field in fields(self):
            value: Any = getattr(self, field.name)
            limit = largest.get(field.name, np.inf)
            number = isinstance(value, int | float | np.integer | np.floating)
            if not (number and np.isfinite(value) and 0 <= value <= limit):
                expected = f"0 to {limit:g}" if np.isfinite(limit) else "0 or more"
                raise ConfigError(f"Augmentation: {field.name} is {value!r}; expected {expected}.")

    def __call__(self, positions: Positions, rng: Generator) -> Positions:
        """Apply the transforms: mirror, speed, time shift, size, rotation, noise, proportions.

        Parameters
        ----------
        positions
            (T, 16, 3), never changed in place.
        rng
            Source of the random choices; the same state gives the same result.

        Returns
        -------
        ndarray
            (T', 16, 3), the same type; T' = T unless `speed` is on.

        Raises
        ------
        ShapeError
            If positions have another shape.
        QualityError
            If `speed` is on and a position is missing (NaN).
        """
        flip, speed, start, size, turn = rng.random(5)
        moved = _check(positions)
        if flip < self.mirror:
            moved = mirror(moved)
        if self.speed:
            moved = change_speed(moved, _draw_factor(self.speed, speed))
        if self.time_shift:
            moved = shift_time(moved, int(start * self.time_shift * len(moved)))
        if self.size:
            moved = change_size(moved, _draw_factor(self.size, size))
        if self.rotation_deg:
            moved = rotate(moved, (2 * turn - 1) * self.rotation_deg)
        if self.noise_m:
            level = 1.0 - self.noise_spread * rng.random() if self.noise_spread else 1.0
            moved = add_noise(moved, level * self.noise_m, rng)
        if self.proportions:
            drawn = np.array([_draw_factor(self.proportions, u) for u in rng.random(N_JOINTS)])
            twins = [min(child, MIRROR[child]) for _, child in BONES]  # right and left alike
            moved = change_proportions(moved, drawn[twins])
        return moved.copy() if moved is positions else moved


STANDARD_AUGMENTATION = Augmentation(
    mirror=0.5, rotation_deg=180.0, size=0.1, time_shift=1.0, speed=0.1, noise_m=0.005
)
"""What a walk may look like without another emotion: chosen for what it means, not by accuracy."""


def _draw_factor(largest_gain: float, uniform: float) -> float:
    """Turn a uniform number into a factor that grows and shrinks equally often."""
    return float((1 + largest_gain) ** (2 * uniform - 1))


def _check(positions: Positions) -> Positions:
    if positions.ndim != 3 or positions.shape[1:] != (N_JOINTS, 3):
        raise ShapeError(
            f"positions have shape {positions.shape}; expected (T, {N_JOINTS}, 3): frames, joints, "
            f"coordinates."
        )
    return positions
