"""The resolve document of a class: what it means in the database it is connected to."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import datajoint as dj
from datajoint.errors import DataJointError
from populate_jobs import Attribute, Connection, ResolveDocument
from populate_jobs.document import PROTOCOL
from populate_jobs.errors import DatabaseError, ResolveRefused

from .check import check
from .expressions import key_source, restricted, select, tables_read
from .jobs_table import declare
from .restriction import Compiler
from .server import identify


@dataclass(frozen=True)
class Request:
    """What of a PopulateJob's spec concerns the database."""

    table: str
    restriction: str = ""
    restrict_by: Sequence[Any] = ()


def describe(table: type[Any], request: Request, connection: Connection) -> ResolveDocument:
    """Declares the jobs table where it is missing; raises ResolveRefused or a DatabaseError."""
    target = table()
    _refuse_other_server(target.connection, connection)
    jobs, attributes = declare(target, request.table)
    try:
        everything, some, restriction = _compile(target, jobs, attributes, request, connection)
    except DataJointError as error:
        raise ResolveRefused("KeySourceInvalid", f"key_source of {request.table}: {error}") from error
    server, warnings = identify(connection, datetime.datetime.now(datetime.timezone.utc))
    return ResolveDocument(
        protocol=PROTOCOL,
        table=request.table,
        backend=connection.backend,
        schema=target.database,
        target=target.full_table_name,
        jobs=jobs.full_table_name,
        primary_key=attributes,
        key_source=everything,
        restricted_key_source=some,
        restriction=restriction,
        upstream=tables_read(some, target.adapter),
        server=server,
        versions=_versions(),
        warnings=(*_granularity(target, attributes), *warnings),
    )


def _compile(
    target: Any, jobs: Any, attributes: Sequence[Attribute], request: Request, connection: Connection
) -> tuple[str, str, str]:
    """key_source without and with the restriction, and the restriction alone; the server has parsed all three."""
    names = [attribute.name for attribute in attributes]
    keys = key_source(target, request.table, names)
    everything = select(keys, names)
    check(connection, everything, _refused("KeySourceInvalid", f"key_source of {request.table}", everything))
    compiler = Compiler(request.table, keys, jobs.full_table_name, attributes, connection)
    conditions = compiler.conditions(request.restriction, request.restrict_by)
    if not conditions:
        return everything, everything, ""
    some = select(restricted(keys, conditions), names)
    check(connection, some, _refused("RestrictionInvalid", f"the restricted key_source of {request.table}", some))
    return everything, some, " AND ".join(f"({condition})" for condition in conditions)


def _refuse_other_server(theirs: Any, ours: Connection) -> None:
    """The lab's code may connect elsewhere than DJ_* says; names of one server may differ, so the servers are asked."""
    told = (ours.settings.host, ours.settings.port, ours.settings.database)
    found = (theirs.conn_info["host"], theirs.conn_info["port"], theirs.conn_info["database_name"] or "")
    if found == told:
        return
    sql = _WHERE[ours.backend]
    if theirs.adapter.backend != ours.backend or list(theirs.query(sql).fetchall()) != ours.execute(sql).rows:
        raise ResolveRefused(
            "OtherDatabase",
            f"the class is connected to {found[0]}:{found[1]} {found[2]}, and the PopulateJob names "
            f"{told[0]}:{told[1]} {told[2]}: leave host and database to the DJ_* variables in the class's module",
        )


_WHERE = {
    "mysql": "SELECT @@hostname, @@port, @@datadir",
    "postgresql": "SELECT pg_postmaster_start_time(), current_database()",
}


def _refused(reason: str, what: str, sql: str) -> Callable[[DatabaseError], ResolveRefused]:
    return lambda error: ResolveRefused(reason, f"the server refuses {what}: {error}; the SQL is {sql}")


def _granularity(target: Any, attributes: Sequence[Attribute]) -> list[str]:
    names = [attribute.name for attribute in attributes]
    extra = [name for name in target.primary_key if name not in names]
    if not extra:
        return []
    return [
        f"{', '.join(extra)} of the primary key come from no foreign key: a job is a "
        f"({', '.join(names)}), and one make inserts all its rows"
    ]


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "datajoint": dj.__version__}
    try:
        return {**found, "populate": metadata.version("populate-operator")}
    except metadata.PackageNotFoundError:  # run from a checkout
        return found
