"""Requests to the cluster for one PopulateJob: of each name one at a time, and none again at once after it failed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.plan import Problem
from populate_operator.text import one_line

from .api import ClusterError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_UNANSWERED_SECONDS = 10.0
"""Where the API server was away or too busy: once it is back, all that waits for it goes on soon."""

TOO_MANY = 429
TROUBLE_TIMES = 3
"""So often in a row a request fails before it is said: most of what fails once passes."""
FORGOTTEN_SECONDS = 600.0
"""What was not tried again for so long after its pause will not be: names of pods never come back."""

log = logging.getLogger(__name__)


def nothing(_: object) -> None:
    """What came back changes nothing that watching would not show."""


@dataclass(frozen=True)
class Failure:
    """Of an errand, the last of `times` in a row."""

    error: BaseException
    times: int
    not_before: float


class Errands:
    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._failures: dict[str, Failure] = {}

    def problem(self, *those: str) -> Problem | None:
        """What the API server answers again and again to the first of these errands that it lets down."""
        found = (self._failures.get(name) for name in those)
        failure = next((failure for failure in found if failure and _is_trouble(failure, time.monotonic())), None)
        return Problem("RequestFailed", one_line(str(failure.error)), tasks.now(), failure.times) if failure else None

    def run(
        self,
        name: str,
        errand: Callable[[], Coroutine[Any, Any, T]],
        done: Callable[[T], None] = nothing,
        failed: Callable[[BaseException], None] = nothing,
    ) -> bool:
        """Whether it was begun: not where one of this name is still out, or failed a moment ago."""
        failure = self._failures.get(name)
        if self._flight.is_out(name) or (failure and time.monotonic() < failure.not_before):
            return False

        def landed(found: T) -> None:
            self.forgive(name)
            done(found)

        def lost(error: BaseException) -> None:
            self._pause(name, error)
            failed(error)

        self._flight.start(name, lambda: asyncio.ensure_future(errand()), landed, lost)
        return True

    def forgive(self, name: str) -> None:
        """It may be tried again at once."""
        self._failures.pop(name, None)

    def _pause(self, name: str, error: BaseException) -> None:
        before, now = self._failures.get(name), time.monotonic()
        times = before.times + 1 if before else 1
        unanswered = isinstance(error, ClusterError) and not error.says_no
        longest = LONGEST_UNANSWERED_SECONDS if unanswered else LONGEST_PAUSE_SECONDS
        pause = min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(times - 1, 16))
        self._tell(name, error, times)
        self._failures[name] = Failure(error, times, now + pause)
        recent = {other: found for other, found in self._failures.items() if now < found.not_before + FORGOTTEN_SECONDS}
        self._failures = recent

    def _tell(self, name: str, error: BaseException, times: int) -> None:
        """What stays in the way once as a warning, for nobody logs the rest."""
        level = logging.WARNING if times == TROUBLE_TIMES and _was_answered(error) else logging.INFO
        log.log(level, "%s: %s", name, one_line(str(error)))


def _is_trouble(failure: Failure, now: float) -> bool:
    """And not of an errand that nobody has any more."""
    is_tried = now < failure.not_before + LONGEST_PAUSE_SECONDS
    return is_tried and failure.times >= TROUBLE_TIMES and _was_answered(failure.error)


def _was_answered(error: BaseException) -> bool:
    """By the API server, and not because it is too busy."""
    return isinstance(error, ClusterError) and error.status not in (0, TOO_MANY)
