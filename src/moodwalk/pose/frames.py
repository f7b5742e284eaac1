"""The pictures of a video file, one at a time, with the time of each."""

import math
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import MediaError
from moodwalk.gait import MAX_FRAMES
from moodwalk.pose.bundle import load_cv2, quiet

__all__ = ["LONGEST_SIDE", "MAX_FPS", "Frame", "VideoFrames"]

LONGEST_SIDE = 1280
"""Pixels; larger pictures are made smaller, since the networks see 256 x 256 anyway."""

MAX_FPS = 60.0
"""Of what is denser, pictures are passed over."""

_MAX_SIDE = 8192  # 8K has 7680 x 4320
_MAX_PIXELS = 7680 * 4320
_MAX_BOXES = 10_000
_MAX_INDEX_BYTES = 2**25
_FPS_LIMITS = (1.0, 1000.0)
_USUAL_FPS = 30.0
_OPEN_MS = 10_000  # a gigabyte of zeros is searched for a beginning
_READ_MS = 30_000
_N_THREADS = 2  # of the decoder: each holds pictures of its own, 50 MB each at 8K
_EBML = b"\x1a\x45\xdf\xa3"


class Frame(NamedTuple):
    """One picture of a video.

    Parameters
    ----------
    number
        From 1; pictures that are passed over count.
    time_s
        When it is shown.
    picture
        (height, width, 3) red, green, blue.
    """

    number: int
    time_s: float
    picture: NDArray[np.uint8]


