"""One PopulateJob of a run: what is known of it, and the steps by which it comes nearer to its spec."""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from populate_jobs import Assignment, DatabaseSettings, ResolveDocument, RetryPolicy, WorkerSettings
from populate_jobs.errors import PopulateError

from populate_operator.database import tasks
from populate_operator.database.problems import problem
from populate_operator.plan import Observation, Plan, Previous, Problem, Queue, Refresh, Resolved, Tally, Upstream, plan
from populate_operator.plan.agenda import Step
from populate_operator.plan.cadence import next_try
from populate_operator.plan.lineage import Relative
from populate_operator.plan.scaling import look_limit, pinned
from populate_operator.plan.share import Claim
from populate_operator.spec import PopulateJob, Spec

from . import runs
from .crew import Crew
from .flight import Flight
from .place import Place, folder
from .process import Process, keep_small
from .resolved import remember
from .resolving import Resolving, refusal

LOOK_EVERY = 0.5
"""Seconds between two cheap looks."""
SECONDS_TO_RECOVER = 10.0


class Populating:
    def __init__(self, job: PopulateJob, settings: DatabaseSettings, place: Place) -> None:
        self.name = job.name
        self.spec = job.spec
        self._generation = job.generation
        self._place = place
        self._login = place.login(settings)
        self._assignment = folder(place.data, job.name) / "assignment.json"
        self._resolving = Resolving(place.starter(settings), folder(place.data, job.name) / "resolve.log")
        self._flight = Flight(place.wake)
        self.crew = Crew(self._start_worker, place.run.host, job.spec.worker.drain_seconds)
        self._previous = Previous()
        self._replicas = 0
        self._looked_at = 0.0
        self.plan: Plan | None = None
        self.resolved: Resolved | None = None
        self.refusal: Problem | None = None
        self.error: PopulateError | None = None
        """Why resolve refused, with its traceback."""
        self.database: Problem | None = None
        self.refresh_problem: Problem | None = None
        self._queue: Queue | None = None
        self._tally: Tally | None = None
        self._refresh: Refresh | None = None
        self._applied_priority: int | None = None
        self._orphans_at: datetime | None = None
        self._dead_runs: frozenset[str] = frozenset()

    # Seeing

    def collect(self, now: datetime) -> None:
        """Takes in what came back since the last time."""
        self._flight.collect()
        answer = self._resolving.answer()
        if isinstance(answer, ResolveDocument):
            self._was_resolved(answer, now)
        elif answer is not None:
            self.refusal, self.error = refusal(answer, self.refusal, now), answer
        self.crew.reap(now, time.monotonic())

    def decide(self, alive: frozenset[str], deaths: Mapping[str, str], upstream: Upstream, now: datetime) -> Plan:
        seen = Observation(
            ours=self._place.run.suffix,
            generation=self._generation,
            resolved=self.resolved,
            refusal=self.refusal,
            database=self.database,
            queue=self._queue,
            tally=self._tally,
            refresh=self._refresh,
            refresh_problem=self.refresh_problem,
            replicas=self._replicas,
            workers=self.crew.workers,
            worker_problem=self.crew.problem,
            alive=alive,
            deaths={**dict.fromkeys(self._dead_runs), **deaths},
            upstream=upstream,
            applied_priority=self._applied_priority,
            orphans_at=self._orphans_at,
        )
        self.plan = plan(self.spec, seen, self._previous, now)
        self._previous = Previous(self.plan.status, self.plan.memory)
        self._replicas = self.plan.replicas
        return self.plan

    @property
    def document(self) -> ResolveDocument | None:
        return self.resolved.document if self.resolved else None

    @property
    def relative(self) -> Relative:
        """As the others see it: busy until it is over or, where it never is, while it has keys to make."""
        over = self.plan is not None and (self.plan.outcome is not None or self.spec.suspend)
        idle = self.spec.mode == "Continuous" and self._tally is not None and not self._unfinished
        return Relative(self.document, not over and not idle, self._previous.memory.pace.settled_at)

    @property
    def claim(self) -> Claim:
        assert self.plan is not None
        worker, rate = self.spec.worker, self._previous.memory.pace.settled_per_worker_second
        held_fast = pinned(len(self.plan.busy), rate, worker.concurrency, worker.drain_seconds)
        return Claim(worker.concurrency, self.plan.replicas, held_fast, self.spec.priority)

    @property
    def logs(self) -> Path:
        return self._place.logs

    @property
    def seconds_left(self) -> float | None:
        """At the present pace, where that is known."""
        rate = self._previous.memory.pace.settled_per_second
        return self._unfinished / rate if rate and self._unfinished else None

    @property
    def _unfinished(self) -> int:
        counts = self._tally.counts if self._tally else None
        return counts.pending + counts.scheduled + counts.reserved if counts else 0

    # Doing

    def act(self, replicas: int, may_resolve: bool, now: datetime) -> None:
        """The steps that are due, in the order in which they matter; none of them waits."""
        assert self.plan is not None
        due = self.plan.steps
        if Step.RESOLVE in due and may_resolve and not self._resolving.is_under_way:
            self._resolving.begin(self.spec)
        if self.document is not None:
            self._recover(self.document)
            self._look(self.document, Step.COUNT in due, now)
            if Step.REFRESH in due:
                self._begin_refresh(self.document)
            if Step.REPRIORITIZE in due:
                self._reprioritize(self.document)
            if Step.RECOVER_ORPHANS in due:
                self._recover_orphans(self.document, now)
        self.crew.resize(replicas, self.plan.busy, now, time.monotonic())

    @property
    def is_resolving(self) -> bool:
        return self._resolving.is_under_way

    def wind_down(self, now: datetime) -> None:
        """Nothing new is begun, and the workers give back what they have not finished."""
        self._resolving.end()
        busy = self.plan.busy if self.plan else frozenset()
        self.crew.resize(0, busy, now, time.monotonic())

    def leave_nothing(self) -> bool:
        """Once no worker lives: gives back what any worker of this run still holds; whether that is certain."""
        if self.document is None:
            return True
        try:
            task = functools.partial(tasks.recover_ending, document=self.document, suffix=self._place.run.suffix)
            self._login.observe.submit(task).result(SECONDS_TO_RECOVER)
        except (PopulateError, TimeoutError):
            return False
        return True

    def _look(self, document: ResolveDocument, fully: bool, now: datetime) -> None:
        waits = self.database is not None and next_try(self.database) > now
        if waits or time.monotonic() - self._looked_at < LOOK_EVERY:
            return
        limit = look_limit(self.spec.scaling, self._previous.memory.pace.settled_per_worker_second)
        task = functools.partial(tasks.look, document=document, limit=limit, fully=fully or self.database is not None)
        self._flight.start("look", lambda: self._login.observe.submit(task), self._looked, self._look_failed)

    def _looked(self, found: tuple[Queue, Tally | None]) -> None:
        self._looked_at = time.monotonic()
        self._queue, tally = found
        self._tally = tally or self._tally
        self.database = None
        folder, ours = self._place.runs_folder, self._place.run.suffix
        others = (host for host in self._queue.held if not host.endswith(ours))
        self._dead_runs = frozenset(host for host in others if runs.is_dead(folder, host))

    def _look_failed(self, error: BaseException) -> None:
        self._queue = None
        self.database = problem(error, self.database, tasks.now())

    def _begin_refresh(self, document: ResolveDocument) -> None:
        task = functools.partial(tasks.refresh, document=document, spec=self.spec)
        self._flight.start("refresh", lambda: self._login.refresh.submit(task), self._refreshed, self._refresh_failed)

    def _refreshed(self, found: Refresh) -> None:
        self._refresh, self.refresh_problem = found, None
        errors = self._tally.errors if self._tally and found.counts.error else ()
        self._tally = Tally(found.counts, found.ended, self._tally.seconds if self._tally else 0.0, errors)

    def _refresh_failed(self, error: BaseException) -> None:
        self.refresh_problem = problem(error, self.refresh_problem, tasks.now())

    def _recover(self, document: ResolveDocument) -> None:
        assert self.plan is not None
        for recovery in self.plan.recoveries:
            task = functools.partial(tasks.recover, document=document, recovery=recovery)
            name = f"recover {recovery.suspect or ''}"
            self._flight.start(name, functools.partial(self._login.observe.submit, task), _nothing, self._look_failed)

    def _recover_orphans(self, document: ResolveDocument, now: datetime) -> None:
        self._orphans_at = now
        older_than, ours = float(self.spec.orphan_timeout_seconds or 0), self._place.run.suffix
        task = functools.partial(tasks.recover_orphans, document=document, older_than=older_than, ours=ours)
        self._flight.start("orphans", lambda: self._login.observe.submit(task), _nothing, self._look_failed)

    def _reprioritize(self, document: ResolveDocument) -> None:
        wanted, applied = self.spec.priority, self._applied_priority
        task = functools.partial(tasks.reprioritize, document=document, priority=wanted, applied=applied)
        submit = functools.partial(self._login.refresh.submit, task)
        self._flight.start("reprioritize", submit, self._reprioritized, self._refresh_failed)

    def _reprioritized(self, priority: int) -> None:
        self._applied_priority = priority

    def _was_resolved(self, document: ResolveDocument, now: datetime) -> None:
        self.resolved = Resolved(document, self._generation, now)
        self.refusal = self.error = self.database = self.refresh_problem = None
        remember(self._place.data, self.name, self.spec, self._login.settings, document)
        write_assignment(self._assignment, Assignment(document, worker_settings(self.spec)))

    def _start_worker(self, host: str, slot: int) -> Process:
        words = [sys.executable, "-m", "populate_worker", "run", "--assignment", str(self._assignment), "--host", host]
        log = None if self._place.verbose else self._place.log(self.name, slot)
        if log is not None:
            keep_small(log)
        return self._place.start(self._login.settings, words, log)


def worker_settings(spec: Spec) -> WorkerSettings:
    """The part of the spec that a worker follows."""
    return WorkerSettings(
        concurrency=spec.worker.concurrency,
        drain_seconds=spec.worker.drain_seconds,
        timeout_seconds=spec.timeout_seconds,
        on_empty=spec.on_empty,
        keep_completed=spec.keep_completed,
        make_kwargs=dict(spec.worker.make_kwargs),
        retry=RetryPolicy(**dataclasses.asdict(spec.retry)),
    )


def write_assignment(path: Path, assignment: Assignment) -> None:
    """In one piece: a worker that reads it again never sees half of it."""
    text = assignment.to_json()
    if not path.exists() or path.read_text() != text:
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)


def _nothing(_: object) -> None:
    """What came back changes nothing that the next look would not show."""
