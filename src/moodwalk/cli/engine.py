"""Where folds and cells run: options that several commands share."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from moodwalk.errors import ConfigError

if TYPE_CHECKING:
    from moodwalk.engine import Engine

__all__ = ["Cluster", "EngineName", "Jobs", "make_engine"]


class EngineName(StrEnum):
    """Names of engines."""

    LOCAL = "local"
    DASK = "dask"


Jobs = Annotated[int, typer.Option("--jobs", help="Worker processes, each with one thread.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Scheduler of --engine dask; by default as Dask's own configuration says.",
    ),
]


def make_engine(name: EngineName, jobs: int, cluster: str | None) -> "Engine":
    """Make the engine that the options ask for.

    Raises
    ------
    ConfigError
        If they do not go together.
    """
    from moodwalk.engine import DaskEngine, LocalEngine

    if name is EngineName.DASK:
        return DaskEngine(cluster)
    if cluster is not None:
        raise ConfigError("--cluster is for --engine dask; leave it out, or add --engine dask.")
    return LocalEngine(jobs)
