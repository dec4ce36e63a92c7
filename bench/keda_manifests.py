"""What KEDA is told: where its adapter of metrics answers, and what it scales."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.lab import TABLE, Lab

Object = dict[str, Any]

API = "v1beta1.external.metrics.k8s.io"
SERVICE = "keda-metrics-apiserver"
NAME = "populate"
LABELS = {"app": NAME}
LOOP = Path(__file__).parent / "loop.py"
_READER = "keda-external-metrics-reader"
_RBAC = "rbac.authorization.k8s.io"
_UNPRIVILEGED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@dataclass(frozen=True)
class Pace:
    """Seconds: between two looks at the database, from the last work to no pod, and of the window of the horizontal pod
    autoscaler, which goes down to the most that it wanted therein."""

    polling: int
    cooldown: int
    window: int


DEFAULTS = Pace(polling=30, cooldown=300, window=300)
QUICK = Pace(polling=5, cooldown=30, window=30)


def adapter(namespace: str, address: str, port: int, authority: str) -> list[Object]:
    """Has the cluster ask the adapter at that address for metrics, and the autoscaler be allowed to. `authority` is the
    adapter's certificate, in base64."""
    # By an address of its own, a service would need a route that not every node has.
    target = {"type": "ExternalName", "externalName": address}
    service = {"namespace": namespace, "name": SERVICE, "port": port}
    versioned = {"group": "external.metrics.k8s.io", "version": "v1beta1"}
    precedence = {"groupPriorityMinimum": 100, "versionPriority": 100}
    api = {**versioned, **precedence, "service": service, "caBundle": authority}
    return [
        _object("v1", "Service", {"namespace": namespace, "name": SERVICE}, spec=target),
        _object("apiregistration.k8s.io/v1", "APIService", {"name": API}, spec=api),
        *_readers(),
    ]


def worker(lab: Lab) -> Object:
    """A Deployment of none yet, each to make keys of the lab in a loop."""
    variables = {**lab.server.environment(), "LAB_SCHEMA": lab.schema}
    pod_name = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    container = {
        "name": NAME,
        "image": lab.image,
        "command": ["python", "-c", LOOP.read_text(), TABLE],
        "env": [pod_name, *({"name": name, "value": value} for name, value in variables.items())],
        "securityContext": _UNPRIVILEGED,
    }
    template = {"metadata": {"labels": LABELS}, "spec": {"securityContext": _SECURITY, "containers": [container]}}
    selector = {"matchLabels": LABELS}
    spec = {"replicas": 0, "selector": selector, "template": template}
    return _object("apps/v1", "Deployment", {"namespace": lab.namespace, "name": NAME}, spec=spec)


def authentication(lab: Lab) -> Object:
    """The lab's password, for KEDA."""
    password = {"parameter": "password", "name": f"login-{lab.id}", "key": "password"}
    return _object("keda.sh/v1alpha1", "TriggerAuthentication", _place(lab), spec={"secretTargetRef": [password]})


def scaled(lab: Lab, pace: Pace, workers: int, keys_per_worker: int) -> Object:
    """From none to so many, by the keys that wait or are being made: by those that wait alone, the last would be left
    waiting for a worker who is not there."""
    behavior = {"scaleDown": {"stabilizationWindowSeconds": pace.window}}
    spec = {
        "scaleTargetRef": {"name": NAME},
        "pollingInterval": pace.polling,
        "cooldownPeriod": pace.cooldown,
        "minReplicaCount": 0,
        "maxReplicaCount": workers,
        "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior}},
        "triggers": [_trigger(lab, keys_per_worker)],
    }
    return _object("keda.sh/v1alpha1", "ScaledObject", _place(lab), spec=spec)


def _trigger(lab: Lab, keys_per_worker: int) -> Object:
    server, wanted = lab.server, str(keys_per_worker)
    query = f"SELECT count(*) FROM {lab.name('~~made')} WHERE status IN ('pending', 'reserved')"
    metadata = {"host": server.host, "port": str(server.port), "query": query}
    if server.backend == "mysql":
        metadata |= {"username": server.user, "dbName": lab.schema, "queryValue": wanted}
    else:
        metadata |= {"userName": server.user, "dbName": server.database, "targetQueryValue": wanted}
        metadata["sslmode"] = "disable"
    return {"type": server.backend, "metadata": metadata, "authenticationRef": {"name": NAME}}


def _readers() -> list[Object]:
    """Who may read metrics: the autoscaler."""
    rules = [{"apiGroups": ["external.metrics.k8s.io"], "resources": ["*"], "verbs": ["*"]}]
    autoscaler = {"kind": "ServiceAccount", "namespace": "kube-system", "name": "horizontal-pod-autoscaler"}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": _READER}
    return [
        _object(f"{_RBAC}/v1", "ClusterRole", {"name": _READER}, rules=rules),
        _object(f"{_RBAC}/v1", "ClusterRoleBinding", {"name": _READER}, roleRef=role, subjects=[autoscaler]),
    ]


def _place(lab: Lab) -> Object:
    return {"namespace": lab.namespace, "name": NAME}


def _object(version: str, kind: str, metadata: Object, **content: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}
