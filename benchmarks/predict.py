"""How long `moodwalk predict` takes on files, from the start of the process to its end.

    python benchmarks/predict.py [--repeats 5]

Simulated walks are written as BVH: one of 60 s at each of three frame rates, and 500 of 2 s. Beside them,
what it costs only to start Python with NumPy, and with PyTorch, which a prediction does not load.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from moodwalk.io.bvh_writing import write_bvh
from moodwalk.walker import simulate_gait

N_SHORT = 500


def main() -> None:
    """Write the walks, time the commands by turns, print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = folder / "short"
        short.mkdir()
        for i in range(N_SHORT):
            gait = simulate_gait(n_frames=60, fps=30.0, travel=True, seed=i)
            write_bvh(short / f"{i:03}.bvh", gait)
        predict = [sys.executable, "-m", "moodwalk", "predict"]
        commands = {
            "python, NumPy": [sys.executable, "-c", "import numpy"],
            "python, PyTorch": [sys.executable, "-c", "import torch"],
        }
        for fps in (30, 60, 120):
            path = folder / f"{fps}.bvh"
            write_bvh(path, simulate_gait(n_frames=60 * fps, fps=float(fps), travel=True, seed=0))
            commands[f"60 s at {fps} fps"] = [*predict, str(path)]
        for jobs in (1, 2):
            commands[f"{N_SHORT} files, jobs {jobs}"] = [*predict, str(short), "--jobs", str(jobs)]
        seconds = {what: [] for what in commands}
        for _ in range(repeats):
            for what, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                seconds[what].append(time.perf_counter() - started)
    least = statistics.median(seconds["60 s at 30 fps"])  # one file: nearly all of it is the start
    for what, times in seconds.items():
        median = statistics.median(times)
        rate = (
            f", {N_SHORT / (median - least):.0f} files/s after the start" if "files" in what else ""
        )
        print(f"{what:20} {median:6.2f} s ({min(times):.2f} to {max(times):.2f}){rate}")


if __name__ == "__main__":
    main()
