"""Where many independent tasks run: in worker processes of this machine, or on a Dask cluster.

Both engines yield results as they come, survive the death of a worker, and never run what has
already given its result. Nothing distributed is written by hand: processes are those of
`concurrent.futures`, clusters those of Dask.
"""

import asyncio
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from traceback import format_exception
from typing import Any, Protocol

from moodwalk.errors import ConfigError, WorkerError
from moodwalk.threads import one_thread

__all__ = ["DaskEngine", "Engine", "LocalEngine", "Outcome"]

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
            import_module("torch")  # now, so that a task that imports it finds one thread
            for number, task in enumerate(tasks):
                yield _attempt(function, shared, number, task)
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

    def start(self, number: int, task: Any) -> "Future[_Parcel]":
        """Have the process run a task."""
        if self.pool is None:
            self.pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_set_up_worker,
                initargs=(self._setup, os.getpid()),
            )
            self._greeting = self.pool.submit(_greet)
        try:
            return self.pool.submit(_run_in_worker, number, task)
        except BrokenProcessPool as error:  # it died between two tasks
            ended: Future[_Parcel] = Future()
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
    running: dict[Future[_Parcel], tuple[int, _Worker]] = {}
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
                outcome = Outcome(number, error=_lost(attempts[number]))
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


def _lost(n_attempts: int) -> WorkerError:
    return WorkerError(
        f"its worker process ended without a word, {n_attempts} times. Is there enough memory? "
        f"Try fewer jobs."
    )


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


def _greet() -> None:
    """Show that the process works."""


def _run_in_worker(number: int, task: Any) -> "_Parcel":
    global _job
    try:
        function, shared = _job = _job or pickle.loads(_setup)
    except Exception as error:
        return _pack(_describe(number, error))
    return _pack(_attempt(function, shared, number, task))


_alone = threading.RLock()
"""One task at a time in a process: random numbers, warnings and threads belong to all of it."""


def _attempt(function: Function, shared: Any, number: int, task: Any) -> Outcome:
    try:
        with _alone, one_thread():
            return Outcome(number, function(shared, task))
    except SystemExit as error:  # of a user's own code: it ends its task, not the others
        return _describe(number, RuntimeError(_say(error)).with_traceback(error.__traceback__))
    except Exception as error:
        return _describe(number, error)


def _describe(number: int, error: Exception) -> Outcome:
    return Outcome(number, error=error, traceback="".join(format_exception(error)))


def _say(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True, slots=True)
class _Parcel:
    """An outcome on its way between processes, and what to say where it cannot be unpacked.

    A class of a user's file, for instance, exists in the worker alone.
    """

    outcome: bytes
    otherwise: str
    traceback: str

    def open(self, number: int) -> Outcome:
        try:
            return pickle.loads(self.outcome)
        except Exception:
            return Outcome(number, error=RuntimeError(self.otherwise), traceback=self.traceback)


def _pack(outcome: Outcome) -> _Parcel:
    if outcome.error is None:
        otherwise = f"its result, {type(outcome.result).__name__}, means nothing outside its worker"
    else:
        otherwise = _say(outcome.error)
    try:
        packed = pickle.dumps(outcome)
    except Exception:
        packed = b""
    return _Parcel(packed, otherwise, outcome.traceback)


@dataclass(frozen=True, slots=True)
class DaskEngine:
    """A Dask cluster: whatever its scheduler reaches.

    Parameters
    ----------
    address
        Of the scheduler, such as ``tcp://127.0.0.1:8786``; None takes Dask's own configuration
        (``scheduler-address``, environment variable DASK_SCHEDULER_ADDRESS).
    timeout_s
        How long to wait for a scheduler that does not answer, or for one that went away.
    workers_timeout_s
        How long to wait for a worker where the cluster has none.
    """

    address: str | None = None
    timeout_s: float = 30.0
    workers_timeout_s: float = 300.0

    @property
    def n_workers(self) -> int:
        """0: workers come and go."""
        return 0

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Generator[Outcome]:
        """Yield outcomes as they come, see `Engine.run`.

        Raises
        ------
        ConfigError
            If Dask is not installed, no cluster is named, it cannot be reached, has no workers, or
            went away.
        """
        try:
            from distributed import Client
        except ImportError:
            raise ConfigError(
                "Dask is not installed; expected it for engine dask. Install 'moodwalk[lab]'."
            ) from None
        address = self._find_address()
        with _without_logs():
            try:
                client = Client(address, timeout=self.timeout_s, set_as_default=False)
            except (OSError, ValueError, RuntimeError, ImportError) as error:
                raise ConfigError(  # a TimeoutError is an OSError
                    f"no Dask cluster answers at {address} ({type(error).__name__}). Is the "
                    f"scheduler running, and the address right?"
                ) from None
            try:
                yield from _ClusterRun(self, client, address).run(function, shared, tasks)
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


