"""A worker process: ``python -m moodwalk.server.worker FD``.

It takes frames from the server by the socket FD, works, and answers. What reads a stranger's file, or takes
long, runs in a child of its own, forked for this one task: with limits on memory, processor time
and files, and gone with all that it read when the task ends.
"""

import gc
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from moodwalk.server.faults import describe_error
from moodwalk.server.wire import Frame, pack, read_frame

__all__ = ["main"]

Send = Callable[[dict[str, Any], bytes], None]

_MOST_FILES = 256
_GRACE_S = 5


def main() -> None:
    """Work until the server has gone."""
    link = socket.socket(fileno=int(sys.argv[1]))
    os.dup2(2, 1)  # what libraries print does not reach anybody's answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the server answers it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.simplefilter("ignore")  # they might quote what a client sent; see Tasks.run
    _die_with_parent()
    incoming = link.makefile("rb")
    setup = read_frame(incoming)
    if setup is None:
        return

    def send(head: dict[str, Any], body: bytes = b"") -> None:
        link.sendall(pack(head, body))

    try:
        from moodwalk.server.tasks import Tasks

        tasks = Tasks(setup.head)
    except Exception as error:
        send(describe_error(error))
        return
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at again
    send({"ready": True})
    while (frame := read_frame(incoming)) is not None:
        try:
            if frame.head.get("alone"):
                tasks.warm_up(frame.head)
                _run_alone(tasks, frame, link)
                continue
            head, body = tasks.run(frame, None)
        except Exception as error:
            head, body = describe_error(error), b""
        send(head, body)


def _run_alone(tasks: Any, frame: Frame, link: socket.socket) -> None:
    """Run one task in a child; pass on only what it says in whole frames."""
    from_child, to_parent = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(from_child)
            link.close()
            _die_with_parent()
            _limit(frame.head)
            _work_alone(tasks, frame, to_parent)
            status = 0
        finally:
            os._exit(status)
    os.close(to_parent)
    concluded = False
    try:
        with os.fdopen(from_child, "rb") as said:
            while (part := read_frame(said)) is not None:
                concluded = "progress" not in part.head
                link.sendall(pack(part.head, part.body))
                if concluded:
                    break
    except (ConnectionError, ValueError):
        if not concluded:
            link.sendall(pack({"error": "bug", "detail": ""}))
            concluded = True
    finally:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)  # a child that has said all has nothing left to do
        _, status = os.waitpid(child, 0)
    if not concluded:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        slow = number in (signal.SIGXCPU, signal.SIGALRM)
        link.sendall(pack({"error": "slow" if slow else "lost", "detail": str(number)}))


def _work_alone(tasks: Any, frame: Frame, to_parent: int) -> None:
    with os.fdopen(to_parent, "wb") as out:

        def say(head: dict[str, Any], body: bytes = b"") -> None:
            out.write(pack(head, body))
            out.flush()

        def show(done: int, total: int | None) -> None:
            say({"progress": [done, total]})

        try:
            head, body = tasks.run(frame, show)
        except Exception as error:
            head, body = describe_error(error), b""
        say(head, body)


def _limit(head: dict[str, Any]) -> None:
    seconds = int(head["seconds"])
    _set_limit(resource.RLIMIT_CPU, seconds)
    _set_limit(resource.RLIMIT_NOFILE, _MOST_FILES)
    _set_limit(resource.RLIMIT_CORE, 0)
    _set_limit(resource.RLIMIT_FSIZE, 0)  # reading is all that it is for
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _set_limit(resource.RLIMIT_DATA, _measure_data() + int(head["memory"]))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds + _GRACE_S)


def _set_limit(which: int, value: int) -> None:
    with suppress(OSError, ValueError):  # not every system knows every limit
        _, hard = resource.getrlimit(which)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(which, (value, value))


def _measure_data() -> int:
    """Return the bytes of data that the process has already."""
    with suppress(OSError, ValueError, IndexError), open("/proc/self/status") as file:  # noqa: PTH123
        for line in file:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def _die_with_parent() -> None:
    """Ask the kernel to end this process with the one that started it; elsewhere end of file does."""
    with suppress(Exception):
        import ctypes

        libc = ctypes.CDLL(None)
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


if __name__ == "__main__":
    main()
