"""A table that somebody names as `schema.table`, described without the pipeline's code, from the database itself.

Such a document has the keys that are queued or made for its key_source: enough to count, to show errors and to decide
about rows, not to refresh.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from populate_jobs import Attribute, Connection, ResolveDocument, ServerIdentity
from populate_jobs.document import PROTOCOL
from populate_jobs.errors import PopulateError

_JOBS = "~~"
_TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name LIKE '~~%%'"
_TARGETS = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_name IN (%s, %s, %s)"
_PRIMARY_KEY = """
    SELECT c.column_name, c.data_type
      FROM information_schema.table_constraints AS t
      JOIN information_schema.key_column_usage AS k
        ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema AND k.table_name = t.table_name
      JOIN information_schema.columns AS c
        ON c.table_schema = k.table_schema AND c.table_name = k.table_name AND c.column_name = k.column_name
     WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = %s AND t.table_name = %s
     ORDER BY k.ordinal_position
"""


class NoSuchTable(PopulateError):
    """The database has no queue of that name; the message lists those it has."""


def describe(connection: Connection, name: str) -> ResolveDocument:
    """`name` is `schema.heart_rate` or `schema.HeartRate`. Raises NoSuchTable with what there is instead."""
    schema, _, table = name.rpartition(".")
    base = _base(table)
    known = {(str(schema), str(table)) for schema, table in connection.execute(_TABLES).rows}
    if (schema, _JOBS + base) not in known:
        raise NoSuchTable(_no_queue(schema, base, known))
    key = tuple(_attribute(*row) for row in connection.execute(_PRIMARY_KEY, [schema, _JOBS + base]).rows)
    quoted = _Quotes(connection.backend)
    target, jobs = quoted(schema, _target(connection, schema, base)), quoted(schema, _JOBS + base)
    columns = ", ".join(quoted(attribute.name) for attribute in key)
    keys = f"SELECT {columns} FROM {jobs} UNION SELECT {columns} FROM {target}"
    return ResolveDocument(
        protocol=PROTOCOL,
        table=name,
        backend=connection.backend,
        schema=schema,
        target=target,
        jobs=jobs,
        primary_key=key,
        key_source=keys,
        restricted_key_source=keys,
        restriction="",
        upstream=(),
        server=ServerIdentity(connection.version, "", ""),
        versions={},
    )


class _Quotes:
    def __init__(self, backend: str) -> None:
        self._quote = "`" if backend == "mysql" else '"'

    def __call__(self, *names: str) -> str:
        quote = self._quote
        return ".".join(quote + name.replace(quote, quote * 2) + quote for name in names)


def _base(table: str) -> str:
    """`heart_rate` for that, its class name, or its name in the database."""
    plain = table.lstrip("_~")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower() if plain != plain.lower() else plain


def _target(connection: Connection, schema: str, base: str) -> str:
    rows = connection.execute(_TARGETS, [schema, base, f"_{base}", f"__{base}"]).rows
    if not rows:
        raise NoSuchTable(f"{schema} has a queue for {base}, but the table itself is gone")
    return str(rows[0][0])


def _attribute(name: str, kind: str) -> Attribute:
    """On MySQL a uuid is `binary`: nothing else of that type can be in a key that DataJoint queues."""
    return Attribute(str(name), "uuid" if kind in ("binary", "uuid") else str(kind))


def _no_queue(schema: str, base: str, known: Iterable[tuple[str, str]]) -> str:
    names = [f"{found}.{table.removeprefix(_JOBS)}" for found, table in sorted(known)]
    close = difflib.get_close_matches(f"{schema}.{base}", names, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    there = f"; queued tables: {', '.join(names[:20])}" if names else "; no table here has one"
    return f"{schema}.{base} has no queue{meant}{there}" if schema else f"{base}: name it as schema.table{meant}{there}"
