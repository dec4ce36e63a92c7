"""What people decide about rows: priority, retrying errors, ignoring keys."""

import pytest
from populate_jobs import (
    Counts,
    counts,
    ignore,
    ignore_errors,
    pages,
    remove_pending,
    reprioritize,
    reserve,
    retry_errors,
)

from tests.database.pipeline import ANNA, Pipeline

EVEN = "subject_id % 2 = 0"
ODD = "subject_id % 2 = 1"
MESSAGES = {
    1: "ValueError: 50 % of 'beats'",
    2: 'ValueError: 50 of "beats"',
    3: "KeyError: a\\b",
    4: "KeyError: a_b",
}


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE", 4)
    monkeypatch.setattr(pages, "KEYS_A_STATEMENT", 3)


def _priorities(pipeline: Pipeline) -> dict[int, int]:
    return {key: row["priority"] for (key,), row in pipeline.rows().items()}


def test_a_new_priority_is_given_to_pending_rows_that_still_have_the_one_before(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, 2, priority=5)
    pipeline.enqueue(3, priority=5, due_in=3600)
    pipeline.enqueue(4, priority=5, status="error")
    pipeline.enqueue(5, priority=5, status="reserved")
    assert reprioritize(pipeline.session(), 8, applied=5) == 3
    assert _priorities(pipeline) == {1: 8, 2: 8, 3: 8, 4: 5, 5: 5}


def test_a_more_urgent_row_keeps_its_priority(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, priority=0)
    pipeline.enqueue(2, priority=9)
    assert reprioritize(pipeline.session(), 3, applied=None) == 1
    assert _priorities(pipeline) == {1: 0, 2: 3}


def test_where_populate_jobs_overlap_a_row_keeps_the_more_urgent(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(4), priority=5)
    some, every = pipeline.session(EVEN), pipeline.session()
    reprioritize(some, 2, applied=5)
    reprioritize(every, 4, applied=5)
    assert _priorities(pipeline) == {0: 2, 1: 4, 2: 2, 3: 4}
    reprioritize(every, 1, applied=4)
    assert _priorities(pipeline) == dict.fromkeys(range(4), 1)


def test_priority_follows_the_restriction(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(4), priority=5)
    assert reprioritize(pipeline.session(ODD), 3, applied=5) == 2
    assert _priorities(pipeline) == {0: 5, 1: 3, 2: 5, 3: 3}


def test_a_priority_applied_again_changes_nothing(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(4), priority=5)
    jobs = pipeline.session()
    assert [reprioritize(jobs, 7, applied=applied) for applied in (5, 7, None)] == [4, 0, 0]


@pytest.mark.usefixtures("small_pages")
def test_all_pages_are_changed(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(19), priority=5)
    pipeline.enqueue(*range(19, 30), status="error")
    jobs = pipeline.session()
    assert reprioritize(jobs, 1, applied=5) == 19
    assert ignore_errors(pipeline.session(EVEN)) == 5
    assert retry_errors(jobs) == 6
    assert counts(jobs) == Counts(pending=25, ignore=5)


def test_a_retried_error_is_pending_and_due_and_forgets_its_message(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, status="error", error_message="ValueError: x", error_stack=b"dj0", host="h", pid=3)
    pipeline.enqueue(2, status="ignore")
    jobs = pipeline.session()
    assert retry_errors(jobs) == 1
    row = pipeline.row(1)
    cleared = ("error_message", "error_stack", "host", "pid", "connection_id", "reserved_time", "completed_time")
    assert [row[name] for name in cleared] == ["", None, "", 0, 0, None, None]
    assert pipeline.statuses() == {1: "pending", 2: "ignore"}
    assert len(reserve(jobs, ANNA, 2)) == 1


@pytest.mark.parametrize(
    ("match", "keys"),
    [("%", [1]), ("50 % of 'beats'", [1]), ('"', [2]), ("\\", [3]), ("a_b", [4]), ("ValueError", [1, 2]), ("none", [])],
)
@pytest.mark.parametrize("change", [retry_errors, ignore_errors])
def test_errors_are_chosen_by_text_that_stands_for_itself(
    pipeline: Pipeline, change: object, match: str, keys: list[int]
) -> None:
    for key, message in MESSAGES.items():
        pipeline.enqueue(key, status="error", error_message=message)
    assert change(pipeline.session(), match=match) == len(keys)  # type: ignore[operator]
    status = "pending" if change is retry_errors else "ignore"
    assert [key for key, now in pipeline.statuses().items() if now == status] == keys


def test_errors_outside_the_restriction_stay(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, 2, status="error")
    assert retry_errors(pipeline.session(EVEN)) == 1
    assert ignore_errors(pipeline.session(EVEN)) == 0
    assert pipeline.statuses() == {1: "error", 2: "pending"}


def test_an_ignored_error_keeps_its_message(pipeline: Pipeline) -> None:
    pipeline.enqueue(1, status="error", error_message="ValueError: x")
    ignore_errors(pipeline.session())
    assert pipeline.row(1)["error_message"] == "ValueError: x"


def test_keys_are_ignored_whether_queued_or_not_unless_reserved(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    pipeline.enqueue(2, status="error")
    pipeline.enqueue(3, status="reserved", host="elsewhere")
    pipeline.enqueue(4, status="success")
    keys = [pipeline.key(key) for key in (1, 2, 3, 4, 5, 5)]
    assert ignore(pipeline.session(), keys) == 4
    assert pipeline.statuses() == {1: "ignore", 2: "ignore", 3: "reserved", 4: "ignore", 5: "ignore"}
    assert reserve(pipeline.session(), ANNA, 5) == []


def test_ignoring_no_keys_is_nothing_done(pipeline: Pipeline) -> None:
    assert ignore(pipeline.session(), []) == 0


@pytest.mark.usefixtures("small_pages")
def test_more_keys_are_ignored_than_one_statement_takes(pipeline: Pipeline) -> None:
    assert ignore(pipeline.session(), [pipeline.key(key) for key in range(10)]) == 10
    assert counts(pipeline.session()).ignore == 10


@pytest.mark.usefixtures("small_pages")
def test_what_waits_is_removed_and_nothing_else(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(10))
    pipeline.enqueue(10, due_in=3600)
    for key, status in enumerate(("reserved", "error", "ignore", "success"), start=20):
        pipeline.enqueue(key, status=status)
    assert remove_pending(pipeline.session(EVEN)) == 6
    assert remove_pending(pipeline.session(EVEN)) == 0
    assert set(pipeline.rows()) == {(1,), (3,), (5,), (7,), (9,), (20,), (21,), (22,), (23,)}


@pytest.mark.usefixtures("small_pages")
def test_what_waits_is_removed_under_the_restriction_and_nothing_else(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(20))
    pipeline.enqueue(*range(20, 30), due_in=3600)
    for key, status in enumerate(("reserved", "success", "error", "ignore"), start=15):
        pipeline.enqueue(2 * key, status=status)
    before = pipeline.rows()
    assert remove_pending(pipeline.session(EVEN)) == 15
    left = {key: row for key, row in before.items() if row["status"] != "pending" or key[0] % 2}
    assert pipeline.rows() == left
