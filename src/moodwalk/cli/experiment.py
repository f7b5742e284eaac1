"""``moodwalk experiment``: comparisons whose answer can be trusted."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json, Labels
from moodwalk.cli.engine import Cluster, EngineName, Jobs, make_engine
from moodwalk.cli.output import open_progress, print_json, print_line, print_note
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.experiments import SweepState

__all__ = ["register"]

EXIT_FAILED_CELLS = 1

_app = typer.Typer(help="Run the experiment of a file, and report what it shows.")


def register(app: typer.Typer) -> None:
    """Hang the commands on the app."""
    app.add_typer(_app, name="experiment")


@_app.command("run")
def run(
    config: Annotated[Path, typer.Argument(readable=False, help="An experiment file (TOML).")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of results; an interrupted run goes on there."),
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", readable=False, metavar="PATH", help="Other walks than the file's."),
    ] = None,
    labels: Labels = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="One more model: a name, or a class in your file, such as my_models.py:MyNet.",
        ),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Another protocol than the file's: subject, random, legacy.")
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Another number of folds.")] = None,
    repeats: Annotated[int | None, typer.Option(help="Another number of repeats.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Another number of epochs, for all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed.")] = None,
    jobs: Jobs = 1,
    engine: Annotated[EngineName, typer.Option(help="Where cells run.")] = EngineName.LOCAL,
    cluster: Cluster = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    reuse: Annotated[
        list[Path] | None,
        typer.Option(readable=False, help="Take cells that are the same from this folder."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run every (model, repeat, fold) cell that has no result yet.

    Ends with status 1 where a cell failed; the next run tries it again.
    """
    from moodwalk.experiments import read_experiment, run_experiment
    from moodwalk.experiments.config import change_experiment
    from moodwalk.io import read

    changes = {"folds": folds, "repeats": repeats, "seed": seed, "name": protocol}
    experiment = change_experiment(
        read_experiment(config),
        data=None if data is None else str(data),
        labels=labels,
        models=tuple(model or ()),
        epochs=epochs,
        protocol={key: value for key, value in changes.items() if value is not None},
    )
    if not experiment.data.path:
        raise ConfigError(f"{config} names no walks; give data.path in the file, or --data PATH.")
    gaits = read(experiment.data.path, experiment.data.labels).only_labelled()
    with _show_progress(quiet=as_json) as tell:
        state = run_experiment(
            experiment,
            gaits,
            out,
            engine=make_engine(engine, jobs, cluster),
            device=device,
            reuse=tuple(reuse or ()),
            progress=tell,
        )
    if as_json:
        print_json(
            {
                "out": str(out),
                "cells": state.n_cells,
                "done": state.n_done,
                "failed": state.n_failed,
            }
        )
    else:
        print_line(f"{state.n_done} of {state.n_cells} cells done, {state.n_failed} failed: {out}")
        print_line(f"What they show: moodwalk experiment report {out}")
    if state.n_failed:
        print_note(f"{state.n_failed} cells failed, see {out / 'failed'}; run again to retry them.")
        raise typer.Exit(EXIT_FAILED_CELLS)


@_app.command("report")
def report(
    folder: Annotated[
        Path, typer.Argument(readable=False, help="What `moodwalk experiment run` filled.")
    ],
    as_json: Json = False,
) -> None:
    """Write what an experiment shows: report.html, report.md with pictures, and CSV.

    An unfinished experiment is reported as far as it is.
    """
    from moodwalk.experiments.report import write_report
    from moodwalk.experiments.words import draw_conclusion

    analysis, paths = write_report(folder)
    if as_json:
        print_json(
            {
                "conclusion": draw_conclusion(analysis),
                "cells": analysis.n_cells,
                "done": analysis.n_done,
                "failed": len(analysis.failures),
                "files": {kind: str(path) for kind, path in paths.items()},
            }
        )
    else:
        for sentence in draw_conclusion(analysis):
            print_line(sentence)
        print_line(f"The whole report: {paths['html']}")
    if analysis.failures:
        print_note(f"{len(analysis.failures)} cells failed; run again to retry them.")


@contextmanager
def _show_progress(*, quiet: bool) -> Generator["Callable[[SweepState], None]"]:
    """Show a bar on a terminal, and elsewhere a line a cell."""
    if quiet or not sys.stderr.isatty():
        yield lambda state: None if quiet else _tell(state)
        return
    with open_progress(estimate=False) as progress:
        bar = progress.add_task("cells", total=None)

        def show(state: "SweepState") -> None:
            words = f"cells: {state.n_running} running, {state.n_failed} failed"
            if state.seconds_left is not None:
                words += f", {_write_time(state.seconds_left)} left"
            progress.update(bar, completed=state.n_done, total=state.n_cells, description=words)

        yield show


def _tell(state: "SweepState") -> None:
    words = [f"{state.n_done}/{state.n_cells} done, {state.n_running} running"]
    if state.n_failed:
        words.append(f"{state.n_failed} failed")
    if state.seconds_left is not None:
        words.append(f"{_write_time(state.seconds_left)} left")
    print_note(", ".join(words) + (f" ({state.latest})" if state.latest else ""))


def _write_time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
