"""A folder with a manifest, a database with a pipeline in it, and `populate` as a real process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from populate_jobs import Connection, DatabaseSettings, PopulateError, connect

from tests.servers import Server
from tests.servers.host import PATIENCE, wait_until

ROOT = Path(__file__).parents[2]
MODULE = "tests.local.pipelines.rounds"


embedded_alone = pytest.mark.parametrize("login", ["embedded"], indirect=True, scope="session")
"""For what has nothing to do with the kind of database."""
mariadb_alone = pytest.mark.parametrize("login", ["mariadb-10.11"], indirect=True, scope="session")


def environment(**variables: str) -> dict[str, str]:
    """Ours without any login, with the project and its tests in reach."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("DJ_")}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("jobs", "worker", "operator", ""))
    return {**ours, "PYTHONPATH": path, **variables}


def populate_job(name: str, table: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "datajoint.io/v1alpha1",
        "kind": "PopulateJob",
        "metadata": {"name": name},
        "spec": {"table": f"{MODULE}.{table}", "worker": {"image": "rounds"}, **spec},
    }


@dataclass
class Run:
    """A `populate` that goes on, with its output in a file."""

    process: subprocess.Popen[bytes]
    output: Path

    def text(self) -> str:
        return self.output.read_text()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def exit_code(self, seconds: float = PATIENCE) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s:\n{self.text()}") from None

    def workers(self) -> list[psutil.Process]:
        """The supervisors it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [
                child
                for child in psutil.Process(self.process.pid).children()
                if {"populate_worker", "run"} <= set(_words(child))
            ]
        return []


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


@dataclass
class Lab:
    folder: Path
    settings: DatabaseSettings
    schema: str
    connection: Connection
    runs: list[Run] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        return {"PIPELINE_SCHEMA": self.schema, "PIPELINE_FOLDER": str(self.folder)}

    @property
    def manifest(self) -> Path:
        return self.folder / "populate.yaml"

    def write(self, *documents: Mapping[str, Any]) -> None:
        self.manifest.write_text(yaml.safe_dump_all(documents))

    def add(self, conduct: str, *sources: int) -> None:
        for source in sources:
            self.execute(f"INSERT INTO {self.name('source')} VALUES (%s, %s)", source, conduct)

    def execute(self, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, args).rows

    def name(self, table: str) -> str:
        quote = "`" if self.settings.backend == "mysql" else '"'
        return f"{quote}{self.schema}{quote}.{quote}{table}{quote}"

    def made(self, table: str = "__made") -> set[int]:
        return {source for (source,) in self.execute(f"SELECT source FROM {self.name(table)}")}

    def tried_made(self) -> set[int]:
        """What was made, or nothing where the table is away for now."""
        try:
            return self.made()
        except PopulateError:
            return set()

    def reconnect(self) -> None:
        self.connection.reconnect()

    def queue(self, status: str, table: str = "~~made") -> list[int]:
        rows = self.execute(f"SELECT source FROM {self.name(table)} WHERE status = %s ORDER BY source", status)
        return [source for (source,) in rows]

    def run(self, *options: str, **variables: str) -> Run:
        """`populate run -f`, begun."""
        return self.begin("run", "-f", str(self.manifest), *options, **variables)

    def begin(self, *words: str, **variables: str) -> Run:
        output = self.folder / f"output-{len(self.runs)}"
        every = {**self.settings.to_environment(), **self.variables, **variables}
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "populate_operator", *words],
                env=environment(**every),
                cwd=self.folder,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        self.runs.append(Run(process, output))
        return self.runs[-1]

    def populate(self, *words: str, expect: int = 0, **variables: str) -> str:
        """The output of a `populate` that ends by itself, as it must with this code."""
        run = self.begin(*words, **variables)
        assert run.exit_code() == expect, run.text()
        return run.text()

    def began(self) -> set[int]:
        """The sources whose make has begun to wait."""
        return {int(path.name.partition("-")[2]) for path in self.folder.glob("began-*")}

    def first_begun(self) -> int:
        """Which one it is is the queue's choice."""
        wait_until(lambda: bool(self.began()), "a make to begin")
        (first,) = self.began()
        return first

    def leave(self) -> None:
        """Lets the makes that wait go on."""
        (self.folder / "leave").touch()

    def close(self) -> None:
        self.leave()
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
            run.process.wait()


def declare(settings: DatabaseSettings, schema: str, folder: Path) -> None:
    variables = {"PIPELINE_SCHEMA": schema, "PIPELINE_FOLDER": str(folder), **settings.to_environment()}
    code = f"import {MODULE} as rounds; [table() for table in (rounds.Source, rounds.Made, rounds.Again)]"
    subprocess.run([sys.executable, "-c", code], env=environment(**variables), check=True, capture_output=True)


@contextlib.contextmanager
def declared(settings: DatabaseSettings, schema: str, folder: Path) -> Iterator[Connection]:
    """The pipeline's tables in a schema that is dropped afterwards."""
    declare(settings, schema, folder)
    with contextlib.closing(connect(settings, name="tests")) as connection:
        yield connection
        cascade, quote = ("", "`") if settings.backend == "mysql" else (" CASCADE", '"')
        connection.execute(f"DROP SCHEMA {quote}{schema}{quote}{cascade}")


@contextlib.contextmanager
def private_lab(server: Server, folder: Path) -> Iterator[Lab]:
    """On a server that may be stopped."""
    settings = DatabaseSettings.from_secret(server.environment())
    declare(settings, "lab", folder)
    with contextlib.closing(connect(settings, name="tests")) as connection:
        lab = Lab(folder, settings, "lab", connection)
        with contextlib.closing(lab):
            yield lab
