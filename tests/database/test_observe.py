"""What is to do, being done and wrong, under the restriction."""

from populate_jobs import Counts, JobsTable, Look, Progress, Sight, counts, error_groups, look, progress, reserve

from tests.database.pipeline import ANNA, BERT, Pipeline

EVEN = "subject_id % 2 = 0"


def _one_of_each(pipeline: Pipeline) -> None:
    """Keys 0 to 9 pending, 10 to 13 scheduled, 20 to 25 in other states; half of each kind is even."""
    pipeline.enqueue(*range(10))
    pipeline.enqueue(*range(10, 14), due_in=3600)
    pipeline.enqueue(20, 21, status="success")
    pipeline.enqueue(22, 23, status="error")
    pipeline.enqueue(24, 25, status="ignore")


def _seen(jobs: JobsTable, limit: int = 0) -> Sight:
    (sight,) = look(jobs.connection, [Look(jobs.document, limit)])
    return sight


def test_counts_tell_pending_from_scheduled_and_every_other_status(pipeline: Pipeline) -> None:
    _one_of_each(pipeline)
    jobs = pipeline.session()
    reserve(jobs, ANNA, 3)
    assert counts(jobs) == Counts(pending=7, scheduled=4, reserved=3, success=2, error=2, ignore=2)


def test_counts_follow_the_restriction(pipeline: Pipeline) -> None:
    _one_of_each(pipeline)
    jobs = pipeline.session(EVEN)
    assert counts(jobs) == Counts(pending=5, scheduled=2, reserved=0, success=1, error=1, ignore=1)


def test_an_empty_table_counts_nothing(pipeline: Pipeline) -> None:
    jobs = pipeline.session()
    assert (counts(jobs), _seen(jobs, 5), progress(jobs)) == (Counts(), Sight(0, {}), Progress(0, 0))
    assert error_groups(jobs) == []


def test_ready_counts_due_rows_no_further_than_asked(pipeline: Pipeline) -> None:
    _one_of_each(pipeline)
    assert [_seen(pipeline.session(), limit).ready for limit in (0, 1, 9, 10, 11)] == [0, 1, 9, 10, 10]
    assert [_seen(pipeline.session(EVEN), limit).ready for limit in (4, 5, 6)] == [4, 5, 5]


def test_held_counts_reserved_rows_by_host_foreign_ones_too(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(10))
    jobs = pipeline.session()
    assert pipeline.jobs.reserve({"subject_id": 9})
    ((foreign,),) = {(row["host"],) for row in pipeline.rows().values() if row["status"] == "reserved"}
    reserve(jobs, ANNA, 2)
    reserve(jobs, BERT, 3)
    assert _seen(jobs).held == {ANNA.host: 2, BERT.host: 3, foreign: 1}


def test_held_follows_the_restriction(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(6))
    reserve(pipeline.session(), ANNA, 6)
    assert _seen(pipeline.session(EVEN)).held == {ANNA.host: 3}


def test_progress_counts_keys_of_key_source_and_those_the_target_has(pipeline: Pipeline) -> None:
    pipeline.add(*range(10))
    pipeline.make(0, 1, 2)
    assert progress(pipeline.session()) == Progress(total=10, done=3)
    assert progress(pipeline.session(EVEN)) == Progress(total=5, done=2)


def test_errors_are_grouped_by_what_does_not_vary_and_the_largest_group_is_first(pipeline: Pipeline) -> None:
    for key in range(3):
        pipeline.enqueue(key, status="error", error_message=f"ValueError: {key} beats in 'scan {key}'")
    for key in range(10, 15):
        pipeline.enqueue(key, status="error", error_message="KeyError: 'age'\nsecond line")
    pipeline.enqueue(20, error_message="TypeError: pending, so not an error")
    first, second = error_groups(pipeline.session())
    assert (first.count, first.signature, first.message) == (5, "KeyError: …", "KeyError: 'age'\nsecond line")
    assert (second.count, second.signature) == (3, "ValueError: … beats in …")
    assert (
        second.message
        == f"ValueError: {second.sample_key['subject_id']} beats in 'scan {second.sample_key['subject_id']}'"
    )
    assert first.sample_key["subject_id"] in range(10, 15)


def test_errors_are_grouped_by_how_they_begin_and_one_of_them_is_told_whole(pipeline: Pipeline) -> None:
    begin = "ValueError: " + "ß" * 600
    for key in (1, 2):
        pipeline.enqueue(key, status="error", error_message=f"{begin} {key}")
    (group,) = error_groups(pipeline.session())
    assert (group.count, group.message) == (2, f"{begin} {group.sample_key['subject_id']}")


def test_only_the_most_frequent_errors_are_told_and_only_those_under_the_restriction(pipeline: Pipeline) -> None:
    names = "abcdefghijkl"
    for number, name in enumerate(names):
        keys = range(100 * number, 100 * number + 2 * (number + 1))
        pipeline.enqueue(*keys, status="error", error_message=f"ValueError: {name}")
    groups = error_groups(pipeline.session(EVEN), most=2)
    assert [(group.signature, group.count) for group in groups] == [("ValueError: l", 12), ("ValueError: k", 11)]
