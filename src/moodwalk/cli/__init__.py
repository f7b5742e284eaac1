"""The command line: argument parsing only, one module a command group.

A module holds functions whose bodies import what they need, so that ``moodwalk --help`` loads
neither NumPy nor torch. To add a command: write the module with a function `register` that hangs
its commands on the app, and add it to `COMMANDS`.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated

import typer
from typer.main import get_command

from moodwalk.cli import (
    checkpoint,
    data,
    demo,
    evaluate,
    experiment,
    explain,
    features,
    generate,
    music,
    predict,
    train,
)
from moodwalk.cli.output import print_error, show_warnings
from moodwalk.errors import MoodwalkError

__all__ = ["COMMANDS", "app", "main"]

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

# typer has moved this one between modules; its public BadParameter derives from it
_ClickError: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="moodwalk",
    help="Reads the perceived emotion in the way a person walks.",
    epilog="Bad input ends with one line on standard error and exit status 2.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

COMMANDS: tuple[Callable[[typer.Typer], None], ...] = (
    demo.register,
    data.register,
    features.register,
    train.register,
    evaluate.register,
    experiment.register,
    predict.register,
    explain.register,
    generate.register,
    music.register,
    checkpoint.register,
)
"""What hangs its commands on the app, in the order of ``moodwalk --help``."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from moodwalk import __version__

        typer.echo(f"moodwalk {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Take the options that stand before every command."""


for _register in COMMANDS:
    _register(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What follows ``moodwalk``; by default the process's own arguments.

    Returns
    -------
    int
        The exit status: 0; 2 for bad input or usage, after one line on standard error; 130 when
        interrupted; 141 when the reader of standard output has gone.

    Raises
    ------
    Exception
        What is not a `MoodwalkError` is a bug: it passes through, Python shows its traceback and
        exits with 1.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with show_warnings():
            status = _run(given or ["--help"])
        sys.stdout.flush()
    except KeyboardInterrupt:
        print_error("interrupted.")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # what is still buffered must not fail again when Python shuts down
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    return status


def _run(arguments: list[str]) -> int:
    command = get_command(app)
    try:
        # not command.main(): it turns bugs (EOFError, any OSError) into messages of its own
        with command.make_context("moodwalk", arguments) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except MoodwalkError as error:
        print_error(str(error))
        return EXIT_BAD_INPUT
    except _ClickError as error:
        print_error(_describe_usage(error))
        return EXIT_BAD_INPUT
    return 0


def _describe_usage(error: BaseException) -> str:
    message = str(getattr(error, "format_message", error.__str__)()).strip()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "moodwalk"
    return f"{message.rstrip('.')}. Try '{path} --help'."
