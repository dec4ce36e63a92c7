"""Changes many rows in short transactions, each by primary key: nobody waits long, nothing deadlocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .table import JobsTable
from .types import Key

PAGE = 50_000
KEYS_A_STATEMENT = 500


def page_by_page(jobs: JobsTable, select: str, args: Sequence[Any], change: Callable[[Sequence[Key]], int]) -> int:
    """Calls `change` with the keys that the named SELECT finds until it finds no more; the sum of what it returns.

    The SELECT ends in a LIMIT, and does not find again what was changed.
    """
    changed = 0
    while True:
        keys = [jobs.key(row) for row in jobs.run(select, [*args, PAGE]).rows]
        now = some_at_a_time(keys, change)
        changed += now
        # A whole page that others changed first would otherwise come for ever.
        if len(keys) < PAGE or not now:
            return changed


def some_at_a_time(keys: Sequence[Key], change: Callable[[Sequence[Key]], int]) -> int:
    """Calls `change` with as many keys as one statement takes; the sum of what it returns."""
    starts = range(0, len(keys), KEYS_A_STATEMENT)
    return sum(change(keys[start : start + KEYS_A_STATEMENT]) for start in starts)
