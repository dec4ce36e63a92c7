"""A real Kubernetes for tests and for trying, with databases and images in it.

From a shell: `python -m tests.cluster up | down | images | status | kubeconfig`.
"""

from .cluster import Cluster, down, running, up
from .kubectl import Kubectl, Refused

__all__ = ["Cluster", "Kubectl", "Refused", "down", "running", "up"]
