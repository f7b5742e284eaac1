"""Speed and memory, measured side by side in one run: a table, and JSON with ``-o``.

    python benchmarks/run.py [-o FILE.json] [--data FOLDER] [--rounds N]

Times are CPU time of one thread, medians over rounds in which all candidates take turns, so that a
slow moment of the machine hits all of them. Ratios carry over to other machines, times do not.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LENGTHS = (75, 240)
NETWORKS = ("plain", "direct", "auto")
DESCRIPTIONS = {
    "plain": "library layers, as published",
    "direct": "this package, direct convolution",
    "auto": "this package, chosen convolution",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared/data/emotion-gait")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--probe", nargs=3, metavar=("NETWORK", "WHAT", "FRAMES"))
    options = parser.parse_args()
    if options.probe:
        print(measure_peak_mib(options.probe[0], options.probe[1], int(options.probe[2])))
        return
    # First of all: a child's peak begins with what its parent holds when it forks.
    peaks = {
        (name, what, length): ask_peak_mib(name, what, length)
        for length in LENGTHS
        for what in ("training", "inference")
        for name in NETWORKS
    }
    figures = {
        "machine": {"python": platform.python_version(), "torch": get_torch_version()},
        "networks": [measure_networks(length, options.rounds, peaks) for length in LENGTHS],
        "features": measure_features(options.data, options.rounds),
        "loading": measure_loading(options.data, options.rounds),
        "import_s": measure_import(options.rounds),
    }
    show(figures)
    if options.output:
        options.output.write_text(json.dumps(figures, indent=2) + "\n")


def get_torch_version() -> str:
    import torch

    return torch.__version__


def make_network(name: str) -> Any:
    import torch

    sys.path.insert(0, str(HERE))
    from moodwalk.models.config import STGCN_MODELS
    from moodwalk.models.stgcn import Stgcn
    from plain_step import PlainStep

    torch.set_num_threads(1)
    torch.manual_seed(0)
    return PlainStep() if name == "plain" else Stgcn(STGCN_MODELS["step"], form=name)


def make_tasks(name: str, n_frames: int) -> dict[str, Callable[[], None]]:
    """Return a training step and an inference of batch 8."""
    import torch
    import torch.nn.functional as F

    network = make_network(name)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, weight_decay=1e-4, fused=True)
    positions, affective = torch.randn(8, n_frames, 16, 3), torch.randn(8, 27)
    targets = torch.randint(4, (8,))

    def training_step() -> None:
        network.train()
        optimizer.zero_grad()
        F.cross_entropy(network(positions, affective), targets).backward()
        optimizer.step()

    def inference() -> None:
        network.eval()
        with torch.inference_mode():
            network(positions, affective)

    return {"training": training_step, "inference": inference}


def measure_networks(
    n_frames: int, rounds: int, peaks: dict[tuple[str, str, int], float]
) -> dict[str, Any]:
    tasks = {name: make_tasks(name, n_frames) for name in NETWORKS}
    result: dict[str, Any] = {"n_frames": n_frames, "batch": 8}
    for what in ("training", "inference"):
        taken = time_in_turn({name: tasks[name][what] for name in NETWORKS}, rounds)
        result[what] = {
            "cpu_ms": {name: 1e3 * statistics.median(times) for name, times in taken.items()},
            "speedup": {name: compute_ratio(taken["plain"], taken[name]) for name in NETWORKS[1:]},
            "peak_mib": {name: peaks[name, what, n_frames] for name in NETWORKS},
        }
    return result


def time_in_turn(tasks: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    for task in tasks.values():
        task()
        task()
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            taken[name].append(time.process_time() - start)
    return taken


def compute_ratio(slow: list[float], fast: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(slow, fast, strict=True))


def ask_peak_mib(name: str, what: str, n_frames: int) -> float:
    """Measure in a process of its own: a peak never goes down."""
    command = [sys.executable, __file__, "--probe", name, what, str(n_frames)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure_peak_mib(name: str, what: str, n_frames: int) -> float:
    """Return what five runs add to the peak of a process that has loaded everything."""
    task = make_tasks(name, n_frames)[what]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(5):
        task()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def load(folder: Path) -> Any:
    from moodwalk import load_emotion_gait, simulate_walks

    if folder.exists():
        return load_emotion_gait(folder)
    return simulate_walks(n_subjects=86, gaits_per_subject=4, seed=0)[:342]


def measure_features(folder: Path, rounds: int) -> dict[str, Any]:
    from moodwalk import compute_affective_features

    gaits = load(folder)
    taken = time_in_turn({"features": lambda: compute_affective_features(gaits)}, rounds)[
        "features"
    ]
    return {
        "gaits": len(gaits),
        "source": "real" if folder.exists() else "simulated walks",
        "cpu_ms": 1e3 * statistics.median(taken),
    }


def measure_loading(folder: Path, rounds: int) -> dict[str, Any] | None:
    if not folder.exists():
        return None
    taken = time_in_turn({"load": lambda: load(folder)}, rounds)["load"]
    return {"gaits": len(load(folder)), "cpu_ms": 1e3 * statistics.median(taken)}


def measure_import(rounds: int) -> dict[str, float]:
    """Return seconds of wall time that an import adds to an empty interpreter."""
    statements = {"moodwalk": "import moodwalk", "predictor": "from moodwalk import Predictor"}
    taken: dict[str, list[float]] = {"": [], **{name: [] for name in statements}}
    for _ in range(rounds):
        for name in taken:
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", statements.get(name, "")], check=True)
            taken[name].append(time.perf_counter() - start)
    empty = statistics.median(taken[""])
    return {name: statistics.median(taken[name]) - empty for name in statements}


def show(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=110)
    for length in figures["networks"]:
        table = Table(title=f"STEP, batch 8, {length['n_frames']} frames, one thread")
        for column in ("", "training", "faster", "peak", "inference", "faster", "peak"):
            table.add_column(column, justify="right" if column else "left")
        for name in NETWORKS:
            cells = [DESCRIPTIONS[name]]
            for what in ("training", "inference"):
                part = length[what]
                ratio = part["speedup"].get(name)
                cells += [
                    f"{part['cpu_ms'][name]:.0f} ms",
                    f"{ratio:.2f} x" if ratio else "",
                    f"+{part['peak_mib'][name]:.0f} MiB",
                ]
            table.add_row(*cells)
        console.print(table)
    features, loading = figures["features"], figures["loading"]
    console.print(
        f"29 features of {features['gaits']} gaits ({features['source']}): {features['cpu_ms']:.1f} ms"
    )
    if loading:
        console.print(f"loading {loading['gaits']} gaits: {loading['cpu_ms']:.0f} ms")
    for name, seconds in figures["import_s"].items():
        console.print(f"import {name}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
