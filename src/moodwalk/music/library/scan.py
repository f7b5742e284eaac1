"""Folders of audio files into a library: what is new or changed is measured, what is gone is taken out."""

import hashlib
import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from moodwalk.engine.local import LocalEngine
from moodwalk.errors import ConfigError, MediaError
from moodwalk.music.audio.analysis import check_can_measure, measure_audio, to_track
from moodwalk.music.library.files import FileState, ScannedFile, to_location, to_path
from moodwalk.music.library.folders import Listing, list_audio, list_folder
from moodwalk.music.track import Track

__all__ = ["ScanReport", "ScanStore", "list_audio", "scan"]

MEASURES_VERSION = 1
"""Goes up when estimates change; files that were measured before are then measured again."""

_FEW_FILES = 8
_BATCH_FILES = 32
_BATCH_S = 5.0
_REMOVED_AT_ONCE = 500
_LONGEST_LINE = 500

Progress = Callable[[int, int], None]


class ScanStore(Protocol):
    """What a scan needs of a library."""

    def read_files(self) -> dict[str, FileState]:
        """Return what is known of every file, by location."""
        ...

    def put_files(self, batch: Sequence[tuple[ScannedFile, Track | None]], /) -> None:
        """Keep what was found of files, in one transaction, in place of what was known; see `ScannedFile`."""
        ...

    def remove_files(self, locations: Sequence[str], /) -> None:
        """Take files out, and their tracks."""
        ...

    def lock(self) -> AbstractContextManager[Any]:
        """Keep other scans out; LibraryError where another is at work."""
        ...


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan found.

    Parameters
    ----------
    n_found
        Audio files in the folders.
    n_new, n_changed, n_unchanged
        How many of them the library did not know, knew otherwise, and knew as they are. A file that was
        touched and holds what it held is unchanged.
    n_gone
        Files that the library knew in these folders, and that are there no more.
    failures
        (location, one line) of every file or folder that cannot be read, also of those that are known from
        before and were not tried again.
    """

    n_found: int
    n_new: int
    n_changed: int
    n_unchanged: int
    n_gone: int
    failures: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "n_found": self.n_found,
            "n_new": self.n_new,
            "n_changed": self.n_changed,
            "n_unchanged": self.n_unchanged,
            "n_gone": self.n_gone,
            "failures": [{"path": path, "reason": reason} for path, reason in self.failures],
        }


def scan(
    folders: Iterable[str | Path],
    library: ScanStore,
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> ScanReport:
    """Bring a library up to date with folders of audio files.

    What is measured is written every 32 files or 5 seconds, so a scan that is interrupted, or killed, goes on
    where it stopped when it is started again. A file is measured if it is not known, or its size or time has
    changed and its content too; one that could not be read is not tried again until it changes. Files leave
    the library if they lay in these folders and are gone; a folder that cannot be read keeps its files.

    Parameters
    ----------
    folders
        Where to look, see `list_audio`.
    library
        What to bring up to date.
    jobs
        Worker processes; by default one a core, and none for less than 8 files.
    progress
        Called with the number of files done, and of all files.

    Raises
    ------
    MediaError
        If a folder does not exist; nothing is changed then.
    LibraryError
        If another scan of this library is at work.
    ConfigError
        If what measuring needs is not installed.
    """
    check_can_measure()
    with library.lock():
        listings = [list_folder(folder) for folder in dict.fromkeys(folders)]
        known = library.read_files()
        plan = _plan(listings, known)
        tally = _Tally(known, plan, progress)
        if jobs is None:  # a few files take less time than starting workers
            jobs = 1 if len(plan.tasks) < _FEW_FILES else os.cpu_count() or 1
        if plan.tasks:
            with closing(
                LocalEngine(min(jobs, len(plan.tasks))).run(_examine, None, plan.tasks)
            ) as outcomes:
                _keep(library, tally.take_all(outcomes))
        for first in range(0, len(plan.gone), _REMOVED_AT_ONCE):
            library.remove_files(plan.gone[first : first + _REMOVED_AT_ONCE])
        return tally.report()


class _Task(NamedTuple):
    """A file to look into."""

    path: str
    location: str
    known_digest: str | None


class _Examined(NamedTuple):
    """What became of a file that was looked into."""

    file: ScannedFile | None
    track: Track | None
    failure: str | None
    is_same: bool


class _Plan(NamedTuple):
    n_found: int
    tasks: list[_Task]
    gone: list[str]
    failures: list[tuple[str, str]]


def _plan(listings: Sequence[Listing], known: dict[str, FileState]) -> _Plan:
    """Decide what to look into, and what is gone."""
    tasks: list[_Task] = []
    failures = [
        (to_location(path), _in_one_line(f"{path} cannot be read: {reason}."))
        for listing in listings
        for path, reason in listing.unread
    ]
    found: set[str] = set()
    for path in dict.fromkeys(path for listing in listings for path in listing.files):
        location = to_location(path)
        found.add(location)
        state = known.get(location)
        if state is None or not state.digest.startswith(_PREFIX):
            tasks.append(_Task(path, location, None))
            continue
        try:
            status = Path(path).stat()
        except OSError:  # the worker will say why
            status = None
        if status and (status.st_size, status.st_mtime_ns) == (state.size, state.mtime_ns):
            if state.failure is not None:
                failures.append((location, state.failure))
        else:
            # what could not be read is tried again as a whole
            digest = state.digest if state.failure is None else None
            tasks.append(_Task(path, location, digest))
    roots = _Folders(root for listing in listings for root in listing.roots)
    unread = _Folders(path for listing in listings for path, _ in listing.unread)
    gone = [
        location
        for location in known
        if location not in found and roots.hold(location) and not unread.hold(location)
    ]
    return _Plan(len(found), tasks, sorted(gone), failures)


class _Folders:
    """Some folders, with everything below them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)

    def hold(self, location: str) -> bool:
        path = to_path(location)
        return any(str(part) in self._paths for part in (path, *path.parents))


