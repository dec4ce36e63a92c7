"""One PopulateJob of a run: what is known of it, and the steps by which it comes nearer to its spec."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import Any

from populate_jobs import Assignment, DatabaseSettings, ErrorGroup, Recovered, ResolveDocument
from populate_jobs.errors import PopulateError

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper, Watch
from populate_operator.plan import (
    Observation,
    Plan,
    Previous,
    Problem,
    Queue,
    Recovery,
    Resolved,
    Tally,
    Upstream,
    plan,
)
from populate_operator.plan.agenda import Step
from populate_operator.plan.completion import Outcome
from populate_operator.plan.latest import latest
from populate_operator.plan.lineage import Relative
from populate_operator.plan.scaling import pinned
from populate_operator.plan.share import Claim
from populate_operator.question import refusal, retry_policy, worker_settings
from populate_operator.spec import PopulateJob

from . import runs
from .crew import Crew
from .place import Place
from .process import Process
from .resolved import remember
from .resolving import Resolving

LOOK_EVERY = 0.5
"""Seconds between two cheap looks."""


class Populating:
    def __init__(self, job: PopulateJob, settings: DatabaseSettings, place: Place) -> None:
        self.name = job.name
        self.spec = job.spec
        self._generation = job.generation
        self._place = place
        self._assignment = place.file(job.name, "assignment.json")
        self._resolving = Resolving(place.starter(settings), place.file(job.name, "resolve.log"))
        self._flight = Flight(place.wake)
        self.keeper = Keeper(place.login(settings), self._flight, place.wake, place.run.suffix)
        self.crew = Crew(self._start_worker, place.run.host, job.spec.worker.drain_seconds)
        self._previous = Previous()
        self._replicas = 0
        self.plan: Plan | None = None
        self.resolved: Resolved | None = None
        self.refusal: Problem | None = None
        self.error: PopulateError | None = None
        """Why resolve refused, with its traceback."""
        self.latest_error: ErrorGroup | None = None
        self._tallied: Tally | None = None
        self._judged: Queue | None = None
        self._dead_runs: frozenset[str] = frozenset()
        self._recovering: frozenset[str] = frozenset()
        """Hosts whose rows are being given back: that is done once."""
        self._given_back: tuple[Recovery, ...] = ()

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
        self.crew.keep_logs_small()
        self._judge_other_runs(self.keeper.queue)
        self._note_errors(self.keeper.tally)

    def decide(self, alive: frozenset[str], deaths: Mapping[str, str], upstream: Upstream, now: datetime) -> Plan:
        seen = Observation(
            ours=self._place.run.suffix,
            generation=self._generation,
            resolved=self.resolved,
            refusal=self.refusal,
            database=self.keeper.database,
            queue=self.keeper.queue,
            tally=self.keeper.tally,
            refresh=self.keeper.refreshed,
            refresh_problem=self.keeper.refresh_problem,
            replicas=self._replicas,
            workers=self.crew.workers,
            worker_problem=self.crew.problem,
            alive=alive | self._recovering,
            deaths={**dict.fromkeys(self._dead_runs), **deaths},
            given_back=self._given_back,
            upstream=upstream,
            applied_priority=self.keeper.applied_priority,
            orphans_at=self.keeper.orphans_at,
        )
        self.plan = plan(self.spec, seen, self._previous, now)
        self._previous = Previous(self.plan.status, self.plan.memory)
        self._replicas, self._given_back = self.plan.replicas, ()
        return self.plan

    @property
    def document(self) -> ResolveDocument | None:
        return self.resolved.document if self.resolved else None

    @property
    def relative(self) -> Relative:
        """As the others see it: busy until it is over or, where it never is, while it has keys to make."""
        idle = self.spec.mode == "Continuous" and self.keeper.is_idle
        over = self.is_over or self.spec.suspend
        is_failed = self.plan is not None and self.plan.outcome is Outcome.FAILED
        refreshed = self.keeper.refreshed if not over or is_failed else None
        return Relative(
            self.document,
            busy=not over and not idle,
            settled_at=self._previous.memory.pace.settled_at,
            looked_at=refreshed.started if refreshed else None,
            table=self.spec.table,
        )

    @property
    def is_over(self) -> bool:
        """Nothing more will be made: it has its outcome, or it is of mode Once and told to rest."""
        rests = self.spec.suspend or self.spec.scaling.max_workers == 0
        return self.plan is not None and (self.plan.outcome is not None or (self.spec.mode == "Once" and rests))

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
        return self.keeper.unfinished / rate if rate and self.keeper.unfinished else None

    # Doing

    def act(self, replicas: int, may_resolve: bool, now: datetime) -> None:
        """The steps that are due, in the order in which they matter; none of them waits."""
        assert self.plan is not None
        due = self.plan.steps
        if Step.RESOLVE in due and may_resolve and not self._resolving.is_under_way:
            self._resolving.begin(self.spec)
        if self.document is not None:
            self._recover(self.document)
            rate = self._previous.memory.pace.worker_rate
            self.keeper.look(self.document, self.spec, rate, LOOK_EVERY)
            self.keeper.tend(self.document, self.spec, due, self._place.run.suffix, now)
            self.keeper.watch(Watch(self.document, self.spec, rate, LOOK_EVERY, self.plan.check_every, quiet=True))
        self.crew.resize(replicas, self.plan.busy, now, time.monotonic())

    @property
    def is_resolving(self) -> bool:
        return self._resolving.is_under_way

    def wind_down(self, now: datetime) -> None:
        """Nothing new is begun, and the workers give back what they have not finished."""
        self._resolving.end()
        busy = self.plan.busy if self.plan else frozenset()
        self.crew.resize(0, busy, now, time.monotonic())

    def give_back(self) -> Future[Recovered] | None:
        """Once no worker lives: what any worker of this run still holds; None where nothing was ever held."""
        if self.document is None:
            return None
        task = functools.partial(tasks.recover_ending, document=self.document, suffix=self._place.run.suffix)
        return self.keeper.login.observe.submit(task)

    def _judge_other_runs(self, queue: Queue | None) -> None:
        """Which runs on this machine, that hold rows, are over."""
        if queue is not None and queue is not self._judged:
            self._judged = queue
            folder, ours = self._place.runs_folder, self._place.run.suffix
            others = (host for host in queue.held if not host.endswith(ours))
            self._dead_runs = frozenset(host for host in others if runs.is_dead(folder, host))

    def _note_errors(self, tally: Tally | None) -> None:
        if tally is not None and tally is not self._tallied:
            kept = self.latest_error if tally.counts.error else None
            self.latest_error = latest(self._tallied, tally) or kept
            self._tallied = tally

    def _recover(self, document: ResolveDocument) -> None:
        assert self.plan is not None
        for recovery in self.plan.recoveries:
            policy = retry_policy(self.spec)
            task = functools.partial(tasks.recover, document=document, recovery=recovery, policy=policy)
            self._give_back(recovery, functools.partial(self.keeper.login.observe.submit, task))

    def _give_back(self, recovery: Recovery, submit: Callable[[], Future[Any]]) -> None:
        hosts = frozenset(recovery.hosts)

        def done(_: object) -> None:
            self._recovering -= hosts
            self._given_back += (recovery,)
            self.keeper.released(hosts)

        def failed(error: BaseException) -> None:
            self._recovering -= hosts
            self.keeper.failed(error)

        self._recovering |= hosts
        self._flight.start(f"recover {sorted(hosts)}", submit, done, failed)

    def _was_resolved(self, document: ResolveDocument, now: datetime) -> None:
        self.resolved = Resolved(document, self._generation, now)
        self.refusal = self.error = None
        self.keeper.forgive()
        remember(self._place.data, self.name, self.spec, self.keeper.login.settings, document)
        write_assignment(self._assignment, Assignment(document, worker_settings(self.spec)))

    def _start_worker(self, host: str, slot: int) -> Process:
        words = [sys.executable, "-m", "populate_worker", "run", "--assignment", str(self._assignment), "--host", host]
        log = None if self._place.verbose else self._place.log(self.name, slot)
        return self._place.start(self.keeper.login.settings, words, log)


def write_assignment(path: Path, assignment: Assignment) -> None:
    """In one piece: a worker that reads it again never sees half of it."""
    text = assignment.to_json()
    if not path.exists() or path.read_text() != text:
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)
