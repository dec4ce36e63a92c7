"""Workers beside DataJoint's own `populate(reserve_jobs=True, refresh=False)`: throughput and statements per key.

Both sides make the same keys on the same server, in turn. Start-up is left out on both: the rate is taken between
the moments when a tenth and nine tenths of the keys had been made.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from populate_jobs import Assignment, JobsTable, ResolveDocument, WorkerSettings, connect, probe, refresh
from populate_jobs.document import read_output
from populate_jobs.settings import DatabaseSettings

from tests.servers import Server

from . import statements
from .report import Figure, alone, beside

SCHEMA = "bench_workers"
TABLE = "bench.pipeline.Analysis"
WORKERS = (1, 4, 8, 16)
DEADLINE_SECONDS = 900.0
FLAT = 0.05
TURNS = 5
IDLE_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """What making all keys once gave."""

    keys_per_second: float
    statements_per_key: float


class Stage:
    """The pipeline's tables on a server of our own, filled anew for each run."""

    def __init__(self, server: Server, keys: int) -> None:
        self.server = server
        self.keys = keys
        self.environment = {**os.environ, **server.environment(), "BENCH_SCHEMA": SCHEMA, "DJ_LOG_LEVEL": "ERROR"}
        self.settings = DatabaseSettings.from_environment(self.environment)
        self.document = self._resolve()
        self.jobs = JobsTable(connect(self.settings, name="bench"), self.document)
        probe(self.jobs)
        self._fill()

    def _resolve(self) -> ResolveDocument:
        command = [sys.executable, "-m", "populate_worker", "resolve", "--table", TABLE]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return read_output(done.stdout)

    def _fill(self) -> None:
        (parent,) = self.document.upstream
        values = ", ".join(f"({n}, {n})" for n in range(self.keys))
        self.jobs.connection.execute(f"INSERT INTO {parent} (recording, samples) VALUES {values}")

    def start_over(self) -> None:
        for table in (self.document.target, self.document.jobs):
            self.jobs.connection.execute(f"DELETE FROM {table}")

    def made(self) -> int:
        return int(self.jobs.connection.execute(f"SELECT COUNT(*) FROM {self.document.target}").rows[0][0])

    def sessions(self) -> int:
        views = {"mysql": "information_schema.processlist", "postgresql": "pg_stat_activity WHERE usename IS NOT NULL"}
        return int(self.server.execute(f"SELECT COUNT(*) FROM {views[self.server.backend]}")[0][0])

    def rate(self) -> float:
        """Keys a second between the first and the last tenth."""
        rows = self.jobs.connection.execute(f"SELECT made FROM {self.document.target} ORDER BY made").rows
        first, last = len(rows) // 10, len(rows) * 9 // 10
        return (last - first) / float((rows[last][0] - rows[first][0]).total_seconds())


def run(server: Server, keys: int) -> Iterator[Figure]:
    statements.prepare(server)
    stage = Stage(server, keys)
    backend, flat = server.name, None
    for workers in WORKERS:
        ours = _measure(stage, workers, functools.partial(_ours, stage, workers))
        peer = _measure(stage, workers, functools.partial(_populate, stage, workers, "reserving"))
        limit = {16: ">= 3.5"}.get(workers, ">= 1.0")
        yield beside("keys_per_second", backend, workers, ours.keys_per_second, peer.keys_per_second, limit)
        yield Figure(
            "statements_per_key", backend, workers, *_rounded(ours, peer), round(ours.statements_per_key, 2), "<= 6"
        )
        flat = flat or ours.statements_per_key
        growth = ours.statements_per_key / flat - 1
        yield alone("statements_per_key_growth", backend, workers, growth, f"<= {FLAT}")
        if workers == 1:
            yield _beside_plain(stage)


def _beside_plain(stage: Stage) -> Figure:
    """One worker beside unreserved populate(): a few percent apart, so in turns, and the median of each."""
    ours, plain = [], []
    for _ in range(TURNS):
        ours.append(_measure(stage, 1, lambda: _ours(stage, 1)).keys_per_second)
        plain.append(_measure(stage, 1, lambda: _populate(stage, 1, "plain")).keys_per_second)
    return beside(
        "keys_per_second_plain", stage.server.name, 1, statistics.median(ours), statistics.median(plain), ">= 0.95"
    )


def idle(server: Server) -> Iterator[Figure]:
    """What a worker asks of the database while there is nothing to do: in its first minute, and in its second. Beside
    one that calls populate in a loop, whose minutes are alike."""
    statements.prepare(server)
    stage = Stage(server, keys=1)
    names, limits = ("idle_statements_per_s", "idle_statements_per_s_later"), (1.0, 0.2)
    with _workers(stage, 1):
        ours = [_asked(stage), _asked(stage)]
    with _process(stage, [sys.executable, "-m", "bench.loop", TABLE]):
        _until(lambda: stage.made() == stage.keys, "the loop has nothing to do any more")
        loop = _asked(stage)
    for name, limit, asked in zip(names, limits, ours, strict=True):
        yield alone(name, server.name, 1, asked, f"<= {limit}")
        yield beside(f"{name}_to_populate", server.name, 1, asked, loop, "<= 1")


def _asked(stage: Stage) -> float:
    """Statements a second."""
    before, looking = statements.count(stage.server), statements.count(stage.server)
    time.sleep(IDLE_SECONDS)
    return (statements.count(stage.server) - looking - (looking - before)) / IDLE_SECONDS


def _rounded(ours: Run, peer: Run) -> tuple[float, float]:
    return round(ours.statements_per_key, 2), round(peer.statements_per_key, 2)


def _measure(stage: Stage, workers: int, work: Callable[[], int]) -> Run:
    """`work` makes every key and says how many statements the server had counted when it began."""
    stage.start_over()
    before = work()
    run = Run(stage.rate(), (statements.count(stage.server) - before) / stage.keys)
    print(f"# {stage.server.name} {workers} workers: {run}", file=sys.stderr, flush=True)
    return run


@contextlib.contextmanager
def _workers(stage: Stage, workers: int) -> Iterator[None]:
    """So many of ours, connected, and nothing to do yet."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        assignment = Path(folder, "assignment.json")
        assignment.write_text(Assignment(stage.document, WorkerSettings()).to_json())
        idle = stage.sessions()
        for number in range(workers):
            command = [sys.executable, "-m", "populate_worker", "run", "--assignment", str(assignment)]
            stack.enter_context(_process(stage, [*command, "--host", f"bench-{number}"]))
        _until(lambda: stage.sessions() >= idle + 2 * workers, "the workers are connected")
        yield


def _ours(stage: Stage, workers: int) -> int:
    with _workers(stage, workers):
        refresh(stage.jobs)
        before = statements.count(stage.server)
        _until(lambda: stage.made() == stage.keys, "all keys are made", every=0.5)
        return before


def _populate(stage: Stage, workers: int, mode: str) -> int:
    refresh(stage.jobs)
    with contextlib.ExitStack() as stack:
        command = [sys.executable, "-m", "bench.peer", mode]
        processes = [stack.enter_context(_process(stage, command)) for _ in range(workers)]
        for process in processes:
            process.stdout.readline()
        before = statements.count(stage.server)
        for process in processes:
            process.stdin.write(b"go\n")
            process.stdin.flush()
        for process in processes:
            process.wait(DEADLINE_SECONDS)
        return before


@contextlib.contextmanager
def _process(stage: Stage, command: list[str]) -> Iterator[Any]:
    with subprocess.Popen(
        command, env=stage.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _until(condition: Callable[[], bool], what: str, every: float = 0.1) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE_SECONDS:.0f} s")
        time.sleep(every)
