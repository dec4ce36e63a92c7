"""What to write to a status, and what one that was written tells an operator that begins anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from populate_jobs import Counts, Progress

from populate_operator.plan import Refresh

REFRESHED = frozenset({"lastRefreshTime", "lastRefreshSeconds"})
"""That the queue was refreshed, and nothing came of it, is written only now and then."""
NOW_AND_THEN = timedelta(minutes=10)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The top-level fields that changed, where that is worth a write; null takes a field away."""
    gone = {name: None for name in before if name not in after}
    changed = {**gone, **{name: value for name, value in after.items() if before.get(name) != value}}
    if changed.keys() <= REFRESHED and _time(after) - _time(before) < NOW_AND_THEN:
        return {}
    return changed


def _time(status: Mapping[str, Any]) -> datetime:
    """Of the last refresh; long ago where there was none."""
    return datetime.fromisoformat(status.get("lastRefreshTime", "1970-01-01T00:00:00Z").replace("Z", "+00:00"))


def remembered(status: Mapping[str, Any], now: datetime) -> Refresh | None:
    """The last refresh, as far as the status has it: the queue is known before it is read again. One that is still to
    come was written before the clock was put back, nobody knows when."""
    if "lastRefreshTime" not in status or "total" not in status:
        return None
    ended = _time(status)
    if ended > now:
        return None
    seconds = status.get("lastRefreshSeconds", 0.0)
    counts = Counts(
        **{name: status.get(name, 0) for name in ("pending", "scheduled", "reserved", "error")},
        ignore=status.get("ignored", 0),
    )
    progress = Progress(status["total"], status["done"])
    return Refresh(ended - timedelta(seconds=seconds), ended, 0, progress, counts, seconds)
