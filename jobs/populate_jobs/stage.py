"""New keys of which there are many: evaluated once into a temporary table, inserted from it in committed chunks.

Each chunk is a short transaction, so that workers keep reserving in between.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from .errors import Duplicate, MissingGrant, TableMissing
from .table import JobsTable
from .whole import whole

CHUNK = 5_000

STAGE = "populate_stage"


def add_staged(jobs: JobsTable, priority: int, delay: float) -> int | None:
    """Queues all new keys: how many. None where a temporary table cannot be made, or is not there afterwards: what was
    not queued then is queued without."""
    stage = _name(jobs)
    jobs.run("unstage", stage=stage)
    try:
        jobs.run("stage", stage=stage, select=jobs.sql("new_keys"))
    except (MissingGrant, Duplicate):
        return None
    try:
        return _add_chunks(jobs, stage, priority, delay)
    except TableMissing:  # a pooler that shares sessions went on with another one
        return None
    finally:
        jobs.run("unstage", stage=stage)


def _add_chunks(jobs: JobsTable, stage: str, priority: int, delay: float) -> int:
    for statement in ("index_stage", "analyze_stage"):
        jobs.run_if_any(statement, stage=stage)
    ((size,),) = jobs.run("stage_size", stage=stage).rows
    ((due_time,),) = jobs.run("due_time", [delay]).rows
    firsts = range(1, whole(size) + 1, CHUNK)
    # Each chunk is due a millisecond after the one before, so that a place in the queue can be named.
    return sum(
        _add_chunk(jobs, stage, [priority, due_time - timedelta(milliseconds=left), first, first + CHUNK - 1])
        for left, first in zip(reversed(range(len(firsts))), firsts, strict=True)
    )


def _add_chunk(jobs: JobsTable, stage: str, args: Sequence[Any]) -> int:
    try:
        return jobs.run("add_staged", args, stage=stage).rowcount
    except Duplicate:
        return jobs.run("add_staged_missing", args, stage=stage).rowcount


def _name(jobs: JobsTable) -> str:
    # In the session's own schema on PostgreSQL: a plain name could be that of somebody's table.
    schema = "pg_temp" if jobs.connection.backend == "postgresql" else jobs.quoted(jobs.document.schema)
    digest = hashlib.sha256(jobs.document.jobs.encode()).hexdigest()[:8]
    # Of its own for each queue: behind a pooler the session may be that of another one's refresh.
    return f"{schema}.{jobs.quoted(f'{STAGE}_{digest}')}"
