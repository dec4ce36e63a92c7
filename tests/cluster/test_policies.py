"""The policies that examples/policies offers to administrators, on a real API server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.servers.host import wait_until

from . import Kubectl, Refused
from .installation import ROOT

POLICIES = sorted((ROOT / "examples" / "policies").glob("*.yaml"))
LABEL = "datajoint.io/policies"
IMAGE = "registry.example/lab/cardio:1"
Object = dict[str, Any]

SECRET = {"name": "s", "secret": {"secretName": "other"}}
PROJECTED = {"name": "s", "projected": {"sources": [{"secret": {"name": "other"}}]}}
HARMLESS = [{"name": "a", "emptyDir": {}}, {"name": "b", "configMap": {"name": "c"}}]
FROM_SECRET = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}
FROM_FIELD = {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}

IN_TEMPLATES: dict[str, tuple[Object, str]] = {
    "a mounted Secret": ({"volumes": [SECRET]}, "volumes of spec.worker.template may be"),
    "a projected Secret": ({"volumes": [*HARMLESS, PROJECTED]}, "volumes of spec.worker.template may be"),
    "a file of the node": ({"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}, "volumes of spec.worker.template"),
    "a variable": ({"containers": [{"name": "worker", "env": [FROM_FIELD, FROM_SECRET]}]}, "no variable of"),
    "a variable of a sidecar": (
        {"initContainers": [{"name": "i", "image": IMAGE, "env": [FROM_SECRET]}]},
        "no variable",
    ),
    "variables": ({"containers": [{"name": "worker", "envFrom": [{"secretRef": {"name": "o"}}]}]}, "no variables of"),
    "a service account": ({"serviceAccountName": "admin"}, "may name no service account"),
    "a service account by its old name": ({"serviceAccount": "admin"}, "may name no service account"),
    "a token": ({"automountServiceAccountToken": True}, "no token"),
}


def worker(**pod: Any) -> Object:
    return {"worker": {"image": IMAGE, "template": {"spec": pod}}}


REFUSED: dict[str, tuple[Object, str]] = {
    "SQL": ({"restriction": "1 = 1"}, "spec.restriction is SQL"),
    "SQL about another table": ({"restrictBy": [{"table": "a.B", "where": "1 = 1"}]}, "where is SQL"),
    "an image": ({"worker": {"image": "docker.example/lab/cardio"}}, "images must begin with one of"),
    "an image by a part of its name": ({"worker": {"image": "registry.example/labs"}}, "images must begin with one of"),
    "a sidecar's image": (worker(containers=[{"name": "s", "image": "evil"}]), "images must begin with one of"),
    **{name: (worker(**pod), told) for name, (pod, told) in IN_TEMPLATES.items()},
}
TAKEN: dict[str, Object] = {
    "the least": {},
    "restricted": {"restrictBy": [{"key": {"id": 3}}, {"anyOf": [{"id": 1}]}, {"table": "a.B"}]},
    "a template": worker(
        volumes=HARMLESS, containers=[{"name": "worker", "env": [FROM_FIELD, {"name": "B", "value": "1"}]}]
    ),
    "a sidecar": worker(initContainers=[{"name": "i", "image": "registry.example/shared/i"}]),
    "no token": worker(automountServiceAccountToken=False),
    "a template without pods": {"worker": {"image": IMAGE, "template": {"metadata": {"labels": {"a": "b"}}}}},
}


def populatejob(namespace: str, **spec: Any) -> Object:
    metadata = {"name": "job", "namespace": namespace}
    own = {"table": "cardio.HeartRate", "worker": {"image": IMAGE}, **spec}
    return {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob", "metadata": metadata, "spec": own}


@pytest.fixture(scope="module")
def policies(kubectl: Kubectl) -> Iterator[str]:
    """The value of LABEL with which a namespace has them: others run their tests on this cluster."""
    own = uuid.uuid4().hex[:8]
    documents = [document for file in POLICIES for document in yaml.safe_load_all(file.read_text())]
    for document in documents:
        document["metadata"]["name"] += f"-{own}"
        if document["kind"] == "ValidatingAdmissionPolicyBinding":
            document["spec"]["policyName"] += f"-{own}"
            document["spec"]["matchResources"]["namespaceSelector"]["matchLabels"][LABEL] = own
    assert len(documents) == 2 * len(POLICIES)
    kubectl.apply(*documents)
    yield own
    kubectl("delete", "--filename=-", stdin="\n---\n".join(map(json.dumps, documents)))


@pytest.fixture
def enforced(kubectl: Kubectl, namespace: str, policies: str) -> str:
    """A namespace in which they hold by now, each of them."""
    kubectl("label", f"namespace/{namespace}", f"{LABEL}={policies}")
    for spec, told in ({"restriction": "1"}, "is SQL"), ({"worker": {"image": "evil"}}, "images"), REFUSED["a token"]:
        wait_until(lambda spec=spec, told=told: told in said(kubectl, namespace, spec), told)  # type: ignore[misc]
    return namespace


def said(kubectl: Kubectl, namespace: str, spec: Object, *options: str) -> str:
    """What the API server says against it."""
    try:
        kubectl.apply(populatejob(namespace, **spec), options=("--dry-run=server", *options))
    except Refused as refused:
        return str(refused)
    return ""


def test_every_policy_can_be_evaluated(kubectl: Kubectl, policies: str) -> None:
    """The API server checks types against the definition."""
    for file in POLICIES:
        name = f"validatingadmissionpolicy/{next(yaml.safe_load_all(file.read_text()))['metadata']['name']}-{policies}"

        def status(name: str = name) -> Object:
            return dict(kubectl.get(name).get("status", {}))

        wait_until(lambda status=status: "observedGeneration" in status(), f"{name} checked")  # type: ignore[misc]
        assert not status().get("typeChecking", {}).get("expressionWarnings")


def test_the_api_server_takes_the_network_policy_for_workers(kubectl: Kubectl, namespace: str) -> None:
    file = POLICIES[0].parent / "network" / "workers.yaml"
    strictly = ("--dry-run=server", "--validate=strict", f"--namespace={namespace}")
    assert "networkpolicy.networking.k8s.io/populate-workers created" in kubectl(
        "apply", f"--filename={file}", *strictly
    )


def test_what_a_policy_forbids_is_refused_and_all_else_is_taken(kubectl: Kubectl, enforced: str) -> None:
    for name, (spec, told) in REFUSED.items():
        assert told in said(kubectl, enforced, spec), name
    for name, spec in TAKEN.items():
        assert said(kubectl, enforced, spec) == "", name


def test_where_no_policy_holds_all_is_taken(kubectl: Kubectl, namespace: str, policies: str) -> None:
    for name, (spec, _) in REFUSED.items():
        assert said(kubectl, namespace, spec) == "", name


def test_what_was_there_before_is_left_alone_until_its_spec_is_edited(
    kubectl: Kubectl, namespace: str, request: pytest.FixtureRequest
) -> None:
    kubectl.apply(populatejob(namespace, restriction="1 = 1"))
    request.getfixturevalue("enforced")
    here = ("populatejob/job", f"--namespace={namespace}")
    kubectl("annotate", *here, "datajoint.io/refresh=now")
    with pytest.raises(Refused, match="is SQL"):
        kubectl("patch", *here, "--type=merge", '--patch={"spec": {"priority": 1}}')
    kubectl("delete", *here, "--timeout=240s")


Grant = Callable[[str, Object], None]


@pytest.fixture
def author(enforced: str) -> str:
    return f"system:serviceaccount:{enforced}:author"


@pytest.fixture
def grant(kubectl: Kubectl, enforced: str) -> Grant:
    """Gives the author a right in the namespace."""

    def grant(name: str, rule: Object) -> None:
        group, metadata = "rbac.authorization.k8s.io", {"name": name, "namespace": enforced}
        subjects = [{"kind": "ServiceAccount", "name": "author", "namespace": enforced}]
        reference = {"apiGroup": group, "kind": "Role", "name": name}
        role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
        binding = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": metadata}
        kubectl.apply(role, {**binding, "roleRef": reference, "subjects": subjects})

    return grant


def test_an_author_who_may_not_read_a_secret_may_not_name_it(
    kubectl: Kubectl, enforced: str, author: str, grant: Grant
) -> None:
    def told(secret: str) -> str:
        return said(kubectl, enforced, {"database": {"secretRef": {"name": secret}}}, f"--as={author}")

    verbs = ["get", "create", "patch"]
    grant("author", {"apiGroups": ["datajoint.io"], "resources": ["populatejobs"], "verbs": verbs})
    wait_until(lambda: "you may not read the Secret datajoint" in told("datajoint"), "refused for the Secret")
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["datajoint"], "verbs": ["get"]}
    grant("reader", rule)
    wait_until(lambda: told("datajoint") == "", "the Secret may be named")
    assert "you may not read the Secret admin" in told("admin")
