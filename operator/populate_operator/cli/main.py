"""From arguments to an exit code. Everything else is imported when its command is run."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from .exit_codes import ExitCode
from .parser import parse

_LOCAL = frozenset({"yaml", "jsonschema", "rich", "referencing"})


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        args = parse(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    try:
        return _carry_out(args)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except ModuleNotFoundError as error:
        if error.name not in _LOCAL:
            raise
        return _complain(f"{error.name} is not installed: pip install 'populate-operator[local]'", ExitCode.BAD_INPUT)


def _carry_out(args: argparse.Namespace) -> int:
    from populate_jobs.errors import DatabaseError, PopulateError

    try:
        command = importlib.import_module(f".commands.{args.command}", __package__)
        return int(command.main(args))
    except DatabaseError as error:
        return _complain(str(error), ExitCode.LEFT_OVER)
    except PopulateError as error:
        return _complain(str(error), ExitCode.BAD_INPUT)


def _complain(message: str, code: ExitCode) -> int:
    print(message, file=sys.stderr)
    return code
