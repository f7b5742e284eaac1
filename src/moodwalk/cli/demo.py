"""``moodwalk demo``: the whole story on what the package ships."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.data import Json
from moodwalk.cli.output import open_progress, print_json, print_line, print_note, print_table

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from moodwalk.demo import DemoProgress, DemoResult

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Hang the command on the app."""
    app.command("demo")(demo)


def demo(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            readable=False,
            metavar="DIR",
            help="Folder for the walks and the page. Only files of an earlier demo are overwritten.",
        ),
    ] = Path("demo"),
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, metavar="FILE", help="By default those that moodwalk ships."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31, help="Makes everything random repeat.")
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that train; by default one a processor.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what moodwalk does, on simulated walks: about two minutes, no download.

    Simulates walks, audits their labels, computes their features, tests a classic learner and the
    network STEP on walkers that they have not seen, asks the shipped weights, and puts it all on one
    page, DIR/index.html. Simulated walks are no evidence about real people.
    """
    from moodwalk.demo import run_demo

    with open_progress() as bars:
        result = run_demo(out, seed=seed, jobs=jobs, weights=weights, progress=_Steps(bars))
    if as_json:
        print_json({**result.to_dict(), "page": str(out / "index.html")})
    else:
        _show(result, out / "index.html")


class _Steps:
    """Show the step that is on as a bar, and those that are done as lines."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._bar: TaskID | None = None

    def __call__(self, progress: "DemoProgress") -> None:
        if progress.number == 1 and not progress.done:  # whatever is refused was refused by now
            print_note(
                "Simulated walks: they show how moodwalk works, not how well it reads people."
            )
        head = f"{progress.number}/{progress.n_steps} {progress.step}"
        if self._bar is None:
            self._bar = self._bars.add_task(head, total=None)
        total = progress.total if progress.done else None  # a bar without total moves
        self._bars.update(self._bar, completed=progress.done, total=total)
        if progress.finding:
            self._bars.remove_task(self._bar)
            self._bar = None
            print_note(f"{head}: {progress.finding}")


def _show(result: "DemoResult", page: Path) -> None:
    one = result.models[0].evaluation
    rows = [
        (
            model.title,
            f"{model.n_right} of {len(result.gaits)}",
            f"{model.evaluation.accuracy:.1%}",
            "{:.1%} to {:.1%}".format(*model.evaluation.accuracy_ci95),
            "{:.1%} to {:.1%}".format(*model.evaluation.accuracy_ci95_subjects),
        )
        for model in result.models
    ]
    print_line("")
    print_table(
        "Simulated walks whose emotion is named right, by walkers unseen in training",
        ("model", "right", "accuracy", "95 % interval", "the same, by walker"),
        [*rows, ("always the same answer", "", f"{result.majority:.1%}", "", "")],
    )
    print_line(
        f"{one.n_gaits} walks of {one.n_subjects} walkers, {len(one.folds)} folds that keep walkers "
        f"apart, exact intervals. Took {result.seconds:.0f} s."
    )
    print_line(f"\nOpen {page} in a browser. Then try:\n")
    for command in (
        f"moodwalk data audit {result.out}",
        f"moodwalk data audit {result.out} --labels published",
        f"moodwalk evaluate --data {result.out} --model svm --protocol subject",
        f"moodwalk predict {result.out}",
    ):
        print_line(f"  {command}")
