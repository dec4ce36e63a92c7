"""Liveness: whether the loop turns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from populate_operator.kube import controller
from populate_operator.kube.api import Cluster
from populate_operator.kube.controller import Controller, Options
from populate_operator.kube.health import STALLED_SECONDS, Pulse, served
from populate_operator.kube.metrics import Metrics

from tests.clock import Clock
from tests.servers.host import PATIENCE, free_port


class Silent(Cluster):
    """An API server that is asked, and never answers."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def children(self, *_: object) -> list[dict[str, object]]:
        self.asked.set()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]


def status(url: str) -> int:
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def test_it_is_well_while_the_pulse_beats() -> None:
    async def scenario() -> None:
        clock, url = Clock(0.0), f"http://127.0.0.1:{free_port()}/healthz"
        pulse = Pulse(clock.monotonic)
        async with served(url, pulse):
            assert await asyncio.to_thread(status, url) == 200
            clock.now = STALLED_SECONDS
            assert await asyncio.to_thread(status, url) == 503
            pulse.beat()
            assert await asyncio.to_thread(status, url) == 200

    asyncio.run(scenario())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "TURN_EVERY", 0.01)


def test_the_pulse_beats_while_the_api_server_does_not_answer(quick: None) -> None:
    async def scenario(clock: Clock, pulse: Pulse, cluster: Silent) -> None:
        await cluster.asked.wait()
        clock.now = 1000.0
        await until(lambda: pulse.silent_seconds == 0)

    asyncio.run(with_controller(scenario))


def test_the_pulse_stops_when_the_loop_hangs(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(clock: Clock, pulse: Pulse, cluster: Silent) -> None:
        await cluster.asked.wait()
        stuck = asyncio.Event()

        async def hang(_: Controller) -> None:
            stuck.set()
            await asyncio.get_running_loop().create_future()

        monkeypatch.setattr(Controller, "_rest", hang)
        await stuck.wait()
        clock.now += 1000.0
        assert pulse.silent_seconds == 1000

    asyncio.run(with_controller(scenario))


async def with_controller(scenario: Callable[[Clock, Pulse, Silent], Awaitable[None]]) -> None:
    clock = Clock(0.0)
    pulse, cluster = Pulse(clock.monotonic), Silent()
    running = asyncio.ensure_future(Controller(cluster, Options((), "here", "me"), pulse, Metrics(pulse)).run())
    await scenario(clock, pulse, cluster)
    assert not running.done()
    running.cancel()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
