"""JSPF, XSPF's sibling in JSON (xspf.org): the same names; a track's locations and identifiers are lists."""

import json
from collections.abc import Sequence
from typing import Any

from moodwalk.music.playlists.entries import NAME, clean_text, to_ms
from moodwalk.music.playlists.locations import is_nowhere, to_uri
from moodwalk.music.track import Track

__all__ = ["format_jspf"]


def format_jspf(tracks: Sequence[tuple[Track, str]], title: str) -> str:
    """Return a playlist in JSPF.

    Parameters
    ----------
    tracks
        Each with the reason why it is there, which becomes its annotation.
    title
        Of the playlist.

    Raises
    ------
    DataFormatError
        If a location is no absolute path and no URI.
    """
    playlist = {
        **_keep_known({"title": clean_text(title), "creator": NAME}),
        "track": [_describe(track, why) for track, why in tracks],
    }
    return json.dumps({"playlist": playlist}, ensure_ascii=False, indent=2) + "\n"


def _describe(track: Track, why: str) -> dict[str, Any]:
    place = "identifier" if is_nowhere(track.location) else "location"
    return _keep_known(
        {
            place: [to_uri(track.location)],
            "title": clean_text(track.title),
            "creator": clean_text(track.artist),
            "annotation": clean_text(why),
            "album": clean_text(track.album),
            "duration": to_ms(track.duration_s),
        }
    )


def _keep_known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}
