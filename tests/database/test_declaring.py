"""Several processes import a pipeline that nobody has declared yet, as when its PopulateJobs are applied together."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from populate_jobs import turn
from populate_jobs.document import read_output

from tests.database.pipeline import settings
from tests.database.test_resolve_command import PYTHONPATH, ROOT
from tests.servers import Server
from tests.servers.host import PATIENCE

CROWD = ("Trace", "Rate", "Summary", "Summary")


def test_populatejobs_of_a_new_pipeline_are_all_resolved_at_the_first_try(
    server: Server, schema_name: str, tmp_path: Path
) -> None:
    schema = f"{schema_name}_crowd"
    with contextlib.ExitStack() as started:
        processes = [started.enter_context(_resolve(server, schema, tmp_path, name)) for name in CROWD]
        printed = [process.communicate(timeout=PATIENCE) for process in processes]
    for name, process, (output, errors) in zip(CROWD, processes, printed, strict=True):
        assert process.returncode == 0, errors
        assert read_output(output).table.endswith(name)
    origin = f"{schema}.#subject.subject"
    lineages = server.execute(
        f"SELECT DISTINCT lineage FROM {_quoted(server, schema, '~lineage')} WHERE table_name NOT LIKE '~%'"
    )
    assert set(lineages) == {(origin,), (f"{schema}._trace__window.start",)}


@contextlib.contextmanager
def _resolve(server: Server, schema: str, meeting: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    variables = {"PIPELINE_SCHEMA": schema, "MEETING": str(meeting), "MEETING_OF": str(len(CROWD))}
    process = subprocess.Popen(
        [sys.executable, "-m", "populate_worker", "resolve", "--table", f"tests.database.pipelines.crowd.{name}"],
        env={**os.environ, **server.environment(), **variables, "PYTHONPATH": PYTHONPATH},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _quoted(server: Server, schema: str, table: str) -> str:
    quote = '"' if server.backend == "postgresql" else "`"
    return f"{schema}.{quote}{table}{quote}"


def test_one_turn_ends_before_the_next_begins(server: Server) -> None:
    begun = threading.Event()

    def next_one() -> None:
        with turn(settings(server)):
            begun.set()

    waiting = threading.Thread(target=next_one)
    with turn(settings(server)):
        waiting.start()
        assert not begun.wait(1.0)
    assert begun.wait(PATIENCE)
    waiting.join()


def test_a_server_that_gives_no_session_costs_the_turn_and_not_the_work(server: Server) -> None:
    done = []
    with turn(settings(server, port=1)):
        done.append(1)
    assert done == [1]


def test_an_error_of_the_work_is_told_and_ends_the_turn(server: Server) -> None:
    with pytest.raises(KeyError), turn(settings(server)):
        raise KeyError
    with turn(settings(server)):
        pass
