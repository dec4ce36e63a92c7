"""A lab with a pipeline on a real server, and workers that are real processes."""

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from populate_jobs import (
    Assignment,
    DatabaseSettings,
    JobsTable,
    ResolveDocument,
    WorkerSettings,
    connect,
    probe,
    refresh,
)
from populate_jobs.document import between_sentinels

from tests.servers import Server
from tests.servers.host import PATIENCE, free_port, wait_until

ROOT = Path(__file__).parents[2]
PIPELINE = "tests.worker.pipelines.basic.Made"


class Lab:
    """The pipeline of tests.worker.pipelines.basic in a schema of its own; see there for what makes can be told."""

    def __init__(self, server: Server, schema: str, folder: Path, table: str = PIPELINE) -> None:
        self.server = server
        self.schema = schema
        self.folder = folder
        self.table = table
        self.documents: dict[str, ResolveDocument] = {}
        self.settings = DatabaseSettings.from_secret(server.environment())

    def use(self, folder: Path) -> None:
        """From here on makes and tests meet in `folder`, and the tables are empty."""
        self.folder = folder
        document = self.document()
        for table in (document.target, document.jobs, self.name("item"), self.name("~populate_attempts")):
            self.execute(f"DELETE FROM {table}")

    @property
    def environment(self) -> dict[str, str]:
        paths = [str(ROOT / folder) for folder in ("jobs", "worker", "")]
        mine = {"PIPELINE_SCHEMA": self.schema, "PIPELINE_FOLDER": str(self.folder), "PYTHONPATH": ":".join(paths)}
        return {**os.environ, **self.server.environment(), **mine}

    def document(self, restriction: str = "") -> ResolveDocument:
        if restriction not in self.documents:
            self.documents[restriction] = self._resolve(restriction)
        return self.documents[restriction]

    def _resolve(self, restriction: str) -> ResolveDocument:
        command = [sys.executable, "-m", "populate_worker", "resolve", "--table", self.table]
        done = subprocess.run(
            [*command, "--restriction", restriction], env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return ResolveDocument.from_json(between_sentinels(done.stdout))

    def quoted(self, name: str) -> str:
        quote = '"' if self.server.backend == "postgresql" else "`"
        return f"{quote}{name}{quote}"

    def name(self, table: str) -> str:
        return f"{self.quoted(self.schema)}.{self.quoted(table)}"

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.execute(sql)

    @contextlib.contextmanager
    def queue(self) -> Iterator[JobsTable]:
        with contextlib.closing(connect(self.settings, name="test")) as connection:
            jobs = JobsTable(connection, self.document())
            probe(jobs)
            yield jobs

    def fill(self, *behaviours: str, first: int = 1) -> None:
        """Items first, first + 1, ... with these behaviours, queued in this order."""
        rows = ", ".join(f"({item}, '{behaviour}')" for item, behaviour in enumerate(behaviours, start=first))
        self.execute(f"INSERT INTO {self.name('item')} (item, behaviour) VALUES {rows}")
        with self.queue() as jobs:
            refresh(jobs)
        seconds = f"(item - {first + len(behaviours) + 60})"
        earlier = {
            "mysql": f"CURRENT_TIMESTAMP(3) + INTERVAL {seconds} SECOND",
            "postgresql": f"CURRENT_TIMESTAMP(3) + {seconds} * INTERVAL '1 second'",
        }[self.server.backend]
        self.execute(f"UPDATE {self.document().jobs} SET scheduled_time = {earlier} WHERE item >= {first}")

    def end_session(self, session: int) -> None:
        """From the server's side."""
        statement = {"mysql": "KILL {}", "postgresql": "SELECT pg_terminate_backend({})"}[self.server.backend]
        self.execute(statement.format(session))

    def declare_again(self) -> None:
        """The jobs table, as resolve does."""
        self._resolve("")

    def statuses(self) -> dict[int, str]:
        return {item: status for item, (status, _) in self.rows().items()}

    def rows(self) -> dict[int, tuple[str, str]]:
        """Status and message of every row of the jobs table, by item."""
        found = self.execute(f"SELECT item, status, error_message FROM {self.document().jobs} ORDER BY item")
        return {item: (status, message) for item, status, message in found}

    def jobs_table(self) -> list[tuple[Any, ...]]:
        """All of it, with every column."""
        return self.execute(f"SELECT * FROM {self.document().jobs} ORDER BY item")

    def items(self) -> list[int]:
        return [item for (item,) in self.execute(f"SELECT item FROM {self.name('item')} ORDER BY item")]

    def made(self) -> list[int]:
        return [item for (item,) in self.execute(f"SELECT item FROM {self.document().target} ORDER BY item")]

    def pid_of(self, item: int) -> int:
        """The process whose row the target has."""
        ((pid,),) = self.execute(f"SELECT pid FROM {self.document().target} WHERE item = {item}")
        return int(pid)

    def ledger(self) -> list[tuple[str, int, int]]:
        """What makes noted: `start` or `return`, item, process."""
        path = self.folder / "ledger"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(what, int(item), int(pid)) for what, item, pid in (line.split() for line in lines)]

    def starts(self) -> dict[int, int]:
        """How often each item was started."""
        return dict(collections.Counter(item for what, item, _ in self.ledger() if what == "start"))

    def makers(self) -> dict[int, list[int]]:
        """The processes that started each item, in order."""
        makers: dict[int, list[int]] = {}
        for what, item, pid in self.ledger():
            if what == "start":
                makers.setdefault(item, []).append(pid)
        return makers

    def started_again(self) -> dict[int, int]:
        return {item: times for item, times in self.starts().items() if times > 1}

    def until_in_make(self, item: int) -> None:
        wait_until((self.folder / f"in-{item}").exists, f"item {item} in make")

    def let(self, *items: int, process: int | None = None) -> None:
        """Ends the waiting of these items' makes, in this process alone where one is named."""
        for item in items:
            (self.folder / (f"go-{item}" if process is None else f"go-{item}-{process}")).touch()

    def until_done(self, *, left: dict[int, str] | None = None) -> None:
        """Until every key is made and its row gone, but for rows that end in these statuses."""
        wait_until(lambda: self.statuses() == (left or {}), f"rows to be {left or 'gone'}")

    def assignment(self, *, restriction: str = "", **settings: Any) -> Assignment:
        return Assignment(self.document(restriction), WorkerSettings(**settings))

    @contextlib.contextmanager
    def worker(
        self,
        *,
        host: str = "w1.lab.test",
        environment: dict[str, str] | None = None,
        assignment: Assignment | None = None,
        database: Path | None = None,
        piped: bool = False,
        **settings: Any,
    ) -> Iterator["Worker"]:
        """A worker, killed afterwards unless it has ended; its log is shown with a failure."""
        port = free_port()
        file, log = self.folder / f"{host}-{port}.json", self.folder / f"{host}-{port}.log"
        file.write_text((assignment or self.assignment(**settings)).to_json())
        command = [sys.executable, "-m", "populate_worker", "run", "--assignment", str(file), "--host", host]
        command += ["--database", str(database)] if database else []
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--http", f"127.0.0.1:{port}"],
                env={**self.environment, **(environment or {})},
                stdout=subprocess.PIPE if piped else output,
                stderr=output,
                start_new_session=True,
            )
        worker = Worker(process, host, file, log, port)
        try:
            yield worker
        except BaseException:
            print(worker.log, json.dumps(self.ledger()[-20:]))
            raise
        finally:
            if process.poll() is None:
                worker.kill()


