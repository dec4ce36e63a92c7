"""`populate-operator`: watches PopulateJobs and runs their workers."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import platform
import sys
from collections.abc import Sequence

import kopf
from populate_jobs.errors import PopulateError

from . import handlers
from .api import Cluster, connect
from .controller import Controller, Options

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ID_CHARACTERS = 8


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO if args.verbose else logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(args))
    except PopulateError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("populate-operator", description="Watches PopulateJobs and runs their workers.")
    parser.add_argument(
        "--namespace", action="append", default=[], metavar="NAME", help="only this one (repeatable; all of them)"
    )
    parser.add_argument(
        "--installation", metavar="ID", help="tells this operator's workers from those of others (the cluster's id)"
    )
    parser.add_argument(
        "--max-workers-per-database", type=int, metavar="N", help="over all PopulateJobs, shared by priority (no limit)"
    )
    parser.add_argument(
        "--liveness", default="http://0.0.0.0:8080/healthz", metavar="URL", help="where to serve it (%(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="log requests that fail, too")
    return parser


async def _run(args: argparse.Namespace) -> None:
    cluster = await connect()
    try:
        options = Options(
            namespaces=tuple(args.namespace),
            installation=args.installation or await _cluster_id(cluster),
            reporter=os.environ.get("POD_NAME") or platform.node(),
            max_workers_per_database=args.max_workers_per_database,
        )
        await _work(Controller(cluster, options), options, args.liveness)
    finally:
        await cluster.close()


async def _work(controller: Controller, options: Options, liveness: str) -> None:
    """Until kopf was told to stop, or either of the two fails."""
    watching = asyncio.create_task(
        kopf.operator(
            registry=handlers.registry(controller),
            settings=handlers.settings(),
            standalone=True,
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
            liveness_endpoint=liveness,
        )
    )
    reconciling = asyncio.create_task(controller.run())
    done, rest = await asyncio.wait({watching, reconciling}, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    for task in done:
        task.result()


async def _cluster_id(cluster: Cluster) -> str:
    """The first characters of kube-system's uid: as lasting as the cluster, and no other's."""
    try:
        found = await cluster.get("Namespace", "", "kube-system")
    except PopulateError as error:
        raise PopulateError(f"--installation is needed where kube-system cannot be read: {error}") from error
    return str(found["metadata"]["uid"])[:ID_CHARACTERS]
