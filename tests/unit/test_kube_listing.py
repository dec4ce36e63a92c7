"""Listing, namespace by namespace: one that refuses costs the others nothing. The API server is a fake named so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest
from populate_operator.kube import controller, listing
from populate_operator.kube.api import Cluster, ClusterError, Object
from populate_operator.kube.controller import Controller, Options
from populate_operator.kube.handlers import Backoffs
from populate_operator.kube.health import Pulse
from populate_operator.kube.metrics import Metrics

from tests.clock import Clock
from tests.servers.host import PATIENCE
from tests.unit.kube import pod, resource

FORBIDDEN = ClusterError('pods is forbidden: User "operator" cannot list resource "pods"', status=403)
AWAY = ClusterError("the API server cannot be asked")


class FakeCluster(Cluster):
    """Of two namespaces with a PopulateJob and a pod each; some fail."""

    def __init__(self, **failing: ClusterError) -> None:
        self.failing = failing
        self.lists: list[str] = []
        self.gone: set[str] = set()
        """Pods, by namespace."""

    async def children(self, kind: str, namespace: str) -> list[dict[str, object]]:
        self.lists.append(namespace)
        if namespace in self.failing:
            raise self.failing[namespace]
        return [within(namespace, pod())] if kind == "Pod" and namespace not in self.gone else []

    async def populatejobs(self, namespace: str) -> list[dict[str, object]]:
        return [within(namespace, resource())]


def within(namespace: str, found: Object) -> dict[str, object]:
    metadata = {**found["metadata"], "namespace": namespace, "uid": f"{namespace}-{found['metadata']['uid']}"}
    return {**found, "metadata": metadata}


class Watched(Controller):
    """Its turns are noted and not made."""

    def __init__(self, cluster: Cluster, pulse: Pulse) -> None:
        super().__init__(cluster, Options(("a", "b"), "here", "me"), pulse, Metrics(pulse))
        self.had_turns: set[str] = set()

    def _turn(self) -> None:
        self.had_turns |= {namespace for namespace, _ in self._due}
        self._due.clear()

    @property
    def pods(self) -> list[str]:
        return [name for name in ("a", "b") if self._store.get("Pod", name, "heart-rate-worker-a")]


Scenario = Callable[[Watched, FakeCluster, Clock, Pulse], Awaitable[None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "TURN_EVERY", 0.01)
    for pause in "FIRST_PAUSE", "LONGEST_PAUSE", "LIST_EVERY":
        monkeypatch.setattr(listing, pause, 0.01)


def run(scenario: Scenario, cluster: FakeCluster) -> None:
    async def play() -> None:
        clock = Clock(0.0)
        pulse = Pulse(clock.monotonic)
        watched = Watched(cluster, pulse)
        running = asyncio.ensure_future(watched.run())
        await scenario(watched, cluster, clock, pulse)
        assert not running.done()
        running.cancel()

    asyncio.run(play())


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("failure", [FORBIDDEN, AWAY])
def test_a_namespace_that_cannot_be_listed_keeps_none_of_the_others_from_its_turns(failure: ClusterError) -> None:
    async def scenario(watched: Watched, cluster: FakeCluster, *_: object) -> None:
        await until(lambda: watched.had_turns == {"a"})
        before = len(cluster.lists)
        await until(lambda: {"a", "b"} <= set(cluster.lists[before:]))

    run(scenario, FakeCluster(b=failure))


def test_what_is_known_of_a_namespace_that_refuses_is_kept_and_the_others_are_listed_on() -> None:
    async def scenario(watched: Watched, cluster: FakeCluster, *_: object) -> None:
        await until(lambda: watched.had_turns == {"a", "b"})
        cluster.failing["b"] = FORBIDDEN
        cluster.gone |= {"a", "b"}
        await until(lambda: watched.pods == ["b"])
        del cluster.failing["b"]
        await until(lambda: watched.pods == [])

    run(scenario, FakeCluster())


def test_a_populatejob_has_no_turn_before_its_own_namespace_was_listed() -> None:
    async def scenario(watched: Watched, cluster: FakeCluster, *_: object) -> None:
        await until(lambda: watched.had_turns == {"a"})
        watched.saw_populatejob(None, within("b", resource()))
        watched.saw_populatejob("MODIFIED", within("a", resource(priority=1)))
        before = len(cluster.lists)
        await until(lambda: cluster.lists[before:].count("b") > 2)
        assert watched.had_turns == {"a"}
        del cluster.failing["b"]
        await until(lambda: watched.had_turns == {"a", "b"})

    run(scenario, FakeCluster(b=FORBIDDEN))


def test_a_refusal_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(watched: Watched, cluster: FakeCluster, *_: object) -> None:
        await until(lambda: cluster.lists.count("b") > 3)
        del cluster.failing["b"]
        await until(lambda: watched.had_turns == {"a", "b"})

    with caplog.at_level(logging.INFO, listing.log.name):
        run(scenario, FakeCluster(b=FORBIDDEN))
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"the namespace b cannot be listed, trying again: {FORBIDDEN}", "the namespace b is listed again"]


@pytest.mark.parametrize(
    ("failing", "well"),
    [({"a": FORBIDDEN, "b": FORBIDDEN}, False), ({"b": FORBIDDEN}, True), ({"a": AWAY, "b": FORBIDDEN}, True)],
    ids=["all refuse", "one refuses", "one does not answer"],
)
def test_its_pulse_stops_where_it_may_see_nothing_for_minutes(
    failing: dict[str, ClusterError], well: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(_: Watched, cluster: FakeCluster, clock: Clock, pulse: Pulse) -> None:
        await until(lambda: {"a", "b"} <= set(cluster.lists))
        clock.now = 1000.0
        await until(lambda: pulse.silent_seconds == 0)
        monkeypatch.setattr(listing, "REFUSED_SECONDS", 0.0)
        await asyncio.sleep(0)
        clock.now = 2000.0
        before = len(cluster.lists)
        await until(lambda: len(cluster.lists) > before + 20)
        assert (pulse.silent_seconds == 0) == well
        cluster.failing.clear()
        await until(lambda: pulse.silent_seconds == 0)

    run(scenario, FakeCluster(**failing))


def test_a_watch_that_fails_is_tried_soon_at_first_and_later_seldom_and_each_by_itself() -> None:
    pauses = Backoffs()
    for _ in range(2):
        first = [pause for pause, _ in zip(pauses, range(100), strict=False)]
        assert first[0] <= 3
        assert first[-1] >= 30
        assert first == sorted(first)
