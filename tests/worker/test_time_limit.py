"""A make that runs longer than it may."""

from populate_jobs import RetryPolicy

from tests.worker.lab import Lab, Worker

MESSAGE = "TimeLimit: make ran longer than 1 s (spec.timeoutSeconds)"


def test_an_endless_make_is_an_error_and_the_rest_is_made(lab: Lab) -> None:
    lab.fill("endless")
    with lab.worker(timeout_seconds=1) as worker:
        lab.until_done(left={1: "error"})
        the_rest_is_made_without_limit(lab, worker)
    assert lab.rows() == {1: ("error", MESSAGE)}
    assert lab.started_again() == {}


def test_a_make_that_lets_nothing_end_it_is_killed(lab: Lab) -> None:
    lab.fill("stubborn")
    with lab.worker(timeout_seconds=1) as worker:
        lab.until_done(left={1: "error"})
        the_rest_is_made_without_limit(lab, worker)
    assert lab.rows() == {1: ("error", MESSAGE)}


def test_a_make_that_took_too_long_is_tried_again_where_the_policy_says_so(lab: Lab) -> None:
    lab.fill("endless")
    with lab.worker(timeout_seconds=1, retry=RetryPolicy(1, 0.1, retry_on=("TimeLimit",))) as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert worker.log.count("to be tried again: TimeLimit") == 1


def the_rest_is_made_without_limit(lab: Lab, worker: Worker) -> None:
    """A second is short for any make on a busy machine."""
    worker.assign(lab.assignment())
    worker.until_logged("assignment has changed")
    lab.fill("insert", "insert", first=2)
    lab.until_done(left={1: "error"})
    worker.stop()
    assert lab.made() == [2, 3]
