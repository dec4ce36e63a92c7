"""`python -m populate_operator.kube.check NAMESPACE DEPLOYMENT`: does what is installed work? `helm test` runs it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

from populate_jobs.errors import PopulateError

from .api import Cluster, ClusterError, Object, connect
from .lease import Record, record
from .manifests.names import GROUP

VERSION = f"{GROUP}/v1alpha1"
LOOK_EVERY = 1.0
"""Seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Tells whether an operator that was installed works.")
    parser.add_argument("namespace")
    parser.add_argument("deployment")
    parser.add_argument("--lease", help="by which one of several operators leads, in the same namespace (none)")
    parser.add_argument("--seconds", type=float, default=120.0, help="that it may take to be ready (%(default)s)")
    args = parser.parse_args(arguments)
    try:
        asyncio.run(_check(args))
    except PopulateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _check(args: argparse.Namespace) -> None:
    namespace, deadline = args.namespace, time.monotonic() + args.seconds
    cluster = await connect()
    try:
        if "populatejobs" not in await cluster.served(VERSION):
            raise PopulateError(f"PopulateJobs are not served as {VERSION}: is the definition installed?")
        print(f"PopulateJobs are served as {VERSION}")
        await _until_ready(cluster, namespace, args.deployment, deadline)
        print(f"The operator {args.deployment} is ready")
        if args.lease:
            print(f"{await until_led(cluster, namespace, args.lease, deadline)} leads")
        await cluster.create(populatejob(namespace), dry_run=True)
        await _refused(cluster, populatejob(namespace, table="not a table"))
        print("A PopulateJob is accepted, and one that names no table is refused")
    finally:
        await cluster.close()


async def _until_ready(cluster: Cluster, namespace: str, deployment: str, deadline: float) -> None:
    while not is_ready(found := await cluster.get("Deployment", namespace, deployment)):
        if found["spec"]["replicas"] == 0 or time.monotonic() > deadline:
            raise PopulateError(f"The operator {deployment} is not ready: {found.get('status')}")
        await asyncio.sleep(LOOK_EVERY)


async def until_led(cluster: Cluster, namespace: str, lease: str, deadline: float) -> str:
    """Who leads; raises PopulateError where nobody does at the deadline, of the monotonic clock."""
    first: Record | None = None
    while True:
        found = await cluster.find("Lease", namespace, lease)
        seen = record(found) if found else None
        if seen and is_held(seen, first):
            return seen.holder
        first = first or seen
        if time.monotonic() > deadline:
            raise PopulateError(f"No operator leads: nobody renews the Lease {namespace}/{lease}")
        await asyncio.sleep(LOOK_EVERY)


def is_held(now: Record, first: Record | None) -> bool:
    """Whether somebody has renewed it since it was first looked at: one whose holder is gone still names it."""
    return bool(now.holder) and first is not None and now.renewed != first.renewed


async def _refused(cluster: Cluster, job: Object) -> None:
    try:
        await cluster.create(job, dry_run=True)
    except ClusterError as error:
        if error.status != 422:
            raise
        return
    raise PopulateError("A PopulateJob that names no table is accepted: the definition is not this version's")


def is_ready(deployment: Object) -> bool:
    """Whether all of its pods are as it asks, and ready; one that is scaled to nothing is not."""
    status, replicas = deployment.get("status", {}), deployment["spec"]["replicas"]
    seen = status.get("observedGeneration") == deployment["metadata"]["generation"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return bool(replicas) and seen and counts == [replicas] * 3


def populatejob(namespace: str, table: str = "pipeline.Table") -> dict[str, Any]:
    """One that names nothing there is: it is only ever judged, by the API server."""
    spec = {"table": table, "worker": {"image": "registry.example/pipeline:1"}}
    metadata = {"generateName": "check-", "namespace": namespace}
    return {"apiVersion": VERSION, "kind": "PopulateJob", "metadata": metadata, "spec": spec}


if __name__ == "__main__":
    sys.exit(main())
