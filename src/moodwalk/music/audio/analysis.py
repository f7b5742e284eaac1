"""From an audio file to a track: tags, measures of its sound, and estimates from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from moodwalk.errors import MediaError
from moodwalk.music.audio.mode import compute_majorness, compute_pitch_classes
from moodwalk.music.audio.mood import MoodEstimate, estimate_mood
from moodwalk.music.audio.reading import (
    Window,
    check_audio_file,
    load_soundfile,
    load_soxr,
    read_sound,
)
from moodwalk.music.audio.spectrum import (
    FRAME_S,
    compute_brightness,
    compute_loudness,
    compute_onset_rate,
    compute_spectrum,
)
from moodwalk.music.audio.tags import Tags, load_tinytag, read_tags
from moodwalk.music.audio.tempo import Tempo, find_tempo
from moodwalk.music.library.files import to_location
from moodwalk.music.track import Track

__all__ = [
    "LEAST_CONFIDENCE",
    "AudioMeasures",
    "SoundMeasures",
    "check_can_measure",
    "compute_measures",
    "estimate_from",
    "measure_audio",
    "to_track",
]

LEAST_CONFIDENCE = 0.4
"""A track's tempo counts as unknown below. Of pieces whose halves were both surer than that, 14 of 19 had the same
tempo in both, or half or double; of the others 6 of 16 (docs/music-audio.md)."""

_SHORTEST_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundMeasures:
    """What was measured of a sound; None where it is too short or silent for that.

    Parameters
    ----------
    loudness_db
        Gated loudness, LUFS.
    brightness_hz
        Mean spectral centroid of what is not silent.
    onset_rate_hz
        How often something begins.
    tempo_bpm
        Beats per minute.
    tempo_alternatives_bpm
        Half and double of it, and other tempos that the music pulses at, the likeliest first.
    tempo_confidence
        0 to 1; 0 where the tempo is unknown.
    mode
        Major or minor.
    mode_strength
        By how much the better of the two fits better, a difference of correlations.
    """

    loudness_db: float | None = None
    brightness_hz: float | None = None
    onset_rate_hz: float | None = None
    tempo_bpm: float | None = None
    tempo_alternatives_bpm: tuple[float, ...] = ()
    tempo_confidence: float = 0.0
    mode: Literal["major", "minor"] | None = None
    mode_strength: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioMeasures(SoundMeasures):
    """What is known of an audio file.

    Parameters
    ----------
    title, artist, album, genre
        As its tags say.
    duration_s
        Length.
    problem
        One line that says what of the file could not be measured, and why; empty where all could.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    duration_s: float | None = None
    problem: str = ""


def measure_audio(path: str | Path) -> AudioMeasures:
    """Measure an audio file: its tags, and its sound in a few windows.

    Parameters
    ----------
    path
        An MP3, FLAC, OGG, Opus, M4A or WAV file; its content decides, not its name. Of M4A only the tags are
        read, as libsndfile does not decode AAC and ALAC; `problem` says so.

    Returns
    -------
    AudioMeasures
        Measures are None where the sound is silent or shorter than 3 s.

    Raises
    ------
    MediaError
        If the file is missing, empty, no audio file, or holds no sound that can be decoded.
    ConfigError
        If soundfile, soxr or tinytag is not installed.
    """
    path = Path(path)
    check_audio_file(path)
    if _is_mp4(path):
        return _describe_mp4(path)
    sound = read_sound(path)
    tags = read_tags(path) or Tags()
    measured = compute_measures(sound.windows)
    problem = ""
    if not sound.is_whole:
        problem = (
            f"{path} is damaged or cut short: parts of it cannot be decoded; what can be was measured. "
            f"Replace the file, or leave it so."
        )
    return AudioMeasures(
        **{field: getattr(measured, field) for field in SoundMeasures.__dataclass_fields__},
        title=tags.title,
        artist=tags.artist,
        album=tags.album,
        genre=tags.genre,
        duration_s=sound.duration_s or tags.duration_s,
        problem=problem,
    )


