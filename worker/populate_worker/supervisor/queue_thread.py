"""The queue on a thread of its own, so that a slow or absent database stops no clock, signal or log line.

What is submitted is done in order. What must be done in the end (complete, fail, release) is tried until the database
is back; what can as well be asked later (reserve, due) is not.
"""

from __future__ import annotations

import collections
import logging
import os
import queue
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from populate_jobs import Connection, JobsTable, ResolveDocument, probe
from populate_jobs.errors import Contended, DatabaseUnreachable, LoginRefused, PopulateError
from populate_jobs.shortage import is_shortage

from .letting_go import ASK_SECONDS

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 15.0

Work = Callable[[JobsTable], Any]
Then = Callable[[Any], None]
"""Gets what the work returned or, where it failed for good, the exception."""


@dataclass(frozen=True)
class _Request:
    work: Work | None
    then: Then
    insist: bool


class QueueThread:
    def __init__(self, connect: Callable[[], Connection], document: ResolveDocument) -> None:
        self.document = document
        """May be replaced by one of the same table; holds from the next request on."""
        self.connects = 0
        self.starved = False
        """Whether the last try to connect found the server without a free connection."""
        self._connect = connect
        self._connection: Connection | None = None
        self._jobs: JobsTable | None = None
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._answers: collections.deque[tuple[Then, Any]] = collections.deque()
        self._readable, self._writable = os.pipe()
        self._abandoned = self._hurried = False
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queue", daemon=True)
        self._thread.start()

    def submit(self, work: Work, then: Then, *, insist: bool) -> None:
        self._requests.put(_Request(work, then, insist))

    def let_go(self) -> None:
        """Closes the connection; the next request opens another."""
        self._requests.put(_Request(None, lambda _: None, insist=False))

    def hurry(self) -> None:
        """There is not much time left: no pause is long from now on, nor the one that there is."""
        self._hurried = True
        self._woken.set()

    def fileno(self) -> int:
        """Readable when answers() has something."""
        return self._readable

    def answers(self) -> Iterator[tuple[Then, Any]]:
        """What was done since the last call: for the caller to call, on its own thread. Call when readable."""
        os.read(self._readable, 4096)
        while self._answers:
            yield self._answers.popleft()

    def close(self) -> None:
        """Tries nothing again, and ends once the statement that is running does."""
        self._abandoned = True
        self._woken.set()
        self._requests.put(None)
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while (request := self._requests.get()) is not None:
            self._answers.append((request.then, self._answer(request)))
            os.write(self._writable, b".")
        self._disconnect()

    def _answer(self, request: _Request) -> Any:
        if request.work is None:
            return self._disconnect()
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                return request.work(self._table())
            except DatabaseUnreachable as error:
                self._disconnect()
                failed: PopulateError = error
            except Contended as error:
                failed = error
            except LoginRefused as error:
                if not self.connects:
                    return error
                failed = DatabaseUnreachable(f"a login that was good is refused; has the password changed? {error}")
            except Exception as error:  # noqa: BLE001 the loop's to judge
                return error
            if not request.insist or self._abandoned:
                return failed
            log.warning("the database does not answer, trying again: %s", failed)
            self._woken.wait(pause * random.uniform(0.5, 1.5))
            self._woken.clear()
            pause = min(ASK_SECONDS if self.starved or self._hurried else LONGEST_PAUSE_SECONDS, 2 * pause)

    def _table(self) -> JobsTable:
        """On a connection that was open when last used, the server probed."""
        if self._connection is None:
            self._connection = self._open()
            self._jobs = None
            self.connects += 1
        if self._jobs is None or self._jobs.document is not self.document:
            jobs = JobsTable(self._connection, self.document)
            probe(jobs)
            self._jobs = jobs
        return self._jobs

    def _open(self) -> Connection:
        try:
            connection = self._connect()
        except PopulateError as error:
            self.starved = is_shortage(error)
            raise
        self.starved = False
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
