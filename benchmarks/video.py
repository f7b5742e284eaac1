"""Show how fast videos are read, how much memory that takes, and what is found in two real ones.

    python benchmarks/video.py PATH [--longer N]

PATH is the folder of `sports2d_demo.mp4` and `watch_gait_normal_01.mp4`. Prints the tables of
docs/video.md: for each video at its own size and at 1280 x 720, frames a second by the clock and
processor time a frame, both from the first picture to the last, start-up apart; cadence against steps
counted by eye; and the peak of memory for a video N times as long (default 8), forwards and backwards
by turns.

Each reading runs in a process of its own, for the peak of memory belongs to a process. Times mean
little while other work shares the processor; the load is printed beside them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from moodwalk.cycles import compute_cadence
from moodwalk.gait import Gait
from moodwalk.io.video import read_video
from moodwalk.pose import LANDMARKS, PoseFinder
from moodwalk.recording import Recording

VIDEOS = {"sports2d_demo": 97.7, "watch_gait_normal_01": 99.9}
"""Steps a minute, counted by eye: 7 steps in frames 60 to 189 at 30 a second, and 5 in frames 27 to
117 at 29.97 a second."""

JOINTS = (
    ("left_hip", "right_hip"),
    ("left_hip", "right_hip", "left_shoulder", "right_shoulder"),
    ("left_shoulder", "right_shoulder"),
    ("nose",),
    *((f"right_{name}",) for name in ("shoulder", "elbow", "wrist")),
    *((f"left_{name}",) for name in ("shoulder", "elbow", "wrist")),
    *((f"right_{name}",) for name in ("hip", "knee", "ankle")),
    *((f"left_{name}",) for name in ("hip", "knee", "ankle")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory of reading videos.")
    parser.add_argument("path", type=Path, help="folder with the two videos")
    parser.add_argument("--longer", type=int, default=8, help="times as long, for memory")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.path)))
        return
    print(f"processors {os.cpu_count()}, load {os.getloadavg()[0]:.1f}")
    print(
        "video                     size   frames  fps  CPU ms/frame  start s  peak MB  cadence  by eye"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, by_eye in VIDEOS.items():
            source = options.path / f"{name}.mp4"
            hd = remake(source, Path(folder) / f"{name}.mp4", 1)
            for path in (source, hd):
                show(name, read_apart(path), by_eye)
        long = remake(source, Path(folder) / "long.mp4", options.longer)
        show(f"{name} x{options.longer}", read_apart(long), by_eye)


def show(name: str, found: dict[str, Any], by_eye: float) -> None:
    cadence = "   -" if found["cadence"] is None else f"{found['cadence']:.1f}"
    print(
        f"{name:24} {found['size']:>10} {found['frames']:6} {found['fps']:5.1f} "
        f"{found['cpu_ms']:8.1f} {found['start_s']:12.1f} {found['peak_mb']:8.0f} {cadence:>10} {by_eye:6.1f}"
    )
    for line in found["people"]:
        print(f"    {line}")


def remake(source: Path, target: Path, n_times: int) -> Path:
    """Write a video at 1280 x 720, n times as long, forwards and backwards by turns."""
    import cv2

    reader = cv2.VideoCapture(str(source))
    fps = reader.get(cv2.CAP_PROP_FPS)
    pictures = []
    while True:
        good, picture = reader.read()
        if not good:
            break
        pictures.append(cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_AREA))
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"mp4v"), fps, (1280, 720))
    for turn in range(n_times):
        for picture in pictures[:: -1 if turn % 2 else 1]:
            writer.write(picture)
    writer.release()
    return target


def read_apart(path: Path) -> dict[str, Any]:
    result = subprocess.run(
        [sys.executable, __file__, str(path), "--one"], capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


def measure(path: Path) -> dict[str, Any]:
    import cv2

    reader = cv2.VideoCapture(str(path))
    size = [int(reader.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    reader.release()
    began = time.perf_counter()
    with PoseFinder() as finder:  # start-up is paid here
        finder.find(np.full((720, 1280, 3), 127, np.uint8))
    marks: list[tuple[int, float, float]] = []

    def count(done: int, of: int | None) -> None:
        marks.append((done, time.perf_counter(), time.process_time()))

    start_s = time.perf_counter() - began
    recording = read_video(path, progress=count)
    first, last = marks[0], marks[-1]
    n_frames = last[0] - first[0]
    return {
        "size": f"{size[0]}x{size[1]}",
        "frames": last[0],
        "fps": n_frames / (last[1] - first[1]),
        "cpu_ms": 1000 * (last[2] - first[2]) / n_frames,
        "start_s": start_s,
        "peak_mb": read_peak_mb(),
        "cadence": compute_cadence(make_gait(recording)),
        "people": [
            f"{finding.what}: {finding.value}"
            + (f" ({finding.evidence})" if finding.evidence else "")
            for finding in recording.findings
        ],
    }


def read_peak_mb() -> float:
    # getrusage would count the process that started this one
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return float(found[1]) / 1024 if found else float("nan")


def make_gait(recording: Recording) -> Gait:
    """Put the landmarks on the 16 joints, as far as cadence needs it."""
    positions = recording.positions
    places = [[LANDMARKS.index(name) for name in names] for names in JOINTS]
    joints = [positions[:, place].mean(axis=1) for place in places]
    return Gait(np.stack(joints, axis=1), recording.fps)


if __name__ == "__main__":
    main()
