"""Shorthands for the operator's tests: a PopulateJob as the API server has it, and the pods it comes to have."""

from __future__ import annotations

from typing import Any

from populate_operator.spec import PopulateJob

OURS = ".lab.1a2b3c4d"


def resource(**spec: Any) -> dict[str, Any]:
    worker = {"image": "registry.example/cardio:1.4", **spec.pop("worker", {})}
    return {
        "apiVersion": "datajoint.io/v1alpha1",
        "kind": "PopulateJob",
        "metadata": {"name": "heart-rate", "namespace": "lab", "uid": "u-1", "generation": 1},
        "spec": {"table": "cardio.HeartRate", "worker": worker, **spec},
    }


def job(**spec: Any) -> PopulateJob:
    return PopulateJob.from_object(resource(**spec))


def pod(name: str = "heart-rate-worker-a", *, container: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """`container` is the status of its container `worker`."""
    statuses = {"containerStatuses": [{"name": "worker", **container}]} if container else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "lab",
            "uid": f"uid-{name}",
            "resourceVersion": "1",
            "labels": {"datajoint.io/populatejob": "heart-rate", "datajoint.io/component": "worker"},
        },
        "status": {"phase": "Running", **statuses, **status},
    }


def ready(name: str = "heart-rate-worker-a") -> dict[str, Any]:
    return pod(name, conditions=[{"type": "Ready", "status": "True"}])


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """The status of a container that does not start."""
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}}
