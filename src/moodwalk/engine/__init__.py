"""Where many independent tasks run: in worker processes of this machine, or on a Dask cluster.

Both engines yield results as they come, survive the death of a worker, and never run what has
already given its result. Nothing distributed is written by hand: processes are those of
`concurrent.futures`, clusters those of Dask.
"""

from moodwalk.engine.cluster import DaskEngine
from moodwalk.engine.local import LocalEngine
from moodwalk.engine.task import Engine, Outcome

__all__ = ["DaskEngine", "Engine", "LocalEngine", "Outcome"]
