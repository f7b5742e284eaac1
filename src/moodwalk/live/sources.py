"""Where pictures come from: a camera that may be unplugged, or a video file.

Pictures are handed on and let go; nothing is stored or logged.
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError, MediaError
from moodwalk.io.opening import open_checked
from moodwalk.io.video import begins_video
from moodwalk.pose.bundle import load_cv2, quiet
from moodwalk.pose.frames import LONGEST_SIDE, VideoFrames

__all__ = ["CameraSource", "PictureSource", "Shot", "VideoSource"]

Picture = NDArray[np.uint8]

SILENCE_S = 0.5
"""Without a picture for so long, a camera yields a `Shot` without one."""

_FIRST_S = 10.0  # cameras take a while to wake
_AGAIN_S = (
    1.0,
    5.0,
)  # between two attempts to open an unplugged camera: the first, and the longest
_LATE_S = 0.1  # a paced video that is further behind passes pictures over
_END_S = 3.0
_MAX_CAMERA = 99


class Shot(NamedTuple):
    """What a source has to show at one moment.

    Parameters
    ----------
    time_s
        Seconds since the source began, or of the video.
    picture
        (height, width, 3) red, green, blue; None where the camera sends nothing.
    """

    time_s: float
    picture: Picture | None


class PictureSource(Protocol):
    """Yields what is to be looked at next, until it ends."""

    name: str
    size: tuple[int, int]

    def __iter__(self) -> Iterator[Shot]:
        """Yield it."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of it."""
        ...


class VideoSource:
    """The pictures of a video file.

    Parameters
    ----------
    path
        An MP4, MOV, AVI, WebM or MKV file.
    paced
        Whether pictures come as they were taken, and are passed over where the one before took too long; else all
        of them, as fast as they are taken.

    Raises
    ------
    DataFormatError
        If there is no such file, or it may not be read.
    MediaError
        If it is no video, or damaged.
    ConfigError
        If OpenCV is not installed.
    """

    def __init__(self, path: Path, *, paced: bool) -> None:
        expected = "a video (MP4, MOV, AVI, WebM or MKV)"
        with open_checked(path, expected) as file:
            if not begins_video(start := file.read(64)):
                raise MediaError(f"{path} begins with {start[:8]!r}; expected {expected}.")
        self.name = path.name
        self._frames = VideoFrames(path)
        self.size = self._frames.size
        self._paced = paced

    def __iter__(self) -> Iterator[Shot]:
        """Yield the pictures.

        Raises
        ------
        MediaError
            If the file is damaged.
        """
        began_s: float | None = None
        for _, time_s, picture in self._frames:
            if self._paced:
                if began_s is None:
                    began_s = time.monotonic() - time_s
                ahead_s = began_s + time_s - time.monotonic()
                if ahead_s < -_LATE_S:
                    continue
                if ahead_s > 0:
                    time.sleep(ahead_s)
            yield Shot(time_s, picture)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._frames.close()


class CameraSource:
    """The newest picture of a camera; those that come while one is looked at are let go.

    A camera that stops is opened again and again, with growing pauses, while `Shot` without a picture are
    yielded.

    Parameters
    ----------
    number
        Of the camera, from 0.
    tell
        Called with one line where the camera goes or comes back, from another thread.
    open_capture
        What opens it, as ``cv2.VideoCapture`` does, which it is by default.
    max_side
        Pixels of the longer side; larger pictures are made smaller.

    Raises
    ------
    MediaError
        If it cannot be opened, or sends no picture for 10 s.
    ConfigError
        If OpenCV is not installed, or there can be no such camera.
    """

    def __init__(
        self,
        number: int = 0,
        tell: Callable[[str], None] | None = None,
        *,
        open_capture: Callable[[], Any] | None = None,
        max_side: int = LONGEST_SIDE,
    ) -> None:
        if not 0 <= number <= _MAX_CAMERA:
            raise ConfigError(f"camera {number}; expected 0 to {_MAX_CAMERA}.")
        self._cv2 = load_cv2()
        self.name = f"camera {number}"
        self.size: tuple[int, int] = (0, 0)
        self._tell = tell or _say_nothing
        self._open_capture = open_capture or (lambda: self._cv2.VideoCapture(number))
        self._max_side = max_side
        self._news = threading.Condition()
        self._newest: tuple[float, Picture] | None = None
        self._ends = threading.Event()
        self._failed: BaseException | None = None
        capture = self._open()
        if capture is None:
            raise MediaError(
                f"{self.name} cannot be opened; expected one that is plugged in and that no other program "
                f"uses. Choose another with --camera, or a file with --video."
            )
        self._began_s = time.monotonic()
        self._thread = threading.Thread(
            target=self._watch, args=(capture,), name="camera", daemon=True
        )
        self._thread.start()
        with self._news:
            self._news.wait_for(lambda: self._newest or self._failed, _FIRST_S)
        if self._newest is None:
            self.close()
            raise MediaError(
                f"{self.name} sends no pictures; expected one within {_FIRST_S:g} s. Does another program "
                f"use it?"
            )

    def _open(self) -> Any | None:
        with quiet():
            try:
                capture = self._open_capture()
                if capture.isOpened():
                    return capture
                capture.release()
            except self._cv2.error:
                pass
        return None

    def _watch(self, capture: Any | None) -> None:
        try:
            self._keep_newest(capture)
        except BaseException as error:  # told in the thread that iterates
            with self._news:
                self._failed = error
                self._news.notify_all()

    def _keep_newest(self, capture: Any | None) -> None:
        pause_s = _AGAIN_S[0]
        is_away = False
        while not self._ends.is_set():
            if capture is None:
                if self._ends.wait(pause_s):
                    return
                pause_s = min(2 * pause_s, _AGAIN_S[1])
                capture = self._open()
                continue
            try:
                good, picture = capture.read()
            except self._cv2.error:
                good, picture = False, None
            if not good or picture is None:
                capture.release()
                capture = None
                if not is_away:
                    self._tell(f"{self.name} sends nothing more; is it plugged in? Trying again")
                is_away = True
                continue
            if is_away:
                self._tell(f"{self.name} is back")
                is_away, pause_s = False, _AGAIN_S[0]
            now_s = time.monotonic() - self._began_s
            picture = self._fit(picture)
            with self._news:
                self._newest = (now_s, picture)
                self.size = (int(picture.shape[1]), int(picture.shape[0]))
                self._news.notify_all()
        if capture is not None:
            capture.release()

    def _fit(self, picture: Picture) -> Picture:
        cv2 = self._cv2
        if picture.ndim == 2:  # some infrared cameras
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
        height, width = picture.shape[:2]
        scale = self._max_side / max(height, width)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def __iter__(self) -> Iterator[Shot]:
        """Yield the newest picture, one after the other; ends with `close` only."""
        while not self._ends.is_set():
            with self._news:
                self._news.wait_for(lambda: self._newest or self._failed, SILENCE_S)
                newest, self._newest = self._newest, None
            if self._failed is not None:
                raise self._failed
            if newest is None:
                yield Shot(time.monotonic() - self._began_s, None)
            else:
                yield Shot(*newest)

    def close(self) -> None:
        """Let go of the camera."""
        self._ends.set()
        # a driver may wait for a picture that never comes; the thread ends with the process then
        self._thread.join(_END_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _say_nothing(line: str) -> None:
    pass
