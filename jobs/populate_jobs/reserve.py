"""How a key is reserved.

Unrestricted: the most urgent due rows are picked and locked in one statement that passes over what others hold, then
marked. Restricted: the restriction never stands in a locking read, where it would keep rejected rows locked for
everybody else; candidates are read without locks, locked by primary key, and marked. The next look begins where this
one found the first of them.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .errors import DatabaseError
from .finish import SUSPECT
from .frontier import Position
from .table import JobsTable
from .types import Holder, Key, Reservation

_CANDIDATES_PER_KEY = 4
_CANDIDATES_LEAST = 32
_DEEPER = 4
_PASSED_OVER = 64
"""Suspects at the head of the queue that a worker in company reads past."""


def due(jobs: JobsTable) -> bool:
    """Is there anything for us to reserve? One statement, no locks."""
    return bool(jobs.run("due").rows)


def reserve(jobs: JobsTable, holder: Holder, n: int, *, alone: bool = True) -> list[Reservation]:
    """Up to n due rows, the most urgent first, now ours; fewer where others hold the rest.

    A suspect is given only to a worker that is `alone` (holds nothing else now), and then nothing besides it; where one
    was first in line for a worker that is not, `jobs.suspect_waits`.
    """
    jobs.suspect_waits = False
    if not jobs.restricted:
        return _take(jobs, holder, n, alone, functools.partial(_pick, jobs, n, alone))
    for page in _candidate_pages(jobs, n):
        if reserved := _take(jobs, holder, n, alone, functools.partial(_lock, jobs, page, n, alone)):
            return reserved
    return []


def _take(
    jobs: JobsTable, holder: Holder, n: int, alone: bool, lock: Callable[[], list[tuple[Any, ...]]]
) -> list[Reservation]:
    return jobs.connection.atomically(lambda: _mark(jobs, holder, lock(), n, alone))


def _pick(jobs: JobsTable, n: int, alone: bool) -> list[tuple[Any, ...]]:
    rows = jobs.run("pick", [n]).rows
    if alone or len(rows) < n or not all(map(_is_suspect, rows)):
        return rows
    return jobs.run("pick", [n + _PASSED_OVER]).rows


def _candidate_pages(jobs: JobsTable, n: int) -> Iterator[list[Key]]:
    """From the frontier on, deeper each time (an offset would skip as many rows as others took meanwhile); from the
    head of the queue when there are no more."""
    start = jobs.frontier.start(time.monotonic())
    depth = least = max(_CANDIDATES_LEAST, n * _CANDIDATES_PER_KEY)
    while True:
        rows = _candidates(jobs, start, depth)
        if rows:
            yield [jobs.key(row) for row in _shuffled_within_priority(rows)]
        if len(rows) == depth:
            depth *= _DEEPER
        elif start is None:
            return
        else:
            start, depth = None, least


def _candidates(jobs: JobsTable, start: Position | None, most: int) -> list[tuple[Any, ...]]:
    began = time.monotonic()
    if start is None:
        rows = jobs.run("candidates", [most]).rows
    else:
        rows = jobs.run("candidates_from", [start.priority, start.priority, start.scheduled_time, most]).rows
    if rows:
        jobs.frontier = jobs.frontier.after(start, Position(*rows[0][-2:]), began, time.monotonic())
    return rows


def _shuffled_within_priority(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """So that workers that read the same page do not all reach for the same row."""
    shuffled = sorted(rows, key=lambda _row: random.random())
    return sorted(shuffled, key=lambda row: int(row[-2]))


def _lock(jobs: JobsTable, candidates: Sequence[Key], n: int, alone: bool) -> list[tuple[Any, ...]]:
    locked: list[tuple[Any, ...]] = []
    missing = n
    for start in range(0, len(candidates), n):
        condition, args = jobs.matching(candidates[start : start + n])
        locked += jobs.run("lock", [*args, missing], keys=condition).rows
        missing = n - sum(alone or not _is_suspect(row) for row in locked)
        if missing <= 0:
            break
    return locked


def _mark(jobs: JobsTable, holder: Holder, locked: list[tuple[Any, ...]], n: int, alone: bool) -> list[Reservation]:
    if locked and not alone:
        jobs.suspect_waits = jobs.suspect_waits or _is_suspect(locked[0])
    chosen = _without_suspects_in_company(locked, alone)[:n]
    if not chosen:
        return []
    now = chosen[0][-1]
    connection_id = jobs.connection.id
    keys = [jobs.key(row) for row in chosen]
    condition, args = jobs.matching(keys)
    marked = jobs.run(
        "mark_reserved",
        [now, holder.host, holder.pid, connection_id, holder.user, holder.version, *args],
        keys=condition,
    ).rowcount
    if marked != len(keys):  # a value that is not equal to itself, or to that of two rows
        raise DatabaseError(
            f"{marked} rows of {jobs.document.jobs} have the keys that were read of {len(keys)}: {keys}"
        )
    return [
        Reservation(key, holder.host, holder.pid, connection_id, now, bool(row[-2]), _is_suspect(row))
        for key, row in zip(keys, chosen, strict=True)
    ]


def _without_suspects_in_company(locked: list[tuple[Any, ...]], alone: bool) -> list[tuple[Any, ...]]:
    """A suspect runs alone: it comes by itself, when it is first in line, or waits."""
    if alone and locked and _is_suspect(locked[0]):
        return locked[:1]
    return [row for row in locked if not _is_suspect(row)]


def _is_suspect(row: tuple[Any, ...]) -> bool:
    return str(row[-2] or "").startswith(SUSPECT)
