"""Workers where Python and the kernel seem to lack what macOS lacks: prctl, SOCK_SEQPACKET, waitid."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from populate_jobs import RetryPolicy
from populate_worker import messages
from populate_worker.messages import Channel, Stop

from tests.servers.host import wait_until
from tests.worker.lab import Lab

Environment = dict[str, str]


@pytest.fixture(params=["before Python 3.13", "since Python 3.13"])
def elsewhere(request: pytest.FixtureRequest, lab: Lab) -> Environment:
    """Variables that make the worker, and what it starts, take this for such a system."""
    path = f"{Path(__file__).parent / 'elsewhere'}:{lab.environment['PYTHONPATH']}"
    return {"ELSEWHERE": request.param, "PYTHONPATH": path}


def test_keys_are_made_and_a_runner_that_dies_is_noticed(lab: Lab, elsewhere: Environment) -> None:
    lab.fill(*["insert"] * 50, "segfault", *["insert"] * 50)
    with lab.worker(environment=elsewhere, retry=RetryPolicy(limit=0)) as worker:
        lab.until_done(left={51: "error"})
        worker.stop()
    assert lab.rows() == {51: ("error", "Runner killed by SIGSEGV")}
    assert lab.started_again() == {}


def test_sigterm_gives_back_what_make_has_not_begun(lab: Lab, elsewhere: Environment) -> None:
    lab.fill(*["insert"] * 20, "wait", *["insert"] * 20)
    with lab.worker(environment=elsewhere) as worker:
        lab.until_in_make(21)
        worker.terminate()
        expected = {21: "reserved"} | dict.fromkeys(range(22, 42), "pending")
        wait_until(lambda: lab.statuses() == expected, "what make has not begun given back")
        lab.let(21)
        assert worker.exit_code() == 0
    assert lab.made() == list(range(1, 22))


def test_a_killed_supervisor_takes_its_runner_along(lab: Lab, elsewhere: Environment) -> None:
    lab.fill("wait")
    with lab.worker(environment=elsewhere) as worker:
        lab.until_in_make(1)
        runners = psutil.Process(worker.process.pid).children()
        worker.kill()
        wait_until(lambda: not any(map(_lives, runners)), "the runner's end")
    assert lab.statuses() == {1: "reserved"}


def test_nothing_stays_of_a_worker_that_ended_in_peace(lab: Lab, elsewhere: Environment) -> None:
    lab.fill("insert")
    with lab.worker(environment=elsewhere) as worker:
        lab.until_done()
        (runner,) = worker.runners()
        worker.stop()
    wait_until(lambda: not _has_members(runner), "the end of all that was in the runner's session")


def test_who_would_wait_sends_again_when_the_socket_is_full() -> None:
    ours, theirs = messages.pair()
    with ours, theirs:
        Channel(_Full(ours, times=2)).send(Stop())  # type: ignore[arg-type]
        assert Channel(theirs).receive(wait=False) == Stop()


def test_who_would_not_wait_is_told_that_the_socket_is_full() -> None:
    ours, theirs = messages.pair()
    ours.setblocking(False)
    with ours, theirs, pytest.raises(OSError, match="full"):
        Channel(_Full(ours, times=1)).send(Stop())  # type: ignore[arg-type]


class _Full:
    """A fake of a socket of macOS that has no room so many times."""

    def __init__(self, real: Any, times: int) -> None:
        self._real = real
        self._times = times

    def send(self, packet: bytes) -> None:
        if self._times:
            self._times -= 1
            raise OSError(errno.ENOBUFS, "full")
        self._real.send(packet)

    def getblocking(self) -> bool:
        return bool(self._real.getblocking())


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _has_members(group: int) -> bool:
    return any(_lives(process) for process in psutil.process_iter() if _group(process) == group)


def _group(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return None
