"""People in one picture after another, found by the networks of MediaPipe's pose landmarker."""

import contextlib
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from moodwalk.errors import ConfigError
from moodwalk.pose.bundle import load_cv2, load_vision, make_bundle, quiet, read_bundle
from moodwalk.pose.landmarks import Pose, measure_distance

__all__ = ["MAX_PEOPLE", "PoseFinder"]

MAX_PEOPLE = 4
"""Time grows with everybody who is followed; a fifth is not looked for."""

Picture = NDArray[np.uint8]

_SEARCH_EVERY = 6
"""Pictures between two searches for newcomers, 0.2 s at 30 a second."""

_LONG_MS = 10**8
"""Between two pictures, as a follower is told: what MediaPipe smooths, and so delays, it leaves alone
after so long a time."""

_VISIBILITY_WEIGHT = 0.1
"""Of a new picture in the visibility that MediaPipe gives for somebody who is followed; the rest is
that of the picture before. Undone here, or visibility would be a third of a second late."""

_SAME = 0.1  # sizes of a body between two that are one
_JUMP = 0.5  # and from one picture to the next that nobody can move
_NEAR = 0.3  # between what a search found and what a follower makes of it
_MAX_SQUARES = 4
_MARGIN = 0.15  # around a body, in its sizes
_GREY = 127
_ENLARGED = 0.7  # height of a newcomer in the picture that a follower first sees


class _Window(NamedTuple):
    left: int
    upper: int
    right: int
    lower: int


