"""How long a PopulateJob that is to go is held, with a fake API server that notes what it is asked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from populate_operator.database.flight import Flight
from populate_operator.kube import farewell
from populate_operator.kube.errands import Errands
from populate_operator.kube.farewell import FINALIZER, LONGEST_SECONDS, WORKERS_SECONDS, Farewell
from populate_operator.kube.place import Place

from tests.clock import Clock
from tests.unit.kube import resource
from tests.unit.planning import DOCUMENT


class Scene:
    """The database never does what it is asked to remove: it is no database."""

    def __init__(self, deleted_at: str) -> None:
        self.let_go = False
        self.asked = 0
        self.flight = Flight(lambda: None)
        self.farewell = Farewell(cast(Place, SimpleNamespace(cluster=self)), Errands(self.flight), self.flight)
        seen = resource(deletionPolicy="RemovePending")
        more = {"deletionTimestamp": deleted_at, "finalizers": [FINALIZER], "resourceVersion": "1"}
        self.seen = {**seen, "metadata": {**seen["metadata"], **more}}

    async def merge(self, kind: str, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self.let_go = patch["metadata"]["finalizers"] == []
        return self.seen

    def submit(self, task: Any) -> asyncio.Future[Any]:
        self.asked += 1
        return asyncio.get_running_loop().create_future()

    def turn(self) -> None:
        async def take() -> None:
            slow = SimpleNamespace(submit=self.submit)
            keeper: Any = SimpleNamespace(login=SimpleNamespace(slow=slow), failed=None)
            self.farewell.take(self.seen, keeper, DOCUMENT, workers=1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        asyncio.run(take())


@pytest.mark.parametrize("deleted_at", ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_queue_has_its_time_whatever_the_clock_of_the_api_server_says(
    monkeypatch: pytest.MonkeyPatch, deleted_at: str
) -> None:
    clock, scene = Clock(100.0), Scene(deleted_at)
    monkeypatch.setattr(farewell, "time", clock)
    scene.turn()
    assert (scene.asked, scene.let_go) == (0, False)
    clock.now += WORKERS_SECONDS + 1
    scene.turn()
    assert (scene.asked, scene.let_go) == (1, False)
    clock.now = 100.0 + LONGEST_SECONDS + 1
    scene.turn()
    assert scene.let_go
