"""A release of the chart, from its installation to its end, while keys are made; and the same without Helm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from populate_operator.kube.check import populatejob

from tests.servers import engine, keep
from tests.servers.host import PATIENCE, wait_until

from . import Cluster, Kubectl, Refused, databases, images, load
from .api import Api
from .conftest import leave, refused
from .installation import CHART, DEFINITION, ROOT, Installation, create_namespace
from .kubectl import Program
from .lab import Lab
from .test_losses import restarts

VERSION = "0.0.1"
WAITING = ("--wait", "--timeout=240s")
PREVIOUS = f"populate-operator-test/previous:{VERSION}"
"""The operator's image under another name: no other version has been released."""
CRD = "customresourcedefinition/populatejobs.datajoint.io"
OF_OPERATOR = "app.kubernetes.io/name=populate-operator"
"""Neither the definition nor the namespace has this label."""
COLUMN = "MESSAGE"
"""What the previous definition lacks."""


class Release:
    """Of the operator's chart, in a namespace of its own that has its name and is the only one it watches."""

    def __init__(self, kubectl: Kubectl, helm: Program) -> None:
        self.name = f"populate-operator-{uuid.uuid4().hex[:8]}"
        self._kubectl = kubectl
        self._helm = helm
        create_namespace(kubectl, self.name)

    def upgrade(self, chart: Path, image: str, *options: str, definition: bool = False) -> None:
        repository, _, tag = image.rpartition(":")
        values = {"watchNamespaces": [self.name], "installation": self.name, "verbose": True}
        values |= {"image": {"repository": repository, "tag": tag}, "crds": {"install": definition}}
        self("upgrade", "--install", self.name, str(chart), "--values=-", *options, stdin=json.dumps(values))

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """What helm says."""
        return self._helm(*arguments, f"--namespace={self.name}", stdin=stdin)

    def version(self) -> str:
        """Of the chart that is installed."""
        ((release),) = json.loads(self("list", "--output=json"))
        return str(release["chart"]).rpartition("-")[2]

    def operators(self) -> list[str]:
        """Images of the operators that run."""
        found = self._kubectl.get(
            "pods", f"--namespace={self.name}", "--selector=app.kubernetes.io/name=populate-operator"
        )
        return [pod["spec"]["containers"][0]["image"] for pod in found["items"]]

    def until_alone(self, version: str, image: str) -> None:
        """Until the release is of this version, and the operator of before is gone: it ends after the new one is up."""
        assert self.version() == version
        wait_until(lambda: self.operators() == [image], f"no operators but {image}")

    def log(self) -> str:
        return self._kubectl("logs", f"deployment/{self.name}", f"--namespace={self.name}")

    def end(self) -> None:
        self("uninstall", self.name, "--ignore-not-found")
        self._kubectl("delete", "namespace", self.name, "--wait=false")


@pytest.fixture
def release(kubectl: Kubectl, cluster: Cluster) -> Iterator[Release]:
    release = Release(kubectl, Program("helm", cluster.kubeconfig))
    yield release
    release.end()


@pytest.fixture
def lab(
    together: None, release: Release, kubectl: Kubectl, api: Api, cluster: Cluster, image: Callable[[str], str]
) -> Iterator[Lab]:
    """In the release's namespace."""
    lab = Lab(kubectl, api, release.name, keep(databases.NAMES[-1], cluster.address), image(images.LAB))
    yield lab
    leave(lab, release.name)
    lab.until_nothing_is_left()
    lab.drop()


@pytest.fixture
def previous(cluster: Cluster, tmp_path: Path) -> tuple[Path, str]:
    """The chart as a package of a lower version, with a definition that lacks a column, and the image it names."""
    copy = Path(shutil.copytree(CHART, tmp_path / "chart"))
    file = copy / "files" / DEFINITION.name
    definition = yaml.safe_load(file.read_text())
    (version,) = definition["spec"]["versions"]
    assert version["additionalPrinterColumns"].pop()["name"] == COLUMN
    file.write_text(yaml.safe_dump(definition))
    helm = Program("helm", Path(os.devnull))
    helm("package", str(copy), f"--version={VERSION}", f"--app-version={VERSION}", f"--destination={tmp_path}")
    with engine.session() as client:
        client.images.get(images.OPERATOR).tag(*PREVIOUS.split(":"))
    (image,) = load(cluster, PREVIOUS)
    return tmp_path / f"populate-operator-{VERSION}.tgz", image


@pytest.mark.long
def test_a_release_is_upgraded_rolled_back_and_uninstalled_while_workers_go_on(
    release: Release, lab: Lab, kubectl: Kubectl, previous: tuple[Path, str], image: Callable[[str], str]
) -> None:
    chart, before = previous
    now = image(images.OPERATOR)
    release.upgrade(chart, before, *WAITING)
    release.until_alone(VERSION, before)
    lab.add("wait", "wait", "wait")
    job = lab.apply(scaling={"maxWorkers": 3, "scaleDownDelaySeconds": 3600})
    lab.until_in_make(1, 2, 3)
    workers = identities(job.workers())

    release.upgrade(CHART, now, *WAITING)
    release.until_alone(images.VERSION, now)
    lab.let(1)
    go_on(lab, 4)

    release("rollback", release.name, *WAITING)
    release.until_alone(VERSION, before)
    lab.let(2)
    go_on(lab, 5)

    release("uninstall", release.name, "--wait")
    wait_until(lambda: release.operators() == [], "the operator gone")
    lab.let(3, 4, 5)
    lab.until_made(1, 2, 3, 4, 5)

    release.upgrade(CHART, now, *WAITING)
    lab.add("insert", first=6)
    lab.until_made(1, 2, 3, 4, 5, 6)
    job.until(progress="6/6", error=0)
    assert sorted(lab.started()) == [1, 2, 3, 4, 5, 6]
    assert identities(job.workers()) == workers
    assert refused(release.log(), kubectl) == []


