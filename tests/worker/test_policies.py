"""Idleness, draining, restarts, and what becomes of keys: decisions without a clock or a process."""

import signal
from datetime import datetime

import pytest
from populate_jobs import Failure, Reservation
from populate_jobs.finish import ANSWER_SECONDS, EMPTY_SECONDS
from populate_worker import failures
from populate_worker.failures import is_full_disk
from populate_worker.supervisor import idle, restarts
from populate_worker.supervisor.drain import SETTLE_SECONDS, Stage, Stop
from populate_worker.supervisor.fate import Circumstances, Fate, after_death, after_make
from populate_worker.supervisor.postponed import Postponed

WRONG = Failure("ValueError", "ValueError: wrong")
FULL = Failure("OperationalError", "OperationalError: (1114, \"The table '__made' is full\")")
LIMIT = failures.of_time_limit(30)


@pytest.mark.parametrize(
    ("idle_for", "chance", "pause"), [(0, 0, 1.0), (59, 0.999, 1.25), (60, 0, 5.0), (3600, 0.999, 6.25)]
)
def test_an_idle_worker_looks_once_a_second_and_after_a_minute_once_in_five(
    idle_for: float, chance: float, pause: float
) -> None:
    assert idle.pause(idle_for, chance) == pytest.approx(pause, abs=0.01)


def test_looks_that_are_slow_take_no_more_than_a_twentieth_of_the_time() -> None:
    assert idle.pause(0, 0, cost=0.2) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("told_at", "now", "stage"),
    [
        ([], 1000, Stage.WORK),
        ([100], 100, Stage.FINISH),
        ([100], 129.9, Stage.FINISH),
        ([100], 130, Stage.TERMINATE),
        ([100, 101], 101, Stage.KILL),
    ],
)
def test_stages_of_stopping(told_at: list[float], now: float, stage: Stage) -> None:
    stop = Stop()
    for moment in told_at:
        stop = stop.told(moment)
    assert stop.stage(now, drain_seconds=30) is stage


@pytest.mark.parametrize(
    ("times", "resting_for", "gives_up"), [(0, 3600, False), (1, 9, False), (1, 11, True), (2, 3, True)]
)
def test_only_a_worker_that_was_told_to_stop_leaves_keys_to_recovery(
    times: int, resting_for: float, gives_up: bool
) -> None:
    assert Stop(None if times == 0 else 0.0, times).gives_up(resting_for) is gives_up


TERMINATED = Failure("Terminated", "Terminated")


def test_a_worker_that_is_told_to_stop_has_time_for_what_key_source_is_asked_before_it_gives_back() -> None:
    assert EMPTY_SECONDS + ANSWER_SECONDS < SETTLE_SECONDS


def test_runners_that_do_not_come_up_are_started_less_and_less_often_and_then_not_at_all() -> None:
    assert [restarts.pause(failed) for failed in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]
    assert [restarts.hopeless(failed) for failed in (4, 5)] == [False, True]


@pytest.mark.parametrize(
    ("failure", "seen", "fate"),
    [
        (None, Circumstances(), (Fate.MADE, None)),
        (WRONG, Circumstances(), (Fate.FAILED, WRONG)),
        # It came too late, but it came.
        (None, Circumstances(terminated=True, verdict=LIMIT), (Fate.MADE, None)),
        (None, Circumstances(Stage.TERMINATE, terminated=True), (Fate.MADE, None)),
        # Its own failure is its own, stopping or not.
        (WRONG, Circumstances(Stage.FINISH), (Fate.FAILED, WRONG)),
        (
            Failure("SystemExit", "SystemExit: 3"),
            Circumstances(),
            (Fate.FAILED, Failure("SystemExit", "SystemExit: 3")),
        ),
        # What we did to it is not.
        (WRONG, Circumstances(Stage.TERMINATE, terminated=True), (Fate.GIVEN_BACK, None)),
        (WRONG, Circumstances(terminated=True, verdict=LIMIT), (Fate.FAILED, LIMIT)),
        (Failure("SystemExit", "SystemExit"), Circumstances(Stage.FINISH), (Fate.GIVEN_BACK, None)),
        (Failure("KeyboardInterrupt", "KeyboardInterrupt"), Circumstances(Stage.FINISH), (Fate.GIVEN_BACK, None)),
        # No make can insert anything.
        (FULL, Circumstances(), (Fate.POSTPONED, FULL)),
        (FULL, Circumstances(Stage.FINISH), (Fate.POSTPONED, FULL)),
        (FULL, Circumstances(excused=False), (Fate.FAILED, FULL)),
        # Somebody sends SIGTERM to all processes of the pod, or to this one again and again.
        (TERMINATED, Circumstances(), (Fate.STRUCK, None)),
        (TERMINATED, Circumstances(Stage.FINISH, struck=True), (Fate.GIVEN_BACK, None)),
        (TERMINATED, Circumstances(struck=True), (Fate.FAILED, Failure("SIGTERM", "Runner killed by SIGTERM"))),
    ],
)
def test_what_becomes_of_a_key_when_make_ends(
    failure: Failure | None, seen: Circumstances, fate: tuple[Fate, Failure | None]
) -> None:
    assert after_make(failure, seen) == fate


