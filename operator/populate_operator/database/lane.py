"""Connections in threads of their own: what is submitted runs in order, and nobody else waits for it."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from populate_jobs import Connection, DatabaseSettings, connect, end_session
from populate_jobs.errors import DatabaseUnreachable, PopulateError, TookTooLong

T = TypeVar("T")
Tasks = queue.SimpleQueue[tuple[Future[Any], Callable[[Connection], Any]] | None]

GRACE_SECONDS = 30.0
"""A session whose task took too long is ended from outside; should that fail, it ends itself so much later."""
END_SECONDS = 10.0
IDLE_SECONDS = 60.0
"""After so long a connection that nobody needs is closed."""


@dataclass(frozen=True)
class Limits:
    """In seconds."""

    task: float
    """All that one task may take."""
    crowded: float
    """All that it may take while others wait for the connection."""
    lock: float
    """Most time to wait for a table that somebody alters: the others of the same statement wait with it."""


class Lane:
    """As many connections as `width`, where so many tasks are under way at once.

    Each connects at its first task, and again at the next one after the connection was lost or closed. The threads are
    daemons: a server that does not answer never keeps the process from ending.
    """

    def __init__(self, settings: DatabaseSettings, name: str, limits: Limits, width: int = 1) -> None:
        self._tasks: Tasks = queue.SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        """Of being closed, against what is submitted meanwhile."""
        self._tracks = [Track(settings, name, limits, self._tasks) for _ in range(width)]

    def submit(self, task: Callable[[Connection], T]) -> Future[T]:
        """The future raises what the task raised, or what connecting did, or TookTooLong; of a closed lane always."""
        future: Future[T] = Future()
        with self._lock:
            if not self._closed:
                self._tasks.put((future, task))
                return future
        future.set_exception(DatabaseUnreachable("this login is not used any more"))
        return future

    @property
    def is_up(self) -> bool | None:
        """Whether the server answered the last task, if only by a refusal; None before the first."""
        told = [track.is_up for track in self._tracks if track.is_up is not None]
        return any(told) if told else None

    def keep_time(self, clock: float) -> None:
        """Ends what takes too long; to be called now and then, with the monotonic time."""
        for track in self._tracks:
            track.keep_time(clock)

    def close(self, seconds: float = 5.0) -> None:
        """Lets what was submitted end, for at most so long; what has not ended by then is ended."""
        deadline = time.monotonic() + seconds
        with self._lock:
            self._closed = True
            for _ in self._tracks:
                self._tasks.put(None)
        for track in self._tracks:
            track.join(deadline - time.monotonic())
        for track in self._tracks:
            track.end()
        deadline += seconds
        for track in self._tracks:
            track.join(deadline - time.monotonic())


class Track:
    """One connection of a lane, and its thread."""

    def __init__(self, settings: DatabaseSettings, name: str, limits: Limits, tasks: Tasks) -> None:
        self._settings = settings
        self._limits = limits
        self._connect = functools.partial(
            connect, settings, name=name, statement_seconds=limits.task + GRACE_SECONDS, lock_seconds=limits.lock
        )
        self._connection: Connection | None = None
        self.is_up: bool | None = None
        self._tasks = tasks
        self._started: float | None = None
        self._ended_after = 0.0
        self._ending: Ending | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def keep_time(self, clock: float) -> None:
        started = self._started
        limit = self._limits.task if self._tasks.empty() else self._limits.crowded
        if started is not None and clock - started > limit:
            self.end()

    def end(self) -> None:
        """What is under way."""
        with self._lock:
            if self._started is not None and self._ending is None and self._connection is not None:
                self._ended_after = time.monotonic() - self._started
                self._ending = Ending(self._settings, self._connection)

    def join(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def _work(self) -> None:
        while True:
            try:
                entry = self._tasks.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                self._disconnect()
                continue
            if entry is None:
                break
            self._started = time.monotonic()
            self._run(*entry)
        self._disconnect()

    def _run(self, future: Future[Any], task: Callable[[Connection], Any]) -> None:
        if not future.set_running_or_notify_cancel():
            self._finish()
            return
        result, error = None, None
        try:
            result = task(self._connected())
        except BaseException as raised:  # noqa: BLE001 the one who waits for the result is to have it
            error = raised
        was_ended = self._finish()
        if was_ended or isinstance(error, DatabaseUnreachable):
            self._disconnect()
        self.is_up = was_ended or self._connection is not None
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(self._too_long(error) if was_ended else error)

    def _finish(self) -> bool:
        """Whether its session was ended meanwhile; it is not the next task's."""
        with self._lock:
            self._started, ending, self._ending = None, self._ending, None
        if ending is not None:
            ending.is_over()
        return ending is not None

    def _too_long(self, cause: BaseException) -> TookTooLong:
        error = TookTooLong(f"ended after {self._ended_after:.1f} s: is key_source, or the restriction, that slow?")
        error.__cause__ = cause
        return error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


class Ending:
    """Of a session, from outside: the server is asked for it, and left where it does not do it."""

    def __init__(self, settings: DatabaseSettings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._end, name="populate end", daemon=True)
        self._thread.start()

    def is_over(self) -> None:
        """What was to be ended has: to be called before the connection is used for anything else."""
        self._over.set()
        self._thread.join()

    def _end(self) -> None:
        with contextlib.suppress(PopulateError):
            end_session(self._settings, self._connection.id, END_SECONDS)
            self._over.wait(END_SECONDS)
        if not self._over.is_set():
            self._connection.abandon()
