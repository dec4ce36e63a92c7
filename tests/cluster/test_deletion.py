"""Deleting never hangs: not without the database, the Secret or the operator."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.database.depth import repetitions
from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

from . import Cluster, Kubectl, databases, golang, images
from .api import Api
from .beside import Beside
from .conftest import Install, one_engine
from .installation import create_namespace
from .lab import Lab

README = Path(__file__).parents[2] / "README.md"
REMOVING = {"deletionPolicy": "RemovePending"}
ENDED_SECONDS = repetitions(quick=int(PATIENCE), deep=60)
"""A minute is promised, of PopulateJobs and of namespaces, on a machine on which nothing else runs."""


def let_go() -> str:
    """The README's one-liner."""
    (line,) = (line for line in README.read_text().splitlines() if line.startswith("$ ") and "finalizers" in line)
    return line.removeprefix("$ ")


@pytest.mark.long
@pytest.mark.parametrize("own_database", [databases.NAMES[0]], indirect=True)
def test_of_a_populatejob_whose_database_is_away(outage_lab: Lab) -> None:
    lab = outage_lab
    lab.add("wait", "wait")
    jobs = [lab.apply("removing", restriction="item = 1", **REMOVING), lab.apply("usual", restriction="item = 2")]
    lab.until_in_make(1, 2)
    lab.server.stop()
    for job in jobs:
        job.until_condition("DatabaseReachable", "False", "DatabaseUnreachable")
    for job in jobs:
        job.delete(ENDED_SECONDS)
    lab.until_nothing_is_left()
    lab.server.start()
    assert lab.hosts().keys() == {1, 2}
    lab.apply("another", restriction="item = 3")
    wait_until(lambda: not lab.hosts(), "what their workers could not give back is given back")


@one_engine
def test_of_a_populatejob_whose_secret_is_gone(lab: Lab) -> None:
    lab.add("wait")
    job = lab.apply(**REMOVING)
    lab.until_in_make(1)
    lab.kubectl("delete", f"secret/login-{lab.id}", f"--namespace={lab.namespace}")
    job.delete(ENDED_SECONDS)
    lab.until_nothing_is_left()


@pytest.mark.long
@pytest.mark.parametrize("own_database", [databases.NAMES[0]], indirect=True)
@pytest.mark.parametrize("trouble", ["its database is away", "its Secret is gone"])
def test_of_a_namespace(
    kubectl: Kubectl, api: Api, namespace: str, beside: Beside, own_database: Server, image: Callable[[str], str],
    trouble: str,
) -> None:  # fmt: skip
    lab = Lab(kubectl, api, namespace, own_database, image(images.LAB))
    beside.start()
    lab.add("wait", "wait")
    removing = lab.apply("removing", restriction="item = 1", **REMOVING)
    lab.apply("usual", restriction="item = 2")
    lab.until_in_make(1, 2)
    if trouble == "its database is away":
        own_database.stop()
        removing.until_condition("DatabaseReachable", "False", "DatabaseUnreachable")
    else:
        kubectl("delete", f"secret/login-{lab.id}", f"--namespace={namespace}")
        removing.until_condition("Ready", "False", "SecretUnusable")
    began = time.monotonic()
    kubectl("delete", "namespace", namespace, f"--timeout={ENDED_SECONDS:.0f}s")
    print(f"{trouble}: the namespace was gone after {time.monotonic() - began:.0f} s")


@one_engine
def test_of_a_populatejob_and_its_namespace_whose_operator_was_uninstalled_first(
    together: None, kubectl: Kubectl, api: Api, cluster: Cluster, database: Server, image: Callable[[str], str],
    install: Install, watched: tuple[str, str], tmp_path: Path,
) -> None:  # fmt: skip
    name = f"{watched[0]}-left"
    create_namespace(kubectl, name)
    with install(watchNamespaces=[name], installation=name):
        lab = Lab(kubectl, api, name, database, image(images.LAB))
        lab.add("wait", "wait")
        removing, usual = (
            lab.apply("removing", restriction="item = 1", **REMOVING),
            lab.apply("usual", restriction="item = 2"),
        )
        lab.until_in_make(1, 2)
    usual.delete(ENDED_SECONDS)
    began = time.monotonic()
    kubectl("delete", "namespace", name, "--wait=false")
    removing("wait", "--for=jsonpath={.metadata.deletionTimestamp}", "--timeout=240s")
    assert removing("get", "--output=jsonpath={.metadata.finalizers}") == '["datajoint.io/remove-pending"]'
    here = tmp_path / "kubeconfig"
    here.write_bytes(cluster.kubeconfig.read_bytes())
    Kubectl(here)("config", "set-context", "--current", f"--namespace={name}")
    path = os.pathsep.join([str(golang.program("kubectl").parent), os.environ["PATH"]])
    subprocess.run(["bash", "-c", let_go()], env={**os.environ, "KUBECONFIG": str(here), "PATH": path}, check=True)
    kubectl("wait", "--for=delete", f"namespace/{name}", f"--timeout={ENDED_SECONDS:.0f}s")
    print(f"its operator is gone: the namespace was gone after {time.monotonic() - began:.0f} s")
    lab.drop()
