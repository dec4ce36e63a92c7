"""Statements as the server counts them, BEGIN and COMMIT included."""

from __future__ import annotations

from tests.servers import Server


def prepare(server: Server) -> None:
    """Makes a server of our own count; PostgreSQL needs an extension loaded at start."""
    if server.backend == "postgresql":
        server.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        server.restart()
        server.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


def count(server: Server) -> int:
    if server.backend == "postgresql":
        return int(server.execute("SELECT sum(calls) FROM pg_stat_statements")[0][0])
    return int(server.execute("SHOW GLOBAL STATUS LIKE 'Questions'")[0][1])
