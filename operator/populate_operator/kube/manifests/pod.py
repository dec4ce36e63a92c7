"""The pod in which a pipeline's code runs: safe defaults, under the user's template, under what makes it a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from populate_operator.spec import Spec

from .merge import merged

CONTAINER = "worker"
ASSIGNMENT_FOLDER = "/etc/populate/assignment"
DATABASE_FOLDER = "/etc/populate/database"
_TMP = "populate-tmp"
_SCRATCH = "/tmp"  # noqa: S108 a volume of the pod's own  # nosec B108

_DEFAULTS: dict[str, Any] = {
    "spec": {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The first process of a PID namespace is deaf to SIGTERM until it has a handler: a pod that is told to go while
        # Python starts would stay, and work, for its whole grace period.
        "shareProcessNamespace": True,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": CONTAINER,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                # The root is read-only: whatever wants a home or a scratch folder finds one here.
                "env": [{"name": "HOME", "value": _SCRATCH}],
                "volumeMounts": [{"name": _TMP, "mountPath": _SCRATCH}],
            }
        ],
        "volumes": [{"name": _TMP, "emptyDir": {}}],
    }
}


def template(spec: Spec, command: list[str], labels: Mapping[str, str], extra: Mapping[str, Any]) -> dict[str, Any]:
    """A PodTemplateSpec whose container `worker` runs `command`, with the database's Secret mounted.

    `extra` is merged in beneath the user's template: defaults that this kind of pod has besides.
    """
    own = {
        "metadata": {"labels": dict(labels)},
        "spec": {
            "containers": [
                {
                    "name": CONTAINER,
                    "image": spec.worker.image,
                    "command": command,
                    "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                    "volumeMounts": [{"name": "populate-database", "mountPath": DATABASE_FOLDER, "readOnly": True}],
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "volumes": [{"name": "populate-database", "secret": {"secretName": spec.database.secret_ref.name}}],
        },
    }
    return merged(merged(merged(_DEFAULTS, extra), spec.worker.template), own)


def literal(text: str) -> str:
    """As an argument in a container's command: `$(NAME)` is expanded there, `$$` is a dollar sign."""
    return text.replace("$", "$$")
