"""Run every cell of an experiment, and go on where an earlier run stopped."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moodwalk.engine import Engine, LocalEngine, Outcome
from moodwalk.errors import ConfigError
from moodwalk.experiments.cell import describe_failure, run_cell
from moodwalk.experiments.config import Experiment
from moodwalk.experiments.plan import Cell, describe_gaits, make_plan
from moodwalk.experiments.store import ResultFolder, read_cells
from moodwalk.gait import GaitSet
from moodwalk.training.team import pick_device

__all__ = ["SweepState", "run_experiment"]


@dataclass(slots=True)
class SweepState:
    """How far a sweep is.

    Parameters
    ----------
    n_cells
        In all.
    n_done
        With a result, those of earlier runs included.
    n_failed
        That failed in this run.
    n_running
        At work now, as far as is known.
    seconds_left
        Estimate from the cells of this run; None before the first.
    latest
        Name of the cell that ended last, and what became of it.
    seconds
        What every cell of this run took, by training.
    """

    n_cells: int
    n_done: int = 0
    n_failed: int = 0
    n_running: int = 0
    seconds_left: float | None = None
    latest: str = ""
    seconds: dict[str, list[float]] = field(default_factory=dict, repr=False)

    def estimate(self, left: Sequence[Cell], n_workers: int) -> None:
        """Estimate the time that is left from what the cells of this run took."""
        means = {name: sum(values) / len(values) for name, values in self.seconds.items()}
        if not means:
            return
        usual = sum(means.values()) / len(means)
        total = sum(means.get(other.training.name, usual) for other in left)
        self.seconds_left = total / max(n_workers, 1)


def run_experiment(
    experiment: Experiment,
    gaits: GaitSet,
    folder: str | Path,
    *,
    engine: Engine | None = None,
    device: str = "auto",
    reuse: Sequence[str | Path] = (),
    progress: Callable[[SweepState], None] | None = None,
) -> SweepState:
    """Run every cell that has no result yet.

    Parameters
    ----------
    experiment
        What to run.
    gaits
        Labelled walks.
    folder
        Where results lie. The same call goes on where an interrupted one stopped.
    engine
        Where cells run; by default in this process. It does not change any figure.
    device
        On which networks train: ``auto``, or a name that PyTorch knows.
    reuse
        Folders of other experiments: cells that are the same are taken from there.
    progress
        Called at the start and after every cell.

    Returns
    -------
    SweepState
        How it ended; ``n_failed`` is 0 where every cell has its result.

    Raises
    ------
    ConfigError
        If the experiment does not fit the gaits, the folder is another experiment's or in use, or
        a cluster cannot be reached or goes away.
    DataFormatError
        If a result cannot be written.
    """
    engine = engine or LocalEngine(1)
    pick_device(device)
    plan = make_plan(experiment, gaits)
    store = ResultFolder(folder)
    with store.open(experiment, describe_gaits(gaits), plan):
        done = store.read_done()
        left = [cell for cell in plan.cells if cell.key not in done]
        left = _take_over(store, left, reuse)
        state = SweepState(len(plan.cells), n_done=len(plan.cells) - len(left))
        tell = progress or (lambda state: None)
        waiting = dict(enumerate(left))
        state.n_running = min(engine.n_workers, len(waiting))
        tell(state)
        started = time.monotonic()
        # closed at the end, whatever ends it, so that no worker goes on for nobody
        with closing(engine.run(run_cell, (gaits, device), left)) as outcomes:
            for outcome in outcomes if left else ():
                cell = waiting.pop(outcome.number)
                _keep(store, state, cell, outcome)
                n_workers = engine.n_workers or _guess_workers(state, started)
                state.n_running = min(n_workers, len(waiting))
                state.estimate(list(waiting.values()), n_workers)
                tell(state)
    return state


def _keep(store: ResultFolder, state: SweepState, cell: Cell, outcome: Outcome) -> None:
    """Write what became of a cell, and count it."""
    if outcome.error is None:
        store.write(cell, outcome.result)
        state.n_done += 1
        state.latest = _describe(cell, outcome.result)
        state.seconds.setdefault(cell.training.name, []).append(outcome.result["seconds"])
    else:
        store.write_failure(cell, describe_failure(cell, outcome.error, outcome.traceback))
        state.n_failed += 1
        state.latest = f"{cell.name} failed: {' '.join(str(outcome.error).split())}"


def _take_over(
    store: ResultFolder, left: Sequence[Cell], reuse: Sequence[str | Path]
) -> list[Cell]:
    """Copy the results of cells that another experiment has run; return the cells still to run."""
    known: dict[str, dict[str, Any]] = {}
    for folder in reuse:
        if not (Path(folder) / "cells").is_dir():
            raise ConfigError(f"{folder} holds no cells to reuse; expected a folder of results.")
        known |= {record["key"]: record for record in read_cells(Path(folder) / "cells")}
    for cell in left:
        if cell.key in known:
            record = {**known[cell.key], "repeat": cell.repeat, "fold": cell.fold}
            store.write(cell, record)
    return [cell for cell in left if cell.key not in known]


def _guess_workers(state: SweepState, started: float) -> int:
    """Return how many workers a cluster seems to have: seconds of work a second of waiting."""
    worked = sum(sum(values) for values in state.seconds.values())
    return max(1, round(worked / max(time.monotonic() - started, 1e-9)))


def _describe(cell: Cell, record: dict[str, Any]) -> str:
    pairs = list(zip(record["labels"], record["predicted"], strict=True))
    n_right = sum(label == answer for label, answer in pairs)
    return f"{cell.name}: {n_right} of {len(pairs)} right, {record['seconds']:.0f} s"
