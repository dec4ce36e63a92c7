"""Sessions: what they are set to, how they break and come back, and who wins when locks are fought for."""

import contextlib
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from populate_jobs import Connection, JobsTable, connect
from populate_jobs.errors import (
    Contended,
    DatabaseError,
    DatabaseUnreachable,
    LockWaitedFor,
    LoginRefused,
    PopulateError,
)

from tests.database.pipeline import Pipeline, settings
from tests.database.watch import locked
from tests.servers import Server
from tests.servers.host import PATIENCE, free_port, wait_until


@pytest.fixture
def connection(pipeline: Pipeline) -> Connection:
    return pipeline.connect()


def test_a_session_is_at_read_committed_and_commits_by_itself(pipeline: Pipeline, connection: Connection) -> None:
    level = {
        "mariadb": "SELECT @@tx_isolation",
        "mysql": "SELECT @@transaction_isolation",
        "postgresql": "SHOW transaction_isolation",
    }[pipeline.server.name.partition("-")[0]]
    assert connection.execute(level).rows[0][0].replace("-", " ").lower() == "read committed"
    pipeline.enqueue(1)
    connection.execute(f"DELETE FROM {pipeline.document().jobs}")
    assert pipeline.rows() == {}


def test_a_session_knows_its_id_and_user_as_the_server_does(pipeline: Pipeline, connection: Connection) -> None:
    if pipeline.server.backend == "mysql":
        (row,) = pipeline.execute(
            f"SELECT CONCAT(user, '@', host) FROM information_schema.processlist WHERE id = {connection.id}"
        )
        assert str(row[0]).startswith(connection.user)
    else:
        (row,) = pipeline.execute(f"SELECT usename, application_name FROM pg_stat_activity WHERE pid = {connection.id}")
        assert row == (connection.user, "test")


def test_percent_signs_stand_doubled_in_sql_with_values_and_without(connection: Connection) -> None:
    assert connection.execute("SELECT '100%%', 7 %% 4").rows == [("100%", 3)]
    assert connection.execute("SELECT '100%%', %s", ["50%"]).rows == [("100%", "50%")]


def test_a_killed_session_is_unreachable_until_it_reconnects(pipeline: Pipeline, connection: Connection) -> None:
    before = connection.id
    pipeline.kill(connection)
    for _ in range(2):
        with pytest.raises(DatabaseUnreachable):
            connection.execute("SELECT 1")
    connection.reconnect()
    assert connection.execute("SELECT 1").rows == [(1,)]
    assert connection.id != before


def test_a_session_killed_in_the_middle_of_a_statement_is_unreachable(
    pipeline: Pipeline, connection: Connection
) -> None:
    with ThreadPoolExecutor(1) as threads:
        statement = threads.submit(connection.execute, _sleep(pipeline.server, 60))
        wait_until(lambda: _sleeps(pipeline, connection), "the statement runs")
        pipeline.kill(connection)
        with pytest.raises(DatabaseUnreachable):
            statement.result(timeout=PATIENCE)
    connection.reconnect()
    assert connection.execute("SELECT 1").rows == [(1,)]


@pytest.mark.parametrize("limit", ["idle_session_timeout", "idle_in_transaction_session_timeout"])
def test_a_session_that_was_ended_for_idleness_is_unreachable_until_it_reconnects(
    pipeline: Pipeline, connection: Connection, limit: str
) -> None:
    """MySQL and MariaDB have one limit for both."""
    mysql = pipeline.server.backend == "mysql"
    connection.execute("SET SESSION wait_timeout = 1" if mysql else f"SET {limit} = '500ms'")

    def idle() -> None:
        wait_until(lambda: not pipeline.is_there(connection), "the session ended")
        connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnreachable):
        connection.atomically(idle) if "transaction" in limit else idle()
    connection.reconnect()
    assert connection.execute("SELECT 1").rows == [(1,)]


def test_of_a_transaction_whose_session_is_killed_nothing_stays(pipeline: Pipeline, connection: Connection) -> None:
    pipeline.enqueue(1, 2)

    def work() -> None:
        connection.execute(f"DELETE FROM {pipeline.document().jobs}")
        pipeline.kill(connection)
        connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnreachable):
        connection.atomically(work)
    wait_until(lambda: len(pipeline.rows()) == 2, "the rows are there")
    connection.reconnect()
    assert connection.execute(f"DELETE FROM {pipeline.document().jobs}").rowcount == 2


def test_a_closed_session_is_unreachable_until_it_reconnects(connection: Connection) -> None:
    connection.close()
    connection.close()
    with pytest.raises(DatabaseUnreachable, match="closed"):
        connection.execute("SELECT 1")
    connection.reconnect()
    assert connection.execute("SELECT 1").rows == [(1,)]


