"""Check the gradient of STEP's temporal convolution where padding is left to the library.

    python benchmarks/padding.py

Kernel of 75 taps, 64 channels, batch of 8, against float64; each case in a process of its own, for
some of them end in a crash. On CPUs without AVX-512 all of them may be right.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import subprocess
import sys

CASES = ((240, 2), (120, 2), (75, 2), (38, 2), (38, 1), (19, 1))


def main() -> None:
    if len(sys.argv) == 4:
        print(f"{measure_error(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])):.1e}")
        return
    print("largest error of the weights' gradient, as a share of its largest value")
    print(f"{'frames':>6} {'stride':>6} {'left to the library':>20} {'written out':>12}")
    for n_frames, stride in CASES:
        left, written = (ask(how, n_frames, stride) for how in ("left", "written"))
        print(f"{n_frames:6} {stride:6} {left:>20} {written:>12}")


def ask(how: str, n_frames: int, stride: int) -> str:
    command = [sys.executable, __file__, how, str(n_frames), str(stride)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else f"crash ({done.returncode})"


def measure_error(how: str, n_frames: int, stride: int) -> float:
    import torch
    import torch.nn.functional as F

    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, weight = torch.randn(8, 64, n_frames, 16), torch.randn(64, 64, 75, 1)

    def compute_gradient(dtype: torch.dtype, *, left: bool) -> torch.Tensor:
        gaits, kernel = x.to(dtype), weight.to(dtype).requires_grad_()
        if left:
            y = F.conv2d(gaits, kernel, stride=(stride, 1), padding=(37, 0))
        else:
            y = F.conv2d(F.pad(gaits, (0, 0, 37, 37)), kernel, stride=(stride, 1))
        return torch.autograd.grad(y.square().sum(), kernel)[0].double()

    exact = compute_gradient(torch.float64, left=False)
    error = 0.0
    for _ in range(10):  # what is read beyond the end differs from time to time
        found = compute_gradient(torch.float32, left=how == "left")
        error = max(error, float((found - exact).abs().max() / exact.abs().max()))
    return error


if __name__ == "__main__":
    main()
