"""`python -m bench [PART ...] [--engine NAME ...]`: measures, prints, writes to results/."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from populate_jobs.settings import DatabaseSettings

from tests.servers import serve

from . import broken, cluster, many, queue, upstream, workers
from .report import Figure, keep, print_table

ENGINES = ("mariadb-10.11", "postgresql-15")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{' '.join(_PARTS)} (default: {' '.join(_DEFAULT)})")
    parser.add_argument("--engine", action="append", help=f"default: {', '.join(ENGINES)}")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in the jobs table for the queue")
    parser.add_argument("--jobs", type=int, action="append", help="idle PopulateJobs (default: 200 and 1000)")
    parser.add_argument("--full", action="store_true", help="the cluster with all that takes long: KEDA's own drain")
    parser.add_argument("--keys", type=int, default=6_000, help="keys that the workers make")
    options = parser.parse_args()
    figures: list[Figure] = []
    try:
        for figure in _measure(options):
            print(figure, flush=True)
            figures.append(figure)
    finally:
        if figures:  # what was measured before something failed took long, too
            print_table(figures)
            print("written:", keep(figures))


def _measure(options: argparse.Namespace) -> Iterator[Figure]:
    for engine in options.engine or ENGINES:
        for part in options.parts or _DEFAULT:
            yield from _PARTS[part](engine, options)


def _queue(engine: str, options: argparse.Namespace) -> Iterator[Figure]:
    with serve(engine) as server:
        yield from queue.run(DatabaseSettings.from_environment(server.environment()), engine, options.rows)


def _workers(engine: str, options: argparse.Namespace) -> Iterator[Figure]:
    with serve(engine) as server:
        yield from workers.run(server, options.keys)


def _idle(engine: str, options: argparse.Namespace) -> Iterator[Figure]:  # noqa: ARG001
    with serve(engine) as server:
        yield from workers.idle(server)


def _cluster(engine: str, options: argparse.Namespace) -> Iterator[Figure]:
    return cluster.run(engine, options.full)


def _upstream(engine: str, options: argparse.Namespace) -> Iterator[Figure]:  # noqa: ARG001
    return upstream.run(engine)


def _broken(engine: str, options: argparse.Namespace) -> Iterator[Figure]:  # noqa: ARG001
    return broken.run(engine)


def _many(engine: str, options: argparse.Namespace) -> Iterator[Figure]:
    for count in options.jobs or (200, 1_000):
        yield from many.run(engine, count)


_DEFAULT = ("queue", "workers", "idle")
_PARTS = {
    "queue": _queue,
    "workers": _workers,
    "idle": _idle,
    "cluster": _cluster,
    "upstream": _upstream,
    "many": _many,
    "broken": _broken,
}


if __name__ == "__main__":
    main()
