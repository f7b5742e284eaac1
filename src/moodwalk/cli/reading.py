"""Options of every command that reads walks: what a recording does not say of itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.cli.output import open_progress
from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.gait import GaitSet

__all__ = ["Fps", "JointMap", "Paths", "Person", "PoseModel", "read_walks"]

Paths = Annotated[
    list[Path],
    typer.Argument(
        readable=False,
        metavar="PATH...",
        help="Emotion-Gait folders or files; BVH, C3D, video; CSV, Parquet or NPZ tables; folders of them.",
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(metavar="F", help="The walks' frame rate, where the file is wrong or silent."),
]
JointMap = Annotated[
    Path | None,
    typer.Option(
        readable=False,
        metavar="FILE",
        help="Which recorded joint is which of the 16, as TOML or JSON (docs/skeletons.md).",
    ),
]
Person = Annotated[
    int | None,
    typer.Option(metavar="N", help="Which person of a video; by default the one who walks."),
]
PoseModel = Annotated[
    Path | None,
    typer.Option(
        readable=False,
        metavar="FILE",
        help="A MediaPipe .task file; by default the model inside the installed package.",
    ),
]


def read_walks(
    path: Path,
    labels: str | None = None,
    fps: float | None = None,
    joint_map: Path | None = None,
    person: int | None = None,
    pose_model: Path | None = None,
) -> "GaitSet":
    """Read walks with the options of the command line; shows progress where a video takes long."""
    from moodwalk.io import ReadOptions, read

    if fps is not None and not 0 < fps < float("inf"):
        raise ConfigError(f"--fps is {fps}; expected a positive number.")
    with open_progress() as progress:
        task = None

        def show(done: int, total: int | None) -> None:
            nonlocal task
            if task is None:
                task = progress.add_task(path.name, total=total)
            progress.update(task, completed=done)

        options = ReadOptions(fps, joint_map, person, pose_model, show)
        return read(path, labels, options)