class PoseFinder:
    """Finds the people in pictures: in a still, or picture by picture in a video.

    A search looks for people where nobody is known to be: now and then, and in every picture while
    nobody is. Whoever is found gets a follower, a network that knows where they were in the picture
    before, and so costs half a search and loses people more seldom. Searches take turns between the
    whole picture and square parts of it, for the network that detects people sees only 224 x 224
    pixels. Use it in a ``with`` block, or call `close`.

    Parameters
    ----------
    model
        A ``.task`` file; None for the model inside the installed MediaPipe.
    max_people
        How many people to follow at most.

    Raises
    ------
    ConfigError
        If MediaPipe is not installed, the file is no pose landmarker, or `max_people` is below 1.

    Notes
    -----
    The landmarks are not smoothed over time.
    """

    def __init__(self, model: Path | None = None, *, max_people: int = MAX_PEOPLE) -> None:
        if max_people < 1:
            raise ConfigError(f"max_people is {max_people}; expected at least 1.")
        self._mediapipe, self._vision = load_vision()
        self._cv2 = load_cv2()
        self._bundle = make_bundle() if model is None else read_bundle(Path(model))
        self._model = model
        # of MediaPipe's own reading of its results
        warnings.filterwarnings("ignore", r"SymbolDatabase\.GetPrototype", UserWarning)
        self._searcher = self._open(_Searcher, max_people)
        self._followers: list[_Follower] = []
        self._max_people = max_people
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="pose")
        self._n_pictures = 0
        self._n_searches = 0
        self._lost: deque[Pose] = deque(maxlen=max_people)

    def _open(self, kind: "Callable[[Any, Any, bytes, int], Any]", max_people: int) -> Any:
        try:
            with quiet():
                return kind(self._mediapipe, self._vision, self._bundle, max_people)
        except (RuntimeError, ValueError) as error:
            where = "MediaPipe's own model" if self._model is None else str(self._model)
            reason = " ".join(str(error).split())[:120].rstrip(".")
            raise ConfigError(f"{where} does not work as a pose landmarker: {reason}.") from error

    def find(self, picture: Picture) -> list[Pose]:
        """Find the people in a still, or in the next picture of a video.

        Parameters
        ----------
        picture
            (height, width, 3) red, green, blue.

        Returns
        -------
        list of Pose
            One for each person, in no order.
        """
        picture = np.ascontiguousarray(picture)
        following = [follower for follower in self._followers if follower.pose is not None]
        image = _to_image(self._mediapipe, picture)
        if len(following) > 1:
            list(self._pool.map(lambda follower: follower.follow(image), following))
        elif following:
            following[0].follow(image)
        for follower in following:
            if follower.pose is None and follower.last is not None:
                self._lost.append(follower.last)
        self._drop_doubles(following)
        poses = [follower.pose for follower in following if follower.pose is not None]
        if len(poses) < self._max_people and (
            not poses or self._lost or self._n_pictures % _SEARCH_EVERY == 0
        ):
            poses += self._search(picture, poses)
        self._n_pictures += 1
        return poses

    def _drop_doubles(self, following: "list[_Follower]") -> None:
        """Let go of the newer of two followers who have come to the same body."""
        for place, follower in enumerate(following):
            for older in following[:place]:
                one, other = follower.pose, older.pose
                if one is not None and other is not None and measure_distance(one, other) < _SAME:
                    follower.pose = None

    def _search(self, picture: Picture, known: list[Pose]) -> list[Pose]:
        hidden = picture.copy()
        for pose in known:
            left, upper, right, lower = _frame(pose, picture)
            hidden[upper:lower, left:right] = _GREY
        found: list[Pose] = []
        for window in self._choose_windows(picture):
            for pose in self._searcher.search(hidden, window):
                others = known + found
                if len(others) == self._max_people:
                    return found
                if all(measure_distance(pose, other) >= _SAME for other in others):
                    found.append(self._start(pose, picture))
        return found

    def _choose_windows(self, picture: Picture) -> list[_Window]:
        """Choose where to search: in the first picture everywhere, later in one part at a time."""
        if self._lost:
            return [_square(self._lost.popleft(), picture)]
        height, width = picture.shape[:2]
        short, long = min(height, width), max(height, width)
        windows = [_Window(0, 0, width, height)]
        if long > 1.3 * short:
            n_squares = min(_MAX_SQUARES, -(-long // short))
            for start in np.linspace(0, long - short, n_squares).astype(int).tolist():
                if width == long:
                    windows.append(_Window(start, 0, start + short, height))
                else:
                    windows.append(_Window(0, start, width, start + short))
        if self._n_pictures == 0:
            return windows
        self._n_searches += 1
        return [windows[self._n_searches % len(windows)]]

    def _start(self, pose: Pose, picture: Picture) -> Pose:
        """Set a follower on somebody; the search's own pose serves where it does not take."""
        free = next((one for one in self._followers if one.pose is None), None)
        if free is None:
            free = self._open(_Follower, 1)
            self._followers.append(free)
        with quiet():  # networks report on themselves when they first run
            free.start(picture, pose, self._cv2)
        return pose if free.pose is None else free.pose

    def close(self) -> None:
        """Give the networks back; nothing can be found afterwards."""
        self._pool.shutdown()
        with quiet():
            for one in (self._searcher, *self._followers):
                one.close()
        self._followers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Searcher:
    """Finds people in stills."""

    def __init__(self, mediapipe: Any, vision: Any, bundle: bytes, max_people: int) -> None:
        self._mediapipe = mediapipe
        self._landmarker = _create(mediapipe, vision, bundle, vision.RunningMode.IMAGE, max_people)
        self._has_found = False
        self.search(np.zeros((64, 64, 3), np.uint8), _Window(0, 0, 64, 64))  # here it is quiet

    def search(self, picture: Picture, window: _Window) -> list[Pose]:
        part = picture[window.upper : window.lower, window.left : window.right]
        image = _to_image(self._mediapipe, np.ascontiguousarray(part))
        offset = np.array([window.left, window.upper], dtype=np.float64)
        # the second network first runs when the first one finds somebody, and then reports on itself
        with contextlib.nullcontext() if self._has_found else quiet():
            poses = _to_poses(self._landmarker.detect(image), part)
        self._has_found |= bool(poses)
        return [pose._replace(pixels=pose.pixels + offset) for pose in poses]

    def close(self) -> None:
        self._landmarker.close()


class _Follower:
    """Follows one person; `pose` is None while it follows nobody, `last` the pose before it lost them."""

    def __init__(self, mediapipe: Any, vision: Any, bundle: bytes, max_people: int) -> None:
        self._mediapipe = mediapipe
        self._landmarker = _create(mediapipe, vision, bundle, vision.RunningMode.VIDEO, max_people)
        self._now_ms = 0
        self._smoothed: NDArray[np.float64] | None = None
        self.pose: Pose | None = None
        self.last: Pose | None = None

    def start(self, picture: Picture, pose: Pose, cv2: Any) -> None:
        """Show the person alone, enlarged for the detector, then at their size and place."""
        self._run(
            _to_image(self._mediapipe, np.full_like(picture, _GREY))
        )  # forget whom it followed
        alone = np.full_like(picture, _GREY)
        left, upper, right, lower = _frame(pose, picture)
        alone[upper:lower, left:right] = picture[upper:lower, left:right]
        height, width = picture.shape[:2]
        box = right - left, lower - upper
        most = max(1.0, min(_ENLARGED * height / box[1], _ENLARGED * width / box[0], 4.0))
        found: list[Pose] = []
        for enlarged in (most, most**0.5, 1.0) if most > 1.2 else (1.0,):
            # such that what was inside the picture stays inside
            places = [
                [enlarged, 0, _place(left, box[0], width, enlarged)],
                [0, enlarged, _place(upper, box[1], height, enlarged)],
            ]
            shown = cv2.warpAffine(
                alone, np.array(places, np.float64), (width, height), borderValue=(_GREY,) * 3
            )
            found = self._run(_to_image(self._mediapipe, shown))
        near = found and measure_distance(found[0], pose) < _NEAR
        self.pose = self.last = found[0] if near else None

    def follow(self, image: Any) -> None:
        found = self._run(image)
        self.last = self.pose
        if self.last is None or not found or measure_distance(found[0], self.last) > _JUMP:
            self.pose = None
        else:
            self.pose = found[0]

    def _run(self, image: Any) -> list[Pose]:
        self._now_ms += _LONG_MS
        result = self._landmarker.detect_for_video(image, self._now_ms)
        found = _to_poses(result, image.numpy_view())
        if not found:
            self._smoothed = None
            return []
        now, before = found[0].visibility, self._smoothed
        self._smoothed = now
        if before is not None:
            now = (now - (1 - _VISIBILITY_WEIGHT) * before) / _VISIBILITY_WEIGHT
        return [found[0]._replace(visibility=np.clip(now, 0.0, 1.0))]

    def close(self) -> None:
        self._landmarker.close()


def _create(mediapipe: Any, vision: Any, bundle: bytes, mode: Any, max_people: int) -> Any:
    options = vision.PoseLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_buffer=bundle),
        running_mode=mode,
        num_poses=max_people,
    )
    return vision.PoseLandmarker.create_from_options(options)


