"""Where many independent tasks run: in worker processes of this machine, or on a Dask cluster.

Both engines yield results as they come, survive the death of a worker, and never run what has
already given its result. Nothing distributed is written by hand: processes are those of
`concurrent.futures`, clusters those of Dask.
"""

import multiprocessing
import os
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from moodwalk.errors import ConfigError, WorkerError
from moodwalk.threads import one_thread

__all__ = ["DaskEngine", "Engine", "LocalEngine", "Outcome"]

Function = Callable[[Any, Any], Any]

MOST_ATTEMPTS = 3
"""How often a task may lose its worker before it counts as failed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one task: a result, or the error that it ended with."""

    number: int
    result: Any = None
    error: Exception | None = None


class Engine(Protocol):
    """Something that runs tasks."""

    @property
    def n_workers(self) -> int:
        """How many tasks run at a time, as far as is known."""
        ...

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield the outcome of ``function(shared, task)`` for every task, as they end.

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

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield outcomes as they come, see `Engine.run`."""
        if self.jobs > 1:
            yield from self._run_in_workers(function, shared, tasks)
            return
        import_module("torch")  # now, so that a task that imports it finds one thread
        for number, task in enumerate(tasks):
            yield _attempt(function, shared, number, task)

    def _run_in_workers(
        self, function: Function, shared: Any, tasks: Sequence[Any]
    ) -> Iterator[Outcome]:
        waiting = deque(range(len(tasks)))
        attempts = [0] * len(tasks)
        setup = pickle.dumps((function, shared))
        while waiting:
            pool = ProcessPoolExecutor(
                min(self.jobs, len(waiting)),
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_set_up_worker,
                initargs=(setup, os.getpid()),
            )
            running: dict[Future[Outcome], int] = {}
            try:
                while waiting or running:
                    # no more in flight than run, so that a death is blamed on few
                    while waiting and len(running) < self.jobs:
                        number = waiting.popleft()
                        running[pool.submit(_run_in_worker, number, tasks[number])] = number
                    ended, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in ended:
                        outcome = future.result()
                        del running[future]
                        yield outcome
            except BrokenProcessPool:
                for number in running.values():
                    attempts[number] += 1
                    if attempts[number] < MOST_ATTEMPTS:
                        waiting.append(number)
                    else:
                        yield Outcome(number, error=_lost(attempts[number]))
            finally:
                _stop(pool)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now: nobody waits for what they are still doing."""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        with suppress(OSError, ValueError):
            worker.terminate()
    for worker in workers:
        with suppress(OSError, ValueError, AssertionError):
            worker.join(5)


def _lost(n_attempts: int) -> WorkerError:
    return WorkerError(
        f"its worker process ended without a word, {n_attempts} times. Is there enough memory? "
        f"Try fewer jobs."
    )


_job: tuple[Function, Any] | None = None


def _set_up_worker(setup: bytes, parent: int) -> None:
    global _job
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import_module("torch")
    _job = pickle.loads(setup)


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, so that no orphan goes on computing."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _run_in_worker(number: int, task: Any) -> Outcome:
    assert _job is not None
    return _attempt(*_job, number, task)


def _attempt(function: Function, shared: Any, number: int, task: Any) -> Outcome:
    try:
        with one_thread():
            return Outcome(number, function(shared, task))
    except Exception as error:
        return Outcome(number, error=_make_portable(error))


def _make_portable(error: Exception) -> Exception:
    """Return the error itself, or its words where it cannot be sent from one process to another."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@dataclass(frozen=True, slots=True)
class DaskEngine:
    """A Dask cluster: whatever its scheduler reaches.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://127.0.0.1:8786``; None takes Dask's own configuration
        (``scheduler-address``, environment variable DASK_SCHEDULER_ADDRESS) or scheduler file.
    timeout_s
        How long to wait for a scheduler that does not answer, or for one that went away.
    """

    address: str | None = None
    timeout_s: float = 30.0

    @property
    def n_workers(self) -> int:
        """Unknown before the cluster is asked: workers come and go."""
        return 0

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Yield outcomes as they come, see `Engine.run`.

        Raises
        ------
        ConfigError
            If Dask is not installed, no cluster is named, it cannot be reached, or it went away.
        """
        try:
            from distributed import Client
        except ImportError:
            raise ConfigError(
                "Dask is not installed; expected it for engine dask. Install 'moodwalk[lab]'."
            ) from None
        address = self._find_address()
        try:
            client = Client(address, timeout=self.timeout_s, set_as_default=False)
        except (
            OSError,
            ValueError,
            RuntimeError,
            ImportError,
        ) as error:  # TimeoutError is an OSError
            raise ConfigError(
                f"no Dask cluster answers at {address} ({type(error).__name__}). Is the scheduler "
                f"running, and the address right?"
            ) from None
        try:
            yield from self._run_on(client, address, function, shared, tasks)
        finally:
            with suppress(Exception):
                client.close(timeout=2)

    def _find_address(self) -> str:
        from dask import config

        found = self.address or config.get("scheduler-address", None)
        if not found:
            raise ConfigError(
                "engine dask has no cluster: give --cluster ADDRESS, or set Dask's own "
                "DASK_SCHEDULER_ADDRESS."
            )
        return str(found)

    def _run_on(
        self, client: Any, address: str, function: Function, shared: Any, tasks: Sequence[Any]
    ) -> Iterator[Outcome]:
        from distributed import wait as wait_for
        from distributed.scheduler import KilledWorker

        waiting = list(range(len(tasks)))
        for _ in range(MOST_ATTEMPTS):
            (gaits,) = client.scatter([shared], broadcast=True, hash=False)
            running = {
                client.submit(_attempt, function, gaits, number, tasks[number], pure=False): number
                for number in waiting
            }
            waiting = []
            away_since: float | None = None
            while running:
                with suppress(TimeoutError):
                    wait_for(list(running), timeout=1, return_when=FIRST_COMPLETED)
                away_since = self._watch(client, address, away_since)
                for future in [f for f in running if f.done()]:
                    number = running.pop(future)
                    if future.status == "finished":
                        yield future.result()
                        future.release()
                    elif future.status == "error":
                        error = future.exception()
                        if isinstance(error, KilledWorker):
                            error = _lost(MOST_ATTEMPTS)
                        yield Outcome(number, error=_make_portable(error))
                    else:  # cancelled or lost, for instance with the workers that held the gaits
                        waiting.append(number)
            if not waiting:
                return
            self._watch(client, address, away_since)
        for number in waiting:
            yield Outcome(number, error=_lost(MOST_ATTEMPTS))

    def _watch(self, client: Any, address: str, away_since: float | None) -> float | None:
        """Return since when the scheduler has been away; None where it is there."""
        if client.status == "running":
            return None
        now = time.monotonic()
        if client.status == "closed" or (away_since and now - away_since > self.timeout_s):
            raise ConfigError(
                f"the Dask cluster at {address} went away; what was done is kept. Start it again, "
                f"and give the same command to go on."
            )
        return away_since or now
