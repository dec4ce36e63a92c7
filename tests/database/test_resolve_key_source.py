"""Every kind of key_source, compiled: its SQL gives the rows that DataJoint's own expression gives."""

import time
from collections.abc import Iterator
from types import ModuleType

import datajoint as dj
import pytest
from populate_jobs import Connection, ResolveDocument, connect
from populate_worker.resolving.describe import Request, describe

from tests.database import pipelines
from tests.database.pipeline import settings
from tests.servers import Server

PERCENT = "session like '50%' or session in ('it''s late', 'a:b')"
KINDS = {
    "HeartRate": (PERCENT, ["session"]),
    "Renamed": ("later < 3 and earlier > later", ["session", "subject"]),
    "Joined": (PERCENT, ["session", "visit"]),
    "Filtered": (PERCENT, ["session", "subject"]),
    "Aggregated": ("subject_id > 1", ["__heart_rate", "__heart_rate__beat", "session", "subject"]),
    "Grouped": ("subject_id > 1", ["session", "subject"]),
    "Universal": ("subject_id > 1", ["session"]),
    "United": (PERCENT, ["session", "visit"]),
    "Given": (PERCENT, ["visit"]),
    "Calculated": ("subject_id > 3", ["session"]),
    "Newest": ("subject_id > 3", ["session"]),
}
"""Computed table to a restriction and the tables that its key_source reads."""


@pytest.fixture(scope="module")
def lab(server: Server, schema_name: str) -> Iterator[ModuleType]:
    connection = pipelines.connect(server)
    yield pipelines.load("lab", f"{schema_name}_lab", connection)
    connection.close()


@pytest.fixture(scope="module")
def queue(server: Server) -> Iterator[Connection]:
    connection = connect(settings(server), name="test")
    yield connection
    connection.close()


def rows(queue: Connection, document: ResolveDocument, sql: str) -> list[tuple]:
    columns = ", ".join(attribute.name for attribute in document.primary_key)
    return sorted(queue.execute(f"SELECT {columns} FROM ({sql.replace('%', '%%')}) AS k").rows)


def datajoint_rows(expression, document: ResolveDocument) -> list[tuple]:
    found = [tuple(key[attribute.name] for attribute in document.primary_key) for key in expression]
    return sorted(found)


def key_source(table):
    source = table().key_source
    return source() if isinstance(source, type) else source


@pytest.mark.parametrize("name", KINDS)
def test_compiled_key_source_gives_the_rows_of_datajoint(lab, queue, name):
    table, (restriction, _) = getattr(lab, name), KINDS[name]
    document = describe(table, Request(name, restriction), queue)
    everything = rows(queue, document, document.key_source)
    assert everything == datajoint_rows(key_source(table), document)
    some = rows(queue, document, document.restricted_key_source)
    assert some == datajoint_rows(key_source(table) & restriction, document)
    assert 0 < len(some) < len(everything)


@pytest.mark.parametrize("name", KINDS)
def test_upstream_names_the_tables_that_key_source_reads(lab, queue, name):
    adapter, schema = lab.schema.connection.adapter, lab.schema.database
    expected = {adapter.make_full_table_name(schema, table) for table in KINDS[name][1]}
    assert set(describe(getattr(lab, name), Request(name), queue).upstream) == expected


@pytest.mark.parametrize("name", KINDS)
def test_the_restriction_stands_where_datajoint_puts_it(lab, queue, name):
    table, (restriction, _) = getattr(lab, name), KINDS[name]
    document = describe(table, Request(name, restriction), queue)
    theirs = (key_source(table) & restriction).proj().make_sql() % ()
    assert shape(document.restricted_key_source, lab) == shape(theirs.replace(f" ({restriction})", restriction), lab)


def shape(sql: str, lab) -> str:
    """Without the numbers of subquery aliases, which count up."""
    quote = lab.schema.connection.adapter.quote_identifier("x")[0]
    parts = sql.split(f" as {quote}")
    return " as ".join([parts[0], *(part.split(quote, 1)[1] for part in parts[1:] if part[0] in "$_")])


def test_a_slow_key_source_is_not_run(lab, queue, monkeypatch):
    slow = "max(sleep(30))" if queue.backend == "mysql" else "max((pg_sleep(30) is null)::int)"
    source = lab.Session * dj.U().aggr(lab.Subject, slow=slow)
    monkeypatch.setattr(lab.HeartRate, "key_source", property(lambda table: source))
    began = time.monotonic()
    assert "sleep(30)" in describe(lab.HeartRate, Request("lab.HeartRate", PERCENT), queue).restricted_key_source
    assert time.monotonic() - began < 30


def test_the_document_names_everything(lab, queue, server):
    document = describe(lab.HeartRate, Request("lab.HeartRate"), queue)
    quote = lab.schema.connection.adapter.quote_identifier
    schema = lab.schema.database
    assert document.table == "lab.HeartRate"
    assert (document.backend, document.schema) == (server.backend, schema)
    assert document.target == f"{quote(schema)}.{quote('__heart_rate')}"
    assert document.jobs == f"{quote(schema)}.{quote('~~heart_rate')}"
    assert [attribute.name for attribute in document.primary_key] == ["subject_id", "session"]
    assert document.primary_key[1].type == "varchar(30)"
    assert document.restriction == ""
    assert document.restricted_key_source == document.key_source
    assert document.versions.keys() >= {"datajoint", "python"}
    assert document.warnings == ()
    assert ResolveDocument.from_json(document.to_json()) == document
