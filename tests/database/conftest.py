"""A pipeline per module and server; every test finds it empty."""

import sys
from collections.abc import Iterator

import populate_jobs.finish
import populate_jobs.postgresql
import pytest

from tests.database.pipeline import Pipeline
from tests.servers import Server


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine any statement may take the seconds after which key_source is not waited for."""
    monkeypatch.setattr(populate_jobs.finish, "ANSWER_SECONDS", 100.0)
    monkeypatch.setattr(populate_jobs.finish, "EMPTY_SECONDS", 200.0)


@pytest.fixture(scope="module", autouse=True)
def patient_sessions() -> Iterator[None]:
    """A server may be as busy when it is to open one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["populate_jobs.postgresql"], "CONNECT_SECONDS", 100)
        patch.setattr(sys.modules["populate_jobs.connection"], "OPEN_SECONDS", 200.0)
        yield


@pytest.fixture(scope="module")
def declared(server: Server, schema_name: str) -> Iterator[Pipeline]:
    pipeline = Pipeline(server, schema_name)
    yield pipeline
    pipeline.close()


@pytest.fixture
def pipeline(declared: Pipeline) -> Iterator[Pipeline]:
    """Subjects, a Scan of each to be computed, and no rows yet."""
    yield declared
    declared.clear()
