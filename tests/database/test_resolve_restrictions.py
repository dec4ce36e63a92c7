"""Restrictions of every kind: the same keys as DataJoint's own, in key_source and in the jobs table."""

from collections.abc import Iterator
from types import ModuleType

import datajoint as dj
import pytest
from populate_jobs import Connection, ResolveDocument, connect
from populate_worker.resolving.describe import Request, describe

from tests.database import pipelines
from tests.database.pipeline import settings
from tests.database.pipelines.keys import TYPES, names
from tests.servers import Server


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[dj.Connection]:
    connection = pipelines.connect(server)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def queue(server: Server) -> Iterator[Connection]:
    connection = connect(settings(server), name="test")
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def lab(connection: dj.Connection, schema_name: str) -> ModuleType:
    module = pipelines.load("lab", f"{schema_name}_lab", connection)
    for table in (module.HeartRate, module.Renamed):
        table.jobs.refresh()
    return module


@pytest.fixture(scope="module")
def keys(connection: dj.Connection, schema_name: str) -> ModuleType:
    module = pipelines.load("keys", f"{schema_name}_keys", connection)
    for name in (*names(connection.adapter.backend), "all"):
        getattr(module, f"{name.capitalize()}Made").jobs.refresh()
    return module


class Rows:
    """What a restriction selects, by either of its forms."""

    def __init__(self, queue: Connection, document: ResolveDocument) -> None:
        self._queue = queue
        quote = "`" if document.backend == "mysql" else '"'
        self._columns = ", ".join(f"{quote}{attribute.name}{quote}" for attribute in document.primary_key)
        self.in_key_source = self._select(f"({document.restricted_key_source}) AS k")
        self.in_jobs = self._select(f"{document.jobs} WHERE status = 'pending' AND ({document.restriction})")

    def _select(self, source: str) -> list[tuple]:
        return sorted(self._queue.execute(f"SELECT {self._columns} FROM {source}".replace("%", "%%")).rows)


def selected(queue: Connection, table, restriction: str = "", restrict_by=()) -> list[tuple]:
    found = Rows(queue, describe(table, Request(table.__name__, restriction, restrict_by), queue))
    assert found.in_jobs == found.in_key_source
    return found.in_key_source


def datajoint_rows(table, *restrictions) -> list[tuple]:
    return sorted(tuple(key.values()) for key in table().key_source & dj.AndList(restrictions))


@pytest.mark.parametrize(
    "restriction",
    [
        "subject_id < 3",
        "session like '50%'",
        "session like '%i%' and subject_id between 1 and 3",
        "session = 'it''s late'",
        "session = 'a:b' or session = ':session'",
        "session = 'say \"hi\"'",
        "session <> '%s' and session <> '%(name)s' and session <> '{key}'",
        "subject_id = 1 or subject_id = 2",
        "  subject_id = 1\n  or\n  subject_id = 83  \n",
    ],
)
def test_a_string_selects_what_datajoint_selects(lab, queue, restriction):
    found = selected(queue, lab.HeartRate, restriction)
    assert found == datajoint_rows(lab.HeartRate, restriction)
    assert len(found) > 0


@pytest.mark.parametrize(
    ("restriction", "count"),
    [("true", 8), ("subject_id = 1 is true", 3), ("case when subject_id = 2 then true else false end", 2)],
)
def test_sql_that_datajoints_parser_refuses_works_too(lab, queue, restriction, count):
    with pytest.raises(dj.DataJointError, match="not found in query"):
        datajoint_rows(lab.HeartRate, restriction)
    assert len(selected(queue, lab.HeartRate, restriction)) == count


def test_a_subquery_on_another_table_works_and_is_upstream(lab, queue):
    subject = f"{lab.schema.database}.subject"
    request = Request("lab.Joined", f"subject_id in (select subject_id from {subject} where weight > 30)")
    document = describe(lab.HeartRate, request, queue)
    assert Rows(queue, document).in_jobs == datajoint_rows(lab.HeartRate, lab.Subject & "weight > 30")
    assert lab.Subject.full_table_name in document.upstream