def compute_measures(windows: Sequence[Window]) -> SoundMeasures:
    """Measure a sound.

    Parameters
    ----------
    windows
        Stretches of it, as of `moodwalk.music.audio.reading.read_sound`.
    """
    spectra = [compute_spectrum(window.samples) for window in windows]
    gains = [10 ** (window.gain_db / 10) for window in windows]
    loudness = np.concatenate(
        [spectrum.loudness * gain for spectrum, gain in zip(spectra, gains, strict=True)]
    )
    loudness_db, heard = compute_loudness(loudness)
    n_heard = int(heard.sum())
    if loudness_db is None or n_heard * FRAME_S < _SHORTEST_S:
        return SoundMeasures()
    centroid = np.concatenate([spectrum.centroid_hz for spectrum in spectra])
    tempo: Tempo | None = find_tempo([spectrum.onset for spectrum in spectra], FRAME_S)
    majorness = compute_majorness([compute_pitch_classes(window.samples) for window in windows])
    return SoundMeasures(
        loudness_db=loudness_db,
        brightness_hz=compute_brightness(centroid, loudness, heard),
        onset_rate_hz=compute_onset_rate([spectrum.onset for spectrum in spectra]),
        tempo_bpm=tempo.bpm if tempo else None,
        tempo_alternatives_bpm=tempo.alternatives_bpm if tempo else (),
        tempo_confidence=tempo.confidence if tempo else 0.0,
        mode=None if majorness is None else "major" if majorness > 0 else "minor",
        mode_strength=None if majorness is None else abs(majorness),
    )


def estimate_from(measures: SoundMeasures) -> MoodEstimate | None:
    """Estimate where music lies from what was measured of it; None where too little was.

    Parameters
    ----------
    measures
        Of its sound.
    """
    if measures.loudness_db is None:
        return None
    strength = measures.mode_strength
    return estimate_mood(
        loudness_db=measures.loudness_db,
        onset_rate_hz=measures.onset_rate_hz,
        brightness_hz=measures.brightness_hz,
        tempo_bpm=measures.tempo_bpm,
        tempo_confidence=measures.tempo_confidence,
        majorness=None if strength is None else strength if measures.mode == "major" else -strength,
    )


def to_track(path: str | Path, measures: AudioMeasures) -> Track:
    """Return what a library keeps of an audio file.

    Parameters
    ----------
    path
        The file.
    measures
        As of `measure_audio`. A tempo that is found with a confidence below `LEAST_CONFIDENCE` counts as
        unknown: music out of step is worse than music of unknown tempo.
    """
    estimate = estimate_from(measures)
    return Track(
        location=to_location(path),
        title=measures.title,
        artist=measures.artist,
        album=measures.album,
        genre=measures.genre,
        duration_s=measures.duration_s,
        tempo_bpm=measures.tempo_bpm if measures.tempo_confidence >= LEAST_CONFIDENCE else None,
        valence=estimate.valence if estimate else None,
        arousal=estimate.arousal if estimate else None,
        energy=estimate.energy if estimate else None,
        mode=measures.mode,
        source="scan",
    )


def check_can_measure() -> None:
    """Check, before long work, that everything is installed that measuring needs.

    Raises
    ------
    ConfigError
        If something is not.
    """
    some = Path("audio files")
    load_soundfile(some)
    load_soxr(some)
    load_tinytag(some)


def _is_mp4(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == b"ftyp"
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}.") from error


def _describe_mp4(path: Path) -> AudioMeasures:
    tags = read_tags(path)
    if tags is None or tags == Tags():
        raise MediaError(
            f"{path} begins as an M4A file and cannot be read as one; expected MPEG-4 audio. "
            f"Is the file damaged?"
        )
    return AudioMeasures(
        title=tags.title,
        artist=tags.artist,
        album=tags.album,
        genre=tags.genre,
        duration_s=tags.duration_s,
        problem=f"{path} is M4A: its tags were read, but AAC and ALAC cannot be decoded here, so tempo and "
        f"mood are unknown. Convert it to Opus, MP3 or FLAC to have it measured.",
    )
