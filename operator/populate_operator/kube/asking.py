"""Asks the worker image what a PopulateJob means: one Kubernetes Job at a time, its log read, then removed."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable

from populate_jobs import DatabaseSettings, ResolveDocument
from populate_jobs.errors import PopulateError, ResolveRefused

from populate_operator.database import tasks
from populate_operator.plan import Problem
from populate_operator.question import arguments
from populate_operator.spec import PopulateJob, Spec

from .api import ClusterError, Object
from .errands import Errands
from .manifests import names
from .manifests.pod import CONTAINER
from .manifests.resolve import pod_of, resolve_job
from .place import Place
from .relocation import address
from .resolving import Ended, answer, standing, waits_for

MOST_READ = 64
FORBIDDEN = 403
"""The status for what a quota, the namespace's Pod Security Standard or some other policy does not admit."""

Answered = Callable[[ResolveDocument | PopulateError, str], None]
"""Called with what resolve said, and the question."""


def question(spec: Spec, settings: DatabaseSettings) -> str:
    """Digest of all that the answer depends on: nothing else in a spec needs another run."""
    return names.digest([arguments(spec), spec.worker.image, spec.worker.template, address(settings)])


class Asking:
    def __init__(self, place: Place, errands: Errands, answered: Answered) -> None:
        self._place = place
        self._errands = errands
        self._answered = answered
        self._read: deque[str] = deque(maxlen=MOST_READ)
        """Uids of the Kubernetes Jobs whose answer was taken: the last ones, for others are long gone."""
        self._waits: tuple[str, Problem | None] = ("", None)
        """The question whose pod was seen last, and what keeps that pod from answering."""

    def ask(self, job: PopulateJob, owner: Object, asked: str) -> None:
        wanted = resolve_job(job, owner, asked)
        if self._place.store.get("Job", job.namespace, wanted["metadata"]["name"]) is None:
            create = functools.partial(self._create, wanted)
            self._errands.run("ask", create, self._place.store.put, functools.partial(self._not_asked, asked))

    def waits_for(self, asked: str) -> Problem | None:
        """What keeps the pod that was asked this from answering, though it may pass."""
        about, problem = self._waits
        return problem if about == asked else None

    async def _create(self, wanted: Object) -> Object:
        """A Kubernetes Job is taken whatever its pods are: what would become of one is asked first."""
        await self._place.cluster.create(pod_of(wanted), dry_run=True)
        return await self._place.cluster.create(wanted)

    def follow(self, job: PopulateJob, asked: str) -> None:
        """Reads what ended, and removes what was read or is no longer the question."""
        for found in self._place.store.of((job.namespace, job.name), "Job", names.RESOLVE):
            about = found["metadata"].get("annotations", {}).get(names.QUESTION, "")
            if found["metadata"]["uid"] in self._read or about != asked:
                self._remove(found)
            else:
                self._look(job, found, about)

    def _look(self, job: PopulateJob, found: Object, about: str) -> None:
        every = self._place.store.of((job.namespace, job.name), "Pod", names.RESOLVE)
        pods = [pod for pod in every if _belongs(pod, found)]
        now = tasks.now()
        if pods:  # else they were removed, as for the time they took: what kept the last one is why
            self._waits = about, waits_for(pods, now)
        at = standing(found, pods, self.waits_for(about), now)
        if isinstance(at, ResolveRefused):
            self._take(found, at, about)
        elif isinstance(at, Ended):
            pod = next(pod for pod in pods if pod["metadata"]["name"] == at.pod)
            read = functools.partial(self._place.cluster.log, job.namespace, at.pod, CONTAINER)
            self._errands.run("read", read, lambda log: self._take(found, answer(log, pod), about))

    def _take(self, found: Object, said: ResolveDocument | PopulateError, about: str) -> None:
        self._read.append(found["metadata"]["uid"])
        self._waits = "", None
        self._remove(found)
        self._answered(said, about)

    def _remove(self, found: Object) -> None:
        metadata = found["metadata"]
        where = "Job", metadata["namespace"], metadata["name"], metadata["uid"]
        if "deletionTimestamp" not in metadata:
            delete = functools.partial(self._place.cluster.delete, *where)
            self._errands.run(f"remove {metadata['name']}", delete, lambda _: self._place.store.drop(found))

    def _not_asked(self, asked: str, error: BaseException) -> None:
        if isinstance(error, ClusterError) and error.says_no:
            reason = "PodsRefused" if error.status == FORBIDDEN else "TemplateRefused"
            self._answered(ResolveRefused(reason, str(error)), asked)


def _belongs(pod: Object, job: Object) -> bool:
    owners = pod["metadata"].get("ownerReferences", [])
    return any(owner["uid"] == job["metadata"]["uid"] for owner in owners)
