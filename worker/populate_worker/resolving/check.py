"""What the server says to a query before it runs: the only parser that knows its SQL."""

from __future__ import annotations

from collections.abc import Callable

from populate_jobs import Connection
from populate_jobs.errors import Contended, DatabaseError, DatabaseUnreachable, MissingGrant, ResolveRefused


def check(connection: Connection, query: str, refusal: Callable[[DatabaseError], ResolveRefused]) -> None:
    """Raises the refusal of the server's error, unless that is none of the query's doing."""
    try:
        _parse(connection, query)
    except (DatabaseUnreachable, MissingGrant, Contended):
        raise
    except DatabaseError as error:
        raise refusal(error) from error


def _parse(connection: Connection, query: str) -> None:
    """LIMIT 0 does not keep MySQL from running an aggregate in a derived table; PREPARE runs nothing."""
    if connection.backend == "mysql":
        connection.execute("PREPARE populate_check FROM %s", [query])
        connection.execute("DEALLOCATE PREPARE populate_check")
    else:
        connection.execute(f"SELECT 1 FROM ({query.replace('%', '%%')}) AS k LIMIT 0")
