"""PopulateJobs of a lab as Git has them."""

from __future__ import annotations

from typing import Any

from tests.cluster.lab import Applied, Lab

from .server import Object

WAVE = "argocd.argoproj.io/sync-wave"
HOOK = {"argocd.argoproj.io/hook": "PostSync", "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation"}


def manifest(lab: Lab, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    metadata = {"name": f"{name}-{lab.id}", "annotations": annotations or {}}
    head = {"apiVersion": "datajoint.io/v1alpha1", "kind": "PopulateJob", "metadata": metadata}
    return {**head, "spec": lab.spec(**spec)}


def in_cluster(lab: Lab, name: str) -> Applied:
    return Applied(lab, f"{name}-{lab.id}", lab.namespace)
