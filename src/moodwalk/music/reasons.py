"""Why a track is where it is, in words and numbers."""

import math

from moodwalk.music.beat import describe_steps
from moodwalk.music.recommend import Entry
from moodwalk.music.target import RADIUS, Mood, Target
from moodwalk.music.track import Track

__all__ = ["describe_mood", "explain_choice"]

_WAYS = {"lift": "brighter", "calm": "calmer", "energise": "livelier"}

_SOME, _MUCH = 0.15, 0.5
_TASTE = 0.1


def explain_choice(entry: Entry, track: Track, mood: Mood, mode: str) -> str:
    """Say why a track was chosen, in one short sentence.

    Parameters
    ----------
    entry
        Its place in the playlist.
    track
        What is known of it.
    mood, mode
        What the playlist was made for, and how.

    Returns
    -------
    str
        Such as "calm and a little sad like your mood (valence -0.42, asked -0.45; arousal -0.30, asked
        -0.27); 112 BPM is a beat a step less 1 %".
    """
    steps = describe_steps(track.tempo_bpm, entry.target.cadence_spm, entry.tempo_ratio)
    said = [_explain_mood(entry, track, mode), steps]
    if mood.valence is None:
        said = [steps or "nothing is known to choose music by"]
    if entry.parts.get("taste", 0.0) > _TASTE:
        said.append("you liked such music")
    if entry.parts.get("novelty") == 0:
        said.append("played lately, but others fit less")
    return "; ".join(text for text in said if text)


def describe_mood(valence: float, arousal: float) -> str:
    """Say in words where music lies in valence and arousal.

    Parameters
    ----------
    valence, arousal
        -1 to 1. Up to 0.15 from 0 is said not at all, up to 0.5 with less weight.
    """
    words: list[str] = []
    if abs(arousal) >= _SOME:
        words.append(
            ("very " if abs(arousal) >= _MUCH else "") + ("lively" if arousal > 0 else "calm")
        )
    if abs(valence) >= _SOME:
        dark = "tense" if arousal >= _SOME else "sad"
        weight = "" if abs(valence) >= _MUCH else "a little "
        words.append(weight + ("happy" if valence > 0 else dark))
    return " and ".join(words) or "neutral"


def _explain_mood(entry: Entry, track: Track, mode: str) -> str:
    target = entry.target
    if target.valence is None or target.arousal is None:
        return ""
    if track.valence is None or track.arousal is None:
        return "nothing is known of its mood"
    words = describe_mood(track.valence, track.arousal)
    near = math.hypot(track.valence - target.valence, track.arousal - target.arousal) <= RADIUS
    return f"{words}{_place(entry, mode, near)} ({_count(track.valence, track.arousal, target)})"


def _place(entry: Entry, mode: str, near: bool) -> str:
    if not near:
        return ", as near as could be had"
    if mode not in _WAYS or entry.step == 1:
        return " like your mood"
    return f", step {entry.step} of {entry.n_steps} to {_WAYS[mode]} music"


def _count(valence: float, arousal: float, target: Target) -> str:
    return (
        f"valence {valence:+.2f}, asked {target.valence:+.2f}; "
        f"arousal {arousal:+.2f}, asked {target.arousal:+.2f}"
    )
