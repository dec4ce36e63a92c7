"""One PopulateJob of the cluster: what is known of it, and the steps by which it comes nearer to its spec."""

from __future__ import annotations

import asyncio
import functools
from datetime import datetime
from typing import Any

from populate_jobs import PopulateError, ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper, Watch
from populate_operator.database.login import Login
from populate_operator.plan import Memory, Observation, Plan, Previous, Problem, Recovery, Upstream, plan
from populate_operator.plan.agenda import Step
from populate_operator.plan.cadence import next_try
from populate_operator.plan.completion import Outcome
from populate_operator.plan.events import Event
from populate_operator.plan.lineage import Relative
from populate_operator.plan.pace import Pace
from populate_operator.plan.scaling import pinned
from populate_operator.plan.share import Claim
from populate_operator.question import retry_policy
from populate_operator.spec import PopulateJob

from .answers import Answers
from .api import ClusterError, Object
from .crew import Crew
from .errands import Errands
from .events import event
from .farewell import Farewell, is_leaving
from .lost import Lost
from .manifests import names
from .place import Place
from .report import STATUS_EVERY, Report
from .statuses import remembered
from .store import Owner
from .wishes import Wishes

_NEEDED = ("ask", "read", "assign", "deployment")
"""Errands without which no key is made."""
LOOK_AGAIN_EVERY = 10.0
"""However long the database is left alone: its Secret may be another."""


