"""A namespace on a real API server with many PopulateJobs on one login, and an operator that is a process of its own.

Each has a table of its own; their resolve documents are there already, as they are when an operator starts anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil
from populate_jobs import ResolveDocument
from populate_jobs.settings import DatabaseSettings
from populate_operator.kube.asking import question
from populate_operator.kube.manifests.assignment import Answer, assignment
from populate_operator.kube.relocation import address
from populate_operator.spec import PopulateJob

from tests.cluster import Kubectl
from tests.cluster.api import Api
from tests.cluster.beside import Operator
from tests.cluster.databases import secret
from tests.cluster.installation import create_namespace
from tests.servers import Server

from .tables import Bench

CRD = "crds/populatejobs.yaml"
DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 0.05
ROWS = 20
"""In the parent that all tables have in common, and made in each of them."""
Object = dict[str, Any]


class Site:
    def __init__(self, kubectl: Kubectl, api: Api, server: Server, namespace: str, bench: Bench) -> None:
        self.kubectl = kubectl
        self.api = api
        self.server = server
        self.namespace = namespace
        self.bench = bench
        self._connection = bench.connect()
        self._whole = bench.document()
        bench.fill(self._connection, ROWS)
        self._connection.execute(f"INSERT INTO {self._whole.target} (item, value) SELECT item, 1 FROM {self.parent}")

    @property
    def parent(self) -> str:
        return self._whole.upstream[0]

    def tables(self, count: int) -> dict[str, ResolveDocument]:
        """By PopulateJob: copies of one target and its jobs table, all made."""
        return {f"job-{number}": self.table(f"{number}") for number in range(count)}

    def table(self, mark: str) -> ResolveDocument:
        target, jobs = (name.replace("target", f"target_{mark}") for name in (self._whole.target, self._whole.jobs))
        for copy, original in ((target, self._whole.target), (jobs, self._whole.jobs)):
            like = f"LIKE {original}" if self.server.backend == "mysql" else f"(LIKE {original} INCLUDING ALL)"
            self._connection.execute(f"CREATE TABLE {copy} {like}")
        self._connection.execute(f"INSERT INTO {target} SELECT * FROM {self._whole.target}")
        return dataclasses.replace(self._whole, target=target, jobs=jobs, table=f"bench.T{mark}")

    def login(self, name: str, server: Server) -> DatabaseSettings:
        """A Secret with the server's login."""
        manifest = secret(server, name)
        manifest["metadata"]["namespace"] = self.namespace
        self.kubectl.apply(manifest)
        return DatabaseSettings.from_environment(server.environment())

    def create(self, documents: Mapping[str, ResolveDocument], settings: DatabaseSettings, **spec: Any) -> None:
        """PopulateJobs that an operator before this one has resolved: the document is in their ConfigMap."""
        self.apply([self.populatejob(name, document.table, **spec) for name, document in documents.items()])
        found = self.kubectl.get("populatejobs", f"--namespace={self.namespace}")["items"]
        mine = [item for item in found if item["metadata"]["name"] in documents]
        self.apply([_resolved(item, documents[item["metadata"]["name"]], settings) for item in mine])

    def populatejob(self, name: str, table: str, **spec: Any) -> Object:
        return {
            "apiVersion": "datajoint.io/v1alpha1",
            "kind": "PopulateJob",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"table": table, "worker": {"image": "none"}, **spec},
        }

    def apply(self, manifests: list[Object]) -> None:
        self.kubectl("create", "--filename=-", stdin="\n---\n".join(map(json.dumps, manifests)))

    def edit_seconds(self, name: str) -> float:
        """From an edit to a status that is about it."""
        start = time.monotonic()
        patch = json.dumps({"spec": {"priority": 3}})
        self.kubectl("patch", "populatejob", name, f"--namespace={self.namespace}", "--type=merge", f"--patch={patch}")
        until(lambda: _is_observed(self.api.get("populatejobs", self.namespace, name)), "the edit is observed")
        return time.monotonic() - start

    def settled(self) -> int:
        """PopulateJobs that are up to date and have their Deployment."""
        deployments = len(self.api.every("deployments", self.namespace))
        return min(deployments, sum(map(_is_up_to_date, self.api.every("populatejobs", self.namespace))))


@contextlib.contextmanager
def site(kubeconfig: Path, server: Server) -> Iterator[Site]:
    kubectl, namespace = Kubectl(kubeconfig), f"bench-{uuid.uuid4().hex[:8]}"
    kubectl("apply", f"--filename={CRD}")
    bench = Bench(DatabaseSettings.from_environment(server.environment()), server.name, "bench_site")
    create_namespace(kubectl, namespace)
    try:
        yield Site(kubectl, Api(kubeconfig), server, namespace, bench)
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
        bench.drop()


@contextlib.contextmanager
def operator(kubeconfig: Path, namespace: str) -> Iterator[psutil.Process]:
    with tempfile.NamedTemporaryFile() as log, Operator(kubeconfig, namespace, Path(log.name)) as running:
        yield psutil.Process(running.pid)


def until(condition: Callable[[], bool], what: str, every: float = LOOK_SECONDS) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
        time.sleep(every)


def _resolved(item: Mapping[str, Any], document: ResolveDocument, settings: DatabaseSettings) -> Object:
    job, now = PopulateJob.from_object(item), datetime.now(timezone.utc)
    answer = Answer(document, question(job.spec, settings), now, address(settings))
    return assignment(job, item, answer, now)


def _is_up_to_date(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["reason"] == "UpToDate" for condition in conditions)


def _is_observed(job: Mapping[str, Any]) -> bool:
    return bool(job["status"].get("observedGeneration") == job["metadata"]["generation"])
