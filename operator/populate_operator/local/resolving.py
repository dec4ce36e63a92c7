"""Asks the pipeline's code what a PopulateJob means, in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from populate_jobs import PopulateError, ResolveDocument
from populate_jobs.document import read_output
from populate_jobs.errors import DocumentError, ResolveRefused

from populate_operator.plan import Problem
from populate_operator.spec import Spec

from .process import Process, died_of, last_line

Start = Callable[[list[str], Path], Process]
"""Starts a command with its output in a file."""
OF_THE_DATABASE = frozenset({"DatabaseUnreachable", "LoginRefused", "Contended", "DatabaseError"})
"""Refusals that say nothing of the manifest or the code: the database may come back."""


def command(spec: Spec) -> list[str]:
    words = [sys.executable, "-m", "populate_worker", "resolve", "--table", spec.table]
    if spec.restriction:
        words += ["--restriction", spec.restriction]
    if spec.restrict_by:
        words += ["--restrict-by", json.dumps([_plain(term) for term in spec.restrict_by])]
    return words


class Resolving:
    """One run of resolve at a time."""

    def __init__(self, start: Start, output: Path) -> None:
        self._start = start
        self._output = output
        self._process: Process | None = None

    def begin(self, spec: Spec) -> None:
        self._output.write_bytes(b"")
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
        if self._process is None or (status := self._process.poll()) is None:
            return None
        self._process = None
        try:
            return read_output(self._output.read_text(errors="replace"))
        except ResolveRefused as refused:
            return refused
        except DocumentError as error:
            return self._broke(status, error)

    def _broke(self, status: int, error: DocumentError) -> ResolveRefused:
        signal = died_of(status)
        how = f"was killed by {signal}" if signal else f"ended with status {status}"
        said = last_line(self._output) or str(error)
        return ResolveRefused("ResolveFailed", f"resolve {how}: {said}", traceback=str(self._output))


def refusal(error: PopulateError, before: Problem | None, now: datetime) -> Problem:
    reason = error.reason if isinstance(error, ResolveRefused) else "ResolveFailed"
    times = before.times + 1 if before is not None and before.reason == reason else 1
    return Problem(reason, " ".join(str(error).split()), now, times, lasting=reason not in OF_THE_DATABASE)


def _plain(term: object) -> object:
    if isinstance(term, Mapping):
        return {name: _plain(value) for name, value in term.items()}
    return [_plain(item) for item in term] if isinstance(term, (list, tuple)) else term
