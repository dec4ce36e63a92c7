"""A real Argo CD beside the cluster: its three programs as processes, with a Redis and a namespace of their own."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml

from tests.cluster import argocd, golang
from tests.cluster.installation import create_namespace
from tests.cluster.kubectl import Kubectl, Refused
from tests.servers.host import free_port, install, wait_until

Object = dict[str, Any]
IN_CLUSTER = "https://kubernetes.default.svc"
"""How Applications name the cluster that Argo CD runs in."""
_CRDS = ("application", "applicationset", "appproject")
_EVERYTHING = [{"group": "*", "kind": "*"}]


class ArgoCD:
    """It sees these namespaces of the cluster alone, and one of its own, with its settings and Applications."""

    def __init__(self, kubectl: Kubectl, kubeconfig: Path, folder: Path, namespaces: Sequence[str]) -> None:
        self.namespace = f"argocd-{uuid.uuid4().hex[:8]}"
        self._kubectl = kubectl
        self._folder = folder
        self._namespaces = (*namespaces, self.namespace)
        self._environment = {
            **os.environ,
            "PATH": f"{golang.program('helm').parent}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "TMPDIR": str(folder),
            "ARGOCD_FAKE_IN_CLUSTER": "true",  # as its own developers run it: KUBECONFIG leads to IN_CLUSTER
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_ASK_PASS_SOCK": str(folder / "ask-pass.sock"),
        }
        self._api, self._repositories, self._redis = free_port(), free_port(), free_port()

    @contextmanager
    def running(self) -> Iterator[ArgoCD]:
        install("redis-server", "redis-server")
        with ExitStack() as stack:
            stack.callback(self._kubectl, "delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")
            self._set_up()
            alone = ("--bind", "127.0.0.1", "--port", str(self._redis), "--save", "", "--appendonly", "no")
            stack.enter_context(self._process("redis", "redis-server", *alone))
            asks = (f"--repo-server=127.0.0.1:{self._repositories}", "--repo-server-plaintext")
            here = ("--address=127.0.0.1", f"--namespace={self.namespace}", *asks)
            repositories = ("--address=127.0.0.1", f"--port={self._repositories}", "--disable-tls")
            stack.enter_context(self._part("repo-server", *repositories))
            health = "--persist-resource-health"  # else it is in Redis alone
            stack.enter_context(self._part("application-controller", *here[1:], health))
            open_to_all = ("--insecure", "--disable-auth", f"--staticassets={self._folder}")
            stack.enter_context(self._part("server", *here, f"--port={self._api}", *open_to_all))
            yield self

    def __call__(self, *words: str) -> str:
        """What its command line says, which asks its API server. Raises Refused."""
        return run(*words, f"--server=127.0.0.1:{self._api}", "--plaintext", f"--config={self._folder / 'config'}")

    def log(self) -> str:
        """The end of what its processes said."""
        return "\n".join(f"-- {file.name}\n{file.read_text()[-6000:]}" for file in sorted(self._folder.glob("*.log")))

    def _set_up(self) -> None:
        crds = golang.sources("argocd") / "manifests" / "crds"
        self._kubectl.define(*(crds / f"{name}-crd.yaml" for name in _CRDS))
        create_namespace(self._kubectl, self.namespace)
        self._kubectl.apply(*self._settings())

    def _settings(self) -> Iterator[Object]:
        ours = {"app.kubernetes.io/part-of": "argocd"}
        customization = yaml.safe_load((argocd.FOLDER / "argocd-cm.yaml").read_text())["data"]
        yield self._object("v1", "ConfigMap", "argocd-cm", ours, data=customization)
        yield self._object("v1", "Secret", "argocd-secret", ours, stringData={"server.secretkey": "of-no-use"})
        place = {"name": "in-cluster", "server": IN_CLUSTER, "config": "{}", "clusterResources": "false"}
        marked = {**ours, "argocd.argoproj.io/secret-type": "cluster"}
        data = {**place, "namespaces": ",".join(self._namespaces)}
        yield self._object("v1", "Secret", "cluster", marked, stringData=data)
        everywhere = [{"namespace": "*", "server": "*"}]
        spec = {"sourceRepos": ["*"], "destinations": everywhere, "clusterResourceWhitelist": _EVERYTHING}
        yield self._object("argoproj.io/v1alpha1", "AppProject", "default", {}, spec=spec)

    def _object(self, version: str, kind: str, name: str, labels: dict[str, str], **fields: Any) -> Object:
        metadata = {"name": name, "namespace": self.namespace, "labels": labels}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}

    @contextmanager
    def _part(self, name: str, *options: str) -> Iterator[None]:
        """One of its programs, once it is well."""
        metrics = free_port()
        redis = (f"--redis=127.0.0.1:{self._redis}", "--logformat=text")
        own = {"ARGOCD_BINARY_NAME": f"argocd-{name}"}
        program = str(golang.program("argocd"))
        with self._process(name, program, f"--metrics-port={metrics}", *redis, *options, **own) as process:
            port = self._api if name == "server" else metrics
            wait_until(lambda: process.poll() is not None or _is_well(port), f"{name} of Argo CD is up")
            assert process.poll() is None, self.log()
            yield

    @contextmanager
    def _process(self, name: str, *command: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        with open(self._folder / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                command, env=self._environment | environment, cwd=self._folder, stdout=log, stderr=log
            )
            try:
                yield process
            finally:
                process.terminate()
                process.wait()


def run(*words: str) -> str:
    """What the command line of Argo CD says. Raises Refused."""
    done = subprocess.run([golang.program("argocd"), *words], capture_output=True, text=True)
    if done.returncode:
        raise Refused(done.stderr.strip())
    return done.stdout


def _is_well(port: int) -> bool:
    with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
