"""What the routes share: crews of workers, jobs, metrics, and where uploads lie."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from moodwalk.errors import MoodwalkError
from moodwalk.server.connections import ConnectionGuard
from moodwalk.server.crew import BusyError, Crew, TaskError, TooSlowError
from moodwalk.server.jobs import JobBoard
from moodwalk.server.metrics import Metrics
from moodwalk.server.problems import ProblemError, describe_fault, find_problem
from moodwalk.server.settings import ServerSettings
from moodwalk.server.uploads import make_run_folder
from moodwalk.server.wire import Frame

if TYPE_CHECKING:
    from moodwalk.predict import Predictor

__all__ = ["Services", "get_services"]


class Services:
    """What one process of the server has.

    Parameters
    ----------
    settings
        How it is run.
    metrics
        What it counts.
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.metrics = metrics
        self.connections = ConnectionGuard(settings.limits, metrics)
        self.n_sockets = 0
        self.draining = asyncio.Event()
        self._predictor: Predictor | None = None
        self._models: list[dict[str, Any]] | None = None
        self._loading = threading.Lock()
        self.folder: Path
        self.predictions: Crew
        self.uploads: Crew
        self.long: Crew
        self.board: JobBoard

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None]:
        """Start everything; inside the block it works.

        Raises
        ------
        MoodwalkError
            If workers do not start.
        """
        limits, metrics = self.limits, self.metrics
        weights, library = self.settings.weights, self.settings.library
        setup: dict[str, Any] = {
            "weights": None if weights is None else str(weights.absolute()),
            "library": library,
        }

        def make_crew(name: str, size: int, waiting: int, **how: Any) -> Crew:
            return Crew(
                name,
                size,
                setup,
                most_waiting=waiting,
                on_restart=metrics.restarts.labels(name).inc,
                **how,
            )

        with ExitStack() as stack:
            folder = self.settings.run_folder
            if folder is None:
                folder = await asyncio.to_thread(stack.enter_context, make_run_folder())
            self.folder = folder
            self.predictions = make_crew(
                "predictions",
                self.settings.processes,
                limits.waiting_predictions,
                most_together=limits.together,
                eager=True,
                on_batch=metrics.batch.observe,
            )
            self.uploads = make_crew("uploads", 1, limits.waiting_uploads)
            self.long = make_crew("long", 1, limits.waiting_jobs)
            self.board = JobBoard(folder, self.long, limits, metrics)
            crews = (self.predictions, self.uploads, self.long)
            for crew in crews:
                metrics.watch(
                    f"moodwalk_{crew.name}_waiting",
                    f"Tasks in the queue of {crew.name}.",
                    lambda crew=crew: crew.n_waiting,
                )
            metrics.watch(
                "moodwalk_connections", "Open connections.", lambda: len(self.connections)
            )
            try:
                for crew in crews:
                    await crew.start()
                yield
            finally:
                self.draining.set()
                await self.board.stop()
                await asyncio.gather(*(crew.stop() for crew in crews))

    def load_predictor(self) -> "Predictor":
        """Return what live readings are scored with, loaded once; from any thread."""
        with self._loading:
            if self._predictor is None:
                from moodwalk.predict import Predictor

                self._predictor = Predictor.load(self.settings.weights)
            return self._predictor

    async def list_models(self) -> list[dict[str, Any]]:
        """Return what `moodwalk.server.tasks` says of the weights; they are asked once."""
        if self._models is None:
            task = {"kind": "models"}
            frame = await self.ask(self.predictions, task, limit_s=self.limits.predict_s)
            self._models = list(json.loads(frame.body)["models"])
        return self._models

    async def ask(
        self, crew: Crew, head: dict[str, Any], body: bytes = b"", *, limit_s: float
    ) -> Frame:
        """Have a crew do something, or say in problem details why it is not done."""
        try:
            return await crew.run(head, body, limit_s=limit_s)
        except BusyError:
            self.metrics.shed.labels(crew.name).inc()
            raise ProblemError(
                429, "all workers are busy. Try again in 1 s.", headers={"Retry-After": "1"}
            ) from None
        except TooSlowError:
            raise ProblemError(
                504, f"not done within {limit_s:g} s. Send a shorter walk, or try again."
            ) from None
        except TaskError as fault:
            raise describe_fault(fault) from None
        except MoodwalkError as error:
            raise find_problem(error) from None


def get_services(connection: HTTPConnection) -> Services:
    """Return what the server has, for a route."""
    return connection.app.state.services
