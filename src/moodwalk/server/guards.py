"""What stands before every route: host, origin, token, rate, size and time; and the log behind it."""

import asyncio
import base64
import binascii
import hmac
import ipaddress
import logging
import math
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from moodwalk.server.metrics import Metrics
from moodwalk.server.problems import MEDIA_TYPE, ProblemError, dump_problem
from moodwalk.server.rates import RateLimiter, name_client
from moodwalk.server.settings import ServerSettings

__all__ = ["Guards", "access_log"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

access_log = logging.getLogger("moodwalk.access")
_log = logging.getLogger("moodwalk.server")

OPEN_PATHS = ("/healthz", "/readyz")
"""Without token and rate limit; they tell nothing but whether the server works."""

_API = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json")
_LONG = ("/v1/explain", "/v1/generate")
_READ_S = 15.0
_SPARE_S = 15.0
_LEAST_BODY = 64 * 1024
_CLIENT_GONE = 499

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=(), payment=(), usb=()"),
)
_API_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"x-frame-options", b"DENY"),
)
_API_RESOURCE = (b"cross-origin-resource-policy", b"same-origin")
# Gradio's pages carry scripts in line; nothing comes from another site
_WEB_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
        b"font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        b"frame-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        b"frame-ancestors 'self'",
    ),
    (b"x-frame-options", b"SAMEORIGIN"),
)


@dataclass(slots=True)
class _Request:
    """What the guards know of a request."""

    id: str
    method: str
    path: str
    client: str
    headers: dict[bytes, bytes]
    started: float
    status: int = 0
    n_bytes: int = 0
    response_started: bool = False
    body_done: bool = False

    @property
    def is_api(self) -> bool:
        return self.path.startswith(_API)

    @property
    def is_upload(self) -> bool:
        return self.headers.get(b"content-type", b"").lower().startswith(b"multipart/")


