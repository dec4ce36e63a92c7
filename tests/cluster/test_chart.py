"""The chart: what it grants, and an operator that is installed from it in either mode."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.servers.host import wait_until

from . import Cluster, Refused, golang, images
from .conftest import DEFINITION, one_engine
from .installation import CHART, Installation
from .kubectl import Program
from .lab import Lab

Render = Callable[..., list[dict[str, Any]]]
CAP = 3
_RENDERING = ("--values=-", f"--kube-version={golang.version()}")


@pytest.fixture(scope="session")
def helm(cluster: Cluster) -> Program:
    return Program("helm", cluster.kubeconfig)


@pytest.fixture(scope="session")
def render(helm: Program) -> Render:
    def render(**values: object) -> list[dict[str, Any]]:
        text = helm("template", "populate-operator", str(CHART), *_RENDERING, stdin=json.dumps(values))
        return [document for document in yaml.safe_load_all(text) if document]

    return render


def rules(documents: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [rule for document in documents if document["kind"] in kinds for rule in document["rules"]]


def test_the_chart_is_of_the_project_s_version_and_has_its_definition() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == images.VERSION
    assert (CHART / "crds" / DEFINITION.name).samefile(DEFINITION)


@pytest.mark.parametrize(
    "values", [{}, {"watchNamespaces": ["a", "b"], "installation": "lab"}], ids=["cluster", "namespaces"]
)
def test_no_rule_has_a_wildcard(render: Render, values: dict[str, Any]) -> None:
    granted = rules(render(**values), "ClusterRole", "Role")
    assert granted
    assert not [rule for rule in granted for part in ("apiGroups", "resources", "verbs") if "*" in rule[part]]


def test_with_namespaces_named_nothing_is_granted_in_others(render: Render) -> None:
    documents = render(watchNamespaces=["a", "b"], installation="lab")
    granting = [document for document in documents if "Role" in document["kind"]]
    assert {document["kind"] for document in granting} == {"Role", "RoleBinding"}
    assert {document["metadata"]["namespace"] for document in granting} == {"a", "b"}


def test_both_modes_grant_the_same_in_what_they_watch(render: Render) -> None:
    everywhere = rules(render(installation="lab"), "ClusterRole")
    assert everywhere == rules(render(watchNamespaces=["a"], installation="lab"), "Role")
    (more,) = (rule for rule in rules(render(), "ClusterRole") if rule not in everywhere)
    assert (more["resources"], more["resourceNames"], more["verbs"]) == (["namespaces"], ["kube-system"], ["get"])


def test_namespaces_without_an_installation_id_are_refused(render: Render) -> None:
    with pytest.raises(Refused, match="installation is needed with watchNamespaces"):
        render(watchNamespaces=["a"])


@one_engine
def test_workers_of_one_database_are_shared_by_priority(lab: Lab, operator: Installation) -> None:
    operator.configure(maxWorkersPerDatabase=CAP)
    try:
        lab.add(*["nap"] * 150)
        usual = lab.apply("usual", restriction="item <= 150", priority=5, scaling={"maxWorkers": 10})
        wait_until(lambda: len(lab.made()) > 20, "a pace")
        lab.add(*["wait"] * 5, first=151)
        urgent = lab.apply("urgent", restriction="item > 150", priority=1, scaling={"maxWorkers": 10})
        wait_until(lambda: len(set(lab.hosts()) & set(range(151, 156))) == CAP - 1, "the urgent ones in make")
        assert len(usual.workers()) + len(urgent.workers()) == CAP
        lab.release()
        lab.until_made(*range(1, 156))
        assert lab.messages() == {}
    finally:
        operator.configure()
