"""What operator and people may do, asked of the API server's own authorizer; and what they may not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
import yaml

from tests.servers.host import wait_until

from . import Kubectl, generated
from .installation import Installation

Object = dict[str, Any]
RBAC = {"ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


class Act(NamedTuple):
    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""


NEEDED = [
    Act("list", "datajoint.io", "populatejobs"),
    Act("get", "", "secrets", name="datajoint"),
    Act("patch", "apps", "deployments"),
    Act("create", "batch", "jobs"),
]
NOWHERE = [
    *(Act(verb, "", "secrets") for verb in ("list", "watch", "create", "patch", "update", "delete")),
    Act("create", "datajoint.io", "populatejobs"),
    Act("update", "datajoint.io", "populatejobs"),
    Act("create", "", "pods", "exec"),
    Act("create", "", "pods", "attach"),
    Act("create", "", "pods", "portforward"),
    Act("get", "", "pods", "proxy"),
    Act("patch", "", "pods", "ephemeralcontainers"),
    Act("create", "", "serviceaccounts", "token"),
    Act("get", "", "serviceaccounts"),
    *(Act(verb, "rbac.authorization.k8s.io", "roles") for verb in ("get", "create", "bind", "escalate")),
    Act("create", "rbac.authorization.k8s.io", "rolebindings"),
    Act("get", "", "persistentvolumeclaims"),
    Act("create", "", "services"),
    Act("patch", "apps", "statefulsets"),
    Act("patch", "apps", "daemonsets"),
    Act("create", "batch", "cronjobs"),
]
"""Not even where PopulateJobs are watched."""
NOT_IN_THE_CLUSTER = [
    *(Act(verb, "", "nodes") for verb in ("get", "list", "patch")),
    Act("get", "", "nodes", "proxy"),
    Act("get", "", "namespaces", name="default"),
    Act("list", "", "namespaces"),
    Act("delete", "", "namespaces"),
    *(Act("impersonate", "", kind) for kind in ("users", "groups", "serviceaccounts")),
    Act("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    Act("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    Act("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    Act("create", "certificates.k8s.io", "certificatesigningrequests"),
]


def allowed(kubectl: Kubectl, account: str, acts: Sequence[Act], namespace: str = "") -> list[Act]:
    """Those of these that the service account may do there: what `kubectl auth can-i` asks."""
    reviews = [_review(account, act, namespace) for act in acts]
    output = '--output=jsonpath={.status.allowed}{"\\n"}'
    said = kubectl("create", "--filename=-", output, stdin="\n---\n".join(map(json.dumps, reviews))).splitlines()
    assert set(said) <= {"true", "false", ""}
    return [act for act, answer in zip(acts, said, strict=True) if answer == "true"]


def _review(account: str, act: Act, namespace: str) -> Object:
    home = account.split(":")[0]
    attributes = {**act._asdict(), "namespace": namespace}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{home}", "system:authenticated"]
    spec = {"user": f"system:serviceaccount:{account}", "groups": groups, "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


@pytest.fixture
def account(operator: Installation) -> str:
    """Of an operator with named namespaces."""
    return f"{operator.name}:{operator.name}"


def test_with_namespaces_named_it_may_do_there_what_it_needs_and_no_more(
    kubectl: Kubectl, account: str, watched: tuple[str, str]
) -> None:
    for namespace in watched:
        assert allowed(kubectl, account, NEEDED, namespace) == NEEDED
        assert allowed(kubectl, account, NOWHERE, namespace) == []


def test_with_namespaces_named_it_may_do_nothing_elsewhere(kubectl: Kubectl, account: str, namespace: str) -> None:
    for elsewhere in namespace, "kube-system", "":
        assert allowed(kubectl, account, [*NEEDED, *NOWHERE], elsewhere) == []
    assert allowed(kubectl, account, NOT_IN_THE_CLUSTER) == []


def test_in_its_own_namespace_it_has_its_lease_and_nothing_else(
    kubectl: Kubectl, account: str, operator: Installation
) -> None:
    own = [Act("patch", "coordination.k8s.io", "leases", name=operator.name)]
    other = [Act("patch", "coordination.k8s.io", "leases", name="other")]
    assert allowed(kubectl, account, [*own, *other, *NEEDED, *NOWHERE], operator.name) == own


@pytest.fixture
def everywhere(kubectl: Kubectl, namespace: str) -> Iterator[str]:
    """The service account of an operator for all namespaces: what the chart grants, without an operator."""
    name = f"rights-{uuid.uuid4().hex[:8]}"
    rendered = generated.render("--set=installation=rights,userRoles.create=false", "--skip-tests")
    kubectl.apply(*_renamed(rendered, RBAC, namespace, name))
    yield f"{namespace}:{name}"
    for kind in "clusterrole", "clusterrolebinding":
        kubectl("delete", f"{kind}/{name}")


def test_in_all_namespaces_it_may_read_a_secret_by_name_and_do_nothing_else_to_any(
    kubectl: Kubectl, everywhere: str, namespace: str
) -> None:
    for anywhere in namespace, "kube-system":
        wait_until(lambda anywhere=anywhere: allowed(kubectl, everywhere, NEEDED, anywhere) == NEEDED, "the new role")  # type: ignore[misc]
        assert allowed(kubectl, everywhere, NOWHERE, anywhere) == []
    assert allowed(kubectl, everywhere, NOWHERE) == []
    assert allowed(kubectl, everywhere, NOT_IN_THE_CLUSTER) == []


# People


READ = [Act(verb, "datajoint.io", "populatejobs") for verb in ("get", "list", "watch")]
WRITE = [
    *(Act(verb, "datajoint.io", "populatejobs") for verb in ("create", "update", "patch", "delete")),
    Act("patch", "datajoint.io", "populatejobs", "scale"),
]
THE_OPERATOR_S = [Act("patch", "datajoint.io", "populatejobs", part) for part in ("status", "finalizers")]
HAS_ANYWAY = [
    *(Act("create", group, kind) for group, kind in (("", "pods"), ("apps", "deployments"), ("batch", "jobs"))),
    Act("get", "", "secrets"),
    Act("list", "", "secrets"),
    Act("create", "", "configmaps"),
    Act("delete", "", "pods"),
]
"""What a PopulateJob makes possible to who writes it."""
LOGS = [Act("list", "", "pods"), Act("get", "", "pods", "log"), Act("get", "", "configmaps")]
"""What `kubectl populate logs` asks for."""


@pytest.fixture
def people(kubectl: Kubectl, namespace: str) -> Iterator[dict[str, str]]:
    """Accounts bound in the namespace to roles of Kubernetes' own, by the role's name; the chart's roles are there."""
    name = f"people-{uuid.uuid4().hex[:8]}"
    made = _renamed(generated.render("--skip-tests"), {"ClusterRole"}, namespace, name)
    roles = [role for role in made if role["metadata"]["name"] != name]
    kubectl.apply(*roles)
    for role in "view", "edit", "admin":
        who = f"--serviceaccount={namespace}:{role}"
        kubectl("create", "rolebinding", role, f"--clusterrole={role}", who, f"--namespace={namespace}")
    yield {role: f"{namespace}:{role}" for role in ("view", "edit", "admin")}
    kubectl("delete", "clusterrole", *(role["metadata"]["name"] for role in roles))


