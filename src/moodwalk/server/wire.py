"""What travels between the server and its worker processes: frames of JSON and bytes, never pickles.

A worker reads files that strangers sent. Whoever takes it over can say what it likes, but a frame is
only ever JSON and bytes, so that it cannot make the server run anything.
"""

import asyncio
import json
import math
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

__all__ = ["Frame", "dump_json", "pack", "read_frame", "receive_frame"]

_SIZES = struct.Struct("!IQ")
_MOST_HEAD = 2**24
_MOST_BODY = 2**30


class Frame(NamedTuple):
    """A message.

    Parameters
    ----------
    head
        What it is about.
    body
        Bytes that the head describes.
    """

    head: dict[str, Any]
    body: bytes = b""


def pack(head: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return a frame as it travels."""
    text = json.dumps(head).encode()
    return b"".join((_SIZES.pack(len(text), len(body)), text, body))


def read_frame(file: BinaryIO) -> Frame | None:
    """Wait for the next frame; None where the other side has gone."""
    start = file.read(_SIZES.size)
    if len(start) < _SIZES.size:
        return None
    n_head, n_body = _check_sizes(start)
    head, body = file.read(n_head), file.read(n_body)
    if len(head) < n_head or len(body) < n_body:
        return None
    return Frame(json.loads(head), body)


async def receive_frame(reader: asyncio.StreamReader) -> Frame:
    """Wait for the next frame.

    Raises
    ------
    asyncio.IncompleteReadError
        If the other side has gone.
    ConnectionError
        If what comes is no frame.
    """
    n_head, n_body = _check_sizes(await reader.readexactly(_SIZES.size))
    head = await reader.readexactly(n_head)
    body = await reader.readexactly(n_body)
    try:
        return Frame(dict(json.loads(head)), body)
    except (TypeError, ValueError, RecursionError):
        raise ConnectionError("a worker said something that is no frame") from None


def dump_json(document: Mapping[str, Any]) -> bytes:
    """Write JSON; numbers that it lacks become null, as the command line prints them."""
    try:
        text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_replace_nan(document), allow_nan=False, separators=(",", ":"))
    return text.encode()


def _check_sizes(start: bytes) -> tuple[int, int]:
    n_head, n_body = _SIZES.unpack(start)
    if n_head > _MOST_HEAD or n_body > _MOST_BODY:
        raise ConnectionError("a worker said something that is no frame")
    return n_head, n_body


def _replace_nan(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    return value
