"""The queue of one PopulateJob as the plan sees it, and the steps that look at it and tend it. None of them waits."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from populate_jobs import Changes, Check, Connection, Counts, ErrorGroup, Look, ResolveDocument, Sight
from populate_jobs.errors import TookTooLong

from populate_operator.plan import Problem, Queue, Refresh, Tally
from populate_operator.plan.agenda import Step
from populate_operator.plan.cadence import LOOK_BUDGET, due, next_count, next_try
from populate_operator.plan.observation import outstanding
from populate_operator.plan.scaling import look_limit
from populate_operator.spec import Spec

from . import tasks
from .flight import Flight
from .lane import Lane
from .login import Login
from .problems import problem
from .round import Answer, Seat

QUICK_SECONDS = 1.0
"""Who was refreshed, or checked, in less shares one connection with the others that are as quick."""


@dataclass(frozen=True)
class Watch:
    """What is looked for in the login's rounds, without being asked for each time; durations in seconds."""

    document: ResolveDocument
    spec: Spec
    rate: float | None
    look_every: float
    check_every: float | None
    """Between two checks whether there is anything to refresh; None for no checks."""
    quiet: bool
    """Only what has changed is news."""


class Keeper:
    def __init__(self, login: Login, flight: Flight, news: Callable[[], None], ours: str) -> None:
        """`news` is called when a look or a check has found what the plan should know of; our hosts end with `ours`."""
        self.login = login
        self._flight = flight
        self._news = news
        self._ours = ours
        self._asked = Flight(lambda: None)
        self._look_seat, self._check_seat = Seat(), Seat()
        self._looked_at = self._checked_at = self._look_seconds = 0.0
        self._count_due = False
        self._watch: Watch | None = None
        self._overran = False
        """It took too long where it was thought to be quick."""
        self._grouped: int | None = None
        """Error rows when they were last grouped."""
        self.queue: Queue | None = None
        self.tally: Tally | None = None
        self.refreshed: Refresh | None = None
        self.applied_priority: int | None = None
        self.orphans_at: datetime | None = None
        self.database: Problem | None = None
        self.refresh_problem: Problem | None = None
        login.rounds.join(self)

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

    # What is due

    def tend(self, document: ResolveDocument, spec: Spec, due: frozenset[Step], ours: str, now: datetime) -> None:
        """The steps that are due, but for resolving and looking."""
        if Step.REFRESH in due:
            self.refresh(document, spec)
        if Step.REPRIORITIZE in due:
            self._reprioritize(document, spec.priority)
        if Step.RECOVER_ORPHANS in due:
            self._recover_orphans(document, float(spec.orphan_timeout_seconds or 0), ours, now)

    def watch(self, watch: Watch | None) -> None:
        """From now on; None for not at all."""
        self._watch = watch

    def refresh(self, document: ResolveDocument, spec: Spec) -> None:
        task = functools.partial(tasks.refresh, document=document, spec=spec)
        again = functools.partial(self.refresh, document, spec)
        self._start_refreshing("refresh", task, self._refreshed, again)

    @property
    def _lane(self) -> Lane:
        """The quick one or the slow one, going by the last time."""
        quick = not self._overran and (self.refreshed is None or self.refreshed.seconds < QUICK_SECONDS)
        return self.login.refresh if quick else self.login.slow

    def look(self, document: ResolveDocument, spec: Spec, rate: float | None, every: float) -> None:
        """`rate` is keys a second one worker makes, where measured; `every` the least seconds between two looks."""
        now, clock = tasks.now(), time.monotonic()
        waits = self.database is not None and next_try(self.database) > now
        # A little less, for who comes at full seconds.
        least = 0.9 * max(every, self._look_seconds / LOOK_BUDGET)
        if waits or clock - self._looked_at < least or self._asked.is_out("look"):
            return
        self._looked_at = clock
        forced = self._count_due or self.database is not None
        fully = forced or due(next_count(self.tally), now)
        self._count_due = False
        question = Look(document, look_limit(spec.scaling, rate), fully, self._ours)
        put = functools.partial(self.login.rounds.looks.put, self._look_seat, question)
        self._asked.start("look", put, functools.partial(self._looked, document, forced), self.failed)

    def look_at_once(self, *, fully: bool = False) -> None:
        """The next look does not wait for its turn."""
        self._looked_at = self._look_seconds = 0.0
        self._count_due = self._count_due or fully

    def released(self, hosts: Collection[str]) -> None:
        """They hold nothing any more, whatever the last look said."""
        if self.queue is not None:
            maps = (self.queue.held, self.queue.outside)
            held, outside = ({host: rows for host, rows in those.items() if host not in hosts} for those in maps)
            self.queue = Queue(self.queue.ready, held, outside)
        self.look_at_once(fully=True)

    def failed(self, error: BaseException) -> None:
        """Something on the observing connection."""
        self.queue = None
        self.database = problem(error, self.database, tasks.now())
        self._news()

    # In the rounds of the login

    def collect(self) -> None:
        self._asked.collect()

    def ask_again(self, clock: float) -> None:
        if (watch := self._watch) is None:
            return
        self.look(watch.document, watch.spec, watch.rate, watch.look_every)
        every = watch.check_every
        # All that are checked as often are so at the same times, and so by the same statements.
        if every is not None and clock // every > self._checked_at // every:
            self._check(watch, clock)

    def _check(self, watch: Watch, clock: float) -> None:
        if self.refreshed is None or self._asked.is_out("check") or self._flight.is_out("refresh"):
            return
        self._checked_at = clock
        question = Check(watch.document, watch.spec.refresh.stale_timeout_seconds, watch.spec.keep_completed)
        lane = self._lane
        put = functools.partial(self.login.rounds.checks[lane].put, self._check_seat, question)
        again = functools.partial(self._check, watch, clock)
        self._asked.start("check", put, self._checked, functools.partial(self._check_failed, lane, again))

    def _checked(self, answer: Answer[Changes]) -> None:
        """Nothing to do is as good as a refresh that found nothing."""
        assert self.refreshed is not None
        found = answer.value
        if not found.any and found.progress == self.refreshed.progress:
            self.refreshed = replace(
                self.refreshed, started=answer.started, ended=answer.ended, seconds=answer.seconds, added=0
            )
        elif self._watch is not None:
            self.refresh(self._watch.document, self._watch.spec)

    def _check_failed(self, lane: Lane, again: Callable[[], None], error: BaseException) -> None:
        self._took_too_long(lane, again, error)
        self._news()

    def _looked(self, document: ResolveDocument, forced: bool, answer: Answer[Sight]) -> None:
        seen, before = answer.value, self._known
        self.queue, self.database = Queue(seen.ready, seen.held, seen.outside), None
        self._look_seconds = answer.seconds
        if seen.counts is not None:
            self._counted(document, seen.counts, forced, answer)
        quiet = self._watch is not None and self._watch.quiet
        if not quiet or before != self._known:
            self._news()

    @property
    def _known(self) -> tuple[object, ...]:
        """What is news where it changes, for one that is at rest: others' keys on the same table are none."""
        queue = self.queue and (self.queue.ready, self.queue.held)
        return queue, self.tally and self.tally.counts, self.database

    def _counted(self, document: ResolveDocument, counts: Counts, forced: bool, answer: Answer[Sight]) -> None:
        if counts.error and (forced or counts.error != self._grouped):
            tally = functools.partial(Tally, counts, answer.started)
            task = functools.partial(tasks.errors, document=document)
            self._start("errors", self.login.observe, task, functools.partial(self._grouped_by, tally), self.failed)
        else:
            errors = self.tally.errors if self.tally and counts.error else ()
            self._tallied(Tally(counts, answer.started, answer.seconds, errors))

    # What came back

    def _grouped_by(self, tally: Callable[..., Tally], found: tuple[tuple[ErrorGroup, ...], float]) -> None:
        groups, seconds = found
        made = tally(seconds=seconds, errors=groups)
        self._grouped = made.counts.error
        self._tallied(made)

    def _tallied(self, tally: Tally) -> None:
        """Unless a refresh has counted since."""
        if self.tally is None or tally.at >= self.tally.at:
            self.tally = tally
        else:
            self.tally = replace(self.tally, errors=tally.errors)

    def _refreshed(self, found: Refresh) -> None:
        self.refreshed, self.refresh_problem = found, None
        self._overran = self._overran and found.seconds >= QUICK_SECONDS
        self._checked_at = time.monotonic()
        self._check_seat.took(1, found.seconds)
        # It may have counted before keys failed whose messages are known: the next count is to ask for them again.
        self._grouped = found.counts.error
        self.tally = Tally(found.counts, found.ended, self.tally.seconds if self.tally else 0.0, found.errors)
        if found.added:
            self.look_at_once()

    def _took_too_long(self, lane: Lane, again: Callable[[], None], error: BaseException) -> None:
        """For the quick ones, it may be: then it is done among the slow."""
        if isinstance(error, TookTooLong) and lane is self.login.refresh:
            self._overran = True
            again()
        else:
            self._refresh_failed(error)

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
        again = functools.partial(self._reprioritize, document, priority)
        self._start_refreshing("reprioritize", task, self._reprioritized, again)

    def _reprioritized(self, priority: int) -> None:
        self.applied_priority, self.refresh_problem = priority, None

    def _start_refreshing(
        self, name: str, task: Callable[[Connection], Any], done: Callable[[Any], None], again: Callable[[], None]
    ) -> None:
        lane = self._lane
        self._start(name, lane, task, done, functools.partial(self._took_too_long, lane, again))

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
