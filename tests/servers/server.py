"""A running server: where it listens, how to log in, how to stop and start it."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import psycopg
import pymysql

from .catalog import PASSWORD, Product
from .host import wait_until

CONNECT_SECONDS = 60
"""On a busy machine. A server that was stopped refuses at once."""


class Runtime(Protocol):
    """What keeps a server running: a container or plain processes. Its data outlives everything but remove()."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def running(self) -> bool: ...
    def remove(self) -> None: ...
    def log(self) -> str: ...


@runtime_checkable
class Disk(Protocol):
    """A runtime with a disk of its own."""

    def fill_disk(self) -> None: ...
    def free_disk(self) -> None: ...


@dataclass(frozen=True)
class Server:
    """A real server with an administrator's login; `database` is empty where the backend has none above schemas."""

    name: str
    backend: str
    host: str
    port: int
    user: str
    password: str
    database: str
    runtime: Runtime = field(repr=False, compare=False)

    @classmethod
    def of(cls, product: Product, port: int, runtime: Runtime) -> "Server":
        login = (product.user, PASSWORD, product.database)
        return cls(product.name, product.backend, product.address, port, *login, runtime)

    def environment(self) -> dict[str, str]:
        """The DJ_* variables that point a process at this server."""
        variables = {
            "DJ_BACKEND": self.backend,
            "DJ_HOST": self.host,
            "DJ_PORT": str(self.port),
            "DJ_USER": self.user,
            "DJ_PASS": self.password,
        }
        return variables | ({"DJ_DATABASE_NAME": self.database} if self.database else {})

    def connect(self) -> Any:
        """A new DB-API connection in autocommit mode."""
        if self.backend == "mysql":
            return pymysql.connect(
                host=self.host, port=self.port, user=self.user, password=self.password,
                autocommit=True, connect_timeout=CONNECT_SECONDS,
            )  # fmt: skip
        return psycopg.connect(
            host=self.host, port=self.port, user=self.user, password=self.password, dbname=self.database,
            autocommit=True, connect_timeout=CONNECT_SECONDS,
        )  # fmt: skip

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement as the administrator; its rows, if it gives any."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    def stop(self) -> None:
        """Shut down in good order; connections break, data stays."""
        self.runtime.stop()

    def kill(self) -> None:
        """Crash."""
        self.runtime.kill()

    def start(self) -> None:
        """Come back at the same port with the same data, and answer."""
        self.runtime.start()
        self.wait()

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def disk(self) -> Disk:
        assert isinstance(self.runtime, Disk)
        return self.runtime

    def wait(self) -> None:
        """Return when the server lets its administrator in; raise TimeoutError where it ended or takes a minute."""
        with suppress(TimeoutError):
            wait_until(lambda: self.answers() or not self.runtime.running(), self.name)
        if not self.answers():
            raise TimeoutError(f"{self.name} does not answer on port {self.port}; its log ends:\n{self.runtime.log()}")

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except (pymysql.Error, psycopg.Error):
            return False
        return True


def drop_database(server: Server, name: str) -> None:
    """Of PostgreSQL, with the sessions in it: for whose end it waits a few seconds by itself."""

    def dropped() -> bool:
        with suppress(psycopg.errors.ObjectInUse):
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return True
        return False

    wait_until(dropped, f"{name} dropped")
