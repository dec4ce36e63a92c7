"""A cluster that somebody names: used, never started or ended."""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import docker

from tests.servers.host import Unavailable

from .kubectl import Kubectl, Refused
from .progress import step

KUBECONFIG, REGISTRY = "POPULATE_KUBECONFIG", "POPULATE_REGISTRY"


class Given:
    """Its pods reach this machine where this machine reaches its API server, and pull from POPULATE_REGISTRY."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig

    @property
    def address(self) -> str:
        only = "--output=jsonpath={.clusters[0].cluster.server}"
        server = urlsplit(Kubectl(self.kubeconfig)("config", "view", "--minify", only))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((server.hostname, server.port or 443))  # chooses a route, sends nothing
            address: str = probe.getsockname()[0]
        return address

    def running(self) -> bool:
        try:
            Kubectl(self.kubeconfig)("get", "--raw=/readyz")
        except Refused:
            return False
        return True

    def up(self, client: docker.DockerClient) -> None:
        raise Unavailable(f"the cluster of {KUBECONFIG}={self.kubeconfig} does not answer")

    def down(self) -> None:
        """Nothing: it is not ours."""

    def load(self, client: docker.DockerClient, image: str) -> str:
        registry = os.environ.get(REGISTRY)
        if not registry:
            raise Unavailable(f"{KUBECONFIG} is set: set {REGISTRY} to a registry that its cluster pulls from, too")
        name = f"{registry}/{image}"
        with step(f"pushing {name}"):
            client.images.get(image).tag(name)
            for line in client.images.push(name, stream=True, decode=True):
                if "error" in line:
                    raise Unavailable(f"{name} cannot be pushed: {line['error']}")
        return name
