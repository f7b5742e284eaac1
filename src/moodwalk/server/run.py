"""Starting the server: sockets, processes, logs, and an orderly end."""

import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial

import uvicorn
from uvicorn.supervisors import Multiprocess

from moodwalk.errors import ConfigError, WorkerError
from moodwalk.predict import Predictor
from moodwalk.server.app import make_app
from moodwalk.server.connections import GuardedProtocol
from moodwalk.server.settings import ServerSettings
from moodwalk.server.uploads import make_run_folder

__all__ = ["serve"]

_SPARE_FILES = 200


def serve(settings: ServerSettings, *, access_log: bool = True, quiet: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that run then are answered first.

    Parameters
    ----------
    settings
        How.
    access_log
        Whether every request gets a line on standard error: who, method, route, status, time, size. Never
        what was asked or sent.
    quiet
        Whether only warnings are written.

    Raises
    ------
    ConfigError
        If nothing can listen there.
    CheckpointError, WorkerError
        If the weights cannot be used, or the server does not start.
    """
    _set_up_logs(access_log and not quiet, quiet)
    if settings.weights is not None:
        Predictor.load(settings.weights)  # says at once, and in one line, what is wrong with them
    settings = _fit_connections(settings)
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in str(host) else host
    if not quiet:
        print(f"moodwalk serves on http://{shown}:{port}", file=sys.stderr, flush=True)
    with make_run_folder() as folder:
        settings = replace(settings, run_folder=folder, port=port)
        if settings.workers > 1:  # before anything counts
            (folder / "metrics").mkdir()
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder / "metrics")
        limits = settings.limits
        config = uvicorn.Config(
            partial(_start, settings, access_log and not quiet, quiet),
            factory=True,
            http=GuardedProtocol,
            ws="auto",
            ws_max_size=limits.socket_message_bytes,
            ws_max_queue=8,
            ws_per_message_deflate=False,  # a small message may not become a large one
            lifespan="on",
            log_config=None,
            access_log=False,
            workers=settings.workers,
            proxy_headers=bool(settings.proxies),
            forwarded_allow_ips=list(settings.proxies),
            server_header=False,
            timeout_keep_alive=max(1, round(limits.header_s)),
            timeout_graceful_shutdown=max(1, round(limits.drain_s)),
            timeout_worker_healthcheck=60,  # a busy machine is no dead process
            backlog=2048,
        )
        if settings.workers > 1:
            Multiprocess(config, [listener]).run()
            return
        try:
            _Server(config).run([listener])
        except SystemExit:
            raise WorkerError("the server did not start; the lines above say why.") from None


class _Server(uvicorn.Server):
    """Uvicorn's, which ends with status 0 after SIGTERM rather than by the signal itself."""

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin to drain; a second Ctrl-C ends at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True


def _start(settings: ServerSettings, access_log: bool, quiet: bool) -> object:
    """Make the application in a process of the server."""
    _set_up_logs(access_log, quiet)
    return make_app(settings)


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    host = settings.host.strip("[]")
    # the protocol is named, or asyncio would leave Nagle's delay on
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"nothing can listen on {host} port {settings.port}: {error.strerror or error}. Is it taken? "
            f"Try another --port."
        ) from None
    listener.set_inheritable(True)
    return listener


def _fit_connections(settings: ServerSettings) -> ServerSettings:
    """Allow as many open files as connections need, or as many connections as files are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.limits.connections + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            soft = most
        n_connections = max(16, soft - _SPARE_FILES)
        if n_connections < settings.limits.connections:
            limits = replace(settings.limits, connections=n_connections)
            return replace(settings, limits=limits)
    return settings


class _WithoutTraceback(logging.Filter):
    """Leaves out where in uvicorn an error arose, so that clients cannot fill the log with tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten a record."""
        if record.exc_info and record.exc_info[0] is not None:
            record.msg = f"{record.getMessage().strip()} ({record.exc_info[0].__name__})"
            record.args, record.exc_info, record.exc_text = None, None, None
        return True


def _set_up_logs(access_log: bool, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for name in ("moodwalk.server", "moodwalk.access", "uvicorn.error"):
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.propagate = False
        log.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("uvicorn.error").filters[:] = [_WithoutTraceback()]
    if not access_log:
        logging.getLogger("moodwalk.access").setLevel(logging.WARNING)
