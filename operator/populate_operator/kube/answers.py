"""What the worker image says a PopulateJob means: asked when the question changes, kept in its ConfigMap."""

from __future__ import annotations

import functools
from datetime import datetime

from populate_jobs import PopulateError, ResolveDocument

from populate_operator import question
from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.database.login import Login
from populate_operator.database.problems import problem
from populate_operator.plan import Problem, Resolved
from populate_operator.spec import PopulateJob
from populate_operator.text import one_line

from . import asking, claim, relocation
from .api import ClusterError, Object
from .errands import Errands
from .manifests import assignment as assignments
from .manifests import names
from .manifests.names import is_owned
from .place import Place
from .store import Owner, version_of

_LOOK = "look elsewhere"


class Answers:
    def __init__(self, owner: Owner, place: Place, errands: Errands, flight: Flight) -> None:
        self._owner = owner
        self._place = place
        self._errands = errands
        self._flight = flight
        self._asking = asking.Asking(place, errands, self._was_answered)
        self._question = ""
        self._login: Login | None = None
        self._secret = ""
        self._kept: assignments.Answer | None = None
        self._read: Object | None = None
        self._digest: tuple[PopulateJob, assignments.Answer, bool, str] | None = None
        """Of the assignment of this spec and answer."""
        self.refusal: Problem | None = None
        self.problem: Problem | None = None
        """What keeps the answer from the workers."""
        self._intact: Object | None = None
        """The ConfigMap as it was when nobody else had changed it."""
        self._taken = 0
        """Its version as the API server took it: what a webhook makes of it comes to the same the next time."""
        self._refused = ""
        """The digest of the assignment that this is about."""

    @property
    def document(self) -> ResolveDocument | None:
        return self._kept.document if self._kept else None

    @property
    def waits_for(self) -> Problem | None:
        """What keeps the first answer to this question from coming; the last one holds while it is asked again."""
        is_known = self._kept is not None and self._question in ("", self._kept.question)
        return None if is_known or self.refusal else self._asking.waits_for(self._question)

    def served(self, replicas: int, running: int) -> int:
        """So many workers an assignment that was refused leaves: none without one, and none more by an older one."""
        if self.problem is None:
            return replicas
        return min(replicas, running) if self._config_map else 0

    def resolved(self, generation: int) -> Resolved | None:
        """An answer to another question holds until there is a new one."""
        if self._kept is None:
            return None
        # Until the login is known there is no question to compare with.
        answered = generation if self._question in ("", self._kept.question) else 0
        return Resolved(self._kept.document, answered, self._kept.at)

    def pose(self, job: PopulateJob, login: Login) -> None:
        """The question as it is now; what was refused is asked again where question or login is another."""
        asked = asking.question(job.spec, login.settings)
        if asked != self._question or login is not self._login:
            self._question, self._login, self.refusal = asked, login, None
            self._secret = job.spec.database.secret_ref.name
            self._errands.forgive("ask")

    def read(self, job: PopulateJob) -> None:
        """What is kept, and what came back since."""
        found = self._config_map
        if found is not None and found is not self._read:
            self._read = found
            kept = assignments.read(found) if assignments.is_intact(found) else None
            if kept is not None and (self._kept is None or kept.at > self._kept.at):
                self._kept = kept
        if self._question:
            self._asking.follow(job, self._question)

    def ask(self, job: PopulateJob, owner: Object) -> None:
        if self._question and self._login is not None and not self._flight.is_out(_LOOK):
            self._asking.ask(job, owner, self._question)

    def assign(self, job: PopulateJob, owner: Object, paused: bool, now: datetime) -> str | None:
        """Has the workers' assignment say what the spec and the answer say; when it last changed, once it does."""
        if self._kept is None:
            return None
        found, digest = self._config_map, self._wanted_digest(job, owner, self._kept, paused, now)
        if self.problem and digest != self._refused:
            self.problem = None
            self._errands.forgive("assign")
        changed_at = found["metadata"].get("annotations", {}).get(names.CHANGED_AT) if found else None
        if found is None or changed_at is None or not self._says(found, digest, owner):
            wanted = assignments.assignment(job, owner, self._kept, now, paused=paused)
            apply = functools.partial(claim.apply, self._place.cluster, self._place.store, wanted)
            failed = functools.partial(self._not_assigned, digest)
            self._errands.run("assign", apply, self._assigned, failed)
            return None
        return str(changed_at)

    def _says(self, found: Object, digest: str, owner: Object) -> bool:
        """Whether it is as it was applied: others may have written to it since, or taken it from its owner."""
        if self._intact is not found and _applied(found) == digest:
            self._intact = found if assignments.is_intact(found) and is_owned(found, owner) else None
        return (self._intact is found or version_of(found) == self._taken) and _applied(found) == digest

    def _assigned(self, found: Object) -> None:
        self.problem, self._taken = None, version_of(found)
        self._place.store.put(found)

    def _not_assigned(self, digest: str, error: BaseException) -> None:
        if isinstance(error, ClusterError) and error.says_no:
            reason = "NameTaken" if isinstance(error, claim.NameTaken) else "AssignmentRefused"
            self.problem = Problem(reason, one_line(str(error)), tasks.now(), lasting=True)
            self._refused = digest

    def _wanted_digest(
        self, job: PopulateJob, owner: Object, kept: assignments.Answer, paused: bool, now: datetime
    ) -> str:
        made = self._digest
        if made is None or made[0] is not job or made[1] is not kept or made[2] != paused:
            digest = _applied(assignments.assignment(job, owner, kept, now, paused=paused))
            made = self._digest = (job, kept, paused, digest)
        return made[3]

    @property
    def _config_map(self) -> Object | None:
        return self._place.store.get("ConfigMap", self._owner[0], names.assignment_name(self._owner[1]))

    def _was_answered(self, said: ResolveDocument | PopulateError, about: str) -> None:
        assert self._login is not None
        if isinstance(said, PopulateError):
            if about == self._question:  # else the spec was edited meanwhile
                self._refuse(said)
            return
        address = relocation.address(self._login.settings)
        answer = assignments.Answer(said, about, tasks.now(), address)
        if self._kept is not None and relocation.is_elsewhere(self._kept, said, address):
            self._look_there_first(self._login, self._kept, answer)
        else:
            self._keep(answer)

    def _look_there_first(self, login: Login, kept: assignments.Answer, answer: assignments.Answer) -> None:
        """Another server will do where nothing was made or queued on it yet."""

        def looked(holds_rows: bool) -> None:
            if answer.question != self._question:
                return
            if holds_rows:
                self._refuse(relocation.refusal(kept, answer.document, self._secret))
            else:
                self._keep(answer)

        def failed(error: BaseException) -> None:
            self.refusal = problem(error, self.refusal, tasks.now())

        task = functools.partial(tasks.holds_rows, document=answer.document)
        self._flight.start(_LOOK, functools.partial(login.observe.submit, task), looked, failed)

    def _refuse(self, error: PopulateError) -> None:
        self.refusal = question.refusal(error, self.refusal, tasks.now())
        self._place.metrics.not_resolved(self._owner, error)

    def _keep(self, answer: assignments.Answer) -> None:
        self._kept, self.refusal = answer, None
        self._place.metrics.resolved(self._owner)


def _applied(found: Object) -> str:
    return str(found["metadata"].get("annotations", {}).get(names.APPLIED, ""))
