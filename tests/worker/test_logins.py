"""Pipelines that connect as somebody else than the Secret says: how is the affair of the lab's code."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database.pipeline import Login
from tests.database.users import user
from tests.servers import Server
from tests.servers.host import wait_until
from tests.worker.lab import Lab
from tests.worker.test_database_unwilling import kill_sessions, limit_connections, mounted, take_connections

TABLE = "tests.worker.pipelines.own_login.Made"


@pytest.fixture(scope="module")
def declared(server: Server, schema_name: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(server, schema_name, tmp_path_factory.mktemp("resolve"), TABLE)


@pytest.fixture(params=["instance", "conn", "config"])
def lab(request: pytest.FixtureRequest, declared: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Declared by the administrator."""
    monkeypatch.setenv("PIPELINE_LOGIN", request.param)
    monkeypatch.setenv("PIPELINE_USER", declared.server.user)
    monkeypatch.setenv("PIPELINE_PASSWORD", declared.server.password)
    if request.param == "instance":
        monkeypatch.setenv("DJ_THREAD_SAFE", "true")
    declared.documents.clear()
    declared.use(tmp_path)
    return declared


@pytest.fixture
def maker(lab: Lab) -> Iterator[Login]:
    with user(lab) as login:
        yield login


def test_keys_are_made_as_whom_the_labs_code_connects(lab: Lab, maker: Login) -> None:
    lab.fill("insert")
    with lab.worker(environment=of(maker)) as worker:
        lab.until_done()
        worker.stop()
    assert makers(lab) == [maker["user"]]


def test_a_session_that_is_lost_is_opened_again_as_whom_the_labs_code_connects(
    lab: Lab, maker: Login, tmp_path: Path
) -> None:
    lab.fill("insert")
    with lab.worker(environment=of(maker), database=mounted(lab.settings, tmp_path / "secret")) as worker:
        lab.until_done()
        kill_sessions(lab, maker["user"])
        lab.fill("insert", first=2)
        lab.until_done()
        worker.stop()
    assert makers(lab) == [maker["user"]] * 2


def test_a_connection_of_the_labs_own_login_is_waited_for(lab: Lab, maker: Login) -> None:
    lab.fill("insert")
    limit_connections(lab, maker["user"], 1)
    with contextlib.ExitStack() as taken:
        take_connections(dataclasses.replace(lab.server, **maker), taken)
        with lab.worker(environment=of(maker)) as worker:
            waits = "waiting for the database"
            wait_until(lambda: worker.log.count(waits) > 6, "more tries than failed starts are borne")
            taken.close()
            lab.until_done()
            assert "cannot be imported" not in worker.log
            worker.stop()


def of(maker: Login) -> dict[str, str]:
    return {"PIPELINE_USER": maker["user"], "PIPELINE_PASSWORD": maker["password"]}


def makers(lab: Lab) -> list[str]:
    found = lab.execute(f"SELECT maker FROM {lab.document().target} ORDER BY item")
    return [maker.partition("@")[0] for (maker,) in found]
