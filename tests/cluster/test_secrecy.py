"""A password goes nowhere but to the database, and what is others' stays theirs."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.host import wait_until

from . import Kubectl
from .conftest import one_engine
from .installation import Installation
from .lab import Applied, Lab

KINDS = "populatejobs,pods,deployments,replicasets,jobs,configmaps,events"
PROCESSES = """
import pathlib
for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    print(process.read_bytes().replace(bytes(1), b" ").decode())
"""


@pytest.fixture
def canary(lab: Lab) -> Iterator[str]:
    """A password that is found wherever it is; the lab's Secret has it, for a user of the database that has it too."""
    word, user = f"canary{secrets.token_hex(16)}", f"canary_{lab.id}"
    if lab.server.backend == "postgresql":
        lab.execute(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{word}'")
    else:
        lab.execute(f"CREATE USER {user}@'%' IDENTIFIED BY '{word}'")
        lab.execute(f"GRANT ALL ON *.* TO {user}@'%'")
    lab.log_in(user=user, password=word)
    yield word
    lab.release()
    if lab.server.backend == "postgresql":
        lab.execute(f"REASSIGN OWNED BY {user} TO {lab.server.user}")  # resolve has made a table
        lab.execute(f"DROP ROLE {user}")
    else:
        lab.execute(f"DROP USER {user}@'%'")


def told(lab: Lab, operator: Installation, job: Applied) -> dict[str, str]:
    """All that somebody without a right to Secrets could find, by where it was found."""
    found = {"the operator's log": operator.log()}
    for namespace in lab.namespace, operator.name:
        found[f"objects in {namespace}"] = lab.kubectl("get", KINDS, f"--namespace={namespace}", "--output=yaml")
    here = f"--namespace={lab.namespace}"
    for name in job.workers():
        found[f"log of {name}"] = lab.kubectl("logs", name, here, "--all-containers")
        path = f"/api/v1/namespaces/{lab.namespace}/pods/{name}:8080/proxy/metrics"
        found[f"metrics of {name}"] = lab.kubectl("get", f"--raw={path}")
        found[f"processes of {name}"] = lab.kubectl("exec", name, here, "--", "python", "-c", PROCESSES)
    return found


def assert_unknown(word: str, found: dict[str, str]) -> None:
    for form in word, base64.b64encode(word.encode()).decode():
        assert [place for place, text in found.items() if form in text] == []


def test_a_password_is_found_nowhere_but_in_its_secret(lab: Lab, operator: Installation, canary: str) -> None:
    lab.add("insert", "fail", "wait")
    job = lab.apply()
    lab.until_in_make(3)
    lab.until_rows({2: "error", 3: "reserved"})
    job.until(error=1, reserved=1)
    (worker,) = job.workers()
    wait_until(lambda: "populate_" in told(lab, operator, job)[f"metrics of {worker}"], "metrics")
    found = told(lab, operator, job)
    assert "populate_worker.runner" in found[f"processes of {worker}"]
    assert "item 2 is broken" in found[f"objects in {lab.namespace}"]
    assert_unknown(canary, found)
    # Somebody changes the password in the database; then the Secret is broken.
    lab.log_in(user=f"canary_{lab.id}", password=f"{canary}x")
    job.until_condition("DatabaseReachable", "False", "LoginRefused")
    assert_unknown(canary, told(lab, operator, job))
    lab.log_in(user=f"canary_{lab.id}", password=canary, port=canary)
    job.until_condition("Ready", "False", "SecretUnusable")
    assert_unknown(canary, told(lab, operator, job))
    lab.log_in()


@one_engine
def test_a_secret_that_is_no_login_is_told_to_nobody(lab: Lab, operator: Installation) -> None:
    """As it would be named by somebody who may write PopulateJobs and wants to know what is in it."""
    name, word = f"other-{lab.id}", f"canary{secrets.token_hex(16)}"
    keys = ("host", "user", "password", "port", "backend", "tls", "database", "ca.crt", "token")
    metadata = {"name": name, "namespace": lab.namespace}
    data = {key: base64.b64encode(word.encode() + b"\xff").decode() for key in keys}
    lab.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    job = lab.apply(database={"secretRef": {"name": name}})
    assert "is not text" in job.until_condition("Ready", "False", "SecretUnusable")["message"]
    assert_unknown(word, told(lab, operator, job))
    data = {key: base64.b64encode(word.encode()).decode() for key in keys}
    lab.kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    wait_until(lambda: "must be" in job.condition("Ready").get("message", ""), "the Secret read again")
    assert_unknown(word, told(lab, operator, job))


@one_engine
@pytest.mark.parametrize("kind", ["ConfigMap", "Deployment"])
def test_what_has_the_name_of_its_own_is_left_to_whom_it_belongs(lab: Lab, kubectl: Kubectl, kind: str) -> None:
    suffix = {"ConfigMap": "assignment", "Deployment": "worker"}[kind]
    theirs = theirs_of(kind, f"job-{lab.id}-{suffix}", lab.namespace)
    kubectl.apply(theirs)
    here = f"--namespace={lab.namespace}"
    of_them = (kind.lower(), theirs["metadata"]["name"], here)
    before = kubectl.get(*of_them)["metadata"]["uid"]
    lab.add("insert")
    job = lab.apply()
    assert kind in job.until_condition("Ready", "False", "NameTaken")["message"]
    found = kubectl.get(*of_them)
    assert found["metadata"]["uid"] == before
    assert "ownerReferences" not in found["metadata"]
    assert "datajoint.io" not in json.dumps({**found["metadata"], "managedFields": None})
    kubectl("delete", *of_them)
    lab.until_made(1)


def theirs_of(kind: str, name: str, namespace: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    if kind == "ConfigMap":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": {"theirs": "1"}}
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pods}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}
