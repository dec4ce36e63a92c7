"""What is shown of PopulateJobs: tables for people, documents for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from populate_operator.cli.show import as_data, as_table, key_text
from populate_operator.display.numbers import numbers, pace, time_left
from populate_operator.plan.metav1 import moment

from .ask import Object

_COUNTS = ("PENDING", "SCHEDULED", "RUNNING", "ERRORS")
_NARROW = ("NAMESPACE", "NAME", "PROGRESS", *_COUNTS, "WORKERS", "STATE")
_WORKERS = ("BUSY", "READY", "DESIRED")
_LAST = ("PRIORITY", "THROUGHPUT", "ETA", "REASON", "MESSAGE")
_WIDE = ("NAMESPACE", "NAME", "TABLE", "PROGRESS", *_COUNTS, "IGNORED", *_WORKERS, *_LAST)


def status(jobs: Sequence[Object], form: str) -> None:
    """`form` is table, wide, json or yaml."""
    if form in ("json", "yaml"):
        as_data([{**where(job), **job.get("status", {})} for job in jobs], form)
    elif form == "wide":
        now = datetime.now(timezone.utc)
        as_table(_WIDE, [_wide_row(job, now) for job in jobs], wide="MESSAGE")
    else:
        as_table(_NARROW, [_row(job) for job in jobs], wide="STATE")


def errors(jobs: Sequence[Object], form: str) -> None:
    groups = [(job, group) for job in jobs for group in job.get("status", {}).get("topErrors", [])]
    if form in ("json", "yaml"):
        as_data([{**where(job), **group} for job, group in groups], form)
    elif not groups:
        print("no key failed")
    else:
        rows = [(job, group["count"], group["message"], key_text(group.get("sampleKey", {}))) for job, group in groups]
        if form == "wide":
            table = [(*where(job).values(), job["spec"]["table"], *row) for job, *row in rows]
            as_table(("NAMESPACE", "NAME", "TABLE", "KEYS", "ERROR", "SUCH AS"), table, wide="ERROR")
        else:
            table = [(job["metadata"]["name"], *row) for job, *row in rows]
            as_table(("NAME", "KEYS", "ERROR", "SUCH AS"), table, wide="ERROR")


def where(job: Object) -> dict[str, str]:
    return {"namespace": job["metadata"]["namespace"], "name": job["metadata"]["name"]}


def verdict(job: Object) -> tuple[str, str]:
    """Reason and message of Ready."""
    conditions = job.get("status", {}).get("conditions", [])
    ready = next((found for found in conditions if found["type"] == "Ready"), None)
    return (ready["reason"], ready["message"]) if ready else ("", "not seen by an operator yet")


def seconds_left(job: Object, now: datetime) -> float | None:
    at = job.get("status", {}).get("estimatedCompletionTime")
    return (moment(at) - now).total_seconds() if at else None


def _row(job: Object) -> tuple[object, ...]:
    ready = job.get("status", {}).get("workers", {}).get("ready", 0)
    return (*_head(job), *_counts(job), ready, ": ".join(filter(None, verdict(job))))


def _wide_row(job: Object, now: datetime) -> tuple[object, ...]:
    status = job.get("status", {})
    workers = (status.get("workers", {}).get(which.lower(), 0) for which in _WORKERS)
    speed = (pace(status), time_left(seconds_left(job, now)))
    namespace, name, progress = _head(job)
    return (
        namespace, name, job["spec"]["table"], progress, *_counts(job), numbers(status).ignored, *workers,
        job["spec"]["priority"], *speed, *verdict(job),
    )  # fmt: skip


def _head(job: Object) -> tuple[str, str, str]:
    return (*where(job).values(), numbers(job.get("status", {})).progress)  # type: ignore[return-value]


def _counts(job: Object) -> tuple[Any, ...]:
    count = numbers(job.get("status", {}))
    return (count.pending, count.scheduled, count.reserved, count.error)
