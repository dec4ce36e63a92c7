"""What becomes of a reserved key that its owner still holds: complete, fail with back-off, release."""

import datetime
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import populate_jobs.finish
import pytest
from populate_jobs import (
    Failure,
    JobsTable,
    Outcome,
    RetryPolicy,
    complete,
    fail,
    install,
    probe,
    release,
    reserve,
    retry_errors,
)
from populate_jobs.connection import Result

from tests.clock import Clock
from tests.database.pipeline import ANNA, BERT, Pipeline, reserve_one
from tests.database.watch import Watched
from tests.servers import Server
from tests.servers.host import PATIENCE

ONCE = RetryPolicy()
TWICE = RetryPolicy(limit=2, backoff_seconds=100, max_backoff_seconds=150, retry_on=("ValueError",))
AT_ONCE = RetryPolicy(limit=2, backoff_seconds=0, retry_on=("ValueError",))
FAILURE = Failure("ValueError", "ValueError: too few beats", "Traceback:\n  line 3")


@pytest.fixture
def jobs(pipeline: Pipeline) -> JobsTable:
    """With one key to do."""
    pipeline.add(1)
    pipeline.enqueue(1)
    return pipeline.session()


def test_a_completed_row_is_deleted(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    pipeline.make(1)
    assert complete(jobs, [(held, 1.5)]) == [Outcome.MADE]
    assert pipeline.rows() == {}


def test_a_completed_row_that_is_kept_says_when_and_how_long(pipeline: Pipeline) -> None:
    pipeline.add(1, 2)
    pipeline.enqueue(1, 2)
    jobs = pipeline.session()
    held = sorted(reserve(jobs, ANNA, 2), key=lambda reservation: reservation.key["subject_id"])
    pipeline.make(1, 2)
    assert complete(jobs, [(held[0], 1.5), (held[1], 2.5)], keep_completed=True) == [Outcome.MADE] * 2
    for key, duration in ((1, 1.5), (2, 2.5)):
        row = pipeline.row(key)
        assert (row["status"], row["duration"], row["host"]) == ("success", duration, ANNA.host)
        assert abs(row["completed_time"] - pipeline.now()) < datetime.timedelta(seconds=30)


@pytest.mark.parametrize("keep_completed", [False, True])
def test_completing_again_after_a_lost_answer_says_made(
    pipeline: Pipeline, jobs: JobsTable, keep_completed: bool
) -> None:
    held = reserve_one(jobs)
    pipeline.make(1)
    complete(jobs, [(held, 1.0)], keep_completed=keep_completed)
    rows = pipeline.rows()
    assert complete(jobs, [(held, 1.0)], keep_completed=keep_completed) == [Outcome.MADE]
    assert pipeline.rows() == rows


@pytest.mark.parametrize(("on_empty", "outcome"), [("Ignore", Outcome.EMPTY), ("Error", Outcome.ERROR)])
def test_a_key_that_make_did_not_insert_is_set_aside_with_the_reason(
    pipeline: Pipeline, jobs: JobsTable, on_empty: str, outcome: Outcome
) -> None:
    held = reserve_one(jobs)
    assert complete(jobs, [(held, 1.0)], on_empty=on_empty) == [outcome]
    row = pipeline.row(1)
    assert (row["status"], row["error_message"]) == (outcome.value, "make inserted nothing")


def test_a_key_that_left_key_source_is_gone_when_completed_empty(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    jobs = pipeline.session()
    assert complete(jobs, [(reserve_one(jobs), 1.0)]) == [Outcome.VANISHED]
    assert pipeline.rows() == {}


def test_a_key_that_a_replica_does_not_have_yet_is_made_where_the_primary_has_it(pipeline: Pipeline) -> None:
    pipeline.add(1, 2)
    pipeline.enqueue(1, 2)
    jobs = pipeline.session(kind=Behind)
    held = reserve(jobs, ANNA, 2)
    pipeline.make(held[0].key)
    assert complete(jobs, [(one, 1.0) for one in held]) == [Outcome.MADE, Outcome.EMPTY]
    assert list(pipeline.statuses().values()) == ["ignore"]


def test_a_reservation_that_a_replica_does_not_have_yet_is_ours_where_the_primary_has_it(pipeline: Pipeline) -> None:
    pipeline.add(1, 2, 3)
    pipeline.enqueue(1, 2, 3)
    jobs = pipeline.session(kind=FarBehind)
    made, failed, released = reserve(jobs, ANNA, 3)
    pipeline.make(made.key)
    assert complete(jobs, [(made, 1.0)]) == [Outcome.MADE]
    assert fail(jobs, failed, FAILURE, ONCE) is Outcome.ERROR
    assert release(jobs, [released]) == [Outcome.RELEASED]


class Behind(JobsTable):
    """As through a proxy that asks a replica: the target is empty, but for who is in a transaction that locks."""

    def run(self, statement: str, args: Sequence[Any] = (), **parts: str) -> Result:
        found = super().run(statement, args, **parts)
        return self.behind(found) if statement == "owned" and not self.connection.in_transaction else found

    def behind(self, found: Result) -> Result:
        return Result([(*row[:-1], 0) for row in found.rows], found.rowcount)


class FarBehind(Behind):
    """Nor is anything reserved there."""

    def behind(self, found: Result) -> Result:
        return Result([], 0)


BROKEN = {"mysql": "(SELECT 1 UNION ALL SELECT 2) = 1", "postgresql": "1 / (subject_id - subject_id) = 1"}


def test_verdicts_are_recorded_where_key_source_fails(pipeline: Pipeline) -> None:
    pipeline.add(1, 2)
    pipeline.enqueue(1, 2)
    document = pipeline.document()
    key_source = f"SELECT * FROM ({document.key_source}) AS s WHERE {BROKEN[pipeline.server.backend]}"
    jobs = JobsTable(pipeline.connect(), replace(document, key_source=key_source))
    probe(jobs)
    failed, empty = reserve(jobs, ANNA, 2)
    assert fail(jobs, failed, FAILURE, ONCE) is Outcome.ERROR
    assert complete(jobs, [(empty, 1.0)]) == [Outcome.EMPTY]


def test_a_batch_has_its_outcomes_in_the_order_given(pipeline: Pipeline) -> None:
    pipeline.add(1, 2, 4)
    pipeline.enqueue(1, 2, 3, 4)
    jobs = pipeline.session()
    held = {reservation.key["subject_id"]: reservation for reservation in reserve(jobs, ANNA, 4)}
    release(jobs, [held[4]])
    pipeline.make(2)
    batch = [(held[key], 0.1) for key in (4, 3, 2, 1)]
    assert complete(jobs, batch) == [Outcome.LOST, Outcome.VANISHED, Outcome.MADE, Outcome.EMPTY]
    assert pipeline.statuses() == {1: "ignore", 4: "pending"}


def test_nothing_to_complete_or_release_is_nothing_done(pipeline: Pipeline) -> None:
    jobs = pipeline.session()
    assert complete(jobs, []) == release(jobs, []) == []


def test_a_failed_key_is_an_error_with_its_message(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    assert fail(jobs, held, FAILURE, ONCE) is Outcome.ERROR
    row = pipeline.row(1)
    assert (row["status"], row["error_message"]) == ("error", FAILURE.message)
    assert (row["host"], row["pid"], row["reserved_time"]) == (ANNA.host, ANNA.pid, held.reserved_time)
    assert abs(row["completed_time"] - pipeline.now()) < datetime.timedelta(seconds=30)


@pytest.mark.parametrize("stack", ["short", "ünï\\cødé %s 'quoted' \"\0\" " * 5, "line\n" * 5000])
def test_datajoint_reads_the_stack_of_an_error(pipeline: Pipeline, jobs: JobsTable, stack: str) -> None:
    fail(jobs, reserve_one(jobs), Failure("ValueError", "ValueError: 5 % of 'it'", stack), ONCE)
    (error,) = pipeline.jobs.errors.to_dicts()
    assert error["error_stack"] == stack
    assert error["error_message"] == "ValueError: 5 % of 'it'"


def test_a_message_longer_than_its_column_is_cut_as_datajoint_cuts_it(pipeline: Pipeline, jobs: JobsTable) -> None:
    fail(jobs, reserve_one(jobs), Failure("ValueError", "ß" * 5000), ONCE)
    message = pipeline.row(1)["error_message"]
    assert message == "ß" * 2035 + "...truncated"
    pipeline.jobs.error({"subject_id": 1}, "ß" * 5000)
    assert pipeline.row(1)["error_message"] == message


def test_a_message_that_the_schemas_character_set_lacks_is_escaped(server: Server, schema_name: str) -> None:
    old = f"{schema_name}_latin1"
    if server.backend == "mysql":
        server.execute(f"CREATE DATABASE {old} CHARACTER SET latin1")
    else:
        server.execute(f"CREATE DATABASE {old} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
        server = replace(server, database=old)
    pipeline = Pipeline(server, old)
    pipeline.add(1, 2)
    pipeline.enqueue(1, 2)
    jobs = pipeline.session()
    for policy in (ONCE, TWICE):
        fail(jobs, reserve_one(jobs), Failure("ValueError", "ValueError: Δt ≥ 5 µs", "Δt"), policy)
    rows = [(row["status"], row["error_message"]) for row in pipeline.rows().values()]
    pipeline.close()
    assert sorted(rows) == [(status, r"ValueError: \u0394t \u2265 5 \xb5s") for status in ("error", "pending")]


def test_attempts_whose_table_was_dropped_are_not_counted_and_nothing_else_is_lost(pipeline: Pipeline) -> None:
    pipeline.add(1, 2)
    pipeline.enqueue(1, 2)
    jobs = pipeline.session()
    for _ in range(2):
        assert fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE) is Outcome.RETRY
    one, two = reserve(jobs, ANNA, 2)
    pipeline.execute(f"DROP TABLE {pipeline.attempts_table}")
    try:
        assert fail(jobs, one, FAILURE, AT_ONCE) is Outcome.ERROR
        jobs = pipeline.session()
        pipeline.make(two.key)
        assert complete(jobs, [(two, 1.0)]) == [Outcome.MADE]
    finally:
        install(jobs)
    assert list(pipeline.statuses().values()) == ["error"]


def test_a_message_with_a_nul_is_stored_without_it(pipeline: Pipeline, jobs: JobsTable) -> None:
    fail(jobs, reserve_one(jobs), Failure("ValueError", "before\0after"), ONCE)
    assert pipeline.row(1)["error_message"] == "before\\0after"


def test_a_failed_key_that_the_target_has_is_made(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    pipeline.make(1)
    assert fail(jobs, held, FAILURE, ONCE) is Outcome.MADE
    assert pipeline.rows() == {}


def test_a_failed_key_that_left_key_source_is_gone(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    jobs = pipeline.session()
    assert fail(jobs, reserve_one(jobs), FAILURE, ONCE) is Outcome.VANISHED
    assert pipeline.rows() == {}


def test_a_key_to_be_retried_waits_longer_each_time_with_its_message_on_the_row(
    pipeline: Pipeline, jobs: JobsTable
) -> None:
    for least, most in ((50, 100), (75, 150)):
        assert fail(jobs, reserve_one(jobs), FAILURE, TWICE) is Outcome.RETRY
        row = pipeline.row(1)
        assert (row["status"], row["error_message"], row["host"], row["pid"]) == ("pending", FAILURE.message, "", 0)
        wait = (row["scheduled_time"] - pipeline.now()).total_seconds()
        assert least - 30 < wait <= most
        assert reserve(jobs, BERT, 1) == []
        pipeline.change(1, scheduled_time=row["created_time"])


def test_attempts_run_out(pipeline: Pipeline, jobs: JobsTable) -> None:
    outcomes = [fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE) for _ in range(3)]
    assert outcomes == [Outcome.RETRY, Outcome.RETRY, Outcome.ERROR]
    assert pipeline.row(1)["error_message"] == FAILURE.message


def test_a_later_attempt_knows_that_one_failed_before(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    assert not held.failed_before
    fail(jobs, held, FAILURE, AT_ONCE)
    assert reserve_one(jobs).failed_before


def test_attempts_are_forgotten_when_the_key_is_made(pipeline: Pipeline, jobs: JobsTable) -> None:
    fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE)
    assert pipeline.attempts() == [1]
    held = reserve_one(jobs)
    pipeline.make(1)
    complete(jobs, [(held, 1.0)])
    assert pipeline.attempts() == []


@pytest.mark.parametrize("by_datajoint", [False, True])
def test_an_error_that_is_retried_has_all_its_attempts_again(
    pipeline: Pipeline, jobs: JobsTable, by_datajoint: bool
) -> None:
    for _ in range(3):
        fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE)
    if by_datajoint:
        pipeline.jobs.errors.delete()
        pipeline.jobs.refresh()
    else:
        assert retry_errors(jobs) == 1
    outcomes = [fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE) for _ in range(3)]
    assert outcomes == [Outcome.RETRY, Outcome.RETRY, Outcome.ERROR]


def test_attempts_of_one_key_are_not_counted_for_another(pipeline: Pipeline, jobs: JobsTable) -> None:
    fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE)
    pipeline.add(2)
    pipeline.enqueue(2, priority=0)
    held = reserve_one(jobs)
    assert held.key["subject_id"] == 2
    fail(jobs, held, FAILURE, AT_ONCE)
    assert pipeline.attempts() == [1, 1]


def test_a_failure_that_is_not_to_be_retried_is_an_error_whatever_attempts_are_left(
    pipeline: Pipeline, jobs: JobsTable
) -> None:
    fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE)
    other = Failure("KeyError", "KeyError: 'beat'")
    assert fail(jobs, reserve_one(jobs), other, AT_ONCE) is Outcome.ERROR
    assert pipeline.attempts() == []


