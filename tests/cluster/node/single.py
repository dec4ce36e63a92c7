"""The single-node cluster: started, found again, filled with images, ended."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import docker

from tests.cluster import golang
from tests.cluster.kubectl import Kubectl, Refused
from tests.cluster.progress import step
from tests.servers.host import Unavailable, cache, install, wait_until

from . import cgroup, kubeconfig, network, pause_image
from .commands import SOCKET
from .namespaces import Namespaces
from .parts import Parts

_HERE = Path(__file__).parent
_PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "openssl": "openssl",
}


class SingleNode:
    """Keeps its images from one start to the next, and nothing else."""

    address = network.MACHINE

    def __init__(self) -> None:
        self._folder = cache() / "cluster" / "node"
        self._state = self._folder / "state.json"
        self._loaded = self._folder / "images.json"
        self.kubeconfig = self._folder / "kubeconfig"

    def running(self) -> bool:
        return self._state.exists() and self._namespaces().alive()

    def up(self, client: docker.DockerClient) -> None:
        """Start it afresh. Raises Unavailable."""
        for program, package in _PACKAGES.items():
            install(program, package)
        init = golang.program("pause")
        golang.program("node")
        self.down()
        with step("starting a Kubernetes of one node"):
            try:
                self._make(init)
                self._start_parts()
            except BaseException:
                self.down()
                raise
        self.load(client, pause_image.build(client, init))

    def down(self) -> None:
        """End it, and remove all but its images and logs."""
        if self._state.exists():
            self._namespaces().end()
            wait_until(lambda: not network.connected(), "link to the node gone")
            cgroup.remove()
            self._state.unlink()
        self.kubeconfig.unlink(missing_ok=True)
        for folder in ("pki", "var"):
            shutil.rmtree(self._folder / folder, ignore_errors=True)

    def load(self, client: docker.DockerClient, image: str) -> str:
        """Copy an image from the engine unless the node has it; its name."""
        loaded = json.loads(self._loaded.read_text()) if self._loaded.exists() else {}
        found = client.images.get(image)
        if loaded.get(image) == found.id:
            return image
        with step(f"loading {image} into the node"):
            try:
                self._import(found, image)
            except Unavailable:
                # containerd may just have collected a layer of the image that this one replaces: it is gone by now.
                self._import(found, image)
        self._loaded.write_text(json.dumps({**loaded, image: found.id}))
        return image

    def _import(self, found: Any, image: str) -> None:
        importing = ("ctr", f"--address={SOCKET}", "--namespace=k8s.io", "images", "import", "-")
        self._namespaces().feed(found.save(named=image), *importing)

    def _namespaces(self) -> Namespaces:
        return Namespaces(**json.loads(self._state.read_text()))

    def _make(self, init: Path) -> None:
        """Make the node's folders, namespaces and network."""
        shutil.rmtree(self._folder / "log", ignore_errors=True)
        for folder in ("containerd", "log", "var/lib", "var/tmp"):
            (self._folder / folder).mkdir(parents=True, exist_ok=True)
        (self._folder / "var" / "run").symlink_to("/run")
        namespaces = Namespaces.create(init)
        self._state.write_text(json.dumps(asdict(namespaces)))
        cgroup.create()
        network.connect(namespaces.first)
        seen = (_HERE / "etc", golang.programs(), self._folder, f"{network.NODE}/{network.PREFIX}")
        namespaces.run("sh", str(_HERE / "setup.sh"), *map(str, seen))

    def _start_parts(self) -> None:
        pki = self._folder / "pki"
        token, certificate = kubeconfig.create_keys(pki), pki / "apiserver.crt"
        parts = Parts(self._namespaces(), self._folder / "log")
        parts.start("containerd", "etcd", "apiserver")
        parts.wait_until(lambda: kubeconfig.answers(certificate, token), "API server ready")
        kubeconfig.write(self.kubeconfig, certificate, token)
        parts.start("controllers", "scheduler", "kubelet", "proxy")
        parts.wait_until(self._ready, "node ready")

    def _ready(self) -> bool:
        """Whether pods can be made and run."""
        kubectl = Kubectl(self.kubeconfig)
        try:
            kubectl("get", "serviceaccount/default")
            kubectl("wait", "node/node", "--for=condition=Ready", "--timeout=1s")
        except Refused:
            return False
        return True
