"""The database answers and refuses: it is read-only, it is full, the password is another one. Nobody pays for that."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest
from populate_jobs import DatabaseSettings, RetryPolicy

from tests.database.depth import repetitions
from tests.database.users import user
from tests.servers import Server
from tests.servers.host import wait_until
from tests.worker.lab import Lab, Worker

SOON = RetryPolicy(backoff_seconds=0.1, max_backoff_seconds=0.1)
REFUSED = (pymysql.Error, psycopg.Error)
NEW_PASSWORD = "the-next-one"
SUPERVISOR = r"^\d{4}-"
"""Its lines begin with the time, those of a runner with its name."""
SHORTAGES = [(12, 10), (4, 2), (2, 2), (10, 3), (50, 48)][: repetitions(2, 5)]
"""Workers, and the connections that they have together: each needs two."""
KEYS = [*["insert"] * 20, "wait", *["insert"] * 40]


@pytest.fixture
def login(own_lab: Lab) -> Iterator[DatabaseSettings]:
    """The worker's, which may do no more than it needs: an administrator is let through where others are not."""
    with user(own_lab) as fields:
        yield dataclasses.replace(own_lab.settings, **fields)


def test_a_server_that_is_read_only_for_a_while(own_lab: Lab, login: DatabaseSettings) -> None:
    own_lab.fill(*KEYS)
    with own_lab.worker(environment=login.to_environment(), retry=SOON) as worker:
        own_lab.until_in_make(21)
        with read_only(own_lab):
            own_lab.let(21)
            until_logged_times(worker, "trying again: .*read-only", 3)
        finishes(own_lab, worker)


def test_a_server_whose_connections_are_all_taken_for_a_while(own_lab: Lab, login: DatabaseSettings) -> None:
    own_lab.fill(*KEYS)
    with own_lab.worker(environment=login.to_environment(), retry=SOON) as worker:
        own_lab.until_in_make(21)
        with user(own_lab) as others, full(own_lab, login, others):
            own_lab.let(21)
            worker.until_logged("(?i)trying again: .*too many connections")
        finishes(own_lab, worker)
    assert set(own_lab.started_again()) <= {21}, "the one whose transaction was lost"


@pytest.mark.parametrize(("workers", "most"), SHORTAGES)
def test_a_server_that_has_fewer_connections_than_there_are_supervisors(
    own_lab: Lab, login: DatabaseSettings, workers: int, most: int
) -> None:
    own_lab.fill(*["insert"] * 10 * workers)
    limit_connections(own_lab, login.user, most)
    with contextlib.ExitStack() as crew:
        each = [
            crew.enter_context(
                own_lab.worker(host=f"w{number}.lab.test", environment=login.to_environment(), retry=SOON)
            )
            for number in range(workers)
        ]
        own_lab.until_done()
        assert [worker.process.poll() for worker in each] == [None] * workers
        assert any(re.search("too many connections|max_user_connections", worker.log) for worker in each)
        limit_connections(own_lab, login.user, 3 * workers)
        for worker in each:
            worker.stop()
    assert own_lab.made() == list(range(1, 10 * workers + 1))
    assert own_lab.started_again() == {}


def test_a_runner_that_has_the_only_connection_gives_it_to_others(own_lab: Lab, login: DatabaseSettings) -> None:
    own_lab.fill("insert")
    limit_connections(own_lab, login.user, 1)
    with own_lab.worker(environment=login.to_environment()) as worker:
        worker.until_logged("1 idle runners end")
        limit_connections(own_lab, login.user, 2)
        own_lab.until_done()
        worker.stop()
    assert own_lab.started_again() == {}


def test_a_password_that_is_changed_before_the_worker_is_told(
    own_lab: Lab, login: DatabaseSettings, tmp_path: Path
) -> None:
    secret = mounted(login, tmp_path / "secret")
    own_lab.fill(*KEYS)
    with own_lab.worker(database=secret, retry=SOON) as worker:
        own_lab.until_in_make(21)
        change_password(own_lab, login.user)
        kill_sessions(own_lab, login.user)
        own_lab.let(21)
        worker.until_logged(rf"(?m){SUPERVISOR}.*(Access denied|password authentication failed)")
        mounted(dataclasses.replace(login, password=NEW_PASSWORD), secret)
        finishes(own_lab, worker)


