"""What makes a sweep fast, and by how much: a table for each idea.

    python benchmarks/sweep.py [--data FOLDER] [--results FOLDER ...]

Times are CPU time of one thread, medians over rounds in which all candidates take turns.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from moodwalk.experiments import read_experiment
from moodwalk.experiments.plan import make_plan
from moodwalk.experiments.store import read_cells
from moodwalk.io import load_emotion_gait
from moodwalk.models.config import STGCN_MODELS
from moodwalk.models.stgcn import Stgcn
from plain_step import PlainStep

HERE = Path(__file__).parent
EXPERIMENTS = ("step-by-step-1", "step-by-step-2", "habits", "classic")
N_FRAMES = 75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared/data/emotion-gait")
    parser.add_argument("--results", type=Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    show_steps(options.rounds)
    show_batching(options.rounds)
    show_sharing(options.data)
    for folder in options.results:
        show_stopping(folder)


def make_step(network: nn.Module, n_gaits: int):
    """Return one training step of a network, as a function without arguments."""
    rng = torch.Generator().manual_seed(0)
    positions = torch.randn(n_gaits, N_FRAMES, 16, 3, generator=rng)
    affective = torch.randn(n_gaits, 27, generator=rng)
    labels = torch.arange(n_gaits) % 4
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, fused=True)

    def step() -> None:
        loss = F.cross_entropy(network(positions, affective), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def time_in_turns(steps: dict[str, object], rounds: int) -> dict[str, float]:
    """Return the median CPU time of every step in seconds."""
    spent: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            started = time.process_time()
            step()
            spent[name].append(time.process_time() - started)
    return {name: statistics.median(values[1:]) for name, values in spent.items()}


def show_steps(rounds: int) -> None:
    names = [name for name in STGCN_MODELS if STGCN_MODELS[name].n_affective]
    steps = {name: make_step(Stgcn(STGCN_MODELS[name]), 8) for name in names}
    seconds = time_in_turns({"library layers": make_step(PlainStep(), 8), **steps}, rounds)
    print(f"One training step, batch 8, {N_FRAMES} frames")
    for name, value in seconds.items():
        print(f"  {name:20s} {1000 * value:6.0f} ms")
    print(f"  library layers / step: {seconds['library layers'] / seconds['step']:.1f}\n")


def show_batching(rounds: int) -> None:
    """Bound what one batched network of several folds could win: all but the arithmetic is shared."""
    sizes = (8, 16, 32)
    steps = {str(n): make_step(Stgcn(STGCN_MODELS["step"]), n) for n in sizes}
    seconds = time_in_turns(steps, rounds)
    print("Folds in one batched network: at best what a larger batch saves (weights shared)")
    for n in sizes:
        print(f"  {n // 8} fold(s) of 8 gaits: {1000 * seconds[str(n)] / n:5.2f} ms a gait")
    print()


def show_sharing(data: Path) -> None:
    if not data.exists():
        print(f"No walks at {data}: what experiments share is not counted.\n")
        return
    gaits = load_emotion_gait(data).only_labelled()
    lines, cells, keys = 0, 0, set()
    for name in EXPERIMENTS:
        plan = make_plan(read_experiment(HERE.parent / "experiments" / f"{name}.toml"), gaits)
        of = {
            n: sum(c.training.name == n for c in plan.cells)
            for n in {line.training for line in plan.lines}
        }
        lines += sum(of[line.training] for line in plan.lines)
        cells += len(plan.cells)
        keys |= {cell.key for cell in plan.cells}
    print("Trainings of the four experiments that are shipped")
    print(f"  one for each line, repeat and fold   {lines}")
    print(f"  lines that read one training share   {cells}")
    print(f"  with --reuse between experiments     {len(keys)}\n")


def show_stopping(folder: Path) -> None:
    """Say how many epochs early stopping saved; the epoch kept is the same as without it or earlier."""
    pairs = [
        (len(record["epochs"]), record["training"]["options"]["epochs"])
        for record in read_cells(folder / "cells")
        if record["epochs"] and record["training"]["options"]["patience"]
    ]
    if pairs:
        trained, planned = np.array(pairs).sum(axis=0)
        print(
            f"Early stopping, {folder.name}: {trained} of {planned} epochs ({trained / planned:.0%})"
        )


if __name__ == "__main__":
    main()
