"""What resolve refuses where a real server has a say, each with its own reason and a message that says what to do."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import datajoint as dj
import pytest
from populate_jobs import Connection, connect
from populate_jobs.errors import MissingGrant, PopulateError, ResolveRefused
from populate_worker.resolving.describe import Request, describe
from populate_worker.resolving.refusals import as_refusal

from tests.database import pipelines
from tests.database.pipeline import settings
from tests.servers import Server, Unavailable, borrow


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
    return pipelines.load("lab", f"{schema_name}_lab", connection)


def refusal(table: Any, queue: Connection, restriction: str = "", restrict_by: Any = ()) -> ResolveRefused:
    with pytest.raises(PopulateError) as caught:
        describe(table, Request(f"lab.{table.__name__}", restriction, restrict_by), queue)
    return as_refusal(caught.value)


KEY = "it has subject_id, session"


@pytest.mark.parametrize(
    ("restriction", "message"),
    [
        ("weight > 30", f"restriction: there is no attribute weight in the key of lab.HeartRate; {KEY}"),
        ("subject = 1", f"no attribute subject in the key of lab.HeartRate (did you mean subject_id?); {KEY}"),
        ("status = 'pending'", f"no attribute status in the key of lab.HeartRate; {KEY}"),
        ("SUBJECTID = 1 and (session = 'a'", "restriction: "),
        ("subject_id = ", "restriction: the server refuses it: "),
        ("subject_id = 1) or (1 = 1", "restriction: the server refuses it: "),
        ("subject_id = 1 -- and so on", "restriction: the server refuses it: "),
        ("subject_id = 1; drop table x", "restriction: the server refuses it: "),
        ("subject_id = 1 limit 1", "restriction: the server refuses it: "),
        ("count(*) > 1", "restriction: the server refuses it: "),
        ("subject_id in (select subject_id from nowhere.nothing)", "restriction: the server refuses it: "),
    ],
)
def test_sql_that_does_not_hold_for_a_key_alone_is_refused(lab, queue, restriction, message):
    refused = refusal(lab.HeartRate, queue, restriction)
    assert refused.reason == "RestrictionInvalid"
    assert message in str(refused)


def test_columns_of_upstream_tables_do_not_leak_into_the_restriction(lab, queue):
    """`status` is a column of Session, which key_source reads, and of the jobs table, and means two things."""
    refused = refusal(lab.Given, queue, "", [{"key": {"status": 1}}])
    assert "restrictBy[0].key: there is no attribute status in the key of lab.Given" in str(refused)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([{"key": {"subjct": 1}}], "restrictBy[0].key: there is no attribute subjct in the key of lab.HeartRate (did"),
        ([{"key": {"subject_id": 1}}, {"key": {"session": 5}}], "restrictBy[1].key.session: 5 must be a string"),
        ([{"key": {"subject_id": "83"}}], "restrictBy[0].key.subject_id: '83' must be an integer"),
        ([{"key": {"session": "x" * 31}}], "at most 30 characters"),
        ([{"anyOf": [{"subject_id": 1}, {"subject_id": None}]}], "restrictBy[0].anyOf[1].subject_id: None must be"),
        ([{"anyOf": [{"subject_id": 1}, {}]}], "restrictBy[0].anyOf[1]: must give a value"),
        ([{"key": {}}], "restrictBy[0].key: must give a value"),
        ([{"anyOf": []}], "restrictBy[0]: must have exactly one of key, anyOf and table"),
        ([{"key": {"subject_id": 1}, "table": "lab.Subject"}], "restrictBy[0]: must have exactly one"),
        ([{"key": {"subject_id": 1}, "where": "true"}], "restrictBy[0]: must have exactly one"),
        ([{"keys": {"subject_id": 1}}], "restrictBy[0]: must have exactly one"),
        (["subject_id = 1"], "restrictBy[0]: must have exactly one"),
        (
            [{"table": "{lab}.Subject", "where": "weigth > 3"}],
            "(did you mean weight?); it has subject_id, weight, strain",
        ),
        ([{"table": "{lab}.Subject", "where": "weight >"}], "restrictBy[0].where: the server refuses it: "),
        ([{"table": "{lab}.Subject", "where": "true) or (true"}], "restrictBy[0].where: the server refuses it: "),
        (
            [{"table": "{lab}.Subject", "where": "session = 'a'"}],
            "restrictBy[0].where: there is no attribute session in",
        ),
        ([{"table": "{lab}.Subject", "where": 5}], "restrictBy[0].where: must be a string of SQL"),
        ([{"table": "{lab}.Unrelated"}], "shares no attribute with the key of lab.HeartRate (subject_id, session); it"),
    ],
)
def test_structured_terms_are_refused_with_field_value_and_what_is_allowed(lab, queue, entries, message):
    refused = refusal(lab.HeartRate, queue, "", json.loads(json.dumps(entries).replace("{lab}", lab.__name__)))
    assert refused.reason == "RestrictionInvalid"
    assert message in str(refused)


def test_a_restricting_table_that_does_not_import_is_refused_under_its_field(lab, queue):
    refused = refusal(lab.HeartRate, queue, "", [{"table": f"{lab.__name__}.Subjects"}])
    assert refused.reason == "TableNotFound"
    assert str(refused).startswith(f"restrictBy[0].table: {lab.__name__} has no Subjects")


def test_a_namesake_of_other_lineage_cannot_restrict(lab, queue, connection, schema_name):
    schema = dj.Schema(f"{schema_name}_other", connection=connection)
    lab.Patient = schema(type("Patient", (dj.Manual,), {"definition": "subject_id : int32"}), context={})
    refused = refusal(lab.HeartRate, queue, "", [{"table": f"{lab.__name__}.Patient"}])
    assert refused.reason == "RestrictionInvalid"
    assert "restrictBy[0].table: " in str(refused)
    assert "different lineages" in str(refused)


@pytest.mark.parametrize(
    ("key_source", "message"),
    [
        (lambda lab: 5, "key_source of lab.HeartRate is int, not a query"),
        (lambda lab: lab.Subject(), "lacks key attributes of the jobs table: session (it gives subject_id); join"),
        (lambda lab: lab.Session * lab.Unrelated, "has key attributes that the table lacks: colour; project them away"),
        (
            lambda lab: lab.Session & "nonsense > 1",
            "key_source of lab.HeartRate failed with DataJointError: Attribute `n",
        ),
        (
            lambda lab: lab.Session.proj(bad="no_such_function(subject_id)") & "bad > 1",
            "the server refuses key_source of",
        ),
        (lambda lab: lab.Session.proj(rest="mod(subject_id, 5 % 3)") & "rest > 1", "percent sign in an expression"),
    ],
)
def test_a_key_source_that_cannot_work_is_refused(lab, queue, monkeypatch, key_source, message):
    monkeypatch.setattr(lab.HeartRate, "key_source", property(lambda table: key_source(lab)))
    refused = refusal(lab.HeartRate, queue)
    assert refused.reason == "KeySourceInvalid"
    assert message in str(refused)


def test_a_key_source_that_raises_is_refused_with_its_traceback(lab, queue, monkeypatch):
    def broken(table):
        raise RuntimeError("no cohort today")

    monkeypatch.setattr(lab.HeartRate, "key_source", property(broken))
    refused = refusal(lab.HeartRate, queue)
    assert (refused.reason, str(refused)) == (
        "KeySourceInvalid",
        "key_source of lab.HeartRate failed with RuntimeError: no cohort today",
    )
    assert refused.traceback.endswith("RuntimeError: no cohort today")


def declare(connection: dj.Connection, schema: str, definition: str, **parents: str) -> Any:
    """A computed table whose parents are manual ones."""
    decorate = dj.Schema(schema, connection=connection)
    context: dict[str, Any] = {}
    for name, text in parents.items():
        context[name] = decorate(type(name, (dj.Manual,), {"definition": text}), context=dict(context))
    members = {"definition": definition, "make": lambda table, key: table.insert1(key)}
    with dj.config.override(jobs__allow_new_pk_fields_in_computed_tables=True):
        return decorate(type("Calc", (dj.Computed,), members), context=context)


def test_a_table_without_foreign_keys_in_its_primary_key_is_refused(connection, queue, schema_name):
    refused = refusal(declare(connection, f"{schema_name}_alone", "calc : int32"), queue)
    assert refused.reason == "JobsTableInvalid"
    assert "the primary key of lab.Calc has no foreign key" in str(refused)


def test_a_key_attribute_named_like_a_column_of_the_jobs_table_is_refused(connection, queue, schema_name):
    table = declare(connection, f"{schema_name}_named", "-> Scan", Scan="priority : int32")
    refused = refusal(table, queue)
    assert refused.reason == "KeyNameReserved"
    assert "key attribute priority of lab.Calc" in str(refused)


def test_a_native_key_attribute_is_warned_of_and_not_part_of_the_job(connection, queue, schema_name):
    table = declare(connection, f"{schema_name}_native", "-> Scan\ncell : int32", Scan="scan : int32")
    document = describe(table, Request("lab.Calc"), queue)
    assert [attribute.name for attribute in document.primary_key] == ["scan"]
    assert ["cell of the primary key come" in warning for warning in document.warnings] == [True]


def test_a_key_source_finer_than_the_job_gives_each_job_once(connection, queue, schema_name):
    parents = {"Scan": "scan : int32", "Cell": "-> Scan\ncell : int32"}
    table = declare(connection, f"{schema_name}_finer", "-> Scan\ncell : int32", **parents)
    cells = table.declaration_context["Cell"]
    cells.Scan = table.declaration_context["Scan"]
    cells.Scan.insert([{"scan": 1}, {"scan": 2}])
    cells.insert([{"scan": 1, "cell": 1}, {"scan": 1, "cell": 2}, {"scan": 2, "cell": 1}])
    type.__setattr__(table, "key_source", property(lambda table: cells()))
    document = describe(table, Request("lab.Calc", "scan < 5"), queue)
    assert sorted(queue.execute(document.restricted_key_source).rows) == [(1,), (2,)]


UNSUPPORTED = {
    "uuid": "uuid",
    "datetime": "timestamp",
    "enum('a','b')": "enum_",
    "bool": "boolean",
    "float64": "double",
}


def test_key_types_that_datajoint_cannot_queue_on_postgresql_are_refused(connection, queue, server, schema_name):
    for position, (type_, found) in enumerate(UNSUPPORTED.items()):
        table = declare(connection, f"{schema_name}_type{position}", "-> Scan", Scan=f"scan : {type_}")
        if server.backend == "mysql":
            assert describe(table, Request("lab.Calc"), queue).primary_key[0].name == "scan"
            continue
        refused = refusal(table, queue)
        assert refused.reason == "KeyTypeUnsupported"
        assert f"key attribute scan of lab.Calc is {found}" in str(refused)


def test_keys_of_single_precision_which_are_not_equal_to_what_is_read_of_them_are_refused(
    connection, queue, schema_name
):
    refused = refusal(declare(connection, f"{schema_name}_float", "-> Scan", Scan="contrast : float32"), queue)
    assert refused.reason == "KeyTypeUnsupported"
    assert "key attribute contrast of lab.Calc is" in str(refused)


OTHER = {
    "mariadb-10.11": "mysql-9",
    "mysql-9": "mariadb-10.11",
    "postgresql-15": "postgresql-18",
    "postgresql-18": "postgresql-15",
}


@pytest.fixture
def elsewhere(server: Server) -> Iterator[Server]:
    """Another server of the same backend."""
    try:
        with borrow(OTHER[server.name]) as other:
            yield other
    except Unavailable as missing:
        pytest.skip(f"{OTHER[server.name]} cannot be had: {missing}")


def test_a_class_connected_to_another_server_than_the_populate_job_names_is_refused(lab, server, elsewhere):
    with contextlib.closing(connect(settings(elsewhere), name="test")) as queue:
        refused = refusal(lab.HeartRate, queue)
    assert refused.reason == "OtherDatabase"
    assert f"connected to 127.0.0.1:{server.port}" in str(refused)
    assert f"names 127.0.0.1:{elsewhere.port}" in str(refused)


def test_another_name_of_the_same_server_is_not_refused(lab, server):
    with contextlib.closing(connect(settings(server, host="localhost"), name="test")) as queue:
        assert describe(lab.HeartRate, Request("lab.HeartRate"), queue).table == "lab.HeartRate"


@pytest.fixture(params=["SELECT", "SELECT, INSERT"])
def limited(request: pytest.FixtureRequest, server: Server, lab: ModuleType) -> Iterator[Server]:
    """The server with the login of a user who has these rights on the lab's tables, and no more."""
    name, schema = lab.schema.database.replace("_lab", "_limited"), lab.schema.database
    if server.backend == "mysql":
        server.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'secret'")
        server.execute(f"GRANT {request.param} ON {schema}.* TO {name}@'%'")
        gone = [f"DROP USER {name}@'%'"]
    else:
        server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        server.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}")
        server.execute(f"GRANT {request.param} ON ALL TABLES IN SCHEMA {schema} TO {name}")
        gone = [f"DROP OWNED BY {name}", f"DROP ROLE {name}"]
    yield dataclasses.replace(server, user=name, password="secret")
    for statement in gone:
        server.execute(statement)


def test_a_jobs_table_that_may_not_be_made_is_a_missing_grant(lab, limited):
    lab.Joined.jobs.drop()
    with contextlib.closing(pipelines.connect(limited)) as connection:
        members = {"definition": "-> Session", "make": lambda table, key: None}
        schema = dj.Schema(lab.schema.database, connection=connection)
        joined = schema(type("Joined", (dj.Imported,), members), context={"Session": lab.Session})
        with contextlib.closing(connect(settings(limited), name="test")) as queue:
            refused = refusal(joined, queue)
    assert refused.reason == "MissingGrant"
    assert "of lab.Joined" in str(refused)
    assert "grant the user SELECT, INSERT" in str(refused)


def test_a_key_source_that_the_queue_may_not_read_is_a_missing_grant(limited, connection, schema_name):
    hidden = declare(connection, f"{schema_name}_hidden", "-> Scan", Scan="scan : int32")
    with contextlib.closing(connect(settings(limited), name="test")) as queue, pytest.raises(MissingGrant):
        describe(hidden, Request("lab.Calc"), queue)