def _to_image(mediapipe: Any, picture: Picture) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=picture)


def _to_poses(result: Any, picture: Picture) -> list[Pose]:
    height, width = picture.shape[:2]
    return list(_read_poses(result, height, width))


def _read_poses(result: Any, height: int, width: int) -> Iterator[Pose]:
    for flat, world in zip(result.pose_landmarks, result.pose_world_landmarks, strict=True):
        pose = Pose(
            np.array([(point.x * width, point.y * height) for point in flat]),
            np.array([(point.x, -point.y, -point.z) for point in world]),
            np.array([point.visibility for point in flat]),
        )
        if all(np.isfinite(part).all() for part in pose):
            yield pose


def _frame(pose: Pose, picture: Picture) -> _Window:
    """Return the part of the picture that holds a body, at least one pixel."""
    height, width = picture.shape[:2]
    left, upper, right, lower = pose.box
    margin = _MARGIN * pose.size
    x0 = int(np.clip(left - margin, 0, width - 1))
    y0 = int(np.clip(upper - margin, 0, height - 1))
    return _Window(
        x0,
        y0,
        int(np.clip(right + margin, x0 + 1, width)),
        int(np.clip(lower + margin, y0 + 1, height)),
    )


def _square(pose: Pose, picture: Picture) -> _Window:
    """Return a square part of the picture around where somebody was, two and a half sizes long."""
    height, width = picture.shape[:2]
    side = int(np.clip(2.5 * pose.size, 64, min(height, width)))
    centre = pose.centre
    left = int(np.clip(centre[0] - side / 2, 0, width - side))
    upper = int(np.clip(centre[1] - side / 2, 0, height - side))
    return _Window(left, upper, left + side, upper + side)


def _place(start: int, length: int, whole: int, enlarged: float) -> float:
    """Return by how much to move something enlarged so that it stays within 0 to `whole`."""
    room = whole - length
    share = start / room if room > 0 else 0.0
    return share * max(0.0, whole - enlarged * length) - enlarged * start
