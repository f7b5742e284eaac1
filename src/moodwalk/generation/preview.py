"""Pages of moving skeletons: what a generator makes, and a walk beside its other moods."""

from collections.abc import Sequence
from pathlib import Path

from moodwalk.emotion import EMOTIONS, Emotion
from moodwalk.errors import ConfigError
from moodwalk.gait import Gait
from moodwalk.page import Section, write_page
from moodwalk.viz.wall import MAX_WALKERS, WallRow, make_wall

__all__ = ["MOST_PREVIEWED", "write_comparison_page", "write_preview_page"]

MOST_PREVIEWED = 48
"""How many generated gaits a page shows."""

_LEAD = "Perceived emotion: what observers would call such a walk, not what anybody feels."
_MOST_PAIRS = MAX_WALKERS // 2


def write_preview_page(path: str | Path, gaits: Sequence[Gait], *, source: str) -> None:
    """Write a page with a wall of generated gaits, a row for each emotion.

    Parameters
    ----------
    path
        The ``.html`` file.
    gaits
        Labelled gaits; the first 48 are shown.
    source
        Where they come from, in words.

    Raises
    ------
    ConfigError
        If there is nothing to show.
    DataFormatError
        If the file cannot be written.
    """
    shown = list(gaits[:MOST_PREVIEWED])
    rows = [
        WallRow(str(emotion), walkers)
        for emotion in EMOTIONS
        if (walkers := [gait for gait in shown if gait.label == emotion])
    ]
    if not rows:
        raise ConfigError("no labelled gaits to show; expected at least one.")
    wall = make_wall(rows, title="Generated walks", caption=f"{len(shown)} walks. {source}")
    write_page(path, "Generated walks", [Section("Walks", figure=wall)], lead=_LEAD)


def write_comparison_page(
    path: str | Path,
    pairs: Sequence[tuple[Gait, Gait]],
    emotion: Emotion,
    *,
    strength: float,
    source: str,
) -> None:
    """Write a page of walks, each beside itself under another emotion.

    Parameters
    ----------
    path
        The ``.html`` file.
    pairs
        A walk, and the same walk restyled; the first 48 are shown.
    emotion, strength
        What was asked for.
    source
        What restyled them, in words.

    Raises
    ------
    ConfigError
        If there is nothing to show.
    DataFormatError
        If the file cannot be written.
    """
    if not pairs:
        raise ConfigError("no walks to show; expected at least one.")
    shown = list(pairs[:_MOST_PAIRS])
    title = f"{emotion.title()}, strength {strength:g}"
    rows = [
        WallRow("as they walked", [before for before, _ in shown]),
        WallRow(f"{emotion}, strength {strength:g}", [after for _, after in shown]),
    ]
    if len(shown) > 1:  # one pair a row keeps each beside its own
        rows = [
            WallRow(before.name or f"walk {i}", pair, f"left as walked, right {emotion}")
            for i, pair in enumerate(shown, start=1)
            for before in pair[:1]
        ]
    wall = make_wall(rows, title=title, caption=f"{len(shown)} walks. {source}")
    write_page(path, title, [Section("Before and after", figure=wall)], lead=_LEAD)
