"""Ten broken PopulateJobs among a hundred good ones: what the good ones notice."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterator, Sequence

from tests.cluster import borrow
from tests.servers import Server, serve

from .report import Figure, alone, beside
from .site import ROWS, Site, operator, site, until

GOOD = 100
ROUNDS = 5
SETTLING_SECONDS = 20.0
SILENT, CLOSED = ("192.0.2.1", 3306), ("127.0.0.1", 9)
"""Where no server is: one address never answers, the other refuses at once."""
FOREVER = {
    "mysql": "SELECT item FROM {parent} WHERE SLEEP(30) = 0",
    "postgresql": "SELECT item FROM {parent} WHERE pg_sleep(30)::text = ''",
}


def run(engine: str) -> Iterator[Figure]:
    with borrow() as cluster, serve(engine) as server, site(cluster.kubeconfig, server) as place:
        good = place.tables(GOOD)
        place.create(good, place.login("datajoint", server), scaling={"maxWorkers": 0})
        jobs = [document.jobs for document in good.values()]
        with operator(cluster.kubeconfig, place.namespace):
            until(lambda: place.settled() == GOOD, "the good ones are up to date")
            by_themselves, edits_alone = _rounds(place, jobs, first=ROWS), _edits(place, list(good)[:50])
        # While there is no operator: one that saw them before their documents would resolve them anew.
        broken = _break(place, server)
        with operator(cluster.kubeconfig, place.namespace):
            time.sleep(SETTLING_SECONDS)
            among, edits_among = _rounds(place, jobs, first=ROWS + ROUNDS), _edits(place, list(good)[50:])
            seen = sum(_is_refused(place, name) for name in broken)
    yield alone("broken_seen", engine, 0, seen, f">= {len(broken)}")
    for name, ours, peer in (("new_row", among, by_themselves), ("edit", edits_among, edits_alone)):
        yield beside(f"broken_{name}_median_s", engine, 0, statistics.median(ours), statistics.median(peer), "<= 1.5")
        yield beside(f"broken_{name}_p95_s", engine, 0, _p95(ours), _p95(peer), "<= 1.5")
        yield beside(f"broken_{name}_longest_s", engine, 0, max(ours), max(peer), "<= 2")


def _break(place: Site, server: Server) -> list[str]:
    """Four without an image, three without a database, three whose SQL fails or never ends on the login of the good."""
    images = [f"no-image-{number}" for number in range(4)]
    place.apply([place.populatejob(name, "bench.T0", worker={"image": "registry.example/none:1"}) for name in images])
    away = {"silent-a": SILENT, "silent-b": SILENT, "closed": CLOSED}
    for name, (host, port) in away.items():
        settings = place.login(name, dataclasses.replace(server, host=host, port=port))
        reference = {"secretRef": {"name": name}}
        place.create({name: place.table(name.replace("-", "_"))}, settings, database=reference)
    sources = {
        "fails": f"SELECT item FROM {place.parent} WHERE item = (SELECT item FROM {place.parent})",
        "no-table": "SELECT item FROM nowhere.parent",
        "forever": FOREVER[server.backend].format(parent=place.parent),
    }
    settings = place.login("datajoint", server)
    for name, source in sources.items():
        table = place.table(name.replace("-", "_"))
        place.create({name: dataclasses.replace(table, key_source=source, restricted_key_source=source)}, settings)
    return [*images, *away, *sources]


def _rounds(place: Site, jobs: Sequence[str], first: int) -> list[float]:
    """Seconds from a new row upstream to its key in the queue, for each of the good ones, several times."""
    return [seconds for item in range(first, first + ROUNDS) for seconds in _new_row(place, jobs, item)]


def _new_row(place: Site, jobs: Sequence[str], item: int) -> list[float]:
    place.server.execute(f"INSERT INTO {place.parent} (item) VALUES ({item})")
    start, seconds = time.monotonic(), dict[int, float]()

    def all_are_queued() -> bool:
        waiting = (number for number in range(len(jobs)) if number not in seconds)
        asked = " UNION ALL ".join(f"SELECT {number} FROM {jobs[number]} WHERE item = {item}" for number in waiting)
        seconds.update({number: time.monotonic() - start for (number,) in place.server.execute(asked)})
        return len(seconds) == len(jobs)

    until(all_are_queued, "the new row is in all queues")
    return list(seconds.values())


def _edits(place: Site, names: Sequence[str]) -> list[float]:
    return [place.edit_seconds(name) for name in names]


def _is_refused(place: Site, name: str) -> bool:
    conditions = place.api.get("populatejobs", place.namespace, name).get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "False" for condition in conditions)


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20, method="inclusive")[-1]
