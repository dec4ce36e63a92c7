"""`populate-worker run`: puts the supervisor together and runs it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from populate_jobs import Connection, DatabaseSettings, connect
from populate_jobs.types import worker_session

from populate_worker.exit_codes import ExitCode
from populate_worker.messages import LOGIN_FOLDER

from . import endpoints
from .assignment_file import AssignmentFile
from .loop import Loop
from .signals import signals
from .supervisor import Supervisor

log = logging.getLogger(__name__)

STATEMENT_SECONDS = 120.0
"""A statement that takes longer has lost its server."""

STALLED_SECONDS = 30.0
"""A loop that has not turned for so long is not alive."""


@dataclass(frozen=True)
class Options:
    assignment: Path
    host: str
    """Written to the rows that are reserved; no other worker's."""
    http: tuple[str, int] | None = None
    database: Path | None = None
    """The folder of a mounted Secret, in place of DJ_* variables; read at every connect."""


def run(options: Options) -> ExitCode:
    """Until told to stop; raises PopulateError or OSError where it cannot even begin."""
    loop = Loop()
    supervisor = Supervisor(
        loop,
        AssignmentFile(options.assignment),
        options.host,
        connect=lambda: _connect(options),
        environment=lambda: _environment(options),
        write=_writer(lambda: supervisor.stop()),
    )
    supervisor.metrics.watch("populate_last_heartbeat_timestamp_seconds", lambda: _wall(loop))
    with contextlib.closing(supervisor), signals() as told, _served(options, loop, supervisor):
        loop.on_readable(told, lambda: supervisor.told(os.read(told, 4096)), urgent=True)
        loop.run(supervisor.advance)
    log.info("stopped")
    return supervisor.exit_code


def _settings(options: Options) -> DatabaseSettings:
    if options.database is None:
        return DatabaseSettings.from_environment(os.environ)
    return DatabaseSettings.from_folder(options.database)


def _environment(options: Options) -> dict[str, str]:
    """A runner's: with the login as it is now, and where to look when it is good no longer."""
    folder = {} if options.database is None else {LOGIN_FOLDER: str(options.database)}
    return {**os.environ, **_settings(options).to_environment(), **folder}


def _connect(options: Options) -> Connection:
    return connect(_settings(options), name=worker_session(options.host), statement_seconds=STATEMENT_SECONDS)


def _writer(broken: Callable[[], None]) -> Callable[[str], None]:
    """Writes a line to the log; when nobody reads it any more, the one who started us is gone."""

    def write(line: str) -> None:
        try:
            print(line, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            broken()

    return write


@contextlib.contextmanager
def _served(options: Options, loop: Loop, supervisor: Supervisor) -> Iterator[None]:
    if options.http is None:
        yield
        return
    look, metrics = loop.bell(supervisor.hurry), supervisor.metrics.text
    server = endpoints.serve(
        options.http, lambda: _idle(loop) < STALLED_SECONDS, lambda: supervisor.was_ready, metrics, look
    )
    try:
        yield
    finally:
        server.shutdown()


def _idle(loop: Loop) -> float:
    return time.monotonic() - loop.last_turn


def _wall(loop: Loop) -> float:
    return time.time() - _idle(loop)
