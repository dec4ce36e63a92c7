"""Looks at rows and locks from other sessions, at the very moment a statement of the queue has run or is about to."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pymysql
from populate_jobs import JobsTable
from populate_jobs.connection import Result

from tests.database.pipeline import Pipeline

_NOWAIT_REFUSED = (1205, 3572, "55P03")


class Watched(JobsTable):
    """Calls `before[name]` and `after[name]` around the named statement, with its transaction still open."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.before: dict[str, Callable[[], object]] = {}
        self.after: dict[str, Callable[[], object]] = {}

    def run(self, statement: str, args: Sequence[Any] = (), **parts: str) -> Result:
        self.before.get(statement, _nothing)()
        result = super().run(statement, args, **parts)
        self.after.get(statement, _nothing)()
        return result


def once(action: Callable[[], object]) -> Callable[[], object]:
    """The action for the first call only."""
    left = [action]
    return lambda: left.pop()() if left else None


@contextlib.contextmanager
def locked(pipeline: Pipeline, *keys: Any) -> Iterator[None]:
    """A second session holds these rows' locks, and a third one has seen that it does."""
    holder = pipeline.server.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            for key in keys:
                cursor.execute(*_select_locking(pipeline, key))
        assert [key for key in keys if not is_locked(pipeline, key)] == []
        yield
        with holder.cursor() as cursor:
            cursor.execute("ROLLBACK")
    finally:
        holder.close()


def is_locked(pipeline: Pipeline, key: Any) -> bool:
    """Whether some session holds the row's lock: a locking read that does not wait is refused."""
    sql, args = _select_locking(pipeline, key)
    try:
        pipeline.execute(f"{sql} NOWAIT", args)
    except (pymysql.OperationalError, psycopg.OperationalError) as error:
        code = error.sqlstate if isinstance(error, psycopg.Error) else error.args[0]
        if code not in _NOWAIT_REFUSED:
            raise
        return True
    return False


def _select_locking(pipeline: Pipeline, key: Any) -> tuple[str, list[Any]]:
    columns = pipeline.key(key)
    condition = " AND ".join(f"{pipeline.quoted(name)} = %s" for name in columns)
    return f"SELECT 1 FROM {pipeline.document().jobs} WHERE {condition} FOR UPDATE", list(columns.values())


def _nothing() -> None:
    pass
