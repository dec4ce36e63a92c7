"""What a lane is asked to do: each a task on one PopulateJob's jobs table, with its result in the plan's words."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timezone

import populate_jobs
from populate_jobs import Connection, ErrorGroup, JobsTable, Look, Recovered, ResolveDocument, RetryPolicy

from populate_operator.plan import Recovery, Refresh
from populate_operator.spec import Spec

ERROR_GROUPS = 5


def errors(connection: Connection, document: ResolveDocument) -> tuple[tuple[ErrorGroup, ...], float]:
    """The most frequent errors, and the seconds that grouping them took."""
    start = time.monotonic()
    groups = populate_jobs.error_groups(JobsTable(connection, document), most=ERROR_GROUPS)
    return tuple(groups), time.monotonic() - start


def refresh(connection: Connection, document: ResolveDocument, spec: Spec) -> Refresh:
    """Refreshes, then measures the standing: who reads it has the messages of the errors it counts."""
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
    groups, _ = errors(connection, document) if counts.error else ((), 0.0)
    ended = now()
    return Refresh(started, ended, changed.added, progress, counts, (ended - started).total_seconds(), groups)


def recover(connection: Connection, document: ResolveDocument, recovery: Recovery, policy: RetryPolicy) -> None:
    jobs = JobsTable(connection, document)
    gone = [host for host in recovery.hosts if host not in recovery.dead_since]
    populate_jobs.recover(jobs, gone, suspect=recovery.suspect, policy=policy)
    for host, at in recovery.dead_since.items():
        ago = time.monotonic() - at
        populate_jobs.recover(jobs, [host], suspect=recovery.suspect, policy=policy, older_than=ago)


def recover_unseen(connection: Connection, document: ResolveDocument, hosts: Sequence[str]) -> Recovered:
    return populate_jobs.recover_unseen(JobsTable(connection, document), hosts)


def recover_ending(connection: Connection, document: ResolveDocument, suffix: str) -> Recovered:
    """Gives back what is held under any host that ends so: for when none of them lives."""
    (seen,) = populate_jobs.look(connection, [Look(document, 0, ours=suffix)])
    hosts = [host for host in {**seen.held, **seen.outside} if host.endswith(suffix)]
    return populate_jobs.recover(JobsTable(connection, document), hosts)


def recover_orphans(connection: Connection, document: ResolveDocument, older_than: float, ours: str) -> Recovered:
    return populate_jobs.recover_orphans(JobsTable(connection, document), older_than, but_hosts_ending=ours)


def reprioritize(connection: Connection, document: ResolveDocument, priority: int, applied: int | None) -> int:
    """The priority that pending rows have now."""
    populate_jobs.reprioritize(JobsTable(connection, document), priority, applied=applied)
    return priority


def retry_errors(connection: Connection, document: ResolveDocument, match: str | None) -> int:
    return populate_jobs.retry_errors(JobsTable(connection, document), match=match)


def ignore_errors(connection: Connection, document: ResolveDocument, match: str | None) -> int:
    return populate_jobs.ignore_errors(JobsTable(connection, document), match=match)


def holds_rows(connection: Connection, document: ResolveDocument) -> bool:
    return populate_jobs.holds_rows(JobsTable(connection, document))


def remove_pending(connection: Connection, document: ResolveDocument) -> int:
    return populate_jobs.remove_pending(JobsTable(connection, document))


def now() -> datetime:
    return datetime.now(timezone.utc)
