"""What a worker does next, from what it holds, what its runners say and what it was told."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from populate_jobs import Assignment, Connection, Failure, Key, Reservation
from populate_jobs.errors import DatabaseError, LoginRefused, MissingGrant, ServerUnsuitable

from populate_worker import failures
from populate_worker.exit_codes import ExitCode
from populate_worker.messages import Broken, Ended, Message, Ready, Report, describe

from . import fate, memory, restarts
from .assignment_file import AssignmentFile, same_runners
from .crew import Crew
from .drain import Stage, Stop
from .fate import Circumstances, Fate
from .hand import Hand
from .letting_go import ASK_SECONDS, LettingGo, waits_in_vain
from .loop import Loop, Wait
from .metrics import Metrics
from .postponed import Postponed
from .queue_thread import QueueThread
from .runner_process import RunnerProcess
from .settlement import Settlement
from .signals import STOPPING
from .supply import Supply

log = logging.getLogger(__name__)

MOST_UNSETTLED = 256
"""No more keys are asked for while so many wait to be written."""

MOST_STRUCK = 1000

_REFUSALS = (LoginRefused, MissingGrant, ServerUnsuitable)


class Supervisor:
    """Level-triggered: events change what is known, advance() does what that asks for."""

    def __init__(
        self,
        loop: Loop,
        file: AssignmentFile,
        host: str,
        connect: Callable[[], Connection],
        environment: Callable[[], Mapping[str, str]],
        write: Callable[[str], None],
    ) -> None:
        self.exit_code = ExitCode.DONE
        self.was_ready = False
        """Whether a runner has ever come up: until then nothing says that one can."""
        self.metrics = Metrics()
        self._file = file
        self._assignment = file.read()
        self._successor: Assignment | None = None
        self._stop = self._change = Stop()
        self._rest_since: float | None = None
        self._alone_at = self._next_file_look = time.monotonic()
        self._next_ending: float | None = None
        self._letting_go, self._parting = LettingGo(), LettingGo()
        self._queue = QueueThread(connect, self._assignment.document)
        self._crew = Crew(loop, environment, self._report, self._ended, write)
        self._hand = Hand(self._crew)
        self._postponed = Postponed()
        self._struck: deque[Key] = deque(maxlen=MOST_STRUCK)
        """Keys during whose make somebody else than we ended the runner."""
        self._settlement = Settlement(self._queue, self._assignment.settings, self.metrics.outcome, self._unwritten)
        self._supply = Supply(self._queue, host, lambda: self._assignment.settings.retry, self._deliver, self._held)
        self._memory = memory.look()
        loop.on_readable(self._queue.fileno(), self._hear, urgent=True)
        self._show_metrics()

    def told(self, signals: bytes) -> None:
        """Signals came, one byte each."""
        now = time.monotonic()
        for number in signals:
            if number in STOPPING:
                log.info("%s: stopping", failures.signal_name(number))
                self._end(now)
        self._crew.reap(now)

    def hurry(self) -> None:
        """There are keys, somebody says."""
        self._supply.hurry()

    def stop(self, exit_code: ExitCode = ExitCode.DONE) -> None:
        """As a first SIGTERM does."""
        if self._stop.since is None:
            self.exit_code = exit_code
            self._end(time.monotonic())

    def _end(self, now: float) -> None:
        self._stop = self._stop.told(now)
        self._queue.hurry()

    def advance(self, now: float) -> Wait | None:
        """Does what is to be done now; gives when there is more to do, or None when all is done."""
        self._look_for_assignment(now)
        self._next_ending = self._crew.see_endings_through(now)
        stage = self._stage(now)
        if stage is Stage.WORK:
            self._work(now)
        elif self._wound_down(stage, now):
            if self._stop.since is not None:
                return None
            self._take_over()
        if self._letting_go.is_due(now, is_of_use=self._needs_connection):
            self._queue.let_go()
        self._part_with_runners(now)
        return Wait(self._next_call(now), self._hand.rest() if stage is Stage.WORK else 0.0)

    # What is to be done.

    def _work(self, now: float) -> None:
        settings = self._assignment.settings
        self.metrics.runners_started(self._crew.keep(settings.concurrency, self._assignment, now))
        for runner, limit in self._time_limits():
            if now >= limit:
                self._crew.terminate(runner, now, failures.of_time_limit(settings.timeout_seconds or 0.0))
        paused = self._assignment.paused
        self._settlement.give_back(self._hand.give_up() if paused else self._hand.overdue(now))
        self._hand.share(now)
        self._settlement.flush(now, at_once=not len(self._hand))
        alone = not len(self._hand) and not self._settlement.finished
        self._alone_at = now if alone else self._alone_at
        self._supply.look(self._wanted(now), alone=alone, now=now)

    @property
    def _needs_connection(self) -> bool:
        makes = self._crew.working() or any(runner.running for runner in self._crew)
        return bool(makes or self._supply.asking or self._settlement.open)

    def _part_with_runners(self, now: float) -> None:
        """Whose connections are of no use to us, and may be what another worker lacks; others wait in their place."""
        idle = [runner for runner in self._crew.working() if runner.idle]
        asks = bool(self._wanted(now) or self._supply.owes or self._settlement.open)
        making = any(runner.running for runner in self._crew)
        in_vain = waits_in_vain(starved=self._queue.starved, asks=asks, idle=len(idle), making=making)
        if in_vain:
            self._supply.look_before(now + ASK_SECONDS)
        if self._parting.is_due(now, is_of_use=not in_vain):
            log.info("no connection is free: %d idle runners end, for theirs to be", len(idle))
            for runner in idle:
                runner.retire()

    def _wanted(self, now: float) -> int:
        dry = self._hand.pace.runs_dry(now - self._alone_at, suspect_waits=self._supply.suspect_waits)
        if self._assignment.paused or dry or self._settlement.open > MOST_UNSETTLED:
            return 0
        return self._hand.wanted(now)

    def _wound_down(self, stage: Stage, now: float) -> bool:
        self._settlement.give_back(self._hand.give_up())
        for runner in self._crew:
            runner.retire()
            if stage is Stage.KILL or not (runner.ready or runner.running):
                runner.terminated_at = runner.terminated_at or now
                runner.kill()
            elif stage is Stage.TERMINATE:
                self._crew.terminate(runner, now)
        self._settlement.flush(now, at_once=True)
        self._supply.look_before(now + ASK_SECONDS)
        self._supply.look(0, alone=False, now=now)
        return not len(self._crew) and self._settled(now)

    def _settled(self, now: float) -> bool:
        """Whether the database knows all there is to know, or will not hear it."""
        if not self._settlement.open and not self._supply.owes:
            return True
        self._rest_since = max(self._rest_since or now, self._stop.since or now)
        if not self._stop.gives_up(now - self._rest_since):
            return False
        log.error("the database does not answer: %d keys stay reserved until recovered", self._settlement.open)
        self.exit_code = self.exit_code or ExitCode.LEFT_RESERVED
        return True

    def _next_call(self, now: float) -> float:
        calls = [self._next_file_look, self._settlement.flush_at, self._next_ending, self._letting_go.at]
        calls.append(self._parting.at)
        calls += [limit for _, limit in self._time_limits()]
        if self._supply.strays or self._wanted(now):
            calls.append(self._supply.next_look if not self._supply.asking else None)
        return min(call for call in calls if call is not None)

    def _time_limits(self) -> list[tuple[RunnerProcess, float]]:
        """When each make that may run into it does."""
        seconds = self._assignment.settings.timeout_seconds
        making = [runner for runner in self._crew if runner.terminated_at is None]
        return [(runner, runner.running.since + seconds) for runner in making if runner.running and seconds]

    def _stage(self, now: float) -> Stage:
        seconds = self._assignment.settings.drain_seconds
        return max(self._stop.stage(now, seconds), self._change.stage(now, seconds))

    def _look_for_assignment(self, now: float) -> None:
        if now < self._next_file_look:
            return
        self._next_file_look = now + 1.0
        assignment = self._file.changed()
        if assignment is None:
            return
        log.info("the assignment has changed%s", "; no other key is begun" if assignment.paused else "")
        if self._successor is None and same_runners(assignment, self._assignment):
            self._adopt(assignment)
        else:
            self._successor = assignment
            self._change = self._change.told(now) if self._change.since is None else self._change

    def _adopt(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._settlement.settings = assignment.settings
        self._queue.document = assignment.document

    def _take_over(self) -> None:
        """Begins anew on what the assignment has become."""
        assert self._successor is not None
        self._adopt(self._successor)
        self._successor, self._change, self._rest_since = None, Stop(), None
        self._hand = Hand(self._crew)

    # What has happened.

    def _hear(self) -> None:
        for then, answer in self._queue.answers():
            then(answer)
        if isinstance(self._supply.error, _REFUSALS):
            self._refused(self._supply.error)

    def _deliver(self, reserved: list[Reservation]) -> None:
        """In every stage: what is not wanted any more is given back when it next advances."""
        self._hand.add(reserved, time.monotonic())

    def _held(self) -> list[Reservation]:
        return [*self._hand.reservations(), *(reservation for reservation, _ in self._settlement.finished)]

    def _unwritten(self, error: Exception) -> None:
        """What became of some keys could not be told; they are in our name still, and come back with the strays."""
        if isinstance(error, _REFUSALS):
            self._refused(error)
        else:
            self._supply.give_back_strays()
        if type(error) is DatabaseError:  # it may be so each time, and the key would be made as often
            self._supply.postpone(f"what became of one cannot be told: {error}")

    def _refused(self, error: Exception) -> None:
        log.error("the server refuses to let this worker work: %s", error)
        self.stop(ExitCode.REFUSED)

    def _report(self, runner: RunnerProcess, message: Message) -> None:
        match message:
            case Ready():
                runner.ready = self.was_ready = True
                self._supply.version = message.version
            case Broken():
                log.error("%s cannot be imported:\n%s", self._assignment.document.table, message.failure.stack)
            case Report():
                if message.ended:
                    self._made(runner, message.ended)
                if message.started is not None:
                    runner.begin(message.started, time.monotonic())

    def _made(self, runner: RunnerProcess, ended: Ended) -> None:
        if runner.running is None or runner.running.number != ended.number:
            log.error("%s says what became of a key that it is not at", runner.pid)
            return
        reservation, runner.running = runner.running.reservation, None
        excused, struck = self._postponed.excuses(reservation), reservation.key in self._struck
        seen = replace(self._circumstances(runner, ended.number), excused=excused, struck=struck)
        runner.ready = ended.failure is None
        self._crew.failed_starts = 0
        self._hand.pace = self._hand.pace.after(ended.seconds)
        self.metrics.made(ended.seconds)
        self._conclude(reservation, ended.seconds, fate.after_make(ended.failure, seen))

    def _ended(self, runner: RunnerProcess, exit_code: int) -> None:
        self._hand.inherit(runner)
        if runner.running:
            seen = replace(self._circumstances(runner, runner.running.number), memory=self._killed_for_memory())
            self._conclude(runner.running.reservation, 0.0, fate.after_death(exit_code, seen))
        elif runner.retired or runner.terminated_at is not None:
            return
        elif self._supply.answered and restarts.hopeless(self._crew.failed_starts):
            log.error("%d runners in a row ended before they had begun a key", self._crew.failed_starts)
            self.stop(ExitCode.RUNNER_BROKEN)
        else:
            self._came_not_up()

    def _came_not_up(self) -> None:
        """Without a database no import succeeds: that is nothing to give up for."""
        if not self._supply.answered:
            self._crew.failed_starts = min(self._crew.failed_starts, 1)
        self._supply.doubt()

    def _killed_for_memory(self) -> str | None:
        before, self._memory = self._memory, memory.look()
        return f"{self._memory}; {memory.RAISE}" if memory.killed(before, self._memory) else None

    def _circumstances(self, runner: RunnerProcess, number: int) -> Circumstances:
        terminated = runner.terminated_at is not None
        verdict = runner.verdict if number == runner.condemned else None
        in_company = any(other is not runner and other.running for other in self._crew)
        return Circumstances(self._stage(time.monotonic()), terminated, verdict, in_company=in_company)

    def _conclude(self, reservation: Reservation, seconds: float, fated: tuple[Fate, Failure | None]) -> None:
        match fated:
            case Fate.MADE, _:
                self._supply.resume()
                self._postponed.made(reservation)
                self._settlement.made(reservation, seconds, time.monotonic())
            case Fate.POSTPONED, Failure() as failure:
                self._postponed.put(reservation)
                self._settlement.give_back([reservation, *self._hand.give_up()])
                self._supply.postpone(failure.message)
            case Fate.FAILED, Failure() as failure:
                self._settlement.failed(reservation, failure)
            case Fate.STRUCK, _:
                self._struck.append(reservation.key)
                self._settlement.give_back([reservation])
            case Fate.SUSPECTED, Failure() as failure:
                log.warning("%s: to be made alone: %s", describe(reservation.key), failure.message)
                self._supply.give_back_strays(failure.message)
            case _:
                self._settlement.give_back([reservation])

    def _show_metrics(self) -> None:
        watch = self.metrics.watch
        watch("populate_reserved", lambda: len(self._hand) + self._settlement.open)
        watch("populate_runners", lambda: len(self._crew))
        watch("populate_running", lambda: sum(runner.running is not None for runner in self._crew))

    def close(self) -> None:
        """Leaves nothing running."""
        for runner in self._crew:
            runner.kill()
        self._queue.close()
