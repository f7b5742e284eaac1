"""Tempo, from beats: which pulse a listener would tap, and how fast it goes.

How strongly a sound pulses at each tempo is read off its onsets, from autocorrelation and Fourier transform
at once: the first also answers at whole multiples of a pulse's period, the second at whole multiples of its
rate, their product at neither [1]_. Which of several pulses people tap is a matter of resonance: they like
120 a minute best [2]_, though music can draw them elsewhere [3]_. Beats are then laid through the onsets at
about that pace [4]_, and the line through their times gives the tempo, finer than any grid.

References
----------
.. [1] Peeters (2007), Template-based estimation of time-varying tempo, EURASIP Journal on Advances in Signal
   Processing 2007:067215, doi:10.1155/2007/67215.
.. [2] van Noorden and Moelants (1999), Resonance in the perception of musical pulse, Journal of New Music
   Research 28(1), 43-66, doi:10.1076/jnmr.28.1.43.3122.
.. [3] McKinney and Moelants (2006), Ambiguity in tempo perception, Music Perception 24(2), 155-166,
   doi:10.1525/mp.2006.24.2.155.
.. [4] Ellis (2007), Beat tracking by dynamic programming, Journal of New Music Research 36(1), 51-60,
   doi:10.1080/09298210701653344.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Tempo", "compute_resonance", "find_beats", "find_tempo", "fit_tempo"]

_RANGE_BPM = (30.0, 300.0)
_GRID_BPM = np.geomspace(*_RANGE_BPM, 331)  # steps of 0.7 %
_PIECE_S = 10.0
_SHORTEST_S = 4.0
_SAME = 0.04
_TIGHTNESS = 100.0
_AROUND_S = 1.0
_MOST_OFF = 0.2
_FAINT = 1e-6


@dataclass(frozen=True, slots=True)
class Tempo:
    """How fast music goes.

    Parameters
    ----------
    bpm
        Beats per minute.
    alternatives_bpm
        Half and double of it, and other tempos that the music pulses at, the likeliest first.
    confidence
        0 to 1: how clear the pulse is, and in how much of the music.
    """

    bpm: float
    alternatives_bpm: tuple[float, ...]
    confidence: float


def compute_resonance(tempo_bpm: NDArray[np.floating[Any]] | float) -> NDArray[np.float64]:
    """Compute how much people favour a tempo.

    Parameters
    ----------
    tempo_bpm
        Beats per minute, above 0.

    Returns
    -------
    array
        The effective resonance of a damped oscillator at 120 a minute [2]_, 1 there: 0.66 at 90, 0.23 at 60
        and 0.06 at 240.
    """
    f = np.asarray(tempo_bpm, np.float64) / 60
    return _resonate(f) / _resonate(np.float64(2.0))


def _resonate(f: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    # damping 1 Hz gives half height at about 400 and 800 ms, as the study found
    return np.asarray(1 / np.sqrt((4 - f**2) ** 2 + f**2) - 1 / np.sqrt(16 + f**4))


def compute_pulse(onset: NDArray[np.float64], frame_s: float) -> NDArray[np.float64]:
    """Compute how strongly a piece of a few seconds pulses at each tempo of the grid.

    Parameters
    ----------
    onset
        (n_frames,) how much begins in each frame.
    frame_s
        Seconds from frame to frame.

    Returns
    -------
    (331,) array
        0 to 1, for 30 to 300 BPM in steps of 0.7 %.
    """
    envelope = _level(onset, frame_s)
    n = len(envelope)
    power = float(envelope @ envelope)
    if not power > 0:
        return np.zeros(len(_GRID_BPM))
    spectrum = np.fft.rfft(envelope, 2 * n)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / power
    lags = 60 / _GRID_BPM / frame_s
    correlation = np.interp(lags, np.arange(n), correlation * n / (n - np.arange(n)), right=0.0)
    taper = np.hanning(n)
    waves = np.exp(-2j * np.pi / 60 * frame_s * np.outer(_GRID_BPM, np.arange(n)))
    transform = np.abs(waves @ (envelope * taper))
    largest = float(transform.max())
    return np.clip(correlation, 0, 1) * (transform / largest if largest > 0 else 0.0)


def find_beats(onset: NDArray[np.float64], frame_s: float, tempo_bpm: float) -> NDArray[np.float64]:
    """Find beats at about a tempo.

    Parameters
    ----------
    onset
        (n_frames,) how much begins in each frame.
    frame_s
        Seconds from frame to frame.
    tempo_bpm
        How far beats lie apart; they may drift from it.

    Returns
    -------
    (n_beats,) array
        Seconds from the start; ascending.
    """
    envelope = _level(onset, frame_s)
    deviation = float(envelope.std())
    if not deviation > 0:
        return np.empty(0)
    envelope /= deviation
    period = 60 / tempo_bpm / frame_s
    steps = np.arange(round(period / 2), round(period * 2) + 1)
    cost = _TIGHTNESS * np.log(steps / period) ** 2
    n, longest = len(envelope), int(steps[-1])
    score = np.zeros(longest + n)  # what lies before the start is worth nothing
    before = np.full(n, -1)
    for frame in range(n):
        worth = score[frame + longest - steps] - cost
        best = int(worth.argmax())
        score[frame + longest] = envelope[frame]
        if worth[best] > 0:
            score[frame + longest] += worth[best]
            before[frame] = frame - steps[best]
    score = score[longest:]
    beat = n - 1 - int(score[::-1][: longest + 1].argmax())
    beats: list[int] = []
    while beat >= 0:
        beats.append(beat)
        beat = int(before[beat])
    return _refine(envelope, np.array(beats[::-1])) * frame_s


def fit_tempo(beats_s: NDArray[np.float64]) -> tuple[float, float] | None:
    """Fit a line through the times of beats.

    Parameters
    ----------
    beats_s
        (n_beats,) ascending.

    Returns
    -------
    (tempo_bpm, scatter) or None
        The scatter is the root mean square distance of the beats from the line, as a share of a beat. Beats
        that lie far off are left out. None for fewer than four beats.
    """
    if len(beats_s) < 4:
        return None
    number = np.arange(len(beats_s), dtype=np.float64)
    kept = np.ones(len(beats_s), bool)
    slope, off = 0.0, np.zeros(len(beats_s))
    for _ in range(3):
        slope, first = np.polyfit(number[kept], beats_s[kept], 1)
        off = (beats_s - first) / slope - number
        near = np.abs(off) < _MOST_OFF
        if near.sum() < 4 or (near == kept).all():
            break
        kept = near
    return 60 / float(slope), float(np.sqrt(np.mean(off[kept] ** 2)))


class _Heard(NamedTuple):
    """A window, and how its pieces pulse."""

    onset: NDArray[np.float64]
    pulses: list[NDArray[np.float64]]


def find_tempo(windows: Sequence[NDArray[np.float64]], frame_s: float) -> Tempo | None:
    """Find the tempo of music from its onsets.

    Parameters
    ----------
    windows
        Of each stretch of sound, (n_frames,) how much begins in each frame.
    frame_s
        Seconds from frame to frame.

    Returns
    -------
    Tempo or None
        None where nothing pulses, or the sound is shorter than 4 s.
    """
    heard: list[_Heard] = []
    for onset in windows:
        if len(onset) * frame_s >= _SHORTEST_S:
            pulses = [compute_pulse(piece, frame_s) for piece in _split(onset, frame_s)]
            pulses = [pulse for pulse in pulses if pulse.any()]
            if pulses:
                heard.append(_Heard(onset, pulses))
    pulses = [pulse for window in heard for pulse in window.pulses]
    if not pulses:
        return None
    together = np.mean(pulses, axis=0)
    liking = together * compute_resonance(_GRID_BPM)
    coarse = float(_GRID_BPM[liking.argmax()])
    tempo = _measure(heard, frame_s, coarse)
    n_agree = sum(_agrees(pulse, tempo) for pulse in pulses)
    return Tempo(tempo, _find_alternatives(tempo, liking), n_agree / (len(pulses) + 1))


def _measure(windows: Sequence[_Heard], frame_s: float, coarse: float) -> float:
    """Measure a tempo that is known to a few percent, in the windows that go by it."""
    agreeing = [heard for heard in windows if _agrees(np.mean(heard.pulses, axis=0), coarse)]
    fits: list[tuple[float, float]] = []
    for heard in agreeing or windows:
        beats = find_beats(heard.onset, frame_s, coarse)
        fit = fit_tempo(beats)
        if fit and abs(fit[0] / coarse - 1) < _SAME:
            fits.append((fit[0], len(beats) ** 3 / (fit[1] ** 2 + 1e-4)))  # its slope's precision
    if not fits:
        return coarse
    tempos, weights = np.array(fits).T
    return float(np.average(tempos, weights=weights))


def _find_alternatives(tempo: float, liking: NDArray[np.float64]) -> tuple[float, ...]:
    most = liking.max()
    found: list[tuple[float, float]] = []
    for ratio in (0.5, 2.0, 1 / 3, 2 / 3, 1.5, 3.0):
        other = tempo * ratio
        if not _RANGE_BPM[0] <= other <= _RANGE_BPM[1]:
            continue
        share = float(liking[_near(other)].max() / most)
        if ratio in (0.5, 2.0) or share > 0.3:
            found.append((share, other))
    return tuple(other for _, other in sorted(found, reverse=True))


def _agrees(pulse: NDArray[np.float64], tempo: float) -> bool:
    own = float(_GRID_BPM[(pulse * compute_resonance(_GRID_BPM)).argmax()])
    return any(abs(own / (ratio * tempo) - 1) <= _SAME for ratio in (0.5, 1, 2))


def _near(tempo: float) -> NDArray[np.bool_]:
    return np.abs(_GRID_BPM / tempo - 1) <= _SAME


def _split(onset: NDArray[np.float64], frame_s: float) -> list[NDArray[np.float64]]:
    n_pieces = max(1, round(len(onset) * frame_s / _PIECE_S))
    return np.array_split(onset, n_pieces)


def _level(onset: NDArray[np.float64], frame_s: float) -> NDArray[np.float64]:
    """Take away what is always there, so that a quiet passage counts as much as a busy one."""
    from scipy.ndimage import gaussian_filter1d, uniform_filter1d

    smooth = gaussian_filter1d(onset, 0.02 / frame_s, mode="nearest")
    width = 2 * round(_AROUND_S / frame_s) + 1
    raised = np.maximum(smooth - uniform_filter1d(smooth, width, mode="nearest"), 0)
    if not raised.max(initial=0) > _FAINT * onset.max(initial=0):  # rounding errors pulse too
        return np.zeros(len(onset))
    return raised - raised.mean()


def _refine(envelope: NDArray[np.float64], beats: NDArray[np.intp]) -> NDArray[np.float64]:
    """Move beats to the tops of parabolas through three frames."""
    inside = (beats > 0) & (beats < len(envelope) - 1)
    at = beats[inside]
    left, top, right = envelope[at - 1], envelope[at], envelope[at + 1]
    bend = left - 2 * top + right
    moved = beats.astype(np.float64)
    is_peak = (bend < 0) & (top >= left) & (top >= right)
    shift = np.zeros(len(at))
    shift[is_peak] = 0.5 * (left - right)[is_peak] / bend[is_peak]
    moved[inside] += shift
    return moved
