"""Sound out of files: a few windows of it, as one channel at one rate, whatever the file claims."""

import math
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, MediaError

__all__ = [
    "RATE_HZ",
    "Sound",
    "Window",
    "check_audio_file",
    "load_soundfile",
    "load_soxr",
    "read_sound",
]

RATE_HZ = 22050
"""Samples a second of what is measured; nothing above 11 kHz is heard here."""

N_WINDOWS = 3
WINDOW_S = 30.0
"""Longer files are heard for 30 s around 20, 50 and 80 % of their length."""

_CENTRES = (0.2, 0.5, 0.8)
_RATES_HZ = (1000, 384_000)
_MOST_CHANNELS = 32
_MOST_FRAMES = 2**40
_LARGEST_SAMPLE = 1e6
_NO_SUCH_FILE = 7


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A stretch of sound.

    Parameters
    ----------
    samples
        (n,) float32, the mean of the channels, at `RATE_HZ`; full scale is 1.
    gain_db
        By how much the channels together are louder than their mean: they add up in power [1]_. One channel
        counts as two alike, as it is played.

    References
    ----------
    .. [1] ITU-R BS.1770-5 (2023), Algorithms to measure audio programme loudness and true-peak audio level.
    """

    samples: NDArray[np.float32]
    gain_db: float


@dataclass(frozen=True, eq=False, slots=True)
class Sound:
    """What was read of a file.

    Parameters
    ----------
    windows
        In the order of the file; at least one, of at least one sample.
    duration_s
        Length of the whole file, as it says itself; None where it does not.
    is_whole
        Whether all that was looked for could be read; not so where a file is cut short or damaged.
    """

    windows: tuple[Window, ...]
    duration_s: float | None
    is_whole: bool


def read_sound(path: Path, *, start: float = 0.0, end: float = 1.0) -> Sound:
    """Read a few windows of an audio file.

    Parameters
    ----------
    path
        The file.
    start, end
        Which part of it, as shares of its length; by default all of it.

    Returns
    -------
    Sound
        Up to 90 s are read whole; of more, 30 s around 20, 50 and 80 % of the part.

    Raises
    ------
    MediaError
        If the file is missing, empty, of another format, holds no sound or samples that are no numbers.
    ConfigError
        If soundfile or soxr is not installed.
    """
    check_audio_file(path)
    soundfile = load_soundfile(path)
    with _without_chatter():
        try:
            with soundfile.SoundFile(_to_native(path)) as file:
                return _read_windows(path, file, start, end)
        except MediaError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise _cannot_decode(path, error) from error


def check_audio_file(path: Path) -> None:
    """Check that there is an ordinary file with something in it, and that it may be read.

    Raises
    ------
    MediaError
        If not.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            found = "is a folder or a device" if path.exists() else "does not exist"
            raise MediaError(f"{path} {found}; expected an audio file.")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"{path} is empty; expected an audio file.")
    except MediaError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path} cannot be read: {' '.join(reason.split())}.") from error


def load_soundfile(path: Path) -> Any:
    """Return the module soundfile.

    Raises
    ------
    ConfigError
        If it, or libsndfile below it, is not installed.
    """
    try:
        import soundfile
    except (ImportError, OSError):
        raise ConfigError(
            f"soundfile is not installed; expected it for {path.name}. "
            f"Install it: pip install 'moodwalk[music]'."
        ) from None
    return soundfile


