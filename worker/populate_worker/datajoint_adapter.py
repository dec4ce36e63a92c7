"""The one place where a runner touches DataJoint; what it does at import is in resolving, as resolve has it.

`_populate1` does what `populate` does around `make` for one key: transaction, tripartite make, provenance, hidden job
metadata. Its jobs argument is our own: the queue is the supervisor's affair.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import datajoint as dj
from datajoint.errors import LostConnectionError
from datajoint.jobs import _get_job_version
from populate_jobs import DatabaseSettings, Failure, connect
from populate_jobs.errors import DatabaseUnreachable, PopulateError
from populate_jobs.keepalive import keep_alive
from populate_jobs.shortage import is_shortage

from . import failures, waiting
from .messages import LOGIN_FOLDER
from .resolving.declaring import in_turns
from .resolving.locate import import_auto_populated
from .resolving.login import log_in
from .wrapping import wrapped

_GREETINGS = {
    "postgresql": (
        "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false), "
        "set_config('tcp_keepalives_count', '3', false)"
    ),
    "mysql": "SET SESSION wait_timeout = 2147483",  # the most that a server on Windows takes, too
}
"""Where a node is lost nobody closes the session, and PostgreSQL would keep its transaction, and the locks on the key
that is to be made again, for two hours; MySQL and MariaDB have no such setting for a session. What they have is a limit
for a session that says nothing, often of minutes, in which a make may compute for hours."""


class AutoPopulated:
    """A Computed or Imported table of the lab's, connected."""

    def __init__(self, path: str, make_kwargs: Mapping[str, Any], uuid_attributes: Collection[str]) -> None:
        """Imports the class; raises whatever that raises. Waits for a server that takes no connection now."""
        login = DatabaseSettings.from_environment(os.environ)
        with wrapped(dj.Connection, "connect", _connect_in_the_end), in_turns(login):
            log_in(login)
            self._table = import_auto_populated(path)()
        self._connection = self._table.connection
        self._has_our_login = _with(login).items() <= self._connection.conn_info.items()
        self._make_kwargs = dict(make_kwargs)
        self._uuid_attributes = uuid_attributes
        self._greet()

    @property
    def version(self) -> str:
        return str(_get_job_version(self._connection._config))

    def make(self, key: Mapping[str, Any]) -> float:
        """Seconds that it took; raises whatever make raises. A key that is there already is not made again."""
        clock = _Clock()
        self._table._populate1(self._typed(key), clock, False, False, make_kwargs=self._make_kwargs)
        return clock.seconds

    def restore(self) -> None:
        """Leaves a session without a transaction, a new one where the old one is gone; raises if there is none."""
        if self._is_lost():
            with contextlib.suppress(Exception):
                self._connection.close()
            self._read_login_anew()
            self._connection.connect()
            self._greet()
        if self._connection.in_transaction:
            self._connection.cancel_transaction()

    def failure(self, error: BaseException) -> Failure:
        """As DataJoint words it; an error that leaves the session lost is laid to the session."""
        failure = failures.of_exception(error)
        if isinstance(error, Exception) and self._is_lost():
            return dataclasses.replace(failure, exception=LostConnectionError.__name__)
        return failure

    def _greet(self) -> None:
        """Once it is connected."""
        backend, raw = self._connection.adapter.backend, self._connection._conn
        self._connection.query(_GREETINGS[backend])
        keep_alive((raw if backend == "postgresql" else raw._sock).fileno())

    def _read_login_anew(self) -> None:
        """DataJoint connects again as it did first; a mounted Secret may have changed since."""
        if LOGIN_FOLDER in os.environ and self._has_our_login:
            self._connection.conn_info |= _with(_login())

    def _is_lost(self) -> bool:
        """DataJoint's own is_connected says yes to a session that is gone."""
        try:
            self._connection.query("SELECT 1", reconnect=False)
        except Exception:  # noqa: BLE001 whatever the driver raises
            return True
        return False

    def _typed(self, key: Mapping[str, Any]) -> dict[str, Any]:
        return {name: _as_uuid(value) if name in self._uuid_attributes else value for name, value in key.items()}


def _connect_in_the_end(connection: dj.Connection, connect: Callable[[dj.Connection], None]) -> None:
    """Whichever the lab's code opens, as whomever: what it does without one says nothing of it."""
    waiting.until(lambda: connect(connection), _is_worth_it)


def _is_worth_it(error: Exception) -> bool:
    """Another server than ours that is away may be one that the lab's code can do without."""
    return is_shortage(error) or _is_unreachable()


def _is_unreachable() -> bool:
    try:
        connect(_login(), name="populate-worker runner").close()
    except PopulateError as error:
        return isinstance(error, DatabaseUnreachable)
    return False


def _with(login: DatabaseSettings) -> dict[str, Any]:
    """As DataJoint has it."""
    return {"host": login.host, "port": login.port, "user": login.user, "passwd": login.password}


def _login() -> DatabaseSettings:
    """As it is now."""
    folder = os.environ.get(LOGIN_FOLDER)
    return DatabaseSettings.from_folder(Path(folder)) if folder else DatabaseSettings.from_environment(os.environ)


class _Clock:
    """Stands where DataJoint has its jobs table, and only keeps the time."""

    seconds = 0.0

    def reserve(self, key: Mapping[str, Any]) -> bool:  # noqa: ARG002
        return True

    def complete(self, key: Mapping[str, Any], duration: float | None = None) -> None:  # noqa: ARG002
        self.seconds = duration or 0.0

    def error(self, key: Mapping[str, Any], error_message: str, error_stack: str) -> None:
        """The exception itself follows."""


def _as_uuid(value: Any) -> Any:
    return uuid.UUID(bytes=value) if isinstance(value, bytes) else value
