"""The cap on the workers of one database, while what was asked for is on its way. PopulateJobs are fakes named so."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from populate_operator.kube.api import Cluster
from populate_operator.kube.controller import Controller, Options
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import Metrics
from populate_operator.kube.populating import Populating
from populate_operator.plan.share import Claim
from populate_operator.spec import PopulateJob

from tests.unit.kube import resource

CAP = 3
SERVER = SimpleNamespace(backend="postgresql", server=SimpleNamespace(identity="one"))


class FakeJob:
    """A PopulateJob with so many replicas and pods in the cluster, as far as that was seen."""

    def __init__(self, name: str, *, replicas: int = 0, pods: int = 0, priority: int = 5) -> None:
        self.owner = ("lab", name)
        self.document = SERVER
        self.plan: SimpleNamespace | None = SimpleNamespace(replicas=10, status={})
        self.claim = Claim(1, 10, 0, priority)
        self.crew = SimpleNamespace(replicas=replicas, workers=(None,) * pods)
        self.next_look = 1.0

    def act(self, replicas: int, _: object) -> None:
        """Nothing of it is seen yet."""


class Capped(Controller):
    def __init__(self, *jobs: Any) -> None:
        pulse = Pulse()
        super().__init__(FakeCluster(), Options((), "here", "me", CAP), pulse, FakeMetrics(pulse))
        self._jobs = {job.owner: job for job in jobs}

    def turn(self) -> list[int]:
        """What each gets, in one turn of all."""
        jobs = [job for job in self._jobs.values() if job.plan is not None]
        shared = self._shared(jobs)
        for job in jobs:
            self._act(job, shared[job.owner], None)  # type: ignore[arg-type]
        return [shared[job.owner] for job in jobs]

    def come(self, job: Any) -> None:
        self._jobs[job.owner] = job


class FakeCluster(Cluster):
    def __init__(self) -> None:
        """Of which nothing is asked."""


class FakeMetrics(Metrics):
    def planned(self, *_: object) -> None:
        """Tells nobody."""


def test_the_more_urgent_get_the_places_of_the_others_when_these_are_gone() -> None:
    async def scenario() -> None:
        usual, urgent = FakeJob("usual", replicas=3, pods=3), FakeJob("urgent", priority=1)
        capped = Capped(usual, urgent)
        assert capped.turn() == [1, 0]
        usual.crew = SimpleNamespace(replicas=1, workers=(None,) * 3)
        assert capped.turn() == [1, 0]
        usual.crew = SimpleNamespace(replicas=1, workers=(None,))
        assert capped.turn() == [1, 2]

    asyncio.run(scenario())


def test_what_was_asked_for_a_moment_ago_has_its_places_before_it_is_seen() -> None:
    async def scenario() -> None:
        capped = Capped(FakeJob("usual"))
        assert capped.turn() == [CAP]
        capped.come(FakeJob("urgent", priority=1))
        assert capped.turn() == [1, 0]

    asyncio.run(scenario())


def test_workers_that_an_earlier_operator_started_have_their_places_before_anything_is_planned_for_them() -> None:
    async def scenario() -> None:
        seen, unseen = FakeJob("seen", replicas=1, pods=1), FakeJob("unseen", replicas=2, pods=2)
        unseen.plan, unseen.claim = None, Claim(1, 2, 2)
        assert Capped(seen, unseen).turn() == [1]

    asyncio.run(scenario())


def test_one_that_is_deleted_claims_no_places_however_long_others_keep_it() -> None:
    pace = SimpleNamespace(settled_per_worker_second=None)

    class Kept(Populating):
        def __init__(self) -> None:
            self.seen = resource()
            self.job = PopulateJob.from_object(self.seen)
            self.plan = cast(Any, SimpleNamespace(replicas=3, busy=frozenset()))
            self._previous = cast(Any, SimpleNamespace(memory=SimpleNamespace(pace=pace)))

    job = Kept()
    assert job.claim.replicas == 3
    job.seen["metadata"]["deletionTimestamp"] = "2026-11-02T10:00:00Z"
    assert job.claim.replicas == 0
