"""Pods that do not come up: whatever container it is, and where no container says why, the PopulateJob does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.servers.host import wait_until

from .conftest import one_engine
from .lab import Lab

SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
"""What the tests' namespaces ask of every container, and the operator sees to for the worker's alone."""


def fetching(lab: Lab, **container: Any) -> dict[str, Any]:
    """The lab's template with an init container `fetch`."""
    template = lab.template()
    template["spec"]["initContainers"] = [{"name": "fetch", "image": lab.image, "securityContext": SAFE, **container}]
    return template


@one_engine
def test_an_init_container_whose_image_cannot_be_had_is_told_by_its_name(lab: Lab) -> None:
    lab.add("insert")
    job = lab.apply(worker={"template": fetching(lab, image="registry.invalid/fetch:1")})
    resolved = job.until_condition("Resolved", "False", "ImagePullFailed")
    assert resolved["message"].startswith("init container fetch: ")
    assert "registry.invalid/fetch:1" in resolved["message"]
    assert job.workers() == {}
    job.patch(worker={"template": {"spec": {"initContainers": None}}})
    lab.until_made(1)


@one_engine
def test_an_init_container_that_fails_is_told_with_its_last_words(lab: Lab) -> None:
    lab.add("insert")
    failing = ["python3", "-c", "import sys; sys.exit('no such bucket')"]
    template = fetching(lab, command=failing, terminationMessagePolicy="FallbackToLogsOnError")
    job = lab.apply(worker={"template": template})
    resolved = job.until_condition("Resolved", "False", "ResolveFailed")
    assert resolved["message"] == "init container fetch ended with status 1: no such bucket"
    job.patch(worker={"template": {"spec": {"initContainers": None}}})
    lab.until_made(1)


@pytest.mark.long
@one_engine
def test_a_volume_that_is_not_there_is_told_once_the_worker_waits_for_it(lab: Lab) -> None:
    here = f"--namespace={lab.namespace}"
    metadata = {"name": f"atlas-{lab.id}", "namespace": lab.namespace}
    atlas = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"atlas": "of brains"}}
    lab.kubectl.apply(atlas)
    template = lab.template()
    template["spec"]["volumes"] = [{"name": "atlas", "configMap": {"name": metadata["name"]}}]
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "atlas", "mountPath": "/atlas"}]
    job = lab.apply(worker={"template": template})
    job.until_condition("Ready", "True", "UpToDate")

    lab.kubectl("delete", f"configmap/{metadata['name']}", here)
    lab.add("insert")
    ready = job.until_condition("Ready", "False", "PodNotStarting")
    (worker,) = job.workers()
    assert f"involvedObject.name={worker}" in ready["message"]
    assert job.condition("Reconciling")["reason"] == "PodNotStarting"
    said = lab.kubectl("get", "events", here, f"--field-selector=involvedObject.name={worker}")
    assert metadata["name"] in said
    lab.kubectl.apply(atlas)
    lab.kubectl("delete", f"pod/{worker}", here, "--grace-period=0", "--force")  # the next one asks at once
    lab.until_made(1)


@one_engine
def test_a_quota_that_leaves_no_room_for_the_assignment_is_told(lab: Lab) -> None:
    lab.add("insert")
    with no_more_configmaps(lab):
        job = lab.apply()
        refused = job.until_condition("Ready", "False", "AssignmentRefused")
        assert "exceeded quota" in refused["message"]
        assert job.condition("Stalled")["reason"] == "AssignmentRefused"
        assert job.workers() == {}
    lab.until_made(1)


@contextmanager
def no_more_configmaps(lab: Lab) -> Iterator[None]:
    """In the lab's namespace, which no other test uses meanwhile."""
    name, here = f"quota-{lab.id}", f"--namespace={lab.namespace}"
    metadata = {"name": name, "namespace": lab.namespace}
    hard = {"count/configmaps": "0"}
    lab.kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}})
    try:
        counted = ("get", f"resourcequota/{name}", here, "--output=jsonpath={.status.used}")
        wait_until(lambda: "count/configmaps" in lab.kubectl(*counted), "the quota counted")
        yield
    finally:
        lab.kubectl("delete", f"resourcequota/{name}", here)