def test_who_may_view_or_edit_a_namespace_may_do_so_with_its_populatejobs(
    kubectl: Kubectl, namespace: str, people: dict[str, str]
) -> None:
    def may(role: str) -> list[Act]:
        return allowed(kubectl, people[role], [*READ, *WRITE, *THE_OPERATOR_S], namespace)

    wait_until(lambda: may("view") == READ, "a reader reads")
    for role in "edit", "admin":
        wait_until(lambda role=role: may(role) == READ + WRITE, f"{role} reads and writes")  # type: ignore[misc]
    assert may("view") == READ
    assert allowed(kubectl, people["view"], LOGS, namespace) == LOGS
    for person in people.values():
        assert allowed(kubectl, person, [*READ, *WRITE], "default") == []


def test_who_may_edit_a_namespace_gets_no_right_by_populatejobs_that_was_not_there(
    kubectl: Kubectl, namespace: str
) -> None:
    editor = f"--serviceaccount={namespace}:editor"
    kubectl("create", "rolebinding", "editor", "--clusterrole=edit", editor, f"--namespace={namespace}")
    wait_until(lambda: allowed(kubectl, f"{namespace}:editor", HAS_ANYWAY, namespace) == HAS_ANYWAY, "edit has these")


def _renamed(rendered: str, kinds: set[str], namespace: str, name: str) -> list[Object]:
    """Objects of these kinds, in another namespace and under another name."""
    text = rendered.replace("namespace: populate-operator", f"namespace: {namespace}")
    documents = [document for document in yaml.safe_load_all(text) if document and document["kind"] in kinds]
    renamed: list[Object] = json.loads(json.dumps(documents).replace('"populate-operator', f'"{name}'))
    return renamed
