"""`python -m bench [queue] [workers] [--engine NAME ...]`: measures, prints the table, writes it to results/."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from populate_jobs.settings import DatabaseSettings

from tests.servers import serve

from . import queue, workers
from .report import Figure, keep, print_table

ENGINES = ("mariadb-10.11", "postgresql-15")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="queue|workers", help="what to measure; default is all")
    parser.add_argument("--engine", action="append", help=f"default: {', '.join(ENGINES)}")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows in the jobs table for the queue")
    parser.add_argument("--keys", type=int, default=6_000, help="keys that the workers make")
    options = parser.parse_args()
    figures = []
    for figure in _measure(options):
        print(figure, flush=True)
        figures.append(figure)
    print_table(figures)
    print("written:", keep(figures))


def _measure(options: argparse.Namespace) -> Iterator[Figure]:
    parts = options.parts or ["queue", "workers"]
    for engine in options.engine or ENGINES:
        for part in parts:
            with serve(engine) as server:
                if part == "workers":
                    yield from workers.run(server, options.keys)
                else:
                    yield from queue.run(DatabaseSettings.from_environment(server.environment()), engine, options.rows)


if __name__ == "__main__":
    main()
