"""Tables to measure on: a parent with many keys and a computed table, declared by DataJoint itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import datajoint as dj
from datajoint.condition import make_condition
from populate_jobs import Attribute, Connection, DatabaseSettings, JobsTable, ResolveDocument, ServerIdentity, connect
from populate_jobs.document import PROTOCOL

SINGLE = "item : int32"
COMPOSITE = "subject : int32\n    session : int32"

_NUMBERS = {
    "mysql": """
        SELECT d0.n + 10 * d1.n + 100 * d2.n + 1000 * d3.n + 10000 * d4.n + 100000 * d5.n AS n
        FROM {digits} AS d0, {digits} AS d1, {digits} AS d2, {digits} AS d3, {digits} AS d4, {digits} AS d5""",
    "postgresql": "SELECT n FROM generate_series(0, 999999) AS n",
}
_DIGITS = "(" + " UNION ALL ".join(f"SELECT {n} AS n" for n in range(10)) + ")"


class Bench:
    """A schema of its own on one server, with the tables in it."""

    def __init__(self, settings: DatabaseSettings, engine: str, schema: str, key: str = SINGLE) -> None:
        self.settings = settings
        self.engine = engine
        self.key = key
        self.instance = dj.Instance(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            backend=settings.backend,
            database__name=settings.database or None,
        )
        self.schema = self.instance.Schema(schema)
        self.parent, self.target = _declare(self.schema, key)
        self.jobs = self.target().jobs

    def connect(self) -> Connection:
        return connect(self.settings, name="bench")

    def table(self, restriction: str = "") -> JobsTable:
        return JobsTable(self.connect(), self.document(restriction))

    def document(self, restriction: str = "") -> ResolveDocument:
        source = self.target().key_source
        unrestricted = _plain((source).proj().make_sql())
        document = ResolveDocument(
            protocol=PROTOCOL,
            table="bench.Target",
            backend=self.settings.backend,
            schema=self.schema.database,
            target=self.target.full_table_name,
            jobs=self.jobs.full_table_name,
            primary_key=tuple(Attribute(name, "int32") for name in self.jobs.primary_key),
            key_source=unrestricted,
            restricted_key_source=unrestricted,
            restriction="",
            upstream=(self.parent.full_table_name,),
            server=ServerIdentity("", "", ""),
            versions={},
        )
        if not restriction:
            return document
        return replace(
            document,
            restricted_key_source=_plain((source & restriction).proj().make_sql()),
            restriction=_plain(str(make_condition(source, restriction, set()))),
        )

    def fill(self, connection: Connection, count: int, first: int = 0) -> None:
        """Puts `count` keys into the parent, from number `first` on; composite keys get 100 sessions a subject."""
        numbers = _NUMBERS[self.settings.backend].replace("{digits}", _DIGITS)
        columns = "n" if self.key == SINGLE else "floor(n / 100), mod(n, 100)"
        connection.execute(
            f"INSERT INTO {self.parent.full_table_name} SELECT {columns} FROM ({numbers}) AS numbers "
            f"WHERE n >= {first} AND n < {first + count}"
        )

    def empty(self, connection: Connection) -> None:
        for name in (self.jobs.full_table_name, self.target.full_table_name, self.parent.full_table_name):
            connection.execute(f"DELETE FROM {name}")

    def drop(self) -> None:
        self.schema.drop(prompt=False)
        self.instance.connection.close()


def _declare(schema: Any, key: str) -> tuple[Any, Any]:
    parent = type(
        "Parent",
        (dj.Manual,),
        {
            "definition": f"""
    {key}
    """
        },
    )
    target = type(
        "Target",
        (dj.Computed,),
        {
            "definition": """
    -> Parent
    ---
    value : int32
    """,
            "make": lambda self, key: self.insert1({**key, "value": 1}),
        },
    )
    context = {"Parent": parent}
    return schema(parent, context=context), schema(target, context=context)


def _plain(sql: str) -> str:
    return sql.replace("%%", "%")
