"""XSPF version 1, the XML playlist format of the Xiph.Org Foundation (xspf.org).

Elements stand in the order of its specification, as it asks writers to do. A location is a URI. What is in no
file has no location but an identifier: that names a thing without saying that it can be played.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

from moodwalk.music.playlists.entries import NAME, clean_text, to_ms
from moodwalk.music.playlists.locations import is_nowhere, to_uri
from moodwalk.music.track import Track

__all__ = ["NAMESPACE", "format_xspf"]

NAMESPACE = "http://xspf.org/ns/0/"


def format_xspf(tracks: Sequence[tuple[Track, str]], title: str) -> str:
    """Return a playlist in XSPF.

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
    playlist = ElementTree.Element("playlist", {"version": "1", "xmlns": NAMESPACE})
    _add(playlist, "title", clean_text(title))
    _add(playlist, "creator", NAME)
    track_list = ElementTree.SubElement(playlist, "trackList")
    for track, why in tracks:
        element = ElementTree.SubElement(track_list, "track")
        place = "identifier" if is_nowhere(track.location) else "location"
        _add(element, place, to_uri(track.location))
        _add(element, "title", clean_text(track.title))
        _add(element, "creator", clean_text(track.artist))
        _add(element, "annotation", clean_text(why))
        _add(element, "album", clean_text(track.album))
        ms = to_ms(track.duration_s)
        _add(element, "duration", "" if ms is None else str(ms))
    ElementTree.indent(playlist)
    text = ElementTree.tostring(playlist, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    """Add an element, if there is anything to say in it."""
    if text:
        ElementTree.SubElement(parent, name).text = text
