"""Keys of one SELECT, evaluated once and handed out in chunks.

They wait in a temporary table, so that each chunk is a short transaction and workers keep reserving in between.
Without the right to make one, the SELECT is evaluated again for every `PAGE` keys, and these go through the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .errors import MissingGrant
from .table import JobsTable
from .types import Key

CHUNK = 10_000
PAGE = 100_000
KEYS_A_STATEMENT = 500

STAGE = "populate_stage"


def staged(jobs: JobsTable, select: str, args: Sequence[Any] = ()) -> int | None:
    """Evaluates the named SELECT into the stage: how many keys; None without the right to temporary tables."""
    name = _stage_name(jobs)
    jobs.run("unstage", stage=name)
    try:
        jobs.run("stage", args, stage=name, select=jobs.sql(select))
    except MissingGrant:
        return None
    jobs.run_if_any("index_stage", stage=name)
    jobs.run_if_any("analyze_stage", stage=name)
    return int(jobs.run("stage_size", stage=name).rows[0][0])


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """First and last row number of each chunk."""
    return ((first, first + CHUNK - 1) for first in range(1, size + 1, CHUNK))


def run_staged(jobs: JobsTable, statement: str, args: Sequence[Any], chunk: tuple[int, int]) -> int:
    """Runs a statement over one chunk of the stage; how many rows it changed."""
    return jobs.run(statement, [*args, *chunk], stage=_stage_name(jobs)).rowcount


def unstage(jobs: JobsTable) -> None:
    jobs.run("unstage", stage=_stage_name(jobs))


def each_chunk(jobs: JobsTable, select: str, args: Sequence[Any], change: Callable[[Sequence[Key]], int]) -> int:
    """Calls `change` with the keys of the named SELECT, some at a time; the sum of what it returns."""
    size = staged(jobs, select, args)
    if size is None:
        return each_page(jobs, select, args, change)
    try:
        return sum(_in_statements(_staged_keys(jobs, chunk), change) for chunk in ranges(size))
    finally:
        unstage(jobs)


def _staged_keys(jobs: JobsTable, chunk: tuple[int, int]) -> list[Key]:
    return [jobs.key(row) for row in jobs.run("staged_keys", chunk, stage=_stage_name(jobs)).rows]


def each_page(jobs: JobsTable, select: str, args: Sequence[Any], change: Callable[[Sequence[Key]], int]) -> int:
    """each_chunk() through the client, without a stage."""
    changed = 0
    while True:
        rows = jobs.connection.execute(f"{jobs.sql(select)} LIMIT {PAGE}", args).rows
        changed += (now := _in_statements([jobs.key(row) for row in rows], change))
        # Nothing changed: others did it meanwhile, or the same keys would come for ever.
        if len(rows) < PAGE or not now:
            return changed


def _in_statements(keys: Sequence[Key], change: Callable[[Sequence[Key]], int]) -> int:
    starts = range(0, len(keys), KEYS_A_STATEMENT)
    return sum(change(keys[start : start + KEYS_A_STATEMENT]) for start in starts)


def _stage_name(jobs: JobsTable) -> str:
    # PostgreSQL keeps temporary tables in a schema of the session's own.
    name = jobs.quoted(STAGE)
    return name if jobs.connection.backend == "postgresql" else f"{jobs.quoted(jobs.document.schema)}.{name}"
