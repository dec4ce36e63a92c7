"""The rounds of one login: what its PopulateJobs ask for, and what is looked for time and again without being asked."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Protocol

import populate_jobs
from populate_jobs import Changes, Check, Look, Sight

from .lane import Lane
from .round import Round

SHORTEST, LONGEST = 1.0, 5.0
"""Seconds from one time to the next at which the guests ask again: all together, so that few statements do."""
GUESTS_A_SECOND = 200
"""Where there are more, they ask less often, and as many statements do."""


class Guest(Protocol):
    """Who takes part in the rounds."""

    def collect(self) -> None:
        """Takes in the answers that have come."""

    def ask_again(self, clock: float) -> None:
        """Asks what is due."""


class Rounds:
    def __init__(self, observe: Lane, refresh: Lane, slow: Lane, ring: Callable[[], None]) -> None:
        """`ring` is called, in any thread, when there are answers to collect."""
        self._ring = ring
        self._rang = False
        self.looks: Round[Look, Sight] = Round(observe, populate_jobs.look, self._landed)
        self.checks: dict[Lane, Round[Check, Changes]] = {
            lane: Round(lane, populate_jobs.check, self._landed) for lane in (refresh, slow)
        }
        self._guests: weakref.WeakSet[Guest] = weakref.WeakSet()
        self.next_at = 0.0
        """Monotonic time at which the guests ask again."""

    @property
    def every(self) -> float:
        return min(LONGEST, max(SHORTEST, len(self._guests) / GUESTS_A_SECOND))

    def join(self, guest: Guest) -> None:
        """Until nobody else knows it any more."""
        self._guests.add(guest)

    def collect(self) -> None:
        if self._rang:
            self._rang = False
            for guest in list(self._guests):
                guest.collect()

    def go(self, clock: float) -> None:
        """Sends all that was asked for since the last time and, now and then, what the guests ask again."""
        if clock >= self.next_at:
            self.next_at = (math.floor(clock / self.every) + 1) * self.every
            for guest in list(self._guests):
                guest.ask_again(clock)
        self.looks.send()
        for checks in self.checks.values():
            checks.send()

    def _landed(self) -> None:
        self._rang = True
        self._ring()
