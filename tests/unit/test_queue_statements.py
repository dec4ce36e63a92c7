"""The named SQL of both dialects: the same statements, whole, with every placeholder known."""

import re
import string

import pytest
from populate_jobs import Attribute, Connection, JobsTable, ResolveDocument, ServerIdentity
from populate_jobs.statements import statements

DIALECTS = ("mysql", "postgresql")
ONLY = {
    "mysql": {"describe_binlog", "due_index"},
    "postgresql": {"index_stage", "analyze_stage", "analyze", "limit_statements"},
}
PARTS = {"part", "what", "keys", "fenced", "durations", "hosts", "hashes", "stage", "select", "key_values"}
PARTS |= {"seconds", "milliseconds", "gone"}


class _Named(Connection):
    """The statements of a dialect, without a session."""

    def __init__(self, dialect: str) -> None:
        self.statements = statements(dialect)


def _jobs(dialect: str) -> JobsTable:
    quote = "`" if dialect == "mysql" else '"'
    names = {name: f"{quote}lab{quote}.{quote}{name}{quote}" for name in ("__scan", "~~scan")}
    document = ResolveDocument(
        protocol=1,
        table="lab.Scan",
        backend=dialect,
        schema="lab",
        target=names["__scan"],
        jobs=names["~~scan"],
        primary_key=(Attribute("subject_id", "int32"), Attribute("session", "varchar(8)")),
        key_source="SELECT subject_id, session FROM subject WHERE note LIKE '{50%}'",
        restricted_key_source="SELECT subject_id, session FROM subject WHERE subject_id % 2 = 0",
        restriction="subject_id % 2 = 0 OR session = '{keys} %s'",
        upstream=(),
        server=ServerIdentity("", "", ""),
        versions={},
    )
    return JobsTable(_Named(dialect), document)


def test_both_dialects_have_the_same_statements_but_for_their_own() -> None:
    found = {dialect: set(statements(dialect)) for dialect in DIALECTS}
    assert found["mysql"] - found["postgresql"] == ONLY["mysql"]
    assert found["postgresql"] - found["mysql"] == ONLY["postgresql"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_statement_takes_as_many_values_in_both(dialect: str) -> None:
    for name, sql in statements(dialect).items():
        if name not in ONLY[dialect]:
            assert sql.count("%s") == statements("mysql")[name].count("%s"), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_statements_are_whole_and_without_comments(dialect: str) -> None:
    for name, sql in statements(dialect).items():
        assert sql, name
        assert "--" not in sql, name
        assert not sql.endswith(";"), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_placeholder_is_filled_by_the_table_or_the_caller(dialect: str) -> None:
    jobs = _jobs(dialect)
    for name, sql in statements(dialect).items():
        asked = {field for _, field, _, _ in string.Formatter().parse(sql) if field}
        filled = jobs.sql(name, **dict.fromkeys(PARTS & asked, "1 = 1"))
        assert filled.count("'{keys} %%s'") == sql.count("{restriction}"), name


@pytest.mark.parametrize("dialect", DIALECTS)
def test_percent_signs_of_the_lab_reach_the_server_and_ask_for_no_value(dialect: str) -> None:
    jobs = _jobs(dialect)
    for name, sql in statements(dialect).items():
        asked = {field for _, field, _, _ in string.Formatter().parse(sql) if field}
        filled = jobs.sql(name, **dict.fromkeys(PARTS & asked, "1 = 1"))
        assert len(re.findall(r"(?<!%)%s", filled)) == sql.count("%s"), name
        sent = filled % tuple("?" * sql.count("%s"))
        assert ("subject_id % 2 = 0" in sent) == ("{restrict" in sql), name
