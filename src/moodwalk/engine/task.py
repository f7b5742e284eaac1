"""What every engine shares: one task, what became of it, and its way between processes."""

import pickle
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Protocol

from moodwalk.errors import WorkerError
from moodwalk.threads import one_thread

Function = Callable[[Any, Any], Any]

MOST_ATTEMPTS = 3
"""How often a task may lose its worker before it counts as failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task: a result, or the error that it ended with, and where that arose."""

    number: int
    result: Any = None
    error: Exception | None = None
    traceback: str = ""


class Engine(Protocol):
    """Something that runs tasks."""

    @property
    def n_workers(self) -> int:
        """How many tasks run at a time; 0 where nobody knows."""
        ...

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Generator[Outcome]:
        """Yield the outcome of ``function(shared, task)`` for every task, as they end.

        Closing the generator gives up what is still running.

        Parameters
        ----------
        function
            Of a module that workers can import.
        shared
            Sent to every worker once.
        tasks
            Independent of each other.
        """
        ...


def lost_worker(n_attempts: int) -> WorkerError:
    """Return the error of a task whose workers died."""
    return WorkerError(
        f"its worker process ended without a word, {n_attempts} times. Is there enough memory? "
        f"Try fewer jobs."
    )


def greet() -> None:
    """Show that the process works."""


_alone = threading.RLock()
"""One task at a time in a process: random numbers, warnings and threads belong to all of it."""


def attempt(function: Function, shared: Any, number: int, task: Any) -> Outcome:
    """Run a task here and now, in one thread, whatever it ends with."""
    try:
        with _alone, one_thread():
            return Outcome(number, function(shared, task))
    except SystemExit as error:  # of a user's own code: it ends its task, not the others
        return describe_error(number, RuntimeError(_say(error)).with_traceback(error.__traceback__))
    except Exception as error:
        return describe_error(number, error)


def describe_error(number: int, error: Exception) -> Outcome:
    """Return the outcome of a task that ended with an error."""
    return Outcome(number, error=error, traceback="".join(format_exception(error)))


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class Parcel:
    """An outcome on its way between processes, and what to say where it cannot be unpacked.

    A class of a user's file, for instance, exists in the worker alone.
    """

    outcome: bytes
    otherwise: str
    traceback: str

    def open(self, number: int) -> Outcome:
        """Unpack, or say in words what cannot be."""
        try:
            return pickle.loads(self.outcome)
        except Exception:
            return Outcome(number, error=RuntimeError(self.otherwise), traceback=self.traceback)


def pack(outcome: Outcome) -> Parcel:
    """Make an outcome ready to travel."""
    if outcome.error is None:
        otherwise = f"its result, {type(outcome.result).__name__}, means nothing outside its worker"
    else:
        otherwise = _say(outcome.error)
    try:
        packed = pickle.dumps(outcome)
    except Exception:
        packed = b""
    return Parcel(packed, otherwise, outcome.traceback)