class Worker:
    """A supervisor process, with what it printed."""

    def __init__(self, process: subprocess.Popen[bytes], host: str, assignment: Path, log: Path, port: int) -> None:
        self.process = process
        self.host = host
        self.assignment = assignment
        self._log = log
        self._port = port

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def until_logged(self, pattern: str) -> None:
        wait_until(lambda: bool(re.search(pattern, self.log)), f"{pattern!r} in the log")

    def runners(self) -> list[int]:
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def until_runners(self, count: int) -> None:
        wait_until(lambda: len(self.runners()) == count, f"{count} runners")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def interrupt(self) -> None:
        """Ctrl-C: to the whole process group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def suspend(self) -> None:
        """Supervisor and runners stand still, as on a machine that is paused."""
        self._signal_all(signal.SIGSTOP)
        wait_until(lambda: all(_stands_still(pid) for pid in self._processes()), "a worker that stands still")

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _processes(self) -> list[int]:
        return [self.process.pid, *self.runners()]

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._processes():
            os.kill(pid, number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def exit_code(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    def stop(self) -> None:
        """As a pod is stopped; it must leave nothing reserved."""
        wait_until(lambda: self.process.poll() is not None or self._health() != 0, "signals heeded")
        self.terminate()
        assert self.exit_code() == 0, self.log

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def answers(self) -> bool:
        return self._health() == 200

    def _health(self) -> int:
        """As told by HTTP; 0 before there is an endpoint: until shortly before, SIGTERM ends Python itself."""
        try:
            return self.get("/healthz")[0]
        except OSError:
            return 0

    def stop_reading(self) -> None:
        """As a parent does that dies."""
        assert self.process.stdout
        self.process.stdout.close()

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        assert found, name
        return float(found[1])

    def assign(self, assignment: Assignment) -> None:
        """Puts the new file in the old one's place, as a kubelet does."""
        new = self.assignment.with_suffix(".new")
        new.write_text(assignment.to_json())
        new.rename(self.assignment)


def _stands_still(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED
