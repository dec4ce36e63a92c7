"""A late owner changes nothing: every write to a reserved row names host, pid, connection and time of its reserve."""

import dataclasses
from collections.abc import Callable

import pytest
from populate_jobs import (
    Failure,
    Holder,
    JobsTable,
    Outcome,
    Reservation,
    RetryPolicy,
    complete,
    fail,
    recover,
    release,
    reserve,
)

from tests.database.pipeline import ANNA, BERT, Pipeline, Row, reserve_one, seconds
from tests.database.watch import Watched, once

Write = Callable[[JobsTable, Reservation], Outcome]

FAILURE = Failure("ValueError", "ValueError: too late", "Traceback")
RETRYING = RetryPolicy(retry_on=("*",))

WRITES: dict[str, Write] = {
    "complete": lambda jobs, held: complete(jobs, [(held, 1.0)])[0],
    "complete, kept": lambda jobs, held: complete(jobs, [(held, 1.0)], keep_completed=True)[0],
    "complete, empty is an error": lambda jobs, held: complete(jobs, [(held, 1.0)], on_empty="Error")[0],
    "fail": lambda jobs, held: fail(jobs, held, FAILURE, RetryPolicy()),
    "fail and retry": lambda jobs, held: fail(jobs, held, FAILURE, RETRYING),
    "release": lambda jobs, held: release(jobs, [held])[0],
}
LATE_WRITES = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@pytest.fixture
def jobs(pipeline: Pipeline) -> JobsTable:
    """With one key to do."""
    pipeline.add(1)
    pipeline.enqueue(1)
    return pipeline.session()


@LATE_WRITES
def test_a_row_that_is_pending_again_is_left_alone(pipeline: Pipeline, jobs: JobsTable, write: Write) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_that_another_host_holds_now_is_left_alone(pipeline: Pipeline, jobs: JobsTable, write: Write) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    reserve_one(pipeline.session(), BERT)
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_that_the_same_process_holds_by_another_connection_is_left_alone(
    pipeline: Pipeline, jobs: JobsTable, write: Write
) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    reserve_one(pipeline.session(), ANNA)
    # As if both had been within one millisecond: the connection alone tells them apart.
    pipeline.change(1, reserved_time=held.reserved_time)
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_that_the_same_connection_reserved_again_is_left_alone(
    pipeline: Pipeline, jobs: JobsTable, write: Write
) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    earlier = dataclasses.replace(held, reserved_time=held.reserved_time - seconds(0.001))
    reserve_one(jobs, ANNA)
    _changes_nothing(pipeline, lambda: write(jobs, earlier))


@LATE_WRITES
def test_a_row_that_another_process_of_the_host_holds_now_is_left_alone(
    pipeline: Pipeline, jobs: JobsTable, write: Write
) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    reserve_one(jobs, Holder(ANNA.host, ANNA.pid + 1))
    pipeline.change(1, reserved_time=held.reserved_time)
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_that_is_gone_stays_gone(pipeline: Pipeline, jobs: JobsTable, write: Write) -> None:
    held = reserve_one(jobs)
    pipeline.jobs.delete_quick()
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_that_ended_is_left_as_it_ended(pipeline: Pipeline, jobs: JobsTable, write: Write) -> None:
    held = reserve_one(jobs)
    fail(jobs, held, Failure("ValueError", "ValueError: at first"), RetryPolicy())
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_taken_over_is_left_alone_though_the_target_has_the_key(
    pipeline: Pipeline, jobs: JobsTable, write: Write
) -> None:
    held = reserve_one(jobs)
    recover(jobs, [ANNA.host])
    reserve_one(pipeline.session(), BERT)
    pipeline.make(1)
    _changes_nothing(pipeline, lambda: write(jobs, held))


@LATE_WRITES
def test_a_row_taken_over_between_look_and_write_is_left_alone(pipeline: Pipeline, write: Write) -> None:
    pipeline.add(1)
    pipeline.enqueue(1)
    jobs, thief = pipeline.session(kind=Watched), pipeline.session()
    held = reserve_one(jobs)
    after: list[Row] = []

    def take_over() -> None:
        recover(thief, [ANNA.host])
        reserve_one(thief, BERT)
        after.append(pipeline.row(1))

    jobs.after["owned"] = once(take_over)
    write(jobs, held)
    assert [pipeline.row(1)] == after


@LATE_WRITES
def test_the_owner_itself_is_not_fenced_off_by_a_reconnect(pipeline: Pipeline, jobs: JobsTable, write: Write) -> None:
    held = reserve_one(jobs)
    jobs.connection.reconnect()
    assert jobs.connection.id != held.connection_id
    assert write(jobs, held) is not Outcome.LOST


def test_recover_takes_no_row_that_changed_hands_since_it_looked(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    jobs, thief = pipeline.session(kind=Watched), pipeline.session()
    reserve_one(jobs)
    taken: list[Reservation] = []

    def take_over() -> None:
        recover(thief, [ANNA.host])
        taken.extend(reserve(thief, ANNA, 1))

    jobs.after["held_by"] = once(take_over)
    assert recover(jobs, [ANNA.host], suspect="OOMKilled").released == 0
    row = pipeline.row(1)
    assert (row["status"], row["error_message"]) == ("reserved", "")
    assert row["connection_id"] == taken[0].connection_id


def test_in_a_batch_only_the_rows_that_are_lost_are_lost(pipeline: Pipeline) -> None:
    pipeline.add(*range(6))
    pipeline.enqueue(*range(6))
    jobs = pipeline.session()
    held = sorted(reserve(jobs, ANNA, 6), key=lambda reservation: reservation.key["subject_id"])
    recover(jobs, [ANNA.host], but=held[:4])
    reserve(pipeline.session(), BERT, 1)
    pipeline.make(*range(6))
    outcomes = complete(jobs, [(reservation, 0.1) for reservation in held])
    assert outcomes[:4] == [Outcome.MADE] * 4
    assert outcomes[4:] == [Outcome.LOST] * 2
    assert sorted(pipeline.statuses().values()) == ["pending", "reserved"]


def _changes_nothing(pipeline: Pipeline, write: Callable[[], Outcome]) -> None:
    rows, attempts = pipeline.rows(), pipeline.attempts()
    assert write() is Outcome.LOST
    assert pipeline.rows() == rows
    assert pipeline.attempts() == attempts
