"""What the server counts, for Prometheus."""

import os
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.015, 0.025, 0.04, 0.06, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """Counters of one server process; ``/metrics`` adds those of the others up, where there are several.

    Labels are few and never what a client chose: routes, not paths.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "moodwalk_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "moodwalk_request_seconds",
            "From a request's head to the end of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.shed = Counter(
            "moodwalk_shed", "Requests turned away.", ("reason",), registry=self.registry
        )
        self.disconnects = Counter(
            "moodwalk_disconnects",
            "Clients that went before their answer.",
            registry=self.registry,
        )
        self.restarts = Counter(
            "moodwalk_worker_restarts",
            "Worker processes started in place of one that had gone.",
            ("crew",),
            registry=self.registry,
        )
        self.batch = Histogram(
            "moodwalk_batch_size",
            "Predictions that went through the network together.",
            buckets=(1, 2, 3, 4, 6, 8, 16),
            registry=self.registry,
        )
        self.closed = Counter(
            "moodwalk_connections_closed",
            "Connections closed by the server: slow heads, silence, too many.",
            ("reason",),
            registry=self.registry,
        )
        self.jobs = Counter(
            "moodwalk_jobs", "Long work that ended.", ("kind", "state"), registry=self.registry
        )
        self._gauges: list[Gauge] = []

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show a number that is read when it is asked for; of this process only."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            return  # such numbers cannot be added up over processes
        gauge = Gauge(name, text, registry=self.registry)
        gauge.set_function(read)
        self._gauges.append(gauge)

    def dump(self) -> bytes:
        """Write all in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)
        return generate_latest(everybody)
