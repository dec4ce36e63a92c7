"""A run as lines of text, for logs and pipes: a line when something happens, and now and then how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from populate_operator.display.numbers import clock, numbers, pace
from populate_operator.plan import Plan
from populate_operator.plan.conditions import some

from . import closing, words
from .populating import Populating
from .run import Ending

EVERY = 10.0
"""Seconds between two lines on the same PopulateJob where only its numbers change."""


class Plain:
    def __init__(self, flags: str) -> None:
        """`flags` are those by which other commands find the same manifest and database."""
        self._flags = flags
        self._shown: dict[str, tuple[datetime, str, str]] = {}
        self._told: dict[str, Plan] = {}

    def begin(self, jobs: Sequence[Populating], databases: Sequence[str], notes: Sequence[str]) -> None:
        for note in notes:
            self.say(f"note: {note}")
        for database in databases:
            self.say(database)
        self.say(f"{', '.join(job.name for job in jobs)}; Ctrl-C once drains, twice stops")

    def show(self, jobs: Sequence[Populating], now: datetime) -> None:
        for job in jobs:
            self._show(job, now)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def end(self, jobs: Sequence[Populating], ending: Ending, left: str) -> None:
        for job in jobs:
            if self._shown.get(job.name, (None, "", ""))[2] != _line(job):
                self.say(_line(job))
        for line in closing.lines(jobs, ending, left, self._flags):
            self.say(line)

    def _show(self, job: Populating, now: datetime) -> None:
        if job.plan is None:
            return
        self._tell(job.name, job.plan, now)
        mood, line = words.state(job), _line(job)
        at, last_mood, last_line = self._shown.get(job.name, (None, None, None))
        if line == last_line or (at and mood == last_mood and (now - at).total_seconds() < EVERY):
            return
        self._shown[job.name] = (now, mood, line)
        self.say(f"{clock(now)} {line}")

    def _tell(self, name: str, plan: Plan, now: datetime) -> None:
        """The warnings of a plan, once."""
        if self._told.get(name) is plan:
            return
        self._told[name] = plan
        for event in plan.events:
            if event.type == "Warning":
                self.say(f"{clock(now)} {name}: {event.reason}: {event.message}")


def _line(job: Populating) -> str:
    status = job.plan.status if job.plan else {}
    count = numbers(status)
    workers = len(job.crew.workers)
    parts = [
        words.state(job),
        count.progress and f"{count.progress} made",
        count.pending and f"{count.pending} pending",
        count.scheduled and f"{count.scheduled} scheduled",
        count.reserved and f"{count.reserved} running",
        count.error and some(count.error, "error"),
        count.ignored and f"{count.ignored} ignored",
        workers and some(workers, "worker"),
        pace(status),
    ]
    return f"{job.name}: {', '.join(str(part) for part in parts if part)}"
