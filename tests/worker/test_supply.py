"""When keys are asked for: without a queue, what is asked of it noted."""

from collections.abc import Callable
from typing import Any

import pytest
from populate_jobs import RetryPolicy
from populate_jobs.errors import DatabaseUnreachable
from populate_worker.supervisor import supply
from populate_worker.supervisor.supply import FIRST_PAUSE_SECONDS, HURRY_SECONDS, LONGEST_PAUSE_SECONDS, Strays, Supply

from tests.clock import Clock


class NotedQueue:
    """Stands in for the thread with the queue: answers when it is told to, and with what."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[Any], None]] = []

    def submit(self, work: object, then: Callable[[Any], None], *, insist: bool) -> None:
        self.waiting.append(then)

    def answer(self, found: object) -> None:
        self.waiting.pop()(found)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(1000.0)
    monkeypatch.setattr(supply, "time", clock)
    return clock


def idle_supply(queue: NotedQueue, clock: Clock) -> Supply:
    """Of a worker that has been without keys for an hour."""
    found = Supply(queue, "host", RetryPolicy, lambda reserved: None, list)  # type: ignore[arg-type]
    found.strays = None
    found.look(1, alone=True, now=clock.now)
    queue.answer(([], False))
    clock.now += 3600
    found.look(1, alone=True, now=clock.now)
    queue.answer(False)
    return found


def test_a_worker_long_idle_that_is_told_of_keys_looks_at_once(clock: Clock) -> None:
    queue = NotedQueue()
    idle = idle_supply(queue, clock)
    clock.now += 1
    idle.look(1, alone=True, now=clock.now)
    assert not queue.waiting, "it looks every five seconds"
    idle.hurry()
    idle.look(1, alone=True, now=clock.now)
    assert queue.waiting


def test_being_told_again_and_again_makes_no_worker_look_all_the_time(clock: Clock) -> None:
    queue = NotedQueue()
    idle = idle_supply(queue, clock)
    looks, until = 0, clock.now + 10
    while clock.now < until:
        idle.hurry()
        idle.look(1, alone=True, now=clock.now)
        if queue.waiting:
            looks += 1
            queue.answer(False)
        clock.now += 0.01
    assert looks <= 10 / HURRY_SECONDS


def test_while_no_key_can_be_made_the_next_is_asked_for_later_and_later_until_one_was(clock: Clock) -> None:
    postponed = idle_supply(NotedQueue(), clock)
    pauses = []
    for _ in range(12):
        postponed.postpone("the disk is full")
        pauses.append(postponed.next_look - clock.now)
        postponed.hurry()
        assert postponed.next_look - clock.now == pauses[-1], "nobody hurries it"
    assert pauses[0] <= FIRST_PAUSE_SECONDS
    assert LONGEST_PAUSE_SECONDS / 2 <= pauses[-1] <= LONGEST_PAUSE_SECONDS
    postponed.resume()
    postponed.postpone("the disk is full again")
    assert postponed.next_look - clock.now <= FIRST_PAUSE_SECONDS


def test_what_may_be_in_our_name_is_asked_about_soon_whatever_pause_errors_have_led_to(clock: Clock) -> None:
    queue = NotedQueue()
    supply = idle_supply(queue, clock)
    for _ in range(12):
        clock.now = supply.next_look
        supply.look(1, alone=True, now=clock.now)
        queue.answer(DatabaseUnreachable("Connection refused (2003)"))
    assert supply.next_look - clock.now > 2
    supply.strays = Strays()
    supply.look_before(clock.now + 2)
    clock.now += 2
    supply.look(0, alone=False, now=clock.now)
    assert queue.waiting
