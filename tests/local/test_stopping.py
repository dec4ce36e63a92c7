"""Interrupted, killed, or with its workers killed: no key is lost and none stays reserved."""

from __future__ import annotations

import signal

import psutil

from tests.local.lab import Lab, embedded_alone, populate_job
from tests.servers.host import PATIENCE, wait_until

MADE = populate_job("made", "Made", scaling={"maxWorkers": 1})


def test_ctrl_c_lets_the_running_key_end_and_gives_back_the_rest(lab: Lab) -> None:
    lab.add("waits", 1, 2, 3)
    lab.write(MADE)
    run = lab.run("--once")
    first = lab.first_begun()
    run.interrupt()
    wait_until(lambda: "draining" in run.text(), "the Ctrl-C to be heard")
    wait_until(lambda: lab.queue("reserved") == [first], "the others to be given back")
    lab.leave()
    assert run.exit_code() == 130
    assert lab.made() == {first}
    assert (lab.queue("reserved"), set(lab.queue("pending"))) == ([], {1, 2, 3} - {first})


def test_ctrl_c_twice_gives_back_the_running_key_too(lab: Lab) -> None:
    lab.add("waits", 1, 2)
    lab.write(MADE)
    run = lab.run()
    lab.first_begun()
    run.interrupt()
    wait_until(lambda: "draining" in run.text(), "the first Ctrl-C to be heard")
    run.interrupt()
    assert run.exit_code() == 130
    assert lab.made() == set()
    assert (lab.queue("reserved"), lab.queue("pending"), lab.queue("error")) == ([], [1, 2], [])


@embedded_alone
def test_workers_of_a_killed_run_finish_their_key_and_end(lab: Lab) -> None:
    lab.add("waits", 1, 2)
    lab.write(MADE)
    run = lab.run()
    first = lab.first_begun()
    workers = run.workers()
    run.process.kill()
    run.process.wait()
    lab.leave()
    gone, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert (len(gone), alive) == (1, [])
    assert lab.made() == {first}
    assert lab.queue("reserved") == []


def test_rows_of_a_run_that_was_killed_with_its_workers_are_recovered_by_the_next(lab: Lab) -> None:
    lab.add("waits", 1, 2)
    lab.write(MADE)
    run = lab.run()
    first = lab.first_begun()
    family = [process for worker in run.workers() for process in (worker, *worker.children(recursive=True))]
    run.process.send_signal(signal.SIGSTOP)
    for process in family:
        process.kill()
    run.process.kill()
    psutil.wait_procs(family, timeout=PATIENCE)
    assert first in lab.queue("reserved")
    lab.leave()
    lab.populate("run", "-f", str(lab.manifest), "--once")
    assert lab.made() == {1, 2}


@embedded_alone
def test_rows_of_a_run_that_lives_are_left_alone(lab: Lab) -> None:
    lab.add("waits", 1)
    lab.write(MADE)
    first = lab.run()
    lab.first_begun()
    second = lab.run("--data", "second")
    wait_until(lambda: "ForeignReservations" in second.text() or "1 running" in second.text(), "the second to look")
    assert lab.queue("reserved") == [1]
    assert lab.began() == {1}
    lab.leave()
    for run in (first, second):
        run.interrupt()
        assert run.exit_code() == 130
    assert lab.made() == {1}


@embedded_alone
def test_a_worker_that_is_killed_is_replaced_and_its_key_made(lab: Lab) -> None:
    lab.add("waits", 1)
    lab.write(MADE)
    run = lab.run("--once")
    lab.first_begun()
    (worker,) = run.workers()
    (lab.folder / "began-1").unlink()
    worker.kill()
    lab.first_begun()
    lab.leave()
    assert run.exit_code() == 0
    assert lab.made() == {1}
    assert "killed by SIGKILL" in run.text()
