"""The database servers that pods reach."""

from typing import Any

from tests.servers import Server, discard, keep, kept

NAMES = ("mariadb-10.11", "postgresql-15")


def up(address: str) -> list[Server]:
    """Servers that listen at this machine's address as pods see it. Raises Unavailable."""
    return [keep(name, address) for name in NAMES]


def running(address: str) -> list[Server]:
    return [server for name in NAMES if (server := kept(name, address))]


def down(address: str) -> None:
    for name in NAMES:
        discard(name, address)


def secret(server: Server, name: str = "datajoint") -> dict[str, Any]:
    """Manifest of the Secret that a PopulateJob's `database.secretRef` names."""
    login = {
        "backend": server.backend,
        "host": server.host,
        "port": str(server.port),
        "user": server.user,
        "password": server.password,
        **({"database": server.database} if server.database else {}),
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": login}
