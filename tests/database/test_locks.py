"""What reservers lock and pass over, seen from sessions beside them."""

from typing import Any

import pytest
from populate_jobs import Reservation, due, reserve

from tests.database.pipeline import ANNA, BERT, Pipeline, values
from tests.database.watch import Watched, is_locked, locked

EVEN = "subject_id % 2 = 0"
ODD = "subject_id % 2 = 1"
EVERYTHING = "subject_id >= 0"


@pytest.mark.parametrize("restriction", ["", EVERYTHING])
def test_rows_that_another_session_has_locked_are_passed_over(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(1, 2, 3, priority=0)
    pipeline.enqueue(4, 5)
    jobs = pipeline.session(restriction)
    with locked(pipeline, 1, 2, 3):
        assert sorted(values(reserve(jobs, ANNA, 5))) == [4, 5]
    assert sorted(values(reserve(jobs, ANNA, 5))) == [1, 2, 3]


@pytest.mark.parametrize("restriction", ["", EVERYTHING])
def test_nothing_is_reserved_and_nobody_waits_while_all_rows_are_locked(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(*range(40))
    jobs = pipeline.session(restriction)
    with locked(pipeline, *range(40)):
        assert due(jobs)
        assert reserve(jobs, ANNA, 5) == []
    assert len(reserve(jobs, ANNA, 5)) == 5


@pytest.mark.parametrize("restriction", ["", EVEN, EVERYTHING])
def test_a_reserver_has_locked_what_it_takes_and_no_row_besides(pipeline: Pipeline, restriction: str) -> None:
    pipeline.enqueue(*range(30))
    pipeline.enqueue(*range(30, 40), due_in=3600)
    pipeline.enqueue(*range(40, 50), status="error")
    jobs = pipeline.session(restriction, Watched)
    seen: list[int] = []
    jobs.before["mark_reserved"] = lambda: seen.extend(key for key in range(50) if is_locked(pipeline, key))
    taken = values(reserve(jobs, ANNA, 5))
    assert len(taken) == 5
    assert seen == sorted(taken)


def test_a_reserver_that_finds_the_rest_locked_keeps_no_lock_on_rows_it_rejects(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(0, 60, 2))
    pipeline.enqueue(*range(1, 60, 2), priority=0)
    jobs = pipeline.session(EVEN, Watched)
    seen: list[int] = []
    jobs.before["mark_reserved"] = lambda: seen.extend(key for key in range(60) if is_locked(pipeline, key))
    with locked(pipeline, *range(0, 50, 2)):
        assert sorted(values(reserve(jobs, ANNA, 10))) == [50, 52, 54, 56, 58]
    assert seen == [*range(0, 50, 2), 50, 52, 54, 56, 58]


@pytest.mark.parametrize(("mine", "theirs"), [(EVEN, ODD), (ODD, EVEN), (EVEN, ""), ("", EVEN)])
def test_a_reserver_in_mid_transaction_leaves_others_all_it_does_not_take(
    pipeline: Pipeline, mine: str, theirs: str
) -> None:
    pipeline.enqueue(*range(40))
    jobs, others = pipeline.session(mine, Watched), pipeline.session(theirs)
    got: list[Any] = []
    jobs.before["mark_reserved"] = lambda: got.extend(values(reserve(others, BERT, 40)))
    taken = values(reserve(jobs, ANNA, 7))
    theirs_all = {key for key in range(40) if theirs in ("", ODD if key % 2 else EVEN)}
    assert set(got) == theirs_all - set(taken)
    assert len(taken) == 7


@pytest.mark.parametrize("every", [100, 1600])
def test_disjoint_restrictions_never_starve_each_other_however_sparse(pipeline: Pipeline, every: int) -> None:
    pipeline.enqueue(*range(3200))
    few = pipeline.session(f"subject_id % {every} = {every - 1}", Watched)
    many = pipeline.session(f"subject_id % {every} <> {every - 1}", Watched)
    assert _reserved_within(many, few) == (1, 1)
    assert _reserved_within(few, many) == (1, 1)


def _reserved_within(outer: Watched, inner: Watched) -> tuple[int, int]:
    """How many of one row each get, the inner one while the outer one is in the middle of reserving."""
    within: list[Reservation] = []
    outer.before["mark_reserved"] = lambda: within.extend(reserve(inner, BERT, 1))
    taken = reserve(outer, ANNA, 1)
    outer.before.clear()
    return len(taken), len(within)
