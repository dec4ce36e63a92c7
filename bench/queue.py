"""The queue at a million rows: refresh beside a bare INSERT, reserve under contention, observation."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

from populate_jobs import Connection, DatabaseSettings, JobsTable, Look, look, probe, refresh

from . import reservers
from .report import Figure, alone, beside
from .tables import COMPOSITE, SINGLE, Bench

PERCENT = {SINGLE: "item % 100 = {}", COMPOSITE: "session = {}"}
KEYS = {SINGLE: "single", COMPOSITE: "composite"}


def run(settings: DatabaseSettings, engine: str, rows: int) -> Iterator[Figure]:
    for key in (SINGLE, COMPOSITE):
        bench = Bench(settings, engine, f"bench_queue_{KEYS[key]}", key)
        try:
            yield from _measure(bench, rows)
        finally:
            bench.drop()


def _measure(bench: Bench, rows: int) -> Iterator[Figure]:
    jobs = bench.table()
    probe(jobs)
    yield from _observation(bench, jobs, rows)
    yield from _refresh(bench, jobs, rows)
    yield from _contention(bench)
    yield from _refresh_among_reservers(bench, jobs, rows)


def _observation(bench: Bench, jobs: JobsTable, rows: int) -> Iterator[Figure]:
    """What scaling asks (no more than 200 rows could change its answer), at a thousand rows and at all of them."""
    connection = jobs.connection
    question = [Look(jobs.document, 200)]
    bench.fill(connection, 1_000)
    refresh(jobs)
    small = _median(lambda: look(connection, question))
    bench.fill(connection, rows - 1_000, first=1_000)
    refresh(jobs)
    large = _median(lambda: look(connection, question))
    yield beside(f"ready_{KEYS[bench.key]}", bench.engine, 1, large, small, "<= 2.0")
    connection.execute(f"DELETE FROM {bench.jobs.full_table_name}")


def _refresh(bench: Bench, jobs: JobsTable, rows: int) -> Iterator[Figure]:
    """Alternating with the peer, and the best of each: the machine has other things to do."""
    engine, kind = bench.engine, KEYS[bench.key]
    ours, bare = [], []
    for _ in range(2):
        bare.append(_bare_insert(bench, jobs))
        _settle(jobs.connection, bench.jobs.full_table_name)
        start = time.monotonic()
        added = refresh(jobs).added
        ours.append(time.monotonic() - start)
        if added != rows:
            raise RuntimeError(f"refresh added {added} of {rows} keys")
        _clear(jobs.connection, bench.jobs.full_table_name)
    yield beside(f"refresh_new_{kind}", engine, 1, min(ours), min(bare), "<= 2.0")
    refresh(jobs)
    anti_join = jobs.sql("new_keys")
    idle = [(_seconds(lambda: jobs.connection.execute(anti_join)), _seconds(lambda: refresh(jobs))) for _ in range(3)]
    bare_idle, ours_idle = min(pair[0] for pair in idle), min(pair[1] for pair in idle)
    yield beside(f"refresh_nothing_new_{kind}", engine, 1, ours_idle, bare_idle, "<= 1.5")


def _bare_insert(bench: Bench, jobs: JobsTable) -> float:
    """Seconds of one INSERT ... SELECT of the same rows into an empty table like the jobs table."""
    copy = bench.jobs.full_table_name.replace("~~", "bare_")
    mysql = bench.settings.backend == "mysql"
    like = f"LIKE {bench.jobs.full_table_name}" if mysql else f"(LIKE {bench.jobs.full_table_name} INCLUDING ALL)"
    connection = jobs.connection
    connection.execute(f"CREATE TABLE {copy} {like}")
    key = ", ".join(map(jobs.quoted, jobs.attributes))
    insert = (
        f"INSERT INTO {copy} ({key}, status, priority, scheduled_time) "
        f"SELECT {key}, 'pending', 5, CURRENT_TIMESTAMP(3) FROM {bench.parent.full_table_name}"
    )
    try:
        return _seconds(lambda: connection.execute(insert))
    finally:
        connection.execute(f"DROP TABLE {copy}")


def _contention(bench: Bench) -> Iterator[Figure]:
    """Sixteen processes reserve sixteen keys each, again and again, as often as workers that make 64 keys a second.

    What they reserve they give back, so that there are always as many; but for `drained`, where a restriction of one
    percent comes to its last half and the rows of others that it passes over grow more and more.
    """
    engine, kind = bench.engine, KEYS[bench.key]
    everything, one, other, third = (bench.document(text) for text in ("", *map(PERCENT[bench.key].format, (7, 8, 9))))
    for name, documents, give_back, limit in (
        ("unrestricted", [everything] * 16, True, 10),
        ("one_percent", [one] * 16, True, 10),
        ("two_populatejobs", [one] * 8 + [other] * 8, True, 10),
        ("one_percent_drained", [third] * 16, False, 50),
    ):
        seconds = reservers.measure(bench.settings, documents, n=16, rounds=20, pause=0.25, give_back=give_back)
        median = 1000 * reservers.quantile(seconds, 50)
        yield alone(f"reserve_16_{name}_{kind}_ms", engine, 16, median, f"<= {limit}")


def _refresh_among_reservers(bench: Bench, jobs: JobsTable, rows: int) -> Iterator[Figure]:
    """99th percentile of reserve while a million rows are added, as urgent as those there are or more so."""
    engine, kind = bench.engine, KEYS[bench.key]
    parent, connection = bench.parent.full_table_name, jobs.connection
    column = jobs.quoted(jobs.attributes[0])
    for name, priority, limit in (("equal", 5, "<= 100"), ("urgent", 1, "<= 300")):
        _clear(connection, bench.jobs.full_table_name)
        connection.execute(f"DELETE FROM {parent} WHERE {column} >= {30_000 if bench.key == SINGLE else 300}")
        refresh(jobs)
        bench.fill(connection, rows - 30_000, first=30_000)
        _settle(connection, parent)
        seconds = reservers.measure(
            bench.settings,
            [bench.document()] * 4,
            n=4,
            pause=0.02,
            during=functools.partial(refresh, jobs, priority=priority),
        )
        yield alone(f"reserve_p99_among_{name}_{kind}_ms", engine, 4, 1000 * reservers.quantile(seconds, 99), limit)


def _clear(connection: Connection, table: str) -> None:
    connection.execute(f"TRUNCATE TABLE {table}")


def _settle(connection: Connection, table: str) -> None:
    """Fresh statistics, so that neither side is measured on a bad plan."""
    mysql = connection.backend == "mysql"
    connection.execute(f"ANALYZE TABLE {table}" if mysql else f"ANALYZE {table}")


def _seconds(work: Callable[[], Any]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def _median(work: Callable[[], Any]) -> float:
    return sorted(_seconds(work) for _ in range(200))[100]
