"""The Kubernetes Job that asks the worker image what a PopulateJob means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from populate_operator.question import arguments
from populate_operator.spec import PopulateJob

from . import names
from .pod import CONTAINER, DATABASE_FOLDER, literal, template

DEADLINE_SECONDS = 300
KEPT_SECONDS = 3600
"""Should nobody be there to read and to remove it."""


def resolve_job(job: PopulateJob, owner: Mapping[str, Any], question: str) -> dict[str, Any]:
    command = ["populate-worker", "resolve", f"--database={DATABASE_FOLDER}", *map(literal, arguments(job.spec))]
    pods = template(job.spec, command, names.labels(job.name, names.RESOLVE), {})
    # Another container would keep the Job from ending; one without a name is for the API server to refuse.
    own = [container for container in pods["spec"]["containers"] if _name(container) in (CONTAINER, None)]
    spec = {**_alone(pods["spec"]), "containers": own, "restartPolicy": "Never"}
    name = names.resolve_name(job.name, owner["metadata"]["uid"], question)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": names.metadata(owner, name, names.RESOLVE, **{names.QUESTION: question}),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {**pods, "spec": spec},
        },
    }


def _alone(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Without what it says of the company of workers: by its own wish to be apart, it would keep the first one away."""
    alone = {field: value for field, value in spec.items() if field not in ("affinity", "topologySpreadConstraints")}
    affinity = spec.get("affinity") or {}
    if not isinstance(affinity, Mapping):
        return {**alone, "affinity": affinity}
    nodes = affinity.get("nodeAffinity")
    return {**alone, "affinity": {"nodeAffinity": nodes}} if nodes else alone


def _name(container: Any) -> Any:
    return container.get("name") if isinstance(container, Mapping) else None


def pod_of(resolve: Mapping[str, Any]) -> dict[str, Any]:
    """The pod that such a Kubernetes Job makes."""
    metadata, template = resolve["metadata"], resolve["spec"]["template"]
    named = {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {**template["metadata"], **named}, "spec": template["spec"]}