def test_renamed_foreign_keys_are_restricted_by_their_new_names(lab, queue):
    found = selected(queue, lab.Renamed, "earlier = 1", [{"key": {"later": 2, "session": "50% done"}}])
    assert found == [(2, 1, "50% done")]


@pytest.mark.parametrize(
    ("entries", "theirs"),
    [
        ([{"key": {"subject_id": 1}}], [{"subject_id": 1}]),
        ([{"key": {"subject_id": 1, "session": "50% done"}}], [{"subject_id": 1, "session": "50% done"}]),
        ([{"key": {"session": "it's late"}}], [{"session": "it's late"}]),
        ([{"key": {"session": "a:b"}}, {"key": {"subject_id": 2}}], [{"session": "a:b"}, {"subject_id": 2}]),
        ([{"key": {"session": "a:b"}}, {"key": {"subject_id": 1}}], [{"session": "a:b"}, {"subject_id": 1}]),
        ([{"anyOf": [{"subject_id": 1}, {"subject_id": 83}]}], [[{"subject_id": 1}, {"subject_id": 83}]]),
        (
            [{"anyOf": [{"subject_id": 83}, {"session": "first", "subject_id": 1}, {"session": "a:b"}]}],
            [[{"subject_id": 83}, {"session": "first", "subject_id": 1}, {"session": "a:b"}]],
        ),
        (
            [{"anyOf": [{"subject_id": 1}, {"subject_id": 2}]}, {"anyOf": [{"session": "first"}, {"session": "x"}]}],
            [[{"subject_id": 1}, {"subject_id": 2}], [{"session": "first"}, {"session": "x"}]],
        ),
    ],
)
def test_values_select_what_datajoint_selects(lab, queue, entries, theirs):
    assert selected(queue, lab.HeartRate, "", entries) == datajoint_rows(lab.HeartRate, *theirs)


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ("Subject", "weight > 22 and strain like '%wild%'"),
        ("Subject", "strain = '100% pure' or strain = 'it''s: new'"),
        ("Visit", "site = 1"),
        ("Visit", ""),
        ("Session", "status = 1"),
    ],
)
def test_secondary_attributes_of_another_table_select_what_datajoint_selects(lab, queue, table, where):
    other = getattr(lab, table)
    entry = {"table": f"{lab.__name__}.{table}"} | ({"where": where} if where else {})
    found = selected(queue, lab.HeartRate, "", [entry])
    assert found == datajoint_rows(lab.HeartRate, other & where if where else other())
    assert found


def test_all_kinds_together_all_hold(lab, queue):
    entries = [
        {"table": f"{lab.__name__}.Subject", "where": "weight < 30"},
        {"anyOf": [{"session": "first"}, {"session": "50% done"}]},
        {"key": {"subject_id": 1}},
    ]
    assert selected(queue, lab.HeartRate, "session like '5%'", entries) == [(1, "50% done")]


def as_value(value: object) -> object:
    return value if isinstance(value, (int, str)) else str(value)


def test_a_key_of_every_type_is_selected_by_value_and_only_it(keys, queue, server):
    for name in names(server.backend):
        table, values = getattr(keys, f"{name.capitalize()}Made"), TYPES[name][1]
        for value in values:
            ((found,),) = selected(queue, table, "", [{"key": {name: as_value(value)}}])
            assert found in (value, getattr(value, "bytes", None)), name
        alternatives = [{"anyOf": [{name: as_value(value)} for value in values]}]
        assert len(selected(queue, table, "", alternatives)) == len(values), name


def test_composite_keys_of_every_type_are_selected_by_value(keys, queue):
    rows = keys.All().to_dicts()
    for row in rows:
        given = {name: as_value(value) for name, value in row.items()}
        assert len(selected(queue, keys.AllMade, "", [{"key": given}])) == 1
    everything = [{"anyOf": [{name: as_value(value) for name, value in row.items()} for row in rows]}]
    assert len(selected(queue, keys.AllMade, "", everything)) == len(rows)
