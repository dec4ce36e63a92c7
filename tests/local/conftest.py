"""A database of each backend with a pipeline in it, emptied for every test."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from populate_jobs import Connection, DatabaseSettings, PopulateError
from populate_operator.local import embedded

from tests.conftest import opened
from tests.local.lab import Lab, declared
from tests.servers import borrow


@pytest.fixture(scope="session", params=["embedded", "mariadb-10.11"])
def login(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseSettings]:
    if request.param == "embedded":
        with embedded.running(tmp_path_factory.mktemp("embedded")) as settings:
            yield settings
    else:
        for server in opened(request, borrow(request.param)):
            yield DatabaseSettings.from_secret(server.environment())


@pytest.fixture(scope="session")
def pipeline(login: DatabaseSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Connection]]:
    schema = f"t_{uuid.uuid4().hex[:8]}"
    with declared(login, schema, tmp_path_factory.mktemp("declared")) as connection:
        yield schema, connection


@pytest.fixture
def lab(
    login: DatabaseSettings, pipeline: tuple[str, Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    schema, connection = pipeline
    lab = Lab(tmp_path, login, schema, connection)
    with contextlib.closing(lab):
        yield lab
    for table in ("~~again", "~~made", "~populate_attempts", "__again", "__made", "source"):
        with contextlib.suppress(PopulateError):
            lab.execute(f"DELETE FROM {lab.name(table)}")