class VideoFrames:
    """Reads the pictures of a video, upright and not too large; holds two at a time.

    Use it in a ``with`` block and iterate over it once.

    Parameters
    ----------
    path
        An ordinary file that begins as a video does.
    fps
        Frames a second, where the file does not say or says it wrongly, as slow motion does.
    max_side
        Pixels of the longer side; larger pictures are made smaller.

    Attributes
    ----------
    claimed_fps
        What the file says; NaN where it makes no sense.
    n_claimed
        Pictures that the file says it has; None where it does not say, or only from its duration.
    size
        (width, height) of the pictures as they come, upright and made smaller.
    stored
        (width, height) of the pictures upright, before they are made smaller.
    rotation
        Degrees by which the file says its pictures must be turned, which is done.
    n_read
        Pictures decoded so far, those passed over included.
    is_timed
        Whether times are the file's own, and not counted at a frame rate; known after reading.

    Raises
    ------
    MediaError
        If the file is cut off or damaged, holds no pictures, is larger than 8K or longer than
        `MAX_FRAMES`.
    ConfigError
        If OpenCV is not installed.
    """

    def __init__(
        self, path: Path, fps: float | None = None, *, max_side: int = LONGEST_SIDE
    ) -> None:
        self.path = path
        self._max_side = max_side
        self._given_fps = fps
        self.n_read = 0
        self._is_ebml = self._is_edited = False
        self.is_timed = fps is None
        try:
            self._check_whole()
        except OSError as error:
            raise MediaError(f"{path} cannot be read: {error.strerror}.") from error
        self._cv2 = load_cv2()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="decode")
        with quiet():
            # an absolute path is never taken for an address, nor a % in it for a series of pictures
            self._capture: Any = self._cv2.VideoCapture(
                str(path.resolve()), self._cv2.CAP_FFMPEG, self._list_options()
            )
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def _list_options(self) -> list[int]:
        cv2 = self._cv2
        options = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: _OPEN_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: _READ_MS,
            cv2.CAP_PROP_N_THREADS: _N_THREADS,
        }
        return [int(number) for pair in options.items() for number in pair]

    def _check_whole(self) -> None:
        """Check that the file is as long as its outermost parts say."""
        n_bytes = self.path.stat().st_size
        with self.path.open("rb") as file:
            start = file.read(16)
            self._is_ebml = start[:4] == _EBML
            if self._is_ebml:
                return
            if start[:4] == b"RIFF" and len(start) >= 8:
                claimed = 8 + struct.unpack("<I", start[4:8])[0]
                if n_bytes < claimed < 2**31:  # longer ones leave the field as it is
                    raise self._cut_off(n_bytes, claimed)
                return
            place = 0
            for _ in range(_MAX_BOXES):
                file.seek(place)
                head = file.read(16)
                if len(head) < 8:
                    return
                length = struct.unpack(">I", head[:4])[0]
                if length == 1 and len(head) == 16:
                    length = struct.unpack(">Q", head[8:])[0]
                if length == 0:  # to the end of the file
                    return
                if length < 8 or place + length > n_bytes:
                    raise self._cut_off(n_bytes, place + max(8, length))
                if head[4:8] == b"moov":
                    file.seek(place)
                    self._is_edited = b"elst" in file.read(min(length, _MAX_INDEX_BYTES))
                place += length

    def _cut_off(self, n_bytes: int, claimed: int) -> MediaError:
        return MediaError(
            f"{self.path} is cut off or damaged: {n_bytes:,} bytes; expected {claimed:,} or more. "
            f"Fetch it again."
        )

    def _look(self) -> None:
        cv2 = self._cv2
        width = height = 0
        if self._capture.isOpened():
            self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
            width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
            height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if min(width, height) <= 0:
            raise MediaError(
                f"{self.path} holds no pictures that can be decoded; expected a video. Is it sound "
                f"only, damaged, or of an unusual coding?"
            )
        self._check_size(width, height)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        known = math.isfinite(count) and 0 < count < 2**53 and not self._is_ebml
        self.n_claimed = int(count) if known else None
        if self.n_claimed is not None and self.n_claimed > MAX_FRAMES:
            raise MediaError(
                f"{self.path} claims {self.n_claimed:,} frames; expected at most {MAX_FRAMES:,}. Cut it."
            )
        claimed = float(self._capture.get(cv2.CAP_PROP_FPS))
        low, high = _FPS_LIMITS
        self.claimed_fps = claimed if low <= claimed <= high else math.nan
        self.stored = width, height
        self.rotation = int(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360
        self.size = self._fit(width, height)

    def _check_size(self, width: int, height: int) -> None:
        if max(width, height) > _MAX_SIDE or width * height > _MAX_PIXELS:
            raise MediaError(
                f"{self.path} has pictures of {width:,} x {height:,} pixels; expected at most 8K, "
                f"7,680 x 4,320. Make it smaller."
            )

    def _fit(self, width: int, height: int) -> tuple[int, int]:
        scale = min(1.0, self._max_side / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def __iter__(self) -> Iterator[Frame]:
        """Yield the pictures; while one is looked at, the next is decoded.

        Times grow; they are those of the file where it has any, else counted at its frame rate.

        Raises
        ------
        MediaError
            If the file holds no picture, too many, or far fewer than it says. Of the last, only where
            the file has no list of edits: phones cut by writing one, and leave the pictures where
            they are.
        """
        frames = self._decode()
        coming = self._pool.submit(next, frames, None)
        while (frame := coming.result()) is not None:
            coming = self._pool.submit(next, frames, None)
            yield frame

    def _decode(self) -> Iterator[Frame]:
        cv2 = self._cv2
        usual = self.claimed_fps if math.isfinite(self.claimed_fps) else _USUAL_FPS
        rate = self._given_fps or usual
        least_s = 0.9 / MAX_FPS
        last = -math.inf
        while True:
            try:
                if not self._capture.grab():
                    break
                place, self.n_read = self.n_read, self.n_read + 1
                if place == MAX_FRAMES:
                    raise MediaError(
                        f"{self.path} has more than {MAX_FRAMES:,} frames; expected a walk. Cut it."
                    )
                time_s = self._tell_time(place, rate, last)
                if time_s - last < least_s:
                    continue
                good, picture = self._capture.retrieve()
            except cv2.error:
                break
            if not good or picture is None:
                continue
            last = time_s
            yield Frame(place + 1, time_s, self._shrink(picture))
        if math.isinf(last):
            raise MediaError(
                f"{self.path} holds no picture that can be decoded; expected a video. Is it damaged?"
            )
        if self.is_short and not self._is_edited:
            raise MediaError(
                f"{self.path} ends after {self.n_read:,} of {self.n_claimed:,} frames; expected all. "
                f"It is damaged or cut off; fetch it again."
            )

    def _tell_time(self, place: int, rate: float, last: float) -> float:
        if self.is_timed:
            time_s = float(self._capture.get(self._cv2.CAP_PROP_POS_MSEC)) / 1000
            if math.isfinite(time_s) and (time_s > 0 or place == 0):
                return time_s
            if place == 1 and last == 0:  # a file without times has 0 everywhere
                self.is_timed = False
        return place / rate

    @property
    def is_short(self) -> bool:
        """Whether, after reading, far fewer pictures have come than the file says."""
        return self.n_claimed is not None and self.n_read < 0.8 * self.n_claimed

    def _shrink(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        cv2 = self._cv2
        height, width = picture.shape[:2]
        if (width, height) != self.size:
            self._check_size(width, height)  # pictures may differ from what the file says
            # averaging over areas looks better, but takes many times as long where little is lost
            coarse = self.size[0] * 2 < width
            how = cv2.INTER_AREA if coarse else cv2.INTER_LINEAR
            picture = cv2.resize(picture, self.size, interpolation=how)
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        """Close the file, once the picture that is being decoded is done."""
        self._pool.shutdown()
        self._capture.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
