from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from populate_operator.database.flight import Flight
from populate_operator.kube import errands as module
from populate_operator.kube.api import ClusterError
from populate_operator.kube.errands import Errands

from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock(100.0)
    monkeypatch.setattr(module, "time", found)
    return found


class Requests:
    """Counts what was asked, and fails as often as it is told to."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.made = 0
        self._failures = failures
        self._error = error or OSError("refused")

    async def __call__(self) -> int:
        self.made += 1
        if self.made <= self._failures:
            raise self._error
        return self.made


def runs(scenario: Callable[[Errands, Flight], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        flight = Flight(lambda: None)
        await scenario(Errands(flight), flight)

    asyncio.run(run())


async def landed(flight: Flight, name: str) -> None:
    while flight.is_out(name):
        await asyncio.sleep(0)
        flight.collect()


def test_one_of_a_name_at_a_time() -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        requests, answers = Requests(), []
        for _ in range(3):
            errands.run("status", requests, answers.append)
        await landed(flight, "status")
        assert answers == [1]

    runs(scenario)


def test_what_failed_waits_longer_each_time_before_it_is_tried_again(clock: Clock) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        requests, times = Requests(failures=4), []
        while len(times) < 5:
            before = requests.made
            errands.run("status", requests)
            await landed(flight, "status")
            if requests.made > before:
                times.append(clock.now)
            clock.now += 0.5
        assert [later - sooner for sooner, later in itertools.pairwise(times)] == [0.5, 1.0, 2.0, 4.0]

    runs(scenario)


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (ClusterError("no answer"), 10.0),
        (ClusterError("too many requests", status=429), 10.0),
        (ClusterError("invalid", status=422), 60.0),
        (OSError("refused"), 60.0),
    ],
    ids=str,
)
def test_an_api_server_that_was_away_is_asked_again_soon(clock: Clock, error: Exception, longest: float) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        requests, asked_at = Requests(failures=99, error=error), clock.now
        while requests.made < 12:
            before = requests.made
            errands.run("status", requests)
            await landed(flight, "status")
            if requests.made > before:
                pause, asked_at = clock.now - asked_at, clock.now
            clock.now += 0.5
        assert pause == longest

    runs(scenario)


def test_a_success_forgets_what_failed_before_it(clock: Clock) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        requests = Requests(failures=1)
        for _ in range(3):
            errands.run("status", requests)
            await landed(flight, "status")
            clock.now += 0.5
        assert requests.made == 3

    runs(scenario)


def test_another_errand_does_not_wait_for_one_that_fails(clock: Clock) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        failing, fine = Requests(failures=9), Requests()
        errands.run("deployment", failing)
        await landed(flight, "deployment")
        errands.run("deployment", failing)
        errands.run("status", fine)
        await landed(flight, "status")
        assert (failing.made, fine.made) == (1, 1)

    runs(scenario)


async def fails(
    errands: Errands, flight: Flight, clock: Clock, error: Exception, times: int, name: str = "ask"
) -> None:
    for _ in range(times):
        errands.run(name, Requests(failures=1, error=error))
        await landed(flight, name)
        clock.now += 30


WEBHOOK = ClusterError('failed calling webhook "judge"', status=500)


def test_what_the_api_server_refuses_again_and_again_is_said_until_it_is_done(clock: Clock) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        await fails(errands, flight, clock, WEBHOOK, 2)
        assert errands.problem("assign", "ask") is None
        await fails(errands, flight, clock, WEBHOOK, 1)
        found = errands.problem("assign", "ask")
        assert found is not None
        assert (found.reason, found.message, found.lasting) == ("RequestFailed", str(WEBHOOK), False)
        assert errands.problem("assign") is None
        clock.now += 60
        assert errands.problem("ask") is None
        errands.run("ask", Requests())
        await landed(flight, "ask")
        assert errands.problem("ask") is None

    runs(scenario)


@pytest.mark.parametrize("error", [ClusterError("no answer"), ClusterError("busy", status=429), OSError("no")], ids=str)
def test_an_api_server_that_does_not_answer_is_no_problem_of_the_populatejob(clock: Clock, error: Exception) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        await fails(errands, flight, clock, error, 9)
        assert errands.problem("ask") is None

    runs(scenario)


def test_each_trouble_is_warned_of_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        await fails(errands, flight, clock, WEBHOOK, 9)

    with caplog.at_level("WARNING"):
        runs(scenario)
    assert [record.getMessage() for record in caplog.records] == [f"ask: {WEBHOOK}"]


def test_names_that_never_come_again_are_forgotten(clock: Clock) -> None:
    async def scenario(errands: Errands, flight: Flight) -> None:
        for number in range(1000):
            await fails(errands, flight, clock, OSError("no"), 1, f"rouse pod-{number}")
        assert len(errands._failures) < 30

    runs(scenario)
