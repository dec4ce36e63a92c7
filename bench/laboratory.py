"""A lab on a cluster for as long as something is measured, and an operator for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import Cluster, Kubectl, images, load
from tests.cluster.api import Api
from tests.cluster.installation import Installation, create_namespace
from tests.cluster.kubectl import Program
from tests.cluster.lab import Lab
from tests.servers import keep

from .site import CRD


@contextmanager
def laboratory(cluster: Cluster, engine: str) -> Iterator[Lab]:
    """A lab in a namespace of its own."""
    kubectl, name = Kubectl(cluster.kubeconfig), f"bench-{uuid.uuid4().hex[:8]}"
    create_namespace(kubectl, name)
    images.build_lab()
    (pipeline,) = load(cluster, images.LAB)
    lab = Lab(kubectl, Api(cluster.kubeconfig), name, keep(engine, cluster.address), pipeline)
    try:
        yield lab
    finally:
        lab.release()
        kubectl("delete", "namespace", name)
        lab.drop()


@contextmanager
def operator(cluster: Cluster, lab: Lab) -> Iterator[None]:
    """One that does nothing but what the lab wants."""
    kubectl, helm, name = lab.kubectl, Program("helm", cluster.kubeconfig), lab.namespace
    kubectl("apply", f"--filename={CRD}")
    (image,) = load(cluster, images.OPERATOR)
    with Installation(kubectl, helm, f"populate-operator-{name}", image, watchNamespaces=[name], installation=name):
        yield
