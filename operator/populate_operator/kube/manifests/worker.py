"""The Deployment of a PopulateJob's workers.

Only what stands in the pod template rolls pods; all else reaches running workers through the assignment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from populate_jobs.types import WORKER_MARK

from populate_operator.spec import PopulateJob, Spec

from . import names
from .merge import merged
from .pod import ASSIGNMENT_FOLDER, CONTAINER, DATABASE_FOLDER, template

PORT = 8080
HOST = "--host=$(POD_NAME)"
"""The rest follows without a space."""
EDITION = 1
"""To be raised where running workers must be replaced when the operator is upgraded. Else they go on as they were made,
and what is new here holds for those of the next edit of the PopulateJob's own."""
MARGIN_SECONDS = 20
"""Beyond drainSeconds: to end the runners and to tell the database."""


def _probe(path: str, **times: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 5, **times}


_DEFAULTS = {
    "spec": {
        "containers": [
            {
                "name": CONTAINER,
                "ports": [{"name": "http", "containerPort": PORT}],
                "readinessProbe": _probe("/readyz", periodSeconds=5),
                "livenessProbe": _probe("/healthz", periodSeconds=20, failureThreshold=3, initialDelaySeconds=10),
            }
        ]
    }
}


def deployment(job: PopulateJob, owner: Mapping[str, Any], installation: str, replicas: int) -> dict[str, Any]:
    pods = _template(job, installation)
    annotations = {names.APPLIED: _applied(job.spec, installation), names.INSTALLATION: installation}
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names.metadata(owner, names.deployment_name(job.name), names.WORKER, **annotations),
        "spec": {
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": names.selecting(job.name, names.WORKER)},
            "template": pods,
        },
    }
    return of_size(made, replicas)


def _applied(spec: Spec, installation: str) -> str:
    """Of what people can say of the pods: a worker under an earlier installation is nobody's to recover."""
    worker, secret = spec.worker, spec.database.secret_ref.name
    return names.digest([EDITION, installation, worker.image, worker.template, worker.drain_seconds, secret])


def of_size(made: Mapping[str, Any], replicas: int, missing: int = 0) -> dict[str, Any]:
    """The same Deployment with so many workers, of which these cannot run."""
    # A quarter of less than four is none: the old ones would wait for new ones that have no room beside them, for ever.
    # So they would if those that have none were among the quarter.
    rolling = {"maxSurge": "25%", "maxUnavailable": missing + max(1, (replicas - missing) // 4)}
    size = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}
    return {**made, "spec": {**made["spec"], **size}}


def suffix(namespace: str, installation: str) -> str:
    """How the hosts of this namespace's workers end; they begin with the pod's name."""
    return f".{namespace}.{installation}"


def _template(job: PopulateJob, installation: str) -> dict[str, Any]:
    command = ["populate-worker", "run", f"--assignment={ASSIGNMENT_FOLDER}/assignment.json"]
    command += [f"{HOST}{WORKER_MARK}{suffix(job.namespace, installation)}", f"--database={DATABASE_FOLDER}"]
    command += [f"--http=:{PORT}"]
    pods = template(job.spec, command, names.labels(job.name, names.WORKER), _DEFAULTS)
    least = job.spec.worker.drain_seconds + MARGIN_SECONDS
    grace = pods["spec"].get("terminationGracePeriodSeconds") or least
    assignment = {
        "spec": {
            "terminationGracePeriodSeconds": max(least, grace) if isinstance(grace, int) else grace,
            "containers": [
                {"name": CONTAINER, "volumeMounts": [{"name": "populate-assignment", "mountPath": ASSIGNMENT_FOLDER}]}
            ],
            "volumes": [{"name": "populate-assignment", "configMap": {"name": names.assignment_name(job.name)}}],
        }
    }
    return merged(pods, assignment)
