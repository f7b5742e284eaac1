"""``WS /v1/live``: bodies in, answers out. Nothing that comes is kept longer than the reader's window."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from moodwalk.errors import MoodwalkError
from moodwalk.server.crew import TaskError
from moodwalk.server.faults import describe_error
from moodwalk.server.problems import ProblemError, describe_fault, find_problem
from moodwalk.server.rates import RateLimiter
from moodwalk.server.schemas import LiveJoints, LiveMessage, LivePoses, LiveStart
from moodwalk.server.services import Services, get_services
from moodwalk.server.wire import dump_json

if TYPE_CHECKING:
    from moodwalk.live import JointSource, LiveAnswer, LiveReader

__all__ = ["router"]

router = APIRouter()

_MESSAGES: TypeAdapter[LiveStart | LivePoses | LiveJoints] = TypeAdapter(LiveMessage)
_POLICY, _TRY_LATER, _TOO_BIG, _GOING = 1008, 1013, 1009, 1001


class _CloseError(Exception):
    """Ends a conversation."""

    def __init__(self, code: int, problem: ProblemError) -> None:
        super().__init__(code)
        self.code = code
        self.problem = problem


@router.websocket("/v1/live")
async def live(socket: WebSocket) -> None:
    """Read a walk while it happens."""
    services = get_services(socket)
    await socket.accept()
    if services.n_sockets >= services.limits.sockets:
        services.metrics.shed.labels("sockets").inc()
        problem = ProblemError(429, "too many live readings. Try again later.")
        await _end(socket, _CloseError(_TRY_LATER, problem))
        return
    services.n_sockets += 1
    conversation: _Conversation | None = None
    try:
        async with asyncio.timeout(services.limits.socket_life_s):
            conversation = _Conversation(socket, services)
            await conversation.run()
    except WebSocketDisconnect:
        pass
    except _CloseError as close:
        await _end(socket, close)
    except TimeoutError:
        await _end(
            socket, _CloseError(_GOING, ProblemError(408, "this reading has lasted long enough."))
        )
    finally:
        services.n_sockets -= 1
        if conversation is not None:
            conversation.stop()


async def _end(socket: WebSocket, close: _CloseError) -> None:
    try:
        await socket.send_text(json.dumps({"kind": "problem", **close.problem.to_dict()}))
        await socket.close(close.code)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the client has gone


class _Conversation:
    """One client's live reading."""

    def __init__(self, socket: WebSocket, services: Services) -> None:
        self._socket = socket
        self._services = services
        self._limits = services.limits
        self._rates = RateLimiter()
        self._reader: LiveReader | None = None
        self._source: JointSource | None = None
        self._tracks: _Tracks | None = None

    async def run(self) -> None:
        """Talk until one of both has enough."""
        while True:
            message = await self._receive()
            try:
                if isinstance(message, LiveStart):
                    await self._begin(message)
                    continue
                if isinstance(message, LiveJoints) and self._source is None:
                    problem = ProblemError(422, "joints need a start that names them.")
                    raise _CloseError(_POLICY, problem)
                if self._reader is None:
                    await self._begin(LiveStart(type="start"))
                answer = await asyncio.to_thread(self._push, message)
            except MoodwalkError as error:
                raise _CloseError(_POLICY, find_problem(error)) from None
            if answer is not None:
                await self._tell(answer)

    def stop(self) -> None:
        """Give up what is still under way."""
        if self._tracks is not None:
            self._tracks.stop()

    async def _receive(self) -> LiveStart | LivePoses | LiveJoints:
        limits = self._limits
        try:
            async with asyncio.timeout(limits.socket_idle_s):
                event = await self._socket.receive()
        except TimeoutError:
            problem = ProblemError(408, f"nothing came for {limits.socket_idle_s:g} s.")
            raise _CloseError(_POLICY, problem) from None
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event.get("code", 1000))
        text: str | None = event.get("text")
        if text is None:
            problem = ProblemError(415, "expected JSON as text; pictures are not taken.")
            raise _CloseError(_POLICY, problem)
        if len(text) > limits.socket_message_bytes:
            problem = ProblemError(413, f"more than {limits.socket_message_bytes} bytes.")
            raise _CloseError(_TOO_BIG, problem)
        rate = limits.socket_rate_per_s
        if self._rates.take("", "", rate, 2 * rate) > 0:
            self._services.metrics.shed.labels("socket rate").inc()
            problem = ProblemError(429, f"more than {rate:g} messages a second.")
            raise _CloseError(_POLICY, problem)
        try:
            return _MESSAGES.validate_json(text, strict=True)
        except ValidationError as error:
            problem = describe_fault(TaskError(**describe_error(error)))
            raise _CloseError(_POLICY, problem) from None

    async def _begin(self, start: LiveStart) -> None:
        if self._reader is not None:
            problem = ProblemError(409, "start comes first, once. Open another socket.")
            raise _CloseError(_POLICY, problem)
        self._reader = await asyncio.to_thread(self._make_reader, start)
        if start.music is not None:
            self._tracks = _Tracks(self._services, start.music.mode, start.music.least_s)
        await self._socket.send_text(json.dumps({"kind": "ready"}))

    def _make_reader(self, start: LiveStart) -> "LiveReader":
        from moodwalk.live import JointSource, LiveOptions, LiveReader
        from moodwalk.predict import Predictor

        if start.joints is not None:
            names = [" ".join(name.split()) for name in start.joints]
            self._source = JointSource(names, start.unit_m, start.up)
        predictor = self._services.load_predictor()
        if start.min_confidence is not None:
            predictor = Predictor(predictor.checkpoint, min_confidence=start.min_confidence)
        reader = LiveReader(predictor, LiveOptions(**start.options))
        reader.warm_up()
        return reader

    def _push(self, message: LivePoses | LiveJoints) -> "LiveAnswer | None":
        from moodwalk.pose.landmarks import Pose

        reader = self._reader
        assert reader is not None
        match message:
            case LivePoses():
                poses = [
                    Pose(np.array(one.pixels), np.array(one.metres), np.array(one.visibility))
                    for one in message.poses
                ]
                width, height = message.size
                return reader.push(message.time_s, poses, (width, height))
            case LiveJoints():
                assert self._source is not None
                positions = message.positions
                known = None if positions is None else np.array(positions, dtype=np.float64)
                return reader.push_joints(message.time_s, known, self._source)
            case _:
                assert_never(message)

    async def _tell(self, answer: "LiveAnswer") -> None:
        told: dict[str, Any] = {"kind": "answer", **answer.to_dict()}
        if self._tracks is not None:
            told["track"] = self._tracks.follow(answer)
        await self._socket.send_text(dump_json(told).decode())