def test_a_password_that_is_changed_after_the_worker_is_told(
    own_lab: Lab, login: DatabaseSettings, tmp_path: Path
) -> None:
    secret = mounted(login, tmp_path / "secret")
    own_lab.fill(*KEYS)
    with own_lab.worker(database=secret, retry=SOON) as worker:
        own_lab.until_in_make(21)
        change_password(own_lab, login.user)
        mounted(dataclasses.replace(login, password=NEW_PASSWORD), secret)
        kill_sessions(own_lab, login.user)
        own_lab.let(21)
        finishes(own_lab, worker)


def finishes(lab: Lab, worker: Worker) -> None:
    """Every key made and none blamed, by a worker that never ended."""

    def over() -> bool:
        return worker.process.poll() is not None or set(lab.statuses().values()) <= {"error"}

    wait_until(over, "every key to be done with")
    assert worker.process.poll() is None
    assert lab.rows() == {}
    assert lab.made() == list(range(1, len(KEYS) + 1))
    worker.stop()


def until_logged_times(worker: Worker, pattern: str, times: int) -> None:
    wait_until(lambda: len(re.findall(pattern, worker.log)) >= times, f"{pattern!r} {times} times in the log")


@contextlib.contextmanager
def read_only(lab: Lab) -> Iterator[None]:
    """For everybody but administrators on MariaDB; for everybody's next transaction on PostgreSQL."""
    statements = {
        "mysql": ("SET GLOBAL read_only = {}",),
        "postgresql": ("ALTER SYSTEM SET default_transaction_read_only = {}", "SELECT pg_reload_conf()"),
    }[lab.server.backend]
    is_on = {"mysql": "SELECT @@read_only", "postgresql": "SHOW default_transaction_read_only"}[lab.server.backend]
    for value in ("ON", "OFF"):
        for statement in statements:
            lab.execute(statement.format(value))
        if value == "ON":
            wait_until(lambda: lab.execute(is_on) in ([("on",)], [(1,)]), "a server that is read-only")
            yield


@contextlib.contextmanager
def full(lab: Lab, login: DatabaseSettings, others: dict[str, str]) -> Iterator[None]:
    """The others have all connections that there may be, and the worker has none."""
    lab.execute(
        {
            "mysql": "SET GLOBAL max_connections = 20",
            "postgresql": f"ALTER DATABASE {lab.server.database} CONNECTION LIMIT 20",
        }[lab.server.backend]
    )
    with contextlib.ExitStack() as taken:
        client = dataclasses.replace(lab.server, **others)

        def all_taken() -> bool:
            kill_sessions(lab, login.user)
            take_connections(client, taken)
            return not sessions(lab, login.user)

        wait_until(all_taken, "no connection left to the worker")
        yield


def limit_connections(lab: Lab, name: str, most: int) -> None:
    statement = {
        "mysql": "ALTER USER '{}'@'%' WITH MAX_USER_CONNECTIONS {}",
        "postgresql": "ALTER ROLE {} CONNECTION LIMIT {}",
    }
    lab.execute(statement[lab.server.backend].format(name, most))


def take_connections(client: Server, taken: contextlib.ExitStack) -> None:
    """Until the server gives no more."""
    with contextlib.suppress(*REFUSED):
        while True:
            taken.enter_context(contextlib.closing(client.connect()))


def sessions(lab: Lab, name: str) -> list[int]:
    sql = {
        "mysql": f"SELECT id FROM information_schema.processlist WHERE user = '{name}'",
        "postgresql": f"SELECT pid FROM pg_stat_activity WHERE usename = '{name}'",
    }[lab.server.backend]
    return [int(number) for (number,) in lab.execute(sql)]


def kill_sessions(lab: Lab, name: str) -> None:
    for session in sessions(lab, name):
        with contextlib.suppress(*REFUSED):
            lab.end_session(session)


def change_password(lab: Lab, name: str) -> None:
    statement = {"mysql": "ALTER USER '{}'@'%' IDENTIFIED BY '{}'", "postgresql": "ALTER ROLE {} PASSWORD '{}'"}
    lab.execute(statement[lab.server.backend].format(name, NEW_PASSWORD))


def mounted(login: DatabaseSettings, folder: Path) -> Path:
    """A Secret with this login as a pod has it; written anew where it is there already."""
    folder.mkdir(exist_ok=True)
    for name, value in dataclasses.asdict(login).items():
        new = folder / f".{name}"
        new.write_text(str(value))
        new.rename(folder / name)
    return folder
