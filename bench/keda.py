"""KEDA in a cluster: its operator and its adapter of metrics, from its Go module, as processes of this machine."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.cluster import Cluster, Kubectl, golang
from tests.cluster.installation import create_namespace
from tests.servers import certificates
from tests.servers.host import Unavailable, free_port, install

from . import keda_manifests as manifests


def build() -> None:
    """Have its programs. Raises Unavailable."""
    install("openssl", "openssl")
    for name in ("keda-operator", "keda-adapter"):
        golang.program(name)


@contextmanager
def running(cluster: Cluster, watched: str) -> Iterator[None]:
    """While the block runs, the namespace `watched` is scaled. Raises Unavailable in a cluster that has KEDA or another
    adapter of metrics of its own."""
    kubectl, namespace, port = Kubectl(cluster.kubeconfig), f"keda-{watched}", free_port()
    if kubectl("get", "apiservice", manifests.API, "--ignore-not-found"):
        raise Unavailable(f"the cluster has {manifests.API} of its own")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = _certify(folder, "localhost", f"{manifests.SERVICE}.{namespace}.svc")
        stack.enter_context(_definitions(kubectl))
        stack.enter_context(_namespace(kubectl, namespace))
        stack.enter_context(_processes(cluster, namespace, watched, folder, port))
        stack.enter_context(_adapter(kubectl, namespace, cluster.address, port, authority))
        yield


def _certify(folder: Path, *hosts: str) -> str:
    """Writes one certificate for operator and adapter, which vouches for itself; what it is known by, in base64."""
    certificates.create(folder / "tls.crt", folder / "tls.key", *hosts)
    shutil.copy(folder / "tls.crt", folder / "ca.crt")
    return base64.b64encode((folder / "ca.crt").read_bytes()).decode()


@contextmanager
def _definitions(kubectl: Kubectl) -> Iterator[None]:
    """Of its resources, from its sources."""
    folder = f"--kustomize={golang.sources('keda-operator') / 'config' / 'crd'}"
    kubectl("apply", "--server-side", folder)
    try:
        yield
    finally:
        kubectl("delete", folder)


@contextmanager
def _namespace(kubectl: Kubectl, name: str) -> Iterator[None]:
    create_namespace(kubectl, name)
    try:
        yield
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@contextmanager
def _processes(cluster: Cluster, namespace: str, watched: str, folder: Path, port: int) -> Iterator[None]:
    metrics = f"localhost:{free_port()}"
    operator = [
        *("--enable-prometheus-metrics=false", "--health-probe-bind-address=0"),
        *(f"--cert-dir={folder}", f"--metrics-service-bind-address={metrics}"),
    ]
    adapter = [
        *(f"--{use}-kubeconfig={cluster.kubeconfig}" for use in ("lister", "authentication", "authorization")),
        *(f"--bind-address={cluster.address}", f"--secure-port={port}", f"--port={free_port()}"),
        *(f"--cert-dir={folder}", f"--tls-cert-file={folder}/tls.crt", f"--tls-private-key-file={folder}/tls.key"),
        f"--metrics-service-address={metrics}",
    ]
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        "WATCH_NAMESPACE": watched,
        "POD_NAMESPACE": namespace,
        "KEDA_CLUSTER_OBJECT_NAMESPACE": namespace,
    }
    with ExitStack() as stack:
        for name, words in (("keda-operator", operator), ("keda-adapter", adapter)):
            stack.enter_context(_process([str(golang.program(name)), *words], environment))
        yield


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        except BaseException:
            log.seek(0)
            print(f"{command[0]} says at last:", *log.readlines()[-20:], sep="\n", file=sys.stderr)
            raise
        finally:
            process.terminate()


@contextmanager
def _adapter(kubectl: Kubectl, namespace: str, address: str, port: int, authority: str) -> Iterator[None]:
    """The cluster's way to it, once it answers."""
    objects = manifests.adapter(namespace, address, port, authority)
    try:
        kubectl.apply(*objects)
        kubectl("wait", f"apiservice/{manifests.API}", "--for=condition=Available", "--timeout=240s")
        yield
    finally:
        documents = "\n---\n".join(map(json.dumps, objects))
        kubectl("delete", "--ignore-not-found", "--filename=-", stdin=documents)
