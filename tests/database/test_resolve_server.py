"""Which server answered, and whether its clock jumps."""

import contextlib
import datetime
from collections.abc import Iterator

import pytest
from populate_jobs import Connection, connect
from populate_worker.resolving.server import identify

from tests.database.pipeline import Pipeline, settings
from tests.database.users import user
from tests.servers import Server
from tests.servers.server import drop_database

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture
def queue(server: Server) -> Iterator[Connection]:
    connection = connect(settings(server), name="test")
    yield connection
    connection.close()


def expected(server: Server) -> str:
    if server.backend == "postgresql":
        sql = "SELECT system_identifier || '/' || oid FROM pg_control_system(), pg_database WHERE datname = 'postgres'"
    elif server.name.startswith("mariadb"):
        sql = "SELECT CONCAT(@@hostname, ':', @@port)"
    else:
        sql = "SELECT @@server_uuid"
    ((identity,),) = server.execute(sql)
    return identity


def test_a_server_is_the_same_under_another_name_and_in_another_session(server, queue):
    with contextlib.closing(connect(settings(server, host="localhost"), name="test")) as other:
        for connection in (queue, other):
            found, warnings = identify(connection, NOW)
            assert found.identity == expected(server)
            assert (found.version, found.time_zone.rpartition("/")[2], warnings) == (queue.version, "UTC", [])


def test_who_sees_the_connections_of_others_is_known(pipeline: Pipeline) -> None:
    with user(pipeline) as login:
        queue = pipeline.connect(**login)
        assert identify(queue, NOW)[0].shows_connections is (pipeline.server.backend == "postgresql")
        if pipeline.server.backend == "mysql":
            pipeline.execute(f"GRANT PROCESS ON *.* TO '{login['user']}'@'%%'", [])
            assert identify(queue, NOW)[0].shows_connections


def test_without_the_system_identifier_a_database_is_known_by_address(server, schema_name):
    if server.backend != "postgresql":
        pytest.skip("only PostgreSQL has the right to be taken away")
    server.execute(f"CREATE DATABASE {schema_name}")
    server.execute(f"CREATE ROLE {schema_name} LOGIN PASSWORD 'secret'")
    try:
        with contextlib.closing(connect(settings(server, database=schema_name), name="test")) as admin:
            admin.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
            ((oid,),) = admin.execute(f"SELECT oid FROM pg_database WHERE datname = '{schema_name}'").rows
        limited = settings(server, database=schema_name, user=schema_name, password="secret")
        with contextlib.closing(connect(limited, name="test")) as queue:
            assert identify(queue, NOW)[0].identity == f"127.0.0.1:{server.port}/{oid}"
    finally:
        drop_database(server, schema_name)
        server.execute(f"DROP ROLE {schema_name}")


JUMPS = {"Europe/Zurich": [(3, 29), (10, 25)], "Africa/Casablanca": [(2, 15), (3, 22)], "Asia/Tokyo": []}
"""The days of 2026 when the clocks of a time zone change."""


@pytest.fixture(params=JUMPS)
def zone(request: pytest.FixtureRequest, server: Server, schema_name: str) -> Iterator[str]:
    """The name of the time zone on the server. MySQL and MariaDB come without time zones, so they are given it."""
    if server.backend == "postgresql":
        yield request.param
        return
    name = f"{schema_name}/{request.param}"
    days = [datetime.datetime(2026, *day, tzinfo=datetime.timezone.utc).timestamp() for day in JUMPS[request.param]]
    transitions = [
        f"INSERT INTO mysql.time_zone_transition VALUES (@zone, {day}, {n % 2})" for n, day in enumerate(days)
    ]
    with contextlib.closing(server.connect()) as admin, admin.cursor() as cursor:
        cursor.execute("INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')")
        cursor.execute("SET @zone = LAST_INSERT_ID()")
        cursor.execute(f"INSERT INTO mysql.time_zone_name VALUES ('{name}', @zone)")
        cursor.execute(
            "INSERT INTO mysql.time_zone_transition_type VALUES (@zone, 0, 7200, 1, 'S'), (@zone, 1, 3600, 0, 'W')"
        )
        for transition in transitions:
            cursor.execute(transition)
        yield name
        for table in ("time_zone", "time_zone_name", "time_zone_transition_type", "time_zone_transition"):
            cursor.execute(f"DELETE FROM mysql.{table} WHERE Time_zone_id = @zone")


def test_daylight_saving_is_found_by_the_clock_of_the_server(queue, zone):
    queue.execute(f"SET time_zone = '{zone}'" if queue.backend == "mysql" else f"SET TimeZone = '{zone}'")
    identity, warnings = identify(queue, NOW)
    assert identity.time_zone == zone
    assert [zone in warning for warning in warnings] == [True] * (not zone.endswith("Tokyo"))


def test_a_fixed_offset_has_no_daylight_saving(queue):
    queue.execute("SET time_zone = '+02:00'" if queue.backend == "mysql" else "SET TimeZone = '+02:00'")
    assert identify(queue, NOW)[1] == []