@pytest.mark.parametrize(
    ("message", "full"),
    [
        ("OperationalError: (1114, \"The table '__made' is full\")", True),
        ("OperationalError: (1021, 'Disk full (/tmp/#sql); waiting for someone to free some space')", True),
        ('DataJointError: could not extend file "base/5/16412": No space left on device', True),
        ("OSError: [Errno 28] No space left on device: '/scratch/movie.tif'", False),
        ("ValueError: 1114 beats", False),
    ],
)
def test_only_the_server_s_disk_is_everybody_s_trouble(message: str, full: bool) -> None:
    assert is_full_disk(Failure(message.split(":")[0], message)) is full


def test_a_key_that_has_no_room_although_others_were_made_since_is_at_fault_itself() -> None:
    postponed, (one, other) = Postponed(), (reservation(1), reservation(2))
    postponed.put(one)
    postponed.put(one)
    assert postponed.excuses(one), "nothing was made since"
    postponed.made(other)
    assert not postponed.excuses(one)
    assert postponed.excuses(other)
    postponed.made(one)
    assert postponed.excuses(one), "it was not at fault"


def reservation(item: int) -> Reservation:
    return Reservation({"item": item}, "host", 1, 1, datetime(2026, 1, 1), failed_before=False, suspect=False)


@pytest.mark.parametrize(
    ("exit_code", "seen", "fate", "message"),
    [
        (-signal.SIGSEGV, Circumstances(), Fate.FAILED, "Runner killed by SIGSEGV"),
        (-signal.SIGSEGV, Circumstances(Stage.FINISH), Fate.FAILED, "Runner killed by SIGSEGV"),
        (-signal.SIGSEGV, Circumstances(in_company=True), Fate.FAILED, "Runner killed by SIGSEGV"),
        (-signal.SIGKILL, Circumstances(), Fate.FAILED, "out of memory"),
        (-signal.SIGKILL, Circumstances(in_company=True), Fate.SUSPECTED, "out of memory"),
        (-signal.SIGKILL, Circumstances(Stage.FINISH, in_company=True), Fate.GIVEN_BACK, None),
        (-signal.SIGKILL, Circumstances(Stage.TERMINATE, terminated=True), Fate.GIVEN_BACK, None),
        (
            -signal.SIGKILL,
            Circumstances(terminated=True, verdict=LIMIT),
            Fate.FAILED,
            "TimeLimit: make ran longer than 30 s",
        ),
        (3, Circumstances(), Fate.FAILED, "Runner exited with code 3"),
        (0, Circumstances(), Fate.FAILED, "Runner exited with code 0"),
    ],
)
def test_what_becomes_of_a_key_when_its_runner_dies(
    exit_code: int, seen: Circumstances, fate: Fate, message: str | None
) -> None:
    found, failure = after_death(exit_code, seen)
    assert found is fate
    assert (failure is None) == (message is None)
    assert message is None or message in failure.message


def test_a_failure_is_worded_as_datajoint_words_it() -> None:
    assert failures.of_exception(ValueError("too few")).message == "ValueError: too few"
    assert failures.of_exception(KeyError()).message == "KeyError"


def test_a_failure_is_bounded_and_can_be_encoded() -> None:
    failure = failures.of_exception(ValueError("\udc80" + "x" * 1_000_000))
    assert len(failure.message) < 5000
    assert len(failure.stack) < 50_000
    assert (failure.message + failure.stack).encode()


def test_an_unprintable_exception_is_a_failure_too() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert failures.of_exception(Unprintable()).exception == "Unprintable"
