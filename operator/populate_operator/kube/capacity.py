"""Places for workers, where there is a limit to those of one database over all PopulateJobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from populate_operator.plan.share import Claim, Present, grown, share

from .crew import Crew
from .populating import Populating
from .store import Owner

Server = tuple[str, str]


@dataclass(frozen=True)
class Outlived:
    """A PopulateJob that is deleted, whose workers finish what they hold."""

    server: Server
    slots: int
    crew: Crew


class Capacity:
    def __init__(self, most: int | None) -> None:
        self._most = most
        self._asked_for: dict[Owner, int] = {}
        """Workers of each PopulateJob, the last time."""
        self._outlived: dict[Owner, Outlived] = {}

    def ask(self, owner: Owner, replicas: int) -> None:
        self._asked_for[owner] = replicas

    def begin(self, owner: Owner) -> None:
        """With a PopulateJob, which may have the name of an earlier one, and so its pods."""
        self._asked_for.pop(owner, None)
        self._outlived.pop(owner, None)

    def end(self, job: Populating) -> None:
        self._asked_for.pop(job.owner, None)
        if self._most is not None:
            self._outlived[job.owner] = Outlived(_server(job), job.job.spec.worker.concurrency, job.crew)

    def shared(self, jobs: Iterable[Populating], asking: Sequence[Populating], now: datetime) -> dict[Owner, int]:
        """Replicas by PopulateJob, where there is a limit and somebody wants some."""
        if self._most is None:
            return {}
        self._look_after_the_outlived(now)
        given: dict[Owner, int] = {}
        every = list(jobs)
        for server in {_server(job) for job in asking if job.plan and job.plan.replicas}:
            those = [job for job in every if _server(job) == server]
            gone = [one for one in self._outlived.values() if one.server == server]
            claims = [*(job.claim for job in those), *(Claim(one.slots, 0) for one in gone)]
            present = [*map(self._present, those), *(Present(0, _there(one.crew)) for one in gone)]
            shares = grown(self._most, claims, share(self._most, claims), present)
            given.update(zip((job.owner for job in those), shares, strict=False))
        return given

    def _present(self, job: Populating) -> Present:
        """What was just asked for may not be seen in the cluster yet."""
        staying = self._asked_for.get(job.owner, job.crew.replicas)
        return Present(staying, job.crew.leaving + max(staying, job.crew.replicas, job.crew.staying))

    def _look_after_the_outlived(self, now: datetime) -> None:
        for one in self._outlived.values():
            one.crew.look(now)
        self._outlived = {owner: one for owner, one in self._outlived.items() if _there(one.crew)}


def _there(crew: Crew) -> int:
    return crew.staying + crew.leaving


def _server(job: Populating) -> Server:
    """Which database a PopulateJob works on, as its own image saw it."""
    return (job.document.backend, job.document.server.identity) if job.document else ("", "/".join(job.owner))
