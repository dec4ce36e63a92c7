"""Brings a jobs table up to date with key_source and target, as DataJoint's `Job.refresh` does, set-based.

Additions and success rows to be done again follow the restriction; vanished rows are judged by the unrestricted
key_source. Two differences from DataJoint: a reserved row is never removed, and a row that another worker inserts
meanwhile is no error. key_source is evaluated once for the additions; again only where some row might have vanished.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

from . import stage
from .errors import Duplicate
from .table import JobsTable
from .types import Key, Refreshed

ANALYZE_BEYOND = 5_000


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
    # First, while the table is short: the three concern different keys.
    removed = _remove(jobs, stale_timeout)
    re_pended = _re_pend(jobs, priority) if keep_completed else 0
    added, was_staged = _add(jobs, priority, delay)
    if added + re_pended + removed >= ANALYZE_BEYOND:
        jobs.run_if_any("analyze")
    if jobs.has_attempts:
        jobs.run("forget_old_attempts", [jobs.name])
    return Refreshed(added, removed, re_pended, time.monotonic() - start, was_staged)


def _add(jobs: JobsTable, priority: int, delay: float) -> tuple[int, bool]:
    ((due_time,),) = jobs.run("due_time", [delay]).rows
    row = [priority, due_time]
    size = stage.staged(jobs, "new_keys")
    if size is None:
        return stage.each_page(jobs, "new_keys", (), functools.partial(_add_keys, jobs, row)), False
    try:
        return sum(_add_chunk(jobs, row, chunk) for chunk in stage.ranges(size)), True
    finally:
        stage.unstage(jobs)


def _add_chunk(jobs: JobsTable, row: Sequence[Any], chunk: tuple[int, int]) -> int:
    try:
        return stage.run_staged(jobs, "add_staged", row, chunk)
    except Duplicate:
        return stage.run_staged(jobs, "add_staged_missing", row, chunk)


def _add_keys(jobs: JobsTable, row: Sequence[Any], keys: Sequence[Key]) -> int:
    value = f"({', '.join(['%s'] * len(jobs.attributes))}, 'pending', %s, %s)"
    args = [field for key in keys for field in (*jobs.values(key), *row)]
    return jobs.run("add_keys", args, key_values=", ".join([value] * len(keys))).rowcount


def _re_pend(jobs: JobsTable, priority: int) -> int:
    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("re_pend_keys", [priority, *args], keys=condition).rowcount

    return stage.each_chunk(jobs, "undone_keys", (), change)


def _remove(jobs: JobsTable, stale_timeout: float) -> int:
    ages = [stale_timeout, stale_timeout]
    if not jobs.run("removable", ages).rows:
        return 0

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("delete_keys", args, keys=condition).rowcount

    return stage.each_chunk(jobs, "vanished_keys", ages, change)
