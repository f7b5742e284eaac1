"""Players, and when the music changes during a walk."""

from moodwalk.music.player.driving import drive
from moodwalk.music.player.interface import Player, PlayerStatus, Unplayable
from moodwalk.music.player.mpd import MpdPlayer
from moodwalk.music.player.session import (
    Action,
    Crossfade,
    Pause,
    Point,
    Refill,
    Resume,
    SessionOptions,
    WalkSession,
)

__all__ = [
    "Action",
    "Crossfade",
    "MpdPlayer",
    "Pause",
    "Player",
    "PlayerStatus",
    "Point",
    "Refill",
    "Resume",
    "SessionOptions",
    "Unplayable",
    "WalkSession",
    "drive",
]
