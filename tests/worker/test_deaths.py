"""The runner dies, or the supervisor does: the key that did it is told from those that were merely there."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from populate_jobs import RetryPolicy

from tests.servers.host import wait_until
from tests.worker.lab import Lab
from tests.worker.test_database_unwilling import mounted

MEMORY_CONTROLLER = Path("/sys/fs/cgroup/memory")


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("segfault", "Runner killed by SIGSEGV"),
        ("exit", "Runner exited with code 3 in make (os._exit, or a fatal error)"),
        ("killed", "Runner killed by SIGKILL, likely out of memory: raise the worker's memory limit"),
    ],
)
def test_a_make_that_takes_its_process_with_it_is_an_error_and_the_rest_is_made(
    lab: Lab, behaviour: str, message: str
) -> None:
    lab.fill("insert", "insert", behaviour, "insert", "insert")
    with lab.worker(retry=RetryPolicy(limit=0)) as worker:
        lab.until_done(left={3: "error"})
        worker.stop()
    assert lab.rows() == {3: ("error", message)}
    assert lab.made() == [1, 2, 4, 5]
    assert lab.started_again() == {}


def test_a_make_that_is_killed_alone_is_tried_again_alone_to_its_limit(lab: Lab) -> None:
    lab.fill("killed", "insert", "insert")
    with lab.worker(retry=RetryPolicy(limit=2, backoff_seconds=0.1)) as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert lab.made() == [2, 3]
    assert lab.started_again() == {1: 3}
    assert worker.log.count("to be tried again: Runner killed by SIGKILL") == 2


def test_a_runner_killed_from_outside_while_idle_is_started_again(lab: Lab) -> None:
    with lab.worker() as worker:
        lab.fill("insert")
        lab.until_done()
        (first,) = worker.runners()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: worker.runners() not in ([first], []), "another runner")
        lab.use(lab.folder)
        lab.fill("insert")
        lab.until_done()
        worker.stop()


def test_a_make_killed_in_company_is_made_again_alone(lab: Lab) -> None:
    lab.fill("wait", "killed_in_company", "insert")
    with lab.worker(concurrency=2) as worker:
        lab.until_in_make(1)
        wait_until(lambda: lab.rows().get(2, ("", ""))[1].startswith("Suspect: Runner killed by SIGKILL"), "a suspect")
        assert lab.statuses()[2] == "pending"
        lab.let(1)
        lab.until_done()
        worker.stop()
    assert lab.made() == [1, 2, 3]
    assert lab.started_again() == {2: 2}


def test_a_make_that_is_killed_again_when_alone_is_an_error(lab: Lab) -> None:
    lab.fill("wait")
    with lab.worker(concurrency=2, retry=RetryPolicy(limit=0)) as worker:
        lab.until_in_make(1)
        lab.fill("killed", first=2)
        wait_until(lambda: lab.rows().get(2, ("", ""))[1].startswith("Suspect: "), "a suspect")
        lab.let(1)
        lab.until_done(left={2: "error"})
        worker.stop()
    assert lab.made() == [1]
    assert lab.started_again() == {2: 2}


def test_a_make_that_sigterm_ends_each_time_is_an_error_in_the_end(lab: Lab) -> None:
    lab.fill("strikes", "insert")
    with lab.worker(retry=RetryPolicy(limit=1, backoff_seconds=0.1)) as worker:
        lab.until_done(left={1: "error"})
        worker.stop()
    assert lab.rows() == {1: ("error", "Runner killed by SIGTERM")}
    assert lab.made() == [2]
    assert lab.started_again() == {1: 3}


def test_a_child_that_was_forked_in_make_is_no_runner(lab: Lab) -> None:
    lab.fill("forks", "insert", "insert")
    with lab.worker(retry=RetryPolicy(limit=0)) as worker:
        wait_until(lambda: set(lab.statuses().values()) <= {"error"}, "all tried")
        worker.stop()
    assert {2, 3} <= set(lab.made())
    assert "says what became of a key" not in worker.log
    assert lab.started_again() == {}


def test_a_runner_that_cannot_be_started_ends_no_make_beside_it(lab: Lab, tmp_path: Path) -> None:
    secret = mounted(lab.settings, tmp_path / "secret")
    lab.fill("wait")
    with lab.worker(concurrency=2, database=secret, retry=RetryPolicy(limit=0)) as worker:
        lab.until_in_make(1)
        worker.until_runners(2)
        (secret / "host").write_text("")
        lab.fill("killed", first=2)
        worker.until_logged("no runner can be started, trying again")
        mounted(lab.settings, secret)
        worker.until_runners(2)
        lab.let(1)
        lab.until_done(left={2: "error"})
        worker.stop()
    assert lab.made() == [1]
    assert lab.starts()[1] == 1


def test_a_worker_that_can_start_no_runner_ends(lab: Lab, tmp_path: Path) -> None:
    secret = mounted(lab.settings, tmp_path / "secret")
    with lab.worker(database=secret) as worker:
        worker.until_runners(1)
        (secret / "host").write_text("")
        os.kill(worker.runners()[0], signal.SIGKILL)
        assert worker.exit_code() == 2


def test_what_a_dead_runner_started_does_not_outlive_it(lab: Lab) -> None:
    lab.fill("leaves_a_child")
    with lab.worker(retry=RetryPolicy(limit=0)) as worker:
        lab.until_done(left={1: "error"})
        child = int((lab.folder / "child").read_text())
        wait_until(lambda: not alive(child), "the child's end")
        worker.stop()


def test_a_killed_supervisor_takes_its_runner_along_and_its_successor_gives_back_its_keys(lab: Lab) -> None:
    lab.fill("insert", "insert", "wait", "insert", "insert")
    with lab.worker() as worker:
        lab.until_in_make(3)
        (runner,) = worker.runners()
        worker.kill()
        wait_until(lambda: not alive(runner), "the runner's end")
        assert "reserved" in lab.statuses().values()
    lab.let(3)
    with lab.worker() as successor:
        lab.until_done()
        successor.stop()
    assert "found rows reserved in our name" in successor.log
    assert lab.made() == [1, 2, 3, 4, 5]
    assert lab.started_again() == {3: 2}


def test_a_key_that_was_committed_before_its_worker_was_killed_is_not_made_again(lab: Lab) -> None:
    lab.fill(*["insert"] * 100)
    with lab.worker() as worker:
        wait_until(lambda: len(lab.made()) > 10, "some keys made")
        worker.kill()
    returned = {item for what, item, _ in lab.ledger() if what == "return"}
    with lab.worker() as successor:
        lab.until_done()
        successor.stop()
    assert lab.made() == list(range(1, 101))
    again = lab.started_again()
    assert len(again) <= 1, "only the one that was being made"
    assert not set(again) & (returned - {max(returned)})


def test_a_class_that_cannot_be_imported_ends_the_worker_and_keeps_no_key(lab: Lab) -> None:
    lab.fill("insert")
    with lab.worker(environment={"PIPELINE_BROKEN": "no such library"}) as worker:
        assert worker.exit_code() == 4
    assert "ImportError: no such library" in worker.log
    assert lab.statuses() == {1: "pending"}


@pytest.fixture
def memory_group(tmp_path: Path) -> Iterator[Path]:
    """A control group with 300 MB, of the kernel's own."""
    if not os.access(MEMORY_CONTROLLER, os.W_OK):
        pytest.skip("no writable memory controller")
    group = MEMORY_CONTROLLER / f"populate-{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(300 << 20))
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "an empty control group")
    group.rmdir()


def test_a_make_that_uses_too_much_memory_is_killed_by_the_kernel_and_says_so(lab: Lab, memory_group: Path) -> None:
    with lab.worker(retry=RetryPolicy(limit=1, backoff_seconds=0.1)) as worker:
        worker.until_runners(1)
        for process in (worker.process.pid, *worker.runners()):
            (memory_group / "cgroup.procs").write_text(str(process))
        lab.fill("hog", "insert")
        lab.until_done(left={1: "error"})
        worker.stop()
    _, message = lab.rows()[1]
    assert message.startswith("OOMKilled: make needs more memory than there is, a limit of 300 MiB; raise resources.")
    assert lab.made() == [2]
    assert lab.started_again() == {1: 2}


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
