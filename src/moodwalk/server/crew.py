"""Worker processes behind a bounded queue: started, watched, timed, killed and started anew.

All of it runs in the server's event loop, which only waits; the work is done elsewhere.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import moodwalk.errors
from moodwalk.errors import ConfigError, MoodwalkError, WorkerError
from moodwalk.server.wire import Frame, pack, receive_frame

__all__ = ["BusyError", "Crew", "TaskError", "TooSlowError", "make_error"]

_log = logging.getLogger("moodwalk.server")

_START_S = 120.0
_MOST_ATTEMPTS = 2
_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0

Progress = Callable[[int, int | None], None]


class BusyError(Exception):
    """Nobody is free and the queue is full: come back later."""


class TooSlowError(Exception):
    """A task was given up because its time was over."""


class TaskError(Exception):
    """A worker says why it could not do a task.

    Parameters
    ----------
    error
        Name of a class of `moodwalk.errors`, or ``validation``, ``memory``, ``slow``, ``lost``, ``bug``.
    detail
        One line, or JSON for ``validation``.
    """

    def __init__(self, error: str, detail: str = "") -> None:
        super().__init__(error, detail)
        self.kind = error
        self.detail = detail


@dataclass(eq=False, slots=True)
class _Task:
    head: dict[str, Any]
    body: bytes
    due: float
    answer: "asyncio.Future[Frame]"
    on_progress: Progress | None
    on_start: Callable[[], None] | None
    n_attempts: int = 0

    @property
    def is_alone(self) -> bool:
        return bool(self.head.get("alone"))

    @property
    def is_batchable(self) -> bool:
        return not self.is_alone and self.head["kind"] == "predict"


class _LostError(Exception):
    """The worker process has gone."""


@dataclass(eq=False, slots=True)
class _Hand:
    """One worker process and the way to it."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ended: "asyncio.Task[int]" = field(init=False)

    def __post_init__(self) -> None:
        self.ended = asyncio.create_task(self.process.wait())

    def kill(self) -> None:
        """End the process, and the child that it may have."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the process and wait until it has."""
        self.kill()
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()
        await self.ended


