"""Many small walkers that move together, on one canvas."""

import base64
import html
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, QualityError
from moodwalk.gait import MIN_FRAMES, Gait
from moodwalk.skeleton import BONES, N_JOINTS, Joint
from moodwalk.viz.skeleton import find_side, stand_on_ground
from moodwalk.viz.style import EMOTION_COLOURS, SIDE_COLOURS

__all__ = ["MAX_WALKERS", "TONE_COLOURS", "Wall", "WallRow", "make_wall"]

MAX_WALKERS = 96
"""How many walkers fit on one wall."""

_SHOWN_S = 3.0
_MISSING = np.iinfo(np.int16).min
_LARGEST = np.iinfo(np.int16).max
_STRONGEST = np.iinfo(np.int8).max
_WIDEST_PX = 170


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
    tones
        Colour by something else than side: for every gait, in order, (T, 16) from -1 to 1, a value for
        every joint in every frame, or None for a walker without; empty for no such colours.
    tone_names
        What -1 and 1 mean, plain text.
    walker_px
        The widest that a walker's cell gets.

    Raises
    ------
    ConfigError
        If there are no rows, a row without gaits or more than 96 gaits, if `fps`, `seconds` or
        `walker_px` is not positive, or if tones and gaits do not fit together.
    QualityError
        If a gait has no joint in what is shown of it.
    """

    rows: tuple[WallRow, ...]
    title: str = ""
    caption: str = ""
    fps: float = 30.0
    seconds: float = _SHOWN_S
    tones: tuple[NDArray[np.floating] | None, ...] = ()
    tone_names: tuple[str, str] = ("less", "more")
    walker_px: float = _WIDEST_PX

    def __post_init__(self) -> None:
        sizes = {"fps": self.fps, "seconds": self.seconds, "walker_px": self.walker_px}
        for name, value in sizes.items():
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
        if self.tones:
            self._check_tones([gait for row in self.rows for gait in row.gaits])

    def _check_tones(self, gaits: list[Gait]) -> None:
        if len(self.tones) != len(gaits):
            raise ConfigError(
                f"{len(self.tones)} tones for {len(gaits)} gaits on a wall; expected as many."
            )
        for tone, gait in zip(self.tones, gaits, strict=True):
            if tone is None:
                continue
            if tone.shape != (len(gait), N_JOINTS) or not (np.abs(tone) <= 1).all():
                raise ConfigError(
                    f"the tones of gait '{gait.name}' have shape {tone.shape}; expected "
                    f"({len(gait)}, {N_JOINTS}) and values from -1 to 1."
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
                self._render_player(),
                f"<noscript><p>{html.escape(said)} They need JavaScript.</p></noscript>",
                f'<script type="application/json">{self._encode()}</script>',
                f"<script>{_read_script()}</script>",
                "</div>",
            ]
        )

    def _render_player(self) -> str:
        legend = _SIDES
        if self.tones:
            against, towards = (html.escape(name) for name in self.tone_names)
            legend = f"<span>{against}<b></b>{towards}</span>"
        return (
            f'<div class="wall-player" hidden><button type="button">Play</button>{legend}'
            f"<span>Drag, or ← →, to turn</span></div>"
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
        known: dict[str, Any] = {
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
        if self.walker_px != _WIDEST_PX:
            known["widest"] = self.walker_px
        if self.tones:
            known["tones"] = base64.b64encode(self._thin_out_tones(gaits).tobytes()).decode("ascii")
        return json.dumps(known, separators=(",", ":"))

    def _thin_out_tones(self, gaits: list[Gait]) -> NDArray[np.int8]:
        """Return the tones of the frames that are drawn, as 8-bit integers."""
        thinned: list[NDArray[np.float64]] = []
        for tone, gait in zip(self.tones, gaits, strict=True):
            known = np.zeros((len(gait), N_JOINTS)) if tone is None else tone[: len(gait)]
            wide = known.astype(np.float64)[:, :, None]
            thinned.append(_thin_out(wide, gait.fps, self.fps)[:, :, 0])
        return np.round(np.concatenate(thinned) * _STRONGEST).astype(np.int8)


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


_SIDES = (
    '<span><i style="background:var(--wall-right)"></i>right side</span>'
    '<span><i style="background:var(--wall-left)"></i>left side</span>'
)

TONE_COLOURS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "towards": ("#7b52b9", "#b08fe6"),
        "against": ("#2fa57c", "#45c79a"),
        "even": ("#b9bec6", "#565d68"),
    }
)
"""Of 1, -1 and 0, in light and in dark. Purple and green keep apart for colour-blind eyes; in grey the
green is the lighter one, and what weighs more is drawn larger."""

_LIGHT, _DARK = (
    ";".join(f"--wall-{name}:{pair[i]}" for name, pair in TONE_COLOURS.items()) for i in (0, 1)
)
_CSS = """
.wall{position:relative;--wall-ground:var(--line,#dfe2e7);LIGHT}
@media (prefers-color-scheme:dark){.wall{--wall-ground:var(--line,#343a45);DARK}}
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
.wall b{display:inline-block;width:5em;height:.7em;margin:0 .5em;border-radius:.35em;
background:linear-gradient(90deg,var(--wall-against),var(--wall-even),var(--wall-towards))}
@media print{.wall-player{display:none}}
""".replace("LIGHT", _LIGHT).replace("DARK", _DARK)