def _run_on_cluster(function: Function, shared: Any, number: int, task: Any) -> _Parcel:
    import_module("torch")  # now, so that a task that imports it finds one thread
    return _pack(_attempt(function, shared, number, task))


_PAUSE_S = 0.1
"""Between two looks at what is done; Dask's own `wait` wants a client that all code shares."""

_LOOK_S = 1.0
"""Between two questions to the scheduler whether there are workers."""

_CANCELLED = (CancelledError, asyncio.CancelledError)


@dataclass(slots=True)
class _ClusterRun:
    """One run on one cluster."""

    engine: DaskEngine
    client: Any
    address: str

    def run(self, function: Function, shared: Any, tasks: Sequence[Any]) -> Iterator[Outcome]:
        """Run all tasks together; then, each alone, those whose workers died again and again.

        Dask blames a death on every task that its worker had, so only a task that dies alone is
        sure to be at fault.
        """
        from distributed.scheduler import KilledWorker

        waiting, suspects = list(range(len(tasks))), []
        n_fruitless = 0
        while waiting or suspects:
            alone = not waiting
            batch, waiting = ([suspects.pop()], []) if alone else (waiting, [])
            n_fruitless += 1
            with closing(self._run_batch(function, shared, tasks, batch)) as answers:
                for number, outcome in answers:
                    if outcome is None:  # cancelled, for instance with the workers of the gaits
                        waiting.append(number)
                        continue
                    n_fruitless = 0
                    if not isinstance(outcome.error, KilledWorker):
                        yield outcome
                    elif alone:
                        yield Outcome(number, error=_lost(MOST_ATTEMPTS))
                    else:
                        suspects.append(number)
            if n_fruitless == MOST_ATTEMPTS:
                raise self._went_away("cancelled everything that it was asked to do")

    def _run_batch(
        self, function: Function, shared: Any, tasks: Sequence[Any], numbers: Sequence[int]
    ) -> Generator[tuple[int, Outcome | None]]:
        running: dict[Any, int] = {}
        try:
            self._wait_for_workers()
            (sent,) = self.client.scatter([shared], broadcast=True, hash=False)
            for number in numbers:
                task = self.client.submit(
                    _run_on_cluster, function, sent, number, tasks[number], pure=False
                )
                running[task] = number
        except (OSError, *_CANCELLED):  # the scheduler or all workers have just gone
            yield from ((number, None) for number in numbers)
            return
        looked = time.monotonic()
        while running:
            time.sleep(_PAUSE_S)
            # what is lost was done, and is being done again
            for future in [f for f in running if f.status not in ("pending", "lost")]:
                try:
                    outcome = self._open(future, running[future])
                except TimeoutError:  # its worker died just now
                    continue
                yield running.pop(future), outcome
            if time.monotonic() - looked > _LOOK_S:
                self._wait_for_workers()
                looked = time.monotonic()

    def _open(self, future: Any, number: int) -> Outcome | None:
        """Return what became of a task; None where the cluster cancelled it."""
        try:
            if future.status == "finished":
                return future.result(self.engine.timeout_s).open(number)
            if future.status == "error":
                return Outcome(number, error=future.exception(self.engine.timeout_s))
        except TimeoutError:
            raise
        except (OSError, *_CANCELLED):
            return None
        except Exception as error:  # words that this process cannot read
            return Outcome(number, error=error)
        return None

    def _has_workers(self) -> bool:
        """Say whether the scheduler answers and has a worker."""
        if self.client.status != "running":
            return False
        with suppress(OSError, AttributeError, *_CANCELLED):
            return bool(self.client.scheduler_info()["workers"])
        return False

    def _wait_for_workers(self) -> None:
        """Wait until the scheduler answers and has a worker."""
        started = away_since = time.monotonic()
        greeting: Any = None
        while not self._has_workers():
            now = time.monotonic()
            if self.client.status == "running":
                away_since = now
                if greeting is None:  # a cluster that grows with its work must see some
                    greeting = self.client.submit(_greet, pure=False)
            if self.client.status == "closed" or now - away_since > self.engine.timeout_s:
                raise self._went_away("went away")
            if now - started > self.engine.workers_timeout_s:
                raise self._went_away("has no workers")
            time.sleep(_PAUSE_S)

    def _went_away(self, what: str) -> ConfigError:
        return ConfigError(
            f"the Dask cluster at {self.address} {what}; what was done is kept. Start it again, "
            f"and give the same command to go on."
        )


@contextmanager
def _without_logs() -> Generator[None]:
    """Keep Dask's logs from telling in many lines what is told here in one."""
    names = [n for n in logging.root.manager.loggerDict if n.partition(".")[0] == "distributed"]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
