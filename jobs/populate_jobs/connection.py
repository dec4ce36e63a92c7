"""One session on one server: runs statements, turns driver errors into ours, retries what lost a lock fight."""

from __future__ import annotations

import contextlib
import importlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from .bounds import MOST_ROWS
from .errors import Contended, DatabaseError, DatabaseUnreachable, LockWaitedFor, PopulateError
from .settings import DatabaseSettings
from .statements import statements

T = TypeVar("T")

CONTENDED_TRIES = 8
CONTENDED_SECONDS = 0.02
OPEN_SECONDS = 30.0
"""Most time to open a session, also where the server trickles bytes."""


@dataclass(frozen=True)
class Result:
    rows: list[tuple[Any, ...]]
    rowcount: int
    """Rows changed, or found by a SELECT."""


class Connection:
    """Not for use by several threads at once. Every method may raise DatabaseUnreachable; reconnect() then."""

    def __init__(
        self, settings: DatabaseSettings, name: str, statement_seconds: float | None, lock_seconds: float | None
    ) -> None:
        self.settings = settings
        self._name = name
        self._limits = (statement_seconds, lock_seconds)
        self._driver = _driver(settings.backend)
        self.statements = statements(self._driver.NAME)
        self._raw: Any = None
        self._in_transaction = False
        self.reconnect()

    @property
    def backend(self) -> str:
        return self.settings.backend

    def reconnect(self) -> None:
        """Opens a new session; the old one, its transaction and its temporary tables are gone."""
        self.close()
        with self.within(OPEN_SECONDS):
            with self._translated():
                self._driver.open_connection(self.settings, self._name, *self._limits, self._opening)
            version, self.id, self.user = self.execute(self.statements["describe_session"]).rows[0]
        self.version: str = str(version)

    def _opening(self, raw: Any) -> None:
        """From here on there is something to abandon."""
        self._raw = raw

    def close(self) -> None:
        self._in_transaction = False
        if self._raw is not None:
            self._driver.close(self._raw)

    def abandon(self) -> None:
        """From another thread: what is under way fails as if the server were gone, whatever the server does."""
        if self._raw is not None:
            self._driver.abandon(self._raw)

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """What takes longer is abandoned: the limits of a session are kept by the server, if it wants to."""
        late = threading.Timer(seconds, self.abandon)
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()

    def execute(self, sql: str, args: Sequence[Any] = ()) -> Result:
        """Runs one statement; `%s` are values and `%%` is a percent sign, on every dialect.

        Outside a transaction a deadlock or a lock wait is tried again a few times before it raises Contended.
        """
        if self._in_transaction:
            return self._execute(sql, args)
        return _contending(lambda: self._execute(sql, args), self._waits_for_locks)

    def atomically(self, work: Callable[[], T]) -> T:
        """Runs `work` in a transaction, again from its start when it lost a lock fight."""
        return _contending(lambda: self._once_atomically(work), self._waits_for_locks)

    @property
    def in_transaction(self) -> bool:
        return self._in_transaction

    @property
    def _waits_for_locks(self) -> bool:
        return self._limits[1] is None

    def _once_atomically(self, work: Callable[[], T]) -> T:
        with self.transaction():
            return work()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        self._execute("BEGIN", ())
        self._in_transaction = True
        try:
            yield
        except BaseException:
            self._in_transaction = False
            with contextlib.suppress(PopulateError):
                self._execute("ROLLBACK", ())
            raise
        self._in_transaction = False
        self._execute("COMMIT", ())

    def _execute(self, sql: str, args: Sequence[Any]) -> Result:
        if self._raw is None or not self._driver.is_open(self._raw):
            raise DatabaseUnreachable("the connection is closed")
        with self._translated(), self._raw.cursor() as cursor:
            cursor.execute(sql, tuple(args))
            if cursor.description is None:
                return Result([], cursor.rowcount)
            if cursor.rowcount > MOST_ROWS:
                raise DatabaseError(f"the answer has {cursor.rowcount} rows: more than {MOST_ROWS} are not read")
            return Result(list(cursor.fetchall()), cursor.rowcount)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (*self._driver.DRIVER_ERROR, OSError) as error:
            translated = self._driver.translate(error)
            if isinstance(translated, DatabaseUnreachable):
                self.close()
            raise translated from error


def connect(
    settings: DatabaseSettings, *, name: str, statement_seconds: float | None = None, lock_seconds: float | None = None
) -> Connection:
    """A session for the queue; raises DatabaseUnreachable or LoginRefused.

    `name` is shown in the server's list of sessions; `statement_seconds` bounds every statement, `lock_seconds` its
    wait for a table that somebody alters (on PostgreSQL for a row, too), which then raises LockWaitedFor.
    """
    return Connection(settings, name, statement_seconds, lock_seconds)


def end_session(settings: DatabaseSettings, session: int, seconds: float) -> None:
    """Ends a session of the same user, and with it what the server does for it; `seconds` bounds the attempt."""
    connection = connect(settings, name="populate end session", statement_seconds=seconds)
    try:
        with connection.within(seconds):
            connection.execute(connection.statements["end_session"], [session])
    finally:
        connection.close()


def _driver(backend: str) -> ModuleType:
    return importlib.import_module(f".{backend}", __package__)


def _contending(work: Callable[[], T], waits_for_locks: bool) -> T:
    for attempt in range(1, CONTENDED_TRIES):
        try:
            return work()
        except Contended as error:
            if isinstance(error, LockWaitedFor) and not waits_for_locks:
                raise
            time.sleep(random.uniform(0.5, 1.5) * CONTENDED_SECONDS * attempt)
    return work()
