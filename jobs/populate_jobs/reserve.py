"""How a key is reserved.

Unrestricted: the most urgent due rows are picked and locked in one statement that passes over what others hold, then
marked. Restricted: the restriction never stands in a locking read, where it would keep rejected rows locked for
everybody else; candidates are read without locks, locked by primary key, and marked. The next look begins where this
one found the first of them.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from .finish import SUSPECT
from .frontier import Position
from .table import JobsTable
from .types import Holder, Key, Reservation

_CANDIDATES_PER_KEY = 4
_CANDIDATES_LEAST = 32
_DEEPER = 4


def due(jobs: JobsTable) -> bool:
    """Is there anything for us to reserve? One statement, no locks."""
    return bool(jobs.run("due").rows)


def reserve(jobs: JobsTable, holder: Holder, n: int, *, alone: bool = True) -> list[Reservation]:
    """Up to n due rows, the most urgent first, now ours; fewer where others hold the rest.

    A suspect is given only to a worker that is `alone` (holds nothing else now), and then nothing besides it.
    """
    if not jobs.restricted:
        return jobs.connection.atomically(lambda: _mark(jobs, holder, _pick(jobs, n), n, alone))
    for page in _candidate_pages(jobs, n):
        reserved = jobs.connection.atomically(lambda page=page: _mark(jobs, holder, _lock(jobs, page, n), n, alone))  # type: ignore[misc]
        if reserved:
            return reserved
    return []


def _pick(jobs: JobsTable, n: int) -> list[tuple[Any, ...]]:
    return jobs.run("pick", [n]).rows


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


def _lock(jobs: JobsTable, candidates: Sequence[Key], n: int) -> list[tuple[Any, ...]]:
    locked: list[tuple[Any, ...]] = []
    for start in range(0, len(candidates), n):
        condition, args = jobs.matching(candidates[start : start + n])
        locked += jobs.run("lock", [*args, n - len(locked)], keys=condition).rows
        if len(locked) >= n:
            break
    return locked


def _mark(jobs: JobsTable, holder: Holder, locked: list[tuple[Any, ...]], n: int, alone: bool) -> list[Reservation]:
    chosen = _without_suspects_in_company(locked, alone)[:n]
    if not chosen:
        return []
    now = chosen[0][-1]
    connection_id = jobs.connection.id
    keys = [jobs.key(row) for row in chosen]
    condition, args = jobs.matching(keys)
    jobs.run(
        "mark_reserved",
        [now, holder.host, holder.pid, connection_id, holder.user, holder.version, *args],
        keys=condition,
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
