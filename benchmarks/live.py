"""Show how fast pictures are looked at live, how soon answers come, and whether memory stays flat.

    python benchmarks/live.py VIDEO... [--minutes N]

Each video is read again and again for N minutes, as fast as it goes, with pose, tracking and answers as
`moodwalk live` has them; at its end the times go on, as if the walker came back. Prints pictures a second, how
long after the last picture of a window its answer is there (the pose in that picture included), and the memory
of the process, by ten parts of the time. The line at the end is the trend of memory over the second half, by
least squares.

Each video runs in a process of its own. Times mean little while other work shares the processor; the load is
printed beside them.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from moodwalk.live import LiveReader
from moodwalk.live.sources import Shot, VideoSource
from moodwalk.pose import PoseFinder
from moodwalk.predict import Predictor

N_PARTS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory of live reading.")
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each video")
    options = parser.parse_args()
    if len(options.videos) > 1:
        for video in options.videos:
            command = [sys.executable, __file__, str(video), "--minutes", str(options.minutes)]
            subprocess.run(command, check=True)
        return
    measure(options.videos[0], 60 * options.minutes)


def measure(video: Path, duration_s: float) -> None:
    began = time.perf_counter()
    reader = LiveReader(Predictor.load())
    reader.warm_up()
    with PoseFinder() as finder:
        start_s = time.perf_counter() - began
        print(f"{video.name}: processors {os.cpu_count()}, start-up {start_s:.1f} s")
        print("  minute  pictures/s  answers  p50 ms  p95 ms  longest ms  memory MB  load")
        memory: list[tuple[float, float]] = []
        latencies: list[float] = []
        states: Counter[str] = Counter()
        n_pictures = n_all = 0
        began = since = time.perf_counter()
        every = latest = []
        for shot in repeat(video):
            asked = time.perf_counter()
            assert shot.picture is not None
            height, width = shot.picture.shape[:2]
            answer = reader.push(shot.time_s, finder.find(shot.picture), (width, height))
            now = time.perf_counter()
            n_pictures += 1
            if answer is not None:
                states[answer.state] += 1
                if answer.n_frames:
                    latencies.append(1000 * (now - asked))
            if now - since >= duration_s / N_PARTS:
                memory.append(((now - began) / 60, read_memory_mb()))
                latest, latencies = latencies, []
                every = every + latest
                n_all += n_pictures
                show(memory[-1], n_pictures / (now - since), latest)
                n_pictures, since = 0, time.perf_counter()
            if now - began >= duration_s:
                break
        minutes, megabytes = np.array(memory[len(memory) // 2 :]).T
        trend = np.polyfit(minutes, megabytes, 1)[0] if len(minutes) > 1 else float("nan")
        p50, p95, longest = np.percentile(every, (50, 95, 100))
        print(
            f"  all: {n_all / (60 * memory[-1][0]):.1f} pictures/s; answers {p50:.0f} ms (p50), {p95:.0f} ms "
            f"(p95), {longest:.0f} ms (longest); memory {trend:+.1f} MB a minute; {dict(states)}"
        )


def show(memory: tuple[float, float], per_s: float, latencies: list[float]) -> None:
    p50, p95, longest = np.percentile(latencies, (50, 95, 100)) if latencies else (np.nan,) * 3
    print(
        f"  {memory[0]:6.2f} {per_s:11.1f} {len(latencies):8} {p50:7.0f} {p95:7.0f} {longest:11.0f} "
        f"{memory[1]:10.0f} {os.getloadavg()[0]:5.1f}",
        flush=True,
    )


def repeat(video: Path) -> Iterator[Shot]:
    """Yield the pictures again and again, with times that go on."""
    offset_s = 0.0
    while True:
        last_s = 0.0
        with VideoSource(video, paced=False) as source:
            for shot in source:
                yield Shot(shot.time_s + offset_s, shot.picture)
                last_s = shot.time_s
        offset_s += last_s + 1 / 30


def read_memory_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return float(found[1]) / 1024 if found else float("nan")


if __name__ == "__main__":
    main()
