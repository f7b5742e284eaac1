"""Long work: a bounded queue, progress, cancelling, and results that are kept for a while.

Where jobs stand is kept in an SQLite file in the server's own folder, so that each of its processes can
answer for the jobs of the others; it is gone with the server. What a client sent is never in it.
"""

import asyncio
import json
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moodwalk.errors import MoodwalkError
from moodwalk.server.crew import BusyError, Crew, TaskError, TooSlowError
from moodwalk.server.metrics import Metrics
from moodwalk.server.problems import ProblemError, describe_fault, find_problem
from moodwalk.server.settings import Limits
from moodwalk.server.uploads import full_disk

__all__ = ["JobBoard", "JobState"]

_log = logging.getLogger("moodwalk.server")

ENDED = ("done", "failed", "cancelled")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, done INTEGER NOT NULL,
    total INTEGER, created REAL NOT NULL, ended REAL, owner INTEGER NOT NULL,
    wanted_gone INTEGER NOT NULL DEFAULT 0, answer BLOB
)
"""
_LOOK_S = 0.5
_LOCK_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class JobState:
    """Where a job stands.

    Parameters
    ----------
    state
        ``queued``, ``running``, ``done``, ``failed`` or ``cancelled``.
    answer
        JSON: the result of one that is done, the problem of one that failed; else None.
    told
        The rest, as JSON can hold it.
    """

    state: str
    answer: bytes | None
    told: dict[str, Any]

    def dump(self) -> bytes:
        """Write all as JSON; the answer, which may be long, as it is."""
        answer = self.answer or b"null"
        result, problem = (answer, b"null") if self.state == "done" else (b"null", answer)
        head = json.dumps(self.told).encode()[:-1]
        return b"".join((head, b', "result": ', result, b', "problem": ', problem, b"}"))


class JobBoard:
    """The jobs of a server.

    Parameters
    ----------
    folder
        Where the file lies that all processes of the server share.
    crew
        Who does the work of this process.
    limits
        How many may wait, for how long they may run, and for how long they are kept.
    metrics
        Counts them.
    """

    def __init__(self, folder: Path, crew: Crew, limits: Limits, metrics: Metrics) -> None:
        self._path = folder / "jobs.sqlite3"
        self._crew = crew
        self._limits = limits
        self._metrics = metrics
        self._running: dict[str, asyncio.Task[None]] = {}
        with self._open() as database, database:
            database.execute(_SCHEMA)
        self._path.chmod(0o600)

    async def submit(
        self,
        kind: str,
        head: dict[str, Any],
        body: bytes,
        clean_up: Callable[[], None],
    ) -> str:
        """Take in a job.

        Parameters
        ----------
        kind
            ``explain`` or ``generate``.
        head, body
            As for `Crew.run`.
        clean_up
            Called when it has ended, in whatever way.

        Returns
        -------
        str
            Its id, which nobody guesses.

        Raises
        ------
        ProblemError
            If too many wait, or the disk is full.
        """
        job = secrets.token_urlsafe(18)
        try:
            accepted = await self._do(self._insert, job, kind)
        except BaseException:
            clean_up()
            raise
        if not accepted:
            clean_up()
            self._metrics.shed.labels("jobs").inc()
            raise ProblemError(
                429, "too many jobs wait. Try again in 10 s.", headers={"Retry-After": "10"}
            )
        task = asyncio.create_task(self._run(job, kind, head, body))
        self._running[job] = task

        def forget(ended: "asyncio.Task[None]") -> None:
            self._running.pop(job, None)
            clean_up()

        task.add_done_callback(forget)
        return job

    async def find(self, job: str) -> "JobState":
        """Return where a job stands.

        Raises
        ------
        ProblemError
            If there is no such job, or no more.
        """
        found = await self._do(self._select, job)
        if found is None:
            raise ProblemError(
                404,
                f"there is no such job; an ended one is kept for {self._limits.job_keep_s / 60:g} minutes.",
            )
        return found

    async def cancel(self, job: str) -> None:
        """End a job, or forget one that has ended.

        Raises
        ------
        ProblemError
            If there is no such job.
        """
        known = await self.find(job)
        if known.state in ENDED:
            await self._do(self._delete, job)
            return
        await self._do(self._mark, job)
        if task := self._running.get(job):
            task.cancel()
            await asyncio.wait({task}, timeout=5)

    async def wait(self, job: str, seconds: float) -> "JobState":
        """Wait for the end of a job of this process, at most so long, and return where it stands."""
        if task := self._running.get(job):
            await asyncio.wait({task}, timeout=seconds)
        return await self.find(job)

    async def stop(self) -> None:
        """Cancel what runs."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, job: str, kind: str, head: dict[str, Any], body: bytes) -> None:
        watch = asyncio.create_task(self._watch(job, asyncio.current_task()))
        steps: list[tuple[int, int | None]] = []

        def show(done: int, total: int | None) -> None:
            steps[:] = [(done, total)]

        started = asyncio.Event()
        report = asyncio.create_task(self._report(job, started, steps))
        state, answer = "failed", b""
        try:
            frame = await self._crew.run(
                head, body, limit_s=self._limits.job_s, on_progress=show, on_start=started.set
            )
            state, answer = "done", frame.body
        except asyncio.CancelledError:
            state = "cancelled"
        except TaskError as fault:
            answer = _dump(describe_fault(fault))
        except TooSlowError:
            answer = _dump(
                ProblemError(504, f"not done within {self._limits.job_s:g} s. Send a shorter walk.")
            )
        except BusyError:
            answer = _dump(ProblemError(503, "too much else waits. Try again."))
        except MoodwalkError as error:
            answer = _dump(find_problem(error))
        except Exception:
            _log.exception("a job ended with an error")
            answer = _dump(ProblemError(500, "an error in the server; its log says where."))
        finally:
            report.cancel()
            watch.cancel()
        done = steps[-1] if steps else (0, None)
        self._metrics.jobs.labels(kind, state).inc()
        try:
            await self._do(self._end, job, state, answer or None, *done)
        except ProblemError as error:  # no room for the result: say at least so
            with suppress(ProblemError):
                await self._do(self._end, job, "failed", _dump(error), *done)

    async def _report(
        self, job: str, started: asyncio.Event, steps: Sequence[tuple[int, int | None]]
    ) -> None:
        """Write down that a job runs, and now and then how far it is."""
        await started.wait()
        last: tuple[int, int | None] | None = None
        while True:
            step = steps[-1] if steps else (0, None)
            if step != last:
                with suppress(ProblemError):
                    await self._do(self._advance, job, *step)
                last = step
            await asyncio.sleep(_LOOK_S)

    async def _watch(self, job: str, task: "asyncio.Task[None] | None") -> None:
        """Cancel a job that another process of the server was asked to cancel."""
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(ProblemError):
                if await self._do(self._is_unwanted, job) and task is not None:
                    task.cancel()
                    return

    async def _do(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """Use the file, away from the event loop."""
        try:
            return await asyncio.to_thread(action, *arguments)
        except (sqlite3.Error, OSError) as error:
            full = "full" in str(error) or (isinstance(error, OSError) and full_disk(error))
            status, text = (
                (507, "the server's disk is full. Try again later.")
                if full
                else (503, "the server cannot look after jobs at this moment. Try again.")
            )
            raise ProblemError(status, text, headers={"Retry-After": "5"}) from None

    def _open(self) -> "closing[sqlite3.Connection]":
        database = sqlite3.connect(self._path, timeout=_LOCK_WAIT_S)
        database.execute("PRAGMA synchronous=OFF")  # it does not outlive the server
        database.execute("PRAGMA secure_delete=ON")
        return closing(database)

    def _insert(self, job: str, kind: str) -> bool:
        now = time.time()
        with self._open() as database, database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM jobs WHERE ended < ?", (now - self._limits.job_keep_s,))
            (n_open,) = database.execute("SELECT count(*) FROM jobs WHERE ended IS NULL").fetchone()
            (n_kept,) = database.execute("SELECT count(*) FROM jobs").fetchone()
            if n_open >= self._limits.waiting_jobs:
                return False
            if n_kept >= 2 * self._limits.waiting_jobs:
                database.execute(
                    "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE ended IS NOT NULL "
                    "ORDER BY ended LIMIT ?)",
                    (self._limits.waiting_jobs,),
                )
            database.execute(
                "INSERT INTO jobs (id, kind, state, done, created, owner) VALUES (?, ?, ?, 0, ?, ?)",
                (job, kind, "queued", now, os.getpid()),
            )
        return True

    def _select(self, job: str) -> "JobState | None":
        with self._open() as database, database:
            row = database.execute(
                "SELECT kind, state, done, total, created, ended, answer, owner FROM jobs WHERE id = ?",
                (job,),
            ).fetchone()
            if row is None:
                return None
            kind, state, done, total, created, ended, answer, owner = row
            now = time.time()
            if ended is not None and ended < now - self._limits.job_keep_s:
                database.execute("DELETE FROM jobs WHERE id = ?", (job,))
                return None
            if ended is None and not _is_alive(owner):
                problem = ProblemError(503, "the server process with this job ended. Ask again.")
                state, ended, answer = "failed", now, _dump(problem)
                database.execute(
                    "UPDATE jobs SET state = ?, ended = ?, answer = ? WHERE id = ?",
                    (state, ended, answer, job),
                )
        until = None if ended is None else _write_time(ended + self._limits.job_keep_s)
        told = {
            "id": job,
            "kind": kind,
            "state": state,
            "done": done,
            "total": total,
            "created_at": _write_time(created),
            "expires_at": until,
        }
        return JobState(state, answer, told)

    def _advance(self, job: str, done: int, total: int | None) -> None:
        with self._open() as database, database:
            database.execute(
                "UPDATE jobs SET state = 'running', done = ?, total = ? WHERE id = ? AND ended IS NULL",
                (done, total, job),
            )

    def _end(
        self, job: str, state: str, answer: bytes | None, done: int, total: int | None
    ) -> None:
        with self._open() as database, database:
            database.execute(
                "UPDATE jobs SET state = ?, answer = ?, done = ?, total = ?, ended = ? WHERE id = ?",
                (state, answer, done, total, time.time(), job),
            )

    def _mark(self, job: str) -> None:
        with self._open() as database, database:
            database.execute("UPDATE jobs SET wanted_gone = 1 WHERE id = ?", (job,))

    def _is_unwanted(self, job: str) -> bool:
        with self._open() as database:
            row = database.execute("SELECT wanted_gone FROM jobs WHERE id = ?", (job,)).fetchone()
        return row is None or bool(row[0])

    def _delete(self, job: str) -> None:
        with self._open() as database, database:
            database.execute("DELETE FROM jobs WHERE id = ?", (job,))


def _dump(error: ProblemError) -> bytes:
    return json.dumps(error.to_dict()).encode()


def _write_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
