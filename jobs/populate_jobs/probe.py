"""Can this server hold a queue, and may this user work on it? Asked once per connection, on the real table."""

from __future__ import annotations

import contextlib
import re

from .errors import DatabaseError, Duplicate, MissingGrant, ServerUnsuitable, TableMissing
from .table import JobsTable
from .types import Server

NEEDED = {"MySQL": (8, 0, 1), "MariaDB": (10, 6), "PostgreSQL": (9, 5)}


def probe(jobs: JobsTable) -> Server:
    """Reads with FOR UPDATE SKIP LOCKED; raises ServerUnsuitable, MissingGrant or TableMissing."""
    server = _server(jobs)
    needed = NEEDED[server.product]
    if _numbers(server.version) < needed:
        raise ServerUnsuitable(
            f"{server.product} {server.version} has no SKIP LOCKED; "
            f"{server.product} {'.'.join(map(str, needed))} or later is needed"
        )
    if jobs.connection.backend == "mysql":
        _refuse_statement_binlog(jobs)
        _find_due_index(jobs)
    _skip_locked(jobs)
    for statement in ("may_insert", "may_update", "may_delete", "may_read_target"):
        jobs.run(statement)
    return server


def install(jobs: JobsTable) -> None:
    """Makes the schema's attempts table, hidden from DataJoint by its name."""
    with contextlib.suppress(Duplicate):  # PostgreSQL: somebody else made it at the same moment
        jobs.run("install_attempts")


def _server(jobs: JobsTable) -> Server:
    version = jobs.connection.version
    if jobs.connection.backend == "postgresql":
        product = "PostgreSQL"
    else:
        product = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    return Server(product, version, jobs.connection.id)


def _numbers(version: str) -> tuple[int, ...]:
    # MariaDB may put a version for old replicas in front: 5.5.5-10.11.6-MariaDB.
    found = re.search(r"(\d+(?:\.\d+)+|\d+)", version.removeprefix("5.5.5-"))
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _refuse_statement_binlog(jobs: JobsTable) -> None:
    ((log_bin, log_format),) = jobs.run("describe_binlog").rows
    if str(log_bin) in ("1", "ON") and log_format == "STATEMENT":
        raise ServerUnsuitable(
            "the server writes its binary log with binlog_format=STATEMENT, which forbids READ COMMITTED; "
            "set binlog_format=ROW (or MIXED)"
        )


def _find_due_index(jobs: JobsTable) -> None:
    rows = jobs.run("due_index", [jobs.document.schema, jobs.name]).rows
    if not rows:
        raise TableMissing(
            f"{jobs.document.jobs} has no index on (status, priority, scheduled_time): "
            f"without it one worker locks every row; drop the table and let DataJoint declare it again"
        )
    jobs.use_due_index(str(rows[0][0]))


def _skip_locked(jobs: JobsTable) -> None:
    try:
        jobs.connection.atomically(lambda: jobs.run("probe"))
    except (MissingGrant, TableMissing):
        raise
    except DatabaseError as error:
        if error.code in (1064, "42601"):
            raise ServerUnsuitable(f"the server does not understand FOR UPDATE SKIP LOCKED: {error}") from error
        raise