class Guards:
    """ASGI middleware, outermost.

    Parameters
    ----------
    app
        What it stands before.
    settings
        What is allowed.
    metrics
        What is counted.
    """

    def __init__(self, app: App, settings: ServerSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._limits = settings.limits
        self._metrics = metrics
        self._rates = RateLimiter()
        self._token = None if settings.token is None else settings.token.encode()
        self._names = {"localhost", *(name.lower() for name in settings.allowed_hosts)}
        self._origins = {origin.lower() for origin in settings.origins}
        self._held = 0
        self._n_uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        request = _Request(
            secrets.token_hex(8),
            str(scope.get("method", "WS")),
            str(scope["path"]),
            name_client(client[0]) if client else "",
            dict(scope["headers"]),
            time.monotonic(),
        )
        scope.setdefault("state", {})["request_id"] = request.id
        if scope["type"] == "websocket":
            await self._socket(request, scope, receive, send)
        else:
            await self._http(request, scope, receive, send)

    async def _socket(self, request: _Request, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(request)
        except ProblemError as error:
            request.status = error.status
            await receive()  # websocket.connect
            await send(
                {"type": "websocket.close", "code": 1008, "reason": error.to_dict()["title"]}
            )
        else:
            request.status = 101
            await self._app(scope, receive, send)
        finally:
            self._conclude(request, scope)

    async def _http(self, request: _Request, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.response_started = True
                request.status = int(message["status"])
                message["headers"] = self._add_headers(request, message.get("headers", ()))
            await send(message)

        counted = 0

        async def guarded_receive() -> Message:
            nonlocal counted
            if request.body_done:
                return await receive()
            try:
                async with asyncio.timeout_at(body_due):
                    message = await receive()
            except TimeoutError:
                raise ProblemError(
                    408,
                    f"the request's body did not come within {self._limits.body_s:g} s. Send it faster, or "
                    f"send less.",
                ) from None
            if message["type"] != "http.request":
                return message
            n_bytes = len(message.get("body", b""))
            counted += n_bytes
            self._held += n_bytes
            request.n_bytes += n_bytes
            if counted > most:
                raise _too_large(most)
            if self._held > self._limits.held_bytes:
                self._metrics.shed.labels("memory").inc()
                raise _too_many("the server holds as much as it can", 1)
            request.body_done = not message.get("more_body", False)
            return message

        is_upload = request.is_upload and request.method not in ("GET", "HEAD")
        counts_upload = False
        try:
            self._admit(request)
            most = self._find_most(request)
            declared = request.headers.get(b"content-length")
            if declared is not None and not (declared.isdigit() and int(declared) <= most):
                raise _too_large(most)
            if is_upload:
                if self._n_uploads >= self._limits.uploads:
                    self._metrics.shed.labels("uploads").inc()
                    raise _too_many("too many uploads come in at this moment", 2)
                self._n_uploads += 1
                counts_upload = True
            loop = asyncio.get_running_loop()
            body_due = loop.time() + self._limits.body_s
            async with asyncio.timeout(self._find_time(request)):
                await self._app(scope, guarded_receive, guarded_send)
        except ClientDisconnect:
            request.status = _CLIENT_GONE
            self._metrics.disconnects.inc()
        except ProblemError as error:
            await self._refuse(request, error, guarded_send)
        except TimeoutError:
            await self._refuse(
                request, ProblemError(504, "this took too long. Try again, or less."), guarded_send
            )
        except Exception as error:
            # where it arose, without its message: that may quote what a client sent
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s in request %s:\n%s", type(error).__name__, request.id, where)
            problem = ProblemError(500, "an error in the server; its log says where.")
            await self._refuse(request, problem, guarded_send)
        finally:
            self._held -= counted
            self._n_uploads -= counts_upload
            self._conclude(request, scope)

    def _admit(self, request: _Request) -> None:
        """Let a request in, or say why not.

        Raises
        ------
        ProblemError
            If host, origin, token or rate forbid it.
        """
        self._check_host(request)
        self._check_origin(request)
        if request.path in OPEN_PATHS:
            return
        self._check_token(request)
        limits = self._limits
        kind, share = "web", 4.0
        if request.is_api:
            heavy = request.path in _LONG or request.is_upload
            kind, share = ("heavy", 0.1) if heavy else ("light", 1.0)
        wait_s = self._rates.take(
            request.client, kind, limits.rate_per_s * share, max(2.0, limits.burst * share)
        )
        if wait_s > 0:
            self._metrics.shed.labels("rate").inc()
            raise _too_many("more requests than a client may make", wait_s)

    def _check_host(self, request: _Request) -> None:
        """Refuse names that are not ours: a page of another site may have bound its name to this address."""
        host = request.headers.get(b"host", b"").decode("latin-1").lower()
        name = _split_port(host)
        if name in self._names or name == self._settings.host.lower():
            return
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise ProblemError(
                421,
                "this server is not called that; expected its address, localhost, or a name given with "
                "--allow-host.",
            ) from None

    def _check_origin(self, request: _Request) -> None:
        """Refuse what another site's page makes a browser send."""
        given = request.headers.get(b"origin")
        if given is None:
            return
        origin = given.decode("latin-1").lower()
        host = request.headers.get(b"host", b"").decode("latin-1").lower()
        _, sign, place = origin.partition("://")
        if (sign and place == host) or origin in self._origins:
            return
        raise ProblemError(
            403, "a page of another site asks for this; expected one given with --origin."
        )

    def _check_token(self, request: _Request) -> None:
        if self._token is None:
            return
        if request.method == "OPTIONS" and b"access-control-request-method" in request.headers:
            return  # a browser's question, which carries no token; its origin was looked at
        shown = _find_token(request.headers.get(b"authorization", b""))
        if shown is not None and hmac.compare_digest(shown, self._token):
            return
        headers = {"WWW-Authenticate": "Bearer"}
        if not request.path.startswith("/v1/"):
            headers = {"WWW-Authenticate": 'Basic realm="moodwalk: the token as password"'}
        wait_s = self._rates.take(request.client, "wrong token", 1.0, 20.0)
        if wait_s > 0:
            self._metrics.shed.labels("wrong token").inc()
            raise _too_many("too many requests without the right token", wait_s)
        raise ProblemError(401, "expected the header Authorization: Bearer TOKEN.", headers=headers)

    def _find_most(self, request: _Request) -> int:
        if request.method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            return _LEAST_BODY
        if request.is_upload or not request.is_api:
            return self._limits.upload_bytes
        return self._limits.json_bytes

    def _find_time(self, request: _Request) -> float | None:
        """Return how long a request may take in all; None where the web app keeps an answer open."""
        limits = self._limits
        if not request.is_api:
            return None
        if request.method != "POST":
            return _READ_S
        work_s = max(limits.predict_s, limits.upload_s if request.is_upload else 0)
        return limits.body_s + work_s + _SPARE_S

    async def _refuse(self, request: _Request, error: ProblemError, send: Send) -> None:
        if request.response_started:
            request.status = error.status
            return
        body = b"" if request.method == "HEAD" else dump_problem(error, request.id)
        headers = {
            "content-type": MEDIA_TYPE,
            "content-length": str(len(body)),
            **{name.lower(): value for name, value in error.headers.items()},
        }
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": error.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    def _add_headers(self, request: _Request, given: Any) -> list[tuple[bytes, bytes]]:
        headers = [(bytes(name).lower(), bytes(value)) for name, value in given]
        known = {name for name, _ in headers}
        ours = [*_HEADERS, (b"x-request-id", request.id.encode())]
        if request.is_api:
            ours += _API_HEADERS
            if not self._origins:
                ours.append(_API_RESOURCE)
        else:
            ours += _WEB_HEADERS
        return headers + [one for one in ours if one[0] not in known]

    def _conclude(self, request: _Request, scope: Mapping[str, Any]) -> None:
        seconds = time.monotonic() - request.started
        route = getattr(scope.get("route"), "path", None)
        if route is None:
            route = "other" if request.is_api else "web"
        self._metrics.requests.labels(_name_method(request.method), route, request.status).inc()
        if request.method != "WS":
            self._metrics.seconds.labels(route).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            # the route, or a path without its query: never what was asked or sent
            place = route if route not in ("other", "web") else _show_path(request.path)
            access_log.info(
                '%s "%s %s" %d %.1f ms %d bytes in, %s',
                request.client or "-",
                _name_method(request.method),
                place,
                request.status,
                1000 * seconds,
                request.n_bytes,
                request.id,
            )


def _name_method(method: str) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WS")
    return method if method in known else "other"


def _show_path(path: str) -> str:
    return ascii(path[:120])[1:-1]


def _split_port(host: str) -> str:
    """Return a host without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _find_token(header: bytes) -> bytes | None:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":  # what browsers ask people for
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except (binascii.Error, ValueError):
            return None
    return None


def _too_large(most: int) -> ProblemError:
    return ProblemError(
        413, f"the request's body is longer than {most / 2**20:g} MiB. Send a shorter walk."
    )


def _too_many(what: str, wait_s: float) -> ProblemError:
    seconds = max(1, math.ceil(wait_s))
    return ProblemError(
        429,
        f"{what}. Try again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
    )
