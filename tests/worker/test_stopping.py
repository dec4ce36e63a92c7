"""SIGTERM at every moment: no key is lost, none is an error, nothing stays reserved."""

from collections.abc import Iterator

import psutil
import pytest
from populate_jobs import recover
from populate_worker.exit_codes import ExitCode

from tests.servers.host import wait_until
from tests.worker.blocking import (
    commits_blocked,
    jobs_table_locked,
    prepare_commits_to_wait,
    waits_for_jobs_table,
    waits_in_commit,
)
from tests.worker.lab import Lab


def test_sigterm_while_the_class_is_being_imported(lab: Lab) -> None:
    lab.fill("insert")
    with lab.worker() as worker:
        worker.until_runners(1)
        worker.stop()
    assert lab.statuses() == {1: "pending"} or lab.made() == [1]


def test_sigterm_while_idle(lab: Lab) -> None:
    with lab.worker() as worker:
        worker.until_logged("connected")
        worker.stop()


def test_sigterm_while_reserving_gives_back_what_comes(lab: Lab) -> None:
    lab.fill("wait", "insert")
    with lab.worker() as worker:
        lab.until_in_make(1)
        with jobs_table_locked(lab):
            lab.let(1)
            wait_until(lambda: waits_for_jobs_table(lab), "a statement of the queue waiting for our lock")
            worker.terminate()
            worker.until_logged("SIGTERM")
        assert worker.exit_code() == 0
    assert lab.statuses() == {2: "pending"}
    assert lab.made() == [1]


def test_sigterm_in_make_gives_back_the_rest_at_once_and_lets_make_end(lab: Lab) -> None:
    lab.fill(*["insert"] * 20, "wait", *["insert"] * 20)
    with lab.worker() as worker:
        lab.until_in_make(21)
        worker.terminate()
        expected = {21: "reserved"} | dict.fromkeys(range(22, 42), "pending")
        wait_until(lambda: lab.statuses() == expected, "what make has not begun given back")
        lab.let(21)
        assert worker.exit_code() == 0
    assert lab.statuses() == dict.fromkeys(range(22, 42), "pending")
    assert lab.made() == list(range(1, 22))
    assert lab.started_again() == {}


@pytest.mark.parametrize("behaviour", ["wait", "stubborn"])
def test_a_make_that_outlasts_the_drain_is_ended_and_given_back(lab: Lab, behaviour: str) -> None:
    lab.fill(behaviour)
    with lab.worker(drain_seconds=1) as worker:
        lab.until_in_make(1)
        worker.stop()
    assert lab.rows() == {1: ("pending", "")}
    assert lab.made() == []


def test_a_make_that_is_ended_may_clean_up(lab: Lab) -> None:
    lab.fill("cleans_up")
    for _ in in_a_few_tries(lab, "cleaned-1"):
        with lab.worker(drain_seconds=0) as worker:
            lab.until_in_make(1)
            worker.stop()
        assert lab.statuses() == {1: "pending"}


def test_a_runner_whose_make_ends_in_time_ends_as_python_does(lab: Lab) -> None:
    for _ in in_a_few_tries(lab, "left-1"):
        lab.use(lab.folder)
        lab.fill("leaves_something", "insert")
        with lab.worker() as worker:
            lab.until_in_make(1)
            worker.terminate()
            lab.until_done(left={1: "reserved", 2: "pending"})
            lab.let(1)
            assert worker.exit_code() == 0
        assert lab.made() == [1]


def in_a_few_tries(lab: Lab, left: str) -> Iterator[int]:
    """Until this file is there: who is to leave it has two seconds, which are short on a busy machine."""
    for times in range(5):
        for met in ("in-1", "go-1"):
            (lab.folder / met).unlink(missing_ok=True)
        yield times
        if (lab.folder / left).exists():
            return
    raise AssertionError(f"no {left} in {lab.folder}")


def test_a_second_sigterm_ends_make_at_once(lab: Lab) -> None:
    lab.fill("stubborn")
    with lab.worker(drain_seconds=600) as worker:
        lab.until_in_make(1)
        worker.terminate()
        worker.until_logged("SIGTERM")
        worker.terminate()
        if worker.exit_code() == ExitCode.LEFT_RESERVED:  # it waits two seconds for the database, and no longer
            with lab.queue() as jobs:
                recover(jobs, [worker.host])
        assert worker.exit_code() in (0, ExitCode.LEFT_RESERVED), worker.log
    assert lab.rows() == {1: ("pending", "")}


def test_sigint_stops_the_worker_as_sigterm_does_and_does_not_reach_make(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker() as worker:
        lab.until_in_make(1)
        worker.interrupt()
        worker.until_logged("SIGINT")
        lab.let(1)
        assert worker.exit_code() == 0
    assert lab.made() == [1]
    assert lab.statuses() == {}


def test_sigterm_while_committing_completes_the_key(own_lab: Lab) -> None:
    prepare_commits_to_wait(own_lab)
    own_lab.fill("commit", "insert")
    with own_lab.worker() as worker:
        own_lab.until_in_make(1)
        with commits_blocked(own_lab):
            own_lab.let(1)
            wait_until(lambda: waits_in_commit(own_lab), "the runner waiting in COMMIT")
            worker.terminate()
            worker.until_logged("SIGTERM")
        assert worker.exit_code() == 0
    assert own_lab.made() == [1]
    assert own_lab.statuses() == {2: "pending"}
    assert own_lab.started_again() == {}


def test_a_runner_that_does_not_end_by_itself_is_not_left_behind(lab: Lab) -> None:
    lab.fill("stubborn")
    with lab.worker(drain_seconds=0) as worker:
        lab.until_in_make(1)
        (runner,) = worker.runners()
        worker.stop()
    assert not psutil.pid_exists(runner)
