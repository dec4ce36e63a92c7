"""What cannot work is said, nothing is started for it, and it works once it is mended."""

from __future__ import annotations

import pytest
from populate_operator.kube.farewell import WORKERS_SECONDS

from tests.servers import keep

from . import Cluster, databases
from .conftest import one_engine
from .lab import Lab, declare


@one_engine
def test_an_image_that_cannot_be_had(lab: Lab) -> None:
    lab.add("insert")
    job = lab.apply(worker={"image": "registry.invalid/lab:1"})
    resolved = job.until_condition("Resolved", "False", "ImagePullFailed")
    assert "registry.invalid/lab:1" in resolved["message"]
    assert job.condition("Stalled")["status"] == "True"
    assert job.condition("Ready")["reason"] == "ImagePullFailed"
    assert job.workers() == {}
    job.patch(worker={"image": lab.image})
    lab.until_made(1)
    job.until_condition("Resolved", "True", "Resolved")


@one_engine
def test_a_pipeline_that_cannot_be_imported(lab: Lab) -> None:
    lab.add("insert")
    job = lab.apply(worker={"template": lab.template(LAB_BROKEN="no such library")})
    job.until_condition("Resolved", "False", "ImportFailed")
    assert "ImportError: no such library" in job.condition("Resolved")["message"]
    assert job.workers() == {}
    job.patch(worker={"template": lab.template()})
    lab.until_made(1)


@one_engine
def test_a_template_that_the_api_server_refuses(lab: Lab) -> None:
    lab.add("insert")
    template = lab.template(resources={"limits": {"memory": "much"}})
    job = lab.apply(worker={"template": template})
    refused = job.until_condition("Resolved", "False", "TemplateRefused")
    assert "much" in refused["message"] or "quantities must match" in refused["message"]
    job.patch(worker={"template": lab.template()})
    lab.until_made(1)


@one_engine
def test_a_template_whose_container_has_no_name_and_its_deletion(lab: Lab) -> None:
    lab.add("wait", "insert")
    job = lab.apply(deletionPolicy="RemovePending")
    lab.until_in_make(1)
    job.patch(worker={"template": {"spec": {"containers": [{"resources": {}}]}}})
    refused = job.until_condition("Resolved", "False", "TemplateRefused")
    assert "spec.containers[0].name: Required value" in refused["message"]
    in_time = job.delete_within(WORKERS_SECONDS)
    lab.until_nothing_is_left()
    assert lab.rows() in ({}, {} if in_time else {1: "pending"})


@one_engine
def test_a_pod_that_the_namespace_does_not_admit(lab: Lab) -> None:
    lab.add("insert")
    template = lab.template()
    template["spec"]["hostNetwork"] = True
    job = lab.apply(worker={"template": template})
    job.until_condition("Resolved", "False", "PodsRefused")
    job.patch(worker={"template": {"spec": {"hostNetwork": None}}})
    lab.until_made(1)


def test_a_wrong_password_until_the_secret_is_mended(lab: Lab) -> None:
    lab.add("insert")
    lab.log_in(password="wrong")
    job = lab.apply()
    refused = job.until_condition("Resolved", "False", "LoginRefused")
    assert "wrong" not in refused["message"].replace("wrong password", "")
    assert job.workers() == {}
    lab.log_in()
    lab.until_made(1)
    job.until_condition("Resolved", "True", "Resolved")


@one_engine
def test_a_secret_that_is_not_there_yet(lab: Lab) -> None:
    lab.add("insert")
    lab.kubectl("delete", f"secret/login-{lab.id}", f"--namespace={lab.namespace}")
    job = lab.apply()
    missing = job.until_condition("Ready", "False", "SecretUnusable")
    assert f"login-{lab.id}" in missing["message"]
    lab.log_in()
    lab.until_made(1)


@one_engine
@pytest.mark.parametrize(
    ("spec", "reason"),
    [({"table": "lab.Nothing"}, "TableNotFound"), ({"restriction": "no_such_attribute = 1"}, "RestrictionInvalid")],
)
def test_a_spec_that_the_pipeline_does_not_fit(lab: Lab, spec: dict[str, str], reason: str) -> None:
    job = lab.apply(**spec)
    job.until_condition("Resolved", "False", reason)
    assert next(iter(spec.values())).partition(" ")[0].rpartition(".")[2] in job.condition("Resolved")["message"]


@pytest.mark.long
@one_engine
def test_a_secret_that_names_another_server_with_rows_of_this_queue(lab: Lab, cluster: Cluster) -> None:
    lab.add("insert")
    job = lab.apply()
    lab.until_made(1)
    home, elsewhere = lab.server, keep(databases.NAMES[0], cluster.address)
    declare(elsewhere, lab.schema)
    lab.server = elsewhere
    try:
        lab.execute(f"INSERT INTO {lab.name('~~made')} (item, status, priority) VALUES (1, 'pending', 5)")
        lab.log_in(database="")
        refused = job.until_condition("Resolved", "False", "ServerChanged")
        assert f"login-{lab.id}" in refused["message"]
        job.until_workers(lambda pods: not pods, "without workers")
        assert lab.rows() == {1: "pending"}
        lab.server = home
        lab.log_in()
        lab.add("insert", first=2)
        lab.until_made(1, 2)
        job.until_condition("Resolved", "True", "Resolved")
    finally:  # no sooner: a server that is empty would be taken
        lab.server = elsewhere
        lab.drop()
        lab.server = home
