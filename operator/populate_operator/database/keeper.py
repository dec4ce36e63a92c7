"""The queue of one PopulateJob as the plan sees it, and the steps that look at it and tend it. None of them waits."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from populate_jobs import Connection, ResolveDocument

from populate_operator.plan import Problem, Queue, Refresh, Tally
from populate_operator.plan.agenda import Step
from populate_operator.plan.cadence import next_try
from populate_operator.plan.observation import outstanding
from populate_operator.plan.scaling import look_limit
from populate_operator.spec import Spec

from . import tasks
from .flight import Flight
from .lane import Lane
from .login import Login
from .problems import problem


class Keeper:
    def __init__(self, login: Login, flight: Flight) -> None:
        self.login = login
        self._flight = flight
        self._looked_at = 0.0
        self._count_due = False
        self.queue: Queue | None = None
        self.tally: Tally | None = None
        self.refreshed: Refresh | None = None
        self.applied_priority: int | None = None
        self.orphans_at: datetime | None = None
        self.database: Problem | None = None
        self.refresh_problem: Problem | None = None

    @property
    def unfinished(self) -> int:
        return outstanding(self.tally.counts) if self.tally else 0

    @property
    def is_idle(self) -> bool:
        """Every key that there is was tried; before the first refresh nobody knows what there is."""
        return self.refreshed is not None and self.tally is not None and not self.unfinished

    def remember(self, refreshed: Refresh | None, applied_priority: int | None) -> None:
        """What was known of this queue before."""
        self.refreshed, self.applied_priority = refreshed, applied_priority
        self.tally = Tally(refreshed.counts, refreshed.ended) if refreshed else None

    def forgive(self) -> None:
        """What went wrong was mended, or may have been: it is tried again at once."""
        self.database = self.refresh_problem = None

    def tend(self, document: ResolveDocument, spec: Spec, due: frozenset[Step], ours: str, now: datetime) -> None:
        """The steps that are due, but for resolving and looking."""
        if Step.REFRESH in due:
            self.refresh(document, spec)
        if Step.REPRIORITIZE in due:
            self._reprioritize(document, spec.priority)
        if Step.RECOVER_ORPHANS in due:
            self._recover_orphans(document, float(spec.orphan_timeout_seconds or 0), ours, now)

    def look(
        self, document: ResolveDocument, spec: Spec, rate: float | None, every: float, fully: bool, now: datetime
    ) -> None:
        """`rate` is keys a second one worker makes, where measured; `every` the least seconds between two looks."""
        waits = self.database is not None and next_try(self.database) > now
        if waits or time.monotonic() - self._looked_at < every:
            return
        fully = fully or self._count_due or self.database is not None
        task = functools.partial(tasks.look, document=document, limit=look_limit(spec.scaling, rate), fully=fully)
        self._start("look", self.login.observe, task, self._looked, self.failed)

    def look_at_once(self, *, fully: bool = False) -> None:
        """The next look does not wait for its turn."""
        self._looked_at = 0.0
        self._count_due = self._count_due or fully

    def released(self, hosts: Collection[str]) -> None:
        """They hold nothing any more, whatever the last look said."""
        if self.queue is not None:
            held = {host: rows for host, rows in self.queue.held.items() if host not in hosts}
            self.queue = Queue(self.queue.ready, held)
        self.look_at_once(fully=True)

    def refresh(self, document: ResolveDocument, spec: Spec) -> None:
        task = functools.partial(tasks.refresh, document=document, spec=spec)
        self._start("refresh", self.login.refresh, task, self._refreshed, self._refresh_failed)

    def failed(self, error: BaseException) -> None:
        """Something on the observing connection."""
        self.queue = None
        self.database = problem(error, self.database, tasks.now())

    def _looked(self, found: tuple[Queue, Tally | None]) -> None:
        self._looked_at = time.monotonic()
        self.queue, tally = found
        self.tally, self._count_due = tally or self.tally, self._count_due and tally is None
        self.database = None

    def _refreshed(self, found: Refresh) -> None:
        self.refreshed, self.refresh_problem = found, None
        errors = self.tally.errors if self.tally and found.counts.error else ()
        self.tally = Tally(found.counts, found.ended, self.tally.seconds if self.tally else 0.0, errors)
        if found.added:
            self.look_at_once()

    def _refresh_failed(self, error: BaseException) -> None:
        self.refresh_problem = problem(error, self.refresh_problem, tasks.now())

    def _recover_orphans(self, document: ResolveDocument, older_than: float, ours: str, now: datetime) -> None:
        self.orphans_at = now
        task = functools.partial(tasks.recover_orphans, document=document, older_than=older_than, ours=ours)
        self._start("orphans", self.login.observe, task, nothing, self.failed)

    def _reprioritize(self, document: ResolveDocument, priority: int) -> None:
        task = functools.partial(
            tasks.reprioritize, document=document, priority=priority, applied=self.applied_priority
        )
        self._start("reprioritize", self.login.refresh, task, self._reprioritized, self._refresh_failed)

    def _reprioritized(self, priority: int) -> None:
        self.applied_priority = priority

    def _start(
        self,
        name: str,
        lane: Lane,
        task: Callable[[Connection], Any],
        done: Callable[[Any], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._flight.start(name, lambda: lane.submit(task), done, failed)


def nothing(_: object) -> None:
    """What came back changes nothing that the next look would not show."""
