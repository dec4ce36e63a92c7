"""The cap on the workers of one database, while what was asked for is on its way. PopulateJobs are fakes named so."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

from populate_operator.kube.capacity import Capacity
from populate_operator.kube.populating import Populating
from populate_operator.plan.share import Claim
from populate_operator.spec import PopulateJob

from tests.unit.kube import resource
from tests.unit.planning import NOW

CAP = 3
SERVER = SimpleNamespace(backend="postgresql", server=SimpleNamespace(identity="one"))


class FakeCrew:
    """So many replicas and pods in the cluster, as far as that was seen."""

    def __init__(self, replicas: int = 0, staying: int = 0, leaving: int = 0) -> None:
        self.replicas, self.staying, self.leaving = replicas, staying, leaving

    def look(self, now: datetime) -> None:
        """Nothing is new."""


class FakeJob:
    def __init__(self, name: str, *, crew: FakeCrew | None = None, priority: int = 5) -> None:
        self.owner = ("lab", name)
        self.document = SERVER
        self.job = PopulateJob.from_object(resource())
        self.plan: SimpleNamespace | None = SimpleNamespace(replicas=10)
        self.claim = Claim(1, 10, 0, priority)
        self.crew = crew or FakeCrew()


class Capped:
    def __init__(self, *jobs: Any) -> None:
        self.jobs = list(jobs)
        self.capacity = Capacity(CAP)

    def turn(self) -> list[int]:
        """What each gets, in one turn of all."""
        asking = [job for job in self.jobs if job.plan is not None]
        shared = self.capacity.shared(self.jobs, asking, NOW)
        for job in asking:
            self.capacity.ask(job.owner, shared[job.owner])
        return [shared[job.owner] for job in asking]


def test_the_more_urgent_get_the_places_of_the_others_when_these_are_gone() -> None:
    usual, urgent = FakeJob("usual", crew=FakeCrew(3, 3)), FakeJob("urgent", priority=1)
    capped = Capped(usual, urgent)
    assert capped.turn() == [1, 0]
    usual.crew = FakeCrew(1, staying=1, leaving=2)
    assert capped.turn() == [1, 0]
    usual.crew = FakeCrew(1, staying=1)
    assert capped.turn() == [1, 2]


def test_what_was_asked_for_a_moment_ago_has_its_places_before_it_is_seen() -> None:
    capped = Capped(FakeJob("usual"))
    assert capped.turn() == [CAP]
    capped.jobs.append(FakeJob("urgent", priority=1))
    assert capped.turn() == [1, 0]


def test_one_that_is_resumed_while_its_workers_drain_has_places_beside_theirs_alone() -> None:
    job = FakeJob("resumed", crew=FakeCrew(leaving=2))
    capped = Capped(job)
    assert capped.turn() == [1]
    job.crew = FakeCrew(1, leaving=2)  # the new pod is not seen yet
    assert capped.turn() == [1]


def test_workers_that_an_earlier_operator_started_have_their_places_before_anything_is_planned_for_them() -> None:
    seen, unseen = FakeJob("seen", crew=FakeCrew(1, 1)), FakeJob("unseen", crew=FakeCrew(2, 2))
    unseen.plan, unseen.claim = None, Claim(1, 2, 2)
    assert Capped(seen, unseen).turn() == [1]


def test_workers_of_one_that_is_deleted_have_their_places_until_they_are_gone() -> None:
    gone, other = FakeJob("gone", crew=FakeCrew(leaving=2)), FakeJob("other")
    capped = Capped(other)
    capped.capacity.end(cast(Populating, gone))
    assert capped.turn() == [1]
    gone.crew.leaving = 0
    assert capped.turn() == [CAP]


class Kept(Populating):
    """With a plan for three workers, and no cluster."""

    def __init__(self) -> None:
        pace = SimpleNamespace(settled_per_worker_second=None)
        self.seen = resource()
        self.job = PopulateJob.from_object(self.seen)
        self.plan = cast(Any, SimpleNamespace(replicas=3, busy=frozenset()))
        self.good = 3
        self.crew = cast(Any, SimpleNamespace(replicas=3, bearable=lambda replicas, _: min(replicas, self.good)))
        self._answers = cast(Any, SimpleNamespace(served=lambda replicas, _: replicas))
        self._previous = cast(Any, SimpleNamespace(memory=SimpleNamespace(pace=pace)))


def test_one_that_is_deleted_claims_no_places_however_long_others_keep_it() -> None:
    job = Kept()
    assert job.claim.replicas == 3
    job.seen["metadata"]["deletionTimestamp"] = "2026-11-02T10:00:00Z"
    assert job.claim.replicas == 0


def test_one_whose_workers_do_not_come_up_claims_no_places_for_more_of_them() -> None:
    job = Kept()
    job.good = 1
    assert job.claim.replicas == 1