class _Tally:
    """Counts what became of the files."""

    def __init__(self, known: dict[str, FileState], plan: _Plan, progress: Progress | None) -> None:
        self._known = known
        self._plan = plan
        self._progress = progress
        self._failures = list(plan.failures)
        self._n_new = self._n_changed = 0
        self._n_unchanged = plan.n_found - len(plan.tasks)
        self._show(self._n_unchanged)

    def take_all(self, outcomes: Iterable[Any]) -> Generator[_Examined]:
        """Count outcomes, and pass on what became of each file."""
        n_before = self._n_unchanged
        for n_done, outcome in enumerate(outcomes, 1):
            task = self._plan.tasks[outcome.number]
            if isinstance(outcome.error, ConfigError):
                raise outcome.error
            if outcome.error is not None:
                said = f"{task.path} cannot be measured: {outcome.error}"
                examined = _Examined(None, None, _in_one_line(said), False)
            else:
                examined = outcome.result
            if examined.failure is not None:
                self._failures.append((task.location, examined.failure))
            if examined.is_same:
                self._n_unchanged += 1
            elif task.location in self._known:
                self._n_changed += 1
            else:
                self._n_new += 1
            yield examined
            self._show(n_before + n_done)

    def report(self) -> ScanReport:
        """Return the counts."""
        return ScanReport(
            self._plan.n_found,
            self._n_new,
            self._n_changed,
            self._n_unchanged,
            len(self._plan.gone),
            tuple(sorted(self._failures)),
        )

    def _show(self, n_done: int) -> None:
        if self._progress is not None:
            self._progress(n_done, self._plan.n_found)


def _keep(library: ScanStore, examined: Iterable[_Examined]) -> None:
    """Write results in small batches; the last one also where something ends the scan."""
    batch: list[tuple[ScannedFile, Track | None]] = []
    written = time.monotonic()
    try:
        for result in examined:
            if result.file is not None:
                batch.append((result.file, result.track))
            if len(batch) >= _BATCH_FILES or time.monotonic() - written > _BATCH_S:
                full, batch = batch, []
                if full:
                    library.put_files(full)
                written = time.monotonic()
    finally:
        if batch:
            library.put_files(batch)


def _examine(_: None, task: _Task) -> _Examined:
    """Look into a file, in a worker process."""
    path = Path(task.path)
    try:
        status = path.stat()  # before it is read: a change meanwhile is then seen next time
        with path.open("rb") as file:
            digest = _PREFIX + hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    except OSError as error:  # of the moment, such as a missing permission: not to be remembered
        reason = error.strerror or str(error)
        said = _in_one_line(f"{path} cannot be read: {reason}.")
        return _Examined(None, None, said, False)
    size, mtime_ns = status.st_size, status.st_mtime_ns
    if digest == task.known_digest:
        file = ScannedFile(task.location, size, mtime_ns, digest)
        return _Examined(file, None, None, True)
    track = None
    try:
        measures = measure_audio(path)
        track = to_track(path, measures)
        failure = _in_one_line(measures.problem) if measures.problem else None
    except MediaError as error:
        failure = _in_one_line(str(error))
    file = ScannedFile(task.location, size, mtime_ns, digest, failure)
    return _Examined(file, track, failure, False)


def _in_one_line(text: str) -> str:
    """Return text as a database can hold it, also where it names a file whose name is not UTF-8."""
    whole = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return " ".join(whole.split())[:_LONGEST_LINE]


_PREFIX = f"{MEASURES_VERSION}:"
