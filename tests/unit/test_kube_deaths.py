"""Who is dead, whose rows may be given back, and which of them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from populate_jobs.types import WORKER_MARK
from populate_operator.database.flight import Flight
from populate_operator.kube import crew
from populate_operator.kube.crew import Crew
from populate_operator.kube.deaths import deaths, fallen
from populate_operator.kube.errands import Errands
from populate_operator.kube.place import Place
from populate_operator.kube.store import Store
from populate_operator.plan import Recovery

from tests.clock import Clock
from tests.unit.kube import OURS, ended, pod, ready, waiting

KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
RUNNING: dict[str, Any] = {"state": {"running": {}}, "restartCount": 1, "lastState": KILLED}
STARTING: dict[str, Any] = {"state": {"waiting": {"reason": "ContainerCreating"}}, "restartCount": 0}
LOOPING = waiting("CrashLoopBackOff", lastState=KILLED, restartCount=2)
HOST = "a" + OURS


def limited(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "spec": {"containers": [{"name": "worker", "resources": {"limits": {"memory": "300Mi"}}}]}}


def test_only_a_pod_killed_for_its_memory_is_to_blame() -> None:
    evicted = pod("a", phase="Failed", reason="Evicted", container=ended(137, "OOMKilled"))
    killed = limited(pod("b", phase="Failed", container=ended(137, "OOMKilled")))
    found = deaths([evicted, killed, ready("c")], OURS)
    reason = found.pop("b" + OURS)
    assert found == {HOST: None}
    assert str(reason).startswith("its worker was OOMKilled: a limit of 300Mi; raise resources.limits.memory")


@pytest.mark.parametrize(
    ("message", "to_blame"),
    [
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", True),
        ('Container worker exceeded its local ephemeral storage limit "1Gi". ', True),
        ('Usage of EmptyDir volume "scratch" exceeds the limit "2Gi". ', True),
        ("The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 9Mi. ", False),
        ("", False),
    ],
)
def test_an_evicted_pod_is_to_blame_for_what_it_wrote_beyond_its_own_limit(message: str, to_blame: bool) -> None:
    found = deaths([pod("a", phase="Failed", reason="Evicted", message=message)], OURS)[HOST]
    assert (found is not None) == to_blame
    assert not to_blame or "sizeLimit" in str(found)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (None, None),
        (STARTING, None),
        (RUNNING, None),
        ({**ended(137), "restartCount": 0}, 0),
        (LOOPING, 2),
        (waiting("ImagePullBackOff", restartCount=1), 1),
    ],
)
def test_a_worker_has_fallen_while_its_container_stands_still_after_it_ran(
    container: dict[str, Any] | None, expected: int | None
) -> None:
    assert fallen(pod("a", container=container)) == expected


@pytest.mark.parametrize(
    ("last", "says"),
    [
        (KILLED["terminated"], "its worker was OOMKilled: a limit of 300Mi"),
        ({"exitCode": 139, "reason": "Error"}, "its worker ended with status 139"),
        ({"exitCode": 5, "reason": "Error"}, None),
        ({"exitCode": 0, "reason": "Completed"}, None),
        ({"exitCode": 255, "reason": "Unknown"}, None),
    ],
)
def test_keys_become_suspects_of_a_crash_and_not_of_a_worker_that_left(last: dict[str, Any], says: str | None) -> None:
    looping = waiting("CrashLoopBackOff", lastState={"terminated": last}, restartCount=1)
    found = deaths([limited(pod("a", container=looping))], OURS)[HOST]
    assert found is None if says is None else str(found).startswith(says)


class ToyCluster:
    """Answers with the pod it is given; it is no API server."""

    def __init__(self) -> None:
        self.pod: dict[str, Any] | None = None

    async def find(self, _kind: str, _namespace: str, _name: str) -> dict[str, Any] | None:
        return self.pod


class Stage:
    def __init__(self) -> None:
        self.cluster, self.store = ToyCluster(), Store()
        place = SimpleNamespace(cluster=self.cluster, store=self.store, installation=OURS.rpartition(".")[2])
        self.crew = Crew(("lab", "heart-rate"), cast(Place, place), Errands(Flight(lambda: None)))

    def sees(self, container: dict[str, Any] | None) -> None:
        """And so does the API server."""
        self.cluster.pod = pod("a", container=container)
        self.store.put(self.cluster.pod)
        self.look()

    def look(self) -> None:
        self.crew.look(cast(Any, None))

    @property
    def lives(self) -> bool:
        return HOST in self.crew.alive([HOST])

    def confirmed(self) -> Recovery:
        return asyncio.run(self.crew.confirmed(Recovery((HOST,), "OOMKilled")))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(100.0)
    monkeypatch.setattr(crew, "time", found)
    return found


def test_a_fallen_worker_is_dead_although_its_pod_lives(clock: Clock) -> None:
    stage = Stage()
    stage.sees(RUNNING)
    assert stage.lives
    stage.sees(LOOPING)
    assert not stage.lives
    clock.now += 7
    assert stage.confirmed() == Recovery((HOST,), "OOMKilled", {HOST: 100.0})


def test_a_worker_that_an_earlier_operator_started_under_another_name_is_known_by_its_pod(clock: Clock) -> None:
    stage, hosts = Stage(), {HOST, "a" + WORKER_MARK + OURS}
    stage.sees(RUNNING)
    assert stage.crew.alive(hosts) == hosts
    confirmed = asyncio.run(stage.crew.confirmed(Recovery((*hosts,))))
    assert confirmed.hosts == ()


def test_what_is_running_again_when_it_is_asked_for_keeps_its_rows() -> None:
    stage = Stage()
    stage.sees(LOOPING)
    stage.cluster.pod = pod("a", container={**RUNNING, "restartCount": 3})
    assert stage.confirmed().hosts == ()
    stage.look()
    assert stage.lives


def test_a_worker_that_fell_again_meanwhile_is_another_one() -> None:
    stage = Stage()
    stage.sees(LOOPING)
    stage.cluster.pod = pod("a", container={**LOOPING, "restartCount": 3})
    assert stage.confirmed().hosts == ()
    stage.look()
    assert not stage.lives
    assert stage.confirmed().hosts == (HOST,)


def test_each_fall_is_settled_once() -> None:
    stage = Stage()
    stage.sees(LOOPING)
    confirmed = stage.confirmed()
    stage.crew.settle(confirmed)
    assert stage.lives
    stage.look()
    assert stage.lives
    stage.sees({**LOOPING, "restartCount": 3})
    assert not stage.lives
    stage.crew.settle(confirmed)
    assert not stage.lives


def test_what_is_reserved_after_a_fall_is_not_of_the_fallen_one(clock: Clock) -> None:
    """Even where the node can tell nobody that a next one runs: that it fell was noticed before that began."""
    stage = Stage()
    stage.sees(LOOPING)
    clock.now += 60
    stage.look()
    assert stage.confirmed().dead_since == {HOST: 100.0}


def test_a_pod_that_is_gone_is_dead_whenever_it_reserved() -> None:
    assert Stage().confirmed() == Recovery((HOST,), "OOMKilled")
