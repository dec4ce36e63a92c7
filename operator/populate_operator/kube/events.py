"""Events as the cluster keeps them (events.k8s.io/v1). Pure."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from populate_operator.plan.events import Event
from populate_operator.text import printable

from .api import Object
from .manifests.names import MANAGER

LONGEST_NOTE = 1000
"""Bytes."""


def event(of: Object, what: Event, reporter: str, now: datetime) -> dict[str, Any]:
    metadata = of["metadata"]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
        "eventTime": now.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"datajoint.io/{MANAGER}",
        "reportingInstance": reporter,
        "action": "Reconcile",
        "type": what.type,
        "reason": what.reason,
        "note": _shortened(printable(what.message)),
        "regarding": {
            "apiVersion": of["apiVersion"],
            "kind": of["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
    }


def _shortened(text: str) -> str:
    return text.encode()[:LONGEST_NOTE].decode(errors="ignore")
