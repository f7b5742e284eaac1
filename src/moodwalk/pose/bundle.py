"""The pose model that the installed MediaPipe carries, as one bundle of its Tasks interface.

The package holds the two networks, one that finds people and one that finds landmarks, but without
the metadata that the Tasks interface asks for, which alone can follow several people. The metadata
say how colours become numbers; here they are added in memory, and nothing is fetched.
"""

import contextlib
import io
import os
import sys
import threading
import warnings
import zipfile
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

from moodwalk.errors import ConfigError

__all__ = ["load_cv2", "load_vision", "make_bundle", "quiet", "read_bundle"]

_DETECTOR = "pose_detector.tflite"
_LANDMARKER = "pose_landmarks_detector.tflite"
_MEMBERS: dict[str, tuple[str, float, float]] = {
    # colours of 0 to 255, less the mean, over the deviation: -1 to 1 for one, 0 to 1 for the other
    _DETECTOR: ("pose_detection/pose_detection.tflite", 127.5, 127.5),
    _LANDMARKER: ("pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}
_MAX_BUNDLE_BYTES = 2**27  # the heaviest published one has 30 MB
_DIVERSION = threading.RLock()  # two at once would each keep the other's way to nowhere
_INSTALL = "needs {}, which is not installed. Install 'moodwalk[video]'."


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Keep what native code prints about itself from the screen, and Python's warnings with it.

    The file descriptor of the standard error stream leads nowhere inside the block. Not for long
    blocks: whatever other threads print meanwhile is lost as well.
    """
    with _DIVERSION, warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # a process without standard error
            yield
            return
        stack.callback(os.close, kept)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        stack.callback(os.close, nowhere)
        os.dup2(nowhere, 2)
        stack.callback(os.dup2, kept, 2)
        yield


def load_cv2() -> Any:
    """Import OpenCV, silent about files that are damaged.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        import cv2
    except ImportError as error:
        raise ConfigError(f"Reading video {_INSTALL.format('OpenCV')}") from error
    return cv2


def load_vision() -> tuple[Any, Any]:
    """Import MediaPipe and its vision tasks.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            import mediapipe
            from mediapipe.tasks.python import vision
    except ImportError as error:
        raise ConfigError(f"Finding people {_INSTALL.format('MediaPipe')}") from error
    return mediapipe, vision


@cache
def make_bundle() -> bytes:
    """Make a ``.task`` bundle of the networks inside the installed MediaPipe.

    Returns
    -------
    bytes
        About 9 MB.

    Raises
    ------
    ConfigError
        If MediaPipe is not installed, or a version that carries no networks.
    """
    mediapipe, _ = load_vision()
    folder = Path(mediapipe.__file__).parent / "modules"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for member, (name, mean, deviation) in _MEMBERS.items():
            try:
                network = (folder / name).read_bytes()
                described = _describe(network, mean, deviation)
            except (OSError, ImportError) as error:
                version = getattr(mediapipe, "__version__", "unknown")
                raise ConfigError(
                    f"MediaPipe {version} carries no pose model; expected {Path(name).name} in it. "
                    f"Install mediapipe 0.10.14, or give a .task file as the model."
                ) from error
            archive.writestr(member, described)
    return packed.getvalue()


def _describe(network: bytes, mean: float, deviation: float) -> bytes:
    """Return a network with metadata that say how colours become numbers."""
    with quiet():
        from mediapipe.tasks.metadata import schema_py_generated as schema
        from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer

        graph: Any = schema.Model.GetRootAsModel(network, 0).Subgraphs(0)
        writer = metadata_writer.MetadataWriter.create(bytearray(network))
        writer.add_general_info("pose")
        writer.add_image_input([mean], [deviation])
        for place in range(graph.OutputsLength()):
            writer.add_feature_output(f"output {place}")
        return bytes(writer.populate()[0])


def read_bundle(path: Path) -> bytes:
    """Read a ``.task`` bundle.

    Parameters
    ----------
    path
        The file, for instance one of the pose landmarkers that Google publishes.

    Raises
    ------
    ConfigError
        If the file cannot be read, is larger than 128 MiB, or holds no pose landmarker.
    """
    expected = f"a .task file with {_DETECTOR} and {_LANDMARKER}"
    try:
        if not path.is_file():
            raise ConfigError(f"{path} is no file; expected {expected}.")
        if (size := path.stat().st_size) > _MAX_BUNDLE_BYTES:
            raise ConfigError(
                f"{path} has {size / 2**20:,.0f} MiB; expected {expected}, 128 at most."
            )
        with zipfile.ZipFile(path) as archive:
            missing = [name for name in _MEMBERS if name not in archive.namelist()]
        if missing:
            raise ConfigError(f"{path} has no {missing[0]}; expected {expected}.")
        return path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(f"{path} cannot be read as {expected}: {reason}.") from error
