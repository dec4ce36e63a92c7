"""What Prometheus is told about the operator, its PopulateJobs and their databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

import prometheus_client
from populate_jobs.errors import PopulateError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, MetricsHandler, Summary

from populate_operator.plan import Refresh

from .health import Pulse
from .store import Owner

OF_A_JOB = ("namespace", "populatejob")
OF_A_SECRET = ("namespace", "secret")
STATUSES = {
    "pending": "pending",
    "scheduled": "scheduled",
    "reserved": "reserved",
    "error": "error",
    "ignored": "ignore",
    "done": "done",
}
"""Field of the status to the label: DataJoint's words, `scheduled` for what is pending and not due yet, and `done`."""
REASONS = frozenset((
    "Contended", "DataJointMissing", "DataJointUnsupported", "DatabaseError", "DatabaseSettingsInvalid",
    "DatabaseUnreachable", "ImagePullFailed", "ImportFailed", "JobsTableInvalid", "KeyNameReserved",
    "KeySourceInvalid", "KeyTypeUnsupported", "LoginRefused", "MakeMissing", "MissingGrant", "ModuleNotFound",
    "NotAutoPopulated", "OtherDatabase", "PodInvalid", "PodsRefused", "ResolveFailed", "ResolveTimedOut",
    "RestrictionInvalid", "SchemaNotActivated", "ServerChanged", "ServerUnsuitable", "TableMissing", "TableNotFound",
    "TemplateRefused", "WorkerMissing", "WorkerTooOld", "WrongArchitecture",
))  # fmt: skip
ANSWERED, REFUSED = "answered", "refused"
OTHER = "Other"
"""For reasons that an image made up: each would be another series, for as long as the operator runs."""
_TURN_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_READ_SECONDS = 10


class Metrics:
    """Callable from any thread. What carries a PopulateJob's name goes with it, what carries a Secret's with the last
    PopulateJob that names it."""

    def __init__(self, pulse: Pulse) -> None:
        # Else every counter of every PopulateJob is two series.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()

        self._leading = Gauge(
            "populate_operator_leading",
            "1 for the operator that works, 0 for one that waits to take over.",
            registry=registry,
        )
        self.turn = Histogram(
            "populate_operator_turn_seconds",
            "One turn of the operator's loop, over all PopulateJobs that were due; nothing waits in it.",
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        Gauge(
            "populate_operator_last_turn_timestamp_seconds",
            "When the operator's loop last turned; of one that waits to take over, when it last asked for the Lease.",
            registry=registry,
        ).set_function(lambda: time.time() - pulse.silent_seconds)
        self._faults = Counter(
            "populate_operator_faults",
            "Turns of a PopulateJob that ended with an exception, which is in the operator's log.",
            registry=registry,
        )
        self._database = Gauge(
            "populate_database_up",
            "1 where the database that a Secret names answered the last statement, "
            "0 where it did not or the Secret cannot be used.",
            OF_A_SECRET,
            registry=registry,
        )
        self._jobs = _OfJobs(registry)

    # The operator

    def leads(self) -> None:
        self._leading.set(1)

    def fault(self) -> None:
        self._faults.inc()

    def database(self, namespace: str, secret: str, up: bool | None) -> None:
        """None for a Secret that nobody names any more."""
        if up is None:
            self._database.remove(namespace, secret)
        else:
            self._database.labels(namespace, secret).set(up)

    # A PopulateJob

    def planned(self, owner: Owner, status: Mapping[str, Any]) -> None:
        """`status` is as the definition describes it; what it does not say yet has no series."""
        self._jobs.status(owner, status)

    def refreshed(self, owner: Owner, refresh: Refresh) -> None:
        self._jobs.refresh_seconds.labels(*owner).observe(refresh.seconds)
        self._jobs.added.labels(*owner).inc(refresh.added)

    def not_resolved(self, owner: Owner, error: PopulateError) -> None:
        reason = getattr(error, "reason", "ResolveFailed")
        self._jobs.resolve_failures.labels(*owner, reason if reason in REASONS else OTHER).inc()
        self._jobs.resolves.labels(*owner, REFUSED).inc()

    def resolved(self, owner: Owner) -> None:
        self._jobs.resolves.labels(*owner, ANSWERED).inc()

    def wrote_status(self, owner: Owner) -> None:
        self._jobs.status_writes.labels(*owner).inc()

    def forget(self, owner: Owner) -> None:
        self._jobs.forget(owner)


class _OfJobs:
    """What carries a PopulateJob's name."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(name, meaning, (*OF_A_JOB, *labels), registry=registry)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, (*OF_A_JOB, *labels), registry=registry)

        self._keys = gauge("populate_queue_keys", "Keys by status, as they were last counted.", "status")
        self._workers = {
            "desired": gauge("populate_workers_desired", "Workers there should be, before a cap per database."),
            "ready": gauge("populate_workers_ready", "Workers whose pod is ready."),
            "busy": gauge("populate_workers_busy", "Workers that hold keys."),
        }
        self._stalled = gauge("populate_stalled", "1 where somebody has to change something, else 0.")
        self.refresh_seconds = Summary(
            "populate_refresh_seconds", "Refreshes of the queue, and how long they took.", OF_A_JOB, registry=registry
        )
        self.added = counter("populate_refresh_added_keys", "Keys that refreshes have added to the queue.")
        self.resolves = counter("populate_resolves", "Answers to resolve, by whether they are of use.", "outcome")
        self.resolve_failures = counter(
            "populate_resolve_failures", f"Answers to resolve that are of no use; a reason is {OTHER!r} where "
            "the operator does not know it.", "reason",
        )  # fmt: skip
        self.status_writes = counter("populate_status_writes", "Writes of the status that the API server took.")
        self._totals = (self.refresh_seconds, self.added, self.status_writes)
        self._single = (*self._workers.values(), self._stalled, *self._totals)

    def status(self, owner: Owner, status: Mapping[str, Any]) -> None:
        for metric in self._totals:
            metric.labels(*owner)  # from 0 on: what a series begins with is no increase
        # Not so of resolve_failures: of a thousand PopulateJobs all reasons are 20 MiB here, and 3 MB a scrape.
        for outcome in (ANSWERED, REFUSED):
            self.resolves.labels(*owner, outcome)
        for field, label in STATUSES.items():
            if field in status:
                self._keys.labels(*owner, label).set(status[field])
        for name, gauge in self._workers.items():
            gauge.labels(*owner).set(status["workers"][name])
        self._stalled.labels(*owner).set(any(found["type"] == "Stalled" for found in status["conditions"]))

    def forget(self, owner: Owner) -> None:
        """Each by all its labels: to look for those of a name takes long where there are thousands."""
        for metric in self._single:
            metric.remove(*owner)
        for label in STATUSES.values():
            self._keys.remove(*owner, label)
        for outcome in (ANSWERED, REFUSED):
            self.resolves.remove(*owner, outcome)
        for reason in (*REASONS, OTHER):
            self.resolve_failures.remove(*owner, reason)


@contextmanager
def served(address: tuple[str, int] | None, metrics: Metrics) -> Iterator[None]:
    """Answers there while the block runs, on threads of its own: also while the loop hangs. Raises PopulateError."""
    if address is None:
        yield
        return
    # Who asks and says nothing more is not waited for.
    handler = type("Handler", (MetricsHandler.factory(metrics.registry),), {"timeout": _READ_SECONDS})
    try:
        server = ThreadingHTTPServer(address, handler)
    except OSError as error:
        raise PopulateError(f"metrics cannot be served at {address[0]}:{address[1]}: {error}") from error
    with server:
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
