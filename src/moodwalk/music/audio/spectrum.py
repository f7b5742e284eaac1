"""How loud a sound is, how bright, and when something in it begins."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.music.audio.reading import RATE_HZ

__all__ = [
    "FRAME_S",
    "Spectrum",
    "compute_brightness",
    "compute_loudness",
    "compute_onset_rate",
    "compute_spectrum",
    "find_onsets",
]

N_FFT = 2048
HOP = 256
FRAME_S = HOP / RATE_HZ
"""Seconds from frame to frame: 11.6 ms."""

_BLOCK_FRAMES = 256
_N_BANDS = 40
_BAND_RANGE_HZ = (30.0, 11000.0)
_COMPRESSION = 100.0
_GATE_LUFS = -70.0
_GATE_LU = -10.0
_LOUDNESS_FRAMES = round(0.4 / FRAME_S)
_ONSET_APART_S = 0.05
_ONSET_AROUND_S = 0.5
_ONSET_ABOVE = 0.1


@dataclass(frozen=True, eq=False, slots=True)
class Spectrum:
    """What short frames of a sound hold, one every `FRAME_S`; arrays of shape (n_frames,), float64.

    Parameters
    ----------
    loudness
        Mean square after the K-weighting of ITU-R BS.1770, where full scale is 1.
    centroid_hz
        Centre of the magnitude spectrum; NaN where a frame is silent.
    onset
        How much louder the bands of hearing have become since the frame before, in nats, mean of the bands.
        The level of the sound as a whole does not matter.
    """

    loudness: NDArray[np.float64]
    centroid_hz: NDArray[np.float64]
    onset: NDArray[np.float64]


def compute_spectrum(samples: NDArray[np.float32]) -> Spectrum:
    """Measure the short frames of a sound.

    Parameters
    ----------
    samples
        (n,) one channel at `RATE_HZ`. Frame k is centred on sample k * 256.

    Returns
    -------
    Spectrum
        Of 1 + n // 256 frames.
    """
    n_frames = 1 + len(samples) // HOP
    padded = np.zeros(N_FFT + (n_frames - 1) * HOP, np.float32)
    padded[N_FFT // 2 : N_FFT // 2 + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    taper = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    frequencies = np.arange(N_FFT // 2 + 1, dtype=np.float64) * (RATE_HZ / N_FFT)
    # the two halves of the spectrum have the same power; the taper takes some away
    scale = 2 / (N_FFT * float(np.square(taper, dtype=np.float64).sum()))
    weights = _weigh_as_heard(frequencies) * scale
    filters = _make_bands(frequencies)
    loudness, centroid = np.empty(n_frames), np.full(n_frames, np.nan)
    bands = np.empty((n_frames, len(filters)))
    for first in range(0, n_frames, _BLOCK_FRAMES):  # a long window never lies in memory as a whole
        block = slice(first, min(first + _BLOCK_FRAMES, n_frames))
        magnitude = np.abs(np.fft.rfft(frames[block] * taper, axis=1)).astype(np.float64)
        power = magnitude**2
        loudness[block] = power @ weights
        total = magnitude.sum(axis=1)
        heard = total > 0
        centroid[block][heard] = (magnitude @ frequencies)[heard] / total[heard]
        bands[block] = power @ filters.T
    return Spectrum(loudness, centroid, _compute_onset(bands))


def compute_loudness(loudness: NDArray[np.float64]) -> tuple[float | None, NDArray[np.bool_]]:
    """Compute the gated loudness of a sound.

    Parameters
    ----------
    loudness
        (n_frames,) as of `Spectrum`; of several windows one after the other.

    Returns
    -------
    loudness_db
        LUFS, as of ITU-R BS.1770 but for overlapping blocks; None where nothing passes the gate at -70 LUFS.
    heard : (n_frames,) bool
        The frames that pass both gates.
    """
    n = len(loudness)
    width = min(_LOUDNESS_FRAMES, n)
    total = np.concatenate([[0.0], np.cumsum(loudness)])
    ends = np.minimum(np.arange(n) + (width + 1) // 2, n)
    starts = np.maximum(ends - width, 0)
    blocks = (total[ends] - total[starts]) / np.maximum(ends - starts, 1)
    heard = blocks > _from_lufs(_GATE_LUFS)
    if not heard.any():
        return None, heard
    heard &= blocks > float(blocks[heard].mean()) * 10 ** (_GATE_LU / 10)
    return _to_lufs(float(blocks[heard].mean())), heard


def compute_brightness(
    centroid_hz: NDArray[np.float64],
    loudness: NDArray[np.float64],
    heard: NDArray[np.bool_],
) -> float | None:
    """Compute the mean spectral centroid of what is heard.

    Parameters
    ----------
    centroid_hz, loudness
        (n_frames,) as of `Spectrum`. Frames count by the root of their power, so that the noise of a codec
        between two notes says little.
    heard
        (n_frames,) as of `compute_loudness`.

    Returns
    -------
    float or None
        Hz; None where nothing is heard.
    """
    known = heard & np.isfinite(centroid_hz) & (loudness > 0)
    if not known.any():
        return None
    return float(np.average(centroid_hz[known], weights=np.sqrt(loudness[known])))


def find_onsets(onset: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find where something begins: peaks that stand out from what is around them.

    Parameters
    ----------
    onset
        (n_frames,) as of `Spectrum`.

    Returns
    -------
    (n,) array
        Frames, at least 50 ms apart.
    """
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    around: Any = uniform_filter1d(onset, 2 * round(_ONSET_AROUND_S / FRAME_S) + 1, mode="nearest")
    highest: Any = maximum_filter1d(onset, 2 * round(_ONSET_APART_S / FRAME_S) + 1)
    return np.flatnonzero((onset == highest) & (onset > around + _ONSET_ABOVE))


