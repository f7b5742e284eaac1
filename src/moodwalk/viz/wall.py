"""Many small walkers that move together, on one canvas."""

import base64
import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.skeleton import BONES, Joint
from moodwalk.viz.skeleton import find_side, stand_on_ground
from moodwalk.viz.style import EMOTION_COLOURS, SIDE_COLOURS

__all__ = ["MAX_WALKERS", "Wall", "WallRow", "make_wall"]

MAX_WALKERS = 96
"""How many walkers fit on one wall."""

_SHOWN_S = 3.0
_MISSING = np.iinfo(np.int16).min
_LARGEST = np.iinfo(np.int16).max


class WallRow(NamedTuple):
    """Walkers under one heading; as many lines of them as the width of the page needs.

    Parameters
    ----------
    name
        The heading, plain text. Where all gaits have one label, its colour stands before it.
    gaits
        At least one, +y up.
    note
        Plain text under the heading.
    """

    name: str
    gaits: Sequence[Gait]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wall:
    """Up to 96 walkers that move together, at one scale, for a `Section` of a page.

    Every walker is held in place over the ground and repeated from its first frame, at its own
    pace. Whoever looks can turn all of them about the vertical, and stop them.

    Parameters
    ----------
    rows
        In order. Missing joints leave a gap.
    title, caption
        Plain text, set by the page.
    fps
        Frames kept per second, at most; between two of them the page draws what lies between.
    seconds
        How much of a longer gait is kept.

    Raises
    ------
    ConfigError
        If there are no rows, a row without gaits or more than 96 gaits, or if `fps` or `seconds`
        is not positive.
    QualityError
        If a gait has no joint in what is shown of it.
    """

    rows: tuple[WallRow, ...]
    title: str = ""
    caption: str = ""
    fps: float = 30.0
    seconds: float = _SHOWN_S

    def __post_init__(self) -> None:
        for name, value in (("fps", self.fps), ("seconds", self.seconds)):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} of a wall is {value}; expected a positive number.")
        if not self.rows:
            raise ConfigError("a wall without rows; expected at least one row of gaits.")
        for row in self.rows:
            if not len(row.gaits):
                raise ConfigError(
                    f"row '{row.name}' of a wall has no gaits; expected at least one."
                )
        n_walkers = sum(len(row.gaits) for row in self.rows)
        if n_walkers > MAX_WALKERS:
            raise ConfigError(
                f"{n_walkers} gaits on a wall; expected 1 to {MAX_WALKERS}. Choose some of them."
            )
        for row in self.rows:
            for gait in row.gaits:
                if np.isnan(_cut(gait, self.seconds).positions).any(axis=2).all():
                    raise QualityError(
                        f"gait '{gait.name}' of row '{row.name}' has no joint in its first "
                        f"{self.seconds:g} s; expected at least one to draw."
                    )

    def render(self, alt: str = "") -> str:
        """Return the wall as HTML that needs nothing else, without title and caption.

        Parameters
        ----------
        alt
            What a reader who cannot see the wall should know; by default how many walkers each
            row has.

        Notes
        -----
        The colours are those of `write_page`, in whose absence the wall has its own; light and
        dark follow the reader's system.
        """
        colours = ";".join(f"--wall-{side}:{colour}" for side, colour in SIDE_COLOURS.items())
        said = alt or self._describe()
        return "\n".join(
            [
                f'<div class="wall" style="{colours}">',
                f"<style>{_CSS}</style>",
                f'<canvas role="img" tabindex="0" aria-label="{html.escape(said)}"></canvas>',
                *(_render_row(row) for row in self.rows),
                _PLAYER,
                f"<noscript><p>{html.escape(said)} They need JavaScript.</p></noscript>",
                f'<script type="application/json">{self._encode()}</script>',
                f"<script>{_read_script()}</script>",
                "</div>",
            ]
        )

    def _describe(self) -> str:
        n_walkers = sum(len(row.gaits) for row in self.rows)
        rows = "; ".join(f"{row.name}: {len(row.gaits)}" for row in self.rows)
        return (
            f"{n_walkers} moving walkers, seen from the front and one side. {rows}. "
            f"The left and right arrow keys turn them."
        )

    def _encode(self) -> str:
        """Return what the script draws: sizes, paces, bones, and positions as 16-bit integers."""
        gaits = [_cut(gait, self.seconds) for row in self.rows for gait in row.gaits]
        walks = [_thin_out(stand_on_ground(gait), gait.fps, self.fps) for gait in gaits]
        points = np.concatenate(walks)
        unit = float(np.nanmax(np.abs(points))) / _LARGEST or 1.0
        whole = np.where(np.isnan(points), _MISSING, np.round(points / unit)).astype("<i2")
        known = {
            "rows": [len(row.gaits) for row in self.rows],
            "walkers": [
                [len(walk), len(walk) / gait.duration_s]
                for walk, gait in zip(walks, gaits, strict=True)
            ],
            "unit": unit,
            "missing": _MISSING,
            "height": float(np.nanmax(points[..., 1])) or unit,
            "radius": float(np.nanmax(np.hypot(points[..., 0], points[..., 2]))) or unit,
            "limbs": _join_limbs(),
            "head": int(Joint.HEAD),
            "points": base64.b64encode(whole.tobytes()).decode("ascii"),
        }
        return json.dumps(known, separators=(",", ":"))


