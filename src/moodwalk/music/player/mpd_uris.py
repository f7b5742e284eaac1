"""How the Music Player Daemon is addressed, and how it is told of a file."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from moodwalk.errors import ConfigError, DataFormatError
from moodwalk.music.playlists.locations import find_path, is_nowhere, to_uri

__all__ = ["Address", "RefusalError", "find_mpd_uris", "parse_address"]

DEFAULT_PORT = 6600

# A line break in an argument would be the end of the command, and the start of another.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Address(NamedTuple):
    """Where a daemon listens: a host and a port, or a Unix socket (port None)."""

    host: str
    port: int | None

    def __str__(self) -> str:
        if self.port is None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class RefusalError(Exception):
    """Why a track cannot be named to the daemon."""


def parse_address(address: str | Path) -> Address:
    """Read the address of a daemon.

    Parameters
    ----------
    address
        ``host``, ``host:port``, ``[IPv6]:port``, the path of a Unix socket (it has a ``/``), or ``@name`` of an
        abstract one.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    text = str(address).strip()
    if not _CONTROL.search(text):
        if text.startswith("@") and len(text) > 1:
            return Address(text, None)
        if text.startswith("~") or "/" in text or os.sep in text:
            return Address(str(Path(text).expanduser().absolute()), None)
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\s\[\]@]+))(?::([0-9]{1,5}))?", text)
        if found and 0 < int(found[3] or DEFAULT_PORT) < 2**16:
            return Address(found[1] or found[2], int(found[3] or DEFAULT_PORT))
    raise ConfigError(
        f"{text!r} is no address of a player; expected HOST, HOST:PORT with a port from 1 to 65535, "
        f"or the path of a Unix socket."
    )


def find_mpd_uris(location: str, roots: tuple[Path, ...], local: bool) -> list[str]:
    """Return what the daemon may know a track by, best first.

    Parameters
    ----------
    location
        As `Track.location`.
    roots
        Where the daemon's music lies, as seen from here: files under it are in its database.
    local
        Whether the daemon is reached over a Unix socket; only then it plays files outside its folder.

    Raises
    ------
    RefusalError
        If there is no way to name it.
    """
    if is_nowhere(location):
        raise RefusalError(f"{location} is in no file")
    try:
        path = find_path(location)
        if path is None:
            return [to_uri(location)]
        text = str(path)
        text.encode()
    except DataFormatError as error:
        raise RefusalError(str(error).rstrip(".")) from None
    except UnicodeEncodeError:
        raise RefusalError(f"the name of {to_uri(location)} is not UTF-8; rename it") from None
    if _CONTROL.search(text):
        raise RefusalError(f"the name of {to_uri(location)} holds a line break; rename it")
    uris: list[str] = []
    real = Path(os.path.realpath(path))
    for root in roots:
        for place in (path, real):
            if place.is_relative_to(root) and place != root:
                relative = place.relative_to(root).as_posix()
                if relative not in uris:
                    uris.append(relative)
    if local:
        uris.append(f"file://{text}")
    if not uris:
        where = " or ".join(map(str, roots)) or "the player's music folder, which is not known here"
        raise RefusalError(
            f"{text} is not under {where}; reach the player over its Unix socket, or say where its "
            f"music lies (music_root)"
        )
    return uris
