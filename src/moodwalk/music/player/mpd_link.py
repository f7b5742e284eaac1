"""A connection to a Music Player Daemon that is made again when it breaks."""

import re
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from moodwalk.errors import ConfigError, LibraryError
from moodwalk.music.player.mpd_uris import Address

__all__ = ["LinkLostError", "MpdLink", "RejectedError"]

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0


class LinkLostError(Exception):
    """The connection broke, or an answer did not come in time."""


class RejectedError(Exception):
    """The daemon did not carry out a command.

    Parameters
    ----------
    reason
        As the daemon says it.
    code
        As in its protocol: 3 and 4 are about passwords, 50 is that there is no such thing.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class MpdLink:
    """Sends commands.

    Parameters
    ----------
    address
        Of the daemon.
    password
        Sent after connecting.
    timeout_s
        The longest wait for one answer.
    """

    def __init__(self, address: Address, password: str | None, timeout_s: float) -> None:
        self.address = address
        self._password = password
        self._mpd = _load_mpd(address)
        self._client: Any = self._mpd.MPDClient()
        self._client.timeout = timeout_s
        self._timeout_s = timeout_s
        self.is_open = False

    def open(self, patience_s: float) -> None:
        """Connect, trying again with growing pauses until the patience is at an end.

        Raises
        ------
        LibraryError
            If the daemon cannot be reached, or refuses the password.
        """
        give_up = time.monotonic() + patience_s
        delay_s = FIRST_DELAY_S
        while True:
            self.close()
            try:
                self._attempt(self._connect)
                if self._password is not None:
                    self._attempt(lambda: self._client.password(self._password))
            except RejectedError as error:
                self.close()
                raise LibraryError(
                    f"the player at {self.address} refuses the password: {error}. Give the one of its "
                    f"configuration."
                ) from None
            except LinkLostError as error:
                left_s = give_up - time.monotonic()
                if left_s <= 0:
                    raise LibraryError(
                        f"no player answers at {self.address}: {error}; expected a Music Player Daemon. "
                        f"Start it, or give its address."
                    ) from None
                time.sleep(min(delay_s, left_s))
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            else:
                self.is_open = True
                return

    def ask(self, command: str, *arguments: Any) -> Any:
        """Send a command and return its answer.

        Raises
        ------
        RejectedError
            If the daemon does not carry it out.
        LinkLostError
            If no answer comes; the connection is closed then.
        """
        return self._attempt(lambda: getattr(self._client, command)(*arguments))

    def ask_all(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Send several commands that the daemon carries out with nothing in between.

        Raises
        ------
        RejectedError, LinkLostError
            As `ask`; commands after one that is rejected are not carried out.
        """

        def send() -> list[Any]:
            self._client.command_list_ok_begin()
            for command, *arguments in commands:
                getattr(self._client, command)(*arguments)
            return list(self._client.command_list_end())

        return self._attempt(send) if commands else []

    def close(self) -> None:
        """Break the connection."""
        self.is_open = False
        try:
            self._client.disconnect()
        except OSError:
            # what could not be sent is lost, which is what closing means; its sockets go with it
            self._client = self._mpd.MPDClient()
            self._client.timeout = self._timeout_s

    def _connect(self) -> None:
        host, port = self.address
        if port is None:
            # python-mpd2 leaves its socket open where nobody listens, so knock first
            with socket.socket(socket.AF_UNIX) as knock:
                knock.settimeout(self._timeout_s)
                knock.connect(f"\0{host[1:]}" if host.startswith("@") else host)
        self._client.connect(host, port)

    def _check(self) -> None:
        # A daemon says nothing unasked, so what can be read now is the end of the connection. To write would
        # tell as much, but python-mpd2 leaves its socket open then.
        with selectors.DefaultSelector() as selector:
            selector.register(self._client.fileno(), selectors.EVENT_READ)
            if selector.select(0):
                raise ConnectionResetError("it closed the connection")

    def _attempt(self, act: Callable[[], Any]) -> Any:
        try:
            if self.is_open:
                self._check()
            return act()
        except self._mpd.CommandError as error:
            reason = _tidy(error.msg or " ".join(map(str, error.args)))
            raise RejectedError(reason, error.errno.value if error.errno else 0) from None
        # ValueError: bytes that are no UTF-8, or an error number that no daemon knows
        except (self._mpd.MPDError, OSError, ValueError) as error:
            self.close()  # after a late answer, every later one would be taken for another's
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise LinkLostError(_tidy(str(reason))) from None


def _tidy(reason: str) -> str:
    """Return what a stranger says as one short line."""
    return re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", reason).strip().rstrip(".")[:200]


def _load_mpd(address: Address) -> Any:
    try:
        import mpd
    except ImportError:
        raise ConfigError(
            f"python-mpd2 is not installed; expected it to reach the player at {address}. "
            f"Run: pip install 'moodwalk[music]'."
        ) from None
    return mpd
