"""Requests to the cluster for one PopulateJob: of each name one at a time, and none again at once after it failed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from populate_operator.database.flight import Flight
from populate_operator.text import one_line

from .api import ClusterError

T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
LONGEST_UNANSWERED_SECONDS = 10.0
"""Where the API server was away or too busy: once it is back, all that waits for it goes on soon."""

log = logging.getLogger(__name__)


def nothing(_: object) -> None:
    """What came back changes nothing that watching would not show."""


class Errands:
    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def run(
        self,
        name: str,
        errand: Callable[[], Coroutine[Any, Any, T]],
        done: Callable[[T], None] = nothing,
        failed: Callable[[BaseException], None] = nothing,
    ) -> bool:
        """Whether it was begun: not where one of this name is still out, or failed a moment ago."""
        if self._flight.is_out(name) or time.monotonic() < self._not_before.get(name, 0.0):
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
        self._not_before.pop(name, None)

    def _pause(self, name: str, error: BaseException) -> None:
        log.info("%s: %s", name, one_line(str(error)))
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        unanswered = isinstance(error, ClusterError) and not error.says_no
        longest = LONGEST_UNANSWERED_SECONDS if unanswered else LONGEST_PAUSE_SECONDS
        pause = min(longest, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16))
        self._not_before[name] = time.monotonic() + pause
