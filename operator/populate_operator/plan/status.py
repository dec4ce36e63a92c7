"""The status of a PopulateJob, field by field as the CustomResourceDefinition describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from populate_jobs import ErrorGroup

from populate_operator.text import printable

from .metav1 import moment, timestamp
from .observation import Observation
from .pace import Pace, estimated_completion, standing
from .recovery import own

ERRORS_SHOWN = 5
LONGEST_ERROR = 512
MOMENTARY = frozenset({"throughputPerMinute", "estimatedCompletionTime", "completionTime"})
"""Fields that go when they no longer hold."""
OF_REFRESH = ("lastRefreshTime", "lastRefreshSeconds")
REFRESH_NEWS_EVERY = 60.0
"""Seconds for which a refresh that changes nothing is not worth a write of the status."""
DIGITS = 2
"""Significant digits of the throughput: a status is written only when something changed."""


def status(
    previous: Mapping[str, Any],
    seen: Observation,
    conditions: Sequence[Mapping[str, Any]],
    replicas: int,
    pace: Pace,
    now: datetime,
) -> dict[str, Any]:
    """What could not be seen this time stays as it was."""
    fresh = {
        **{name: value for name, value in previous.items() if name not in MOMENTARY},
        "observedGeneration": seen.generation,
        "conditions": list(conditions),
        "workers": {**previous.get("workers", {}), **_workers(seen, replicas)},
        **_counts(seen),
        **_pace(seen, replicas, pace, now),
        **_last(seen),
        **_finished(previous, conditions, now),
    }
    return {**fresh, **_refreshed_lately(previous, fresh)}


def _refreshed_lately(previous: Mapping[str, Any], fresh: Mapping[str, Any]) -> dict[str, Any]:
    """The times of the refresh before, where another one that found nothing is no news yet."""
    refreshed = {name: previous[name] for name in OF_REFRESH if name in previous}
    if len(refreshed) < len(OF_REFRESH) or {**fresh, **refreshed} != previous:
        return {}
    age = moment(fresh["lastRefreshTime"]) - moment(previous["lastRefreshTime"])
    return refreshed if age < timedelta(seconds=REFRESH_NEWS_EVERY) else {}


def _counts(seen: Observation) -> dict[str, Any]:
    if seen.tally is None:
        return {}
    counts = seen.tally.counts
    found: dict[str, Any] = {
        "pending": counts.pending,
        "scheduled": counts.scheduled,
        "reserved": counts.reserved,
        "error": counts.error,
        "ignored": counts.ignore,
        "topErrors": [_error(group) for group in seen.tally.errors[:ERRORS_SHOWN]],
    }
    if (now := standing(seen.refresh, counts)) is not None:
        found |= {"total": now.total, "done": now.done, "progress": f"{now.done}/{now.total}"}
    return found


def _workers(seen: Observation, replicas: int) -> dict[str, int]:
    return {"desired": replicas, "ready": sum(worker.ready for worker in seen.workers), "busy": len(own(seen))}


def _pace(seen: Observation, replicas: int, pace: Pace, now: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if (rate := pace.done_per_second) is not None and seen.outstanding:
        found["throughputPerMinute"] = float(f"{rate * 60:.{DIGITS}g}")
    if replicas and (at := estimated_completion(seen, pace, now)) is not None:
        found["estimatedCompletionTime"] = timestamp(_to_the_minute(at))
    return found


def _last(seen: Observation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if seen.resolved is not None:
        found["lastResolveTime"] = timestamp(seen.resolved.at)
    if seen.applied_priority is not None:
        found["appliedPriority"] = seen.applied_priority
    if seen.refresh is not None:
        found |= {
            "lastRefreshTime": timestamp(seen.refresh.ended),
            "lastRefreshSeconds": round(seen.refresh.seconds, 3),
        }
    return found


def _finished(previous: Mapping[str, Any], conditions: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    if not any(condition["type"] in ("Complete", "Failed") for condition in conditions):
        return {}
    return {"completionTime": previous.get("completionTime", timestamp(now))}


def _to_the_minute(at: datetime) -> datetime:
    return (at + timedelta(seconds=59)).replace(second=0, microsecond=0)


def _error(group: ErrorGroup) -> dict[str, Any]:
    key = {name: plain(value) for name, value in group.sample_key.items()}
    return {"message": printable(group.message[:LONGEST_ERROR]), "count": group.count, "sampleKey": key}


def plain(value: Any) -> str | int:
    """A key's value as JSON can hold it."""
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, int) else printable(str(value))
