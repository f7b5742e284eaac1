"""Worker processes of this machine."""

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from moodwalk.engine.task import (
    MOST_ATTEMPTS,
    Function,
    Outcome,
    Parcel,
    attempt,
    describe_error,
    greet,
    lost_worker,
    pack,
)
from moodwalk.errors import ConfigError, WorkerError

__all__ = ["LocalEngine"]


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Worker processes of this machine, one thread each; with one job, this very process.

    Parameters
    ----------
    jobs
        Worker processes.

    Raises
    ------
    ConfigError
        If there is no job.
    """

    jobs: int = 1

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise ConfigError(f"jobs is {self.jobs}; expected at least 1.")

    @property
    def n_workers(self) -> int:
        """Worker processes."""
        return self.jobs

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Generator[Outcome]:
        """Yield outcomes as they come, see `Engine.run`.

        Raises
        ------
        WorkerError
            If worker processes do not start.
        """
        if self.jobs == 1:
            for number, task in enumerate(tasks):
                yield attempt(function, shared, number, task)
            return
        setup = pickle.dumps((function, shared))
        workers = [_Worker(setup) for _ in range(min(self.jobs, len(tasks)))]
        try:
            yield from _run_on_workers(workers, tasks)
        finally:
            _stop(workers)


class _Worker:
    """One process, started when it is first needed, and anew when it has died.

    A pool of its own tells exactly which task a death belongs to, and leaves the others alone.
    """

    def __init__(self, setup: bytes) -> None:
        self._setup = setup
        self.pool: ProcessPoolExecutor | None = None
        self._greeting: Future[None] | None = None

    def start(self, number: int, task: Any) -> "Future[Parcel]":
        """Have the process run a task."""
        if self.pool is None:
            self.pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_set_up_worker,
                initargs=(self._setup, os.getpid()),
            )
            self._greeting = self.pool.submit(greet)
        try:
            return self.pool.submit(_run_in_worker, number, task)
        except BrokenProcessPool as error:  # it died between two tasks
            ended: Future[Parcel] = Future()
            ended.set_exception(error)
            return ended

    @property
    def has_started(self) -> bool:
        """Whether the process has ever come so far as to do anything."""
        greeting = self._greeting
        return greeting is not None and greeting.done() and greeting.exception() is None


def _run_on_workers(workers: Sequence[_Worker], tasks: Sequence[Any]) -> Iterator[Outcome]:
    waiting = deque(range(len(tasks)))
    idle = list(workers)
    attempts = [0] * len(tasks)
    n_false_starts = 0
    running: dict[Future[Parcel], tuple[int, _Worker]] = {}
    while waiting or running:
        while waiting and idle:
            number, worker = waiting.popleft(), idle.pop()
            running[worker.start(number, tasks[number])] = (number, worker)
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            number, worker = running.pop(future)
            idle.append(worker)
            try:
                outcome = future.result().open(number)
                n_false_starts = 0
            except BrokenProcessPool:
                n_false_starts = 0 if worker.has_started else n_false_starts + 1
                _stop([worker])
                if n_false_starts == MOST_ATTEMPTS:
                    raise _cannot_start() from None
                attempts[number] += n_false_starts == 0
                if attempts[number] < MOST_ATTEMPTS:
                    waiting.append(number)
                    continue
                outcome = Outcome(number, error=lost_worker(attempts[number]))
            except Exception as error:  # the task could not be sent
                outcome = Outcome(number, error=error)
            yield outcome


def _stop(workers: Iterable[_Worker]) -> None:
    """End the processes now: nobody waits for what they are still doing."""
    processes: list[Any] = []
    for worker in workers:
        pool, worker.pool = worker.pool, None
        if pool is not None:
            processes += (getattr(pool, "_processes", None) or {}).values()
            pool.shutdown(wait=False, cancel_futures=True)
    for end in ("terminate", "kill"):
        for process in processes:
            with suppress(OSError, ValueError, AssertionError):
                if process.is_alive():
                    getattr(process, end)()
        for process in processes:
            with suppress(OSError, ValueError, AssertionError):
                process.join(5)


def _cannot_start() -> WorkerError:
    return WorkerError(
        "worker processes end before they can work. Is there enough memory? Does your own script "
        "keep its calls below `if __name__ == '__main__':`? jobs=1 needs no workers."
    )


_setup: bytes = b""
_job: tuple[Function, Any] | None = None


def _set_up_worker(setup: bytes, parent: int) -> None:
    global _setup
    for library in ("OMP", "MKL", "OPENBLAS"):  # before a task loads any of them
        os.environ[f"{library}_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent answers it
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _setup = setup


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, so that no orphan goes on computing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _run_in_worker(number: int, task: Any) -> "Parcel":
    global _job
    try:
        function, shared = _job = _job or pickle.loads(_setup)
    except Exception as error:
        return pack(describe_error(number, error))
    return pack(attempt(function, shared, number, task))
