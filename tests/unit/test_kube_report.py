"""The status is what it is to be, whatever becomes of a write; with a fake API server that keeps one resource."""

from __future__ import annotations

import asyncio
import copy
from types import SimpleNamespace
from typing import Any, cast

import pytest
from populate_operator.database.flight import Flight
from populate_operator.kube import errands, report
from populate_operator.kube.api import ClusterError
from populate_operator.kube.errands import Errands
from populate_operator.kube.place import Place
from populate_operator.kube.report import Report

from tests.clock import Clock
from tests.unit.kube import resource


class FakeCluster:
    """Keeps of the status what the resource definition knows; may do a write and not answer it, or not do it."""

    def __init__(self) -> None:
        self.seen = resource()
        self.unknown: set[str] = set()
        self.error: ClusterError | None = None
        self.does = True
        self.writes = 0

    def change(self, status: dict[str, Any]) -> None:
        merged = {**self.seen.get("status", {}), **status}
        kept = {name: value for name, value in merged.items() if value is not None and name not in self.unknown}
        version = str(int(self.seen["metadata"].get("resourceVersion", 0)) + 1)
        self.seen = {**self.seen, "status": kept, "metadata": {**self.seen["metadata"], "resourceVersion": version}}

    async def merge(self, kind: str, namespace: str, name: str, patch: dict[str, Any], part: str) -> dict[str, Any]:
        assert (kind, namespace, name, part) == ("PopulateJob", "lab", "heart-rate", "status")
        self.writes += 1
        if self.does:
            self.change(patch["status"])
        if self.error is not None:
            raise self.error
        return copy.deepcopy(self.seen)

    def fails(self, *, status: int = 0, done: bool) -> None:
        self.error, self.does = ClusterError("so it is", status=status), done

    def recovers(self) -> None:
        self.error, self.does = None, True

    @property
    def status(self) -> Any:
        return self.seen["status"]


class Scene:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.cluster, self.flight = Clock(100.0), FakeCluster(), Flight(lambda: None)
        for module in (report, errands):
            monkeypatch.setattr(module, "time", self.clock)
        counted = SimpleNamespace(wrote_status=lambda owner: None)
        place = cast(Place, SimpleNamespace(cluster=self.cluster, metrics=counted))
        self.report = Report(("lab", "heart-rate"), place, Errands(self.flight), self.cluster.seen)

    def turn(self, *, watched: bool = True, **wanted: Any) -> None:
        """One of the operator's, long after the one before; what the watch brings may be late."""

        async def write() -> None:
            self.report.write(wanted)
            while self.flight.is_out("status"):
                await asyncio.sleep(0)
                self.flight.collect()

        if watched:
            self.report.saw(self.cluster.seen)
        asyncio.run(write())
        self.clock.now += 100


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_what_is_there_is_not_written_again(scene: Scene) -> None:
    for _ in range(3):
        scene.turn(pending=3)
    assert (scene.cluster.status, scene.cluster.writes) == ({"pending": 3}, 1)


@pytest.mark.parametrize("watched", [True, False])
def test_a_write_that_was_done_and_not_answered_is_taken_back_where_it_is_wanted_no_more(
    scene: Scene, watched: bool
) -> None:
    scene.turn(pending=3)
    scene.cluster.fails(done=True)
    scene.turn(pending=4, error=1)
    assert scene.cluster.status == {"pending": 4, "error": 1}
    scene.cluster.recovers()
    scene.turn(watched=watched, pending=3)
    assert scene.cluster.status == {"pending": 3}
    scene.turn(watched=watched, pending=3)
    assert scene.cluster.writes == 3


def test_what_was_refused_is_not_written_once_it_is_not_wanted(scene: Scene) -> None:
    scene.turn(pending=3)
    scene.cluster.fails(status=422, done=False)
    scene.turn(pending=-1)
    scene.cluster.recovers()
    scene.turn(pending=3)
    assert (scene.cluster.status, scene.cluster.writes) == ({"pending": 3}, 2)


def test_what_others_write_is_set_right(scene: Scene) -> None:
    scene.turn(pending=3)
    scene.cluster.change({"pending": 99, "mood": "good"})
    scene.turn(pending=3)
    assert scene.cluster.status == {"pending": 3}


def test_what_a_definition_of_before_does_not_keep_is_not_written_again_and_again(scene: Scene) -> None:
    scene.cluster.unknown = {"scheduled"}
    for _ in range(3):
        scene.turn(pending=3, scheduled=1)
        scene.cluster.change({})
    assert (scene.cluster.status, scene.cluster.writes) == ({"pending": 3}, 1)


def test_a_watch_that_is_behind_is_not_believed(scene: Scene) -> None:
    before = scene.cluster.seen
    scene.turn(pending=3)
    scene.report.saw(before)
    scene.turn(watched=False, pending=3)
    assert scene.cluster.writes == 1
