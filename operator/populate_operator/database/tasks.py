"""What a lane is asked to do: each a task on one PopulateJob's jobs table, with its result in the plan's words."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import populate_jobs
from populate_jobs import Connection, JobsTable, Recovered, ResolveDocument

from populate_operator.plan import Queue, Refresh, Tally
from populate_operator.plan.recovery import Recovery
from populate_operator.spec import Spec

ERROR_GROUPS = 5


def look(connection: Connection, document: ResolveDocument, limit: int, fully: bool) -> tuple[Queue, Tally | None]:
    """Due rows up to `limit` and who holds what: cheap. With `fully`, all rows by status and the errors too."""
    jobs = JobsTable(connection, document)
    queue = Queue(populate_jobs.ready(jobs, limit), populate_jobs.held(jobs))
    return queue, _count(jobs) if fully else None


def _count(jobs: JobsTable) -> Tally:
    start = time.monotonic()
    counts = populate_jobs.counts(jobs)
    groups = populate_jobs.error_groups(jobs, most=ERROR_GROUPS) if counts.error else []
    return Tally(counts, now(), time.monotonic() - start, tuple(groups))


def refresh(connection: Connection, document: ResolveDocument, spec: Spec) -> Refresh:
    """Refreshes, then measures the standing."""
    jobs = JobsTable(connection, document)
    started = now()
    changed = populate_jobs.refresh(
        jobs,
        priority=spec.priority,
        delay=spec.refresh.delay_seconds,
        stale_timeout=spec.refresh.stale_timeout_seconds,
        keep_completed=spec.keep_completed,
    )
    progress = populate_jobs.progress(jobs)
    counts = populate_jobs.counts(jobs)
    return Refresh(started, now(), changed.added, progress, counts)


def recover(connection: Connection, document: ResolveDocument, recovery: Recovery) -> Recovered:
    return populate_jobs.recover(JobsTable(connection, document), recovery.hosts, suspect=recovery.suspect)


def recover_ending(connection: Connection, document: ResolveDocument, suffix: str) -> Recovered:
    """Gives back what is held under any host that ends so: for when none of them lives."""
    jobs = JobsTable(connection, document)
    hosts = [host for host in populate_jobs.held(jobs) if host.endswith(suffix)]
    return populate_jobs.recover(jobs, hosts)


def recover_orphans(connection: Connection, document: ResolveDocument, older_than: float, ours: str) -> Recovered:
    return populate_jobs.recover_orphans(JobsTable(connection, document), older_than, but_hosts_ending=ours)


def reprioritize(connection: Connection, document: ResolveDocument, priority: int, applied: int | None) -> int:
    """The priority that pending rows have now."""
    populate_jobs.reprioritize(JobsTable(connection, document), priority, applied=applied)
    return priority


def retry_errors(connection: Connection, document: ResolveDocument) -> int:
    return populate_jobs.retry_errors(JobsTable(connection, document))


def remove_pending(connection: Connection, document: ResolveDocument) -> int:
    return populate_jobs.remove_pending(JobsTable(connection, document))


def now() -> datetime:
    return datetime.now(timezone.utc)
