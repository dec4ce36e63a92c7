"""A cluster by kind, where somebody's Docker engine answers."""

import subprocess

import docker

from tests.servers import engine
from tests.servers.host import Unavailable, cache

from . import golang
from .progress import step

_NAME = "populate-operator"


class Kind:
    def __init__(self) -> None:
        self.kubeconfig = cache() / "cluster" / "kind" / "kubeconfig"

    @property
    def address(self) -> str:
        """This machine's address on kind's network."""
        with engine.session() as client:
            configured = client.networks.get("kind").attrs["IPAM"]["Config"]
        return next(str(subnet["Gateway"]) for subnet in configured if ":" not in subnet.get("Gateway", ":"))

    def running(self) -> bool:
        return self.kubeconfig.exists() and _NAME in _kind("get", "clusters").split()

    def up(self, client: docker.DockerClient) -> None:
        """Start it. Raises Unavailable where kind's node image cannot be had, among other reasons."""
        if engine.is_own():
            raise Unavailable("kind needs a Docker engine with networks")
        self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        with step("starting a cluster by kind (a minute or two)"):
            _kind("create", "cluster", f"--name={_NAME}", f"--kubeconfig={self.kubeconfig}", "--wait=120s")

    def down(self) -> None:
        if self.kubeconfig.exists():
            _kind("delete", "cluster", f"--name={_NAME}", f"--kubeconfig={self.kubeconfig}")
            self.kubeconfig.unlink(missing_ok=True)

    def load(self, client: docker.DockerClient, image: str) -> str:
        with step(f"loading {image} into the node"):
            _kind("load", "docker-image", image, f"--name={_NAME}")
        return image


def _kind(*arguments: str) -> str:
    done = subprocess.run([golang.program("kind"), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"kind {arguments[0]} failed: {done.stderr.strip()[-1500:]}")
    return done.stdout
