"""A Kubernetes of one node on this machine, from Go modules and Debian's containerd, in namespaces of its own."""

from .single import SingleNode

__all__ = ["SingleNode"]
