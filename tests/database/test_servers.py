"""The servers do what outage tests and schema fixtures rely on."""

from collections.abc import Callable

import pytest

from tests.servers import Server


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
def test_a_server_comes_back_at_its_port_with_everything_committed(
    own_server: Server, end: Callable[[Server], None]
) -> None:
    schema = "own.kept" if own_server.backend == "mysql" else "kept"
    if own_server.backend == "mysql":
        own_server.execute("CREATE DATABASE own")
    own_server.execute(f"CREATE TABLE {schema} (id int PRIMARY KEY)")
    own_server.execute(f"INSERT INTO {schema} VALUES (7)")
    end(own_server)
    assert not own_server.answers()
    own_server.start()
    assert own_server.execute(f"SELECT id FROM {schema}") == [(7,)]


def test_each_server_is_of_the_version_in_its_name(server: Server) -> None:
    product, version = server.name.split("-")
    ((said,),) = server.execute("SELECT version()")
    assert version in said.removeprefix("PostgreSQL ")[: len(version)]
    assert ("MariaDB" in said) == (product == "mariadb")


def test_no_schema_is_left_by_another_module(server: Server, schema_name: str) -> None:
    found = f"SELECT 1 FROM information_schema.schemata WHERE schema_name LIKE '{schema_name}%'"
    assert server.execute(found) == []
    server.execute(f"CREATE SCHEMA {schema_name}_a")
    assert len(server.execute(found)) == 1
