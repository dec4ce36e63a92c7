"""The chart as it is rendered: what it grants, what it refuses, what is made from it; and one of its values at work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.servers.host import wait_until

from . import Kubectl, Refused, generated, golang, images
from .conftest import one_engine
from .generated import GENERATED, GOLDEN
from .installation import CHART, DEFINITION, ROOT, Installation
from .kubectl import Program
from .lab import Lab

Object = dict[str, Any]
CAP = 3
NAMED = {"watchNamespaces": ["a", "b"], "installation": "lab"}
PLACE = "kubernetes.io/metadata.name"
DIGEST = f"sha256:{64 * 'a'}"


def render(*options: str, **values: object) -> list[Object]:
    """What a release consists of, its tests left out."""
    text = generated.render("--values=-", "--skip-tests", *options, stdin=json.dumps(values))
    return [document for document in yaml.safe_load_all(text) if document]


def the(kind: str, documents: list[Object]) -> Object:
    (found,) = (document for document in documents if document["kind"] == kind)
    return found


def rules(documents: list[Object], *kinds: str) -> list[Object]:
    """But for those of the Lease, which is the operator's own, and those of people."""
    granting = [document for document in documents if document["kind"] in kinds]
    own = [document for document in granting if not is_of_lease(document) and not is_of_people(document)]
    return [rule for document in own for rule in document["rules"]]


def is_of_lease(document: Object) -> bool:
    return bool(document["metadata"]["name"].endswith("-lease"))


def is_of_people(document: Object) -> bool:
    name: str = document["metadata"]["name"]
    return document["kind"] == "ClusterRole" and name.endswith(("-view", "-edit"))


# What is made from it


@pytest.mark.parametrize("file", GENERATED, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_is_generated_is_up_to_date(file: Path) -> None:
    assert file.read_text() == GENERATED[file](), "run `make generate` and commit what it changes"


def test_the_chart_is_of_the_project_s_version_and_says_nothing_doubtful() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == images.VERSION
    helm = Program("helm", Path(os.devnull))
    for values in CHART / "values.yaml", GOLDEN / "values.yaml":
        assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), f"--values={values}")


SINCE = {"fieldPath": 28, "x-kubernetes-validations": 29, "selectableFields": 32}
"""Minor version of Kubernetes since which they are there for good, of what a definition may have."""


