"""The Deployment of workers, with a fake API server that notes what it is asked, and does not take all of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from populate_operator.database.flight import Flight
from populate_operator.kube.api import ClusterError
from populate_operator.kube.crew import Crew
from populate_operator.kube.errands import Errands
from populate_operator.kube.place import Place
from populate_operator.kube.store import Store
from populate_operator.spec import PopulateJob

from tests.unit.kube import job, resource
from tests.unit.planning import NOW

GOOD, TYPO = (job(worker={"image": image}) for image in ("lab:1", "lab:typo"))
REFUSED = job(worker={"template": {"metadata": {"labels": {"bad": "!"}}}})


class FakeCluster:
    """Takes a Deployment as it is applied or merged, but none of pods with a label `bad`."""

    def __init__(self) -> None:
        self.deployment: dict[str, Any] = {}
        self.asked: list[str] = []

    async def find(self, *where: str) -> None:
        return None

    async def apply(self, wanted: dict[str, Any]) -> dict[str, Any]:
        self.asked.append("apply")
        if "bad" in wanted["spec"]["template"]["metadata"]["labels"]:
            raise ClusterError("label bad: Invalid value", status=422)
        self.deployment = {**wanted, "metadata": {**wanted["metadata"], "uid": "d-1", "resourceVersion": "1"}}
        return self.deployment

    async def merge(self, kind: str, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self.asked.append("merge")
        assert (kind, name) == ("Deployment", self.deployment["metadata"]["name"])
        self.deployment = {**self.deployment, "spec": {**self.deployment["spec"], **patch["spec"]}}
        return self.deployment

    @property
    def runs(self) -> tuple[str, int]:
        """Image and number of its pods."""
        spec = self.deployment["spec"]
        return spec["template"]["spec"]["containers"][0]["image"], spec["replicas"]


class Scene:
    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.flight = Flight(lambda: None)
        unused: Any = None
        fake: Any = self.cluster
        place = Place(fake, Store(), unused, "1a2b3c4d", "me", lambda owner: None, unused)
        self.crew = Crew(("lab", "heart-rate"), place, Errands(self.flight))

    async def resize(self, spec: PopulateJob, replicas: int, *, rolls: bool) -> None:
        self.crew.resize(spec, resource(), replicas, frozenset(), rolls=rolls)
        while self.flight.is_out("deployment") or self.flight.is_out("scale"):
            await asyncio.sleep(0)
            self.flight.collect()

    async def turns(self, spec: PopulateJob) -> str | None:
        """The reason of what is wrong after some."""
        for _ in range(3):
            self.crew.look(NOW)
            await self.resize(spec, 1, rolls=True)
        self.crew.look(NOW)
        return self.crew.problem.reason if self.crew.problem else None


def test_an_edit_that_nobody_has_answered_changes_the_number_of_pods_and_nothing_in_them() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 4, rolls=True)
        await scene.resize(TYPO, 4, rolls=False)
        assert scene.cluster.asked == ["apply"]
        await scene.resize(TYPO, 2, rolls=False)
        assert scene.cluster.runs == ("lab:1", 2)
        await scene.resize(TYPO, 2, rolls=True)
        assert scene.cluster.runs == ("lab:typo", 2)

    asyncio.run(scenario(Scene()))


def test_an_edit_that_is_taken_back_rolls_no_pod() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 4, rolls=True)
        await scene.resize(TYPO, 3, rolls=False)
        await scene.resize(GOOD, 3, rolls=True)
        assert scene.cluster.asked == ["apply", "merge"]

    asyncio.run(scenario(Scene()))


def test_how_many_workers_a_roll_may_take_at_once_follows_their_number() -> None:
    async def scenario(scene: Scene) -> None:
        for replicas, unavailable in ((1, 1), (12, 3), (2, 1)):
            await scene.resize(GOOD, replicas, rolls=True)
            assert scene.cluster.deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == unavailable

    asyncio.run(scenario(Scene()))


def test_an_operator_that_makes_pods_otherwise_than_the_one_before_leaves_those_it_finds() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 4, rolls=True)
        await scene.resize(GOOD, 12, rolls=True)
        await scene.resize(GOOD, 2, rolls=True)
        assert scene.cluster.asked == ["apply", "merge", "merge"]
        assert scene.cluster.runs == ("lab:1", 2)

    asyncio.run(scenario(Scene()))


@pytest.mark.parametrize("replicas", [0, 3])
def test_there_is_no_deployment_before_the_first_answer(replicas: int) -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, replicas, rolls=False)
        assert scene.cluster.asked == []

    asyncio.run(scenario(Scene()))


def test_a_template_that_was_refused_is_forgotten_when_the_one_before_is_put_back() -> None:
    async def scenario(scene: Scene) -> None:
        assert await scene.turns(GOOD) is None
        assert await scene.turns(REFUSED) == "TemplateRefused"
        assert await scene.turns(GOOD) is None

    asyncio.run(scenario(Scene()))


def test_a_template_that_was_mended_is_tried_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        assert await scene.turns(REFUSED) == "TemplateRefused"
        assert await scene.turns(GOOD) is None

    asyncio.run(scenario(Scene()))


def test_workers_are_stopped_whatever_is_said_to_the_template_that_they_are_to_have() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 4, rolls=True)
        assert await scene.turns(REFUSED) == "TemplateRefused"
        await scene.resize(REFUSED, 0, rolls=True)
        scene.crew.look(NOW)
        assert scene.cluster.runs == ("lab:1", 0)
        assert scene.crew.problem is not None

    asyncio.run(scenario(Scene()))
