"""From arguments to an exit code. Everything else is imported when its command is run."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from populate_jobs.errors import DatabaseError

from .outcome import outcome
from .parser import parse


def main(arguments: Sequence[str] | None = None) -> int:
    return outcome(
        lambda: _carry_out(sys.argv[1:] if arguments is None else arguments), extra="local", away=DatabaseError
    )


def _carry_out(arguments: Sequence[str]) -> int:
    args = parse(arguments)
    command = importlib.import_module(f".commands.{args.command}", __package__)
    return int(command.main(args))
