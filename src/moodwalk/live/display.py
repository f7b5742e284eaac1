"""A calm screen for a live walk: what is read, how sure that is, and what plays."""

import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moodwalk.emotion import EMOTIONS
from moodwalk.live.answer import LiveAnswer
from moodwalk.live.music import NowPlaying

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

__all__ = ["LiveScreen", "describe"]

_PER_S = 4  # more looks restless
_N_NOTES = 2
_LABEL = 12
_MOST_BAR = 48
_COLOURS = {"happy": "yellow", "angry": "red", "sad": "blue", "neutral": "green"}
_HINTS = {
    "nobody": "Nobody is in the picture",
    "gathering": "Watching",
    "not walking": "Not a walk",
    "unclear": "Can't tell",
    "walking": "",
}
_PLAYS = {
    "waiting": "waits for a walk",
    "suggested": "suggested",
    "play": "plays",
    "pause": "paused",
    "stop": "stopped",
    "away": "not reached",
}


def describe(answer: LiveAnswer) -> str:
    """Return an answer as one line."""
    steps = "" if answer.cadence_spm is None else f", {answer.cadence_spm:.0f} steps/min"
    if answer.emotion is None:
        why = f": {answer.reason}" if answer.reason else ""
        return f"{answer.time_s:8.1f} s  {answer.state}{steps}{why}"
    return f"{answer.time_s:8.1f} s  {answer.emotion} {answer.confidence:.0%}{steps}"


class LiveScreen:
    """The whole terminal, given back as it was at the end.

    Use it in a ``with`` block.

    Parameters
    ----------
    source
        What is looked at, in a word or two.
    console
        Where to; standard output by default.
    """

    def __init__(self, source: str, console: "Console | None" = None) -> None:
        from rich.console import Console
        from rich.live import Live

        self._source = source
        self._console = console or Console(
            file=sys.stdout, highlight=False, markup=False, emoji=False
        )
        self._answer: LiveAnswer | None = None
        self._music: NowPlaying | None = None
        self._notes: deque[str] = deque(maxlen=_N_NOTES)
        self._frames: deque[float] = deque(maxlen=60)
        self._began_s = time.monotonic()
        self._drawn_s = 0.0
        self._live = Live(
            console=self._console,
            screen=True,
            auto_refresh=False,
            transient=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def note(self, line: str) -> None:
        """Show a line at the bottom; the latest two stay."""
        self._notes.append(line)

    def draw_in_time(self, *, looked: bool) -> None:
        """Draw where it is time to; to be called often.

        Parameters
        ----------
        looked
            Whether a picture was looked at since the last call.
        """
        now_s = time.monotonic()
        if looked:
            self._frames.append(now_s)
        if now_s - self._drawn_s >= 1 / _PER_S:
            self.draw()

    def show(self, answer: LiveAnswer, music: NowPlaying | None) -> None:
        """Take over what was just read, and what plays."""
        self._answer, self._music = answer, music

    def draw(self) -> None:
        """Draw everything anew."""
        self._drawn_s = time.monotonic()
        self._live.update(self.render(), refresh=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        self.draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def render(self) -> "RenderableType":
        """Return what the screen shows."""
        from rich import box
        from rich.align import Align
        from rich.console import Group
        from rich.panel import Panel
        from rich.text import Text

        width = min(self._console.width - 4, _LABEL + _MOST_BAR + 8)
        answer = self._answer
        lines: list[Text] = [
            Text(""),
            self._head(answer),
            Text(answer.reason if answer is not None else "", style="dim"),
            Text(""),
        ]
        bar = max(5, width - _LABEL - 6)
        known = {} if answer is None else answer.probabilities
        for emotion in EMOTIONS:
            lines.append(_bar(emotion, known.get(emotion), bar, _COLOURS[emotion]))
        lines.append(Text(""))
        for name, value in (
            ("valence", None if answer is None else answer.valence),
            ("arousal", None if answer is None else answer.arousal),
        ):
            lines.append(_gauge(name, value, bar))
        lines += [Text(""), *self._facts(answer), Text("")]
        if self._music is not None:
            lines += [*self._sing(self._music), Text("")]
        for note in self._notes:
            lines.append(Text(note, style="dim italic"))
        lines.append(
            Text("How the walk looks to others, not what anybody feels. Ctrl-C ends.", style="dim")
        )
        body = Panel(
            Group(*lines), title="moodwalk live", box=box.ROUNDED, width=width + 4, padding=(0, 1)
        )
        return Align.center(body)

    def _head(self, answer: LiveAnswer | None) -> "Text":
        from rich.text import Text

        if answer is None:
            return Text("Starting", style="bold")
        if answer.emotion is not None:
            return Text.assemble(
                (str(answer.emotion), f"bold {_COLOURS[answer.emotion]}"),
                (f"  {answer.confidence:.0%}", "bold"),
            )
        return Text(_HINTS[answer.state], style="bold")

    def _facts(self, answer: LiveAnswer | None) -> "list[Text]":
        cadence = quality = delay = "–"
        if answer is not None:
            if answer.cadence_spm is not None:
                cadence = f"{answer.cadence_spm:.0f} steps/min"
            if answer.quality is not None:
                quality = f"{answer.quality.kind}, {answer.quality.direction}"
            if answer.delay_s is not None:
                delay = f"{answer.delay_s:.1f} s behind the walk"
        seconds = int(time.monotonic() - self._began_s)
        rate = ""
        if len(self._frames) > 1 and self._frames[-1] > self._frames[0]:
            rate = (
                f", {(len(self._frames) - 1) / (self._frames[-1] - self._frames[0]):.0f} pictures/s"
            )
        watched = f"{self._source}, {seconds // 60}:{seconds % 60:02}{rate}"
        return [
            _fact(name, value)
            for name, value in (
                ("cadence", cadence),
                ("motion", quality),
                ("answer", delay),
                ("source", watched),
            )
        ]

    def _sing(self, music: NowPlaying) -> "list[Text]":
        from rich.text import Text

        song = f"{music.title} – {music.artist}" if music.artist else music.title
        lines = [_fact("music", f"{song or '–'} ({_PLAYS.get(music.state, music.state)})")]
        lines += [
            Text(f"{'':{_LABEL}}{text}", style="dim") for text in (music.why, music.note) if text
        ]
        return lines


def _fact(name: str, value: str) -> "Text":
    from rich.text import Text

    return Text.assemble((f"{name:{_LABEL}}", "dim"), value)


def _bar(name: str, share: float | None, width: int, colour: str) -> "Text":
    from rich.text import Text

    if share is None:
        return Text.assemble(f"{name:{_LABEL}}", ("·" * width, "dim"), f"{'–':>5}")
    full = round(share * width)
    return Text.assemble(
        f"{name:{_LABEL}}", ("█" * full, colour), ("·" * (width - full), "dim"), f"{share:5.0%}"
    )


def _gauge(name: str, value: float | None, width: int) -> "Text":
    """Return a line from -1 to 1 with a mark on it."""
    from rich.text import Text

    width -= 1 - width % 2  # zero in the middle
    line = ["─"] * width
    line[width // 2] = "┼"
    if value is None:
        return Text.assemble(f"{name:{_LABEL}}", ("".join(line), "dim"), f"{'–':>5}")
    place = min(width - 1, max(0, round((value + 1) / 2 * (width - 1))))
    before, after = "".join(line[:place]), "".join(line[place + 1 :])
    return Text.assemble(
        f"{name:{_LABEL}}", (before, "dim"), ("●", "bold"), (after, "dim"), f"{value:+6.2f}"
    )
