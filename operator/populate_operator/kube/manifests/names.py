"""Names, labels and annotations of what belongs to a PopulateJob."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

GROUP = "datajoint.io"
POPULATEJOB = f"{GROUP}/populatejob"
COMPONENT = f"{GROUP}/component"
WORKER, RESOLVE, ASSIGNMENT = "worker", "resolve", "assignment"
MANAGER = "populate-operator"

APPLIED = f"{GROUP}/applied"
"""Digest of what was applied: an object is written again when it is to be another."""
QUESTION = f"{GROUP}/question"
"""Digest of what resolve was asked."""
RESOLVED_AT = f"{GROUP}/resolved-at"
CHANGED_AT = f"{GROUP}/changed-at"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
INSTALLATION = f"{GROUP}/installation"
"""Of the operator that made it."""
DATABASE = f"{GROUP}/database"
"""Digest of where the database was when resolve answered."""
REFRESH, RETRY_ERRORS, IGNORE_ERRORS = (f"{GROUP}/{wish}" for wish in ("refresh", "retry-errors", "ignore-errors"))
HANDLED = {
    REFRESH: "lastHandledRefresh",
    RETRY_ERRORS: "lastHandledRetryErrors",
    IGNORE_ERRORS: "lastHandledIgnoreErrors",
}
"""Annotation to the field of the status that answers it."""

LONGEST_PREFIX = 40
"""Of a PopulateJob's name in that of its resolve Job, which is a label too: 63 characters at most."""


def labels(name: str, component: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": f"populate-{component}",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": MANAGER,
        **selecting(name, component),
    }


def selecting(name: str, component: str) -> dict[str, str]:
    """The labels that tell this PopulateJob's own from all others."""
    return {POPULATEJOB: name, COMPONENT: component}


def selector(name: str) -> str:
    """As `status.workers.selector` has it."""
    return ",".join(f"{label}={value}" for label, value in selecting(name, WORKER).items())


def deployment_name(name: str) -> str:
    return f"{name}-worker"


def assignment_name(name: str) -> str:
    return f"{name}-assignment"


def resolve_name(name: str, uid: str, question: str) -> str:
    """The same question of the same PopulateJob is asked by one Kubernetes Job at a time."""
    return f"{name[:LONGEST_PREFIX].rstrip('-')}-resolve-{digest([uid, question])[:8]}"


def digest(value: Any) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=list).encode()).hexdigest()[:16]


def is_owned(found: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    """Whether it goes when that PopulateJob does."""
    return any(other["uid"] == owner["metadata"]["uid"] for other in found["metadata"].get("ownerReferences", []))


def metadata(owner: Mapping[str, Any], name: str, component: str, **annotations: str) -> dict[str, Any]:
    """Of an object that goes when the PopulateJob `owner` does."""
    found = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": found["name"],
        "uid": found["uid"],
        "controller": True,
        "blockOwnerDeletion": False,
    }
    return {
        "name": name,
        "namespace": found["namespace"],
        "labels": labels(found["name"], component),
        "annotations": annotations,
        "ownerReferences": [reference],
    }