def go_on(lab: Lab, item: int) -> None:
    """Whoever is the operator finds what is new, and a worker makes it."""
    lab.add("wait", first=item)
    lab.until_in_make(item)


def identities(workers: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Restarts by pod."""
    return {pod["metadata"]["uid"]: restarts(pod) for pod in workers.values()}


@pytest.fixture
def unowned(alone: None, kubectl: Kubectl) -> Iterator[None]:
    """Afterwards the definition is as tests need it, and no release's."""
    yield
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={DEFINITION}")
    kubectl("annotate", CRD, "meta.helm.sh/release-name-", "meta.helm.sh/release-namespace-")
    kubectl("label", CRD, "app.kubernetes.io/managed-by-")


@pytest.mark.alone
def test_the_definition_goes_with_the_release_to_and_fro_and_stays_behind(
    unowned: None, release: Release, kubectl: Kubectl, previous: tuple[Path, str]
) -> None:
    chart, image = previous
    with pytest.raises(Refused, match="invalid ownership metadata"):
        release.upgrade(chart, image, definition=True)
    release.upgrade(chart, image, "--take-ownership", definition=True)
    assert COLUMN not in columns(kubectl)
    suspended = populatejob(release.name)
    suspended["metadata"]["name"] = "kept"
    suspended["spec"]["suspend"] = True
    kubectl.apply(suspended)

    release.upgrade(CHART, image, definition=True)
    assert COLUMN in columns(kubectl)
    release("rollback", release.name)
    assert COLUMN not in columns(kubectl)

    told = release("uninstall", release.name)
    assert "[CustomResourceDefinition] populatejobs.datajoint.io" in told
    assert kubectl("get", "populatejobs", f"--namespace={release.name}", "--output=name").endswith("/kept\n")
    release.upgrade(CHART, image, definition=True)  # has back what it left
    assert COLUMN in columns(kubectl)


def columns(kubectl: Kubectl) -> list[str]:
    (version,) = kubectl.get(CRD)["spec"]["versions"]
    return [column["name"] for column in version["additionalPrinterColumns"]]


def test_a_release_tells_whether_it_works(together: None, operator: Installation, kubectl: Kubectl) -> None:
    assert "Phase:          Succeeded" in operator.check()
    here = f"--namespace={operator.name}"
    assert "check" not in kubectl("get", "pods,roles,serviceaccounts", here, "--output=name")
    with operator.stopped(), pytest.raises(Refused, match="failed"):
        operator.check()
    assert f"The operator {operator.name} is not ready" in kubectl("logs", f"{operator.name}-check", here)


def test_an_operator_that_is_ready_and_does_not_lead_is_found(
    together: None, operator: Installation, cluster: Cluster
) -> None:
    def check(lease: str, seconds: float) -> str:
        words = (operator.name, operator.name, f"--lease={lease}", f"--seconds={seconds}")
        command = [sys.executable, "-m", "populate_operator.kube.check", *words]
        environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.stdout + done.stderr

    (pod,) = operator.pods()
    assert f"{pod} leads" in check(operator.name, PATIENCE)
    assert f"nobody renews the Lease {operator.name}/other" in check("other", 1)


@pytest.fixture
def overlay(together: None, kubectl: Kubectl, image: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """The namespace of an operator that an overlay has put there: for this namespace only, as others test here, too."""
    name = f"kustomize-{uuid.uuid4().hex[:8]}"
    repository, _, tag = image(images.OPERATOR).rpartition(":")
    told = [f"--namespace={name}", f"--installation={name}", "--verbose"]
    more = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": option} for option in told]
    kustomization = {
        "resources": [os.path.relpath(ROOT / "deploy", tmp_path)],
        "namespace": name,
        "nameSuffix": f"-{name}",
        "images": [{"name": "populate-operator", "newName": repository, "newTag": tag}],
        "patches": [{"target": {"kind": "Deployment"}, "patch": json.dumps(more)}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    try:
        kubectl("apply", f"--kustomize={tmp_path}", "--server-side", "--force-conflicts")
        yield name
    finally:
        kubectl("delete", f"--kustomize={tmp_path}", f"--selector={OF_OPERATOR}", "--ignore-not-found")
        assert kubectl.get(CRD, f"namespace/{name}")["items"], "they stay"
        kubectl("delete", "namespace", name, "--wait=false")


def test_kustomize_installs_an_operator_that_works_in_a_namespace_of_another_name(
    overlay: str, kubectl: Kubectl, api: Api, cluster: Cluster, image: Callable[[str], str]
) -> None:
    operator = (f"deployment/populate-operator-{overlay}", f"--namespace={overlay}")
    kubectl("rollout", "status", *operator, "--timeout=240s")
    lab = Lab(kubectl, api, overlay, keep(databases.NAMES[-1], cluster.address), image(images.LAB))
    try:
        lab.add("insert")
        lab.apply()
        lab.until_made(1)
        log = kubectl("logs", *operator)
        assert refused(log, kubectl) == []
        assert "Traceback" not in log
    finally:
        leave(lab, overlay)
        lab.until_nothing_is_left()
        lab.drop()
