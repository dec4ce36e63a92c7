"""Gets keys from the queue: one question at a time, no oftener than idleness and errors allow."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from populate_jobs import Holder, JobsTable, Recovered, Reservation, RetryPolicy, due, recover, reserve
from populate_jobs.errors import PopulateError, TableMissing

from . import idle, memory
from .queue_thread import QueueThread, Work

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 15.0
HURRY_SECONDS = 0.2
"""Least time between two looks, however often somebody says that there are keys."""
MISSING_PAUSE_SECONDS = 60.0
"""A table that is not there is for others to bring back; that it is there is noticed within so long."""


@dataclass(frozen=True)
class Strays:
    """Rows reserved in our name that we do not hold; with a reason, they come back as suspects."""

    suspect: str | None = None


class Supply:
    """Begins by giving back what an earlier worker of the same name left reserved."""

    def __init__(
        self,
        queue: QueueThread,
        host: str,
        policy: Callable[[], RetryPolicy],
        deliver: Callable[[list[Reservation]], None],
        held: Callable[[], Sequence[Reservation]],
    ) -> None:
        self.version = ""
        """The code's, for the rows we reserve."""
        self.next_look = 0.0
        self.asking = False
        self.answered = False
        """Whether the last question was, and there was one since the database was doubted."""
        self.error: PopulateError | None = None
        """Why it was not."""
        self.suspect_waits = False
        """Whether one was first in line the last time, and could not be had, for we were not alone."""
        self.strays: Strays | None = _of_a_predecessor()
        self._first = self.strays
        self._queue = queue
        self._host = host
        self._policy = policy
        self._deliver = deliver
        self._held = held
        self._scarce_since: float | None = None
        self._asked_at = 0.0
        self._failures = 0
        self._postponed = 0
        """Makes in a row that could not be."""
        self._doubted = False

    @property
    def owes(self) -> bool:
        """Whether there is an answer to wait for, or something in our name to give back."""
        return self.asking or self.strays not in (None, self._first)

    def doubt(self) -> None:
        """Something went wrong that may be the database's fault: whether it answers is asked at once."""
        self.answered, self._doubted = False, True
        self.next_look = 0.0

    def hurry(self) -> None:
        """Somebody says that there are keys; whoever it is, the queue is not asked much oftener than it bears."""
        if self.error is None:
            self.next_look = min(self.next_look, self._asked_at + HURRY_SECONDS)

    def look_before(self, then: float) -> None:
        """Whatever pause the last error asked for."""
        self.next_look = min(self.next_look, then)

    def postpone(self, why: str) -> None:
        """No key can be made for now, whichever it is: the next is asked for later, and later each time."""
        if not self._postponed:
            log.error("no key can be made now, trying again: %s", why)
        # As if it had been asked then: nobody hurries it before.
        self.next_look = self._asked_at = time.monotonic() + _pause(self._postponed, LONGEST_PAUSE_SECONDS)
        self._postponed += 1

    def resume(self) -> None:
        """A key was made."""
        self._postponed = 0

    def give_back_strays(self, suspect: str | None = None) -> None:
        """At the next look, which is now."""
        self.strays = Strays(suspect or (self.strays.suspect if self.strays else None))
        self.next_look = 0.0

    def look(self, n: int, *, alone: bool, now: float) -> None:
        """Asks for n keys; first whether there are any, when there were too few last time."""
        if self.asking or now < self.next_look:
            return
        if self.strays is not None:
            self._recover(self.strays)
        elif self._doubted or (n > 0 and self._scarce_since is not None):
            self._ask(due, self._seen, None)
        elif n > 0:
            self._reserve(n, alone)

    def _recover(self, strays: Strays) -> None:
        held, policy = tuple(self._held()), self._policy()
        self.strays = None

        def work(jobs: JobsTable) -> Recovered:
            return recover(jobs, [self._host], suspect=strays.suspect, policy=policy, but=held)

        self._ask(work, self._recovered, strays)

    def _reserve(self, n: int, alone: bool) -> None:
        host, pid, version = self._host, os.getpid(), self.version

        def work(jobs: JobsTable) -> tuple[list[Reservation], bool]:
            return reserve(jobs, Holder(host, pid, jobs.connection.user, version), n, alone=alone), jobs.suspect_waits

        self._ask(work, lambda answer: self._reserved(answer[0], answer[1], n), Strays())

    def _ask(self, work: Work, then: Callable[[Any], None], strays_if_lost: Strays | None) -> None:
        self.asking, self._asked_at = True, time.monotonic()
        self._queue.submit(work, lambda answer: self._answered(answer, then, strays_if_lost), insist=False)

    def _answered(self, answer: Any, then: Callable[[Any], None], strays_if_lost: Strays | None) -> None:
        self.asking = False
        if not isinstance(answer, Exception):
            self.answered, self._doubted, self.error, self._failures = True, False, None, 0
            then(answer)
        elif isinstance(answer, PopulateError):
            self.strays = self.strays or strays_if_lost
            self._failed(answer)
        else:
            raise answer

    def _failed(self, error: PopulateError) -> None:
        if str(error) != str(self.error):
            log.error("the queue cannot be asked, trying again: %s", error)
        longest = MISSING_PAUSE_SECONDS if isinstance(error, TableMissing) else LONGEST_PAUSE_SECONDS
        self.answered, self.error = False, error
        self.next_look = time.monotonic() + _pause(self._failures, longest)
        self._failures += 1

    def _recovered(self, recovered: Recovered) -> None:
        if recovered != Recovered():
            log.warning("found rows reserved in our name that we do not hold: %s", recovered)

    def _seen(self, any_due: bool) -> None:
        if any_due:
            self._scarce_since = None
        else:
            self._pause()

    def _reserved(self, reserved: list[Reservation], suspect_waits: bool, n: int) -> None:
        self.suspect_waits = suspect_waits
        if reserved:
            self._scarce_since = None
        if len(reserved) < n and not any(reservation.suspect for reservation in reserved):
            self._pause()
        self._deliver(reserved)

    def _pause(self) -> None:
        now = time.monotonic()
        if self._scarce_since is None:
            self._scarce_since = now
        self.next_look = now + idle.pause(now - self._scarce_since, random.random(), now - self._asked_at)


def _pause(times: int, longest: float) -> float:
    return min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(times, 16)) * random.uniform(0.5, 1.0)


def _of_a_predecessor() -> Strays:
    """Of an earlier container in the same pod: they do not go without giving back what they hold unless killed."""
    return Strays(f"its worker was killed while it made this key, likely OOMKilled: {memory.look()}; {memory.RAISE}")
