"""Which PopulateJobs make what another one reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from populate_jobs import ResolveDocument

from .observation import Upstream


@dataclass(frozen=True)
class Relative:
    """Another PopulateJob on the same server."""

    document: ResolveDocument | None
    """None until it is resolved: it may turn out to be upstream."""
    busy: bool
    """It has keys to make, or may have."""
    settled_at: datetime | None


def upstream(document: ResolveDocument | None, others: Iterable[Relative]) -> Upstream:
    relevant = [other for other in others if _feeds(other.document, document)]
    times = [other.settled_at for other in relevant if other.settled_at is not None]
    return Upstream(any(other.busy for other in relevant), max(times, default=None))


def _feeds(parent: ResolveDocument | None, child: ResolveDocument | None) -> bool:
    if parent is None or child is None:
        return parent is None
    if parent.server.identity != child.server.identity or parent.target == child.target:
        return False
    return any(_makes(parent, table) for table in child.upstream)


def _makes(document: ResolveDocument, table: str) -> bool:
    """Its target, one of the target's parts (`master__part`), or its jobs table, where failures are recorded."""
    return table in (document.target, document.jobs) or table.startswith(document.target[:-1] + "__")
