"""A Dask cluster."""

import asyncio
import gc
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from moodwalk.engine.task import (
    MOST_ATTEMPTS,
    Function,
    Outcome,
    Parcel,
    attempt,
    greet,
    lost_worker,
    pack,
)
from moodwalk.errors import ConfigError

__all__ = ["DaskEngine"]


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
                with _collecting_later():
                    client = Client(address, timeout=self.timeout_s, set_as_default=False)
            except (OSError, ValueError, RuntimeError, ImportError) as error:
                raise ConfigError(  # a TimeoutError is an OSError
                    f"no Dask cluster answers at {address} ({type(error).__name__}). Is the "
                    f"scheduler running, and the address right?"
                ) from None
            try:
                yield from _ClusterRun(self, client, address).run(function, shared, tasks)
            finally:
                with suppress(Exception), _collecting_later():
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


def _run_on_cluster(function: Function, shared: Any, number: int, task: Any) -> Parcel:
    import_module("torch")  # now, so that a task that imports it finds one thread
    return pack(attempt(function, shared, number, task))


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
                        yield Outcome(number, error=lost_worker(MOST_ATTEMPTS))
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
                    greeting = self.client.submit(greet, pure=False)
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


@contextmanager
def _collecting_later() -> Generator[None]:
    """Keep the garbage collector still while a client starts or stops.

    Dask then holds a lock that a client which is collected, one that found no scheduler for
    instance, waits for: in the same thread, that is for ever.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()
