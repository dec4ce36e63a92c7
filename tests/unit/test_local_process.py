"""Children with pipes, signals and parents that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from populate_jobs import tied
from populate_jobs.types import WORKER_MARK
from populate_operator.local import process, runs
from populate_operator.local.process import LARGEST_LOG, Process, died_of, keep_small, last_line

from tests.servers.host import wait_until

COUNTS_SIGNALS = """
import signal, sys, time
said = lambda number, frame: print("told", flush=True)
signal.signal(signal.SIGTERM, said)
print("ready", flush=True)
while "over" not in open(sys.argv[1]).read():
    time.sleep(0.05)
"""
STARTS_ONE = """
import os, pathlib, sys, threading
from populate_operator.local.process import Process, tied
tied.__file__ = sys.argv.pop(1)
for _ in range(4):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
child = Process(sys.argv[3:], os.environ, pathlib.Path(sys.argv[1]), int(sys.argv[2]))
print(child.pid, flush=True)
threading.Event().wait()
"""


LACKS_F_SETSIG = f"""
import fcntl, runpy
del fcntl.F_SETSIG
runpy.run_path({tied.__file__!r}, run_name="__main__")
"""


@pytest.fixture(params=["Linux", "elsewhere"])
def ties(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The program that ties a child to its parent, also as it goes where F_SETSIG is missing."""
    if request.param == "Linux":
        return Path(tied.__file__)
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(LACKS_F_SETSIG)
    return elsewhere


@pytest.fixture
def descriptor() -> Iterator[int]:
    found = os.open(os.devnull, os.O_RDONLY)
    yield found
    os.close(found)


def test_a_child_is_told_once_when_its_parent_is_killed_however_many_threads_that_had(
    ties: Path, tmp_path: Path, descriptor: int
) -> None:
    output, control = tmp_path / "output", tmp_path / "control"
    control.touch()
    words = [sys.executable, "-c", COUNTS_SIGNALS, str(control)]
    parent = subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(ties), str(output), str(descriptor), *words],
        stdout=subprocess.PIPE,
        pass_fds=(descriptor,),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: "ready" in output.read_text(), "the child to be ready")
    parent.kill()
    parent.wait()
    wait_until(lambda: "told" in output.read_text(), "the child to be told")
    control.write_text("over")
    psutil.wait_procs([child], timeout=30)
    assert output.read_text().split() == ["ready", "told"]


def test_a_child_has_its_output_in_the_file_and_its_own_session(tmp_path: Path, descriptor: int) -> None:
    output = tmp_path / "output"
    code = "import os, sys; print(os.getsid(0) == os.getpid()); print('error', file=sys.stderr)"
    child = Process([sys.executable, "-c", code], os.environ, output, descriptor)
    wait_until(lambda: child.poll() is not None, "the child to end")
    assert (child.poll(), sorted(output.read_text().split())) == (0, ["True", "error"])
    assert last_line(output) in ("True", "error")


def test_signals_are_named() -> None:
    assert [died_of(status) for status in (0, 3, -9, -250)] == [None, None, "SIGKILL", "signal 250"]


def test_a_large_log_is_put_aside_and_writers_go_on_at_its_new_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LARGEST_LOG", 10)
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a long line\n")
        keep_small(log)
        writer.write(b"next\n")
    assert log.read_text() == "next\n"
    assert (tmp_path / "log.1").read_text() == "a long line\n"
    keep_small(log)
    assert (log.read_text(), LARGEST_LOG) == ("next\n", 10 * 2**20)


def test_a_run_is_dead_when_the_last_process_that_has_its_lock_is(tmp_path: Path) -> None:
    run = runs.begin(tmp_path)
    host = run.host("w1")
    assert host.startswith(f"w1{WORKER_MARK}.")
    assert not runs.is_dead(tmp_path, host)
    heir = subprocess.Popen(["sleep", "60"], pass_fds=(run.lock,))
    os.close(run.lock)
    assert not runs.is_dead(tmp_path, host)
    heir.send_signal(signal.SIGKILL)
    heir.wait()
    assert runs.is_dead(tmp_path, host)


@pytest.mark.parametrize("host", ["workstation", "", "w1.other-machine.run-0011", "w1.run-..", "w1.run-"])
def test_nothing_is_said_of_hosts_that_are_not_of_a_run_here(host: str, tmp_path: Path) -> None:
    assert not runs.is_dead(tmp_path, host)


def test_a_run_that_ended_well_leaves_no_trace(tmp_path: Path) -> None:
    run = runs.begin(tmp_path)
    run.end()
    assert list(tmp_path.iterdir()) == []
    assert not runs.is_dead(tmp_path, run.host("w1"))
