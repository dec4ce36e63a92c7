"""What resolve leaves in the schema, for those who may make tables and for those who may not."""

from collections.abc import Iterator

import pytest
from populate_jobs import Failure, Outcome, RetryPolicy, fail
from populate_worker.resolve import prepare

from tests.database.pipeline import Pipeline, reserve_one
from tests.database.users import user


@pytest.fixture
def without_attempts(pipeline: Pipeline) -> Iterator[Pipeline]:
    pipeline.execute(f"DROP TABLE {pipeline.attempts_table}")
    yield pipeline
    prepare(pipeline.document(), pipeline.connect())


def test_whoever_may_make_tables_gets_the_attempts_table(without_attempts: Pipeline) -> None:
    document = without_attempts.document()
    assert prepare(document, without_attempts.connect()) == document
    assert without_attempts.attempts() == []


def test_whoever_may_not_is_warned_that_attempts_are_not_counted(without_attempts: Pipeline) -> None:
    with user(without_attempts) as login:
        (warning,) = prepare(without_attempts.document(), without_attempts.connect(**login)).warnings
    assert warning.startswith("attempts cannot be counted, so a failed key is not tried again: ")


@pytest.mark.parametrize("rights", ["", "SELECT"])
def test_whoever_may_make_tables_and_not_use_that_one_is_warned_and_goes_without(
    pipeline: Pipeline, rights: str
) -> None:
    if pipeline.server.backend == "mysql":
        pytest.skip("rights are those on the schema")
    pipeline.add(1)
    pipeline.enqueue(1)
    with user(pipeline) as login:
        pipeline.execute(f"GRANT CREATE ON SCHEMA {pipeline.schema} TO {login['user']}")
        pipeline.execute(f"REVOKE ALL ON {pipeline.attempts_table} FROM {login['user']}")
        if rights:
            pipeline.execute(f"GRANT {rights} ON {pipeline.attempts_table} TO {login['user']}")
        (warning,) = prepare(pipeline.document(), pipeline.connect(**login)).warnings
        jobs = pipeline.session(login=login)
        policy = RetryPolicy(retry_on=("*",), backoff_seconds=0)
        assert fail(jobs, reserve_one(jobs), Failure("ValueError", "ValueError"), policy) is Outcome.ERROR
    assert "no right to select, insert, update and delete in ~populate_attempts" in warning


def test_whoever_may_not_make_a_table_that_is_there_is_not_warned(pipeline: Pipeline) -> None:
    with user(pipeline) as login:
        assert prepare(pipeline.document(), pipeline.connect(**login)).warnings == ()
