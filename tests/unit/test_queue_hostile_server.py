"""A database server that means harm: who asks it loses neither files nor memory, and waits no longer than it may."""

from __future__ import annotations

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from decimal import Decimal, InvalidOperation
from multiprocessing import get_context
from pathlib import Path

import pytest
from populate_jobs import DatabaseSettings, Look, connect, look
from populate_jobs.connection import Result
from populate_jobs.errors import DatabaseError, DatabaseUnreachable, PopulateError, TookTooLong
from populate_jobs.statements import statements
from populate_operator.database import lane as lanes
from populate_operator.database.lane import Lane, Limits

from tests.lanes import keep_time
from tests.servers.host import PATIENCE, wait_until
from tests.unit.planning import DOCUMENT

from .hostile import HARM, Answer, Hostile, HostileMySQL, HostilePostgreSQL, mysql_wants_file, silence, trickle

MOST_MEMORY = 300 * 2**20
"""Beyond what the process had before; the operator's pod has 512 MiB."""
EVERY = [HostileMySQL, HostilePostgreSQL]
OPENING = {HostileMySQL: 1, HostilePostgreSQL: 2}
"""SELECTs by which a session is opened."""

Start = Callable[..., Hostile]


@pytest.fixture
def start() -> Iterator[Start]:
    servers: list[Hostile] = []

    def started(kind: type[Hostile], harm: Callable[[], Answer], good: int = 0) -> Hostile:
        servers.append(kind(harm, good))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


def ask(settings: DatabaseSettings) -> tuple[str, int, int]:
    """What the error is called, how long it is, and bytes of memory that were taken for it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        connect(settings, name="test").close()
        told = ("", 0)
    except PopulateError as error:
        told = (type(error).__name__, len(str(error)))
    return (*told, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def test_the_servers_are_believed_until_they_do_harm(start: Start) -> None:
    for kind in EVERY:
        with closing(connect(start(kind, silence, OPENING[kind]).settings, name="test")) as connection:
            assert "lab" in connection.user


@pytest.mark.parametrize(
    ("kind", "harm"), [(kind, harm) for kind, those in HARM.items() for harm in those], ids=lambda item: item.__name__
)
def test_an_answer_without_end_takes_no_more_memory_than_there_is(
    start: Start, kind: type[Hostile], harm: Callable[[], Answer]
) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        name, length, taken = process.submit(ask, start(kind, harm, OPENING[kind] - 1).settings).result(PATIENCE)
    assert name in ("DatabaseUnreachable", "DatabaseError")
    assert length < 5000
    assert taken < MOST_MEMORY


def test_a_server_that_asks_for_a_local_file_gets_none_and_is_an_error_of_ours(start: Start, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("never-to-be-sent")
    server = start(HostileMySQL, mysql_wants_file(str(secret)))
    with pytest.raises(PopulateError):
        connect(server.settings, name="test")
    assert any(b"SELECT" in said for said in server.received)
    assert b"never-to-be-sent" not in b"".join(server.received)


@pytest.mark.parametrize("harm", [silence, trickle])
@pytest.mark.parametrize("kind", EVERY)
def test_who_opens_a_session_does_not_wait_for_ever(
    start: Start, kind: type[Hostile], harm: Callable[[], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["populate_jobs.connection"], "OPEN_SECONDS", 0.5)
    with pytest.raises(DatabaseUnreachable):
        connect(start(kind, harm).settings, name="test")


@pytest.mark.parametrize("harm", [silence, trickle])
@pytest.mark.parametrize("kind", EVERY)
def test_a_task_that_a_server_never_answers_is_ended_and_its_thread_with_it(
    start: Start, kind: type[Hostile], harm: Callable[[], Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "END_SECONDS", 0.5)
    limits = Limits(task=0.5, crowded=0.5, lock=1.0)
    lane = Lane(start(kind, harm, OPENING[kind]).settings, f"harm of {kind.__name__}", limits)
    late = lane.submit(lambda connection: connection.execute("SELECT 1"))
    keep_time(lane, late)
    with pytest.raises(TookTooLong):
        late.result()
    lane.close(0.0)
    wait_until(lambda: f"harm of {kind.__name__}" not in {thread.name for thread in threading.enumerate()}, "its end")


@pytest.mark.parametrize("kind", EVERY)
def test_a_lane_is_closed_at_once_whatever_its_server_does(start: Start, kind: type[Hostile]) -> None:
    lane = Lane(start(kind, silence).settings, "harm", Limits(task=1000.0, crowded=1000.0, lock=1.0))
    late = lane.submit(lambda connection: connection.execute("SELECT 1"))
    wait_until(late.running, "it is under way")
    before = time.monotonic()
    lane.close(0.0)
    assert time.monotonic() - before < 100


class Answers:
    """FAKE session: whatever is asked, this is the answer."""

    def __init__(self, *row: object) -> None:
        self.row = row
        self.backend = "mysql"
        self.statements = statements("mysql")

    def execute(self, sql: str, args: object = ()) -> Result:
        return Result([self.row], 1)


@pytest.mark.parametrize(
    "number", [Decimal("9" * 1_000_000), Decimal("NaN"), -1, 2**63, float("inf"), "7", None], ids=lambda number: ""
)
def test_a_count_is_a_number_that_a_server_can_count_to(number: object) -> None:
    """The first of these would take half a minute to convert, in which nothing else in the process goes on."""
    with pytest.raises((DatabaseError, InvalidOperation)):
        look(Answers(0, "ready", "", number), [Look(DOCUMENT, 10)])  # type: ignore[arg-type]


def test_a_count_as_servers_have_it_is_taken() -> None:
    for number in 7, Decimal(7):
        (seen,) = look(Answers(0, "ready", "", number), [Look(DOCUMENT, 10)])  # type: ignore[arg-type]
        assert seen.ready == 7
