"""Where the real data lies, and what to do without it."""

import os
import signal
from pathlib import Path

# Before anything loads NumPy or torch: tests run side by side, and threads that wait for each other
# on busy cores take many times longer than one thread alone.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from hypothesis import settings

# The same examples in every run, so that a failure is about the change; `--hypothesis-profile=explore`
# looks further. Time is measured in benchmarks/, never in a test.
settings.register_profile("moodwalk", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("moodwalk")

# A suite in the background of a shell ignores Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _need(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs {path.relative_to(SHARED.parent)}, which is not part of the repository")
    return path


@pytest.fixture(scope="session")
def emotion_gait_folder() -> Path:
    """Folder with the 342 real gaits."""
    return _need(SHARED / "data" / "emotion-gait")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Folder with the reference values."""
    return _need(SHARED / "golden")


@pytest.fixture(scope="session")
def official_folder() -> Path:
    """Folder with the official checkpoints."""
    return _need(SHARED / "data" / "step-official")


@pytest.fixture(scope="session")
def mocap_folder() -> Path:
    """Folder with four acted walks as BVH."""
    return _need(SHARED / "data" / "mocap")


@pytest.fixture(scope="session")
def video_folder() -> Path:
    """Folder with two videos of walks."""
    return _need(SHARED / "data" / "video")


@pytest.fixture(scope="session")
def real_gaits(emotion_gait_folder):
    """The 342 real gaits."""
    from moodwalk.io import load_emotion_gait

    return load_emotion_gait(emotion_gait_folder)
