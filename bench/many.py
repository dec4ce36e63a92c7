"""Many PopulateJobs that have nothing to do, on one login of one database: what watching them costs.

On a real API server. Their resolve documents are there already, as they are when an operator starts anew: no pod runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
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

from tests.cluster import Kubectl, borrow
from tests.cluster.api import Api
from tests.cluster.databases import secret
from tests.cluster.installation import create_namespace
from tests.servers import Server, serve
from tests.servers.host import free_port

from . import statements
from .report import Figure, alone
from .tables import Bench

IDLE_SECONDS = 60.0
SETTLING_SECONDS = 20.0
DEADLINE_SECONDS = 600.0
EDITS = 40
LIMITS = {200: {"rss_mb": 150}, 1_000: {"rss_mb": 300}}
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
OURS = ("populatejobs", "events", "configmaps", "deployments", "pods", "jobs", "secrets")
CRD = "crds/populatejobs.yaml"


def run(engine: str, count: int) -> Iterator[Figure]:
    with borrow() as cluster, serve(engine) as server:
        statements.prepare(server)
        kubectl, api = Kubectl(cluster.kubeconfig), Api(cluster.kubeconfig)
        kubectl("apply", f"--filename={CRD}")
        with _site(kubectl, server, count) as namespace:
            others = _sessions(server)
            with _operator(cluster.kubeconfig, namespace) as process:
                yield from _measure(kubectl, api, server, namespace, process, engine, count)
                yield alone(f"many_{count}_connections", engine, 0, _sessions(server) - others, "<= 2")


def _measure(
    kubectl: Kubectl, api: Api, server: Server, namespace: str, process: psutil.Process, engine: str, count: int
) -> Iterator[Figure]:
    def figure(name: str, value: float, limit: float) -> Figure:
        return alone(f"many_{count}_{name}", engine, 0, value, f"<= {limit:g}")

    began = time.monotonic()
    _until(lambda: _settled(api, namespace) == count, f"{count} PopulateJobs are up to date")
    yield figure("all_reconciled_s", time.monotonic() - began, 60)
    time.sleep(SETTLING_SECONDS)
    before = _spent(kubectl, server, process)
    time.sleep(IDLE_SECONDS)
    spent = {name: value - before[name] for name, value in _spent(kubectl, server, process).items()}
    yield figure("idle_statements_per_s", spent["statements"] / spent["seconds"], 2)
    yield figure("idle_cores", spent["cpu"] / spent["seconds"], 0.3)
    yield figure("idle_api_writes_per_minute", spent["writes"] * 60 / spent["seconds"], 60)
    yield figure("rss_mb", process.memory_info().rss / 1e6, LIMITS.get(count, {"rss_mb": 300})["rss_mb"])
    yield figure("edit_observed_p95_s", _edits(kubectl, api, namespace, count), 1)


# The site


@contextlib.contextmanager
def _site(kubectl: Kubectl, server: Server, count: int) -> Iterator[str]:
    """A namespace with so many PopulateJobs, each of a table of its own, all made."""
    namespace = f"many-{uuid.uuid4().hex[:8]}"
    settings = DatabaseSettings.from_environment(server.environment())
    bench = Bench(settings, server.name, "bench_many")
    create_namespace(kubectl, namespace)
    try:
        login = secret(server)
        login["metadata"]["namespace"] = namespace
        kubectl.apply(login)
        documents = _tables(bench, count)
        _create(kubectl, [_populatejob(namespace, number) for number in range(count)])
        found = kubectl.get("populatejobs", f"--namespace={namespace}")["items"]
        _create(kubectl, [_resolved(item, documents[item["metadata"]["name"]], settings) for item in found])
        yield namespace
    finally:
        kubectl("delete", "namespace", namespace, "--wait=false")
        bench.drop()


def _tables(bench: Bench, count: int) -> dict[str, ResolveDocument]:
    """By PopulateJob: copies of one target and its jobs table, with one parent of twenty keys, all of them made."""
    connection, whole = bench.connect(), bench.document()
    bench.fill(connection, 20)
    column = "item"
    connection.execute(f"INSERT INTO {whole.target} ({column}, value) SELECT {column}, 1 FROM {whole.upstream[0]}")
    documents = {}
    for number in range(count):
        target, jobs = (name.replace("target", f"target_{number}") for name in (whole.target, whole.jobs))
        for copy, original in ((target, whole.target), (jobs, whole.jobs)):
            like = f"LIKE {original}" if bench.settings.backend == "mysql" else f"(LIKE {original} INCLUDING ALL)"
            connection.execute(f"CREATE TABLE {copy} {like}")
        connection.execute(f"INSERT INTO {target} SELECT * FROM {whole.target}")
        documents[_name(number)] = dataclasses.replace(whole, target=target, jobs=jobs, table=f"bench.T{number}")
    connection.close()
    return documents


def _name(number: int) -> str:
    return f"job-{number}"


def _populatejob(namespace: str, number: int) -> dict[str, Any]:
    return {
        "apiVersion": "datajoint.io/v1alpha1",
        "kind": "PopulateJob",
        "metadata": {"name": _name(number), "namespace": namespace},
        "spec": {"table": f"bench.T{number}", "worker": {"image": "none"}},
    }


def _resolved(item: Mapping[str, Any], document: ResolveDocument, settings: DatabaseSettings) -> dict[str, Any]:
    """What an operator before this one left: the document in its ConfigMap."""
    job, now = PopulateJob.from_object(item), datetime.now(timezone.utc)
    answer = Answer(document, question(job.spec, settings), now, address(settings))
    return assignment(job, item, answer, now)


def _create(kubectl: Kubectl, manifests: list[dict[str, Any]]) -> None:
    kubectl("create", "--filename=-", stdin="\n---\n".join(map(json.dumps, manifests)))


@contextlib.contextmanager
def _operator(kubeconfig: Path, namespace: str) -> Iterator[psutil.Process]:
    words = [f"--namespace={namespace}", f"--installation={namespace}"]
    words += [f"--liveness=http://127.0.0.1:{free_port()}/healthz"]
    with tempfile.TemporaryFile() as log, subprocess.Popen(
        [sys.executable, "-m", "populate_operator.kube", *words],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)}, stdout=log, stderr=log,
    ) as process:  # fmt: skip
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


# What is measured


def _settled(api: Api, namespace: str) -> int:
    """Those that are up to date and have their Deployment."""
    deployments = len(api.every("deployments", namespace))
    return min(deployments, sum(_is_up_to_date(job) for job in api.every("populatejobs", namespace)))


def _is_up_to_date(job: Mapping[str, Any]) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["reason"] == "UpToDate" for condition in conditions)


def _spent(kubectl: Kubectl, server: Server, process: psutil.Process) -> dict[str, float]:
    cpu = process.cpu_times()
    return {
        "seconds": time.monotonic(),
        "statements": statements.count(server),
        "cpu": cpu.user + cpu.system,
        "writes": _writes(kubectl("get", "--raw=/metrics")),
    }


def _writes(metrics: str) -> float:
    """Requests that wrote, of the kinds that the operator writes; the cluster's own are among them."""
    lines = (line for line in metrics.splitlines() if line.startswith("apiserver_request_total{"))
    written = (line for line in lines if any(f'verb="{verb}"' in line for verb in WRITES))
    return sum(float(line.rsplit(" ", 1)[1]) for line in written if any(f'resource="{kind}"' in line for kind in OURS))


def _sessions(server: Server) -> int:
    """Everybody's."""
    places = {"mysql": "information_schema.processlist", "postgresql": "pg_stat_activity WHERE usename IS NOT NULL"}
    return int(server.execute(f"SELECT COUNT(*) FROM {places[server.backend]}")[0][0])


def _edits(kubectl: Kubectl, api: Api, namespace: str, count: int) -> float:
    """95th percentile of the seconds from an edit to a status that is about it."""
    seconds = []
    for turn in range(EDITS):
        name = _name(turn * count // EDITS)
        start = time.monotonic()
        patch = json.dumps({"spec": {"priority": 3}})
        kubectl("patch", "populatejob", name, f"--namespace={namespace}", "--type=merge", f"--patch={patch}")
        _until(lambda: _is_observed(api.get("populatejobs", namespace, name)), "the edit is observed")  # noqa: B023
        seconds.append(time.monotonic() - start)
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]


def _is_observed(job: Mapping[str, Any]) -> bool:
    return bool(job["status"].get("observedGeneration") == job["metadata"]["generation"])


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
        time.sleep(0.05)
