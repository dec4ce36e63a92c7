"""A PopulateJob is edited while its workers run."""

from __future__ import annotations

from collections.abc import Callable

from tests.servers.host import wait_until

from . import images
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
    lab.let(1)
    lab.until_rows({2: "pending"})
    assert lab.made() == [1, 3, 4, 5]
    assert sorted(lab.started()) == [1, 3, 4, 5]
    assert job.workers().keys() <= {worker["metadata"]["name"]}
    assert set(lab.execute(f"SELECT pod FROM {lab.name('start')}")) == {(worker["metadata"]["name"],)}


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
