"""Connections that say nothing, or say it drop by drop, are closed; so are the idlest of too many."""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from moodwalk.server.metrics import Metrics
from moodwalk.server.settings import Limits

__all__ = ["ConnectionGuard", "GuardedProtocol"]

_log = logging.getLogger("moodwalk.server")


class ConnectionGuard:
    """Knows every connection of a process, and since when it has been idle.

    Parameters
    ----------
    limits
        ``connections`` and ``header_s``.
    metrics
        Counts what is closed.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._idle: dict[GuardedProtocol, asyncio.TimerHandle] = {}  # the one idle longest first
        self._known: set[GuardedProtocol] = set()

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._known)

    def welcome(self, connection: "GuardedProtocol") -> None:
        """Take a new connection in, if need be in place of another."""
        self._known.add(connection)
        if len(self._known) > self._limits.connections:
            self._close(next(iter(self._idle), connection), "too many")
        self.watch(connection)

    def watch(self, connection: "GuardedProtocol") -> None:
        """Give a connection a little time to send a whole head; it has no more by sending some of it."""
        if connection in self._known and connection not in self._idle:
            loop = asyncio.get_running_loop()
            self._idle[connection] = loop.call_later(
                self._limits.header_s, self._close, connection, "slow or silent"
            )

    def leave_alone(self, connection: "GuardedProtocol") -> None:
        """Stop the clock of a connection: it has sent a request."""
        if timer := self._idle.pop(connection, None):
            timer.cancel()

    def forget(self, connection: "GuardedProtocol") -> None:
        """Forget a connection that is closed."""
        self.leave_alone(connection)
        self._known.discard(connection)

    def _close(self, connection: "GuardedProtocol", reason: str) -> None:
        self.forget(connection)
        if connection.abort():
            self._metrics.closed.labels(reason).inc()


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, whose connections a `ConnectionGuard` watches."""

    _guard: ConnectionGuard | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take in a new connection."""
        super().connection_made(transport)
        self._guard = self.app_state.get("connections")
        if self._guard is not None:
            self._guard.welcome(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        if self._guard is not None:
            self._guard.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what a client sends."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection over."""
        if self._guard is not None:
            self._guard.forget(self)
        super().handle_websocket_upgrade(event)

    def abort(self) -> bool:
        """Close at once; return whether it was open."""
        if self.transport.is_closing():
            return False
        self.transport.abort()
        return True

    def _look(self) -> None:
        if self._guard is None:
            return
        cycle: Any = self.cycle  # None before the first request
        if cycle is not None and not cycle.response_complete:
            self._guard.leave_alone(self)
        else:
            self._guard.watch(self)
