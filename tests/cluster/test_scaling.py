"""How many workers there are, and which of them go."""

from __future__ import annotations

from tests.servers.host import wait_until

from .conftest import one_engine
from .lab import Lab


def test_workers_come_for_keys_and_go_without_taking_a_busy_one(lab: Lab) -> None:
    job = lab.apply(scaling={"maxWorkers": 4, "scaleDownDelaySeconds": 1}, worker={"drainSeconds": 600})
    job.until_condition("Ready", "True", "UpToDate")
    assert job.workers() == {}
    lab.add(*["wait"] * 4)
    lab.until_in_make(1, 2, 3, 4)
    holders = {item: host.partition(".")[0] for item, host in lab.hosts().items()}
    assert len(set(holders.values())) == 4

    lab.let(1, 2)
    busy = {holders[3], holders[4]}
    job.until_workers(lambda pods: set(pods) == busy, "left with its busy workers")
    job.until(reserved=2)
    wait_until(lambda: job.status["workers"]["desired"] == 2, "two workers wanted")

    lab.let(3, 4)
    lab.until_made(1, 2, 3, 4)
    job.until_workers(lambda pods: not pods, "without workers")
    assert sorted(lab.started()) == [1, 2, 3, 4]
    job.until(progress="4/4", error=0)


def test_suspending_gives_back_what_runs_and_resuming_makes_it(lab: Lab) -> None:
    lab.add("wait", "insert", "insert")
    job = lab.apply()
    lab.until_in_make(1)
    job.patch(suspend=True)
    job.until_condition("Suspended", "True", "Suspended")
    job.until_workers(lambda pods: not pods, "without workers")
    lab.until_rows({1: "pending", 2: "pending", 3: "pending"})
    lab.let(1)
    job.patch(suspend=False)
    lab.until_made(1, 2, 3)
    assert sorted(lab.started()) == [1, 1, 2, 3]
    assert job.condition("Suspended") == {}


@one_engine
def test_kubectl_scale_sets_the_most_workers(lab: Lab) -> None:
    lab.add(*["wait"] * 3)
    job = lab.apply(scaling={"maxWorkers": 0})
    job.until(pending=3)
    assert job.workers() == {}
    job("scale", "--replicas=2")
    wait_until(lambda: len(lab.hosts()) == 2, "two keys in make")
    assert len(job.workers()) == 2
    job("scale", "--replicas=0")
    job.until_workers(lambda pods: not pods, "without workers")
    lab.until_rows({1: "pending", 2: "pending", 3: "pending"})
    assert lab.messages() == {}
