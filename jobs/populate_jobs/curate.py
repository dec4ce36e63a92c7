"""What people decide about rows: priority, retrying errors, ignoring keys."""

from __future__ import annotations

from collections.abc import Sequence

from .pages import page_by_page, some_at_a_time
from .table import JobsTable
from .types import Key
from .whole import whole

_DEFAULT_PRIORITY = 5


def reprioritize(jobs: JobsTable, priority: int, *, applied: int | None) -> int:
    """Gives `priority` to pending rows that are less urgent, or that still have the one `applied` before."""
    before = priority if applied is None else applied

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("set_priority", [priority, *args], keys=condition).rowcount

    return page_by_page(jobs, "less_urgent", [priority, before, priority], change)


def retry_errors(jobs: JobsTable, *, match: str | None = None) -> int:
    """Error rows (those whose message contains `match`) are pending again, with all their attempts."""

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("retry_keys", args, keys=condition).rowcount

    return page_by_page(jobs, "error_keys", [match or ""], change)


def ignore_errors(jobs: JobsTable, *, match: str | None = None) -> int:
    """Error rows (those whose message contains `match`) are set aside."""

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("ignore_error_keys", args, keys=condition).rowcount

    return page_by_page(jobs, "error_keys", [match or ""], change)


def remove_pending(jobs: JobsTable) -> int:
    """Rows that wait, now or later, are gone; what is reserved stays."""

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        return jobs.run("remove_pending_keys", args, keys=condition).rowcount

    return page_by_page(jobs, "pending_keys", [], change)


def ignore(jobs: JobsTable, keys: Sequence[Key]) -> int:
    """Sets keys aside, queued or not, unless they are reserved now; how many are aside then."""
    value = f"({', '.join(['%s'] * len(jobs.attributes))}, 'ignore', {_DEFAULT_PRIORITY})"

    def change(keys: Sequence[Key]) -> int:
        condition, args = jobs.matching(keys)
        jobs.run("ignore_keys", args, key_values=", ".join([value] * len(keys)))
        return whole(jobs.run("count_ignored", args, keys=condition).rows[0][0])

    distinct = {jobs.values(key): key for key in keys}
    return some_at_a_time(list(distinct.values()), change)
