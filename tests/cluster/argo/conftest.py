"""Argo CD is heavy: its tests run where they are asked for by path, `make argocd-test`."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, Kubectl
from tests.cluster.lab import Lab

from .application import Application, Repository, of
from .server import ArgoCD

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    return None if any(path.is_relative_to(HERE) for path in asked) else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for used in getattr(item, "funcargs", {}).values():
            if isinstance(used, ArgoCD):
                report.sections.append(("Argo CD", used.log()))
            elif isinstance(used, Application):
                report.sections.append(("the Application", json.dumps(used.status, indent=1)))
    return report


@pytest.fixture(scope="session")
def argocd(
    cluster: Cluster, kubectl: Kubectl, watched: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArgoCD]:
    with ArgoCD(kubectl, cluster.kubeconfig, tmp_path_factory.mktemp("argocd"), watched).running() as running:
        yield running


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Empty."""
    (tmp_path / "repository").mkdir()
    return Repository(tmp_path / "repository")


@pytest.fixture
def application(kubectl: Kubectl, argocd: ArgoCD, repository: Repository, lab: Lab) -> Iterator[Application]:
    """Of an empty repository, in the lab's namespace."""
    repository.commit()
    application = Application(kubectl, argocd, of(repository, f"lab-{lab.id}", lab.namespace))
    yield application
    application.delete("--wait=false")