def load_soxr(path: Path) -> Any:
    """Return the module soxr.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import soxr
    except ImportError:
        raise ConfigError(
            f"soxr is not installed; expected it for {path.name}. "
            f"Install it: pip install 'moodwalk[music]'."
        ) from None
    return soxr


def _read_windows(path: Path, file: Any, start: float, end: float) -> Sound:
    rate: int = file.samplerate
    n_channels: int = file.channels
    if not _RATES_HZ[0] <= rate <= _RATES_HZ[1] or not 1 <= n_channels <= _MOST_CHANNELS:
        raise MediaError(
            f"{path} claims {n_channels} channels of {rate} samples a second; expected 1 to "
            f"{_MOST_CHANNELS} channels of {_RATES_HZ[0]} to {_RATES_HZ[1]}. Is the file damaged?"
        )
    n_frames = file.frames if 0 < file.frames < _MOST_FRAMES else 0
    places = _place_windows(round(start * n_frames), round(end * n_frames), rate)
    windows: list[Window] = []
    is_whole = True
    for first, n in places:
        window = _read_window(path, file, first, n)
        share = 0.0 if window is None else len(window.samples) * rate / (n * RATE_HZ)
        is_whole &= share > 0.98
        if window is not None and share >= 0.5:
            windows.append(window)
    if not windows and start == 0:  # cut short: of the places in its claimed length none is left
        window = _read_window(path, file, 0, round(WINDOW_S * rate))
        windows += [] if window is None else [window]
    if not windows:
        raise MediaError(
            f"{path} holds no sound that can be decoded; expected some. Is it cut short?"
        )
    return Sound(tuple(windows), n_frames / rate if n_frames else None, is_whole)


def _place_windows(start: int, end: int, rate: int) -> list[tuple[int, int]]:
    """Return first frame and length of each window between two frames."""
    n = end - start
    most = round(WINDOW_S * rate)
    if n <= 0:
        return []
    if n <= N_WINDOWS * most:
        n_parts = math.ceil(n / most)
        edges = [start + n * part // n_parts for part in range(n_parts + 1)]
        return [(a, b - a) for a, b in pairwise(edges)]
    return [(start + round(centre * n) - most // 2, most) for centre in _CENTRES]


def _read_window(path: Path, file: Any, first: int, n_frames: int) -> Window | None:
    """Read a stretch, as far as it can be decoded; None where nothing can."""
    rate: int = file.samplerate
    n_channels: int = file.channels
    blocks: list[NDArray[np.float32]] = []
    power = 0.0
    with suppress(OSError, RuntimeError):  # from damage on; what came before it is good
        file.seek(first)
        for done in range(0, n_frames, rate):  # a second at a time never takes much memory
            block = file.read(min(rate, n_frames - done), dtype="float32", always_2d=True)
            if not len(block):
                break
            if not float(np.abs(block).max()) <= _LARGEST_SAMPLE:
                raise MediaError(
                    f"{path} holds samples that are no numbers, or far too large; expected full scale at "
                    f"1. Is the file damaged?"
                )
            power += float(np.square(block, dtype=np.float64).sum())
            blocks.append(block.mean(axis=1, dtype=np.float32))
    if not blocks:
        return None
    mixed = np.concatenate(blocks)
    mixed_power = float(np.square(mixed, dtype=np.float64).sum())
    together = power * max(2, n_channels) / n_channels
    gain_db = 10 * math.log10(together / mixed_power) if mixed_power > 0 else 0.0
    return Window(_resample(path, mixed, rate), gain_db)


def _resample(path: Path, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    if rate == RATE_HZ:
        return samples
    soxr = load_soxr(path)
    return soxr.resample(samples, rate, RATE_HZ, soxr.MQ)


def _to_native(path: Path) -> str | bytes:
    """Return a name as libsndfile takes it: on POSIX bytes, also where they are not UTF-8."""
    return str(path) if os.name == "nt" else os.fsencode(path)


@contextmanager
def _without_chatter() -> Generator[None]:
    """Keep the decoder for MP3 from writing what it finds straight to standard error."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _cannot_decode(path: Path, error: Exception) -> MediaError:
    reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    if (
        getattr(error, "code", None) == _NO_SUCH_FILE
    ):  # so its decoder for MP3 says of any other format
        reason = ""
    said = " ".join(str(reason).split()).rstrip(".")
    return MediaError(
        f"{path} cannot be decoded{f' ({said})' if said else ''}; expected MP3, FLAC, OGG, Opus or WAV. "
        f"Is the file what its name says, and whole?"
    )
