"""How fast generators learn and draw: STEP-Gen's loss without loops, and a thousand gaits.

    python benchmarks/generator.py [--rounds N]

Times are CPU time of one thread, medians over rounds in which all candidates take turns. No data is
needed: cycle-gen is trained on simulated walks, STEP-Gen has random weights, which take as long.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from moodwalk.generation.generator import GaitGenerator
from moodwalk.generation.stepgen import StepGenerator
from moodwalk.models.cvae import Cvae, CvaeConfig, compute_movement_loss
from moodwalk.walker import simulate_walks

BATCH, N_FRAMES, N_COORDINATES = 8, 75, 48
N_GAITS = 1000
REPEATS = 100
"""Of what is quick, so that the clock sees it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    show_loss(rounds)
    show_drawing(rounds)


def compute_loss_in_loops(positions: Tensor, others: Tensor) -> Tensor:
    """Compute the loss gait by gait, frame by frame, coordinate by coordinate."""
    x, y = positions.flatten(2), others.flatten(2)
    n_gaits, n_frames, n_coordinates = x.shape
    loss = F.mse_loss(y, x)
    for gait in range(n_gaits):
        for t in range(n_frames):
            for origin in (0, n_frames // 2 - 1, n_frames - 1):
                moved = x[gait, t] - x[gait, origin]
                loss = loss + F.mse_loss(y[gait, t] - y[gait, origin], moved)
            for c in range(n_coordinates):
                if t > 0:
                    velocity = x[gait, t, c] - x[gait, t - 1, c]
                    other = y[gait, t, c] - y[gait, t - 1, c]
                    loss = loss + (other - velocity) ** 2
                if t > 1:
                    change = x[gait, t, c] - 2 * x[gait, t - 1, c] + x[gait, t - 2, c]
                    other = y[gait, t, c] - 2 * y[gait, t - 1, c] + y[gait, t - 2, c]
                    loss = loss + (other - change) ** 2
    return loss


def make_walks() -> Tensor:
    gaits = simulate_walks(n_subjects=2, gaits_per_subject=BATCH // 2, n_frames=N_FRAMES)
    return torch.stack([torch.tensor(gait.positions, dtype=torch.float32) for gait in gaits])


def differentiate(
    compute: Callable[[Tensor, Tensor], Tensor], positions: Tensor, others: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a loss and its gradient, that is forward and backward."""
    others = others.clone().requires_grad_()
    loss = compute(positions, others)
    return loss.detach(), torch.autograd.grad(loss, others)[0]


def time_in_turn(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            started = time.process_time()
            task()
            taken[name].append(time.process_time() - started)
    return taken


def show_loss(rounds: int) -> None:
    positions = make_walks()
    torch.manual_seed(0)
    others = positions + 0.05 * torch.randn_like(positions)
    losses = {"loops": compute_loss_in_loops, "moodwalk": compute_movement_loss}
    found = {name: differentiate(loss, positions, others) for name, loss in losses.items()}
    taken = time_in_turn(
        {
            "loops": lambda: differentiate(losses["loops"], positions, others),
            "moodwalk": lambda: [
                differentiate(losses["moodwalk"], positions, others) for _ in range(REPEATS)
            ],
        },
        rounds,
    )
    taken["moodwalk"] = [seconds / REPEATS for seconds in taken["moodwalk"]]
    ratios = [slow / fast for slow, fast in zip(*taken.values(), strict=True)]
    loss, gradient = (compute_difference(*pair) for pair in zip(*found.values(), strict=True))
    print(f"STEP-Gen's loss between frames, forward and backward: batch {BATCH}, {N_FRAMES} frames")
    for what, text in (
        ("loops over gait, frame, coordinate", f"{1e3 * statistics.median(taken['loops']):.0f} ms"),
        ("moodwalk", f"{1e3 * statistics.median(taken['moodwalk']):.2f} ms"),
        ("faster", f"{statistics.median(ratios):,.0f} x"),
        ("largest difference, loss", f"{loss:.0e} of it"),
        ("largest difference, gradient", f"{gradient:.0e} of its largest value"),
    ):
        print(f"  {what:35} {text:>9}")
    print()


def compute_difference(expected: Tensor, found: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def show_drawing(rounds: int) -> None:
    walks = simulate_walks(n_subjects=60, gaits_per_subject=4, seed=0)
    cycles = GaitGenerator.fit("cycle-gen", walks)
    torch.manual_seed(0)
    network = StepGenerator(Cvae(CvaeConfig()).eval())
    generators = {
        "cycle-gen": cycles,
        "step-gen": GaitGenerator(network, cycles.classes, "step-gen"),
    }
    tasks = {
        name: lambda made=generator: made.generate(N_GAITS)
        for name, generator in generators.items()
    }
    for task in tasks.values():
        task()
    print(f"{N_GAITS:,} gaits of {N_FRAMES} frames")
    for name, times in time_in_turn(tasks, rounds).items():
        print(f"  {name:35} {statistics.median(times):7.2f} s")
    started = time.process_time()
    GaitGenerator.fit("cycle-gen", walks)
    seconds = time.process_time() - started
    print(f"  {f'cycle-gen, training on {len(walks)} gaits':35} {seconds:7.2f} s")


if __name__ == "__main__":
    main()
