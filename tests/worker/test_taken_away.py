"""A worker that stood still while its keys were given to others wakes up, changes nothing of theirs, and works on."""

import signal

from populate_jobs import Recovered, recover

from tests.servers.host import wait_until
from tests.worker.lab import Lab, Worker

LATE, OTHER = "late.lab.test", "other.lab.test"


def test_a_late_worker_leaves_the_row_to_its_new_holder_and_makes_another_key(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(host=LATE) as late:
        runner = stands_still_in_make(lab, late, 1)
        assert given_back(lab) == Recovered(released=1)
        with lab.worker(host=OTHER) as other:
            wait_until(lambda: len(lab.makers()[1]) == 2, "the other one in make")
            before = lab.jobs_table()
            late.resume()
            lab.let(1, process=runner)
            late.until_logged("item=1: taken away from this worker")
            assert lab.jobs_table() == before
            lab.let(1)
            lab.until_done()
            other.stop()
        makes_another(lab, late, runner, 2)
    assert lab.made() == [1, 2]


def test_a_late_worker_that_committed_first_has_made_the_key_and_the_new_holder_ends_it_as_made(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(host=LATE) as late:
        runner = stands_still_in_make(lab, late, 1)
        given_back(lab)
        with lab.worker(host=OTHER) as other:
            wait_until(lambda: len(lab.makers()[1]) == 2, "the other one in make")
            late.resume()
            lab.let(1, process=runner)
            wait_until(lambda: lab.made() == [1], "the late one's row")
            lab.let(1)
            lab.until_done()
            wait_until(lambda: other.metric('populate_keys_total{outcome="success"}') == 1, "the key counted")
            other.stop()
        late.stop()
    assert lab.pid_of(1) == runner


def test_a_key_that_was_made_by_another_one_is_made_once_and_the_late_worker_changes_no_row(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(host=LATE) as late:
        runner = stands_still_in_make(lab, late, 1)
        given_back(lab)
        with lab.worker(host=OTHER) as other:
            wait_until(lambda: len(lab.makers()[1]) == 2, "the other one in make")
            lab.let(1, process=lab.makers()[1][1])
            lab.until_done()
            lab.fill("wait", first=2)
            lab.until_in_make(2)
            before = lab.jobs_table()
            late.resume()
            lab.let(1, process=runner)
            late.until_logged("DuplicateError")
            wait_until(lambda: late.metric("populate_reserved") == 0, "the late one done with the key")
            assert lab.jobs_table() == before
            lab.let(2)
            lab.until_done()
            other.stop()
        makes_another(lab, late, runner, 3)
    assert lab.made() == [1, 2, 3]
    assert lab.pid_of(1) != runner


def test_a_late_worker_says_that_a_key_was_taken_away_from_it_where_another_one_has_made_it(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(host=LATE) as late:
        runner = stands_still_in_make(lab, late, 1)
        given_back(lab)
        lab.let(1)
        with lab.worker(host=OTHER) as other:
            lab.until_done()
            other.stop()
        late.resume()
        makes_another(lab, late, runner, 2)
    assert "item=1: taken away from this worker" in late.log


def test_a_key_committed_before_its_worker_stood_still_is_given_to_nobody(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(host=LATE) as late:
        lab.until_in_make(1)
        late.process.send_signal(signal.SIGSTOP)
        lab.let(1)
        wait_until(lambda: lab.made() == [1], "the row")
        (runner,) = late.runners()
        late.suspend()
        assert given_back(lab) == Recovered(completed=1)
        late.resume()
        makes_another(lab, late, runner, 2)
    assert lab.made() == [1, 2]
    assert lab.started_again() == {}


def stands_still_in_make(lab: Lab, late: Worker, item: int) -> int:
    """Its runner."""
    lab.until_in_make(item)
    (runner,) = late.runners()
    late.suspend()
    return runner


def given_back(lab: Lab) -> Recovered:
    """What the late one held."""
    with lab.queue() as jobs:
        return recover(jobs, [LATE])


def makes_another(lab: Lab, late: Worker, runner: int, item: int) -> None:
    """With the same runner as before."""
    lab.fill("insert", first=item)
    lab.until_done()
    assert lab.pid_of(item) == runner
    late.stop()
