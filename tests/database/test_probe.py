"""What probe accepts, and what it refuses before a worker starts."""

import dataclasses
import os
import sys
from collections.abc import Iterator

import pytest
from populate_jobs import Attribute, JobsTable, install, probe, refresh, reserve
from populate_jobs.errors import MissingGrant, ServerUnsuitable, TableMissing

from tests.database.pipeline import ANNA, Pipeline
from tests.database.users import WORKER_RIGHTS, user
from tests.servers import TOO_OLD, Server, Unavailable, serve

PRODUCTS = {"mariadb": "MariaDB", "mysql": "MySQL", "postgresql": "PostgreSQL"}

TOO_OLD_VERSIONS = {
    "mariadb": ("10.5.29-MariaDB", "5.5.5-10.5.29-MariaDB", "5.5.68-MariaDB"),
    "mysql": ("8.0.0", "5.7.44-log", "5.6"),
    "postgresql": ("9.4.26", "9.4.26 (Debian 9.4.26-1)", "9"),
}


@pytest.fixture(scope="module")
def too_old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server without SKIP LOCKED."""
    try:
        with serve(TOO_OLD) as server:
            yield server
    except Unavailable as missing:
        if os.environ.get("CI") == "true" and not missing.excused:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="module", params=["mariadb-10.11", "mysql-9"])
def with_binlog(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A real server that writes a binary log of statements."""
    with serve(request.param, "--log-bin=binlog", "--binlog-format=STATEMENT") as server:
        yield server


def test_a_suitable_server_is_named_with_its_version(pipeline: Pipeline) -> None:
    jobs = pipeline.session()
    server = probe(jobs)
    product, version = pipeline.server.name.split("-")
    assert server.product == PRODUCTS[product]
    assert server.version.startswith(version)
    assert server.connection_id == jobs.connection.id


def test_the_probe_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.add(1)
    pipeline.enqueue(1)
    before = pipeline.rows()
    probe(pipeline.session())
    assert pipeline.rows() == before


@pytest.mark.timeout(900)
def test_a_server_without_skip_locked_is_refused(too_old: Server) -> None:
    pipeline = Pipeline(too_old, "lab")
    with pytest.raises(ServerUnsuitable, match=r"MariaDB 10\.5\..* has no SKIP LOCKED; MariaDB 10\.6 or later"):
        pipeline.session()


@pytest.mark.timeout(900)
def test_a_server_that_claims_to_be_newer_but_does_not_understand_is_refused(
    too_old: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(too_old, "lab")
    monkeypatch.setattr(sys.modules["populate_jobs.probe"], "NEEDED", {"MariaDB": (10, 5)})
    with pytest.raises(ServerUnsuitable, match="does not understand"):
        pipeline.session()


@pytest.mark.parametrize("old", range(3))
def test_a_fake_version_that_is_too_old_is_refused_whatever_the_server_can(pipeline: Pipeline, old: int) -> None:
    jobs = pipeline.session()
    jobs.connection.version = TOO_OLD_VERSIONS[pipeline.server.name.partition("-")[0]][old]
    with pytest.raises(ServerUnsuitable, match=r"has no SKIP LOCKED; .* or later is needed"):
        probe(jobs)


def test_a_server_that_logs_statements_is_refused_and_one_that_logs_rows_or_both_is_not(with_binlog: Server) -> None:
    pipeline = Pipeline(with_binlog, "lab")
    with pytest.raises(ServerUnsuitable, match=r"binlog_format=STATEMENT.*set binlog_format=ROW"):
        pipeline.session()
    pipeline.add(1, 2)
    for log_format in ("ROW", "MIXED"):
        with_binlog.execute(f"SET GLOBAL binlog_format = '{log_format}'")
        jobs = pipeline.session()
        refresh(jobs)
        assert len(reserve(jobs, ANNA, 1)) == 1


def test_a_jobs_table_without_its_index_is_refused_where_that_would_lock_every_row(pipeline: Pipeline) -> None:
    if pipeline.server.backend == "postgresql":
        pytest.skip("locks follow rows, not the index, on PostgreSQL")
    (index,) = {
        name
        for name, column in pipeline.execute(
            "SELECT index_name, column_name FROM information_schema.statistics "
            f"WHERE table_schema = '{pipeline.schema}' AND table_name = '~~scan'"
        )
        if column == "scheduled_time"
    }
    table = pipeline.document().jobs
    pipeline.execute(f"DROP INDEX `{index}` ON {table}")
    try:
        with pytest.raises(TableMissing, match=r"no index on \(status, priority, scheduled_time\)"):
            pipeline.session()
    finally:
        pipeline.execute(f"CREATE INDEX `{index}` ON {table} (status, priority, scheduled_time)")


@pytest.mark.parametrize("missing", WORKER_RIGHTS.split(", "))
def test_a_user_who_lacks_a_grant_on_the_jobs_table_is_refused(pipeline: Pipeline, missing: str) -> None:
    rights = ", ".join(right for right in WORKER_RIGHTS.split(", ") if right != missing)
    with user(pipeline, rights, on=pipeline.document().jobs) as login, pytest.raises(MissingGrant, match="denied"):
        pipeline.session(login=login)


def test_a_user_who_may_not_read_the_target_is_refused(pipeline: Pipeline) -> None:
    with user(pipeline, WORKER_RIGHTS, on=pipeline.document().jobs) as login, pytest.raises(MissingGrant):
        pipeline.session(login=login)


def test_a_user_with_every_grant_that_workers_need_is_accepted(pipeline: Pipeline) -> None:
    pipeline.add(1)
    with user(pipeline) as login:
        jobs = pipeline.session(login=login)
        refresh(jobs)
        assert len(reserve(jobs, ANNA, 1)) == 1


def test_a_user_who_may_not_make_tables_cannot_install(pipeline: Pipeline) -> None:
    pipeline.execute(f"DROP TABLE {pipeline.attempts_table}")
    try:
        with user(pipeline) as login, pytest.raises(MissingGrant):
            install(pipeline.session(login=login))
    finally:
        install(pipeline.session())


def test_a_missing_jobs_table_is_told(pipeline: Pipeline) -> None:
    document = pipeline.document()
    jobs = JobsTable(pipeline.connect(), dataclasses.replace(document, jobs=document.jobs.replace("~~scan", "~~scam")))
    with pytest.raises(TableMissing, match="scam"):
        probe(jobs)


def test_a_missing_target_is_told(pipeline: Pipeline) -> None:
    document = pipeline.document()
    gone = dataclasses.replace(document, target=document.target.replace("__scan", "__scam"))
    with pytest.raises(TableMissing, match="scam"):
        probe(JobsTable(pipeline.connect(), gone))


def test_a_column_that_was_dropped_is_told(pipeline: Pipeline) -> None:
    document = pipeline.document()
    altered = dataclasses.replace(document, primary_key=(Attribute("subject", "int32"),))
    with pytest.raises(TableMissing, match="subject"):
        probe(JobsTable(pipeline.connect(), altered))


def test_installing_again_keeps_the_attempts(pipeline: Pipeline) -> None:
    jobs = pipeline.session()
    pipeline.execute(f"INSERT INTO {pipeline.attempts_table} VALUES ('x', 'y', 2, CURRENT_TIMESTAMP)")
    install(jobs)
    assert pipeline.attempts() == [2]