def fields(value: Any) -> Iterator[str]:
    """Every name in it, at any depth, but for those that a schema gives to what it describes."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from [] if name == "properties" else [name]
            yield from fields([*inner.values()] if name == "properties" else inner)


def test_the_oldest_kubernetes_that_the_chart_takes_has_what_the_definition_needs() -> None:
    asked = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    oldest = int(re.fullmatch(r">=1\.(\d+)\.0-0", asked)[1])  # type: ignore[index]
    needed = {name: SINCE[name] for name in set(fields(yaml.safe_load(DEFINITION.read_text()))) & set(SINCE)}
    assert "fieldPath" in needed
    assert max(needed.values()) <= oldest
    tested = golang.version().removeprefix("v").rpartition(".")[0]
    assert f"needs Kubernetes 1.{oldest} or newer, and is tested on {tested}." in (CHART / "README.md").read_text()


# What is refused


def leaves(values: Object, schema: Object, path: str = "") -> Iterator[tuple[str, bool]]:
    """Every value and every field of the schema, and whether it is in both."""
    fields = schema.get("properties", {})
    for name in values.keys() | fields.keys():
        yield f"{path}.{name}", name in values and name in fields
        if isinstance(values.get(name), dict) and "properties" in fields.get(name, {}):
            yield from leaves(values[name], fields[name], f"{path}.{name}")


def test_the_schema_has_the_values_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    del schema["properties"]["global"]  # Helm's own
    found = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text()), schema))
    assert len(found) > 40
    kubernetes_own = re.compile(r"\.(affinity|resources)\.")
    assert {path for path, both in found.items() if not both and not kubernetes_own.match(path)} == set()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"watchNamespace": "a"}, "additional properties 'watchNamespace' not allowed"),
        ({"watchNamespaces": "a"}, "'/watchNamespaces': got string, want array"),
        ({"watchNamespaces": ["A"]}, "'/watchNamespaces/0': 'A' does not match pattern"),
        ({"watchNamespaces": ["a"]}, "installation is needed with watchNamespaces"),
        ({"image": {"digest": "0123"}}, "'/image/digest': '0123' does not match pattern"),
        ({"image": {"pullPolicy": "always"}}, "value must be one of 'Always', 'IfNotPresent', 'Never'"),
        ({"maxWorkersPerDatabase": -1}, "'/maxWorkersPerDatabase': minimum: got -1, want 0"),
        ({"resources": {"memory": "1Gi"}}, "'/resources': additional properties 'memory' not allowed"),
        ({"podMonitor": {"enabled": "yes"}}, "'/podMonitor/enabled': got string, want boolean"),
        ({"extraEnv": [{"value": "1"}]}, "'/extraEnv/0': missing property 'name'"),
        ({"extraEnv": [{"name": "A", "vlue": "1"}]}, "'/extraEnv/0': additional properties 'vlue' not allowed"),
        ({"tolerations": [{"keyy": "gpu"}]}, "'/tolerations/0': additional properties 'keyy' not allowed"),
        ({"resources": {"limits": {"memry": "1Gi"}}}, "'/resources/limits': additional properties 'memry' not allowed"),
        ({"podSecurityContext": {"runAsNonRot": True}}, "'/podSecurityContext': additional properties 'runAsNonRot'"),
        ({"podLabels": {"app.kubernetes.io/name": "a"}}, "'/podLabels/app.kubernetes.io~1name': false schema"),
        ({"livenessProbe": {"httpGet": {}}}, "'/livenessProbe': additional properties 'httpGet' not allowed"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(values: Object, told: str) -> None:
    with pytest.raises(Refused) as refused:
        render(**values)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("envVar", client.V1EnvVar),
        ("envVarSource", client.V1EnvVarSource),
        ("podSecurityContext", client.V1PodSecurityContext),
        ("securityContext", client.V1SecurityContext),
        ("spreadConstraint", client.V1TopologySpreadConstraint),
        ("toleration", client.V1Toleration),
        ("volumeMount", client.V1VolumeMount),
    ],
)
def test_the_schema_has_the_fields_that_kubernetes_has(name: str, model: Any) -> None:
    described = json.loads((CHART / "values.schema.json").read_text())["definitions"][name]
    assert set(described["properties"]) == set(model.attribute_map.values())


def test_no_label_of_the_chart_s_own_may_be_given_another_value() -> None:
    labels = json.loads((CHART / "values.schema.json").read_text())["definitions"]["labels"]
    own = set(the("Deployment", render())["metadata"]["labels"])
    assert labels["properties"] == dict.fromkeys(own, False)


def test_the_values_of_a_chart_around_it_do_no_harm() -> None:
    assert render(**{"global": {"registry": "registry.example"}}) == render()


# What it grants


@pytest.mark.parametrize("values", [{}, NAMED], ids=["cluster", "namespaces"])
def test_no_rule_has_a_wildcard(values: Object) -> None:
    granted = [rule for document in render(**values) for rule in document.get("rules", [])]
    assert granted
    assert not [rule for rule in granted for part in ("apiGroups", "resources", "verbs") if "*" in rule[part]]


def test_with_namespaces_named_nothing_is_granted_in_others() -> None:
    granting = [document for document in render(**NAMED) if "Role" in document["kind"] and not is_of_people(document)]
    assert {document["kind"] for document in granting} == {"Role", "RoleBinding"}
    assert {document["metadata"]["namespace"] for document in granting if not is_of_lease(document)} == {"a", "b"}


def test_with_namespaces_named_and_no_definition_nothing_is_made_outside_of_namespaces() -> None:
    documents = render(crds={"install": False}, **NAMED)
    assert [document["kind"] for document in documents if "namespace" not in document["metadata"]] == []


@pytest.mark.parametrize("values", [{}, NAMED], ids=["cluster", "namespaces"])
def test_people_get_roles_that_are_aggregated_unless_told_otherwise(values: Object) -> None:
    def aggregated(**roles: bool) -> dict[str, set[str]]:
        documents = render(userRoles=roles, **values)
        labels = {each["metadata"]["name"]: each["metadata"]["labels"] for each in documents if is_of_people(each)}
        to = "rbac.authorization.k8s.io/aggregate-to-"
        return {name: {label.removeprefix(to) for label in those if to in label} for name, those in labels.items()}

    view, edit = "populate-operator-view", "populate-operator-edit"
    assert aggregated() == {view: {"view"}, edit: {"edit", "admin"}}
    assert aggregated(aggregate=False) == {view: set(), edit: set()}
    assert aggregated(create=False) == {}


def test_both_modes_grant_the_same_in_what_they_watch() -> None:
    everywhere = rules(render(installation="lab"), "ClusterRole")
    assert everywhere == rules(render(watchNamespaces=["a"], installation="lab"), "Role")
    (more,) = (rule for rule in rules(render(), "ClusterRole") if rule not in everywhere)
    assert (more["resources"], more["resourceNames"], more["verbs"]) == (["namespaces"], ["kube-system"], ["get"])


@pytest.mark.parametrize("values", [{}, NAMED], ids=["cluster", "namespaces"])
def test_a_lease_of_its_own_is_all_that_is_granted_in_its_own_namespace(values: Object) -> None:
    documents = [document for document in render(**values) if is_of_lease(document)]
    role, binding = sorted(documents, key=lambda document: len(document["kind"]))
    assert (role["kind"], binding["kind"]) == ("Role", "RoleBinding")
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "populate-operator"
    granted = [(rule["resources"], rule.get("resourceNames"), rule["verbs"]) for rule in role["rules"]]
    assert granted == [(["leases"], None, ["create"]), (["leases"], ["populate-operator"], ["get", "patch"])]


def test_the_lease_is_asked_for_where_the_operator_is_whatever_namespace_kustomize_puts_it_in(tmp_path: Path) -> None:
    overlay = {"resources": [os.path.relpath(ROOT / "deploy", tmp_path)], "namespace": "elsewhere"}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = list(yaml.safe_load_all(Program("kubectl", Path(os.devnull))("kustomize", str(tmp_path))))
    namespaced = [document["metadata"] for document in documents if "namespace" in document["metadata"]]
    assert {metadata["namespace"] for metadata in namespaced} == {"elsewhere"}
    (container,) = the("Deployment", documents)["spec"]["template"]["spec"]["containers"]
    assert "--leader-election=$(POD_NAMESPACE)/populate-operator" in container["args"]
    where = {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}
    assert where in container["env"]


@pytest.mark.parametrize("election", [True, False])
def test_the_check_asks_who_leads_where_one_has_to(election: bool) -> None:
    text = generated.render("--values=-", stdin=json.dumps({"leaderElection": election}))
    documents = [document for document in yaml.safe_load_all(text) if document]
    check = [document for document in documents if document["metadata"]["name"].endswith("-check")]
    read = {resource for rule in the("Role", check)["rules"] for resource in rule["resources"]}
    (container,) = the("Pod", check)["spec"]["containers"]
    assert ("leases" in read) == (container.get("args") == ["--lease=populate-operator"]) == election


def test_without_leader_election_there_is_one_operator_and_no_lease() -> None:
    documents = render(leaderElection=False)
    assert not [document for document in documents if is_of_lease(document)]
    spec = the("Deployment", documents)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert "leader-election" not in str(spec)
    with pytest.raises(Refused, match="replicas above 1 need leaderElection"):
        render(leaderElection=False, replicas=2)


# What it installs


def test_the_definition_is_installed_as_it_is_and_stays() -> None:
    installed = the("CustomResourceDefinition", render())
    assert installed == yaml.safe_load(DEFINITION.read_text())
    assert installed["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    kinds = [document["kind"] for document in render(crds={"install": False})]
    assert "CustomResourceDefinition" not in kinds


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ({}, f"populate-operator:{images.VERSION}"),
        ({"repository": "registry.example/operator", "tag": "2"}, "registry.example/operator:2"),
        ({"digest": DIGEST}, f"populate-operator:{images.VERSION}@{DIGEST}"),
    ],
)
def test_an_image_is_named_by_tag_or_by_digest(image: Object, name: str) -> None:
    (container,) = the("Deployment", render(image=image))["spec"]["template"]["spec"]["containers"]
    assert container["image"] == name


def test_a_constraint_spreads_what_it_selects_itself_or_else_the_operator() -> None:
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    own = {**spread, "labelSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}}
    deployment = the("Deployment", render(topologySpreadConstraints=[spread, own]))["spec"]
    selected = {**spread, "labelSelector": deployment["selector"]}
    assert deployment["template"]["spec"]["topologySpreadConstraints"] == [selected, own]


def test_a_disruption_budget_never_holds_the_only_operator_on_its_node() -> None:
    def budgets(**values: object) -> list[Object]:
        documents = render(**values)
        return [document["spec"] for document in documents if document["kind"] == "PodDisruptionBudget"]

    selector = the("Deployment", render())["spec"]["selector"]
    assert budgets(replicas=2) == [{"maxUnavailable": 1, "selector": selector}]
    assert budgets() == budgets(replicas=1) == budgets(replicas=2, podDisruptionBudget={"enabled": False}) == []


def test_what_others_look_at_is_off_by_default() -> None:
    kinds = {document["kind"] for document in render()}
    rest = {"CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Deployment"}
    rest |= {"Role", "RoleBinding"}
    assert kinds == rest


@pytest.mark.parametrize(
    ("values", "namespaces"), [({}, {"any": True}), (NAMED, {"matchNames": ["a", "b"]})], ids=["cluster", "namespaces"]
)
def test_workers_are_scraped_where_they_are(values: Object, namespaces: Object) -> None:
    documents = render(podMonitor={"enabled": True}, **values)
    (workers,) = (document["spec"] for document in documents if document["metadata"]["name"].endswith("-workers"))
    assert workers["namespaceSelector"] == namespaces
    worker = yaml.safe_load((ROOT / "tests" / "unit" / "golden" / "deployment.yaml").read_text())["spec"]["template"]
    assert workers["selector"]["matchLabels"].items() <= worker["metadata"]["labels"].items()
    (container,) = worker["spec"]["containers"]
    (endpoint,) = workers["podMetricsEndpoints"]
    assert endpoint["port"] in [port["name"] for port in container["ports"]]


def test_the_operator_is_scraped_and_may_be_reached_where_it_serves_its_metrics() -> None:
    documents = render(podMonitor={"enabled": True}, networkPolicy={"enabled": True})
    deployment, policy = the("Deployment", documents)["spec"], the("NetworkPolicy", documents)["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    assert {"name": "metrics", "containerPort": 8081} in container["ports"]
    assert "--metrics=0.0.0.0:8081" in container["args"]
    monitors = [document["spec"] for document in documents if document["kind"] == "PodMonitor"]
    (own,) = (monitor for monitor in monitors if monitor["selector"] == deployment["selector"])
    assert [endpoint["port"] for endpoint in own["podMetricsEndpoints"]] == ["metrics"]
    assert policy["ingress"] == [{"ports": [{"port": "metrics"}]}]
    assert (policy["policyTypes"], "egress" in policy) == (["Ingress"], False)


DATABASE = {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 3306}]}


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [({}, {}), (NAMED, {"matchExpressions": [{"key": PLACE, "operator": "In", "values": ["a", "b"]}]})],
    ids=["cluster", "namespaces"],
)
def test_with_databases_named_the_operator_reaches_them_and_what_it_works_by(
    values: Object, namespaces: Object
) -> None:
    api_server = [{"ipBlock": {"cidr": "10.0.0.0/28"}}]
    told = {"enabled": True, "egress": {"databases": [DATABASE], "apiServer": api_server}}
    policy = the("NetworkPolicy", render(networkPolicy=told, **values))["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    database, names, servers, workers = policy["egress"]
    assert database == DATABASE
    assert names == {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    assert servers == {"ports": [{"port": 443}, {"port": 6443}], "to": api_server}
    (peer,) = workers["to"]
    assert peer["namespaceSelector"] == namespaces
    assert is_a_worker_s(peer["podSelector"], workers["ports"])


def test_the_policy_for_workers_lets_the_operator_in_at_the_port_that_they_have() -> None:
    policy = yaml.safe_load((ROOT / "examples" / "policies" / "network" / "workers.yaml").read_text())["spec"]
    (rule,) = policy["ingress"]
    assert is_a_worker_s(policy["podSelector"], rule["ports"])
    operator = the("Deployment", render())
    (own,) = (peer for peer in rule["from"] if peer["podSelector"]["matchLabels"].items() <= labels(operator).items())
    assert own["namespaceSelector"]["matchLabels"] == {PLACE: operator["metadata"]["namespace"]}


def is_a_worker_s(selector: Object, ports: list[Object]) -> bool:
    worker = yaml.safe_load((ROOT / "tests" / "unit" / "golden" / "deployment.yaml").read_text())
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    served = [{"port": port["containerPort"]} for port in container["ports"]]
    return ports == served and selector["matchLabels"].items() <= labels(worker).items()


def labels(deployment: Object) -> dict[str, str]:
    """Of its pods."""
    found: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return found


def test_alerts_and_dashboard_are_those_of_the_files() -> None:
    documents = render(prometheusRule={"enabled": True}, dashboard={"enabled": True})
    assert the("PrometheusRule", documents)["spec"] == yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())
    (dashboard,) = the("ConfigMap", documents)["data"].values()
    assert json.loads(dashboard) == json.loads((CHART / "files" / "dashboard.json").read_text())


# At work


@pytest.fixture
def monitoring(kubectl: Kubectl) -> None:
    """What the Prometheus operator defines, by which the API server judges what the chart makes for it."""
    folder = golang.sources("prometheus-operator") / "example" / "prometheus-operator-crd"
    kubectl.define(*(folder / f"monitoring.coreos.com_{name}.yaml" for name in ("podmonitors", "prometheusrules")))


def test_a_server_takes_whatever_values_make(kubectl: Kubectl, namespace: str, monitoring: None) -> None:
    values = yaml.safe_load((GOLDEN / "values.yaml").read_text()) | {"watchNamespaces": [namespace]}
    more = {
        "podDisruptionBudget": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "dashboard": {"enabled": True},
        "leaderElection": True,
        "replicas": 2,
    }
    documents = render(**values | more)
    kinds = {document["kind"] for document in documents}
    assert {"PodDisruptionBudget", "NetworkPolicy", "ConfigMap", "Deployment", "PodMonitor", "PrometheusRule"} <= kinds
    for document in documents:
        document["metadata"]["namespace"] = namespace
    judged = ("--dry-run=server", "--validate=strict")
    kubectl.apply(*documents, options=judged)
    monitor = next(document for document in documents if document["kind"] == "PodMonitor")
    monitor["spec"]["podMetricsEndpoints"][0]["ports"] = "metrics"
    with pytest.raises(Refused, match=r'unknown field "spec\.podMetricsEndpoints.*ports"'):
        kubectl.apply(monitor, options=judged)


def workers_there(lab: Lab) -> int:
    """Pods of workers that have not ended."""
    component = "datajoint.io/component"
    workers = [pod for pod in lab.owned("pods") if pod["metadata"]["labels"][component] == "worker"]
    return sum(pod["status"]["phase"] not in ("Succeeded", "Failed") for pod in workers)


@pytest.mark.long
@one_engine
def test_workers_of_one_database_are_shared_by_priority(lab: Lab, operator: Installation) -> None:
    operator.configure(maxWorkersPerDatabase=CAP)
    try:
        lab.add(*["nap"] * 20, *["sleep 2"] * 400)
        usual = lab.apply("usual", restriction="item <= 420", priority=5, scaling={"maxWorkers": 10})
        wait_until(lambda: len(lab.made()) > 20, "a pace")
        lab.add(*["wait"] * 5, first=421)
        urgent = lab.apply("urgent", restriction="item > 420", priority=1, scaling={"maxWorkers": 10})
        together: list[int] = []

        def are_in_make() -> bool:
            together.append(workers_there(lab))
            return len(set(lab.hosts()) & set(range(421, 426))) == CAP - 1

        wait_until(are_in_make, "the urgent ones in make")
        assert len(usual.workers()) + len(urgent.workers()) == CAP
        assert max(together) == CAP, "with those that were told to go"
        lab.change_all("insert")
        lab.release()
        lab.until_made(*range(1, 426))
        assert lab.messages() == {}
    finally:
        operator.configure()
