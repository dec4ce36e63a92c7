"""A restriction is SQL that somebody else wrote: it can do what its login may do, for as long as a task may take."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import populate_jobs
import pytest
from populate_jobs import DatabaseSettings, JobsTable, Look, ResolveDocument
from populate_jobs.errors import DatabaseError, MissingGrant, TookTooLong
from populate_operator.database.lane import Lane, Limits

from tests.database.pipeline import Pipeline, settings
from tests.database.users import user
from tests.lanes import keep_time

FOR_EVER = {
    "mysql": "SLEEP(10000) = 0",
    "postgresql": "set_config('statement_timeout', '0', false) IS NOT NULL AND pg_sleep(10000)::text = ''",
}
READS_FILE = {"mysql": "LOAD_FILE('/etc/hostname') IS NOT NULL", "postgresql": "pg_read_file('/etc/hostname') <> ''"}


@pytest.fixture
def login(pipeline: Pipeline) -> Iterator[DatabaseSettings]:
    """Of somebody who may work on this pipeline, and has a key waiting."""
    pipeline.enqueue(1)
    with user(pipeline) as fewer:
        yield settings(pipeline.server, **fewer)


def restricted(pipeline: Pipeline, restriction: str) -> ResolveDocument:
    return dataclasses.replace(pipeline.document(), restriction=restriction)


def ready(login: DatabaseSettings, document: ResolveDocument) -> int:
    connection = populate_jobs.connect(login, name="test")
    try:
        (seen,) = populate_jobs.look(connection, [Look(document, 10)])
        return seen.ready
    finally:
        connection.close()


def test_statements_that_are_slipped_in_have_the_login_s_rights_and_no_more(
    pipeline: Pipeline, login: DatabaseSettings
) -> None:
    connection, other = populate_jobs.connect(login, name="test"), f"{pipeline.schema}_other"
    pipeline.execute(f"CREATE SCHEMA {other}")
    pipeline.execute(f"CREATE TABLE {other}.treasure (id INT)")
    pipeline.execute(f"INSERT INTO {other}.treasure VALUES (1)")
    first, last = "1 = 1) GROUP BY 3", f"SELECT 1, 2, status, 4 FROM {pipeline.document().jobs} WHERE (1 = 1"
    jobs = JobsTable(connection, restricted(pipeline, f"{first}; DELETE FROM {other}.treasure; {last}"))
    # MySQL and MariaDB take one statement at a time; so does PostgreSQL where there are arguments.
    with pytest.raises(MissingGrant if pipeline.server.backend == "postgresql" else DatabaseError):
        populate_jobs.counts(jobs)
    with pytest.raises(DatabaseError):
        populate_jobs.look(connection, [Look(jobs.document, 10)])
    assert pipeline.execute(f"SELECT id FROM {other}.treasure") == [(1,)]
    assert ready(login, pipeline.document()) == 1
    connection.close()


def test_the_server_s_files_are_read_by_who_may_read_them(pipeline: Pipeline, login: DatabaseSettings) -> None:
    document = restricted(pipeline, READS_FILE[pipeline.server.backend])
    if pipeline.server.backend == "mysql":
        assert ready(login, document) == 0
        return
    with pytest.raises(MissingGrant, match="pg_read_file"):
        ready(login, document)
    assert ready(pipeline.settings, document) == 1


def test_a_restriction_that_sleeps_and_lifts_its_own_limit_is_ended_from_outside(
    pipeline: Pipeline, login: DatabaseSettings
) -> None:
    document = restricted(pipeline, FOR_EVER[pipeline.server.backend])
    lane = Lane(login, "populate test", Limits(task=0.5, crowded=0.5, lock=5.0))
    late = lane.submit(lambda connection: populate_jobs.look(connection, [Look(document, 10)]))
    keep_time(lane, late)
    with pytest.raises(TookTooLong):
        late.result()
    lane.close()