def make_wall(
    rows: Sequence[WallRow | tuple[str, Sequence[Gait]]],
    *,
    fps: float = 30.0,
    seconds: float | None = None,
    title: str = "",
    caption: str = "",
) -> Wall:
    """Put rows of walkers on a wall.

    Parameters
    ----------
    rows
        (name, gaits) pairs, or rows with a note; together at most 96 gaits.
    fps
        Frames kept per second, at most.
    seconds
        How much of a longer gait is kept; by default three seconds.
    title, caption
        Plain text.

    Raises
    ------
    ConfigError, QualityError
        As `Wall` says.
    """
    return Wall(
        tuple(row if isinstance(row, WallRow) else WallRow(*row) for row in rows),
        title=title,
        caption=caption,
        fps=fps,
        seconds=_SHOWN_S if seconds is None else seconds,
    )


def _cut(gait: Gait, seconds: float) -> Gait:
    n_frames = max(MIN_FRAMES, round(min(seconds, gait.duration_s) * gait.fps))
    return gait.with_positions(gait.positions[:n_frames])


def _thin_out(walk: NDArray[np.float64], fps: float, most_fps: float) -> NDArray[np.float64]:
    """Return fewer frames of the same duration, so that one cycle stays one cycle."""
    n_frames = len(walk)
    n_kept = max(1, round(n_frames * min(1.0, most_fps / fps)))
    at = np.arange(n_kept) * (n_frames / n_kept)
    before = at.astype(np.int64)
    share = (at - before)[:, None, None]
    one, other = walk[before], walk[np.minimum(before + 1, n_frames - 1)]
    return np.where(np.isnan(other), one, (1 - share) * one + share * other)


def _join_limbs() -> list[dict[str, str | list[int]]]:
    """Return trunk, arms and legs: the joints of bones that follow each other, and their side."""
    limbs: list[list[Joint]] = []
    for parent, child in BONES:
        if limbs and limbs[-1][-1] is parent:
            limbs[-1].append(child)
        else:
            limbs.append([parent, child])
    return [{"side": find_side(limb[-1]), "joints": [int(j) for j in limb]} for limb in limbs]


def _render_row(row: WallRow) -> str:
    labels = {gait.label for gait in row.gaits}
    label = labels.pop() if len(labels) == 1 else None
    dot = "" if label is None else f'<i style="background:{EMOTION_COLOURS[label]}"></i>'
    note = f"<p>{html.escape(row.note)}</p>" if row.note else ""
    return f'<h3>{dot}{html.escape(row.name)}</h3>{note}<div class="wall-lane"></div>'


def _read_script() -> str:
    return files("moodwalk.viz").joinpath("wall.js").read_text(encoding="utf-8")


_PLAYER = (
    '<div class="wall-player" hidden><button type="button">Play</button>'
    '<span><i style="background:var(--wall-right)"></i>right side</span>'
    '<span><i style="background:var(--wall-left)"></i>left side</span>'
    "<span>Drag, or ← →, to turn</span></div>"
)

_CSS = """
.wall{position:relative;--wall-ground:var(--line,#dfe2e7)}
@media (prefers-color-scheme:dark){.wall{--wall-ground:var(--line,#343a45)}}
.wall canvas{position:absolute;inset:0;width:100%;height:100%;touch-action:pan-y;cursor:grab}
.wall canvas:active{cursor:grabbing}
.wall h3{position:relative;width:fit-content;margin:0;font-size:1rem;line-height:1.3}
.wall .wall-lane~h3{margin-top:1.4rem}
.wall p{position:relative;width:fit-content;margin:.15rem 0 0;font-size:.9rem;line-height:1.4;
color:var(--soft,inherit)}
.wall-lane{margin-top:.5rem;pointer-events:none}
.wall-player{position:relative;display:flex;flex-wrap:wrap;align-items:center;gap:.4rem 1.1rem;
width:fit-content;margin:1rem 0 0;font-size:.9rem;color:var(--soft,inherit)}
.wall-player[hidden]{display:none}
.wall i{display:inline-block;width:.7em;height:.7em;margin-right:.45em;border-radius:50%}
@media print{.wall-player{display:none}}
"""
