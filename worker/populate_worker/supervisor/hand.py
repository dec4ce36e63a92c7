"""The keys in hand: those that wait, and those that runners were fed or are making."""

from __future__ import annotations

import collections
from collections.abc import Iterable

from populate_jobs import Reservation

from . import prefetch
from .crew import Crew
from .prefetch import Pace
from .runner_process import RunnerProcess


class Hand:
    def __init__(self, crew: Crew) -> None:
        self.pace = Pace()
        self._crew = crew
        self._waiting: collections.deque[tuple[Reservation, float]] = collections.deque()
        """With the time at which each was reserved."""

    def __len__(self) -> int:
        return self.unbegun + sum(runner.running is not None for runner in self._crew)

    @property
    def unbegun(self) -> int:
        return len(self._waiting) + sum(len(runner.fed) for runner in self._crew)

    @property
    def has_suspect(self) -> bool:
        return any(reservation.suspect for reservation in self.reservations())

    def reservations(self) -> list[Reservation]:
        unbegun = [*self._waiting, *(fed for runner in self._crew for fed in runner.fed.values())]
        running = [runner.running.reservation for runner in self._crew if runner.running]
        return [*running, *(reservation for reservation, _ in unbegun)]

    def wanted(self, now: float) -> int:
        """Keys to ask for. A suspect is made while nothing else is in hand."""
        runners = self._crew.working()
        # A runner that was fed and has not begun is as good as at its key: nothing more is asked for it.
        elapsed = [None if runner.idle else _elapsed(runner, now) or 0.0 for runner in runners]
        wanted = prefetch.wanted(self.pace, elapsed, len(self._waiting), self.unbegun - len(self._waiting))
        return 0 if wanted and self.has_suspect else wanted

    def rest(self) -> float:
        """How long the runners can do without us."""
        return prefetch.rest(self.pace, [len(runner.fed) for runner in self._crew.working()])

    def add(self, reservations: Iterable[Reservation], now: float) -> None:
        self._waiting.extend((reservation, now) for reservation in reservations)

    def share(self, now: float) -> None:
        """Feeds the runners: first those that have none, then all, a little ahead."""
        runners = self._crew.working()
        for runner in runners:
            if prefetch.stuck(_elapsed(runner, now)):
                self.put_back(runner)
        for ahead in (0, prefetch.feed(self.pace, max(1, len(runners)))):
            for runner in runners if self._waiting else ():
                self._feed(runner, ahead, now)

    def put_back(self, runner: RunnerProcess) -> None:
        """What it has not begun waits again, first in line."""
        self._waiting.extendleft(reversed(runner.take_back()))

    def inherit(self, runner: RunnerProcess) -> None:
        """What a runner that has ended was fed and did not begin."""
        self._waiting.extendleft(reversed(runner.fed.values()))

    def overdue(self, now: float) -> list[Reservation]:
        """What has waited so long that others should have it; no longer in hand."""
        if self._waiting and prefetch.overdue(now - self._waiting[0][1]):
            return self._drop()
        return []

    def give_up(self) -> list[Reservation]:
        """All that no make has begun; no longer in hand."""
        for runner in self._crew:
            self.put_back(runner)
        return self._drop()

    def _drop(self) -> list[Reservation]:
        dropped = [reservation for reservation, _ in self._waiting]
        self._waiting.clear()
        return dropped

    def _feed(self, runner: RunnerProcess, ahead: int, now: float) -> None:
        if prefetch.stuck(_elapsed(runner, now)):
            return
        room = ahead + 1 - len(runner.fed) - (runner.running is not None)
        while room > 0 and self._waiting and runner.feed(*self._waiting[0]):
            self._waiting.popleft()
            room -= 1


def _elapsed(runner: RunnerProcess, now: float) -> float | None:
    return now - runner.running.since if runner.running else None
