"""What resolve said and workers are told, with a fake API server that may refuse the assignment."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest
from populate_jobs import DatabaseSettings
from populate_jobs.document import BEGIN, END
from populate_operator.database import tasks
from populate_operator.database.flight import Flight
from populate_operator.kube.answers import Answers
from populate_operator.kube.api import ClusterError
from populate_operator.kube.errands import Errands
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import Metrics
from populate_operator.kube.place import Place
from populate_operator.kube.store import Store
from populate_operator.plan import Problem
from prometheus_client import generate_latest

from tests.unit.kube import ended, job, pod, resource
from tests.unit.planning import DOCUMENT

SPEC, EDITED = job(), job(timeoutSeconds=60)
UNSCHEDULABLE = [{"type": "PodScheduled", "status": "False", "message": "no GPU is free"}]


class FakeCluster:
    """Takes what is created, says what resolve printed, and refuses what is applied while `refusal` is set."""

    def __init__(self) -> None:
        self.refusal: ClusterError | None = None
        self.applied: list[dict[str, Any]] = []
        self.said = f"{BEGIN}\n{DOCUMENT.to_json()}\n{END}\n"
        self.harm: Callable[[dict[str, Any]], None] = lambda found: None
        """What is stored in place of what is applied."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens while it is asked what resolve printed."""

    async def create(self, wanted: dict[str, Any], *, dry_run: bool = False) -> dict[str, Any]:
        return kept(wanted)

    async def log(self, *_: str) -> str:
        self.meanwhile()
        return self.said

    async def find(self, *_: str) -> None:
        return None

    async def delete(self, *_: str) -> None:
        return None

    async def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.applied.append(copy.deepcopy(wanted))
        found = kept(wanted, version=10 * len(self.applied))
        self.harm(found)
        return found


