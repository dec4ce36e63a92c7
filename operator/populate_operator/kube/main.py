"""`populate-operator`: watches PopulateJobs and runs their workers."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence

from populate_jobs.errors import PopulateError

from . import election
from .running import run

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO if args.verbose else logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    election.log.setLevel(logging.INFO)
    try:
        asyncio.run(run(args))
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
        "--leader-election",
        type=_lease,
        metavar="NAMESPACE/NAME",
        help="work only while holding this Lease: of several operators one does (not asked for)",
    )
    parser.add_argument(
        "--liveness", default="http://0.0.0.0:8080/healthz", metavar="URL", help="where to serve it (%(default)s)"
    )
    parser.add_argument("--metrics", type=_address, metavar="HOST:PORT", help="where to serve Prometheus (nowhere)")
    parser.add_argument("--verbose", action="store_true", help="log requests that fail, too")
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _lease(text: str) -> tuple[str, str]:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME")
    return namespace, name