def test_an_error_in_a_transaction_undoes_it_and_leaves_the_session_usable(
    pipeline: Pipeline, connection: Connection
) -> None:
    pipeline.enqueue(1)

    def work() -> None:
        connection.execute(f"DELETE FROM {pipeline.document().jobs}")
        connection.execute("SELECT nonsense FROM nowhere")

    with pytest.raises(DatabaseError):
        connection.atomically(work)
    assert connection.execute(f"SELECT COUNT(*) FROM {pipeline.document().jobs}").rows == [(1,)]


def test_nobody_listening_is_unreachable(server: Server) -> None:
    with pytest.raises(DatabaseUnreachable):
        connect(settings(server, port=free_port()), name="test")


def test_a_host_without_address_is_unreachable(server: Server) -> None:
    with pytest.raises(DatabaseUnreachable):
        connect(settings(server, host="no-such-host.invalid"), name="test")


@pytest.mark.parametrize("login", [{"password": "wrong-word"}, {"user": "nobody", "password": "wrong-word"}])
def test_a_wrong_login_is_refused_and_its_password_not_told(server: Server, login: dict[str, str]) -> None:
    refused = settings(server, **login)
    with pytest.raises(LoginRefused) as caught:
        connect(refused, name="test")
    assert "wrong-word" not in f"{caught.value!r} {caught.value.__cause__!r} {refused!r}"


def test_a_database_that_is_not_there_is_a_login_refused(server: Server) -> None:
    if server.backend == "mysql":
        pytest.skip("no database is named at login on MySQL")
    with pytest.raises(LoginRefused, match="no_such_database"):
        connect(settings(server, database="no_such_database"), name="test")


def test_a_statement_is_given_no_more_time_than_it_may_take(server: Server) -> None:
    connection = connect(settings(server), name="test", statement_seconds=20)
    with pytest.raises(DatabaseError):
        connection.execute(_sleep(server, 1000))
    connection.reconnect()
    assert connection.execute("SELECT 1").rows == [(1,)]
    connection.close()


def test_a_session_waits_no_longer_than_it_may_for_a_table_that_is_altered(pipeline: Pipeline) -> None:
    with closing(connect(settings(pipeline.server), name="test", lock_seconds=1)) as connection:
        with altering(pipeline), pytest.raises(LockWaitedFor):
            connection.execute(f"SELECT count(*) FROM {pipeline.document().target}")
        assert connection.execute(f"SELECT count(*) FROM {pipeline.document().target}").rows == [(0,)]


@contextmanager
def altering(pipeline: Pipeline) -> Iterator[None]:
    """Another session holds the target as ALTER TABLE does."""
    with closing(connect(settings(pipeline.server), name="other")) as other:
        if pipeline.server.backend == "mysql":
            other.execute(f"LOCK TABLES {pipeline.document().target} WRITE")
            yield
            other.execute("UNLOCK TABLES")
            return
        with other.transaction():
            other.execute(f"LOCK TABLE {pipeline.document().target} IN ACCESS EXCLUSIVE MODE")
            yield


def test_no_local_file_is_sent_even_where_the_server_takes_them(pipeline: Pipeline, connection: Connection) -> None:
    if pipeline.server.backend == "postgresql":
        pytest.skip("PostgreSQL cannot ask a client for a file")
    ((allowed,),) = pipeline.execute("SELECT @@GLOBAL.local_infile")
    pipeline.execute("SET GLOBAL local_infile = 1")
    try:
        pipeline.execute(f"CREATE TABLE `{pipeline.schema}`.stolen (line TEXT)")
        with pytest.raises(DatabaseError):
            connection.execute(f"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE `{pipeline.schema}`.stolen")
        assert pipeline.execute(f"SELECT * FROM `{pipeline.schema}`.stolen") == []
    finally:
        pipeline.execute(f"DROP TABLE `{pipeline.schema}`.stolen")
        pipeline.execute(f"SET GLOBAL local_infile = {allowed}")


def test_encryption_that_is_required_is_had_or_the_connection_refused(server: Server) -> None:
    required = settings(server, tls="required")
    if server.name != "mysql-9":  # the only one that comes with a certificate
        with pytest.raises(PopulateError, match=r"SSL|TLS"):
            connect(required, name="test")
        return
    connection = connect(required, name="test")
    assert connection.execute("SHOW STATUS LIKE 'Ssl_cipher'").rows[0][1]
    connection.close()


