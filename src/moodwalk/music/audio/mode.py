"""Major or minor, by how long each pitch class sounds.

The twelve pitch classes of music in a major key take shares of its time that correlate with how well listeners
find each note to fit a major context; of music in a minor key, with how well it fits a minor one [1]_ [2]_.

References
----------
.. [1] Krumhansl and Kessler (1982), Tracing the dynamic changes in perceived tonal organization in a spatial
   representation of musical keys, Psychological Review 89(4), 334-368, doi:10.1037/0033-295X.89.4.334.
.. [2] Krumhansl (1990), Cognitive foundations of musical pitch, Oxford University Press, chapter 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moodwalk.music.audio.reading import RATE_HZ

__all__ = ["MAJOR", "MINOR", "compute_majorness", "compute_pitch_classes"]

MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""How well each pitch class from the keynote upwards fits, mean ratings on a scale of 1 to 7 [1]_."""

N_FFT = 8192
HOP = 4096
_RANGE_HZ = (65.0, 2100.0)
_BLOCK_FRAMES = 64
_FAINT = 1e-3


def compute_pitch_classes(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute how much of each pitch class there is in a sound, C first.

    Parameters
    ----------
    samples
        (n,) one channel at `RATE_HZ`.

    Returns
    -------
    (12,) array
        Shares that sum to 1; zeros where there is no tone. Tones are peaks of the spectrum from 65 to 2,100 Hz,
        weighed by the root of their magnitude, each moment by its loudest; how far the whole is out of tune
        with A at 440 Hz is measured and taken out.
    """
    if len(samples) < N_FFT:
        samples = np.pad(samples, (0, N_FFT - len(samples)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, N_FFT)[::HOP]
    taper = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    low, high = (round(f * N_FFT / RATE_HZ) for f in _RANGE_HZ)
    pitches: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    for first in range(0, len(frames), _BLOCK_FRAMES):
        spectrum = np.abs(np.fft.rfft(frames[first : first + _BLOCK_FRAMES] * taper, axis=1))
        magnitude = np.log(spectrum[:, : high + 2].astype(np.float64) + 1e-12)
        left, top, right = magnitude[:, :-2], magnitude[:, 1:-1], magnitude[:, 2:]
        loudest = top[:, low - 1 :].max(axis=1, keepdims=True)
        is_peak = (top > left) & (top >= right) & (top > loudest + np.log(_FAINT))
        is_peak &= (loudest > -6) & (np.arange(1, high + 1) >= low)
        row, column = np.nonzero(is_peak)
        bend = (left - 2 * top + right)[row, column]
        shift = 0.5 * (left - right)[row, column] / np.minimum(bend, -1e-12)
        frequency = (column + 1 + shift) * (RATE_HZ / N_FFT)
        pitches.append(12 * np.log2(frequency / 440) + 9)  # semitones above a C
        weights.append(np.exp(0.5 * (top[row, column] - loudest[row, 0])))
    pitch, weight = np.concatenate(pitches), np.concatenate(weights)
    if not len(pitch):
        return np.zeros(12)
    mistuning = np.angle(np.sum(weight * np.exp(2j * np.pi * pitch))) / (2 * np.pi)
    classes = np.rint(pitch - mistuning).astype(np.intp) % 12
    shares = np.bincount(classes, weight, 12)
    return shares / shares.sum()


def compute_majorness(pitch_classes: Sequence[NDArray[np.float64]]) -> float | None:
    """Compute how much more like major than like minor music is.

    Parameters
    ----------
    pitch_classes
        Of each stretch of music, (12,) as of `compute_pitch_classes`. Each may be in a key of its own; half
        a minute tells more than a few bars.

    Returns
    -------
    float or None
        Correlation with the best of twelve major keys less that with the best of twelve minor keys, mean of
        the stretches: above 0 in major, below in minor, about 0.2 either way in plain chords, 0.1 and less in
        much real music. None where there is no tone.
    """
    differences: list[float] = []
    for shares in pitch_classes:
        if not np.ptp(shares) > 0:
            continue
        fits = [
            max(float(np.corrcoef(np.roll(profile, key), shares)[0, 1]) for key in range(12))
            for profile in (MAJOR, MINOR)
        ]
        differences.append(fits[0] - fits[1])
    return float(np.mean(differences)) if differences else None
