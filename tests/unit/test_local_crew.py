from __future__ import annotations

import signal
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from populate_operator.local.crew import HURRY_SECONDS, PATIENCE_SECONDS, Crew

from tests.unit.planning import NOW, after

DRAIN = 30.0


@dataclass
class Played:
    """A process that does nothing but remember, and end when it is told to by the test."""

    status: int | None = None
    told: list[str] = field(default_factory=list)
    output: Path | None = None

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")


class Stage:
    def __init__(self) -> None:
        self.played: dict[str, Played] = {}
        self.slots: dict[str, int] = {}
        self.crew = Crew(self.start, lambda name: f"{name}.lab", DRAIN)  # type: ignore[arg-type]

    def start(self, host: str, slot: int) -> Played:
        self.slots[host] = slot
        return self.played.setdefault(host, Played())

    def resize(self, replicas: int, *busy: str, at: float = 0) -> None:
        self.crew.resize(replicas, frozenset(busy), after(at), at)

    def ended(self, host: str, status: int, at: float = 0) -> None:
        self.played[host].status = status
        self.crew.reap(after(at), at)

    @property
    def hosts(self) -> list[str]:
        return [worker.host for worker in self.crew.workers]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_idle_workers_are_drained_before_busy_ones_and_young_ones_before_old_ones(stage: Stage) -> None:
    stage.resize(1)
    stage.resize(4, at=1)
    stage.resize(2, "w4.lab", at=2)
    assert {host: played.told for host, played in stage.played.items() if played.told} == {
        "w2.lab": ["terminate"],
        "w3.lab": ["terminate"],
    }
    assert stage.crew.size == 2


def test_a_worker_that_drains_still_counts_as_alive_but_not_for_the_size(stage: Stage) -> None:
    stage.resize(1)
    stage.resize(0)
    assert stage.hosts == ["w1.lab"]
    stage.resize(1)
    assert stage.hosts == ["w1.lab", "w2.lab"]


def test_hosts_are_never_taken_again_and_slots_are(stage: Stage) -> None:
    stage.resize(2)
    stage.ended("w1.lab", 0)
    stage.resize(2)
    assert stage.slots == {"w1.lab": 1, "w2.lab": 2, "w3.lab": 1}


def test_who_does_not_drain_in_time_is_killed_and_not_blamed(stage: Stage) -> None:
    stage.resize(1)
    stage.resize(0, at=10)
    stage.crew.reap(after(0), 10 + DRAIN + PATIENCE_SECONDS)
    assert stage.played["w1.lab"].told == ["terminate"]
    stage.crew.reap(after(0), 11 + DRAIN + PATIENCE_SECONDS)
    assert stage.played["w1.lab"].told == ["terminate", "kill"]
    stage.ended("w1.lab", -signal.SIGKILL)
    assert (stage.crew.deaths, stage.crew.problem) == ({}, None)


def test_told_to_hurry_they_have_little_time(stage: Stage) -> None:
    stage.resize(1)
    stage.resize(0)
    stage.crew.hurry(10)
    stage.crew.reap(NOW, 11 + HURRY_SECONDS)
    assert stage.played["w1.lab"].told == ["terminate", "terminate", "kill"]


def test_a_killed_worker_leaves_its_reason(stage: Stage) -> None:
    stage.resize(1)
    stage.ended("w1.lab", -signal.SIGKILL)
    assert stage.crew.deaths == {"w1.lab": "its worker was killed by SIGKILL"}
    assert stage.crew.problem is not None
    assert "SIGKILL" in stage.crew.problem.message


def test_workers_that_keep_ending_are_started_again_ever_more_slowly(stage: Stage, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\nno module named cardio\n\n")
    stage.resize(1)
    stage.played["w1.lab"].output = log
    stage.ended("w1.lab", 4)
    assert stage.crew.problem is not None
    assert stage.crew.problem.lasting
    assert stage.crew.problem.message == "workers end early: the code cannot be run: no module named cardio"
    stage.resize(1, at=0.5)
    assert stage.hosts == []
    stage.resize(1, at=1)
    stage.ended("w2.lab", 4, at=2)
    stage.resize(1, at=3)
    assert stage.hosts == []
    stage.resize(1, at=4)
    assert stage.hosts == ["w3.lab"]


def test_a_worker_that_stays_up_ends_the_problem(stage: Stage) -> None:
    stage.resize(1)
    stage.ended("w1.lab", 1)
    stage.resize(1, at=1)
    stage.crew.reap(after(12), 12)
    assert stage.crew.problem is None
