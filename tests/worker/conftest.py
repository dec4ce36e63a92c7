"""A lab per module and server, with empty tables and a folder of its own for every test."""

from pathlib import Path

import pytest

from tests.servers import Server
from tests.worker.lab import Lab

ENGINES = ("mariadb-10.11", "postgresql-15")
"""One of each backend: what differs between versions is the queue's affair, and tested there."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps worker tests to ENGINES unless --engine names others."""
    if config.getoption("--engine"):
        return
    elsewhere = [item for item in items if _is_ours(item) and not _engine(item) & {None, *ENGINES}]
    config.hook.pytest_deselected(items=elsewhere)
    items[:] = [item for item in items if item not in elsewhere]


def _is_ours(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _engine(item: pytest.Item) -> set[str | None]:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return {parameters.get("server", parameters.get("own_server"))}


@pytest.fixture(scope="module")
def declared(server: Server, schema_name: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(server, schema_name, tmp_path_factory.mktemp("resolve"))


@pytest.fixture
def lab(declared: Lab, tmp_path: Path) -> Lab:
    declared.use(tmp_path)
    return declared


@pytest.fixture
def own_lab(own_server: Server, tmp_path: Path) -> Lab:
    """On a server that may be stopped."""
    lab = Lab(own_server, "lab", tmp_path)
    lab.document()
    return lab
