"""Tells the queue what became of keys. Completions go in batches: they are outside make's transaction, and if we die
in between the target still has the key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from populate_jobs import Failure, Outcome, Reservation, WorkerSettings, complete, fail, release

from populate_worker.messages import describe

from .queue_thread import QueueThread, Work

log = logging.getLogger(__name__)

BATCH = 64
LONGEST_SECONDS = 1.0
"""A finished key waits no longer for others to be told of together with it."""

_NEWS = {
    Outcome.MADE: (logging.DEBUG, "made"),
    Outcome.RELEASED: (logging.DEBUG, "given back"),
    Outcome.RETRY: (logging.WARNING, "to be tried again"),
    Outcome.ERROR: (logging.ERROR, "error"),
    Outcome.EMPTY: (logging.WARNING, "ignored: make inserted nothing"),
    Outcome.VANISHED: (logging.WARNING, "gone from key_source"),
    Outcome.LOST: (logging.WARNING, "taken away from this worker"),
}


class Settlement:
    """`settings` may be replaced. `count` is told every outcome, `unsettled` the error where one was not written."""

    def __init__(
        self,
        queue: QueueThread,
        settings: WorkerSettings,
        count: Callable[[Outcome], None],
        unsettled: Callable[[Exception], None],
    ) -> None:
        self.settings = settings
        self.finished: list[tuple[Reservation, float]] = []
        """Made, and the queue not told yet."""
        self._since = 0.0
        self._queue = queue
        self._count = count
        self._unsettled = unsettled
        self._told = 0
        self._batch: list[Reservation] = []
        """What the queue is being told is finished."""

    @property
    def open(self) -> int:
        """Keys that are no longer in hand and not yet written."""
        return self._told + len(self.finished)

    @property
    def flush_at(self) -> float | None:
        """When the oldest finished key has waited long enough."""
        return self._since + LONGEST_SECONDS if self.finished and not self._batch else None

    def made(self, reservation: Reservation, seconds: float, now: float) -> None:
        if not self.finished:
            self._since = now
        self.finished.append((reservation, seconds))

    def failed(self, reservation: Reservation, failure: Failure) -> None:
        policy = self.settings.retry
        self._tell([reservation], lambda jobs: [fail(jobs, reservation, failure, policy)], failure)

    def give_back(self, reservations: Sequence[Reservation]) -> None:
        if reservations:
            self._tell(reservations, lambda jobs: release(jobs, reservations))

    def flush(self, now: float, *, at_once: bool) -> None:
        """Tells of finished keys when they are enough or old enough; one batch at a time, the next one grows."""
        if not self.finished or self._batch:
            return
        if at_once or len(self.finished) >= BATCH or now >= self._since + LONGEST_SECONDS:
            finished, self.finished = self.finished, []
            self._batch = [reservation for reservation, _ in finished]
            keep, on_empty = self.settings.keep_completed, self.settings.on_empty
            self._tell(self._batch, lambda jobs: complete(jobs, finished, keep_completed=keep, on_empty=on_empty))

    def _tell(self, reservations: Sequence[Reservation], work: Work, failure: Failure | None = None) -> None:
        self._told += len(reservations)
        self._queue.submit(work, lambda outcomes: self._written(reservations, outcomes, failure), insist=True)

    def _written(self, reservations: Sequence[Reservation], outcomes: Any, failure: Failure | None) -> None:
        self._told -= len(reservations)
        if reservations is self._batch:
            self._batch = []
        if isinstance(outcomes, Exception):
            log.error("%d keys stay reserved: %s", len(reservations), outcomes)
            self._unsettled(outcomes)
            return
        for reservation, outcome in zip(reservations, outcomes, strict=True):
            self._count(outcome)
            level, news = _NEWS[outcome]
            log.log(level, "%s: %s%s", describe(reservation.key), news, f": {failure.message}" if failure else "")
