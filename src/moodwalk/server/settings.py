"""How the server is run: one frozen value, checked once."""

import ipaddress
import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path

from moodwalk.errors import ConfigError

__all__ = ["Limits", "ServerSettings", "count_processes", "is_loopback", "read_token"]

LEAST_TOKEN = 16
MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server bears, for each of its processes.

    Parameters
    ----------
    json_bytes, upload_bytes
        Of one request.
    held_bytes
        Of the bodies of all requests together.
    header_s
        In which a request's head has to come, and between two requests of a connection.
    body_s
        In which a request's body has to come.
    predict_s, upload_s, job_s
        For waiting and working: on positions, on a file, on long work.
    upload_memory_bytes, job_memory_bytes
        Beyond what a worker has at its start.
    connections
        Open at a time; beyond them the one that has been idle for longest is closed.
    waiting_predictions, waiting_uploads, waiting_jobs
        In the queues; more are turned away with 429.
    uploads
        Bodies of files coming in at a time.
    together
        Predictions that go through the network together, where several wait.
    rate_per_s, burst
        Requests of one client for predictions and reading; a tenth of that for files and long work.
    job_keep_s
        For which ended jobs are kept.
    sockets
        Live WebSockets at a time.
    socket_message_bytes, socket_rate_per_s
        Of one message, and how many a second.
    socket_idle_s, socket_life_s
        After which a silent live WebSocket is closed, and after which any.
    drain_s
        For requests that run when the server is told to end.
    """

    json_bytes: int = 8 * MIB
    upload_bytes: int = 64 * MIB
    held_bytes: int = 256 * MIB
    header_s: float = 10.0
    body_s: float = 60.0
    predict_s: float = 10.0
    upload_s: float = 120.0
    job_s: float = 300.0
    upload_memory_bytes: int = 2048 * MIB
    job_memory_bytes: int = 3072 * MIB
    connections: int = 1000
    waiting_predictions: int = 16
    waiting_uploads: int = 8
    waiting_jobs: int = 16
    uploads: int = 8
    together: int = 4
    rate_per_s: float = 100.0
    burst: int = 200
    job_keep_s: float = 600.0
    sockets: int = 8
    socket_message_bytes: int = 64 * 1024
    socket_rate_per_s: float = 65.0
    socket_idle_s: float = 60.0
    socket_life_s: float = 4 * 3600.0
    drain_s: float = 20.0

    def __post_init__(self) -> None:
        for one in fields(self):
            if not 0 < getattr(self, one.name) < float("inf"):
                raise ConfigError(
                    f"the limit {one.name} is {getattr(self, one.name)}; expected a positive number."
                )


def count_processes() -> int:
    """Return how many worker processes are worth it: one a core, four at most."""
    return max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How the server is run.

    Parameters
    ----------
    host, port
        Where it listens; port 0 takes any free one.
    token
        What clients show as ``Authorization: Bearer``. Needed unless the host is loopback.
    workers
        Processes that answer HTTP.
    processes
        Of each of those: worker processes for predictions.
    weights
        Of the classifier; None for those that moodwalk ships.
    library
        A music library, see `moodwalk.music.library.Library.open`.
    allowed_hosts
        Names under which clients reach the server, beside localhost and addresses.
    origins
        Web sites whose pages may use the API from a browser.
    proxies
        Addresses of proxies whose X-Forwarded-For is believed.
    web
        Whether the web app is served too, where it is installed.
    run_folder
        For uploads and jobs; None makes one among the system's temporary files.
    limits
        What it bears.

    Raises
    ------
    ConfigError
        If a value makes no sense, or others could reach the server without a token.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = field(default=None, repr=False)
    workers: int = 1
    processes: int = field(default_factory=count_processes)
    weights: Path | None = None
    library: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    web: bool = True
    run_folder: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"--port is {self.port}; expected 0 to 65535.")
        if self.workers < 1 or self.processes < 1:
            raise ConfigError(
                f"--workers is {self.workers} and --processes is {self.processes}; expected at least 1."
            )
        if self.token is not None:
            _check_token(self.token)
        elif not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host} lets others reach the server; expected a token. Set MOODWALK_TOKEN or "
                f"--token-file, or leave --host at 127.0.0.1."
            )
        for name in self.allowed_hosts:
            if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", name):
                raise ConfigError(
                    f"--allow-host is {name!r}; expected a plain host name without a port."
                )
        for origin in self.origins:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
                raise ConfigError(
                    f"--origin is {origin!r}; expected a site such as https://walks.example."
                )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches a host."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """Read a token from a file.

    Raises
    ------
    ConfigError
        If the file cannot be read or holds no token.
    """
    try:
        with path.open("rb") as file:
            text = file.read(4097)
    except OSError as error:
        raise ConfigError(f"--token-file {path} cannot be read: {error.strerror}.") from None
    try:
        token = text.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    _check_token(token, f"--token-file {path}")
    return token


def _check_token(token: str, where: str = "the token") -> None:
    if not (LEAST_TOKEN <= len(token) <= 4096 and re.fullmatch(r"[!-~]+", token)):
        raise ConfigError(
            f"{where} holds no token of {LEAST_TOKEN} or more plain characters without spaces. "
            f"`openssl rand -hex 32` makes one."
        )
