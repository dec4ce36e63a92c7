"""Brings a jobs table up to date with key_source and target, as DataJoint's `Job.refresh` does, set-based.

Additions and success rows to be done again follow the restriction; vanished rows are judged by the unrestricted
key_source. Three differences from DataJoint: a reserved row is never removed, a key for which make inserted nothing is
when it leaves key_source, though it is ignored, and a row that another worker inserts meanwhile is no error.

With little to do this is one statement for the additions, and one that finds nothing to remove. Only where more than
FEW keys are new are they staged; only where some row might have vanished is key_source asked again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from .finish import MADE_NOTHING
from .pages import page_by_page
from .stage import add_staged
from .table import JobsTable
from .types import Key, Refreshed

FEW = 5_000
"""New keys that one transaction may add without keeping workers waiting."""


def refresh(
    jobs: JobsTable,
    *,
    priority: int = 5,
    delay: float = 0.0,
    stale_timeout: float = 3600.0,
    keep_completed: bool = False,
) -> Refreshed:
    """`delay` is the seconds until new rows are due; `stale_timeout` the age at which pending rows are judged, 0 never.

    Chunks are committed as they go: when this raises, what was done stays done and the next refresh does the rest.
    """
    start = time.monotonic()
    # Removals first, while the table is short: the three concern different keys.
    removed = _remove(jobs, stale_timeout)
    re_pended = _re_pend(jobs, priority) if keep_completed else 0
    added, staged = _add(jobs, priority, delay)
    if added + re_pended + removed >= FEW:
        jobs.run_if_any("analyze")
    return Refreshed(added, removed, re_pended, time.monotonic() - start, staged)


def judged_by(stale_timeout: float) -> list[Any]:
    """The values of the statements removable and vanished_keys."""
    return [MADE_NOTHING, stale_timeout, stale_timeout]


def _add(jobs: JobsTable, priority: int, delay: float) -> tuple[int, bool]:
    few = [priority, delay, FEW]
    added = jobs.run("add_new", few).rowcount
    if added < FEW:
        return added, True
    more = add_staged(jobs, priority, delay)
    if more is not None:
        return added + more, True
    while (now := jobs.run("add_new", few).rowcount) == FEW:
        added += now
    return added + now, False


def _re_pend(jobs: JobsTable, priority: int) -> int:
    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("re_pend_keys", [priority, *args], keys=condition).rowcount

    return page_by_page(jobs, "undone_keys", [], change)


def _remove(jobs: JobsTable, stale_timeout: float) -> int:
    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("delete_keys", [*args, MADE_NOTHING], keys=condition).rowcount

    judged = judged_by(stale_timeout)
    if not jobs.run("removable", judged).rows:
        return 0
    removed = page_by_page(jobs, "vanished_keys", judged, change)
    if jobs.has_attempts:
        jobs.run("forget_old_attempts", [jobs.name])
    return removed
