"""What runs on a connection of its own, for as long as it may and no longer."""

import time
from collections.abc import Callable, Iterator

import pytest
from populate_jobs import Connection, DatabaseSettings
from populate_jobs.errors import DatabaseUnreachable, TookTooLong
from populate_operator.database import lane as lanes
from populate_operator.database.lane import Lane, Limits

from tests.chaos.proxy import Proxy
from tests.database.pipeline import settings
from tests.lanes import keep_time
from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

LIMITS = Limits(task=0.3, crowded=0.3, lock=5.0)
PATIENT = Limits(task=3600.0, crowded=0.3, lock=5.0)
SLEEP = {"mysql": "SELECT SLEEP(10000)", "postgresql": "SELECT pg_sleep(10000)"}
SESSIONS = {
    "mysql": "SELECT id FROM information_schema.processlist WHERE id = {}",
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE pid = {}",
}

Open = Callable[..., Lane]


@pytest.fixture
def opened(server: Server) -> Iterator[Open]:
    found: list[Lane] = []

    def lane(login: DatabaseSettings | None = None, limits: Limits = LIMITS, width: int = 1) -> Lane:
        found.append(Lane(login or settings(server), "populate test", limits, width))
        return found[-1]

    yield lane
    for each in found:
        each.close(1)


def sleep(connection: Connection) -> None:
    connection.execute(SLEEP[connection.backend])


def session(connection: Connection) -> int:
    return connection.id


def until_gone(server: Server, session: int) -> None:
    asked = SESSIONS[server.backend].format(session)
    wait_until(lambda: server.execute(asked) == [], "its session is gone")


def ask(connection: Connection) -> None:
    connection.execute("SELECT 1")


def test_what_takes_too_long_is_ended_on_the_server_and_the_next_task_runs(server: Server, opened: Open) -> None:
    lane = opened()
    first = lane.submit(session).result(PATIENCE)
    late = lane.submit(sleep)
    keep_time(lane, late)
    with pytest.raises(TookTooLong, match=r"ended after \d+\.\d s"):
        late.result()
    until_gone(server, first)
    assert lane.submit(session).result(PATIENCE) != first


def test_several_statements_of_a_task_count_together(opened: Open) -> None:
    def many(connection: Connection) -> None:
        while True:
            connection.execute("SELECT 1")

    lane = opened()
    late = lane.submit(many)
    keep_time(lane, late)
    with pytest.raises(TookTooLong):
        late.result()


def test_a_server_that_has_fallen_silent_is_left(server: Server, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "END_SECONDS", 0.5)
    with Proxy(server.host, server.port).running() as proxy:
        login = settings(server)
        lane = opened(DatabaseSettings(**{**vars(login), "host": "127.0.0.1", "port": proxy.port}))
        lane.submit(session).result(PATIENCE)
        proxy.fall_silent()
        late = lane.submit(ask)
        keep_time(lane, late)
        with pytest.raises(TookTooLong):
            late.result()


def test_a_wide_lane_runs_as_many_at_once(opened: Open) -> None:
    lane = opened(width=2)
    slow = lane.submit(sleep)
    assert isinstance(lane.submit(session).result(PATIENCE), int)
    assert not slow.done()
    keep_time(lane, slow)


def test_what_takes_long_may_go_on_until_somebody_waits(opened: Open) -> None:
    lane = opened(limits=PATIENT)
    lane.submit(session).result(PATIENCE)
    slow = lane.submit(sleep)
    wait_until(slow.running, "it is under way")
    clock = time.monotonic() + 60
    lane.keep_time(clock)
    assert not slow.done()
    waiting = lane.submit(session)
    lane.keep_time(clock)
    assert isinstance(waiting.result(PATIENCE), int)
    assert isinstance(slow.exception(), TookTooLong)


def test_a_connection_that_nobody_needs_is_closed(
    server: Server, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "IDLE_SECONDS", 0.1)
    lane = opened()
    number = lane.submit(session).result(PATIENCE)
    until_gone(server, number)
    assert lane.submit(session).result(PATIENCE) != number


def test_what_is_under_way_when_it_closes_is_ended(server: Server, opened: Open) -> None:
    lane = opened()
    number = lane.submit(session).result(PATIENCE)
    under_way = lane.submit(sleep)
    wait_until(lambda: under_way.running(), "it is under way")
    lane.close(0.2)
    with pytest.raises(TookTooLong):
        under_way.result(PATIENCE)
    until_gone(server, number)


def test_who_comes_after_it_was_closed_is_told_so(opened: Open) -> None:
    lane = opened()
    lane.submit(ask).result(PATIENCE)
    lane.close(1)
    with pytest.raises(DatabaseUnreachable, match="not used any more"):
        lane.submit(ask).result(PATIENCE)
