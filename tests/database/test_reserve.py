"""Which keys a reserver gets, in what order, and what stands in the row then."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from populate_jobs import Holder, JobsTable, Key, due, frontier, recover, reserve
from populate_jobs.errors import DatabaseError

from tests.database.pipeline import ANNA, BERT, Pipeline, values
from tests.database.watch import Watched, once

EVEN = "subject_id % 2 = 0"
ODD = "subject_id % 2 = 1"


def test_the_most_urgent_key_comes_first_and_of_equals_the_one_due_longest(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, priority=5, due_in=-10)
    pipeline.enqueue(2, priority=5, due_in=-20)
    pipeline.enqueue(3, priority=9, due_in=-30)
    pipeline.enqueue(4, priority=0, due_in=-1)
    jobs = pipeline.session()
    assert values(reserve(jobs, ANNA, 3)) == [4, 2, 1]
    assert values(reserve(jobs, ANNA, 3)) == [3]


def test_a_restricted_reserver_takes_the_most_urgent_of_its_own_first(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(20), priority=7)
    pipeline.enqueue(*range(20, 40), priority=3)
    pipeline.enqueue(*range(40, 60), priority=5)
    jobs = pipeline.session(EVEN)
    assert sorted(values(reserve(jobs, ANNA, 10))) == list(range(20, 40, 2))
    assert sorted(values(reserve(jobs, ANNA, 10))) == list(range(40, 60, 2))


@pytest.mark.parametrize("restriction", ["", EVEN])
def test_only_pending_rows_that_are_due_are_reserved(pipeline: Pipeline, restriction: str) -> None:
    for key, status in enumerate(("reserved", "success", "error", "ignore")):
        pipeline.enqueue(2 * key, status=status)
    pipeline.enqueue(100, due_in=3600)
    jobs = pipeline.session(restriction)
    before = pipeline.rows()
    assert not due(jobs)
    assert reserve(jobs, ANNA, 10) == []
    assert pipeline.rows() == before


@pytest.mark.parametrize("restriction", ["", EVEN])
def test_the_row_names_its_holder_and_the_reservation_names_the_row(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(2, 4)
    jobs = pipeline.session(restriction)
    assert due(jobs)
    for held in reserve(jobs, ANNA, 2):
        row = pipeline.row(held.key)
        assert (row["status"], row["host"], row["pid"]) == ("reserved", ANNA.host, ANNA.pid)
        assert (row["user"], row["version"]) == (ANNA.user, ANNA.version)
        assert row["connection_id"] == held.connection_id == jobs.connection.id
        assert row["reserved_time"] == held.reserved_time
        assert abs((pipeline.now() - held.reserved_time).total_seconds()) < 30
        assert not held.failed_before
        assert not held.suspect


def test_due_looks_no_further_than_the_restriction(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    assert not due(pipeline.session(EVEN))
    assert due(pipeline.session(ODD))


@pytest.mark.parametrize("restriction", ["", "subject_id >= 0"])
def test_reservers_at_once_get_disjoint_keys_and_together_all(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(*range(300))
    sessions = [pipeline.session(restriction) for _ in range(8)]

    def work(number: int) -> list[int]:
        holder = Holder(f"worker-{number}", number)
        taken: list[int] = []
        while got := values(reserve(sessions[number], holder, 5)):
            taken += got
        return taken

    with ThreadPoolExecutor(len(sessions)) as threads:
        taken = [key for keys in threads.map(work, range(len(sessions))) for key in keys]
    assert sorted(taken) == list(range(300))


def test_a_restricted_reserver_looks_again_when_others_took_all_it_saw(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(0, 100, 2))
    jobs, rival = pipeline.session(EVEN, Watched), pipeline.session()
    jobs.after["candidates"] = once(lambda: reserve(rival, BERT, 49))
    assert len(reserve(jobs, ANNA, 1)) == 1


def test_a_restricted_reserver_goes_on_where_it_was_and_begins_anew_when_there_is_no_more(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frontier, "HOLDS_SECONDS", 600.0)
    pipeline.enqueue(0, 2, 4, due_in=-30)
    pipeline.enqueue(6, 8, 10, due_in=-20)
    jobs = pipeline.session(EVEN, Watched)
    asked: list[str] = []
    for name in ("candidates", "candidates_from"):
        jobs.before[name] = lambda name=name: asked.append(name)  # type: ignore[misc]
    taken = values(reserve(jobs, ANNA, 3)) + values(reserve(jobs, ANNA, 2))
    pipeline.enqueue(12, due_in=-60)
    taken += values(reserve(jobs, ANNA, 1))
    assert sorted(taken) == [0, 2, 4, 6, 8, 10]
    assert asked == ["candidates", "candidates_from", "candidates_from"]
    assert values(reserve(jobs, ANNA, 1)) == [12]
    assert reserve(jobs, ANNA, 1) == []


def test_what_comes_before_a_place_in_the_queue_is_not_read(pipeline: Pipeline) -> None:
    pipeline.enqueue(0, priority=2, due_in=-10)
    pipeline.enqueue(2, priority=5, due_in=-30)
    pipeline.enqueue(4, priority=5, due_in=-20)
    pipeline.enqueue(6, priority=7, due_in=-60)
    pipeline.enqueue(8, priority=7, due_in=3600)
    jobs = pipeline.session(EVEN)
    place = [5, 5, pipeline.row(4)["scheduled_time"]]
    assert [jobs.key(row)["subject_id"] for row in jobs.run("candidates_from", [*place, 10]).rows] == [4, 6]


def test_suspects_come_one_by_one_to_a_worker_that_is_alone(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, 2)
    jobs = pipeline.session()
    reserve(jobs, ANNA, 2)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    pipeline.enqueue(3, priority=9)
    first = reserve(jobs, BERT, 10)
    assert [held.suspect for held in first] == [True]
    second = reserve(jobs, BERT, 10)
    assert [held.suspect for held in second] == [True]
    assert sorted(values(first + second)) == [1, 2]
    assert values(reserve(jobs, BERT, 10)) == [3]


@pytest.mark.parametrize("restriction", ["", "subject_id >= 0"])
def test_a_worker_that_holds_other_keys_is_given_no_suspect(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(1)
    jobs = pipeline.session(restriction)
    reserve(jobs, ANNA, 1)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    pipeline.enqueue(2, priority=9)
    assert values(reserve(jobs, BERT, 10, alone=False)) == [2]
    assert jobs.suspect_waits or restriction
    assert pipeline.statuses() == {1: "pending", 2: "reserved"}


@pytest.mark.parametrize("restriction", ["", "subject_id >= 0"])
def test_suspects_at_the_head_of_the_queue_keep_no_key_from_a_worker_that_holds_others(
    pipeline: Pipeline, restriction: str
) -> None:
    pipeline.enqueue(1, 2, 3, priority=1)
    jobs = pipeline.session(restriction)
    reserve(jobs, ANNA, 3)
    recover(jobs, [ANNA.host], suspect="OOMKilled")
    pipeline.enqueue(4, 5, priority=9)
    assert sorted(values(reserve(jobs, BERT, 1, alone=False) + reserve(jobs, BERT, 1, alone=False))) == [4, 5]
    assert jobs.suspect_waits
    assert reserve(jobs, BERT, 1, alone=False) == []
    assert [held.suspect for held in reserve(jobs, BERT, 1)] == [True]
    assert not jobs.suspect_waits


class Unequal(JobsTable):
    """Whose keys are not equal to what is read of them."""

    def matching(self, keys: Iterable[Key]) -> tuple[str, list[Any]]:
        return "1 = 0", []


def test_a_key_that_cannot_be_marked_is_not_ours(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    with pytest.raises(DatabaseError, match=r"0 rows of .* have the keys"):
        reserve(pipeline.session(kind=Unequal), ANNA, 1)
    assert pipeline.statuses() == {1: "pending"}