def compute_onset_rate(windows: Sequence[NDArray[np.float64]]) -> float | None:
    """Compute how many times a second something begins.

    Parameters
    ----------
    windows
        Of each stretch of sound, (n_frames,) as the onset of `Spectrum`.

    Returns
    -------
    float or None
        Hz; None where there is less than a second.
    """
    duration_s = sum(len(onset) for onset in windows) * FRAME_S
    return (
        sum(len(find_onsets(onset)) for onset in windows) / duration_s if duration_s >= 1 else None
    )


def _compute_onset(bands: NDArray[np.float64]) -> NDArray[np.float64]:
    mean = float(bands.mean())
    if not mean > 0:
        return np.zeros(len(bands))
    compressed = np.log1p(_COMPRESSION * bands / mean)
    rise = np.maximum(compressed[2:] - compressed[:-2], 0).mean(axis=1)
    onset = np.zeros(len(bands))
    onset[1:-1] = rise
    return onset


def _make_bands(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make triangles that are evenly spaced on the mel scale, 2595 log10(1 + f / 700)."""
    low, high = (2595 * math.log10(1 + f / 700) for f in _BAND_RANGE_HZ)
    edges = 700 * (10 ** (np.linspace(low, high, _N_BANDS + 2) / 2595) - 1)
    rising = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles / np.maximum(triangles.sum(axis=1, keepdims=True), 1e-12)


def _weigh_as_heard(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the power gain of BS.1770's K-weighting: its two filters as given for 48 kHz."""
    shelf = (
        (1.53512485958697, -2.69169618940638, 1.19839281085285),
        (1.0, -1.69065929318241, 0.73248077421585),
    )
    high_pass = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
    delay = np.exp(-2j * np.pi / 48000 * frequencies)
    gain = np.ones(len(frequencies))
    for numerator, denominator in (shelf, high_pass):
        response = np.polyval(numerator[::-1], delay) / np.polyval(denominator[::-1], delay)
        gain *= np.abs(response) ** 2
    return gain


def _to_lufs(power: float) -> float:
    return -0.691 + 10 * math.log10(power)


def _from_lufs(loudness_db: float) -> float:
    return 10 ** ((loudness_db + 0.691) / 10)
