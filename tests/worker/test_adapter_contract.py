"""What the adapter assumes of DataJoint's private parts: to be looked at when the pinned version moves."""

import contextlib
import inspect
import os
import socket
from importlib import metadata
from typing import Any

import datajoint as dj
import pytest
from datajoint import jobs
from datajoint.autopopulate import AutoPopulate
from datajoint.errors import LostConnectionError
from populate_jobs import connect
from populate_worker import datajoint_adapter

from tests.database.pipeline import settings
from tests.servers import Server

POPULATE1 = "(self, key, jobs, suppress_errors, return_exception_objects, make_kwargs=None)"


def test_the_version_is_the_one_that_the_adapter_was_written_for() -> None:
    assert metadata.version("datajoint").startswith("2.3.")


def test_populate1_takes_what_the_adapter_gives() -> None:
    signature = inspect.signature(AutoPopulate._populate1)
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(plain)) == POPULATE1


def test_the_version_of_the_code_is_asked_as_the_adapter_asks() -> None:
    assert list(inspect.signature(jobs._get_job_version).parameters) == ["config"]


class Recorder:
    """Stands for the jobs table, and writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def reserve(self, key: dict[str, Any]) -> bool:
        self.calls.append(("reserve", key))
        return True

    def complete(self, key: dict[str, Any], duration: float | None = None) -> None:
        self.calls.append(("complete", key, duration))

    def error(self, key: dict[str, Any], error_message: str, error_stack: str) -> None:
        self.calls.append(("error", key, error_message))


@pytest.fixture(scope="module")
def table(server: Server, schema_name: str) -> Any:
    kwargs = {"database__name": server.database} if server.database else {}
    instance = dj.Instance(
        host=server.host, port=server.port, user=server.user, password=server.password, backend=server.backend, **kwargs
    )
    schema = instance.Schema(schema_name)

    @schema
    class Item(dj.Lookup):
        definition = "item : int32"
        contents = ((1,), (2,), (3,))

    @schema
    class Made(dj.Computed):
        definition = "-> Item"

        def make(self, key: dict[str, Any], leave: bool = False) -> None:
            if leave:
                raise SystemExit(3)
            if key["item"] == 3:
                raise ValueError("three")
            self.insert1(key)

    return Made()


def test_a_made_key_is_completed_with_its_duration(table: Any) -> None:
    recorder = Recorder()
    assert table._populate1({"item": 1}, recorder, False, False) is True
    assert [call[:2] for call in recorder.calls] == [("reserve", {"item": 1}), ("complete", {"item": 1})]
    assert recorder.calls[-1][2] > 0


def test_a_key_that_is_there_is_completed_without_being_made(table: Any) -> None:
    table.insert1({"item": 2}, allow_direct_insert=True)
    recorder = Recorder()
    assert table._populate1({"item": 2}, recorder, False, False) is False
    assert recorder.calls[-1] == ("complete", {"item": 2}, None)


@pytest.mark.parametrize(("kwargs", "error"), [({}, ValueError), ({"leave": True}, SystemExit)])
def test_a_failure_is_raised_with_the_transaction_rolled_back(
    table: Any, kwargs: Any, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        table._populate1({"item": 3}, Recorder(), False, False, make_kwargs=kwargs)
    assert not table.connection.in_transaction


def test_a_lost_session_is_told_by_a_query_that_may_not_reconnect(table: Any, server: Server) -> None:
    (session,) = table.connection.query(
        {"mysql": "SELECT CONNECTION_ID()", "postgresql": "SELECT pg_backend_pid()"}[server.backend]
    ).fetchone()
    server.execute(
        {"mysql": f"KILL {session}", "postgresql": f"SELECT pg_terminate_backend({session})"}[server.backend]
    )
    with pytest.raises(Exception):  # noqa: B017 the kind differs by driver
        table.connection.query("SELECT 1", reconnect=False)
    table.connection.connect()
    assert table.connection.query("SELECT 1").fetchone() == (1,)
    assert LostConnectionError.__name__ == "LostConnectionError", "the retry policy knows it by name"


def test_whoever_connects_does_so_by_the_method_that_the_adapter_has_wait(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    connect = dj.Connection.connect
    monkeypatch.setattr(dj.Connection, "connect", lambda ours: [asked.append(ours), connect(ours)])
    login = {"backend": server.backend, "database_name": server.database or None}
    ours = dj.Connection(server.host, server.user, server.password, server.port, **login)
    assert asked == [ours]
    ours.close()


def test_both_sides_of_a_runners_connection_notice_that_the_other_is_lost(
    table: Any, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datajoint_adapter, "log_in", lambda settings: None)
    monkeypatch.setattr(datajoint_adapter, "import_auto_populated", lambda path: lambda: table)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    datajoint_adapter.AutoPopulated("", {}, ())
    raw, mysql = table.connection._conn, server.backend == "mysql"
    assert notices_within_a_minute((raw._sock if mysql else raw).fileno())
    asked, told = ("SELECT @@wait_timeout", 2147483) if mysql else ("SHOW tcp_keepalives_idle", "30")
    assert table.connection.query(asked).fetchone()[0] == told


def test_the_supervisors_connection_notices_that_the_server_is_lost(server: Server) -> None:
    with contextlib.closing(connect(settings(server), name="test")) as connection:
        raw = connection._raw
        assert notices_within_a_minute((raw._sock if server.backend == "mysql" else raw).fileno())


def notices_within_a_minute(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as copied:
        options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT
        idle, interval, times, unanswered = (copied.getsockopt(socket.IPPROTO_TCP, option) for option in options)
        is_kept = copied.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return bool(is_kept) and idle + interval * times <= 60 and 0 < unanswered <= 60_000
