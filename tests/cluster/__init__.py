"""A real Kubernetes for tests and for trying, with databases and images in it.

From a shell: `python -m tests.cluster up | down | images | status | kubeconfig`.
"""

from .cluster import Cluster, borrow, load
from .kubectl import Kubectl, Refused

__all__ = ["Cluster", "Kubectl", "Refused", "borrow", "load"]
