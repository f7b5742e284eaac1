"""Files that clients send: kept under names that the server chooses, for the length of one request."""

import asyncio
import errno
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from moodwalk.server.problems import ProblemError

__all__ = ["Upload", "full_disk", "make_run_folder", "receive_upload"]

_PREFIX = "moodwalk-serve-"
_LOCK = "lock"
_MOST_FIELDS = 20
_MOST_FIELD_BYTES = 4096
_FILES = ("file", "baseline", "joint_map")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Upload:
    """What a client sent as a form.

    Parameters
    ----------
    paths
        By part: ``file``, and maybe ``baseline`` and ``joint_map``.
    shown
        By part, what the client called the file; for messages only.
    fields
        The others.
    """

    paths: dict[str, Path]
    shown: dict[str, str]
    fields: dict[str, str]

    def keep(self) -> Callable[[], None]:
        """Have the files outlive the block; return what removes them."""
        paths = list(self.paths.values())
        self.paths.clear()

        def remove() -> None:
            for path in paths:
                path.unlink(missing_ok=True)

        return remove

    def to_head(self) -> dict[str, object]:
        """Return what a worker is told."""
        return {
            **{name: str(path) for name, path in self.paths.items()},
            "shown": self.shown,
            "fields": self.fields,
        }


@contextmanager
def make_run_folder() -> Generator[Path]:
    """Make a folder that only this user may look into, for as long as the block lasts.

    Those of servers that were killed before they could remove theirs are removed first.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its server lives
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)


def full_disk(error: OSError) -> bool:
    """Return whether an error says that there is no room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@asynccontextmanager
async def receive_upload(request: Request, folder: Path) -> AsyncGenerator[Upload]:
    """Receive a form; its files are there inside the block, and gone after it.

    Raises
    ------
    ProblemError
        If it is malformed, holds other parts than expected, or the disk is full.
    """
    paths: dict[str, Path] = {}
    try:
        parser = _FormParser(
            request.headers,
            request.stream(),
            max_files=len(_FILES),
            max_fields=_MOST_FIELDS,
            max_part_size=_MOST_FIELD_BYTES,
        )
        with closing(parser):
            form = await parser.parse()
            if not parser.is_whole:
                raise ProblemError(400, "the form ends in the middle. Send it again.")
            fields: dict[str, str] = {}
            shown: dict[str, str] = {}
            for name, value in form.multi_items():
                if name in paths or name in fields:
                    raise ProblemError(422, f"the part {_quote(name)} comes twice; expected once.")
                if not isinstance(value, UploadFile):
                    if value:  # what a web form leaves empty was not given
                        fields[name] = value
                    continue
                if name not in _FILES:
                    raise ProblemError(
                        422,
                        f"the file part is called {_quote(name)}; expected {', '.join(_FILES)}.",
                    )
                path = folder / f"upload-{secrets.token_hex(12)}.dat"
                target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                paths[name] = path  # from here on it is removed, whatever happens
                shown[name] = _clean(value.filename)
                await asyncio.to_thread(_keep, value.file, target)
        if "file" not in paths:
            raise ProblemError(422, "there is no file; expected a form with a part 'file'.")
        yield Upload(paths, shown, fields)
    except MultiPartException as error:
        raise ProblemError(400, f"the form is malformed: {error.message}") from None
    except OSError as error:
        if not full_disk(error):
            raise
        raise ProblemError(
            507, "the server's disk is full. Try again later.", headers={"Retry-After": "30"}
        ) from None
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


class _FormParser(MultiPartParser):
    """Starlette's, which also says whether the form was whole, and closes what it has opened."""

    is_whole = False

    def on_end(self) -> None:
        """Note that the last boundary has come."""
        self.is_whole = True

    def close(self) -> None:
        """Close the temporary files, which have no names."""
        for file in self._files_to_close_on_error:
            file.close()


def _keep(source: BinaryIO, target: int) -> None:
    with os.fdopen(target, "wb") as file:
        shutil.copyfileobj(source, file, 2**20)


def _clean(name: str | None) -> str:
    """Return what a client calls a file, fit for a message: no folders, no control characters."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable())
    return plain[-_LONGEST_NAME:] or "upload"


def _quote(name: str) -> str:
    return ascii(name[:40])
