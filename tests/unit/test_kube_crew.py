"""The Deployment of workers, with a fake API server that notes what it is asked, and does not take all of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from populate_operator.database.flight import Flight
from populate_operator.kube import silence
from populate_operator.kube.api import ClusterError
from populate_operator.kube.crew import Crew
from populate_operator.kube.errands import Errands
from populate_operator.kube.place import Place
from populate_operator.kube.store import Store
from populate_operator.spec import PopulateJob

from tests.clock import Clock
from tests.unit.kube import job, pod, ready, resource
from tests.unit.planning import NOW

GOOD, TYPO = (job(worker={"image": image}) for image in ("lab:1", "lab:typo"))
REFUSED = job(worker={"template": {"metadata": {"labels": {"bad": "!"}}}})


HASH = "pod-template-hash"
LABELS = pod()["metadata"]["labels"]
UNSCHEDULABLE = pod(
    "new",
    phase="Pending",
    conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU is free"}],
)


def leaving(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "deletionTimestamp": "2026-11-02T10:00:00Z"}}


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
        metadata = {**self.deployment["metadata"], **patch.get("metadata", {}), "resourceVersion": "9"}
        spec = {**self.deployment["spec"], **patch["spec"]}
        self.deployment = {**self.deployment, "metadata": metadata, "spec": spec}
        return self.deployment

    @property
    def owners(self) -> list[dict[str, Any]]:
        return list(self.deployment["metadata"]["ownerReferences"])

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
        self.store = Store()
        place = Place(fake, self.store, unused, "1a2b3c4d", "me", lambda owner: None, unused)
        self.crew = Crew(("lab", "heart-rate"), place, Errands(self.flight))

    async def resize(self, spec: PopulateJob, replicas: int, *, rolls: bool) -> None:
        self.crew.resize(spec, resource(), replicas, frozenset(), rolls=rolls)
        while self.flight.is_out("deployment") or self.flight.is_out("scale"):
            await asyncio.sleep(0)
            self.flight.collect()

    def put(self, found: dict[str, Any]) -> None:
        self.store.put(found)

    async def turn(self, spec: PopulateJob, replicas: int) -> None:
        if self.cluster.deployment:
            self.store.put(self.cluster.deployment)
        self.crew.look(NOW)
        await self.resize(spec, replicas, rolls=True)

    @property
    def may_miss(self) -> int:
        """Workers at a time, of a roll."""
        return int(self.cluster.deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"])

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
            assert scene.may_miss == unavailable

    asyncio.run(scenario(Scene()))


def test_a_roll_takes_what_does_not_run_and_a_quarter_of_what_does() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 8, rolls=True)
        for name in "abcd":
            scene.put(ready(name))
        await scene.resize(TYPO, 8, rolls=True)
        assert scene.may_miss == 4 + 1

    asyncio.run(scenario(Scene()))


def test_a_roll_that_goes_on_no_more_for_want_of_room_takes_one_worker_more() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 8, rolls=True)
        running = [{**ready(name), "spec": {"nodeName": "gpu"}} for name in "abcdefgh"]
        for each in running:
            scene.put(each)
        await scene.resize(TYPO, 8, rolls=True)
        scene.cluster.deployment["status"] = {"replicas": 8, "updatedReplicas": 4}
        for each in running[4:]:  # and their node with them
            scene.store.drop(each)
            scene.put({**UNSCHEDULABLE, "metadata": {**each["metadata"], "uid": each["metadata"]["name"] + "2"}})
        await scene.turn(TYPO, 8)
        assert scene.may_miss == 4 + 1
        await scene.turn(TYPO, 8)
        assert scene.cluster.asked == ["apply", "apply", "merge"]

    asyncio.run(scenario(Scene()))


def test_new_workers_that_wait_for_the_room_of_leaving_ones_have_no_more_told_to_go() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 1, rolls=True)
        scene.put(ready("a"))
        await scene.resize(TYPO, 1, rolls=True)
        scene.put(leaving(ready("a")))
        scene.put({**UNSCHEDULABLE, "metadata": {**UNSCHEDULABLE["metadata"], "labels": {**LABELS, HASH: "new"}}})
        await scene.turn(TYPO, 1)
        assert scene.crew.rollout is not None
        assert scene.cluster.asked == ["apply", "apply"]

    asyncio.run(scenario(Scene()))


def test_a_pod_of_which_nobody_hears_any_more_is_no_worker_that_ends_when_its_keys_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(0.0)
    monkeypatch.setattr(silence, "time", clock)

    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 1, rolls=True)
        scene.put(leaving(ready("a")))
        scene.put({**ready("b"), "metadata": {**ready("b")["metadata"], "labels": {**LABELS, HASH: "new"}}})
        scene.crew.look(NOW)
        assert scene.crew.rollout is not None
        assert (scene.crew.leaving, scene.crew.staying) == (1, 1)
        clock.now += 3600
        scene.crew.look(NOW)
        assert scene.crew.rollout is None
        assert (scene.crew.leaving, scene.crew.staying) == (0, 1)

    asyncio.run(scenario(Scene()))


def test_an_operator_that_makes_pods_otherwise_than_the_one_before_leaves_those_it_finds() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 4, rolls=True)
        await scene.resize(GOOD, 12, rolls=True)
        await scene.resize(GOOD, 2, rolls=True)
        assert scene.cluster.asked == ["apply", "merge", "merge"]
        assert scene.cluster.runs == ("lab:1", 2)

    asyncio.run(scenario(Scene()))


def test_two_operators_that_make_the_same_workers_do_not_go_on_doing_so() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 2, rolls=True)
        ours = scene.cluster.deployment
        notes = {**ours["metadata"]["annotations"], "datajoint.io/installation": "other", "datajoint.io/applied": "x"}
        scene.put({**ours, "metadata": {**ours["metadata"], "annotations": notes, "resourceVersion": "2"}})
        for _ in range(3):
            await scene.resize(GOOD, 2, rolls=True)
        scene.crew.look(NOW)
        assert scene.cluster.asked == ["apply"]
        assert scene.crew.problem is not None
        assert scene.crew.problem.reason == "InstallationsCompete"

    asyncio.run(scenario(Scene()))


def test_an_operator_takes_over_the_workers_of_another_installation_once() -> None:
    async def scenario(scene: Scene) -> None:
        scene.put(
            {
                "kind": "Deployment",
                "metadata": {
                    "name": "heart-rate-worker", "namespace": "lab", "uid": "d-0", "resourceVersion": "0",
                    "labels": LABELS, "annotations": {"datajoint.io/installation": "earlier"},
                },
                "spec": {"replicas": 2},
            }
        )  # fmt: skip
        for _ in range(2):
            await scene.resize(GOOD, 2, rolls=True)
        assert scene.cluster.asked == ["apply"]
        scene.crew.look(NOW)
        assert scene.crew.problem is None

    asyncio.run(scenario(Scene()))


def test_a_deployment_that_an_earlier_populatejob_has_left_becomes_this_ones_and_rolls_no_pod() -> None:
    async def scenario(scene: Scene) -> None:
        await scene.resize(GOOD, 2, rolls=True)
        left = scene.cluster.deployment
        scene.put({**left, "metadata": {**left["metadata"], "ownerReferences": [], "resourceVersion": "2"}})
        await scene.resize(GOOD, 2, rolls=True)
        assert scene.cluster.asked == ["apply", "merge"]
        assert [owner["uid"] for owner in scene.cluster.owners] == ["u-1"]
        await scene.resize(GOOD, 2, rolls=True)
        assert scene.cluster.asked == ["apply", "merge"]

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