def test_transient_database_errors_are_retried_without_asking(pipeline: Pipeline, jobs: JobsTable) -> None:
    lock = Failure("OperationalError", "OperationalError: (1213, 'Deadlock found when trying to get lock')")
    assert fail(jobs, reserve_one(jobs), lock, RetryPolicy(backoff_seconds=0)) is Outcome.RETRY


def test_without_the_attempts_table_a_failure_is_an_error(pipeline: Pipeline, jobs: JobsTable) -> None:
    pipeline.execute(f"DROP TABLE {pipeline.attempts_table}")
    try:
        assert fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE) is Outcome.ERROR
    finally:
        install(jobs)


def test_a_released_key_is_pending_at_once_and_no_attempt_is_counted(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    assert release(jobs, [held]) == [Outcome.RELEASED]
    row = pipeline.row(1)
    assert (row["status"], row["host"], row["pid"], row["reserved_time"]) == ("pending", "", 0, None)
    assert pipeline.attempts() == []
    assert reserve_one(jobs, BERT).key == held.key


def test_a_released_key_that_the_target_has_is_made(pipeline: Pipeline, jobs: JobsTable) -> None:
    held = reserve_one(jobs)
    pipeline.make(1)
    assert release(jobs, [held]) == [Outcome.MADE]
    assert pipeline.rows() == {}


def test_releasing_a_key_that_failed_before_keeps_its_message_and_attempts(pipeline: Pipeline, jobs: JobsTable) -> None:
    fail(jobs, reserve_one(jobs), FAILURE, AT_ONCE)
    release(jobs, [reserve_one(jobs)])
    assert pipeline.row(1)["error_message"] == FAILURE.message
    assert pipeline.attempts() == [1]


COLLATIONS = ", ".join(f"information_schema.collations AS c{number}" for number in range(6))
SLOW = {
    "sleeps": {"mysql": "SLEEP(1000) = 0", "postgresql": "pg_sleep(1000)::text = ''"},
    "works": {
        "mysql": f"(SELECT COUNT(*) FROM {COLLATIONS}) > 0",
        "postgresql": "(SELECT COUNT(*) FROM generate_series(1, 100000000000)) > 0",
    },
}
"""Conditions that take a quarter of an hour or more for each key."""


@pytest.fixture(params=SLOW)
def slow(request: pytest.FixtureRequest, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Three keys to do, of a key_source that takes its time over each of them."""
    monkeypatch.setattr(populate_jobs.finish, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(populate_jobs.finish, "EMPTY_SECONDS", 0.6)
    pipeline.add(1, 2, 3)
    pipeline.enqueue(1, 2, 3)
    document = pipeline.document()
    key_source = f"SELECT * FROM ({document.key_source}) AS s WHERE {SLOW[request.param][pipeline.server.backend]}"
    jobs = Watched(pipeline.connect(), replace(document, key_source=key_source))
    probe(jobs)
    return jobs


def test_a_failure_is_recorded_where_key_source_does_not_say_soon_whether_it_has_the_key(
    pipeline: Pipeline, slow: Watched
) -> None:
    session = slow.connection.id
    assert fail(slow, reserve_one(slow), FAILURE, ONCE) is Outcome.ERROR
    assert [row["error_message"] for row in pipeline.rows().values() if row["status"] == "error"] == [FAILURE.message]
    assert slow.connection.id == session
    (held,) = reserve(slow, BERT, 1)
    assert release(slow, [held]) == [Outcome.RELEASED]


def test_a_key_that_make_did_not_insert_is_set_aside_where_key_source_does_not_say_soon_whether_it_has_it(
    pipeline: Pipeline, slow: Watched
) -> None:
    held = reserve(slow, ANNA, 3)
    assert complete(slow, [(reservation, 1.0) for reservation in held]) == [Outcome.EMPTY] * 3
    assert set(pipeline.statuses().values()) == {"ignore"}


def test_a_key_that_left_a_key_source_of_some_seconds_is_not_set_aside(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would not be made when it comes back."""
    pipeline.enqueue(1, 2)
    jobs, clock = Watched(pipeline.connect(), pipeline.document()), Clock(1000.0)
    probe(jobs)
    monkeypatch.setattr(populate_jobs.finish, "time", clock)
    jobs.before["in_key_source"] = lambda: clock.go_on(1.5 * populate_jobs.finish.ANSWER_SECONDS)
    failed, empty = reserve(jobs, ANNA, 2)
    assert fail(jobs, failed, FAILURE, ONCE) is Outcome.ERROR
    assert complete(jobs, [(empty, 1.0)]) == [Outcome.VANISHED]
    assert set(pipeline.statuses().values()) == {"error"}


def test_a_key_source_that_did_not_say_it_soon_is_not_asked_for_every_key(pipeline: Pipeline, slow: Watched) -> None:
    asked: list[None] = []
    slow.before["in_key_source"] = lambda: asked.append(None)
    for held in reserve(slow, ANNA, 3):
        assert fail(slow, held, FAILURE, ONCE) is Outcome.ERROR
    assert len(asked) == 1
    slow.unasked_until.clear()
    pipeline.change(1, status="pending")
    fail(slow, reserve_one(slow), FAILURE, ONCE)
    assert len(asked) == 2


def test_what_asking_key_source_is_limited_by_limits_nothing_else(pipeline: Pipeline, slow: Watched) -> None:
    fail(slow, reserve_one(slow), FAILURE, ONCE)
    pause = {"mysql": "SELECT SLEEP(1) FROM DUAL", "postgresql": "SELECT pg_sleep(1)"}
    began = time.monotonic()
    slow.connection.execute(pause[pipeline.server.backend])
    assert time.monotonic() - began > 0.9


class Hanging(JobsTable):
    """On a server that never answers one question."""

    answer = threading.Event()
    asked = threading.Event()

    def run(self, statement: str, args: Sequence[Any] = (), **parts: str) -> Result:
        if statement == "attempts_exist":
            self.asked.set()
            self.answer.wait(PATIENCE)
        return super().run(statement, args, **parts)


def test_a_table_whose_server_hangs_keeps_no_other_table_waiting(pipeline: Pipeline) -> None:
    hanging = pipeline.session(kind=Hanging)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(lambda: hanging.has_attempts)
        assert hanging.asked.wait(PATIENCE)
        other = pipeline.session()
        try:
            assert threads.submit(lambda: other.has_attempts).result(PATIENCE)
        finally:
            hanging.answer.set()
        assert waiting.result(PATIENCE)
        hanging.answer.clear()
        hanging.asked.clear()
