"""Connecting to MySQL and MariaDB, and what their errors mean."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from .bounds import MOST_BYTES, TOO_MUCH
from .errors import (
    Contended,
    DatabaseError,
    DatabaseUnreachable,
    Duplicate,
    LockWaitedFor,
    LoginRefused,
    MissingGrant,
    PopulateError,
    TableMissing,
    TookTooLong,
    Unrepresentable,
)
from .keepalive import keep_alive
from .settings import DatabaseSettings

NAME = "mysql"
DRIVER_ERROR: tuple[type[Exception], ...] = (
    pymysql.MySQLError,
    # What PyMySQL makes of a server that asks for a local file, or breaks the protocol in other ways.
    RuntimeError,
    AssertionError,
    IndexError,
    UnicodeDecodeError,
    struct.error,
)
CONNECT_SECONDS = 10
PART_BYTES = 100
"""What a part of an answer takes besides, however short it is: there are two in a row."""

# DataJoint's own, so that a key_source means the same here as in the lab's code.
_SQL_MODE = ",".join(
    (
        "NO_ZERO_DATE",
        "NO_ZERO_IN_DATE",
        "ERROR_FOR_DIVISION_BY_ZERO",
        "STRICT_ALL_TABLES",
        "NO_ENGINE_SUBSTITUTION",
        "ONLY_FULL_GROUP_BY",
    )
)
_KINDS: dict[int, type[DatabaseError]] = {
    0: DatabaseUnreachable,
    CR.CR_CONNECTION_ERROR: DatabaseUnreachable,
    CR.CR_CONN_HOST_ERROR: DatabaseUnreachable,
    CR.CR_SERVER_GONE_ERROR: DatabaseUnreachable,
    CR.CR_SERVER_LOST: DatabaseUnreachable,
    CR.CR_SSL_CONNECTION_ERROR: DatabaseUnreachable,  # no TLS there, or a certificate that cannot be verified
    ER.CON_COUNT_ERROR: DatabaseUnreachable,
    ER.SERVER_SHUTDOWN: DatabaseUnreachable,
    1203: DatabaseUnreachable,  # more connections than the user may have
    1226: DatabaseUnreachable,  # more of a resource than the user may have
    1290: DatabaseUnreachable,  # running with --read-only
    1836: DatabaseUnreachable,  # running in read-only mode
    1021: DatabaseUnreachable,  # disk full
    1114: DatabaseUnreachable,  # a table is full: so is the disk
    1927: DatabaseUnreachable,  # MariaDB: connection was killed
    1317: DatabaseUnreachable,  # query was interrupted: killed from elsewhere
    4031: DatabaseUnreachable,  # idle for too long: MySQL; straight from the server PyMySQL says 2013 (seen)
    ER.ACCESS_DENIED_ERROR: LoginRefused,
    1698: LoginRefused,  # MariaDB: access denied without a password
    ER.DBACCESS_DENIED_ERROR: MissingGrant,
    ER.TABLEACCESS_DENIED_ERROR: MissingGrant,
    ER.COLUMNACCESS_DENIED_ERROR: MissingGrant,
    1227: MissingGrant,  # a privilege is needed
    ER.NO_SUCH_TABLE: TableMissing,
    ER.BAD_DB_ERROR: TableMissing,
    ER.BAD_FIELD_ERROR: TableMissing,
    ER.DUP_ENTRY: Duplicate,
    ER.LOCK_WAIT_TIMEOUT: LockWaitedFor,
    ER.LOCK_DEADLOCK: Contended,
    1020: Contended,  # a row changed since it was read
    ER.TRUNCATED_WRONG_VALUE_FOR_FIELD: Unrepresentable,
    1977: Unrepresentable,  # MariaDB: cannot convert a character
    3988: Unrepresentable,  # MySQL: conversion from one collation into another is impossible
    3024: TookTooLong,  # MySQL: max_execution_time
    1969: TookTooLong,  # MariaDB: max_statement_time
}


class _Session(pymysql.connections.Connection):
    """Reads no answer without end: all that the process has would go by it."""

    _left = MOST_BYTES

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        self._left = MOST_BYTES
        return super().query(sql, unbuffered)

    def _read_bytes(self, num_bytes: int) -> bytes:
        self._left -= num_bytes + PART_BYTES
        if self._left < 0:
            self._force_close()  # type: ignore[attr-defined]
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, TOO_MUCH)
        found: bytes = super()._read_bytes(num_bytes)  # type: ignore[misc]
        return found


def open_connection(
    settings: DatabaseSettings,
    name: str,
    statement_seconds: float | None,
    lock_seconds: float | None,
    opening: Callable[[Any], None],
) -> None:
    """A session at READ COMMITTED, in autocommit, that never reads local files; `opening` is given it to abandon."""
    options = _options(settings, name, statement_seconds)
    context = tls_context(settings)
    try:
        raw = _open(opening, options, ssl=context, ssl_disabled=context is None)
    except pymysql.OperationalError as error:
        if settings.tls != "preferred" or "SSL" not in str(error):
            raise
        raw = _open(opening, options, ssl_disabled=True)
    if lock_seconds:
        with raw.cursor() as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {math.ceil(lock_seconds)}")


def _open(opening: Callable[[Any], None], options: dict[str, Any], **tls: Any) -> _Session:
    raw = _Session(**options, **tls, defer_connect=True)
    opening(raw)
    raw.connect()
    keep_alive(raw._sock.fileno())  # type: ignore[attr-defined]
    return raw


def _options(settings: DatabaseSettings, name: str, statement_seconds: float | None) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "user": settings.user,
        "password": settings.password,
        "charset": "utf8mb4",
        "autocommit": True,
        "local_infile": False,
        "sql_mode": _SQL_MODE,
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": statement_seconds,
        "write_timeout": statement_seconds,
        "program_name": name,
        "init_command": "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    }


def tls_context(settings: DatabaseSettings) -> ssl.SSLContext | None:
    """None where the connection is to be in plaintext."""
    if settings.tls == "disabled":
        return None
    if settings.tls == "verify-full":
        return ssl.create_default_context(cadata=settings.ca or None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_open(raw: Any) -> bool:
    return bool(raw.open)


def translate(error: Exception) -> PopulateError:
    """The project's error for a driver's; the caller chains it."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error) or "the connection is closed"
    if isinstance(error, (pymysql.err.InterfaceError, OSError)):
        return DatabaseUnreachable(f"connection lost: {text}", code=code)
    kind = _KINDS.get(code, DatabaseError if code else DatabaseUnreachable)
    return kind(f"{text} ({code})" if code else text, code=code)


def abandon(raw: Any) -> None:
    with contextlib.suppress(OSError, AttributeError):
        raw._sock.shutdown(socket.SHUT_RDWR)


def close(raw: Any) -> None:
    with contextlib.suppress(pymysql.MySQLError, OSError):
        raw.close()