class _Tracks:
    """Chooses the next track when the mood has changed, beside the conversation."""

    def __init__(self, services: Services, mode: str, least_s: float) -> None:
        self._services = services
        self._mode = mode
        self._least_s = least_s
        self._chosen_for: str | None = None
        self._since = -least_s
        self._track: Mapping[str, Any] | None = None
        self._task: asyncio.Task[None] | None = None
        self._seed = 0

    def stop(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def follow(self, answer: "LiveAnswer") -> Mapping[str, Any] | None:
        """Return what fits, or None; begin to choose anew where the emotion is another."""
        now = time.monotonic()
        wanted = None if answer.emotion is None else str(answer.emotion)
        changed = wanted is not None and wanted != self._chosen_for
        if changed and self._task is None and now - self._since >= self._least_s:
            self._chosen_for, self._since = wanted, now
            self._task = asyncio.create_task(self._choose(answer))
        return self._track

    async def _choose(self, answer: "LiveAnswer") -> None:
        self._seed += 1
        head = {
            "kind": "recommend",
            "mood": {
                "probabilities": {str(name): p for name, p in answer.probabilities.items()},
                "cadence_spm": answer.cadence_spm,
                "reason": "",
                "asked": {"mode": self._mode, "n": 1, "seed": self._seed},
            },
        }
        try:
            services = self._services
            limit_s = services.limits.predict_s
            frame = await services.ask(services.predictions, head, limit_s=limit_s)
            tracks = json.loads(frame.body)["tracks"]
            self._track = tracks[0] if tracks else None
        except ProblemError as error:
            self._track = {"problem": error.to_dict()["detail"]}
        finally:
            self._task = None