def test_a_certificate_nobody_vouches_for_is_refused_where_it_is_verified(server: Server) -> None:
    with pytest.raises(PopulateError):
        connect(settings(server, tls="verify-full"), name="test")


def test_the_loser_of_a_deadlock_tries_again(pipeline: Pipeline) -> None:
    pipeline.enqueue(*range(100))
    jobs, rival = pipeline.session(), pipeline.server.connect()
    _lose_deadlocks(pipeline, jobs, rival)
    tries: list[int] = []
    with ThreadPoolExecutor(1) as threads:
        wins: list[Future[None]] = []

        def work() -> None:
            tries.append(1)
            _touch(jobs, 1)
            if len(tries) == 1:
                wins.append(threads.submit(_take_then_want, pipeline, rival, first=range(2, 100), then=1))
                wait_until(lambda: _waits_for_lock(pipeline, rival), "the rival waits for our row")
            _touch(jobs, 2)

        jobs.connection.atomically(work)
        wins[0].result(timeout=PATIENCE)
    assert len(tries) == 2
    assert [pipeline.row(key)["priority"] for key in (1, 2, 3)] == [7, 7, 8]
    rival.close()


def test_who_waits_too_long_for_a_lock_tries_again(pipeline: Pipeline) -> None:
    pipeline.enqueue(1)
    jobs = pipeline.session()
    _wait_a_second_at_most(jobs)
    tries: list[int] = []
    with contextlib.ExitStack() as rival:

        def work() -> None:
            tries.append(1)
            if len(tries) == 2:
                rival.close()
            _touch(jobs, 1)

        rival.enter_context(locked(pipeline, 1))
        jobs.connection.atomically(work)
    assert len(tries) == 2
    assert pipeline.row(1)["priority"] == 7


def test_a_lock_that_is_never_given_up_is_told_in_the_end(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["populate_jobs.connection"], "CONTENDED_TRIES", 2)
    pipeline.enqueue(1)
    jobs = pipeline.session()
    _wait_a_second_at_most(jobs)
    with locked(pipeline, 1), pytest.raises(Contended):
        _touch(jobs, 1)
    _touch(jobs, 1)
    assert pipeline.row(1)["priority"] == 7


def _sleep(server: Server, seconds: int) -> str:
    return f"SELECT SLEEP({seconds})" if server.backend == "mysql" else f"SELECT pg_sleep({seconds})"


def _sleeps(pipeline: Pipeline, connection: Connection) -> bool:
    text = {
        "mysql": f"SELECT info FROM information_schema.processlist WHERE id = {connection.id}",
        "postgresql": f"SELECT query FROM pg_stat_activity WHERE pid = {connection.id} AND state = 'active'",
    }[pipeline.server.backend]
    return any("sleep" in str(row[0]).lower() for row in pipeline.execute(text))


def _touch(jobs: JobsTable, key: int) -> None:
    condition, args = jobs.matching([{"subject_id": key}])
    jobs.run("set_priority", [7, *args], keys=condition)


def _take_then_want(pipeline: Pipeline, rival: Any, first: range, then: int) -> None:
    """Changes many rows, so that it is not the cheaper one to undo, and then one more."""
    update = f"UPDATE {pipeline.document().jobs} SET priority = 8 WHERE subject_id = %s"
    with rival.cursor() as cursor:
        cursor.execute("BEGIN")
        for key in (*first, then):
            cursor.execute(update, [key])
        cursor.execute("COMMIT")


def _waits_for_lock(pipeline: Pipeline, rival: Any) -> bool:
    if pipeline.server.backend == "mysql":
        waits = f"trx_state = 'LOCK WAIT' AND trx_mysql_thread_id = {rival.thread_id()}"
        return bool(pipeline.execute(f"SELECT 1 FROM information_schema.innodb_trx WHERE {waits}"))
    waits = f"wait_event_type = 'Lock' AND pid = {rival.info.backend_pid}"
    return bool(pipeline.execute(f"SELECT 1 FROM pg_stat_activity WHERE {waits}"))


def _lose_deadlocks(pipeline: Pipeline, jobs: JobsTable, rival: Any) -> None:
    """PostgreSQL ends the one who notices; MySQL and MariaDB the one who has changed fewer rows."""
    if pipeline.server.backend == "postgresql":
        jobs.connection.execute("SET deadlock_timeout = '10ms'")
        rival.execute("SET deadlock_timeout = '1h'")


def _wait_a_second_at_most(jobs: JobsTable) -> None:
    mysql = jobs.connection.backend == "mysql"
    jobs.connection.execute("SET innodb_lock_wait_timeout = 1" if mysql else "SET lock_timeout = '200ms'")
