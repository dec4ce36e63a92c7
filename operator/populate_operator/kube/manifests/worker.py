"""The Deployment of a PopulateJob's workers.

Only what stands in the pod template rolls pods; all else reaches running workers through the assignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from populate_operator.spec import PopulateJob

from . import names
from .merge import merged
from .pod import ASSIGNMENT_FOLDER, CONTAINER, DATABASE_FOLDER, template

PORT = 8080
MARGIN_SECONDS = 20
"""Beyond drainSeconds: to end the runners and to tell the database."""

_PROBE = {"httpGet": {"path": "/healthz", "port": PORT}, "timeoutSeconds": 5}
_DEFAULTS = {
    "spec": {
        "containers": [
            {
                "name": CONTAINER,
                "ports": [{"name": "http", "containerPort": PORT}],
                "readinessProbe": {**_PROBE, "periodSeconds": 5},
                "livenessProbe": {**_PROBE, "periodSeconds": 20, "failureThreshold": 3, "initialDelaySeconds": 10},
            }
        ]
    }
}


def deployment(job: PopulateJob, owner: Mapping[str, Any], installation: str, replicas: int) -> dict[str, Any]:
    pods = _template(job, installation)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names.metadata(
            owner, names.deployment_name(job.name), names.WORKER, **{names.APPLIED: names.digest(pods)}
        ),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": names.selecting(job.name, names.WORKER)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": pods,
        },
    }


def suffix(namespace: str, installation: str) -> str:
    """How the hosts of this namespace's workers end: a worker reserves under its pod's name and this."""
    return f".{namespace}.{installation}"


def _template(job: PopulateJob, installation: str) -> dict[str, Any]:
    command = ["populate-worker", "run", f"--assignment={ASSIGNMENT_FOLDER}/assignment.json"]
    command += [f"--host=$(POD_NAME){suffix(job.namespace, installation)}", f"--database={DATABASE_FOLDER}"]
    command += [f"--http=:{PORT}"]
    pods = template(job.spec, command, names.labels(job.name, names.WORKER), _DEFAULTS)
    grace = max(job.spec.worker.drain_seconds + MARGIN_SECONDS, pods["spec"].get("terminationGracePeriodSeconds", 0))
    assignment = {
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "containers": [
                {"name": CONTAINER, "volumeMounts": [{"name": "populate-assignment", "mountPath": ASSIGNMENT_FOLDER}]}
            ],
            "volumes": [{"name": "populate-assignment", "configMap": {"name": names.assignment_name(job.name)}}],
        }
    }
    return merged(pods, assignment)
