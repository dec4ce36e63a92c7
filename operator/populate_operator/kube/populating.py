"""One PopulateJob of the cluster: what is known of it, and the steps by which it comes nearer to its spec."""

from __future__ import annotations

import asyncio
import functools
import time
from datetime import datetime, timedelta
from typing import Any

from populate_jobs import PopulateError, ResolveDocument

from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.keeper import Keeper
from populate_operator.database.login import Login
from populate_operator.plan import Observation, Plan, Previous, Problem, Resolved, Upstream, plan
from populate_operator.plan.agenda import Step
from populate_operator.plan.lineage import Relative
from populate_operator.plan.recovery import Recovery
from populate_operator.plan.scaling import pinned
from populate_operator.plan.share import Claim
from populate_operator.question import refusal
from populate_operator.spec import PopulateJob

from .api import ClusterError, Object
from .asking import Asking, question
from .crew import Crew
from .errands import Errands
from .events import event
from .farewell import Farewell, is_leaving
from .manifests import assignment as assignments
from .manifests import names
from .place import Place
from .statuses import difference, remembered
from .store import Owner

WORKING_LOOK_EVERY = 1.0
"""Seconds between two cheap looks while there are keys or workers."""
IDLE_LOOK_EVERY = 10.0
STATUS_EVERY = 1.0


