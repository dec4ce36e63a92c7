"""A pipeline per module and server; every test finds it empty."""

from collections.abc import Iterator

import pytest

from tests.database.pipeline import Pipeline
from tests.servers import Server


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
