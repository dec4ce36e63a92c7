"""A make that runs longer than it may."""

from populate_jobs import RetryPolicy

from tests.worker.lab import Lab

MESSAGE = "TimeLimit: make ran longer than 1 s (spec.timeoutSeconds)"


def test_an_endless_make_is_an_error_and_the_rest_is_made(lab: Lab) -> None:
    lab.fill("insert", "endless", "insert")
    with lab.worker(timeout_seconds=1) as worker:
        lab.until_done(left={2: "error"})
        worker.stop()
    assert lab.rows() == {2: ("error", MESSAGE)}
    assert lab.made() == [1, 3]
    assert lab.started_again() == {}


def test_a_make_that_lets_nothing_end_it_is_killed(lab: Lab) -> None:
    lab.fill("stubborn", "insert")
    with lab.worker(timeout_seconds=1) as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert lab.rows() == {1: ("error", MESSAGE)}
    assert lab.made() == [2]


def test_a_make_that_took_too_long_is_tried_again_where_the_policy_says_so(lab: Lab) -> None:
    lab.fill("endless")
    with lab.worker(timeout_seconds=1, retry=RetryPolicy(1, 0.1, retry_on=("TimeLimit",))) as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert lab.starts() == {1: 2}
