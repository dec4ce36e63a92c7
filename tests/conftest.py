"""Real servers for every test that asks for one."""

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import NAMES, Server, Unavailable, borrow, serve

# How long an example takes depends on what else the machine does.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

SMALL = ("mysql-9", "postgresql-15")
"""Those that have a disk of their own. MariaDB 10.11 is not among them: it crashes where its disk is full."""
SMALL_DISK_MIB = 400
_LEFT_OUT = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", action="append", choices=NAMES, help="run on this server only (repeatable)")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = metafunc.config.getoption("--engine") or NAMES
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", names, indirect=True, scope="session")
    if "own_server" in metafunc.fixturenames:
        metafunc.parametrize("own_server", names, indirect=True)
    if "small_server" in metafunc.fixturenames:
        metafunc.parametrize("small_server", [name for name in SMALL if name in names], indirect=True)


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The shared server of each engine in turn; not to be stopped."""
    yield from opened(request, borrow(request.param))


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A private server of each engine in turn, for tests that stop or kill it."""
    yield from opened(request, serve(request.param))


@pytest.fixture
def small_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A private server of each engine in turn, on a disk of its own that can be filled."""
    name = f"{request.param} on a disk of its own"
    yield from opened(request, serve(request.param, disk_mib=SMALL_DISK_MIB), name)


def opened(
    request: pytest.FixtureRequest, opening: AbstractContextManager[Server], what: str | None = None
) -> Iterator[Server]:
    """Skip, and say so at the end, where the server cannot be had; in CI fail unless that is excused."""
    left_out, name = request.config.stash[_LEFT_OUT], what or request.param
    if name in left_out:
        pytest.skip(f"{name} cannot be had")
    try:
        with opening as running:
            yield running
    except Unavailable as missing:
        if os.environ.get("CI") == "true" and not missing.excused:
            pytest.fail(f"{name} must be there in CI: {missing}", pytrace=False)
        left_out[name] = str(missing)
        pytest.skip(f"{name} cannot be had: {str(missing).splitlines()[0]}")


@pytest.fixture(scope="module")
def schema_name(server: Server) -> Iterator[str]:
    """A schema name nobody else uses; it and every schema whose name starts with it are dropped afterwards."""
    prefix = f"t_{uuid.uuid4().hex[:8]}"
    yield prefix
    ours = f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{prefix}%'"
    drop = 'DROP SCHEMA "{}" CASCADE' if server.backend == "postgresql" else "DROP SCHEMA `{}`"
    for (name,) in server.execute(ours):
        server.execute(drop.format(name))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, reason in config.stash[_LEFT_OUT].items():
        terminalreporter.write_sep("!", f"LEFT OUT: {name}", red=True, bold=True)
        terminalreporter.write_line(reason)
