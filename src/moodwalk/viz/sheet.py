"""A white sheet for a PNG beside Markdown: heading, panels measured in inches, the same bytes again."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moodwalk.errors import ConfigError
from moodwalk.io.atomic import check_writable, write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FRAME", "INK", "MARGIN_IN", "POINT_IN", "SOFT_INK", "WIDTH_IN", "Sheet", "open_sheet"]

WIDTH_IN = 7.5
MARGIN_IN = 0.25
POINT_IN = 1 / 72
INK, SOFT_INK, FRAME = "#1D2129", "#59616D", "#C9CED6"

_DPI = 160
_TITLE_PT, _CAPTION_PT = 12, 8
_LINE = 1.3  # of the size of the type
_RULES: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": FRAME,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.8,
    "xtick.color": FRAME,
    "ytick.color": FRAME,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.parse_math": False,  # a name may hold a dollar
}


class Sheet:
    """A picture in the making; places are inches from the left and from below the heading.

    Parameters
    ----------
    title, caption
        Plain text, wrapped to the width.
    """

    def __init__(self, title: str, caption: str) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(WIDTH_IN, 1), dpi=_DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self.figure)
        self._height_in = 1.0
        width = WIDTH_IN - 2 * MARGIN_IN
        self._head = self.wrap(title, _TITLE_PT, width, bold=True) if title else []
        self._foot = self.wrap(caption, _CAPTION_PT, width) if caption else []
        self._head_in = (
            len(self._head) * _TITLE_PT + len(self._foot) * _CAPTION_PT
        ) * _LINE * POINT_IN + MARGIN_IN * (1.9 if self._head or self._foot else 0.6)

    def measure(self, text: str, size: float, *, bold: bool = False) -> float:
        """Return the width of a line of text in inches."""
        from matplotlib.font_manager import FontProperties

        font = FontProperties(size=size, weight="bold" if bold else "normal")
        width, _, _ = self._canvas.get_renderer().get_text_width_height_descent(text, font, False)
        return width / _DPI

    def wrap(self, text: str, size: float, width_in: float, *, bold: bool = False) -> list[str]:
        """Break text into lines of a width; a word that is longer is broken."""
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.measure(longer, size, bold=bold) <= width_in:
                lines[-1] = longer
                continue
            if lines[-1]:
                lines.append("")
            for letter in word:
                if lines[-1] and self.measure(lines[-1] + letter, size, bold=bold) > width_in:
                    lines.append("")
                lines[-1] += letter
        return lines

    def lay_out(self, body_in: float) -> None:
        """Set the height below the heading, and write the heading."""
        self._height_in = self._head_in + body_in
        self.figure.set_size_inches(WIDTH_IN, self._height_in)
        top = MARGIN_IN * 0.6 - self._head_in
        for line in self._head:
            self.write(MARGIN_IN, top, line, size=_TITLE_PT, bold=True, va="top")
            top += _TITLE_PT * _LINE * POINT_IN
        top += 0.03
        for line in self._foot:
            self.write(MARGIN_IN, top, line, size=_CAPTION_PT, colour=SOFT_INK, va="top")
            top += _CAPTION_PT * _LINE * POINT_IN

    def add_axes(self, left: float, top: float, width: float, height: float) -> "Axes":
        """Add a panel without frame; inches."""
        bottom = self._height_in - self._head_in - top - height
        axes = self.figure.add_axes(
            (left / WIDTH_IN, bottom / self._height_in, width / WIDTH_IN, height / self._height_in)
        )
        for side in axes.spines.values():
            side.set_visible(False)
        return axes

    def write(
        self,
        left: float,
        top: float,
        text: str,
        *,
        size: float = 8,
        bold: bool = False,
        colour: str = INK,
        ha: Literal["left", "center", "right"] = "left",
        va: Literal["top", "center", "bottom"] = "bottom",
    ) -> None:
        """Write one line of text; inches."""
        y = 1 - (self._head_in + top) / self._height_in
        weight = "bold" if bold else "normal"
        self.figure.text(
            left / WIDTH_IN, y, text, size=size, weight=weight, color=colour, ha=ha, va=va,
        )  # fmt: skip

    def write_head(self, left: float, top: float, lines: Sequence[str], remark: str) -> None:
        """Write the name of a panel, in bold, and a remark below it."""
        for line in lines:
            self.write(left, top, line, size=9, bold=True, va="top")
            top += 9 * _LINE * POINT_IN
        if remark:
            self.write(left, top, remark, va="top")

    def save(self, path: Path) -> None:
        """Write the PNG, without the date and version that would make its bytes differ."""
        self.figure.savefig(path, format="png", dpi=_DPI, metadata={"Software": None})


@contextmanager
def open_sheet(path: str | Path, title: str, caption: str) -> Generator[Sheet]:
    """Give a sheet to draw on, and write it as a PNG, whole or not at all, when the block ends well.

    Parameters
    ----------
    path
        The PNG to write.
    title, caption
        Plain text.

    Raises
    ------
    ConfigError
        If matplotlib is missing.
    DataFormatError
        If the file cannot be written there.
    """
    check_writable(path)
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise ConfigError(
            "PNG pictures need matplotlib, which is not installed; install moodwalk[lab]."
        ) from error
    # a reader's own settings must not change a report
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RULES)
        sheet = Sheet(title, caption)
        yield sheet
        with write_whole(path) as temporary:
            sheet.save(temporary)
