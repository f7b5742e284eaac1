"""STEP written the plain way, in the library's own layers: the yardstick of the benchmark.

Gaits are (N, C, T, V), temporal convolutions are `torch.nn.Conv2d`. Padding is written out, because
the library's own padding corrupts memory here (kernel 75 on 38 frames, CPUs with AVX-512).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from moodwalk.skeleton import compute_adjacency


class PlainBlock(nn.Module):
    def __init__(self, n_in: int, n_out: int, stride: int, *, residual: bool) -> None:
        super().__init__()
        self.spatial = nn.Conv2d(n_in, 3 * n_out, 1)
        self.importance = nn.Parameter(torch.ones(3, 16, 16))
        self.norm = nn.BatchNorm2d(n_out)
        self.temporal = nn.Conv2d(n_out, n_out, (75, 1), (stride, 1))
        self.temporal_norm = nn.BatchNorm2d(n_out)
        self.shortcut = None
        if residual:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, (stride, 1)), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        y = self.spatial(x).unflatten(1, (3, -1))
        y = torch.einsum("nkctv,kvw->nctw", y, adjacency * self.importance)
        y = F.relu(self.norm(y), inplace=True)
        y = self.temporal_norm(self.temporal(F.pad(y, (0, 0, 37, 37))))
        return F.relu(y if self.shortcut is None else y + self.shortcut(x), inplace=True)


class PlainStep(nn.Module):
    """STEP's classifier; same inputs and outputs as `moodwalk.models.stgcn.Stgcn`."""

    def __init__(self) -> None:
        super().__init__()
        self.adjacency: Tensor
        self.register_buffer("adjacency", torch.from_numpy(compute_adjacency("spatial")))
        self.input_norm = nn.BatchNorm1d(48)
        self.blocks = nn.ModuleList(
            [
                PlainBlock(3, 32, 1, residual=False),
                PlainBlock(32, 64, 2, residual=True),
                PlainBlock(64, 64, 2, residual=True),
            ]
        )
        self.head = nn.Sequential(nn.BatchNorm1d(91), nn.Linear(91, 96), nn.Linear(96, 4))

    def forward(self, positions: Tensor, affective: Tensor) -> Tensor:
        n, t = positions.shape[:2]
        x = self.input_norm(positions.reshape(n, t, 48).transpose(1, 2))
        x = x.view(n, 16, 3, t).permute(0, 2, 3, 1).contiguous()
        for block in self.blocks:
            x = block(x, self.adjacency)
        return self.head(torch.cat([x.mean(dim=(2, 3)), affective], dim=1))
