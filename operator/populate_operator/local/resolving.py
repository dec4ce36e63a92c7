"""Asks the pipeline's code what a PopulateJob means, in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from populate_jobs import PopulateError, ResolveDocument
from populate_jobs.document import read_output
from populate_jobs.errors import DocumentError, ResolveRefused

from populate_operator.question import arguments
from populate_operator.spec import Spec

from .process import Process, died_of, last_line

LONGEST_SECONDS = 300.0
TRACEBACK_LINES = 20

Start = Callable[[list[str], Path], Process]
"""Starts a command with its output in a file."""


def command(spec: Spec) -> list[str]:
    return [sys.executable, "-m", "populate_worker", "resolve", *arguments(spec)]


class Resolving:
    """One run of resolve at a time."""

    def __init__(self, start: Start, output: Path) -> None:
        self._start = start
        self._output = output
        self._process: Process | None = None
        self._began = 0.0

    def begin(self, spec: Spec) -> None:
        self._output.write_bytes(b"")
        self._began = time.monotonic()
        self._process = self._start(command(spec), self._output)

    @property
    def is_under_way(self) -> bool:
        return self._process is not None

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def answer(self) -> ResolveDocument | PopulateError | None:
        """The document or why there is none, once; None while it is under way."""
        if self._process is None:
            return None
        status = self._process.poll()
        if status is None:
            return self._too_long() if time.monotonic() - self._began > LONGEST_SECONDS else None
        self._process = None
        try:
            return read_output(self._output.read_text(errors="replace"))
        except ResolveRefused as refused:
            return refused
        except DocumentError as error:
            return self._broke(status, error)

    def _too_long(self) -> ResolveRefused:
        self.end()
        said = last_line(self._output) or "nothing"
        return ResolveRefused(
            "ResolveTimedOut", f"importing and resolving took more than {LONGEST_SECONDS:.0f} s; last it said: {said}"
        )

    def _broke(self, status: int, error: DocumentError) -> ResolveRefused:
        signal = died_of(status)
        how = f"was killed by {signal}" if signal else f"ended with status {status}"
        output = "\n".join(self._output.read_text(errors="replace").splitlines()[-TRACEBACK_LINES:])
        return ResolveRefused("ResolveFailed", f"resolve {how}: {last_line(self._output) or error}", traceback=output)
