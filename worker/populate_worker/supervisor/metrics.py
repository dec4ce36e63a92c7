"""What Prometheus is told about a worker."""

from __future__ import annotations

from collections.abc import Callable

from populate_jobs import Outcome
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

WATCHED = {
    "populate_reserved": "Keys held by this worker.",
    "populate_running": "Keys being made.",
    "populate_runners": "Runner processes.",
    "populate_last_heartbeat_timestamp_seconds": "When the loop last turned.",
}
"""Gauges, and what they mean."""
_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600, 4 * 3600, 12 * 3600)


class Metrics:
    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._keys = Counter("populate_keys", "Keys by what became of them.", ["outcome"], registry=registry)
        for outcome in Outcome:
            self._keys.labels(outcome.value)
        self._seconds = Histogram(
            "populate_make_seconds", "How long makes took, failed ones too.", buckets=_BUCKETS, registry=registry
        )
        self._starts = Counter("populate_runner_starts", "Runners started.", registry=registry)
        self._watched = {name: Gauge(name, meaning, registry=registry) for name, meaning in WATCHED.items()}

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """One of WATCHED, which is read when Prometheus asks."""
        self._watched[name].set_function(read)

    def outcome(self, outcome: Outcome) -> None:
        self._keys.labels(outcome.value).inc()

    def made(self, seconds: float) -> None:
        self._seconds.observe(seconds)

    def runners_started(self, count: int) -> None:
        self._starts.inc(count)

    def text(self) -> bytes:
        return generate_latest(self._registry)