class Crew:
    """Some worker processes that share a queue.

    Parameters
    ----------
    name
        For logs and metrics.
    size
        Processes.
    setup
        For `moodwalk.server.tasks.Tasks`.
    most_waiting
        Tasks in the queue; more are turned away.
    most_together
        Tasks of one kind that a free worker takes at once, where several wait. Nobody ever waits for company.
    eager
        Whether all start with the server; otherwise with the first task.
    on_restart, on_batch
        Told of every process started in place of one that has gone, and of the size of every batch.
    """

    def __init__(
        self,
        name: str,
        size: int,
        setup: dict[str, Any],
        *,
        most_waiting: int,
        most_together: int = 1,
        eager: bool = False,
        on_restart: Callable[[], None] | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self._setup = setup
        self._most_waiting = most_waiting
        self._most_together = most_together
        self._eager = eager
        self._on_restart = on_restart or (lambda: None)
        self._on_batch = on_batch or (lambda size: None)
        self._waiting: deque[_Task] = deque()
        self._news = asyncio.Event()
        self._slots: list[asyncio.Task[None]] = []
        self._hands: set[_Hand] = set()
        self._n_busy = 0
        self._fault: Exception | None = None
        self._ready = asyncio.Event()

    @property
    def n_waiting(self) -> int:
        """Tasks in the queue."""
        return len(self._waiting)

    @property
    def n_busy(self) -> int:
        """Workers at work."""
        return self._n_busy

    @property
    def n_alive(self) -> int:
        """Workers that are there."""
        return len(self._hands)

    @property
    def pids(self) -> list[int]:
        """Of the worker processes."""
        return [hand.process.pid for hand in self._hands]

    async def start(self) -> None:
        """Start; where the crew is eager, wait for the first worker.

        Raises
        ------
        MoodwalkError
            If the workers cannot work, for instance without their weights.
        """
        self._slots = [asyncio.create_task(self._serve()) for _ in range(self.size)]
        if not self._eager:
            return
        waiter = asyncio.create_task(self._ready.wait())
        await asyncio.wait({waiter, *self._slots}, return_when=asyncio.FIRST_COMPLETED)
        if not waiter.done():
            waiter.cancel()
            raise self._fault or WorkerError("worker processes do not start. Is there memory?")

    async def stop(self) -> None:
        """End all processes now."""
        for slot in self._slots:
            slot.cancel()
        await asyncio.gather(*self._slots, return_exceptions=True)
        for task in self._waiting:
            if not task.answer.done():
                task.answer.set_exception(WorkerError("the server is going down. Try again."))
        self._waiting.clear()

    async def run(
        self,
        head: dict[str, Any],
        body: bytes = b"",
        *,
        limit_s: float,
        on_progress: Progress | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> Frame:
        """Have a task done; cancelling this gives it up.

        Parameters
        ----------
        head, body
            See `moodwalk.server.tasks`. ``alone`` in the head asks for a child process of its own.
        limit_s
            Time for waiting and working.
        on_progress
            Told of steps done and steps in all.
        on_start
            Told when the work begins.

        Raises
        ------
        BusyError
            If the queue is full.
        TooSlowError
            If the time is over.
        TaskError
            If the worker says so.
        WorkerError
            If workers die of it, or do not start.
        """
        if len(self._waiting) >= self._most_waiting + max(0, self.n_alive - self._n_busy):
            raise BusyError
        loop = asyncio.get_running_loop()
        task = _Task(head, body, loop.time() + limit_s, loop.create_future(), on_progress, on_start)
        self._waiting.append(task)
        self._news.set()
        try:
            async with asyncio.timeout(limit_s):
                frame = await task.answer
        except TimeoutError:
            raise TooSlowError from None
        finally:
            if not task.answer.done():
                task.answer.cancel()
            with suppress(ValueError):
                self._waiting.remove(task)
        if "error" in frame.head:
            raise TaskError(str(frame.head["error"]), str(frame.head.get("detail", "")))
        return frame

    async def _serve(self) -> None:
        """Be one worker: hire it, hand it tasks, replace it."""
        hand: _Hand | None = None
        started, pause_s = 0, _PAUSE_S
        try:
            while True:
                if hand is None and (self._eager or self._waiting):
                    try:
                        hand = await self._hire()
                    except MoodwalkError as error:
                        if self._eager and not self._ready.is_set():
                            self._fault = error
                            return
                        self._turn_away(error)
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                        continue
                    if started:
                        self._on_restart()
                    started, pause_s = started + 1, _PAUSE_S
                tasks = await self._take(hand)
                if hand is None and tasks:  # the first task of a crew that is not eager
                    self._waiting.extendleft(reversed(tasks))
                    continue
                if hand is not None and tasks:
                    self._n_busy += 1
                    try:
                        await self._perform(hand, tasks)
                        continue
                    except _LostError:
                        pass
                    except Exception:
                        _log.exception("%s: a task could not be handed over", self.name)
                        self._try_again(tasks)
                    finally:
                        self._n_busy -= 1
                if hand is not None:
                    self._hands.discard(hand)
                    await hand.close()
                    hand = None
        finally:
            if hand is not None:
                self._hands.discard(hand)
                await hand.close()

    async def _hire(self) -> _Hand:
        """Start a process and wait until it can work."""
        ours, theirs = socket.socketpair()
        for one in (ours, theirs):
            with suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "moodwalk.server.worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**_clean_environment(), **threads},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise WorkerError(f"worker processes do not start: {error}.") from None
        finally:
            theirs.close()
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=2**20)
        hand = _Hand(process, reader, writer)
        try:
            async with asyncio.timeout(_START_S):
                writer.write(pack(self._setup))
                await writer.drain()
                greeting = (await receive_frame(reader)).head
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            await hand.close()
            raise WorkerError("worker processes do not start. Is there enough memory?") from None
        except BaseException:
            await hand.close()
            raise
        if "error" in greeting:
            await hand.close()
            raise make_error(str(greeting["error"]), str(greeting.get("detail", "")))
        self._hands.add(hand)
        self._ready.set()
        return hand

    async def _take(self, hand: _Hand | None) -> list[_Task]:
        """Wait for tasks; none where the process has gone meanwhile."""
        while not self._waiting:
            if hand is not None and hand.ended.done():
                return []
            self._news.clear()
            news = asyncio.create_task(self._news.wait())
            try:
                others = {news} if hand is None else {news, hand.ended}
                await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            finally:
                news.cancel()
        tasks: list[_Task] = []
        now = asyncio.get_running_loop().time()
        while self._waiting and len(tasks) < self._most_together:
            task = self._waiting[0]
            if tasks and not (task.is_batchable and task.n_attempts == 0):
                break
            self._waiting.popleft()
            if task.answer.done() or task.due <= now:
                continue  # whoever asked has gone, or is told that time is over
            tasks.append(task)
            if not task.is_batchable or task.n_attempts:
                break
        return tasks

    def _turn_away(self, error: Exception) -> None:
        while self._waiting:
            task = self._waiting.popleft()
            if not task.answer.done():
                task.answer.set_exception(error)

    async def _perform(self, hand: _Hand, tasks: Sequence[_Task]) -> None:
        """Have tasks done and tell whoever waits for them.

        Raises
        ------
        _LostError
            If the process has gone, or was ended; tasks that may be tried again are in the queue again.
        """
        loop = asyncio.get_running_loop()
        alone = tasks[0] if tasks[0].is_alone else None
        for task in tasks:
            task.n_attempts += 1
            if task.on_start is not None:
                task.on_start()
        due = max(task.due for task in tasks)
        if alone is not None:
            alone.answer.add_done_callback(lambda answer: answer.cancelled() and hand.kill())
        try:
            async with asyncio.timeout_at(due):
                hand.writer.write(_join(tasks, due - loop.time()))
                await hand.writer.drain()
                while True:
                    frame = await receive_frame(hand.reader)
                    if "progress" not in frame.head:
                        break
                    if alone is not None and alone.on_progress is not None:
                        done, total = frame.head["progress"]
                        alone.on_progress(done, total)
            answers = _split(tasks, frame)
        except TimeoutError:
            raise _LostError from None
        except (
            asyncio.IncompleteReadError,
            ConnectionError,
            KeyError,
            TypeError,
            ValueError,
        ):
            self._try_again(tasks)
            raise _LostError from None
        if tasks[0].is_batchable:
            self._on_batch(len(tasks))
        for task, answer in zip(tasks, answers, strict=True):
            if not task.answer.done():
                task.answer.set_result(answer)

    def _try_again(self, tasks: Sequence[_Task]) -> None:
        for task in reversed(tasks):
            if task.answer.done():
                continue
            if task.n_attempts < _MOST_ATTEMPTS:
                self._waiting.appendleft(task)  # alone, so that one cannot take others with it
            else:
                task.answer.set_exception(
                    WorkerError("worker processes ended in the middle of this request. Try again.")
                )


def make_error(kind: str, detail: str) -> MoodwalkError:
    """Return the error that a worker tells of, where it is one of moodwalk's own."""
    found = getattr(moodwalk.errors, kind, None)
    if isinstance(found, type) and issubclass(found, MoodwalkError):
        return found(detail)
    return ConfigError(f"the workers cannot start ({kind}).")


def _join(tasks: Sequence[_Task], seconds: float) -> bytes:
    """Return the frame for a task, or for several of one kind."""
    first = tasks[0]
    if first.is_batchable:
        items = [{"length": len(task.body)} for task in tasks]
        return pack({"kind": "predict", "items": items}, b"".join(task.body for task in tasks))
    return pack({**first.head, "seconds": max(1, round(seconds))}, first.body)


def _split(tasks: Sequence[_Task], frame: Frame) -> list[Frame]:
    """Return what each task is told."""
    if "error" in frame.head or not tasks[0].is_batchable:
        return [frame] * len(tasks)
    answers: list[Frame] = []
    start = 0
    for item in frame.head["items"]:
        length = int(item.get("length", 0))
        answers.append(Frame(item, frame.body[start : start + length]))
        start += length
    if len(answers) != len(tasks):
        raise ValueError("a worker answers another number of tasks")
    return answers


def _clean_environment() -> dict[str, str]:
    """Return the environment without what a worker that reads strangers' files need not know."""
    return {k: v for k, v in os.environ.items() if k not in ("MOODWALK_TOKEN",)}
