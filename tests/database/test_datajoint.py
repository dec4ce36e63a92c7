"""DataJoint's own client works on the same jobs table beside us, and sees our rows as its own."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from populate_jobs import (
    Failure,
    Outcome,
    RetryPolicy,
    complete,
    counts,
    fail,
    ignore,
    progress,
    recover,
    refresh,
    reserve,
)
from populate_jobs.types import WORKER_MARK

from tests.database.pipeline import ANNA, BERT, Pipeline, datajoint, values
from tests.documentation.blocks import ROOT, blocks
from tests.servers.host import PATIENCE

FAILURE = Failure("ValueError", "ValueError: too few beats", "Traceback:\n  line 3")


def _key(number: int) -> dict[str, int]:
    return {"subject_id": number}


def test_one_statement_of_its_gives_back_what_nobody_is_left_to_give_back(pipeline: Pipeline) -> None:
    (statement,) = (block.text for block in blocks(ROOT / "docs" / "troubleshooting.md") if block.kind == "python")
    pipeline.add(*range(4))
    jobs = pipeline.session()
    refresh(jobs)
    reserve(jobs, replace(ANNA, host=f"anna{WORKER_MARK}.lab.test"), 2)
    (other,) = reserve(jobs, replace(BERT, host=f"bert{WORKER_MARK}.another-lab.test"), 1)
    exec(statement, {"HeartRate": pipeline.target})
    assert sorted(pipeline.statuses().values()) == ["pending", "reserved"]
    pipeline.jobs.refresh()
    assert pipeline.statuses() == dict.fromkeys(range(4), "pending") | dict.fromkeys(values([other]), "reserved")


def test_its_progress_counts_our_rows(pipeline: Pipeline) -> None:
    pipeline.add(*range(10))
    jobs = pipeline.session()
    refresh(jobs)
    held = reserve(jobs, ANNA, 4)
    pipeline.make(*values(held[:1]))
    complete(jobs, [(held[0], 1.0), (held[1], 1.0)], keep_completed=True)
    fail(jobs, held[2], FAILURE, RetryPolicy())
    expected = {"pending": 6, "reserved": 1, "success": 1, "error": 1, "ignore": 1, "total": 10}
    assert pipeline.jobs.progress() == expected


def test_its_queries_find_our_rows(pipeline: Pipeline) -> None:
    pipeline.add(*range(4))
    jobs = pipeline.session()
    refresh(jobs, priority=7)
    (held,) = reserve(jobs, ANNA, 1)
    (row,) = pipeline.jobs.reserved.to_dicts()
    assert (row["host"], row["pid"], row["user"], row["version"]) == (ANNA.host, ANNA.pid, ANNA.user, ANNA.version)
    assert row["reserved_time"] == held.reserved_time
    assert {row["priority"] for row in pipeline.jobs.pending.to_dicts()} == {7}
    fail(jobs, held, FAILURE, RetryPolicy())
    (row,) = pipeline.jobs.errors.to_dicts()
    assert (row["error_message"], row["error_stack"]) == (FAILURE.message, FAILURE.stack)


def test_its_refresh_adds_nothing_to_ours_and_ours_nothing_to_its(pipeline: Pipeline) -> None:
    pipeline.add(*range(5))
    jobs = pipeline.session()
    assert refresh(jobs).added == 5
    assert pipeline.jobs.refresh()["added"] == 0
    pipeline.add(*range(5, 8))
    assert pipeline.jobs.refresh()["added"] == 3
    assert refresh(jobs).added == 0


def test_what_it_reserves_we_do_not_and_what_we_reserve_it_does_not(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(4))
    jobs = pipeline.session()
    assert pipeline.jobs.reserve(_key(0))
    ours = values(reserve(jobs, ANNA, 10))
    assert sorted(ours) == [1, 2, 3]
    assert not any(pipeline.jobs.reserve(_key(key)) for key in range(4))


def test_what_we_give_back_it_reserves(pipeline: Pipeline) -> None:
    pipeline.enqueue(0)
    jobs = pipeline.session()
    reserve(jobs, ANNA, 1)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    assert pipeline.jobs.reserve(_key(0))


def test_a_row_that_waits_for_its_next_attempt_is_not_due_for_it_either(pipeline: Pipeline) -> None:
    pipeline.add(0)
    pipeline.enqueue(0)
    jobs = pipeline.session()
    (held,) = reserve(jobs, ANNA, 1)
    assert fail(jobs, held, FAILURE, RetryPolicy(backoff_seconds=100, retry_on=("*",))) is Outcome.RETRY
    assert not pipeline.jobs.reserve(_key(0))


def test_what_it_completes_under_us_is_lost_or_made(pipeline: Pipeline) -> None:
    pipeline.add(0, 1)
    pipeline.enqueue(0, 1)
    jobs = pipeline.session()
    held = {reservation.key["subject_id"]: reservation for reservation in reserve(jobs, ANNA, 2)}
    pipeline.make(1)
    for key in (0, 1):
        pipeline.jobs.complete(_key(key))
    assert complete(jobs, [(held[0], 1.0), (held[1], 1.0)]) == [Outcome.LOST, Outcome.MADE]


def test_what_it_sets_aside_we_leave_and_what_we_set_aside_it_leaves(pipeline: Pipeline) -> None:
    pipeline.add(0, 1)
    jobs = pipeline.session()
    pipeline.jobs.ignore(_key(0))
    ignore(jobs, [_key(1)])
    assert refresh(jobs).added == pipeline.jobs.refresh()["added"] == 0
    assert {row["subject_id"] for row in pipeline.jobs.ignored.to_dicts()} == {0, 1}
    assert reserve(jobs, ANNA, 5) == []


def test_its_errors_are_ours_to_count(pipeline: Pipeline) -> None:
    pipeline.enqueue(0)
    pipeline.jobs.reserve(_key(0))
    pipeline.jobs.error(_key(0), "ValueError: its own", "its stack")
    assert counts(pipeline.session()).error == 1


def test_our_tables_do_not_show_in_its_list(pipeline: Pipeline) -> None:
    schema = pipeline.instance.Schema(pipeline.schema)
    assert sorted(schema.list_tables()) == ["__scan", "subject"]
    found: dict[str, Any] = {}
    schema.make_classes(into=found)
    assert sorted(name for name, table in found.items() if isinstance(table, type)) == ["Scan", "Subject"]


def test_its_populate_and_ours_share_the_work_and_no_key_is_made_twice(pipeline: Pipeline) -> None:
    pipeline.add(*range(60))
    jobs = pipeline.session()
    refresh(jobs)

    def ours() -> None:
        while held := reserve(jobs, ANNA, 3):
            for reservation in held:
                pipeline.execute(
                    f"INSERT INTO {pipeline.document().target} (subject_id, result) VALUES (%s, 1)",
                    [reservation.key["subject_id"]],
                )
            outcomes = complete(jobs, [(reservation, 0.1) for reservation in held])
            assert outcomes == [Outcome.MADE] * len(held)

    with ThreadPoolExecutor(1) as threads:
        work = threads.submit(ours)
        pipeline.target.populate(reserve_jobs=True, refresh=False)
        work.result(timeout=PATIENCE)
    assert pipeline.jobs.progress()["error"] == 0
    assert progress(jobs).done == 60
    assert pipeline.rows() == {}


def test_dropping_the_schema_with_it_drops_our_table_too(pipeline: Pipeline) -> None:
    other = Pipeline(pipeline.server, f"{pipeline.schema}_dropped")
    other.close()
    instance = datajoint(pipeline.server)
    instance.Schema(other.schema, create_schema=False).drop(prompt=False)
    found = f"SELECT 1 FROM information_schema.schemata WHERE schema_name = '{other.schema}'"
    assert pipeline.execute(found) == []
    instance.connection.close()
