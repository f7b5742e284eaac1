"""Tracks that are made up, so that everything can be tried without music."""

import math

import numpy as np

from moodwalk.errors import ConfigError
from moodwalk.music.track import Track

__all__ = ["LARGEST", "simulated_catalogue"]

LARGEST = 1_000_000

_TEMPO_BPM = (60.0, 190.0)
_TRACKS_PER_ARTIST = 6

_STEPS = 1.2207440846057596 ** -np.arange(1.0, 4.0)
"""Of a sequence that fills three dimensions evenly whatever its length: powers of the root of x^4 = x + 1."""

_WORDS = ("cheerful", "excited", "lively", "tense", "gloomy", "sad", "drowsy", "calm")
"""Of the eighths of the circumplex, from pleasant counterclockwise, after Russell (1980), A circumplex model of
affect, Journal of Personality and Social Psychology 39(6), 1161-1178, doi:10.1037/h0077714."""

_PLAIN = "plain"
_PLAIN_RADIUS = 0.25


def simulated_catalogue(n: int = 500, seed: int = 0) -> list[Track]:
    """Make tracks up, spread over the circle of valence and arousal and over tempos of 60 to 190 BPM.

    Parameters
    ----------
    n
        Tracks, 1 to 1,000,000.
    seed
        Of every random choice.

    Returns
    -------
    list of Track
        Titles and artists say that they are simulated; there is no sound at their locations,
        ``simulated:1`` and so on. Whatever the mood, there are tracks of every tempo near it.

    Raises
    ------
    ConfigError
        If there are to be fewer tracks than one or more than a million.
    """
    if not 1 <= n <= LARGEST:
        raise ConfigError(f"{n} simulated tracks are wanted; expected 1 to {LARGEST:,}.")
    rng = np.random.default_rng(seed)
    even = (rng.random(3) + np.arange(n)[:, None] * _STEPS) % 1
    radius, angle = np.sqrt(even[:, 0]), 2 * np.pi * even[:, 1]  # evenly over the area
    valence, arousal = radius * np.cos(angle), radius * np.sin(angle)
    low, high = _TEMPO_BPM
    tempo = low * (high / low) ** even[:, 2]
    artist = rng.integers(1, math.ceil(n / _TRACKS_PER_ARTIST) + 1, n)
    duration = rng.uniform(150, 330, n)
    popularity = rng.integers(0, 101, n)
    major = rng.random(n) < 0.5 + 0.4 * valence
    return [
        Track(
            location=f"simulated:{i + 1}",
            title=f"Simulated track {i + 1}: {_name(valence[i], arousal[i])}, {tempo[i]:.0f} BPM",
            artist=f"Simulated artist {artist[i]}",
            album="Simulated",
            genre="simulated",
            duration_s=round(float(duration[i]), 1),
            tempo_bpm=round(float(tempo[i]), 1),
            valence=round(float(valence[i]), 3),
            arousal=round(float(arousal[i]), 3),
            energy=round(float(arousal[i] + 1) / 2, 3),
            mode="major" if major[i] else "minor",
            popularity=float(popularity[i]),
            source="simulated",
        )
        for i in range(n)
    ]


def _name(valence: float, arousal: float) -> str:
    if math.hypot(valence, arousal) < _PLAIN_RADIUS:
        return _PLAIN
    return _WORDS[round(math.atan2(arousal, valence) / (math.pi / 4)) % 8]
