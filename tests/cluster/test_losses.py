"""What dies without a word: workers, the operator, the database."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import pytest

from tests.database.depth import repetitions
from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

from . import databases
from .conftest import one_engine
from .installation import Installation
from .lab import Applied, Lab

PENDING_AGAIN_SECONDS = repetitions(quick=int(PATIENCE), deep=10)
"""Ten are promised, on a machine on which nothing else runs."""
OUTAGE_SECONDS = 30.0
READ_ONLY_SECONDS = repetitions(quick=15, deep=60)
MEMORY = "300Mi"


def test_the_key_of_a_pod_deleted_by_force_is_pending_again_soon(lab: Lab) -> None:
    lab.add("wait", "insert")
    job = lab.apply()
    lab.until_in_make(1)
    (pod,) = job.workers()
    lab.kubectl("delete", f"pod/{pod}", f"--namespace={lab.namespace}", "--grace-period=0", "--force")
    wait_until(lambda: not lab.hosts().get(1, "").startswith(f"{pod}."), "the key given back", PENDING_AGAIN_SECONDS)
    wait_until(lambda: lab.started().count(1) == 2, "begun again")
    lab.let(1)
    lab.until_made(1, 2)
    assert sorted(lab.started()) == [1, 1, 2]


def test_a_make_that_takes_all_memory_is_tried_alone_to_its_limit_and_no_other_key_pays_for_it(lab: Lab) -> None:
    others = [*range(1, 41), *range(42, 81)]
    lab.add(*["insert"] * 40, "hog", *["insert"] * 39)
    template = lab.template(resources={"limits": {"memory": MEMORY}})
    lab.apply(worker={"template": template}, retry={"limit": 1, "backoffSeconds": 1})
    wait_until(lambda: lab.made() == others and lab.rows() == {41: "error"}, "all but one made")
    message = lab.messages()[41]
    assert "OOMKilled" in message
    assert "resources.limits.memory" in message
    assert MEMORY in message or "300 MiB" in message
    started = lab.started()
    assert [item for item in sorted(started) if item != 41] == others
    # With cgroup v1 the kernel kills the process that makes; with v2 the container, at first for whatever key.
    assert started.count(41) in (2, 3)


@pytest.mark.long
@one_engine
def test_a_key_waits_for_no_container_that_waits_longer_and_longer_to_start_again(lab: Lab) -> None:
    lab.add("strike")
    lab.apply(retry={"limit": 1, "backoffSeconds": 1})
    # Once in company, for all that is known; then alone, which counts; then once more. The next container waits 20 s.
    wait_until(lambda: lab.rows() == {1: "error"}, "given up")
    # Which the operator saw: the next container would have told of it otherwise.
    assert "its worker ended with status 137" in lab.messages()[1]


def test_an_operator_that_is_replaced_goes_on_where_the_other_was(lab: Lab, operator: Installation) -> None:
    lab.add("wait", "wait", "fail", *["nap"] * 10)
    job = lab.apply(scaling={"maxWorkers": 3, "scaleDownDelaySeconds": 3600})
    lab.until_in_make(1, 2)
    lab.until_rows({1: "reserved", 2: "reserved", 3: "error"})
    workers = job.workers()
    operator.replace()
    lab.add("insert", "insert", first=14)
    lab.let(1)
    wait_until(lambda: lab.made() == [1, *range(4, 16)], "what is new made, too")
    wait_until(lambda: lab.hosts().keys() == {2}, "nothing else reserved")
    lab.let(2)
    wait_until(lambda: lab.made() == [1, 2, *range(4, 16)], "the last one made")
    assert sorted(lab.started()) == list(range(1, 16))
    assert job.workers().keys() <= workers.keys()
    job.until(progress="14/15", error=1)


@one_engine
def test_a_secret_that_is_deleted_and_made_anew_ends_no_make(lab: Lab) -> None:
    lab.add("wait", "insert")
    job = lab.apply()
    lab.until_in_make(1)
    workers = job.workers()
    lab.kubectl("delete", f"secret/login-{lab.id}", f"--namespace={lab.namespace}")
    job.until_condition("Ready", "False", "SecretUnusable")
    lab.log_in()
    job.until_condition("Resolved", "True", "Resolved")
    assert job.workers().keys() == workers.keys()
    lab.let(1)
    lab.until_made(1, 2)
    assert lab.started() == [1, 2]


@pytest.mark.long
def test_a_database_that_is_away_costs_no_key_and_no_worker(outage_lab: Lab) -> None:
    lab = outage_lab
    job = two_in_make(lab, seconds=10)
    workers = job.workers().keys()

    lab.server.stop()
    stopped = time.monotonic()
    job.until_condition("DatabaseReachable", "False", "DatabaseUnreachable")
    wait_until(lambda: time.monotonic() - stopped > OUTAGE_SECONDS, "the outage over")
    assert_the_same(job, workers)
    lab.server.start()

    job.until_condition("DatabaseReachable", "True", "Reachable")
    assert_the_same(job, workers)
    lab.release()
    lab.until_made(*range(1, 15))
    job.until(progress="14/14", error=0)


@pytest.mark.long
@pytest.mark.parametrize("own_database", [databases.NAMES[-1]], indirect=True)
def test_a_database_that_is_read_only_for_a_while_costs_no_key_and_no_worker(outage_lab: Lab) -> None:
    lab = outage_lab
    job = two_in_make(lab, seconds=5)
    workers = job.workers().keys()

    began = time.monotonic()
    with read_only(lab.server):
        wait_until(lambda: time.monotonic() - began > READ_ONLY_SECONDS, "the time over")
        assert_the_same(job, workers)
        assert {13, 14} <= set(lab.rows())
    ended = time.monotonic()
    lab.release()
    lab.until_made(*range(1, 15))
    print(f"read-only for {ended - began:.0f} s: all made {time.monotonic() - ended:.1f} s after")
    job.until(progress="14/14", error=0)


def two_in_make(lab: Lab, seconds: int) -> Applied:
    """Items 11 and 12 in makes that take so long, those before them made, and 13 and 14 in the queue behind them."""
    lab.add("wait", "wait")
    job = lab.apply(scaling={"maxWorkers": 2, "scaleDownDelaySeconds": 1}, retry={"limit": 3, "backoffSeconds": 1})
    lab.until_in_make(1, 2)
    lab.add(*["nap"] * 8, *[f"sleep {seconds}"] * 2, first=3)
    lab.let(1, 2)
    lab.until_in_make(11, 12)
    lab.add("wait", "wait", first=13)  # not sooner: what a worker gave back comes behind all that is as urgent
    wait_until(lambda: {13, 14} <= set(lab.rows()), "13 and 14 in the queue")
    return job


@contextmanager
def read_only(server: Server) -> Iterator[None]:
    """A PostgreSQL, for everybody's next transaction."""
    set_read_only(server, "on")
    try:
        yield
    finally:
        set_read_only(server, "off")


def set_read_only(server: Server, value: str) -> None:
    server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
    server.execute("SELECT pg_reload_conf()")


def assert_the_same(job: Applied, workers: Collection[str]) -> None:
    """Its workers are these still, and none was started again."""
    now = job.workers()
    assert now.keys() == set(workers)
    assert [restarts(pod) for pod in now.values()] == [0] * len(now)


def restarts(pod: dict[str, object]) -> int:
    status = pod["status"]
    assert isinstance(status, dict)
    return sum(container["restartCount"] for container in status.get("containerStatuses", []))
