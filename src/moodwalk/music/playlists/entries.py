"""What a playlist says of a track, made fit to be written."""

import math
import re

from moodwalk.music.track import Track

__all__ = ["NAME", "clean_text", "find_name", "to_ms"]

NAME = "moodwalk"
"""Who made the playlist."""

_BREAKS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
# Halves of surrogate pairs are no characters; XML 1.0 forbids the other two as well.
_FORBIDDEN = re.compile(r"[\ud800-\udfff\ufffe\uffff]")
_MAX_LENGTH = 1000


def clean_text(text: str) -> str:
    """Return a text on one line, of characters that XML 1.0 and every reader of lines allow.

    Parameters
    ----------
    text
        As a tag says it. Control characters and line breaks become a space, what is no character becomes
        U+FFFD; past 1,000 characters it is cut.
    """
    text = _FORBIDDEN.sub("\ufffd", _BREAKS.sub(" ", text)).strip(" ")
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 1] + "…"


def find_name(track: Track) -> str:
    """Return how a track is named on one line: ``Artist - Title``, or what is known of it."""
    artist, title = clean_text(track.artist), clean_text(track.title)
    if not title:
        title = clean_text(re.split(r"[/\\]", track.location)[-1])
    return f"{artist} - {title}" if artist else title


def to_ms(seconds: float | None) -> int | None:
    """Return a duration in whole milliseconds; None where it is unknown or makes no sense."""
    if seconds is None or not math.isfinite(seconds) or seconds <= 0:
        return None
    return max(1, round(seconds * 1000))
