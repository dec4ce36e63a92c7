"""How a PopulateJob ends, and what it leaves behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from populate_operator.kube.farewell import WORKERS_SECONDS

from tests.servers import Server
from tests.servers.host import wait_until

from . import Kubectl, images
from .api import Api
from .conftest import Install
from .installation import create_namespace
from .lab import Lab


def test_a_populatejob_of_mode_once_completes_and_is_removed(lab: Lab) -> None:
    lab.add(*["insert"] * 3)
    job = lab.apply(mode="Once")
    job("wait", "--for=condition=Complete", "--timeout=240s")
    assert lab.made() == [1, 2, 3]
    assert job.status["progress"] == "3/3"
    assert job.condition("Ready")["reason"] == "Complete"
    job.patch(ttlSecondsAfterFinished=1)
    job("wait", "--for=delete", "--timeout=240s")
    lab.until_nothing_is_left()
    assert lab.rows() == {}


def test_a_populatejob_of_mode_once_fails_when_only_errors_are_left(lab: Lab) -> None:
    lab.add("insert", "fail", "insert")
    job = lab.apply(mode="Once")
    job("wait", "--for=condition=Failed", "--timeout=240s")
    assert lab.made() == [1, 3]
    assert lab.rows() == {2: "error"}
    assert job.condition("Stalled")["status"] == "True"
    wait_until(lambda: bool(job.status["topErrors"]), "errors by message")
    assert job.status["topErrors"][0]["message"] == "ValueError: item 2 is broken"
    job.until_workers(lambda pods: not pods, "without workers")


def test_a_deleted_populatejob_takes_along_all_that_is_its_own_and_leaves_the_queue(lab: Lab) -> None:
    lab.add(*["wait"] * 3)
    job = lab.apply(scaling={"maxWorkers": 2})
    wait_until(lambda: len(lab.hosts()) == 2, "two keys in make")
    job.delete()
    lab.until_nothing_is_left()
    assert lab.rows() == {1: "pending", 2: "pending", 3: "pending"}
    assert lab.made() == []


def test_a_deleted_populatejob_removes_what_waits_where_its_policy_says_so(lab: Lab) -> None:
    lab.add("insert", "fail", "wait", "wait")
    job = lab.apply(deletionPolicy="RemovePending")
    lab.until_in_make(3)
    in_time = job.delete_within(WORKERS_SECONDS)
    lab.until_nothing_is_left()
    assert lab.rows() in ({2: "error"}, {2: "error"} if in_time else {2: "error", 3: "pending"})
    assert lab.made() == [1]


@pytest.mark.long
def test_a_deleted_namespace_leaves_no_key_reserved(
    kubectl: Kubectl, api: Api, database: Server, image: Callable[[str], str], install: Install, together: None
) -> None:
    name = f"lab-{uuid.uuid4().hex[:8]}"
    create_namespace(kubectl, name)
    with install(watchNamespaces=[name], installation=name):
        lab = Lab(kubectl, api, name, database, image(images.LAB))
        lab.add("wait", "wait", "insert")
        lab.apply(scaling={"maxWorkers": 2})
        lab.until_in_make(1, 2)
        kubectl("delete", "namespace", name, "--timeout=240s")
        assert set(lab.rows().values()) <= {"pending"}
        assert lab.messages() == {}
    lab.drop()
