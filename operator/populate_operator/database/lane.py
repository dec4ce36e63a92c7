"""One connection in a thread of its own: what is submitted runs in order, and nobody else waits for it."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from populate_jobs import Connection, DatabaseSettings, connect
from populate_jobs.errors import DatabaseUnreachable

T = TypeVar("T")


class Lane:
    """Connects at the first task, and again at the next one after the connection was lost.

    The thread is a daemon: a server that does not answer never keeps the process from ending.
    """

    def __init__(
        self, settings: DatabaseSettings, name: str, statement_seconds: float | None = None,
        lock_seconds: float | None = None,
    ) -> None:  # fmt: skip
        self._connect = functools.partial(
            connect, settings, name=name, statement_seconds=statement_seconds, lock_seconds=lock_seconds
        )
        self._connection: Connection | None = None
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[Connection], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[Connection], T]) -> Future[T]:
        """The future raises what the task raised, or what connecting did."""
        future: Future[T] = Future()
        self._tasks.put((future, task))
        return future

    def close(self, seconds: float = 5.0) -> None:
        """Lets what was submitted end, for at most so long."""
        self._tasks.put(None)
        self._thread.join(seconds)

    def _work(self) -> None:
        while (entry := self._tasks.get()) is not None:
            future, task = entry
            if future.set_running_or_notify_cancel():
                self._run(future, task)
        self._disconnect()

    def _run(self, future: Future[Any], task: Callable[[Connection], Any]) -> None:
        try:
            future.set_result(task(self._connected()))
        except BaseException as error:  # noqa: BLE001 the one who waits for the result is to have it
            if isinstance(error, DatabaseUnreachable):
                self._disconnect()
            future.set_exception(error)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
