"""What commands print: figures on standard output, all else on standard error.

rich is imported where it is used, so that ``moodwalk --help`` stays fast.
"""

import json
import math
import sys
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from moodwalk.errors import MoodwalkWarning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, Task
    from rich.text import Text

__all__ = [
    "open_progress",
    "print_error",
    "print_json",
    "print_json_line",
    "print_line",
    "print_note",
    "print_table",
    "show_warnings",
]

PIPED_WIDTH = 160
"""Columns of a table when nobody's terminal says how wide it is."""


def print_json(document: Mapping[str, object]) -> None:
    """Print one JSON document on standard output; numbers that JSON lacks become null."""
    print(json.dumps(_replace_nan(document), indent=2, allow_nan=False))


def print_json_line(document: Mapping[str, object]) -> None:
    """Print one JSON document in one line, at once, as a stream of them wants it."""
    print(json.dumps(_replace_nan(document), allow_nan=False), flush=True)


def print_line(text: str) -> None:
    """Print text on standard output as it is."""
    _print_safely(text, sys.stdout)


def print_note(text: str) -> None:
    """Print one line on standard error."""
    _print_safely(_one_line(text), sys.stderr)


def print_error(message: str) -> None:
    """Print ``error: message`` as one line on standard error."""
    print_note(f"error: {message}")


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    caption: str | None = None,
) -> None:
    """Print a table on standard output: first column left, the others right.

    Parameters
    ----------
    title, columns
        Headings.
    rows
        Cells; floats are shown with four significant digits, None as an en dash.
    caption
        A line below the table.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_header=any(columns))
    for i, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if i else "left")
    for row in rows:
        table.add_row(*(Text(_show_cell(cell)) for cell in row))
    console = _console(sys.stdout)
    with console.capture() as capture:  # rich would answer a broken pipe with an exit of its own
        console.print(Text(title, style="bold"), soft_wrap=True)
        console.print(table)
    print_line(capture.get().rstrip("\n"))
    print_line(f"{caption}\n" if caption else "")


@contextmanager
def show_warnings() -> Generator[None]:
    """Show every `MoodwalkWarning` of the block as one ``warning:`` line on standard error, once."""
    shown: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", MoodwalkWarning)
        usual = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, MoodwalkWarning):
                usual(message, category, filename, lineno, file, line)
            elif str(message) not in shown:
                shown.add(str(message))
                print_note(f"warning: {message}")

        warnings.showwarning = show
        yield


@contextmanager
def open_progress(*, estimate: bool = True) -> Generator["Progress"]:
    """Open a progress display on standard error: bar, count, rate, remaining time.

    Nothing is shown where standard error is no terminal.

    Parameters
    ----------
    estimate
        Whether to show rate and remaining time; not where the caller knows the latter better.

    Yields
    ------
    rich.progress.Progress
        Use ``task = progress.add_task("folds", total=10)`` and ``progress.advance(task)``.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: "Task") -> "Text":
            return Text(f"{task.speed:.3g}/s" if task.speed else "", style="progress.data.speed")

    console = _console(sys.stderr)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *((RateColumn(), TimeRemainingColumn()) if estimate else ()),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    width = None if stream.isatty() else PIPED_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _print_safely(text: str, stream: TextIO) -> None:
    # file names may hold bytes that the stream cannot encode
    encoding = stream.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _show_cell(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return "–" if math.isnan(cell) else f"{cell:.4g}"
    return str(cell)


def _replace_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    return value
