"""Deleting never hangs: not without the database, the Secret or the operator."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import Server

from . import Cluster, Kubectl, databases, golang, images
from .api import Api
from .conftest import Install, leave, one_engine
from .installation import Installation, create_namespace
from .lab import Lab

README = Path(__file__).parents[2] / "README.md"
REMOVING = {"deletionPolicy": "RemovePending"}


def let_go() -> str:
    """The README's one-liner."""
    (line,) = (line for line in README.read_text().splitlines() if line.startswith("$ ") and "finalizers" in line)
    return line.removeprefix("$ ")


@pytest.mark.long
@pytest.mark.parametrize("own_database", [databases.NAMES[0]], indirect=True)
def test_of_a_populatejob_whose_database_is_away(
    together: None, operator: Installation, watched: tuple[str, str], kubectl: Kubectl, api: Api,
    own_database: Server, image: Callable[[str], str],
) -> None:  # fmt: skip
    lab = Lab(kubectl, api, watched[0], own_database, image(images.LAB))
    lab.add("wait", "wait")
    jobs = [lab.apply("removing", restriction="item = 1", **REMOVING), lab.apply("usual", restriction="item = 2")]
    lab.until_in_make(1, 2)
    own_database.stop()
    for job in jobs:
        job.until_condition("DatabaseReachable", "False", "DatabaseUnreachable")
        job.delete()
    lab.until_nothing_is_left()
    own_database.start()
    leave(lab, *watched)


@one_engine
def test_of_a_populatejob_whose_secret_is_gone(lab: Lab) -> None:
    lab.add("wait")
    job = lab.apply(**REMOVING)
    lab.until_in_make(1)
    lab.kubectl("delete", f"secret/login-{lab.id}", f"--namespace={lab.namespace}")
    job.delete()
    lab.until_nothing_is_left()


@one_engine
def test_of_a_populatejob_whose_operator_was_uninstalled_first(
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
    usual.delete()
    removing("delete", "--wait=false")
    assert removing("get", "--output=jsonpath={.metadata.finalizers}") == '["datajoint.io/remove-pending"]'
    here = tmp_path / "kubeconfig"
    here.write_bytes(cluster.kubeconfig.read_bytes())
    Kubectl(here)("config", "set-context", "--current", f"--namespace={name}")
    path = os.pathsep.join([str(golang.program("kubectl").parent), os.environ["PATH"]])
    subprocess.run(["bash", "-c", let_go()], env={**os.environ, "KUBECONFIG": str(here), "PATH": path}, check=True)
    removing("wait", "--for=delete", "--timeout=240s")
    lab.until_nothing_is_left(name)
    kubectl("delete", "namespace", name, "--timeout=240s")
    lab.drop()
