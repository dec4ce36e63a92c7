"""MariaDB and MySQL as plain processes, for machines without a Docker engine."""

import os
import platform
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import debian, unprivileged
from .catalog import Product
from .host import Unavailable, cache, install, wait_until


@dataclass(frozen=True)
class MySQL:
    """A server whose command begins with `program`, with its data in `data`."""

    program: tuple[str, ...]
    data: str
    arguments: tuple[str, ...]

    @classmethod
    def create(cls, product: Product, port: int, data: Path) -> "MySQL":
        assert product.image
        mariadb = product.name.startswith("mariadb")
        program = _mariadbd() if mariadb else _mysqld()
        unprivileged.make_folder(data)
        users = data / "users.sql"
        server = cls(program, str(data), (*product.arguments(port), f"--init-file={users}"))
        if mariadb:
            unprivileged.run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db")
        else:
            unprivileged.run(*program, f"--datadir={data}", "--initialize-insecure")
        shutil.copy(product.image / "users.sql", users)
        server.start()
        return server

    def start(self) -> None:
        files = (f"--datadir={self.data}", f"--pid-file={self._pidfile}", f"--socket={self.data}/socket")
        # A killed server leaves it; its process id may be a zombie's by now, or somebody else's.
        Path(self.data, "socket.lock").unlink(missing_ok=True)
        with Path(self.data, "log").open("a") as log:
            command = unprivileged.command(*self.program, *files, *self.arguments)
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.running() or process.poll() is not None, f"{self.program[0]} started")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def running(self) -> bool:
        return self._pid() is not None

    def remove(self) -> None:
        self.kill()

    def log(self) -> str:
        return Path(self.data, "log").read_text()[-1500:]

    def _end(self, signal_number: int) -> None:
        if pid := self._pid():
            os.kill(pid, signal_number)
            wait_until(lambda: self._pid() is None, "server ended")

    @property
    def _pidfile(self) -> Path:
        return Path(self.data, "pid")

    def _pid(self) -> int | None:
        """Process id of the server that runs on this data."""
        if not self._pidfile.exists():
            return None
        pid = int(self._pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        return pid if command.exists() and f"--datadir={self.data}" in command.read_text() else None


def _mariadbd() -> tuple[str, ...]:
    install("mariadbd", "mariadb-server-core", "mariadb-client-core")
    version = subprocess.run(["mariadbd", "--version"], capture_output=True, text=True).stdout
    if " 10.11." not in version:
        raise Unavailable(f"the distribution has another version: {version.strip()}")
    return "mariadbd", "--no-defaults"


def _mysqld() -> tuple[str, ...]:
    """Debian unstable's server with its own libraries, run in place: no chroot, no mount, nothing installed."""
    root = cache() / "mysql-root"
    if not root.exists():
        debian.unpack("unstable", "mysql-server-core", root)
    loader = next(root.glob("usr/lib*/ld-linux-*"))
    libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
    program = (str(loader), "--library-path", str(libraries), str(root / "usr/sbin/mysqld"))
    return *program, "--no-defaults", f"--basedir={root / 'usr'}", "--mysqlx=OFF", "--secure-file-priv="
