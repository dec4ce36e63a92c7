"""Logins with fewer rights than the administrator has."""

import contextlib
import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any, Protocol

from tests.database.pipeline import Login
from tests.servers import Server
from tests.servers.server import drop_database

PASSWORD = "fewer-rights"
WORKER_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


class Pipeline(Protocol):
    """A schema on a server, as its administrator sees it."""

    server: Server
    schema: str

    def quoted(self, name: str) -> str: ...
    def execute(self, sql: str) -> list[tuple[Any, ...]]: ...


@contextlib.contextmanager
def user(pipeline: Pipeline, rights: str = WORKER_RIGHTS, *, on: str = "") -> Iterator[Login]:
    """A new user with these rights on one table, or on all that are in the pipeline's schema now, and no others."""
    name = f"user_{uuid.uuid4().hex[:8]}"
    with _created(pipeline, name) as account:
        if pipeline.server.backend == "mysql":
            place = on or f"{pipeline.quoted(pipeline.schema)}.*"
        else:
            place = on or f"ALL TABLES IN SCHEMA {pipeline.schema}"
            pipeline.execute(f"GRANT USAGE ON SCHEMA {pipeline.schema} TO {account}")
        if rights:
            pipeline.execute(f"GRANT {rights} ON {place} TO {account}")
        yield {"user": name, "password": PASSWORD}


@contextlib.contextmanager
def _created(pipeline: Pipeline, name: str) -> Iterator[str]:
    if pipeline.server.backend == "mysql":
        pipeline.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{PASSWORD}'")
        yield f"'{name}'@'%'"
        pipeline.execute(f"DROP USER '{name}'@'%'")
    else:
        pipeline.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        yield name
        pipeline.execute(f"DROP OWNED BY {name}")
        pipeline.execute(f"DROP ROLE {name}")


@contextlib.contextmanager
def without_temporary_tables(server: Server) -> Iterator[Server]:
    """The server with a database whose users may not make temporary tables; on MySQL they may not anyway."""
    if server.backend == "mysql":
        yield server
        return
    database = f"populate_{uuid.uuid4().hex[:8]}"
    server.execute(f"CREATE DATABASE {database}")
    server.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC")
    yield dataclasses.replace(server, database=database)
    drop_database(server, database)
