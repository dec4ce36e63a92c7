"""A PopulateJob is edited while its workers run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.servers.host import wait_until

from . import images
from .api import Object
from .conftest import one_engine
from .lab import Lab


def test_a_new_restriction_and_priority_reach_running_workers_and_roll_no_pod(lab: Lab) -> None:
    lab.add("wait")
    job = lab.apply(restriction="item <= 3")
    lab.until_in_make(1)
    lab.add(*["insert"] * 5, first=2)
    (worker,) = job.workers().values()
    lab.until_rows({1: "reserved", 2: "pending", 3: "pending"})

    job.patch(restriction="item <> 2 and item < 6", priority=2)
    lab.until_rows({1: "reserved", 2: "pending", 3: "pending", 4: "pending", 5: "pending"})
    job.until(appliedPriority=2, total=4)
    job.until_settled()
    log = functools.partial(lab.kubectl, "logs", f"pod/{worker['metadata']['name']}", f"--namespace={lab.namespace}")
    wait_until(lambda: "the assignment has changed" in log(), "the worker knows")
    lab.let(1)
    lab.until_rows({2: "pending"})
    assert lab.made() == [1, 3, 4, 5]
    assert sorted(lab.started()) == [1, 3, 4, 5]
    assert job.workers().keys() <= {worker["metadata"]["name"]}
    assert set(lab.execute(f"SELECT pod FROM {lab.name('start')}")) == {(worker["metadata"]["name"],)}


@one_engine
def test_a_key_in_make_that_leaves_the_restriction_is_finished_and_given_back_where_its_worker_dies(lab: Lab) -> None:
    lab.add("wait", "wait")
    job = lab.apply(restriction="item <= 2", scaling={"maxWorkers": 2, "scaleDownDelaySeconds": 1})
    lab.until_in_make(1, 2)
    workers = job.workers()
    job.patch(restriction="item >= 100")
    job.until(total=0, reserved=0)
    job.until_settled()
    assert job.workers().keys() == workers.keys()
    assert job.status["workers"]["busy"] == 2

    dead = lab.hosts()[1].partition(".")[0]
    lab.kubectl("delete", f"pod/{dead}", f"--namespace={lab.namespace}", "--grace-period=0", "--force")
    lab.until_rows({1: "pending", 2: "reserved"})
    lab.let(2)
    lab.until_rows({1: "pending"})
    assert (lab.made(), sorted(lab.started())) == ([2], [1, 2])
    job.until_workers(lambda pods: not pods, "without workers")


def test_a_new_image_and_template_roll_the_pods_and_lose_no_key(lab: Lab, image: Callable[[str], str]) -> None:
    lab.add("wait", "wait", *["nap"] * 10)
    before = lab.template(LAB_MAKER="before")
    job = lab.apply(scaling={"maxWorkers": 2}, worker={"drainSeconds": 600, "template": before})
    lab.until_in_make(1, 2)
    old = set(job.workers())

    after = {"image": image(images.LAB_NEXT), "template": lab.template(LAB_MAKER="after")}
    job.patch(worker=after)
    job.until_workers(lambda pods: bool(pods.keys() - old), "with a new worker")
    wait_until(lambda: lab.made() == list(range(3, 13)), "all made by it that the old ones do not hold")
    lab.let(1, 2)
    lab.until_made(*range(1, 13))
    assert sorted(lab.started()) == list(range(1, 13))
    makers = lab.makers()
    assert makers[1] == makers[2] == "before"
    assert "after" in makers.values()
    job.until_workers(lambda pods: not pods.keys() & old, "without its old workers")


@one_engine
@pytest.mark.parametrize("asked", [1, 3])
def test_a_new_template_reaches_the_only_worker_where_there_is_no_room_beside_it(lab: Lab, asked: int) -> None:
    lab.add("wait", *["insert"] * (asked - 1))
    before, after = lab.template(LAB_MAKER="before"), lab.template(LAB_MAKER="after")
    for template in before, after:
        template["spec"]["affinity"] = alone(f"job-{lab.id}")
    job = lab.apply(worker={"drainSeconds": 600, "template": before}, scaling={"maxWorkers": asked})
    lab.until_in_make(1)
    job.until_workers(
        lambda pods: (len(pods), len(running(pods))) == (asked, 1), f"with {asked} workers, of which one runs"
    )
    (old,) = running(job.workers())

    job.patch(worker={"template": after})
    wait_until(lambda: "Unschedulable" in job.condition("RollingOut").get("message", ""), "a new worker without room")
    wait_until(lambda: old not in job.workers(), "the old worker told to end")
    log = functools.partial(lab.kubectl, "logs", f"pod/{old}", f"--namespace={lab.namespace}")
    wait_until(lambda: "SIGTERM: stopping" in log(), "the old worker heard it")  # until then it takes another key
    one = "1 worker of an earlier image or template"
    wait_until(lambda: job.condition("RollingOut").get("message", "").startswith(one), one)
    assert job.condition("Ready")["status"] == "True"
    lab.add("insert", first=asked + 1)
    lab.let(1)
    every = range(1, asked + 2)
    lab.until_made(*every)
    assert lab.makers() == {1: "before", **dict.fromkeys(every[1:], "after")}
    assert lab.started() == [*every]
    wait_until(lambda: not job.condition("RollingOut"), "no more RollingOut")
    assert "RollingOut" in job.events()


def running(pods: Mapping[str, Object]) -> list[str]:
    return [name for name, pod in pods.items() if pod["status"]["phase"] == "Running"]


def alone(name: str) -> dict[str, Any]:
    """Keeps every other worker of that PopulateJob from the cluster, and resolve's pods not."""
    workers = {"datajoint.io/component": "worker", "datajoint.io/populatejob": name}
    term = {"labelSelector": {"matchLabels": workers}, "topologyKey": "kubernetes.io/os"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


@one_engine
def test_an_image_that_cannot_be_had_rolls_no_pod_and_costs_no_key_in_make(lab: Lab) -> None:
    lab.add("wait")
    job = lab.apply(worker={"drainSeconds": 5})
    lab.until_in_make(1)
    (pod,) = job.workers()
    job.patch(worker={"image": "registry.invalid/lab:1"})
    job.until_condition("Resolved", "False", "ImagePullFailed")
    lab.add("insert", first=2)
    lab.let(1)
    wait_until(lambda: lab.made() == [1], "the key in make finished")
    assert set(lab.execute(f"SELECT pod FROM {lab.name('start')}")) == {(pod,)}
    job.until_workers(lambda pods: not pods, "without workers")
    job.patch(worker={"image": lab.image})
    lab.until_made(1, 2)
    assert lab.started() == [1, 2]


@one_engine
def test_what_a_roll_does_not_wait_for_is_made_again(lab: Lab) -> None:
    lab.add("wait")
    job = lab.apply(worker={"template": lab.template(LAB_MAKER="before")})
    lab.until_in_make(1)
    job.patch(worker={"template": lab.template(LAB_MAKER="after")})
    wait_until(lambda: lab.started() == [1, 1], "begun again by a new worker")
    lab.let(1)
    lab.until_made(1)
    assert lab.makers() == {1: "after"}
    job.until(error=0, progress="1/1")
