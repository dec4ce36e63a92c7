"""The exit code of a command, whatever happens in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from populate_jobs.errors import PopulateError

from .exit_codes import ExitCode

_OPTIONAL = frozenset({"yaml", "jsonschema", "rich", "referencing"})


def outcome(command: Callable[[], int], *, extra: str, away: type[PopulateError]) -> int:
    """What went wrong is said on standard error. `extra` of this project has what may not be installed; `away` is the
    error that is nobody's bad input."""
    try:
        return _without_errors(command, away)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except ModuleNotFoundError as error:
        if error.name not in _OPTIONAL:
            raise
        return _complain(f"{error.name} is not installed: pip install 'populate-operator[{extra}]'", ExitCode.BAD_INPUT)


def _without_errors(command: Callable[[], int], away: type[PopulateError]) -> int:
    try:
        return command()
    except away as error:
        return _complain(str(error), ExitCode.LEFT_OVER)
    except PopulateError as error:
        return _complain(str(error), ExitCode.BAD_INPUT)


def _complain(message: str, code: ExitCode) -> int:
    print(message, file=sys.stderr)
    return code