def kept(wanted: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """As the API server gives it."""
    name = wanted["metadata"].get("name", "of-a-dry-run")
    return {**wanted, "metadata": {**wanted["metadata"], "uid": f"uid-{name}", "resourceVersion": str(version)}}


class Scene:
    def __init__(self) -> None:
        self.cluster, self.store = FakeCluster(), Store()
        self.flight = Flight(lambda: None)
        unused: Any = None
        fake: Any = self.cluster
        self.metrics = Metrics(Pulse())
        place = Place(fake, self.store, unused, "1a2b3c4d", "me", lambda owner: None, self.metrics)
        self.answers = Answers(("lab", "heart-rate"), place, Errands(self.flight), self.flight)
        self.pose(SPEC)

    def pose(self, spec: Any) -> None:
        login: Any = SimpleNamespace(settings=DatabaseSettings("db", "me", "secret"))
        self.answers.pose(spec, login)

    async def land(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
            self.flight.collect()

    async def ask(self) -> None:
        """Until there is a Kubernetes Job for it."""
        self.answers.ask(SPEC, resource())
        await self.land()

    async def see(self, found: dict[str, Any]) -> None:
        """This pod of resolve's Job."""
        (asked,) = self.store.of(("lab", "heart-rate"), "Job", "resolve")
        owners = [{"uid": asked["metadata"]["uid"]}]
        labels = {**found["metadata"]["labels"], "datajoint.io/component": "resolve"}
        self.store.put({**found, "metadata": {**found["metadata"], "labels": labels, "ownerReferences": owners}})
        self.answers.read(SPEC)
        await self.land()

    async def assign(self, spec: Any) -> Problem | None:
        """What keeps the answer from the workers after it was to be written."""
        for _ in range(2):
            self.answers.assign(spec, resource(), False, tasks.now())
            await self.land()
        return self.answers.problem


async def answered() -> Scene:
    scene = Scene()
    await scene.ask()
    await scene.see(pod("resolve", phase="Succeeded", container=ended(0, "Completed")))
    assert scene.answers.document == DOCUMENT
    assert 'outcome="answered",populatejob="heart-rate"} 1.0' in generate_latest(scene.metrics.registry).decode()
    return scene


@pytest.mark.parametrize("status", [400, 403, 413, 422])
def test_an_assignment_that_the_api_server_refuses_is_told_and_starts_no_worker(status: int) -> None:
    async def scenario() -> None:
        scene = await answered()
        scene.cluster.refusal = ClusterError("exceeded quota: count/configmaps", status=status)
        told = await scene.assign(SPEC)
        assert told is not None
        assert (told.reason, told.message) == ("AssignmentRefused", "exceeded quota: count/configmaps")
        assert told.lasting
        assert scene.answers.served(5, running=0) == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(("spec", "is_refused"), [(SPEC, True), (job(restriction="subject_id < 3"), False)])
def test_what_is_said_to_an_earlier_spec_refuses_nothing_of_the_present_one(spec: Any, is_refused: bool) -> None:
    async def scenario() -> None:
        scene = Scene()
        scene.cluster.said = "killed"
        await scene.ask()
        scene.cluster.meanwhile = lambda: scene.pose(spec)
        await scene.see(pod("resolve", phase="Failed", container=ended(1)))
        assert (scene.answers.refusal is not None) == is_refused

    asyncio.run(scenario())


def test_an_api_server_that_is_away_refuses_nothing() -> None:
    async def scenario() -> None:
        scene = await answered()
        scene.cluster.refusal = ClusterError("the API server cannot be asked")
        assert await scene.assign(SPEC) is None
        assert scene.answers.served(5, running=0) == 5

    asyncio.run(scenario())


def test_workers_go_on_by_the_assignment_they_have_and_none_is_added_while_a_newer_one_is_refused() -> None:
    async def scenario() -> None:
        scene = await answered()
        assert await scene.assign(SPEC) is None
        scene.cluster.refusal = ClusterError("denied by a policy", status=403)
        assert await scene.assign(EDITED) is not None
        assert scene.answers.served(5, running=3) == 3
        assert scene.answers.served(2, running=3) == 2

    asyncio.run(scenario())


def test_a_refusal_is_forgotten_when_the_spec_is_put_back_and_another_is_tried_at_once() -> None:
    async def scenario() -> None:
        scene = await answered()
        assert await scene.assign(SPEC) is None
        scene.cluster.refusal = ClusterError("denied by a policy", status=403)
        assert await scene.assign(EDITED) is not None
        assert await scene.assign(SPEC) is None
        assert await scene.assign(EDITED) is not None
        scene.cluster.refusal = None
        assert await scene.assign(job(timeoutSeconds=30)) is None
        assert len(scene.cluster.applied) == 2

    asyncio.run(scenario())


def told_by_hand(found: dict[str, Any]) -> None:
    found["data"]["assignment.json"] = found["data"]["assignment.json"].replace('"concurrency": 1', '"concurrency": 9')


def without_owner(found: dict[str, Any]) -> None:
    found["metadata"]["ownerReferences"] = []


def without_moment(found: dict[str, Any]) -> None:
    del found["metadata"]["annotations"]["datajoint.io/changed-at"]


@pytest.mark.parametrize("harm", [told_by_hand, without_owner, without_moment])
def test_an_assignment_that_somebody_else_has_changed_is_put_right(harm: Callable[[dict[str, Any]], None]) -> None:
    async def scenario() -> None:
        scene = await answered()
        await scene.assign(SPEC)
        await scene.assign(SPEC)
        assert len(scene.cluster.applied) == 1
        changed = copy.deepcopy(kept(scene.cluster.applied[0], version=15))
        harm(changed)
        scene.store.put(changed)
        await scene.assign(SPEC)
        assert len(scene.cluster.applied) == 2
        assert scene.cluster.applied[0] == {**scene.cluster.applied[1], "metadata": ANY}

    asyncio.run(scenario())


def test_an_assignment_that_a_webhook_changes_is_applied_once() -> None:
    async def scenario() -> None:
        scene = await answered()
        scene.cluster.harm = told_by_hand
        for _ in range(3):
            await scene.assign(SPEC)
        assert len(scene.cluster.applied) == 1

    asyncio.run(scenario())


def test_what_resolve_waits_for_is_told_until_it_answers() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.ask()
        await scene.see(pod("resolve", phase="Pending", conditions=UNSCHEDULABLE))
        assert scene.answers.waits_for is not None
        assert scene.answers.waits_for.reason == "Unschedulable"
        await scene.see(pod("resolve", phase="Succeeded", container=ended(0, "Completed")))
        assert scene.answers.document == DOCUMENT
        assert scene.answers.waits_for is None

    asyncio.run(scenario())


def test_why_resolve_had_no_answer_outlasts_its_pod() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.ask()
        waiting = pod("resolve", phase="Pending", conditions=UNSCHEDULABLE)
        await scene.see(waiting)
        scene.store.drop(waiting)
        assert scene.store.of(("lab", "heart-rate"), "Pod", "resolve") == []
        (asked,) = scene.store.of(("lab", "heart-rate"), "Job", "resolve")
        over = {"conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]}
        scene.store.put({**asked, "status": over})
        scene.answers.read(SPEC)
        assert scene.answers.refusal is not None
        assert scene.answers.refusal.reason == "ResolveTimedOut"
        assert "no GPU is free" in scene.answers.refusal.message

    asyncio.run(scenario())