class Populating:
    def __init__(self, seen: Object, place: Place) -> None:
        self.owner: Owner = (seen["metadata"]["namespace"], seen["metadata"]["name"])
        self._place = place
        self._wake = functools.partial(place.wake, self.owner)
        self._flight = Flight(self._wake)
        self._errands = Errands(self._flight)
        self._answers = Answers(self.owner, place, self._errands, self._flight)
        self.crew = Crew(self.owner, place, self._errands)
        self._lost = Lost(self._errands)
        self._farewell = Farewell(place, self._errands, self._flight)
        self.keeper: Keeper | None = None
        self.login: Login | None = None
        self.plan: Plan | None = None
        written = seen.get("status", {})
        self._report = Report(self.owner, place, self._errands, seen)
        self._wishes = Wishes(written, self._flight, self._say)
        # Keys may have been made while nobody looked, these and what is made of them: earlier refreshes do not tell.
        began = tasks.now()
        self._previous = Previous(dict(written), Memory(pace=Pace(settled_at=began), worked_at=began))
        self._replicas = self.crew.replicas
        self._no_login: Problem | None = None
        self._recovering: frozenset[str] = frozenset()
        """Hosts whose rows are being given back: that is done once."""
        self._given_back: tuple[Recovery, ...] = ()
        self.seen = seen
        self.job = PopulateJob.from_object(seen)

    def update(self, seen: Object) -> None:
        """The resource as it is now."""
        self.seen = seen
        self._report.saw(seen)
        job = PopulateJob.from_object(seen)
        # The same one while it says the same: what was made of it need not be made again.
        self.job = self.job if job == self.job else job

    @property
    def secret(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.owner[0], self.job.spec.database.secret_ref.name

    # Seeing

    def collect(self, now: datetime) -> None:
        """Takes in what came back since the last time."""
        before = self.document
        self._land()
        self._log_in(now)
        self._answers.read(self.job)
        if self.keeper is not None and self.document is not before:
            self.keeper.forgive()
        self._wishes.settle(self.keeper.tally if self.keeper else None)
        self.crew.look(now)

    def _land(self) -> None:
        """A check that found nothing to refresh does not come this way."""
        keeper = self.keeper
        before = keeper.refreshed if keeper else None
        self._flight.collect()
        if keeper is not None and keeper.refreshed is not None and keeper.refreshed is not before:
            self._place.metrics.refreshed(self.owner, keeper.refreshed)

    def sees(self) -> bool:
        """Whether enough is known to plan by; after a restart, the Secret and the queue are looked at first."""
        if self.login is None or self.keeper is None:
            return self._no_login is not None
        if self.document is None or self.keeper.queue is not None or self.keeper.database is not None:
            return True
        self.keeper.look(self.document, self.job.spec, self._rate, 0.0)
        return False

    @property
    def document(self) -> ResolveDocument | None:
        return self._answers.document

    def decide(self, upstream: Upstream, is_read: bool, now: datetime) -> Plan:
        """`is_read`: another PopulateJob reads what this one makes."""
        keeper = self.keeper
        holders = keeper.queue.holders if keeper and keeper.queue else ()
        seen = Observation(
            ours=self.crew.ours,
            generation=self.job.generation,
            resolved=self._answers.resolved(self.job.generation),
            refusal=self._no_login or self._answers.refusal,
            database=keeper.database if keeper else None,
            queue=keeper.queue if keeper else None,
            tally=keeper.tally if keeper else None,
            refresh=keeper.refreshed if keeper else None,
            refresh_problem=keeper.refresh_problem if keeper else None,
            replicas=self._replicas,
            workers=self.crew.workers,
            worker_problem=self._worker_problem,
            rollout=self.crew.rollout,
            alive=self.crew.alive(holders) | self._recovering,
            deaths=self.crew.deaths(holders),
            given_back=self._given_back,
            upstream=upstream,
            is_read=is_read,
            applied_priority=keeper.applied_priority if keeper else None,
            orphans_at=keeper.orphans_at if keeper else None,
            curing=self._wishes.curing(self.job.annotations),
        )
        self.plan = plan(self.job.spec, seen, self._previous, now)
        self._previous = Previous(self._with_our_fields(self.plan.status), self.plan.memory)
        self._replicas, self._given_back = self.plan.replicas, ()
        return self.plan

    @property
    def _worker_problem(self) -> Problem | None:
        answers = self._answers
        return answers.problem or answers.waits_for or self.crew.problem or self._errands.problem(*_NEEDED)

    @property
    def relative(self) -> Relative:
        """As the others see it: busy until it is over or, where it never is, while it has keys to make."""
        over = self.plan is not None and (self.plan.outcome is not None or self.job.spec.suspend)
        idle = self.job.spec.mode == "Continuous" and self.keeper is not None and self.keeper.is_idle
        rests = self.job.spec.suspend or (self.plan is not None and self.plan.outcome is Outcome.COMPLETE)
        refreshed = self.keeper.refreshed if self.keeper and not rests else None
        return Relative(
            self.document,
            busy=not over and not idle,
            settled_at=self._previous.memory.pace.settled_at,
            looked_at=refreshed.started if refreshed else None,
            table=self.job.spec.table,
            home=self.owner[0],
        )

    @property
    def claim(self) -> Claim:
        worker = self.job.spec.worker
        if is_leaving(self.seen):  # and its workers with it, whoever else may keep the resource
            return Claim(worker.concurrency, 0)
        if self.plan is None:  # of a restarted operator, which does not know yet what its workers are at
            return Claim(worker.concurrency, self.crew.replicas, self.crew.replicas, self.job.spec.priority)
        busy = len(self.plan.busy)
        lately = self._previous.memory.pace.settled_per_worker_second
        held_fast = pinned(busy, lately, worker.concurrency, worker.drain_seconds)
        wanted = self.crew.bearable(self._answers.served(self.plan.replicas, self.crew.replicas), busy)
        return Claim(worker.concurrency, wanted, held_fast, self.job.spec.priority)

    @property
    def _rate(self) -> float | None:
        return self._previous.memory.pace.worker_rate

    # Doing

    def act(self, replicas: int, now: datetime) -> None:
        """The steps that are due, in the order in which they matter; none of them waits."""
        assert self.plan is not None
        for what in self.plan.events:
            self._say(what)
        if is_leaving(self.seen):
            self._leave()
            return
        if self.plan.outcome is not None and self._report.outlived(self.job.spec.ttl_seconds_after_finished, now):
            self._delete()
            return
        self._farewell.prepare(self.job, self.seen)
        if Step.RESOLVE in self.plan.steps:
            self._answers.ask(self.job, self.seen)
        if (changed_at := self._answers.assign(self.job, self.seen, self.plan.paused, now)) is not None:
            self.crew.nudge(changed_at)
        if self.keeper is not None and self.document is not None:
            self._tend(self.plan, self.keeper, self.document, now)
        wanted = self._answers.served(replicas, self.crew.replicas)
        self.crew.resize(self.job, self.seen, wanted, self.plan.busy, rolls=self.plan.rolls)
        self.crew.tidy()
        self.crew.rouse(self.plan.rouse)
        self._report.write(self._previous.status)

    @property
    def next_look(self) -> float:
        """Seconds until it is worth looking again where nothing happens."""
        assert self.plan is not None
        planned = (self.plan.look_again_at - tasks.now()).total_seconds()
        look = planned if self._is_at_rest else max(self.plan.look_every, min(self._away_for, LOOK_AGAIN_EVERY))
        status = STATUS_EVERY if self._report.unwritten(self._previous.status) else planned
        return max(0.1, min(planned, look, status))

    @property
    def _away_for(self) -> float:
        """Seconds until the database is tried again, where it could not be read."""
        problem = self.keeper.database if self.keeper else None
        return (next_try(problem) - tasks.now()).total_seconds() if problem else 0.0

    @property
    def _is_at_rest(self) -> bool:
        """Nothing is going on here, or in its pods."""
        return self.plan is not None and self.plan.at_rest and self.crew.replicas == self.plan.replicas

    def _tend(self, made: Plan, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        for recovery in made.recoveries:
            self._recover(keeper, document, recovery)
        self._lost.give_back(self.crew, keeper, document, self._released)
        self._wishes.grant(self.job, keeper, document, now)
        spec, every = self.job.spec, made.look_every
        if not self._is_at_rest:
            keeper.look(document, spec, self._rate, every)
        keeper.tend(document, spec, made.steps, self.crew.ours, now)
        keeper.watch(Watch(document, spec, self._rate, every, made.check_every, quiet=self._is_at_rest))

    def _recover(self, keeper: Keeper, document: ResolveDocument, recovery: Recovery) -> None:
        async def recover() -> Recovery:
            confirmed = await self.crew.confirmed(recovery)
            policy = retry_policy(self.job.spec)
            task = functools.partial(tasks.recover, document=document, recovery=confirmed, policy=policy)
            await asyncio.wrap_future(keeper.login.observe.submit(task))
            self.crew.settle(confirmed)
            return confirmed

        def done(confirmed: Recovery) -> None:
            self._recovering -= hosts
            self._given_back += (confirmed,) if confirmed.hosts else ()
            keeper.released(hosts)

        def failed(error: BaseException) -> None:
            self._recovering -= hosts
            if not isinstance(error, ClusterError):
                keeper.failed(error)

        hosts = frozenset(recovery.hosts)
        if self._errands.run(f"recover {recovery.suspect or ''}", recover, done, failed):
            self._recovering |= hosts

    def _with_our_fields(self, status: Any) -> dict[str, Any]:
        """The plan's status, with what only the cluster has."""
        workers = {**status["workers"], "selector": names.selector(self.job.name)}
        return {**status, **self._wishes.answered, "workers": workers}

    def _released(self, hosts: str) -> None:
        why = "on a node that answers nobody, and not seen by the database"
        self._say(Event("Normal", "RowsReleased", f"{hosts} is {why}; its keys are pending again"))

    def _say(self, what: Event) -> None:
        told = event(self.seen, what, self._place.reporter, tasks.now())
        self._errands.run(f"event {what}", functools.partial(self._place.cluster.create, told))

    def forget(self) -> None:
        """It is no more: nothing is looked for on its behalf."""
        if self.keeper is not None:
            self.keeper.watch(None)

    def _leave(self) -> None:
        self.forget()
        if self.crew.replicas:
            self.crew.resize(self.job, self.seen, 0, frozenset(), rolls=False)
        self._farewell.take(self.seen, self.keeper, self.document, len(self.crew.workers))

    def _delete(self) -> None:
        uid = self.seen["metadata"]["uid"]
        self._errands.run("delete", functools.partial(self._place.cluster.delete, "PopulateJob", *self.owner, uid))

    def _log_in(self, now: datetime) -> None:
        """With what the Secret says now; a new login takes the old one's place at once."""
        found = self._place.secrets.login(*self.secret)
        if isinstance(found, PopulateError):
            self._no_login = Problem("SecretUnusable", str(found), now, 1, lasting=True)
            if self.login is not None:
                self._answers.pose(self.job, self.login)
        if not isinstance(found, Login):
            return
        self._no_login = None
        if found is not self.login:
            self._change_login(found, now)
        self._answers.pose(self.job, found)

    def _change_login(self, login: Login, now: datetime) -> None:
        if self.login is not None:
            self.crew.try_again()
        self.login = login
        self.keeper = Keeper(login, self._flight, self._wake, self.crew.ours)
        written = self._report.written
        self.keeper.remember(remembered(written, now), written.get("appliedPriority"))
