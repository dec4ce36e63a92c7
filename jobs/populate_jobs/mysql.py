"""Connecting to MySQL and MariaDB, and what their errors mean."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
from typing import Any

import pymysql
from pymysql.constants import CR, ER

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
)
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
}


def open_connection(
    settings: DatabaseSettings, name: str, statement_seconds: float | None, lock_seconds: float | None
) -> Any:
    """A session at READ COMMITTED, in autocommit, that never reads local files."""
    connection = _open(settings, name, statement_seconds)
    if lock_seconds:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION lock_wait_timeout = {math.ceil(lock_seconds)}")
    return connection


def _open(settings: DatabaseSettings, name: str, statement_seconds: float | None) -> Any:
    options: dict[str, Any] = {
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
    context = tls_context(settings)
    if settings.tls != "preferred":
        return pymysql.connect(**options, ssl=context, ssl_disabled=context is None)
    try:
        return pymysql.connect(**options, ssl=context)
    except pymysql.OperationalError as error:
        if "SSL" not in str(error):
            raise
        return pymysql.connect(**options, ssl_disabled=True)


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
