"""Connecting to PostgreSQL, and what its errors mean."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from . import sqlstate
from .bounds import MOST_BYTES, TOO_MUCH
from .errors import PopulateError, SettingsError
from .keepalive import keep_alive
from .settings import DatabaseSettings

try:
    import psycopg
except ImportError as error:
    raise SettingsError("PostgreSQL needs its driver: pip install 'populate-operator[postgres]'") from error

NAME = "postgresql"
DRIVER_ERROR: tuple[type[Exception], ...] = (psycopg.Error,)
CONNECT_SECONDS = 10
_RECEIVED = 128
"""Where Linux's TCP_INFO has the bytes received."""

T = TypeVar("T")

# Compiling takes seconds where one statement is about many tables, for rows that are read in no time.
_NO_JIT = "SELECT set_config('jit', 'off', false) WHERE current_setting('jit', true) IS NOT NULL"
_SSL_MODES = {"preferred": "prefer", "disabled": "disable", "required": "require", "verify-full": "verify-full"}


class _Session(psycopg.Connection[Any]):
    """Reads no answer without end: all that the process has would go by it. (Where the system does not count what a
    socket receives, as others than Linux, it does.)"""

    def wait(self, gen: Generator[Any, Any, T], *args: Any, **options: Any) -> T:
        return super().wait(self._bounded(gen), *args, **options)

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        before = _received(self.pgconn.socket)
        try:
            waits_for = next(gen)
            while _received(self.pgconn.socket) - before <= MOST_BYTES:
                waits_for = gen.send((yield waits_for))
        except StopIteration as done:
            found: T = done.value
            return found
        self.close()
        raise psycopg.OperationalError(TOO_MUCH)


def _received(descriptor: int) -> int:
    try:
        counting = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor)
    except OSError:
        return 0
    try:
        info = counting.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED + 8)
        return int(struct.unpack_from("=Q", info, _RECEIVED)[0])
    except (OSError, AttributeError, struct.error):
        return 0
    finally:
        counting.detach()


def open_connection(
    settings: DatabaseSettings,
    name: str,
    statement_seconds: float | None,
    lock_seconds: float | None,
    opening: Callable[[Any], None],
) -> None:
    """A session at READ COMMITTED, in autocommit, which `opening` is given before its first statement."""
    limits = {"statement_timeout": statement_seconds, "lock_timeout": lock_seconds}
    limit = "".join(f" -c {name}={int(seconds * 1000)}" for name, seconds in limits.items() if seconds)
    with _ca_file(settings) as ca:
        connection = _Session.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            dbname=settings.database or "postgres",
            sslmode=_SSL_MODES[settings.tls],
            sslrootcert=ca,
            connect_timeout=CONNECT_SECONDS,
            application_name=name,
            client_encoding="UTF8",  # whatever the database's is: what that cannot hold, the server is to say
            options=f"-c default_transaction_isolation=read\\ committed{limit}",
            autocommit=True,
            # Poolers that share sessions do not keep prepared statements.
            prepare_threshold=None,
        )
    opening(connection)
    keep_alive(connection.fileno())
    connection.execute(_NO_JIT)


@contextlib.contextmanager
def _ca_file(settings: DatabaseSettings) -> Any:
    """libpq reads certificates from files only, and only while it connects."""
    if settings.tls != "verify-full":
        yield None
        return
    if not settings.ca:
        yield "system"
        return
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(settings.ca)
        file.flush()
        yield file.name


def is_open(raw: Any) -> bool:
    return not raw.closed


def translate(error: Exception) -> PopulateError:
    """The project's error for a driver's; the caller chains it."""
    of_connection = isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    text = str(error).strip() or type(error).__name__
    return sqlstate.meaning(getattr(error, "sqlstate", None), text, of_connection=of_connection)


def abandon(raw: Any) -> None:
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(raw.fileno())) as copied:
        copied.shutdown(socket.SHUT_RDWR)


def close(raw: Any) -> None:
    with contextlib.suppress(psycopg.Error):
        raw.close()
