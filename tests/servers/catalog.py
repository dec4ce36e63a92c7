"""The database servers that tests run on: their names, logins and settings."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "populate"
LOCAL = "127.0.0.1"

# Nothing is synced to disk: what a killed server has written is still with the operating system.
_MYSQL = (
    "--skip-name-resolve",
    "--skip-log-bin",
    "--max-connections=500",
    "--character-set-server=utf8mb4",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
)
_POSTGRESQL = ("--max-connections=500", "--fsync=off", "--full-page-writes=off")


@dataclass(frozen=True)
class Product:
    """One server version; `image` is the folder of its Dockerfile, None where a wheel provides it.

    `address` is this machine's, where the server is to listen.
    """

    name: str
    backend: str
    user: str
    database: str
    settings: tuple[str, ...]
    image: Path | None
    address: str = LOCAL
    disk_mib: int | None = None
    """Size of the disk that has its data; None for the machine's own."""
    folder: Path | None = None
    """Of this machine, which the server reads under the same name."""

    def arguments(self, port: int, address: str | None = None) -> tuple[str, ...]:
        """Command line of a server that listens there."""
        listen = "--bind-address" if self.backend == "mysql" else "--listen-addresses"
        return (*self.settings, f"{listen}={address or self.address}", f"--port={port}")

    def fingerprint(self) -> str:
        """Changes with the Dockerfile and the settings, so that no stale server or image is reused."""
        digest = hashlib.sha256(repr(self.settings).encode())
        for file in sorted(self.image.iterdir()) if self.image else ():
            digest.update(file.read_bytes())
        return digest.hexdigest()[:12]


def _mysql(name: str) -> Product:
    return Product(name, "mysql", "root", "", _MYSQL, Path(__file__).parent / name)


def _postgresql(name: str, image: Path | None) -> Product:
    return Product(name, "postgresql", "postgres", "postgres", _POSTGRESQL, image)


TOO_OLD = "mariadb-10.5"
"""Has no SKIP LOCKED: the queue is to refuse it."""

PRODUCTS = {
    product.name: product
    for product in (
        _mysql("mariadb-10.11"),
        _mysql("mysql-9"),
        _postgresql("postgresql-15", Path(__file__).parent / "postgresql-15"),
        _postgresql("postgresql-18", None),
        _mysql(TOO_OLD),
    )
}