class Populating:
    def __init__(self, seen: Object, place: Place) -> None:
        self.owner: Owner = (seen["metadata"]["namespace"], seen["metadata"]["name"])
        self._place = place
        self._flight = Flight(functools.partial(place.wake, self.owner))
        self._errands = Errands(self._flight)
        self._asking = Asking(place, self._errands, self._was_answered)
        self.crew = Crew(self.owner, place, self._errands)
        self._farewell = Farewell(place, self._errands, self._flight)
        self.keeper: Keeper | None = None
        self.login: Login | None = None
        self.plan: Plan | None = None
        self._written: dict[str, Any] = dict(seen.get("status", {}))
        self._previous = Previous(self._written)
        self._handled = {name: self._written.get(field) for name, field in _HANDLED.items()}
        self._status_at = 0.0
        self._replicas = self.crew.replicas
        self._question = ""
        self._answer: assignments.Answer | None = None
        self._read: Object | None = None
        self._refusal: Problem | None = None
        self._no_login: Problem | None = None
        self._recovering: frozenset[str] = frozenset()
        """Hosts whose rows are being given back: that is said, and done, once."""
        self.update(seen)

    def update(self, seen: Object) -> None:
        """The resource as it is now."""
        self.seen = seen
        self.job = PopulateJob.from_object(seen)

    # Seeing

    def collect(self, now: datetime) -> None:
        """Takes in what came back since the last time."""
        self._flight.collect()
        self._log_in(now)
        self._read_assignment()
        if self._question:
            self._asking.follow(self.job, self._question)
        self.crew.look(now)

    def sees(self, now: datetime) -> bool:
        """Whether enough is known to plan by; after a restart, the Secret and the queue are looked at first."""
        if self.login is None or self.keeper is None:
            return self._no_login is not None
        if self.document is None or self.keeper.queue is not None or self.keeper.database is not None:
            return True
        self.keeper.look(self.document, self.job.spec, self._rate, 0.0, True, now)
        return False

    @property
    def resolved(self) -> Resolved | None:
        """An answer to another question holds until there is a new one."""
        if self._answer is None:
            return None
        generation = self.job.generation if self._answer.question == self._question else 0
        return Resolved(self._answer.document, generation, self._answer.at)

    @property
    def refusal(self) -> Problem | None:
        return self._no_login or self._refusal

    @property
    def document(self) -> ResolveDocument | None:
        return self._answer.document if self._answer else None

    def decide(self, upstream: Upstream, now: datetime) -> Plan:
        keeper = self.keeper
        held = keeper.queue.held if keeper and keeper.queue else {}
        seen = Observation(
            ours=self.crew.ours,
            generation=self.job.generation,
            resolved=self.resolved,
            refusal=self.refusal,
            database=keeper.database if keeper else None,
            queue=keeper.queue if keeper else None,
            tally=keeper.tally if keeper else None,
            refresh=keeper.refreshed if keeper else None,
            refresh_problem=keeper.refresh_problem if keeper else None,
            replicas=self._replicas,
            workers=self.crew.workers,
            worker_problem=self.crew.problem,
            alive=self.crew.alive(held) | self._recovering,
            deaths=self.crew.deaths(held),
            upstream=upstream,
            applied_priority=keeper.applied_priority if keeper else None,
            orphans_at=keeper.orphans_at if keeper else None,
        )
        self.plan = plan(self.job.spec, seen, self._previous, now)
        self._previous = Previous(self._own_fields(self.plan.status), self.plan.memory)
        self._replicas = self.plan.replicas
        return self.plan

    @property
    def relative(self) -> Relative:
        """As the others see it: busy until it is over or, where it never is, while it has keys to make."""
        over = self.plan is not None and (self.plan.outcome is not None or self.job.spec.suspend)
        idle = self.job.spec.mode == "Continuous" and self.keeper is not None and self.keeper.is_idle
        return Relative(
            self.document, not over and not idle, self._previous.memory.pace.settled_at, self.job.spec.table
        )

    @property
    def claim(self) -> Claim:
        assert self.plan is not None
        worker = self.job.spec.worker
        held_fast = pinned(len(self.plan.busy), self._rate, worker.concurrency, worker.drain_seconds)
        return Claim(worker.concurrency, self.plan.replicas, held_fast, self.job.spec.priority)

    @property
    def _unfinished(self) -> int:
        return self.keeper.unfinished if self.keeper else 0

    @property
    def _rate(self) -> float | None:
        return self._previous.memory.pace.settled_per_worker_second

    # Doing

    def act(self, replicas: int, now: datetime) -> None:
        """The steps that are due, in the order in which they matter; none of them waits."""
        assert self.plan is not None
        self._tell(self.plan, now)
        if is_leaving(self.seen):
            self._leave(now)
            return
        if self._is_to_go(now):
            self._delete()
            return
        self._farewell.prepare(self.job, self.seen)
        if Step.RESOLVE in self.plan.steps and self._question and self.login is not None:
            self._asking.ask(self.job, self.seen, self._question)
        self._assign(now)
        if self.keeper is not None and self.document is not None:
            self._tend(self.keeper, self.document, now)
        self.crew.resize(self.job, self.seen, replicas, self.plan.busy)
        self._write_status()

    @property
    def next_look(self) -> float:
        """Seconds until it is worth looking again where nothing happens."""
        assert self.plan is not None
        planned = (self.plan.look_again_at - tasks.now()).total_seconds()
        return max(0.1, min(planned, self._look_every, STATUS_EVERY if self._unwritten else planned))

    @property
    def _look_every(self) -> float:
        working = self._unfinished or self.crew.replicas or self.plan is None
        return WORKING_LOOK_EVERY if working else IDLE_LOOK_EVERY

    def _tend(self, keeper: Keeper, document: ResolveDocument, now: datetime) -> None:
        assert self.plan is not None
        for recovery in self.plan.recoveries:
            self._recover(keeper, document, recovery)
        self._answer_annotations(keeper, document)
        spec, due = self.job.spec, self.plan.steps
        keeper.look(document, spec, self._rate, self._look_every, Step.COUNT in due, now)
        keeper.tend(document, spec, due, self.crew.ours, now)

    def _recover(self, keeper: Keeper, document: ResolveDocument, recovery: Recovery) -> None:
        async def recover() -> object:
            confirmed = await self.crew.confirmed(recovery)
            task = functools.partial(tasks.recover, document=document, recovery=confirmed)
            return await asyncio.wrap_future(keeper.login.observe.submit(task))

        def done(_: object) -> None:
            self._recovering -= hosts
            keeper.released(hosts)

        def failed(error: BaseException) -> None:
            self._recovering -= hosts
            if not isinstance(error, ClusterError):
                keeper.failed(error)

        hosts = frozenset(recovery.hosts)
        if self._errands.run(f"recover {recovery.suspect or ''}", recover, done, failed):
            self._recovering |= hosts

    def _answer_annotations(self, keeper: Keeper, document: ResolveDocument) -> None:
        """Each value once; the status says which was the last."""
        asked = {name: self.job.annotations.get(name) for name in _HANDLED}
        due = {name: value for name, value in asked.items() if value and value != self._handled[name]}
        if names.REFRESH in due:
            keeper.refresh(document, self.job.spec)
            self._handled[names.REFRESH] = due[names.REFRESH]
        if names.RETRY_ERRORS in due:
            task = functools.partial(tasks.retry_errors, document=document)

            def retried(_: object) -> None:
                self._handled[names.RETRY_ERRORS] = due[names.RETRY_ERRORS]
                keeper.look_at_once(fully=True)

            submit = functools.partial(keeper.login.refresh.submit, task)
            self._flight.start("retry errors", submit, retried, keeper.failed)

    def _assign(self, now: datetime) -> None:
        """Has the workers' assignment say what the spec and the last answer say."""
        if self._answer is None:
            return
        wanted = assignments.assignment(self.job, self.seen, self._answer, now)
        found = self._config_map
        if found is None or _applied(found) != _applied(wanted):
            self._errands.run("assign", functools.partial(self._place.cluster.apply, wanted), self._place.store.put)
        else:
            self.crew.nudge(found["metadata"]["annotations"][names.CHANGED_AT])

    def _write_status(self) -> None:
        """All that changed, in one write."""
        if not self._unwritten or time.monotonic() - self._status_at < STATUS_EVERY:
            return
        self._status_at = time.monotonic()
        wanted, patch = dict(self._previous.status), {"status": self._unwritten}
        merge = functools.partial(self._place.cluster.merge, "PopulateJob", *self.owner, patch, "status")

        def done(_: object) -> None:
            self._written = wanted

        self._errands.run("status", merge, done)

    @property
    def _unwritten(self) -> dict[str, Any]:
        return difference(self._written, self._previous.status)

    def _own_fields(self, status: Any) -> dict[str, Any]:
        """The plan's status, with what only the cluster has."""
        handled = {field: self._handled[name] for name, field in _HANDLED.items() if self._handled[name]}
        return {**status, **handled, "workers": {**status["workers"], "selector": names.selector(self.job.name)}}

    def _tell(self, made: Plan, now: datetime) -> None:
        for what in made.events:
            told = event(self.seen, what, self._place.reporter, now)
            self._errands.run(f"event {what}", functools.partial(self._place.cluster.create, told))

    def _is_to_go(self, now: datetime) -> bool:
        """ttlSecondsAfterFinished after the end, once the status that says so is written."""
        ttl = self.job.spec.ttl_seconds_after_finished
        ended = self._written.get("completionTime")
        if ttl is None or ended is None or self.plan is None or self.plan.outcome is None:
            return False
        return now >= datetime.fromisoformat(ended.replace("Z", "+00:00")) + timedelta(seconds=ttl)

    def _leave(self, now: datetime) -> None:
        if self.crew.replicas:
            self.crew.resize(self.job, self.seen, 0, frozenset())
        self._farewell.take(self.seen, self.keeper, self.document, len(self.crew.workers), now)

    def _delete(self) -> None:
        uid = self.seen["metadata"]["uid"]
        self._errands.run("delete", functools.partial(self._place.cluster.delete, "PopulateJob", *self.owner, uid))

    # Knowing

    def _log_in(self, now: datetime) -> None:
        """With what the Secret says now; a new login takes the old one's place at once."""
        found = self._place.secrets.login(self.owner[0], self.job.spec.database.secret_ref.name)
        if isinstance(found, PopulateError):
            self._no_login = Problem("SecretUnusable", str(found), now, 1, lasting=True)
        if not isinstance(found, Login):
            return
        self._no_login = None
        if found is not self.login:
            self._change_login(found)
        asked = question(self.job.spec, found.settings)
        if asked != self._question:
            self._question, self._refusal = asked, None
            self._errands.forgive("ask")

    def _change_login(self, login: Login) -> None:
        if self.login is not None:
            self.crew.try_again()
        self.login, self._refusal = login, None
        self.keeper = Keeper(login, self._flight)
        self.keeper.remember(remembered(self._written), self._written.get("appliedPriority"))

    def _read_assignment(self) -> None:
        found = self._config_map
        if found is not None and found is not self._read:
            self._read = found
            kept = assignments.read(found)
            if kept is not None and (self._answer is None or kept.at > self._answer.at):
                self._answer = kept

    @property
    def _config_map(self) -> Object | None:
        return self._place.store.get("ConfigMap", self.owner[0], names.assignment_name(self.owner[1]))

    def _was_answered(self, said: ResolveDocument | PopulateError, about: str) -> None:
        now = tasks.now()
        if isinstance(said, PopulateError):
            self._refusal = refusal(said, self._refusal, now)
            return
        self._answer = assignments.Answer(said, about, now)
        self._refusal = None
        if self.keeper is not None:
            self.keeper.forgive()


_HANDLED = {names.REFRESH: "lastHandledRefresh", names.RETRY_ERRORS: "lastHandledRetryErrors"}
"""Annotations that ask for something once, and the field of the status that answers."""


def _applied(found: Object) -> str:
    return str(found["metadata"].get("annotations", {}).get(names.APPLIED, ""))
