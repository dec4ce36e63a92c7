"""The repository to begin from, synced as its own manifests say, but for where Git, the tables and the image are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster, Kubectl, databases, images
from tests.cluster.api import Api
from tests.cluster.installation import CHART, ROOT, Installation
from tests.servers import Server, keep
from tests.servers.host import wait_until

from .application import Application, Repository
from .server import ArgoCD

PIPELINE = Path("examples/gitops/argocd/pipeline")
APPLICATIONS = ROOT / "examples" / "gitops" / "argocd" / "applications"
WINDOWS, FAILING = 404, 28


@pytest.fixture
def pods_server(cluster: Cluster) -> Server:
    return keep(databases.NAMES[-1], cluster.address)


@pytest.fixture
def place(
    together: None, operator: Installation, watched: tuple[str, str], kubectl: Kubectl, pods_server: Server,
    image: Callable[[str], str],
) -> str:  # fmt: skip
    """A namespace with the login, that the operator watches."""
    image(images.CARDIO)
    kubectl("apply", "--filename=-", f"--namespace={watched[1]}", stdin=yaml.safe_dump(databases.secret(pods_server)))
    return watched[1]


@pytest.fixture
def schema(repository: Repository, pods_server: Server, place: str) -> Iterator[str]:
    """Has the pipeline of the example in the repository, with the tables in a schema of the test's own."""
    schema = place.replace("-", "_")
    own: dict[str, Any] = {"name": "worker", "env": [{"name": "CARDIO_SCHEMA", "value": schema}]}
    shutil.copytree(ROOT / PIPELINE, repository.folder / PIPELINE)
    for file in (repository.folder / PIPELINE).glob("*.yaml"):
        job = yaml.safe_load(file.read_text())
        job["spec"]["worker"]["template"] = {"spec": {"containers": [own]}}
        file.write_text(yaml.safe_dump(job))
    repository.commit()
    yield schema
    pods_server.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def test_the_example_is_synced_step_by_step_and_goes_with_its_application(
    kubectl: Kubectl, api: Api, argocd: ArgoCD, repository: Repository, schema: str, place: str, pods_server: Server
) -> None:
    manifest = yaml.safe_load((APPLICATIONS / "pipeline.yaml").read_text())
    manifest["spec"]["source"]["repoURL"] = repository.url
    manifest["spec"]["destination"]["namespace"] = place
    application = Application(kubectl, argocd, manifest)
    wait_until(lambda: application.operation.get("phase") == "Succeeded", "synced, with its hook")
    application.until("Synced", "Healthy")

    def count(table: str) -> int:
        return int(pods_server.execute(f'SELECT count(*) FROM {schema}."{table}"')[0][0])

    assert [count(table) for table in ("_trace", "__heart_rate", "__summary")] == [3, WINDOWS - FAILING, 3]
    assert application.result("summary")["hookPhase"] == "Succeeded"
    assert f"{FAILING} keys failed" in application.health("heart-rate")[1]
    assert application.syncs() == 1
    application.delete("--timeout=240s")
    left = {job["metadata"]["name"] for job in api.every("populatejobs", place)}
    assert left <= {"summary"}


def test_the_operator_is_installed_from_its_chart_and_stays_in_sync(
    together: None, kubectl: Kubectl, argocd: ArgoCD, repository: Repository, image: Callable[[str], str]
) -> None:
    """For one namespace, without the definition: the cluster has other operators."""
    shutil.copytree(CHART, repository.folder / "chart")
    repository.commit()
    manifest = yaml.safe_load((APPLICATIONS / "operator.yaml").read_text())
    name, _, tag = image(images.OPERATOR).rpartition(":")
    own = {"image": {"repository": name, "tag": tag}, "crds": {"install": False}}
    only = {"watchNamespaces": [argocd.namespace], "installation": argocd.namespace}
    manifest["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    manifest["spec"]["source"] = {
        "repoURL": repository.url, "path": "chart", "targetRevision": "main",
        "helm": {"valuesObject": {**manifest["spec"]["source"]["helm"]["valuesObject"], **own, **only}},
    }  # fmt: skip
    manifest["spec"]["destination"]["namespace"] = argocd.namespace
    application = Application(kubectl, argocd, manifest)
    application.until("Synced", "Healthy")
    application.refresh()
    application.until("Synced", "Healthy")
    assert application.syncs() == 1
    application.delete("--timeout=240s")
