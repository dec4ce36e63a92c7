"""Encryption that was asked for is had, and verified, or there is no connection; of a runner's DataJoint, too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from populate_jobs import DatabaseSettings, connect
from populate_jobs.errors import DatabaseUnreachable

from tests.database.pipeline import settings
from tests.servers import Server, certificates, serve

NAME = "localhost"
"""What the server's certificate is for; its address is not in it."""
ENCRYPTED = {
    "mysql": "SELECT variable_value <> '' FROM {}.session_status WHERE variable_name = 'Ssl_cipher'",
    "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}
LOG_IN = """
import os, datajoint
from populate_jobs import DatabaseSettings
from populate_worker.resolving.login import log_in
log_in(DatabaseSettings.from_environment(os.environ))
print(datajoint.conn().query(os.environ["ASKED"]).fetchall()[0][0])
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """With the certificates of a server, and of somebody else of the same name: each vouches for itself."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for whose in "server", "other":
            certificates.create(folder / f"{whose}.crt", folder / f"{whose}.key", NAME)
        # The server is another user than the one who made them.
        folder.chmod(0o755)
        for file in folder.iterdir():
            file.chmod(0o644)
        yield folder


@pytest.fixture(scope="module", params=["mariadb-10.11", "mysql-9", "postgresql-15"])
def encrypting(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server]:
    """A server of each kind that has a certificate."""
    files = (f"--ssl-cert={folder / 'server.crt'}", f"--ssl-key={folder / 'server.key'}")
    options = () if request.param.startswith("postgresql") else files
    with serve(request.param, *options, folder=folder) as found:
        if found.backend == "postgresql":
            _encrypt(found, folder)
        yield found


def _encrypt(server: Server, folder: Path) -> None:
    """PostgreSQL takes no key that others may read."""
    copy = f"umask 077; cp {folder}/server.crt {folder}/server.key ."
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; {copy}'")
        cursor.execute("ALTER SYSTEM SET ssl = on")
        cursor.execute("SELECT pg_reload_conf()")
    server.restart()


def login(server: Server, tls: str, folder: Path, authority: str = "server", host: str = NAME) -> DatabaseSettings:
    return settings(server, tls=tls, host=host, ca=(folder / f"{authority}.crt").read_text())


def asked(server: Server) -> str:
    """Whether this session is encrypted."""
    schema = "performance_schema" if server.name.startswith("mysql") else "information_schema"
    return ENCRYPTED[server.backend].format(schema)


def is_encrypted(server: Server, login: DatabaseSettings) -> bool:
    with closing(connect(login, name="test")) as connection:
        return bool(connection.execute(asked(server)).rows[0][0])


@pytest.mark.parametrize(("tls", "encrypted"), [("verify-full", True), ("required", True), ("disabled", False)])
def test_a_session_is_encrypted_as_asked(encrypting: Server, folder: Path, tls: str, encrypted: bool) -> None:
    assert is_encrypted(encrypting, login(encrypting, tls, folder)) == encrypted


@pytest.mark.parametrize("wrong", [{"authority": "other"}, {"host": "127.0.0.1"}], ids=["authority", "host"])
def test_a_server_that_cannot_show_who_it_is_is_refused(
    encrypting: Server, folder: Path, wrong: dict[str, str]
) -> None:
    with pytest.raises(DatabaseUnreachable, match=r"(?i)certificate|host name"):
        connect(login(encrypting, "verify-full", folder, **wrong), name="test")
    assert is_encrypted(encrypting, login(encrypting, "required", folder, **wrong))


def log_in(server: Server, login: DatabaseSettings) -> subprocess.CompletedProcess[str]:
    """As DataJoint does in a runner."""
    environment = {**login.to_environment(), "ASKED": asked(server)}
    return subprocess.run(
        [sys.executable, "-c", LOG_IN], env=environment, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("tls", ["verify-full", "required"])
def test_a_runner_s_own_session_is_encrypted_too(encrypting: Server, folder: Path, tls: str) -> None:
    done = log_in(encrypting, login(encrypting, tls, folder))
    assert done.stdout.splitlines()[-1:] in (["1"], ["True"]), done.stderr


def test_a_runner_refuses_a_server_that_cannot_show_who_it_is(encrypting: Server, folder: Path) -> None:
    done = log_in(encrypting, login(encrypting, "verify-full", folder, "other"))
    assert done.returncode
    assert "DataJoint cannot connect with tls verify-full" in done.stderr
