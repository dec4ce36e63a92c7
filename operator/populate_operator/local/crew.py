"""The workers of one PopulateJob: started, stopped, and replaced when they die."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from populate_operator.plan import Problem, Worker
from populate_operator.plan.cadence import next_try

from .process import Process, died_of, keep_small, last_line

SETTLED_SECONDS = 10.0
"""A worker that lived so long has come up well: what went wrong before is over."""
PATIENCE_SECONDS = 15.0
"""Beyond its drain time, before a worker that does not end is killed."""
HURRY_SECONDS = 5.0

# The worker's exit statuses that say the fault is not in one worker but in what all of them are given.
_SAYS_WHY = {2: "the assignment cannot be used", 3: "the database refuses the worker", 4: "the code cannot be run"}


@dataclass
class Member:
    slot: int
    """From 1, taken again by who comes later: what its log is named by."""
    host: str
    """Never taken again: rows tell by it whose they are."""
    process: Process
    started: datetime
    kill_at: float | None = None
    """A monotonic time; set when it was told to stop."""


Start = Callable[[str, int], Process]
"""Starts a worker that reserves under this host name, in this slot."""


class Crew:
    def __init__(self, start: Start, host: Callable[[str], str], drain_seconds: float) -> None:
        """`host` makes a host name of a worker's short name."""
        self._start = start
        self._host = host
        self._drain_seconds = drain_seconds
        self._members: list[Member] = []
        self._numbers = itertools.count(1)
        self.deaths: dict[str, str] = {}
        """Hosts of workers that were killed, and by what: one of their keys may be to blame."""
        self.problem: Problem | None = None

    @property
    def workers(self) -> tuple[Worker, ...]:
        return tuple(Worker(member.host, True, member.kill_at is not None) for member in self._members)

    @property
    def size(self) -> int:
        """Workers that were not told to stop."""
        return sum(member.kill_at is None for member in self._members)

    def reap(self, now: datetime, clock: float) -> None:
        """Notes who is gone, and kills who does not go."""
        for member in list(self._members):
            status = member.process.poll()
            if status is not None:
                self._members.remove(member)
                self._note(member, status, now)
            elif member.kill_at is not None and clock > member.kill_at:
                member.process.kill()
        if any((now - member.started).total_seconds() > SETTLED_SECONDS for member in self._members):
            self.problem = None

    def keep_logs_small(self) -> None:
        for member in self._members:
            if member.process.output is not None:
                keep_small(member.process.output)

    def resize(self, replicas: int, busy: frozenset[str], now: datetime, clock: float) -> None:
        """Starts or drains workers; idle and young ones are drained first."""
        staying = [member for member in self._members if member.kill_at is None]
        order = sorted(staying, key=lambda member: (member.host not in busy, member.started))
        for member in order[replicas:]:
            self._drain(member, clock)
        if self.problem is None or next_try(self.problem) <= now:
            for _ in range(replicas - len(staying)):
                self._add(now)

    def hurry(self, clock: float) -> None:
        """Tells everyone who is draining to give its keys back now."""
        for member in self._members:
            member.process.terminate()
            member.kill_at = clock + HURRY_SECONDS

    def kill(self) -> None:
        for member in self._members:
            member.kill_at = member.kill_at or 0.0
            member.process.kill()

    def _add(self, now: datetime) -> None:
        taken = {member.slot for member in self._members}
        slot = next(slot for slot in itertools.count(1) if slot not in taken)
        host = self._host(f"w{next(self._numbers)}")
        self._members.append(Member(slot, host, self._start(host, slot), now))

    def _drain(self, member: Member, clock: float) -> None:
        member.process.terminate()
        member.kill_at = clock + self._drain_seconds + PATIENCE_SECONDS

    def _note(self, member: Member, status: int, now: datetime) -> None:
        signal = died_of(status)
        sent_away = member.kill_at is not None
        if signal and not sent_away:
            self.deaths[member.host] = f"its worker was killed by {signal}"
        if status == 0 or sent_away:
            return
        why = _SAYS_WHY.get(status) or (f"killed by {signal}" if signal else f"ended with status {status}")
        message = ": ".join(part for part in (f"workers end early: {why}", last_line(member.process.output)) if part)
        times = self.problem.times + 1 if self.problem else 1
        self.problem = Problem("WorkersFailing", message, now, times, lasting=status in _SAYS_WHY)
