"""The runners: as many as are wanted, started again when they die, ended when they should."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping

from populate_jobs import Assignment, Failure
from populate_jobs.errors import PopulateError

from populate_worker.messages import Message

from . import restarts
from .drain import ENDING_SECONDS
from .loop import Loop
from .runner_process import RunnerProcess

log = logging.getLogger(__name__)


class Crew:
    """`report` gets each message of a runner; `ended` a runner that is gone, its messages read, and its exit code."""

    def __init__(
        self,
        loop: Loop,
        environment: Callable[[], Mapping[str, str]],
        report: Callable[[RunnerProcess, Message], None],
        ended: Callable[[RunnerProcess, int], None],
        write: Callable[[str], None],
    ) -> None:
        self.failed_starts = 0
        """In a row: runners that ended by themselves before they had begun a key."""
        self._next_start = 0.0
        self._refused_starts = 0
        self._runners: dict[int, RunnerProcess] = {}
        self._loop = loop
        self._environment = environment
        self._report = report
        self._ended = ended
        self._write = write

    def __iter__(self) -> Iterator[RunnerProcess]:
        return iter(tuple(self._runners.values()))

    def __len__(self) -> int:
        return len(self._runners)

    def working(self) -> list[RunnerProcess]:
        """Those that may be given keys."""
        return [runner for runner in self._runners.values() if runner.ready and not runner.retired]

    def keep(self, count: int, assignment: Assignment, now: float) -> int:
        """Starts what is missing, and retires what is too many, those without a key first; gives how many started."""
        staying = [runner for runner in self._runners.values() if not runner.retired]
        missing = max(0, count - len(staying)) if now >= self._next_start else 0
        started = sum(self._starts(assignment, now) for _ in range(missing))
        for runner in sorted(staying, key=lambda runner: runner.idle)[count:]:
            runner.retire()
        return started

    def terminate(self, runner: RunnerProcess, now: float, verdict: Failure | None = None) -> None:
        """Asks it to end at once; `verdict` is what becomes of the key that it makes."""
        if runner.terminated_at is None:
            runner.verdict, runner.terminated_at = verdict, now
            runner.condemned = runner.running.number if runner.running else None
            runner.signal(signal.SIGTERM)

    def see_endings_through(self, now: float) -> float | None:
        """Kills those that take too long to end; when to look again."""
        deadlines = []
        for runner in self:
            if runner.retired and runner.idle and runner.terminated_at is None:
                runner.terminated_at = now  # it comes to the Stop by itself
            if runner.terminated_at is None:
                continue
            if now < runner.terminated_at + ENDING_SECONDS:
                deadlines.append(runner.terminated_at + ENDING_SECONDS)
            else:
                runner.kill()
        return min(deadlines, default=None)

    def reap(self, now: float) -> None:
        """Takes leave of processes that have ended; as process 1 of a container, of others' orphans too."""
        while (ended := self._ended_child()) is not None:
            runner = self._runners.pop(ended, None)
            if runner is None:
                os.waitpid(ended, 0)
            else:
                self._take_leave(runner, now)

    def _ended_child(self) -> int | None:
        """A child that has ended and, where the system can tell, is not reaped yet, so that its number is its own."""
        if not hasattr(os, "waitid"):  # macOS before Python 3.13, and process 1 of no container
            return next((pid for pid, runner in self._runners.items() if runner.has_ended()), None)
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        return found.si_pid if found else None

    def _starts(self, assignment: Assignment, now: float) -> bool:
        """Not while its login is not to be had, or the system gives no more processes: others may be making keys.

        Raises that in the end where there are none.
        """
        if now < self._next_start:
            return False
        try:
            self._start(assignment)
        except (PopulateError, OSError) as error:
            self._refused_starts += 1
            if not self._runners and restarts.hopeless(self._refused_starts):
                raise
            self._next_start = now + restarts.pause(self._refused_starts)
            log.error("no runner can be started, trying again: %s", error)
            return False
        self._refused_starts = 0
        return True

    def _start(self, assignment: Assignment) -> None:
        runner = RunnerProcess(assignment, self._environment())
        self._runners[runner.pid] = runner
        self._loop.on_readable(runner.channel, lambda: self._read(runner))
        self._loop.on_readable(runner.output, lambda: self._copy(runner.lines()))

    def _read(self, runner: RunnerProcess) -> None:
        for message in runner.messages():
            self._report(runner, message)

    def _copy(self, lines: Iterator[str]) -> None:
        for line in lines:
            self._write(line)

    def _take_leave(self, runner: RunnerProcess, now: float) -> None:
        exit_code = runner.bury()
        self._read(runner)
        self._copy(runner.last_lines())
        self._loop.forget(runner.channel)
        self._loop.forget(runner.output)
        runner.close()
        if runner.running is None and not runner.retired and runner.terminated_at is None:
            self.failed_starts += 1
            self._next_start = now + restarts.pause(self.failed_starts)
        self._ended(runner, exit_code)
