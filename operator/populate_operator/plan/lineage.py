"""Which PopulateJobs make what another one reads."""

from __future__ import annotations

import re
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
    table: str = ""
    """Import path of its class, which says what its table would be called."""


def upstream(document: ResolveDocument | None, others: Iterable[Relative]) -> Upstream:
    relevant = [other for other in others if _feeds(other, document)]
    times = [other.settled_at for other in relevant if other.settled_at is not None]
    return Upstream(any(other.busy for other in relevant), max(times, default=None))


def _feeds(other: Relative, child: ResolveDocument | None) -> bool:
    parent = other.document
    if parent is None:
        return child is None or any(_may_be(other.table, table) for table in child.upstream)
    if child is None:
        return False
    if parent.server.identity != child.server.identity or parent.target == child.target:
        return False
    return any(_makes(parent, table) for table in child.upstream)


def _may_be(path: str, table: str) -> bool:
    """Whether the class would have this table, or it would be one of its parts, whatever the schema."""
    name = re.sub(r"\B[A-Z]", r"_\g<0>", path.rpartition(".")[2]).lower()
    bare = re.split(r"[`\"]\.[`\"]", table)[-1].strip('`"').lstrip("_~#")
    return not name or bare.partition("__")[0] == name


def _makes(document: ResolveDocument, table: str) -> bool:
    """Its target, one of the target's parts (`master__part`), or its jobs table, where failures are recorded."""
    return table in (document.target, document.jobs) or table.startswith(document.target[:-1] + "__")
