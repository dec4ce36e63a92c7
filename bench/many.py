"""Many PopulateJobs that have nothing to do, on one login of one database: what watching them costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import psutil

from tests.cluster import borrow
from tests.servers import Server, serve

from . import statements
from .report import Figure, alone
from .site import Site, operator, site, until

IDLE_SECONDS = 60.0
SETTLING_SECONDS = 20.0
EDITS = 40
LIMITS = {200: {"rss_mb": 150}, 1_000: {"rss_mb": 300}}
WRITES = ("POST", "PUT", "PATCH", "APPLY", "DELETE")
OURS = ("populatejobs", "events", "configmaps", "deployments", "pods", "jobs", "secrets")


def run(engine: str, count: int) -> Iterator[Figure]:
    with borrow() as cluster, serve(engine) as server:
        statements.prepare(server)
        with site(cluster.kubeconfig, server) as place:
            documents = place.tables(count)
            place.create(documents, place.login("datajoint", server))
            others = _sessions(server)
            with operator(cluster.kubeconfig, place.namespace) as process:
                yield from _measure(place, process, list(documents))
                yield alone(f"many_{count}_connections", engine, 0, _sessions(server) - others, "<= 2")


def _measure(place: Site, process: psutil.Process, names: list[str]) -> Iterator[Figure]:
    count = len(names)

    def figure(name: str, value: float, limit: float) -> Figure:
        return alone(f"many_{count}_{name}", place.server.name, 0, value, f"<= {limit:g}")

    began = time.monotonic()
    until(lambda: place.settled() == count, f"{count} PopulateJobs are up to date")
    yield figure("all_reconciled_s", time.monotonic() - began, 60)
    time.sleep(SETTLING_SECONDS)
    before = _spent(place, process)
    time.sleep(IDLE_SECONDS)
    spent = {name: value - before[name] for name, value in _spent(place, process).items()}
    yield figure("idle_statements_per_s", spent["statements"] / spent["seconds"], 2)
    yield figure("idle_cores", spent["cpu"] / spent["seconds"], 0.3)
    yield figure("idle_api_writes_per_minute", spent["writes"] * 60 / spent["seconds"], 60)
    yield figure("rss_mb", process.memory_info().rss / 1e6, LIMITS.get(count, {"rss_mb": 300})["rss_mb"])
    seconds = [place.edit_seconds(name) for name in names[:: max(1, count // EDITS)]]
    yield figure("edit_observed_p95_s", statistics.quantiles(seconds, n=20, method="inclusive")[-1], 1)


def _spent(place: Site, process: psutil.Process) -> dict[str, float]:
    cpu = process.cpu_times()
    return {
        "seconds": time.monotonic(),
        "statements": statements.count(place.server),
        "cpu": cpu.user + cpu.system,
        "writes": _writes(place.kubectl("get", "--raw=/metrics")),
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
