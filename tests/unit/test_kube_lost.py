"""Whose pod nobody hears of any more, and when the database is asked about it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any, cast

import pytest
from populate_jobs import Recovered
from populate_operator.database.flight import Flight
from populate_operator.kube import lost, silence
from populate_operator.kube.errands import Errands
from populate_operator.kube.lost import ASK_EVERY, NAME, Lost
from populate_operator.kube.silence import MARGIN_SECONDS, Silence
from populate_operator.plan import Queue

from tests.clock import Clock
from tests.unit.kube import pod

GRACE = 50


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(100.0)
    for each in lost, silence:
        monkeypatch.setattr(each, "time", found)
    return found


@pytest.fixture
def watch() -> Silence:
    return Silence()


def leaving(name: str = "a", **status: Any) -> dict[str, Any]:
    found = pod(name, **status)
    # Of a clock that goes wrong by years: it is not asked.
    found["metadata"] |= {"deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": GRACE}
    return found


def test_a_pod_is_lost_when_it_is_listed_long_after_its_time_to_go(clock: Clock, watch: Silence) -> None:
    assert watch.among([leaving()]) == []
    clock.now += GRACE + MARGIN_SECONDS
    assert watch.among([leaving()]) == []
    clock.now += 1
    assert watch.among([leaving()]) == [leaving()]


@pytest.mark.parametrize("other", [pod("a"), leaving(phase="Failed")], ids=["stays", "has ended"])
def test_no_other_pod_is_lost(clock: Clock, watch: Silence, other: dict[str, Any]) -> None:
    watch.among([other])
    clock.now += 3600
    assert watch.among([other]) == []


class ToyCrew:
    """Has pods of which nobody hears any more, and nothing else."""

    ours = ".lab.1a2b3c4d"

    def __init__(self, watch: Silence, *those: dict[str, Any]) -> None:
        self.silent = watch.among(those)


OUTSIDE = "d" + ToyCrew.ours
"""Holds a key that an edited restriction has left out."""


class ToyKeeper:
    """Counts the tasks it is given, and answers each with this; it is no database."""

    def __init__(self, answer: Recovered, *held: str) -> None:
        self.login = self.observe = self
        self.queue = Queue(0, dict.fromkeys(held, 1), {OUTSIDE: 1})
        self.asked: list[list[str]] = []
        self._answer = answer

    def submit(self, task: Any) -> Future[Recovered]:
        self.asked.append(task.keywords["hosts"])
        found: Future[Recovered] = Future()
        found.set_result(self._answer)
        return found

    def look_at_once(self, *, fully: bool) -> None:
        pass

    def failed(self, error: BaseException) -> None:
        raise error


@pytest.mark.parametrize(("answer", "told"), [(Recovered(), 0), (Recovered(released=1), 2)])
def test_the_database_is_asked_about_lost_workers_that_hold_keys_and_not_all_the_time(
    clock: Clock, answer: Recovered, told: int
) -> None:
    async def scenario() -> None:
        flight, released = Flight(lambda: None), list[str]()
        given_back, watch, keeper = (
            Lost(Errands(flight)),
            Silence(),
            ToyKeeper(answer, "a" + ToyCrew.ours, "c" + ToyCrew.ours, "workstation"),
        )
        for _ in range(int(GRACE + MARGIN_SECONDS + ASK_EVERY) + 5):
            crew = ToyCrew(watch, leaving("a"), leaving("b"), pod("c"), leaving("d"))
            given_back.give_back(cast(Any, crew), cast(Any, keeper), cast(Any, None), released.append)
            while flight.is_out(NAME):
                await asyncio.sleep(0)
                flight.collect()
            clock.now += 1
        assert keeper.asked == [["a" + ToyCrew.ours, OUTSIDE]] * 2
        assert released == [f"a{ToyCrew.ours}, {OUTSIDE}"] * told

    asyncio.run(scenario())
